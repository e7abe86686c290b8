package operations_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/listtest"
)

func move(node, to ident.Node) (method, target string, body any) {
	return "POST", apitest.NodePath(node) + "/move", map[string]any{"parentId": to}
}

func suspend(node ident.Node) (method, target string, body any) {
	return "POST", apitest.NodePath(node) + "/suspend", map[string]any{"reason": "Not paid."}
}

func resume(node ident.Node) (method, target string, body any) {
	return "POST", apitest.NodePath(node) + "/resume", map[string]any{}
}

func TestAMovedBranchIsSeenByThoseWhereItIsNow(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	branch := f.Partner(a, "Branch", brand)
	leaf := f.Partner(branch, "Leaf", brand)
	cus := f.Customer(leaf, "Customer", brand)
	atA, atB, atLeaf := f.Client(a, "viewer"), f.Client(b, "viewer"), f.Client(leaf, "viewer")
	atA.Sees(cus)
	atB.CannotSee(cus)

	answer := f.Do(move(branch, b)).Is(202)
	job := answer.Get("jobId")
	if answer.Header["Location"] != "/v1/jobs/"+job || answer.Get("id") != string(branch) || answer.Get("parentId") != string(b) {
		t.Errorf("answer: %v %s", answer.Header, answer.Body)
	}
	if got := f.Gets("/v1/jobs/%s", job); got.Get("kind") != "move" || got.Get("nodeId") != string(branch) || got.Get("state") != "running" {
		t.Errorf("the job: %s", got.Body)
	}
	for settled := range 2 {
		for _, node := range []ident.Node{branch, leaf, cus} {
			atA.CannotSee(node)
			atB.Sees(node)
		}
		atLeaf.Sees(cus)
		atLeaf.CannotSee(branch)
		if got := f.Gets("%s/path", apitest.NodePath(cus)).Items("name"); !slices.Equal(got, []string{"Cloudvendor", "B", "Branch", "Leaf", "Customer"}) {
			t.Errorf("path: %v", got)
		}
		if got := atB.Gets("%s/descendants", apitest.NodePath(b)).Items("id"); !slices.Contains(got, string(cus)) || len(got) != 3 {
			t.Errorf("below B: %v", got)
		}
		if got := atA.Gets("%s/descendants", apitest.NodePath(a)).Items("id"); len(got) != 0 {
			t.Errorf("below A: %v", got)
		}
		if got := atA.Gets("%s/partners", apitest.NodePath(a)).Items("id"); len(got) != 0 {
			t.Errorf("right below A: %v", got)
		}
		atB.Gets("/v1/jobs/%s", job).Is(200)
		atA.Gets("/v1/jobs/%s", job).Is(404, "not-found")
		if got := f.Gets("/v1/jobs/%s", job).Get("state"); got != []string{"running", "succeeded"}[settled] {
			t.Errorf("the job is %s", got)
		}
		if _, err := w.Dir.Settle(t.Context(), ident.Job(job), "", time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := w.Dir.Retire(t.Context(), ident.Job(job)); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Gets("/v1/jobs/%s", job).Get("progress", "done"); got != "3" {
		t.Errorf("%s nodes", got)
	}
}

func TestWhatIsNotMoved(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	below := f.Partner(a, "Below", brand)
	cus := f.Customer(below, "Customer", brand)
	f.Do(move(a, a)).Is(422, "move-into-itself")
	f.Do(move(a, below)).Is(422, "move-into-itself")
	f.Do(move(w.Root, a)).Is(422, "root")
	f.Do(move(a, ident.NewPartner())).Is(404, "not-found")
	f.Do(move(a, cus)).Is(400, "invalid")
	there := f.Do(move(below, a)).Is(200)
	if there.Get("id") != string(below) || there.Header["ETag"] != `"1"` {
		t.Errorf("%v %s", there.Header, there.Body)
	}

	// Both sides count, and each shows no more than it would anyway.
	onA, onB, both := f.Client(a, "admin"), f.Client(b, "owner"), f.Client(a, "admin")
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", both.ID, b), map[string]any{"role": "viewer"}).Is(200)
	onA.Do(move(below, b)).Is(404, "not-found")
	onB.Do(move(below, b)).Is(404, "not-found")
	onA.Do(move(a, below)).Is(403, "needs-grant-above")
	both.Do(move(below, b)).Is(403, "forbidden")
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", both.ID, b), map[string]any{"role": "admin"}).Is(200)

	m, target, body := move(below, b)
	both.Do(m, target, body, apitest.Header("If-Match", `"7"`)).Is(412, "precondition-failed")
	other := f.Brand(below, "own.example") // what is its own goes with it
	f.Customer(below, "Own", other)
	vendors := f.Brand(w.Root, "second.example")
	f.Do("PATCH", apitest.NodePath(a), map[string]any{"availableBrandIds": []string{brand, vendors}}).Is(200)
	f.Do("PATCH", apitest.NodePath(below), map[string]any{"availableBrandIds": []string{brand, vendors}}).Is(200)
	both.Do(move(below, b)).Is(422, "brand-not-available")
	f.Do("PATCH", apitest.NodePath(b), map[string]any{"availableBrandIds": []string{brand, vendors}}).Is(200)
	both.Do(m, target, body, apitest.Header("If-Match", `"2"`)).Is(202)
	f.Do("PATCH", apitest.NodePath(b), map[string]any{"availableBrandIds": []string{brand}}).Is(409, "brand-in-use")
	f.Do("PATCH", apitest.NodePath(a), map[string]any{"availableBrandIds": []string{brand}}).Is(200) // given back by the move
	both.Do(move(cus, a)).Is(202)
	if got := f.Gets("%s", apitest.NodePath(cus)).Get("partnerId"); got != string(a) {
		t.Errorf("the customer is at %s", got)
	}
}

func TestAMoveKeepsTheTreeWithinItsDepth(t *testing.T) {
	w, f, brand := world(t)
	at := w.Root
	for i := range hierarchy.MaxDepth - 3 {
		at = f.Partner(at, fmt.Sprint(i), brand)
	}
	branch := f.Partner(w.Root, "Branch", brand)
	f.Customer(branch, "Customer", brand)
	f.Do(move(branch, at)).Is(202)
	f.Do(move(branch, w.Root)).Is(202)
	f.Partner(f.Partner(branch, "Child", brand), "Grandchild", brand)
	f.Do(move(branch, at)).Is(422, "depth-limit")
}

func TestAMoveSentAgainIsAnsweredAsAtFirst(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	p := f.Partner(a, "P", brand)
	once := apitest.Header("Idempotency-Key", "once")
	m, target, body := move(p, b)
	first := f.Do(m, target, body, once).Is(202)
	f.Do(move(p, a)).Is(202)
	if again := f.Do(m, target, body, once).Is(202); again.Body != first.Body {
		t.Errorf("first %s, then %s", first.Body, again.Body)
	}
	if got := f.Gets("%s", apitest.NodePath(p)).Get("parentId"); got != string(a) {
		t.Error("it was moved again")
	}
	// What was so already is answered the same later, when it is not so any more.
	there := apitest.Header("Idempotency-Key", "there")
	m, target, body = move(p, a)
	f.Do(m, target, body, there).Is(200)
	f.Do(move(p, b)).Is(202)
	f.Do(m, target, body, there).Is(200)
	if got := f.Gets("%s", apitest.NodePath(p)).Get("parentId"); got != string(b) {
		t.Error("a request that had done nothing moved it when it came again")
	}
}

func TestSuspension(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	p := f.Partner(a, "P", brand)
	below := f.Partner(p, "Below", brand)
	cus := f.Customer(below, "Customer", brand)
	above, own, deep := f.Client(a, "admin"), f.Client(p, "owner"), f.Client(below, "owner")
	own.Do(suspend(p)).Is(403, "needs-grant-above")
	f.Do(suspend(w.Root)).Is(422, "root")
	f.Do("POST", apitest.NodePath(p)+"/suspend", map[string]any{"reason": "  "}).Is(400, "invalid")
	f.Do("POST", apitest.NodePath(p)+"/suspend", map[string]any{"reason": strings.Repeat("x", 501)}).Is(400, "invalid")
	if answer := above.Do(suspend(p)).Is(202); answer.Get("status") != "suspended" || answer.Get("jobId") == "" {
		t.Errorf("%s", answer.Body)
	}
	again := above.Do(suspend(p)).Is(200)
	if again.JSON()["jobId"] != nil || again.Get("status") != "suspended" || again.Get("suspendedAt") != string(p) {
		t.Errorf("suspended again: %s", again.Body)
	}

	// For those at or below it, it is all gone.
	for _, gone := range []*apitest.Actor{own, deep} {
		gone.CannotSee(p)
		gone.CannotSee(below)
		gone.CannotSee(cus)
		gone.Do(resume(p)).Is(404, "not-found")
		if me := gone.Gets("/v1/me").Is(200); strings.Contains(me.Body, `"role"`) {
			t.Errorf("grants that count for nothing are shown: %s", me.Body)
		}
	}
	// From above it is read, and says so everywhere.
	for _, node := range []ident.Node{p, below, cus} {
		got := above.Gets("%s", apitest.NodePath(node)).Is(200)
		if got.Get("status") != "suspended" || got.Get("suspendedAt") != string(p) {
			t.Errorf("%s", got.Body)
		}
	}
	if got := above.Gets("%s", apitest.NodePath(a)).Is(200); got.Get("status") != "active" || got.Get("suspendedAt") != "" {
		t.Errorf("%s", got.Body)
	}
	for _, list := range []string{apitest.NodePath(a) + "/partners", apitest.NodePath(p) + "/partners", apitest.NodePath(below) + "/customers",
		apitest.NodePath(a) + "/descendants", apitest.NodePath(p) + "/descendants"} {
		if got := above.Gets("%s", list).Items("status"); len(got) == 0 || slices.Contains(got, "active") {
			t.Errorf("%s: %v", list, got)
		}
	}
	tree := above.Gets("%s/tree?depth=5", apitest.NodePath(a)).Is(200)
	if strings.Count(tree.Body, `"status":"active"`) != 1 || strings.Count(tree.Body, `"status":"suspended"`) != 3 {
		t.Errorf("the tree says %s", tree.Body)
	}
	// Nothing below changes, but what is there can be moved out.
	f.Do("POST", "/v1/partners", apitest.NewPartner(below, "New", brand)).Is(409, "suspended")
	f.Do("POST", "/v1/customers", map[string]any{"partnerId": p, "name": "New", "brandId": brand}).Is(409, "suspended")
	f.Do("PATCH", apitest.NodePath(p), map[string]any{"name": "New"}).Is(409, "suspended")
	f.Do("PATCH", apitest.NodePath(p), map[string]any{"canProvisionServices": false}).Is(409, "suspended")
	f.Do("PATCH", apitest.NodePath(cus), map[string]any{"name": "New"}).Is(409, "suspended")
	f.Do("POST", "/v1/brands", map[string]any{"partnerId": below, "name": "New", "domain": "new.example", "regions": []string{"eu-west-1"}}).Is(409, "suspended")
	above.Do(move(below, a)).Is(202)
	deep.Sees(cus)
	above.Do(move(below, p)).Is(202)
	deep.CannotSee(cus)

	// What was suspended further down stays so.
	above.Do(suspend(cus)).Is(202)
	if answer := above.Do(resume(p)).Is(202); answer.Get("status") != "active" || answer.Get("jobId") == "" {
		t.Errorf("%s", answer.Body)
	}
	above.Do(resume(p)).Is(200)
	own.Sees(below)
	if got := deep.Gets("%s", apitest.NodePath(cus)).Is(200).Get("suspendedAt"); got != string(cus) {
		t.Errorf("the customer is suspended at %q", got)
	}
	deep.Do(resume(cus)).Is(202)
	deep.Do("PATCH", apitest.NodePath(cus), map[string]any{"name": "New"}).Is(200)
}

func TestCanProvisionIsDecidedAbove(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	p := f.Partner(a, "P", brand)
	below := f.Partner(p, "Below", brand)
	owner, above := f.Client(p, "owner"), f.Client(a, "admin")
	may := func(node ident.Node) string { return f.Gets("%s", apitest.NodePath(node)).Get("canProvisionServices") }
	owner.Do("PATCH", apitest.NodePath(p), map[string]any{"canProvisionServices": false}).Is(403, "needs-grant-above")
	above.Do("PATCH", apitest.NodePath(p), map[string]any{"canProvisionServices": false, "name": "Q"}).Is(400, "invalid")
	f.Do("PATCH", apitest.NodePath(w.Root), map[string]any{"canProvisionServices": false}).Is(422, "root")
	off := above.Do("PATCH", apitest.NodePath(p), map[string]any{"canProvisionServices": false}).Is(200)
	if off.Get("canProvisionServices") != "false" || off.Header["ETag"] != `"2"` || may(below) != "false" || may(a) != "true" {
		t.Errorf("off: %s, below %s, above %s", off.Body, may(below), may(a))
	}
	above.Do("PATCH", apitest.NodePath(below), map[string]any{"canProvisionServices": false}).Is(200)
	above.Do("PATCH", apitest.NodePath(p), map[string]any{"canProvisionServices": true}, apitest.Header("If-Match", `"1"`)).Is(412, "precondition-failed")
	above.Do("PATCH", apitest.NodePath(p), map[string]any{"canProvisionServices": true}).Is(200)
	if may(p) != "true" || may(below) != "false" {
		t.Errorf("on: %s, below %s", may(p), may(below))
	}
}

func TestTooManyChangesAtATime(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "P", brand)
	for i := range hierarchy.MaxChanges {
		f.Do(map[bool]func(ident.Node) (string, string, any){true: suspend, false: resume}[i%2 == 0](p)).Is(202)
	}
	full := f.Do(suspend(p)).Is(429, "too-many-changes")
	if full.Header["Retry-After"] != "30" {
		t.Errorf("headers: %v", full.Header)
	}
	for _, e := range w.Store.(*directorytest.Fake).Events() {
		if id := e.Job(); id != "" {
			if _, err := w.Dir.Settle(t.Context(), id, "", time.Minute); err != nil {
				t.Fatal(err)
			}
			if err := w.Dir.Retire(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	f.Do(suspend(p)).Is(202)
}

func TestWhatHappensToSubtreesIsAnEvent(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	p := f.Partner(a, "P", brand)
	cus := f.Customer(p, "C", brand)
	store := w.Store.(*directorytest.Fake)
	before := len(store.Events())
	for _, node := range []ident.Node{p, cus} {
		f.Do(move(node, b)).Is(202)
		f.Do(suspend(node)).Is(202)
		f.Do(resume(node)).Is(202)
	}
	f.Do("PATCH", apitest.NodePath(p), map[string]any{"canProvisionServices": false}).Is(200)
	var got []event.Type
	for _, e := range store.Events()[before:] {
		got = append(got, e.Type)
		if e.Job() == "" || !e.Path.Has(hierarchy.Path("").Child(w.Root).Child(b)) || e.Actor != f.ID {
			t.Errorf("an event lacks something: %+v", e)
		}
		switch e.Type {
		case event.PartnerMoved:
			if p := e.Data.(event.MovedData); p.From != a || p.To != b {
				t.Errorf("%+v", e)
			}
		case event.PartnerSuspended, event.CustomerSuspended:
			if e.Data.(event.SuspendedData).Reason != "Not paid." {
				t.Errorf("%+v", e)
			}
		case event.ProvisioningChanged:
			if e.Data.(event.ProvisioningChangedData).CanProvisionServices {
				t.Errorf("%+v", e)
			}
		}
	}
	want := []event.Type{event.PartnerMoved, event.PartnerSuspended, event.PartnerResumed, event.CustomerMoved, event.CustomerSuspended,
		event.CustomerResumed, event.ProvisioningChanged}
	listtest.InOrder(t, "events", got, want)
}
