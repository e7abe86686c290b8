package directory_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
)

// settled settles the change of a job and retires it, as the state machine does.
func settled(ctx context.Context, d *directory.Directory, id ident.Job) error {
	for resume := ""; ; {
		r, err := d.Settle(ctx, id, resume, 0)
		if err != nil {
			return err
		}
		if resume = r.Resume; r.Done {
			return d.Retire(ctx, id)
		}
	}
}

// jobsIn returns the jobs that the events tell of.
func jobsIn(f *directorytest.Fake) []ident.Job {
	var ids []ident.Job
	for _, e := range f.Events() {
		if id := e.Job(); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// atRest says what is not as it should be when all changes are settled: the tree state is empty, and every node stores where it is.
func (s *stage) atRest(ids []ident.Node) error {
	got := s.peek(ids)
	if len(got.Tree.Changes) > 0 {
		return fmt.Errorf("%d changes are in the tree state still", len(got.Tree.Changes))
	}
	return s.sound(ids)
}

// branch is a tree with all that a node can have: root > a > b > c > leaf and others, and root > d. c is suspended; it owns a brand,
// and is the home of a client; another one has a grant at the leaf.
type branch struct {
	*stage
	a, b, c, d, leaf ident.Node
	all              []ident.Node
	inside, outside  directory.Caller
}

func newBranch(t *testing.T) *branch {
	s := newStage(t)
	w := &branch{stage: s}
	w.a, w.d = s.mustPartner(t, s.root, "a"), s.mustPartner(t, s.root, "d")
	w.b = s.mustPartner(t, w.a, "b")
	w.c = s.mustPartner(t, w.b, "c")
	w.leaf = s.mustPartner(t, w.c, "leaf")
	w.all = []ident.Node{s.root, w.a, w.b, w.c, w.d, w.leaf}
	for range 3 {
		w.all = append(w.all, s.mustPartner(t, w.c, "many"))
	}
	client := func(home ident.Node) directory.Caller {
		c, err := s.d.CreateClient(t.Context(), s.founder, directory.NewClient{Node: home, Name: "C", Role: access.Admin})
		if err != nil {
			t.Fatal(err)
		}
		return directory.Caller{Principal: c.ID, Key: c.SecretID}
	}
	w.inside, w.outside = client(w.c), client(w.d)
	customer, err := s.d.CreateCustomer(t.Context(), s.founder,
		directory.NewCustomer{Partner: w.c, Name: "x", Details: hierarchy.Details{Brand: s.brand}})
	if err == nil {
		w.all = append(w.all, customer.ID)
		_, err = s.d.GrantRole(t.Context(), s.founder, w.outside.Principal, w.leaf, access.Viewer)
	}
	if err == nil {
		err = w.ownBrand(w.c)
	}
	if err == nil {
		_, err = s.d.Suspend(t.Context(), s.founder, w.c, "x")
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// ownBrand makes a brand with the one domain.
func (w *branch) ownBrand(owner ident.Node) error {
	_, err := w.stage.d.CreateBrand(context.Background(), w.founder,
		directory.NewBrand{Partner: owner, Name: "X", Domain: "x.example", Regions: []string{"eu-west-1"}})
	return err
}

// inTrash puts something into the trash.
func (w *branch) inTrash(id ident.Node) error {
	done, err := w.stage.d.Trash(context.Background(), w.founder, id)
	if err == nil && done.Job != "" {
		err = settled(context.Background(), w.stage.d, done.Job)
	}
	return err
}

// purged says what is wrong when something was purged below its parent. gone are all that lay below, of which some were in the trash
// themselves.
func (w *branch) purged(parent ident.Node, trashed int, gone []ident.Node) error {
	ctx := context.Background()
	if err := directorytest.Gone(ctx, w.Fake, gone...); err != nil {
		return err
	}
	log, err := w.stage.d.Log(ctx, w.founder, parent, directory.LogFilter{Type: event.PartnerPurged}, directory.Paging{Limit: 10})
	if err != nil || len(log.Items) < 1 || len(log.Items) > trashed {
		return fmt.Errorf("the log above has %+v (%w)", log.Items, err)
	}
	me, err := w.stage.d.Me(ctx, w.outside)
	if err != nil || len(me.Grants) != 1 {
		return fmt.Errorf("a client from elsewhere is %+v (%w)", me, err)
	}
	_, err = w.stage.d.Me(ctx, w.inside)
	if home := slices.Contains(gone, w.c); home != fault.Unauthenticated.Is(err) {
		return fmt.Errorf("a client is answered %v; its home was purged: %v", err, home)
	} else if home {
		err = w.ownBrand(w.d) // the domain is free
	}
	if uses := w.now(parent).Brands.Uses[w.brand]; uses != int64(len(w.children(parent))) {
		return fmt.Errorf("the parent has %d uses of the brand", uses)
	}
	return err
}

func (w *branch) children(id ident.Node) (all []hierarchy.Node) {
	for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
		page, err := w.Fake.Children(context.Background(), id, kind, true, "", 100)
		if err != nil {
			panic(err)
		}
		all = append(all, page.Items...)
	}
	return all
}

// TestACrashAnywhereIsMadeGood fails every call of the store that a change of a subtree and its settling make, once before it does
// anything and once after it has done all: the tree is sound in between, the request sent again gets the one right answer, and settling
// comes to its end.
func TestACrashAnywhereIsMadeGood(t *testing.T) {
	changed := func(_ any, err error) (directory.Changed, error) { return directory.Changed{}, err }
	type operation struct {
		before func(w *branch) error
		do     func(w *branch, c directory.Caller) (directory.Changed, error)
		purges func(w *branch) []ident.Node
	}
	operations := map[string]operation{
		"move": {do: func(w *branch, c directory.Caller) (directory.Changed, error) {
			return w.stage.d.Move(t.Context(), c, w.b, w.d)
		}},
		"suspend": {do: func(w *branch, c directory.Caller) (directory.Changed, error) {
			return w.stage.d.Suspend(t.Context(), c, w.b, "x")
		}},
		"resume": {do: func(w *branch, c directory.Caller) (directory.Changed, error) {
			return w.stage.d.Resume(t.Context(), c, w.c)
		}},
		"rename": { // below a change that is being settled
			before: func(w *branch) error { _, err := w.stage.d.Resume(t.Context(), w.founder, w.c); return err },
			do: func(w *branch, c directory.Caller) (directory.Changed, error) {
				name := hierarchy.Name("renamed")
				return changed(w.stage.d.EditPartner(t.Context(), c, w.leaf, directory.PartnerPatch{Name: &name}))
			},
		},
		"no provisioning": {do: func(w *branch, c directory.Caller) (directory.Changed, error) {
			return changed(w.stage.d.SetCanProvision(t.Context(), c, w.b, false))
		}},
		"trash": {do: func(w *branch, c directory.Caller) (directory.Changed, error) {
			return w.stage.d.Trash(t.Context(), c, w.b)
		}},
		"restore": {
			before: func(w *branch) error { return w.inTrash(w.b) },
			do: func(w *branch, c directory.Caller) (directory.Changed, error) {
				return w.stage.d.Restore(t.Context(), c, w.b)
			},
		},
		"restore before the trash is settled": {
			before: func(w *branch) error { _, err := w.stage.d.Trash(t.Context(), w.founder, w.b); return err },
			do: func(w *branch, c directory.Caller) (directory.Changed, error) {
				return w.stage.d.Restore(t.Context(), c, w.b)
			},
		},
		"purge a leaf": {
			before: func(w *branch) error { return w.inTrash(w.leaf) },
			do: func(w *branch, c directory.Caller) (directory.Changed, error) {
				return changed(w.stage.d.Purge(t.Context(), time.Hour))
			},
			purges: func(w *branch) []ident.Node { return []ident.Node{w.leaf} },
		},
		"purge": {
			before: func(w *branch) error { return w.inTrash(w.c) },
			do: func(w *branch, c directory.Caller) (directory.Changed, error) {
				return changed(w.stage.d.Purge(t.Context(), time.Hour))
			},
			purges: func(w *branch) []ident.Node { return slices.Concat([]ident.Node{w.c}, w.all[5:]) },
		},
		"purge with something in it that is in the trash itself": {
			before: func(w *branch) error { return cmp.Or(w.inTrash(w.c), w.inTrash(w.b)) },
			do: func(w *branch, c directory.Caller) (directory.Changed, error) {
				return changed(w.stage.d.Purge(t.Context(), time.Hour))
			},
			purges: func(w *branch) []ident.Node { return slices.Concat([]ident.Node{w.b, w.c}, w.all[5:]) },
		},
	}
	every := 1
	if testing.Short() {
		every = 4
	}
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, applied := range []bool{false, true} {
				nth := 0
				for ; crashes(t, fmt.Sprintf("call %d, applied %v", nth, applied), nth, applied, op.before, op.do, op.purges); nth += every {
				}
				t.Logf("%d calls", nth)
			}
		})
	}
}

// crashes does an operation and its settling with a crash at the nth call, and reports whether there was one.
func crashes(t *testing.T, at string, nth int, applied bool, before func(*branch) error,
	do func(*branch, directory.Caller) (directory.Changed, error), purges func(*branch) []ident.Node) bool {
	w := newBranch(t)
	if before != nil {
		if err := before(w); err != nil {
			t.Fatal(err)
		}
	}
	alive, gone, parent := w.all, []ident.Node(nil), ident.Node("")
	if purges != nil {
		gone, w.later = purges(w), hierarchy.KeepTrash+time.Hour
		parent = w.now(gone[0]).Parent
		alive = slices.DeleteFunc(slices.Clone(w.all), func(id ident.Node) bool { return slices.Contains(gone, id) })
	}
	events, trashed := len(w.Events()), 0
	for _, n := range w.peek(gone).Nodes {
		if !n.Trashed.IsZero() {
			trashed++
		}
	}
	begins, crashed := len(w.Calls()), false
	crash := func(c directorytest.Call) error {
		if c.Nth-begins != nth || crashed {
			return nil
		}
		crashed = true
		return directorytest.Busy()
	}
	if applied {
		w.After = crash
	} else {
		w.Before = crash
	}
	caller := w.founder
	caller.Repeat = &directory.Repeat{Key: "once", Fingerprint: []byte("it")}
	insist := func(what string, do func() error) { // what fails for now is done again
		for err := do(); err != nil; err = do() {
			if !fault.Busy.Is(err) {
				t.Fatalf("%s: %s: %v", at, what, err)
			}
			if err := w.sound(alive); err != nil {
				t.Fatalf("%s: %s: %v", at, what, err)
			}
		}
	}
	var first, again directory.Changed
	insist("first", func() (err error) { first, err = do(w, caller); return err })
	insist("again", func() (err error) { again, err = do(w, caller); return err })
	if (first.Job == "") != (again.Job == "") || first.Job != "" && first.Job != again.Job {
		t.Fatalf("%s: sent again: %+v; first %+v", at, again, first)
	}
	if n := len(w.Events()) - events; n < 1 || n > max(1, trashed) { // what is purged with what it lies below tells nothing of its own
		t.Fatalf("%s: %d events", at, n)
	}
	for _, id := range jobsIn(w.Fake) {
		insist("settling", func() error { return settled(t.Context(), w.stage.d, id) })
	}
	w.Before, w.After = nil, nil
	for _, id := range jobsIn(w.Fake) {
		got, err := w.Fake.Read(t.Context(), directory.Want{Records: job.Jobs.Refs(id)})
		if j := job.Jobs.In(got.Records, id); err != nil || j.State != job.Succeeded || j.Progress.Done < 1 {
			t.Fatalf("%s: %+v, %v", at, j, err)
		}
	}
	err := w.atRest(alive)
	if err == nil && gone != nil {
		err = w.purged(parent, trashed, gone)
	}
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	return crashed
}

// Settling goes on where it was left, whoever left it, without its caller keeping where that was.
func TestSettlingGoesOnWhereItWasLeft(t *testing.T) {
	s := newStage(t)
	a := s.mustPartner(t, s.root, "a")
	for range 5 {
		s.mustPartner(t, a, "b")
	}
	step := func(settle func(context.Context, ident.Job, time.Duration) (directory.SettleResult, error), id ident.Job) bool {
		t.Helper()
		r, err := settle(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		return r.Done
	}
	done, err1 := s.d.Suspend(t.Context(), s.founder, a, "x")
	steps := 1
	for !step(s.d.SettleOn, done.Job) {
		steps++
	}
	err2 := s.d.Retire(t.Context(), done.Job)
	done, err3 := s.d.Resume(t.Context(), s.founder, a)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	anew := 3
	for range anew {
		if step(s.d.SettleOn, done.Job) || step(s.d.SettleAnew, done.Job) {
			t.Fatal("it is done already: this shows nothing")
		}
	}
	again := 1 // the last one began it
	for !step(s.d.SettleOn, done.Job) {
		again++
	}
	if again+1 != steps || steps < 8 {
		t.Errorf("it took %d steps, and %d after the first was taken", steps, again)
	}
}

func TestSettlingWhatThereIsNot(t *testing.T) {
	s := newStage(t)
	if _, err := s.d.Settle(t.Context(), ident.NewJob(), "", 0); !errors.Is(err, directory.ErrUnknownJob) {
		t.Errorf("settle: %v", err)
	}
	if err := s.d.Retire(t.Context(), ident.NewJob()); !errors.Is(err, directory.ErrUnknownJob) {
		t.Errorf("retire: %v", err)
	}
	a := s.mustPartner(t, s.root, "a")
	s.mustPartner(t, a, "b")
	done, err := s.d.Suspend(t.Context(), s.founder, a, "x")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Read(t.Context(), directory.Want{})
	if err != nil {
		t.Fatal(err)
	}
	other := job.Begin("export", a, strconv.FormatInt(got.Tree.Seq, 10), clocktest.Start(), "collect", "write") // no change of its own
	if err := s.Commit(t.Context(), directory.Put{Now: other, Else: directory.ErrExists}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.d.Settle(t.Context(), other.ID, "", 0); !errors.Is(err, directory.ErrUnknownJob) {
		t.Errorf("settle by a job that does something else: %v", err)
	}
	if err := s.d.Retire(t.Context(), other.ID); !errors.Is(err, directory.ErrUnknownJob) {
		t.Errorf("retire by a job that does something else: %v", err)
	}
	if err := s.d.Retire(t.Context(), done.Job); !errors.Is(err, directory.ErrNotWalked) {
		t.Errorf("retired before its walk: %v", err)
	}
	for _, nonsense := range []string{"nonsense", "{}", `{"open":[]}`, "[]"} { // it begins again
		if r, err := s.d.Settle(t.Context(), done.Job, nonsense, 0); err != nil || r.Done {
			t.Errorf("resumed from %q: %+v, %v", nonsense, r, err)
		}
	}
	if err := settled(t.Context(), s.d, done.Job); err != nil {
		t.Error(err)
	}
	if r, err := s.d.Settle(t.Context(), done.Job, "", 0); err != nil || !r.Done {
		t.Errorf("settled once more: %+v, %v", r, err)
	}
}

// What is to be remembered between two steps of settling stays within what Step Functions carries, however wide the tree is.
func TestResumeStaysSmall(t *testing.T) {
	s := newStage(t)
	top := s.mustPartner(t, s.root, "top")
	at := top
	nodes := 1
	for range 20 {
		var child ident.Node
		for range 45 {
			child = s.mustPartner(t, at, hierarchy.Name(strings.Repeat("m", 100)))
			nodes++
		}
		at = child
	}
	done, err := s.d.Suspend(t.Context(), s.founder, top, "x")
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for r := (directory.SettleResult{}); !r.Done; longest = max(longest, len(r.Resume)) {
		if r, err = s.d.Settle(t.Context(), done.Job, r.Resume, 0); err != nil {
			t.Fatal(err)
		}
		if r.Done && r.Nodes != int64(nodes) {
			t.Errorf("%d nodes were looked at, and there are %d", r.Nodes, nodes)
		}
	}
	if longest > 64<<10 {
		t.Errorf("up to %d bytes are to be remembered", longest)
	}
	t.Logf("%d nodes, at most %d bytes", nodes, longest)
}

// steps is how many steps the state machine of subtrees goes: make soak asks for more.
var steps = flag.Int("steps", 100_000, "how many steps of subtrees are compared with a model")

// TestSubtreesAgreeWithAModel runs directorytest.Subtrees with a subtree index that is up to date, and with one that is behind.
func TestSubtreesAgreeWithAModel(t *testing.T) {
	const average = 200                   // steps in a run
	checks := max(1, *steps/average*9/10) // of each of two; a run has two thirds of the average or more
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(checks), "rapid.steps": strconv.Itoa(average)} {
		was := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { flag.Set(name, was) })
	}
	var done atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d steps", done.Load())
		if done.Load() < int64(*steps) && !t.Failed() && !testing.Short() {
			t.Errorf("only %d steps", done.Load())
		}
	})
	for name, stale := range map[string]bool{"up to date": false, "behind": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				directorytest.Subtrees(t, new(directorytest.Fake), stale, func() { done.Add(1) })
			})
		})
	}
}
