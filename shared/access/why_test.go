package access_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// sources are the grants on the way to the node, by the plain model.
func (m *tree) sources(target ident.Node) (all []access.Source) {
	if !m.reaches(target) {
		return nil
	}
	for _, id := range m.path(target) {
		if m.grants[id] != access.None {
			s := access.Source{Node: id, Role: m.grants[id]}
			s.Blocked, s.By = m.blocker(m.made(id))
			all = append(all, s)
		}
	}
	return all
}

// blocker is the uppermost of the nodes from at upwards that is suspended or in the trash.
func (m *tree) blocker(at ident.Node) (node ident.Node, by hierarchy.MarkKind) {
	for id := at; id != ""; id = m.parent[id] {
		for _, kind := range []hierarchy.MarkKind{hierarchy.Suspended, hierarchy.Trashed} { // the later one is told
			if m.marks[hierarchy.Mark{Node: id, Kind: kind}] {
				node, by = id, kind
			}
		}
	}
	return node, by
}

func TestWhyTellsEachGrantOnTheWayAndWhetherItCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawTree(t)
		stored := map[ident.Node]*hierarchy.Node{}
		for _, id := range m.ids {
			stored[id] = m.node(id)
		}
		state := &hierarchy.TreeState{}
		node, dest := rapid.SampledFrom(m.ids).Draw(t, "moved"), rapid.SampledFrom(m.ids).Draw(t, "to")
		if node != m.ids[0] && !slices.Contains(m.path(dest), node) && hierarchy.KindOf(dest) == hierarchy.Partner {
			to := m.node(dest).Place
			m.parent[node] = dest
			state = &hierarchy.TreeState{Seq: 1, Changes: []hierarchy.Change{
				{Seq: 1, Node: node, Kind: hierarchy.Moved, Path: to.Path.Child(node), Marks: to.Marks},
			}}
		}
		for _, id := range m.ids {
			action := rapid.SampledFrom(actions).Draw(t, "action")
			want := access.Decide(m.principal(), state, stored[id], action)
			got, sources := access.Why(m.principal(), state, stored[id], action)
			if got.Role != want.Role || got.Above != want.Above || got.Allowed() != want.Allowed() || got.Place.Path != want.Place.Path {
				t.Fatalf("%s: explained is %+v, decided %+v", id, got, want)
			}
			if !slices.Equal(sources, m.sources(id)) {
				t.Fatalf("%s: %+v; want %+v", id, sources, m.sources(id))
			}
			best, above := access.None, access.None
			for _, s := range sources {
				if s.Counts() != m.counts(m.made(s.Node)) {
					t.Fatalf("%s: the grant at %s counts: %v", id, s.Node, s.Counts())
				}
				if !s.Counts() {
					continue
				}
				if best = max(best, s.Role); m.made(s.Node) != id {
					above = max(above, s.Role)
				}
			}
			if best != want.Role || above != want.Above {
				t.Fatalf("%s: the sources give %s, and %s above; decided is %s, and %s", id, best, above, want.Role, want.Above)
			}
		}
	})
}

func TestNoGrantCountsForWhatIsPurged(t *testing.T) {
	m := family(map[ident.Node]access.Role{vendor: access.Owner, vale: access.Admin},
		hierarchy.Mark{Node: vazon, Kind: hierarchy.Suspended}, hierarchy.Mark{Node: vale, Kind: hierarchy.Trashed},
		hierarchy.Mark{Node: vale, Kind: hierarchy.Purged})
	d, sources := access.Why(m.principal(), &hierarchy.TreeState{}, m.node(surf), access.Read)
	want := []access.Source{
		{Node: vendor, Role: access.Owner, Blocked: vale, By: hierarchy.Purged},
		{Node: vale, Role: access.Admin, Blocked: vale, By: hierarchy.Purged},
	}
	if d.Visible() || !slices.Equal(sources, want) {
		t.Errorf("%v, %+v; want %+v", d.Role, sources, want)
	}
}

func TestActions(t *testing.T) {
	if all := slices.Sorted(slices.Values(access.Actions[:])); !slices.Equal(all, actions) {
		t.Errorf("access.Actions are %v", all)
	}
	names := map[string]bool{}
	for _, a := range actions {
		got, ok := access.ParseAction(a.String())
		if got != a || !ok || a.String() == "" {
			t.Errorf("%q is read as %q, %v", a, got, ok)
		}
		names[a.String()] = true
	}
	if len(names) != len(actions) {
		t.Errorf("two actions have one name: %v", names)
	}
	for _, s := range []string{"", "Read", " read", "owner", "move"} {
		if got, ok := access.ParseAction(s); ok {
			t.Errorf("%q was taken as %s", s, got)
		}
	}
	both := []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer}
	for a, want := range map[access.Action][]hierarchy.Kind{
		access.Read: both, access.ManageSubtree: both, access.ManageClients: both, access.Invite: both, access.EditCustomer: both[1:],
		access.CreateCustomer: both[:1], access.CreatePartner: both[:1], access.EditPartner: both[:1], access.ManageBrands: both[:1],
	} {
		for _, kind := range both {
			if a.Fits(kind) != slices.Contains(want, kind) {
				t.Errorf("%s fits a %s: %v", a, kind, a.Fits(kind))
			}
		}
	}
}
