package operations_test

import (
	"slices"
	"strings"
	"testing"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/access"
)

const aTenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"

func TestCustomersAreFilteredByTheirFields(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	below := f.Partner(a, "Below", brand)
	make := func(partner any, name string, fields map[string]any) string {
		fields["partnerId"], fields["name"], fields["brandId"] = partner, name, brand
		return f.Do("POST", "/v1/customers", fields).Is(201).Get("id")
	}
	one := make(a, "One", map[string]any{"tenantId": aTenant, "reference": "C 1", "domain": "one.example"})
	two := make(below, "Two", map[string]any{"tenantId": aTenant, "reference": "C 1"})
	make(b, "Three", map[string]any{"tenantId": aTenant, "reference": "C 1", "domain": "one.example"})
	viewer := f.Client(a, "viewer")
	for query, want := range map[string][2][]string{
		"tenantId=72F988BF-86F1-41AF-91AB-2D7CD011DB47": {{one}, {one, two}},
		"reference=+C++1":                  {{one}, {one, two}},
		"reference=c%201":                  {{}, {}},
		"domain=One.Example.":              {{one}, {one}},
		"reference=C+1&domain=one.example": {{one}, {one}},
		"reference=C+1&tenantId=82f988bf-86f1-41af-91ab-2d7cd011db47": {{}, {}},
	} {
		for i, list := range []string{"/customers", "/descendants"} {
			got := viewer.Gets("%s%s?%s", apitest.NodePath(a), list, query).Is(200).Items("id")
			slices.Sort(got)
			slices.Sort(want[i])
			if !slices.Equal(got, want[i]) {
				t.Errorf("%s?%s: %v; want %v", list, query, got, want[i])
			}
		}
	}
	for query, says := range map[string]string{
		"tenantId=72f988bf":             `{"pointer":"tenantId","detail":"must be a GUID`,
		"domain=example":                `{"pointer":"domain","detail":"must be a DNS name`,
		"reference=%20":                 `{"pointer":"reference","detail":"must not be blank; leave this parameter out"}`,
		"reference=":                    `{"pointer":"reference","detail":"must not be empty; leave this parameter out"}`,
		"brandId=brd_0000000000000000":  `{"pointer":"brandId","detail":"is not a parameter of this operation"}`,
		"tenantId=x&domain=one.example": `{"pointer":"tenantId","detail":"must be a GUID`,
	} {
		for _, list := range []string{"/customers", "/descendants"} {
			viewer.Gets("%s%s?%s", apitest.NodePath(a), list, query).Is(400, "invalid").Says(says)
		}
	}
	viewer.Gets("%s/descendants?kind=partner&domain=one.example", apitest.NodePath(a)).Is(400, "invalid").
		Says(`{"pointer":"kind","detail":"must be customer, or left out, together with a field that only customers have"}`)
	if got := viewer.Gets("%s/descendants?kind=customer&domain=one.example", apitest.NodePath(a)).Items("id"); !slices.Equal(got, []string{one}) {
		t.Errorf("with their kind: %v", got)
	}
	for _, list := range []string{"/customers", "/descendants"} {
		viewer.Gets("%s%s?tenantId=%s", apitest.NodePath(b), list, aTenant).Is(404, "not-found")
		viewer.Gets("%s%s?tenantId=%s", apitest.NodePath(w.Root), list, aTenant).Is(404, "not-found")
	}
}

func TestTheSecondCustomerOfATenantIsNoticed(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	inA, inB := f.Client(a, "operator"), f.Client(b, "operator")
	customer := func(partner any, name string) map[string]any {
		return map[string]any{"partnerId": partner, "name": name, "brandId": brand, "tenantId": aTenant}
	}
	same := func(a *apitest.Answer) (names []string) {
		hints, _ := a.JSON()["sameTenant"].([]any)
		for _, h := range hints {
			names = append(names, h.(map[string]any)["name"].(string))
		}
		return names
	}
	first := inA.Do("POST", "/v1/customers", customer(a, "First")).Is(201)
	if _, told := first.JSON()["sameTenant"]; told {
		t.Errorf("the first one: %s", first.Body)
	}
	if got := inB.Do("POST", "/v1/customers", customer(b, "Out of sight")).Is(201); same(got) != nil {
		t.Errorf("out of sight: %s", got.Body)
	}
	again := apitest.Header("Idempotency-Key", "again")
	second := inA.Do("POST", "/v1/customers", customer(a, "Second"), again).Is(201)
	if got := same(second); !slices.Equal(got, []string{"First"}) {
		t.Errorf("the second one: %v", got)
	}
	inA.Do("PATCH", "/v1/customers/"+first.Get("id"), map[string]any{"tenantId": nil}).Is(200)
	if repeated := inA.Do("POST", "/v1/customers", customer(a, "Second"), again).Is(201); repeated.Body != second.Body {
		t.Errorf("the same request again: %s; want %s", repeated.Body, second.Body)
	}
	if got := same(inA.Do("PATCH", "/v1/customers/"+first.Get("id"), map[string]any{"tenantId": aTenant}).Is(200)); !slices.Equal(got, []string{"Second"}) {
		t.Errorf("given it: %v", got)
	}
	if got := same(inA.Gets("/v1/customers/%s", first.Get("id")).Is(200)); got != nil {
		t.Errorf("read: %v", got)
	}
}

func TestSearchShowsWhereThingsAre(t *testing.T) {
	w, f, brand := world(t)
	vazon := f.Partner(w.Root, "Vazon Bay IT", brand)
	vale, beside := f.Partner(vazon, "Vale Telecom Services", brand), f.Partner(w.Root, "Braye Beside", brand)
	clinic := f.Do("POST", "/v1/customers", map[string]any{"partnerId": vale, "name": "Braye Harbour Clinic", "brandId": brand,
		"tenantId": aTenant, "reference": "VTS-00417", "domain": "brayeharbour.example"}).Is(201).Get("id")
	f.Customer(beside, "Braye Bakery", brand)
	viewer := f.Client(vazon, "viewer")
	found := viewer.Gets("/v1/search?q=BRAYE+cli").Is(200)
	want := `{"id":"` + clinic + `","kind":"customer","name":"Braye Harbour Clinic","reference":"VTS-00417","tenantId":"` + aTenant +
		`","domain":"brayeharbour.example","status":"active","path":[{"id":"` + string(vazon) + `","kind":"partner","name":"Vazon Bay IT"},{"id":"` +
		string(vale) + `","kind":"partner","name":"Vale Telecom Services"},{"id":"` + clinic + `","kind":"customer","name":"Braye Harbour Clinic"}]}`
	if found.Body != `{"items":[`+want+`]}` {
		t.Errorf("found %s\nwant %s", found.Body, want)
	}
	if got := f.Gets("/v1/search?q=braye&kind=partner").Items("id"); !slices.Equal(got, []string{string(beside)}) {
		t.Errorf("partners: %v", got)
	}
	if got := f.Gets("/v1/search?q=braye&under=%s", vale).Items("id"); !slices.Equal(got, []string{clinic}) {
		t.Errorf("under Vale: %v", got)
	}
	f.Do("POST", apitest.NodePath(vale)+"/suspend", map[string]any{"reason": "Not paid."}).Is(202)
	viewer.Gets("/v1/search?q=00417").Is(200).Says(`"status":"suspended","suspendedAt":"` + string(vale) + `"`)
	f.Do("DELETE", "/v1/customers/"+clinic, nil).Is(202)
	if got := f.Gets("/v1/search?q=braye+harbour").Is(200); got.Body != `{"items":[]}` {
		t.Errorf("in the trash: %s", got.Body)
	}
	for query, says := range map[string]string{
		"":                               `{"pointer":"q","detail":"is required"}`,
		"q=":                             `{"pointer":"q","detail":"is required"}`,
		"q=b":                            `{"pointer":"q","detail":"must have a word of at least two letters or digits, or an ideograph; type more of the name"}`,
		"q=braye&kind=brand":             `{"pointer":"kind","detail":"must be one of: partner, customer, person"}`,
		"q=braye&under=brd_x":            `{"pointer":"under","detail":"must be the id of a partner`,
		"q=braye&under=":                 `{"pointer":"under","detail":"must not be empty; leave this parameter out"}`,
		"q=braye&limit=51":               `{"pointer":"limit","detail":"must be a whole number from 1 to 50"}`,
		"q=" + strings.Repeat("ab", 101): `{"pointer":"q","detail":"must have at most 200 characters; it has 202"}`,
	} {
		f.Gets("/v1/search?%s", query).Is(400, "invalid").Says(says)
	}
	person := w.PersonWith(vale, access.Operator)
	found = viewer.Gets("/v1/search?q=alice&kind=person").Is(200)
	want = `{"id":"` + string(person.ID) + `","kind":"person","name":"Alice Le Page","tenantId":"` + person.Person.Tenant +
		`","roles":[{"node":{"id":"` + string(vale) + `","kind":"partner","name":"Vale Telecom Services"},"role":"operator","path":[{"id":"` + string(vazon) +
		`","kind":"partner","name":"Vazon Bay IT"},{"id":"` + string(vale) + `","kind":"partner","name":"Vale Telecom Services"}]}]}`
	if found.Body != `{"items":[`+want+`]}` {
		t.Errorf("found %s\nwant %s", found.Body, want)
	}
	if got := f.Client(beside, "owner").Gets("/v1/search?q=alice").Is(200); got.Body != `{"items":[]}` {
		t.Errorf("somebody out of sight: %s", got.Body)
	}
	viewer.Gets("/v1/search?q=braye&under=%s", beside).Is(404, "not-found")
	f.Gets("/v1/search?q=braye&cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAA").Is(400, "invalid-cursor")
}
