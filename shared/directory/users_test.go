package directory_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// audience is who was granted what where, as plain maps, beside the directory.
type audience struct {
	parent  map[ident.Node]ident.Node
	off     map[ident.Node]hierarchy.MarkKind // what is suspended, or in the trash
	grants  map[ident.Principal]map[ident.Node]access.Role
	callers map[ident.Principal]directory.Caller
}

func (m *audience) up(id ident.Node) (path []ident.Node) {
	for ; id != ""; id = m.parent[id] {
		path = append(path, id)
	}
	return path
}

// blocker is the uppermost node from id upwards that is suspended or in the trash.
func (m *audience) blocker(id ident.Node) (top ident.Node) {
	for _, above := range m.up(id) {
		if m.off[above] != "" {
			top = above
		}
	}
	return top
}

// role is what somebody has at a node, and how far up the uppermost grant is that gives them something there.
func (m *audience) role(c ident.Principal, id ident.Node) (best access.Role, sees int) {
	for i, at := range m.up(id) {
		if role := m.grants[c][at]; role != access.None && m.blocker(at) == "" {
			best, sees = max(best, role), i
		}
	}
	return best, sees
}

// users are those of a node as somebody sees them, from the node up and by id.
func (m *audience) users(c ident.Principal, node ident.Node) (all []directory.User) {
	_, sees := m.role(c, node)
	for i, at := range m.up(node) {
		for _, who := range slices.Sorted(maps.Keys(m.grants)) {
			if m.grants[who][at] == access.None {
				continue
			}
			u := directory.User{Principal: who, Name: "C", Source: directory.Source{Inherited: i > 0}}
			u.Node, u.Role, u.Blocked = at, m.grants[who][at], m.blocker(at)
			u.By = m.off[u.Blocked]
			if i > sees {
				u.Node = ""
			}
			all = append(all, u)
		}
	}
	return all
}

// usersOf reads the whole list, so many a page.
func usersOf(t interface {
	Context() context.Context
	Fatalf(format string, args ...any)
}, d *directory.Directory, c directory.Caller, node ident.Node, limit int) (all []directory.User) {
	for page := (directory.Paging{Limit: limit}); ; {
		list, err := d.Users(t.Context(), c, node, page)
		if err != nil || len(list.Items) > limit || len(list.Items) == 0 {
			t.Fatalf("the users of %s: a page of %d of at most %d, %v", node, len(list.Items), limit, err)
		}
		all = append(all, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			return all
		}
	}
}

func drawAudience(t *rapid.T, d *directory.Directory) *audience {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	root, founder, _, err := d.CreateRoot(ctx, "Root", "C")
	must(err)
	by := directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
	brand, err := d.CreateBrand(ctx, by, directory.NewBrand{Partner: root.ID, Name: "B", Domain: "b.example", Regions: []string{"eu-west-1"}})
	must(err)
	m := &audience{map[ident.Node]ident.Node{root.ID: ""}, map[ident.Node]hierarchy.MarkKind{},
		map[ident.Principal]map[ident.Node]access.Role{founder.ID: founder.Grants}, map[ident.Principal]directory.Caller{founder.ID: by}}
	ids := []ident.Node{root.ID}
	role := rapid.SampledFrom([]access.Role{access.Viewer, access.Operator, access.Admin, access.Owner})
	node := func() ident.Node { return rapid.SampledFrom(ids).Draw(t, "node") }
	for range rapid.IntRange(1, 7).Draw(t, "partners") {
		parent := node()
		n, err := d.CreatePartner(ctx, by, directory.NewPartner{Parent: parent, Name: "P", Portal: brand.ID, Available: []ident.Brand{brand.ID}})
		must(err)
		ids, m.parent[n.ID] = append(ids, n.ID), parent
	}
	for range rapid.IntRange(1, 5).Draw(t, "clients") {
		at, r := node(), role.Draw(t, "role")
		c, err := d.CreateClient(ctx, by, directory.NewClient{Node: at, Name: "C", Role: r})
		must(err)
		m.grants[c.ID], m.callers[c.ID] = map[ident.Node]access.Role{at: r}, directory.Caller{Principal: c.ID, Key: c.SecretID}
		for range rapid.IntRange(0, 3).Draw(t, "more grants") {
			at, r := node(), role.Draw(t, "role")
			_, err := d.GrantRole(ctx, by, c.ID, at, r)
			must(err)
			m.grants[c.ID][at] = r
		}
		if rapid.IntRange(0, 4).Draw(t, "revoked") == 0 {
			must(d.RevokeClient(ctx, by, c.ID))
			delete(m.grants, c.ID)
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		id, to := node(), node()
		var done directory.Changed
		var err error
		switch what := rapid.SampledFrom([]string{"move", "suspend", "trash"}).Draw(t, "change"); what {
		case "move":
			if done, err = d.Move(ctx, by, id, to); err == nil {
				m.parent[id] = to
			}
		case "suspend":
			if done, err = d.Suspend(ctx, by, id, "unpaid"); err == nil && done.Job != "" { // it may be so already, and in the trash since
				m.off[id] = hierarchy.Suspended
			}
		case "trash":
			if done, err = d.Trash(ctx, by, id); err == nil {
				m.off[id] = hierarchy.Trashed
			}
		}
		if done.Job != "" && rapid.Bool().Draw(t, "settled") {
			must(settled(ctx, d, done.Job))
		}
	}
	return m
}

// TestEverybodyWithAccessIsListedAndExplained holds Users and Why against a plain model, in any tree and as any caller, and
// against what those who are listed can really do.
func TestEverybodyWithAccessIsListedAndExplained(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := t.Context()
		d := directory.New(new(directorytest.Fake), clocktest.Now)
		m := drawAudience(t, d)
		for id := range m.parent {
			for caller, c := range m.callers {
				revoked := m.grants[caller] == nil
				if role, _ := m.role(caller, id); role == access.None {
					_, err := d.Users(ctx, c, id, directory.Paging{Limit: 1})
					_, err2 := d.Why(ctx, c, caller, id, access.Read)
					for _, err := range []error{err, err2} {
						if !revoked && !fault.NotFound.Is(err) || revoked && !fault.Unauthenticated.Is(err) {
							t.Fatalf("%s has no access to %s, and gets %v", caller, id, err)
						}
					}
					continue
				}
				listed := m.users(caller, id)
				for limit := 1; limit <= len(listed)+1; limit++ {
					if got := usersOf(t, d, c, id, limit); !slices.Equal(got, listed) {
						t.Fatalf("%s sees these users of %s, %d a page:\n%v\nwant\n%v", caller, id, limit, got, listed)
					}
				}
				m.explained(t, d, c, id, listed)
			}
		}
	})
}

// explained holds what a caller is told of everybody's access to a node against the list of its users.
func (m *audience) explained(t *rapid.T, d *directory.Directory, c directory.Caller, id ident.Node, listed []directory.User) {
	ctx := t.Context()
	for who, as := range m.callers {
		var sources []directory.Source
		known := map[ident.Node]bool{}
		counts := false
		for _, u := range slices.Backward(listed) {
			if u.Principal == who {
				sources = append(sources, u.Source)
				counts = counts || u.Counts()
				known[u.Node], known[u.Blocked] = true, true
			}
		}
		role, _ := m.role(who, id)
		if counts != (role != access.None) {
			t.Fatalf("%s is %s at %s, and is listed with a grant that counts: %v", who, role, id, counts)
		}
		for _, a := range access.Actions {
			e, err := d.Why(ctx, c, who, id, a)
			if err != nil {
				t.Fatal(err)
			}
			enough := role
			if a == access.ManageSubtree {
				enough, _ = m.role(who, m.parent[id])
			}
			if e.Role != role || !slices.Equal(e.Sources, sources) || e.Allowed != (enough >= a.Needs()) || (e.Name != "") != (len(sources) > 0) {
				t.Fatalf("%s at %s of %s: %+v; want %s, %v", who, a, id, e, role, sources)
			}
			delete(known, "")
			if len(e.Known) != len(known) {
				t.Fatalf("%v are named; %v are to be seen", e.Known, known)
			}
			for id := range known {
				if e.Known[id] == "" {
					t.Fatalf("%s has no name in %v", id, e.Known)
				}
			}
		}
		_, err := d.Get(ctx, as, id)
		if why, _ := d.Why(ctx, c, who, id, access.Read); why.Allowed != (err == nil) {
			t.Fatalf("%s may read %s: %v; and when they do: %v", who, id, why.Allowed, err)
		}
	}
}

// A path longer than what is read at once has all its users, and a page of few takes few reads.
func TestUsersOfADeepPath(t *testing.T) {
	s := newShop(t)
	one, other := s.client(s.c, access.Viewer).Principal, s.client(s.c, access.Viewer).Principal
	both := []ident.Principal{min(one, other), max(one, other)}
	at, want := s.c, slices.Clone(both)
	for i := range 20 {
		at = s.partner(at, hierarchy.Name(fmt.Sprint("deep ", i)))
		for _, c := range both {
			if _, err := s.d.GrantRole(t.Context(), s.founder, c, at, access.Viewer); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, both...)
	}
	want = append(want, s.founder.Principal)
	for limit := range 20 {
		got := []ident.Principal{}
		for _, u := range usersOf(t, s.d, s.founder, at, limit+1) {
			got = append(got, u.Principal)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d a page: %v; want %v", limit+1, got, want)
		}
	}
	before := len(s.Calls())
	if _, err := s.d.Users(t.Context(), s.founder, at, directory.Paging{Limit: 2}); err != nil {
		t.Fatal(err)
	}
	if made := s.Calls()[before:]; len(made) > 9 {
		t.Errorf("a page of two took %v", made)
	}
}

func TestACursorOfUsersIsOfOneListAndCaller(t *testing.T) {
	s := newShop(t)
	other := s.client(s.root, access.Viewer)
	s.client(s.a, access.Viewer)
	list, err := s.d.Users(t.Context(), s.founder, s.a, directory.Paging{Limit: 1})
	if err != nil || list.Next == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	page := directory.Paging{Cursor: list.Next, Limit: 1}
	_, err = s.d.Users(t.Context(), other, s.a, page)
	s.refused("another caller", fault.InvalidCursor, err)
	_, err = s.d.Users(t.Context(), s.founder, s.b, page)
	s.refused("another node", fault.InvalidCursor, err)
	_, err = s.d.Clients(t.Context(), s.founder, s.a, page)
	s.refused("another list", fault.InvalidCursor, err)
	page.Cursor += "A"
	_, err = s.d.Users(t.Context(), s.founder, s.a, page)
	s.refused("a changed cursor", fault.InvalidCursor, err)
	_, err = s.d.Users(t.Context(), s.founder, s.a, directory.Paging{Cursor: "?", Limit: 1})
	s.refused("no cursor", fault.InvalidCursor, err)
}

// The decision is one read; names of nodes further up are at most one more.
func TestAnExplanationIsOneReadAndOneForNames(t *testing.T) {
	s := newShop(t)
	here, above := s.client(s.c, access.Viewer), s.client(s.a, access.Admin)
	for what, want := range map[string]struct {
		who   ident.Principal
		reads int
	}{
		"nobody": {ident.NewClient(), 1}, "a grant at the node": {here.Principal, 1}, "a grant above": {above.Principal, 2},
		"the root's": {s.founder.Principal, 2},
	} {
		before := len(s.Calls())
		if _, err := s.d.Why(t.Context(), s.founder, want.who, s.c, access.Read); err != nil {
			t.Fatal(err)
		}
		if made := s.Calls()[before:]; len(made) != want.reads {
			t.Errorf("%s: %v", what, made)
		}
	}
}
