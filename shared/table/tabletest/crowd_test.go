package tabletest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table"
)

// A partner with 10,000 nodes below it is moved and settled while people of both sides, of above and of within read at full speed.
// Whatever they are told was true before the move or is true after it; whoever was told what is true now is never told again what
// was, and nobody is who asks after the move was answered.
func TestTenThousandNodesMoveUnderReaders(t *testing.T) {
	c := newCrowd(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	// Two at a time ask: more would only wait for each other, and settling for all of them.
	for i := range 2 {
		all.Go(func() { c.read(ctx, uint64(i), c.readers[i*len(c.readers)/2:(i+1)*len(c.readers)/2]) })
	}
	all.Go(func() { c.walk(ctx) })

	answers := func() string {
		text := ""
		for _, r := range c.readers {
			text += fmt.Sprintf(" %s %d+%d", r.name, r.answers[before].Load(), r.answers[after].Load())
		}
		return fmt.Sprintf("%s, walks %d, none %d", text, c.walks.Load(), c.none.Load())
	}
	began := clocktest.Now()
	stage := func(what string) {
		t.Logf("%6.1fs %-8s answers, old and new:%s", clocktest.Now().Sub(began).Seconds(), what, answers())
		if t.Failed() {
			t.FailNow()
		}
	}
	// told waits until everybody who can tell was told something that is true only on this side of the move.
	told := func(era int) {
		for deadline := clocktest.Now().Add(time.Minute); !t.Failed(); time.Sleep(10 * time.Millisecond) {
			if !slices.ContainsFunc(c.readers, func(r *reader) bool { return r.tells && r.answers[era].Load() == 0 }) {
				return
			}
			if clocktest.Now().After(deadline) {
				t.Error("readers get no answers")
			}
		}
	}
	told(before)
	stage("before")
	moved, err := c.dir.Move(ctx, c.founder, c.top.ID, c.to)
	c.must(err)
	c.moved.Store(true)
	stage("moved")
	for result := (directory.SettleResult{}); !result.Done && !t.Failed(); {
		result, err = c.dir.Settle(ctx, moved.Job, result.Resume, time.Second)
		c.must(err)
	}
	stage("settled")
	// The grace is far longer than any read may take, to be sure: a read that begins before a node is rewritten ends before this does.
	time.Sleep(3 * time.Second)
	c.must(c.dir.Retire(ctx, moved.Job))
	stage("retired")
	told(after)
	for walks := c.walks.Load(); c.walks.Load() == walks && ctx.Err() == nil && !t.Failed(); {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	all.Wait()
	stage("end")
	c.inPlace()
}

// The two truths.
const (
	before = iota
	after
)

// crowd is a tree with many readers.
type crowd struct {
	t       *testing.T
	store   *table.Table
	dir     *directory.Directory
	founder directory.Caller
	top     *hierarchy.Node // what moves
	to      ident.Node      // its new parent
	below   []*hierarchy.Node
	asked   []ident.Node // all nodes of the tree
	readers []*reader
	moved   atomic.Bool  // the move was answered
	walks   atomic.Int64 // through all that is below top
	none    atomic.Int64 // requests without an answer: too busy

	parent   [2]map[ident.Node]ident.Node
	children [2]map[list][]ident.Node
}

// list is of the children of one kind.
type list struct {
	parent ident.Node
	kind   hierarchy.Kind
}

// reader is somebody who reads.
type reader struct {
	name    string
	grants  []ident.Node
	caller  directory.Caller
	tells   bool            // what they are told can show whether it is old or new
	answers [2]atomic.Int64 // of which it shows
	knows   bool            // they were told what is true after the move
}

func newCrowd(t *testing.T) *crowd {
	ctx := t.Context()
	store, name := New(t)
	c := &crowd{t: t, store: store, dir: directory.New(store, clocktest.Now)}
	founded, founder, _, err := c.dir.CreateRoot(ctx, "Root", "Founder")
	c.must(err)
	c.founder = directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
	sold := directory.NewBrand{Partner: founded.ID, Name: "B", Domain: "b.example", Regions: []string{"eu-west-1"}}
	brand, err := c.dir.CreateBrand(ctx, c.founder, sold)
	c.must(err)
	got, err := store.Read(ctx, directory.Want{Nodes: []ident.Node{founded.ID}})
	c.must(err)
	root := got.Nodes[founded.ID]

	random := rand.New(rand.NewPCG(4, 4))
	sides := Grow(random, root, brand.ID, 0, 2)
	old, other := sides[0], sides[1]
	c.top = Grow(random, old, brand.ID, 0, 1)[0]
	beside, there := Grow(random, old, brand.ID, 20, 2), Grow(random, other, brand.ID, 20, 3)
	c.to = there[0].ID
	c.below = Grow(random, c.top, brand.ID, 9600, 10, 40, 100, 150, 100)
	root.Height, old.Height = c.top.Height+2, c.top.Height+1
	nodes := slices.Concat([]*hierarchy.Node{root, old, other, c.top}, beside, there, c.below)

	within := c.below[random.IntN(10)]
	c.readers = []*reader{
		{name: "above", grants: []ident.Node{root.ID}, tells: true},
		{name: "old side", grants: []ident.Node{old.ID}, tells: true},
		{name: "new side", grants: []ident.Node{other.ID}, tells: true},
		{name: "both sides", grants: []ident.Node{old.ID, other.ID}, tells: true},
		{name: "top", grants: []ident.Node{c.top.ID}, tells: true},
		{name: "within", grants: []ident.Node{within.ID}},
	}
	var steps []directory.Step
	for _, n := range nodes {
		c.asked = append(c.asked, n.ID)
		steps = append(steps, directory.AddNode{Node: *n})
	}
	for _, r := range c.readers {
		p := access.Principal{ID: ident.NewClient(), Name: hierarchy.Name(r.name), Home: root.ID, Grants: map[ident.Node]access.Role{},
			Secrets: []access.Secret{{ID: ident.NewKey(), Hash: make([]byte, 32)}}, CursorKey: make([]byte, 32), Version: 1}
		for _, at := range r.grants {
			p.Grants[at] = access.Viewer
		}
		r.caller = directory.Caller{Principal: p.ID, Key: p.Secrets[0].ID}
		steps = append(steps, directory.Put{Now: &p, Else: directory.ErrExists})
	}
	began := clocktest.Now()
	c.must(Fill(ctx, Client(t), name, steps))
	t.Logf("filled with %d nodes in %s", len(nodes), clocktest.Now().Sub(began).Round(time.Millisecond))

	slices.SortFunc(nodes, func(a, b *hierarchy.Node) int { return strings.Compare(a.Name.SortKey(), b.Name.SortKey()) })
	for era := range c.parent {
		c.parent[era], c.children[era] = map[ident.Node]ident.Node{}, map[list][]ident.Node{}
		for _, n := range nodes {
			parent := n.Parent
			if era == after && n == c.top {
				parent = c.to
			}
			at := list{parent, n.Kind()}
			c.parent[era][n.ID] = parent
			c.children[era][at] = append(c.children[era][at], n.ID)
		}
	}
	return c
}

func (c *crowd) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// path is the Partner Path to a node as a reader has to see it; nil: they do not see the node.
func (c *crowd) path(r *reader, id ident.Node, era int) []ident.Node {
	var path, seen []ident.Node
	for ; id != ""; id = c.parent[era][id] {
		path = append([]ident.Node{id}, path...)
		if slices.Contains(r.grants, id) {
			seen = path
		}
	}
	return seen
}

// read asks at full speed, for some readers in turn.
func (c *crowd) read(ctx context.Context, seed uint64, readers []*reader) {
	random := rand.New(rand.NewPCG(5, seed))
	for i := 0; ctx.Err() == nil && !c.t.Failed(); i++ {
		r := readers[i%len(readers)]
		id := c.asked[random.IntN(len(c.asked))]
		if random.IntN(4) == 0 {
			id = c.top.ID
		}
		moved := c.moved.Load()
		var what string
		var answers []told
		var err error
		switch kind := random.IntN(10); {
		case kind < 4:
			what = "get"
			answers, err = c.get(ctx, r, id)
		case kind < 8:
			what = "path"
			answers, err = c.askPath(ctx, r, id)
		case kind < 9:
			what = "children"
			answers, err = c.askChildren(ctx, r, id)
		default:
			what = "descendants"
			answers, err = c.descendants(ctx, r, id)
		}
		if c.answered(ctx, err) {
			for _, a := range answers {
				c.learn(r, moved, a, what+" of "+string(id))
			}
		}
	}
}

// answered reports whether there was an answer.
func (c *crowd) answered(ctx context.Context, err error) bool {
	var f *fault.Error
	switch {
	case ctx.Err() != nil:
		return false
	case errors.As(err, &f) && (f.Type == fault.Busy || f.Type == fault.Conflict):
		c.none.Add(1)
		return false
	case err != nil:
		c.t.Error(err)
	}
	return err == nil
}

// told is whether an answer is true before the move, and after it.
type told [2]bool

// learn holds an answer against what is true and what the reader knows.
func (c *crowd) learn(r *reader, moved bool, a told, what string) {
	switch {
	case !a[before] && !a[after]:
		c.t.Errorf("%s: the %s was never true", r.name, what)
	case !a[after] && moved:
		c.t.Errorf("%s: the %s, asked for after the move, was what it was before", r.name, what)
	case !a[after] && r.knows:
		c.t.Errorf("%s: the %s was what it was before the move, and they knew better", r.name, what)
	case !a[after]:
		r.answers[before].Add(1)
	case !a[before]:
		r.answers[after].Add(1)
		r.knows = true
	}
}

// invisible makes of NotFound an answer.
func invisible(err error) (bool, error) {
	var f *fault.Error
	if errors.As(err, &f) && f.Type == fault.NotFound {
		return true, nil
	}
	return false, err
}

func (c *crowd) get(ctx context.Context, r *reader, id ident.Node) ([]told, error) {
	n, err := c.dir.Get(ctx, r.caller, id)
	hidden, err := invisible(err)
	return c.each(func(era int) bool {
		path := c.path(r, id, era)
		if hidden || path == nil {
			return hidden == (path == nil)
		}
		return n.Parent == c.parent[era][id] && n.ParentVisible == (len(path) > 1)
	}), err
}

func (c *crowd) askPath(ctx context.Context, r *reader, id ident.Node) ([]told, error) {
	steps, err := c.dir.Path(ctx, r.caller, id)
	_, err = invisible(err)
	var got []ident.Node
	for _, s := range steps {
		got = append(got, s.ID)
	}
	return c.each(func(era int) bool { return slices.Equal(got, c.path(r, id, era)) }), err
}

func (c *crowd) askChildren(ctx context.Context, r *reader, id ident.Node) ([]told, error) {
	const limit = 50
	kind := hierarchy.Partner
	if len(c.children[before][list{id, kind}]) == 0 {
		kind = hierarchy.Customer
	}
	page, err := c.dir.Children(ctx, r.caller, id, kind, directory.Paging{Limit: limit})
	hidden, err := invisible(err)
	var got []ident.Node
	for _, n := range page.Items {
		got = append(got, n.ID)
	}
	return c.each(func(era int) bool {
		all := c.children[era][list{id, kind}]
		return hidden == (c.path(r, id, era) == nil) && (hidden || slices.Equal(got, all[:min(limit, len(all))]))
	}), err
}

// descendants asks for a page of what is below a node. It is read in several batches: each entry is an answer of its own.
func (c *crowd) descendants(ctx context.Context, r *reader, id ident.Node) ([]told, error) {
	page, err := c.dir.Descendants(ctx, r.caller, id, "", directory.Paging{Limit: 20})
	hidden, err := invisible(err)
	answers := c.each(func(era int) bool { return hidden == (c.path(r, id, era) == nil) })
	for _, n := range page.Items {
		answers = append(answers, c.each(func(era int) bool {
			path := c.path(r, n.ID, era)
			at := slices.Index(path, id)
			return at >= 0 && slices.Equal(n.Path, path[at:])
		})...)
	}
	return answers, err
}

func (c *crowd) each(truth func(era int) bool) []told { return []told{{truth(before), truth(after)}} }

// walkPause is what keeps a walk from taking all of the database's time.
const walkPause = 50 * time.Millisecond

// walk lists all that is below what moves, page by page, again and again. Nothing may be missing and nothing come twice, whatever
// has been written between two pages.
func (c *crowd) walk(ctx context.Context) {
	want := map[ident.Node]bool{}
	for _, n := range c.below {
		want[n.ID] = true
	}
	for ctx.Err() == nil && !c.t.Failed() {
		seen := map[ident.Node]bool{}
		for p := (directory.Paging{Limit: directory.MaxLimit}); ; {
			page, err := c.dir.Descendants(ctx, c.founder, c.top.ID, "", p)
			if ctx.Err() != nil || c.t.Failed() {
				return
			}
			if !c.answered(ctx, err) {
				continue
			}
			for _, n := range page.Items {
				if !want[n.ID] || seen[n.ID] {
					c.t.Errorf("the walk has %s, which is not below, or twice", n.ID)
				}
				seen[n.ID] = true
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
			time.Sleep(walkPause)
		}
		if len(seen) != len(want) {
			c.t.Errorf("a walk found %d nodes of %d", len(seen), len(want))
		}
		c.walks.Add(1)
	}
}

// inPlace checks that everything is stored where it is, and nothing is left to be known by the tree state.
func (c *crowd) inPlace() {
	ctx := c.t.Context()
	old := c.top.Place.Path
	var now hierarchy.Path
	for some := range slices.Chunk(append([]*hierarchy.Node{c.top}, c.below...), 90) {
		var ids []ident.Node
		for _, n := range some {
			ids = append(ids, n.ID)
		}
		got, err := c.store.Read(ctx, directory.Want{Nodes: ids})
		c.must(err)
		if len(got.Tree.Changes) > 0 {
			c.t.Fatalf("%d changes are left in the tree state", len(got.Tree.Changes))
		}
		for _, n := range some {
			stored := got.Nodes[n.ID]
			if n == c.top {
				now = stored.Place.Path
			}
			if stored == nil || stored.Place.Path != now+n.Place.Path[len(old):] || stored.Parent != c.parent[after][n.ID] {
				c.t.Errorf("%s is stored elsewhere", n.ID)
			}
		}
	}
	if got := now.IDs(); !slices.Equal(got, []ident.Node{old.At(0), c.parent[after][c.to], c.to, c.top.ID}) {
		c.t.Errorf("what moved is stored at %v", got)
	}
	for under, want := range map[hierarchy.Path]int{old: 0, now: len(c.below)} {
		count := 0
		for at := ""; ; {
			page, err := c.store.Below(ctx, under, "", false, at, 1000)
			c.must(err)
			count += len(page.Items)
			if at = page.Next; at == "" {
				break
			}
		}
		if count != want {
			c.t.Errorf("the index has %d nodes below %s; want %d", count, under, want)
		}
	}
}
