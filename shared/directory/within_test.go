package directory_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// boundary is a party with a person who has signed in twice: by the platform's app, and by that of the partner a.
type boundary struct {
	*party
	ann    credential.SignedIn
	free   directory.Caller
	within directory.Caller
}

func newBoundary(t *testing.T, grants func(s *shop) map[ident.Node]access.Role) *boundary {
	s := newParty(t)
	ann := guest("ann", s.now)
	free := member(s, ann, grants(s.shop))
	within := free
	within.Within = s.a
	return &boundary{s, ann, free, within}
}

func ownsAll(s *shop) map[ident.Node]access.Role {
	return map[ident.Node]access.Role{s.root: access.Owner}
}

// Whatever a caller within a bound may do, an owner of the bound may, and what does not lie there is like nothing.
func TestABoundedCallerIsLikeAnOwnerOfTheBound(t *testing.T) {
	s := newBoundary(t, ownsAll)
	ctx := t.Context()
	owner := s.client(s.a, access.Owner)
	for _, at := range []ident.Node{s.b, s.e} {
		s.customer(at, "Ann's zebra", oneTenant, "", "")
	}
	text, err := directory.ParseSearchText("ann")
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(c directory.Caller, id ident.Node) (any, error){
		"get":    func(c directory.Caller, id ident.Node) (any, error) { return s.d.Get(ctx, c, id) },
		"path":   func(c directory.Caller, id ident.Node) (any, error) { return s.d.Path(ctx, c, id) },
		"brands": func(c directory.Caller, id ident.Node) (any, error) { return s.d.Brands(ctx, c, id) },
		"tree":   func(c directory.Caller, id ident.Node) (any, error) { return s.d.Tree(ctx, c, id, 3) },
		"descendants": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.Descendants(ctx, c, id, "", directory.Paging{Limit: 9})
		},
		"trash": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.TrashList(ctx, c, id, "", directory.Paging{Limit: 9})
		},
		"users": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.Users(ctx, c, id, directory.Paging{Limit: 99})
		},
		"clients": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.Clients(ctx, c, id, directory.Paging{Limit: 99})
		},
		"invitations": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.Invitations(ctx, c, id, directory.Paging{Limit: 9})
		},
		"requests": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.MoveRequests(ctx, c, id, directory.Paging{Limit: 9})
		},
		"log": func(c directory.Caller, id ident.Node) (any, error) {
			l, err := s.d.Log(ctx, c, id, directory.LogFilter{}, directory.Paging{Limit: 99})
			return len(l.Items), err
		},
		"children": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.Children(ctx, c, id, hierarchy.Partner, directory.Paging{Limit: 9})
		},
		"children with": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.CustomersWith(ctx, c, id, having(oneTenant, "", ""), directory.Paging{Limit: 9})
		},
		"descendants with": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.DescendantsWith(ctx, c, id, having(oneTenant, "", ""), directory.Paging{Limit: 9})
		},
		"search": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.Search(ctx, c, directory.Search{Text: text, Under: id}, directory.Paging{Limit: 9})
		},
		"search everywhere": func(c directory.Caller, _ ident.Node) (any, error) {
			return s.d.Search(ctx, c, directory.Search{Text: text}, directory.Paging{Limit: 9})
		},
		"another of a tenant": func(c directory.Caller, id ident.Node) (any, error) {
			if id != s.x {
				return nil, nil
			}
			n, err := s.d.EditCustomer(ctx, c, id, directory.CustomerPatch{Details: map[string]string{"tenantId": oneTenant}})
			return n.SameTenant, err
		},
		"why": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.Why(ctx, c, s.founder.Principal, id, access.ManageSubtree)
		},
		"preview": func(c directory.Caller, id ident.Node) (any, error) { return s.d.PreviewMove(ctx, c, id, s.a) },
		"out of it": func(c directory.Caller, id ident.Node) (any, error) {
			return s.d.PreviewMove(ctx, c, id, s.e)
		},
		"suspend": func(c directory.Caller, id ident.Node) (any, error) {
			if id != s.root && id != s.a && id != s.e {
				return nil, nil // it would happen, twice
			}
			return s.d.Suspend(ctx, c, id, "x")
		},
		"provisioning": func(c directory.Caller, id ident.Node) (any, error) {
			if id != s.root && id != s.a && id != s.e {
				return nil, nil
			}
			return s.d.SetCanProvision(ctx, c, id, false)
		},
		"brands from above": func(c directory.Caller, id ident.Node) (any, error) {
			if hierarchy.KindOf(id) == hierarchy.Customer || id == s.c {
				return nil, nil
			}
			return s.d.EditPartner(ctx, c, id, directory.PartnerPatch{Available: &[]ident.Brand{}})
		},
	} {
		for _, id := range []ident.Node{s.root, s.a, s.b, s.c, s.e, s.x, ident.NewPartner()} {
			if hierarchy.KindOf(id) == hierarchy.Customer && slices.Contains([]string{"brands", "tree", "descendants", "children"}, name) {
				continue
			}
			got, err := do(s.within, id)
			want, wantErr := do(owner, id)
			if asJSON(got) != asJSON(want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%s of %s: %s, %v; an owner there gets %s, %v", name, id, asJSON(got), err, asJSON(want), wantErr)
			}
		}
	}
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestMeWithinABound(t *testing.T) {
	for name, c := range map[string]struct {
		grants func(s *shop) map[ident.Node]access.Role
		want   []string // of each: node, role, path
		named  bool
	}{
		"from above": {func(s *shop) map[ident.Node]access.Role {
			return map[ident.Node]access.Role{s.root: access.Admin, s.e: access.Owner}
		}, []string{"a admin a"}, true},
		"the better of above and there": {func(s *shop) map[ident.Node]access.Role {
			return map[ident.Node]access.Role{s.root: access.Viewer, s.a: access.Owner, s.c: access.Operator}
		}, []string{"a owner a", "c operator a/b/c"}, true},
		"only below": {func(s *shop) map[ident.Node]access.Role {
			return map[ident.Node]access.Role{s.b: access.Viewer, s.c: access.Admin, s.e: access.Owner}
		}, []string{"b viewer b", "c admin b/c"}, true},
		"nowhere any more": {func(*shop) map[ident.Node]access.Role {
			return map[ident.Node]access.Role{}
		}, []string{}, false},
		"only elsewhere": {func(s *shop) map[ident.Node]access.Role {
			return map[ident.Node]access.Role{s.e: access.Owner}
		}, []string{}, false},
	} {
		s := newBoundary(t, c.grants)
		me, err := s.d.Me(t.Context(), s.within)
		got := []string{}
		for _, g := range me.Grants {
			var path []string
			for _, step := range g.Path {
				path = append(path, string(step.Name))
			}
			got = append(got, fmt.Sprint(g.Node.Name, " ", g.Role, " ", strings.Join(path, "/")))
		}
		if err != nil || !slices.Equal(got, c.want) || (me.Name != "") != c.named || me.ID != s.free.Principal {
			t.Errorf("%s: %q, named %q, %v; want %q", name, got, me.Name, err, c.want)
		}
		s.done(s.d.Suspend(t.Context(), s.founder, s.a, "x"))
		if me, err := s.d.Me(t.Context(), s.within); err != nil || len(me.Grants) != 0 || me.Name != "" {
			t.Errorf("%s: suspended: %+v, %v", name, me, err)
		}
		if me, err := s.d.Me(t.Context(), s.free); err != nil || me.Name == "" {
			t.Errorf("%s: suspended, without the bound: %+v, %v", name, me, err)
		}
	}
}

// What was answered elsewhere under an Idempotency-Key is not told within a bound, and the other way round.
func TestAnAnswerIsRememberedForItsBound(t *testing.T) {
	s := newBoundary(t, ownsAll)
	ask := func(within ident.Node) (directory.Client, string) {
		t.Helper()
		c := s.free
		c.Within, c.Repeat = within, &directory.Repeat{Key: "once", Fingerprint: []byte{1}}
		made, err := s.d.CreateClient(t.Context(), c, directory.NewClient{Node: s.b, Name: "C", Role: access.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		return made.Client, made.Key
	}
	made := map[ident.Principal]bool{}
	for _, within := range []ident.Node{"", s.a, s.b} {
		first, key := ask(within)
		again, none := ask(within)
		if key == "" || none != "" || again.ID != first.ID || made[first.ID] {
			t.Errorf("within %q: %s, then %s", within, first.ID, again.ID)
		}
		made[first.ID] = true
	}
}

func TestExplainingThemselvesWithinABound(t *testing.T) {
	s := newBoundary(t, ownsAll)
	why := func(c directory.Caller, id ident.Node, a access.Action) directory.Explanation {
		t.Helper()
		e, err := s.d.Why(t.Context(), c, s.free.Principal, id, a)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := why(s.within, s.a, access.ManageSubtree); e.Allowed || e.Role != access.Owner || len(e.Sources) != 1 || e.Sources[0].Node != "" ||
		!strings.Contains(e.Text, "while signed in at this portal: a role above this partner is needed, and this portal does not reach that far up") {
		t.Errorf("within: %+v", e)
	}
	if e := why(s.free, s.a, access.ManageSubtree); !e.Allowed || e.Sources[0].Node != s.root {
		t.Errorf("without: %+v", e)
	}
	if e := why(s.within, s.b, access.ManageSubtree); !e.Allowed || !strings.Contains(e.Text, "further up than you can see") {
		t.Errorf("below: %+v", e)
	}
	_, err := s.d.Why(t.Context(), s.within, s.free.Principal, s.e, access.Read)
	s.refused("outside", fault.NotFound, err)
}

// A move request is theirs who asked, where they asked: outside of the bound it is not seen, and neither is one of the bound itself, which
// nobody there has a say in.
func TestMoveRequestsWithinABound(t *testing.T) {
	s := newBoundary(t, ownsAll)
	ctx := t.Context()
	f := s.partner(s.e, "f")
	ask := func(c directory.Caller, id, to ident.Node) ident.MoveRequest {
		t.Helper()
		r, err := s.d.AskMove(ctx, c, id, to, "secret")
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	outside, itself, inside := ask(s.free, f, s.root), ask(s.free, s.a, s.e), ask(s.within, s.b, s.e)
	for id, want := range map[ident.MoveRequest]*fault.Type{outside: fault.NotFound, itself: fault.NotFound, inside: nil} {
		_, err := s.d.MoveRequest(ctx, s.within, id)
		s.refused("seen", want, err)
		_, err = s.d.MoveRequest(ctx, s.free, id)
		s.refused("without the bound", nil, err)
	}
	_, err := s.d.AskMove(ctx, s.within, s.a, s.e, "x")
	s.refused("of the bound", fault.NeedsGrantAbove, err)
	_, err = s.d.AskMove(ctx, s.within, f, s.a, "x")
	s.refused("of what lies outside", fault.NotFound, err)

	// What was said to the other side is no news to who asked there, and nobody else's.
	if _, err := s.d.WithdrawMove(ctx, s.founder, inside); err != nil {
		t.Fatal(err)
	}
	if r, err := s.d.MoveRequest(ctx, s.within, inside); err != nil || r.Message == "" || r.To != s.e {
		t.Errorf("%+v, %v", r, err)
	}
	second := ask(s.free, s.b, s.e)
	if _, err := s.d.WithdrawMove(ctx, s.founder, second); err != nil {
		t.Fatal(err)
	}
	if r, err := s.d.MoveRequest(ctx, s.within, second); err != nil || r.Message != "" || r.To != "" {
		t.Errorf("%+v, %v", r, err)
	}
	// When the node has left the bound, the request is not seen any more.
	s.done(s.d.Move(ctx, s.founder, s.b, s.e))
	_, err = s.d.MoveRequest(ctx, s.within, inside)
	s.refused("gone", fault.NotFound, err)
}

// What is asked for within a bound lives on the right that there is within it: when the node has left, nothing of it is good any more,
// although the person has the right there, too.
func TestARightWithinABoundEndsThere(t *testing.T) {
	s := newBoundary(t, ownsAll)
	ctx := t.Context()
	bob := guest("bob", s.now)
	for _, bounded := range []bool{false, true} {
		by, want := s.free, (*fault.Type)(nil)
		if bounded {
			by, want = s.within, fault.InvitationClosed
		}
		p := s.partner(s.a, "p")
		i := s.invite(by, p, "bob@example.com", access.Owner)
		r, err := s.d.AskMove(ctx, by, p, s.root, "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.d.Offered(ctx, s.token(i), "", ""); err != nil {
			t.Fatal(err)
		}
		preview, err := s.d.PreviewMove(ctx, s.founder, p, s.e)
		if err != nil || (len(preview.Invitations) == 1) != bounded {
			t.Errorf("bounded %v: the preview names %+v, %v", bounded, preview.Invitations, err)
		}
		s.done(s.d.Move(ctx, s.founder, p, s.e))
		_, err = s.d.Offered(ctx, s.token(i), "", "")
		s.refused("offered", want, err)
		_, err = s.d.AcceptInvitation(ctx, bob, s.token(i), "")
		s.refused("accepted", want, err)
		void := (*fault.Type)(nil)
		if bounded {
			void = fault.RequestVoid
		}
		_, err = s.d.AcceptMove(ctx, s.founder, r.ID)
		s.refused("moved", void, err)
	}
	// Resent by who is not bounded, it lives on their right.
	p := s.partner(s.a, "q")
	i := s.invite(s.within, p, "bob@example.com", access.Viewer)
	s.now = s.now.Add(directory.ResendAfter)
	i, err := s.d.Resend(ctx, s.free, i.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.done(s.d.Move(ctx, s.founder, p, s.e))
	_, err = s.d.Offered(ctx, s.token(i), "", "")
	s.refused("resent", nil, err)
}

// Accepting within a bound: what lies outside is no invitation, and the answer tells nothing of what is above.
func TestAcceptingWithinABound(t *testing.T) {
	s := newBoundary(t, func(*shop) map[ident.Node]access.Role { return map[ident.Node]access.Role{} })
	ctx := t.Context()
	for at, want := range map[ident.Node]*fault.Type{s.root: fault.NotFound, s.e: fault.NotFound, s.a: nil, s.b: nil, s.x: nil} {
		i := s.invite(s.founder, at, "ann@example.com", access.Viewer)
		who := s.ann
		who.Within = s.a
		events := len(s.Events())
		_, offered := s.d.Offered(ctx, s.token(i), s.a, "")
		s.refused("offered", want, offered)
		_, err := s.d.AcceptInvitation(ctx, who, s.token(i), "")
		s.refused("accepted", want, err)
		if want == nil {
			continue
		}
		unknown := s.token(i)
		unknown.ID = ident.NewInvitation()
		if _, none := s.d.AcceptInvitation(ctx, who, unknown, ""); fmt.Sprint(none) != fmt.Sprint(err) || fmt.Sprint(offered) != fmt.Sprint(err) {
			t.Errorf("%v, and none is %v", err, none)
		}
		if len(s.Events()) != events || s.stored(who.Principal()).Grants[at] != access.None {
			t.Error("it was accepted")
		}
		// Whether it was revoked does not show either.
		if _, err := s.d.RevokeInvitation(ctx, s.founder, i.ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.d.AcceptInvitation(ctx, who, s.token(i), "")
		s.refused("revoked", fault.NotFound, err)
	}
	// With a grant above, which the bound hides, what was accepted is shown from the bound on.
	s = newBoundary(t, ownsAll)
	i := s.invite(s.founder, s.a, "eve@example.com", access.Viewer)
	who := s.ann
	who.Within, who.Email = s.a, "eve@example.com"
	if n, err := s.d.AcceptInvitation(ctx, who, s.token(i), ""); err != nil || n.ParentVisible {
		t.Errorf("%+v, %v", n, err)
	}
	// The app may have made up the address: it replaces none that is known.
	if p := s.stored(who.Principal()); p.Person.Email != "ann@example.com" || p.Grants[s.root] != access.Owner || p.Within != "" {
		t.Errorf("%+v", p.Person)
	}
}

// From within a bound, sessions with that bound end, and no others: whoever runs the app could ask for it again and again.
func TestSigningOutEverywhereFromWithinABound(t *testing.T) {
	s, ctx := newBoundary(t, ownsAll), t.Context()
	beside := s.free
	beside.Within = s.e
	s.now = s.now.Add(time.Second)
	if err := s.d.SignOutEverywhere(ctx, s.within); err != nil {
		t.Fatal(err)
	}
	_, err := s.d.Me(ctx, s.within)
	s.refused("with the bound", fault.Unauthenticated, err)
	for name, c := range map[string]directory.Caller{"without a bound": s.free, "with another": beside} {
		if _, err := s.d.Me(ctx, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if last := s.Events()[len(s.Events())-1]; last.Type != event.SignedOutEverywhere || last.Node != s.a {
		t.Errorf("%+v", last)
	}
	// A bound that is gone does no harm, and however many there were, what ended is known of the last ones.
	for range 20 {
		s.now = s.now.Add(time.Second)
		c := s.free
		c.Session, c.Within = s.now, ident.NewPartner()
		if err := s.d.SignOutEverywhere(ctx, c); err != nil {
			t.Fatal(err)
		}
		_, err = s.d.Me(ctx, c)
		s.refused("with the last bound", fault.Unauthenticated, err)
	}
	if n := len(s.stored(s.free.Principal).SessionsFrom); n > 8 {
		t.Errorf("%d bounds are known", n)
	}
	// And without a bound all end.
	if err := s.d.SignOutEverywhere(ctx, s.free); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]directory.Caller{"without a bound": s.free, "with another": beside} {
		_, err := s.d.Me(ctx, c)
		s.refused(name, fault.Unauthenticated, err)
	}
}

// Nothing outside of the bound counts for what is done inside.
func TestAnOwnerWithinABoundManagesOnlyThere(t *testing.T) {
	s := newBoundary(t, ownsAll)
	ctx := t.Context()
	c := s.client(s.b, access.Viewer)
	if _, err := s.d.GrantRole(ctx, s.founder, c.Principal, s.e, access.Viewer); err != nil {
		t.Fatal(err)
	}
	_, err := s.d.AddSecret(ctx, s.within, c.Principal, time.Time{})
	s.refused("the key of a client that has a role outside", fault.RoleTooHigh, err)
	_, err = s.d.GrantRole(ctx, s.within, c.Principal, s.root, access.Viewer)
	s.refused("a role outside", fault.NotFound, err)
	if got, err := s.d.Client(ctx, s.within, c.Principal); err != nil || len(got.Grants) != 1 || got.Grants[0].Node != s.b {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = s.d.GrantRole(ctx, s.within, c.Principal, s.a, access.Owner)
	s.refused("a role inside", nil, err)
	err = s.d.SetRole(ctx, s.within, s.root, s.founder.Principal, access.None)
	s.refused("another owner's outside", fault.NotFound, err)
	s.refused("their own", fault.NotFound, s.d.SetRole(ctx, s.within, s.root, s.within.Principal, access.None))
	_, err = s.d.GetBrand(ctx, s.within, s.brand)
	s.refused("the brand from above", fault.NotFound, err)
	_, err = s.d.Move(ctx, s.within, s.b, s.e)
	s.refused("out", fault.NotFound, err)
	s.done(s.d.Move(ctx, s.within, s.c, s.a))
}
