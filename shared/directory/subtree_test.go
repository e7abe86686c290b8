package directory_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
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

// forest is what happens to subtrees as plain maps.
type forest struct {
	*model
	suspended, forbidden map[ident.Node]bool
	height               map[ident.Node]int
}

func (m *forest) path(n ident.Node) []ident.Node {
	var p []ident.Node
	for ; n != ""; n = m.parent[n] {
		p = append(p, n)
	}
	slices.Reverse(p)
	return p
}

// counts reports whether a grant at n counts.
func (m *forest) counts(n ident.Node) bool {
	return !slices.ContainsFunc(m.path(n), func(id ident.Node) bool { return m.suspended[id] })
}

// roles are the best of the grants at n and above, and of those above.
func (m *forest) roles(c ident.Client, n ident.Node) (at, above access.Role) {
	for _, id := range m.path(n) {
		if m.counts(id) {
			above, at = at, max(at, m.grants[c][id])
		}
		if id != n {
			above = at
		}
	}
	return at, above
}

func (m *forest) suspendedAt(n ident.Node) ident.Node {
	for _, id := range m.path(n) {
		if m.suspended[id] {
			return id
		}
	}
	return ""
}

func (m *forest) mayProvision(n ident.Node) bool {
	return !slices.ContainsFunc(m.path(n), func(id ident.Node) bool { return m.forbidden[id] })
}

func (m *forest) raise(n ident.Node, height int) {
	for ; n != ""; n, height = m.parent[n], height+1 {
		m.height[n] = max(m.height[n], height)
	}
}

// allowed is the refusal that an operation at n has to give, nil when it may be done.
func (m *forest) allowed(c ident.Client, n ident.Node, needs access.Role, fromAbove bool) *fault.Type {
	at, above := m.roles(c, n)
	switch {
	case at == access.None:
		return fault.NotFound
	case at < needs:
		return fault.Forbidden
	case fromAbove && m.parent[n] == "":
		return fault.Root
	case fromAbove && above < needs:
		return fault.NeedsGrantAbove
	}
	return nil
}

func (m *forest) edits(c ident.Client, n ident.Node, needs access.Role, fromAbove bool) *fault.Type {
	if refusal := m.allowed(c, n, needs, fromAbove); refusal != nil {
		return refusal
	}
	if m.suspendedAt(n) != "" {
		return fault.Suspended
	}
	return nil
}

func (m *forest) moves(c ident.Client, n, to ident.Node) *fault.Type {
	if refusal := m.allowed(c, n, access.Admin, true); refusal != nil {
		return refusal
	}
	if refusal := m.allowed(c, to, access.Admin, false); refusal != nil {
		return refusal
	}
	switch {
	case m.parent[n] == to:
		return nil
	case slices.Contains(m.path(to), n):
		return fault.MoveIntoItself
	case len(m.path(to))+1+m.height[n] > hierarchy.MaxDepth:
		return fault.DepthLimit
	}
	return nil
}

// TestSubtreesAgreeWithAModel does random operations on subtrees as random callers, with settling a step at a time and crashes
// everywhere, and compares after each what every caller may do at every node, and what is listed, with plain maps.
func TestSubtreesAgreeWithAModel(t *testing.T) {
	for name, value := range map[string]string{"rapid.checks": "700", "rapid.steps": "200"} {
		was := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { flag.Set(name, was) })
	}
	steps := 0
	rapid.Check(t, func(t *rapid.T) { subtreesAgree(t, &steps) })
	t.Logf("%d steps", steps)
	if steps < 100_000 && !testing.Short() {
		t.Errorf("only %d steps", steps)
	}
}

func subtreesAgree(t *rapid.T, done *int) {
	ctx := context.Background()
	store := new(directorytest.Fake)
	d := directory.New(store, time.Now)
	root, founder, _, err := d.Found(ctx, "Root", "Founder")
	if err != nil {
		t.Fatal(err)
	}
	m := &forest{&model{map[ident.Node]ident.Node{root.ID: ""}, map[ident.Node]hierarchy.Name{root.ID: "Root"},
		map[ident.Client]map[ident.Node]access.Role{founder.ID: founder.Grants},
		map[ident.Client]directory.Caller{founder.ID: {Client: founder.ID, Key: founder.Secrets[0].ID}}},
		map[ident.Node]bool{}, map[ident.Node]bool{}, map[ident.Node]int{}}
	owner := m.callers[founder.ID]
	brand, err := d.CreateBrand(ctx, owner, directory.NewBrand{Partner: root.ID, Name: "B", Domain: "b.example", Regions: []string{"eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	type walk struct {
		id     ident.Change
		resume string
		done   bool
	}
	var walks []*walk
	ids := []ident.Node{root.ID}
	clients := []ident.Client{founder.ID}
	node := func(t *rapid.T, partners bool) ident.Node {
		some := ids
		if partners {
			some = slices.DeleteFunc(slices.Clone(ids), func(id ident.Node) bool { return hierarchy.KindOf(id) != hierarchy.Partner })
		}
		return rapid.SampledFrom(some).Draw(t, "node")
	}
	caller := func(t *rapid.T) directory.Caller { return m.callers[rapid.SampledFrom(clients).Draw(t, "caller")] }
	name := rapid.SampledFrom([]hierarchy.Name{"a", "á", "b", "a b", "ab", "Zé"})
	role := rapid.SampledFrom([]access.Role{access.Viewer, access.Operator, access.Admin, access.Owner})

	step := func(t *rapid.T, i int) error {
		w := walks[i]
		if w.done {
			err := d.Retire(ctx, w.id)
			if err == nil {
				walks = slices.Delete(walks, i, i+1)
			}
			return err
		}
		r, err := d.Settle(ctx, w.id, w.resume, 0)
		if err == nil {
			w.resume, w.done = r.Resume, r.Done
		}
		return err
	}

	// below checks a list of all that is below a node. settle is done between two pages.
	below := func(t *rapid.T, c directory.Caller, top ident.Node, settle func()) {
		var found []ident.Node
		for page := (directory.Paging{Limit: rapid.IntRange(1, 7).Draw(t, "limit")}); ; {
			list, err := d.Descendants(ctx, c, top, "", page)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list.Items {
				found = append(found, n.ID)
				if n.SuspendedAt != m.suspendedAt(n.ID) || !slices.Equal(n.Path, m.path(n.ID)[len(m.path(top))-1:]) {
					t.Fatalf("below %s: %+v; want %v, suspended at %q", top, n, m.path(n.ID), m.suspendedAt(n.ID))
				}
			}
			if page.Cursor = list.Next; page.Cursor == "" {
				break
			}
			settle()
		}
		slices.Sort(found)
		want := slices.DeleteFunc(slices.Clone(ids), func(id ident.Node) bool { return id == top || !slices.Contains(m.path(id), top) })
		slices.Sort(want)
		if !slices.Equal(found, want) {
			t.Fatalf("below %s: %v; want %v", top, found, want)
		}
	}

	// try does one operation, perhaps with a call of the store that fails, before or after it was done. apply is what it
	// does to the model when it happened; whether is what refuses it.
	try := func(t *rapid.T, what string, refusal *fault.Type, noop bool, do func() error, apply func()) {
		before, tree := len(store.Events()), len(walks)
		crash := rapid.SampledFrom([]int{-1, -1, -1, -1, -1, 0, 1, 2, 3, 4}).Draw(t, "crash")
		begins, crashed := len(store.Calls()), false
		fail := func(c directorytest.Call) error {
			if crashed || crash < 0 || c.Nth-begins != crash {
				return nil
			}
			crashed = true
			return directorytest.Busy()
		}
		if rapid.Bool().Draw(t, "applied") {
			store.After = fail
		} else {
			store.Before = fail
		}
		err := do()
		store.Before, store.After = nil, nil
		events := store.Events()[before:]
		for _, e := range events {
			if id, ok := e.Data["changeId"].(ident.Change); ok {
				walks = append(walks, &walk{id: id})
			}
		}
		switch {
		case len(events) > 1:
			t.Fatalf("%s: %d events", what, len(events))
		case len(events) == 1 && (refusal != nil || noop):
			t.Fatalf("%s: it happened and must not have", what)
		case len(events) == 1:
			apply()
		case crashed && fault.Busy.Is(err):
		case fault.TooManyChanges.Is(err) && tree >= hierarchy.MaxChanges:
		case refusal != nil && !refusal.Is(err):
			t.Fatalf("%s: %v; want %s", what, err, refusal.Slug)
		case refusal == nil && err != nil:
			t.Fatalf("%s: %v", what, err)
		case refusal == nil && !noop:
			t.Fatalf("%s: nothing happened", what)
		}
	}
	create := func(t *rapid.T, parent ident.Node) func() {
		return func() {
			e := store.Events()[len(store.Events())-1]
			m.parent[e.Node], m.name[e.Node] = parent, e.Data["name"].(hierarchy.Name)
			m.raise(parent, 1)
			ids = append(ids, e.Node)
		}
	}
	actions := map[string]func(*rapid.T){
		"create partner": func(t *rapid.T) {
			c, parent, n := caller(t), node(t, true), name.Draw(t, "name")
			can := rapid.IntRange(0, 3).Draw(t, "forbidden") > 0
			if len(ids) > 18 {
				t.Skip("enough nodes")
			}
			refusal := m.edits(c.Client, parent, access.Admin, false)
			if refusal == nil && len(m.path(parent)) >= hierarchy.MaxDepth {
				refusal = fault.DepthLimit
			}
			try(t, "create partner", refusal, false, func() (err error) {
				_, err = d.CreatePartner(ctx, c, directory.NewPartner{Parent: parent, Name: n, Portal: brand.ID, Available: []ident.Brand{brand.ID}, CanProvision: can})
				return err
			}, func() {
				create(t, parent)()
				if !can {
					m.forbidden[ids[len(ids)-1]] = true
				}
			})
		},
		"create customer": func(t *rapid.T) {
			c, parent, n := caller(t), node(t, true), name.Draw(t, "name")
			if len(ids) > 18 {
				t.Skip("enough nodes")
			}
			try(t, "create customer", m.edits(c.Client, parent, access.Operator, false), false, func() (err error) {
				_, err = d.CreateCustomer(ctx, c, directory.NewCustomer{Partner: parent, Name: n, Details: hierarchy.Details{Brand: brand.ID}})
				return err
			}, create(t, parent))
		},
		"rename": func(t *rapid.T) {
			c, id, n := caller(t), node(t, false), name.Draw(t, "name")
			needs := access.Admin
			if hierarchy.KindOf(id) == hierarchy.Customer {
				needs = access.Operator
			}
			refusal, noop := m.edits(c.Client, id, needs, false), m.name[id] == n
			if noop && refusal == fault.Suspended {
				refusal = nil
			}
			try(t, "rename", refusal, noop, func() (err error) {
				if needs == access.Operator {
					_, err = d.EditCustomer(ctx, c, id, directory.CustomerPatch{Name: &n})
				} else {
					_, err = d.EditPartner(ctx, c, id, directory.PartnerPatch{Name: &n})
				}
				return err
			}, func() { m.name[id] = n })
		},
		"move": func(t *rapid.T) {
			c, id, to := caller(t), node(t, false), node(t, true)
			try(t, "move", m.moves(c.Client, id, to), m.parent[id] == to, func() error {
				_, err := d.Move(ctx, c, id, to)
				return err
			}, func() {
				m.parent[id] = to
				m.raise(to, m.height[id]+1)
			})
		},
		"suspend": func(t *rapid.T) {
			c, id := caller(t), node(t, false)
			try(t, "suspend", m.allowed(c.Client, id, access.Admin, true), m.suspended[id], func() error {
				_, err := d.Suspend(ctx, c, id, "because")
				return err
			}, func() { m.suspended[id] = true })
		},
		"resume": func(t *rapid.T) {
			c, id := caller(t), node(t, false)
			try(t, "resume", m.allowed(c.Client, id, access.Admin, true), !m.suspended[id], func() error {
				_, err := d.Resume(ctx, c, id)
				return err
			}, func() { delete(m.suspended, id) })
		},
		"can provision": func(t *rapid.T) {
			c, id, can := caller(t), node(t, true), rapid.Bool().Draw(t, "can")
			refusal, noop := m.edits(c.Client, id, access.Admin, true), m.forbidden[id] == !can
			if noop && refusal == fault.Suspended {
				refusal = nil
			}
			try(t, "can provision", refusal, noop, func() error {
				_, err := d.SetCanProvision(ctx, c, id, can)
				return err
			}, func() { m.forbidden[id] = !can })
		},
		"grant": func(t *rapid.T) {
			id, r := node(t, false), role.Draw(t, "role")
			if len(clients) < 4 {
				got, err := d.CreateClient(ctx, owner, root.ID, "C", access.Viewer)
				if err != nil {
					t.Fatal(err)
				}
				if err := d.RemoveGrant(ctx, owner, got.ID, root.ID); err != nil {
					t.Fatal(err)
				}
				clients = append(clients, got.ID)
				m.grants[got.ID], m.callers[got.ID] = map[ident.Node]access.Role{}, directory.Caller{Client: got.ID, Key: got.SecretID}
			}
			to := rapid.SampledFrom(clients[1:]).Draw(t, "to")
			refusal := m.allowed(founder.ID, id, access.Owner, false)
			if _, err := d.GrantRole(ctx, owner, to, id, r); err != nil && (refusal == nil || !refusal.Is(err)) || err == nil && refusal != nil {
				t.Fatalf("grant: %v; want %v", err, refusal)
			} else if err == nil {
				m.grants[to][id] = r
			}
		},
		"revoke": func(t *rapid.T) {
			if len(clients) < 2 {
				t.Skip("nobody")
			}
			from := rapid.SampledFrom(clients[1:]).Draw(t, "from")
			granted := slices.DeleteFunc(slices.Clone(ids), func(id ident.Node) bool { return m.grants[from][id] == access.None })
			if len(granted) == 0 {
				t.Skip("nothing")
			}
			id := rapid.SampledFrom(granted).Draw(t, "granted")
			if err := d.RemoveGrant(ctx, owner, from, id); err != nil {
				t.Fatal(err)
			}
			delete(m.grants[from], id)
		},
	}
	actions["settle"] = func(t *rapid.T) {
		if len(walks) == 0 {
			t.Skip("nothing to settle")
		}
		i := rapid.IntRange(0, len(walks)-1).Draw(t, "change")
		w := walks[i]
		crash := rapid.SampledFrom([]int{-1, -1, -1, 0, 1, 2, 3}).Draw(t, "crash")
		begins := len(store.Calls())
		fail := func(c directorytest.Call) error {
			if c.Nth-begins == crash {
				return directorytest.Busy()
			}
			return nil
		}
		if rapid.Bool().Draw(t, "applied") {
			store.After = fail
		} else {
			store.Before = fail
		}
		err := step(t, i)
		store.Before, store.After = nil, nil
		if err != nil && !fault.Busy.Is(err) {
			t.Fatalf("settle: %v", err)
		}
		if err != nil && rapid.Bool().Draw(t, "from the start") {
			w.resume = ""
		}
	}
	actions["settle more"], actions["settle still more"] = actions["settle"], actions["settle"]

	actions[""] = func(t *rapid.T) {
		*done++
		got, err := store.Read(ctx, directory.Want{Nodes: ids, Clients: clients})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			n := got.Nodes[id]
			if n == nil || n.Parent != m.parent[id] || n.Name != m.name[id] || n.Height != m.height[id] {
				t.Fatalf("%s is %+v; want %s below %s, %d high", id, n, m.name[id], m.parent[id], m.height[id])
			}
			place := got.Tree.Place(n)
			if !slices.Equal(place.Path.IDs(), m.path(id)) {
				t.Fatalf("%s is at %s; want %v", id, place.Path, m.path(id))
			}
			if place.Top(hierarchy.Suspended) != m.suspendedAt(id) || place.Marked(hierarchy.NoProvisioning) == m.mayProvision(id) {
				t.Fatalf("%s has the marks %v; want suspended at %q, provisioning %v", id, place.Marks, m.suspendedAt(id), m.mayProvision(id))
			}
			for _, c := range clients {
				dec := access.Decide(got.Clients[c], &got.Tree, n, access.Read)
				if at, above := m.roles(c, id); dec.Role != at || dec.Above != above {
					t.Fatalf("%s at %s is %s, and above %s; want %s, %s", c, id, dec.Role, dec.Above, at, above)
				}
			}
		}
		if *done%3 > 0 { // lists are dear
			return
		}
		c, top := caller(t), node(t, true)
		at, _ := m.roles(c.Client, top)
		for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
			list, err := d.Children(ctx, c, top, kind, directory.Paging{Limit: directory.MaxLimit})
			if at == access.None {
				if !fault.NotFound.Is(err) {
					t.Fatalf("the children of %s: %v; the caller cannot see it", top, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			var found []ident.Node
			for _, n := range list.Items {
				found = append(found, n.ID)
				if n.SuspendedAt != m.suspendedAt(n.ID) || n.CanProvision != m.mayProvision(n.ID) {
					t.Fatalf("%s is listed as %+v; want suspended at %q, provisioning %v", n.ID, n, m.suspendedAt(n.ID), m.mayProvision(n.ID))
				}
			}
			if want := m.children(top, kind); !slices.Equal(found, want) {
				t.Fatalf("the children of %s: %v; want %v", top, found, want)
			}
		}
		if at == access.None {
			return
		}
		below(t, c, top, func() {})
	}
	actions["list while it is settled"] = func(t *rapid.T) {
		top := node(t, true)
		if top == root.ID || m.suspendedAt(top) == root.ID {
			t.Skip("below the root the order is another one")
		}
		below(t, owner, top, func() {
			for range rapid.IntRange(0, 3).Draw(t, "steps") {
				if len(walks) > 0 {
					if err := step(t, rapid.IntRange(0, len(walks)-1).Draw(t, "change")); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
	t.Repeat(actions)
}
