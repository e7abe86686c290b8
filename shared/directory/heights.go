package directory

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// How the bounds stay true while they fall.
//
// A node has at least as many levels below it, by its bound, as each of its children, and one more (hierarchy.Node.Levels). Whoever makes a
// node higher makes all above it as high as it takes in the same transaction, and leaves out those whose Height says that they are. Such
// a transaction holds the tree state, and the AsOf of the parent.
//
// To lower a node, its children are read, and there can be any number of them. So measuring is three steps. The first keeps the bound as the
// Ceiling and begins Height anew at 0; it gives the tree state its next Seq and the node that AsOf. Who had read the node before fails and
// reads again; from then on whoever needs the node to be high says so in Height. The second step reads the children, in as many reads as it
// takes. The third takes the Ceiling away, and raises Height to what was read. What was added meanwhile is in Height already. So nothing is lost
// when measuring ends anywhere, the bound is true at any time, and others pay nothing unless a node is just being measured.

// maxRaised is how many heights a move raises in its own transaction, which has room for no more of them in the deepest trees.
const maxRaised = 8

// moveBetween is the parents' part in a move: the new one gives the node its brands and the old one gets them back, and what
// lies above the new one learns how deep it is below now. When that is many it learns it first: a height is an upper bound, so it
// does no harm if the move does not come about.
func (d *Directory) moveBetween(ctx context.Context, c Caller, v *View, m moving) ([]Step, error) {
	node, dest := m.node, m.dest
	draws := node.Draws()
	low, above, err := d.tooLow(ctx, c, m.to.Path, dest.Height, m.levels(), node.Parent)
	if err != nil {
		return nil, err
	}
	old := above[node.Parent]
	if old == nil {
		return nil, ErrChanged
	}
	if len(low) > maxRaised {
		return nil, cmp.Or(d.store.Commit(ctx, append(raise(low), CheckSeq{Seq: v.Tree.Seq, Else: ErrChanged})...), ErrChanged)
	}
	steps := []Step{
		CheckParent{Parent: dest, Draw: draws, Height: m.levels(), Else: parentChanged(draws)},
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

// climb is nodes on one path whose bounds may be too high. First it is looked whether they are; then those that are get measured. It is kept with
// the walk of a purge.
type climb struct {
	Nodes   []ident.Node `json:"nodes"`             // each below the next
	AsOf    int64        `json:"asOf,omitempty"`    // since when they are measured; 0: they are looked at
	At      int          `json:"at,omitempty"`      // the node whose children are being read
	After   string       `json:"after,omitempty"`   // in the list of its child partners
	Highest int          `json:"highest,omitempty"` // levels below it, by the children read so far
	Will    int          `json:"will,omitempty"`    // levels below the node before, when it is measured
}

// climbFrom begins at the parent of a node that is gone and was the reason for the parent's height. It returns nil when the node was not.
func climbFrom(gone, parent *hierarchy.Node) *climb {
	if parent == nil || parent.Levels() != gone.Levels()+1 {
		return nil
	}
	return &climb{Nodes: []ident.Node{parent.ID}}
}

// climb reads one page of children, or writes what came of them, and reports whether that was all.
func (d *Directory) climb(ctx context.Context, c *climb) (done bool, err error) {
	at := c.Nodes[c.At]
	got, err := d.store.Read(ctx, Want{Nodes: []ident.Node{at}})
	if err != nil {
		return false, err
	}
	n := got.Nodes[at]
	if n == nil || c.AsOf == 0 && n.Levels() == 0 || c.AsOf != 0 && n.AsOf != c.AsOf { // it is gone, or others have it in hand
		return d.nextUp(ctx, c, nil)
	}
	var below ident.Node
	if c.AsOf == 0 && c.At > 0 {
		below = c.Nodes[c.At-1]
	}
	next, err := d.page(ctx, at, c.After, func(child *hierarchy.Node) {
		levels := child.Levels()
		if child.ID == below {
			levels = c.Will
		}
		c.Highest = max(c.Highest, 1+levels)
	})
	if err != nil {
		return false, err
	}
	if c.After = next; next != "" && c.Highest < n.Levels() {
		return false, nil
	}
	return d.nextUp(ctx, c, n)
}

// nextUp goes on to the next node of a climb when all children of one were read that count: nil when that one cannot be measured.
func (d *Directory) nextUp(ctx context.Context, c *climb, n *hierarchy.Node) (done bool, err error) {
	if c.AsOf > 0 {
		if n != nil {
			err = d.store.Commit(ctx, LowerHeight{Node: n.ID, AsOf: c.AsOf, Height: c.Highest, Else: ErrChanged})
		}
		if err != nil && !errors.Is(err, ErrChanged) {
			return false, err
		}
		c.At, c.After, c.Highest = c.At+1, "", 0
		return c.At == len(c.Nodes), nil
	}
	if n != nil && c.Highest < n.Levels() { // it becomes lower, and so may its parent
		parent, err := d.parentOf(ctx, n)
		if err != nil {
			return false, err
		}
		if parent != nil && parent.Levels() == n.Levels()+1 {
			c.Nodes, c.At, c.Will, c.After, c.Highest = append(c.Nodes, parent.ID), c.At+1, c.Highest, "", 0
			return false, nil
		}
	} else {
		c.Nodes = c.Nodes[:c.At]
	}
	c.At, c.After, c.Highest = 0, "", 0
	if len(c.Nodes) > 0 {
		c.AsOf, err = d.beginMeasuring(ctx, c.Nodes)
	}
	return c.AsOf == 0, err
}

func (d *Directory) parentOf(ctx context.Context, n *hierarchy.Node) (*hierarchy.Node, error) {
	if n.Parent == "" {
		return nil, nil
	}
	got, err := d.store.Read(ctx, Want{Nodes: []ident.Node{n.Parent}})
	return got.Nodes[n.Parent], err
}

// page calls see for child partners of a node, and returns where the next page begins, "" at the end. When the node has customers, see is
// first called for one of them: they are all alike.
func (d *Directory) page(ctx context.Context, node ident.Node, after string, see func(child *hierarchy.Node)) (next string, err error) {
	if after == "" {
		customers, err := d.store.Children(ctx, node, hierarchy.Customer, true, "", 1)
		if err != nil {
			return "", err
		}
		for i := range customers.Items {
			see(&customers.Items[i])
		}
	}
	partners, err := d.store.Children(ctx, node, hierarchy.Partner, true, after, readAtOnce)
	if err != nil || len(partners.Items) == 0 {
		return partners.Next, err
	}
	ids := make([]ident.Node, len(partners.Items))
	for i := range partners.Items {
		ids[i] = partners.Items[i].ID
	}
	got, err := d.store.Read(ctx, Want{Nodes: ids})
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		if child := got.Nodes[id]; child != nil {
			see(child)
		}
	}
	return partners.Next, nil
}

// beginMeasuring begins to measure some nodes, and returns the AsOf that they have since. It returns 0 when others keep changing them, or
// one of them is gone.
func (d *Directory) beginMeasuring(ctx context.Context, ids []ident.Node) (asOf int64, err error) {
	for range attempts {
		got, err := d.store.Read(ctx, Want{Nodes: ids})
		if err != nil {
			return 0, err
		}
		asOf := got.Tree.Seq + 1
		steps := []Step{NextSeq{Seq: asOf, Else: ErrChanged}}
		for _, id := range ids {
			n := got.Nodes[id]
			if n == nil {
				return 0, nil
			}
			steps = append(steps, MeasureHeight{Was: n, Place: got.Tree.Place(n), AsOf: asOf, Else: ErrChanged})
		}
		if err := d.store.Commit(ctx, steps...); !errors.Is(err, ErrChanged) {
			return asOf, err
		}
	}
	return 0, nil
}

// climbUntil climbs until the deadline.
func (d *Directory) climbUntil(ctx context.Context, c *climb, deadline time.Time) error {
	for done := c == nil; !done && d.now().Before(deadline); {
		var err error
		if done, err = d.climb(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of what is done for a move that is refused because of bounds that may be too high.
const (
	maxLooks    = 40 // pages of children
	maxMeasured = 60 // nodes: a transaction has room for these and the tree state
)

// descent is what is found in a walk down to where bounds are too high.
type descent struct {
	looks   int
	tooHigh []ident.Node // each after those below it
}

// fits measures what keeps a node from having at most so many levels below it, and reports whether it has no more then. It does only so
// much at a time: the next call goes on.
func (d *Directory) fits(ctx context.Context, n *hierarchy.Node, most int) (bool, error) {
	var found descent
	if _, _, err := d.tooHigh(ctx, &found, n, most); err != nil || len(found.tooHigh) == 0 {
		return false, err
	}
	c := &climb{Nodes: found.tooHigh[:min(len(found.tooHigh), maxMeasured)]}
	asOf, err := d.beginMeasuring(ctx, c.Nodes)
	if err != nil || asOf == 0 {
		return false, err
	}
	c.AsOf = asOf
	for done := false; !done; {
		if done, err = d.climb(ctx, c); err != nil {
			return false, err
		}
	}
	got, err := d.store.Read(ctx, Want{Nodes: []ident.Node{n.ID}})
	if err != nil {
		return false, err
	}
	now := got.Nodes[n.ID]
	return now != nil && now.Levels() <= most, nil
}

// tooHigh finds the nodes at and below one that are higher than they need to be, if that is what makes it higher than most. It returns how many
// levels the node will have when all of them are measured, and whether that is no more than most.
func (d *Directory) tooHigh(ctx context.Context, found *descent, n *hierarchy.Node, most int) (levels int, fit bool, err error) {
	if most < 0 || n.Levels() <= most {
		return n.Levels(), most >= 0, nil
	}
	for after, more := "", true; more; more = after != "" {
		if found.looks++; found.looks > maxLooks {
			return 0, false, nil
		}
		var children []*hierarchy.Node
		if after, err = d.page(ctx, n.ID, after, func(child *hierarchy.Node) { children = append(children, child) }); err != nil {
			return 0, false, err
		}
		for _, child := range children {
			will, fit, err := d.tooHigh(ctx, found, child, most-1)
			if err != nil || !fit {
				return 0, false, err
			}
			levels = max(levels, 1+will)
		}
	}
	found.tooHigh = append(found.tooHigh, n.ID)
	return levels, true, nil
}
