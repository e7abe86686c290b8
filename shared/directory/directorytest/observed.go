package directorytest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
	"example.com/partnertree/shared/record"
)

// observed is a store that a test interferes with, and of which it knows the events. With stale set, its subtree index is behind: it
// still has what is not so any more, until a grace has passed since.
type observed struct {
	directory.Store
	before, after func(nth int) error // as those of a Fake; nth counts the calls since they were set
	late          func()              // is called before each Commit
	stale         bool

	mu     sync.Mutex
	nth    int
	events []event.Event
	index  []proposal
	flying int // changes in the tree state
}

// proposal is an entry of the subtree index. One that is gone was replaced before the walks of the changes since ended: when one of
// them is taken out of the tree state, a grace has passed.
type proposal struct {
	path  hierarchy.Path
	trash bool
	gone  bool
	since []int64
}

func (p *proposal) id() ident.Node { return p.path.At(p.path.Depth() - 1) }

// crash makes the nth call from now fail, once before it does anything or after it has done all: nth < 0: none.
func (o *observed) crash(nth int, applied bool) {
	o.before, o.after, o.nth = nil, nil, 0
	fail := func(n int) error {
		if n != nth {
			return nil
		}
		return Busy()
	}
	if applied {
		o.after = fail
	} else {
		o.before = fail
	}
}

// crashed reports whether the crash has happened, and ends it.
func (o *observed) crashed(nth int) bool {
	o.before, o.after = nil, nil
	return nth >= 0 && o.nth > nth
}

// aside does something in the middle of a call that the crash has nothing to do with.
func (o *observed) aside(do func()) {
	before, after, nth := o.before, o.after, o.nth
	o.before, o.after = nil, nil
	do()
	o.before, o.after, o.nth = before, after, nth
}

func watched[T any](o *observed, do func() (T, error)) (T, error) {
	var none T
	o.mu.Lock()
	nth := o.nth
	o.nth++
	o.mu.Unlock()
	if o.before != nil {
		if err := o.before(nth); err != nil {
			return none, err
		}
	}
	v, err := do()
	if err == nil && o.after != nil {
		if err := o.after(nth); err != nil {
			return none, err
		}
	}
	return v, err
}

func (o *observed) Read(ctx context.Context, w directory.Want) (directory.Got, error) {
	return watched(o, func() (directory.Got, error) { return o.Store.Read(ctx, w) })
}

func (o *observed) Children(ctx context.Context, parent ident.Node, kind hierarchy.Kind, all bool, after string, limit int) (
	directory.Page[hierarchy.Node], error) {
	return watched(o, func() (directory.Page[hierarchy.Node], error) {
		return o.Store.Children(ctx, parent, kind, all, after, limit)
	})
}

func (o *observed) List(ctx context.Context, node ident.Node, l *record.Listing, after string, limit int) (directory.Page[directory.Listed], error) {
	return watched(o, func() (directory.Page[directory.Listed], error) { return o.Store.List(ctx, node, l, after, limit) })
}

func (o *observed) Find(ctx context.Context, l directory.Lookup, after string, limit int) (directory.Page[directory.Found], error) {
	return watched(o, func() (directory.Page[directory.Found], error) { return o.Store.Find(ctx, l, after, limit) })
}

func (o *observed) Below(ctx context.Context, under hierarchy.Path, kind hierarchy.Kind, trash bool, after string, limit int) (
	directory.Page[ident.Node], error) {
	return watched(o, func() (directory.Page[ident.Node], error) {
		if !o.stale {
			return o.Store.Below(ctx, under, kind, trash, after, limit)
		}
		var paths []hierarchy.Path
		for i := range o.index {
			p := &o.index[i]
			if p.trash == trash && p.path.Has(under) && p.path.Depth() > max(1, under.Depth()) && string(p.path[len(under):]) > after &&
				(kind == "" || hierarchy.KindOf(p.id()) == kind) {
				paths = append(paths, p.path)
			}
		}
		slices.Sort(paths)
		return page(slices.Compact(paths), limit, func(p hierarchy.Path) string { return string(p[len(under):]) },
			func(p hierarchy.Path) ident.Node { return p.At(p.Depth() - 1) })
	})
}

func (o *observed) PurgeQueue(ctx context.Context, until time.Time, limit int) ([]directory.PurgeEntry, error) {
	return watched(o, func() ([]directory.PurgeEntry, error) { return o.Store.PurgeQueue(ctx, until, limit) })
}

func (o *observed) Erase(ctx context.Context, node ident.Node) (bool, error) {
	return watched(o, func() (bool, error) { return o.Store.Erase(ctx, node) })
}

func (o *observed) Commit(ctx context.Context, steps ...directory.Step) error {
	if o.late != nil {
		o.late()
	}
	_, err := watched(o, func() (struct{}, error) {
		err := o.Store.Commit(ctx, steps...)
		if err == nil {
			o.learn(steps)
		}
		return struct{}{}, err
	})
	return err
}

// learn notes what was committed.
func (o *observed) learn(steps []directory.Step) {
	for _, step := range steps {
		switch s := step.(type) {
		case directory.AddEvent:
			o.events = append(o.events, s.Event)
		case directory.AddChange:
			o.flying++
		}
	}
	for _, step := range steps {
		switch s := step.(type) {
		case directory.AddNode:
			o.propose(s.Node.Place.Path, false)
		case directory.PlaceNode:
			o.propose(s.Now.Place.Path, !s.Now.Trashed.IsZero())
		case directory.Rewrite:
			o.moveEntry(s.Node, s.Place.Path)
		case directory.MeasureHeight:
			o.moveEntry(s.Was.ID, s.Place.Path)
		case directory.Put:
			j, is := s.Now.(*job.Job)
			if !is || j.Step() != directory.GraceStep {
				break
			}
			seq, err := directory.ChangeOf(j)
			if err != nil {
				panic(err)
			}
			for i := range o.index {
				if p := &o.index[i]; p.gone {
					p.since = append(p.since, seq)
				}
			}
		case directory.RemoveNode:
			o.withdraw(s.Was.ID)
		case directory.DropChange:
			o.flying--
			o.index = slices.DeleteFunc(o.index, func(p proposal) bool { return p.gone && slices.Contains(p.since, s.Seq) })
		}
	}
}

func (o *observed) propose(path hierarchy.Path, trash bool) {
	o.withdraw(path.At(path.Depth() - 1))
	o.index = append(o.index, proposal{path: path, trash: trash})
	slices.SortFunc(o.index, func(a, b proposal) int { return strings.Compare(string(a.path), string(b.path)) })
}

// moveEntry proposes a node at another path, in the trash if it was there.
func (o *observed) moveEntry(id ident.Node, path hierarchy.Path) {
	o.propose(path, slices.ContainsFunc(o.index, func(p proposal) bool { return !p.gone && p.trash && p.id() == id }))
}

// withdraw leaves the present entry of a node behind, as one that is gone.
func (o *observed) withdraw(id ident.Node) {
	for i := range o.index {
		if p := &o.index[i]; !p.gone && p.id() == id {
			p.gone = true
		}
	}
}
