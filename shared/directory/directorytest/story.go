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
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// story is a test of a store that remembers all ids it has used, so that it can look at everything there is.
type story struct {
	t       *testing.T
	store   directory.Store
	root    *hierarchy.Node
	nodes   []ident.Node
	clients []ident.Client
	brands  []ident.Brand
	changes []ident.Change
	ids     *rand.Rand
}

func newStory(t *testing.T, store directory.Store) *story {
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
	errTaken   = errors.New("the domain is taken")
	errAnother = errors.New("what another step says")
)

// begin founds a platform: a root that owns the given number of brands.
func begin(t *testing.T, store directory.Store, brands int) *story {
	t.Helper()
	s := newStory(t, store)
	root := hierarchy.Node{ID: ident.Node(s.id(ident.Partner)), Name: "Cloudvendor", Version: 1, Created: then, Updated: then}
	root.Place.Path = hierarchy.Path("").Child(root.ID)
	root.Brands.Uses = map[ident.Brand]int64{}
	s.nodes = append(s.nodes, root.ID)
	s.commits(directory.Found{Root: root.ID, Else: errElse}, directory.AddNode{Node: root})
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

func (s *story) client(id ident.Client) *access.Principal {
	s.t.Helper()
	p := s.read(directory.Want{Clients: []ident.Client{id}}).Clients[id]
	if p == nil {
		s.t.Fatalf("client %s is not there", id)
	}
	return p
}

// brand adds a brand that owner makes.
func (s *story) brand(owner *hierarchy.Node) ident.Brand {
	s.t.Helper()
	b := s.newBrand(owner.ID)
	s.commits(directory.AddBrand{Brand: b, Owner: owner, Taken: errTaken, Else: always(errElse)})
	return b.ID
}

func (s *story) newBrand(owner ident.Node) brand.Brand {
	id := ident.Brand(s.id("brd_"))
	s.brands = append(s.brands, id)
	return brand.Brand{
		ID: id, Owner: owner, Name: "Vazon Bay IT", Domain: ident.Bare(id) + ".example.com", Regions: []string{"eu-west-1", "uk-south-1"},
		State: brand.Draft, Version: 1, Created: then,
	}
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
	for some := range slices.Chunk(nodes, 50) {
		var steps []directory.Step
		for _, n := range some {
			steps = append(steps, directory.AddNode{Node: n})
		}
		s.commits(steps...)
	}
}

func (s *story) newEvent(node ident.Node) event.Event {
	return event.Event{
		ID: ident.Event(s.id("evt_")), Type: event.PartnerCreated, Time: then, Node: node, Path: hierarchy.Path("").Child(node),
		Data: map[string]any{"name": "<&>"},
	}
}

func (s *story) newClient(home ident.Node, grants map[ident.Node]access.Role) access.Principal {
	id := ident.Client(s.id("cli_"))
	s.clients = append(s.clients, id)
	return access.Principal{
		ID: id, Name: "Billing", Home: home, Grants: grants, CursorKey: []byte("thirty-two bytes, more or less.."), Version: 1, Created: then,
		Secrets: []access.Secret{{ID: ident.NewKey(), Hash: []byte{0, 1, 255}, Hint: "x_-9", Created: then}},
	}
}

func (s *story) newProgress(node ident.Node) directory.Progress {
	id := ident.Change(s.id("chg_"))
	s.changes = append(s.changes, id)
	return directory.Progress{ID: id, Seq: 1, Node: node, Kind: hierarchy.Moved, State: directory.Settling, Started: then, Updated: then}
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
	Grants   map[ident.Node][]directory.Grant
}

// difference tells the first thing in which two of them differ, "" when in none.
func difference(got, want everything) string {
	return cmp.Or(
		differs("tree state", map[string]any{"": got.Got.Tree}, map[string]any{"": want.Got.Tree}),
		differs("node", got.Got.Nodes, want.Got.Nodes),
		differs("client", got.Got.Clients, want.Got.Clients),
		differs("brand", got.Got.Brands, want.Got.Brands),
		differs("change", got.Got.Changes, want.Got.Changes),
		differs("children of", got.Children, want.Children),
		differs("grants at", got.Grants, want.Grants))
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
		Got: directory.Got{
			Nodes: map[ident.Node]*hierarchy.Node{}, Clients: map[ident.Client]*access.Principal{}, Brands: map[ident.Brand]*brand.Brand{},
			Changes: map[ident.Change]*directory.Progress{},
		},
		Children: map[ident.Node][]hierarchy.Node{}, Grants: map[ident.Node][]directory.Grant{},
	}
	read := func(w directory.Want) {
		got, err := store.Read(s.t.Context(), w)
		if err != nil {
			s.t.Fatalf("Read: %v", err)
		}
		all.Got.Tree = got.Tree
		maps.Copy(all.Got.Nodes, got.Nodes)
		maps.Copy(all.Got.Clients, got.Clients)
		maps.Copy(all.Got.Brands, got.Brands)
		maps.Copy(all.Got.Changes, got.Changes)
	}
	for ids := range slices.Chunk(s.nodes, 99) {
		read(directory.Want{Nodes: ids})
	}
	for ids := range slices.Chunk(s.clients, 99) {
		read(directory.Want{Clients: ids})
	}
	for ids := range slices.Chunk(s.brands, 99) {
		read(directory.Want{Brands: ids})
	}
	for ids := range slices.Chunk(s.changes, 99) {
		read(directory.Want{Changes: ids})
	}
	for id := range all.Got.Nodes {
		for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
			all.Children[id] = append(all.Children[id], pages(s.t, 200, func(after string, limit int) (directory.Page[hierarchy.Node], error) {
				return store.Children(s.t.Context(), id, kind, after, limit)
			})...)
		}
		all.Grants[id] = pages(s.t, 200, func(after string, limit int) (directory.Page[directory.Grant], error) {
			return store.Grants(s.t.Context(), id, after, limit)
		})
	}
	return all
}

// pages reads a list to its end, and asserts what holds of every page.
func pages[T any](t *testing.T, limit int, read func(after string, limit int) (directory.Page[T], error)) []T {
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
