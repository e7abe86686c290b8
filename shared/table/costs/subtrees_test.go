package costs

import (
	"errors"
	"testing"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

var errRefused = errors.New("refused")

// depth makes a partner at a depth.
func (b *bench) depth(depth int) *hierarchy.Node {
	b.t.Helper()
	n := b.node(b.root)
	for n.Place.Path.Depth() < depth {
		n = b.partner(n.ID)
	}
	return n
}

// Whatever is rewritten when a subtree is settled, it takes at most four write units.
func TestANodeIsSettledForFourWriteUnits(t *testing.T) {
	b := newBench(t)
	for _, depth := range []int{3, 10, 15, hierarchy.MaxDepth - 1} {
		parent := b.depth(depth - 1)
		partner := b.partner(parent.ID)
		made, err := b.dir.CreateCustomer(b.ctx, b.caller, b.newCustomer(parent.ID))
		b.must(err)
		for _, n := range []*hierarchy.Node{partner, b.node(made.ID)} {
			elsewhere := n.Place.Path.To(0).Child(ident.NewPartner()) + n.Place.Path.From(2)
			marked := []hierarchy.Mark{{Node: b.root, Kind: hierarchy.NoProvisioning}}
			for _, place := range []hierarchy.Place{{Path: elsewhere}, {Path: elsewhere, Marks: marked}} {
				rewrite := directory.Rewrite{Node: n.ID, WasAsOf: n.AsOf, Place: place, AsOf: n.AsOf + 1, Else: errRefused}
				spent, err := b.meter.during(func() error { return b.store.Commit(b.ctx, rewrite) })
				b.must(err)
				n.AsOf++
				t.Logf("%s at depth %d: %v", n.Kind(), depth, spent)
				if spent.trips != 1 || spent.write > 4 {
					t.Errorf("a %s at depth %d: %v; want one round trip and at most 4 write units", n.Kind(), depth, spent)
				}
			}
		}
	}
}

// A GET stays cheap while as many subtrees are being moved as can be.
func TestAGetDuringAllChangesIsSixReadUnits(t *testing.T) {
	b := newBench(t)
	node := b.depth(10)
	get := func(want cost) {
		t.Helper()
		spent, err := b.meter.during(only(func() (directory.Node, error) { return b.dir.Get(b.ctx, b.caller, node.ID) }))
		b.must(err)
		if spent != want {
			t.Errorf("it took %v; want %v", spent, want)
		}
	}
	get(cost{1, 3, 0})
	for seq := int64(1); seq <= hierarchy.MaxChanges; seq++ {
		moved := hierarchy.Change{Seq: seq, Node: ident.NewPartner(), Kind: hierarchy.Moved}
		path := func() hierarchy.Path {
			p := node.Place.Path.To(0)
			for p.Depth() < 9 {
				p = p.Child(ident.NewPartner())
			}
			return p.Child(moved.Node)
		}
		moved.Path, moved.From = path(), []hierarchy.Path{path()}
		b.must(b.store.Commit(b.ctx, directory.AddChange{Change: moved, Else: errRefused}))
	}
	get(cost{1, 6, 0})
	for seq := int64(1); seq <= hierarchy.MaxChanges; seq++ {
		b.must(b.store.Commit(b.ctx, directory.DropChange{Seq: seq}))
	}
	get(cost{1, 3, 0})
}
