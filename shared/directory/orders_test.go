package directory_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// given notes what an actor was given. What it does next depends on nothing else.
func (s *stage) given(ctx context.Context, what string, args ...any) {
	if a := acting(ctx); a != nil && s.exact {
		fmt.Fprintf(&a.given, what+";", args...)
	}
}

// remember notes what an actor has read.
func (s *stage) remember(ctx context.Context, w directory.Want, got directory.Got) {
	if !s.exact {
		return
	}
	if len(w.Nodes) == 0 {
		s.given(ctx, "tree %d %v", got.Tree.Seq, got.Tree.Changes)
	}
	for _, ref := range w.Records {
		switch r := got.Records[ref].(type) {
		case nil:
		case *access.Principal:
			s.given(ctx, "principal %s %d %v", r.ID, r.Version, r.Grants)
		case *directory.Invitation:
			s.given(ctx, "invitation %s %s %s %d %d", r.ID, r.State, r.Mail, r.Generation, r.Version)
		case *credential.Keyring:
			s.given(ctx, "keyring %d", len(*r))
		default:
			fields, err := record.Encode(ref.String(), r.Code)
			s.given(ctx, "%s %v %v", ref, fields, err)
		}
	}
	for _, id := range w.Nodes {
		if n := got.Nodes[id]; n == nil {
			s.given(ctx, "none")
		} else {
			s.given(ctx, "node %s %s %v %d %d/%d %d %v", n.Name, n.Parent, n.Place, n.AsOf, n.Height, n.Ceiling, n.Version, n.Brands.Uses)
		}
	}
}

// state is all that decides what can happen from now on: what every actor was given so far, and what is stored, which those who
// committed made of it in their order. Ids that were made at random, as those of what was planted are not, are called by the order in
// which they come up. There are many states, and it is their hashes that are known.
func (s *stage) state() [sha256.Size]byte {
	var b []byte
	for _, a := range s.cast {
		b = append(append(b, a.given.String()...), '|')
	}
	b = append(b, s.commits...)
	names := map[string]int{}
	out := make([]byte, 0, len(b))
	from := 0
	for at := 3; at < len(b); at++ {
		if b[at] != '_' || !isID(b[at-3:]) {
			continue
		}
		id := b[at-3 : at+17]
		out = append(out, b[from:at-3]...)
		if bytes.HasPrefix(id[4:], []byte("0000")) {
			out = append(append(out, id[:4]...), id[19])
		} else {
			if names[string(id)] == 0 {
				names[string(id)] = len(names) + 1
			}
			out = strconv.AppendInt(append(out, '#'), int64(names[string(id)]), 10)
		}
		from = at + 17
		at = from + 2
	}
	return sha256.Sum256(append(out, b[from:]...))
}

// isID tells whether an id begins there: three letters, "_", and sixteen more.
func isID(b []byte) bool {
	if len(b) < 20 {
		return false
	}
	for i, c := range b[:20] {
		letter, digit := 'a' <= c && c <= 'z', '0' <= c && c <= '9'
		if i < 3 && !letter || i > 3 && !letter && !digit {
			return false
		}
	}
	return true
}

// turn is one thing that can happen next.
type turn struct {
	a      *actor
	option int
}

// turns are all that can happen next. What is read in which order makes no difference to somebody who is alone.
func (s *stage) turns() []turn {
	var all []turn
	for _, a := range s.actors {
		if a.waits != nil && a.waits() {
			continue
		}
		for i := range a.options {
			if all = append(all, turn{a, i}); len(s.actors) == 1 {
				break
			}
		}
	}
	return all
}

// everyState runs the same actors in every order of their calls, and of the parts of their reads. Two orders that come to the same
// state go on alike, so each state is left in every way once. check is asked whenever something was committed, atEnd at every
// end. If only is not 0, it is so many orders at random.
func everyState(only int, set func() *stage, check, atEnd func(*stage) error) (ends, states int, err error) {
	type choice struct{ taken, of int }
	var way []choice
	rnd := rand.New(rand.NewPCG(5, 5))
	known := map[[sha256.Size]byte]bool{}
	for {
		s := set()
		at, commits := 0, s.commits
		for {
			turns := s.turns()
			if len(turns) == 0 {
				ends++
				err = atEnd(s)
				break
			}
			if at == len(way) {
				state := s.state()
				if known[state] && only == 0 {
					break
				}
				known[state] = true
				way = append(way, choice{0, len(turns)})
				if only > 0 {
					way[at].taken = rnd.IntN(len(turns))
				}
			}
			next := turns[way[at].taken]
			s.take(next.a, next.option)
			at++
			if at == len(way) && s.commits != commits {
				err = check(s)
			}
			commits = s.commits
			if err == nil {
				err = s.failed
			}
			if err != nil {
				break
			}
		}
		close(s.over)
		if err != nil {
			return ends, len(known), fmt.Errorf("order %v: %w", way[:at], err)
		}
		if only > 0 {
			if ends == only {
				return ends, len(known), nil
			}
			way = way[:0]
			continue
		}
		for len(way) > 0 && way[len(way)-1].taken+1 >= way[len(way)-1].of {
			way = way[:len(way)-1]
		}
		if len(way) == 0 {
			return ends, len(known), nil
		}
		way[len(way)-1].taken++
	}
}

// shapes are all trees of a root and up to n more nodes, without those that differ only in the names of nodes: the parents of nodes 1
// and up by their number, 0 being the root.
func shapes(n int) (all [][]int) {
	seen := map[string]bool{}
	var grow func(parents []int)
	grow = func(parents []int) {
		if len(parents) > 0 {
			if code := codeOf(parents, 0); !seen[code] {
				seen[code] = true
				all = append(all, slices.Clone(parents))
			}
		}
		if len(parents) < n {
			for p := range len(parents) + 1 {
				grow(append(slices.Clip(parents), p))
			}
		}
	}
	grow(nil)
	return all
}

// codeOf is the same for trees that differ only in the names of nodes.
func codeOf(parents []int, at int) string {
	var below []string
	for i, p := range parents {
		if p == at {
			below = append(below, codeOf(parents, i+1))
		}
	}
	slices.Sort(below)
	return "(" + strings.Join(below, "") + ")"
}

// alike are all ways to give the nodes of a tree each other's names that leave the tree as it is.
func alike(parents []int) (all [][]int) {
	var name func(names []int)
	name = func(names []int) {
		i := len(names)
		if i > len(parents) {
			all = append(all, slices.Clone(names))
			return
		}
		for to := 1; to <= len(parents); to++ {
			if !slices.Contains(names, to) {
				name(append(slices.Clip(names), to))
			}
		}
	}
	name([]int{0})
	return slices.DeleteFunc(all, func(names []int) bool {
		for i, p := range parents {
			if parents[names[i+1]-1] != names[p] {
				return true
			}
		}
		return false
	})
}

// fixed is when everything happens there: nothing may depend on the time, or on random ids.
var fixed = clocktest.Start()

// nodeNo is the id of the root, 0, and of the others. The one with nothing but noughts is no node's.
func nodeNo(i int) ident.Node { return ident.Node(fmt.Sprintf("ptn_%016d", i+1)) }

// few is how many orders there are under -short. Otherwise it is 0, which stands for all.
func few(orders int) int {
	if testing.Short() {
		return orders
	}
	return 0
}

// planted is a stage with a tree of this shape.
func planted(parents []int) *stage {
	s := &stage{Fake: new(directorytest.Fake), over: make(chan struct{}), anyOrder: true, exact: true}
	s.root, s.brand = nodeNo(0), "brd_0000000000000000"
	s.d = directory.New(s, func() time.Time { return fixed.Add(s.later) })
	s.founder = directory.Caller{Principal: "cli_0000000000000000", Key: "key_0000000000000000"}
	nodes := make([]hierarchy.Node, len(parents)+1)
	for i := range nodes {
		n := &nodes[i]
		*n = hierarchy.Node{ID: nodeNo(i), Name: hierarchy.Name(rune('a' + i)), Version: 1, Created: fixed, Updated: fixed}
		n.Brands.Uses = map[ident.Brand]int64{s.brand: 0}
		n.Place.Path = hierarchy.Path("").Child(n.ID)
		if i == 0 {
			n.Brands.Owned = []ident.Brand{s.brand}
			continue
		}
		parent := &nodes[parents[i-1]]
		n.Parent, n.Brands.Available = parent.ID, []ident.Brand{s.brand}
		n.Place.Path = parent.Place.Path.Child(n.ID)
		parent.Brands.Uses[s.brand]++
		for at, height := parents[i-1], 1; ; at, height = parents[at-1], height+1 {
			if nodes[at].Height = max(nodes[at].Height, height); at == 0 {
				break
			}
		}
	}
	steps := []directory.Step{directory.AddTree{Root: s.root, Else: errEnded}, directory.Put{Else: errEnded, Now: &access.Principal{
		ID: s.founder.Principal, Name: "Founder", Home: s.root, Grants: map[ident.Node]access.Role{s.root: access.Owner},
		Secrets: []access.Secret{{ID: s.founder.Key}}, CursorKey: make([]byte, 32), Version: 1, Created: fixed}}}
	for _, n := range nodes {
		steps = append(steps, directory.AddNode{Node: n})
	}
	if err := s.Fake.Commit(context.Background(), steps...); err != nil {
		panic(err)
	}
	return s
}

// whole says what is wrong with a tree that was planted: a node is lost, or not where the last one that moved it put it, or the tree is
// not sound.
func (s *stage) whole(parents []int) error {
	found := s.ids()
	nodes := s.peek(found).Nodes
	last := map[ident.Node]ident.Node{}
	for i, p := range parents {
		last[nodeNo(i+1)] = nodeNo(p)
	}
	for _, e := range s.Events() {
		if e.Type == event.PartnerMoved {
			last[e.Node] = e.Data.(event.MovedData).To
		}
	}
	for _, e := range s.Events() {
		if e.Type == event.PartnerPurged {
			maps.DeleteFunc(last, func(id, parent ident.Node) bool { return id == e.Node || parent == e.Node })
		}
	}
	for id, parent := range last {
		if nodes[id] == nil || nodes[id].Parent != parent {
			return fmt.Errorf("%s is lost, or not below %s: %+v", id, parent, nodes[id])
		}
	}
	return s.sound(found)
}

// settledWhole settles all that is to be settled, and says what is wrong then.
func (s *stage) settledWhole(parents []int) error {
	if err := s.whole(parents); err != nil {
		return err
	}
	for _, id := range jobsIn(s.Fake) {
		if err := settled(context.Background(), s.d, id); err != nil {
			return err
		}
	}
	return s.atRest(s.ids())
}

// The operations that act two at a time, on nodes by their numbers.

func mover(s *stage, node, to int) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.d.Move(ctx, s.founder, nodeNo(node), nodeNo(to))
		return err
	}
}

func creator(s *stage, below int) func(context.Context) error {
	return func(ctx context.Context) error { _, err := s.partner(ctx, nodeNo(below), "new"); return err }
}

func trasher(s *stage, node int) func(context.Context) error {
	return func(ctx context.Context) error { _, err := s.d.Trash(ctx, s.founder, nodeNo(node)); return err }
}

// pair is two operations by their names and what they are done to.
type pair struct {
	kind [2]string
	on   [2][2]int
}

func (p pair) begin(s *stage) {
	for i, kind := range p.kind {
		do := map[string]func() func(context.Context) error{
			"mover":   func() func(context.Context) error { return mover(s, p.on[i][0], p.on[i][1]) },
			"creator": func() func(context.Context) error { return creator(s, p.on[i][0]) },
			"trasher": func() func(context.Context) error { return trasher(s, p.on[i][0]) },
		}[kind]()
		s.begin(string(rune('A'+i)), false, do)
	}
}

// pairs are all pairs of the two operations on a tree that differ.
func pairs(parents []int, kinds [2]string) (all []pair) {
	on := func(kind string) (all [][2]int) {
		for i := range len(parents) + 1 {
			switch kind {
			case "creator":
				all = append(all, [2]int{i, 0})
			case "trasher":
				if i > 0 {
					all = append(all, [2]int{i, 0})
				}
			case "mover":
				for to := range len(parents) + 1 {
					if i > 0 && parents[i-1] != to { // it is there already
						all = append(all, [2]int{i, to})
					}
				}
			}
		}
		return all
	}
	same := alike(parents)
	seen := map[pair]bool{}
	for _, a := range on(kinds[0]) {
		for _, b := range on(kinds[1]) {
			p := pair{kinds, [2][2]int{a, b}}
			if seen[p] {
				continue
			}
			all = append(all, p)
			for _, names := range same {
				q := p
				for i := range q.on {
					q.on[i][0] = names[q.on[i][0]]
					if kinds[i] == "mover" {
						q.on[i][1] = names[q.on[i][1]]
					}
				}
				if seen[q] = true; kinds[0] == kinds[1] {
					q.on[0], q.on[1] = q.on[1], q.on[0]
					seen[q] = true
				}
			}
		}
	}
	return all
}

// TestTwoAtATimeInEveryOrder lets two operations act in every order of their calls and of the parts of their reads, in all trees of up
// to five nodes and on all nodes in them. The principal is read with the tree state: nobody changes it there, so when it is read
// makes no difference. Under -short it is a few orders in trees of up to four nodes.
func TestTwoAtATimeInEveryOrder(t *testing.T) {
	most := 4 // nodes below the root
	if testing.Short() {
		most = 3
	}
	for _, kinds := range [][2]string{
		{"mover", "mover"}, {"mover", "creator"}, {"mover", "trasher"}, {"trasher", "creator"}, {"trasher", "trasher"},
	} {
		t.Run(kinds[0]+" and "+kinds[1], func(t *testing.T) {
			t.Parallel()
			began, cases, ends, states := clocktest.Now(), 0, 0, 0
			for _, parents := range shapes(most) {
				for _, p := range pairs(parents, kinds) {
					n, m, err := everyState(few(10), func() *stage {
						s := planted(parents)
						p.begin(s)
						return s
					}, func(s *stage) error { return s.whole(parents) }, func(s *stage) error { return s.settledWhole(parents) })
					if err != nil {
						t.Fatalf("%v: %v: %v", parents, p, err)
					}
					cases, ends, states = cases+1, ends+n, states+m
				}
			}
			t.Logf("%d cases, %d states, %d ends, %s", cases, states, ends, clocktest.Now().Sub(began))
		})
	}
}
