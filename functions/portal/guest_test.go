package main

import (
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/people"
)

// Who was made a guest for an invitation is offered it, whatever their token says of their address. Nobody else is.
func TestAGuestIsAskedToAccept(t *testing.T) {
	guest := directory.Guest{Tenant: "11111111-0000-4000-8000-000000000002", Object: "33333333-0000-4000-8000-000000000009"}
	offer := &directory.Offer{Email: "ann@vale.example", Guest: guest}
	for name, c := range map[string]struct {
		who  people.SignedIn
		want bool
	}{
		"the guest":         {people.SignedIn{Tenant: guest.Tenant, Object: guest.Object}, true},
		"with another name": {people.SignedIn{Tenant: guest.Tenant, Object: guest.Object, Email: "ann_vale.example#EXT#@cobo.example"}, true},
		"another guest":     {people.SignedIn{Tenant: guest.Tenant, Object: "33333333-0000-4000-8000-000000000008", Email: offer.Email}, false},
		"another tenant":    {people.SignedIn{Tenant: "11111111-0000-4000-8000-000000000003", Object: guest.Object, Email: offer.Email}, false},
		"in capitals":       {people.SignedIn{Tenant: "t", Object: "o", Email: "ANN@Vale.example", Verified: true}, true},
		"at home":           {people.SignedIn{Tenant: "t", Object: "o", Email: offer.Email, Verified: true}, true},
	} {
		v := &visit{portal: &portal{now: time.Now}, who: &c.who, ring: people.Keyring{}.Rotated(time.Now())}
		if got := string(v.answers(offer, "inv_0000000000000011")); strings.Contains(got, "Accept the invitation") != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// The page has a button for those whom the directory lets accept: letters that look alike in another script are others to both.
func TestAnAddressThatLooksAlikeIsAnother(t *testing.T) {
	for email, want := range map[string]bool{
		"kims@vale.example": true, "KIMS@Vale.Example": true, "\u212aims@vale.example": false, "kim\u017f@vale.example": false,
	} {
		v := &visit{portal: &portal{now: time.Now}, ring: people.Keyring{}.Rotated(time.Now()),
			who: &people.SignedIn{Tenant: "t", Object: "o", Email: email, Verified: true}}
		got := string(v.answers(&directory.Offer{Email: "kims@vale.example"}, "inv_0000000000000011"))
		if strings.Contains(got, "Accept the invitation") != want {
			t.Errorf("%+q: %s", email, got)
		}
	}
}
