package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table/tabletest"
)

// The tree: partners on each level below the root, and customers anywhere below them.
var levels = []int{4, 16, 60, 200, 400, 700, 1000, 1200}

const (
	nodes      = 10_000
	principals = 1_000
	single     = 100 // principals with one grant, at a partner with some nodes below it
	questions  = 2_000
	together   = 48 // moves in a round: fewer than the product lets settle at the same time
	pageSize   = 50
)

// world is the tree, who may see what of it, and what is asked. What it says is true: peers are held to it.
type world struct {
	root     *hierarchy.Node
	brand    ident.Brand
	nodes    []*hierarchy.Node // without the root; parents before children, as it was made
	clients  []access.Principal
	parent   map[string]string // as it is now
	children map[string][]string
	names    map[string]string
	grants   map[string]map[string]bool

	checks []pair // who may see what?
	lists  []pair // the customers below a partner, by somebody who sees them
	seen   []pair // what is below the only grant of a principal?
	moves  []move
	big    move
}

type pair struct{ who, node string }

type move struct{ node, from, to string }

func newWorld(seed uint64) *world {
	random := rand.New(rand.NewPCG(seed, seed))
	w := &world{brand: ident.NewBrand(), parent: map[string]string{}, children: map[string][]string{}, names: map[string]string{},
		grants: map[string]map[string]bool{}}
	w.root = &hierarchy.Node{ID: ident.NewPartner(), Name: "Root", Version: 1}
	w.root.Place.Path = w.root.Place.Path.Child(w.root.ID)
	w.root.Brands = hierarchy.Brands{Owned: []ident.Brand{w.brand}, Uses: map[ident.Brand]int64{w.brand: 0}}
	partners := 0
	for _, n := range levels {
		partners += n
	}
	w.nodes = tabletest.Grow(random, w.root, w.brand, nodes-1-partners, levels...)
	for _, n := range w.nodes {
		w.parent[string(n.ID)] = string(n.Parent)
		w.children[string(n.Parent)] = append(w.children[string(n.Parent)], string(n.ID))
		w.names[string(n.ID)] = string(n.Name)
	}
	w.invite(random)
	w.ask(random)
	return w
}

// partners are those of a level (1: right below the root), with their sizes between two bounds.
func (w *world) partners(level, least, most int) []string {
	var found []string
	for _, n := range w.nodes {
		if n.Kind() == hierarchy.Partner && n.Place.Path.Depth() == level+1 {
			if size := len(w.below(string(n.ID))); size >= least && size <= most {
				found = append(found, string(n.ID))
			}
		}
	}
	return found
}

// invite makes the principals. The first have one grant each, the others up to three anywhere below the second level.
func (w *world) invite(random *rand.Rand) {
	some := slices.Concat(w.partners(3, 50, 500), w.partners(4, 50, 500), w.partners(5, 50, 500))
	for i := range principals {
		c := access.Principal{ID: ident.NewClient(), Name: hierarchy.Name(fmt.Sprintf("Client %04d", i)), Home: w.root.ID, Version: 1,
			Grants: map[ident.Node]access.Role{}, CursorKey: make([]byte, 32),
			Secrets: []access.Secret{{ID: ident.NewKey(), Hash: make([]byte, 32), Hint: "none"}}}
		if i < single {
			c.Grants[ident.Node(some[random.IntN(len(some))])] = access.Viewer
		} else {
			for range 1 + random.IntN(3) {
				n := w.nodes[random.IntN(len(w.nodes))]
				for n.Place.Path.Depth() < 4 {
					n = w.nodes[random.IntN(len(w.nodes))]
				}
				c.Grants[n.ID] = access.Viewer
			}
		}
		w.clients = append(w.clients, c)
		granted := map[string]bool{}
		for id := range c.Grants {
			granted[string(id)] = true
		}
		w.grants[string(c.ID)] = granted
	}
}

// ask thinks up the questions.
func (w *world) ask(random *rand.Rand) {
	for i := range questions {
		c := w.clients[random.IntN(len(w.clients))]
		p := pair{string(c.ID), string(w.nodes[random.IntN(len(w.nodes))].ID)}
		if i%2 == 0 {
			granted := slices.Sorted(maps.Keys(w.grants[p.who]))
			below := w.below(granted[random.IntN(len(granted))])
			p.node = below[random.IntN(len(below))]
		}
		w.checks = append(w.checks, p)
	}
	for i := range single {
		c := &w.clients[i]
		for at := range c.Grants {
			w.seen = append(w.seen, pair{string(c.ID), string(at)})
			for _, id := range w.below(string(at)) {
				if hierarchy.KindOf(ident.Node(id)) == hierarchy.Partner {
					w.lists = append(w.lists, pair{string(c.ID), id})
				}
			}
		}
	}
	random.Shuffle(len(w.lists), func(i, j int) { w.lists[i], w.lists[j] = w.lists[j], w.lists[i] })

	// What moves is on one level and its new parent on the level above: no move concerns another, and the depth stays.
	elsewhere := func(id string, parents []string) move {
		for {
			if to := parents[random.IntN(len(parents))]; to != w.parent[id] {
				return move{id, w.parent[id], to}
			}
		}
	}
	movable, parents := w.partners(5, 20, 200), w.partners(4, 0, nodes)
	for _, i := range random.Perm(len(movable))[:together] {
		w.moves = append(w.moves, elsewhere(movable[i], parents))
	}
	large := w.partners(2, 0, nodes)
	slices.SortFunc(large, func(a, b string) int { return len(w.below(b)) - len(w.below(a)) })
	w.big = elsewhere(large[0], w.partners(1, 0, nodes))
}

// touched are questions whose answer depends on moves that were made: of half of them, whether somebody sees something in what
// moved who reaches only its old place or only its new one; and what some see who have it below them now or had it.
func (w *world) touched(moves []move) (checks, seen []pair) {
	for i, m := range moves {
		for range 2 {
			m.from, m.to = m.to, m.from
			for _, c := range w.clients {
				if who := string(c.ID); i%2 == 0 && w.may(who, m.from) && !w.may(who, m.to) {
					below := w.below(m.node)
					checks = append(checks, pair{who, below[i%len(below)]})
					break
				}
			}
			for _, q := range w.seen {
				if len(seen) < 6 && w.within(m.from, q.node) && !slices.Contains(seen, q) {
					seen = append(seen, q)
				}
			}
		}
	}
	return checks, seen
}

// within is whether a node is another one or lies below it.
func (w *world) within(node, top string) bool {
	for node != top && node != "" {
		node = w.parent[node]
	}
	return node == top
}

// may is whether the principal has a grant at the node or above it.
func (w *world) may(who, node string) bool {
	for granted := w.grants[who]; node != ""; node = w.parent[node] {
		if granted[node] {
			return true
		}
	}
	return false
}

// below is the node and everything below it, sorted.
func (w *world) below(node string) []string {
	all := []string{node}
	for i := 0; i < len(all); i++ {
		all = append(all, w.children[all[i]]...)
	}
	slices.Sort(all)
	return all
}

// page is the first customers right below a node, by name; none for somebody who does not see them.
func (w *world) page(who, node string) []string {
	var found []string
	if !w.may(who, node) {
		return nil
	}
	for _, id := range w.children[node] {
		if hierarchy.KindOf(ident.Node(id)) == hierarchy.Customer {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(w.names[a], w.names[b]) })
	return found[:min(len(found), pageSize)]
}

// moved makes a move true.
func (w *world) moved(m move) {
	w.children[m.from] = slices.DeleteFunc(w.children[m.from], func(id string) bool { return id == m.node })
	w.children[m.to] = append(w.children[m.to], m.node)
	w.parent[m.node] = m.to
}
