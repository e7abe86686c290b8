package e2e

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"example.com/partnertree/infra/local/stack"
	"example.com/partnertree/shared/graph/graphtest"
)

// branded is a partner that sells under a brand of its own, with an app of its own: what is below it, and what is beside it.
type branded struct {
	partner, below, beside string
	brand, app             string
	origin                 string // of the brand's portal
}

// newBranded makes one. The app is registered in a tenant of the double, and lets in whom audience says.
func newBranded(t *testing.T, name, app, tenant, audience string) branded {
	t.Helper()
	f := founder()
	platform := f.brand(t, name+"-platform.example")
	b := branded{app: app, origin: deployed.Origin("admin." + name + ".localhost")}
	b.partner = f.partner(t, root(), "Partner "+name, platform)
	b.beside = f.partner(t, root(), "Beside "+name, platform)
	b.brand = f.do(t, 201, "POST", "/v1/brands", map[string]any{
		"partnerId": b.partner, "name": "Brand " + name, "domain": name + ".localhost", "regions": []string{"eu-west-1"},
	}).get(t, "id")
	f.do(t, 200, "PATCH", "/v1/partners/"+b.partner, map[string]any{"portalBrandId": b.brand})
	b.below = f.partner(t, b.partner, "Below "+name, b.brand)

	double(t, "/apps", graphtest.App{ID: app, Name: "App " + name, Tenant: tenant, Audience: audience,
		RedirectURIs: []string{b.origin + "/signin/callback"}, Secrets: []string{platformApp(t).Secret},
		Scopes: []string{"access_as_user"}, OptionalClaims: []string{"email", "xms_edov"}})
	f.do(t, 200, "PATCH", "/v1/brands/"+b.brand, map[string]any{
		"color": "#7a1f5c", "logo": logo(t),
		"portalApp": map[string]any{"clientId": app, "tenantId": tenant, "singleTenant": audience == graphtest.SingleTenant},
	})
	return b
}

// logo is a gray square as the API takes it.
func logo(t *testing.T) string {
	t.Helper()
	var square bytes.Buffer
	if err := png.Encode(&square, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(square.Bytes())
}

// People come to the portal of a brand by the brand's own app, and reach there what belongs to the brand's partner, and nothing else, also
// when they have more elsewhere.
func TestABrandHasAPortalOfItsOwn(t *testing.T) {
	b := newBranded(t, "ownportal", "e2e00000-0000-4000-8000-00000000a001", company, graphtest.MultiTenant)
	f, rita := founder(), hire(t, "05", "Rita")
	other := newBranded(t, "otherportal", "e2e00000-0000-4000-8000-00000000a002", company, graphtest.MultiTenant)

	f.invite(t, b.below, "viewer", rita)
	link, mail := mailedAt(t, b.origin, rita, 1)
	if !strings.Contains(mail.HTML, b.origin+"/brands/"+b.brand+"/logo") || !strings.Contains(mail.HTML, "#7a1f5c") ||
		!strings.Contains(mail.From, "Brand ownportal") {
		t.Errorf("the mail is not in the brand's look: from %s, %s", mail.From, mail.HTML)
	}
	p := browser(t)
	p.has(p.opens(link), "Brand ownportal", "You are invited to “Below ownportal”")
	if !learns(p, chromedp.Evaluate[bool](`document.querySelector("header img").naturalWidth === 64`)) {
		t.Error("the page does not show the logo")
	}
	p.has(p.presses("Sign in with Microsoft"), "Sign in to App ownportal", rita.Name)
	p.has(p.presses(rita.Name), "Accept the invitation")
	p.has(p.presses("Accept the invitation"), "Your access", "Below ownportal")

	// She has something elsewhere, too.
	f.invite(t, b.beside, "viewer", rita)
	link, _ = mailedAt(t, deployed.URL, rita, 2)
	p.has(p.opens(link), "You are invited to “Beside ownportal”", "Sign in with Microsoft") // the brand's session does not count here
	p.has(p.presses("Sign in with Microsoft"), "Sign in to Partner management")
	p.presses(rita.Name)
	p.has(p.presses("Accept the invitation"), "Below ownportal", "Beside ownportal")
	page := p.opens(b.origin + "/me")
	p.has(page, "Below ownportal")
	if strings.Contains(page, "Beside") {
		t.Errorf("the brand's portal shows what is beside the brand's partner: %s", page)
	}

	// The same with tokens: each counts at its own host alone, and the brand's reaches the brand's partner and no more.
	at := func(app, origin string) actor { return accessToken(t, app, rita).at(origin) }
	here := at(b.app, b.origin)
	here.do(t, 200, "GET", pathOf(b.below), nil)
	here.do(t, 404, "GET", pathOf(b.beside), nil)
	at(platformApp(t).ClientID, deployed.URL).do(t, 200, "GET", pathOf(b.beside), nil)
	at(b.app, deployed.URL).do(t, 401, "GET", "/v1/me", nil)
	at(b.app, other.origin).do(t, 401, "GET", "/v1/me", nil)
	at(platformApp(t).ClientID, b.origin).do(t, 401, "GET", "/v1/me", nil)

	// API Gateway remembers what the authorizer has said of a token for each host apart.
	here.at(deployed.URL).do(t, 401, "GET", "/v1/me", nil)
	fresh := accessToken(t, b.app, rita)
	fresh.at(deployed.URL).do(t, 401, "GET", "/v1/me", nil)
	fresh.at(b.origin).do(t, 200, "GET", pathOf(b.below), nil)

	// A sign-in that was begun at one brand is not finished at another.
	q := browser(t)
	q.opens(b.origin + "/signin")
	q.has(q.opens(other.origin+"/signin/callback?code=x&state=y"), "This sign-in cannot be finished")
}

var redeemInText = regexp.MustCompile(`\S+/redeem\?\S+`)

// Where a brand's app lets in people of one tenant alone, whoever is invited becomes a guest there, by the link of our own mail.
func TestAGuestComesIn(t *testing.T) {
	partnerTenant := stack.BrandApp.Tenant
	b := newBranded(t, "guests", "e2e00000-0000-4000-8000-00000000a003", partnerTenant, graphtest.SingleTenant)
	f, gus := founder(), hire(t, "06", "Gus")
	invitation := f.invite(t, b.below, "operator", gus)
	_, mail := mailedAt(t, b.origin, gus, 1)
	redeem := redeemInText.FindString(mail.Text)
	if redeem == "" {
		t.Fatalf("the mail has no link to become a guest: %s", mail.Text)
	}
	secretsOfTheRun.add(redeem[strings.Index(redeem, "?")+1:])

	p := browser(t)
	p.has(p.opens(redeem), "Vazon Bay IT", gus.Name)
	p.has(p.presses(gus.Name), "You are invited to “Below guests”")
	p.has(p.presses("Sign in with Microsoft"), "Sign in to App guests", gus.Name)
	p.has(p.presses(gus.Name), "Accept the invitation")
	p.has(p.presses("Accept the invitation"), "Your access", "Below guests", "operator")
	if got := f.do(t, 200, "GET", "/v1/invitations/"+invitation, nil); strings.Contains(string(got.body), "redeem") || got.get(t, "state") != "accepted" {
		t.Errorf("the invitation: %s", got.body)
	}

	// An address that Microsoft does not take: nothing is mailed, and the invitation says why.
	plus := graphtest.Person{Name: "Plus", Mail: "plus+sign@e2e.example"}
	secretsOfTheRun.add(plus.Mail)
	refused := f.invite(t, b.below, "viewer", plus)
	until(t, "the invitation says why nothing was mailed", time.Minute, func() (bool, error) {
		got := f.do(t, 200, "GET", "/v1/invitations/"+refused, nil)
		return got.get(t, "mail") == "failed" && got.get(t, "mailProblem") != "<nil>", nil
	})
}
