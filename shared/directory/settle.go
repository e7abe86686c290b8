package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Progress is how far the settling of a change is, for people to see.
type Progress struct {
	ID      ident.Change
	Seq     int64
	Node    ident.Node // the top of the subtree
	Kind    hierarchy.ChangeKind
	State   ProgressState
	Nodes   int64 // looked at so far, in the present walk
	Started time.Time
	Updated time.Time
	Version int64
}

// ProgressState is where a change is on its way from in effect to settled. It is in effect from the beginning.
type ProgressState string

// The states.
const (
	Settling ProgressState = "settling" // nodes are being rewritten
	Waiting  ProgressState = "waiting"  // all are; the grace for reads under way runs
	Settled  ProgressState = "settled"  // the change has left the tree state
)

// Changes are kept as records: how far each is.
var Changes = record.NewKind("progress", func(id ident.Change) *Progress { return &Progress{ID: id} })

// Ref implements record.Record.
func (p *Progress) Ref() record.Ref { return Changes.Ref(p.ID) }

// Lists implements record.Record.
func (p *Progress) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (p *Progress) Code(c *record.Coder) {
	record.Number(c, "seq", &p.Seq)
	record.Text(c, "node", &p.Node)
	record.Text(c, "kind", &p.Kind)
	record.Text(c, "state", &p.State)
	record.Number(c, "nodes", &p.Nodes)
	c.Time("started", &p.Started)
	c.Time("updated", &p.Updated)
	c.Version(&p.Version)
}

// Grace is how long a change stays in the tree state after its last node was rewritten. A read is no snapshot: a node that was
// read just before it was rewritten must not meet a tree state that the change has left. So every attempt to read ends far
// sooner.
const Grace = 60 * time.Second

// ErrUnknownChange is the error of settling a change that there is not.
var ErrUnknownChange = errors.New("there is no such change")

// ErrNotWalked is the error of retiring a change whose nodes are not all rewritten.
var ErrNotWalked = errors.New("the change is not written into all its nodes yet")

// SettleResult is how far Settle came.
type SettleResult struct {
	Done   bool   // nothing is left to rewrite: Retire may follow after Grace
	Resume string // where to go on; any walk may also begin again with ""
	Nodes  int64  // looked at so far
}

// Bounds of one step of settling.
const (
	walkPartners  = 40  // child partners on a page: each is remembered in Resume until the walk has been there
	walkCustomers = 90  // customers on a page: as many as one batch reads
	rewriteAtOnce = 25  // nodes in one transaction
	maxResume     = 200 // KiB; Step Functions carries 256
)

// walk is where settling is: a stack of the lists that are still to be read, or of a purge the nodes that are still to be emptied
// out, each below the one before. It is what Resume holds.
type walk struct {
	Nodes int64        `json:"nodes"`
	Open  []visit      `json:"open,omitempty"`
	Purge []ident.Node `json:"purge,omitempty"`
}

func (w *walk) done() bool { return len(w.Open)+len(w.Purge) == 0 }

// visit is a node whose children of one kind are to be looked at, from a position on.
type visit struct {
	Node  ident.Node     `json:"node"`
	Kind  hierarchy.Kind `json:"kind"`
	After string         `json:"after,omitempty"`
}

// Settle writes a change into the nodes of its subtree, or erases them when it is a purge, for about as long as budget but at least
// one page. It walks down along the lists of children, which are strongly consistent, and reads a list only after the parent's own
// item was rewritten: from then on what is created there copies the new place. What is renamed meanwhile sees to itself
// (keepCovered). It can end anywhere, run twice at a time, and begin again.
func (d *Directory) Settle(ctx context.Context, id ident.Change, resume string, budget time.Duration) (SettleResult, error) {
	began := d.now()
	p, tree, err := d.progress(ctx, id)
	if err != nil {
		return SettleResult{}, err
	}
	if p.State != Settling {
		return SettleResult{Done: true, Nodes: p.Nodes}, nil
	}
	purge := slices.ContainsFunc(tree.Changes, func(c hierarchy.Change) bool { return c.Seq == p.Seq && c.Mark.Kind == hierarchy.Purged })
	var w walk
	if resume == "" || json.Unmarshal([]byte(resume), &w) != nil || w.done() || purge != (len(w.Purge) > 0) {
		if w, err = d.beginWalk(ctx, p, purge); err != nil {
			return SettleResult{}, err
		}
	}
	for !w.done() {
		if purge {
			err = d.emptyOut(ctx, &w, began.Add(budget))
		} else {
			err = d.visit(ctx, p.Seq, &w)
		}
		if err != nil && !errors.Is(err, errLater) {
			return SettleResult{}, err
		}
		if d.now().Sub(began) >= budget {
			break
		}
	}
	result := SettleResult{Done: w.done(), Nodes: w.Nodes}
	state := Waiting
	if !result.Done {
		state = Settling
		b, err := json.Marshal(w)
		if err != nil {
			return SettleResult{}, err
		}
		if result.Resume = string(b); len(b) > maxResume<<10 {
			return SettleResult{}, fmt.Errorf("the walk of %s has %d bytes to remember", id, len(b))
		}
	}
	return result, d.advance(ctx, p, state, w.Nodes)
}

func (d *Directory) beginWalk(ctx context.Context, p *Progress, purge bool) (walk, error) {
	switch {
	case purge:
		return walk{Purge: []ident.Node{p.Node}}, nil
	case hierarchy.KindOf(p.Node) == hierarchy.Customer:
		return walk{Nodes: 1}, d.rewrite(ctx, p.Seq, []ident.Node{p.Node})
	}
	return walk{Nodes: 1, Open: []visit{{Node: p.Node, Kind: hierarchy.Partner}}}, d.rewrite(ctx, p.Seq, []ident.Node{p.Node})
}

// visit looks at one page of children.
func (d *Directory) visit(ctx context.Context, seq int64, w *walk) error {
	at := w.Open[len(w.Open)-1]
	limit := walkCustomers
	if at.Kind == hierarchy.Partner {
		limit = walkPartners
	}
	page, err := d.store.Children(ctx, at.Node, at.Kind, true, at.After, limit)
	if err != nil {
		return err
	}
	ids := make([]ident.Node, len(page.Items))
	for i := range page.Items {
		ids[i] = page.Items[i].ID
	}
	if err := d.rewrite(ctx, seq, ids); err != nil {
		return err
	}
	w.Nodes += int64(len(ids))
	w.Open = w.Open[:len(w.Open)-1]
	switch {
	case page.Next != "":
		w.Open = append(w.Open, visit{at.Node, at.Kind, page.Next})
	case at.Kind == hierarchy.Partner:
		w.Open = append(w.Open, visit{Node: at.Node, Kind: hierarchy.Customer})
	}
	if at.Kind == hierarchy.Partner {
		for _, id := range ids {
			w.Open = append(w.Open, visit{Node: id, Kind: hierarchy.Partner})
		}
	}
	return nil
}

// rewrite makes those of the nodes that do not have the change yet store their canonical place.
func (d *Directory) rewrite(ctx context.Context, seq int64, ids []ident.Node) error {
	ids, atOnce := slices.Clone(ids), rewriteAtOnce
	for range attempts * rewriteAtOnce {
		if len(ids) == 0 {
			return nil
		}
		got, err := d.store.Read(ctx, Want{Nodes: ids})
		if err != nil {
			return err
		}
		ids = slices.DeleteFunc(ids, func(id ident.Node) bool { n := got.Nodes[id]; return n == nil || n.AsOf >= seq })
		for some := range slices.Chunk(ids, atOnce) {
			steps := make([]Step, len(some))
			for i, id := range some {
				n := got.Nodes[id]
				steps[i] = Rewrite{Node: id, WasAsOf: n.AsOf, Place: got.Tree.Place(n), AsOf: got.Tree.Seq, Else: ErrChanged}
			}
			if err := d.store.Commit(ctx, steps...); errors.Is(err, ErrChanged) {
				atOnce = 1 // one of them must not keep the others
			} else if err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%d nodes below a change were rewritten by others again and again", len(ids))
}

// Retire takes a change whose nodes are all rewritten out of the tree state. Whoever calls it has waited for Grace since Settle
// was done.
func (d *Directory) Retire(ctx context.Context, id ident.Change) error {
	p, _, err := d.progress(ctx, id)
	switch {
	case err != nil:
		return err
	case p.State == Settling:
		return ErrNotWalked
	}
	return d.advance(ctx, p, Settled, p.Nodes, DropChange{p.Seq})
}

func (d *Directory) progress(ctx context.Context, id ident.Change) (*Progress, *hierarchy.TreeState, error) {
	got, err := d.store.Read(ctx, Want{Records: Changes.Refs(id)})
	if err != nil {
		return nil, nil, err
	}
	if p := Changes.In(got.Records, id); p != nil {
		return p, &got.Tree, nil
	}
	return nil, nil, ErrUnknownChange
}

// order is the order of the states: progress never goes back, whoever else is at it.
var order = []ProgressState{Settling, Waiting, Settled}

// advance notes how far a change is, together with what belongs to it, unless it is further already.
func (d *Directory) advance(ctx context.Context, p *Progress, state ProgressState, nodes int64, with ...Step) error {
	_, err := Retry(func() (struct{}, error) {
		if slices.Index(order, p.State) > slices.Index(order, state) || p.State == Settled {
			return struct{}{}, nil
		}
		now := *p
		now.State, now.Nodes, now.Updated, now.Version = state, nodes, d.now(), p.Version+1
		err := d.store.Commit(ctx, append(slices.Clip(with), Put{Was: p, Now: &now, Else: ErrChanged})...)
		if errors.Is(err, ErrChanged) {
			latest, _, readErr := d.progress(ctx, p.ID)
			if readErr != nil {
				return struct{}{}, readErr
			}
			p = latest
		}
		return struct{}{}, err
	})
	return err
}
