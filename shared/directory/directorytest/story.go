package directorytest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// story is a test of a store that remembers all ids it has used, so that it can look at everything there is.
type story struct {
	t       testing.TB
	store   directory.Store
	root    *hierarchy.Node
	nodes   []ident.Node
	refs    []record.Ref
	clients []ident.Principal
	brands  []ident.Brand
	ids     *rand.Rand
}

func newStory(t testing.TB, store directory.Store) *story {
	return &story{t: t, store: store, ids: rand.New(rand.NewPCG(1, 2))}
}

// id is a new id, the same ones in every story: rapid needs runs that can be repeated.
func (s *story) id(prefix string) string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	b := []byte(prefix)
	for len(b) < ident.Len {
		b = append(b, alphabet[s.ids.IntN(len(alphabet))])
	}
	return string(b)
}

var (
	then       = time.Date(2026, 3, 4, 5, 6, 7, 890123000, time.UTC)
	errElse    = errors.New("what the step says")
	errAnother = errors.New("what another step says")
)

// begin founds a platform: a root that owns the given number of brands.
func begin(t testing.TB, store directory.Store, brands int) *story {
	t.Helper()
	s := newStory(t, store)
	root := hierarchy.Node{ID: ident.Node(s.id(ident.Partner)), Name: "Cloudvendor", Version: 1, Created: then, Updated: then}
	root.Place.Path = hierarchy.Path("").Child(root.ID)
	root.Brands.Uses = map[ident.Brand]int64{}
	s.nodes = append(s.nodes, root.ID)
	s.commits(directory.AddTree{Root: root.ID, Else: errElse}, directory.AddNode{Node: root})
	s.root = s.node(root.ID)
	for range brands {
		s.brand(s.root)
	}
	s.root = s.node(root.ID)
	return s
}

func (s *story) commits(steps ...directory.Step) {
	s.t.Helper()
	if err := s.store.Commit(s.t.Context(), steps...); err != nil {
		s.t.Fatalf("Commit: %v", err)
	}
}

// refuses asserts that the commit gives just this error and changes nothing, not even by its innocent steps.
func (s *story) refuses(want error, steps ...directory.Step) {
	s.t.Helper()
	innocent := s.partnerBelow(s.root, "Innocent")
	s.nodes = s.nodes[:len(s.nodes)-1] // it is looked for below
	e := s.newEvent(s.root.ID)
	before := s.all()
	err := s.store.Commit(s.t.Context(), append(slices.Clone(steps), directory.AddNode{Node: innocent}, directory.AddEvent{Event: e})...)
	if !errors.Is(err, want) {
		s.t.Errorf("Commit: %v; want %v", err, want)
	}
	if d := difference(s.all(), before); d != "" {
		s.t.Errorf("the refused commit changed something: %s", d)
	}
	if s.read(directory.Want{Nodes: []ident.Node{innocent.ID}}).Nodes[innocent.ID] != nil {
		s.t.Error("a refused commit added a node")
	}
	s.commits(directory.AddEvent{Event: e}) // it can still be added, so it was not
}

func (s *story) read(w directory.Want) directory.Got {
	s.t.Helper()
	got, err := s.store.Read(s.t.Context(), w)
	if err != nil {
		s.t.Fatalf("Read: %v", err)
	}
	return got
}

func (s *story) node(id ident.Node) *hierarchy.Node {
	s.t.Helper()
	n := s.read(directory.Want{Nodes: []ident.Node{id}}).Nodes[id]
	if n == nil {
		s.t.Fatalf("node %s is not there", id)
	}
	return n
}

func (s *story) client(id ident.Principal) *access.Principal {
	s.t.Helper()
	p := access.Principals.In(s.read(directory.Want{Records: access.Principals.Refs(id)}).Records, id)
	if p == nil {
		s.t.Fatalf("client %s is not there", id)
	}
	return p
}

// brand makes a brand owned by a partner.
func (s *story) brand(owner *hierarchy.Node) ident.Brand {
	s.t.Helper()
	id := s.newBrand()
	s.commits(directory.OwnBrand{Brand: id, Owner: owner, Else: always(errElse)})
	return id
}

func (s *story) newBrand() ident.Brand {
	id := ident.Brand(s.id("brd_"))
	s.brands = append(s.brands, id)
	return id
}

// partnerBelow is a partner as it would be added below parent, with these brands available to it.
func (s *story) partnerBelow(parent *hierarchy.Node, name hierarchy.Name, brands ...ident.Brand) hierarchy.Node {
	n := hierarchy.Node{ID: ident.Node(s.id(ident.Partner)), Name: name, Version: 1, Created: then, Updated: then}
	if len(brands) > 0 {
		n.Brands.Portal = brands[0]
		n.Brands.Available = slices.Sorted(slices.Values(brands))
	}
	n.Brands.Uses = map[ident.Brand]int64{}
	for _, b := range brands {
		n.Brands.Uses[b] = 0
	}
	return s.below(parent, n)
}

func (s *story) customerBelow(parent *hierarchy.Node, name hierarchy.Name, b ident.Brand) hierarchy.Node {
	return s.below(parent, hierarchy.Node{
		ID: ident.Node(s.id(ident.Customer)), Name: name, Version: 1, Created: then, Updated: then,
		Details: hierarchy.Details{Brand: b},
	})
}

func (s *story) below(parent *hierarchy.Node, n hierarchy.Node) hierarchy.Node {
	s.t.Helper()
	n, err := n.Below(parent, parent.Place)
	if err != nil {
		s.t.Fatal(err)
	}
	s.nodes = append(s.nodes, n.ID)
	return n
}

// add adds a node the way a directory does and returns it as it is read.
func (s *story) add(parent *hierarchy.Node, n hierarchy.Node) *hierarchy.Node {
	s.t.Helper()
	s.commits(directory.CheckParent{Parent: parent, Draw: n.Draws(), Else: always(errElse)}, directory.AddNode{Node: n})
	return s.node(n.ID)
}

// addAll adds many nodes below one parent, fast.
func (s *story) addAll(parent *hierarchy.Node, nodes []hierarchy.Node) {
	s.t.Helper()
	for some := range slices.Chunk(nodes, 20) { // each is a few items, and a transaction has at most 100
		var steps []directory.Step
		for _, n := range some {
			steps = append(steps, directory.AddNode{Node: n})
		}
		s.commits(steps...)
	}
}

// newEvent is one of those that are not event.Event.Past.
func (s *story) newEvent(node ident.Node) event.Event {
	return event.Event{
		ID: ident.Event(s.id("evt_")), Type: event.PartnerEdited, Time: then, Node: node, Path: hierarchy.Path("").Child(node),
		Data: event.PartnerEditedData{Name: &event.Edit[hierarchy.Name]{To: "<&>"}},
	}
}

func (s *story) newClient(home ident.Node, grants map[ident.Node]access.Role) access.Principal {
	id := ident.Principal(s.id("cli_"))
	s.clients, s.refs = append(s.clients, id), append(s.refs, access.Principals.Ref(id))
	return access.Principal{
		ID: id, Name: "Billing", Home: home, Grants: grants, CursorKey: []byte("thirty-two bytes, more or less.."), Version: 1, Created: then,
		Secrets: []access.Secret{{ID: ident.NewKey(), Hash: []byte{0, 1, 255}, Hint: "x_-9", Created: then}},
	}
}

// trashed is a copy of n that was put into the trash at a time, or is not there any more: at the zero time.
func trashed(n *hierarchy.Node, at time.Time) *hierarchy.Node {
	return edited(n, func(n *hierarchy.Node) {
		itself := hierarchy.Mark{Node: n.ID, Kind: hierarchy.Trashed}
		n.Place.Marks = slices.DeleteFunc(n.Place.Marks, func(m hierarchy.Mark) bool { return m == itself })
		if n.Trashed = at; !at.IsZero() {
			n.Place.Marks = append(n.Place.Marks, itself)
		} else if len(n.Place.Marks) == 0 {
			n.Place.Marks = nil
		}
		n.AsOf++
	})
}

// trash puts a node into the trash, or takes it out, and returns it as it is read.
func (s *story) trash(was *hierarchy.Node, at time.Time) *hierarchy.Node {
	s.t.Helper()
	s.commits(directory.PlaceNode{Was: was, Now: trashed(was, at), Else: always(errElse)})
	return s.node(was.ID)
}

// placed is a copy of n at another place.
func placed(n *hierarchy.Node, parent ident.Node, asOf int64, place hierarchy.Place) *hierarchy.Node {
	return edited(n, func(n *hierarchy.Node) { n.Parent, n.AsOf, n.Place = parent, asOf, place })
}

// edited is a copy of n after an edit.
func edited(n *hierarchy.Node, edit func(*hierarchy.Node)) *hierarchy.Node {
	now := copyNode(*n)
	edit(&now)
	now.Version++
	now.Updated = n.Updated.Add(time.Minute)
	return &now
}

func always(err error) func(*hierarchy.Node) error {
	return func(*hierarchy.Node) error { return err }
}

// everything is all that can be read of what a story has used.
type everything struct {
	Got      directory.Got
	Children map[ident.Node][]hierarchy.Node
	Shown    map[ident.Node][]hierarchy.Node // those of Children that are not in the trash
	Listed   map[ident.Node][]directory.Listed
	Logs     map[ident.Node][]event.Event
	Past     map[ident.Node][]event.Event
	Queue    []directory.PurgeEntry
}

// lists are those that a story looks at.
var lists = []*record.Listing{access.GrantsAt.Listing, gadgetsKept.Listing, gadgetsUnlisted.Listing, gadgetsDeleted.Listing}

// difference tells the first thing in which two of them differ, "" when in none.
func difference(got, want everything) string {
	records := func(s record.Set) map[string]record.Record {
		all := map[string]record.Record{}
		for ref, r := range s {
			all[ref.String()] = r
		}
		return all
	}
	return cmp.Or(
		differs("tree state", map[string]any{"": got.Got.Tree}, map[string]any{"": want.Got.Tree}),
		differs("node", got.Got.Nodes, want.Got.Nodes),
		differs("record", records(got.Got.Records), records(want.Got.Records)),
		differs("children of", got.Children, want.Children),
		differs("children not in the trash of", got.Shown, want.Shown),
		differs("listed at", got.Listed, want.Listed),
		differs("log of", got.Logs, want.Logs),
		differs("past of", got.Past, want.Past),
		differs("purge queue", map[string]any{"": got.Queue}, map[string]any{"": want.Queue}))
}

func differs[K ~string, V any](what string, got, want map[K]V) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d × %s, not %d", len(got), what, len(want))
	}
	for k := range want {
		if !reflect.DeepEqual(got[k], want[k]) {
			g, _ := json.Marshal(got[k])
			w, _ := json.Marshal(want[k])
			return fmt.Sprintf("%s %s\n got %s\nwant %s", what, k, g, w)
		}
	}
	return ""
}

func (s *story) all() everything { return s.allOf(s.store) }

func (s *story) allOf(store directory.Store) everything {
	s.t.Helper()
	all := everything{
		Got:      directory.Got{Nodes: map[ident.Node]*hierarchy.Node{}, Records: record.Set{}},
		Children: map[ident.Node][]hierarchy.Node{}, Shown: map[ident.Node][]hierarchy.Node{}, Listed: map[ident.Node][]directory.Listed{},
		Logs: map[ident.Node][]event.Event{}, Past: map[ident.Node][]event.Event{},
	}
	read := func(w directory.Want) {
		got, err := store.Read(s.t.Context(), w)
		if err != nil {
			s.t.Fatalf("Read: %v", err)
		}
		all.Got.Tree = got.Tree
		maps.Copy(all.Got.Nodes, got.Nodes)
		maps.Copy(all.Got.Records, got.Records)
	}
	for ids := range slices.Chunk(s.nodes, 99) {
		read(directory.Want{Nodes: ids})
	}
	for refs := range slices.Chunk(s.refs, 99) {
		read(directory.Want{Records: refs})
	}
	var err error
	if all.Queue, err = store.PurgeQueue(s.t.Context(), then.AddDate(100, 0, 0), 1000); err != nil {
		s.t.Fatalf("PurgeQueue: %v", err)
	}
	for _, id := range s.nodes {
		all.Logs[id] = logOf(s.t, store, id, directory.LogQuery{Limit: 200})
		all.Past[id] = logOf(s.t, store, id, directory.LogQuery{Past: true, Limit: 200})
		if hierarchy.KindOf(id) == hierarchy.Partner {
			all.Children[id], all.Shown[id] = s.childrenOf(store, id, true), s.childrenOf(store, id, false)
		}
		for _, l := range lists {
			all.Listed[id] = append(all.Listed[id], pages(s.t, 200, func(after string, limit int) (directory.Page[directory.Listed], error) {
				return store.List(s.t.Context(), id, l, after, limit)
			})...)
		}
	}
	return all
}

// childrenOf lists the children of both kinds.
func (s *story) childrenOf(store directory.Store, id ident.Node, trash bool) (all []hierarchy.Node) {
	s.t.Helper()
	for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
		all = append(all, pages(s.t, 200, func(after string, limit int) (directory.Page[hierarchy.Node], error) {
			return store.Children(s.t.Context(), id, kind, trash, after, limit)
		})...)
	}
	return all
}

// logOf reads the log of a node to its end.
func logOf(t testing.TB, store directory.Store, node ident.Node, q directory.LogQuery) []event.Event {
	t.Helper()
	return pages(t, q.Limit, func(after string, limit int) (directory.Page[event.Event], error) {
		q.After = after
		return store.Log(t.Context(), node, q)
	})
}

// pages reads a list to its end, and asserts what holds of every page.
func pages[T any](t testing.TB, limit int, read func(after string, limit int) (directory.Page[T], error)) []T {
	t.Helper()
	var all []T
	seen := map[string]bool{}
	for after := ""; ; {
		p, err := read(after, limit)
		if err != nil {
			t.Fatalf("reading a page: %v", err)
		}
		if p.Items == nil {
			t.Fatal("the items of a page are nil")
		}
		if len(p.Items) > limit {
			t.Fatalf("a page of %d items; at most %d were asked for", len(p.Items), limit)
		}
		all = append(all, p.Items...)
		if p.Next == "" {
			return all
		}
		if seen[p.Next] {
			t.Fatal("the pages go round in a circle")
		}
		seen[p.Next] = true
		after = p.Next
	}
}
