package directory_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// settled settles a change and retires it, as the state machine does.
func settled(ctx context.Context, d *directory.Directory, id ident.Change) error {
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

// changesIn are the changes that the events tell of.
func changesIn(f *directorytest.Fake) []ident.Change {
	var ids []ident.Change
	for _, e := range f.Events() {
		if id, ok := e.Data["changeId"].(ident.Change); ok {
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

// TestACrashAnywhereIsMadeGood fails every call of the store that a change of a subtree and its settling make, once before it does
// anything and once after it has done all: the tree is sound in between, the request sent again gets the one right answer, and settling
// comes to its end.
func TestACrashAnywhereIsMadeGood(t *testing.T) {
	type world struct {
		*stage
		a, b, c, d, leaf ident.Node
	}
	operations := map[string]func(w *world, c directory.Caller) (directory.Changed, error){
		"move": func(w *world, c directory.Caller) (directory.Changed, error) {
			return w.stage.d.Move(t.Context(), c, w.b, w.d)
		},
		"suspend": func(w *world, c directory.Caller) (directory.Changed, error) {
			return w.stage.d.Suspend(t.Context(), c, w.b, "x")
		},
		"resume": func(w *world, c directory.Caller) (directory.Changed, error) {
			return w.stage.d.Resume(t.Context(), c, w.c)
		},
		"rename": func(w *world, c directory.Caller) (directory.Changed, error) { // below a change that is being settled
			name := hierarchy.Name("renamed")
			_, err := w.stage.d.EditPartner(t.Context(), c, w.leaf, directory.PartnerPatch{Name: &name})
			return directory.Changed{}, err
		},
		"no provisioning": func(w *world, c directory.Caller) (directory.Changed, error) {
			n, err := w.stage.d.SetCanProvision(t.Context(), c, w.b, false)
			return directory.Changed{Node: n}, err
		},
	}
	set := func() (*world, []ident.Node) {
		s := newStage(t)
		w := &world{stage: s}
		w.a, w.d = s.mustPartner(t, s.root, "a"), s.mustPartner(t, s.root, "d")
		w.b = s.mustPartner(t, w.a, "b")
		w.c = s.mustPartner(t, w.b, "c")
		w.leaf = s.mustPartner(t, w.c, "leaf")
		all := []ident.Node{s.root, w.a, w.b, w.c, w.d, w.leaf}
		for range 3 {
			all = append(all, s.mustPartner(t, w.c, "many"))
		}
		if _, err := s.d.Suspend(t.Context(), s.founder, w.c, "x"); err != nil {
			t.Fatal(err)
		}
		return w, all
	}
	for name, do := range operations {
		for _, applied := range []bool{false, true} {
			for nth, crashes := 0, true; crashes; nth++ {
				w, all := set()
				if name == "rename" {
					if _, err := w.stage.d.Resume(t.Context(), w.founder, w.c); err != nil {
						t.Fatal(err)
					}
				}
				events := len(w.Events())
				begins, crashed := len(w.Calls()), false
				crash := func(c directorytest.Call) error {
					if c.Nth-begins != nth || crashed {
						return nil
					}
					crashed = true
					return directorytest.Busy()
				}
				at := fmt.Sprintf("%s, call %d, applied %v", name, nth, applied)
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
						if err := w.sound(all); err != nil {
							t.Fatalf("%s: %s: %v", at, what, err)
						}
					}
				}
				var first, again directory.Changed
				insist("first", func() (err error) { first, err = do(w, caller); return err })
				insist("again", func() (err error) { again, err = do(w, caller); return err })
				if (first.Change == nil) != (again.Change == nil) || first.Change != nil && first.Change.ID != again.Change.ID {
					t.Fatalf("%s: sent again: %+v; first %+v", at, again, first)
				}
				if n := len(w.Events()) - events; n != 1 {
					t.Fatalf("%s: %d events", at, n)
				}
				for _, id := range changesIn(w.Fake) {
					insist("settling", func() error { return settled(t.Context(), w.stage.d, id) })
				}
				w.Before, w.After = nil, nil
				for _, id := range changesIn(w.Fake) {
					p, err := w.stage.d.Change(t.Context(), w.founder, id)
					if err != nil || p.State != directory.Settled || p.Nodes < 1 {
						t.Fatalf("%s: %+v, %v", at, p, err)
					}
				}
				if err := w.atRest(all); err != nil {
					t.Fatalf("%s: %v", at, err)
				}
				crashes = crashed
			}
		}
	}
}

func TestSettlingWhatThereIsNot(t *testing.T) {
	s := newStage(t)
	if _, err := s.d.Settle(t.Context(), ident.NewChange(), "", 0); !errors.Is(err, directory.ErrUnknownChange) {
		t.Errorf("settle: %v", err)
	}
	if err := s.d.Retire(t.Context(), ident.NewChange()); !errors.Is(err, directory.ErrUnknownChange) {
		t.Errorf("retire: %v", err)
	}
	a := s.mustPartner(t, s.root, "a")
	s.mustPartner(t, a, "b")
	done, err := s.d.Suspend(t.Context(), s.founder, a, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.d.Retire(t.Context(), done.Change.ID); !errors.Is(err, directory.ErrNotWalked) {
		t.Errorf("retired before its walk: %v", err)
	}
	for _, nonsense := range []string{"nonsense", "{}", `{"open":[]}`, "[]"} { // it begins again
		if r, err := s.d.Settle(t.Context(), done.Change.ID, nonsense, 0); err != nil || r.Done {
			t.Errorf("resumed from %q: %+v, %v", nonsense, r, err)
		}
	}
	if err := settled(t.Context(), s.d, done.Change.ID); err != nil {
		t.Error(err)
	}
	if r, err := s.d.Settle(t.Context(), done.Change.ID, "", 0); err != nil || !r.Done {
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
		if r, err = s.d.Settle(t.Context(), done.Change.ID, r.Resume, 0); err != nil {
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
	const average = 200 // steps in a run
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(max(1, *steps/average*3/4)), "rapid.steps": strconv.Itoa(average)} {
		was := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { flag.Set(name, was) })
	}
	var done atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d steps", done.Load())
		if done.Load() < int64(*steps) && !t.Failed() {
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
