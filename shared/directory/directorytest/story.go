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
	t       testing.TB
	store   directory.Store
	root    *hierarchy.Node
	nodes   []ident.Node
	clients []ident.Principal
	brands  []ident.Brand
	changes []ident.Change
	asked   []ident.MoveRequest
	invites []ident.Invitation
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
	errTaken   = errors.New("the domain is taken")
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
	p := s.read(directory.Want{Principals: []ident.Principal{id}}).Principals[id]
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
		ID: id, Owner: owner, Name: "Vazon Bay IT", Domain: domainOf(id), Regions: []string{"eu-west-1", "uk-south-1"},
		State: brand.Draft, Version: 1, Created: then,
	}
}

// taken is a domain that several brands want; domainOf is one that only this brand has.
const taken = "taken.example.com"

func domainOf(id ident.Brand) string { return ident.Bare(id) + ".example.com" }

// looking is a copy of b after an edit.
func looking(b *brand.Brand, edit func(*brand.Brand)) *brand.Brand {
	now := copyBrand(*b)
	edit(&now)
	now.Version++
	return &now
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

// newEvent is one of those that are not event.Event.Past.
func (s *story) newEvent(node ident.Node) event.Event {
	return event.Event{
		ID: ident.Event(s.id("evt_")), Type: event.PartnerEdited, Time: then, Node: node, Path: hierarchy.Path("").Child(node),
		Data: map[string]any{"name": "<&>"},
	}
}

func (s *story) newClient(home ident.Node, grants map[ident.Node]access.Role) access.Principal {
	id := ident.Principal(s.id("cli_"))
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

// newRequest asks for n to be moved below to, from created on for two weeks.
func (s *story) newRequest(n, to *hierarchy.Node, created time.Time) directory.MoveRequest {
	id := ident.MoveRequest(s.id("mrq_"))
	s.asked = append(s.asked, id)
	return directory.MoveRequest{
		ID: id, Node: n.ID, Name: n.Name, To: to.ID, Message: "As agreed", By: ident.Principal(s.id("cli_")), Within: n.ID, State: directory.RequestOpen,
		Created: created, Ends: created.Add(14 * 24 * time.Hour), Version: 1,
	}
}

// closed is a copy of r that is closed an hour after it was made.
func closed(r *directory.MoveRequest, state directory.RequestState) *directory.MoveRequest {
	now := *r
	now.State, now.Closed, now.Version = state, r.Created.Add(time.Hour), r.Version+1
	return &now
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
	Grants   map[ident.Node][]directory.Grant
	Logs     map[ident.Node][]event.Event
	Past     map[ident.Node][]event.Event
	Requests map[ident.Node][]directory.MoveRequest
	Invited  map[ident.Node][]directory.Invitation
	Due      []directory.PurgeEntry
}

// difference tells the first thing in which two of them differ, "" when in none.
func difference(got, want everything) string {
	return cmp.Or(
		differs("tree state", map[string]any{"": got.Got.Tree}, map[string]any{"": want.Got.Tree}),
		differs("node", got.Got.Nodes, want.Got.Nodes),
		differs("client", got.Got.Principals, want.Got.Principals),
		differs("brand", got.Got.Brands, want.Got.Brands),
		differs("domain", got.Got.Domains, want.Got.Domains),
		differs("logo", got.Got.Logos, want.Got.Logos),
		differs("change", got.Got.Changes, want.Got.Changes),
		differs("request", got.Got.MoveRequests, want.Got.MoveRequests),
		differs("invitation", got.Got.Invitations, want.Got.Invitations),
		differs("keyring", map[string]any{"": got.Got.Keyring}, map[string]any{"": want.Got.Keyring}),
		differs("children of", got.Children, want.Children),
		differs("children not in the trash of", got.Shown, want.Shown),
		differs("grants at", got.Grants, want.Grants),
		differs("log of", got.Logs, want.Logs),
		differs("past of", got.Past, want.Past),
		differs("requests at", got.Requests, want.Requests),
		differs("invitations at", got.Invited, want.Invited),
		differs("due", map[string]any{"": got.Due}, map[string]any{"": want.Due}))
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
			Nodes: map[ident.Node]*hierarchy.Node{}, Principals: map[ident.Principal]*access.Principal{}, Brands: map[ident.Brand]*brand.Brand{},
			Changes: map[ident.Change]*directory.Progress{}, MoveRequests: map[ident.MoveRequest]*directory.MoveRequest{},
			Invitations: map[ident.Invitation]*directory.Invitation{},
			Domains:     map[string]directory.Domain{}, Logos: map[ident.Brand][]byte{},
		},
		Children: map[ident.Node][]hierarchy.Node{}, Shown: map[ident.Node][]hierarchy.Node{}, Grants: map[ident.Node][]directory.Grant{},
		Logs: map[ident.Node][]event.Event{}, Past: map[ident.Node][]event.Event{}, Requests: map[ident.Node][]directory.MoveRequest{},
		Invited: map[ident.Node][]directory.Invitation{},
	}
	read := func(w directory.Want) {
		got, err := store.Read(s.t.Context(), w)
		if err != nil {
			s.t.Fatalf("Read: %v", err)
		}
		all.Got.Tree = got.Tree
		maps.Copy(all.Got.Nodes, got.Nodes)
		maps.Copy(all.Got.Principals, got.Principals)
		maps.Copy(all.Got.Brands, got.Brands)
		maps.Copy(all.Got.Domains, got.Domains)
		maps.Copy(all.Got.Logos, got.Logos)
		maps.Copy(all.Got.Changes, got.Changes)
		maps.Copy(all.Got.MoveRequests, got.MoveRequests)
		maps.Copy(all.Got.Invitations, got.Invitations)
		if w.Keyring {
			all.Got.Keyring = got.Keyring
		}
	}
	for ids := range slices.Chunk(s.nodes, 99) {
		read(directory.Want{Nodes: ids})
	}
	for ids := range slices.Chunk(s.clients, 99) {
		read(directory.Want{Principals: ids})
	}
	for ids := range slices.Chunk(s.brands, 32) {
		w := directory.Want{Brands: ids, Logos: ids, Domains: []string{taken}}
		for _, id := range ids {
			w.Domains = append(w.Domains, domainOf(id))
		}
		read(w)
	}
	for ids := range slices.Chunk(s.changes, 99) {
		read(directory.Want{Changes: ids})
	}
	for ids := range slices.Chunk(s.asked, 99) {
		read(directory.Want{MoveRequests: ids})
	}
	for ids := range slices.Chunk(s.invites, 99) {
		read(directory.Want{Invitations: ids})
	}
	read(directory.Want{Keyring: true})
	var err error
	if all.Due, err = store.PurgeQueue(s.t.Context(), then.AddDate(100, 0, 0), 1000); err != nil {
		s.t.Fatalf("Due: %v", err)
	}
	for _, id := range s.nodes {
		all.Logs[id] = logOf(s.t, store, id, directory.LogQuery{Limit: 200})
		all.Past[id] = logOf(s.t, store, id, directory.LogQuery{Past: true, Limit: 200})
		if len(s.asked) > 0 {
			all.Requests[id] = pages(s.t, 200, func(after string, limit int) (directory.Page[directory.MoveRequest], error) {
				return store.Requests(s.t.Context(), id, after, limit)
			})
		}
		if len(s.invites) > 0 {
			all.Invited[id] = pages(s.t, 200, func(after string, limit int) (directory.Page[directory.Invitation], error) {
				return store.Invitations(s.t.Context(), id, after, limit)
			})
		}
		if hierarchy.KindOf(id) == hierarchy.Partner {
			all.Children[id], all.Shown[id] = s.childrenOf(store, id, true), s.childrenOf(store, id, false)
		}
		all.Grants[id] = pages(s.t, 200, func(after string, limit int) (directory.Page[directory.Grant], error) {
			return store.Grants(s.t.Context(), id, after, limit)
		})
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
