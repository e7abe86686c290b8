package hierarchy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/partnertree/shared/ident"
)

func partner(n int) ident.Node { return ident.Node(fmt.Sprintf("ptn_%016d", n)) }

func pathOf(ids ...int) Path {
	var p Path
	for _, n := range ids {
		p = p.Child(partner(n))
	}
	return p
}

func moved(seq int64, node int, to Path, marks ...Mark) Change {
	return Change{Seq: seq, Node: partner(node), Kind: Moved, Path: to, Marks: marks}
}

func marked(seq int64, node int, kind MarkKind) Change {
	return Change{Seq: seq, Node: partner(node), Kind: Marked, Mark: Mark{partner(node), kind}}
}

func unmarked(seq int64, node int, kind MarkKind) Change {
	return Change{Seq: seq, Node: partner(node), Kind: Unmarked, Mark: Mark{partner(node), kind}}
}

func same(a, b Place) bool {
	lacks := func(ms []Mark) func(Mark) bool { return func(m Mark) bool { return !slices.Contains(ms, m) } }
	return a.Path == b.Path && len(a.Marks) == len(b.Marks) &&
		!slices.ContainsFunc(a.Marks, lacks(b.Marks)) && !slices.ContainsFunc(b.Marks, lacks(a.Marks))
}

func TestPlaceAppliesWhatHappenedSince(t *testing.T) {
	suspended := func(n int) Mark { return Mark{partner(n), Suspended} }
	tests := []struct {
		name    string
		node    Node
		changes []Change
		want    Place
	}{
		{"nothing happened", Node{Place: Place{pathOf(1, 2, 3), []Mark{suspended(2)}}}, nil, Place{pathOf(1, 2, 3), []Mark{suspended(2)}}},
		{"elsewhere", Node{Place: Place{Path: pathOf(1, 2, 3)}},
			[]Change{moved(1, 9, pathOf(1, 9)), marked(2, 8, Suspended)}, Place{Path: pathOf(1, 2, 3)}},
		{"a node above was moved", Node{Place: Place{Path: pathOf(1, 2, 3, 4)}},
			[]Change{moved(1, 3, pathOf(1, 9, 3))}, Place{Path: pathOf(1, 9, 3, 4)}},
		{"marks from above are left behind, those from within stay, those at the destination come on top",
			Node{Place: Place{pathOf(1, 2, 3, 4), []Mark{suspended(2), suspended(3), suspended(4)}}},
			[]Change{moved(1, 3, pathOf(1, 9, 3), suspended(9))},
			Place{pathOf(1, 9, 3, 4), []Mark{suspended(9), suspended(3), suspended(4)}}},
		{"marked above", Node{Place: Place{Path: pathOf(1, 2, 3)}},
			[]Change{marked(1, 2, Suspended)}, Place{pathOf(1, 2, 3), []Mark{suspended(2)}}},
		{"marked below does not count", Node{Place: Place{Path: pathOf(1, 2)}}, []Change{marked(1, 3, Suspended)}, Place{Path: pathOf(1, 2)}},
		{"marked once more", Node{Place: Place{pathOf(1, 2), []Mark{suspended(2)}}},
			[]Change{marked(1, 2, Suspended)}, Place{pathOf(1, 2), []Mark{suspended(2)}}},
		{"unmarked takes one kind from one node", Node{Place: Place{pathOf(1, 2), []Mark{suspended(1), suspended(2), {partner(2), Trashed}}}},
			[]Change{unmarked(1, 2, Suspended)}, Place{pathOf(1, 2), []Mark{suspended(1), {partner(2), Trashed}}}},
		{"a suspended parent's child is resumed with it, unless it is suspended itself",
			Node{Place: Place{pathOf(1, 2, 3), []Mark{suspended(2), suspended(3)}}}, []Change{unmarked(1, 2, Suspended)},
			Place{pathOf(1, 2, 3), []Mark{suspended(3)}}},
		{"in order", Node{Place: Place{Path: pathOf(1, 2, 3)}},
			[]Change{moved(1, 3, pathOf(1, 9, 3)), moved(2, 9, pathOf(1, 7, 9)), marked(3, 7, Trashed), moved(4, 7, pathOf(1, 6, 7))},
			Place{pathOf(1, 6, 7, 9, 3), []Mark{{partner(7), Trashed}}}},
		{"what the node has already is not applied again: it was moved away and back, and rewritten",
			Node{AsOf: 2, Place: Place{Path: pathOf(1, 2, 3)}},
			[]Change{moved(1, 2, pathOf(1, 9, 2)), moved(2, 2, pathOf(1, 2))}, Place{Path: pathOf(1, 2, 3)}},
		{"a move is right for nodes that never saw an earlier one: 3 was moved with 2 and then out of it; the first change has left",
			Node{Place: Place{Path: pathOf(1, 2, 3, 4)}}, []Change{moved(2, 3, pathOf(1, 8, 3))}, Place{Path: pathOf(1, 8, 3, 4)}},
	}
	for _, tt := range tests {
		tree := TreeState{Seq: int64(len(tt.changes)), Changes: tt.changes}
		before := slices.Clone(tt.node.Place.Marks)
		if got := tree.Place(&tt.node); !same(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		if !slices.Equal(before, tt.node.Place.Marks) {
			t.Errorf("%s: the stored marks were changed", tt.name)
		}
	}
}

func TestPlaceAllocatesNothingAtRest(t *testing.T) {
	n := &Node{AsOf: 5, Place: Place{pathOf(1, 2, 3), []Mark{{partner(2), Suspended}}}}
	tree := &TreeState{Seq: 9, Changes: []Change{marked(4, 2, Suspended), moved(7, 9, pathOf(1, 9)), marked(8, 8, Trashed)}}
	if got := testing.AllocsPerRun(100, func() { tree.Place(n) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// world runs tree state (design.md, section 3) with all that happens to it in any order: creates, moves, marks, and
// settling that rewrites one node at a time, is overtaken, and begins again. Truth is kept apart, as parents and marks. Reads
// whose parts are apart in time are not in it.
type world struct {
	rnd      *rand.Rand
	place    func(*TreeState, *Node, map[int64]Path) Place
	from     func(*TreeState, Path) []Path
	left     map[int64]Path // where the node of each move came from: only the relative sabotage looks
	nodes    []*Node
	children map[ident.Node][]*Node
	tree     TreeState
	walks    []*walk

	parent map[ident.Node]ident.Node
	marks  map[Mark]bool
}

// walk settles one change.
type walk struct {
	seq  int64
	top  *Node
	todo []*Node
	slow bool
}

const inFlight = 6

func (w *world) truth(n *Node) Place {
	ids := make([]ident.Node, 0, 16)
	for id := n.ID; id != ""; id = w.parent[id] {
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	var p Place
	for _, id := range ids {
		p.Path = p.Path.Child(id)
	}
	for m := range w.marks {
		if p.Path.Index(m.Node) >= 0 {
			p.Marks = append(p.Marks, m)
		}
	}
	return p
}

func (w *world) now(n *Node) Place { return w.place(&w.tree, n, w.left) }

func (w *world) any() *Node { return w.nodes[w.rnd.IntN(len(w.nodes))] }

func (w *world) create() {
	parent := w.any()
	n, err := Node{ID: partner(len(w.nodes) + 1)}.Below(parent, w.now(parent))
	if err != nil {
		return // deep enough
	}
	w.add(&n)
}

func (w *world) add(n *Node) {
	w.nodes = append(w.nodes, n)
	w.parent[n.ID] = n.Parent
	w.children[n.Parent] = append(w.children[n.Parent], n)
}

func (w *world) commit(n *Node, c Change, to Place) {
	n.Place, n.AsOf = to, c.Seq
	w.tree.Seq = c.Seq
	w.tree.Changes = append(slices.Clone(w.tree.Changes), c)
	w.walks = append(w.walks, &walk{c.Seq, n, []*Node{n}, w.rnd.IntN(3) == 0})
}

func (w *world) move() {
	n, dest := w.any(), w.any()
	from, to := w.now(n), w.now(dest)
	if n.Parent == "" || n.Parent == dest.ID || to.Path.Index(n.ID) >= 0 || len(w.tree.Changes) >= inFlight {
		return
	}
	c := Change{Seq: w.tree.Seq + 1, Node: n.ID, Kind: Moved, Path: to.Path.Child(n.ID), Marks: to.Marks}
	w.left[c.Seq] = from.Path
	c.From = w.from(&w.tree, from.Path)
	n.Place = from
	now := Place{c.Path, append(slices.Clone(to.Marks), n.OwnMarks()...)}
	w.children[n.Parent] = slices.DeleteFunc(w.children[n.Parent], func(o *Node) bool { return o == n })
	w.children[dest.ID] = append(w.children[dest.ID], n)
	n.Parent, w.parent[n.ID] = dest.ID, dest.ID
	w.commit(n, c, now)
}

func (w *world) mark() {
	n := w.any()
	if len(w.tree.Changes) >= inFlight {
		return
	}
	m := Mark{n.ID, []MarkKind{Suspended, Trashed, NoProvisioning}[w.rnd.IntN(3)]}
	c, at := Change{Seq: w.tree.Seq + 1, Node: n.ID, Kind: Marked, Mark: m}, w.now(n)
	if w.marks[m] {
		delete(w.marks, m)
		c.Kind = Unmarked
		at.Marks = slices.DeleteFunc(slices.Clone(at.Marks), func(o Mark) bool { return o == m })
	} else {
		w.marks[m] = true
		at.Marks = append(slices.Clone(at.Marks), m)
	}
	w.commit(n, c, at)
}

// settle does one step of one walk; a walk that is done takes its change out of the list.
func (w *world) settle() {
	if len(w.walks) == 0 {
		return
	}
	k := w.walks[w.rnd.IntN(len(w.walks))]
	switch {
	case k.slow && w.rnd.IntN(20) > 0:
	case w.rnd.IntN(50) == 0:
		k.todo = []*Node{k.top} // killed, and run again
	case len(k.todo) == 0:
		w.tree.Changes = slices.DeleteFunc(slices.Clone(w.tree.Changes), func(c Change) bool { return c.Seq == k.seq })
		w.walks = slices.DeleteFunc(w.walks, func(o *walk) bool { return o == k })
	default:
		n := k.todo[len(k.todo)-1]
		if n.AsOf < k.seq {
			n.Place, n.AsOf = w.now(n), w.tree.Seq
		}
		k.todo = append(k.todo[:len(k.todo)-1], w.children[n.ID]...)
	}
}

// live runs a world for a while and returns how it went wrong, if it did.
func live(seed uint64, place func(*TreeState, *Node, map[int64]Path) Place, from func(*TreeState, Path) []Path) error {
	w := &world{
		rnd: rand.New(rand.NewPCG(seed, 0)), place: place, from: from, left: map[int64]Path{}, children: map[ident.Node][]*Node{},
		parent: map[ident.Node]ident.Node{}, marks: map[Mark]bool{},
	}
	w.add(&Node{ID: partner(1), Place: Place{Path: pathOf(1)}})
	for step := range 400 {
		switch w.rnd.IntN(12) {
		case 0, 1:
			if len(w.nodes) < 25 {
				w.create()
			}
		case 2, 3:
			w.move()
		case 4:
			w.mark()
		default:
			w.settle()
		}
		for _, n := range w.nodes {
			if got, want := w.now(n), w.truth(n); !same(got, want) {
				return fmt.Errorf("seed %d, step %d: node %s stands at %v, truly at %v; stored %v as of %d, changes %v",
					seed, step, n.ID, got, want, n.Place, n.AsOf, w.tree.Changes)
			}
		}
		top := w.truth(w.any()).Path
		ranges := w.tree.Ranges(top)
		for _, n := range w.nodes {
			if at := w.truth(n).Path; at.Has(top) && !slices.ContainsFunc(ranges, func(r Range) bool {
				return n.Place.Path.Has(r.Stored) && r.Canonical+n.Place.Path[len(r.Stored):] == at
			}) {
				return fmt.Errorf("seed %d, step %d: %s at %s is stored at %s, which none of %v covers; changes %v",
					seed, step, n.ID, at, n.Place.Path, ranges, w.tree.Changes)
			}
		}
	}
	return nil
}

func rightPlace(t *TreeState, n *Node, _ map[int64]Path) Place { return t.Place(n) }

func TestPlaceAndRangesAreTheTruthWhateverIsGoingOn(t *testing.T) {
	for seed := range uint64(150) {
		if err := live(seed, rightPlace, (*TreeState).Left); err != nil {
			t.Fatal(err)
		}
	}
}

// Each idea of Place and Ranges is needed, and the world above shows it: without the idea it goes wrong.
func TestTheWorldCatchesSabotage(t *testing.T) {
	sabotages := map[string]func(*TreeState, *Node, map[int64]Path) Place{
		"changes are applied to nodes that have them already": func(t *TreeState, n *Node, _ map[int64]Path) Place {
			all := *n
			all.AsOf = -1
			return t.Place(&all)
		},
		"a move means that this prefix becomes that one": func(t *TreeState, n *Node, left map[int64]Path) Place {
			at := *n
			for _, c := range t.Changes {
				if c.Kind == Moved && !at.Place.Path.Has(left[c.Seq]) {
					continue
				}
				one := TreeState{Seq: c.Seq, Changes: []Change{c}}
				at.Place = one.Place(&at)
			}
			return at.Place
		},
	}
	caught := func(t *testing.T, place func(*TreeState, *Node, map[int64]Path) Place, from func(*TreeState, Path) []Path) {
		for seed := range uint64(5000) {
			if live(seed, place, from) != nil {
				t.Logf("caught by seed %d", seed)
				return
			}
		}
		t.Error("not caught")
	}
	for name, place := range sabotages {
		t.Run(name, func(t *testing.T) { caught(t, place, (*TreeState).Left) })
	}
	t.Run("a move remembers only the path that it left", func(t *testing.T) {
		caught(t, rightPlace, func(_ *TreeState, left Path) []Path { return []Path{left} })
	})
}

func TestTopIsTheUppermostMark(t *testing.T) {
	p := Place{pathOf(1, 2, 3), []Mark{{partner(3), Suspended}, {partner(2), Suspended}, {partner(1), NoProvisioning}}}
	if got := p.Top(Suspended); got != partner(2) {
		t.Errorf("suspended at %s", got)
	}
	if got := p.Top(Trashed); got != "" {
		t.Errorf("trashed at %s", got)
	}
}
