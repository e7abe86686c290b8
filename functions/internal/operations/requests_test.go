package operations_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

func ask(node, to ident.Node, message string) (method, target string, body any) {
	return "POST", apitest.NodePath(node) + "/move-requests", map[string]any{"parentId": to, "message": message}
}

func answer(request, verb string) (method, target string, body any) {
	return "POST", "/v1/move-requests/" + request + "/" + verb, map[string]any{}
}

// neighbours are two partners with an admin of each, and P with a child below the first.
type neighbours struct {
	*apitest.World
	f, onA, onB    *apitest.Actor
	brand          string
	a, b, p, child ident.Node
}

func newNeighbours(t *testing.T) *neighbours {
	w, f, brand := world(t)
	n := &neighbours{World: w, f: f, brand: brand}
	n.a, n.b = f.Partner(w.Root, "Alpha", brand), f.Partner(w.Root, "Beta", brand)
	n.p = f.Partner(n.a, "P", brand)
	n.child = f.Partner(n.p, "Child", brand)
	n.onA, n.onB = f.Client(n.a, "admin"), f.Client(n.b, "admin")
	return n
}

func (n *neighbours) asks() string {
	n.T.Helper()
	return n.onA.Do(ask(n.p, n.b, "As agreed.")).Is(201).Get("id")
}

func TestAMoveIsAskedForAndAccepted(t *testing.T) {
	n := newNeighbours(t)
	n.onA.Do(move(n.p, n.b)).Is(404, "not-found")
	asked := n.onA.Do(ask(n.p, n.b, "  As agreed. ")).Is(201)
	id := asked.Get("id")
	for name, want := range map[string]string{"kind": "partner", "name": "P", "nodeId": string(n.p), "parentId": string(n.b),
		"message": "As agreed.", "state": "open", "version": "1", "closedAt": ""} {
		if got := asked.Get(name); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	if asked.Header["Location"] != "/v1/move-requests/"+id || asked.Header["ETag"] != `"1"` {
		t.Errorf("%v", asked.Header)
	}
	n.onA.Do(ask(n.p, n.b, "Again")).Is(409, "request-open")

	// The other side learns the name and nothing else.
	list := n.onB.Gets("%s/move-requests", apitest.NodePath(n.b))
	for name, want := range map[string]string{"id": id, "name": "P", "message": "As agreed.", "nodeId": "<nil>", "parentId": string(n.b)} {
		if got := list.Items(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %v; want %s", name, got, want)
		}
	}
	if got := n.onA.Gets("%s/move-requests", apitest.NodePath(n.p)).Items("nodeId"); !slices.Equal(got, []string{string(n.p)}) {
		t.Errorf("at what is to move: %v", got)
	}
	n.f.Client(n.p, "owner").Gets("/v1/move-requests/%s", id).Is(404, "not-found")
	n.f.Client(n.b, "operator").Gets("/v1/move-requests/%s", id).Is(404, "not-found")
	n.onA.Do(answer(id, "accept")).Is(403, "forbidden")
	n.onA.Do(answer(id, "decline")).Is(403, "forbidden")
	n.onB.Do(answer(id, "withdraw")).Is(403, "forbidden")

	m, target, body := answer(id, "accept")
	n.onB.Do(m, target, body, apitest.Header("If-Match", `"2"`)).Is(412, "precondition-failed")
	once := apitest.Header("Idempotency-Key", "once")
	moved := n.onB.Do(m, target, body, apitest.Header("If-Match", `"1"`), once).Is(202)
	if moved.Get("state") != "accepted" || moved.Get("nodeId") != string(n.p) || moved.Header["Location"] != "/v1/jobs/"+moved.Get("jobId") {
		t.Errorf("%v %s", moved.Header, moved.Body)
	}
	if again := n.onB.Do(m, target, body, apitest.Header("If-Match", `"1"`), once).Is(202); again.Body != moved.Body {
		t.Errorf("sent again: %s", again.Body)
	}
	n.onB.Do(answer(id, "accept")).Is(409, "request-closed")
	for _, node := range []ident.Node{n.p, n.child} {
		n.onB.Sees(node)
		n.onA.CannotSee(node)
	}
	done := n.onB.Gets("/v1/move-requests/%s", id).Is(200)
	if done.Get("state") != "accepted" || done.Get("nodeId") != string(n.p) || done.Get("closedAt") == "" {
		t.Errorf("%s", done.Body)
	}
	told := n.onA.Gets("/v1/move-requests/%s", id).Is(200) // who asked learns what became of it
	if told.Get("state") != "accepted" || told.Get("nodeId") != "" {
		t.Errorf("%s", told.Body)
	}
	n.onA.Do(answer(id, "withdraw")).Is(404, "not-found")
	n.f.Client(n.a, "admin").Gets("/v1/move-requests/%s", id).Is(404, "not-found")
}

func TestAMoveRequestIsDeclinedWithdrawnOrEnds(t *testing.T) {
	n := newNeighbours(t)
	for verb, who := range map[string]*apitest.Actor{"decline": n.onB, "withdraw": n.onA} {
		id := n.asks()
		state := map[string]string{"decline": "declined", "withdraw": "withdrawn"}[verb]
		if got := who.Do(answer(id, verb)).Is(200); got.Get("state") != state || got.Get("closedAt") == "" || got.Header["ETag"] != `"2"` {
			t.Errorf("%v %s", got.Header, got.Body)
		}
		who.Do(answer(id, verb)).Is(200) // it is so already
		n.f.Do(answer(id, "accept")).Is(409, "request-closed")
		n.f.Do(answer(id, map[string]string{"decline": "withdraw", "withdraw": "decline"}[verb])).Is(409, "request-closed")
	}
	id := n.asks()
	n.Wait(directory.MoveRequestFor - time.Minute)
	n.onA.Do(ask(n.p, n.b, "Again")).Is(409, "request-open")
	n.Wait(2 * time.Minute)
	for _, verb := range []string{"accept", "decline", "withdraw"} {
		n.f.Do(answer(id, verb)).Is(409, "request-closed")
	}
	if got := n.onB.Gets("/v1/move-requests/%s", id).Get("state"); got != "ended" {
		t.Errorf("after 14 days it is %s", got)
	}
	last := n.asks()
	got := n.onB.Gets("%s/move-requests", apitest.NodePath(n.b))
	states := got.Items("state")
	if len(states) != 3 || states[0] != "open" || states[1] != "ended" || got.Items("id")[0] != last {
		t.Errorf("all requests but the withdrawn one, the newest first: %s", got.Body)
	}
	n.onA.Sees(n.child)
	first := n.onB.Gets("%s/move-requests?limit=2", apitest.NodePath(n.b))
	rest := n.onB.Gets("%s/move-requests?limit=2&cursor=%s", apitest.NodePath(n.b), first.Get("next"))
	if len(first.Items("id")) != 2 || len(rest.Items("id")) != 1 {
		t.Errorf("pages: %s %s", first.Body, rest.Body)
	}
}

func TestEverythingIsCheckedAgainWhenAMoveIsAccepted(t *testing.T) {
	n := newNeighbours(t)
	id := n.asks()
	second := n.f.Brand(n.Root, "second.example")
	for _, node := range []ident.Node{n.a, n.p} {
		n.f.Do("PATCH", apitest.NodePath(node), map[string]any{"availableBrandIds": []string{n.brand, second}}).Is(200)
	}
	n.onB.Do(answer(id, "accept")).Is(422, "brand-not-available")
	n.f.Do("PATCH", apitest.NodePath(n.p), map[string]any{"availableBrandIds": []string{n.brand}}).Is(200)
	n.f.Do(trash(n.b)).Is(202)
	n.f.Do(answer(id, "accept")).Is(409, "trashed")
	n.f.Do(restore(n.b)).Is(202)
	n.f.Do(trash(n.p)).Is(202)
	n.onB.Do(answer(id, "accept")).Is(409, "request-void")
	n.f.Do(restore(n.p)).Is(202)
	n.f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", n.onA.ID, n.a), map[string]any{"role": "operator"}).Is(200)
	n.onB.Do(answer(id, "accept")).Is(409, "request-void")
	n.f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", n.onA.ID, n.a), map[string]any{"role": "admin"}).Is(200)
	n.onB.Do(answer(id, "accept")).Is(202)

	// What is there already is not moved.
	other := n.f.Partner(n.a, "Other", n.brand)
	id = n.onA.Do(ask(other, n.b, "As well.")).Is(201).Get("id")
	n.f.Do(move(other, n.b)).Is(202)
	if got := n.onB.Do(answer(id, "accept")).Is(200); got.Get("nodeId") != string(other) || got.Get("state") != "accepted" || got.Header["ETag"] != `"2"` {
		t.Errorf("%v %s", got.Header, got.Body)
	}
}

func TestWhatIsNotAskedFor(t *testing.T) {
	n := newNeighbours(t)
	n.onA.Do(ask(n.p, n.p, "x")).Is(422, "move-into-itself")
	n.onA.Do(ask(n.p, n.child, "x")).Is(422, "move-into-itself")
	n.onA.Do(ask(n.p, n.a, "x")).Is(409, "request-void")
	n.onA.Do(ask(n.a, n.b, "x")).Is(403, "needs-grant-above")
	n.onB.Do(ask(n.p, n.b, "x")).Is(404, "not-found")
	n.f.Do(ask(n.Root, n.b, "x")).Is(422, "root")
	for _, body := range []string{`{}`, `{"parentId":null}`, `{"parentId":"cus_0000000000000000"}`,
		`{"parentId":"ptn_0000000000000000","message":""}`, `{"parentId":"ptn_0000000000000000","message":"` + strings.Repeat("x", 501) + `"}`} {
		n.onA.Do("POST", apitest.NodePath(n.p)+"/move-requests", body).Is(400, "invalid")
	}
	n.onA.Do("POST", apitest.NodePath(n.p)+"/move-requests", map[string]any{"parentId": n.b}).Is(201)
	n.onA.Gets("%s/move-requests", apitest.NodePath(n.b)).Is(404, "not-found")
	n.f.Client(n.b, "operator").Gets("%s/move-requests", apitest.NodePath(n.b)).Is(403, "forbidden")
}

// TestTheSidesOfAMoveLearnNothingOfEachOther gathers all that either side can read about a request, and looks for what is the
// other's: ids, names, and who acts there.
func TestTheSidesOfAMoveLearnNothingOfEachOther(t *testing.T) {
	reads := func(as *apitest.Actor, about ident.Node, request string) string {
		all := ""
		at := apitest.NodePath(about)
		for _, target := range []string{"/v1/move-requests/" + request, at + "/move-requests", at + "/events?limit=200"} {
			all += as.Gets("%s", target).Body
		}
		return all
	}
	for _, verb := range []string{"", "decline", "withdraw", "accept"} {
		t.Run("then "+verb, func(t *testing.T) {
			n := newNeighbours(t)
			before := n.onA.Do(ask(n.child, ident.NewPartner(), "As agreed.")).Is(201)
			asked := n.onA.Do(ask(n.p, n.b, "As agreed.")).Is(201)
			same := strings.NewReplacer(before.Get("id"), "", before.Get("nodeId"), "", before.Get("parentId"), "", `"Child"`, "",
				asked.Get("id"), "", asked.Get("nodeId"), "", asked.Get("parentId"), "", `"P"`, "")
			if got, want := hideTimes(same.Replace(asked.Body)), hideTimes(same.Replace(before.Body)); got != want {
				t.Errorf("asking for a move to where nothing is:\n%s\nand to where something is:\n%s", want, got)
			}
			id := asked.Get("id")
			switch verb {
			case "decline", "accept":
				n.onB.Do(answer(id, verb))
			case "withdraw":
				n.onA.Do(answer(id, verb))
			}
			if verb != "accept" {
				atB := reads(n.onB, n.b, id)
				for what, secret := range map[string]string{"its parent": string(n.a), "its parent's name": "Alpha", "what moves": string(n.p),
					"what is below": string(n.child), "who asked": string(n.onA.ID), "the root": string(n.Root)} {
					if strings.Contains(atB, secret) {
						t.Errorf("those who were asked learn %s: %s", what, atB)
					}
				}
			}
			atA := n.onA.Gets("%s/events?limit=200", apitest.NodePath(n.a)).Body
			if verb != "accept" {
				atA += reads(n.onA, n.p, id)
			}
			for what, secret := range map[string]string{"its name": "Beta", "who answered": string(n.onB.ID), "the root": string(n.Root)} {
				if strings.Contains(atA, secret) {
					t.Errorf("those who asked learn %s: %s", what, atA)
				}
			}
			if verb == "accept" { // the branch itself is there with its own history; of where it was before, nothing
				atB := n.onB.Gets("%s/events?limit=200", apitest.NodePath(n.b)).Body
				for what, secret := range map[string]string{"its parent": string(n.a), "its parent's name": "Alpha", "who asked": string(n.onA.ID)} {
					if strings.Contains(atB, secret) {
						t.Errorf("those who accepted learn %s: %s", what, atB)
					}
				}
			}
		})
	}
}

func hideTimes(s string) string { return aTime.ReplaceAllString(s, "time") }

func TestAPreviewIsWhatThenHappens(t *testing.T) {
	n := newNeighbours(t)
	second := n.f.Brand(n.Root, "second.example")
	for _, node := range []ident.Node{n.a, n.p} {
		n.f.Do("PATCH", apitest.NodePath(node), map[string]any{"availableBrandIds": []string{n.brand, second}}).Is(200)
	}
	n.f.Do("PATCH", apitest.NodePath(n.b), map[string]any{"canProvisionServices": false}).Is(200)
	deep := n.f.Partner(n.b, "Deep", n.brand)
	mover := n.f.Client(n.a, "admin")
	n.f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", mover.ID, n.b), map[string]any{"role": "admin"}).Is(200)
	loses, gains, stays := n.f.Client(n.a, "viewer"), n.f.Client(deep, "operator"), n.f.Client(n.p, "owner")
	previewed := func() *apitest.Answer {
		return mover.Do("POST", apitest.NodePath(n.p)+"/move/preview", map[string]any{"parentId": deep}).Is(200)
	}

	blocked := previewed()
	if !strings.Contains(blocked.Body, `"blocks":[{"type":"/problems/brand-not-available"`) ||
		blocked.Get("missingBrandIds") != fmt.Sprint([]string{second}) {
		t.Errorf("%s", blocked.Body)
	}
	mover.Do(move(n.p, deep)).Is(422, "brand-not-available")
	for _, node := range []ident.Node{n.b, deep} {
		n.f.Do("PATCH", apitest.NodePath(node), map[string]any{"availableBrandIds": []string{n.brand, second}}).Is(200)
	}
	got := previewed()
	for _, want := range []string{`"blocks":[]`, `"missingBrandIds":[]`, `"depth":{"before":2,"after":3}`, `"levelsBelow":1`,
		`"canProvisionServices":{"before":true,"after":false}`, `"more":false`} {
		if !strings.Contains(got.Body, want) {
			t.Errorf("the preview has no %s: %s", want, got.Body)
		}
	}
	type change struct{ before, after, node string }
	told := map[string]change{}
	text := func(v any) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	}
	for _, item := range got.JSON()["access"].([]any) {
		c := item.(map[string]any)
		told[text(c["principalId"])] = change{text(c["before"]), text(c["after"]), text(c["nodeId"])}
	}
	for as, want := range map[*apitest.Actor]change{loses: {"viewer", "", string(n.a)}, gains: {"", "operator", string(deep)},
		n.onA: {"admin", "", string(n.a)}, n.onB: {"", "admin", string(n.b)}} {
		if told[string(as.ID)] != want {
			t.Errorf("%s is told to change by %v; want %v", as.ID, told[string(as.ID)], want)
		}
		for _, node := range []ident.Node{n.p, n.child} {
			if want.before != "" {
				as.Sees(node)
			} else {
				as.CannotSee(node)
			}
		}
	}
	if len(told) != 4 {
		t.Errorf("also told to change: %s", got.Body)
	}
	mover.Do(move(n.p, deep)).Is(202)
	for as, sees := range map[*apitest.Actor]bool{loses: false, gains: true, n.onA: false, n.onB: true, stays: true, mover: true} {
		for _, node := range []ident.Node{n.p, n.child} {
			if sees {
				as.Sees(node)
			} else {
				as.CannotSee(node)
			}
		}
	}
	if got := n.f.Gets("%s", apitest.NodePath(n.p)).Get("canProvisionServices"); got != "false" {
		t.Error("it can provision services after all")
	}
	if same := previewed(); !strings.Contains(same.Body, `"blocks":[]`) || !strings.Contains(same.Body, `"access":[]`) {
		t.Errorf("for where it is already: %s", same.Body)
	}
	mover.Do("POST", apitest.NodePath(n.p)+"/move/preview", map[string]any{"parentId": n.Root}).Is(404, "not-found")
	stays.Do("POST", apitest.NodePath(n.p)+"/move/preview", map[string]any{"parentId": deep}).Is(403, "needs-grant-above")
}
