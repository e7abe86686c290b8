// Five calls with the client that OpenAPI Generator makes for Java, on Java's own HTTP client with Jackson.
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.CustomersApi;
import org.openapitools.client.model.*;

public class Main {
    static final String PARTNER = System.getenv("PARTNER"), BRAND = System.getenv("BRAND");
    static final ApiClient api = new ApiClient();
    static CustomersApi customers;

    public static void main(String[] args) throws Exception {
        api.updateBaseUri(System.getenv("API"));
        api.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + System.getenv("KEY")));
        customers = new CustomersApi(api);

        String key = UUID.randomUUID().toString();
        Customer first = create("First", key), again = create("First", key), second = create("Second", UUID.randomUUID().toString());
        step("idempotency-key", first.getId().equals(again.getId()));

        List<String> found = new ArrayList<>();
        String cursor = null;
        do {
            CustomerList page = customers.listCustomers(PARTNER, null, null, null, 1, cursor);
            page.getItems().forEach(c -> found.add(c.getId()));
            cursor = page.getNext();
        } while (cursor != null);
        step("pages", found.equals(List.of(first.getId(), second.getId())));

        String etag = "\"" + first.getVersion() + "\"";
        Customer edited = customers.editCustomer(first.getId(), new CustomerPatch().name("Renamed"), etag);
        boolean kept = edited.getName().equals("Renamed") && "R-1".equals(edited.getReference()) && "first.example".equals(edited.getDomain());
        Problem stale = problem(412, () -> customers.editCustomer(first.getId(), new CustomerPatch().name("Too late"), etag));
        step("if-match", kept && stale.getType().toString().equals("/problems/precondition-failed"));

        Problem absent = problem(404, () -> customers.getCustomer("cus_0000000000000000", null));
        step("problem", absent.getType().toString().equals("/problems/not-found"));

        edited = customers.editCustomer(first.getId(), new CustomerPatch().reference(null), null);
        step("null", edited.getReference() == null && "first.example".equals(edited.getDomain()));
    }

    static Customer create(String name, String key) throws ApiException {
        NewCustomer customer = new NewCustomer().partnerId(PARTNER).brandId(BRAND).name(name).reference("R-1").domain("first.example");
        return customers.createCustomer(customer, key);
    }
    interface Call { Customer make() throws ApiException; }
    static Problem problem(int status, Call call) throws Exception { // the client's error has the body as text
        try { throw new Exception("it was done: " + call.make()); } catch (ApiException e) {
            if (e.getCode() != status) throw e;
            return api.getObjectMapper().readValue(e.getResponseBody(), Problem.class);
        }
    }
    static void step(String name, boolean ok) throws Exception { if (!ok) throw new Exception(name); System.out.println(name); }
}
