package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type options struct {
	warm, measured time.Duration
	rounds         int
}

// bench holds all peers to the same world. Moves are made and taken back, so it is the same again for the next one.
type bench struct {
	options
	world *world
}

var callers = []int{1, 8}

// asking is how many callers asked for how long, and how long each answer took.
type asking struct {
	callers int
	times   []time.Duration
	wall    time.Duration
	inOne   int // how many answers each of the times is of
}

func (b *bench) head() {
	w := b.world
	seen := 0
	for _, q := range w.seen {
		seen += len(w.below(q.node))
	}
	moved := 0
	for _, m := range w.moves {
		moved += len(w.below(m.node))
	}
	fmt.Printf("%d cores for all; %d nodes, %d principals; below: %d ids on average; move: %d nodes on average; large: %d\n\n",
		runtime.NumCPU(), nodes, principals, seen/len(w.seen), moved/len(w.moves), len(w.below(w.big.node)))
	fmt.Printf("%-28s %-18s %7s %9s %9s %10s %9s\n", "", "question", "callers", "p50 ms", "p99 ms", "a second", "asked")
}

func line(name, question string, a asking) {
	slices.Sort(a.times)
	ms := func(q float64) string {
		return fmt.Sprintf("%.4g", float64(a.times[int(q*float64(len(a.times)-1))])/float64(time.Millisecond)/float64(a.inOne))
	}
	fmt.Printf("%-28s %-18s %7d %9s %9s %10.0f %9d\n", name, question, a.callers, ms(0.5), ms(0.99),
		float64(len(a.times)*a.inOne)/a.wall.Seconds(), len(a.times)*a.inOne)
}

// compete starts a peer, asks it everything, and stops it.
func (b *bench) compete(ctx context.Context, c contestant, dir string) (err error) {
	m, err := newMachine(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.stop()) }()
	p, err := c.start(ctx, m)
	if err != nil {
		return err
	}
	if err := p.load(ctx, b.world); err != nil {
		return fmt.Errorf("loading: %w", err)
	}
	if err := b.verify(ctx, p); err != nil {
		return err
	}
	if d, ok := p.(decider); ok {
		decide, err := b.decide(ctx, d)
		if err != nil {
			return err
		}
		for _, n := range callers {
			if err := b.ask(ctx, "partnertree, in process", "check", n, atATime, decide); err != nil {
				return err
			}
		}
	}
	for _, n := range callers {
		if err := b.ask(ctx, c.name, "check", n, 1, b.check(p)); err != nil {
			return err
		}
	}
	if l, ok := p.(lister); ok {
		for _, n := range callers {
			if err := b.ask(ctx, c.name, "children", n, 1, b.children(l)); err != nil {
				return err
			}
		}
	}
	for _, n := range callers {
		if err := b.ask(ctx, c.name, "below", n, 1, b.below(p)); err != nil {
			return err
		}
	}
	return b.moves(ctx, c.name, p)
}

// A question is the i-th of its kind; its answer is compared by right, which is not part of its time.
type question func(ctx context.Context, i int) (right func() error, err error)

func (b *bench) check(p peer) question { return b.checkOf(p, b.world.checks) }

func (b *bench) checkOf(p peer, checks []pair) question {
	return func(ctx context.Context, i int) (func() error, error) {
		q := checks[i%len(checks)]
		got, err := p.check(ctx, q.who, q.node)
		return func() error {
			if want := b.world.may(q.who, q.node); got != want {
				return fmt.Errorf("whether %s sees %s: %v, and it is %v", q.who, q.node, got, want)
			}
			return nil
		}, err
	}
}

func (b *bench) children(p lister) question {
	return func(ctx context.Context, i int) (func() error, error) {
		q := b.world.lists[i%len(b.world.lists)]
		got, err := p.children(ctx, q.who, q.node)
		return func() error { return same("the customers below "+q.node, got, b.world.page(q.who, q.node)) }, err
	}
}

func (b *bench) below(p peer) question { return b.belowOf(p, b.world.seen) }

func (b *bench) belowOf(p peer, seen []pair) question {
	return func(ctx context.Context, i int) (func() error, error) {
		q := seen[i%len(seen)]
		got, err := p.below(ctx, q.who, q.node)
		return func() error {
			slices.Sort(got)
			return same("what "+q.who+" sees", got, b.world.below(q.node))
		}, err
	}
}

func same(what string, got, want []string) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: %d ids, and it is %d, or others", what, len(got), len(want))
	}
	return nil
}

// atATime is how many decisions are timed together: one takes hardly longer than to look at the clock.
const atATime = 100

// decide is the decision alone, on what was read before. It is compared before it is measured: that takes longer than it does.
func (b *bench) decide(ctx context.Context, d decider) (question, error) {
	decide, err := d.read(ctx, b.world.checks)
	if err != nil {
		return nil, err
	}
	for i, q := range b.world.checks {
		if got, want := decide(i), b.world.may(q.who, q.node); got != want {
			return nil, fmt.Errorf("whether %s sees %s: it is decided %v, and it is %v", q.who, q.node, got, want)
		}
	}
	return func(_ context.Context, i int) (func() error, error) {
		from := i % (len(b.world.checks) / atATime) * atATime
		for j := range atATime {
			decide(from + j)
		}
		return func() error { return nil }, nil
	}, nil
}

// verify asks some of all questions.
func (b *bench) verify(ctx context.Context, p peer) error {
	if err := answered(ctx, b.check(p), 300); err != nil {
		return err
	}
	if l, ok := p.(lister); ok {
		if err := answered(ctx, b.children(l), 50); err != nil {
			return err
		}
	}
	return answered(ctx, b.below(p), 10)
}

// verifyMoved asks those whose access has changed, or not, by moves.
func (b *bench) verifyMoved(ctx context.Context, p peer, moves []move) error {
	checks, seen := b.world.touched(moves)
	if err := answered(ctx, b.checkOf(p, checks), len(checks)); err != nil {
		return err
	}
	return answered(ctx, b.belowOf(p, seen), len(seen))
}

func answered(ctx context.Context, q question, count int) error {
	for i := range count {
		right, err := q(ctx, i)
		if err == nil {
			err = right()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// crew has so many callers at work, each on the next turn as soon as one is done, until there is no turn left.
func crew(ctx context.Context, callers int, turn func(ctx context.Context, caller, i int) (more bool, err error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for ctx.Err() == nil {
				more, err := turn(ctx, caller, int(next.Add(1))-1)
				if err != nil {
					cancel(err)
				}
				if !more {
					return
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// ask measures a question, or so many in one, that callers ask for a while. What was begun in that while counts.
func (b *bench) ask(ctx context.Context, name, what string, callers, inOne int, q question) error {
	from := time.Now().Add(b.warm)
	until := from.Add(b.measured)
	times := make([][]time.Duration, callers)
	err := crew(ctx, callers, func(ctx context.Context, caller, i int) (bool, error) {
		began := time.Now()
		if began.After(until) && len(times[caller]) > 0 {
			return false, nil
		}
		right, err := q(ctx, i)
		took := time.Since(began)
		if err != nil {
			return false, err
		}
		if began.After(from) {
			times[caller] = append(times[caller], took)
		}
		return true, right()
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	line(name, what, asking{callers, slices.Concat(times...), time.Since(from), inOne})
	return nil
}

// moves makes all moves and takes them back, again and again, and then one that is larger. After each of these all has to be
// true; what the peer has left to do is done then.
func (b *bench) moves(ctx context.Context, name string, p peer) error {
	for _, n := range callers {
		if err := b.rounds(ctx, name, "move", n, p, b.world.moves); err != nil {
			return err
		}
	}
	return b.rounds(ctx, name, "move, large", 1, p, []move{b.world.big})
}

func (b *bench) rounds(ctx context.Context, name, what string, callers int, p peer, moves []move) error {
	made, settled := asking{callers: callers, inOne: 1}, asking{callers: 1, inOne: 1}
	for r := range 1 + b.options.rounds {
		for range 2 { // there and back
			one, err := round(ctx, callers, p, moves)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			for i, m := range moves {
				b.world.moved(m)
				moves[i] = move{m.node, m.to, m.from}
			}
			if err := b.verifyMoved(ctx, p, moves); err != nil {
				return fmt.Errorf("after moves: %w", err)
			}
			if r > 0 { // the first is for warming up
				made.times, made.wall = append(made.times, one.times...), made.wall+one.wall
			}
			s, ok := p.(settler)
			if !ok {
				continue
			}
			began := time.Now()
			count, err := s.settle(ctx)
			if err != nil {
				return fmt.Errorf("settling: %w", err)
			}
			took := time.Since(began)
			for range count { // all of them took as long, as far as can be told
				settled.times = append(settled.times, took/time.Duration(count))
			}
			settled.wall += took
			if err := b.verifyMoved(ctx, p, moves); err != nil {
				return fmt.Errorf("when settled: %w", err)
			}
		}
	}
	line(name, what, made)
	if len(settled.times) > 0 && callers == 1 {
		line(name, "settle, a node", settled)
	}
	return nil
}

// round makes each of the moves once.
func round(ctx context.Context, callers int, p peer, moves []move) (asking, error) {
	a := asking{callers: callers, times: make([]time.Duration, len(moves))}
	began := time.Now()
	err := crew(ctx, callers, func(ctx context.Context, _, i int) (bool, error) {
		if i >= len(moves) {
			return false, nil
		}
		began := time.Now()
		err := p.move(ctx, moves[i])
		a.times[i] = time.Since(began)
		return true, err
	})
	a.wall = time.Since(began)
	return a, err
}
