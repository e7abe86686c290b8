package operations_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/getkin/kin-openapi/openapi3"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/listtest"
)

// nowhere stands for a place that does not tell of a property.
const nowhere = "-"

// place is where a property that was sent shows: in the answer, in the next GET, and in the data of an event; "" stands for the property's
// own name.
type place struct {
	answer, get, event string
	derived            bool // another value is told, which follows from what was sent
	because            string
}

// told has the places of the properties that do not show everywhere under their own name.
var told = map[string]place{
	"createPartner.parentId":         {event: nowhere, because: "the path of the event has it"},
	"createCustomer.partnerId":       {event: nowhere, because: "the path of the event has it"},
	"createBrand.partnerId":          {answer: "ownerPartnerId", get: "ownerPartnerId", event: nowhere, because: "the event is at the partner"},
	"editBrand.logo":                 {"logoUrl", "logoUrl", "logoUrl", true, "an image is told by its address"},
	"movePartner.parentId":           {event: "to", because: "events of moves have from and to"},
	"moveCustomer.parentId":          {answer: "partnerId", get: "partnerId", event: "to", because: "the parent of a customer is its partner"},
	"suspendPartner.reason":          {answer: nowhere, get: nowhere, because: "a reason is for the log"},
	"suspendCustomer.reason":         {answer: nowhere, get: nowhere, because: "a reason is for the log"},
	"requestPartnerMove.parentId":    {event: "to", because: "events of moves have from and to"},
	"requestCustomerMove.parentId":   {event: "to", because: "events of moves have from and to"},
	"setPartnerUserRole.role":        {answer: nowhere, get: nowhere, because: "there is no body, and a user is only in a list"},
	"setCustomerUserRole.role":       {answer: nowhere, get: nowhere, because: "there is no body, and a user is only in a list"},
	"inviteToPartner.email":          {event: nowhere, because: "no event has an address"},
	"inviteToCustomer.email":         {event: nowhere, because: "no event has an address"},
	"inviteToPartner.message":        {event: nowhere, because: "the message is for the invited alone"},
	"inviteToCustomer.message":       {event: nowhere, because: "the message is for the invited alone"},
	"createApiClient.expiresAt":      {answer: "secrets/last/expiresAt", get: "secrets/last/expiresAt", because: "it is the secret that ends"},
	"addApiClientSecret.expiresAt":   {answer: "secrets/last/expiresAt", get: "secrets/last/expiresAt", because: "it is the secret that ends"},
	"inviteToPartner.expiresInDays":  {"expiresAt", "expiresAt", nowhere, true, "what ends an invitation is a time"},
	"inviteToCustomer.expiresInDays": {"expiresAt", "expiresAt", nowhere, true, "what ends an invitation is a time"},
}

// Every property that the contract lets somebody send is in the answer, in the next GET, and in an event.
func TestWhatIsSentIsTold(t *testing.T) {
	doc := document(t)
	left := maps.Clone(told)
	for _, op := range contract.Operations {
		spec := doc.Paths.Value(op.Path).GetOperation(op.Method)
		if spec.RequestBody == nil || strings.HasSuffix(op.Path, "/preview") { // which changes nothing
			continue
		}
		body := spec.RequestBody.Value.Content.Get("application/json").Schema.Value
		for _, name := range slices.Sorted(maps.Keys(body.Properties)) {
			at := left[op.ID+"."+name]
			delete(left, op.ID+"."+name)
			at.answer, at.get, at.event = cmp.Or(at.answer, name), cmp.Or(at.get, name), cmp.Or(at.event, name)
			t.Run(op.ID+"."+name, func(t *testing.T) { newFieldScene(t, doc, op).sends(t, name, body, at) })
		}
	}
	for name := range left {
		t.Errorf("the contract has no %s any more", name)
	}
}

// The schemas of customers have each of their details.
func TestCustomersHaveTheirDetailsInTheContract(t *testing.T) {
	doc := document(t)
	for _, name := range []string{"Customer", "NewCustomer", "CustomerPatch"} {
		for _, f := range hierarchy.DetailFields {
			if doc.Components.Schemas[name].Value.Properties[f.Name] == nil && (!f.Fixed || name != "CustomerPatch") {
				t.Errorf("the schema %s in shared/contract/openapi.yaml has no %s, which shared/hierarchy/details.go has", name, f.Name)
			}
		}
	}
	for _, list := range []string{"customers", "descendants"} {
		parameters := doc.Paths.Value("/v1/partners/{id}/" + list).Get.Parameters
		for _, f := range hierarchy.DetailFields {
			if has := parameters.GetByInAndName("query", f.Name) != nil; has != (f.Term != "") {
				t.Errorf("the list of %s in shared/contract/openapi.yaml has a parameter %s: %v; customers are found by it: %v", list, f.Name, has, f.Term != "")
			}
		}
	}
}

// sends sends a property, with all others that are needed, and looks where it is told.
func (s *fieldScene) sends(t *testing.T, name string, body *openapi3.Schema, at place) {
	before := map[string]any{}
	if s.op.Method == "PATCH" {
		before = s.Founder.Gets("%s", s.path).Is(200).JSON()
	}
	sent := s.placed(s.example(name, body.Properties[name].Value))
	if yes, ok := sent.(bool); ok && before[name] == sent {
		sent = !yes
	}
	if reflect.DeepEqual(before[name], sent) {
		t.Fatalf("%v is there before: another example in the contract would show whether it counts", sent)
	}
	request := map[string]any{name: sent}
	for _, needed := range body.Required {
		if needed != name {
			request[needed] = s.placed(s.example(needed, body.Properties[needed].Value))
		}
	}
	tells := func(value any) bool { return same(value, sent) || at.derived && value != nil }
	store := s.Store.(*directorytest.Fake)
	earlier := len(store.Events())
	answer := s.Founder.Do(s.op.Method, s.path, request)
	if answer.Status/100 != 2 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	if at.answer != nowhere && !tells(inside(answer.JSON(), at.answer)) {
		t.Errorf("%s is %v; sent %v, answered %s", at.answer, inside(answer.JSON(), at.answer), sent, answer.Body)
	}
	if at.get != nowhere {
		address := thing.FindString(s.path)
		if answer.Status == 201 {
			address = answer.Header["Location"]
		}
		if got := s.Founder.Gets("%s", address).Is(200); !tells(inside(got.JSON(), at.get)) {
			t.Errorf("%s is %v; sent %v, and then GET answers %s", at.get, inside(got.JSON(), at.get), sent, got.Body)
		}
	}
	if at.event == nowhere {
		return
	}
	for _, e := range store.Events()[earlier:] {
		if at.event == "nodeId" && tells(string(e.Node)) { // the event is at the node
			return
		}
		value := plain(t, e.Data)[at.event]
		change, _ := value.(map[string]any)
		if tells(value) || change["to"] != nil && tells(change["to"]) {
			return
		}
	}
	t.Errorf("sent %v, and no event has it as %s: its payload (shared/event/payload.go) lacks the field, or is made without it: %+v", sent, at.event,
		store.Events()[earlier:])
}

// thing is the part of an address that ends with the first id.
var thing = regexp.MustCompile(`^/v1/[a-z-]+/[^/]+`)

// same reports whether a value is the one that was sent; the order of lists does not count.
func same(got, sent any) bool {
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(got)); err == nil {
		other, err := time.Parse(time.RFC3339, fmt.Sprint(sent))
		return err == nil && at.Equal(other)
	}
	list, ok1 := got.([]any)
	other, ok2 := sent.([]any)
	return reflect.DeepEqual(got, sent) || ok1 && ok2 && listtest.Difference(list, other) == ""
}

// inside returns what is at a path in a JSON object; "last" is the last element of an array.
func inside(object map[string]any, path string) any {
	var at any = object
	for name := range strings.SplitSeq(path, "/") {
		if list, ok := at.([]any); ok && name == "last" && len(list) > 0 {
			at = list[len(list)-1]
			continue
		}
		object, _ := at.(map[string]any)
		at = object[name]
	}
	return at
}

// plain is a value as JSON has it.
func plain(t *testing.T, v any) map[string]any {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../../shared/contract/docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// fieldScene is a scene on which the examples of the contract can be sent.
type fieldScene struct {
	*scene
	op    contract.Operation
	doc   *openapi3.T
	path  string
	other string // a brand that is available above self, and not at self
}

func newFieldScene(t *testing.T, doc *openapi3.T, op contract.Operation) *fieldScene {
	s := &fieldScene{scene: newScene(t, op), op: op, doc: doc}
	s.other = s.Founder.Brand(s.World.Root, "other.example")
	for _, above := range []string{"top", "parent"} {
		s.Founder.Do("PATCH", "/v1/partners/"+string(s.positions[above]), map[string]any{"availableBrandIds": []string{s.brand, s.other}}).Is(200)
	}
	s.path = s.address(op)
	if strings.Contains(s.path, "{") {
		t.Fatalf("%s: say in (*scene).address, in matrix_test.go, what stands in %s", op.ID, s.path)
	}
	return s
}

// example is what the contract gives as an example of a property: in the body of the operation, at the property, or in another body.
func (s *fieldScene) example(name string, schema *openapi3.Schema) any {
	s.T.Helper()
	inBody := func(op contract.Operation) any {
		spec := s.doc.Paths.Value(op.Path).GetOperation(op.Method)
		if spec.RequestBody == nil {
			return nil
		}
		media := spec.RequestBody.Value.Content.Get("application/json")
		for _, which := range slices.Sorted(maps.Keys(media.Examples)) {
			if whole, _ := media.Examples[which].Value.Value.(map[string]any); whole[name] != nil {
				return whole[name]
			}
		}
		return nil
	}
	found := inBody(s.op)
	if found == nil {
		found = schema.Example
	}
	for _, op := range contract.Operations {
		if found == nil {
			found = inBody(op)
		}
	}
	if name == "logo" { // which would be long
		found = base64Of(noise(s.T, 48, 48))
	}
	if found == nil {
		s.T.Fatalf("shared/contract/openapi.yaml has no example of %s: give one among the examples: of the request, or as example: of the property", name)
	}
	if whole, ok := found.(map[string]any); ok {
		for inner := range schema.Properties {
			if whole[inner] == nil {
				s.T.Fatalf("the example of %s has no %s", name, inner)
			}
		}
	}
	return found
}

// placed is an example with ids of what is there: of partners, the one that the operation can go to; of brands, one that would change
// something, and then the one that is there.
func (s *fieldScene) placed(value any) any {
	switch v := value.(type) {
	case []any:
		to := make([]any, len(v))
		for i := range v {
			if to[i] = s.placed(v[i]); i > 0 && to[i] == to[0] {
				to[i] = s.brand
			}
		}
		return to
	case string:
		switch {
		case strings.Contains(v, "T00:00:00Z"): // a time to come
			return s.Now().AddDate(1, 0, 0).Truncate(time.Second).UTC().Format(time.RFC3339)
		case v == "viewer" && s.op.Method == "PUT": // which everybody is in a scene
			return "operator"
		case !anID.MatchString(v):
			return v
		case strings.HasPrefix(v, "brd_") && s.op.Method == "PATCH":
			return s.other
		case strings.HasPrefix(v, "brd_"):
			return s.brand
		case strings.HasPrefix(v, "ptn_") && strings.Contains(s.op.Path, "{id}"):
			return string(s.dest)
		case strings.HasPrefix(v, "ptn_"):
			return string(s.self)
		case strings.HasPrefix(v, "cli_"), strings.HasPrefix(v, "usr_"):
			return string(s.client.ID)
		}
		s.T.Fatalf("this test does not know what stands for %s", v)
	}
	return value
}

var anID = regexp.MustCompile(`^[a-z]{3}_[0-9a-z]{16}$`)

// Every parameter of a query that the contract has is known to its operation, and no other is.
func TestQueriesAreThoseOfTheContract(t *testing.T) {
	doc := document(t)
	const unknown = "noSuchParameter"
	for _, op := range contract.Operations {
		if op.Public {
			continue
		}
		t.Run(op.ID, func(t *testing.T) {
			s := newFieldScene(t, doc, op)
			item := doc.Paths.Value(op.Path)
			all := map[string]string{}
			needed := url.Values{}
			for _, p := range slices.Concat(item.Parameters, item.GetOperation(op.Method).Parameters) {
				if p.Value.In != "query" {
					continue
				}
				value := s.dated(fmt.Sprint(s.placed(s.parameter(p.Value))))
				all[p.Value.Name] = value
				if p.Value.Required {
					needed.Set(p.Value.Name, value)
				}
			}
			for name, value := range all {
				query := maps.Clone(needed)
				query.Set(name, value)
				answer := s.Founder.Do(op.Method, s.path+"?"+query.Encode(), nil)
				if answer.Status != 200 && !(name == "cursor" && answer.Get("type") == "/problems/invalid-cursor") {
					t.Errorf("?%s: %d %s", query.Encode(), answer.Status, answer.Body)
				}
			}
			as := *s.Founder
			as.Always = []apitest.With{func(e *events.APIGatewayV2HTTPRequest) {
				e.QueryStringParameters = maps.Clone(e.QueryStringParameters)
				if e.QueryStringParameters == nil {
					e.QueryStringParameters = map[string]string{}
				}
				e.QueryStringParameters[unknown] = "1"
			}}
			calls[op.ID](s.scene, &as).Is(400, "invalid").Says(`{"pointer":"` + unknown + `","detail":"is not a parameter of this operation"}`)
		})
	}
}

// dated is a value that is a time or a date in the past of the world, whenever that is: the contract's examples are of one year.
func (s *fieldScene) dated(value string) string {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if _, err := time.Parse(form, value); err == nil {
			return s.Now().AddDate(0, 0, -2).UTC().Format(form)
		}
	}
	return value
}

// parameter is a value that the contract gives for a parameter.
func (s *fieldScene) parameter(p *openapi3.Parameter) any {
	s.T.Helper()
	schema := p.Schema.Value
	for _, e := range p.Examples {
		return e.Value.Value
	}
	for _, v := range []any{p.Example, schema.Example, schema.Default} {
		if v != nil {
			return v
		}
	}
	switch {
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case schema.Format == "date-time":
		return "2026-03-02T09:14:07Z"
	case p.Name == "cursor":
		return "of-another-list"
	}
	s.T.Fatalf("the contract has no example of ?%s=: give it one", p.Name)
	return nil
}
