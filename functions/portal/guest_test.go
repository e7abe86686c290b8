package main

import (
	"context"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/portalhost"
)

// rendered is the HTML of a component.
func rendered(c templ.Component) string {
	var b strings.Builder
	if err := c.Render(context.Background(), &b); err != nil {
		panic(err)
	}
	return b.String()
}

// Who was made a guest for an invitation is offered it, whatever their token says of their address. Nobody else is.
func TestAGuestIsAskedToAccept(t *testing.T) {
	guest := directory.Guest{Tenant: "11111111-0000-4000-8000-000000000002", Object: "33333333-0000-4000-8000-000000000009", Of: "ptn_0000000000000001"}
	offer := &directory.Offer{Email: "ann@vale.example", Guest: guest}
	for name, c := range map[string]struct {
		who  credential.SignedIn
		want bool
	}{
		"the guest":         {credential.SignedIn{Tenant: guest.Tenant, Object: guest.Object, Within: guest.Of}, true},
		"with another name": {credential.SignedIn{Tenant: guest.Tenant, Object: guest.Object, Within: guest.Of, Email: "ann_vale.example#EXT#@cobo.example"}, true},
		"elsewhere":         {credential.SignedIn{Tenant: guest.Tenant, Object: guest.Object}, false},
		"another guest":     {credential.SignedIn{Tenant: guest.Tenant, Object: "33333333-0000-4000-8000-000000000008", Within: guest.Of, Email: offer.Email}, false},
		"another tenant":    {credential.SignedIn{Tenant: "11111111-0000-4000-8000-000000000003", Object: guest.Object, Within: guest.Of, Email: offer.Email}, false},
		"in capitals":       {credential.SignedIn{Tenant: "t", Object: "o", Email: "ANN@Vale.example", Verified: true}, true},
		"at home":           {credential.SignedIn{Tenant: "t", Object: "o", Email: offer.Email, Verified: true}, true},
	} {
		v := &visit{portal: &portal{now: clocktest.Now}, who: &c.who, ring: credential.Keyring{}.Rotated(clocktest.Now())}
		if got := rendered(v.answers(offer, "inv_0000000000000011")); strings.Contains(got, "Accept the invitation") != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// The page has a button for those whom the directory lets accept: letters that look alike in another script are others to both.
func TestAnAddressThatLooksAlikeIsAnother(t *testing.T) {
	for email, want := range map[string]bool{
		"kims@vale.example": true, "KIMS@Vale.Example": true, "\u212aims@vale.example": false, "kim\u017f@vale.example": false,
	} {
		v := &visit{portal: &portal{now: clocktest.Now}, ring: credential.Keyring{}.Rotated(clocktest.Now()),
			who: &credential.SignedIn{Tenant: "t", Object: "o", Email: email, Verified: true}}
		got := rendered(v.answers(&directory.Offer{Email: "kims@vale.example"}, "inv_0000000000000011"))
		if strings.Contains(got, "Accept the invitation") != want {
			t.Errorf("%+q: %s", email, got)
		}
	}
}

// Who first follows the link by which one does not join hears what to do then: Microsoft has no page of ours to say it on.
func TestAGuestHearsOfTheFirstLink(t *testing.T) {
	app := &brand.App{Tenant: "11111111-0000-4000-8000-000000000002", SingleTenant: true}
	guest := directory.Guest{Tenant: app.Tenant, Object: "33333333-0000-4000-8000-000000000009"}
	open := *app
	open.SingleTenant = false
	for name, c := range map[string]struct {
		brand *brand.Brand
		guest directory.Guest
		want  bool
	}{
		"a guest":                  {&brand.Brand{App: app}, guest, true},
		"who is at home there":     {&brand.Brand{App: app}, directory.Guest{}, false},
		"a guest elsewhere":        {&brand.Brand{App: app}, directory.Guest{Tenant: "another", Object: guest.Object}, false},
		"where everybody signs in": {&brand.Brand{App: &open}, guest, false},
		"without an app":           {&brand.Brand{}, guest, false},
		"at the platform's":        {nil, guest, false},
	} {
		v := &visit{site: portalhost.Site{Brand: c.brand}}
		got := rendered(v.answers(&directory.Offer{Guest: c.guest}, "inv_0000000000000011"))
		if strings.Contains(got, "use the first link in the mail once") != c.want || !strings.Contains(got, "Sign in with Microsoft") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
