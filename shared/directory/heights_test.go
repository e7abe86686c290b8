package directory_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// chain makes so many partners, each below the one before.
func (s *shop) chain(top ident.Node, n int) (ids []ident.Node) {
	for range n {
		top = s.partner(top, "link")
		ids = append(ids, top)
	}
	return ids
}

func (s *shop) levels(id ident.Node) int {
	s.t.Helper()
	got, err := s.Fake.Read(s.t.Context(), directory.Want{Nodes: []ident.Node{id}})
	if err != nil {
		s.t.Fatal(err)
	}
	return got.Nodes[id].Levels()
}

// emptied purges all that is due, and settles the purges.
func (s *shop) emptied() {
	s.t.Helper()
	s.now = s.now.Add(hierarchy.KeepTrash + time.Hour)
	for s.purge().Purged > 0 {
		for _, id := range jobsIn(s.Fake) {
			if err := settled(s.t.Context(), s.d, id); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// Whoever is admin of a partner can make and delete as many partners below it as the tree is deep. That must not keep those above from
// being moved.
func TestWhatIsDeletedBelowKeepsNothingFromBeingMoved(t *testing.T) {
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprintf("each alone %v", alone), func(t *testing.T) {
			s := newShop(t)
			admin := s.chain(s.e, 2)[1]
			links := s.chain(admin, 26)
			deep := s.chain(s.a, 5)[4]
			move := func() error { _, err := s.d.Move(t.Context(), s.founder, s.e, deep); return err }
			s.refused("a move of what is deep", fault.DepthLimit, move())
			if alone {
				for _, id := range slices.Backward(links) {
					s.trash(id)
				}
			} else {
				s.trash(links[0])
			}
			s.refused("a move while it can be restored", fault.DepthLimit, move())
			s.emptied()
			for id, want := range map[ident.Node]int{admin: 0, s.e: 2, s.root: 6} {
				if got := s.levels(id); got != want {
					t.Errorf("%s knows of %d levels; want %d", id, got, want)
				}
			}
			if err := move(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What nobody has lowered yet is when a move is refused for it.
func TestARefusedMoveLooksAgain(t *testing.T) {
	s := newShop(t)
	top := s.chain(s.e, 3)
	long := s.chain(top[2], 20)
	deep := s.chain(s.a, 9)[8]
	s.done(s.d.Move(t.Context(), s.founder, long[0], s.root)) // leaves too high what it lay below
	if got := s.levels(s.e); got != 23 {
		t.Fatalf("%d levels; want the 23 that there were", got)
	}
	preview, err := s.d.PreviewMove(t.Context(), s.founder, s.e, deep)
	if err != nil || len(preview.Blocks) > 0 || preview.Levels != 3 {
		t.Errorf("the preview is %+v, %v", preview, err)
	}
	s.chain(long[19], 2)
	s.done(s.d.Move(t.Context(), s.founder, long[0], top[2]))
	s.done(s.d.Move(t.Context(), s.founder, long[0], s.root))
	s.done(s.d.Move(t.Context(), s.founder, s.e, deep))
	if got := s.levels(s.e); got != 3 {
		t.Errorf("%d levels; want 3", got)
	}
	calls := len(s.Calls())
	s.refused("what is truly too deep", fault.DepthLimit, func() error { _, err := s.d.Move(t.Context(), s.founder, long[0], deep); return err }())
	if calls = len(s.Calls()) - calls; calls > 80 {
		t.Errorf("%d calls of the store for a move that is refused", calls)
	}
}

// There can be more children than one request can look through. What was measured stays so: the next request goes on.
func TestARefusedMoveLooksAtSoMuchAndTheNextGoesOn(t *testing.T) {
	s := newShop(t)
	deep := s.chain(s.a, 20)[19]
	var tall []ident.Node
	for range 100 {
		tall = append(tall, s.partner(s.e, "tall"))
	}
	raise := []directory.Step{directory.RaiseHeight{Node: s.root, Height: 22, Else: errEnded}, directory.RaiseHeight{Node: s.e, Height: 20, Else: errEnded}}
	for _, id := range tall[:90] {
		raise = append(raise, directory.RaiseHeight{Node: id, Height: 19, Else: errEnded})
	}
	if err := s.Fake.Commit(t.Context(), raise...); err != nil {
		t.Fatal(err)
	}
	move := func() error { _, err := s.d.Move(t.Context(), s.founder, s.e, deep); return err }
	refused := 0
	for move() != nil {
		if refused++; refused > 10 {
			t.Fatal("it is refused for good")
		}
	}
	if refused == 0 {
		t.Error("one request has looked at all of it")
	}
}

// commotion is a crowd that makes and takes away levels, with long chains in a tree that is nearly too deep, while others measure.
func commotion(t testing.TB, seed uint64, steps int) (err error) {
	s := newStage(t)
	c := &crowd{stage: s, rnd: rand.New(rand.NewPCG(seed, 9)), known: []ident.Node{s.root}, history: map[ident.Node][]seen{}}
	s.anyOrder, s.apart, s.refuses = true, true, true
	at := s.root
	for i := range 22 { // two chains
		if i == 11 {
			at = s.root
		}
		at = s.mustPartner(t, at, hierarchy.Name(rune('a'+i)))
		c.known = append(c.known, at)
	}
	settling, written := map[ident.Job]bool{}, 0
	act := func() {
		node, other, name := c.any(), c.any(), c.name()
		slow := c.rnd.IntN(3) == 0
		switch c.rnd.IntN(10) {
		case 0, 1:
			if len(c.known) < 30 {
				c.begin("create", slow, func(ctx context.Context) error { _, err := c.partner(ctx, node, name); return err })
			}
		case 2:
			c.begin("rename", slow, func(ctx context.Context) error { return c.changed(c.rename(ctx, node, name)) })
		case 3, 4, 5:
			if node != c.root && len(c.peek(nil).Tree.Changes) < 6 {
				c.begin("move", slow, func(ctx context.Context) error { return c.changed(c.d.Move(ctx, c.founder, node, other)) })
			}
		case 6:
			if node != c.root && len(c.known) > 8 && len(c.peek(nil).Tree.Changes) < 6 {
				c.begin("trash", slow, func(ctx context.Context) error { return c.changed(c.d.Trash(ctx, c.founder, node)) })
			}
		case 7:
			c.later += hierarchy.KeepTrash / 2
			c.begin("purge", slow, func(ctx context.Context) error { _, err := c.d.Purge(ctx, time.Hour); return err })
		default:
			path := c.peek([]ident.Node{node}).Nodes[node].Place.Path.IDs()
			path = path[c.rnd.IntN(len(path)):]
			slices.Reverse(path)
			c.begin("measure", slow, func(ctx context.Context) error { return c.d.Measure(ctx, path...) })
		}
	}
	for i := 0; i < steps || len(c.actors) > 0; i++ {
		if len(c.actors) < 8 && i < steps {
			act()
		}
		if c.writes != written {
			written = c.writes
			c.watch(settling)
		}
		if len(c.actors) == 0 {
			continue
		}
		a := c.actors[c.rnd.IntN(len(c.actors))]
		if a.slow && c.rnd.IntN(20) > 0 {
			continue
		}
		c.take(a, c.rnd.IntN(a.options))
		if c.wrote() {
			c.known = c.ids()
			err = c.sound(c.known)
		}
		if err = cmp.Or(err, c.failed); err != nil {
			close(c.over)
			return fmt.Errorf("seed %d, step %d: %w", seed, c.step, err)
		}
	}
	ids := c.ids()
	slices.Reverse(ids) // each after those below it
	real := map[ident.Node]int{}
	for _, id := range ids {
		if err := c.d.Measure(t.Context(), id); err != nil {
			return err
		}
	}
	nodes := c.peek(ids).Nodes
	for _, id := range ids {
		n := nodes[id]
		if n.Ceiling != 0 || n.Height != real[id] {
			return fmt.Errorf("seed %d: nobody is at work any more, and %s was measured: %d levels, ceiling %d; there are %d", seed, id, n.Height, n.Ceiling, real[id])
		}
		real[n.Parent] = max(real[n.Parent], real[id]+1)
	}
	return nil
}

func TestNoNodeIsEverDeeperThanThoseAboveKnow(t *testing.T) {
	for seed := range uint64(cmp.Or(few(8), 60)) {
		if err := commotion(t, seed, 1500); err != nil {
			t.Fatal(err)
		}
	}
}
