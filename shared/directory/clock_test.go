package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// A request that comes again is answered as before until MemoFor has passed by the directory's clock, whatever time it is elsewhere.
func TestARequestIsRememberedByTheDirectorysClock(t *testing.T) {
	s := newShop(t)
	for _, year := range []int{1, -300, 100} {
		s.now = s.now.AddDate(year, 0, 0).Truncate(time.Second)
		c := s.founder
		c.Repeat = &directory.Repeat{Key: s.now.String(), Fingerprint: []byte("it")}
		create := func() ident.Node {
			n, err := s.d.CreatePartner(t.Context(), c, directory.NewPartner{Parent: s.root, Name: "once", Portal: s.brand,
				Available: []ident.Brand{s.brand}, CanProvision: true})
			if err != nil {
				t.Fatal(err)
			}
			return n.ID
		}
		began := s.now
		first := create()
		s.now = began.Add(directory.MemoFor - time.Microsecond)
		if again := create(); again != first {
			t.Errorf("in %d, just before the end: another one", s.now.Year())
		}
		s.now = began.Add(directory.MemoFor)
		another := create()
		if another == first {
			t.Errorf("in %d, at the end: the same one", s.now.Year())
		}
		s.now = s.now.Add(directory.MemoFor - time.Microsecond)
		if again := create(); again != another {
			t.Errorf("in %d, before the end of the second: another one", s.now.Year())
		}
		s.now = s.now.AddDate(0, 0, 2)
	}
}

// The contract promises a day. By the next one the key is free again.
func TestARequestIsRememberedForADay(t *testing.T) {
	s := newShop(t)
	c := s.founder
	c.Repeat = &directory.Repeat{Key: "once", Fingerprint: []byte("it")}
	create := func() ident.Principal {
		made, err := s.d.CreateClient(t.Context(), c, directory.NewClient{Node: s.a, Name: "C", Role: access.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	first := create()
	s.now = s.now.Add(23 * time.Hour)
	if again := create(); again != first {
		t.Error("after 23 hours it was done again")
	}
	s.now = s.now.Add(2 * time.Hour)
	if again := create(); again == first {
		t.Error("after 25 hours it was not done again")
	}
}

// Clients choose their keys, and what they put in them is not ours to keep.
func TestNoIdempotencyKeyIsKept(t *testing.T) {
	s := newShop(t)
	const key = "order-4711-of-alice@vale.example"
	var kept []string
	s.Before = func(call directorytest.Call) error {
		for _, step := range call.Steps {
			if put, ok := step.(directory.Put); ok {
				f, err := record.Encode("a record", put.Now.Code)
				if err != nil {
					t.Error(err)
				}
				kept = append(kept, fmt.Sprintf("%s %s", put.Now.Ref(), f))
			}
		}
		return nil
	}
	for _, within := range []ident.Node{"", s.a} {
		c := member(s.Fake, guest(fmt.Sprint("ann", within), fixed), map[ident.Node]access.Role{s.a: access.Owner})
		c.Within, c.Repeat = within, &directory.Repeat{Key: key, Fingerprint: []byte("it")}
		if _, err := s.d.CreateClient(t.Context(), c, directory.NewClient{Node: s.a, Name: "C", Role: access.Viewer}); err != nil {
			t.Fatal(err)
		}
	}
	memos := 0
	for _, k := range kept {
		if strings.HasPrefix(k, "memo ") {
			memos++
		}
		if strings.Contains(k, key) {
			t.Errorf("kept: %s", k)
		}
	}
	if memos != 2 {
		t.Errorf("%d answers were remembered: %v", memos, kept)
	}
}

// While the clock stands still, a budget of nothing is one page, and any other is enough for everything.
func TestABudgetByAClockThatStandsStill(t *testing.T) {
	s, ctx := newShop(t), t.Context()
	for range 100 { // two pages
		s.client(s.e, access.Viewer)
	}
	leaves := []ident.Node{s.x, s.c, s.e}
	for i, id := range leaves { // e, which takes longer than a page, is the last one
		s.now = s.now.Add(time.Duration(i) * time.Second)
		s.trash(id)
	}
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	var purged []int
	for total := 0; total < len(leaves) && len(purged) < 20; {
		swept, err := s.d.Purge(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		purged, total = append(purged, swept.Purged), total+swept.Purged
		if grants, err := directory.ListAt(ctx, s, access.GrantsAt, s.e, "", 100); len(purged) == 3 && (err != nil || len(grants.Items) != 50) {
			t.Errorf("after a page of the grants: %d of them, %v", len(grants.Items), err)
		}
	}
	if n := len(purged); n < 4 || !slices.Equal(purged, slices.Concat([]int{1, 1}, make([]int, n-3), []int{1})) {
		t.Errorf("purged without a budget, one after the other: %v; want one a time, and the last one in several times", purged)
	}

	p := s.partner(s.a, "p")
	for range 3 {
		s.partner(p, "q")
	}
	var suspended directory.Changed
	walk := func(budget time.Duration) (steps int) {
		for r := (directory.SettleResult{}); !r.Done; steps++ {
			var err error
			if r, err = s.d.Settle(ctx, suspended.Job, r.Resume, budget); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.d.Retire(ctx, suspended.Job); err != nil {
			t.Fatal(err)
		}
		return steps
	}
	var err error
	if suspended, err = s.d.Suspend(ctx, s.founder, p, "x"); err != nil {
		t.Fatal(err)
	}
	const lists = 8 // two of p, and two of each of the three below it
	if steps := walk(0); steps != lists {
		t.Errorf("settled in %d steps without a budget; want %d", steps, lists)
	}
	if suspended, err = s.d.Resume(ctx, s.founder, p); err != nil {
		t.Fatal(err)
	}
	if steps := walk(time.Nanosecond); steps != 1 {
		t.Errorf("settled in %d steps with a budget; want 1", steps)
	}

	for _, id := range []ident.Node{p, s.b} {
		s.trash(id)
	}
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	if swept, err := s.d.Purge(ctx, time.Nanosecond); err != nil || swept.Purged != 2 {
		t.Errorf("purged with a budget: %+v, %v", swept, err)
	}
}
