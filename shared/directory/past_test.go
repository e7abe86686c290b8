package directory_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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
)

// question is one that Why is asked.
type question struct {
	who    ident.Principal
	node   ident.Node
	action access.Action
}

// asked is what is asked about somebody and a node.
func asked(who ident.Principal, node ident.Node) question {
	actions := []access.Action{access.Read, access.Invite, access.ManageSubtree}
	return question{who, node, actions[int(who[len(who)-1]+node[len(node)-1])%len(actions)]}
}

// snapshot is what the founder was told of everything at a moment, when that was the present.
type snapshot struct {
	at    time.Time
	paths map[ident.Node][]ident.Node
	users map[ident.Node][]directory.User
	why   map[question]directory.Explanation
}

// chronicle is a directory to which random things happen.
type chronicle struct {
	*rapid.T
	d         *directory.Directory
	fake      *directorytest.Fake
	now       time.Time // moves on by a millisecond whenever somebody looks
	founder   directory.Caller
	callers   []directory.Caller
	brand     ident.Brand
	nodes     []ident.Node
	who       []ident.Principal
	snapshots []snapshot
}

func newChronicle(t *rapid.T) *chronicle {
	c := &chronicle{T: t, fake: new(directorytest.Fake), now: clocktest.Start()}
	c.d = directory.New(c.fake, func() time.Time { c.now = c.now.Add(time.Millisecond); return c.now })
	root, founder, _, err := c.d.CreateRoot(t.Context(), "Root", "Founder")
	c.must(err)
	c.founder = directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
	b, err := c.d.CreateBrand(t.Context(), c.founder, directory.NewBrand{Partner: root.ID, Name: "B", Domain: "b.example",
		Regions: []string{"eu-west-1"}})
	c.must(err)
	c.brand, c.nodes, c.who = b.ID, []ident.Node{root.ID}, []ident.Principal{founder.ID, ident.NewClient()}
	c.look()
	return c
}

func (c *chronicle) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *chronicle) node() ident.Node { return rapid.SampledFrom(c.nodes).Draw(c.T, "node") }

func (c *chronicle) role() access.Role {
	return rapid.SampledFrom([]access.Role{access.Viewer, access.Operator, access.Admin, access.Owner}).Draw(c.T, "role")
}

func (c *chronicle) whom() ident.Principal { return rapid.SampledFrom(c.who).Draw(c.T, "who") }

// happens does something that may be refused, and settles it, perhaps.
func (c *chronicle) happens() {
	ctx := c.Context()
	var done directory.Changed
	switch rapid.SampledFrom([]string{"node", "node", "node", "client", "client", "invite", "grant", "grant", "role", "remove", "move", "move",
		"suspend", "resume", "trash", "restore", "revoke", "purge"}).Draw(c.T, "what") {
	case "node":
		parent := c.node()
		n, err := c.d.CreatePartner(ctx, c.founder, directory.NewPartner{Parent: parent, Name: "P", Portal: c.brand,
			Available: []ident.Brand{c.brand}})
		if rapid.IntRange(0, 3).Draw(c.T, "customer") == 0 {
			n, err = c.d.CreateCustomer(ctx, c.founder, directory.NewCustomer{Partner: parent, Name: "C",
				Details: hierarchy.Details{Brand: c.brand}})
		}
		if err == nil {
			c.nodes = append(c.nodes, n.ID)
		}
	case "client":
		if made, err := c.d.CreateClient(ctx, c.founder, directory.NewClient{Node: c.node(), Name: "API", Role: c.role()}); err == nil {
			c.who = append(c.who, made.ID)
			c.callers = append(c.callers, directory.Caller{Principal: made.ID, Key: made.SecretID})
		}
	case "invite":
		who := guest(rapid.SampledFrom([]string{"ann", "bob"}).Draw(c.T, "guest"), c.now)
		i, err := c.d.Invite(ctx, c.founder, directory.NewInvitation{Node: c.node(), Email: who.Email, Name: "N", Role: c.role(), Days: 7})
		if err != nil {
			break
		}
		_, err = c.d.AcceptInvitation(ctx, who, link(c.d, i), "")
		c.must(err)
		if !slices.Contains(c.who, who.Principal()) {
			c.who = append(c.who, who.Principal())
		}
	case "grant":
		if who := c.whom(); !who.IsPerson() {
			_, _ = c.d.GrantRole(ctx, c.founder, who, c.node(), c.role())
		}
	case "role":
		_ = c.d.SetRole(ctx, c.founder, c.node(), c.whom(), c.role())
	case "remove":
		if who, node := c.whom(), c.node(); who.IsPerson() {
			_ = c.d.SetRole(ctx, c.founder, node, who, access.None)
		} else {
			_ = c.d.RemoveGrant(ctx, c.founder, who, node)
		}
	case "move":
		done, _ = c.d.Move(ctx, c.founder, c.node(), c.node())
	case "suspend":
		done, _ = c.d.Suspend(ctx, c.founder, c.node(), "unpaid")
	case "resume":
		done, _ = c.d.Resume(ctx, c.founder, c.node())
	case "trash":
		done, _ = c.d.Trash(ctx, c.founder, c.node())
	case "restore":
		done, _ = c.d.Restore(ctx, c.founder, c.node())
	case "revoke":
		if who := c.whom(); !who.IsPerson() {
			_ = c.d.RevokeClient(ctx, c.founder, who)
		}
	case "purge": // and something has left it
		_, _ = c.d.Move(ctx, c.founder, c.node(), c.nodes[0])
		_, _ = c.d.Trash(ctx, c.founder, c.node())
		for _, id := range jobsIn(c.fake) {
			c.must(settled(ctx, c.d, id))
		}
		c.now = c.now.Add(hierarchy.KeepTrash + time.Second)
		_, err := c.d.Purge(ctx, time.Minute)
		c.must(err)
		for _, id := range jobsIn(c.fake) {
			c.must(settled(ctx, c.d, id))
		}
	}
	if done.Job != "" && rapid.Bool().Draw(c.T, "settled") {
		c.must(settled(ctx, c.d, done.Job))
	}
}

// look takes a snapshot.
func (c *chronicle) look() {
	ctx := c.Context()
	s := snapshot{c.now, map[ident.Node][]ident.Node{}, map[ident.Node][]directory.User{}, map[question]directory.Explanation{}}
	left := c.nodes[:0:0]
	for _, node := range c.nodes {
		path, err := c.d.Path(ctx, c.founder, node)
		if fault.NotFound.Is(err) { // it was purged
			continue
		}
		c.must(err)
		left = append(left, node)
		for _, step := range path {
			s.paths[node] = append(s.paths[node], step.ID)
		}
		s.users[node] = usersOf(c, c.d, c.founder, node, 100)
		for _, who := range c.who {
			q := asked(who, node)
			s.why[q], err = c.d.Why(ctx, c.founder, q.who, q.node, q.action)
			c.must(err)
		}
	}
	c.nodes, c.snapshots = left, append(c.snapshots, s)
}

// gone reports whether a node was below something then that was purged since.
func (c *chronicle) gone(s snapshot, node ident.Node) bool {
	return slices.ContainsFunc(s.paths[node], func(id ident.Node) bool { return !slices.Contains(c.nodes, id) })
}

// usersAt reads the whole list, so many a page.
func (c *chronicle) usersAt(node ident.Node, w directory.Window, limit int) (all []directory.User, incomplete bool) {
	c.Helper()
	for page := (directory.Paging{Limit: limit}); ; {
		list, err := c.d.UsersAt(c.Context(), c.founder, node, w, page)
		if err != nil || len(list.Items) > limit || list.Items == nil {
			c.Fatalf("the users of %s: a page of %d of at most %d, %v", node, len(list.Items), limit, err)
		}
		all, incomplete = append(all, list.Items...), list.Incomplete
		if page.Cursor = list.Next; page.Cursor == "" {
			return all, incomplete
		}
	}
}

// sameExplanation compares all but words and when it was.
func sameExplanation(a, b directory.Explanation) bool {
	return a.Principal == b.Principal && a.Name == b.Name && a.Node == b.Node && a.Action == b.Action && a.Allowed == b.Allowed &&
		a.Role == b.Role && slices.Equal(a.Sources, b.Sources) && maps.Equal(a.Known, b.Known)
}

// TestThePastIsWhatWasToldThen does random things, notes after each what is told of all, and asks for all of it again afterwards.
func TestThePastIsWhatWasToldThen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChronicle(t)
		for range rapid.IntRange(4, 24).Draw(t, "many") {
			c.happens()
			c.look()
		}
		c.now = c.now.Add(time.Hour)
		for _, s := range c.snapshots {
			c.asks(directory.Moment(s.at), []snapshot{s})
		}
		// Of several moments in one window the strongest counts.
		for range 3 {
			first := rapid.IntRange(0, len(c.snapshots)-1).Draw(t, "first")
			some := c.snapshots[first : rapid.IntRange(first, len(c.snapshots)-1).Draw(t, "last")+1]
			w := directory.Window{From: some[0].at, Until: some[len(some)-1].at}
			c.asks(w, some)
			for _, caller := range c.callers {
				c.hides(caller, w, some)
			}
		}
	})
}

// hides holds whom somebody is told of against whom the founder is told of: the same people, but for what was granted where they see nothing
// now and that is not above the node now.
func (c *chronicle) hides(caller directory.Caller, w directory.Window, then []snapshot) {
	c.Helper()
	sees := map[ident.Node]bool{}
	for _, node := range c.nodes {
		_, err := c.d.Path(c.Context(), caller, node)
		sees[node] = err == nil
	}
	for _, node := range c.nodes {
		list, err := c.d.UsersAt(c.Context(), caller, node, w, directory.Paging{Limit: 100})
		if !sees[node] && err != nil || slices.ContainsFunc(then, func(s snapshot) bool { return c.gone(s, node) }) {
			continue
		}
		c.must(err)
		now := c.snapshots[len(c.snapshots)-1].paths[node]
		told := func(at ident.Node) bool { return sees[at] || slices.Contains(now, at) }
		want, incomplete := []string{}, false
		for _, s := range then {
			incomplete = incomplete || slices.ContainsFunc(s.paths[node], func(at ident.Node) bool { return !told(at) })
		}
		all, _ := c.usersAt(node, w, 100)
		for _, u := range all {
			switch {
			case sees[u.Node]:
				want = append(want, fmt.Sprint(u.Principal, u.Node))
			case told(u.Node):
				want = append(want, fmt.Sprint(u.Principal))
			}
		}
		got := []string{}
		for _, u := range list.Items {
			got = append(got, fmt.Sprint(u.Principal, u.Node))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) || list.Incomplete != incomplete {
			c.Fatalf("%s is told of %s at %v (incomplete: %v)\n%v\nwant (%v)\n%v", caller.Principal, node, w, list.Incomplete, got, incomplete, want)
		}
	}
}

// asks holds what is told of a window against the snapshots within.
func (c *chronicle) asks(w directory.Window, then []snapshot) {
	c.Helper()
	for _, node := range c.nodes {
		gone := slices.ContainsFunc(then, func(s snapshot) bool { return c.gone(s, node) })
		want := strongest(then, node)
		got, incomplete := c.usersAt(node, w, rapid.IntRange(1, 9).Draw(c.T, "limit"))
		if incomplete != gone {
			c.Fatalf("%v: the users of %s are incomplete: %v; something above is purged: %v", w, node, incomplete, gone)
		}
		if gone {
			subset(c, got, want)
		} else if !slices.Equal(got, want) {
			c.Fatalf("%v: the users of %s were\n%v\nwant\n%v", w, node, got, want)
		}
		for _, who := range c.who {
			q := asked(who, node)
			e, err := c.d.WhyAt(c.Context(), c.founder, q.who, q.node, q.action, w)
			c.must(err)
			best, told := bestOf(then, q)
			switch {
			case gone:
			case !told && (e.Allowed || e.Role != access.None || len(e.Sources) > 0 || e.Name != ""):
				c.Fatalf("%v: of %s at %s, which was not there: %+v", w, who, node, e)
			case e.Incomplete || told && !sameExplanation(e, best):
				c.Fatalf("%v: %s at %s: %+v\nwant %+v", w, who, node, e, best)
			case e.At.Before(w.From) || e.At.After(w.Until):
				c.Fatalf("%v: at %s", w, e.At)
			}
		}
	}
}

// bestOf is what was told first that allows it, or else first of the highest role, with the most grants; told: whether it was asked at all.
func bestOf(then []snapshot, q question) (best directory.Explanation, told bool) {
	for _, s := range then {
		e, ok := s.why[q]
		if !ok {
			if _, there := s.paths[q.node]; !there {
				continue
			}
			e = directory.Explanation{Principal: q.who, Node: q.node, Action: q.action, Sources: []directory.Source{}} // who was not made yet
		}
		if !told || e.Allowed || e.Role > best.Role || e.Role == best.Role && len(e.Sources) > len(best.Sources) {
			best = e
		}
		if told = true; best.Allowed {
			break
		}
	}
	return best, told
}

// strongest are all users of a node in the snapshots, each grant as it was when it gave the most, where it was at first.
func strongest(then []snapshot, node ident.Node) []directory.User {
	type grant struct {
		who ident.Principal
		at  ident.Node
	}
	type listed struct {
		directory.User
		up int
	}
	best := map[grant]listed{}
	for _, s := range then {
		for _, u := range s.users[node] {
			was, ok := best[grant{u.Principal, u.Node}]
			if !ok {
				was.up = len(s.paths[node]) - slices.Index(s.paths[node], u.Node)
			}
			if !ok || u.Counts() && !was.Counts() || u.Counts() == was.Counts() && u.Role > was.Role {
				best[grant{u.Principal, u.Node}] = listed{u, was.up}
			}
		}
	}
	all := slices.SortedFunc(maps.Values(best), func(a, b listed) int {
		return cmp.Or(cmp.Compare(a.up, b.up), cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Node, b.Node))
	})
	var users []directory.User
	for _, l := range all {
		users = append(users, l.User)
	}
	return users
}

// subset holds what is left of a history against all of it: nobody is made up.
func subset(c *chronicle, got, want []directory.User) {
	c.Helper()
	for _, u := range got {
		if !slices.ContainsFunc(want, func(w directory.User) bool { return w.Principal == u.Principal && w.Node == u.Node && w.Name == u.Name }) {
			c.Fatalf("%v is made up; there were %v", u, want)
		}
	}
}

// whyAt asks of a moment.
func (s *shop) whyAt(c directory.Caller, who ident.Principal, node ident.Node, w directory.Window) directory.Explanation {
	s.t.Helper()
	e, err := s.d.WhyAt(s.t.Context(), c, who, node, access.Read, w)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func (s *shop) usersAt(c directory.Caller, node ident.Node, w directory.Window) directory.PastUsers {
	s.t.Helper()
	list, err := s.d.UsersAt(s.t.Context(), c, node, w, directory.Paging{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// What happened in the very moment has happened; what is told to the millisecond is asked for to the millisecond.
func TestAMomentIncludesWhatHappenedInIt(t *testing.T) {
	s := newShop(t)
	s.now = s.now.Add(time.Hour + 5*time.Millisecond + 123*time.Microsecond)
	made, who := s.now, s.client(s.b, access.Viewer).Principal
	s.now = s.now.Add(time.Hour)
	if err := s.d.RevokeClient(t.Context(), s.founder, who); err != nil {
		t.Fatal(err)
	}
	revoked := s.now
	s.now = s.now.AddDate(0, 0, 2)
	window := func(from, until time.Time) directory.Window { return directory.Window{From: from, Until: until} }
	for _, c := range []struct {
		what string
		w    directory.Window
		want bool
	}{
		{"a millisecond before", directory.Moment(made.Add(-time.Millisecond)), false},
		{"the microsecond before", window(made.Add(-time.Microsecond), made.Add(-time.Microsecond)), false},
		{"the very microsecond", window(made, made), true},
		{"as it is told", directory.Moment(made.Truncate(time.Millisecond)), true},
		{"in another zone", directory.Moment(made.In(time.FixedZone("", 3600))), true},
		{"the microsecond before it was revoked", window(revoked.Add(-time.Microsecond), revoked.Add(-time.Microsecond)), true},
		{"when it was revoked", directory.Moment(revoked), false},
		{"a window that ends with the beginning", window(made.Add(-time.Hour), made), true},
		{"a window that ends before", window(made.Add(-time.Hour), made.Add(-time.Microsecond)), false},
		{"a window that begins with the end", window(revoked, revoked.Add(time.Millisecond)), false},
		{"a window that begins before the end", window(revoked.Add(-time.Microsecond), revoked.Add(time.Millisecond)), true},
	} {
		e := s.whyAt(s.founder, who, s.c, c.w)
		listed := slices.ContainsFunc(s.usersAt(s.founder, s.c, c.w).Items, func(u directory.User) bool { return u.Principal == who })
		if e.Allowed != c.want || listed != c.want {
			t.Errorf("%s: %v, listed %v", c.what, e.Allowed, listed)
		}
	}
	if e := s.whyAt(s.founder, who, s.c, directory.Day(made)); !e.Allowed || !e.At.Equal(made) {
		t.Errorf("of the day: at %s, %v", e.At, e.Allowed)
	}
}

func TestWhatIsNotCertainIsRefused(t *testing.T) {
	s := newShop(t)
	s.now = clocktest.Next(s.now, 24*time.Hour).Add(time.Hour)
	ripe := s.now.Add(-directory.FeedDelay)
	for what, w := range map[string]directory.Window{
		"the future": directory.Moment(s.now.Add(time.Hour)), "now": directory.Moment(s.now), "too young": directory.Moment(ripe),
		"today":          directory.Day(s.now),
		"just too young": {From: ripe, Until: ripe}, "a window until now": {From: ripe.Add(-time.Hour), Until: s.now},
	} {
		_, err := s.d.WhyAt(t.Context(), s.founder, s.founder.Principal, s.a, access.Read, w)
		s.refused(what, fault.Invalid, err)
		if f := fault.From(err).Fields; len(f) != 1 || f[0].Pointer != "at" {
			t.Errorf("%s: %+v", what, f)
		}
		_, err = s.d.UsersAt(t.Context(), s.founder, s.a, w, directory.Paging{Limit: 1})
		s.refused(what, fault.Invalid, err)
	}
	old := ripe.Add(-time.Microsecond)
	s.whyAt(s.founder, s.founder.Principal, s.a, directory.Window{From: old, Until: old})
	s.whyAt(s.founder, s.founder.Principal, s.a, directory.Day(s.now.AddDate(0, 0, -1)))
}

// Who was above then sees now what they see now. Of what is elsewhere now, and out of sight, nothing is told but that there was something.
func TestThePastIsSeenFromThePresent(t *testing.T) {
	s := newShop(t)
	old, gained, own := s.client(s.a, access.Admin), s.client(s.e, access.Viewer), s.client(s.b, access.Viewer)
	top := s.client(s.root, access.Viewer)
	s.now = s.now.Add(time.Hour)
	s.done(s.d.Suspend(t.Context(), s.founder, s.a, "unpaid"))
	s.now = s.now.Add(time.Hour)
	suspended := directory.Moment(s.now.Add(-time.Millisecond))
	s.done(s.d.Resume(t.Context(), s.founder, s.a))
	s.now = s.now.Add(time.Hour)
	before := directory.Moment(s.now)
	s.now = s.now.Add(time.Hour)
	s.done(s.d.Move(t.Context(), s.founder, s.b, s.e))
	s.now = s.now.Add(time.Hour)
	after := directory.Moment(s.now)
	s.now = s.now.Add(time.Hour)

	for _, w := range []directory.Window{suspended, before, after} {
		_, err := s.d.WhyAt(t.Context(), old, old.Principal, s.b, access.Read, w)
		s.refused("from the old branch", fault.NotFound, err)
		_, err = s.d.UsersAt(t.Context(), old, s.b, w, directory.Paging{Limit: 10})
		s.refused("from the old branch", fault.NotFound, err)
	}
	for _, c := range []struct {
		what     string
		as       directory.Caller
		w        directory.Window
		told     bool
		by       hierarchy.MarkKind
		at       ident.Node
		presence bool
	}{
		{"from the root, before", s.founder, before, true, "", "", true},
		{"from the root, suspended", top, suspended, true, hierarchy.Suspended, s.a, false},
		{"from the new branch, before", gained, before, false, "", "", false},
		{"from the new branch, suspended", gained, suspended, false, "", "", false},
		{"by itself, before", own, before, false, "", "", false},
		{"by itself, suspended", own, suspended, false, "", "", false},
	} {
		e := s.whyAt(c.as, old.Principal, s.c, c.w)
		want := []directory.Source{{Source: access.Source{Node: s.a, Role: access.Admin, Blocked: c.at, By: c.by}, Inherited: true}}
		if !c.told {
			want = want[:0]
		}
		if !slices.Equal(e.Sources, want) || e.Allowed != c.presence || e.Incomplete == c.told || (e.Name == "") == c.told {
			t.Errorf("%s: %+v, want %+v", c.what, e, want)
		}
		if !c.told && (strings.Contains(e.Text, string(s.a)) || strings.Contains(e.Text, "that you cannot see now") != e.Incomplete) {
			t.Errorf("%s: %+v", c.what, e)
		}
		list := s.usersAt(c.as, s.c, c.w)
		i := slices.IndexFunc(list.Items, func(u directory.User) bool { return u.Principal == old.Principal })
		if (i >= 0) != c.told || c.told && list.Items[i].Source != want[0] || list.Incomplete == c.told {
			t.Errorf("%s: %+v", c.what, list)
		}
		// What was granted above both branches, and here, is told as ever.
		here := slices.IndexFunc(list.Items, func(u directory.User) bool { return u.Principal == own.Principal && u.Node == s.b })
		above := slices.IndexFunc(list.Items, func(u directory.User) bool { return u.Principal == top.Principal && u.Inherited })
		if here < 0 || above < 0 || list.Items[here].By != c.by || list.Items[above].By != "" {
			t.Errorf("%s: here and at the root: %+v", c.what, list)
		}
	}
	if e := s.whyAt(gained, old.Principal, s.b, after); e.Allowed || len(e.Sources) > 0 {
		t.Errorf("after it had left: %+v", e)
	}
	if e := s.whyAt(gained, gained.Principal, s.b, before); e.Allowed || len(e.Sources) > 0 || !e.Incomplete {
		t.Errorf("before it came: %+v", e)
	}
	if e := s.whyAt(gained, gained.Principal, s.b, after); e.Incomplete {
		t.Errorf("after it came: %+v", e)
	}
	if e := s.whyAt(gained, gained.Principal, s.b, after); !e.Allowed || e.Sources[0].Node != s.e {
		t.Errorf("after it came: %+v", e)
	}
	// Both have had it on the day of the move.
	for _, who := range []ident.Principal{old.Principal, gained.Principal} {
		if e := s.whyAt(s.founder, who, s.c, directory.Window{From: before.From, Until: after.Until}); !e.Allowed {
			t.Errorf("on the day: %+v", e)
		}
	}
	// A bound session sees no further.
	bound := member(s.Fake, guest("ann", s.now), map[ident.Node]access.Role{s.root: access.Viewer})
	bound.Within = s.e
	if e := s.whyAt(bound, old.Principal, s.c, before); len(e.Sources) > 0 || !e.Incomplete {
		t.Errorf("within a bound: %+v", e)
	}
}

// What was above what is out of sight, and is above the node still, is told like everything above it.
func TestWhatIsAboveStillIsToldOverWhatIsNot(t *testing.T) {
	s := newShop(t)
	atA, atB, own := s.client(s.a, access.Operator), s.client(s.b, access.Operator), s.client(s.c, access.Viewer)
	s.now = s.now.Add(time.Hour)
	before := directory.Moment(s.now)
	s.now = s.now.Add(time.Hour)
	s.done(s.d.Move(t.Context(), s.founder, s.c, s.a))
	s.now = s.now.Add(time.Hour)
	list := s.usersAt(own, s.c, before)
	for who, told := range map[ident.Principal]bool{own.Principal: true, atB.Principal: false, atA.Principal: true, s.founder.Principal: true} {
		i := slices.IndexFunc(list.Items, func(u directory.User) bool { return u.Principal == who })
		if (i >= 0) != told || told && (list.Items[i].Node == "") != (who != own.Principal) {
			t.Errorf("%s: %+v", who, list)
		}
	}
	if !list.Incomplete {
		t.Error("it is complete")
	}
	if e := s.whyAt(own, atA.Principal, s.c, before); !e.Allowed || !e.Incomplete || e.Sources[0].Node != "" {
		t.Errorf("%+v", e)
	}
}

// What was purged has no past, and nothing is made up for it.
func TestWhatWasPurgedIsMissing(t *testing.T) {
	s := newShop(t)
	there, above, here := s.client(s.b, access.Admin), s.client(s.a, access.Admin), s.client(s.c, access.Viewer)
	s.now = s.now.Add(time.Hour)
	w := directory.Moment(s.now)
	s.now = s.now.Add(time.Hour)
	s.done(s.d.Move(t.Context(), s.founder, s.c, s.e))
	s.trash(s.b)
	if e := s.whyAt(s.founder, there.Principal, s.c, w); !e.Allowed || e.Incomplete {
		t.Errorf("in the trash: %+v", e)
	}
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	s.purge()
	check := func(what string) {
		t.Helper()
		for who, allowed := range map[ident.Principal]bool{there.Principal: false, above.Principal: false, here.Principal: true, s.founder.Principal: true} {
			if e := s.whyAt(s.founder, who, s.c, w); e.Allowed != allowed || !e.Incomplete || !strings.Contains(e.Text, "as far as is known") {
				t.Errorf("%s: %+v", what, e)
			}
		}
		list := s.usersAt(s.founder, s.c, w)
		if len(list.Items) != 2 || !list.Incomplete || list.Items[0].Principal != here.Principal || list.Items[1].Principal != s.founder.Principal {
			t.Errorf("%s: %+v", what, list)
		}
	}
	check("purged, and not erased")
	for _, id := range jobsIn(s.Fake) {
		if err := settled(t.Context(), s.d, id); err != nil {
			t.Fatal(err)
		}
	}
	check("erased")
	later := s.usersAt(s.founder, s.c, directory.Day(s.now.AddDate(0, 0, -1)))
	if later.Incomplete || len(later.Items) != 2 {
		t.Errorf("after it had left: %+v", later)
	}
	// Who was at home there has lost all other roles with it, from then on.
	s.now = s.now.Add(time.Hour)
	if _, err := s.d.GrantRole(t.Context(), s.founder, there.Principal, s.e, access.Viewer); !fault.NotFound.Is(err) {
		t.Errorf("revoked with its home: %v", err)
	}
}

// A client whose home is purged loses its roles elsewhere when that is erased, and no event tells of it.
func TestWhoIsRevokedWithTheirHomeCouldUntilThen(t *testing.T) {
	s := newShop(t)
	who := s.client(s.b, access.Viewer).Principal
	if _, err := s.d.GrantRole(t.Context(), s.founder, who, s.e, access.Viewer); err != nil {
		t.Fatal(err)
	}
	s.trash(s.b)
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	s.purge()
	s.now = s.now.Add(time.Hour)
	could := directory.Moment(s.now.Add(-time.Minute))
	for _, id := range jobsIn(s.Fake) {
		if err := settled(t.Context(), s.d, id); err != nil {
			t.Fatal(err)
		}
	}
	not := directory.Moment(s.now)
	s.now = s.now.Add(time.Hour)
	for w, want := range map[directory.Window]bool{could: true, not: false} {
		listed := slices.ContainsFunc(s.usersAt(s.founder, s.e, w).Items, func(u directory.User) bool { return u.Principal == who })
		if e := s.whyAt(s.founder, who, s.e, w); e.Allowed != want || listed != want {
			t.Errorf("%v: %v, listed %v", w, e.Allowed, listed)
		}
	}
}

// Clocks differ: of two moves the later one may have the earlier time. Then there is no tree that is made of both.
func TestMovesInTheWrongOrderEnd(t *testing.T) {
	s := newShop(t)
	moved := func(id, to ident.Node, at time.Time) {
		t.Helper()
		path := hierarchy.Path("").Child(s.root).Child(to).Child(id)
		if err := s.Fake.Commit(t.Context(), directory.AddEvent{Event: event.Event{ID: ident.NewEvent(), Type: event.PartnerMoved, Time: at,
			Node: id, Path: path}}); err != nil {
			t.Fatal(err)
		}
	}
	moved(s.e, s.a, s.now.Add(time.Second))
	moved(s.a, s.e, s.now.Add(time.Second))
	s.now = s.now.Add(time.Hour)
	w := directory.Moment(s.now.Add(-time.Minute))
	if e := s.whyAt(s.founder, s.founder.Principal, s.c, w); !e.Allowed || !e.Incomplete {
		t.Errorf("%+v", e)
	}
	if list := s.usersAt(s.founder, s.c, w); len(list.Items) != 1 || !list.Incomplete {
		t.Errorf("%+v", list)
	}
}

// many tells of so many things, a millisecond apart.
func (s *shop) many(n int, e event.Event) {
	s.t.Helper()
	for range n {
		s.now = s.now.Add(time.Millisecond)
		e.ID, e.Time = ident.NewEvent(), s.now
		if err := s.Fake.Commit(s.t.Context(), directory.AddEvent{Event: e}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// role is that somebody gets a role at the root, again.
func (s *shop) role(who ident.Principal, role access.Role) event.Event {
	return event.Event{Type: event.UserChanged, Node: s.root, Path: hierarchy.Path("").Child(s.root),
		Data: event.UserChangedData{UserRole: event.UserRole{PrincipalID: who, Name: "C", Role: role}}}
}

// However much happened before, it is told who could; a day in which too much happened is not.
func TestOnlyTheDayItselfCanHaveTooMuch(t *testing.T) {
	s := newShop(t)
	began := s.now
	who := s.client(s.root, access.Viewer).Principal
	s.now = clocktest.Next(s.now, 24*time.Hour)
	midnight := s.now
	s.many(3000, s.role(who, access.Operator))
	s.many(2000, event.Event{Type: event.PartnerResumed, Node: s.b, Path: hierarchy.Path("").Child(s.root).Child(s.a).Child(s.b)})
	full := directory.Window{From: midnight, Until: s.now}
	s.many(1, s.role(who, access.Admin))
	day, moment := directory.Day(s.now), directory.Moment(s.now)
	s.now = s.now.AddDate(0, 0, 2).Add(time.Hour)
	next := directory.Day(s.now.AddDate(0, 0, -1))

	ask := func(what string, node ident.Node, w directory.Window, want access.Role) {
		t.Helper()
		e, err := s.d.WhyAt(t.Context(), s.founder, who, node, access.ManageClients, w) // which they may not: their highest role is told
		list, other := s.d.UsersAt(t.Context(), s.founder, node, w, directory.Paging{Limit: 100})
		if want == access.None {
			s.refused(what, fault.Invalid, err)
			s.refused(what, fault.Invalid, other)
			if text := fault.From(err).Error(); !strings.Contains(text, "one moment of that day") {
				t.Errorf("%s: %s", what, text)
			}
			return
		}
		listed := slices.ContainsFunc(list.Items, func(u directory.User) bool { return u.Principal == who && u.Role == want })
		if err != nil || other != nil || e.Role != want || !listed {
			t.Errorf("%s: %v, %v, %v, %+v", what, e.Role, err, other, list)
		}
	}
	ask("as much as there may be", s.c, full, access.Operator)
	ask("one more", s.c, day, access.None)
	ask("the last moment of it", s.c, moment, access.Admin)
	ask("the day after", s.c, next, access.Admin)
	ask("less has happened at the root", s.root, day, access.Admin)
	ask("and beside", s.e, day, access.Admin)
	if e := s.whyAt(s.founder, who, s.c, directory.Moment(began.Add(-time.Hour))); e.Allowed || !strings.Contains(e.Text, "made later") {
		t.Errorf("before it was made: %+v", e)
	}
	list := s.usersAt(s.founder, s.c, directory.Moment(began.Add(-time.Hour)))
	if len(list.Items) > 0 || list.Items == nil || list.Incomplete {
		t.Errorf("before it was made: %+v", list)
	}
	// What came above it later has no part in that, and is not read to its end.
	if _, err := s.d.GrantRole(t.Context(), s.founder, who, s.e, access.Viewer); err != nil {
		t.Fatal(err)
	}
	busy := s.role(who, access.Viewer)
	busy.Node, busy.Path = s.e, busy.Path.Child(s.e)
	s.now = next.From.Add(time.Hour)
	s.many(6000, busy)
	s.now = next.Until.AddDate(0, 0, 1)
	s.done(s.d.Move(t.Context(), s.founder, s.b, s.e))
	s.now = s.now.Add(time.Hour)
	before := len(s.Calls())
	s.whyAt(s.founder, who, s.c, next)
	logs := slices.DeleteFunc(s.Calls()[before:], func(name string) bool { return name != "Log" })
	if len(logs) != 4+1+3+1+1 { // the root, a, b, and c to the end, and a page of e
		t.Errorf("%d pages", len(logs))
	}
	ask("below what was busy elsewhere", s.c, next, access.Admin)
	ask("the busy one", s.e, next, access.None)
	ask("after it", s.c, directory.Moment(s.now.Add(-time.Minute)), access.Admin)
}

// A history that takes too long is no answer, and no harm.
func TestThePastIsReadForSomeSecondsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		who := s.client(s.root, access.Viewer).Principal
		s.many(12_000, s.role(who, access.Admin))
		s.now = s.now.Add(time.Hour)
		pages := 0
		s.Before = func(c directorytest.Call) error {
			if c.Name == "Log" {
				pages++
				time.Sleep(time.Second)
			}
			return nil
		}
		began := clocktest.Now()
		_, err := s.d.WhyAt(t.Context(), s.founder, who, s.root, access.Read, directory.Moment(s.now.Add(-time.Minute)))
		s.refused("reading on and on", fault.Busy, err)
		if took := clocktest.Now().Sub(began); took < 6*time.Second || took > 8*time.Second || pages < 6 {
			t.Errorf("%d pages in %s", pages, took)
		}
	})
}

// Clocks differ: what was taken away right after it was given may have the earlier time, or the same.
func TestWhatWasTakenAwayStaysSoWhateverTheClocksSay(t *testing.T) {
	for _, late := range []time.Duration{0, 40 * time.Millisecond} {
		s := newShop(t)
		ctx := t.Context()
		ann := member(s.Fake, guest("ann", s.now), map[ident.Node]access.Role{s.a: access.Viewer}).Principal
		api, err := s.d.CreateClient(ctx, s.founder, directory.NewClient{Node: s.root, Name: "API", Role: access.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 { // ids, by which events of one time are in order, are random
			s.now = s.now.Add(time.Hour)
			begin := s.now
			at := func(ahead time.Duration, err error) {
				t.Helper()
				if s.now = begin; err != nil {
					t.Fatal(err)
				}
				s.now = begin.Add(ahead)
			}
			at(late, nil)
			at(late, s.d.SetRole(ctx, s.founder, s.a, ann, access.Owner))
			_, err := s.d.GrantRole(ctx, s.founder, api.ID, s.a, access.Owner)
			at(0, err)
			at(0, s.d.RemoveGrant(ctx, s.founder, api.ID, s.a))
			at(0, s.d.SetRole(ctx, s.founder, s.a, ann, access.Viewer))
			s.now = begin.Add(time.Hour)
			w := directory.Moment(s.now.Add(-time.Minute))
			for who, want := range map[ident.Principal]access.Role{ann: access.Viewer, api.ID: access.Viewer} {
				e := s.whyAt(s.founder, who, s.b, w)
				if len(e.Sources) != 1 || e.Role != want {
					t.Errorf("%s late: %+v", late, e)
				}
			}
		}
	}
}

// Who was revoked long ago is not in the list, and keeps nobody from being in it.
func TestManyWhoWereRevokedTakeMorePages(t *testing.T) {
	s := newShop(t)
	made := func() ident.Principal {
		t.Helper()
		p, err := s.d.CreateClient(t.Context(), s.founder, directory.NewClient{Node: s.c, Name: "API", Role: access.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		return p.ID
	}
	left := []ident.Principal{s.founder.Principal}
	for i := range 1200 {
		who := made()
		if i%400 == 7 {
			left = append(left, who)
		} else if err := s.d.RevokeClient(t.Context(), s.founder, who); err != nil {
			t.Fatal(err)
		}
	}
	s.now = s.now.Add(time.Hour)
	w := directory.Moment(s.now.Add(-time.Minute))
	for _, limit := range []int{1, 2, 100} {
		var got []ident.Principal
		for page := (directory.Paging{Limit: limit}); ; {
			before := len(s.Calls())
			list, err := s.d.UsersAt(t.Context(), s.founder, s.c, w, page)
			if err != nil || len(list.Items) > limit || list.Items == nil {
				t.Fatalf("%d of %d: %+v, %v", len(got), limit, list, err)
			}
			if reads := len(s.Calls()) - before; reads > 20 {
				t.Errorf("%d calls for a page", reads)
			}
			for _, u := range list.Items {
				got = append(got, u.Principal)
			}
			if page.Cursor = list.Next; page.Cursor == "" {
				break
			}
		}
		slices.Sort(got)
		slices.Sort(left)
		if !slices.Equal(got, left) {
			t.Errorf("%d a page: %v, want %v", limit, got, left)
		}
	}
}

// The present path is read at once; what was above and is no longer takes one more round, and one read for what the caller sees of it.
func TestThePastTakesFewReads(t *testing.T) {
	s := newShop(t)
	s.now = s.now.Add(time.Hour)
	then := directory.Moment(s.now.Add(-time.Minute))
	count := func(what, want string) {
		t.Helper()
		before := len(s.Calls())
		s.whyAt(s.founder, s.founder.Principal, s.c, then)
		calls := s.Calls()[before:]
		slices.Sort(calls)
		if got := fmt.Sprint(calls); got != want {
			t.Errorf("%s: %s; want %s", what, got, want)
		}
	}
	count("where it is", "[Log Log Log Log Read Read]")
	s.done(s.d.Move(t.Context(), s.founder, s.c, s.e))
	count("where it was", "[Log Log Log Log Log Read Read Read]")
}

// A past is read as far as one answer can wait for, and no further: who asks hears what to do in place of it.
func TestAPastThatIsTooLongIsRefused(t *testing.T) {
	fake, now := new(directorytest.Fake), clocktest.Start()
	d := directory.New(fake, func() time.Time { return now.AddDate(0, 0, 2) }) // asked two days later
	root, founder, _, err := d.CreateRoot(t.Context(), "Root", "Founder")
	if err != nil {
		t.Fatal(err)
	}
	c := directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
	other := ident.NewClient()
	var steps []directory.Step
	happen := func(n int, every time.Duration) {
		t.Helper()
		for range n {
			now = now.Add(every)
			steps = append(steps, directory.AddEvent{Event: event.Event{ID: ident.NewEvent(), Type: event.ClientGranted, Time: now, Node: root.ID,
				Path: hierarchy.Path("").Child(root.ID), Data: event.ClientGrantedData{ClientRole: event.ClientRole{Client: event.Client{ClientID: other, Name: "Other"}, Role: access.Viewer}}}})
		}
		for some := range slices.Chunk(steps, 50) {
			if err := fake.Commit(t.Context(), some...); err != nil {
				t.Fatal(err)
			}
		}
		steps = nil
	}
	asks := func(at directory.Window) string {
		t.Helper()
		_, err1 := d.WhyAt(t.Context(), c, other, root.ID, access.Read, at)
		_, err2 := d.UsersAt(t.Context(), c, root.ID, at, directory.Paging{Limit: 1})
		if err1 == nil && err2 == nil {
			return ""
		}
		if !fault.Invalid.Is(err1) || !fault.Invalid.Is(err2) {
			t.Fatalf("%v, %v", err1, err2)
		}
		return fault.From(err1).Fields[0].Detail
	}
	happen(19_990, time.Minute)
	if refused := asks(directory.Moment(now)); refused != "" {
		t.Errorf("after 20,000 changes: %s", refused)
	}
	happen(20, time.Minute)
	if refused := asks(directory.Moment(now)); !strings.Contains(refused, "than can be read") {
		t.Errorf("after more: %q", refused)
	}
	if refused := asks(directory.Moment(now.Add(-time.Hour))); refused != "" {
		t.Errorf("at an earlier time: %s", refused)
	}
	now = now.Truncate(24 * time.Hour).Add(36 * time.Hour) // a day on which too much happens
	happen(5001, time.Millisecond)
	if refused := asks(directory.Day(now)); refused == "" {
		t.Error("a day with more than 5,000 changes was answered")
	}
}
