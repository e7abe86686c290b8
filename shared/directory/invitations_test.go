package directory_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// party is a shop with an admin at a who invites.
type party struct {
	*shop
	admin directory.Caller
}

func newParty(t *testing.T) *party {
	s := newShop(t)
	return &party{s, s.client(s.a, access.Admin)}
}

// guest is somebody who has signed in, with a verified address.
func guest(name string, began time.Time) credential.SignedIn {
	return credential.SignedIn{Tenant: "11111111-1111-1111-1111-111111111111", Object: "object of " + name, Name: strings.ToUpper(name),
		Email: name + "@example.com", Verified: true, Began: began}
}

func as(who credential.SignedIn) directory.Caller {
	return directory.Caller{Principal: who.Principal(), Session: who.Began}
}

func (s *party) invite(c directory.Caller, node ident.Node, email string, role access.Role) directory.Invitation {
	s.t.Helper()
	return s.inviteFor(c, node, email, role, 7)
}

func (s *party) inviteFor(c directory.Caller, node ident.Node, email string, role access.Role, days int) directory.Invitation {
	s.t.Helper()
	i, err := s.d.Invite(s.t.Context(), c, directory.NewInvitation{Node: node, Email: email, Name: "Invited", Role: role, Days: days})
	if err != nil {
		s.t.Fatal(err)
	}
	return i
}

// link is the token of the present link of an invitation.
func link(d *directory.Directory, i directory.Invitation) credential.Token {
	ring, err := d.Keyring(context.Background())
	if err != nil {
		panic(err)
	}
	t, ok := ring.InvitationToken(i.Key, i.ID, i.Generation)
	if !ok {
		panic("no key")
	}
	return t
}

// claim begins the mailing of a link of somebody who is no guest; it gives nil when it is not to be begun, or was.
func claim(ctx context.Context, d *directory.Directory, id ident.Invitation, generation int) (*directory.Mail, error) {
	m, err := d.DueMail(ctx, id, generation)
	if errors.Is(err, directory.ErrMailBegun) {
		return nil, nil
	}
	if m == nil || err != nil {
		return nil, err
	}
	if claimed, err := d.ClaimMail(ctx, m, directory.Guest{}); !claimed {
		return nil, err
	}
	return m, nil
}

func (s *party) token(i directory.Invitation) credential.Token { return link(s.d, i) }

// keptFor is how much longer than until a record is kept, at least.
func (s *shop) keptFor(r record.Ref, until time.Time) time.Duration {
	s.t.Helper()
	got, err := s.Read(s.t.Context(), directory.Want{Records: []record.Ref{r}})
	if err != nil || got.Records[r] == nil {
		s.t.Fatalf("%s: %v", r, err)
	}
	f, err := record.Encode(r.String(), got.Records[r].Code)
	if err != nil {
		s.t.Fatal(err)
	}
	return time.Unix(f[record.ExpiresField].(int64), 0).Sub(until.Truncate(time.Second))
}

// The contract promises 90 days after the end. What is accepted or revoked before its time is kept for as long as if it had stayed open.
func TestAnInvitationIsKeptAfterItsEnd(t *testing.T) {
	const days = 24 * time.Hour
	s, ctx := newParty(t), t.Context()
	kept := func(what string, i directory.Invitation) {
		t.Helper()
		if got := s.keptFor(directory.Invitations.Ref(i.ID), i.Expires); got != 90*days {
			t.Errorf("%s: kept for %s after its end", what, got)
		}
	}
	i := s.inviteFor(s.admin, s.a, "ann@example.com", access.Viewer, 30)
	kept("for 30 days", i)
	s.now = s.now.Add(10 * days)
	i, err := s.d.Resend(ctx, s.admin, i.ID)
	if err != nil {
		t.Fatal(err)
	}
	kept("sent again", i)
	ann := guest("ann", s.now)
	if _, err := s.d.AcceptInvitation(ctx, ann, s.token(i), ""); err != nil {
		t.Fatal(err)
	}
	kept("accepted", i)
	i = s.inviteFor(s.admin, s.a, "bob@example.com", access.Viewer, 1)
	s.now = s.now.Add(time.Hour)
	if i, err = s.d.RevokeInvitation(ctx, s.admin, i.ID); err != nil {
		t.Fatal(err)
	}
	kept("revoked", i)
	if i.State != directory.InvitationRevoked || s.keptFor(directory.Invitations.Ref(i.ID), i.Closed) < 90*days {
		t.Errorf("%s is kept for less after it was closed", i.State)
	}
}

// stored is the principal of a person, nil when there is none.
func (s *party) stored(id ident.Principal) *access.Principal {
	s.t.Helper()
	got, err := s.Read(s.t.Context(), directory.Want{Records: access.Principals.Refs(id)})
	if err != nil {
		s.t.Fatal(err)
	}
	return access.Principals.In(got.Records, id)
}

// member gives a person grants, by no invitation.
func member(f directory.Store, who credential.SignedIn, grants map[ident.Node]access.Role) directory.Caller {
	p := access.Principal{ID: who.Principal(), Name: hierarchy.Name(who.Name), Grants: grants, CursorKey: make([]byte, 32), Version: 1,
		Created: clocktest.Start(), Person: &access.Person{Tenant: who.Tenant, Object: who.Object, Email: who.Email}}
	if err := f.Commit(context.Background(), directory.Put{Now: &p, Else: directory.ErrExists}); err != nil {
		panic(err)
	}
	return as(who)
}

// vouched gives the brand an app, as only an owner of the root can.
func (s *party) vouched() {
	s.t.Helper()
	app := &brand.App{Client: "00000000-0000-4000-8000-000000000001", Tenant: "11111111-1111-1111-1111-111111111111"}
	if _, err := s.d.EditBrand(s.t.Context(), s.founder, s.brand, directory.BrandEdit{App: &app}); err != nil {
		s.t.Fatal(err)
	}
}

func TestAnInvitationIsMailedAndAccepted(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	s.vouched()
	in := directory.NewInvitation{Node: s.b, Email: " Ann@Example.com", Name: "Ann A", Role: access.Operator, Message: "hello", Days: 3}
	s.admin.RequestID = "req"
	i, err := s.d.Invite(ctx, s.admin, in)
	want := directory.Invitation{ID: i.ID, Node: s.b, Email: " Ann@Example.com", Name: "Ann A", Role: access.Operator, Message: "hello",
		By: s.admin.Principal, State: directory.InvitationPending, Created: s.now, Expires: s.now.Add(3 * 24 * time.Hour), Sent: s.now,
		Generation: 1, Key: 1, Mail: directory.MailQueued, Version: 1}
	if err != nil || fmt.Sprint(i) != fmt.Sprint(want) {
		t.Fatalf("%+v, %v; want %+v", i, err, want)
	}
	made := s.Events()[len(s.Events())-1]
	about := event.Invitation{InvitationID: i.ID, Generation: 1, Role: access.Operator, Name: in.Name}
	if made.Type != event.InvitationMade || made.Node != s.b || made.RequestID != "req" || made.Data != event.Payload(event.InvitationMadeData{Invitation: about}) {
		t.Errorf("%+v", made)
	}
	for _, c := range []directory.Caller{s.admin, s.founder} {
		if got, err := s.d.Invitation(ctx, c, i.ID); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	token := s.token(i)
	mail, err := claim(ctx, s.d, i.ID, 1)
	if mail == nil || mail.Brand == nil || mail.Brand.Name != "B" {
		t.Fatalf("mailed %+v, %v", mail, err)
	}
	offer := directory.Offer{Node: s.b, Kind: hierarchy.Partner, Partner: "b", Brand: mail.Brand, Email: in.Email, Name: in.Name, Role: in.Role,
		Message: in.Message, Expires: want.Expires, By: s.stored(s.admin.Principal).Name, ByClient: true}
	if err != nil || mail.Offer != offer || mail.Generation != 1 || mail.Token != token {
		t.Fatalf("mailed %+v, %v", mail, err)
	}
	if err := s.d.NoteMail(ctx, i.ID, 1, directory.MailSent); err != nil {
		t.Fatal(err)
	}
	if got, err := s.d.Offered(ctx, token, "", ""); err != nil || got.Brand == nil || got.Brand.Name != "B" {
		t.Errorf("offered %+v, %v", got, err)
	} else if got.Brand = mail.Brand; got != offer {
		t.Errorf("offered %+v", got)
	}

	ann := guest("ann", s.now)
	_, err = s.d.Get(ctx, as(ann), s.b)
	s.refused("before it", fault.NotFound, err)
	s.now = s.now.Add(time.Hour)
	n, err := s.d.AcceptInvitation(ctx, ann, token, "accepting")
	if err != nil || n.ID != s.b || n.ParentVisible {
		t.Fatalf("%+v, %v", n, err)
	}
	events := len(s.Events())
	last := s.Events()[events-1]
	if last.Type != event.InvitationAccepted || last.Actor != ann.Principal() || last.RequestID != "accepting" || last.Node != s.b ||
		last.Data != event.Payload(event.InvitationAcceptedData{
			Invitation:  event.Invitation{InvitationID: i.ID, Generation: 1, Role: access.Operator, Name: "ANN"},
			PrincipalID: ann.Principal(), Version: event.Version{Version: 1}}) {
		t.Errorf("%+v", last)
	}
	no := fault.NotFound
	for id, want := range map[ident.Node]*fault.Type{s.b: nil, s.c: nil, s.x: nil, s.a: no, s.root: no, s.e: no} {
		_, err := s.d.Get(ctx, as(ann), id)
		s.refused(string(id), want, err)
	}
	p := s.stored(ann.Principal())
	if p.Name != "ANN" || *p.Person != (access.Person{Tenant: ann.Tenant, Object: ann.Object, Email: ann.Email}) || p.Home != "" ||
		len(p.CursorKey) != 32 || slices.Max(p.CursorKey) == 0 || len(p.Secrets) > 0 ||
		!maps.Equal(p.Grants, map[ident.Node]access.Role{s.b: access.Operator}) {
		t.Errorf("%+v", p)
	}
	want.State, want.Closed, want.Person, want.Mail, want.Version = directory.InvitationAccepted, s.now, p.ID, directory.MailSent, 4
	if got, err := s.d.Invitation(ctx, s.admin, i.ID); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", got, err)
	}
	if again, err := s.d.AcceptInvitation(ctx, ann, token, "again"); err != nil || again.ID != s.b || len(s.Events()) > events {
		t.Errorf("again: %+v, %v", again, err)
	}
	bob := guest("bob", s.now)
	bob.Email = ann.Email
	_, err = s.d.AcceptInvitation(ctx, bob, token, "")
	s.refused("by somebody else", fault.InvitationClosed, err)
	for _, who := range []ident.Principal{"", bob.Principal()} {
		_, err = s.d.Offered(ctx, token, "", who)
		s.refused("offered after that", fault.InvitationClosed, err)
	}
	if got, err := s.d.Offered(ctx, token, "", ann.Principal()); err != nil || got != (directory.Offer{Accepted: true}) {
		t.Errorf("to who has accepted it: %+v, %v", got, err)
	}
	if err := s.d.SetRole(ctx, s.admin, s.b, ann.Principal(), access.None); err != nil {
		t.Fatal(err)
	}
	_, err = s.d.AcceptInvitation(ctx, ann, token, "")
	s.refused("again, without access", fault.InvitationClosed, err)
	if s.stored(bob.Principal()) != nil || len(s.stored(ann.Principal()).Grants) > 0 {
		t.Error("something was granted by a used link")
	}
}

func TestACustomersInvitationIsInItsOwnBrand(t *testing.T) {
	s := newParty(t)
	i := s.invite(s.admin, s.x, "ann@example.com", access.Viewer)
	if got, err := s.d.Offered(t.Context(), s.token(i), "", ""); err != nil || got.Brand != nil {
		t.Errorf("in a brand that nobody vouches for: %+v, %v", got, err)
	}
	s.vouched()
	got, err := s.d.Offered(t.Context(), s.token(i), "", "")
	if err != nil || got.Kind != hierarchy.Customer || got.Partner != "x" || got.Brand.Name != "B" {
		t.Errorf("%+v, %v", got, err)
	}
	i = s.invite(s.founder, s.root, "ann@example.com", access.Viewer)
	if got, err := s.d.Offered(t.Context(), s.token(i), "", ""); err != nil || got.Partner != "Root" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhoMayInvite(t *testing.T) {
	no, low, high := fault.NotFound, fault.Forbidden, fault.RoleTooHigh
	for what, c := range map[string]struct {
		caller func(s *party) directory.Caller
		role   access.Role
		before func(s *party)
		want   *fault.Type
	}{
		"an admin an admin":   {nil, access.Admin, nil, nil},
		"an admin an owner":   {nil, access.Owner, nil, high},
		"an owner an owner":   {func(s *party) directory.Caller { return s.client(s.b, access.Owner) }, access.Owner, nil, nil},
		"an operator":         {func(s *party) directory.Caller { return s.client(s.a, access.Operator) }, access.Viewer, nil, low},
		"somebody beside":     {func(s *party) directory.Caller { return s.client(s.e, access.Owner) }, access.Viewer, nil, no},
		"somebody below":      {func(s *party) directory.Caller { return s.client(s.c, access.Owner) }, access.Viewer, nil, no},
		"where it is trashed": {nil, access.Viewer, func(s *party) { s.trash(s.b) }, fault.Trashed},
		"where it is suspended": {nil, access.Viewer, func(s *party) { s.done(s.d.Suspend(t.Context(), s.founder, s.b, "x")) },
			fault.Suspended},
		"a person": {func(s *party) directory.Caller {
			return member(s, guest("pat", s.now), map[ident.Node]access.Role{s.a: access.Admin})
		}, access.Admin, nil, nil},
	} {
		s := newParty(t)
		caller := s.admin
		if c.caller != nil {
			caller = c.caller(s)
		}
		if c.before != nil {
			c.before(s)
		}
		events := len(s.Events())
		_, err := s.d.Invite(t.Context(), caller, directory.NewInvitation{Node: s.b, Email: "a@b.c", Name: "n", Role: c.role, Days: 7})
		s.refused(what, c.want, err)
		if happened := len(s.Events()) > events; happened != (c.want == nil) {
			t.Errorf("%s: it happened: %v", what, happened)
		}
	}
}

func TestOnlySoManyInvitationsADay(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	s.now = s.now.Truncate(24 * time.Hour).Add(22 * time.Hour)
	for n := range directory.InvitationsADay {
		s.invite(s.admin, s.b, fmt.Sprintf("ann%d@example.com", n), access.Viewer)
	}
	in := directory.NewInvitation{Node: s.b, Email: "ann@example.com", Name: "n", Role: access.Viewer, Days: 7}
	_, err := s.d.Invite(ctx, s.admin, in)
	s.refused("one more", fault.TooManyInvitations, err)
	if wait := fault.From(err).RetryAfter; wait != 2*time.Hour {
		t.Errorf("again in %s", wait)
	}
	s.invite(s.admin, s.a, "ann@example.com", access.Viewer)
	s.now = s.now.Add(2 * time.Hour)
	last := s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
	var listed []directory.Invitation
	for page := (directory.Paging{Limit: 20}); ; {
		list, err := s.d.Invitations(ctx, s.admin, s.b, page)
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	if len(listed) != directory.InvitationsADay+1 || listed[0].ID != last.ID {
		t.Errorf("%d are listed, the first %+v", len(listed), listed[0])
	}
	for i := range listed {
		if listed[i].Hash != nil {
			t.Fatal("a list has the hash of a link")
		}
	}
	_, err = s.d.Invitations(ctx, s.client(s.b, access.Operator), s.b, directory.Paging{Limit: 20})
	s.refused("listed by an operator", fault.Forbidden, err)
}

// An invitation of another partner is like one that there is not.
func TestAnInvitationOfOthersIsLikeNone(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	i := s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
	s.now = s.now.Add(time.Hour)
	for who, c := range map[string]directory.Caller{"beside": s.client(s.e, access.Owner), "below": s.client(s.c, access.Owner)} {
		for name, do := range map[string]func(id ident.Invitation) error{
			"get":    func(id ident.Invitation) error { _, err := s.d.Invitation(ctx, c, id); return err },
			"resend": func(id ident.Invitation) error { _, err := s.d.Resend(ctx, c, id); return err },
			"revoke": func(id ident.Invitation) error { _, err := s.d.RevokeInvitation(ctx, c, id); return err },
		} {
			begins := len(s.Calls())
			err := do(i.ID)
			middle := len(s.Calls())
			unknown := do(ident.NewInvitation())
			if s.refused(who+": "+name, fault.NotFound, err); fmt.Sprint(err) != fmt.Sprint(unknown) ||
				!slices.Equal(s.Calls()[begins:middle], s.Calls()[middle:]) {
				t.Errorf("%s: %s: %v by %v; unknown: %v by %v", who, name, err, s.Calls()[begins:middle], unknown, s.Calls()[middle:])
			}
		}
	}
	operator := s.client(s.b, access.Operator)
	_, err := s.d.Invitation(ctx, operator, i.ID)
	s.refused("get by an operator", fault.Forbidden, err)
	_, err = s.d.Resend(ctx, operator, i.ID)
	s.refused("resend by an operator", fault.Forbidden, err)
	_, err = s.d.RevokeInvitation(ctx, operator, i.ID)
	s.refused("revoke by an operator", fault.Forbidden, err)
	if got, err := s.d.Invitation(ctx, s.admin, i.ID); err != nil || got.Version != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestANewLinkEndsTheOld(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	owner := s.client(s.a, access.Owner)
	i := s.invite(owner, s.b, "ann@example.com", access.Owner)
	old := s.token(i)
	_, err := s.d.Resend(ctx, owner, i.ID)
	s.refused("at once", fault.TooSoon, err)
	if wait := fault.From(err).RetryAfter; wait != directory.ResendAfter {
		t.Errorf("again in %s", wait)
	}
	s.now = s.now.Add(directory.ResendAfter)
	_, err = s.d.Resend(ctx, s.admin, i.ID)
	s.refused("by an admin, to make an owner", fault.RoleTooHigh, err)
	s.done(s.d.Suspend(ctx, s.founder, s.b, "x"))
	_, err = s.d.Resend(ctx, s.founder, i.ID)
	s.refused("suspended", fault.Suspended, err)
	s.done(s.d.Resume(ctx, s.founder, s.b))

	s.now = i.Expires.Add(time.Hour) // and one that has expired
	if got, err := s.d.Invitation(ctx, owner, i.ID); err != nil || got.State != directory.InvitationExpired {
		t.Errorf("%+v, %v", got, err)
	}
	s.founder.IfMatch = []int64{7}
	_, err = s.d.Resend(ctx, s.founder, i.ID)
	s.refused("another version", fault.PreconditionFailed, err)
	s.founder.IfMatch = nil
	again, err := s.d.Resend(ctx, s.founder, i.ID)
	if err != nil || again.Generation != 2 || again.By != s.founder.Principal || !again.Expires.Equal(s.now.Add(7*24*time.Hour)) ||
		!again.Sent.Equal(s.now) || again.State != directory.InvitationPending || again.Mail != directory.MailQueued || again.Hash != nil {
		t.Fatalf("%+v, %v", again, err)
	}
	if last := s.Events()[len(s.Events())-1]; last.Type != event.InvitationResent || last.Data.(event.InvitationResentData).Generation != 2 {
		t.Errorf("%+v", last)
	}
	_, err = s.d.Offered(ctx, old, "", "")
	s.refused("the old link", fault.NotFound, err)
	_, err = s.d.AcceptInvitation(ctx, guest("ann", s.now), old, "")
	s.refused("the old link", fault.NotFound, err)
	if mail, err := claim(ctx, s.d, i.ID, 1); mail != nil || err != nil {
		t.Errorf("the old link is mailed: %v, %v", mail, err)
	}
	if err := s.d.RevokeClient(ctx, s.founder, owner.Principal); err != nil { // who made it counts no more
		t.Fatal(err)
	}
	for range directory.MaxLinks - 2 {
		s.now = s.now.Add(24 * time.Hour / directory.LinksToADay)
		if again, err = s.d.Resend(ctx, s.founder, i.ID); err != nil {
			t.Fatal(err)
		}
	}
	s.now = s.now.Add(directory.ResendAfter)
	_, err = s.d.Resend(ctx, s.founder, i.ID)
	s.refused("too often", fault.TooManyInvitations, err)
	if _, err := s.d.AcceptInvitation(ctx, guest("ann", s.now), s.token(again), ""); err != nil {
		t.Error(err)
	}
	_, err = s.d.Resend(ctx, s.founder, i.ID)
	s.refused("accepted", fault.InvitationClosed, err)
}

func TestARevokedInvitation(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	i := s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
	s.now = s.now.Add(time.Hour)
	revoked, err := s.d.RevokeInvitation(ctx, s.founder, i.ID)
	if err != nil || revoked.State != directory.InvitationRevoked || !revoked.Closed.Equal(s.now) || revoked.By != s.admin.Principal {
		t.Errorf("%+v, %v", revoked, err)
	}
	events := len(s.Events())
	s.now = s.now.Add(time.Hour)
	again, err := s.d.RevokeInvitation(ctx, s.admin, i.ID)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(revoked) || len(s.Events()) > events {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = s.d.Resend(ctx, s.admin, i.ID)
	s.refused("sent again", fault.InvitationClosed, err)
	if mail, err := claim(ctx, s.d, i.ID, 1); mail != nil || err != nil {
		t.Errorf("mailed: %v, %v", mail, err)
	}
	i = s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
	if _, err := s.d.AcceptInvitation(ctx, guest("ann", s.now), s.token(i), ""); err != nil {
		t.Fatal(err)
	}
	_, err = s.d.RevokeInvitation(ctx, s.admin, i.ID)
	s.refused("accepted", fault.InvitationClosed, err)
}

// TestWhatKeepsAnInvitationFromBeingAccepted: everything is checked when it is accepted, and nothing is granted then.
func TestWhatKeepsAnInvitationFromBeingAccepted(t *testing.T) {
	ctx := t.Context()
	type try struct {
		who   credential.SignedIn
		token credential.Token
	}
	closed := fault.InvitationClosed
	for what, c := range map[string]struct {
		do      func(s *party, i directory.Invitation, try *try)
		want    *fault.Type
		offered *fault.Type // to whoever has the link
	}{
		"nothing":     {func(*party, directory.Invitation, *try) {}, nil, nil},
		"other case":  {func(_ *party, _ directory.Invitation, try *try) { try.who.Email = " ANN@example.COM " }, nil, nil},
		"renamed":     {func(_ *party, _ directory.Invitation, try *try) { try.who.Name = "" }, nil, nil},
		"unverified":  {func(_ *party, _ directory.Invitation, try *try) { try.who.Verified = false }, fault.NotInvited, nil},
		"another":     {func(_ *party, _ directory.Invitation, try *try) { try.who.Email = "bob@example.com" }, fault.NotInvited, nil},
		"no address":  {func(_ *party, _ directory.Invitation, try *try) { try.who.Email = "" }, fault.NotInvited, nil},
		"plus":        {func(_ *party, _ directory.Invitation, try *try) { try.who.Email = "ann+x@example.com" }, fault.NotInvited, nil},
		"dot":         {func(_ *party, _ directory.Invitation, try *try) { try.who.Email = "a.nn@example.com" }, fault.NotInvited, nil},
		"folds alike": {func(_ *party, _ directory.Invitation, try *try) { try.who.Email = "ann@example.com\u212a" }, fault.NotInvited, nil},
		"suspended": {func(s *party, _ directory.Invitation, _ *try) { s.done(s.d.Suspend(ctx, s.founder, s.b, "x")) },
			fault.Suspended, fault.Suspended},
		"suspended above": {func(s *party, _ directory.Invitation, _ *try) { s.done(s.d.Suspend(ctx, s.founder, s.a, "x")) },
			fault.Suspended, fault.Suspended},
		"suspended for a while": {func(s *party, _ directory.Invitation, _ *try) {
			s.done(s.d.Suspend(ctx, s.founder, s.b, "x"))
			s.done(s.d.Resume(ctx, s.founder, s.b))
		}, nil, nil},
		"trashed": {func(s *party, _ directory.Invitation, _ *try) { s.trash(s.b) }, closed, closed},
		"purged": {func(s *party, _ directory.Invitation, _ *try) {
			s.trash(s.c)
			was := s.now
			s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
			s.purge()
			s.now = was
		}, fault.NotFound, fault.NotFound},
		"one's own": {func(s *party, i directory.Invitation, try *try) {
			s.now = s.now.Add(directory.ResendAfter)
			c := member(s, try.who, map[ident.Node]access.Role{s.a: access.Admin})
			again, err := s.d.Resend(ctx, c, i.ID)
			if err != nil {
				t.Fatal(err)
			}
			try.token = s.token(again)
		}, fault.OwnAccess, nil},
		"the key of its link is gone": {func(s *party, _ directory.Invitation, _ *try) {
			for range credential.MaxKeys {
				if err := s.d.RotateKeyring(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}, closed, closed},
		"the key of its link is not the newest": {func(s *party, _ directory.Invitation, _ *try) {
			if err := s.d.RotateKeyring(ctx); err != nil {
				t.Fatal(err)
			}
		}, nil, nil},
		"moved away": {func(s *party, _ directory.Invitation, _ *try) { s.done(s.d.Move(ctx, s.founder, s.b, s.e)) }, closed, closed},
		"the inviter is revoked": {func(s *party, _ directory.Invitation, _ *try) {
			if err := s.d.RevokeClient(ctx, s.founder, s.admin.Principal); err != nil {
				t.Fatal(err)
			}
		}, closed, closed},
		"the inviter is operator now": {func(s *party, _ directory.Invitation, _ *try) {
			if _, err := s.d.GrantRole(ctx, s.founder, s.admin.Principal, s.a, access.Operator); err != nil {
				t.Fatal(err)
			}
		}, closed, closed},
		"expired": {func(s *party, i directory.Invitation, try *try) { s.now = i.Expires; try.who.Began = s.now }, closed, closed},
		"not quite expired": {func(s *party, i directory.Invitation, try *try) {
			s.now = i.Expires.Add(-time.Microsecond)
			try.who.Began = s.now
		}, nil, nil},
		"revoked": {func(s *party, i directory.Invitation, _ *try) {
			if _, err := s.d.RevokeInvitation(ctx, s.admin, i.ID); err != nil {
				t.Fatal(err)
			}
		}, closed, closed},
		"another's link": {func(s *party, i directory.Invitation, try *try) {
			other := s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
			text, _, _ := strings.Cut(try.token.Text(), ".")
			_, secret, _ := strings.Cut(s.token(other).Text(), ".")
			try.token, _ = credential.ParseToken(text + "." + secret)
		}, fault.NotFound, fault.NotFound},
		"no invitation": {func(s *party, _ directory.Invitation, try *try) {
			_, secret, _ := strings.Cut(try.token.Text(), ".")
			try.token, _ = credential.ParseToken(ident.Bare(ident.NewInvitation()) + "." + secret)
		}, fault.NotFound, fault.NotFound},
		"signed out everywhere": {func(s *party, _ directory.Invitation, try *try) {
			if err := s.d.SignOutEverywhere(ctx, as(try.who)); err != nil {
				t.Fatal(err)
			}
		}, fault.Unauthenticated, nil},
		"too many roles": {func(s *party, _ directory.Invitation, try *try) {
			grants := map[ident.Node]access.Role{}
			for range access.MaxGrants {
				grants[ident.NewPartner()] = access.Viewer
			}
			member(s, try.who, grants)
		}, fault.TooManyGrants, nil},
	} {
		s := newParty(t)
		i := s.invite(s.admin, s.c, "ann@example.com", access.Admin)
		a := try{guest("ann", s.now), s.token(i)}
		c.do(s, i, &a)
		state := func() string {
			if p := s.stored(a.who.Principal()); p != nil {
				return fmt.Sprint(p.Version, p.Grants)
			}
			return "none"
		}
		events, before := len(s.Events()), state()
		_, err := s.d.Offered(ctx, a.token, "", "")
		s.refused(what+": offered", c.offered, err)
		_, err = s.d.AcceptInvitation(ctx, a.who, a.token, "")
		s.refused(what, c.want, err)
		if err != nil && strings.Contains(err.Error(), "@") {
			t.Errorf("%s: the refusal has an address: %v", what, err)
		}
		if after := state(); c.want != nil && (len(s.Events()) > events || after != before) {
			t.Errorf("%s: refused, and it happened: %s is %s", what, before, after)
		} else if c.want == nil && s.stored(a.who.Principal()).Grants[s.c] != access.Admin {
			t.Errorf("%s: accepted, and it has not happened", what)
		}
	}
}

func TestAcceptingTakesNothingAway(t *testing.T) {
	ctx := t.Context()
	for what, c := range map[string]struct {
		has, invited, becomes access.Role
	}{
		"higher": {access.Owner, access.Viewer, access.Owner},
		"same":   {access.Viewer, access.Viewer, access.Viewer},
		"lower":  {access.Viewer, access.Admin, access.Admin},
	} {
		s := newParty(t)
		ann := guest("ann", s.now)
		was := map[ident.Node]access.Role{s.b: c.has, s.e: access.Operator}
		member(s, ann, was)
		i := s.invite(s.admin, s.b, "ann@example.com", c.invited)
		before := s.stored(ann.Principal())
		ann.Name = "Other"
		if _, err := s.d.AcceptInvitation(ctx, ann, s.token(i), ""); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		p, name := s.stored(ann.Principal()), hierarchy.Name("Other") // it is Microsoft's, wherever they have a role
		if p.Version != before.Version+1 || p.Grants[s.b] != c.becomes || p.Grants[s.e] != access.Operator || p.Name != name {
			t.Errorf("%s: %+v", what, p)
		}
		if at, err := grantsAt(s, s.e); err != nil || !slices.ContainsFunc(at.Items, func(g access.Grant) bool {
			return g.Principal == p.ID && g.Name == name
		}) {
			t.Errorf("%s: elsewhere they are listed as %+v, %v", what, at.Items, err)
		}
		got, err := s.d.Invitation(ctx, s.admin, i.ID)
		if last := s.Events()[len(s.Events())-1]; err != nil || got.State != directory.InvitationAccepted || last.Data.(event.InvitationAcceptedData).Role != c.becomes {
			t.Errorf("%s: %+v, %v, %+v", what, got, err, last)
		}
	}
}

// Who was removed at a node, or lowered, does not come back by what was sent to them there before.
func TestWhatWasTakenAwayComesBackByNoOlderInvitation(t *testing.T) {
	ctx := t.Context()
	const viewer, admin, owner = access.Viewer, access.Admin, access.Owner
	for what, c := range map[string]struct {
		becomes access.Role // at b, where they are admin
		at      func(s *party) ident.Node
		invited access.Role
		sent    time.Duration // after that
		want    *fault.Type
	}{
		"removed":                       {access.None, func(s *party) ident.Node { return s.b }, viewer, -time.Second, fault.InvitationClosed},
		"lowered":                       {viewer, func(s *party) ident.Node { return s.b }, owner, -time.Second, fault.InvitationClosed},
		"lowered, to less than is left": {access.Operator, func(s *party) ident.Node { return s.b }, viewer, -time.Second, fault.InvitationClosed},
		"in that moment":                {access.None, func(s *party) ident.Node { return s.b }, viewer, 0, fault.InvitationClosed},
		"sent after that":               {access.None, func(s *party) ident.Node { return s.b }, viewer, time.Microsecond, nil},
		"raised":                        {owner, func(s *party) ident.Node { return s.b }, viewer, -time.Second, nil},
		"invited further up":            {access.None, func(s *party) ident.Node { return s.a }, viewer, -time.Second, nil},
		"invited further down":          {access.None, func(s *party) ident.Node { return s.c }, viewer, -time.Second, nil},
		"invited elsewhere":             {access.None, func(s *party) ident.Node { return s.e }, viewer, -time.Second, nil},
	} {
		s := newParty(t)
		ann, cut := guest("ann", s.now), s.now.Add(time.Minute)
		member(s, ann, map[ident.Node]access.Role{s.b: admin})
		s.now = cut.Add(c.sent)
		i := s.invite(s.founder, c.at(s), ann.Email, c.invited)
		token := s.token(i)
		s.now = cut
		if err := s.d.SetRole(ctx, s.founder, s.b, ann.Principal(), c.becomes); err != nil {
			t.Fatal(err)
		}
		s.now = cut.Add(time.Hour)
		_, err := s.d.AcceptInvitation(ctx, ann, token, "")
		s.refused(what, c.want, err)
		if c.want == nil {
			continue
		}
		if got := s.stored(ann.Principal()).Grants[s.b]; got != c.becomes {
			t.Errorf("%s: %s", what, got)
		}
		if i, err = s.d.Resend(ctx, s.founder, i.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.d.AcceptInvitation(ctx, ann, s.token(i), ""); err != nil {
			t.Errorf("%s: sent again: %v", what, err)
		}
	}
}

// What is known of somebody's removals stays small, and forgets none that an open invitation could undo.
func TestManyRemovalsAreNotedInLittle(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	ann, pat := guest("ann", s.now), member(s, guest("pat", s.now), map[ident.Node]access.Role{s.root: access.Owner})
	member(s, ann, map[ident.Node]access.Role{})
	const many = access.MaxGrants + 5
	var nodes []ident.Node
	var open []credential.Token
	for n := range many {
		s.now = s.now.Add(time.Hour)
		child, err := s.d.CreatePartner(ctx, s.founder, directory.NewPartner{Parent: s.root, Name: hierarchy.Name(fmt.Sprint("n", n))})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, child.ID)
		// Two caps would stop one inviter, or one address, before.
		if n == 0 || n == many-1 {
			open = append(open, s.token(s.inviteFor(pat, child.ID, ann.Email, access.Viewer, directory.MaxInvitationDays)))
		}
		s.grants(ann, child.ID, access.Viewer)
		s.now = s.now.Add(time.Second)
		if err := s.d.SetRole(ctx, s.founder, child.ID, ann.Principal(), access.None); err != nil {
			t.Fatal(err)
		}
	}
	p := s.stored(ann.Principal())
	if len(p.Cut) != access.MaxGrants || !p.Cut[nodes[many-1]].Equal(s.now) || p.Cut[nodes[0]] != (time.Time{}) {
		t.Errorf("%d notes: %v", len(p.Cut), p.Cut)
	}
	for _, token := range open {
		_, err := s.d.AcceptInvitation(ctx, ann, token, "")
		s.refused("of the first and of the last", fault.InvitationClosed, err)
	}
	i := s.inviteFor(pat, s.e, ann.Email, access.Viewer, directory.MaxInvitationDays)
	s.now = s.now.Add(directory.MaxInvitationDays*24*time.Hour - time.Hour)
	if _, err := s.d.AcceptInvitation(ctx, ann, s.token(i), ""); err != nil {
		t.Fatal(err)
	}
	if left := s.stored(ann.Principal()).Cut; len(left) == 0 {
		t.Error("forgotten too early")
	}
	s.now = s.now.Add(3 * 24 * time.Hour)
	if err := s.d.SetRole(ctx, s.founder, s.e, ann.Principal(), access.None); err != nil {
		t.Fatal(err)
	}
	if left := s.stored(ann.Principal()).Cut; len(left) != 1 || !left[s.e].Equal(s.now) {
		t.Errorf("not forgotten: %v", left)
	}
}

// grantsAt are the first grants at a node.
func grantsAt(s directory.Store, node ident.Node) (directory.Page[access.Grant], error) {
	return directory.ListAt(context.Background(), s, access.GrantsAt, node, "", 10)
}

// grants gives a person a role, by no invitation.
func (s *party) grants(who credential.SignedIn, node ident.Node, role access.Role) {
	s.t.Helper()
	was := s.stored(who.Principal())
	now := *was
	now.Grants, now.Version = map[ident.Node]access.Role{node: role}, was.Version+1
	if err := s.Commit(context.Background(), directory.Put{Was: was, Now: &now, Else: directory.ErrExists}); err != nil {
		s.t.Fatal(err)
	}
}

func TestOnlySoManyLinksADay(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	s.now = s.now.Truncate(24 * time.Hour).Add(20 * time.Hour)
	invite := func(c directory.Caller, node ident.Node, email string) error {
		_, err := s.d.Invite(ctx, c, directory.NewInvitation{Node: node, Email: email, Role: access.Viewer, Days: 7})
		return err
	}
	// One mailbox, whoever invites below one top-level partner, wherever, and however the address is written.
	first := s.invite(s.admin, s.b, "victim@example.com", access.Viewer)
	for n := range directory.LinksToADay - 2 {
		if err := invite(s.founder, []ident.Node{s.a, s.c}[n%2], fmt.Sprintf(" Victim+%d@EXAMPLE.com", n)); err != nil {
			t.Fatal(err)
		}
	}
	s.now = s.now.Add(directory.ResendAfter)
	if _, err := s.d.Resend(ctx, s.admin, first.ID); err != nil {
		t.Fatal(err)
	}
	err := invite(s.client(s.a, access.Admin), s.a, "victim+new@example.com")
	s.refused("one more to the mailbox", fault.TooManyInvitations, err)
	same := fault.From(err).Detail
	if strings.Contains(same, "address") || fault.From(err).RetryAfter != 4*time.Hour-directory.ResendAfter {
		t.Errorf("%q, again in %s", same, fault.From(err).RetryAfter)
	}
	s.now = s.now.Add(directory.ResendAfter)
	events := len(s.Events())
	_, err = s.d.Resend(ctx, s.admin, first.ID)
	s.refused("again to the mailbox", fault.TooManyInvitations, err)
	if got, err := s.d.Invitation(ctx, s.admin, first.ID); err != nil || got.Generation != 2 || len(s.Events()) != events {
		t.Errorf("%+v, %v, %d events", got, err, len(s.Events())-events)
	}
	if err := invite(s.admin, s.b, "other@example.com"); err != nil {
		t.Errorf("another mailbox: %v", err)
	}

	// Others have a number of their own, up to that of the platform. They are told the same.
	others := 0
	for err = nil; err == nil; others++ {
		if others%directory.LinksToADay == 0 {
			s.e = s.partner(s.root, "another")
		}
		err = invite(s.founder, s.e, "victim@example.com")
	}
	if s.refused("one more from everywhere", fault.TooManyInvitations, err); others-1 != directory.LinksToAllADay-directory.LinksToADay {
		t.Errorf("others had %d mails sent", others-1)
	}
	if text := fault.From(err).Detail; text != same {
		t.Errorf("%q tells it from %q", text, same)
	}

	// All below one top-level partner, to whatever mailbox and at whatever node, by clients that are new.
	boss, mails := s.client(s.a, access.Owner), directory.LinksToADay+1
	nodes := []ident.Node{s.a, s.b, s.c, s.x}
	for len(nodes)*directory.InvitationsADay <= 2*directory.LinksBelowADay {
		child, err := s.d.CreatePartner(ctx, s.founder, directory.NewPartner{Parent: s.a, Name: "n"})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, child.ID)
	}
	for err = nil; err == nil && mails <= directory.LinksBelowADay; mails++ {
		if mails%20 == 0 {
			boss = s.client(s.a, access.Owner)
		}
		err = invite(boss, nodes[mails%len(nodes)], fmt.Sprintf("somebody%d@example.com", mails))
	}
	if s.refused("one more below the partner", fault.TooManyInvitations, err); mails-1 != directory.LinksBelowADay || fault.From(err).Detail != same {
		t.Errorf("%d mails were sent: %v", mails-1, err)
	}
	if err := invite(s.founder, s.e, "free@example.com"); err != nil {
		t.Errorf("below another: %v", err)
	}
	s.now = s.now.Add(4 * time.Hour)
	if err := invite(boss, s.e, "victim@example.com"); !fault.NotFound.Is(err) {
		t.Error(err)
	}
	if err := invite(boss, s.b, "victim@example.com"); err != nil {
		t.Errorf("the next day: %v", err)
	}
	if kept := fmt.Sprintf("%+v", s.Counted()); strings.Contains(kept, "@") || len(s.Counted()) < 3 {
		t.Errorf("the counters are of %s", kept)
	}
}

// Whose mails bounce sends fewer, and nobody else does.
func TestBouncesUseUpWhatAPartnerMaySend(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	invite := func(node ident.Node, n int) (directory.Invitation, error) {
		return s.d.Invite(ctx, s.founder, directory.NewInvitation{Node: node, Email: fmt.Sprintf("n%d@example.com", n), Role: access.Viewer, Days: 7})
	}
	bounced, err := 0, error(nil)
	for ; bounced < directory.InvitationsADay; bounced++ {
		var i directory.Invitation
		if i, err = invite(s.b, bounced); err != nil {
			break
		}
		if _, err := claim(ctx, s.d, i.ID, 1); err != nil {
			t.Fatal(err)
		}
		for _, state := range []directory.MailState{directory.MailSent, directory.MailBounced, directory.MailBounced, directory.MailComplained} {
			if state == directory.MailBounced && bounced%2 == 1 {
				state = directory.MailComplained
			}
			if err := s.d.NoteMail(ctx, i.ID, 1, state); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.refused("after so many bounces", fault.TooManyInvitations, err)
	if most := directory.LinksBelowADay/(directory.BounceCosts+1) + 1; bounced != most {
		t.Errorf("%d mails bounced before that; %d may", bounced, most)
	}
	_, err = invite(s.a, 100)
	s.refused("beside it, below the same partner", fault.TooManyInvitations, err)
	if _, err := invite(s.e, 101); err != nil {
		t.Errorf("another partner: %v", err)
	}
	s.now = s.now.Add(24 * time.Hour)
	if _, err := invite(s.b, 102); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

// The right to invite is held until the commit.
func TestWhoLosesTheRightMeanwhileHasNotInvited(t *testing.T) {
	ctx := t.Context()
	for what, do := range map[string]func(s *party, i directory.Invitation) error{
		"invite": func(s *party, _ directory.Invitation) error {
			_, err := s.d.Invite(ctx, s.admin, directory.NewInvitation{Node: s.b, Email: "x@example.com", Role: access.Admin, Days: 7})
			return err
		},
		"resend": func(s *party, i directory.Invitation) error {
			_, err := s.d.Resend(ctx, s.admin, i.ID)
			return err
		},
	} {
		for how, end := range map[string]func(s *party) error{
			"revoked": func(s *party) error { return s.d.RevokeClient(ctx, s.founder, s.admin.Principal) },
			"lowered": func(s *party) error {
				_, err := s.d.GrantRole(ctx, s.founder, s.admin.Principal, s.a, access.Operator)
				return err
			},
		} {
			s := newParty(t)
			i := s.invite(s.founder, s.b, "ann@example.com", access.Viewer)
			s.now = s.now.Add(directory.ResendAfter)
			s.Before = func(c directorytest.Call) error {
				if c.Name == "Commit" {
					s.Before = nil
					return end(s)
				}
				return nil
			}
			events := len(s.Events())
			if err := do(s, i); err == nil || len(s.Events()) != events+1 {
				t.Errorf("%s, and is %s: %v, %d events", what, how, err, len(s.Events())-events)
			}
		}
	}
}

// A pending invitation that nobody can accept says why, for as long as that is so.
func TestAnInvitationThatNobodyCanAcceptSaysSo(t *testing.T) {
	ctx := t.Context()
	for what, c := range map[string]struct {
		end  func(s *party) error
		want directory.InvitationProblem
		undo func(s *party) error
	}{
		"nothing":                {func(*party) error { return nil }, "", nil},
		"the sender is revoked":  {func(s *party) error { return s.d.RevokeClient(ctx, s.founder, s.admin.Principal) }, directory.SenderMayNot, nil},
		"the sender has no role": {func(s *party) error { return s.d.RemoveGrant(ctx, s.founder, s.admin.Principal, s.a) }, directory.SenderMayNot, nil},
		"the sender is lowered": {func(s *party) error {
			_, err := s.d.GrantRole(ctx, s.founder, s.admin.Principal, s.a, access.Operator)
			return err
		}, directory.SenderMayNot, func(s *party) error {
			_, err := s.d.GrantRole(ctx, s.founder, s.admin.Principal, s.a, access.Admin)
			return err
		}},
		"moved away": {func(s *party) error { _, err := s.d.Move(ctx, s.founder, s.b, s.e); return err }, directory.SenderMayNot, nil},
		"suspended above": {func(s *party) error { _, err := s.d.Suspend(ctx, s.founder, s.a, "x"); return err }, directory.NodeSuspended,
			func(s *party) error { _, err := s.d.Resume(ctx, s.founder, s.a); return err }},
		"trashed": {func(s *party) error { s.trash(s.b); return nil }, directory.NodeTrashed,
			func(s *party) error { _, err := s.d.Restore(ctx, s.founder, s.b); return err }},
		"the key is gone": {func(s *party) error { return errors.Join(s.d.RotateKeyring(ctx), s.d.RotateKeyring(ctx)) }, directory.LinkWithdrawn, nil},
	} {
		s := newParty(t)
		closed, other := s.invite(s.admin, s.b, "cleo@example.com", access.Viewer), s.invite(s.founder, s.b, "bob@example.com", access.Viewer)
		i := s.invite(s.admin, s.b, "ann@example.com", access.Admin)
		if _, err := s.d.RevokeInvitation(ctx, s.founder, closed.ID); err != nil {
			t.Fatal(err)
		}
		says := func(when string, want directory.InvitationProblem) {
			t.Helper()
			got, err := s.d.Invitation(ctx, s.founder, i.ID)
			if err != nil || got.Problem != want || got.State != directory.InvitationPending {
				t.Errorf("%s, %s: %+v, %v", what, when, got, err)
			}
			_, err = s.d.Offered(ctx, s.token(i), "", "")
			if (err == nil) != (want == "") {
				t.Errorf("%s, %s: the link: %v", what, when, err)
			}
			all, err := s.d.Invitations(ctx, s.founder, s.b, directory.Paging{Limit: 50})
			if err != nil || len(all.Items) != 3 {
				t.Fatalf("%+v, %v", all, err)
			}
			for _, listed := range all.Items {
				expected := want
				if listed.ID == closed.ID || listed.ID == other.ID && want == directory.SenderMayNot {
					expected = ""
				}
				if listed.Problem != expected {
					t.Errorf("%s, %s: listed %+v, want the problem %q", what, when, listed, expected)
				}
			}
		}
		if err := c.end(s); err != nil {
			t.Fatal(err)
		}
		if c.want == directory.LinkWithdrawn { // the test's own link is made by that key
			got, err := s.d.Invitation(ctx, s.founder, i.ID)
			if err != nil || got.Problem != c.want {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
			continue
		}
		says("then", c.want)
		if c.undo != nil {
			if err := c.undo(s); err != nil {
				t.Fatal(err)
			}
			says("and back", "")
		}
	}
	for _, p := range directory.InvitationProblems {
		if p.Advice() == "" {
			t.Errorf("%s has no advice", p)
		}
	}
}

// What nobody could accept is not mailed, and the invitation says so.
func TestWhatNobodyCouldAcceptIsNotMailed(t *testing.T) {
	ctx := t.Context()
	for what, end := range map[string]func(s *party) error{
		"the inviter is revoked": func(s *party) error { return s.d.RevokeClient(ctx, s.founder, s.admin.Principal) },
		"suspended": func(s *party) error {
			_, err := s.d.Suspend(ctx, s.founder, s.b, "x")
			return err
		},
		"trashed": func(s *party) error {
			s.trash(s.b)
			return nil
		},
		"moved away": func(s *party) error {
			_, err := s.d.Move(ctx, s.founder, s.b, s.e)
			return err
		},
		"the key is gone": func(s *party) error { return errors.Join(s.d.RotateKeyring(ctx), s.d.RotateKeyring(ctx)) },
	} {
		s := newParty(t)
		i := s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
		if err := end(s); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if m, err := s.d.DueMail(ctx, i.ID, 1); m != nil || err != nil {
				t.Errorf("%s: due: %+v, %v", what, m, err)
			}
		}
		got, err := s.d.Invitation(ctx, s.founder, i.ID)
		if err != nil || got.Mail != directory.MailFailed || got.MailProblem != directory.InvitationVoid {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

// One who invites names nobody for others.
func TestAPersonsNameIsMicrosofts(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	ann := guest("ann", s.now)
	for i, c := range []struct{ name, want string }{
		{"ann@example.com", "(no name)"}, {"ann\uff20example.com", "(no name)"}, {"ann\ufe6bexample.com", "(no name)"}, {"", "(no name)"},
		{"Ann A", "Ann A"}, {"Ann B", "Ann B"}, {"Mallory", "Ann B"},
	} {
		ann.Name = c.name
		if c.name == "Mallory" { // by an app of a partner, whose people could have it say anything
			ann.Within = s.a
		}
		node := []ident.Node{s.a, s.b, s.c, s.e, s.x, s.root, s.a}[i]
		s.now = s.now.Add(24 * time.Hour)
		ann.Began = s.now
		invitation, err := s.d.Invite(ctx, s.founder, directory.NewInvitation{Node: node, Email: ann.Email, Name: "Known fraudster",
			Role: access.Role(int(access.Viewer) + i/6), Days: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.d.AcceptInvitation(ctx, ann, s.token(invitation), ""); err != nil {
			t.Fatal(err)
		}
		users, err := s.d.Users(ctx, s.founder, s.a, directory.Paging{Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, u := range users.Items {
			if u.Principal == ann.Principal() {
				if found++; string(u.Name) != c.want || u.Tenant != ann.Tenant {
					t.Errorf("%q: listed as %+v", c.name, u)
				}
			} else if u.Tenant != "" {
				t.Errorf("an API client of the tenant %s", u.Tenant)
			}
		}
		if found == 0 {
			t.Error("not listed")
		}
	}
	then := directory.Moment(s.now)
	s.now = s.now.Add(time.Hour)
	past, err := s.d.UsersAt(ctx, s.founder, s.a, then, directory.Paging{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(past.Items, func(u directory.User) bool { return u.Principal == ann.Principal() && u.Tenant == ann.Tenant }) {
		t.Errorf("at a time of the past: %+v", past.Items)
	}
}

// Nothing that an event, an answer or a refusal tells has an address of somebody who was invited, or could be a link.
// Who has another name at Microsoft has it here from their next sign-in on, wherever they have a role.
func TestWhoSignsInIsKnownByTheirNewName(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	ann := guest("ann", s.now)
	greet := func(who credential.SignedIn) (events int) {
		t.Helper()
		before := len(s.Events())
		if err := s.d.Greet(ctx, who, "req"); err != nil {
			t.Fatal(err)
		}
		return len(s.Events()) - before
	}
	if greet(ann) != 0 || s.stored(ann.Principal()) != nil {
		t.Error("who has no role is noted")
	}
	member(s, ann, map[ident.Node]access.Role{s.b: access.Admin, s.e: access.Viewer})
	if greet(ann) != 0 || s.stored(ann.Principal()).Version != 1 {
		t.Error("written, and nothing is new")
	}
	for _, c := range []struct {
		name, email string
		within      ident.Node
		want        hierarchy.Name
		events      int
	}{
		{"Ann Martel", ann.Email, "", "Ann Martel", 1},
		{"Ann Martel", "ann.martel@example.com", "", "Ann Martel", 0},
		{"ann@example.com", "ann.martel@example.com", "", "Ann Martel", 0}, // is no name
		{"Mallory", "mallory@example.com", s.a, "Ann Martel", 0},           // by the app of a partner, who could have it say anything
	} {
		who := ann
		who.Name, who.Email, who.Within = c.name, c.email, c.within
		events := greet(who)
		p := s.stored(ann.Principal())
		if events != c.events || p.Name != c.want || strings.Contains(p.Person.Email, "mallory") || c.within == "" && p.Person.Email != c.email {
			t.Errorf("%+v: %d events, %+v", c, events, p)
		}
		for _, node := range []ident.Node{s.b, s.e} {
			if at, err := grantsAt(s, node); err != nil || !slices.ContainsFunc(at.Items, func(g access.Grant) bool {
				return g.Principal == p.ID && g.Name == c.want
			}) {
				t.Errorf("%+v: listed as %+v, %v", c, at.Items, err)
			}
		}
	}
	last := s.Events()[len(s.Events())-1]
	want := event.UserRenamedData{PrincipalID: ann.Principal(), From: "ANN", To: "Ann Martel"}
	if last.Data != event.Payload(want) || last.Node != s.root || last.Actor != ann.Principal() || last.RequestID != "req" {
		t.Errorf("%+v", last)
	}
}

func TestEventsHaveNoAddressAndNoLink(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	ann := guest("ann", s.now)
	ann.Name = "ann@example.com" // as some tenants have it
	i, err := s.d.Invite(ctx, s.admin, directory.NewInvitation{Node: s.b, Email: "ann@example.com", Role: access.Viewer, Message: "hush",
		Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Hour)
	ann.Began = s.now
	if i, err = s.d.Resend(ctx, s.admin, i.ID); err != nil {
		t.Fatal(err)
	}
	token := s.token(i)
	answer, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.d.AcceptInvitation(ctx, ann, token, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.d.SetRole(ctx, s.admin, s.b, ann.Principal(), access.Admin); err != nil {
		t.Fatal(err)
	}
	if err := s.d.SignOutEverywhere(ctx, as(ann)); err != nil {
		t.Fatal(err)
	}
	if err := s.d.SetRole(ctx, s.admin, s.b, ann.Principal(), access.None); err != nil {
		t.Fatal(err)
	}
	if name := s.stored(ann.Principal()).Name; name != "(no name)" {
		t.Errorf("the name is %s", name)
	}
	events, err := json.Marshal(s.Events())
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(token.Text(), ".")
	hash := base64.StdEncoding.EncodeToString(token.Hash())
	for _, word := range []string{"@", "hush", secret, hash} {
		if strings.Contains(string(events), word) {
			t.Errorf("the events have %s", word)
		}
	}
	for _, word := range []string{secret, hash} {
		if strings.Contains(string(answer), word) {
			t.Errorf("the answer has %s", word)
		}
	}
	if got := s.Events(); !slices.Equal(types(got[len(got)-6:]), []event.Type{event.InvitationMade, event.InvitationResent,
		event.InvitationAccepted, event.UserChanged, event.SignedOutEverywhere, event.UserRemoved}) {
		t.Errorf("%v", types(got))
	}
}

func TestAMailIsClaimedOnceAndItsStatesGoOn(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	invited := 0
	mails := func(states ...directory.MailState) (got directory.MailState) {
		invited++
		i := s.invite(s.admin, s.b, fmt.Sprintf("ann%d@example.com", invited), access.Viewer)
		for _, state := range states {
			if state == directory.MailSending {
				if mail, err := claim(ctx, s.d, i.ID, 1); err != nil || mail == nil {
					t.Fatalf("%v, %v", mail, err)
				}
			} else if err := s.d.NoteMail(ctx, i.ID, 1, state); err != nil {
				t.Fatal(err)
			}
		}
		if mail, err := claim(ctx, s.d, i.ID, 1); len(states) > 0 && states[0] == directory.MailSending && (mail != nil || err != nil) {
			t.Errorf("claimed again: %v, %v", mail, err)
		}
		if err := s.d.NoteMail(ctx, i.ID, 2, directory.MailFailed); err != nil {
			t.Fatal(err)
		}
		now, err := s.d.Invitation(ctx, s.admin, i.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.d.DueMail(ctx, i.ID, 1); errors.Is(err, directory.ErrMailBegun) != (now.Mail == directory.MailSending) {
			t.Errorf("%v: due again: %v", states, err)
		}
		return now.Mail
	}
	const sending, sent, bounced, complained, failed = directory.MailSending, directory.MailSent, directory.MailBounced,
		directory.MailComplained, directory.MailFailed
	for _, c := range [][]directory.MailState{ // the last is what it is then
		{sending, sending}, {sending, sent, sent}, {sending, sent, bounced, bounced}, {sending, bounced, sent, bounced},
		{sending, sent, complained, complained}, {sending, sent, complained, bounced, complained}, {sending, failed, failed},
		{sending, failed, sent, failed}, {sent, sending},
	} {
		if got := mails(c[:len(c)-1]...); got != c[len(c)-1] {
			t.Errorf("%v: %s", c, got)
		}
	}
	for what, do := range map[string]func(i directory.Invitation){
		"expired": func(i directory.Invitation) { s.now = i.Expires },
		"trashed for good": func(directory.Invitation) {
			s.trash(s.b)
			s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
			s.purge()
		},
	} {
		s = newParty(t)
		i := s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
		do(i)
		if mail, err := claim(ctx, s.d, i.ID, 1); mail != nil || err != nil {
			t.Errorf("%s: %v, %v", what, mail, err)
		}
	}
	if mail, err := claim(ctx, s.d, ident.NewInvitation(), 1); mail != nil || err != nil {
		t.Errorf("unknown: %v, %v", mail, err)
	}
	if err := s.d.NoteMail(ctx, ident.NewInvitation(), 1, sent); err != nil {
		t.Errorf("unknown: %v", err)
	}
}

func TestTheKeyringTurns(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	first, err := s.d.Keyring(ctx)
	if err != nil || len(first) != 1 || first[0].ID != 1 || first[0].Secret == ([32]byte{}) {
		t.Fatalf("%v", err)
	}
	if again, err := s.d.Keyring(ctx); err != nil || again[0] != first[0] {
		t.Fatalf("another one: %v", err)
	}
	i, late := s.invite(s.admin, s.b, "ann@example.com", access.Viewer), s.invite(s.admin, s.b, "bob@example.com", access.Viewer)
	token := s.token(i)
	for range 2 {
		if err := s.d.RotateKeyring(ctx); err != nil {
			t.Fatal(err)
		}
	}
	ring, err := s.d.Keyring(ctx)
	if err != nil || len(ring) != credential.MaxKeys || ring[0].ID != 3 || ring[1].ID != 2 {
		t.Fatalf("%d keys, %v", len(ring), err)
	}
	_, err = s.d.AcceptInvitation(ctx, guest("ann", s.now), token, "")
	s.refused("a link that was mailed before", fault.InvitationClosed, err)
	if mail, err := claim(ctx, s.d, late.ID, 1); mail != nil || err != nil {
		t.Errorf("%v, %v", mail, err)
	}
	if got, err := s.d.Invitation(ctx, s.admin, late.ID); err != nil || got.Mail != directory.MailFailed {
		t.Errorf("a link that cannot be made any more: %+v, %v", got, err)
	}
}

func TestSigningOutEverywhere(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	s.refused("an API client", fault.Forbidden, s.d.SignOutEverywhere(ctx, s.admin))
	ann, stranger := guest("ann", s.now), guest("bob", s.now)
	member(s, ann, map[ident.Node]access.Role{s.b: access.Viewer})
	for _, who := range []credential.SignedIn{ann, stranger} {
		if _, err := s.d.Me(ctx, as(who)); err != nil {
			t.Fatal(err)
		}
		if err := s.d.SignOutEverywhere(ctx, as(who)); err != nil {
			t.Fatal(err)
		}
		_, err := s.d.Me(ctx, as(who))
		s.refused("the same session", fault.Unauthenticated, err)
		s.refused("again", fault.Unauthenticated, s.d.SignOutEverywhere(ctx, as(who)))
		who.Began = who.Began.Add(-time.Hour)
		_, err = s.d.Me(ctx, as(who))
		s.refused("an older session", fault.Unauthenticated, err)
		who.Began = who.Began.Add(time.Hour + time.Millisecond)
		if _, err := s.d.Me(ctx, as(who)); err != nil {
			t.Errorf("a new session: %v", err)
		}
	}
	last := s.Events()[len(s.Events())-1]
	if last.Type != event.SignedOutEverywhere || last.Node != s.root || last.Actor != ann.Principal() {
		t.Errorf("%+v", last)
	}
	// Anybody can sign in, and who has no role writes nothing into a log, however often.
	for _, who := range []credential.SignedIn{stranger, ann} {
		if who == ann {
			if err := s.d.SetRole(ctx, s.admin, s.b, ann.Principal(), access.None); err != nil {
				t.Fatal(err)
			}
		}
		events := len(s.Events())
		for range 3 {
			s.now = s.now.Add(time.Second)
			who.Began = s.now
			if err := s.d.SignOutEverywhere(ctx, as(who)); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.stored(who.Principal()); len(s.Events()) > events || !got.SessionsFrom[""].After(who.Began) {
			t.Errorf("%d events, %+v", len(s.Events())-events, got)
		}
	}
	i := s.invite(s.admin, s.b, "bob@example.com", access.Viewer)
	stranger.Began = s.now.Add(time.Second)
	_, err := s.d.AcceptInvitation(ctx, stranger, s.token(i), "")
	if p := s.stored(stranger.Principal()); err != nil || p.Name != "BOB" || p.Person == nil || p.Version != 5 {
		t.Errorf("invited after that: %+v, %v", p, err)
	}
}

func TestRolesOfOthersAreChanged(t *testing.T) {
	ctx := t.Context()
	const viewer, operator, admin, owner = access.Viewer, access.Operator, access.Admin, access.Owner
	foreign := func(role access.Role) func(s *party, who *ident.Principal) {
		return func(s *party, who *ident.Principal) { // an API client of another home
			*who = s.admin.Principal
			if _, err := s.d.GrantRole(ctx, s.founder, *who, s.b, role); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, c := range map[string]struct {
		caller, has, becomes access.Role // at the same node
		before               func(s *party, who *ident.Principal)
		want                 *fault.Type
	}{
		"up":                     {admin, viewer, admin, nil, nil},
		"down":                   {admin, admin, viewer, nil, nil},
		"away":                   {admin, operator, access.None, nil, nil},
		"an owner's by an owner": {owner, owner, access.None, nil, nil},
		"an owner's by an admin": {admin, owner, viewer, nil, fault.RoleTooHigh},
		"away of an owner's":     {admin, owner, access.None, nil, fault.RoleTooHigh},
		"higher than one's own":  {admin, viewer, owner, nil, fault.RoleTooHigh},
		"by an operator":         {operator, viewer, access.None, nil, fault.Forbidden},
		"as it is":               {admin, viewer, viewer, nil, nil},
		"of who has none":        {admin, access.None, viewer, nil, fault.NotFound},
		"of nobody":              {owner, viewer, operator, func(_ *party, who *ident.Principal) { *who = ident.NewClient() }, fault.NotFound},
		"up in the trash":        {admin, viewer, operator, func(s *party, _ *ident.Principal) { s.trash(s.b) }, fault.NotFound},
		"of an API client at home": {owner, viewer, operator, func(s *party, who *ident.Principal) {
			*who = s.client(s.b, viewer).Principal
		}, fault.Immutable},
		"of an API client elsewhere":           {owner, admin, access.None, foreign(admin), nil},
		"of an API client elsewhere, lower":    {owner, admin, viewer, foreign(admin), nil},
		"of an API client elsewhere, higher":   {owner, viewer, admin, foreign(viewer), fault.Immutable},
		"of an API client by an admin":         {admin, viewer, operator, foreign(viewer), fault.Forbidden},
		"away of an API client's, by an admin": {admin, viewer, access.None, foreign(viewer), fault.Forbidden},
	} {
		s := newParty(t)
		caller := member(s, guest("pat", s.now), map[ident.Node]access.Role{s.b: c.caller})
		ann := guest("ann", s.now)
		grants := map[ident.Node]access.Role{s.e: viewer}
		if c.has != access.None {
			grants[s.b] = c.has
		}
		member(s, ann, grants)
		who := ann.Principal()
		if c.before != nil {
			c.before(s, &who)
		}
		events := len(s.Events())
		err := s.d.SetRole(ctx, caller, s.b, who, c.becomes)
		s.refused(what, c.want, err)
		if err != nil {
			if len(s.Events()) > events {
				t.Errorf("%s: it happened", what)
			}
			continue
		}
		p := s.stored(who)
		if _, listed := p.Grants[s.b]; p.Grants[s.b] != c.becomes || listed != (c.becomes != access.None) ||
			who == ann.Principal() && p.Grants[s.e] != viewer {
			t.Errorf("%s: %+v", what, p)
		}
		if c.has == c.becomes {
			if len(s.Events()) > events {
				t.Errorf("%s: it was told", what)
			}
			continue
		}
		last, told := s.Events()[events], event.UserRole{PrincipalID: who, Name: p.Name, Role: c.becomes, Version: event.Version{Version: p.Version}}
		wantType, want := event.UserChanged, event.Payload(event.UserChangedData{UserRole: told})
		if c.becomes == access.None {
			told.Role = c.has
			wantType, want = event.UserRemoved, event.UserRemovedData{UserRole: told}
		}
		if last.Type != wantType || last.Node != s.b || last.Data != want {
			t.Errorf("%s: %+v", what, last)
		}
	}

	s := newParty(t)
	ann, above := guest("ann", s.now), member(s, guest("pat", s.now), map[ident.Node]access.Role{s.root: owner})
	member(s, ann, map[ident.Node]access.Role{s.b: viewer})
	s.refused("one's own", fault.OwnAccess, s.d.SetRole(ctx, above, s.root, above.Principal, access.None))
	s.refused("further up", fault.NotFound, s.d.SetRole(ctx, above, s.a, ann.Principal(), access.None))
	s.refused("from beside", fault.NotFound, s.d.SetRole(ctx, s.client(s.e, owner), s.b, ann.Principal(), access.None))
	s.trash(s.b)
	s.refused("up in the trash", fault.Trashed, s.d.SetRole(ctx, above, s.b, ann.Principal(), operator))
	if err := s.d.SetRole(ctx, above, s.b, ann.Principal(), access.None); err != nil {
		t.Errorf("away in the trash: %v", err)
	}
}

// People are no API clients: they are not listed as such, and get no key.
func TestPeopleAreNotListedAsAPIClients(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	member(s, guest("ann", s.now.Add(-time.Hour)), map[ident.Node]access.Role{s.a: access.Owner, s.root: access.Owner})
	for _, limit := range []int{1, 2, 100} {
		list, err := s.d.Clients(ctx, s.founder, s.a, directory.Paging{Limit: limit})
		if err != nil || len(list.Items) != 1 || list.Items[0].Principal != s.admin.Principal {
			t.Errorf("%+v, %v", list, err)
		}
	}
	if p, _, err := s.d.Recover(ctx); err != nil || p.ID != s.founder.Principal {
		t.Errorf("%+v, %v", p, err)
	}
}

// Whoever runs the platform gets in, whatever its owners have done.
func TestRecoveringTheRoot(t *testing.T) {
	ctx := t.Context()
	works := func(s *party, p access.Principal, key string) {
		t.Helper()
		k, ok := credential.ParseAPIKey(key)
		stored := s.stored(p.ID)
		if !ok || stored == nil || !k.Verify(stored, clocktest.Now()) || stored.Grants[s.root] != access.Owner {
			t.Fatalf("%+v", stored)
		}
		s.now = s.now.Add(time.Second) // or it would be as old
		if _, err := s.d.CreateClient(ctx, directory.Caller{Principal: p.ID, Key: k.ID}, directory.NewClient{Node: s.root, Name: "C", Role: access.Owner}); err != nil {
			t.Error(err)
		}
	}
	// Of very many owners, the oldest, wherever it is in the list.
	s := newParty(t)
	for range directory.MaxLimit + 5 {
		s.now = s.now.Add(time.Second)
		s.client(s.root, access.Owner)
	}
	p, key, err := s.d.Recover(ctx)
	if err != nil || p.ID != s.founder.Principal {
		t.Fatalf("%s, and not the founder %s: %v", p.ID, s.founder.Principal, err)
	}
	works(s, p, key)

	// People have taken it over.
	s = newParty(t)
	ann := member(s, guest("ann", s.now), map[ident.Node]access.Role{s.root: access.Owner})
	if _, err := s.d.CreateClient(ctx, s.founder, directory.NewClient{Node: s.root, Name: "Admin", Role: access.Admin}); err != nil {
		t.Fatal(err)
	}
	if err := s.d.RevokeClient(ctx, ann, s.founder.Principal); err != nil {
		t.Fatal(err)
	}
	events := len(s.Events())
	p, key, err = s.d.Recover(ctx)
	if err != nil || p.Home != s.root {
		t.Fatalf("%+v, %v", p, err)
	}
	happened := s.Events()[events:]
	if len(happened) != 1 || happened[0].Type != event.ClientCreated || happened[0].Node != s.root || happened[0].Actor != "" ||
		happened[0].Data != event.Payload(event.ClientCreatedData{Client: event.Client{ClientID: p.ID, Name: p.Name}, Role: access.Owner,
			Secret: event.Secret{SecretID: p.Secrets[0].ID}, Recovered: true}) {
		t.Errorf("%+v", happened)
	}
	works(s, p, key)
	if again, _, err := s.d.Recover(ctx); err != nil || again.ID != p.ID {
		t.Errorf("another one: %+v, %v", again, err)
	}
	if _, _, err := directory.New(new(directorytest.Fake), clocktest.Now).Recover(ctx); !fault.NotFound.Is(err) {
		t.Errorf("without a root: %v", err)
	}
}

// All lists that have somebody's name are written with it, and the log of every node above: that fits one transaction.
func TestWhoHasTheMostRolesIsRenamedInTheDeepestPlace(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	at := s.root
	for range hierarchy.MaxDepth - 1 {
		child, err := s.d.CreatePartner(ctx, s.founder, directory.NewPartner{Parent: at, Name: "n"})
		if err != nil {
			t.Fatal(err)
		}
		at = child.ID
	}
	ann := guest("ann", s.now)
	grants := map[ident.Node]access.Role{}
	for range access.MaxGrants - 1 {
		grants[ident.NewPartner()] = access.Viewer
	}
	member(s, ann, grants)
	ann.Name = "Renamed"
	i := s.invite(s.founder, at, ann.Email, access.Viewer)
	if _, err := s.d.AcceptInvitation(ctx, ann, s.token(i), ""); err != nil || s.stored(ann.Principal()).Name != "Renamed" {
		t.Error(err)
	}
}

func TestSameAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"ann@example.com", " Ann@EXAMPLE.com ", true}, {"ann@example.com", "ann@example.co", false}, {"a@b.c", "", false},
		{"ann@kobo.example", "ann@\u212aobo.example", false}, {"ann@site.example", "ann@\u017fite.example", false},
		{"\u00e4@b.c", "\u00c4@b.c", false}, {"\xff@b.c", "\xfe@b.c", false}, {"[@b.c", "{@b.c", false}, {"@b.c", "`b.c", false},
	} {
		if directory.SameAddress(c.a, c.b) != c.same || directory.SameAddress(c.b, c.a) != c.same {
			t.Errorf("%q and %q", c.a, c.b)
		}
	}
}

// TestNobodyTakesTheLastOwner lets people at one node change each other's roles at random. What happens is what the rules say, and
// an owner stays.
func TestNobodyTakesTheLastOwner(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newParty(t)
		roles := map[string]access.Role{"a": access.Owner}
		for _, name := range []string{"b", "c", "d"} {
			roles[name] = access.Role(rapid.IntRange(0, int(access.Owner)).Draw(rt, "role"))
		}
		for name, role := range roles {
			grants := map[ident.Node]access.Role{s.e: access.Viewer}
			if role != access.None {
				grants[s.b] = role
			}
			member(s, guest(name, s.now), grants)
		}
		names := []string{"a", "b", "c", "d"}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			by, who := rapid.SampledFrom(names).Draw(rt, "by"), rapid.SampledFrom(names).Draw(rt, "who")
			role := access.Role(rapid.IntRange(0, int(access.Owner)).Draw(rt, "becomes"))
			var want *fault.Type
			switch has := roles[by]; {
			case has == access.None || has >= access.Admin && roles[who] == access.None:
				want = fault.NotFound
			case has < access.Admin:
				want = fault.Forbidden
			case roles[who] == role:
			case by == who:
				want = fault.OwnAccess
			case max(roles[who], role) > has:
				want = fault.RoleTooHigh
			}
			err := s.d.SetRole(t.Context(), as(guest(by, s.now)), s.b, guest(who, s.now).Principal(), role)
			if want == nil && err != nil || want != nil && !want.Is(err) {
				rt.Fatalf("%s (%s) makes %s (%s) %s: %v", by, roles[by], who, roles[who], role, err)
			}
			if err == nil {
				roles[who] = role
			}
			owners := 0
			for name, role := range roles {
				if got := s.stored(guest(name, s.now).Principal()).Grants[s.b]; got != role {
					rt.Fatalf("%s is %s and not %s", name, got, role)
				}
				if role == access.Owner {
					owners++
				}
			}
			if owners == 0 {
				rt.Fatal("there is no owner any more")
			}
		}
	})
}

// TestAnInvitationSurvivesACrashAnywhere fails every call of the store, before it does anything and after it has done all. The
// request sent again gets the one right answer, and everything happened once.
func TestAnInvitationSurvivesACrashAnywhere(t *testing.T) {
	type does func(s *party, c directory.Caller, i directory.Invitation) (any, error)
	for name, c := range map[string]struct {
		before func(s *party)
		do     does
		makes  bool
		state  directory.InvitationState
		events []event.Type
	}{
		"invite": {nil, func(s *party, c directory.Caller, _ directory.Invitation) (any, error) {
			return s.d.Invite(t.Context(), c, directory.NewInvitation{Node: s.b, Email: "ann@example.com", Role: access.Viewer, Days: 7})
		}, true, directory.InvitationPending, []event.Type{event.InvitationMade}},
		"resend": {nil, func(s *party, c directory.Caller, i directory.Invitation) (any, error) {
			return s.d.Resend(t.Context(), c, i.ID)
		}, false, directory.InvitationPending, []event.Type{event.InvitationResent}},
		"revoke": {nil, func(s *party, c directory.Caller, i directory.Invitation) (any, error) {
			return s.d.RevokeInvitation(t.Context(), c, i.ID)
		}, false, directory.InvitationRevoked, []event.Type{event.InvitationRevoked}},
		"accept": {nil, func(s *party, _ directory.Caller, i directory.Invitation) (any, error) {
			return s.d.AcceptInvitation(t.Context(), guest("ann", s.now), link(directory.New(s.quiet(), clocktest.Now), i), "")
		}, false, directory.InvitationAccepted, []event.Type{event.InvitationAccepted}},
		"accept by who is there": {func(s *party) {
			member(s, guest("ann", s.now), map[ident.Node]access.Role{s.e: access.Viewer})
		}, func(s *party, _ directory.Caller, i directory.Invitation) (any, error) {
			return s.d.AcceptInvitation(t.Context(), guest("ann", s.now), link(directory.New(s.quiet(), clocktest.Now), i), "")
		}, false, directory.InvitationAccepted, []event.Type{event.InvitationAccepted}},
	} {
		for _, applied := range []bool{false, true} {
			for nth, crashed := 0, true; crashed; nth++ {
				s := newParty(t)
				var i directory.Invitation
				if !c.makes {
					i = s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
					s.now = s.now.Add(time.Hour)
				}
				if c.before != nil {
					c.before(s)
				}
				crashed = false
				events, begins := len(s.Events()), len(s.Calls())
				crash := func(call directorytest.Call) error {
					if call.Nth-begins != nth || crashed {
						return nil
					}
					crashed = true
					return directorytest.Busy()
				}
				if applied {
					s.After = crash
				} else {
					s.Before = crash
				}
				caller := s.admin
				caller.Repeat = &directory.Repeat{Key: "once", Fingerprint: []byte("it")}
				at := fmt.Sprintf("%s, call %d, applied %v", name, nth, applied)
				var answers []string
				for range 2 {
					answer, err := c.do(s, caller, i)
					if fault.Busy.Is(err) {
						answer, err = c.do(s, caller, i)
					}
					if err != nil {
						t.Fatalf("%s: %v", at, err)
					}
					b, err := json.Marshal(answer)
					if err != nil {
						t.Fatal(err)
					}
					answers = append(answers, string(b))
				}
				s.Before, s.After = nil, nil
				if answers[0] != answers[1] {
					t.Errorf("%s: answered\n%s\nand sent again\n%s", at, answers[0], answers[1])
				}
				if got := since(s.Fake, events); !slices.Equal(got, c.events) {
					t.Errorf("%s: %v", at, got)
				}
				list, err := s.d.Invitations(t.Context(), s.admin, s.b, directory.Paging{Limit: 10})
				if err != nil || len(list.Items) != 1 || list.Items[0].State != c.state {
					t.Errorf("%s: %+v, %v", at, list, err)
				}
				_, err = s.d.Get(t.Context(), as(guest("ann", s.now)), s.b)
				if accepted := c.state == directory.InvitationAccepted; accepted != (err == nil) {
					t.Errorf("%s: %v", at, err)
				}
			}
		}
	}
}

// quiet is the store without what a test does to its calls.
func (s *party) quiet() directory.Store { return quiet{s.Fake} }

type quiet struct{ *directorytest.Fake }

func (q quiet) Read(ctx context.Context, w directory.Want) (directory.Got, error) {
	before, after := q.Before, q.After
	q.Before, q.After = nil, nil
	defer func() { q.Before, q.After = before, after }()
	return q.Fake.Read(ctx, w)
}

// TestInvitationsInEveryOrder lets two at a time accept an invitation, or one accept it and one take away what it needs, in every
// order of their calls.
func TestInvitationsInEveryOrder(t *testing.T) {
	type world struct {
		*stage
		a, b, e ident.Node
		admin   directory.Caller
		i       directory.Invitation
		token   credential.Token
		began   time.Time
	}
	accept := func(name string) func(ctx context.Context, w *world) error {
		return func(ctx context.Context, w *world) error {
			who := guest(name, w.began)
			who.Email = "ann@example.com"
			_, err := w.d.AcceptInvitation(ctx, who, w.token, "")
			return err
		}
	}
	closed := fault.InvitationClosed
	for name, c := range map[string]struct {
		other func(ctx context.Context, w *world) error
		fails *fault.Type // the second of the two
		last  string      // who may be the second of two that both happen, "": nobody
	}{
		"accept":  {accept("ann"), nil, "both"},
		"another": {accept("bob"), closed, ""},
		"revoke": {func(ctx context.Context, w *world) error {
			_, err := w.d.RevokeInvitation(ctx, w.admin, w.i.ID)
			return err
		}, closed, ""},
		"resend": {func(ctx context.Context, w *world) error {
			_, err := w.d.Resend(ctx, w.admin, w.i.ID)
			return err
		}, nil, "refused"},
		"claim": {func(ctx context.Context, w *world) error {
			_, err := claim(ctx, w.d, w.i.ID, 1)
			return err
		}, nil, "both"},
		"move": {func(ctx context.Context, w *world) error { _, err := w.d.Move(ctx, w.founder, w.b, w.e); return err }, closed, "other"},
		"suspend": {func(ctx context.Context, w *world) error {
			_, err := w.d.Suspend(ctx, w.founder, w.b, "because")
			return err
		}, closed, "other"},
		"trash": {func(ctx context.Context, w *world) error { _, err := w.d.Trash(ctx, w.founder, w.b); return err }, closed, "other"},
		"take the right away": {func(ctx context.Context, w *world) error {
			return w.d.RemoveGrant(ctx, w.founder, w.admin.Principal, w.a)
		}, closed, "other"},
	} {
		happened := map[string]int{}
		orders, err := everyOrder(t, func() (*stage, func() error) {
			s := newStage(t)
			s.apart = true
			w := &world{stage: s, began: clocktest.Now()}
			w.a, w.e = s.mustPartner(t, s.root, "a"), s.mustPartner(t, s.root, "e")
			w.b = s.mustPartner(t, w.a, "b")
			made, err := s.d.CreateClient(t.Context(), s.founder, directory.NewClient{Node: s.root, Name: "C", Role: access.Viewer})
			if err != nil {
				t.Fatal(err)
			}
			w.admin = directory.Caller{Principal: made.ID, Key: made.SecretID}
			if _, err := s.d.GrantRole(t.Context(), s.founder, made.ID, w.a, access.Admin); err != nil {
				t.Fatal(err)
			}
			w.i, err = s.d.Invite(t.Context(), w.admin, directory.NewInvitation{Node: w.b, Email: "ann@example.com", Role: access.Admin, Days: 7})
			if err != nil {
				t.Fatal(err)
			}
			w.token, s.later = link(s.d, w.i), time.Hour
			var ended []string
			run := func(name string, do func(ctx context.Context, w *world) error) {
				s.begin(name, false, func(ctx context.Context) error {
					err := do(ctx, w)
					switch {
					case err == nil:
						ended = append(ended, name)
					case c.fails.Is(err):
					case name == "resend" && closed.Is(err), name == "first" && c.last == "refused" && fault.NotFound.Is(err):
					default:
						return err
					}
					return nil
				})
			}
			run("first", accept("ann"))
			run(name, c.other)
			if name == "accept" { // which of two alike begins makes no difference
				s.proceed(s.actors[0])
			}
			return s, func() error {
				if len(s.actors) > 0 {
					return nil
				}
				happened[fmt.Sprint(ended)]++
				accepted := 0
				for _, e := range s.Events() {
					if e.Type == event.InvitationAccepted {
						accepted++
					}
				}
				granted := 0
				got, err := s.Fake.Read(context.Background(), directory.Want{
					Records: access.Principals.Refs(guest("ann", w.began).Principal(), guest("bob", w.began).Principal())})
				if err != nil {
					return err
				}
				for _, p := range access.Principals.All(got.Records) {
					granted += len(p.Grants)
				}
				wants := 0
				if slices.Contains(ended, "first") || slices.Contains(ended, "another") || slices.Contains(ended, "accept") {
					wants = 1
				}
				switch {
				case accepted != wants || granted != wants:
					return fmt.Errorf("%v ended well; %d were accepted and %d granted", ended, accepted, granted)
				case len(ended) == 0:
					return errors.New("neither happened")
				case len(ended) == 2 && (c.last == "" || c.last == "refused" || c.last == "other" && ended[0] != "first"):
					return fmt.Errorf("%v happened both", ended)
				}
				return nil
			}
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(happened) < 2 {
			t.Errorf("%s: always %v", name, happened)
		}
		t.Logf("%s: %d orders, %v", name, orders, happened)
	}
}

// Who is removed while they accept another invitation has no role in the end, in every order of the calls.
func TestSomebodyIsRemovedWhileTheyAccept(t *testing.T) {
	happened := map[bool]int{}
	orders, err := everyOrder(t, func() (*stage, func() error) {
		s := newStage(t)
		s.apart = true
		b, ann := s.mustPartner(t, s.root, "b"), guest("ann", clocktest.Now())
		member(s.Fake, ann, map[ident.Node]access.Role{b: access.Viewer})
		i, err := s.d.Invite(t.Context(), s.founder, directory.NewInvitation{Node: b, Email: ann.Email, Role: access.Admin, Days: 7})
		if err != nil {
			t.Fatal(err)
		}
		token, accepted := link(s.d, i), false
		s.later = time.Hour
		s.begin("accept", false, func(ctx context.Context) error {
			_, err := s.d.AcceptInvitation(ctx, ann, token, "")
			if accepted = err == nil; fault.InvitationClosed.Is(err) {
				return nil
			}
			return err
		})
		s.begin("remove", false, func(ctx context.Context) error {
			return s.d.SetRole(ctx, s.founder, b, ann.Principal(), access.None)
		})
		return s, func() error {
			if len(s.actors) > 0 {
				return nil
			}
			happened[accepted]++
			page, err := grantsAt(s.Fake, b)
			if err == nil && len(page.Items) > 0 {
				err = fmt.Errorf("there is still %+v", page.Items)
			}
			return err
		}
	})
	if err != nil || len(happened) < 2 {
		t.Errorf("accepted: %v, %v", happened, err)
	}
	t.Logf("%d orders, accepted: %v", orders, happened)
}

// Two owners who remove each other at the same time: one stays.
func TestTwoOwnersRemoveEachOther(t *testing.T) {
	happened := map[int]int{}
	orders, err := everyOrder(t, func() (*stage, func() error) {
		s := newStage(t)
		s.apart = true
		b := s.mustPartner(t, s.root, "b")
		owners := []directory.Caller{}
		for _, name := range []string{"ann", "bob"} {
			owners = append(owners, member(s.Fake, guest(name, clocktest.Start()), map[ident.Node]access.Role{b: access.Owner}))
		}
		for i := range owners {
			s.begin(string(owners[i].Principal), false, func(ctx context.Context) error {
				err := s.d.SetRole(ctx, owners[i], b, owners[1-i].Principal, access.None)
				if fault.NotFound.Is(err) { // they are gone themselves
					return nil
				}
				return err
			})
		}
		return s, func() error {
			page, err := grantsAt(s.Fake, b)
			if len(s.actors) == 0 {
				happened[len(page.Items)]++
			}
			if err == nil && len(page.Items) == 0 {
				err = errors.New("there is no owner any more")
			}
			return err
		}
	})
	if err != nil || happened[1] != orders {
		t.Errorf("%v, %v", happened, err)
	}
	t.Logf("%d orders", orders)
}
