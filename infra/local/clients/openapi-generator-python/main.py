"""Five calls with the client that OpenAPI Generator makes for Python."""
import os
import uuid

from openapi_client import ApiClient, ApiException, Configuration, CustomerPatch, CustomersApi, NewCustomer
from openapi_client.exceptions import NotFoundException

PARTNER, BRAND = os.environ["PARTNER"], os.environ["BRAND"]
customers = CustomersApi(ApiClient(Configuration(host=os.environ["API"], access_token=os.environ["KEY"])))


def create(name, key):
    new = NewCustomer(partner_id=PARTNER, brand_id=BRAND, name=name, reference="R-1", domain="first.example")
    return customers.create_customer(new, idempotency_key=key)


key = str(uuid.uuid4())
first, again, second = create("First", key), create("First", key), create("Second", str(uuid.uuid4()))
assert first.id == again.id != second.id
print("idempotency-key")

found, cursor = [], None
while True:
    page = customers.list_customers(PARTNER, limit=1, cursor=cursor)
    assert len(page.items) <= 1
    found += [c.id for c in page.items]
    cursor = page.next
    if not cursor:
        break
assert found == [first.id, second.id], found
print("pages")

etag = f'"{first.version}"'
edited = customers.edit_customer(first.id, CustomerPatch(name="Renamed"), if_match=etag)
assert (edited.name, edited.reference, edited.domain) == ("Renamed", "R-1", "first.example")
try:
    customers.edit_customer(first.id, CustomerPatch(name="Too late"), if_match=etag)
    raise SystemExit("a stale version was taken")
except ApiException as e:
    assert e.status == 412 and e.data.type == "/problems/precondition-failed", e
print("if-match")

try:
    customers.get_customer("cus_0000000000000000")
    raise SystemExit("a customer that is not there was found")
except NotFoundException as e:
    assert e.data.type == "/problems/not-found", e
print("problem")

edited = customers.edit_customer(first.id, CustomerPatch(reference=None))
assert edited.reference is None and edited.domain == "first.example"
print("null")
