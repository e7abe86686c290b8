package directory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// maxRaised is how many heights a move raises in its own transaction, which has room for no more of them in the deepest trees.
const maxRaised = 8

// moveBetween is the parents' part in a move: the new one gives the node its brands and the old one gets them back, and what
// lies above the new one learns how deep it is below now. When that is many it learns it first: a height is an upper bound, so it
// does no harm if the move does not come about.
func (d *Directory) moveBetween(ctx context.Context, c Caller, node, dest *hierarchy.Node, path hierarchy.Path) ([]Step, error) {
	draws := node.Draws()
	low, above, err := d.tooLow(ctx, c, path, dest.Height, node.Height+1, node.Parent)
	if err != nil {
		return nil, err
	}
	old := above[node.Parent]
	if old == nil {
		return nil, ErrChanged
	}
	if len(low) > maxRaised {
		return nil, cmp.Or(d.store.Commit(ctx, raise(low)...), ErrChanged)
	}
	steps := []Step{
		CheckParent{Parent: dest, Draw: draws, Height: node.Height + 1, Else: parentChanged(draws)},
		CheckParent{Parent: old, Drop: draws, Height: low[old.ID], Else: func(*hierarchy.Node) error { return ErrChanged }},
	}
	delete(low, old.ID)
	return append(steps, raise(low)...), nil
}

// tooLow finds what lies above the last node of path and has to become higher because that node, which has this height, gets
// another one. It also returns all nodes that it read, with others that are wanted.
func (d *Directory) tooLow(ctx context.Context, c Caller, path hierarchy.Path, height, becomes int, others ...ident.Node) (
	map[ident.Node]int, map[ident.Node]*hierarchy.Node, error) {
	low, wanted := map[ident.Node]int{}, others
	if height < becomes {
		wanted = append(path.IDs()[:path.Depth()-1], others...)
	}
	if len(wanted) == 0 {
		return low, nil, nil
	}
	v, err := d.Read(ctx, c, Want{Nodes: wanted})
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < path.Depth()-1 && height < becomes; i++ {
		n, needs := v.Nodes[path.At(i)], becomes+path.Depth()-1-i
		if n == nil {
			return nil, nil, ErrChanged
		}
		if n.Height < needs {
			low[n.ID] = needs
		}
	}
	return low, v.Nodes, nil
}

func raise(low map[ident.Node]int) []Step {
	var steps []Step
	for _, id := range slices.Sorted(maps.Keys(low)) {
		steps = append(steps, RaiseHeight{Node: id, Height: low[id], Else: ErrChanged})
	}
	return steps
}
