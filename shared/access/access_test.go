package access_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// tree is a plain model of who may do what, to hold Decide against: parents, marks and grants, and nothing of paths, change
// numbers or ranges.
type tree struct {
	ids    []ident.Node // the root first, a parent before its children
	parent map[ident.Node]ident.Node
	marks  map[hierarchy.Mark]bool
	grants map[ident.Node]access.Role
	within ident.Node // "" or what bounds the caller
}

// alike makes ids of which most begin, and end, like others.
func alike(n int, customer bool) ident.Node {
	prefix := ident.Partner
	if customer {
		prefix = ident.Customer
	}
	return ident.Node(fmt.Sprintf("%s%08d%08d", prefix, n%3, n/3%4*10000000+n))
}

var (
	roles   = []access.Role{access.Viewer, access.Operator, access.Admin, access.Owner}
	actions = []access.Action{access.Read, access.CreateCustomer, access.EditCustomer, access.CreatePartner, access.EditPartner,
		access.ManageBrands, access.ManageClients, access.Invite, access.ManageSubtree}
	markKinds = []hierarchy.MarkKind{hierarchy.NoProvisioning, hierarchy.Suspended, hierarchy.Trashed}
)

func drawTree(t *rapid.T) *tree {
	m := &tree{parent: map[ident.Node]ident.Node{}, marks: map[hierarchy.Mark]bool{}, grants: map[ident.Node]access.Role{}}
	for i := range rapid.IntRange(1, 25).Draw(t, "nodes") {
		var parent ident.Node
		if i > 0 {
			parents := slices.DeleteFunc(slices.Clone(m.ids), func(id ident.Node) bool {
				return hierarchy.KindOf(id) == hierarchy.Customer || len(m.path(id)) == hierarchy.MaxDepth
			})
			parent = rapid.SampledFrom(parents).Draw(t, "parent")
		}
		id := alike(i, i > 0 && rapid.IntRange(0, 3).Draw(t, "customer") == 0)
		m.ids, m.parent[id] = append(m.ids, id), parent
	}
	for range rapid.IntRange(0, 4).Draw(t, "marks") {
		m.marks[hierarchy.Mark{Node: rapid.SampledFrom(m.ids).Draw(t, "marked"), Kind: rapid.SampledFrom(markKinds).Draw(t, "mark")}] = true
	}
	for range rapid.IntRange(0, 6).Draw(t, "grants") {
		m.grants[rapid.SampledFrom(m.ids).Draw(t, "granted")] = rapid.SampledFrom(roles).Draw(t, "role")
	}
	if rapid.Bool().Draw(t, "bounded") {
		m.within = rapid.SampledFrom(m.ids).Draw(t, "within")
	}
	return m
}

// path is the ids from the root down to the node.
func (m *tree) path(id ident.Node) []ident.Node {
	var p []ident.Node
	for ; id != ""; id = m.parent[id] {
		p = append(p, id)
	}
	slices.Reverse(p)
	return p
}

// counts reports whether a grant at the node counts for what is at or below it on the path: nothing from there up is
// suspended or trashed.
func (m *tree) counts(at ident.Node) bool {
	for id := at; id != ""; id = m.parent[id] {
		if m.marks[hierarchy.Mark{Node: id, Kind: hierarchy.Suspended}] || m.marks[hierarchy.Mark{Node: id, Kind: hierarchy.Trashed}] {
			return false
		}
	}
	return true
}

// reaches reports whether a node lies within the caller's bound.
func (m *tree) reaches(id ident.Node) bool {
	return m.within == "" || slices.Contains(m.path(id), m.within)
}

// made is where a grant counts as made: at the bound, if it was made above it.
func (m *tree) made(at ident.Node) ident.Node {
	if m.within != "" && slices.Contains(m.path(m.within), at) {
		return m.within
	}
	return at
}

// role is the best of the grants that count, above the target and, unless above is set, on it.
func (m *tree) role(target ident.Node, above bool) access.Role {
	best := access.None
	if !m.reaches(target) {
		return best
	}
	for _, id := range m.path(target) {
		if at := m.made(id); m.counts(at) && !(above && at == target) {
			best = max(best, m.grants[id])
		}
	}
	return best
}

// first is where on the path access begins.
func (m *tree) first(target ident.Node) int {
	path := m.path(target)
	for _, id := range path {
		if at := m.made(id); m.counts(at) && m.grants[id] != access.None {
			return slices.Index(path, at)
		}
	}
	return -1
}

// node is the node with its place as it is stored after the last change.
func (m *tree) node(id ident.Node) *hierarchy.Node {
	n := &hierarchy.Node{ID: id, Parent: m.parent[id]}
	for _, id := range m.path(id) {
		n.Place.Path = n.Place.Path.Child(id)
	}
	for mark := range m.marks {
		if n.Place.Path.Index(mark.Node) >= 0 {
			n.Place.Marks = append(n.Place.Marks, mark)
		}
	}
	return n
}

func (m *tree) principal() *access.Principal {
	return &access.Principal{ID: "cli_0000000000000001", Grants: m.grants, Within: m.within}
}

// agrees holds what Decide says of every node against the model. stored gives the nodes as the table has them.
func (m *tree) agrees(t *rapid.T, state *hierarchy.TreeState, stored func(ident.Node) *hierarchy.Node) {
	caller := m.principal()
	for _, id := range m.ids {
		want, above, first := m.role(id, false), m.role(id, true), m.first(id)
		for _, action := range actions {
			d := access.Decide(caller, state, stored(id), action)
			if d.Role != want || d.Above != above || d.Visible() && d.First != first {
				t.Fatalf("%s: role %s, above %s, from step %d; want %s, %s, %d", id, d.Role, d.Above, d.First, want, above, first)
			}
			enough := want
			if action == access.ManageSubtree {
				enough = above
			}
			if d.Allowed() != (enough >= action.Needs()) || d.Visible() != (want != access.None) {
				t.Fatalf("%s, %d as %s: allowed %v, visible %v", id, action, want, d.Allowed(), d.Visible())
			}
			refusal := fault.Forbidden
			switch {
			case want == access.None:
				refusal = fault.NotFound
			case want >= action.Needs() && m.parent[id] == "":
				refusal = fault.Root
			case want >= action.Needs():
				refusal = fault.NeedsGrantAbove
			}
			if err := d.Err(); d.Allowed() && err != nil || !d.Allowed() && !refusal.Is(err) {
				t.Fatalf("%s, %d as %s: %v", id, action, want, err)
			}
		}
	}
}

func TestDecideIsWhatThePlainModelSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawTree(t)
		m.agrees(t, &hierarchy.TreeState{}, m.node)
	})
}

// A subtree was moved, and none of its nodes has been rewritten yet: grants follow it at once, and those of the place that
// it left count no more.
func TestDecideGoesByWhereNodesAreNow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawTree(t)
		stored := map[ident.Node]*hierarchy.Node{}
		for _, id := range m.ids {
			stored[id] = m.node(id)
		}
		node, dest := rapid.SampledFrom(m.ids).Draw(t, "moved"), rapid.SampledFrom(m.ids).Draw(t, "to")
		if node == m.ids[0] || slices.Contains(m.path(dest), node) || hierarchy.KindOf(dest) == hierarchy.Customer {
			t.Skip("cannot be moved there")
		}
		to := m.node(dest).Place
		m.parent[node] = dest
		state := &hierarchy.TreeState{Seq: 1, Changes: []hierarchy.Change{
			{Seq: 1, Node: node, Kind: hierarchy.Moved, Path: to.Path.Child(node), Marks: to.Marks},
		}}
		m.agrees(t, state, func(id ident.Node) *hierarchy.Node { return stored[id] })
	})
}

// A bound only takes away: whoever has a token that is bounded has nothing there that the caller has not without the bound, has nothing
// outside, and decides nothing that is decided above the bound.
func TestABoundOnlyTakesAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawTree(t)
		m.within = rapid.SampledFrom(m.ids).Draw(t, "within")
		free := m.principal()
		free.Within = ""
		for _, id := range m.ids {
			inside := slices.Contains(m.path(id), m.within)
			for _, action := range access.Actions {
				less := access.Decide(m.principal(), &hierarchy.TreeState{}, m.node(id), action)
				more := access.Decide(free, &hierarchy.TreeState{}, m.node(id), action)
				switch {
				case less.Role > more.Role || less.Above > more.Above || less.Visible() && !more.Visible() || less.Allowed() && !more.Allowed():
					t.Fatalf("%s within %s: %s, above it %s; without the bound %s and %s", id, m.within, less.Role, less.Above, more.Role, more.Above)
				case !inside && (less.Visible() || less.Allowed() || less.Above != access.None):
					t.Fatalf("%s is seen, and lies outside of %s", id, m.within)
				case id == m.within && action == access.ManageSubtree && less.Allowed():
					t.Fatalf("%s is moved by its own", id)
				case less.Visible() && less.First < slices.Index(m.path(id), m.within):
					t.Fatalf("%s is seen from above %s", id, m.within)
				}
			}
		}
	})
}

// What can be seen adds up: two principals' grants given to one see exactly what the two saw, each node in the better role.
func TestGrantsInTwoBranchesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawTree(t)
		one, two := map[ident.Node]access.Role{}, map[ident.Node]access.Role{}
		for _, id := range m.ids {
			if role := m.grants[id]; role != access.None {
				rapid.SampledFrom([]map[ident.Node]access.Role{one, two}).Draw(t, "whose")[id] = role
			}
		}
		for _, id := range m.ids {
			role := func(grants map[ident.Node]access.Role) access.Role {
				d := access.Decide(&access.Principal{Grants: grants, Within: m.within}, &hierarchy.TreeState{}, m.node(id), access.Read)
				return d.Role
			}
			if role(m.grants) != max(role(one), role(two)) {
				t.Fatalf("%s: %s together, %s and %s apart", id, role(m.grants), role(one), role(two))
			}
		}
	})
}

// The vendor, with Vazon Bay IT below it, which has two children; and another partner.
const (
	vendor = ident.Node("ptn_0000000000000001")
	vazon  = ident.Node("ptn_0000000000000010")
	vale   = ident.Node("ptn_0000000000000011")
	second = ident.Node("ptn_0000000000000012")
	other  = ident.Node("ptn_0000000000000002")
	surf   = ident.Node("cus_0000000000000010") // ends like vazon
)

func family(grants map[ident.Node]access.Role, marks ...hierarchy.Mark) *tree {
	m := &tree{
		ids:    []ident.Node{vendor, vazon, vale, second, other, surf},
		parent: map[ident.Node]ident.Node{vendor: "", vazon: vendor, vale: vazon, second: vazon, other: vendor, surf: vale},
		marks:  map[hierarchy.Mark]bool{}, grants: grants,
	}
	for _, mark := range marks {
		m.marks[mark] = true
	}
	return m
}

// bounded is the tree with a caller who reaches nothing but a node and what is below it.
func bounded(within ident.Node, m *tree) *tree {
	m.within = within
	return m
}

func (m *tree) sees(id ident.Node) access.Role {
	d := access.Decide(m.principal(), &hierarchy.TreeState{}, m.node(id), access.Read)
	return d.Role
}

func TestWhoSeesWhat(t *testing.T) {
	type grants = map[ident.Node]access.Role
	suspended := func(id ident.Node) hierarchy.Mark { return hierarchy.Mark{Node: id, Kind: hierarchy.Suspended} }
	tests := []struct {
		name string
		tree *tree
		want map[ident.Node]access.Role // of those who are not here nothing is seen
	}{
		{"nobody sees anything by themselves", family(grants{}), grants{}},
		{"self and below, no ancestor, no sibling, no cousin",
			family(grants{vale: access.Admin}), grants{vale: access.Admin, surf: access.Admin}},
		{"two branches", family(grants{second: access.Viewer, surf: access.Owner}), grants{second: access.Viewer, surf: access.Owner}},
		{"a deeper grant keeps its own role", family(grants{vazon: access.Viewer, vale: access.Owner}),
			grants{vazon: access.Viewer, vale: access.Owner, second: access.Viewer, surf: access.Owner}},
		{"a smaller grant further down takes nothing away", family(grants{vazon: access.Owner, vale: access.Viewer}),
			grants{vazon: access.Owner, vale: access.Owner, second: access.Owner, surf: access.Owner}},
		{"an id that is nowhere", family(grants{"ptn_000000000000001z": access.Owner}), grants{}},
		{"grants at and below a suspended node do not count, those above do",
			family(grants{vendor: access.Viewer, vazon: access.Owner, vale: access.Owner}, suspended(vazon)),
			grants{vendor: access.Viewer, vazon: access.Viewer, vale: access.Viewer, second: access.Viewer, surf: access.Viewer,
				other: access.Viewer}},
		{"a suspended sibling is not theirs",
			family(grants{vale: access.Admin}, suspended(second)), grants{vale: access.Admin, surf: access.Admin}},
		{"a trashed node", family(grants{vazon: access.Admin, surf: access.Owner}, hierarchy.Mark{Node: surf, Kind: hierarchy.Trashed}),
			grants{vazon: access.Admin, vale: access.Admin, second: access.Admin, surf: access.Admin}},
		{"bounded: nothing above or beside, and grants from above as if they were made there",
			bounded(vazon, family(grants{vendor: access.Owner})),
			grants{vazon: access.Owner, vale: access.Owner, second: access.Owner, surf: access.Owner}},
		{"bounded: grants inside keep their place", bounded(vazon, family(grants{vale: access.Admin, other: access.Owner})),
			grants{vale: access.Admin, surf: access.Admin}},
		{"bounded to where they have nothing", bounded(second, family(grants{vale: access.Admin})), grants{}},
		{"bounded to a part of what they have", bounded(vale, family(grants{vazon: access.Viewer, vale: access.Operator, surf: access.Admin})),
			grants{vale: access.Operator, surf: access.Admin}},
		{"bounded to what is nowhere", bounded("ptn_000000000000001z", family(grants{vendor: access.Owner})), grants{}},
		{"bounded to what is suspended: a grant from above counts no more",
			bounded(vazon, family(grants{vendor: access.Owner}, suspended(vazon))), grants{}},
		{"bounded to what is in the trash",
			bounded(vazon, family(grants{vendor: access.Owner}, hierarchy.Mark{Node: vazon, Kind: hierarchy.Trashed})), grants{}},
		{"bounded below what is suspended", bounded(vale, family(grants{vendor: access.Owner}, suspended(vazon))), grants{}},
		{"bounded above what is suspended", bounded(vazon, family(grants{vendor: access.Owner}, suspended(vale))),
			grants{vazon: access.Owner, vale: access.Owner, second: access.Owner, surf: access.Owner}},
		{"who may not provision may see", family(grants{vale: access.Admin}, hierarchy.Mark{Node: vazon, Kind: hierarchy.NoProvisioning}),
			grants{vale: access.Admin, surf: access.Admin}},
	}
	for _, tt := range tests {
		for _, id := range tt.tree.ids {
			if got := tt.tree.sees(id); got != tt.want[id] {
				t.Errorf("%s: %s at %s, want %s", tt.name, got, id, tt.want[id])
			}
		}
	}
}

func TestRoles(t *testing.T) {
	if !slices.IsSorted(roles) || !(access.None < access.Viewer) {
		t.Fatal("each role may do what the one before it may")
	}
	for _, role := range roles {
		if got, ok := access.ParseRole(role.String()); got != role || !ok {
			t.Errorf("%s: %s, %v", role, got, ok)
		}
		text, err := json.Marshal(map[string]access.Role{"role": role})
		if want := `{"role":"` + role.String() + `"}`; err != nil || string(text) != want {
			t.Errorf("%s is written %s, %v", role, text, err)
		}
		var back struct{ Role access.Role }
		if err := json.Unmarshal(text, &back); err != nil || back.Role != role {
			t.Errorf("%s is read as %s, %v", role, back.Role, err)
		}
	}
	for _, s := range []string{"", "none", "Owner", "OWNER", " owner", "root"} {
		var r access.Role
		if got, ok := access.ParseRole(s); ok || r.UnmarshalText([]byte(s)) == nil {
			t.Errorf("%q was taken as %s", s, got)
		}
	}
}

func TestWhatEachActionNeeds(t *testing.T) {
	want := map[access.Action]access.Role{
		access.Read: access.Viewer, access.CreateCustomer: access.Operator, access.EditCustomer: access.Operator,
		access.CreatePartner: access.Admin, access.EditPartner: access.Admin,
		access.ManageBrands: access.Owner, access.ManageClients: access.Owner, access.Invite: access.Admin, access.ManageSubtree: access.Admin,
	}
	for _, a := range actions {
		if a.Needs() != want[a] {
			t.Errorf("action %d needs %s, want %s", a, a.Needs(), want[a])
		}
	}
}

func TestARevokedPrincipalHoldsNothing(t *testing.T) {
	p := &access.Principal{Secrets: []access.Secret{{ID: "key_1"}, {ID: "key_2"}}}
	if !p.Holds("key_1", clocktest.Now()) || !p.Holds("key_2", clocktest.Now()) || p.Holds("key_3", clocktest.Now()) {
		t.Error("a principal holds its own secrets and no others")
	}
	p.Revoked = time.Unix(1, 0)
	if p.Holds("key_1", clocktest.Now()) {
		t.Error("a revoked principal holds a secret")
	}
}

// What does not exist and what cannot be seen answer alike, to the letter.
func TestHiddenLooksLikeNothing(t *testing.T) {
	m := family(map[ident.Node]access.Role{vale: access.Owner})
	d := access.Decide(m.principal(), &hierarchy.TreeState{}, m.node(other), access.EditPartner)
	if got, want := d.Err().Error(), access.Hidden().Error(); got != want {
		t.Errorf("%q and %q", got, want)
	}
}
