package directory

import (
	"context"
	"errors"
	"slices"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Trash puts a node, with all that is below it, into the trash: it leaves the lists, grants at or below it count for nothing, and
// nothing there changes, until it is restored. After hierarchy.KeepTrash it is purged. It needs admin above the node.
func (d *Directory) Trash(ctx context.Context, c Caller, id ident.Node) (Changed, error) {
	return d.mark(ctx, c, id, hierarchy.Trashed, true, func(job event.Job) event.Payload { return event.TrashedData{Job: job} })
}

// Restore takes a node out of the trash. It is where it was, with all that was below it. It needs admin above the node, and
// nothing above it to be in the trash.
func (d *Directory) Restore(ctx context.Context, c Caller, id ident.Node) (Changed, error) {
	return d.mark(ctx, c, id, hierarchy.Trashed, false, func(job event.Job) event.Payload { return event.RestoredData{Job: job} })
}

// TrashItem is a node that was put into the trash. What lies below it is in the trash with it, and is no item of its own unless it
// was put there before.
type TrashItem struct {
	Descendant           // TrashedAt is the node itself, or one above it that is in the trash as well
	Since      time.Time // it is purged hierarchy.KeepTrash later
}

// TrashList lists what was put into the trash below a partner, as Descendants lists what was not.
func (d *Directory) TrashList(ctx context.Context, c Caller, id ident.Node, kind hierarchy.Kind, p Paging) (List[TrashItem], error) {
	return d.descend(ctx, c, id, kind, true, p)
}

// Swept is what one Purge came to.
type Swept struct {
	Purged int           // nodes that were put into the trash long enough ago and are gone for good now
	Behind time.Duration // how much longer than hierarchy.KeepTrash the oldest one that is left has been there; 0: none is left
}

// Bounds of Purge.
const (
	maxPurging   = 8   // changes in the tree state that are purges: most of the room there belongs to people
	sweptAtOnce  = 500 // of what is due: the first ones may be waiting
	grantsAtOnce = 50  // at a node that is erased
	erasedAtOnce = 90  // children of one kind, as many as one batch reads
)

// Purge purges what has been in the trash for hierarchy.KeepTrash, for about as long as budget. Of a node with something below
// it, or with brands of its own, only the commit is made by which nobody sees any of it any more: its event has the id of the
// job by which Settle erases all that is there. It can be killed anywhere, run twice at a time, and begin again.
// What fails does not keep it from the rest.
//
// A restore, and whatever else began before a node was trashed, has ended KeepTrash later: requests take seconds.
func (d *Directory) Purge(ctx context.Context, budget time.Duration) (Swept, error) {
	var swept Swept
	for deadline := d.now().Add(budget); ; {
		until := d.now().Add(-hierarchy.KeepTrash)
		due, err := d.store.PurgeQueue(ctx, until, sweptAtOnce)
		if err != nil {
			return swept, err
		}
		swept.Behind = 0
		gone, failed := 0, error(nil)
		for i, item := range due {
			purged := false
			if i == 0 || d.now().Before(deadline) {
				if purged, err = d.purge(ctx, item, deadline); !errors.Is(err, errLater) {
					failed = errors.Join(failed, err)
				}
			}
			if purged && err == nil {
				gone++
			} else if swept.Behind == 0 {
				swept.Behind = until.Sub(item.Since)
			}
		}
		if swept.Purged += gone; gone == 0 || failed != nil || !d.now().Before(deadline) {
			return swept, failed
		}
	}
}

// purge reports whether a node that is due is out of the trash for good.
func (d *Directory) purge(ctx context.Context, due PurgeEntry, deadline time.Time) (bool, error) {
	return Retry(func() (bool, error) {
		got, err := d.store.Read(ctx, Want{Nodes: []ident.Node{due.Node}})
		if err != nil {
			return false, err
		}
		n := got.Nodes[due.Node]
		if n == nil { // removed, and perhaps not erased
			if err := d.erasePartition(ctx, due.Node, deadline); err != nil {
				return false, err
			}
			return true, d.store.Commit(ctx, RemovePurgeEntry{due})
		}
		place := got.Tree.Place(n)
		if place.Marked(hierarchy.Purged) || !n.Trashed.Equal(due.Since) {
			return false, nil // it is being erased, or was restored just now
		}
		purging, settling := 0, false
		for i := range got.Tree.Changes {
			change := &got.Tree.Changes[i]
			if change.Mark.Kind == hierarchy.Purged {
				purging++
			}
			settling = settling || change.Mark.Kind == hierarchy.Trashed && place.Path.Index(change.Node) >= 0
		}
		if settling { // something may still be created below it, by who did not see the trash
			return false, nil
		}
		alone, err := d.alone(ctx, n)
		switch {
		case err != nil:
			return false, err
		case alone:
			return true, d.purgeLeaf(ctx, &got.Tree, n, due, deadline)
		case purging >= maxPurging:
			return false, nil
		}
		now := *n
		mark := hierarchy.Mark{Node: n.ID, Kind: hierarchy.Purged}
		now.Place = hierarchy.Place{Path: place.Path, Marks: append(slices.Clone(place.Marks), mark)}
		steps, _, err := d.place(Caller{}, &got.Tree, n, &now, hierarchy.Change{Kind: hierarchy.Marked, Mark: mark},
			func(job event.Job) event.Payload { return event.PurgedData{Name: n.Name, Job: job} })
		switch {
		case fault.TooManyChanges.Is(err):
			return false, nil
		case err != nil:
			return false, err
		}
		return true, d.store.Commit(ctx, steps...)
	})
}

// alone reports whether nothing is below a node, and no brand is its own: then one transaction purges it.
func (d *Directory) alone(ctx context.Context, n *hierarchy.Node) (bool, error) {
	if n.Kind() == hierarchy.Customer || len(n.Brands.Owned) > 0 {
		return n.Kind() == hierarchy.Customer, nil
	}
	for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
		page, err := d.store.Children(ctx, n.ID, kind, true, "", 1)
		if err != nil || len(page.Items) > 0 {
			return false, err
		}
	}
	return true, nil
}

// purgeLeaf removes a node that is alone, and then erases what was kept with it. It stays due until all of that is done.
func (d *Directory) purgeLeaf(ctx context.Context, tree *hierarchy.TreeState, n *hierarchy.Node, due PurgeEntry, deadline time.Time) error {
	steps, parent, err := d.removal(ctx, n, true)
	if err != nil {
		return err
	}
	happened := d.Event(Caller{}, n.ID, tree.Place(n).Path, event.PurgedData{Name: n.Name})
	if err := d.Commit(ctx, tree, append(steps, happened)...); err != nil {
		return err
	}
	if err := d.erasePartition(ctx, n.ID, deadline); err != nil {
		return err
	}
	if err := d.store.Commit(ctx, RemovePurgeEntry{due}); err != nil {
		return err
	}
	return d.climbUntil(ctx, climbFrom(n, parent), deadline)
}

// removal is the steps that remove a node. When it is the top of what is purged, its parent gets the brands back that it drew, and is
// returned; the parents further down go as well.
func (d *Directory) removal(ctx context.Context, n *hierarchy.Node, top bool) ([]Step, *hierarchy.Node, error) {
	steps := []Step{RemoveNode{Was: n, Else: ErrChanged}}
	if !top {
		return steps, nil, nil
	}
	got, err := d.store.Read(ctx, Want{Nodes: []ident.Node{n.Parent}})
	if err != nil {
		return nil, nil, err
	}
	parent := got.Nodes[n.Parent]
	if parent == nil {
		return nil, nil, ErrChanged
	}
	return append(steps, CheckParent{Parent: parent, Drop: n.Draws(), Else: func(*hierarchy.Node) error { return ErrChanged }}), parent, nil
}

// dropBrands deletes the brands that a node owns.
func (d *Directory) dropBrands(ctx context.Context, n *hierarchy.Node) error {
	if len(n.Brands.Owned) == 0 {
		return nil
	}
	got, err := d.store.Read(ctx, Want{Records: brand.Brands.Refs(n.Brands.Owned...)})
	if err != nil {
		return err
	}
	var steps []Step
	for _, b := range n.Brands.Owned {
		if owned := brand.Brands.In(got.Records, b); owned != nil { // then its domain is its own still, and its logo
			steps = append(steps, Remove{Was: owned, Else: ErrChanged}, dropDomain(owned), writeLogo(&brand.Logo{Brand: b}))
		}
	}
	for some := range slices.Chunk(steps, brandsAtOnce) {
		if err := d.store.Commit(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}

// brandsAtOnce is how many items of brands one transaction deletes: three of each brand.
const brandsAtOnce = 90

// errLater says that the time is up, and that it goes on where it ended.
var errLater = errors.New("not all is erased yet")

// erasePartition deletes all that is kept with a node: the grants at it, each from its principal, and the rest. When that takes
// until the deadline it gives errLater.
func (d *Directory) erasePartition(ctx context.Context, id ident.Node, deadline time.Time) error {
	for after, more := "", true; more; {
		page, err := ListAt(ctx, d.store, access.GrantsAt, id, after, grantsAtOnce)
		if err != nil {
			return err
		}
		for _, g := range page.Items {
			if err := d.dropGrant(ctx, g); err != nil {
				return err
			}
		}
		if after, more = page.Next, page.Next != ""; more && !d.now().Before(deadline) {
			return errLater
		}
	}
	for {
		if done, err := d.store.Erase(ctx, id); done || err != nil {
			return err
		}
		if !d.now().Before(deadline) {
			return errLater
		}
	}
}

// dropGrant takes a grant at a node that goes from its principal. A principal whose home goes is revoked: nobody could manage it any
// more.
func (d *Directory) dropGrant(ctx context.Context, g access.Grant) error {
	_, err := Retry(func() (struct{}, error) {
		got, err := d.store.Read(ctx, Want{Records: access.Principals.Refs(g.Principal)})
		if err != nil {
			return struct{}{}, err
		}
		was := access.Principals.In(got.Records, g.Principal)
		if was == nil || was.Grants[g.Node] == access.None {
			return struct{}{}, nil
		}
		now := *was
		now.Grants = map[ident.Node]access.Role{}
		for node, role := range was.Grants {
			if node != g.Node && was.Home != g.Node {
				now.Grants[node] = role
			}
		}
		if was.Home == g.Node && was.Revoked.IsZero() {
			now.Secrets, now.Revoked = nil, d.now()
		}
		now.Version++
		return struct{}{}, d.store.Commit(ctx, Put{Was: was, Now: &now, Else: ErrChanged})
	})
	return err
}

// erase deletes nodes that nobody sees any more and that nothing is below. It returns where to climb from when the top of what is purged was
// among them, nil when nowhere.
func (d *Directory) erase(ctx context.Context, ids []ident.Node, top ident.Node, deadline time.Time) (*climb, error) {
	for _, id := range ids {
		if err := d.erasePartition(ctx, id, deadline); err != nil {
			return nil, err
		}
	}
	return Retry(func() (*climb, error) {
		got, err := d.store.Read(ctx, Want{Nodes: ids})
		if err != nil {
			return nil, err
		}
		var above *climb
		for _, id := range ids {
			n := got.Nodes[id]
			if n == nil {
				continue
			}
			if err := d.dropBrands(ctx, n); err != nil {
				return nil, err
			}
			steps, parent, err := d.removal(ctx, n, id == top)
			if err != nil {
				return nil, err
			}
			if !n.Trashed.IsZero() {
				steps = append(steps, RemovePurgeEntry{PurgeEntry{id, n.Trashed}})
			}
			if err := d.store.Commit(ctx, steps...); err != nil {
				return nil, err
			}
			above = climbFrom(n, parent)
		}
		return above, nil
	})
}

// emptyOut makes one step of erasing what is below the last of the nodes on the stack, all of which are purged: it erases
// customers, or goes down to a partner, or erases the node itself when nothing is below it any more. Lists are read from their
// beginning each time, so it goes on from any stack, and from the top alone.
func (d *Directory) emptyOut(ctx context.Context, w *walk, deadline time.Time) error {
	at := w.Purge[len(w.Purge)-1]
	if hierarchy.KindOf(at) == hierarchy.Partner {
		for _, kind := range []hierarchy.Kind{hierarchy.Customer, hierarchy.Partner} {
			page, err := d.store.Children(ctx, at, kind, true, "", erasedAtOnce)
			switch {
			case err != nil:
				return err
			case len(page.Items) == 0:
				continue
			case kind == hierarchy.Partner:
				w.Purge = append(w.Purge, page.Items[0].ID)
				return nil
			}
			ids := make([]ident.Node, len(page.Items))
			for i := range page.Items {
				ids[i] = page.Items[i].ID
			}
			if _, err := d.erase(ctx, ids, "", deadline); err != nil {
				return err
			}
			w.Nodes += int64(len(ids))
			return nil
		}
	}
	above, err := d.erase(ctx, []ident.Node{at}, w.Purge[0], deadline)
	if err != nil {
		return err
	}
	w.Above = above
	w.Nodes++
	w.Purge = w.Purge[:len(w.Purge)-1]
	return nil
}

// climbOn goes on with what is above a purge.
func (d *Directory) climbOn(ctx context.Context, w *walk) error {
	done, err := d.climb(ctx, w.Above)
	if done {
		w.Above = nil
	}
	return err
}
