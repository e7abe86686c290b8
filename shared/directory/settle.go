package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
)

// The kinds of jobs that settle a change to a whole subtree. The change is in effect when its job begins.
const (
	MoveJob         job.Kind = "move"
	RenameJob       job.Kind = "rename" // of a node whose subtree another change is being written into
	SuspendJob      job.Kind = "suspend"
	ResumeJob       job.Kind = "resume"
	TrashJob        job.Kind = "trash"
	RestoreJob      job.Kind = "restore"
	PurgeJob        job.Kind = "purge"
	ProvisioningJob job.Kind = "provisioning-switch"
)

// The steps of settling. A job succeeds when its change has left the tree state.
const (
	RewriteStep = "rewrite" // each node gets its new place, or is erased by a purge
	GraceStep   = "grace"   // all nodes have it; reads under way come to their end
)

// settlingKinds are the kinds above.
var settlingKinds = []job.Kind{MoveJob, RenameJob, SuspendJob, ResumeJob, TrashJob, RestoreJob, PurgeJob, ProvisioningJob}

// ChangeOf returns the number of the change that a job settles. It refuses a job that does something else.
func ChangeOf(j *job.Job) (seq int64, err error) {
	if !slices.Contains(settlingKinds, j.Kind) {
		return 0, ErrUnknownJob
	}
	if seq, err = strconv.ParseInt(j.Input, 10, 64); err != nil {
		return 0, fmt.Errorf("%s has no number of a change", j.ID)
	}
	return seq, nil
}

// settling returns the new job that settles the change with a number.
func settling(kind job.Kind, top ident.Node, seq string, now time.Time) *job.Job {
	return job.Begin(kind, top, seq, now, RewriteStep, GraceStep)
}

// Grace is how long a change stays in the tree state after its last node was rewritten. A read is no snapshot: a node that was
// read just before it was rewritten must not meet a tree state that the change has left. So every attempt to read ends far
// sooner.
const Grace = 60 * time.Second

// ErrUnknownJob is the error of settling by a job that does not exist, or that settles nothing.
var ErrUnknownJob = errors.New("no job with this id settles a change")

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
	maxResume     = 200 // KiB; an item of the table can have 400
)

// walk is where settling is: a stack of the lists that are still to be read, or of a purge the nodes that are still to be emptied
// out, each below the one before, and then those above that may be lower now. It is what Resume holds.
type walk struct {
	Nodes int64        `json:"nodes"`
	Open  []visit      `json:"open,omitempty"`
	Purge []ident.Node `json:"purge,omitempty"`
	Above *climb       `json:"above,omitempty"` // after the last of Purge
}

func (w *walk) done() bool { return len(w.Open)+len(w.Purge) == 0 && w.Above == nil }

// visit is a node whose children of one kind are to be looked at, from a position on.
type visit struct {
	Node  ident.Node     `json:"node"`
	Kind  hierarchy.Kind `json:"kind"`
	After string         `json:"after,omitempty"`
}

// Settle writes the change of a job into the nodes of its subtree, or erases them when it is a purge, for about as long as budget but at least
// one page. It walks down along the lists of children, which are strongly consistent, and reads a list only after the parent's own
// item was rewritten: from then on what is created there copies the new place. What is renamed meanwhile sees to itself
// (keepCovered). It can end anywhere, run twice at a time, and begin again.
func (d *Directory) Settle(ctx context.Context, id ident.Job, resume string, budget time.Duration) (SettleResult, error) {
	began := d.now()
	j, seq, tree, err := d.jobOf(ctx, id)
	if err != nil {
		return SettleResult{}, err
	}
	if j.Step() != RewriteStep {
		return SettleResult{Done: true, Nodes: j.Progress.Done}, nil
	}
	purge := slices.ContainsFunc(tree.Changes, func(c hierarchy.Change) bool { return c.Seq == seq && c.Mark.Kind == hierarchy.Purged })
	var w walk
	if resume == "" || json.Unmarshal([]byte(resume), &w) != nil || w.done() || purge != (len(w.Open) == 0) {
		if w, err = d.beginWalk(ctx, seq, j.Node, purge); err != nil {
			return SettleResult{}, err
		}
	}
	for !w.done() {
		if w.Above != nil {
			err = d.climbOn(ctx, &w)
		} else if purge {
			err = d.emptyOut(ctx, &w, began.Add(budget))
		} else {
			err = d.visit(ctx, seq, &w)
		}
		if err != nil && !errors.Is(err, errLater) {
			return SettleResult{}, err
		}
		if d.now().Sub(began) >= budget {
			break
		}
	}
	result := SettleResult{Done: w.done(), Nodes: w.Nodes}
	step := GraceStep
	if !result.Done {
		step = RewriteStep
		b, err := json.Marshal(w)
		if err != nil {
			return SettleResult{}, err
		}
		if result.Resume = string(b); len(b) > maxResume<<10 {
			return SettleResult{}, fmt.Errorf("the walk of %s has %d bytes to remember", id, len(b))
		}
	}
	return result, d.advance(ctx, j, nil, func(j *job.Job) (*job.Job, bool) {
		return j.Advance(step, job.Progress{Done: w.Nodes}, d.now())
	})
}

func (d *Directory) beginWalk(ctx context.Context, seq int64, top ident.Node, purge bool) (walk, error) {
	switch {
	case purge:
		return walk{Purge: []ident.Node{top}}, nil
	case hierarchy.KindOf(top) == hierarchy.Customer:
		return walk{Nodes: 1}, d.rewrite(ctx, seq, []ident.Node{top})
	}
	return walk{Nodes: 1, Open: []visit{{Node: top, Kind: hierarchy.Partner}}}, d.rewrite(ctx, seq, []ident.Node{top})
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

// Retire takes a change whose nodes are all rewritten out of the tree state, and ends its job. Whoever calls it has waited for Grace since
// Settle was done.
func (d *Directory) Retire(ctx context.Context, id ident.Job) error {
	j, seq, _, err := d.jobOf(ctx, id)
	switch {
	case err != nil:
		return err
	case j.Step() == RewriteStep:
		return ErrNotWalked
	}
	return d.advance(ctx, j, []Step{DropChange{seq}}, func(j *job.Job) (*job.Job, bool) { return j.Succeed(d.now()) })
}

// jobOf reads a job with the tree state, and returns the number of the change that the job settles with both.
func (d *Directory) jobOf(ctx context.Context, id ident.Job) (*job.Job, int64, *hierarchy.TreeState, error) {
	got, err := d.store.Read(ctx, Want{Records: job.Jobs.Refs(id)})
	if err != nil {
		return nil, 0, nil, err
	}
	j := job.Jobs.In(got.Records, id)
	if j == nil {
		return nil, 0, nil, ErrUnknownJob
	}
	seq, err := ChangeOf(j)
	return j, seq, &got.Tree, err
}

// advance writes what a job comes to, together with other steps. It writes nothing when the job is further already.
func (d *Directory) advance(ctx context.Context, j *job.Job, with []Step, next func(*job.Job) (*job.Job, bool)) error {
	_, err := Retry(func() (struct{}, error) {
		now, ok := next(j)
		if !ok {
			return struct{}{}, nil
		}
		err := d.store.Commit(ctx, append(slices.Clip(with), Put{Was: j, Now: now, Else: ErrChanged})...)
		if errors.Is(err, ErrChanged) {
			latest, _, _, readErr := d.jobOf(ctx, j.ID)
			if readErr != nil {
				return struct{}{}, readErr
			}
			j = latest
		}
		return struct{}{}, err
	})
	return err
}

// Job returns long work and how far it is, to those who may read the node that it belongs to.
func (d *Directory) Job(ctx context.Context, c Caller, id ident.Job) (job.Job, error) {
	_, j, _, _, err := ReachOf(ctx, d, c, job.Jobs, id, func(j *job.Job) ident.Node { return j.Node }, access.Read)
	if err != nil {
		return job.Job{}, err
	}
	return *j, nil
}
