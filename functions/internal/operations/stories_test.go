package operations_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/functions/internal/limit"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/listtest"
)

func world(t *testing.T) (w *apitest.World, founder *apitest.Actor, brand string) {
	w = apitest.New(t, new(directorytest.Fake))
	return w, w.Founder, w.Founder.Brand(w.Root, "vendor.example")
}

func TestGrantsInTwoBranchesAddUp(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	a1, b1, c := f.Partner(a, "A1", brand), f.Partner(b, "B1", brand), f.Partner(w.Root, "C", brand)
	both := f.Client(a, "viewer")
	both.CannotSee(b1)
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", both.ID, b), map[string]any{"role": "admin"}).Is(200)
	for _, node := range []ident.Node{a, a1, b, b1} {
		both.Sees(node)
	}
	both.CannotSee(c)
	both.CannotSee(w.Root)
	both.Do("POST", "/v1/partners", apitest.NewPartner(b1, "New", brand)).Is(201)
	both.Do("POST", "/v1/partners", apitest.NewPartner(a1, "New", brand)).Is(403, "forbidden")
	f.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", both.ID, b), nil).Is(204)
	both.CannotSee(b1)
	both.Sees(a1)
}

func TestADeeperGrantKeepsItsOwnRole(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	deep := f.Partner(f.Partner(a, "A1", brand), "A2", brand)
	c := f.Client(a, "viewer")
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", c.ID, deep), map[string]any{"role": "admin"}).Is(200)
	c.Do("PATCH", apitest.NodePath(deep), map[string]any{"name": "Mine"}).Is(200)
	c.Do("PATCH", apitest.NodePath(a), map[string]any{"name": "Not mine"}).Is(403, "forbidden")
	me := c.Gets("/v1/me").Is(200)
	if got := me.Body; strings.Count(got, `"role"`) != 2 || !strings.Contains(got, `"path":[{"id":"`+string(a)+`"`) {
		t.Errorf("/v1/me does not show the deeper grant by the way from the upper one: %s", got)
	}
}

func TestWhatLiesAboveTheGrantDoesNotShow(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	b := f.Partner(a, "B", brand)
	cus := f.Customer(b, "Customer", brand)
	viewer := f.Client(b, "viewer")
	for _, target := range []string{apitest.NodePath(b), apitest.NodePath(cus), apitest.NodePath(b) + "/path", apitest.NodePath(cus) + "/path", apitest.NodePath(b) + "/tree",
		apitest.NodePath(b) + "/descendants", apitest.NodePath(b) + "/customers", apitest.NodePath(b) + "/brands", "/v1/me", "/v1/api-clients?nodeId=" + string(b)} {
		answer := viewer.Gets("%s", target).Is(200)
		for _, id := range []ident.Node{w.Root, a} {
			if strings.Contains(answer.Body, string(id)) {
				t.Errorf("GET %s shows %s, which lies above the caller's grant: %s", target, id, answer.Body)
			}
		}
	}
	if got := viewer.Gets("%s/path", apitest.NodePath(cus)).Items("id"); !slices.Equal(got, []string{string(b), string(cus)}) {
		t.Errorf("the partner path begins at %v; want the caller's own grant", got)
	}
	if got := f.Gets("%s/path", apitest.NodePath(cus)).Items("name"); !slices.Equal(got, []string{"Cloudvendor", "A", "B", "Customer"}) {
		t.Errorf("the founder's partner path is %v", got)
	}
}

func TestAnIDOfTheWrongKindIsNotFound(t *testing.T) {
	w, f, brand := world(t)
	cus := f.Customer(w.Root, "Customer", brand)
	f.Gets("/v1/partners/%s", cus).Is(404, "not-found")
	f.Gets("/v1/customers/%s", w.Root).Is(404, "not-found")
	f.Gets("/v1/partners/nonsense").Is(404, "not-found")
	f.Gets("/v1/brands/%s", w.Root).Is(404, "not-found")
	f.Do("POST", "/v1/customers", map[string]any{"partnerId": cus, "name": "X", "brandId": brand}).Is(400, "invalid")
}

func TestNames(t *testing.T) {
	w, f, brand := world(t)
	long := strings.Repeat("𝔘", hierarchy.MaxName)
	for _, name := range []string{"x", long, "  trimmed  ", "Ωμέγα Τηλεπικοινωνίες", "株式会社テレコム", "شركة الاتصالات", "a/b#c%d"} {
		id := f.Partner(w.Root, name, brand)
		if got := f.Gets("%s", apitest.NodePath(id)).Get("name"); got != strings.TrimSpace(name) {
			t.Errorf("the name %q became %q", name, got)
		}
	}
	for _, name := range []string{"", "   ", long + "x", "a\nb", "a\x00b", "a\u202eb", "\u200b\u2060", "a\uffff"} {
		answer := f.Do("POST", "/v1/partners", apitest.NewPartner(w.Root, name, brand)).Is(400, "invalid")
		if !strings.Contains(answer.Body, `"pointer":"/name"`) {
			t.Errorf("the refusal of %q does not point to it: %s", name, answer.Body)
		}
	}
	f.Partner(w.Root, "x", brand) // siblings may share a name
}

// from is the parameter by which a list goes on, none at its beginning.
func from(cursor string) string {
	if cursor == "" {
		return ""
	}
	return "&cursor=" + cursor
}

func TestOrderFoldsCaseAndAccents(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "P", brand)
	names := []string{"Zeta", "éclair", "alpha", "Eclair b", "ALPHA b", "Ökonom", "ob"}
	for _, n := range names {
		f.Customer(p, n, brand)
	}
	want := []string{"alpha", "ALPHA b", "éclair", "Eclair b", "ob", "Ökonom", "Zeta"}
	var got []string
	for cursor := ""; ; {
		page := f.Gets("%s/customers?limit=2%s", apitest.NodePath(p), from(cursor))
		got = append(got, page.Items("name")...)
		if cursor = page.Get("next"); cursor == "" {
			break
		}
	}
	listtest.InOrder(t, "customers", got, want)
}

func TestDepth30IsAcceptedAnd31Refused(t *testing.T) {
	w, f, brand := world(t)
	at := w.Root
	for depth := 2; depth <= hierarchy.MaxDepth-1; depth++ {
		at = f.Partner(at, fmt.Sprint("Depth ", depth), brand)
	}
	last := f.Partner(at, "Depth 30", brand)
	f.Customer(at, "A customer at 30", brand)
	f.Do("POST", "/v1/partners", apitest.NewPartner(last, "Depth 31", brand)).Is(422, "depth-limit")
	f.Do("POST", "/v1/customers", map[string]any{"partnerId": last, "name": "Depth 31", "brandId": brand}).Is(422, "depth-limit")
	if got := len(f.Gets("%s/path", apitest.NodePath(last)).Items("id")); got != 30 {
		t.Errorf("the path has %d steps", got)
	}
}

func TestFiftyCreatesAtOnce(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "P", brand)
	at50(func(i int) { f.Customer(p, fmt.Sprint("Customer ", i), brand) })
	if got := len(f.Gets("%s/customers?limit=200", apitest.NodePath(p)).Items("id")); got != 50 {
		t.Errorf("%d customers", got)
	}
	answers := make([]string, 50)
	at50(func(i int) {
		answers[i] = f.Do("POST", "/v1/partners", apitest.NewPartner(p, "Once", brand), apitest.Header("Idempotency-Key", "the-same")).Is(201).Body
	})
	if len(slices.Compact(slices.Sorted(slices.Values(answers)))) != 1 {
		t.Errorf("one Idempotency-Key got different answers: %v", answers)
	}
	if got := f.Gets("%s/partners", apitest.NodePath(p)).Items("name"); !slices.Equal(got, []string{"Once"}) {
		t.Errorf("one Idempotency-Key made %v", got)
	}
}

func at50(do func(i int)) {
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

func TestIdempotencyKeys(t *testing.T) {
	w, f, brand := world(t)
	key := apitest.Header("Idempotency-Key", "3f2b")
	body := apitest.NewPartner(w.Root, "Once", brand)
	first := f.Do("POST", "/v1/partners", body, key).Is(201)
	if again := f.Do("POST", "/v1/partners", body, key).Is(201); again.Body != first.Body || again.Header["Location"] != first.Header["Location"] || again.Header["ETag"] != first.Header["ETag"] {
		t.Errorf("the same request again gave %s; want %s", again.Body, first.Body)
	}
	reordered := fmt.Sprintf(`{"canProvisionServices": true, "name": "Once", "parentId": %q, "availableBrandIds": [%q], "portalBrandId": %q}`, w.Root, brand, brand)
	if again := f.Do("POST", "/v1/partners", reordered, key).Is(201); again.Body != first.Body {
		t.Errorf("the same request in another order made another partner")
	}
	f.Do("POST", "/v1/partners", apitest.NewPartner(w.Root, "Other", brand), key).Is(422, "idempotency-key-reused")
	f.Do("POST", "/v1/customers", map[string]any{"partnerId": w.Root, "name": "Once", "brandId": brand}, key).Is(422, "idempotency-key-reused")
	other := f.Client(w.Root, "owner")
	if made := other.Do("POST", "/v1/partners", body, key).Is(201); made.Get("id") == first.Get("id") {
		t.Error("another client's Idempotency-Key answered")
	}
	for _, bad := range []string{strings.Repeat("x", 256), "", `""`, "a b", "é"} {
		f.Do("POST", "/v1/partners", body, apitest.Header("Idempotency-Key", bad)).Is(400, "idempotency-key-invalid")
	}

	// Who has lost the right is not answered from memory either.
	f.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", other.ID, w.Root), nil).Is(204)
	other.Do("POST", "/v1/partners", body, key).Is(404, "not-found")
}

// The same thing done to something else is another request, though its body and its operation are the same.
func TestAnIdempotencyKeyIsForOneNode(t *testing.T) {
	n := newNeighbours(t)
	key := apitest.Header("Idempotency-Key", "once")
	once := func(method, target string, body any) *apitest.Answer { return n.f.Do(method, target, body, key) }
	once(suspend(n.a)).Is(202)
	once(suspend(n.b)).Is(422, "idempotency-key-reused")
	if got := n.f.Gets("%s", apitest.NodePath(n.b)).Get("status"); got != "active" {
		t.Errorf("the other partner is %s", got)
	}
	once(suspend(n.a)).Is(202)
}

func TestARequestWhoseAnswerWasLostIsAnsweredWhenItComesAgain(t *testing.T) {
	store := new(directorytest.Fake)
	w := apitest.New(t, store)
	f := w.Founder
	brand := f.Brand(w.Root, "vendor.example")
	for _, body := range []map[string]any{apitest.NewPartner(w.Root, "Once", brand)} {
		store.After = func(c directorytest.Call) error {
			if c.Name == "Commit" {
				return directorytest.Busy()
			}
			return nil
		}
		key := apitest.Header("Idempotency-Key", "lost")
		if lost := f.Do("POST", "/v1/partners", body, key).Is(503, "busy"); lost.Header["Retry-After"] == "" {
			t.Error("503 without Retry-After")
		}
		store.After = nil
		id := f.Do("POST", "/v1/partners", body, key).Is(201).Get("id")
		if got := f.Gets("/v1/partners/%s/partners", w.Root).Items("id"); !slices.Equal(got, []string{id}) {
			t.Errorf("partners: %v; want only %s", got, id)
		}
	}
}

func TestEditsAndETags(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "Before", brand)
	path := apitest.NodePath(p)
	tag := f.Gets("%s", path).Header["ETag"]
	f.Do("PATCH", path, map[string]any{"name": "After"}, apitest.Header("If-Match", tag)).Is(200)
	f.Do("PATCH", path, map[string]any{"name": "Too late"}, apitest.Header("If-Match", tag)).Is(412, "precondition-failed")
	f.Do("PATCH", path, map[string]any{"name": "Weak"}, apitest.Header("If-Match", "W/"+f.Gets("%s", path).Header["ETag"])).Is(412, "precondition-failed")
	repeated := f.Do("PATCH", path, map[string]any{"name": "After"}, apitest.Header("If-Match", tag)).Is(200)
	if repeated.Header["ETag"] != `"2"` {
		t.Errorf("an edit that was applied already gave ETag %s", repeated.Header["ETag"])
	}
	f.Do("PATCH", path, map[string]any{"name": "Any"}, apitest.Header("If-Match", `"a,b", "2"`)).Is(200)
	f.Do("PATCH", path, map[string]any{"name": "Star"}, apitest.Header("If-Match", "*")).Is(200)
	if got := f.Gets("/v1/partners/%s/partners", w.Root).Items("name"); !slices.Equal(got, []string{"Star"}) {
		t.Errorf("the list of the parent says %v", got)
	}

	cus := apitest.NodePath(f.Customer(p, "Customer", brand))
	f.Do("PATCH", cus, map[string]any{"reference": "R-1", "tenantId": "72F988BF-86F1-41AF-91AB-2D7CD011DB47", "domain": "Contoso.Example."}).Is(200)
	got := f.Gets("%s", cus)
	if got.Get("reference") != "R-1" || got.Get("tenantId") != "72f988bf-86f1-41af-91ab-2d7cd011db47" || got.Get("domain") != "contoso.example" {
		t.Errorf("the customer became %s", got.Body)
	}
	f.Do("PATCH", cus, map[string]any{"reference": nil, "tenantId": nil}).Is(200)
	if got := f.Gets("%s", cus); got.Get("reference") != "" || got.Get("tenantId") != "" || got.Get("domain") == "" {
		t.Errorf("null did not take away: %s", got.Body)
	}
	f.Do("PATCH", cus, map[string]any{"brandId": brand}).Is(422, "immutable")
	f.Do("PATCH", cus, map[string]any{"name": nil}).Is(400, "invalid")
	f.Do("PATCH", cus, map[string]any{"tenantId": "contoso"}).Is(400, "invalid")
}

func TestBrandRules(t *testing.T) {
	w, f, vendor := world(t)
	other := f.Brand(w.Root, "other.example")
	a := f.Partner(w.Root, "A", vendor, other)
	b := f.Partner(a, "B", vendor)
	admin := f.Client(a, "admin")

	f.Do("POST", "/v1/partners", apitest.NewPartner(b, "C", other)).Is(422, "brand-not-available")
	f.Do("POST", "/v1/customers", map[string]any{"partnerId": b, "name": "C", "brandId": other}).Is(422, "brand-not-available")
	f.Do("POST", "/v1/customers", map[string]any{"partnerId": b, "name": "C", "brandId": ident.NewBrand()}).Is(422, "brand-not-available")

	// What a partner may sell under is not for the partner to say.
	admin.Do("PATCH", apitest.NodePath(a), map[string]any{"availableBrandIds": []string{vendor}}).Is(403, "needs-grant-above")
	admin.Do("PATCH", apitest.NodePath(b), map[string]any{"availableBrandIds": []string{vendor, other}}).Is(200)
	admin.Do("PATCH", apitest.NodePath(b), map[string]any{"portalBrandId": other}).Is(200)
	f.Client(b, "admin").Do("PATCH", apitest.NodePath(b), map[string]any{"portalBrandId": vendor}).Is(200)

	// A brand cannot be taken away while it is used right below.
	cus := f.Customer(b, "Customer", other)
	used := admin.Do("PATCH", apitest.NodePath(b), map[string]any{"availableBrandIds": []string{vendor}}).Is(409, "brand-in-use")
	if !strings.Contains(used.Body, string(cus)) {
		t.Errorf("the refusal does not name the customer: %s", used.Body)
	}
	used = f.Do("PATCH", apitest.NodePath(a), map[string]any{"availableBrandIds": []string{vendor}}).Is(409, "brand-in-use")
	if !strings.Contains(used.Body, string(b)) {
		t.Errorf("the refusal does not name the partner: %s", used.Body)
	}

	// The portal brand is drawn from above as well.
	c := f.Partner(a, "C", other)
	f.Do("PATCH", apitest.NodePath(c), map[string]any{"availableBrandIds": nil}).Is(200)
	d := f.Partner(w.Root, "D", vendor, other)
	e := f.Partner(d, "E", other)
	f.Do("PATCH", apitest.NodePath(e), map[string]any{"availableBrandIds": []string{}}).Is(400, "invalid")
	f.Do("PATCH", apitest.NodePath(e), map[string]any{"availableBrandIds": nil}).Is(200)
	f.Do("PATCH", apitest.NodePath(d), map[string]any{"availableBrandIds": []string{vendor}}).Is(409, "brand-in-use")
	f.Do("PATCH", apitest.NodePath(e), map[string]any{"portalBrandId": vendor}).Is(200)
	f.Do("PATCH", apitest.NodePath(d), map[string]any{"availableBrandIds": []string{vendor}}).Is(200)

	// A partner's own brand is usable by it and below it, and becomes its portal brand by its own admins.
	own := f.Brand(b, "b.example")
	f.Customer(b, "Under our own brand", own)
	f.Client(b, "admin").Do("PATCH", apitest.NodePath(b), map[string]any{"portalBrandId": own}).Is(200)
	f.Do("POST", "/v1/customers", map[string]any{"partnerId": a, "name": "X", "brandId": own}).Is(422, "brand-not-available")
	f.Do("POST", "/v1/brands", map[string]any{"partnerId": a, "name": "Thief", "domain": "B.example", "regions": []string{"eu-west-1"}}).Is(409, "domain-taken")
	if got := f.Client(b, "viewer").Gets("%s/brands", apitest.NodePath(b)).Items("owned"); len(got) != 3 || strings.Count(fmt.Sprint(got), "true") != 1 {
		t.Errorf("brands of b: %v", got)
	}
	f.Do("PATCH", apitest.NodePath(w.Root), map[string]any{"portalBrandId": vendor}).Is(200)
	f.Do("PATCH", apitest.NodePath(w.Root), map[string]any{"availableBrandIds": []string{vendor}}).Is(422, "brand-not-available")
}

// TestTakingABrandAwayRacesWithItsUse interleaves the two at each point between their reads and their commits: exactly
// one of them is refused, every time.
func TestTakingABrandAwayRacesWithItsUse(t *testing.T) {
	outcomes := map[string]int{}
	for pause := range 4 {
		for _, first := range []string{"take", "use"} {
			store := new(directorytest.Fake)
			w := apitest.New(t, store)
			f := w.Founder
			vendor, other := f.Brand(w.Root, "vendor.example"), f.Brand(w.Root, "other.example")
			p := f.Partner(w.Root, "P", vendor, other)
			do := map[string]func() *apitest.Answer{
				"take": func() *apitest.Answer {
					return f.Do("PATCH", apitest.NodePath(p), map[string]any{"availableBrandIds": []string{vendor}})
				},
				"use": func() *apitest.Answer {
					return f.Do("POST", "/v1/customers", map[string]any{"partnerId": p, "name": "C", "brandId": other})
				},
			}
			second := map[string]string{"take": "use", "use": "take"}[first]
			// The second runs as a whole before the pause-th store call of the first.
			var two *apitest.Answer
			calls := 0
			store.Before = func(directorytest.Call) error {
				if calls++; calls == pause+1 {
					store.Before = nil
					two = do[second]()
				}
				return nil
			}
			one := do[first]()
			if store.Before = nil; two == nil {
				two = do[second]()
			}
			if ok := one.Status/100 == 2; ok == (two.Status/100 == 2) {
				t.Errorf("%s (pause %d): %d %s; %s: %d %s", first, pause, one.Status, one.Body, second, two.Status, two.Body)
			}
			outcomes[fmt.Sprint(first, " first, refused: ", one.Status/100 != 2)]++
		}
	}
	if len(outcomes) != 4 {
		t.Errorf("the race went only these ways: %v", outcomes)
	}
}

func TestCanProvisionIsInherited(t *testing.T) {
	w, f, brand := world(t)
	body := apitest.NewPartner(w.Root, "May not", brand)
	body["canProvisionServices"] = false
	may := f.Partner(w.Root, "May", brand)
	mayNot := ident.Node(f.Do("POST", "/v1/partners", body).Is(201).Get("id"))
	below := f.Partner(mayNot, "Below, asked for true", brand)
	for node, want := range map[ident.Node]string{w.Root: "true", may: "true", mayNot: "false", below: "false"} {
		if got := f.Gets("%s", apitest.NodePath(node)).Get("canProvisionServices"); got != want {
			t.Errorf("%s: %s; want %s", node, got, want)
		}
	}
	if got := f.Gets("%s/partners", apitest.NodePath(mayNot)).Items("canProvisionServices"); !slices.Equal(got, []string{"false"}) {
		t.Errorf("the list below says %v", got)
	}
	if got := f.Gets("%s/partners", apitest.NodePath(w.Root)).Items("canProvisionServices"); !slices.Equal(got, []string{"true", "false"}) {
		t.Errorf("the list of the root says %v", got)
	}
}

func TestCursorsBelongToOneCallerAndOneList(t *testing.T) {
	w, f, brand := world(t)
	p, q := f.Partner(w.Root, "P", brand), f.Partner(w.Root, "Q", brand)
	for i := range 3 {
		f.Customer(p, fmt.Sprint("Customer ", i), brand)
		f.Customer(q, fmt.Sprint("Customer ", i), brand)
		f.Partner(p, fmt.Sprint("Partner ", i), brand)
	}
	other := f.Client(w.Root, "owner")
	for _, list := range []string{"/customers?limit=2", "/descendants?limit=2&kind=customer"} {
		cursor := f.Gets("%s%s", apitest.NodePath(p), list).Get("next")
		if cursor == "" {
			t.Fatalf("%s has no next", list)
		}
		other.Gets("%s%s&cursor=%s", apitest.NodePath(p), list, cursor).Is(400, "invalid-cursor")
		f.Gets("%s%s&cursor=%s", apitest.NodePath(q), list, cursor).Is(400, "invalid-cursor")
		f.Gets("%s/partners?cursor=%s", apitest.NodePath(p), cursor).Is(400, "invalid-cursor")
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			bent := slices.Clone(raw)
			bent[i] ^= 1
			f.Gets("%s%s&cursor=%s", apitest.NodePath(p), list, base64.RawURLEncoding.EncodeToString(bent)).Is(400, "invalid-cursor")
		}
		for _, nonsense := range []string{"x", "%21%21", strings.Repeat("A", 4000), "AAAA"} {
			f.Gets("%s%s&cursor=%s", apitest.NodePath(p), list, nonsense).Is(400, "invalid-cursor")
		}
		if strings.Contains(string(raw), string(w.Root)) {
			t.Errorf("the cursor of %s tells what lies above: %q", list, raw)
		}
		f.Gets("%s%s&cursor=%s", apitest.NodePath(p), list, cursor).Is(200)
	}

	// Every page is decided on anew.
	viewer := f.Client(p, "viewer")
	cursor := viewer.Gets("%s/customers?limit=2", apitest.NodePath(p)).Get("next")
	f.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", viewer.ID, p), nil).Is(204)
	viewer.Gets("%s/customers?limit=2&cursor=%s", apitest.NodePath(p), cursor).Is(404, "not-found")
}

func TestACursorOfRecordsIsForOneNodeAndOneList(t *testing.T) {
	n := newNeighbours(t)
	child := n.f.Partner(n.b, "C", n.brand)
	for _, node := range []ident.Node{n.a, n.b} {
		for range 2 {
			n.f.Do(inviteTo(node, "viewer")).Is(201)
		}
	}
	for _, asked := range []struct{ node, to ident.Node }{{n.p, n.b}, {n.child, n.b}, {child, n.a}, {n.b, n.a}} {
		n.f.Do(ask(asked.node, asked.to, "As agreed.")).Is(201)
	}
	lists := []string{"invitations", "move-requests"}
	for i, list := range lists {
		page := func(at ident.Node, list, cursor string) *apitest.Answer {
			return n.f.Gets("%s/%s?limit=1&cursor=%s", apitest.NodePath(at), list, cursor)
		}
		cursor := n.f.Gets("%s/%s?limit=1", apitest.NodePath(n.a), list).Get("next")
		if cursor == "" {
			t.Fatalf("%s have no next", list)
		}
		page(n.b, list, cursor).Is(400, "invalid-cursor")
		page(n.a, lists[1-i], cursor).Is(400, "invalid-cursor")
		if got := page(n.a, list, cursor).Items("id"); len(got) != 1 {
			t.Errorf("the second page of %s: %v", list, got)
		}
	}
}

func TestTree(t *testing.T) {
	w, f, brand := world(t)
	at := w.Root
	for i := range 4 {
		at = f.Partner(at, fmt.Sprint("Level ", i+1), brand)
		f.Customer(at, "Customer", brand)
	}
	tree := f.Gets("/v1/partners/%s/tree?depth=2", w.Root).Is(200)
	if tree.Get("nodes") != "4" || tree.Get("cut") != "true" || !strings.Contains(tree.Body, `"cut":{"reason":"depth"}`) || strings.Contains(tree.Body, "Level 3") {
		t.Errorf("two levels: %s", tree.Body)
	}
	if full := f.Gets("/v1/partners/%s/tree?depth=5", w.Root).Is(200); full.Get("nodes") != "9" || full.Get("cut") != "false" {
		t.Errorf("five levels: %s", full.Body)
	}
	for i := range 60 {
		f.Customer(w.Root, fmt.Sprint("Customer ", i), brand)
	}
	if wide := f.Gets("/v1/partners/%s/tree?depth=1", w.Root).Is(200); wide.Get("nodes") != "52" || wide.Get("root", "cut", "reason") != "size" {
		t.Errorf("60 customers: %s", wide.Body)
	}
	for _, depth := range []string{"0", "6", "x", "1.5"} {
		f.Gets("/v1/partners/%s/tree?depth=%s", w.Root, depth).Is(400, "invalid")
	}
}

func TestDescendants(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	var want []string
	for i := range 3 {
		p := f.Partner(a, fmt.Sprint("P", i), brand)
		want = append(want, string(p), string(f.Customer(p, "C", brand)), string(f.Partner(p, "PP", brand)))
		f.Partner(w.Root, fmt.Sprint("Beside ", i), brand)
	}
	for _, top := range []struct {
		id   ident.Node
		want int
	}{{a, 9}, {w.Root, 13}} {
		var got []string
		for cursor, pages := "", 0; ; pages++ {
			page := f.Gets("%s/descendants?limit=4%s", apitest.NodePath(top.id), from(cursor))
			got = append(got, page.Items("id")...)
			if cursor = page.Get("next"); cursor == "" {
				break
			}
			if pages > 20 {
				t.Fatal("descendants do not end")
			}
		}
		slices.Sort(got)
		if len(slices.Compact(slices.Clone(got))) != top.want {
			t.Errorf("below %s: %v; want %d", top.id, got, top.want)
		}
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Errorf("%s is missing below %s", id, top.id)
			}
		}
	}
	if got := f.Gets("%s/descendants?kind=customer", apitest.NodePath(a)).Items("kind"); len(got) != 3 || slices.Contains(got, "partner") {
		t.Errorf("customers below: %v", got)
	}
	f.Gets("%s/descendants?kind=brand", apitest.NodePath(a)).Is(400, "invalid")
	viewer := f.Client(a, "viewer")
	for _, path := range viewer.Gets("%s/descendants", apitest.NodePath(a)).Items("path") {
		if strings.Contains(path, string(w.Root)) {
			t.Errorf("a descendant's path begins above: %s", path)
		}
	}
}

func TestAPIClients(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "P", brand)
	made := f.Do("POST", "/v1/api-clients", map[string]any{"nodeId": p, "name": "Billing", "role": "viewer"}, apitest.Header("Idempotency-Key", "one")).Is(201)
	key := made.Get("secret", "key")
	billing := &apitest.Actor{World: w, ID: ident.Principal(made.Get("id")), Key: key}
	billing.Sees(p)
	path := "/v1/api-clients/" + string(billing.ID)

	// A key is shown once and kept nowhere.
	again := f.Do("POST", "/v1/api-clients", map[string]any{"nodeId": p, "name": "Billing", "role": "viewer"}, apitest.Header("Idempotency-Key", "one")).Is(201)
	if again.Get("id") != made.Get("id") || again.Get("secret", "key") != "" || again.Get("secret", "id") != made.Get("secret", "id") {
		t.Errorf("the repeated request gave %s", again.Body)
	}
	secret := key[len(key)-43:]
	for _, body := range []string{f.Gets("%s", path).Body, f.Gets("/v1/api-clients?nodeId=%s", p).Body, w.Log.String(), fmt.Sprintf("%+v", w.Store)} {
		if strings.Contains(body, secret) {
			t.Error("the secret shows again")
		}
	}

	// Two secrets are valid while one replaces the other.
	second := f.Do("POST", path+"/secrets", nil).Is(201)
	f.Do("POST", path+"/secrets", nil).Is(409, "two-secrets")
	rotated := &apitest.Actor{World: w, ID: billing.ID, Key: second.Get("secret", "key")}
	billing.Sees(p)
	rotated.Sees(p)
	f.Do("DELETE", path+"/secrets/"+made.Get("secret", "id"), nil).Is(204)
	billing.Gets("/v1/me").Is(401, "unauthenticated")
	rotated.Sees(p)
	f.Do("DELETE", path+"/secrets/"+second.Get("secret", "id"), nil).Is(409, "last-secret")
	f.Do("DELETE", path+"/secrets/"+made.Get("secret", "id"), nil).Is(404, "not-found")

	// Revoked is revoked with the next request, and no longer listed.
	f.Do("DELETE", path, nil).Is(204)
	rotated.Gets("/v1/me").Is(401, "unauthenticated")
	f.Gets("%s", path).Is(404, "not-found")
	f.Do("DELETE", path, nil).Is(404, "not-found")
	if got := f.Gets("/v1/api-clients?nodeId=%s", p).Items("id"); len(got) != 0 {
		t.Errorf("a revoked client is listed: %v", got)
	}
}

func TestSomebodyStaysOwner(t *testing.T) {
	w, f, brand := world(t)
	f.Do("DELETE", "/v1/api-clients/"+string(f.ID), nil).Is(409, "own-access")
	f.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", f.ID, w.Root), nil).Is(409, "own-access")
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", f.ID, w.Root), map[string]any{"role": "viewer"}).Is(409, "own-access")

	// Two owners who revoke each other at the same moment: one of them stays.
	second := f.Client(w.Root, "owner")
	store := w.Store.(*directorytest.Fake)
	var other *apitest.Answer
	store.Before = func(c directorytest.Call) error {
		if c.Name == "Commit" {
			store.Before = nil
			other = second.Do("DELETE", "/v1/api-clients/"+string(f.ID), nil)
		}
		return nil
	}
	one := f.Do("DELETE", "/v1/api-clients/"+string(second.ID), nil)
	if (one.Status == 204) == (other.Status == 204) {
		t.Errorf("%d %s and %d %s", one.Status, one.Body, other.Status, other.Body)
	}

	// An owner further down does not revoke an owner of the root that happens to be managed there.
	owner := second
	p := owner.Partner(w.Root, "P", brand)
	low, managed := owner.Client(p, "owner"), owner.Client(p, "viewer")
	owner.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", managed.ID, w.Root), map[string]any{"role": "owner"}).Is(200)
	low.Do("DELETE", "/v1/api-clients/"+string(managed.ID), nil).Is(403, "role-too-high")
	low.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", managed.ID, w.Root), nil).Is(404, "not-found")
	if got := low.Gets("/v1/api-clients/%s", managed.ID).Is(200).Body; strings.Contains(got, string(w.Root)) {
		t.Errorf("a grant out of reach shows: %s", got)
	}
}

func TestGrantsHaveALimitOfTheirOwn(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "P", brand)
	c := f.Client(p, "viewer")
	for i := range access.MaxGrants - 1 {
		f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", c.ID, f.Partner(p, fmt.Sprint(i), brand)), map[string]any{"role": "viewer"}).Is(200)
	}
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", c.ID, f.Partner(p, "one more", brand)), map[string]any{"role": "viewer"}).Is(422, "too-many-grants")
	if got := strings.Count(c.Gets("/v1/me").Is(200).Body, `"role"`); got != access.MaxGrants {
		t.Errorf("%d grants", got)
	}
	f.Do("DELETE", "/v1/api-clients/"+string(c.ID), nil).Is(204)
}

func TestWhatIsWrongIsPointedAt(t *testing.T) {
	w, f, brand := world(t)
	for _, c := range []struct {
		body    string
		slug    string
		pointer string
	}{
		{`{`, "malformed-json", ""},
		{``, "malformed-json", ""},
		{`[]`, "invalid", `""`},
		{`{"name":"a","name":"b"}`, "malformed-json", ""},
		{`{"nmae":"a"}`, "unknown-field", `"/nmae"`},
		{`{"name":7}`, "invalid", `"/name"`},
		{`{"availableBrandIds":["x"]}`, "invalid", `"/availableBrandIds/0"`},
		{`{"availableBrandIds":[7]}`, "invalid", `"/availableBrandIds/0"`},
		{`{"availableBrandIds":["` + brand + `","` + brand + `"]}`, "invalid", `"/availableBrandIds/1"`},
		{`{"canProvisionServices":"yes"}`, "invalid", `"/canProvisionServices"`},
		{`{}`, "invalid", `"/parentId"`},
		{`{"name":"a"} {}`, "malformed-json", ""},
		{"{\"name\":\"\xff\"}", "malformed-json", ""},
	} {
		answer := f.Do("POST", "/v1/partners", c.body, apitest.Header("Content-Type", "application/json")).Is(400, c.slug)
		if c.pointer != "" && !strings.Contains(answer.Body, `"pointer":`+c.pointer) {
			t.Errorf("%s: no pointer to %s in %s", c.body, c.pointer, answer.Body)
		}
	}
	all := f.Do("POST", "/v1/partners", "{}").Is(400)
	if strings.Count(all.Body, "is required") < 5 {
		t.Errorf("not all that is missing is named: %s", all.Body)
	}
	f.Do("POST", "/v1/partners", `{}`, apitest.Header("Content-Type", "text/plain")).Is(415, "unsupported-media-type")
	f.Do("POST", "/v1/partners", `{"name":"`+strings.Repeat("x", api.MaxBody)+`"}`).Is(413, "too-large")
	f.Gets("/v1/partners/%s/partners?limit=0", w.Root).Is(400, "invalid")
	f.Gets("/v1/partners/%s/partners?limit=201", w.Root).Is(400, "invalid")
	f.Gets("/v1/partners/%s/partners?offset=3", w.Root).Is(400, "invalid")
	f.Gets("/v1/partners/%s?verbose=1", w.Root).Is(400, "invalid")
	f.Gets("/v1/api-clients").Is(400, "invalid")
}

func TestRateLimit(t *testing.T) {
	w, f, _ := world(t)
	w.Next(limit.Window)
	first := f.Gets("/v1/me").Is(200)
	if first.Header["RateLimit-Policy"] != `"default";q=3000;w=60` || !strings.HasPrefix(first.Header["RateLimit"], `"default";r=2999;t=`) {
		t.Errorf("headers: %v", first.Header)
	}
	if _, err := w.Store.Count(t.Context(), string(keyOf(t, f)), w.Now().Truncate(limit.Window), limit.Quota); err != nil { // by other processes
		t.Fatal(err)
	}
	refused := 0
	for range 40 {
		if answer := f.Gets("/v1/me"); answer.Status == 429 {
			answer.Is(429, "too-many-requests")
			if answer.Header["Retry-After"] == "" {
				t.Error("429 without Retry-After")
			}
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("%d of 40 requests over the quota were refused; at most 20 may slip through", refused)
	}
	w.Wait(limit.Window)
	f.Gets("/v1/me").Is(200)
}

func TestEveryChangeIsAnEvent(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "P", brand)
	f.Do("PATCH", apitest.NodePath(p), map[string]any{"name": "Q"}).Is(200)
	f.Do("PATCH", apitest.NodePath(p), map[string]any{"name": "Q"}).Is(200) // nothing changed
	cus := f.Customer(p, "C", brand)
	f.Do("PATCH", apitest.NodePath(cus), map[string]any{"reference": "7"}).Is(200)
	c := f.Client(p, "viewer")
	f.Do("DELETE", "/v1/api-clients/"+string(c.ID), nil).Is(204)
	var got []event.Type
	for _, e := range w.Store.(*directorytest.Fake).Events() {
		got = append(got, e.Type)
		if e.ID == "" || e.Time.IsZero() || e.Node == "" || !e.Path.Has(hierarchy.Path(w.Root+"/")) || e.Actor != f.ID && e.Type != event.PlatformFounded {
			t.Errorf("an event lacks something: %+v", e)
		}
	}
	want := []event.Type{event.PlatformFounded, event.BrandCreated, event.PartnerCreated, event.PartnerEdited, event.CustomerCreated, event.CustomerEdited,
		event.ClientCreated, event.ClientRevoked}
	listtest.InOrder(t, "events", got, want)
}

func TestTracesAreContinued(t *testing.T) {
	_, f, _ := world(t)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	got := f.Do("GET", "/v1/me", nil, apitest.Header("traceparent", "00-"+trace+"-00f067aa0ba902b7-01")).Is(200).Header["traceparent"]
	if !strings.HasPrefix(got, "00-"+trace+"-") || strings.Contains(got, "00f067aa0ba902b7") || !strings.HasSuffix(got, "-01") {
		t.Errorf("traceparent: %s", got)
	}
	if got := f.Do("GET", "/v1/me", nil, apitest.Header("traceparent", "nonsense")).Is(200).Header["traceparent"]; strings.Contains(got, "nonsense") {
		t.Errorf("traceparent: %s", got)
	}
}

func TestAFailureInsideShowsNothingOfItself(t *testing.T) {
	w, f, _ := world(t)
	w.Store.(*directorytest.Fake).Before = func(directorytest.Call) error { panic("table pt-prod-8271 said no") }
	answer := f.Gets("/v1/me").Is(500, "internal")
	if strings.Contains(answer.Body, "8271") || !strings.Contains(w.Log.String(), "8271") {
		t.Errorf("answer %s, log %s", answer.Body, w.Log.String())
	}
}

func TestNobodyIsNobody(t *testing.T) {
	w, f, _ := world(t)
	nobody := &apitest.Actor{World: w}
	if got := nobody.Gets("/v1/me").Is(401, "unauthenticated"); got.Header["WWW-Authenticate"] != "Bearer" {
		t.Errorf("headers: %v", got.Header)
	}
	wrong := &apitest.Actor{World: w, Key: strings.Replace(f.Key, ident.Bare(f.ID), ident.Bare(ident.NewClient()), 1)}
	wrong.Gets("/v1/me").Is(401, "unauthenticated")
}

func keyOf(t *testing.T, a *apitest.Actor) ident.Key {
	key, ok := credential.ParseAPIKey(a.Key)
	if !ok {
		t.Fatal("no key")
	}
	return key.ID
}

// TestWhoManagesAClientGetsNoMoreThanTheyHave: an owner at the client's home, which was granted roles elsewhere, cannot get
// at those roles by making or removing its keys.
func TestWhoManagesAClientGetsNoMoreThanTheyHave(t *testing.T) {
	w, f, brand := world(t)
	a, beside := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "Beside", brand)
	home := f.Partner(a, "Home", brand)
	mallory, client := f.Client(home, "owner"), f.Client(home, "viewer")
	secrets := fmt.Sprintf("/v1/api-clients/%s/secrets", client.ID)
	for node, role := range map[ident.Node]string{beside: "viewer", a: "admin", w.Root: "owner"} {
		grant := fmt.Sprintf("/v1/api-clients/%s/grants/%s", client.ID, node)
		f.Do("PUT", grant, map[string]any{"role": role}).Is(200)
		mallory.Do("POST", secrets, nil).Is(403, "role-too-high")
		if role == "owner" {
			second := f.Do("POST", secrets, nil).Is(201).Get("secret", "id")
			mallory.Do("DELETE", secrets+"/"+second, nil).Is(403, "role-too-high")
			f.Do("DELETE", secrets+"/"+second, nil).Is(204)
		}
		f.Do("DELETE", grant, nil).Is(204)
	}
	mallory.Do("POST", secrets, nil, apitest.Header("If-Match", `"1"`)).Is(412, "precondition-failed")
	second := mallory.Do("POST", secrets, nil).Is(201)
	if len(second.JSON()["grants"].([]any)) != 1 {
		t.Errorf("the answer does not show the grant: %s", second.Body)
	}

	// A grant that comes between the reads and the commit counts.
	mallory.Do("DELETE", secrets+"/"+second.Get("secret", "id"), nil).Is(204)
	store := w.Store.(*directorytest.Fake)
	reads := 0
	store.Before = func(c directorytest.Call) error {
		if reads++; reads == 4 { // the commit
			store.Before = nil
			f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", client.ID, beside), map[string]any{"role": "viewer"}).Is(200)
		}
		return nil
	}
	mallory.Do("POST", secrets, nil).Is(403, "role-too-high")
}

func TestARemovedSecretDoesNotUseUpTheQuotaOfItsClient(t *testing.T) {
	w, f, _ := world(t)
	w.Next(limit.Window)
	client := f.Client(w.Root, "viewer")
	path := fmt.Sprintf("/v1/api-clients/%s/secrets", client.ID)
	rotated := &apitest.Actor{World: w, ID: client.ID, Key: f.Do("POST", path, nil).Is(201).Get("secret", "key")}
	f.Do("DELETE", fmt.Sprintf("%s/%s", path, keyOf(t, client)), nil).Is(204)
	if _, err := w.Store.Count(t.Context(), string(keyOf(t, client)), w.Now().Truncate(limit.Window), limit.Quota); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		client.Gets("/v1/me")
		rotated.Gets("/v1/me").Is(200)
	}
	client.Gets("/v1/me").Is(429, "too-many-requests")
}

func TestATreeOpensOnlySoManyPartners(t *testing.T) {
	w, f, brand := world(t)
	for i := range 40 {
		p := f.Partner(w.Root, fmt.Sprint("P", i), brand)
		for j := range 5 {
			f.Partner(p, fmt.Sprint("PP", j), brand)
		}
	}
	store := w.Store.(*directorytest.Fake)
	before := len(store.Calls())
	tree := f.Gets("/v1/partners/%s/tree?depth=5", w.Root).Is(200)
	if calls := len(store.Calls()) - before; calls > 201 || tree.Get("nodes") != "241" || !strings.Contains(tree.Body, `"cut":{"reason":"size"}`) {
		t.Errorf("%d calls for %s", calls, tree.Body)
	}
}

func TestAnEmptyListIsNeverNull(t *testing.T) {
	w, f, brand := world(t)
	p := ident.Node(f.Do("POST", "/v1/partners", map[string]any{"parentId": w.Root, "name": "P", "portalBrandId": brand, "availableBrandIds": []string{}, "canProvisionServices": true}).Is(201).Get("id"))
	f.Do("PATCH", apitest.NodePath(p), map[string]any{"availableBrandIds": []string{brand}}).Is(200)
	for _, list := range []string{"/partners", "/customers", "/descendants"} {
		if got := f.Gets("%s%s", apitest.NodePath(p), list); !strings.Contains(got.Body, `"items":[]`) {
			t.Errorf("%s: %s", list, got.Body)
		}
	}
	events, err := json.Marshal(w.Store.(*directorytest.Fake).Events())
	if err != nil || strings.Contains(string(events), "null") {
		t.Errorf("null in an event (%v): %s", err, events)
	}
}

func TestTheFormOfRequests(t *testing.T) {
	w, f, brand := world(t)
	p := apitest.NodePath(f.Partner(w.Root, "P", brand))
	f.Do("PATCH", p, "null").Is(400, "invalid")
	f.Do("PATCH", p, " [] ").Is(400, "invalid")
	f.Do("PATCH", p+"?dryRun=true", map[string]any{"name": "X"}).Is(400, "invalid")
	f.Do("POST", "/v1/partners?parentId=x", apitest.NewPartner(w.Root, "X", brand)).Is(400, "invalid")
	for _, bad := range []string{"", "1", " ", ",", `"1`, `"1",2`, `*, "1"`} {
		f.Do("PATCH", p, map[string]any{"name": "X"}, apitest.Header("If-Match", bad)).Is(400, "invalid")
		f.Do("GET", p, nil, apitest.Header("If-None-Match", bad)).Is(400, "invalid")
	}
	for _, other := range []string{`"abc"`, `"01"`, `"+1"`, `"1,"`, `W/"1"`} {
		f.Do("PATCH", p, map[string]any{"name": "X"}, apitest.Header("If-Match", other)).Is(412, "precondition-failed")
	}
	f.Do("PATCH", p, map[string]any{"name": "X"}, apitest.Header("If-None-Match", "*")).Is(400, "invalid").Says("works only with GET")
	f.Do("PATCH", apitest.NodePath(w.Root), map[string]any{"portalBrandId": ident.NewBrand()}).Is(422, "brand-not-available")
	for i := range hierarchy.MaxBrands - 1 {
		f.Brand(w.Root, fmt.Sprintf("b%d.example", i))
	}
	f.Do("POST", "/v1/brands", map[string]any{"partnerId": w.Root, "name": "B", "domain": "more.example", "regions": []string{"eu-west-1"}}).Is(422, "too-many-brands")
}

// Who keeps a list of who has access from the events of a node learns when an API client is revoked that is managed elsewhere.
func TestRevokingAClientIsToldWhereItHadRoles(t *testing.T) {
	w, f, brand := world(t)
	home, other, trashed := f.Partner(w.Root, "Home", brand), f.Partner(w.Root, "Other", brand), f.Partner(w.Root, "Trashed", brand)
	client, there, manages := f.Client(home, "viewer"), f.Client(other, "admin"), f.Client(home, "owner")
	path := "/v1/api-clients/" + string(client.ID)
	for _, node := range []ident.Node{other, trashed} {
		f.Do("PUT", path+"/grants/"+string(node), map[string]any{"role": "admin"}).Is(200)
	}
	f.Do(trash(trashed)).Is(202)
	manages.Do("DELETE", path, nil, apitest.Header("If-Match", `"3"`)).Is(204)
	client.Gets("/v1/me").Is(401)
	events := there.Gets("%s/events?type=api-client.grant-removed", apitest.NodePath(other)).Is(200)
	if !strings.Contains(events.Body, string(client.ID)) || strings.Contains(events.Body, "actorId") || len(events.Items("id")) != 1 {
		t.Errorf("at the node beside its home: %s", events.Body) // whoever did it is not seen from there
	}
	if got := f.Gets("%s/events?type=api-client.revoked", apitest.NodePath(home)).Items("actorId"); !slices.Equal(got, []string{string(manages.ID)}) {
		t.Errorf("at its home it was revoked by %v", got)
	}
	manages.Do("DELETE", path, nil).Is(404)
}

// A grant that does not count is not listed, although a grant further up lets its node be seen.
func TestMeListsTheGrantsThatCount(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	b := f.Partner(a, "B", brand)
	below := f.Partner(b, "Below", brand)
	client := f.Client(a, "viewer")
	for _, node := range []ident.Node{b, below} {
		f.Do("PUT", "/v1/api-clients/"+string(client.ID)+"/grants/"+string(node), map[string]any{"role": "owner"}).Is(200)
	}
	grants := func() (all []string) {
		t.Helper()
		list, _ := client.Gets("/v1/me").Is(200).JSON()["grants"].([]any)
		for _, g := range list {
			node := g.(map[string]any)["node"].(map[string]any)
			all = append(all, fmt.Sprint(node["name"], " ", g.(map[string]any)["role"]))
		}
		return all
	}
	listtest.Same(t, "grants", grants(), []string{"A viewer", "B owner", "Below owner"})
	f.Do(suspend(b)).Is(202)
	listtest.Same(t, "grants while B is suspended", grants(), []string{"A viewer"})
	f.Do(resume(b)).Is(202)
	f.Do(trash(below)).Is(202)
	listtest.Same(t, "grants while Below is in the trash", grants(), []string{"A viewer", "B owner"})
}

// HEAD is answered like GET, without the body.
func TestHEADIsLikeGET(t *testing.T) {
	w, f, brand := world(t)
	p := apitest.NodePath(f.Partner(w.Root, "P", brand))
	for path, status := range map[string]int{"/v1/me": 200, p: 200, p + "/users?limit=1": 200, p + "/users?x=1": 400, "/v1/jobs/x": 404} {
		got, want := f.Do("HEAD", path, nil).Header, f.Gets("%s", path).Is(status).Header
		for _, name := range []string{"Content-Type", "ETag", "Cache-Control"} {
			if got[name] != want[name] {
				t.Errorf("HEAD %s: %s is %q; want %q", path, name, got[name], want[name])
			}
		}
		if got := f.Do("HEAD", path, nil).Status; got != status {
			t.Errorf("HEAD %s: %d; want %d", path, got, status)
		}
	}
	f.Do("HEAD", p, nil, apitest.Header("If-None-Match", "*")).Is(304)
}

// What a caller has already is not sent again, wherever there is an ETag.
func TestWhatHasNotChangedIsNotSentAgain(t *testing.T) {
	n := newNeighbours(t)
	asked := n.asks()
	invited := n.f.Do("POST", apitest.NodePath(n.p)+"/invitations", map[string]any{"email": "alice@vale.example", "role": "viewer"}).Is(201)
	for _, path := range []string{
		apitest.NodePath(n.p), apitest.NodePath(n.f.Customer(n.p, "C", n.brand)), "/v1/brands/" + n.brand, "/v1/api-clients/" + string(n.onA.ID),
		"/v1/move-requests/" + asked, "/v1/invitations/" + invited.Get("id"),
	} {
		as := n.f
		if strings.HasPrefix(path, "/v1/move-requests/") {
			as = n.onA
		}
		tag := as.Gets("%s", path).Is(200).Header["ETag"]
		for match, want := range map[string]int{tag: 304, "W/" + tag: 304, `"a,b", ` + tag: 304, "*": 304, `"0"`: 200, `"0` + tag[1:]: 200} {
			got := as.Do("GET", path, nil, apitest.Header("If-None-Match", match)).Is(want)
			if (got.Body == "") != (want == 304) || got.Header["ETag"] != tag || want == 304 && got.Header["Content-Type"] != "" {
				t.Errorf("%s, %s: %v %s", path, match, got.Header, got.Body)
			}
		}
	}
}

// TestMeWhileAGrantIsRemoved: a grant that goes away between the two reads is not shown.
func TestMeWhileAGrantIsRemoved(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "P", brand)
	c := f.Client(p, "viewer")
	store := w.Store.(*directorytest.Fake)
	reads := 0
	store.Before = func(directorytest.Call) error {
		if reads++; reads == 2 {
			store.Before = nil
			f.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", c.ID, p), nil).Is(204)
		}
		return nil
	}
	if got := c.Gets("/v1/me").Is(200); !strings.Contains(got.Body, `"grants":[]`) {
		t.Errorf("me: %s", got.Body)
	}
}
