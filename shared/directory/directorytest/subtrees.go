package directorytest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// What the contract says of whole subtrees.

func placesElsewhere(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	a, z := s.add(s.root, s.partnerBelow(s.root, "A", b)), s.add(s.root, s.partnerBelow(s.root, "Z", b))
	was := s.add(a, s.partnerBelow(a, "Moved", b))
	below := s.add(was, s.customerBelow(was, "Below", b))
	made := s.brand(was)
	was = s.node(was.ID)
	now := placed(was, z.ID, 5, hierarchy.Place{
		Path:  z.Place.Path.Child(was.ID),
		Marks: []hierarchy.Mark{{Node: z.ID, Kind: hierarchy.Suspended}, {Node: was.ID, Kind: hierarchy.NoProvisioning}},
	})
	// What is not a part of the place is left alone, whatever it says.
	other := copyNode(*now)
	other.Name, other.Height, other.Created, other.Brands = "Another", 9, then.Add(time.Hour), hierarchy.Brands{}
	s.commits(directory.PlaceNode{Was: was, Now: &other, Else: always(errElse)})
	same(t, "the node", s.node(was.ID), now)
	same(t, "the node below", s.node(below.ID), below)
	all := s.all()
	if n := len(all.Children[a.ID]); n != 0 {
		t.Errorf("%d children are left where it was", n)
	}
	listed := copyNode(*now)
	listed.Place, listed.AsOf = hierarchy.Place{Marks: now.OwnMarks()}, 0
	listed.Brands.Uses, listed.Brands.Owned = nil, nil
	same(t, "listed where it is", all.Children[z.ID], []hierarchy.Node{listed})
	if !now.Brands.Usable(made) {
		t.Error("the brand that it made is not in the test any more")
	}

	customer := placed(below, s.root.ID, 6, hierarchy.Place{Path: s.root.Place.Path.Child(below.ID)})
	s.commits(directory.PlaceNode{Was: below, Now: customer, Else: always(errElse)})
	same(t, "a customer without marks", s.node(below.ID), customer)
	back := placed(customer, was.ID, 7, hierarchy.Place{Path: now.Place.Path.Child(below.ID)})
	s.commits(directory.PlaceNode{Was: customer, Now: back, Else: always(errElse)})
	same(t, "the customer back below", s.node(below.ID), back)
	// It is edited where it is now.
	renamed := edited(back, func(n *hierarchy.Node) { n.Name = "Renamed" })
	s.commits(directory.EditNode{Was: back, Now: renamed, Else: always(errElse)})
	if listed := s.all().Children[was.ID]; len(listed) != 1 || listed[0].Name != "Renamed" {
		t.Errorf("listed after an edit: %+v", listed)
	}
}

func placesMarks(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	was := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	for i, marks := range [][]hierarchy.Mark{
		{{Node: was.ID, Kind: hierarchy.Suspended}},
		{{Node: was.ID, Kind: hierarchy.Suspended}, {Node: was.ID, Kind: hierarchy.Trashed}},
		nil,
	} {
		now := placed(was, was.Parent, int64(i+1), hierarchy.Place{Path: was.Place.Path, Marks: marks})
		s.commits(directory.PlaceNode{Was: was, Now: now, Else: always(errElse)})
		was = s.node(was.ID)
		same(t, "the node", was, now)
		listed := s.all().Children[s.root.ID]
		if len(listed) != 1 || listed[0].Version != now.Version || !slices.Equal(listed[0].Place.Marks, marks) || !listed[0].Updated.Equal(now.Updated) {
			t.Errorf("listed as %+v", listed)
		}
	}
	root := placed(s.root, "", 4, hierarchy.Place{Path: s.root.Place.Path, Marks: []hierarchy.Mark{{Node: s.root.ID, Kind: hierarchy.NoProvisioning}}})
	s.commits(directory.PlaceNode{Was: s.root, Now: root, Else: always(errElse)})
	same(t, "the root", s.node(s.root.ID), root)
}

func placeRefused(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	a := s.add(s.root, s.partnerBelow(s.root, "A"))
	was := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	s.commits(directory.RaiseHeight{Node: was.ID, Height: 2, Else: errElse}, directory.Rewrite{Node: a.ID, WasAsOf: 0, Place: a.Place, AsOf: 3, Else: errElse})
	present, a := s.node(was.ID), s.node(a.ID)
	place := func(was, shown *hierarchy.Node) directory.PlaceNode {
		now := placed(was, a.ID, 9, hierarchy.Place{Path: a.Place.Path.Child(was.ID)})
		return directory.PlaceNode{Was: was, Now: now, Else: sees(t, shown)}
	}
	for _, wrong := range []func(*hierarchy.Node){
		func(n *hierarchy.Node) { n.Version++ },
		func(n *hierarchy.Node) { n.Version-- },
		func(n *hierarchy.Node) { n.AsOf++ },
		func(n *hierarchy.Node) { n.Parent = a.ID },
		func(n *hierarchy.Node) { n.Parent = "" },
		func(n *hierarchy.Node) { n.Height = 1 },
		func(n *hierarchy.Node) { n.Height = 0 },
	} {
		n := copyNode(*present)
		wrong(&n)
		s.refuses(errElse, place(&n, present))
	}
	gone := copyNode(*present)
	gone.ID = ident.NewPartner()
	s.refuses(errElse, place(&gone, nil))
	// What was read is high enough when it is just as high, or higher.
	s.commits(place(present, nil))
	higher := s.node(was.ID)
	higher.Height = 3
	s.commits(place(higher, nil))
}

func proposesPlaced(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	// Enough top-level partners that the moves are from one part of the index to another.
	var tops []*hierarchy.Node
	for i := range 6 {
		tops = append(tops, s.add(s.root, s.partnerBelow(s.root, hierarchy.Name(fmt.Sprint("Top ", i)), b)))
	}
	expect := func(what string, under *hierarchy.Node, want ...ident.Node) {
		t.Helper()
		slices.Sort(want)
		eventually(t, what, func() ([]ident.Node, []ident.Node) { return s.proposed(under.Place.Path, "", false, 3), want })
	}
	moved := s.add(tops[0], s.partnerBelow(tops[0], "Moved", b))
	below := s.add(moved, s.customerBelow(moved, "Below", b))
	for i, top := range tops[1:] {
		was := s.node(moved.ID)
		now := placed(was, top.ID, int64(i+1), hierarchy.Place{Path: top.Place.Path.Child(was.ID)})
		s.commits(directory.PlaceNode{Was: was, Now: now, Else: always(errElse)})
		expect("where it was", tops[i], below.ID)
		expect("where it is", top, moved.ID)
		stored := s.node(below.ID)
		s.commits(directory.Rewrite{
			Node: below.ID, WasAsOf: stored.AsOf, Place: hierarchy.Place{Path: now.Place.Path.Child(below.ID)}, AsOf: now.AsOf, Else: errElse,
		})
		expect("where all of it was", tops[i])
		expect("where all of it is", top, moved.ID, below.ID)
	}
}

func raisesHeights(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner", s.root.Brands.Owned...))
	check := func(parent *hierarchy.Node, height int) directory.CheckParent {
		return directory.CheckParent{Parent: parent, Height: height, Else: always(errElse)}
	}
	raise := func(height int) directory.RaiseHeight {
		return directory.RaiseHeight{Node: p.ID, Height: height, Else: errElse}
	}
	expect := func(want int) {
		t.Helper()
		now := s.node(p.ID)
		if now.Height != want || now.Version != p.Version || now.AsOf != p.AsOf || !now.Updated.Equal(p.Updated) {
			t.Errorf("now it is %+v; want the height %d and nothing else changed", now, want)
		}
	}
	expect(0)
	s.commits(check(p, 0))
	s.commits(raise(0))
	expect(0)
	s.commits(check(p, 1))
	expect(1)
	s.commits(raise(10)) // more digits sort otherwise than numbers
	expect(10)
	s.commits(raise(9))
	s.commits(check(p, 2)) // that of a parent that was read when it was lower
	s.commits(check(s.node(p.ID), 3))
	expect(10)
	s.commits(directory.CheckParent{Parent: p, Draw: s.root.Brands.Owned, Height: hierarchy.MaxDepth - 1, Else: always(errElse)})
	p.Brands.Uses[s.root.Brands.Owned[0]]++
	expect(hierarchy.MaxDepth - 1)
	same(t, "all of it", s.node(p.ID).Brands, p.Brands)
	if listed := s.all().Children[s.root.ID]; len(listed) != 1 || listed[0].Height != 0 {
		t.Errorf("listed as %+v; a list knows no heights", listed)
	}
	elsewhere := copyNode(*p)
	elsewhere.AsOf++
	s.refuses(errElse, directory.CheckParent{Parent: &elsewhere, Height: 5, Else: sees(t, s.node(p.ID))})
	s.refuses(errElse, directory.RaiseHeight{Node: ident.NewPartner(), Height: 5, Else: errElse})
	s.refuses(errElse, directory.RaiseHeight{Node: ident.NewPartner(), Else: errElse})
	high := s.partnerBelow(s.root, "High")
	high.Height = 4
	same(t, "a node that is added with a height", s.add(s.root, high), &high)
}

func measuresHeights(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	partner := s.partnerBelow(s.root, "Partner", s.root.Brands.Owned...)
	partner.Place.Marks = []hierarchy.Mark{{Node: partner.ID, Kind: hierarchy.NoProvisioning}}
	p, q := s.add(s.root, partner), s.add(s.root, s.partnerBelow(s.root, "Q"))
	raise := func(height int) directory.RaiseHeight {
		return directory.RaiseHeight{Node: p.ID, Height: height, Else: errElse}
	}
	place := hierarchy.Place{Path: q.Place.Path.Child(p.ID), Marks: append([]hierarchy.Mark{{Node: q.ID, Kind: hierarchy.Suspended}}, p.Place.Marks...)}
	measure := func(was *hierarchy.Node, asOf int64) directory.MeasureHeight {
		return directory.MeasureHeight{Was: was, Place: place, AsOf: asOf, Else: errElse}
	}
	lower := func(asOf int64, height int) directory.LowerHeight {
		return directory.LowerHeight{Node: p.ID, AsOf: asOf, Height: height, Else: errElse}
	}
	want := *p
	expect := func(height, ceiling int, asOf int64) {
		t.Helper()
		want.Height, want.Ceiling, want.AsOf = height, ceiling, asOf
		if asOf > 0 {
			want.Place = place
		}
		same(t, "the node", s.node(p.ID), &want)
	}
	s.commits(raise(5))
	s.commits(raise(12))
	expect(12, 0, 0)
	low, old, gone := copyNode(*s.node(p.ID)), copyNode(*s.node(p.ID)), copyNode(*s.node(p.ID))
	low.Height--
	old.AsOf--
	gone.ID = ident.NewPartner()
	for _, wrong := range []*hierarchy.Node{&low, &old, &gone} {
		s.refuses(errElse, measure(wrong, 4))
	}
	expect(12, 0, 0)
	s.commits(measure(s.node(p.ID), 4))
	expect(0, 12, 4)
	if listed := s.all().Children[s.root.ID]; len(listed) != 2 || listed[0].Ceiling+listed[1].Ceiling != 0 {
		t.Errorf("listed as %+v; a list knows no heights", listed)
	}
	// What is needed meanwhile is kept, also what it was before.
	s.commits(directory.CheckParent{Parent: s.node(p.ID), Height: 2, Else: always(errElse)})
	s.commits(raise(5))
	expect(5, 12, 4)
	s.refuses(errElse, lower(3, 1))
	s.refuses(errElse, directory.LowerHeight{Node: gone.ID, AsOf: 4, Height: 1, Else: errElse})
	s.commits(lower(4, 3))
	expect(5, 0, 4)
	// It is placed by what it may have at most.
	s.commits(measure(s.node(p.ID), 6))
	expect(0, 5, 6)
	below := copyNode(*s.node(p.ID))
	below.Ceiling = 4
	s.refuses(errElse, directory.PlaceNode{Was: &below, Now: &want, Else: sees(t, s.node(p.ID))})
	s.refuses(errElse, measure(&below, 7))
	// Measuring that begins again keeps the bound, and ends the one before.
	s.commits(raise(3))
	s.commits(measure(s.node(p.ID), 8))
	expect(0, 5, 8)
	s.refuses(errElse, lower(6, 1))
	s.commits(lower(8, 0))
	expect(0, 0, 8)
	s.commits(measure(s.node(p.ID), 9), directory.LowerHeight{Node: q.ID, AsOf: q.AsOf, Height: 10, Else: errElse})
	s.commits(lower(9, 10))
	expect(10, 0, 9)
	now := placed(s.node(p.ID), s.root.ID, 10, p.Place)
	s.commits(directory.PlaceNode{Was: s.node(p.ID), Now: now, Else: always(errElse)})
}

func skipsSeq(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "P"))
	next := func(seq int64) directory.NextSeq { return directory.NextSeq{Seq: seq, Else: errElse} }
	s.refuses(errElse, next(2))
	s.refuses(errElse, next(0))
	s.commits(next(1))
	s.refuses(errElse, next(1))
	s.refuses(errElse, directory.CheckSeq{Seq: 0, Else: errElse})
	s.commits(directory.AddChange{Change: s.moved(2, p, s.root, p.Place.Path), Else: errElse})
	s.commits(next(3))
	want := hierarchy.TreeState{Root: s.root.ID, Seq: 3, Changes: []hierarchy.Change{s.moved(2, p, s.root, p.Place.Path)}}
	for range 16 {
		same(t, "every copy", s.read(directory.Want{}).Tree, want)
	}
}

// moved is a change by which the node comes below to, from some other places.
func (s *story) moved(seq int64, n, to *hierarchy.Node, from ...hierarchy.Path) hierarchy.Change {
	return hierarchy.Change{
		Seq: seq, Node: n.ID, Kind: hierarchy.Moved, Path: to.Place.Path.Child(n.ID), From: from,
		Marks: []hierarchy.Mark{{Node: s.root.ID, Kind: hierarchy.NoProvisioning}, {Node: to.ID, Kind: hierarchy.Trashed}},
	}
}

func addsChanges(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	p, q := s.add(s.root, s.partnerBelow(s.root, "P", b)), s.add(s.root, s.partnerBelow(s.root, "Q", b))
	c := s.add(q, s.customerBelow(q, "C", b))
	suspended := hierarchy.Mark{Node: p.ID, Kind: hierarchy.Suspended}
	changes := []hierarchy.Change{
		s.moved(1, p, q, p.Place.Path, q.Place.Path.Child(p.ID), p.Place.Path.Child(p.ID)),
		{Seq: 2, Node: p.ID, Kind: hierarchy.Marked, Mark: suspended},
		{Seq: 3, Node: p.ID, Kind: hierarchy.Unmarked, Mark: suspended},
		s.moved(4, c, p, c.Place.Path),
		{Seq: 5, Node: q.ID, Kind: hierarchy.Moved, Path: p.Place.Path.Child(q.ID)},
	}
	add := func(c hierarchy.Change) directory.AddChange { return directory.AddChange{Change: c, Else: errElse} }
	want := hierarchy.TreeState{Root: s.root.ID}
	expect := func() {
		t.Helper()
		for range 16 { // copies that a read may meet
			same(t, "the tree state", s.read(directory.Want{}).Tree, want)
		}
	}
	expect()
	for _, c := range changes {
		for _, seq := range []int64{c.Seq - 1, c.Seq + 1, c.Seq + 2} {
			wrong := c
			wrong.Seq = seq
			s.refuses(errElse, add(wrong))
		}
		s.commits(add(c))
		want.Seq = c.Seq
		want.Changes = append(slices.Clone(want.Changes), c)
		expect()
	}
	// What was given and what was read are not what is kept.
	changes[0].Marks[0].Kind, changes[0].From[0] = hierarchy.Trashed, ""
	want.Changes[0] = s.moved(1, p, q, p.Place.Path, q.Place.Path.Child(p.ID), p.Place.Path.Child(p.ID))
	s.read(directory.Want{}).Tree.Changes[0].Marks[0].Kind = hierarchy.Trashed
	expect()
	for _, seq := range []int64{3, 5, 3, 77, 1, 4, 2, 2, 0} {
		s.commits(directory.DropChange{Seq: seq})
		want.Changes = slices.DeleteFunc(slices.Clone(want.Changes), func(c hierarchy.Change) bool { return c.Seq == seq })
		if len(want.Changes) == 0 {
			want.Changes = nil
		}
		expect()
	}
	s.commits(add(s.moved(6, p, q)))
	want = hierarchy.TreeState{Root: s.root.ID, Seq: 6, Changes: []hierarchy.Change{s.moved(6, p, q)}}
	expect()
	stray := s.moved(7, p, q)
	stray.Path = q.Place.Path
	if err := store.Commit(t.Context(), add(stray)); err == nil || errors.Is(err, errElse) {
		t.Errorf("a move whose path does not end with the node: %v", err)
	}
	expect()
}

func checksSeq(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	check := func(seq int64) directory.CheckSeq { return directory.CheckSeq{Seq: seq, Else: errElse} }
	add := func(seq int64) directory.AddChange {
		return directory.AddChange{Change: s.moved(seq, s.node(s.nodes[1]), s.root), Else: errAnother}
	}
	s.add(s.root, s.partnerBelow(s.root, "Partner"))
	for seq := range int64(20) {
		s.commits(check(seq))
		s.refuses(errElse, check(seq+1))
		s.refuses(errElse, check(seq-1))
		s.commits(add(seq + 1))
	}
	s.commits(directory.DropChange{Seq: 20})
	s.commits(check(20))
	if err := store.Commit(t.Context(), check(20), check(20)); err == nil || errors.Is(err, errElse) {
		t.Errorf("two checks in one transaction: %v", err)
	}
	if err := store.Commit(t.Context(), check(20), add(21)); err == nil || errors.Is(err, errElse) {
		t.Errorf("a check and a change in one transaction: %v", err)
	}
}

func rewrites(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	partner := s.partnerBelow(s.root, "Partner", b)
	partner.Height = 2
	partner.Place.Marks = []hierarchy.Mark{{Node: partner.ID, Kind: hierarchy.NoProvisioning}}
	p, q := s.add(s.root, partner), s.add(s.root, s.partnerBelow(s.root, "Q", b))
	c := s.add(p, s.customerBelow(p, "Customer", b))
	p = s.node(p.ID)
	elsewhere := hierarchy.Place{
		Path: q.Place.Path.Child(p.ID), Marks: append([]hierarchy.Mark{{Node: q.ID, Kind: hierarchy.Suspended}}, p.Place.Marks...),
	}
	rewrite := func(n ident.Node, was, asOf int64, place hierarchy.Place) directory.Rewrite {
		return directory.Rewrite{Node: n, WasAsOf: was, Place: place, AsOf: asOf, Else: errElse}
	}
	listed := s.all().Children
	for _, more := range [][]directory.Step{nil, {directory.AddEvent{Event: s.newEvent(p.ID)}}} {
		was := s.node(p.ID)
		s.commits(append(more, rewrite(p.ID, was.AsOf, was.AsOf+4, elsewhere))...)
		want := *was
		want.Place, want.AsOf = elsewhere, was.AsOf+4
		same(t, "the node", s.node(p.ID), &want)
		same(t, "the lists", s.all().Children, listed)
		if err := store.Commit(t.Context(), rewrite(p.ID, was.AsOf, was.AsOf+4, p.Place)); !errors.Is(err, errElse) {
			t.Errorf("rewritten as of what it was: %v", err)
		}
		same(t, "the node after it was refused", s.node(p.ID), &want)
		s.commits(rewrite(p.ID, want.AsOf, want.AsOf+1, p.Place))
		elsewhere.Marks = elsewhere.Marks[1:]
	}
	s.refuses(errElse, rewrite(p.ID, s.node(p.ID).AsOf-1, 99, p.Place))
	s.refuses(errElse, rewrite(ident.NewPartner(), 0, 1, p.Place))
	if err := store.Commit(t.Context(), rewrite(ident.NewPartner(), 0, 1, p.Place)); !errors.Is(err, errElse) {
		t.Errorf("a node that is not there, alone: %v", err)
	}
	marked := hierarchy.Place{Path: c.Place.Path, Marks: []hierarchy.Mark{{Node: p.ID, Kind: hierarchy.Trashed}}}
	s.commits(rewrite(c.ID, 0, 8, marked))
	same(t, "a customer's marks", s.node(c.ID).Place, marked)
	s.commits(rewrite(c.ID, 8, 9, hierarchy.Place{Path: c.Place.Path}))
	same(t, "a customer without", s.node(c.ID).Place, hierarchy.Place{Path: c.Place.Path})
	if err := store.Commit(t.Context(), rewrite(p.ID, s.node(p.ID).AsOf, 98, p.Place), directory.RaiseHeight{Node: p.ID, Else: errElse}); err == nil {
		t.Error("two steps about one node were committed")
	}
	none := rewrite(p.ID, 97, 98, p.Place)
	none.Else = nil
	if err := store.Commit(t.Context(), none); err == nil {
		t.Error("without an error for its condition it was committed")
	}
}

// wholeMove does all that a move from and to the greatest depth, which was asked for, writes at once: that is as much as there can be.
// When more than a few heights are to be raised, that is a transaction of its own.
func wholeMove(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	deep := func(name hierarchy.Name) *hierarchy.Node {
		n := s.root
		for n.Place.Path.Depth() < hierarchy.MaxDepth-1 {
			n = s.add(n, s.partnerBelow(n, name, b))
		}
		return n
	}
	source, dest := deep("Source"), deep("Destination")
	was := s.add(source, s.partnerBelow(source, "Moved", b))
	source = s.node(source.ID)
	const few = 8
	above := dest.Place.Path.IDs()[hierarchy.MaxDepth-2-few : hierarchy.MaxDepth-2]
	now := placed(was, dest.ID, 1, hierarchy.Place{Path: dest.Place.Path.Child(was.ID)})
	asked := s.newClient(s.root.ID, map[ident.Node]access.Role{s.root.ID: access.Admin})
	memo, progress, request, slot := s.newGadget(), s.newGadget(), s.newGadget(), s.newGadget()
	request.Unlisted, request.Deleted = was.ID, dest.ID
	s.commits(directory.Put{Now: &asked, Else: errElse}, directory.Put{Now: request, Else: errElse}, directory.Put{Now: slot, Else: errElse})
	moved := s.happened(now.Place.Path, 1)
	moved.Type, moved.Data, moved.Left = event.PartnerMoved, event.MovedData{}, was.Place.Path
	steps := func(change hierarchy.Change) []directory.Step {
		steps := []directory.Step{
			directory.Put{Now: memo, At: then, Else: errElse},
			directory.PlaceNode{Was: was, Now: now, Else: always(errElse)},
			directory.CheckParent{Parent: dest, Draw: was.Draws(), Height: 1, Else: always(errElse)},
			directory.CheckParent{Parent: source, Drop: was.Draws(), Else: always(errElse)},
			directory.Put{Was: request, Now: request.next(func(g *gadget) { g.Text = "accepted" }), Else: errElse},
			directory.Remove{Was: slot, Else: errElse},
			directory.CheckGrant{Principal: asked.ID, Node: s.root.ID, Role: access.Admin, Else: errElse},
		}
		for i, id := range above {
			steps = append(steps, directory.RaiseHeight{Node: id, Height: few - i + 1, Else: errElse})
		}
		return append(steps, directory.AddChange{Change: change, Else: errAnother}, directory.AddEvent{Event: moved},
			directory.Put{Now: progress, Else: errElse})
	}
	if err := store.Commit(t.Context(), steps(s.moved(2, was, dest, was.Place.Path))...); !errors.Is(err, errAnother) {
		t.Errorf("as the change after the next one: %v", err)
	}
	s.commits(steps(s.moved(1, was, dest, was.Place.Path))...)
	same(t, "the moved node", s.node(was.ID), now)
	got, change := s.all(), s.moved(1, was, dest, was.Place.Path)
	same(t, "the tree state", got.Got.Tree, hierarchy.TreeState{Root: s.root.ID, Seq: 1, Changes: []hierarchy.Change{change}})
	for i, id := range append(slices.Clone(above), dest.ID) {
		if n := got.Got.Nodes[id]; n.Height != few+1-i {
			t.Errorf("%s at depth %d has the height %d", n.Name, n.Place.Path.Depth(), n.Height)
		}
	}
	if drawn := got.Got.Nodes[source.ID].Brands.Uses[b]; drawn != 0 || len(got.Children[source.ID]) != 0 {
		t.Errorf("the source has %d drawn and %d children", drawn, len(got.Children[source.ID]))
	}
	if drawn := got.Got.Nodes[dest.ID].Brands.Uses[b]; drawn != 1 || len(got.Children[dest.ID]) != 1 {
		t.Errorf("the destination has %d drawn and %d children", drawn, len(got.Children[dest.ID]))
	}
	if p := gadgets.In(got.Got.Records, progress.ID); p == nil || p.Version != 1 {
		t.Errorf("the progress is %+v", p)
	}
	if r := gadgets.In(got.Got.Records, request.ID); r.Text != "accepted" || gadgets.In(got.Got.Records, slot.ID) != nil {
		t.Errorf("the request is %+v", r)
	}
	witnesses := 0
	for _, log := range got.Logs {
		witnesses += len(log)
	}
	if witnesses != 2*hierarchy.MaxDepth-2 {
		t.Errorf("%d nodes have the event in their logs", witnesses)
	}
}

func changesAtATime(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	const many = 8
	for seq := int64(1); seq <= 5; seq++ {
		won := 0
		for _, err := range atOnce(many, func(i int) error {
			c := s.moved(seq, p, s.root, s.root.Place.Path.Child(s.nodes[i%2]))
			return store.Commit(t.Context(), directory.AddChange{Change: c, Else: errElse})
		}) {
			if err == nil {
				won++
			} else if !errors.Is(err, errElse) {
				t.Error(err)
			}
		}
		// Meanwhile others leave, which is no reason for anybody to fail.
		errs := atOnce(many, func(int) error { return store.Commit(t.Context(), directory.DropChange{Seq: seq - 1}) })
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		first := s.read(directory.Want{}).Tree
		if won != 1 || first.Seq != seq || len(first.Changes) != 1 {
			t.Errorf("%d changes were the next; the tree state is %+v", won, first)
		}
		for range 16 {
			same(t, "every copy", s.read(directory.Want{}).Tree, first)
		}
	}
	checks := atOnce(many, func(int) error { return store.Commit(t.Context(), directory.CheckSeq{Seq: 5, Else: errElse}) })
	if err := errors.Join(checks...); err != nil {
		t.Error(err)
	}
}

func heightsAtATime(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	errs := atOnce(hierarchy.MaxDepth-1, func(i int) error {
		if i%2 == 0 {
			return store.Commit(t.Context(), directory.CheckParent{Parent: p, Height: i + 1, Else: always(errElse)})
		}
		return store.Commit(t.Context(), directory.RaiseHeight{Node: p.ID, Height: i + 1, Else: errElse})
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if got := s.node(p.ID).Height; got != hierarchy.MaxDepth-1 {
		t.Errorf("the height is %d; want the highest, %d", got, hierarchy.MaxDepth-1)
	}
}

func measuredAtATime(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	s.commits(directory.RaiseHeight{Node: p.ID, Height: 20, Else: errElse})
	s.commits(directory.MeasureHeight{Was: s.node(p.ID), Place: p.Place, AsOf: 1, Else: errElse})
	errs := atOnce(9, func(i int) error {
		if i == 4 {
			return store.Commit(t.Context(), directory.LowerHeight{Node: p.ID, AsOf: 1, Height: 3, Else: errElse})
		}
		return store.Commit(t.Context(), directory.RaiseHeight{Node: p.ID, Height: i + 1, Else: errElse})
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if got := s.node(p.ID); got.Height != 9 || got.Ceiling != 0 {
		t.Errorf("the height is %d, with the ceiling %d; want 9, with none", got.Height, got.Ceiling)
	}
}

func rewriteOrPlace(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	for range 10 {
		was := s.node(p.ID)
		now := placed(was, was.Parent, was.AsOf+1, hierarchy.Place{Path: was.Place.Path, Marks: []hierarchy.Mark{{Node: s.root.ID, Kind: hierarchy.Trashed}}})
		errs := atOnce(2, func(i int) error {
			if i == 0 {
				return store.Commit(t.Context(), directory.PlaceNode{Was: was, Now: now, Else: always(errElse)})
			}
			return store.Commit(t.Context(), directory.Rewrite{
				Node: p.ID, WasAsOf: was.AsOf, Place: hierarchy.Place{Path: was.Place.Path}, AsOf: was.AsOf + 2, Else: errElse,
			})
		})
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("placing gave %v, rewriting gave %v; just one of them has to win", errs[0], errs[1])
		}
		got := s.node(p.ID)
		if errs[0] == nil && got.AsOf != was.AsOf+1 || errs[1] == nil && (got.AsOf != was.AsOf+2 || got.Version != was.Version) {
			t.Errorf("placing gave %v, rewriting gave %v, and left %+v", errs[0], errs[1], got)
		}
	}
}
