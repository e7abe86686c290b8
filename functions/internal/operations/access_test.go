package operations_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/listtest"
)

// explains asks why.
func explains(as *apitest.Actor, who ident.Principal, node ident.Node, action string) *apitest.Answer {
	as.World.T.Helper()
	return as.Gets("/v1/access?principal=%s&node=%s&action=%s", who, node, action)
}

// called makes an API client with a name.
func called(f *apitest.Actor, name string, node ident.Node, role string) *apitest.Actor {
	f.World.T.Helper()
	made := f.Do("POST", "/v1/api-clients", map[string]any{"nodeId": node, "name": name, "role": role}).Is(201)
	return &apitest.Actor{World: f.World, ID: ident.Principal(made.Get("id")), Key: made.Get("secret", "key")}
}

// also grants one more role.
func also(f, who *apitest.Actor, node ident.Node, role string) {
	f.World.T.Helper()
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", who.ID, node), map[string]any{"role": role}).Is(200)
}

// chain is Cloudvendor > Cobo Distribution > Vale Telecom > the customer Bordeaux Bakery.
type chain struct {
	*apitest.World
	cobo, vale, bakery ident.Node
	brand              string
}

func newChain(t *testing.T) *chain {
	w, f, brand := world(t)
	c := &chain{World: w, brand: brand}
	c.cobo = f.Partner(w.Root, "Cobo Distribution", brand)
	c.vale = f.Partner(c.cobo, "Vale Telecom", brand)
	c.bakery = f.Customer(c.vale, "Bordeaux Bakery", brand)
	return c
}

func TestUsersTellWhereAccessComesFrom(t *testing.T) {
	c := newChain(t)
	f := c.Founder
	admin, viewer := called(f, "Cobo", c.cobo, "admin"), called(f, "Vale", c.vale, "viewer")
	also(f, admin, c.vale, "operator")
	f.Do("PUT", fmt.Sprintf("/v1/api-clients/%s/grants/%s", called(f, "Beside", c.bakery, "viewer").ID, f.Partner(c.Root, "Beside", c.brand)),
		map[string]any{"role": "owner"}).Is(200)
	gone := called(f, "Gone", c.vale, "owner")
	f.Do("DELETE", "/v1/api-clients/"+string(gone.ID), nil).Is(204)

	users := func(as *apitest.Actor, node ident.Node) []string {
		answer, all := as.Gets("%s/users", apitest.NodePath(node)).Is(200), []string{}
		for _, item := range answer.JSON()["items"].([]any) {
			u := item.(map[string]any)
			all = append(all, fmt.Sprint(u["name"], " ", u["kind"], " ", u["role"], " ", u["nodeId"],
				" inherited ", u["inherited"], " counts ", u["counts"], " ", u["blockedBy"]))
		}
		return all
	}
	at := func(who, role string, node any, inherited bool) string {
		return fmt.Sprint(who, " api-client ", role, " ", node, " inherited ", inherited, " counts true <nil>")
	}
	here := []string{at("Cobo", "operator", c.vale, false), at("Vale", "viewer", c.vale, false)}
	if viewer.ID < admin.ID {
		slices.Reverse(here)
	}
	check := func(what string, got, want []string) {
		t.Helper()
		listtest.InOrder(t, what, got, want)
	}
	check("for the founder", users(f, c.vale),
		append(slices.Clone(here), at("Cobo", "admin", c.cobo, true), at("Founder", "owner", c.Root, true)))
	check("for a viewer of it", users(viewer, c.vale),
		append(slices.Clone(here), at("Cobo", "admin", nil, true), at("Founder", "owner", nil, true)))
	check("of the partner above", users(admin, c.cobo), []string{at("Cobo", "admin", c.cobo, false), at("Founder", "owner", nil, true)})
	if got := users(viewer, c.bakery); len(got) != 5 || !strings.HasPrefix(got[0], "Beside api-client viewer") ||
		strings.Contains(fmt.Sprint(got), "Beside api-client owner") {
		t.Errorf("of the customer: %v", got)
	}

	f.Do(suspend(c.vale)).Is(202)
	blocked := func(who, role string, node ident.Node, reason string) string {
		return fmt.Sprint(who, " api-client ", role, " ", node, " inherited false counts false ",
			map[string]any{"nodeId": c.vale, "reason": reason})
	}
	here = []string{blocked("Cobo", "operator", c.vale, "suspended"), blocked("Vale", "viewer", c.vale, "suspended")}
	if viewer.ID < admin.ID {
		slices.Reverse(here)
	}
	above := []string{at("Cobo", "admin", c.cobo, true), at("Founder", "owner", nil, true)}
	check("suspended", users(admin, c.vale), slices.Concat(here, above))
	f.Do("DELETE", apitest.NodePath(c.vale), nil).Is(202)
	for i := range here {
		here[i] = strings.Replace(here[i], "suspended", "trashed", 1)
	}
	check("in the trash", users(admin, c.vale), slices.Concat(here, above))
}

func TestAccessIsExplainedInWords(t *testing.T) {
	c := newChain(t)
	f := c.Founder
	billing := called(f, "Vale billing", c.cobo, "admin")
	desk := called(f, "Help desk", c.vale, "viewer")
	both := called(f, "Both", c.vale, "owner")
	also(f, both, c.cobo, "viewer")
	text := func(as, who *apitest.Actor, node ident.Node, action, want string) {
		t.Helper()
		answer := explains(as, who.ID, node, action).Is(200)
		if got := answer.Get("text"); got != want {
			t.Errorf("%s, %s:\n%s\nwant\n%s", action, node, got, want)
		}
		if allowed := strings.Contains(want, " was granted "); answer.Get("allowed") != fmt.Sprint(allowed) {
			t.Errorf("%s: %s", want, answer.Body)
		}
	}
	text(f, billing, c.vale, "create-partner",
		"Vale billing may create partners at this partner: admin was granted at Cobo Distribution, above this partner.")
	text(f, billing, c.cobo, "edit-partner", "Vale billing may edit this partner: admin was granted here.")
	text(f, billing, c.bakery, "edit-customer",
		"Vale billing may edit this customer: admin was granted at Cobo Distribution, above this customer.")
	text(f, billing, c.vale, "manage-subtree",
		"Vale billing may move, suspend, resume, trash or restore this partner: admin was granted at Cobo Distribution, above this partner.")
	text(f, billing, c.cobo, "manage-subtree",
		"Vale billing may not move, suspend, resume, trash or restore this partner: this takes admin above this partner, "+
			"and no role counts there.")
	text(f, both, c.vale, "manage-subtree",
		"Both may not move, suspend, resume, trash or restore this partner: this takes admin above this partner, and the role there is viewer.")
	higher, twice := called(f, "Higher", c.vale, "owner"), called(f, "Twice", c.vale, "admin")
	also(f, higher, c.cobo, "admin")
	also(f, twice, c.cobo, "admin")
	text(f, higher, c.vale, "manage-subtree",
		"Higher may move, suspend, resume, trash or restore this partner: admin was granted at Cobo Distribution, above this partner.")
	text(f, twice, c.vale, "read", "Twice may read this partner: admin was granted here.")
	text(f, f, c.Root, "manage-subtree",
		"Founder may not move, suspend, resume, trash or restore this partner: nobody may, because this is the root.")
	text(f, desk, c.vale, "create-customer",
		"Help desk may not create customers at this partner: the role here is viewer, and this takes operator.")
	text(f, billing, c.bakery, "manage-api-clients",
		"Vale billing may not manage API clients at this customer: the role here is admin, and this takes owner.")
	text(f, billing, c.vale, "invite", "Vale billing may invite people to this partner and change what they may do: "+
		"admin was granted at Cobo Distribution, above this partner.")
	text(f, billing, c.vale, "manage-brands",
		"Vale billing may not manage brands of this partner: the role here is admin, and this takes owner.")
	text(desk, billing, c.vale, "read", "Vale billing may read this partner: admin was granted further up than you can see.")
	text(desk, both, c.vale, "read", "Both may read this partner: owner was granted here.")
	text(f, desk, c.cobo, "read", string(desk.ID)+" has no access to this partner, and no role here or above.")

	f.Do(suspend(c.vale)).Is(202)
	text(f, desk, c.vale, "read",
		"Help desk has no access to this partner. The role viewer (granted here) does not count, because this partner is suspended.")
	text(billing, desk, c.bakery, "read",
		"Help desk has no access to this customer. "+
			"The role viewer (granted at Vale Telecom) does not count, because Vale Telecom is suspended.")
	text(f, both, c.vale, "manage-brands", "Both may not manage brands of this partner: the role here is viewer, and this takes owner. "+
		"The role owner (granted here) does not count, because this partner is suspended.")
	f.Do("DELETE", apitest.NodePath(c.cobo), nil).Is(202)
	text(f, both, c.vale, "read", "Both has no access to this partner. The roles viewer (granted at Cobo Distribution) "+
		"and owner (granted here) do not count, because Cobo Distribution is in the trash.")
}

func TestAnExplanationIsDataToo(t *testing.T) {
	c := newChain(t)
	f := c.Founder
	both := called(f, "Both", c.cobo, "viewer")
	also(f, both, c.vale, "admin")
	f.Do(suspend(c.vale)).Is(202)
	answer := f.Gets("/v1/access?principal=%s&node=%s", both.ID, c.bakery).Is(200)
	for name, want := range map[string]any{"principalId": both.ID, "name": "Both", "nodeId": c.bakery, "action": "read",
		"allowed": true, "role": "viewer",
		"sources": []any{
			map[string]any{"nodeId": c.cobo, "name": "Cobo Distribution", "role": "viewer", "inherited": true, "counts": true},
			map[string]any{"nodeId": c.vale, "name": "Vale Telecom", "role": "admin", "inherited": true, "counts": false,
				"blockedBy": map[string]any{"nodeId": c.vale, "reason": "suspended"}},
		}} {
		if got := answer.Get(name); got != fmt.Sprint(want) {
			t.Errorf("%s is %s; want %v", name, got, want)
		}
	}
	viewer := called(f, "Below", c.bakery, "viewer")
	f.Do(resume(c.vale)).Is(202)
	answer = explains(viewer, both.ID, c.bakery, "edit-customer").Is(200)
	const sources = "[map[counts:true inherited:true role:viewer] map[counts:true inherited:true role:admin]]"
	if answer.Get("sources") != sources || answer.Get("role") != "admin" {
		t.Errorf("what lies above shows, or not that there is something: %s", answer.Body)
	}
}

// Whoever has nothing at a node looks the same there: unknown, revoked, or at home elsewhere. So does the time that it takes.
func TestWhoHasNothingHereLooksLikeNobody(t *testing.T) {
	c := newChain(t)
	f := c.Founder
	s := &scene{World: c.World}
	viewer := called(f, "Viewer", c.vale, "viewer")
	revoked := called(f, "Revoked", c.vale, "owner")
	f.Do("DELETE", "/v1/api-clients/"+string(revoked.ID), nil).Is(204)
	moved := called(f, "Taken away", c.vale, "admin")
	f.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", moved.ID, c.vale), nil).Is(204)
	unknown := ident.NewClient()
	for _, as := range []*apitest.Actor{viewer, f} {
		for _, a := range []string{"read", "create-partner", "manage-subtree"} {
			want, reads := s.watched(func() *apitest.Answer { return explains(as, unknown, c.vale, a).Is(200) })
			for _, who := range []ident.Principal{revoked.ID, moved.ID, called(f, "Below", c.bakery, "owner").ID,
				called(f, "Beside", f.Partner(c.Root, "Beside", c.brand), "owner").ID} {
				got, took := s.watched(func() *apitest.Answer { return explains(as, who, c.vale, a) })
				if body := strings.ReplaceAll(got.Body, string(who), string(unknown)); got.Status != 200 || body != want.Body || took != reads {
					t.Errorf("%d %s with %s; nobody gives %s with %s", got.Status, got.Body, took, want.Body, reads)
				}
			}
		}
	}
}

// What is explained is what happens: the founder asks what each may do, and each then does it.
func TestWhatIsExplainedIsWhatHappens(t *testing.T) {
	for action, op := range map[access.Action]struct {
		do       func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer
		customer bool
	}{
		access.Read: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer {
			return as.Gets("%s", apitest.NodePath(p))
		}, false},
		access.CreateCustomer: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer {
			return as.Do("POST", "/v1/customers", map[string]any{"partnerId": p, "name": "New", "brandId": c.brand})
		}, false},
		access.EditCustomer: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer {
			return as.Do("PATCH", apitest.NodePath(cus), map[string]any{"name": "Renamed"})
		}, true},
		access.CreatePartner: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer {
			return as.Do("POST", "/v1/partners", apitest.NewPartner(p, "New", c.brand))
		}, false},
		access.EditPartner: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer {
			return as.Do("PATCH", apitest.NodePath(p), map[string]any{"name": "Renamed"})
		}, false},
		access.ManageBrands: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer {
			return as.Do("POST", "/v1/brands", map[string]any{"partnerId": p, "name": "New", "domain": string(as.ID[4:]) + ".example",
				"regions": []string{"eu-west-1"}})
		}, false},
		access.ManageClients: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer {
			return as.Do("POST", "/v1/api-clients", map[string]any{"nodeId": p, "name": "New", "role": "viewer"})
		}, false},
		access.Invite: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer {
			return as.Do("POST", apitest.NodePath(p)+"/invitations", map[string]any{"email": "bob@vale.example", "role": "viewer"})
		}, false},
		access.ManageSubtree: {func(c *chain, as *apitest.Actor, p, cus ident.Node) *apitest.Answer { return as.Do(suspend(p)) }, false},
	} {
		for role := access.Viewer; role <= access.Owner; role++ {
			c := newChain(t)
			for _, at := range []ident.Node{c.Root, c.cobo, c.vale, c.bakery} {
				as := called(c.Founder, "Somebody", at, role.String())
				node := c.vale
				if op.customer {
					node = c.bakery
				}
				told := explains(c.Founder, as.ID, node, action.String()).Is(200)
				done := op.do(c, as, c.vale, c.bakery)
				if told.Get("allowed") != fmt.Sprint(done.Status/100 == 2) {
					t.Errorf("%s as %s at %s: %s; and then %d %s", action, role, at, told.Body, done.Status, done.Body)
				}
				if action == access.ManageSubtree {
					c.Founder.Do(resume(c.vale))
				}
			}
		}
	}
}

func TestWhatCannotBeExplained(t *testing.T) {
	c := newChain(t)
	f := c.Founder
	who := string(f.ID)
	c.Next(24 * time.Hour)
	c.Wait(9 * time.Hour)
	date := func(days int) string { return c.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	justNow := url.QueryEscape(c.Now().UTC().Format(time.RFC3339Nano))
	for query, parameter := range map[string]string{
		"node=" + string(c.vale):                                                              "principal",
		"principal=" + who:                                                                    "node",
		"principal=me&node=" + string(c.vale):                                                 "principal",
		"principal=" + who + "&node=here":                                                     "node",
		"principal=" + who + "&node=" + string(c.vale) + "&action=move":                       "action",
		"principal=" + who + "&node=" + string(c.vale) + "&action=edit-customer":              "action",
		"principal=" + who + "&node=" + string(c.bakery) + "&action=create-partner":           "action",
		"principal=" + who + "&node=" + string(c.vale) + "&at=yesterday":                      "at",
		"principal=" + who + "&node=" + string(c.vale) + "&at=2026-02-30":                     "at",
		"principal=" + who + "&node=" + string(c.vale) + "&at=0000-01-01":                     "at",
		"principal=" + who + "&node=" + string(c.vale) + "&at=9999-12-31":                     "at",
		"principal=" + who + "&node=" + string(c.vale) + "&at=" + date(0):                     "at", // today
		"principal=" + who + "&node=" + string(c.vale) + "&at=" + justNow:                     "at", // a moment ago
		"principal=" + who + "&node=" + string(c.vale) + "&nodeId=" + string(c.vale) + "&x=1": "nodeId",
	} {
		if answer := f.Gets("/v1/access?%s", query).Is(400, "invalid"); !strings.Contains(answer.Body, `"pointer":"`+parameter+`"`) {
			t.Errorf("%s: %s", query, answer.Body)
		}
	}
	ask := "node=" + string(c.vale) + "&principal="
	for query, want := range map[string]string{
		ask:                                `[{"pointer":"principal","detail":"is required"}]`,
		ask + who + "&at=":                 `[{"pointer":"at","detail":"must not be empty; leave this parameter out"}]`,
		ask + who + "&action=":             `[{"pointer":"action","detail":"must not be empty; leave this parameter out"}]`,
		ask + who + "&at=" + date(0):       `day that has ended (UTC)"}]`,
		ask + who + "&at=" + date(1):       `"must be at least 30 seconds ago; a date`,
		ask + who + "&at=20261121":         `or a date like 2026-03-02"}]`,
		ask + who + "&at=2026-11-21+09:00": `or a date like 2026-03-02"}]`,
		ask + who + "&at=2026-11-21T11:00:00+02:00": `or a date like 2026-03-02; ` +
			`write + as %2B"}]`,
		"node=" + string(c.vale) + "&user=" + who + "&id=1": `"detail":"id, user: unknown here. `,
		"node=here&user=" + who: `[{"pointer":"user","detail":"is not a parameter of this operation"},` +
			`{"pointer":"principal","detail":"is required"},{"pointer":"node","detail":"must be the id of`,
	} {
		if answer := f.Gets("/v1/access?%s", query).Is(400, "invalid"); !strings.Contains(answer.Body, want) {
			t.Errorf("%s: %s; want %s", query, answer.Body, want)
		}
	}
	f.Gets("%s/events?from=2026-11-21T11:00:00+02:00", apitest.NodePath(c.vale)).Is(400, "invalid").Says("write + as %2B")
	for list, parameters := range map[string][]string{"users": {"at", "limit", "cursor"}, "descendants": {"kind", "limit"},
		"events": {"from", "until", "type", "order", "actorId", "limit"}, "tree": {"depth"}} {
		for _, name := range parameters {
			f.Gets("%s/%s?%s=", apitest.NodePath(c.vale), list, name).Is(400, "invalid").Says(`"` + name + `: must not be empty; leave this parameter out"`)
		}
	}
	f.Gets("/v1/api-clients").Is(400, "invalid").Says(`"nodeId: is required"`)
	for _, path := range []string{apitest.NodePath(c.vale), apitest.NodePath(c.bakery)} {
		f.Gets("%s/users?role=owner", path).Is(400, "invalid")
		f.Gets("%s/users?limit=0", path).Is(400, "invalid")
		f.Gets("%s/users?at=%s", path, date(0)).Is(400, "invalid")
	}
	f.Gets("/v1/partners/%s/users", c.bakery).Is(404, "not-found")
}

// TestWhoCouldOnThatDay is a story: somebody comes, the branch is suspended, it moves away, and the role goes.
func TestWhoCouldOnThatDay(t *testing.T) {
	c := newChain(t)
	f := c.Founder
	hexagone := f.Partner(c.Root, "Hexagone", c.brand)
	before := clocktest.Start().Truncate(time.Second).AddDate(0, 0, -1) // everything was made later
	dayBefore := before.Format(time.DateOnly)
	first := clocktest.Next(c.Now(), 24*time.Hour)
	day := func(n int) string { return first.AddDate(0, 0, n).Format(time.DateOnly) }                                // so many days later
	at := func(h time.Duration) string { return first.Add(9*time.Hour + h).Format(time.RFC3339) }                    // so long after the story begins
	says := func(h time.Duration) string { return first.Add(9*time.Hour + h).Format("2006-01-02 15:04:05.000 UTC") } // as texts say it
	until := func(h time.Duration) { c.Until(first.Add(9*time.Hour + h)) }
	until(time.Hour)
	billing := called(f, "Vale billing", c.cobo, "admin")
	desk := called(f, "Help desk", c.vale, "viewer")
	until(3 * time.Hour)
	f.Do(suspend(c.cobo)).Is(202)
	until(5 * time.Hour)
	f.Do(resume(c.cobo)).Is(202)
	until(7 * time.Hour)
	f.Do("POST", apitest.NodePath(c.vale)+"/move", map[string]any{"parentId": hexagone}).Is(202)
	until(26 * time.Hour)
	f.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", desk.ID, c.vale), nil).Is(204)
	until(28 * time.Hour)
	f.Do("PATCH", apitest.NodePath(c.cobo), map[string]any{"name": "Cobo & Sons"}).Is(200)
	newer := called(f, "Hexagone desk", hexagone, "viewer")
	until(80 * time.Hour)

	untold := " This partner was then below a node that has been purged, or that you cannot see now. Roles that were granted further up " +
		"may be missing here, and so may a suspension there."
	text := func(as *apitest.Actor, who *apitest.Actor, action, when, want string) {
		t.Helper()
		answer := as.Gets("/v1/access?principal=%s&node=%s&action=%s&at=%s", who.ID, c.vale, action, url.QueryEscape(when)).Is(200)
		if got := answer.Get("text"); got != want {
			t.Errorf("%s, %s:\n%s\nwant\n%s", action, when, got, want)
		}
		told, incomplete := strings.CutSuffix(want, untold)
		if allowed := strings.Contains(told, " was granted "); answer.Get("allowed") != fmt.Sprint(allowed) || answer.Get("at") == "" ||
			(answer.Get("incomplete") != "") != incomplete {
			t.Errorf("%s: %s", want, answer.Body)
		}
	}
	text(f, billing, "edit-partner", at(2*time.Hour), "At "+says(2*time.Hour)+", "+
		"Vale billing could edit this partner: admin was granted at Cobo & Sons, then above this partner.")
	text(newer, billing, "edit-partner", at(2*time.Hour), "At "+says(2*time.Hour)+", as far as is known, "+
		string(billing.ID)+" had no access to this partner, and no role here or above."+untold)
	text(f, billing, "manage-brands", at(2*time.Hour), "At "+says(2*time.Hour)+", "+
		"Vale billing could not manage brands of this partner: the role here was admin, and this takes owner.")
	text(f, desk, "manage-subtree", at(2*time.Hour), "At "+says(2*time.Hour)+", Help desk could not move, suspend, resume, trash or "+
		"restore this partner: this takes admin above this partner, and no role counted there.")
	text(f, billing, "read", at(4*time.Hour), "At "+says(4*time.Hour)+", Vale billing had no access to this partner. "+
		"The role admin (granted at Cobo & Sons) did not count, because Cobo & Sons was suspended.")
	text(newer, desk, "read", at(4*time.Hour), "At "+says(4*time.Hour)+", as far as is known, "+
		"Help desk could read this partner: viewer was granted here."+untold)
	text(f, billing, "read", at(8*time.Hour), "At "+says(8*time.Hour)+", "+
		string(billing.ID)+" had no access to this partner, and no role here or above.")
	text(f, desk, "read", day(1), "At "+day(1)+" 00:00:00.000 UTC, Help desk could read this partner: viewer was granted here.")
	text(f, desk, "edit-partner", day(1), "On "+day(1)+", "+
		"Help desk could not edit this partner: the role here was viewer, and this takes admin.")
	text(f, desk, "read", day(2), "On "+day(2)+", "+
		string(desk.ID)+" had no access to this partner, and no role here or above.")
	text(f, f, "read", dayBefore, "On "+dayBefore+", nobody had access to this partner: it was made later.")
	text(f, f, "manage-brands", day(0), "At "+day(0)+" 00:00:00.000 UTC, "+
		"Founder could manage brands of this partner: owner was granted at Cloudvendor, then above this partner.")

	users := func(as *apitest.Actor, when string, want ...string) {
		t.Helper()
		all := []string{}
		for next := ""; ; {
			answer := as.Gets("%s/users?limit=2&at=%s%s", apitest.NodePath(c.vale), url.QueryEscape(when), from(next)).Is(200)
			for _, item := range answer.JSON()["items"].([]any) {
				u := item.(map[string]any)
				all = append(all, fmt.Sprint(u["name"], " ", u["role"], " ", u["nodeId"], " ", u["counts"], " ", u["blockedBy"]))
			}
			moment := strings.Replace(when, "Z", ".000Z", 1)
			if incomplete := as == newer; (answer.Get("incomplete") != "") != incomplete {
				t.Errorf("%s: %s", when, answer.Body)
			}
			if answer.Get("at") != moment || (answer.Get("text") != "") != (when < day(0)) {
				t.Errorf("asked about %s, it is %s", when, answer.Body)
			}
			if next = answer.Get("next"); next == "" {
				break
			}
		}
		listtest.InOrder(t, when, all, want)
	}
	here, above := fmt.Sprint("Help desk viewer ", c.vale), fmt.Sprint("Founder owner ", c.Root, " true <nil>")
	cobo := fmt.Sprint("Vale billing admin ", c.cobo)
	blocked := fmt.Sprint(" false ", map[string]any{"nodeId": c.cobo, "reason": "suspended"})
	users(f, at(2*time.Hour), here+" true <nil>", cobo+" true <nil>", above)
	users(f, at(4*time.Hour), here+blocked, cobo+blocked, above)
	users(f, at(8*time.Hour), here+" true <nil>", above)
	users(f, at(27*time.Hour), above)
	users(f, day(0), here+" true <nil>", cobo+" true <nil>", above)
	users(f, day(2), fmt.Sprint("Hexagone desk viewer ", hexagone, " true <nil>"), above)
	users(newer, at(4*time.Hour), here+" true <nil>", "Founder owner <nil> true <nil>")
	users(f, dayBefore)

	elsewhere := before.In(time.FixedZone("", 2*3600)).Format(time.RFC3339)
	early := f.Gets("%s/users?at=%s", apitest.NodePath(c.bakery), url.QueryEscape(elsewhere)).Is(200)
	if early.Get("at") != before.Format("2006-01-02T15:04:05.000Z") || len(early.Items("name")) > 0 ||
		early.Get("text") != "At "+before.Format("2006-01-02 15:04:05.000 UTC")+", nobody had access to this customer: it was made later." {
		t.Errorf("before it was made, in another time zone: %s", early.Body)
	}
	if now := f.Gets("%s/users", apitest.NodePath(c.bakery)).Is(200); now.Get("at")+now.Get("text") != "" {
		t.Errorf("of the present: %s", now.Body)
	}
}
