package directory

import (
	"context"
	"slices"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Changed is the answer to a change of a whole subtree. It is in effect for all of the subtree from the commit on.
type Changed struct {
	Change *Progress // nil: it was so already and nothing was done
	Node   Node      // the top of the subtree as it is now
}

// retrySettled is after how long it is worth trying again when too many changes are being settled.
const retrySettled = 30 * time.Second

// Move gives a node, with all that is below it, another parent. It needs admin above the node and at its new parent; the brands
// that the node draws have to be usable there.
func (d *Directory) Move(ctx context.Context, c Caller, id, to ident.Node) (Changed, error) {
	return Do(ctx, d, c, id, access.ManageSubtree, Want{Nodes: []ident.Node{to}},
		func(v *View, node *hierarchy.Node, dec access.Decision) (Plan[Changed], error) {
			dest, at, err := v.Decide(to, access.CreatePartner)
			m := moving{node, dest, dec.Place, at.Place}
			switch {
			case err != nil:
				return Plan[Changed]{}, err
			case m.there():
				return Plan[Changed]{Answer: Changed{Node: seenBy(node, dec)}}, nil
			}
			return d.move(ctx, c, v, m, map[string]any{})
		})
}

// moving is a node and where it is to be moved, as they were read.
type moving struct {
	node, dest *hierarchy.Node
	from, to   hierarchy.Place // of node, and of dest
}

// there reports whether there is nothing to move.
func (m *moving) there() bool { return m.node.Parent == m.dest.ID }

// place is where the node will be.
func (m *moving) place() hierarchy.Place {
	return hierarchy.Place{Path: m.to.Path.Child(m.node.ID), Marks: append(slices.Clone(m.to.Marks), m.node.OwnMarks()...)}
}

// intoItself reports whether the new parent is the node itself or lies below it.
func (m *moving) intoItself() bool { return m.to.Path.Index(m.node.ID) >= 0 }

// blocks is all that keeps the node from being moved. A move is refused with the first.
func (m *moving) blocks() []*fault.Error {
	var all []*fault.Error
	add := func(err error) {
		if err != nil {
			all = append(all, fault.From(err))
		}
	}
	if m.intoItself() {
		add(movesIntoItself())
	}
	add(Untrashed(m.from))
	if m.to.Top(hierarchy.Trashed) != m.from.Top(hierarchy.Trashed) {
		add(Untrashed(m.to))
	}
	if m.to.Path.Depth()+1+m.node.Height > hierarchy.MaxDepth {
		add(fault.DepthLimit.New("A tree can be at most %d nodes deep. The new parent is at level %d, and the move adds up to %d levels below that parent. "+
			"Choose a parent further up.", hierarchy.MaxDepth, m.to.Path.Depth(), 1+m.node.Height))
	}
	for _, b := range m.missing() {
		add(usable(m.dest, []ident.Brand{b}))
	}
	return all
}

func movesIntoItself() error {
	return fault.MoveIntoItself.New("The new parent is the moved node itself or is below that node. Choose another parent.")
}

// missing are the brands that the node draws and that are not usable at the new parent.
func (m *moving) missing() []ident.Brand { return without(m.node.Draws(), m.dest.Brands.List()) }

// move prepares a move that the caller has the right to; data goes into its event, with what every move tells.
func (d *Directory) move(ctx context.Context, c Caller, v *View, m moving, data map[string]any) (Plan[Changed], error) {
	if blocks := m.blocks(); len(blocks) > 0 {
		return Plan[Changed]{}, blocks[0]
	}
	parents, err := d.moveBetween(ctx, c, m.node, m.dest, m.to.Path)
	if err != nil {
		return Plan[Changed]{}, err
	}
	try, err := d.moved(c, v, m, data)
	try.Steps = append(try.Steps, parents...)
	return try, err
}

// moved is the node's own part in a move.
func (d *Directory) moved(c Caller, v *View, m moving, data map[string]any) (Plan[Changed], error) {
	now := *m.node
	now.Parent, now.Place = m.dest.ID, m.place()
	data["from"], data["to"] = m.node.Parent, m.dest.ID
	change := hierarchy.Change{Kind: hierarchy.Moved, Path: now.Place.Path, Marks: m.to.Marks, From: v.Tree.Left(m.from.Path)}
	return d.commitSubtree(c, v, m.node, &now, change, byKind(m.node, event.PartnerMoved, event.CustomerMoved), data)
}

// Suspend suspends a node with all that is below it: grants at or below it count for nothing, and nothing there changes, until it
// is resumed. The reason is for the record. It needs admin above the node.
func (d *Directory) Suspend(ctx context.Context, c Caller, id ident.Node, reason string) (Changed, error) {
	return d.mark(ctx, c, id, hierarchy.Suspended, true, event.PartnerSuspended, event.CustomerSuspended, map[string]any{"reason": reason})
}

// Resume ends the suspension of a node. What is suspended further up, or further down, stays so. It needs admin above the node.
func (d *Directory) Resume(ctx context.Context, c Caller, id ident.Node) (Changed, error) {
	return d.mark(ctx, c, id, hierarchy.Suspended, false, event.PartnerResumed, event.CustomerResumed, map[string]any{})
}

// SetCanProvision allows a partner, and all below that is not forbidden it further down, to provision services, or forbids it. It
// needs admin above the partner.
func (d *Directory) SetCanProvision(ctx context.Context, c Caller, id ident.Node, can bool) (Node, error) {
	done, err := d.mark(ctx, c, id, hierarchy.NoProvisioning, !can, event.ProvisioningChanged, "", map[string]any{"canProvisionServices": can})
	return done.Node, err
}

// mark puts a mark on a node or takes it off.
func (d *Directory) mark(ctx context.Context, c Caller, id ident.Node, kind hierarchy.MarkKind, on bool, partner, customer event.Type,
	data map[string]any) (Changed, error) {
	return Do(ctx, d, c, id, access.ManageSubtree, Want{}, func(v *View, node *hierarchy.Node, dec access.Decision) (Plan[Changed], error) {
		m := hierarchy.Mark{Node: id, Kind: kind}
		now, change := *node, hierarchy.Change{Kind: hierarchy.Unmarked, Mark: m}
		now.Place = dec.Place
		now.Place.Marks = slices.DeleteFunc(slices.Clone(dec.Place.Marks), func(o hierarchy.Mark) bool { return o == m })
		if err := Untrashed(now.Place); err != nil { // when it is in the trash for its own mark alone, it can be restored
			return Plan[Changed]{}, err
		}
		if slices.Contains(dec.Place.Marks, m) == on {
			return Plan[Changed]{Answer: Changed{Node: seenBy(node, dec)}}, nil
		}
		if kind == hierarchy.NoProvisioning {
			if err := Live(now.Place); err != nil {
				return Plan[Changed]{}, err
			}
		}
		if on {
			change.Kind = hierarchy.Marked
			now.Place.Marks = append(now.Place.Marks, m)
		}
		if kind == hierarchy.Trashed {
			if now.Trashed = (time.Time{}); on {
				now.Trashed = d.now()
			}
		}
		return d.commitSubtree(c, v, node, &now, change, byKind(node, partner, customer), data)
	})
}

// commitSubtree commits what happened to the subtree below was: the node itself gets its new place at once, and the rest has it by the
// tree state until it is settled.
func (d *Directory) commitSubtree(c Caller, v *View, was, now *hierarchy.Node, change hierarchy.Change, t event.Type, data map[string]any) (
	Plan[Changed], error) {
	if err := Match(c.IfMatch, was.Version); err != nil {
		return Plan[Changed]{}, err
	}
	steps, p, err := d.place(c, &v.Tree, was, now, change, t, data)
	if err != nil {
		return Plan[Changed]{}, err
	}
	dec := access.Decide(v.Caller, &hierarchy.TreeState{}, now, access.Read)
	return Plan[Changed]{Changed{p, seenBy(now, dec)}, steps}, nil
}

// place is the steps of change.
func (d *Directory) place(c Caller, tree *hierarchy.TreeState, was, now *hierarchy.Node, change hierarchy.Change, t event.Type,
	data map[string]any) ([]Step, *Progress, error) {
	steps, p, err := d.announce(tree, was.ID, change)
	if err != nil {
		return nil, nil, err
	}
	now.AsOf, now.Version, now.Updated = p.Seq, was.Version+1, p.Started
	data["changeId"] = p.ID
	happened := d.Event(c, t, was.ID, now.Place.Path, data)
	if change.Kind == hierarchy.Moved {
		happened.Event.Left = tree.Place(was).Path
	}
	return append(steps, PlaceNode{Was: was, Now: now, Else: func(now *hierarchy.Node) error {
		if now == nil {
			return access.Hidden()
		}
		return ErrChanged
	}}, happened), p, nil
}

// announce adds a change to the tree state that was read.
func (d *Directory) announce(tree *hierarchy.TreeState, node ident.Node, change hierarchy.Change) ([]Step, *Progress, error) {
	if !tree.Room(&change) {
		err := fault.TooManyChanges.New("%d changes of whole subtrees are still being settled, and there is no room for another change. Repeat the request later.",
			len(tree.Changes))
		err.RetryAfter = retrySettled
		return nil, nil, err
	}
	change.Seq, change.Node = tree.Seq+1, node
	p := Progress{ID: ident.NewChange(), Seq: change.Seq, Node: node, Kind: change.Kind, State: Settling, Started: d.now(), Version: 1}
	p.Updated = p.Started
	return []Step{AddChange{Change: change, Else: ErrChanged}, Put{Now: &p, Else: ErrExists}}, &p, nil
}

func byKind(n *hierarchy.Node, partner, customer event.Type) event.Type {
	if n.Kind() == hierarchy.Customer {
		return customer
	}
	return partner
}

// Change tells how far a change is, to those who reach the top of its subtree.
func (d *Directory) Change(ctx context.Context, c Caller, id ident.Change) (Progress, error) {
	_, p, _, _, err := ReachOf(ctx, d, c, Changes, id, func(p *Progress) ident.Node { return p.Node }, access.Read)
	if err != nil {
		return Progress{}, err
	}
	return *p, nil
}
