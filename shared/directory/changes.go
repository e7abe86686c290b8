package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
)

// Changed is the answer to a change of a whole subtree. It is in effect for all of the subtree from the commit on.
type Changed struct {
	Job  ident.Job `json:",omitzero"` // writes the change into the subtree; "": it was so already and nothing was done
	Node Node      // the top of the subtree as it is now
}

// JobID returns the job that writes the change into the subtree, "" when nothing was changed.
func (c Changed) JobID() ident.Job { return c.Job }

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
			return d.move(ctx, c, v, m, "")
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

// levels is how many levels the move adds at most below the new parent.
func (m *moving) levels() int { return 1 + m.node.Levels() }

// room is how many levels there may be below the node at the new parent.
func (m *moving) room() int { return hierarchy.MaxDepth - m.to.Path.Depth() - 1 }

// intoItself reports whether the new parent is the node itself or lies below it.
func (m *moving) intoItself() bool { return m.to.Path.Index(m.node.ID) >= 0 }

// blocks is all that keeps the node from being moved there, whatever else is going on.
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
	if m.node.Levels() > m.room() {
		// Not how deep the new parent is: that would tell how much is hidden above where the caller begins.
		add(fault.DepthLimit.New("A tree can be at most %d nodes deep, and the move adds up to %d levels below the new parent. Choose a parent further up.",
			hierarchy.MaxDepth, m.levels()))
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

// move prepares a move that the caller has the right to; request is the move request that it accepts, "" when there is none.
func (d *Directory) move(ctx context.Context, c Caller, v *View, m moving, request ident.MoveRequest) (Plan[Changed], error) {
	try, blocks, err := d.moved(ctx, c, v, m, request)
	if err != nil {
		return Plan[Changed]{}, err
	}
	if len(blocks) > 0 {
		return Plan[Changed]{}, blocks[0]
	}
	parents, err := d.moveBetween(ctx, c, v, m)
	if err != nil {
		return Plan[Changed]{}, err
	}
	try.Steps = append(try.Steps, parents...)
	return try, nil
}

// moved is the node's own part in a move, or everything that the move is refused for: the parents' part refuses nothing. The error is
// ErrChanged when the move seemed too deep by a bound that was too high.
func (d *Directory) moved(ctx context.Context, c Caller, v *View, m moving, request ident.MoveRequest) (Plan[Changed], []*fault.Error, error) {
	blocks := m.blocks()
	if slices.ContainsFunc(blocks, func(b *fault.Error) bool { return fault.DepthLimit.Is(b) }) {
		if fits, err := d.fits(ctx, m.node, m.room()); err != nil || fits {
			return Plan[Changed]{}, nil, cmp.Or(err, ErrChanged)
		}
	}
	if err := Match(c.IfMatch, m.node.Version); err != nil {
		blocks = append(blocks, fault.From(err))
	}
	c.IfMatch = nil
	try, err := d.placed(c, v, m, request)
	if refusal := new(fault.Error); errors.As(err, &refusal) {
		blocks, err = append(blocks, refusal), nil
	}
	return try, blocks, err
}

func (d *Directory) placed(c Caller, v *View, m moving, request ident.MoveRequest) (Plan[Changed], error) {
	now := *m.node
	now.Parent, now.Place = m.dest.ID, m.place()
	change := hierarchy.Change{Kind: hierarchy.Moved, Path: now.Place.Path, Marks: m.to.Marks, From: v.Tree.Left(m.from.Path)}
	return d.commitSubtree(c, v, m.node, &now, change, func(job event.Job) event.Payload {
		return event.MovedData{From: m.node.Parent, To: m.dest.ID, MoveRequestID: request, Job: job}
	})
}

// Suspend suspends a node with all that is below it: grants at or below it count for nothing, and nothing there changes, until it
// is resumed. The reason is for the record. It needs admin above the node.
func (d *Directory) Suspend(ctx context.Context, c Caller, id ident.Node, reason string) (Changed, error) {
	return d.mark(ctx, c, id, hierarchy.Suspended, true, func(job event.Job) event.Payload {
		return event.SuspendedData{Reason: reason, Job: job}
	})
}

// Resume ends the suspension of a node. What is suspended further up, or further down, stays so. It needs admin above the node.
func (d *Directory) Resume(ctx context.Context, c Caller, id ident.Node) (Changed, error) {
	return d.mark(ctx, c, id, hierarchy.Suspended, false, func(job event.Job) event.Payload { return event.ResumedData{Job: job} })
}

// SetCanProvision allows a partner, and all below that is not forbidden it further down, to provision services, or forbids it. It
// needs admin above the partner.
func (d *Directory) SetCanProvision(ctx context.Context, c Caller, id ident.Node, can bool) (Node, error) {
	done, err := d.mark(ctx, c, id, hierarchy.NoProvisioning, !can, func(job event.Job) event.Payload {
		return event.ProvisioningChangedData{CanProvisionServices: can, Job: job}
	})
	return done.Node, err
}

// mark puts a mark on a node or takes it off.
func (d *Directory) mark(ctx context.Context, c Caller, id ident.Node, kind hierarchy.MarkKind, on bool, data jobData) (Changed, error) {
	return Do(ctx, d, c, id, access.ManageSubtree, Want{}, func(v *View, node *hierarchy.Node, dec access.Decision) (Plan[Changed], error) {
		m := hierarchy.Mark{Node: id, Kind: kind}
		now, change := *node, hierarchy.Change{Kind: hierarchy.Unmarked, Mark: m}
		now.Place = dec.Place
		now.Place.Marks = slices.DeleteFunc(slices.Clone(dec.Place.Marks), func(o hierarchy.Mark) bool { return o == m })
		if slices.Contains(dec.Place.Marks, m) == on { // also in the trash, and below something suspended
			return Plan[Changed]{Answer: Changed{Node: seenBy(node, dec)}}, nil
		}
		if err := Untrashed(now.Place); err != nil { // when it is in the trash for its own mark alone, it can be restored
			return Plan[Changed]{}, err
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
		return d.commitSubtree(c, v, node, &now, change, data)
	})
}

// commitSubtree commits what happened to the subtree below was: the node itself gets its new place at once, and the rest has it by the
// tree state until it is settled.
func (d *Directory) commitSubtree(c Caller, v *View, was, now *hierarchy.Node, change hierarchy.Change, data jobData) (
	Plan[Changed], error) {
	if err := Match(c.IfMatch, was.Version); err != nil {
		return Plan[Changed]{}, err
	}
	steps, j, err := d.place(c, &v.Tree, was, now, change, data)
	if err != nil {
		return Plan[Changed]{}, err
	}
	dec := access.Decide(v.Caller, &hierarchy.TreeState{}, now, access.Read)
	return Plan[Changed]{Changed{j.ID, seenBy(now, dec)}, steps}, nil
}

// jobData makes the data of the event that begins a job.
type jobData func(job event.Job) event.Payload

// place is the steps of change.
func (d *Directory) place(c Caller, tree *hierarchy.TreeState, was, now *hierarchy.Node, change hierarchy.Change, data jobData) ([]Step, *job.Job, error) {
	steps, j, err := d.announce(tree, was.ID, kindOf(change), change)
	if err != nil {
		return nil, nil, err
	}
	now.AsOf, now.Version, now.Updated = tree.Seq+1, was.Version+1, j.Created
	happened := d.Event(c, was.ID, now.Place.Path, data(event.Job{JobID: j.ID}))
	if change.Kind == hierarchy.Moved {
		happened.Event.Left = tree.Place(was).Path
	}
	return append(steps, PlaceNode{Was: was, Now: now, Else: func(now *hierarchy.Node) error {
		if now == nil {
			return access.Hidden()
		}
		return ErrChanged
	}}, happened), j, nil
}

// kindOf returns the kind of the job that settles a change.
func kindOf(c hierarchy.Change) job.Kind {
	switch on := c.Kind == hierarchy.Marked; {
	case c.Kind == hierarchy.Moved:
		return MoveJob
	case c.Mark.Kind == hierarchy.NoProvisioning:
		return ProvisioningJob
	case c.Mark.Kind == hierarchy.Purged:
		return PurgeJob
	case c.Mark.Kind == hierarchy.Suspended && on:
		return SuspendJob
	case c.Mark.Kind == hierarchy.Suspended:
		return ResumeJob
	case on:
		return TrashJob
	default:
		return RestoreJob
	}
}

// announce adds a change to the tree state that was read, and begins the job that settles the change.
func (d *Directory) announce(tree *hierarchy.TreeState, node ident.Node, kind job.Kind, change hierarchy.Change) ([]Step, *job.Job, error) {
	if !tree.Room(&change) {
		err := fault.TooManyChanges.New("%d changes of whole subtrees are still being settled, and there is no room for another change. Repeat the request later.",
			len(tree.Changes))
		err.RetryAfter = retrySettled
		return nil, nil, err
	}
	change.Seq, change.Node = tree.Seq+1, node
	j := settling(kind, node, strconv.FormatInt(change.Seq, 10), d.now())
	return []Step{AddChange{Change: change, Else: ErrChanged}, Put{Now: j, Else: ErrExists}}, j, nil
}
