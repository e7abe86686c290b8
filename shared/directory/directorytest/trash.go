package directorytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// What the contract says of the trash and of what is left of it.

func trashes(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	p := s.add(s.root, s.partnerBelow(s.root, "Partner", b))
	was := s.add(p, s.partnerBelow(p, "Trashed", b))
	below := s.add(was, s.customerBelow(was, "Below", b))
	beside := s.add(p, s.partnerBelow(p, "Beside", b))
	ids := func(nodes []hierarchy.Node) (ids []ident.Node) {
		for _, n := range nodes {
			ids = append(ids, n.ID)
		}
		return ids
	}
	expect := func(what string, trash bool) {
		t.Helper()
		shown, there, in := []ident.Node{beside.ID}, []ident.Node{below.ID, beside.ID}, []ident.Node(nil)
		if trash {
			in = []ident.Node{was.ID}
		} else {
			shown, there = append(shown, was.ID), append(there, was.ID)
		}
		all := s.all()
		same(t, what+", all children", ids(all.Children[p.ID]), []ident.Node{beside.ID, was.ID})
		same(t, what+", the children for people", ids(all.Shown[p.ID]), shown)
		slices.Sort(there)
		for _, under := range []*hierarchy.Node{s.root, p} {
			for _, limit := range []int{1, 10} {
				eventually(t, what+", in the trash", func() ([]ident.Node, []ident.Node) {
					return s.proposed(under.Place.Path, "", true, limit), in
				})
				eventually(t, what+", of another kind in the trash", func() ([]ident.Node, []ident.Node) {
					return s.proposed(under.Place.Path, hierarchy.Customer, true, limit), nil
				})
			}
		}
		eventually(t, what+", not in the trash", func() ([]ident.Node, []ident.Node) {
			return s.proposed(p.Place.Path, "", false, 10), there
		})
	}
	expect("before", false)
	was = s.node(was.ID)
	now := trashed(was, then.Add(time.Hour))
	s.commits(directory.PlaceNode{Was: was, Now: now, Else: always(errElse)})
	same(t, "the node", s.node(was.ID), now)
	listed := copyNode(*now)
	listed.Place, listed.AsOf, listed.Height = hierarchy.Place{Marks: now.OwnMarks()}, 0, 0
	listed.Brands.Uses, listed.Brands.Owned = nil, nil
	same(t, "as it is listed", s.all().Children[p.ID][1], listed)
	expect("in the trash", true)
	// Settling and edits leave it there.
	place := hierarchy.Place{Path: now.Place.Path, Marks: append([]hierarchy.Mark{{Node: p.ID, Kind: hierarchy.Suspended}}, now.OwnMarks()...)}
	s.commits(directory.Rewrite{Node: was.ID, WasAsOf: now.AsOf, Place: place, AsOf: now.AsOf + 1, Else: errElse})
	was = s.node(was.ID)
	renamed := edited(was, func(n *hierarchy.Node) { n.Name, n.Trashed = "Trashed, renamed", time.Time{} })
	s.commits(directory.EditNode{Was: was, Now: renamed, Else: always(errElse)})
	expect("rewritten and renamed in the trash", true)
	now = s.node(was.ID)
	if !now.Trashed.Equal(then.Add(time.Hour)) || !s.all().Children[p.ID][1].Trashed.Equal(now.Trashed) {
		t.Errorf("after an edit it is in the trash since %s", now.Trashed)
	}
	// What lies below something in the trash is not there itself.
	rewritten := hierarchy.Place{Path: below.Place.Path, Marks: now.OwnMarks()}
	s.commits(directory.Rewrite{Node: below.ID, WasAsOf: below.AsOf, Place: rewritten, AsOf: below.AsOf + 1, Else: errElse})
	expect("with what is below rewritten", true)
	s.trash(now, time.Time{})
	if n := s.node(was.ID); !n.Trashed.IsZero() || len(n.OwnMarks()) != 0 {
		t.Errorf("restored it is %+v", n)
	}
	expect("restored", false)
	s.trash(s.node(was.ID), then)
	expect("in the trash again", true)
}

func pagesWithoutTrash(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	const size = 60
	for _, in := range [][]bool{
		slices.Repeat([]bool{false}, size),
		slices.Repeat([]bool{false, true}, size/2),
		append(slices.Repeat([]bool{false}, size-1), true),
		append([]bool{false}, slices.Repeat([]bool{true}, size-1)...),
		slices.Concat([]bool{true}, slices.Repeat([]bool{false}, size/2), slices.Repeat([]bool{true}, size/2-1)),
	} {
		p := s.add(s.root, s.partnerBelow(s.root, "Parent", b))
		var nodes, shown []hierarchy.Node
		for i, trash := range in {
			n := s.customerBelow(p, hierarchy.Name(fmt.Sprintf("Customer %03d", i)), b)
			if trash {
				n.Trashed = then
			} else {
				shown = append(shown, n)
			}
			nodes = append(nodes, n)
		}
		s.addAll(p, nodes)
		for _, limit := range []int{1, 7, 29, 30, 31, 100} {
			for _, all := range []bool{true, false} {
				want := shown
				if all {
					want = nodes
				}
				short := 0
				got := pages(t, limit, func(after string, limit int) (directory.Page[hierarchy.Node], error) {
					page, err := store.Children(t.Context(), p.ID, hierarchy.Customer, all, after, limit)
					if page.Next != "" && len(page.Items) < limit {
						short++
					}
					return page, err
				})
				if !slices.EqualFunc(got, want, func(a, b hierarchy.Node) bool { return a.ID == b.ID }) {
					t.Errorf("in pages of %d, all %v, %d are listed of %d", limit, all, len(got), len(want))
				}
				if len(want) == size && short > 0 {
					t.Errorf("%d pages of %d were short with nothing left out", short, limit)
				}
			}
		}
	}
}

func listsDue(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	due := func(n *hierarchy.Node) directory.PurgeEntry {
		return directory.PurgeEntry{Node: n.ID, Since: n.Trashed}
	}
	expect := func(until time.Time, limit int, want ...directory.PurgeEntry) {
		t.Helper()
		got, err := store.PurgeQueue(t.Context(), until, limit)
		if err != nil || got == nil {
			t.Fatalf("Due: %v, %v", got, err)
		}
		same(t, fmt.Sprint("due until ", until), got, append([]directory.PurgeEntry{}, want...))
	}
	expect(then, 10)
	var nodes []*hierarchy.Node
	for i := range 4 {
		n := s.add(s.root, s.partnerBelow(s.root, hierarchy.Name(fmt.Sprint("Partner ", 9-i))))
		nodes = append(nodes, s.trash(n, then.Add(time.Duration(i/2)*time.Microsecond)))
	}
	slices.SortFunc(nodes[:2], func(a, b *hierarchy.Node) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	slices.SortFunc(nodes[2:], func(a, b *hierarchy.Node) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	late := then.AddDate(0, 0, 30)
	all := []directory.PurgeEntry{due(nodes[0]), due(nodes[1]), due(nodes[2]), due(nodes[3])}
	expect(then, 10)
	expect(then.Add(time.Microsecond), 10, all[:2]...)
	expect(then.Add(2*time.Microsecond).In(time.FixedZone("", -3600)), 10, all...)
	expect(late, 3, all[:3]...)
	expect(late, 1, all[0])
	if _, err := store.PurgeQueue(t.Context(), late, 0); err == nil {
		t.Error("nothing was asked for and is no error")
	}
	// It stays due wherever it is placed, until it is restored.
	marked := placed(nodes[0], s.root.ID, 7, hierarchy.Place{
		Path: nodes[0].Place.Path, Marks: append(slices.Clone(nodes[0].Place.Marks), hierarchy.Mark{Node: nodes[0].ID, Kind: hierarchy.Purged}),
	})
	s.commits(directory.PlaceNode{Was: nodes[0], Now: marked, Else: always(errElse)})
	expect(late, 10, all...)
	s.trash(nodes[1], time.Time{})
	expect(late, 10, all[0], all[2], all[3])
	nodes[1] = s.trash(s.node(nodes[1].ID), then.Add(time.Hour))
	expect(late, 10, all[0], all[2], all[3], due(nodes[1]))
	nodes[2] = s.trash(nodes[2], then.Add(2*time.Hour))
	expect(late, 10, all[0], all[3], due(nodes[1]), due(nodes[2]))
	// Nothing left of it, it is due until it is taken off the list.
	s.commits(directory.RemoveNode{Was: nodes[3], Else: errElse})
	expect(late, 10, all[0], all[3], due(nodes[1]), due(nodes[2]))
	for range 2 {
		s.commits(directory.RemovePurgeEntry{Entry: all[3]}, directory.RemovePurgeEntry{Entry: directory.PurgeEntry{Node: nodes[1].ID, Since: then}})
		expect(late, 10, all[0], due(nodes[1]), due(nodes[2]))
	}
}

func removesNodes(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	p := s.add(s.root, s.partnerBelow(s.root, "Partner", b))
	beside := s.add(s.root, s.partnerBelow(s.root, "Beside", b))
	below := s.add(p, s.customerBelow(p, "Below", b))
	client := s.newClient(p.ID, map[ident.Node]access.Role{p.ID: access.Owner})
	s.commits(directory.Put{Now: &client, Else: errElse}, directory.AddEvent{Event: s.newEvent(p.ID)})
	p = s.node(p.ID)
	remove := func(n *hierarchy.Node) directory.RemoveNode { return directory.RemoveNode{Was: n, Else: errElse} }
	for _, wrong := range []func(*hierarchy.Node){
		func(n *hierarchy.Node) { n.Version++ },
		func(n *hierarchy.Node) { n.Version-- },
		func(n *hierarchy.Node) { n.AsOf++ },
		func(n *hierarchy.Node) { n.AsOf-- },
		func(n *hierarchy.Node) { n.ID = ident.NewPartner() },
	} {
		n := copyNode(*p)
		wrong(&n)
		s.refuses(errElse, remove(&n))
	}
	before := s.all()
	s.commits(remove(p))
	// All that belongs to it but its entry in the list stays: it is taken away on its own.
	after := s.all()
	delete(before.Got.Nodes, p.ID)
	before.Children[s.root.ID], before.Shown[s.root.ID] = before.Children[s.root.ID][:1], before.Shown[s.root.ID][:1]
	if d := difference(after, before); d != "" {
		t.Errorf("removing it changed something else: %s", d)
	}
	if len(after.Children[s.root.ID]) != 1 || after.Children[s.root.ID][0].ID != beside.ID {
		t.Errorf("the children that are left: %+v", after.Children[s.root.ID])
	}
	s.refuses(errElse, remove(p))
	s.refuses(errElse, directory.CheckParent{Parent: p, Else: sees(t, nil)})
	s.refuses(errElse, directory.Rewrite{Node: p.ID, WasAsOf: p.AsOf, Place: p.Place, AsOf: p.AsOf + 1, Else: errElse})
	s.commits(remove(s.node(below.ID)))
	if left := s.all().Children[p.ID]; len(left) != 0 {
		t.Errorf("below it are %+v", left)
	}
	eventually(t, "below the root", func() ([]ident.Node, []ident.Node) {
		return s.proposed(s.root.Place.Path, "", false, 10), []ident.Node{beside.ID}
	})
}

func erases(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	p := s.add(s.root, s.partnerBelow(s.root, "Partner", b))
	other := s.add(s.root, s.partnerBelow(s.root, "Other", b))
	s.add(p, s.customerBelow(p, "Customer", b))
	s.add(p, s.partnerBelow(p, "Child", b))
	client := s.newClient(p.ID, map[ident.Node]access.Role{p.ID: access.Owner, other.ID: access.Viewer})
	s.commits(directory.Put{Now: &client, Else: errElse})
	for range 2 {
		var steps []directory.Step
		for range 33 {
			e := s.newEvent(p.ID)
			e.Type, e.Data, e.Path = event.UserChanged, event.UserChangedData{UserRole: event.UserRole{Role: access.Viewer}}, p.Place.Path
			steps = append(steps, directory.AddEvent{Event: e})
		}
		s.commits(steps...)
	}
	everywhere, elsewhere := s.newGadget(), s.newGadget()
	everywhere.Kept, everywhere.Unlisted, everywhere.Deleted = p.ID, p.ID, other.ID
	elsewhere.Kept, elsewhere.Unlisted, elsewhere.Deleted = other.ID, other.ID, other.ID
	goes, stays := s.newGadget(), s.newGadget()
	goes.Unlisted, goes.Deleted, stays.Unlisted = p.ID, p.ID, p.ID
	for _, g := range []*gadget{everywhere, elsewhere, goes, stays} {
		s.commits(directory.Put{Now: g, Else: errElse})
	}
	counted := func(node ident.Node, most int) directory.Count {
		return directory.Count{Node: node, Key: "made", At: then, Most: most, Else: errAnother}
	}
	s.commits(counted(p.ID, 1), counted(other.ID, 1))
	s.refuses(errAnother, counted(p.ID, 1))
	want := s.all()
	want.Logs[p.ID], want.Past[p.ID] = nil, nil
	// A list that stays is there still, and the others are not. The record that goes with its list is gone.
	want.Listed[p.ID] = slices.DeleteFunc(want.Listed[p.ID], func(l directory.Listed) bool { return strings.Contains(l.At, "#") })
	delete(want.Got.Records, goes.Ref())
	for round := range 2 {
		calls := 1
		for ; calls < 50; calls++ {
			done, err := store.Erase(t.Context(), p.ID)
			if err != nil {
				t.Fatal(err)
			}
			if done {
				break
			}
		}
		if calls == 50 || calls < 2 && round == 0 {
			t.Errorf("it was done after %d calls, in round %d", calls, round)
		}
		if d := difference(s.all(), want); d != "" {
			t.Errorf("after it was erased: %s", d)
		}
	}
	// How many were counted that day went as well, but not elsewhere.
	s.commits(counted(p.ID, 1))
	s.refuses(errAnother, counted(other.ID, 1))
	if done, err := store.Erase(t.Context(), ident.NewCustomer()); !done || err != nil {
		t.Errorf("a node that never was: %v, %v", done, err)
	}
}
