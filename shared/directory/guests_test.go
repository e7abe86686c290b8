package directory_test

import (
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	refusals "example.com/partnertree/shared/guest"
	"example.com/partnertree/shared/ident"
)

// asGuest is an invitation to b of somebody who was made a guest for it, and is mailed.
func asGuest(s *party, email string, made directory.Guest) (directory.Invitation, credential.Token) {
	s.t.Helper()
	i := s.invite(s.admin, s.b, email, access.Viewer)
	m, err := s.d.DueMail(s.t.Context(), i.ID, 1)
	if err != nil || m == nil {
		s.t.Fatalf("%v, %v", m, err)
	}
	if claimed, err := s.d.ClaimMail(s.t.Context(), m, made); err != nil || !claimed {
		s.t.Fatalf("%v, %v", claimed, err)
	}
	return i, m.Token
}

// Whether Microsoft vouches for a guest's address in the tenant where they are one is not known. Who they are there is.
func TestAGuestAcceptsWithoutAVerifiedAddress(t *testing.T) {
	ctx := t.Context()
	const tenant = "11111111-0000-4000-8000-000000000002"
	var b ident.Node
	for name, c := range map[string]struct {
		change func(*credential.SignedIn)
		want   *fault.Type
	}{
		"the guest":                                 {func(*credential.SignedIn) {}, nil},
		"the guest, at the platform's":              {func(who *credential.SignedIn) { who.Within = "" }, fault.NotInvited},
		"the guest, at the portal of what is below": {func(who *credential.SignedIn) { who.Within = b }, fault.NotInvited},
		"the guest, by another address":             {func(who *credential.SignedIn) { who.Email = "ann_example.com#EXT#@cobo.example" }, nil},
		"the guest, without an address":             {func(who *credential.SignedIn) { who.Email = "" }, nil},
		"another guest":                             {func(who *credential.SignedIn) { who.Object = guest("bob", who.Began).Object }, fault.NotInvited},
		"the same id in another tenant":             {func(who *credential.SignedIn) { who.Tenant = guest("ann", who.Began).Tenant }, fault.NotInvited},
		"somebody without an id":                    {func(who *credential.SignedIn) { who.Object = "" }, fault.NotInvited},
		"at home, with the address":                 {func(who *credential.SignedIn) { *who = guest("ann", who.Began) }, nil},
		"at home, with an address unproved": {func(who *credential.SignedIn) {
			*who = guest("ann", who.Began)
			who.Verified = false
		}, fault.NotInvited},
	} {
		s := newParty(t)
		ann := guest("ann", s.now)
		b, ann.Tenant, ann.Verified, ann.Within = s.b, tenant, false, s.a
		i, token := asGuest(s, "ann@example.com", directory.Guest{Tenant: tenant, Object: ann.Object, Of: s.a})
		if ann.Tenant == guest("ann", s.now).Tenant {
			t.Fatal("the guest is at home")
		}
		c.change(&ann)
		_, err := s.d.AcceptInvitation(ctx, ann, token, "")
		s.refused(name, c.want, err)
		if got, err := s.d.Invitation(ctx, s.founder, i.ID); err != nil || (got.State == directory.InvitationAccepted) != (c.want == nil) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// What was moved away is out of reach for guests of the partner that it has left.
	s := newParty(t)
	gone := guest("ann", s.now)
	gone.Tenant, gone.Verified, gone.Within = tenant, false, s.a
	_, left := asGuest(s, "ann@example.com", directory.Guest{Tenant: tenant, Object: gone.Object, Of: s.a})
	if _, err := s.d.Move(ctx, s.founder, s.b, s.root); err != nil {
		t.Fatal(err)
	}
	_, err := s.d.AcceptInvitation(ctx, gone, left, "")
	s.refused("the guest of the former partner", fault.NotFound, err)
	gone.Within = ""
	_, err = s.d.AcceptInvitation(ctx, gone, left, "")
	s.refused("the same at the platform's", fault.NotInvited, err)

	// Without a guest nobody is one.
	s = newParty(t)
	_, token := asGuest(s, "ann@example.com", directory.Guest{})
	_, err = s.d.AcceptInvitation(ctx, credential.SignedIn{Began: s.now}, token, "")
	s.refused("nobody", fault.NotInvited, err)
}

func TestAMailThatIsRefusedSaysWhyUntilTheNextLink(t *testing.T) {
	const noConsent = directory.MailProblem(refusals.NoConsent)
	s, ctx := newParty(t), t.Context()
	i := s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
	m, err := s.d.DueMail(ctx, i.ID, 1)
	if err != nil || m == nil {
		t.Fatalf("%v, %v", m, err)
	}
	for _, want := range []bool{true, false} { // another one comes too late
		if refused, err := s.d.RefuseMail(ctx, m, noConsent); err != nil || refused != want {
			t.Errorf("%v, %v", refused, err)
		}
	}
	if claimed, err := s.d.ClaimMail(ctx, m, directory.Guest{}); err != nil || claimed {
		t.Errorf("a refused mail is claimed: %v", err)
	}
	got, err := s.d.Invitation(ctx, s.admin, i.ID)
	if err != nil || got.Mail != directory.MailFailed || got.MailProblem != noConsent || got.State != directory.InvitationPending {
		t.Errorf("%+v, %v", got, err)
	}
	if m, err := s.d.DueMail(ctx, i.ID, 1); m != nil || err != nil {
		t.Errorf("due again: %v, %v", m, err)
	}
	s.now = s.now.Add(time.Hour)
	if got, err := s.d.Resend(ctx, s.admin, i.ID); err != nil || got.Mail != directory.MailQueued || got.MailProblem != "" {
		t.Errorf("%+v, %v", got, err)
	}
	// Who was made a guest stays one, whatever becomes of the next link.
	made := directory.Guest{Tenant: "t", Object: "o"}
	if m, err = s.d.DueMail(ctx, i.ID, 2); err != nil || m == nil {
		t.Fatalf("%v, %v", m, err)
	}
	if claimed, err := s.d.ClaimMail(ctx, m, made); err != nil || !claimed {
		t.Errorf("%v, %v", claimed, err)
	}
	s.now = s.now.Add(time.Hour)
	if _, err := s.d.Resend(ctx, s.admin, i.ID); err != nil {
		t.Fatal(err)
	}
	if m, err := claim(ctx, s.d, i.ID, 3); err != nil || m == nil {
		t.Fatalf("%v, %v", m, err)
	}
	if got, err := s.d.Invitation(ctx, s.admin, i.ID); err != nil || got.Guest != made {
		t.Errorf("%+v, %v", got, err)
	}
}

// Two who are about to send the same mail: one of them may.
func TestOneOfTwoClaimsAMail(t *testing.T) {
	s, ctx := newParty(t), t.Context()
	i := s.invite(s.admin, s.b, "ann@example.com", access.Viewer)
	one, err1 := s.d.DueMail(ctx, i.ID, 1)
	two, err2 := s.d.DueMail(ctx, i.ID, 1)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if claimed, err := s.d.ClaimMail(ctx, one, directory.Guest{}); err != nil || !claimed {
		t.Errorf("the first: %v, %v", claimed, err)
	}
	if claimed, err := s.d.ClaimMail(ctx, two, directory.Guest{Tenant: "t", Object: "o"}); err != nil || claimed {
		t.Errorf("the second: %v, %v", claimed, err)
	}
	if got, err := s.d.Invitation(ctx, s.admin, i.ID); err != nil || got.Guest != (directory.Guest{}) || got.Mail != directory.MailSending {
		t.Errorf("%+v, %v", got, err)
	}
}
