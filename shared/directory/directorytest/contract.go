package directorytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Contract tests every promise of directory.Store. Each test opens a store of its own, which has to be empty.
func Contract(t *testing.T, open func(t *testing.T) directory.Store) {
	for _, p := range Promises() {
		t.Run(p.Name, func(t *testing.T) { p.Test(t, open(t)) })
	}
}

// Promise is one test of the contract. The store has to be empty.
type Promise struct {
	Name string
	Test func(testing.TB, directory.Store)
}

// Promises are all tests of the contract.
func Promises() []Promise {
	return []Promise{
		{"an empty store has nothing and is no error", emptyStore},
		{"what was written is read back", readBack},
		{"what was read belongs to the reader", readCopies},
		{"ids of the wrong kind are absent", wrongKinds},
		{"a read has at most 100 items", largestRead},
		{"nodes without a tree state are an error", noTreeState},
		{"nothing is added twice", nothingTwice},
		{"a parent that is not what it was refuses", parentChanges},
		{"brands are counted where they are drawn", brandCounting},
		{"an edit leaves alone what is not edited", editLeavesAlone},
		{"an edit of what is not as it was is refused", editRefused},
		{"an edited name moves in the list", renames},
		{"brands are added and taken away by edits", brandEdits},
		{"clients are listed where they have grants", listsGrants},
		{"a check of a grant sees what is live", checksGrants},
		{"the first failed step gives the error", firstFailure},
		{"a transaction is bounded", boundedTransaction},
		{"children are in the order of their names", childOrder},
		{"pages are full until the last one", paging},
		{"the deepest node with the longest name fits", largestKeys},
		{"what is below is proposed", proposesBelow},
		{"many at a time add below one parent", manyAtATime},
		{"a brand is drawn or taken away, not both", drawOrTakeAway},
		{"a node is placed below another parent", placesElsewhere},
		{"a node is placed with other marks", placesMarks},
		{"a node that is not as it was is not placed", placeRefused},
		{"a placed node is proposed where it is stored", proposesPlaced},
		{"heights are raised, and not lowered by what is less", raisesHeights},
		{"a height falls when it was measured, and not below what it was raised to meanwhile", measuresHeights},
		{"the seq goes on without a change", skipsSeq},
		{"changes are added one after the other and dropped in any order", addsChanges},
		{"a check of the seq sees what is committed", checksSeq},
		{"a rewrite changes the stored place and nothing else", rewrites},
		{"a whole move is one transaction", wholeMove},
		{"one of many changes at a time is the next", changesAtATime},
		{"heights are raised by many at a time", heightsAtATime},
		{"what many raise while it is measured is kept", measuredAtATime},
		{"a rewrite or another placing of a node, not both", rewriteOrPlace},
		{"what is put into the trash leaves the lists", trashes},
		{"pages without what is in the trash are complete", pagesWithoutTrash},
		{"what is in the trash is due", listsDue},
		{"a removed node leaves its parent's list", removesNodes},
		{"what is kept with a node is erased", erases},
		{"what has a term is found", findsTerms},
		{"a node is found by what it is now, wherever it is", keepsTerms},
		{"all terms of a node change in one transaction", manyTerms},
		{"a record is found by what it is now", recordTerms},
		{"an event is in the log of each witness", logsEvents},
		{"a log is read by time in both orders", logOrder},
		{"a brand belongs to its owner, who has a bounded number", ownsBrands},
		{"a brand is taken from its partner when nothing uses it", disownsBrands},
		{"every field of a record is kept", keepsFields},
		{"a record is written under the version that was read", putsRecords},
		{"a record that has expired counts as none", putsOverExpired},
		{"a record is removed under the version that was read", removesRecords},
		{"a record is in its lists and in no others", listsRecords},
		{"a list is read in pages, in its order", pagesRecords},
		{"no more are counted on a day than may be", counts},
		{"of many records at a time one is written, and of many counts as many as may be", recordsAtATime},
	}
}

// Broken reports whether the promise is broken by the store, which a test may want.
func (p Promise) Broken(t testing.TB, store directory.Store) bool {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if recover() != nil {
				r.Fail()
			}
		}()
		p.Test(r, store)
	}()
	<-done
	return r.Failed()
}

// recorder is a test that may fail without a test that fails.
type recorder struct {
	testing.TB
	failed atomic.Bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Log(...any)            {}
func (r *recorder) Logf(string, ...any)   {}
func (r *recorder) Fail()                 { r.failed.Store(true) }
func (r *recorder) Failed() bool          { return r.failed.Load() }
func (r *recorder) Error(...any)          { r.Fail() }
func (r *recorder) Errorf(string, ...any) { r.Fail() }
func (r *recorder) Fatal(...any)          { r.FailNow() }
func (r *recorder) Fatalf(string, ...any) { r.FailNow() }

func (r *recorder) FailNow() {
	r.Fail()
	runtime.Goexit()
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func emptyStore(t testing.TB, store directory.Store) {
	s := newStory(t, store)
	node := ident.NewPartner()
	got := s.read(directory.Want{Nodes: []ident.Node{node}, Records: []record.Ref{gadgets.Ref("x"), access.Principals.Ref(ident.NewClient())}})
	if len(got.Nodes)+len(got.Records) > 0 || got.Tree.Seq != 0 || len(got.Tree.Changes) > 0 {
		t.Errorf("an empty store has %+v", got)
	}
	children, err := store.Children(t.Context(), node, hierarchy.Partner, true, "", 10)
	same(t, "children", children, directory.Page[hierarchy.Node]{Items: []hierarchy.Node{}})
	listed, err2 := store.List(t.Context(), node, gadgetsKept.Listing, "", 10)
	same(t, "a list", listed, directory.Page[directory.Listed]{Items: []directory.Listed{}})
	below, err3 := store.Below(t.Context(), hierarchy.Path("").Child(node), "", false, "", 10)
	same(t, "below", below, directory.Page[ident.Node]{Items: []ident.Node{}})
	found, err6 := store.Find(t.Context(), text(ident.Partner, "anything"), "", 10)
	same(t, "found", found, directory.Page[directory.Found]{Items: []directory.Found{}})
	log, err4 := store.Log(t.Context(), node, directory.LogQuery{Limit: 10})
	same(t, "log", log, directory.Page[event.Event]{Items: []event.Event{}})
	queue, err5 := store.PurgeQueue(t.Context(), then, 10)
	same(t, "purge queue", queue, []directory.PurgeEntry{})
	if err := errors.Join(err, err2, err3, err4, err5, err6); err != nil {
		t.Error(err)
	}
	for _, limit := range []int{0, -1} {
		if _, err := store.Children(t.Context(), node, hierarchy.Partner, true, "", limit); err == nil {
			t.Errorf("a page of %d children is no error", limit)
		}
		if _, err := store.List(t.Context(), node, gadgetsKept.Listing, "", limit); err == nil {
			t.Errorf("a page of %d of a list is no error", limit)
		}
	}
}

func readBack(t testing.TB, store directory.Store) {
	s := begin(t, store, 3)
	b := s.root.Brands.Owned
	partner := s.partnerBelow(s.root, "Vazon Bay IT", b[1], b[0])
	partner.Brands.Portal = b[2]
	partner.Place.Marks = []hierarchy.Mark{{Node: s.root.ID, Kind: hierarchy.Suspended}, {Node: partner.ID, Kind: hierarchy.NoProvisioning}}
	partner.Updated = then.Add(time.Microsecond)
	partner.Trashed, partner.AsOf, partner.Height, partner.Ceiling = then.Add(time.Hour), 7, 3, 4
	same(t, "partner", s.add(s.root, partner), &partner)
	customer := s.customerBelow(&partner, "Bäckerei Ångström #1 \"und\" Söhne", b[0])
	customer.Details = hierarchy.Details{
		Brand:    b[0],
		Editable: hierarchy.Editable[string]{Reference: "#4711/Ä", Tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47", Domain: "example.com"},
	}
	same(t, "customer", s.add(&partner, customer), &customer)
	owned := s.newBrand()
	s.commits(directory.OwnBrand{Brand: owned, Owner: &partner, Else: always(errElse)})
	g := s.newGadget()
	s.commits(directory.Put{Now: g, Else: errElse})
	partner.Brands.Owned = []ident.Brand{owned}
	partner.Brands.Uses[owned] = 0
	partner.Brands.Uses[b[0]] = 1
	// What a node is may be in either of two: a field that is in none was not tested.
	unset := slices.DeleteFunc(Unset(&partner), func(f string) bool { return !slices.Contains(Unset(&customer), f) })
	same(t, "fields of a node that this test does not know", unset, []string{})
	w := directory.Want{
		Nodes:   []ident.Node{partner.ID, customer.ID, partner.ID, ident.NewPartner()},
		Records: []record.Ref{g.Ref(), g.Ref(), gadgets.Ref("other")},
	}
	want := directory.Got{
		Tree:    hierarchy.TreeState{Root: s.root.ID},
		Nodes:   map[ident.Node]*hierarchy.Node{partner.ID: &partner, customer.ID: &customer},
		Records: record.Set{g.Ref(): g},
	}
	same(t, "all in one read", s.read(w), want)
	page, err := store.Children(t.Context(), s.root.ID, hierarchy.Partner, true, "", 10)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("children of the root: %+v, %v", page, err)
	}
	listed := partner
	listed.Place = hierarchy.Place{Marks: []hierarchy.Mark{{Node: partner.ID, Kind: hierarchy.NoProvisioning}}}
	listed.Brands.Uses, listed.Brands.Owned, listed.AsOf, listed.Height, listed.Ceiling = nil, nil, 0, 0, 0
	same(t, "listed partner", page.Items[0], listed)
	page, err = store.Children(t.Context(), partner.ID, hierarchy.Customer, true, "", 10)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("customers of the partner: %+v, %v", page, err)
	}
	listed = customer
	listed.Place, listed.AsOf = hierarchy.Place{}, 0
	same(t, "listed customer", page.Items[0], listed)
}

func readCopies(t testing.TB, store directory.Store) {
	s := begin(t, store, 2)
	g := s.newGadget()
	g.Bytes, g.Texts, g.Part, g.Map["x"] = []byte{1}, []string{"a"}, &part{"p"}, "y"
	g.Kept = s.root.ID
	s.commits(directory.Put{Now: g, Else: errElse})
	before := s.all()
	g.Bytes[0]++
	g.Texts[0], g.Part.Name, g.Map["x"] = "Changed", "Changed", "Changed"
	n := s.node(s.root.ID)
	n.Brands.Uses[n.Brands.Owned[0]] = 7
	n.Brands.Owned[0] = "brd_"
	n.Name = "Changed"
	read := gadgets.In(s.read(directory.Want{Records: s.refs}).Records, g.ID)
	read.Bytes[0]++
	read.Texts[0], read.Part.Name, read.Map["x"] = "Changed", "Changed", "Changed"
	if d := difference(s.all(), before); d != "" {
		t.Error(d)
	}
}

func wrongKinds(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	client := s.newClient(s.root.ID, map[ident.Node]access.Role{s.root.ID: access.Owner})
	s.commits(directory.Put{Now: &client, Else: errElse})
	swapped := ident.Customer + ident.Bare(s.root.ID)
	b := s.root.Brands.Owned[0]
	got := s.read(directory.Want{
		Nodes: []ident.Node{ident.Node(swapped), ident.Node(b), ident.Node(client.ID), s.root.ID[:19], s.root.ID + "0", "", "N"},
		Records: []record.Ref{access.Principals.Ref(ident.Principal(s.root.ID)), access.Principals.Ref(""), gadgets.Ref(string(client.ID)),
			gadgets.Ref(""), gadgets.Ref(string(s.root.ID))},
	})
	if len(got.Nodes)+len(got.Records) > 0 {
		t.Errorf("ids of the wrong kind found %+v", got)
	}
}

func largestRead(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	var w directory.Want
	for range 97 {
		w.Nodes = append(w.Nodes, ident.NewPartner())
	}
	w.Nodes = append(w.Nodes, w.Nodes[0])
	w.Records = []record.Ref{gadgets.Ref("a"), gadgets.Ref("b"), gadgets.Ref("a")}
	s.read(w)
	w.Nodes = append(w.Nodes, s.root.ID)
	if _, err := store.Read(t.Context(), w); err == nil || fault.Busy.Is(err) {
		t.Errorf("a read of 101 items: %v", err)
	}
}

func noTreeState(t testing.TB, store directory.Store) {
	s := newStory(t, store)
	n := hierarchy.Node{ID: ident.NewPartner(), Name: "Nobody", Version: 1}
	n.Place.Path = hierarchy.Path("").Child(n.ID)
	s.commits(directory.AddNode{Node: n})
	if got, err := store.Read(t.Context(), directory.Want{Nodes: []ident.Node{n.ID}}); err == nil || fault.Busy.Is(err) {
		t.Errorf("a node without a tree state was read as %+v, %v", got, err)
	}
}

func nothingTwice(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	partner := s.partnerBelow(s.root, "Vale Telecom Services", s.root.Brands.Owned[0])
	e := s.newEvent(partner.ID)
	s.add(s.root, partner)
	s.commits(directory.AddEvent{Event: e})
	again := partner
	again.Name = "Another name, so another place in the list"
	s.refuses(directory.ErrExists, directory.AddNode{Node: partner})
	s.refuses(directory.ErrExists, directory.AddNode{Node: again})
	s.refuses(directory.ErrExists, directory.AddEvent{Event: e})
	s.refuses(errElse, directory.AddTree{Root: s.root.ID, Else: errElse})
}

// sees asserts that an Else was asked about just this node.
func sees(t testing.TB, want *hierarchy.Node) func(*hierarchy.Node) error {
	return func(now *hierarchy.Node) error {
		t.Helper()
		if want == nil && now != nil || want != nil && !reflect.DeepEqual(now, want) {
			t.Errorf("Else was shown %+v; want %+v", now, want)
		}
		return errElse
	}
}

func parentChanges(t testing.TB, store directory.Store) {
	s := begin(t, store, 2)
	b := s.root.Brands.Owned
	partner := s.add(s.root, s.partnerBelow(s.root, "Parent", b[0]))
	elsewhere := *partner
	elsewhere.AsOf++
	gone := *partner
	gone.ID = ident.NewPartner()
	partner = s.node(partner.ID)
	s.refuses(errElse, directory.CheckParent{Parent: &elsewhere, Else: sees(t, partner)})
	s.refuses(errElse, directory.CheckParent{Parent: &elsewhere, Draw: b[:1], Else: sees(t, partner)})
	s.refuses(errElse, directory.CheckParent{Parent: &gone, Else: sees(t, nil)})
	s.refuses(errElse, directory.CheckParent{Parent: &gone, Draw: b[:1], Else: sees(t, nil)})
	s.refuses(errElse, directory.CheckParent{Parent: partner, Draw: b[1:], Else: sees(t, partner)})
	s.refuses(errElse, directory.CheckParent{Parent: partner, Draw: b, Else: sees(t, partner)})
	s.refuses(errElse, directory.CheckParent{Parent: partner, Drop: b[:1], Else: sees(t, partner)})
	s.refuses(errElse, directory.CheckParent{Parent: partner, Drop: b[1:], Else: sees(t, partner)})
	s.commits(directory.CheckParent{Parent: partner, Else: always(errElse)})
	// A rename of the parent and a brand drawn by others leave it in place.
	s.commits(directory.EditNode{Was: partner, Now: edited(partner, func(n *hierarchy.Node) { n.Name = "Renamed" }), Else: always(errElse)})
	s.commits(directory.CheckParent{Parent: partner, Draw: b[:1], Else: always(errElse)})
	s.commits(directory.CheckParent{Parent: partner, Draw: b[:1], Else: always(errElse)})
	if n := s.node(partner.ID).Brands.Uses[b[0]]; n != 2 {
		t.Errorf("drawn %d times; want 2", n)
	}
}

func brandCounting(t testing.TB, store directory.Store) {
	s := begin(t, store, 3)
	b := s.root.Brands.Owned
	p := s.add(s.root, s.partnerBelow(s.root, "Parent", b...))
	counts := func(want ...int64) {
		t.Helper()
		for i, n := range want {
			if got := s.node(p.ID).Brands.Uses[b[i]]; got != n {
				t.Errorf("brand %d is drawn %d times; want %d", i, got, n)
			}
		}
	}
	check := func(draw, drop []ident.Brand) directory.CheckParent {
		return directory.CheckParent{Parent: p, Draw: draw, Drop: drop, Else: always(errElse)}
	}
	counts(0, 0, 0)
	s.commits(check(b, nil))
	s.commits(check(b[:2], nil))
	counts(2, 2, 1)
	s.commits(check(b[:1], b[1:]))
	counts(3, 1, 0)
	s.refuses(errElse, check(b[:1], b[2:]))
	counts(3, 1, 0)
	// Drawn and dropped in one go: it has to be drawn already.
	s.commits(check(b[:1], b[:1]))
	s.refuses(errElse, check(b[2:], b[2:]))
	s.commits(check([]ident.Brand{b[2], b[2]}, []ident.Brand{b[0], b[0]}))
	counts(1, 1, 2)
	s.refuses(errElse, check(nil, []ident.Brand{b[0], b[0]}))
	counts(1, 1, 2)
	if used := s.node(s.root.ID).Brands.Uses; used[b[0]] != 1 || used[b[1]] != 1 || used[b[2]] != 1 {
		t.Errorf("the root counts %v; the partner draws each once, whatever is drawn from the partner", used)
	}
}

func editLeavesAlone(t testing.TB, store directory.Store) {
	s := begin(t, store, 2)
	b := s.root.Brands.Owned
	p := s.partnerBelow(s.root, "Before", b...)
	p.Place.Marks = []hierarchy.Mark{{Node: p.ID, Kind: hierarchy.NoProvisioning}}
	was := s.add(s.root, p)
	// Meanwhile a brand is drawn, and another is made.
	s.commits(directory.CheckParent{Parent: was, Draw: b[:1], Else: always(errElse)})
	made := s.brand(was)
	now := edited(was, func(n *hierarchy.Node) {
		n.Name = "After"
		n.Brands.Portal = b[1]
		n.AsOf, n.Place, n.Parent, n.Created = 99, hierarchy.Place{Path: was.Place.Path + was.Place.Path}, "", then.Add(time.Hour)
		n.Brands.Uses = map[ident.Brand]int64{b[0]: 5, b[1]: 6}
	})
	s.commits(directory.EditNode{Was: was, Now: now, Else: always(errElse)})
	want := *was
	want.Name, want.Version, want.Updated = now.Name, now.Version, now.Updated
	want.Brands.Portal = b[1]
	want.Brands.Owned = []ident.Brand{made}
	want.Brands.Uses = map[ident.Brand]int64{b[0]: 1, b[1]: 0, made: 0}
	same(t, "edited partner", s.node(p.ID), &want)
	listed := s.all().Children[s.root.ID]
	if len(listed) != 1 || listed[0].Name != "After" || listed[0].Version != 2 || !listed[0].Created.Equal(then) ||
		!reflect.DeepEqual(listed[0].OwnMarks(), was.OwnMarks()) || listed[0].Parent != s.root.ID {
		t.Errorf("listed as %+v", listed)
	}

	customer := s.customerBelow(s.root, "Customer", b[0])
	customer.Details.Reference, customer.Details.Tenant, customer.Details.Domain = "r", "72f988bf-86f1-41af-91ab-2d7cd011db47", "example.com"
	cw := s.add(s.root, customer)
	cn := edited(cw, func(n *hierarchy.Node) { n.Details.Reference, n.Details.Tenant = "", "" })
	s.commits(directory.EditNode{Was: cw, Now: cn, Else: always(errElse)})
	same(t, "customer without reference and tenant", s.node(customer.ID), cn)
	root := edited(s.node(s.root.ID), func(n *hierarchy.Node) { n.Name, n.Brands.Portal = "Vendor", b[0] })
	s.commits(directory.EditNode{Was: s.root, Now: root, Else: always(errElse)})
	same(t, "the root", s.node(s.root.ID), root)
	back := edited(root, func(n *hierarchy.Node) { n.Brands.Portal = "" })
	s.commits(directory.EditNode{Was: root, Now: back, Else: always(errElse)})
	same(t, "the root without a portal brand", s.node(s.root.ID), back)
}

func editRefused(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	was := s.add(s.root, s.partnerBelow(s.root, "Partner", s.root.Brands.Owned...))
	s.commits(directory.EditNode{Was: was, Now: edited(was, func(n *hierarchy.Node) { n.Name = "First" }), Else: always(errElse)})
	present := s.node(was.ID)
	rename := func(was *hierarchy.Node, shown *hierarchy.Node) directory.EditNode {
		return directory.EditNode{Was: was, Now: edited(was, func(n *hierarchy.Node) { n.Name = "Second" }), Else: sees(t, shown)}
	}
	s.refuses(errElse, rename(was, present))
	moved := *present
	moved.Parent = ident.NewPartner()
	s.refuses(errElse, rename(&moved, present))
	orphan := *present
	orphan.Parent = ""
	s.refuses(errElse, rename(&orphan, present))
	gone := *present
	gone.ID = ident.NewPartner()
	s.refuses(errElse, rename(&gone, nil))
}

func renames(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	for _, name := range []hierarchy.Name{"Alpha", "Beta", "Gamma"} {
		s.add(s.root, s.customerBelow(s.root, name, b))
	}
	names := func() (names []hierarchy.Name) {
		for _, n := range s.all().Children[s.root.ID] {
			names = append(names, n.Name)
		}
		return names
	}
	rename := func(from, to hierarchy.Name) {
		for _, n := range s.all().Children[s.root.ID] {
			if n.Name == from {
				was := s.node(n.ID)
				s.commits(directory.EditNode{Was: was, Now: edited(was, func(n *hierarchy.Node) { n.Name = to }), Else: always(errElse)})
			}
		}
	}
	rename("Alpha", "Zeta")
	same(t, "after a rename", names(), []hierarchy.Name{"Beta", "Gamma", "Zeta"})
	rename("Zeta", "ZETÁ") // the same place in the order
	same(t, "after a rename in place", names(), []hierarchy.Name{"Beta", "Gamma", "ZETÁ"})
	rename("ZETÁ", "Alpha")
	same(t, "after renaming back", names(), []hierarchy.Name{"Alpha", "Beta", "Gamma"})
}

func brandEdits(t testing.TB, store directory.Store) {
	s := begin(t, store, 3)
	b := s.root.Brands.Owned
	p := s.add(s.root, s.partnerBelow(s.root, "Partner", b[0], b[1]))
	s.commits(directory.CheckParent{Parent: p, Draw: b[1:2], Else: always(errElse)})
	offer := func(brands ...ident.Brand) *hierarchy.Node {
		was := s.node(p.ID)
		return edited(was, func(n *hierarchy.Node) {
			n.Brands.Available = slices.Sorted(slices.Values(brands))
			n.Brands.Uses = map[ident.Brand]int64{}
			for _, b := range brands {
				n.Brands.Uses[b] = 0
			}
		})
	}
	present := s.node(p.ID)
	s.refuses(errElse, directory.EditNode{Was: present, Now: offer(b[0]), Else: sees(t, present)})
	s.refuses(errElse, directory.EditNode{Was: present, Now: offer(b[2]), Else: sees(t, present)})
	s.commits(directory.EditNode{Was: present, Now: offer(b[1], b[2]), Else: always(errElse)})
	got := s.node(p.ID)
	same(t, "available", got.Brands.Available, slices.Sorted(slices.Values(b[1:])))
	same(t, "uses", got.Brands.Uses, map[ident.Brand]int64{b[1]: 1, b[2]: 0})
	s.refuses(errElse, directory.CheckParent{Parent: got, Draw: b[:1], Else: sees(t, got)})
	s.commits(directory.CheckParent{Parent: got, Draw: b[2:], Drop: b[1:2], Else: always(errElse)})
	got = s.node(p.ID)
	s.commits(directory.EditNode{Was: got, Now: offer(b[2]), Else: always(errElse)})
	same(t, "uses", s.node(p.ID).Brands.Uses, map[ident.Brand]int64{b[2]: 1})
	got = s.node(p.ID)
	s.commits(directory.CheckParent{Parent: got, Drop: b[2:], Else: always(errElse)})
	s.commits(directory.EditNode{Was: got, Now: offer(), Else: always(errElse)})
	got = s.node(p.ID)
	if got.Brands.Available != nil || len(got.Brands.Uses) > 0 {
		t.Errorf("a partner without brands has %+v", got.Brands)
	}
	listed := s.all().Children[s.root.ID][0]
	if listed.Brands.Available != nil || listed.Version != got.Version {
		t.Errorf("it is listed as %+v", listed)
	}
}

func ownsBrands(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	own := func(id ident.Brand, owner *hierarchy.Node, otherwise func(*hierarchy.Node) error) directory.OwnBrand {
		return directory.OwnBrand{Brand: id, Owner: owner, Else: otherwise}
	}
	first := s.newBrand()
	s.commits(own(first, p, always(errElse)))
	got := s.node(p.ID)
	same(t, "owned", got.Brands.Owned, []ident.Brand{first})
	same(t, "uses", got.Brands.Uses, map[ident.Brand]int64{first: 0})
	if got.Version != p.Version || got.Brands.Available != nil {
		t.Errorf("making a brand changed the partner to %+v", got)
	}
	elsewhere := *p
	elsewhere.AsOf++
	s.refuses(errElse, own(s.newBrand(), &elsewhere, sees(t, got)))
	gone := *p
	gone.ID = ident.NewPartner()
	s.refuses(errElse, own(s.newBrand(), &gone, sees(t, nil)))
	for range hierarchy.MaxBrands - 1 {
		s.commits(own(s.newBrand(), p, always(errElse)))
	}
	full := s.node(p.ID)
	if len(full.Brands.Owned) != hierarchy.MaxBrands || !slices.IsSorted(full.Brands.Owned) {
		t.Errorf("it owns %v", full.Brands.Owned)
	}
	s.refuses(errElse, own(s.newBrand(), p, sees(t, full)))
}

func disownsBrands(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	given := s.root.Brands.Owned[0]
	p := s.add(s.root, s.partnerBelow(s.root, "Partner", given))
	disown := func(id ident.Brand, owner ident.Node, otherwise func(*hierarchy.Node) error) directory.DisownBrand {
		return directory.DisownBrand{Brand: id, Owner: owner, Else: otherwise}
	}
	first, second := s.newBrand(), s.newBrand()
	for _, id := range []ident.Brand{first, second} {
		s.commits(directory.OwnBrand{Brand: id, Owner: p, Else: always(errElse)})
	}
	owner := s.node(p.ID)
	s.refuses(errElse, disown(s.newBrand(), p.ID, sees(t, owner)))
	s.refuses(errElse, disown(first, s.root.ID, sees(t, s.node(s.root.ID))))
	s.refuses(errElse, disown(first, ident.NewPartner(), sees(t, nil)))
	s.commits(directory.CheckParent{Parent: owner, Draw: []ident.Brand{first}, Else: always(errElse)})
	s.refuses(errElse, disown(first, p.ID, sees(t, s.node(p.ID))))
	s.commits(directory.CheckParent{Parent: owner, Drop: []ident.Brand{first}, Else: always(errElse)})
	owner = s.node(p.ID)
	portal := *owner
	portal.Brands.Portal, portal.Version = second, owner.Version+1
	s.commits(directory.EditNode{Was: owner, Now: &portal, Else: always(errElse)})
	s.refuses(errElse, disown(second, p.ID, sees(t, s.node(p.ID))))
	s.refuses(errElse, disown(given, p.ID, sees(t, s.node(p.ID)))) // which is another's
	s.commits(disown(first, p.ID, always(errElse)))
	got := s.node(p.ID)
	same(t, "owned", got.Brands.Owned, []ident.Brand{second})
	same(t, "uses", got.Brands.Uses, map[ident.Brand]int64{given: 0, second: 0})
	if got.Version != portal.Version {
		t.Errorf("taking a brand away changed the partner to %+v", got)
	}
	none := *got
	none.Brands.Portal, none.Version = "", got.Version+1
	s.commits(directory.EditNode{Was: got, Now: &none, Else: always(errElse)})
	s.commits(disown(second, p.ID, always(errElse)))
	gone := *s.node(p.ID) // as it was read before
	gone.Brands.Owned, gone.Brands.Uses = []ident.Brand{second}, map[ident.Brand]int64{given: 0, second: 0}
	chosen := gone
	chosen.Brands.Portal, chosen.Version = second, gone.Version+1
	s.refuses(errElse, directory.EditNode{Was: &gone, Now: &chosen, Else: sees(t, s.node(p.ID))})
	if got := s.node(p.ID); got.Brands.Owned != nil || len(got.Brands.Uses) != 1 {
		t.Errorf("it owns %+v", got.Brands)
	}
	s.refuses(errElse, disown(second, p.ID, sees(t, s.node(p.ID))))
}

func listsGrants(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	a, b := s.add(s.root, s.partnerBelow(s.root, "A")), s.add(s.root, s.partnerBelow(s.root, "B"))
	at := func(node ident.Node) []access.Grant {
		return pages(t, 2, func(after string, limit int) (directory.Page[access.Grant], error) {
			return directory.ListAt(t.Context(), store, access.GrantsAt, node, after, limit)
		})
	}
	var want []access.Grant
	for range 5 {
		c := s.newClient(a.ID, map[ident.Node]access.Role{a.ID: access.Admin})
		s.commits(directory.Put{Now: &c, Else: errElse})
		want = append(want, c.GrantOf(a.ID))
	}
	slices.SortFunc(want, func(a, b access.Grant) int { return strings.Compare(string(a.Principal), string(b.Principal)) })
	same(t, "grants in pages of two", at(a.ID), want)
	was := s.client(want[0].Principal)
	now := s.client(want[0].Principal)
	now.Grants, now.Version = map[ident.Node]access.Role{b.ID: access.Viewer}, was.Version+1
	s.commits(directory.Put{Was: was, Now: now, Else: errElse})
	same(t, "grants at A after one was moved to B", at(a.ID), want[1:])
	same(t, "grants at B", at(b.ID), []access.Grant{now.GrantOf(b.ID)})
}

func checksGrants(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	c := s.newClient(p.ID, map[ident.Node]access.Role{p.ID: access.Admin})
	s.commits(directory.Put{Now: &c, Else: errElse})
	check := func(id ident.Principal, node ident.Node, role access.Role) directory.CheckGrant {
		return directory.CheckGrant{Principal: id, Node: node, Role: role, Else: errElse}
	}
	for _, role := range []access.Role{access.Viewer, access.Operator, access.Admin} {
		s.commits(check(c.ID, p.ID, role))
	}
	s.refuses(errElse, check(c.ID, p.ID, access.Owner))
	s.refuses(errElse, check(c.ID, s.root.ID, access.Viewer))
	s.refuses(errElse, check(ident.NewClient(), p.ID, access.Viewer))
	was := s.client(c.ID)
	now := *was
	now.Revoked, now.Version = then, was.Version+1
	s.commits(directory.Put{Was: was, Now: &now, Else: errElse})
	s.refuses(errElse, check(c.ID, p.ID, access.Viewer))
}

func firstFailure(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner", s.root.Brands.Owned...))
	elsewhere := *s.node(s.root.ID)
	elsewhere.AsOf++
	check := directory.CheckParent{Parent: &elsewhere, Else: always(errElse)}
	grant := directory.CheckGrant{Principal: ident.NewClient(), Node: p.ID, Role: access.Viewer, Else: errAnother}
	s.refuses(errElse, check, grant, directory.AddNode{Node: *p})
	s.refuses(errAnother, grant, check, directory.AddNode{Node: *p})
	s.refuses(directory.ErrExists, directory.AddNode{Node: *p}, grant, check)
	s.refuses(errAnother, directory.Put{Now: s.newGadget(), Else: errElse}, grant)
}

func boundedTransaction(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	before := s.all()
	wrong := func(what string, steps ...directory.Step) {
		t.Helper()
		err := store.Commit(t.Context(), steps...)
		if err == nil || fault.Busy.Is(err) || errors.Is(err, errElse) || errors.Is(err, directory.ErrExists) {
			t.Errorf("%s: %v", what, err)
		}
		if d := difference(s.all(), before); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	wrong("no step at all")
	check := directory.CheckParent{Parent: p, Else: always(errElse)}
	renamed := edited(p, func(n *hierarchy.Node) { n.Name = "N" })
	wrong("two steps about one node", check, directory.EditNode{Was: p, Now: renamed, Else: always(errElse)})
	var events []directory.Step
	for range 101 {
		events = append(events, directory.AddEvent{Event: s.newEvent(p.ID)})
	}
	wrong("101 events", events...)
	s.commits(events[:100]...)
	before = s.all()
	wrong("an Else without an error", directory.CheckParent{
		Parent: &hierarchy.Node{ID: ident.NewPartner()}, Else: func(*hierarchy.Node) error { return nil },
	})
}

func childOrder(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	long := strings.Repeat("𝄞", hierarchy.MaxName)
	// In the order in which they are to be listed; within a line names are equal but for case and accents.
	lines := [][]hierarchy.Name{
		{"#"},
		{"#1"},
		{hierarchy.Name(long[:len(long)-4])},
		{hierarchy.Name(long), hierarchy.Name(long)},
		{"1"},
		{"A", "a", "Á", "ä"},
		{"a b"},
		{"a/b"},
		{"a#b"},
		{"ab", "AB", "Âb"},
		{"Vale"},
		{"Vale Telecom Services"},
		{"Vale Telecom Services 2"},
		{"Vale-Telecom"},
		{"vazon bay it", "Vazon Bay IT", "VAZON BÄY IT"},
		{"Ω", "ω", "Ώ"},
		{"日本"},
	}
	var nodes []hierarchy.Node
	var want []hierarchy.Node
	for _, line := range lines {
		var alike []hierarchy.Node
		for _, name := range line {
			alike = append(alike, s.customerBelow(s.root, name, s.root.Brands.Owned[0]))
		}
		nodes = append(nodes, alike...)
		slices.SortFunc(alike, func(a, b hierarchy.Node) int { return strings.Compare(string(a.ID), string(b.ID)) })
		want = append(want, alike...)
	}
	s.ids.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	s.addAll(s.root, nodes)
	s.add(s.root, s.partnerBelow(s.root, "Not a customer"))
	for _, limit := range []int{1, 3, 200} {
		got := pages(t, limit, func(after string, limit int) (directory.Page[hierarchy.Node], error) {
			return store.Children(t.Context(), s.root.ID, hierarchy.Customer, true, after, limit)
		})
		if len(got) != len(want) {
			t.Fatalf("%d children listed; there are %d", len(got), len(want))
		}
		for i := range want {
			if got[i].ID != want[i].ID || got[i].Name != want[i].Name {
				t.Errorf("in pages of %d, number %d is %q %s; want %q %s", limit, i, got[i].Name, got[i].ID, want[i].Name, want[i].ID)
			}
		}
	}
}

func paging(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	for _, size := range []int{0, 1, 9, 10, 11, 20, 115} {
		p := s.add(s.root, s.partnerBelow(s.root, hierarchy.Name(fmt.Sprint("With ", size)), s.root.Brands.Owned...))
		var nodes []hierarchy.Node
		for i := range size {
			nodes = append(nodes, s.customerBelow(p, hierarchy.Name(fmt.Sprintf("Customer %03d", i)), s.root.Brands.Owned[0]))
		}
		s.addAll(p, nodes)
		var sizes []int
		got := pages(t, 10, func(after string, limit int) (directory.Page[hierarchy.Node], error) {
			page, err := store.Children(t.Context(), p.ID, hierarchy.Customer, true, after, limit)
			sizes = append(sizes, len(page.Items))
			return page, err
		})
		if len(got) != size {
			t.Errorf("%d children in all pages; there are %d", len(got), size)
		}
		for i := range got {
			if got[i].ID != nodes[i].ID {
				t.Errorf("of %d children, number %d is not the right one", size, i)
			}
		}
		if want := max(1, (size+9)/10); len(sizes) != want {
			t.Errorf("%d children came in pages of %v; want %d pages", size, sizes, want)
		}
	}
	// A position is good for more than one use and outlives what stood there.
	p := s.add(s.root, s.partnerBelow(s.root, "Edited meanwhile", s.root.Brands.Owned...))
	var nodes []hierarchy.Node
	for _, name := range []hierarchy.Name{"a", "b", "c", "d"} {
		nodes = append(nodes, s.customerBelow(p, name, s.root.Brands.Owned[0]))
	}
	s.addAll(p, nodes)
	first, err := store.Children(t.Context(), p.ID, hierarchy.Customer, true, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	s.commits(directory.EditNode{Was: &nodes[1], Now: edited(&nodes[1], func(n *hierarchy.Node) { n.Name = "z" }), Else: always(errElse)})
	for range 2 {
		next, err := store.Children(t.Context(), p.ID, hierarchy.Customer, true, first.Next, 10)
		if err != nil || len(next.Items) != 3 || next.Items[0].Name != "c" || next.Items[2].Name != "z" {
			t.Errorf("after %q was renamed to z the next page is %+v, %v", "b", next.Items, err)
		}
	}
}

func largestKeys(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	long := hierarchy.Name(strings.Repeat("𝄞", hierarchy.MaxName))
	// U+FDFA becomes 18 characters when its compatibility form is taken.
	wide := hierarchy.Name(strings.Repeat("ﷺ", hierarchy.MaxName))
	parent := s.root
	for parent.Place.Path.Depth() < hierarchy.MaxDepth-1 {
		parent = s.add(parent, s.partnerBelow(parent, long, b))
	}
	deepest := s.add(parent, s.partnerBelow(parent, wide, b))
	customer := s.add(parent, s.customerBelow(parent, wide, b))
	if deepest.Place.Path.Depth() != hierarchy.MaxDepth || deepest.Name != wide || customer.Name != wide {
		t.Errorf("the deepest node is %+v", deepest)
	}
	listed := s.all().Children[parent.ID]
	if len(listed) != 2 || listed[0].Name != wide || listed[1].ID != customer.ID {
		t.Errorf("listed are %+v", listed)
	}
	eventually(t, "below the root", func() ([]ident.Node, []ident.Node) {
		return s.proposed(s.root.Place.Path, "", false, 200), slices.Sorted(slices.Values(s.nodes[1:]))
	})
}

// proposed is what Below proposes in all pages, sorted.
func (s *story) proposed(under hierarchy.Path, kind hierarchy.Kind, trash bool, limit int) []ident.Node {
	s.t.Helper()
	all := pages(s.t, limit, func(after string, limit int) (directory.Page[ident.Node], error) {
		page, err := s.store.Below(s.t.Context(), under, kind, trash, after, limit)
		if strings.Contains(page.Next, string(s.root.ID)) {
			s.t.Error("a position shows what lies above the node")
		}
		return page, err
	})
	slices.Sort(all)
	return all
}

// eventually waits until an index has caught up.
func eventually(t testing.TB, what string, look func() (got, want []ident.Node)) {
	t.Helper()
	for deadline := clocktest.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, want := look()
		if slices.Equal(got, want) {
			return
		}
		if clocktest.Now().After(deadline) {
			t.Fatalf("%s: %d are proposed, not the %d that there are:\n got %v\nwant %v", what, len(got), len(want), got, want)
		}
	}
}

func proposesBelow(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	var all []hierarchy.Node
	// Enough top-level partners for all shards, each with a partner and two customers below.
	for i := range 40 {
		top := s.partnerBelow(s.root, hierarchy.Name(fmt.Sprint("Top ", i)), b)
		middle := s.partnerBelow(&top, "Middle", b)
		one, two := s.customerBelow(&top, "One", b), s.customerBelow(&middle, "Two", b)
		s.commits(directory.AddNode{Node: top}, directory.AddNode{Node: middle}, directory.AddNode{Node: one}, directory.AddNode{Node: two})
		all = append(all, top, middle, one, two)
	}
	expect := func(under hierarchy.Path, kind hierarchy.Kind) (ids []ident.Node) {
		for _, n := range all {
			if n.Place.Path.Has(under) && n.Place.Path != under && (kind == "" || n.Kind() == kind) {
				ids = append(ids, n.ID)
			}
		}
		slices.Sort(ids)
		return ids
	}
	for _, kind := range []hierarchy.Kind{"", hierarchy.Partner, hierarchy.Customer} {
		for _, limit := range []int{1, 7, 40, 160, 200} {
			eventually(t, fmt.Sprintf("kind %q below the root in pages of %d", kind, limit), func() (got, want []ident.Node) {
				return s.proposed(s.root.Place.Path, kind, false, limit), expect(s.root.Place.Path, kind)
			})
		}
		for _, under := range all[:8] {
			eventually(t, "kind "+string(kind)+" below "+string(under.Name), func() (got, want []ident.Node) {
				return s.proposed(under.Place.Path, kind, false, 1), expect(under.Place.Path, kind)
			})
		}
	}
}

func manyAtATime(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	p := s.add(s.root, s.partnerBelow(s.root, "Parent", b))
	const many = 50
	var nodes []hierarchy.Node
	for i := range many {
		nodes = append(nodes, s.customerBelow(p, hierarchy.Name(fmt.Sprint("Customer ", i)), b))
	}
	errs := atOnce(many, func(i int) error {
		return store.Commit(t.Context(),
			directory.CheckParent{Parent: p, Draw: []ident.Brand{b}, Else: always(errElse)}, directory.AddNode{Node: nodes[i]})
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	all := s.all()
	if got := all.Got.Nodes[p.ID].Brands.Uses[b]; got != many || len(all.Children[p.ID]) != many {
		t.Errorf("%d drawn, %d listed; want %d", got, len(all.Children[p.ID]), many)
	}
}

// atOnce calls f many times at once and returns all errors.
func atOnce(many int, f func(i int) error) []error {
	errs := make([]error, many)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range many {
		all.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

func drawOrTakeAway(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	for i := range 10 {
		p := s.add(s.root, s.partnerBelow(s.root, hierarchy.Name(fmt.Sprint("Parent ", i)), b))
		without := edited(p, func(n *hierarchy.Node) { n.Brands.Available, n.Brands.Uses = nil, nil })
		customer := s.customerBelow(p, "Customer", b)
		errs := atOnce(2, func(i int) error {
			if i == 0 {
				return store.Commit(t.Context(),
					directory.CheckParent{Parent: p, Draw: []ident.Brand{b}, Else: always(errElse)}, directory.AddNode{Node: customer})
			}
			return store.Commit(t.Context(), directory.EditNode{Was: p, Now: without, Else: always(errElse)})
		})
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("drawing gave %v, taking away gave %v; just one of them has to win", errs[0], errs[1])
		}
		got := s.read(directory.Want{Nodes: []ident.Node{p.ID, customer.ID}}).Nodes
		if got[p.ID].Brands.Usable(b) != (errs[0] == nil) || (got[customer.ID] != nil) != (errs[0] == nil) {
			t.Errorf("drawing gave %v and left %+v and %+v", errs[0], got[p.ID].Brands, got[customer.ID])
		}
	}
}

// Counter is what counts requests: table.Table and Fake.
type Counter interface {
	Count(ctx context.Context, who string, window time.Time, n int64) (int64, error)
}

// CountContract tests that a Counter adds up, for everybody and each window apart, and loses nothing at once.
func CountContract(t *testing.T, c Counter) {
	who, window := string(ident.NewKey()), time.Unix(1_800_000_000, 0)
	count := func(who string, window time.Time, n, want int64) {
		t.Helper()
		if got, err := c.Count(t.Context(), who, window, n); err != nil || got != want {
			t.Errorf("counted %d, %v; want %d", got, err, want)
		}
	}
	count(who, window, 1, 1)
	count(who, window, 4, 5)
	count(who, window.Add(time.Minute), 1, 1)
	count(string(ident.PersonOf("tenant", "object")), window, 2, 2)
	const many = 20
	var mu sync.Mutex
	totals := map[int64]bool{}
	errs := atOnce(many, func(int) error {
		total, err := c.Count(t.Context(), who, window, 1)
		mu.Lock()
		defer mu.Unlock()
		totals[total] = true
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if got := slices.Max(slices.Collect(maps.Keys(totals))); len(totals) != many || got != 5+many {
		t.Errorf("%d different totals up to %d; want %d up to %d", len(totals), got, many, 5+many)
	}
}
