package operations_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

func trash(node ident.Node) (method, target string, body any) {
	return "DELETE", apitest.NodePath(node), nil
}

func restore(node ident.Node) (method, target string, body any) {
	return "POST", apitest.NodePath(node) + "/restore", map[string]any{}
}

// settle does all of the work in the background that there is.
func settle(w *apitest.World) {
	w.T.Helper()
	for _, e := range w.Store.(*directorytest.Fake).Events() {
		id := e.Job()
		if id == "" {
			continue
		}
		if _, err := w.Dir.Settle(w.T.Context(), id, "", time.Minute); err != nil {
			w.T.Fatal(err)
		}
		if err := w.Dir.Retire(w.T.Context(), id); err != nil {
			w.T.Fatal(err)
		}
	}
}

// purge does what is done on a schedule.
func purge(w *apitest.World, want int) {
	w.T.Helper()
	swept, err := w.Dir.Purge(w.T.Context(), time.Minute)
	if err != nil {
		w.T.Fatal(err)
	}
	if swept.Purged != want {
		w.T.Fatalf("%d were purged; want %d", swept.Purged, want)
	}
}

// What is so already succeeds, wherever the node is: it may be the caller's own change, sent again.
func TestWhatIsSoAlreadySucceeds(t *testing.T) {
	w, f, brand := world(t)
	top := f.Partner(w.Root, "Top", brand)
	marked, plain := f.Partner(top, "Marked", brand), f.Partner(top, "Plain", brand)
	can := func(p ident.Node, yes bool) *apitest.Answer {
		return f.Do("PATCH", "/v1/partners/"+string(p), map[string]any{"canProvisionServices": yes})
	}
	again := func(at string) {
		t.Helper()
		for what, answer := range map[string]*apitest.Answer{
			"suspended": f.Do(suspend(marked)), "resumed": f.Do(resume(plain)), "trashed": f.Do(trash(marked)), "restored": f.Do(restore(plain)),
			"forbidden to provision": can(marked, false), "allowed to provision": can(plain, true),
		} {
			if answer.Status != 200 {
				t.Errorf("%s: %s already: %d %s", at, what, answer.Status, answer.Body)
			}
		}
	}
	can(marked, false).Is(200)
	f.Do(suspend(marked)).Is(202)
	f.Do(trash(marked)).Is(202)
	again("alive")
	f.Do(suspend(top)).Is(202)
	again("below something suspended")
	f.Do(trash(top)).Is(202)
	again("in the trash")
	f.Do(suspend(plain)).Is(409, "trashed") // which would change something
	f.Do(resume(w.Root)).Is(422, "root")
}

func TestWhatIsInTheTrashIsThereUntilItIsRestored(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	p := f.Partner(a, "P", brand)
	below := f.Partner(p, "Below", brand)
	cus, earlier := f.Customer(below, "Customer", brand), f.Customer(below, "Earlier", brand)
	above, own, deep := f.Client(a, "admin"), f.Client(p, "owner"), f.Client(below, "owner")
	own.Do(trash(p)).Is(403, "needs-grant-above")
	f.Do(trash(w.Root)).Is(422, "root")
	deep.Do(trash(earlier)).Is(202)

	m, target, body := trash(p)
	above.Do(m, target, body, apitest.Header("If-Match", `"7"`)).Is(412, "precondition-failed")
	answer := above.Do(m, target, body, apitest.Header("If-Match", `"1"`)).Is(202)
	if answer.Get("status") != "trashed" || answer.Get("id") != string(p) || answer.Header["Location"] != "/v1/jobs/"+answer.Get("jobId") {
		t.Errorf("%v %s", answer.Header, answer.Body)
	}
	if again := above.Do(trash(p)).Is(200); again.Get("status") != "trashed" || again.Get("trashedAt") != string(p) {
		t.Errorf("trashed again: %s", again.Body)
	}

	for range 2 { // before all of it is settled, and after
		// For those at or below it, it is all gone.
		for _, gone := range []*apitest.Actor{own, deep} {
			for _, node := range []ident.Node{p, below, cus} {
				gone.CannotSee(node)
			}
			gone.Do(restore(p)).Is(404, "not-found")
			if me := gone.Gets("/v1/me").Is(200); strings.Contains(me.Body, `"role"`) {
				t.Errorf("grants that count for nothing are shown: %s", me.Body)
			}
		}
		// From above it is read by its id, says so, and is in no list but the trash.
		for _, node := range []ident.Node{p, below, cus, earlier} {
			if got := above.Gets("%s", apitest.NodePath(node)).Is(200); got.Get("status") != "trashed" || got.Get("trashedAt") != string(p) {
				t.Errorf("%s", got.Body)
			}
		}
		for _, list := range []string{"/partners", "/descendants"} {
			if got := above.Gets("%s%s", apitest.NodePath(a), list).Items("id"); len(got) != 0 {
				t.Errorf("%s: %v", list, got)
			}
		}
		if tree := above.Gets("%s/tree", apitest.NodePath(a)).Is(200); tree.Get("nodes") != "1" {
			t.Errorf("tree: %s", tree.Body)
		}
		for _, list := range []string{"/partners", "/descendants"} {
			if got := above.Gets("%s%s", apitest.NodePath(p), list); got.Items("status")[0] != "trashed" || got.Items("trashedAt")[0] != string(p) {
				t.Errorf("below what is in the trash, %s: %s", list, got.Body)
			}
		}
		tree := above.Gets("%s/tree", apitest.NodePath(p)).Is(200)
		if strings.Count(tree.Body, `"status":"trashed","trashedAt":"`+string(p)) != 3 {
			t.Errorf("the tree of what is in the trash: %s", tree.Body)
		}
		found := above.Gets("%s/trash", apitest.NodePath(a))
		if got := found.Items("id"); len(got) != 2 || !slices.Contains(got, string(p)) || !slices.Contains(got, string(earlier)) {
			t.Errorf("trash: %s", found.Body)
		}
		one := above.Gets("%s/trash?kind=partner", apitest.NodePath(a))
		if got := one.Items("path"); len(got) != 1 || got[0] != fmt.Sprint([]ident.Node{a, p}) {
			t.Errorf("partners in the trash: %s", one.Body)
		}
		since, err1 := time.Parse(time.RFC3339, one.Items("deletedAt")[0])
		until, err2 := time.Parse(time.RFC3339, one.Items("purgeAfter")[0])
		now := w.Now()
		if err1 != nil || err2 != nil || until.Sub(since) != hierarchy.KeepTrash || since.After(now) || now.Sub(since) > time.Minute {
			t.Errorf("%s", one.Body)
		}
		settle(w)
	}

	// Nothing there changes.
	f.Do("POST", "/v1/partners", apitest.NewPartner(below, "New", brand)).Is(409, "trashed")
	f.Do("POST", "/v1/customers", map[string]any{"partnerId": p, "name": "New", "brandId": brand}).Is(409, "trashed")
	f.Do("PATCH", apitest.NodePath(p), map[string]any{"name": "New"}).Is(409, "trashed")
	f.Do("PATCH", apitest.NodePath(p), map[string]any{"canProvisionServices": false}).Is(409, "trashed")
	f.Do("PATCH", apitest.NodePath(cus), map[string]any{"name": "New"}).Is(409, "trashed")
	newBrand := map[string]any{"partnerId": p, "name": "New", "domain": "new.example", "regions": []string{"eu-west-1"}}
	f.Do("POST", "/v1/brands", newBrand).Is(409, "trashed")
	f.Do("POST", "/v1/api-clients", map[string]any{"nodeId": below, "name": "New", "role": "viewer"}).Is(409, "trashed")
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", above.ID, p), map[string]any{"role": "viewer"}).Is(409, "trashed")
	for _, node := range []ident.Node{p, below, cus} {
		f.Do(move(node, w.Root)).Is(409, "trashed")
		f.Do(suspend(node)).Is(409, "trashed")
		f.Do("POST", apitest.NodePath(node)+"/move-requests", map[string]any{"parentId": ident.NewPartner()}).Is(409, "trashed")
	}
	other := f.Partner(w.Root, "Other", brand)
	f.Do(move(other, below)).Is(409, "trashed")
	f.Do(trash(cus)).Is(409, "trashed")
	f.Do(restore(earlier)).Is(409, "trashed")
	f.Do("PATCH", apitest.NodePath(a), map[string]any{"availableBrandIds": nil}).Is(409, "brand-in-use")

	if answer := above.Do(restore(p)).Is(202); answer.Get("status") != "active" || answer.Get("jobId") == "" {
		t.Errorf("%s", answer.Body)
	}
	if again := above.Do(restore(p)).Is(200); again.Get("status") != "active" || again.Get("trashedAt") != "" {
		t.Errorf("restored again: %s", again.Body)
	}
	for range 2 {
		own.Sees(below)
		deep.Sees(cus)
		if got := above.Gets("%s/partners", apitest.NodePath(a)).Items("id"); !slices.Equal(got, []string{string(p)}) {
			t.Errorf("children: %v", got)
		}
		if got := above.Gets("%s/descendants", apitest.NodePath(a)).Items("id"); len(got) != 3 || slices.Contains(got, string(earlier)) {
			t.Errorf("descendants: %v", got)
		}
		if got := deep.Gets("%s/trash", apitest.NodePath(below)).Items("id"); !slices.Equal(got, []string{string(earlier)}) {
			t.Errorf("what was in the trash before is not any more: %v", got)
		}
		settle(w)
	}
	deep.Do(restore(earlier)).Is(202)
	if got := deep.Gets("%s/customers", apitest.NodePath(below)).Items("status"); !slices.Equal(got, []string{"active", "active"}) {
		t.Errorf("customers: %v", got)
	}
}

func TestASuspendedPartnerIsTrashedAndRestored(t *testing.T) {
	w, f, brand := world(t)
	p := f.Partner(w.Root, "P", brand)
	f.Do(suspend(p)).Is(202)
	f.Do(trash(p)).Is(202)
	f.Do(resume(p)).Is(409, "trashed")
	if got := f.Gets("%s", apitest.NodePath(p)); got.Get("status") != "trashed" || got.Get("suspendedAt") != string(p) {
		t.Errorf("%s", got.Body)
	}
	f.Do(restore(p)).Is(202)
	if got := f.Gets("%s", apitest.NodePath(p)); got.Get("status") != "suspended" {
		t.Errorf("%s", got.Body)
	}
}

func TestThirtyDaysInTheTrash(t *testing.T) {
	w, f, brand := world(t)
	a := f.Partner(w.Root, "A", brand)
	p, leaf := f.Partner(a, "P", brand), f.Partner(a, "Leaf", brand)
	below := f.Partner(p, "Below", brand)
	cus := f.Customer(below, "Customer", brand)
	its := f.Brand(below, "below.example")
	home, guest := f.Client(below, "viewer"), f.Client(a, "viewer")
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", guest.ID, below), map[string]any{"role": "admin"}).Is(200)
	f.Do(trash(p)).Is(202)
	f.Do(trash(leaf)).Is(202)
	settle(w)

	w.Wait(hierarchy.KeepTrash - time.Minute)
	purge(w, 0)
	f.Do(restore(p)).Is(202)
	f.Do(trash(p)).Is(202)
	settle(w)
	w.Wait(2 * time.Minute)
	purge(w, 1) // what was restored has thirty days again
	f.CannotSee(leaf)
	f.Sees(p)
	w.Wait(hierarchy.KeepTrash)
	purge(w, 1)

	for settled := range 2 {
		for _, node := range []ident.Node{p, below, cus, leaf} {
			f.CannotSee(node)
			f.Do(restore(node)).Is(404, "not-found")
		}
		for _, list := range []string{"trash", "descendants", "partners"} {
			if got := f.Gets("%s/%s", apitest.NodePath(a), list).Items("id"); len(got) != 0 {
				t.Errorf("%s: %v", list, got)
			}
		}
		if settled == 0 {
			settle(w)
		}
	}
	purge(w, 0)
	home.Gets("/v1/me").Is(401, "unauthenticated")
	if me := guest.Gets("/v1/me").Is(200); strings.Count(me.Body, `"role"`) != 1 {
		t.Errorf("a grant at what is gone: %s", me.Body)
	}
	f.Gets("/v1/brands/%s", its).Is(404, "not-found")
	f.Brand(a, "below.example")
	f.Do("PATCH", apitest.NodePath(a), map[string]any{"availableBrandIds": nil}).Is(200) // nobody draws it any more
	var gone []string
	log := f.Gets("%s/events?type=partner.purged", apitest.NodePath(a)).Is(200)
	for _, e := range log.JSON()["items"].([]any) {
		gone = append(gone, fmt.Sprint(e.(map[string]any)["data"].(map[string]any)["name"]))
		if e.(map[string]any)["actorId"] != nil {
			t.Errorf("nobody did this: %v", e)
		}
	}
	if !slices.Equal(gone, []string{"P", "Leaf"}) {
		t.Errorf("purged: %s", log.Body)
	}
}
