package directory_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// shop is a tree with a clock that stands still until it is moved: root > a > b > c and the customer x, root > d.
type shop struct {
	*directorytest.Fake
	t                   *testing.T
	d                   *directory.Directory
	now                 time.Time
	root, a, b, c, e, x ident.Node
	founder             directory.Caller
	brand               ident.Brand
}

func newShop(t *testing.T) *shop {
	s := &shop{Fake: new(directorytest.Fake), t: t, now: clocktest.Start()}
	s.d = directory.New(s.Fake, func() time.Time { return s.now })
	root, founder, _, err := s.d.CreateRoot(t.Context(), "Root", "Founder")
	if err != nil {
		t.Fatal(err)
	}
	s.root, s.founder = root.ID, directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
	b, err := s.d.CreateBrand(t.Context(), s.founder, directory.NewBrand{Partner: s.root, Name: "B", Domain: "b.example", Regions: []string{"eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	s.brand = b.ID
	s.a, s.e = s.partner(s.root, "a"), s.partner(s.root, "e")
	s.b = s.partner(s.a, "b")
	s.c = s.partner(s.b, "c")
	x, err := s.d.CreateCustomer(t.Context(), s.founder, directory.NewCustomer{Partner: s.b, Name: "x", Details: hierarchy.Details{Brand: s.brand}})
	if err != nil {
		t.Fatal(err)
	}
	s.x = x.ID
	return s
}

func (s *shop) partner(parent ident.Node, name hierarchy.Name) ident.Node {
	s.t.Helper()
	n, err := s.d.CreatePartner(s.t.Context(), s.founder, directory.NewPartner{Parent: parent, Name: name, Portal: s.brand,
		Available: []ident.Brand{s.brand}, CanProvision: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return n.ID
}

func (s *shop) client(node ident.Node, role access.Role) directory.Caller {
	s.t.Helper()
	c, err := s.d.CreateClient(s.t.Context(), s.founder, directory.NewClient{Node: node, Name: "C", Role: role})
	if err != nil {
		s.t.Fatal(err)
	}
	return directory.Caller{Principal: c.ID, Key: c.SecretID}
}

func (s *shop) trash(id ident.Node) { s.t.Helper(); s.done(s.d.Trash(s.t.Context(), s.founder, id)) }

// done settles what was done, and expects that something was.
func (s *shop) done(done interface{ JobID() ident.Job }, err error) {
	s.t.Helper()
	if err != nil || done.JobID() == "" {
		s.t.Fatalf("%+v, %v", done, err)
	}
	if err := settled(s.t.Context(), s.d, done.JobID()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) purge() directory.Swept {
	s.t.Helper()
	swept, err := s.d.Purge(s.t.Context(), time.Minute)
	if err != nil {
		s.t.Fatal(err)
	}
	return swept
}

func (s *shop) below(id ident.Node) (ids []ident.Node) {
	s.t.Helper()
	list, err := s.d.Descendants(s.t.Context(), s.founder, id, "", directory.Paging{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, n := range list.Items {
		ids = append(ids, n.ID)
	}
	return ids
}

func (s *shop) inTrash(id ident.Node) (ids []ident.Node) {
	s.t.Helper()
	list, err := s.d.TrashList(s.t.Context(), s.founder, id, "", directory.Paging{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, n := range list.Items {
		ids = append(ids, n.ID)
	}
	return ids
}

func (s *shop) children(id ident.Node, kind hierarchy.Kind) (ids []ident.Node) {
	s.t.Helper()
	list, err := s.d.Children(s.t.Context(), s.founder, id, kind, directory.Paging{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range list.Items {
		ids = append(ids, list.Items[i].ID)
	}
	return ids
}

func (s *shop) refused(what string, want *fault.Type, err error) {
	s.t.Helper()
	if want == nil && err != nil || want != nil && !want.Is(err) {
		s.t.Errorf("%s: %v", what, err)
	}
}

func same(a, b []ident.Node) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestWhatIsInTheTrashIsOutOfTheWayAndComesBackWhole(t *testing.T) {
	s, ctx := newShop(t), t.Context()
	inside, above := s.client(s.c, access.Owner), s.client(s.a, access.Viewer)
	s.trash(s.b)

	n, err := s.d.Get(ctx, s.founder, s.c)
	if err != nil || n.TrashedAt != s.b {
		t.Errorf("below: %+v, %v", n, err)
	}
	if n, err = s.d.Get(ctx, above, s.b); err != nil || n.TrashedAt != s.b || !n.Trashed.Equal(s.now) {
		t.Errorf("from above: %+v, %v", n, err)
	}
	_, err = s.d.Get(ctx, inside, s.c)
	s.refused("a grant within counts", fault.NotFound, err)
	if got := s.children(s.a, hierarchy.Partner); len(got) > 0 {
		t.Errorf("it is listed: %v", got)
	}
	if got := s.below(s.root); !same(got, []ident.Node{s.a, s.e}) {
		t.Errorf("below the root: %v", got)
	}
	if got := s.below(s.b); !same(got, []ident.Node{s.c, s.x}) {
		t.Errorf("below itself: %v", got)
	}
	for _, top := range []ident.Node{s.root, s.a} {
		if got := s.inTrash(top); !same(got, []ident.Node{s.b}) {
			t.Errorf("the trash of %s: %v", top, got)
		}
	}
	if got := append(s.inTrash(s.e), s.inTrash(s.b)...); len(got) > 0 {
		t.Errorf("the trash elsewhere: %v", got)
	}

	name := hierarchy.Name("other")
	for what, do := range map[string]func() error{
		"rename": func() error {
			_, err := s.d.EditPartner(ctx, s.founder, s.c, directory.PartnerPatch{Name: &name})
			return err
		},
		"move":      func() error { _, err := s.d.Move(ctx, s.founder, s.c, s.e); return err },
		"move it":   func() error { _, err := s.d.Move(ctx, s.founder, s.b, s.e); return err },
		"move in":   func() error { _, err := s.d.Move(ctx, s.founder, s.e, s.c); return err },
		"suspend":   func() error { _, err := s.d.Suspend(ctx, s.founder, s.c, "x"); return err },
		"trash":     func() error { _, err := s.d.Trash(ctx, s.founder, s.c); return err },
		"provision": func() error { _, err := s.d.SetCanProvision(ctx, s.founder, s.c, false); return err },
		"client": func() error {
			_, err := s.d.CreateClient(ctx, s.founder, directory.NewClient{Node: s.c, Name: "C", Role: access.Viewer})
			return err
		},
		"grant": func() error { _, err := s.d.GrantRole(ctx, s.founder, above.Principal, s.c, access.Viewer); return err },
		"customer": func() error {
			_, err := s.d.CreateCustomer(ctx, s.founder, directory.NewCustomer{Partner: s.c, Name: "y", Details: hierarchy.Details{Brand: s.brand}})
			return err
		},
		"brand": func() error {
			_, err := s.d.CreateBrand(ctx, s.founder, directory.NewBrand{Partner: s.c, Name: "B", Domain: "c.example", Regions: []string{"eu-west-1"}})
			return err
		},
	} {
		s.refused(what, fault.Trashed, do())
	}
	if same, err := s.d.Restore(ctx, s.founder, s.c); err != nil || same.Job != "" || same.Node.TrashedAt != s.b {
		t.Errorf("it was not put there itself: %+v, %v", same, err)
	}
	_, err = s.d.Restore(ctx, above, s.b)
	s.refused("restored by a viewer", fault.Forbidden, err)
	if again, err := s.d.Trash(ctx, s.founder, s.b); err != nil || again.Job != "" || again.Node.TrashedAt != s.b {
		t.Errorf("trashed again: %+v, %v", again, err)
	}
	_, err = s.d.Trash(ctx, s.founder, s.root)
	s.refused("the root", fault.Root, err)

	s.done(s.d.Restore(ctx, s.founder, s.b))
	if n, err = s.d.Get(ctx, inside, s.c); err != nil || n.TrashedAt != "" {
		t.Errorf("restored: %+v, %v", n, err)
	}
	if got := s.below(s.root); !same(got, []ident.Node{s.a, s.b, s.c, s.e, s.x}) {
		t.Errorf("restored, below the root: %v", got)
	}
	if got := s.inTrash(s.root); len(got) > 0 || !same(s.children(s.a, hierarchy.Partner), []ident.Node{s.b}) {
		t.Errorf("restored: in the trash %v, children %v", got, s.children(s.a, hierarchy.Partner))
	}
	s.now = s.now.Add(2 * hierarchy.KeepTrash)
	if swept := s.purge(); swept != (directory.Swept{}) {
		t.Errorf("what was restored is purged: %+v", swept)
	}
}

// A brand that something in the trash has is kept for it: a restore never fails for that.
func TestABrandInTheTrashIsInUse(t *testing.T) {
	s, ctx := newShop(t), t.Context()
	s.trash(s.x)
	s.trash(s.c)
	none := []ident.Brand{}
	own, err := s.d.CreateBrand(ctx, s.founder, directory.NewBrand{Partner: s.b, Name: "O", Domain: "o.example", Regions: []string{"eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.d.EditPartner(ctx, s.founder, s.b, directory.PartnerPatch{Portal: &own.ID, Available: &none})
	s.refused("taken away", fault.BrandInUse, err)
	if used := fault.From(err).UsedBy; len(used) != 2 {
		t.Errorf("used by %+v", used)
	}
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	if swept := s.purge(); swept.Purged != 2 {
		t.Errorf("%+v", swept)
	}
	_, err = s.d.EditPartner(ctx, s.founder, s.b, directory.PartnerPatch{Portal: &own.ID, Available: &none})
	s.refused("purged, and taken away", nil, err)
}

func TestTrashWithinTheTrash(t *testing.T) {
	s, ctx := newShop(t), t.Context()
	s.trash(s.x)
	s.now = s.now.Add(time.Hour)
	s.trash(s.b)
	if got := s.inTrash(s.a); !same(got, []ident.Node{s.b, s.x}) {
		t.Errorf("the trash: %v", got)
	}
	_, err := s.d.Restore(ctx, s.founder, s.x)
	s.refused("restored below something in the trash", fault.Trashed, err)
	if n, err := s.d.Get(ctx, s.founder, s.x); err != nil || n.TrashedAt != s.b {
		t.Errorf("%+v, %v", n, err)
	}
	s.done(s.d.Restore(ctx, s.founder, s.b))
	if got := s.inTrash(s.a); !same(got, []ident.Node{s.x}) {
		t.Errorf("the trash after the restore: %v", got)
	}
	if got := s.below(s.a); !same(got, []ident.Node{s.b, s.c}) {
		t.Errorf("below: %v", got)
	}
	s.done(s.d.Restore(ctx, s.founder, s.x))
	if got := s.below(s.a); !same(got, []ident.Node{s.b, s.c, s.x}) {
		t.Errorf("below: %v", got)
	}
}

func TestPurgingALeaf(t *testing.T) {
	s, ctx := newShop(t), t.Context()
	elsewhere, home := s.client(s.e, access.Viewer), s.client(s.x, access.Viewer)
	for c, node := range map[ident.Principal]ident.Node{elsewhere.Principal: s.x, home.Principal: s.e} {
		if _, err := s.d.GrantRole(ctx, s.founder, c, node, access.Viewer); err != nil {
			t.Fatal(err)
		}
	}
	s.trash(s.x)
	s.now = s.now.Add(hierarchy.KeepTrash)
	if swept := s.purge(); swept != (directory.Swept{}) {
		t.Fatalf("too early: %+v", swept)
	}
	s.now = s.now.Add(time.Second)
	if swept := s.purge(); swept != (directory.Swept{Purged: 1}) {
		t.Fatalf("%+v", swept)
	}
	_, err := s.d.Get(ctx, s.founder, s.x)
	s.refused("purged", fault.NotFound, err)
	_, err = s.d.Restore(ctx, s.founder, s.x)
	s.refused("restored", fault.NotFound, err)
	if got := s.inTrash(s.root); len(got) > 0 {
		t.Errorf("in the trash: %v", got)
	}
	if me, err := s.d.Me(ctx, elsewhere); err != nil || len(me.Grants) != 1 || me.Grants[0].Node.ID != s.e {
		t.Errorf("who had a grant there: %+v, %v", me, err)
	}
	_, err = s.d.Me(ctx, home)
	s.refused("who was at home there", fault.Unauthenticated, err)
	last := s.Events()[len(s.Events())-1]
	if last.Type != event.CustomerPurged || last.Node != s.x || last.Job() != "" || last.Actor != "" {
		t.Errorf("%+v", last)
	}
	if log, err := s.d.Log(ctx, s.founder, s.b, directory.LogFilter{}, directory.Paging{Limit: 1}); err != nil || log.Items[0].ID != last.ID {
		t.Errorf("the log above: %+v, %v", log, err)
	}
	if swept := s.purge(); swept != (directory.Swept{}) {
		t.Errorf("again: %+v", swept)
	}
}

func TestPurgingABranch(t *testing.T) {
	s, ctx := newShop(t), t.Context()
	if _, err := s.d.CreateBrand(ctx, s.founder, directory.NewBrand{Partner: s.c, Name: "O", Domain: "o.example", Regions: []string{"eu-west-1"}}); err != nil {
		t.Fatal(err)
	}
	inside := s.client(s.c, access.Owner)
	s.trash(s.x)
	s.now = s.now.Add(time.Second)
	s.trash(s.b)
	s.now = s.now.Add(hierarchy.KeepTrash)
	if swept := s.purge(); swept.Purged != 1 { // the customer alone
		t.Fatalf("%+v", swept)
	}
	s.now = s.now.Add(time.Second)
	if swept := s.purge(); swept.Purged != 1 || swept.Behind == 0 {
		t.Fatalf("%+v", swept)
	}
	gone := func() {
		t.Helper()
		for _, id := range []ident.Node{s.b, s.c} {
			_, err := s.d.Get(ctx, s.founder, id)
			s.refused("purged", fault.NotFound, err)
		}
		if got := s.inTrash(s.root); len(got) > 0 {
			t.Errorf("in the trash: %v", got)
		}
		if got := s.below(s.root); !same(got, []ident.Node{s.a, s.e}) {
			t.Errorf("below the root: %v", got)
		}
	}
	gone() // at once, before anything is erased
	if swept := s.purge(); swept.Purged != 0 || swept.Behind == 0 {
		t.Errorf("twice: %+v", swept)
	}
	last := s.Events()[len(s.Events())-1]
	change := last.Job()
	if last.Type != event.PartnerPurged || last.Node != s.b || change == "" {
		t.Fatalf("%+v", last)
	}
	if err := settled(ctx, s.d, change); err != nil {
		t.Fatal(err)
	}
	gone()
	if swept := s.purge(); swept != (directory.Swept{}) {
		t.Errorf("again: %+v", swept)
	}
	got, err := s.Read(ctx, directory.Want{Nodes: []ident.Node{s.b, s.c, s.x, s.a}, Records: access.Principals.Refs(inside.Principal)})
	if err != nil || len(got.Nodes) != 1 || len(got.Tree.Changes) > 0 || got.Nodes[s.a].Brands.Uses[s.brand] != 0 {
		t.Errorf("left: %+v, %v", got, err)
	}
	if p := access.Principals.In(got.Records, inside.Principal); p.Revoked.IsZero() || len(p.Grants) > 0 {
		t.Errorf("who was at home there: %+v", p)
	}
	if _, err := s.d.CreateBrand(ctx, s.founder, directory.NewBrand{Partner: s.e, Name: "O", Domain: "o.example", Regions: []string{"eu-west-1"}}); err != nil {
		t.Errorf("its domain is not free: %v", err)
	}
}

// People's changes find room in the tree state, however much is due.
func TestPurgesLeaveRoom(t *testing.T) {
	s := newShop(t)
	const branches = 11
	for range branches {
		top := s.partner(s.e, "top")
		s.partner(top, "below")
		s.trash(top)
	}
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	if swept := s.purge(); swept.Purged != 8 {
		t.Fatalf("%+v", swept)
	}
	if swept := s.purge(); swept.Purged != 0 {
		t.Fatalf("%+v", swept)
	}
	for _, id := range jobsIn(s.Fake) {
		if err := settled(t.Context(), s.d, id); err != nil {
			t.Fatal(err)
		}
	}
	if swept := s.purge(); swept.Purged != branches-8 {
		t.Fatalf("%+v", swept)
	}
}

// A branch whose trashing is not settled yet is not purged: something may still be created in it by who did not see that.
func TestWhatIsNotSettledIsNotPurged(t *testing.T) {
	s := newShop(t)
	done, err := s.d.Trash(t.Context(), s.founder, s.b)
	if err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	if swept := s.purge(); swept.Purged != 0 || swept.Behind != time.Second {
		t.Errorf("%+v", swept)
	}
	if err := settled(t.Context(), s.d, done.Job); err != nil {
		t.Fatal(err)
	}
	if swept := s.purge(); swept.Purged != 1 {
		t.Errorf("%+v", swept)
	}
}

// One node that cannot be purged does not keep the others from it.
func TestAPurgeGoesOnWithTheOthers(t *testing.T) {
	s := newShop(t)
	s.trash(s.x)
	s.now = s.now.Add(time.Second)
	s.trash(s.c)
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	s.Before = func(c directorytest.Call) error {
		for _, step := range c.Steps {
			if removed, ok := step.(directory.RemoveNode); ok && removed.Was.ID == s.x {
				return directorytest.Busy()
			}
		}
		return nil
	}
	swept, err := s.d.Purge(t.Context(), time.Minute)
	if !fault.Busy.Is(err) || swept.Purged != 1 || swept.Behind != 2*time.Second {
		t.Errorf("%+v, %v", swept, err)
	}
	s.Before = nil
	if swept := s.purge(); swept != (directory.Swept{Purged: 1}) {
		t.Errorf("later: %+v", swept)
	}
}

// A partner with as many brands as there can be, in the deepest place, is purged in transactions that are small enough.
func TestPurgingTheLargestPartner(t *testing.T) {
	s := newShop(t)
	at := s.e
	for range hierarchy.MaxDepth - 2 {
		at = s.partner(at, "deep")
	}
	for i := range hierarchy.MaxBrands {
		in := directory.NewBrand{Partner: at, Name: "O", Domain: fmt.Sprintf("o%d.example", i), Regions: []string{"eu-west-1"}}
		if _, err := s.d.CreateBrand(t.Context(), s.founder, in); err != nil {
			t.Fatal(err)
		}
	}
	s.trash(at)
	s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
	if swept := s.purge(); swept.Purged != 1 {
		t.Fatalf("%+v", swept)
	}
	ids := jobsIn(s.Fake)
	if err := settled(t.Context(), s.d, ids[len(ids)-1]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(t.Context(), directory.Want{Nodes: []ident.Node{at}}); err != nil || len(got.Nodes) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	in := directory.NewBrand{Partner: s.e, Name: "O", Domain: "o7.example", Regions: []string{"eu-west-1"}}
	if _, err := s.d.CreateBrand(t.Context(), s.founder, in); err != nil {
		t.Errorf("its domain is not free: %v", err)
	}
}
