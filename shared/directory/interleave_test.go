package directory_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
	"example.com/partnertree/shared/record"
)

// stage runs operations side by side and decides, at every call of the store, who goes on. A read is up to three calls, the nodes, the
// principal and the tree state apart in time; a list of children comes in pages of one.
type stage struct {
	*directorytest.Fake
	d        *directory.Directory
	founder  directory.Caller
	root     ident.Node
	brand    ident.Brand
	step     int
	actors   []*actor // those that have not ended
	cast     []*actor
	over     chan struct{}
	failed   error // what an operation ended with that it must not end with
	sabotage sabotage
	listed   map[ident.Node]map[hierarchy.Kind][]hierarchy.Node // by the sabotage links
	later    time.Duration                                      // how much the clock is ahead
	anyOrder bool                                               // of the parts of a read; otherwise the tree state comes last
	apart    bool                                               // whether the principal is a part of its own
	exact    bool                                               // whether actors remember what they were given
	refuses  bool                                               // whether operations may be refused in any way
	settled  map[ident.Job]int64                                // the versions of jobs that were seen
	commits  string                                             // who has committed, in order
	writes   int                                                // that there were
	looked   int                                                // at how many of them
}

// sabotage changes what is committed, or "" as the whole design has it.
type sabotage string

// actor is one operation, which waits at each call of the store until it is its turn.
type actor struct {
	name    string
	turn    chan int  // which of its options it takes
	at      chan call // what it is about to do, or how it ended
	over    chan struct{}
	options int
	slow    bool
	reads   int // that it has begun
	reading bool
	waits   func() bool // nil, or whether it has to wait for others still
	given   strings.Builder
}

// call is what an actor is about to do: one of so many options. Or it has ended with err.
type call struct {
	options int
	err     error
}

var errEnded = errors.New("ended")

type actorKey struct{}

// deadline is how many steps a read may take, grace how many a change stays after its walk: as table and settle have it in seconds.
const (
	deadline = 50
	grace    = 60
)

func newStage(t testing.TB) *stage {
	s := &stage{Fake: new(directorytest.Fake), over: make(chan struct{}), listed: map[ident.Node]map[hierarchy.Kind][]hierarchy.Node{}}
	s.d = directory.New(s, func() time.Time { return clocktest.Now().Add(s.later) })
	root, founder, _, err := s.d.CreateRoot(t.Context(), "Root", "Founder")
	if err != nil {
		t.Fatal(err)
	}
	s.root, s.founder = root.ID, directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
	b, err := s.d.CreateBrand(t.Context(), s.founder, directory.NewBrand{Partner: s.root, Name: "B", Domain: "b.example",
		Regions: []string{"eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	s.brand = b.ID
	return s
}

func (s *stage) partner(ctx context.Context, parent ident.Node, name hierarchy.Name) (ident.Node, error) {
	n, err := s.d.CreatePartner(ctx, s.founder, directory.NewPartner{Parent: parent, Name: name, Portal: s.brand,
		Available: []ident.Brand{s.brand}, CanProvision: true})
	return n.ID, err
}

func (s *stage) mustPartner(t testing.TB, parent ident.Node, name hierarchy.Name) ident.Node {
	t.Helper()
	id, err := s.partner(t.Context(), parent, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func acting(ctx context.Context) *actor { a, _ := ctx.Value(actorKey{}).(*actor); return a }

// yield lets others act, and returns which of the options it is to be then.
func yield(ctx context.Context, options int) int {
	a := acting(ctx)
	if a == nil {
		return 0
	}
	select {
	case a.at <- call{options: options}:
	case <-a.over:
		runtime.Goexit()
	}
	select {
	case i := <-a.turn:
		return i
	case <-a.over:
		runtime.Goexit()
	}
	panic("unreachable")
}

// begin adds an operation, up to its first call.
func (s *stage) begin(name string, slow bool, do func(ctx context.Context) error) {
	a := &actor{name: name, turn: make(chan int), at: make(chan call), over: s.over, slow: slow}
	go func() {
		err := do(context.WithValue(context.Background(), actorKey{}, a))
		if err == nil {
			err = errEnded
		}
		select {
		case a.at <- call{err: err}:
		case <-a.over:
		}
	}()
	s.actors, s.cast = append(s.actors, a), append(s.cast, a)
	s.wait(a)
}

// wait waits until a is about to make a call, or has ended.
func (s *stage) wait(a *actor) {
	c := <-a.at
	a.options = c.options
	if c.err != nil {
		s.actors = slices.DeleteFunc(s.actors, func(o *actor) bool { return o == a })
		if refusal := new(fault.Error); !expected(c.err) && s.failed == nil && !(s.refuses && errors.As(c.err, &refusal)) {
			s.failed = fmt.Errorf("%s: %w", a.name, c.err)
		}
	}
}

// expected are the ends that operations may come to when others are at work too.
func expected(err error) bool {
	for _, t := range []*fault.Type{
		fault.MoveIntoItself, fault.Conflict, fault.Suspended, fault.TooManyChanges, fault.DepthLimit, fault.Trashed,
	} {
		if t.Is(err) {
			return true
		}
	}
	return errors.Is(err, errEnded)
}

func (s *stage) proceed(a *actor) { s.take(a, 0) }

// take lets an actor go on with one of its options.
func (s *stage) take(a *actor, option int) {
	s.step++
	a.given.WriteByte('.')
	a.turn <- option
	s.wait(a)
}

// part is one of the calls that a read is, and how what it gives joins what others gave.
type part struct {
	want directory.Want
	join func(got *directory.Got, given directory.Got)
}

// parts are the nodes, the principal and the rest, which has the tree state. The principal is read with the rest unless it is apart.
func (s *stage) parts(w directory.Want) []part {
	var parts []part
	if len(w.Nodes) > 0 {
		parts = append(parts, part{directory.Want{Nodes: w.Nodes}, func(got *directory.Got, given directory.Got) { got.Nodes = given.Nodes }})
	}
	var principals, others []record.Ref
	for _, ref := range w.Records {
		if s.apart && ref.Kind() == access.Principals.Name() {
			principals = append(principals, ref)
		} else {
			others = append(others, ref)
		}
	}
	if len(principals) > 0 {
		parts = append(parts, part{directory.Want{Records: principals}, func(got *directory.Got, given directory.Got) { got.Records = given.Records }})
	}
	return append(parts, part{directory.Want{Records: others}, func(got *directory.Got, given directory.Got) {
		given.Nodes = got.Nodes
		maps.Copy(given.Records, got.Records)
		*got = given
	}})
}

func (s *stage) Read(ctx context.Context, w directory.Want) (directory.Got, error) {
	if a := acting(ctx); a != nil {
		a.reads++
		a.reading = true
		defer func() { a.reading = false }()
	}
	parts := s.parts(w)
	for {
		began, todo, got := s.step, slices.Clone(parts), directory.Got{}
		for len(todo) > 0 {
			options := 1
			if s.anyOrder {
				options = len(todo)
			}
			i := yield(ctx, options)
			if len(todo) < len(parts) && s.step-began > deadline {
				break
			}
			given, err := s.Fake.Read(ctx, todo[i].want)
			if err != nil {
				return given, err
			}
			s.remember(ctx, todo[i].want, given)
			todo[i].join(&got, given)
			todo = slices.Delete(todo, i, i+1)
		}
		if len(todo) == 0 {
			return got, nil
		}
	}
}

func (s *stage) Children(ctx context.Context, parent ident.Node, kind hierarchy.Kind, all bool, after string, _ int) (
	directory.Page[hierarchy.Node], error) {
	yield(ctx, 1)
	if old, ok := s.listed[parent][kind]; ok {
		return directory.Page[hierarchy.Node]{Items: old}, nil
	}
	page, err := s.Fake.Children(ctx, parent, kind, all, after, 1)
	for i := range page.Items {
		s.given(ctx, "child %s", page.Items[i].ID)
	}
	return page, err
}

func (s *stage) List(ctx context.Context, node ident.Node, l *record.Listing, after string, limit int) (directory.Page[directory.Listed], error) {
	if l != access.GrantsAt.Listing {
		return s.Fake.List(ctx, node, l, after, limit)
	}
	yield(ctx, 1)
	page, err := s.Fake.List(ctx, node, l, after, 1)
	s.given(ctx, "grants %+v", page.Items)
	return page, err
}

func (s *stage) PurgeQueue(ctx context.Context, until time.Time, limit int) ([]directory.PurgeEntry, error) {
	yield(ctx, 1)
	due, err := s.Fake.PurgeQueue(ctx, until, limit)
	s.given(ctx, "due %v", due)
	return due, err
}

func (s *stage) Erase(ctx context.Context, node ident.Node) (bool, error) {
	yield(ctx, 1)
	done, err := s.Fake.Erase(ctx, node)
	s.writes++
	s.given(ctx, "erased %v", done)
	return done, err
}

func (s *stage) Commit(ctx context.Context, steps ...directory.Step) error {
	yield(ctx, 1)
	err := s.Fake.Commit(ctx, s.spoil(steps)...)
	if err == nil {
		s.writes++
	}
	s.given(ctx, "commit %v", err)
	if a := acting(ctx); a != nil && err == nil {
		s.commits += a.name + " "
	}
	return err
}

// wrote tells whether anything was written since it was last asked. What is stored is as sound as it was when nothing was.
func (s *stage) wrote() bool {
	was := s.looked
	s.looked = s.writes
	return s.writes != was
}

// now is a node as it is stored.
func (s *stage) now(id ident.Node) *hierarchy.Node { return s.peek([]ident.Node{id}).Nodes[id] }

func (s *stage) peek(ids []ident.Node) directory.Got {
	got, err := s.Fake.Read(context.Background(), directory.Want{Nodes: ids})
	if err != nil {
		panic(err)
	}
	return got
}

// spoil takes the sabotage's condition out of a transaction.
func (s *stage) spoil(steps []directory.Step) []directory.Step {
	if s.sabotage == "" {
		return steps
	}
	edits := slices.ContainsFunc(steps, func(step directory.Step) bool { _, ok := step.(directory.EditNode); return ok })
	var out []directory.Step
	for _, step := range steps {
		switch x := step.(type) {
		case directory.CheckParent:
			if s.sabotage == "parent" {
				x.Parent = s.now(x.Parent.ID)
			}
			if s.sabotage == "relisted unheld" && edits {
				continue
			}
			step = x
		case directory.AddChange:
			if s.sabotage == "relisted uncovered" && edits {
				continue
			}
			if s.sabotage == "seq" {
				x.Change.Seq = s.peek(nil).Tree.Seq + 1
			}
			step = x
		case directory.PlaceNode:
			if s.sabotage == "place" {
				x.Was = s.now(x.Was.ID)
			}
			if s.sabotage == "height" {
				was, now := *x.Was, s.now(x.Was.ID)
				was.Height, was.Ceiling = now.Height, now.Ceiling
				x.Was = &was
			}
			if s.sabotage == "seq" {
				now := *x.Now
				now.AsOf = s.peek(nil).Tree.Seq + 1
				x.Now = &now
			}
			step = x
		case directory.CheckSeq:
			if s.sabotage == "height-seq" {
				continue
			}
		case directory.Put:
			j, is := x.Now.(*job.Job)
			if !is {
				break
			}
			if s.sabotage == "relisted uncovered" && edits {
				continue
			}
			if s.sabotage == "seq" && x.Was == nil {
				j.Input = strconv.FormatInt(s.peek(nil).Tree.Seq+1, 10)
			}
		case directory.AddEvent:
			if s.sabotage == "relisted uncovered" && edits {
				x.Event.Data = nil
			}
			step = x
		case directory.Rewrite:
			if s.sabotage == "rewrite" {
				x.WasAsOf = s.now(x.Node).AsOf
			}
			if s.sabotage == "links" && s.listed[x.Node] == nil {
				s.listed[x.Node] = map[hierarchy.Kind][]hierarchy.Node{}
				for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
					page, err := s.Fake.Children(context.Background(), x.Node, kind, true, "", 100)
					if err != nil {
						panic(err)
					}
					s.listed[x.Node][kind] = page.Items
				}
			}
			step = x
		}
		out = append(out, step)
	}
	return out
}

// truth is where the nodes are by their parents alone, and the marks that stand on their ancestors.
func truth(nodes map[ident.Node]*hierarchy.Node, id ident.Node) (hierarchy.Place, error) {
	var up []ident.Node
	p := hierarchy.Place{}
	for at := id; at != ""; at = nodes[at].Parent {
		if nodes[at] == nil || len(up) > len(nodes) {
			return p, fmt.Errorf("%s is in a circle or nowhere: %v", id, up)
		}
		up = append(up, at)
		p.Marks = append(p.Marks, nodes[at].OwnMarks()...)
	}
	for _, at := range slices.Backward(up) {
		p.Path = p.Path.Child(at)
	}
	return p, nil
}

func samePlace(a, b hierarchy.Place) bool {
	lacks := func(ms []hierarchy.Mark) func(hierarchy.Mark) bool {
		return func(m hierarchy.Mark) bool { return !slices.Contains(ms, m) }
	}
	return a.Path == b.Path && !slices.ContainsFunc(a.Marks, lacks(b.Marks)) && !slices.ContainsFunc(b.Marks, lacks(a.Marks))
}

// sound says what is wrong with the tree: a node is not where its parents say, is not in the one list where it belongs, lies
// deeper below another than that one knows, or is stored where no range finds it.
func (s *stage) sound(ids []ident.Node) error {
	got := s.peek(ids)
	type list struct {
		parent ident.Node
		kind   hierarchy.Kind
	}
	lists := map[list][]hierarchy.Node{}
	for _, id := range ids {
		n := got.Nodes[id]
		want, err := truth(got.Nodes, id)
		if err != nil {
			return err
		}
		if place := got.Tree.Place(n); !samePlace(place, want) {
			return fmt.Errorf("%s is at %v, and truly at %v; it stores %v as of %d, and the changes are %+v",
				id, place, want, n.Place, n.AsOf, got.Tree.Changes)
		}
		for i := range want.Path.Depth() {
			top := want.Path.To(i)
			if above := got.Nodes[want.Path.At(i)]; above.Levels() < want.Path.Depth()-1-i {
				return fmt.Errorf("%s lies %d levels below %s, which knows of %d", id, want.Path.Depth()-1-i, above.ID, above.Levels())
			}
			if !slices.ContainsFunc(got.Tree.Ranges(top), func(r hierarchy.Range) bool { return n.Place.Path.Has(r.Stored) }) {
				return fmt.Errorf("%s is stored at %s, where nobody looks who asks for what is below %s", id, n.Place.Path, top)
			}
		}
		if n.Parent == "" {
			continue
		}
		if parent := got.Nodes[n.Parent]; parent.Levels() < n.Levels()+1 {
			return fmt.Errorf("%s has up to %d levels below it, and its parent %s knows of %d", id, n.Levels(), parent.ID, parent.Levels())
		}
		in := list{n.Parent, n.Kind()}
		if lists[in] == nil {
			page, err := s.Fake.Children(context.Background(), in.parent, in.kind, true, "", 1000)
			if err != nil {
				return err
			}
			lists[in] = page.Items
		}
		if !slices.ContainsFunc(lists[in], func(c hierarchy.Node) bool { return c.ID == id }) {
			return fmt.Errorf("%s is not in the list of its parent %s", id, n.Parent)
		}
	}
	return nil
}

func (s *stage) ids() []ident.Node {
	var ids []ident.Node
	for todo := []ident.Node{s.root}; len(todo) > 0; todo = todo[1:] {
		ids = append(ids, todo[0])
		for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
			page, err := s.Fake.Children(context.Background(), todo[0], kind, true, "", 1000)
			if err != nil {
				panic(err)
			}
			for i := range page.Items {
				todo = append(todo, page.Items[i].ID)
			}
		}
	}
	return ids
}

// everyOrder runs the same actors, whose ids differ each time, in every order of their calls. It returns how many there are, and what
// went wrong in the first that went wrong. Under -short it is a few orders at random.
func everyOrder(t testing.TB, set func() (s *stage, check func() error)) (orders int, err error) {
	var choices, options []int
	only, rnd := few(100), rand.New(rand.NewPCG(6, 6))
	for {
		s, check := set()
		at := 0
		for len(s.actors) > 0 {
			if at == len(choices) {
				choices, options = append(choices, 0), append(options, 0)
				if only > 0 {
					choices[at] = rnd.IntN(len(s.actors))
				}
			}
			options[at] = len(s.actors)
			s.proceed(s.actors[choices[at]])
			at++
			if err == nil {
				err = check()
			}
			if err == nil {
				err = s.failed
			}
		}
		orders++
		if err != nil {
			return orders, fmt.Errorf("order %v: %w", choices[:at], err)
		}
		if only > 0 {
			if orders == only {
				return orders, nil
			}
			choices, options = nil, nil
			continue
		}
		choices, options = choices[:at], options[:at]
		for len(choices) > 0 && choices[len(choices)-1]+1 >= options[len(choices)-1] {
			choices, options = choices[:len(choices)-1], options[:len(choices)-1]
		}
		if len(choices) == 0 {
			return orders, nil
		}
		choices[len(choices)-1]++
	}
}

// A list that is read is no snapshot: a node that is renamed while settling reads the list of its parent may be in neither page. It
// must not stay behind for that.
func renamedWhileSettled(t *testing.T, bad sabotage, orders int) error {
	rnd := rand.New(rand.NewPCG(3, 3))
	for order := range orders {
		s := newStage(t)
		s.anyOrder, s.apart = true, true
		top := s.mustPartner(t, s.root, "top")
		parent := s.mustPartner(t, top, "parent")
		first, renamed := s.mustPartner(t, parent, "m"), s.mustPartner(t, parent, "z")
		ids := []ident.Node{s.root, top, parent, first, renamed}
		if rnd.IntN(2) == 0 {
			ids = append(ids, s.mustPartner(t, renamed, "below"))
		}
		measured := rnd.IntN(3) // begun before, or when there is something to settle, or not at all
		measure := func(when int) {
			if measured == when {
				if err := s.d.BeginMeasuring(t.Context(), renamed); err != nil {
					t.Fatal(err)
				}
			}
		}
		measure(0)
		done, err := s.d.Suspend(t.Context(), s.founder, top, "because")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.d.Resume(t.Context(), s.founder, top); err != nil { // what is suspended is not renamed
			t.Fatal(err)
		}
		measure(1)
		s.sabotage = bad
		for _, e := range s.Events() {
			id := e.Job()
			if id == "" {
				continue
			}
			s.begin("settle", id == done.Job, func(ctx context.Context) error {
				for resume := ""; ; {
					r, err := s.d.Settle(ctx, id, resume, 0)
					if err != nil {
						return err
					}
					if resume = r.Resume; r.Done {
						return s.d.Retire(ctx, id)
					}
				}
			})
		}
		s.begin("rename", true, func(ctx context.Context) error {
			name := hierarchy.Name("a")
			_, err := s.d.EditPartner(ctx, s.founder, renamed, directory.PartnerPatch{Name: &name})
			return err
		})
		for len(s.actors) > 0 {
			a := s.actors[rnd.IntN(len(s.actors))]
			s.take(a, rnd.IntN(a.options))
			if !s.wrote() {
				continue
			}
			if err := s.sound(ids); err != nil {
				return fmt.Errorf("order %d: %w", order, err)
			}
		}
		if s.failed != nil {
			return s.failed
		}
	}
	return nil
}

func TestARenameIsNotLostToSettling(t *testing.T) {
	if err := renamedWhileSettled(t, "", cmp.Or(few(300), 1500)); err != nil {
		t.Error(err)
	}
	for _, bad := range []sabotage{"relisted unheld", "relisted uncovered"} {
		if err := renamedWhileSettled(t, bad, 20000); err == nil {
			t.Errorf("%s: not caught", bad)
		} else {
			t.Logf("%s: caught: %.150s", bad, err)
		}
	}
}

// crowd is many actors at a time, as ../shared/tree_state_model.py has them: creates, renames, moves, marks, reads whose parts are
// apart in time, and settling with slow workers that are killed and begin again.
type crowd struct {
	*stage
	rnd     *rand.Rand
	known   []ident.Node
	history map[ident.Node][]seen
}

type seen struct {
	since int
	place hierarchy.Place
}

func (c *crowd) any() ident.Node { return c.known[c.rnd.IntN(len(c.known))] }

func (c *crowd) name() hierarchy.Name { return hierarchy.Name(rune('a' + c.rnd.IntN(26))) }

func (c *crowd) remember() error {
	got := c.peek(c.known)
	for _, id := range c.known {
		now, err := truth(got.Nodes, id)
		if err != nil {
			return err
		}
		if past := c.history[id]; len(past) == 0 || !samePlace(past[len(past)-1].place, now) {
			c.history[id] = append(past, seen{c.step, now})
		}
	}
	return nil
}

// between reports whether the node was at the place at some time from one step to another.
func (c *crowd) between(id ident.Node, place hierarchy.Place, from, to int) bool {
	past := c.history[id]
	for i, p := range past {
		if p.since <= to && (i+1 == len(past) || past[i+1].since > from) && samePlace(p.place, place) {
			return true
		}
	}
	return false
}

func (c *crowd) act() {
	slow := c.rnd.IntN(3) == 0
	node, other, name := c.any(), c.any(), c.name()
	kinds := 14
	if c.sabotage == "grace" { // only reads show it
		kinds = 40
	}
	switch c.rnd.IntN(kinds) {
	case 0, 1, 2:
		if len(c.known) < 14 {
			c.begin("create", slow, func(ctx context.Context) error {
				id, err := c.partner(ctx, node, name)
				if err == nil {
					c.known = append(c.known, id)
				}
				return err
			})
		}
	case 3, 4:
		c.begin("rename", slow, func(ctx context.Context) error { return c.changed(c.rename(ctx, node, name)) })
	case 5, 6, 7:
		if node != c.root && len(c.peek(nil).Tree.Changes) < 6 {
			c.begin("move", slow, func(ctx context.Context) error { return c.changed(c.d.Move(ctx, c.founder, node, other)) })
		}
	case 8, 9:
		if node != c.root && len(c.peek(nil).Tree.Changes) < 6 {
			kinds := 5
			if c.sabotage != "" { // what is in the trash takes no part
				kinds = 2
			}
			kind := c.rnd.IntN(kinds)
			c.begin("mark", slow, func(ctx context.Context) error {
				switch kind {
				case 0:
					return c.changed(c.d.Suspend(ctx, c.founder, node, "because"))
				case 1:
					return c.changed(c.d.Resume(ctx, c.founder, node))
				case 2:
					return c.changed(c.d.Trash(ctx, c.founder, node))
				default:
					return c.changed(c.d.Restore(ctx, c.founder, node))
				}
			})
		}
	default:
		c.begin("read", slow, func(ctx context.Context) error {
			began := c.step
			got, err := c.Read(ctx, directory.Want{Nodes: []ident.Node{node}})
			if err != nil {
				return err
			}
			if place := got.Tree.Place(got.Nodes[node]); !c.between(node, place, began, c.step) {
				c.failed = fmt.Errorf("%s was read at %v, where it was at no time; %+v, %+v", node, place, got.Nodes[node], got.Tree)
			}
			return nil
		})
	}
}

func (c *crowd) rename(ctx context.Context, node ident.Node, name hierarchy.Name) (directory.Changed, error) {
	_, err := c.d.EditPartner(ctx, c.founder, node, directory.PartnerPatch{Name: &name})
	return directory.Changed{}, err
}

func (c *crowd) changed(_ directory.Changed, err error) error { return err }

// watch settles every change that comes up: what the rule on the bus does.
func (c *crowd) watch(settling map[ident.Job]bool) {
	for _, e := range c.Events() {
		id := e.Job()
		if id == "" || settling[id] {
			continue
		}
		settling[id] = true
		c.begin("settle", c.rnd.IntN(3) == 0, func(ctx context.Context) error { return c.settle(ctx, id) })
	}
}

func (c *crowd) settle(ctx context.Context, id ident.Job) error {
	resume := ""
	for {
		r, err := c.d.Settle(ctx, id, resume, 0)
		if err != nil {
			return err
		}
		if r.Done {
			break
		}
		if resume = r.Resume; c.rnd.IntN(30) == 0 { // killed, and begun again
			resume = ""
		}
	}
	for done := c.step; c.step-done < grace && c.sabotage != "grace"; {
		yield(ctx, 1)
	}
	return c.d.Retire(ctx, id)
}

// live runs a crowd for a while and returns how it went wrong, if it did.
func live(t testing.TB, seed uint64, bad sabotage, steps int) (err error) {
	s := newStage(t)
	c := &crowd{stage: s, rnd: rand.New(rand.NewPCG(seed, 7)), known: []ident.Node{s.root}, history: map[ident.Node][]seen{}}
	s.sabotage, s.anyOrder, s.apart = bad, true, true
	settling := map[ident.Job]bool{}
	written, known := 0, 0
	for i := range 4 {
		c.known = append(c.known, s.mustPartner(t, c.any(), hierarchy.Name(rune('a'+i))))
	}
	for range steps {
		if len(c.actors) < 8 {
			c.act()
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
		if c.wrote() || len(c.known) != known {
			known = len(c.known)
			if err = c.remember(); err == nil {
				err = c.sound(c.known)
			}
		}
		if err == nil {
			err = c.failed
		}
		if err != nil {
			err = fmt.Errorf("seed %d, step %d: %w", seed, c.step, err)
			break
		}
	}
	close(c.over)
	return err
}

func TestACrowdSeesOnlyTheTruth(t *testing.T) {
	for seed := range uint64(cmp.Or(few(20), 60)) {
		if err := live(t, seed, "", 1500); err != nil {
			t.Fatal(err)
		}
	}
}

// Every condition that holds the tree together is needed: without any one of them a crowd goes wrong sooner or later.
func TestACrowdCatchesSabotage(t *testing.T) {
	for _, bad := range []sabotage{"parent", "seq", "place", "height", "height-seq", "rewrite", "links", "grace"} {
		if bad == "grace" && testing.Short() { // it takes longer than all others
			continue
		}
		t.Run(string(bad), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3000) {
				if err := live(t, seed, bad, 1500); err != nil {
					t.Logf("caught by seed %d: %.200s", seed, err)
					return
				}
			}
			t.Error("not caught")
		})
	}
}
