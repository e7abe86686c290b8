package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/setting"
)

// grantAnn has Ann accept a role at a node, at the platform's site, where nothing bounds her.
func (w *world) grantAnn(node ident.Node, role access.Role) {
	w.t.Helper()
	i, link := w.inviteTo(node, annMail, role)
	b := w.browser()
	p := b.press(b.click(b.get(home+link), "Sign in with Microsoft"), "Ann <Admin>")
	b.has(b.press(p, "Accept the invitation"), 200, "Your access")
	if got, err := w.dir.Invitation(w.t.Context(), w.owner, i.ID); err != nil || got.State != directory.InvitationAccepted {
		w.t.Fatalf("%+v, %v", got, err)
	}
}

// Each brand's visitors go to its own app, or to the platform's, and see of what they have what lies within the brand's partner.
func TestPeopleSignInByTheAppOfTheSite(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Owner)
	for at, c := range map[string]struct{ app, audience, partner string }{
		home:     {ours, "organizations", "Cloudvendor"},
		redSite:  {redApp, "organizations", "Partner red"},
		blueSite: {blueApp, contoso, "Partner blue"},
		graySite: {ours, "organizations", "Partner gray"},
	} {
		b := w.browser()
		p := b.get(at + "/me")
		authorize := mustURL(t, b.hops[len(b.hops)-1])
		if q := authorize.Query(); q.Get("client_id") != c.app || q.Get("redirect_uri") != at+"/signin/callback" ||
			authorize.Path != "/"+c.audience+"/oauth2/v2.0/authorize" {
			t.Errorf("%s sends to %s", at, authorize)
		}
		p = b.has(b.press(p, "Ann <Admin>"), 200, "Your access", c.partner, "owner")
		if !strings.HasPrefix(p.url.String(), at) || strings.Count(p.body, "<li>") != 1 ||
			(at == home) != strings.Contains(p.body, "Cloudvendor") {
			t.Errorf("%s: %s", p.url, p.body)
		}
		p = b.has(b.press(p, "Sign out"), 200, "You have signed out")
		if !strings.Contains(p.body, `href="`+w.double.URL+"/"+c.audience+`/oauth2/v2.0/logout"`) || b.cookieAt(at, sessionCookie) != "" {
			t.Errorf("%s: signed out: %s", at, p.body)
		}
	}
	// Cleo has an account elsewhere: she signs in where everybody may, and by the app for people of contoso nobody sends her back.
	b := w.browser()
	b.has(b.signInAt(redSite, "Cleo"), 200, "You have no access", "This is the portal of Brand red.")
	if p := b.signInAt(blueSite, "Cleo"); !strings.HasPrefix(p.url.String(), w.double.URL) || b.cookieAt(blueSite, sessionCookie) != "" {
		t.Errorf("she gets to %s: %d %s", p.url, p.status, p.body)
	}
}

// A cookie that was carried from one site to another is no session there: neither away from its bound, nor under another one.
func TestASessionIsOfItsSite(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Owner)
	all := []string{home, redSite, blueSite, graySite}
	for _, from := range all {
		b := w.browser()
		_, form := b.form(b.has(b.signInAt(from, "Ann <Admin>"), 200), "Sign out everywhere")
		session := b.cookieAt(from, sessionCookie)
		for _, to := range all {
			thief := w.browser()
			thief.keep(to, sessionCookie, session)
			if to == from {
				thief.has(thief.get(to+"/me"), 200, "Your access")
				continue
			}
			thief.has(thief.get(to+"/me"), 401, "Your session has ended")
			thief.keep(to, sessionCookie, session)
			thief.has(thief.post(to+"/signout/everywhere", form), 401, "Your session has ended")
			// With a session of one's own there, the other's form is none of it.
			thief.signInAt(to, "Ann <Admin>")
			thief.has(thief.post(to+"/signout/everywhere", form), 403, "Nothing was changed")
		}
	}
}

// Signing out everywhere ends the sessions at the portals of the brand's partner, in every browser, and none at the platform's; there it
// ends all.
func TestSigningOutEverywhere(t *testing.T) {
	for _, from := range []string{redSite, blueSite, graySite} {
		w := newWorld(t)
		free, one, other := w.browser(), w.browser(), w.browser()
		atHome := free.has(free.signIn("Ann <Admin>"), 200)
		one.has(one.signInAt(from, "Ann <Admin>"), 200)
		p := other.has(other.signInAt(from, "Ann <Admin>"), 200)
		w.ahead.Add(int64(time.Second))
		other.has(other.press(p, "Sign out everywhere"), 200, "You have signed out everywhere")
		one.has(one.get(from+"/me"), 401, "Your session has ended")
		free.has(free.get(home+"/me"), 200)

		one.has(one.signInAt(from, "Ann <Admin>"), 200)
		w.ahead.Add(int64(time.Second))
		free.has(free.press(atHome, "Sign out everywhere"), 200)
		one.has(one.get(from+"/me"), 401, "Your session has ended")
	}
}

// A sign-in is finished where it began: not at another brand, with what Entra answered, and not with the flow's cookie brought along
// either. Nobody is signed in as somebody else, and nothing is finished twice.
func TestASignInIsFinishedAtTheSiteWhereItBegan(t *testing.T) {
	w := newWorld(t)
	all := []string{home, redSite, blueSite, graySite}
	for _, from := range all {
		for _, to := range all {
			mallory, victim := w.browser(), w.browser()
			answer := mallory.chosen(from+"/signin", "Ann <Admin>")
			flow := mallory.cookieAt(from, flowCookie)
			there := strings.Replace(answer, from, to, 1)
			if !strings.HasPrefix(answer, from+"/signin/callback?") || flow == "" {
				t.Fatalf("%s answers to %s", from, answer)
			}
			victim.get(to + "/signin")
			victim.has(victim.get(there), 400, "This sign-in cannot be finished")
			if victim.cookieAt(to, sessionCookie) != "" {
				t.Fatalf("signed in at %s by a sign-in at %s", to, from)
			}
			if to == from {
				mallory.has(mallory.get(answer), 200, "Your access")
				mallory.has(mallory.get(answer), 400, "This sign-in cannot be finished")
				continue
			}
			victim.keep(to, flowCookie, flow)
			victim.has(victim.get(there), 400, "This sign-in cannot be finished")
			if victim.cookieAt(to, sessionCookie) != "" {
				t.Fatalf("signed in at %s by the flow of %s", to, from)
			}
		}
	}
}

// Even with a flow that began here, what one app was given is worth nothing for another: the code is the app's.
func TestACodeOfAnotherApp(t *testing.T) {
	w := newWorld(t)
	sites := map[string]string{home: ours, redSite: redApp, blueSite: blueApp}
	for from, app := range sites {
		for to := range sites {
			if from == to {
				continue
			}
			b := w.browser()
			b.get(to + "/signin")
			authorize := mustURL(t, b.hops[len(b.hops)-1])
			q := authorize.Query()
			q.Set("client_id", app)
			q.Set("redirect_uri", from+"/signin/callback")
			authorize.RawQuery, authorize.Path = q.Encode(), "/"+contoso+"/oauth2/v2.0/authorize"
			answer := b.chosen(authorize.String(), "Ann <Admin>")
			if !strings.HasPrefix(answer, from) {
				t.Fatalf("%s answers to %s", from, answer)
			}
			b.has(b.get(strings.Replace(answer, from, to, 1)), 403, "not accepted")
			if b.cookieAt(to, sessionCookie) != "" {
				t.Errorf("signed in at %s by a code for %s", to, from)
			}
		}
	}
}

func TestNobodyIsSentElsewhereFromABrand(t *testing.T) {
	w := newWorld(t)
	for _, to := range []string{
		home + "/me", blueSite, "https://evil.example/", "//evil.example", `/\evil.example`, "/\t/evil.example", "@evil.example",
	} {
		b := w.browser()
		p := b.press(b.get(redSite+"/signin?"+url.Values{"to": {to}}.Encode()), "Ann <Admin>")
		if p.url.String() != redSite+"/me" {
			t.Errorf("to=%q leads to %s", to, p.url)
		}
	}
}

// At a brand's site there are the invitations to its own partner and below it. Others are as if there were none, also for who sends the
// form all the same: whoever runs the app could have made up the address.
func TestInvitationsAtABrand(t *testing.T) {
	w := newWorld(t)
	partner, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.brands[redSite].Owner, Name: "Below red"})
	w.must(err)
	i, link := w.inviteTo(partner.ID, annMail, access.Admin)
	for _, elsewhere := range []string{blueSite, graySite} {
		b := w.browser()
		b.has(b.get(elsewhere+link), 404, "This invitation does not exist")
		p := b.has(b.signInAt(elsewhere, "Ann <Admin>"), 200)
		b.has(b.get(elsewhere+link), 404, "This invitation does not exist")
		_, form := b.form(p, "Sign out")
		ring, err := w.dir.Keyring(t.Context())
		w.must(err)
		b.keep(elsewhere, invitationCookie, credential.SealFlow(ring, invitationPurpose, strings.TrimPrefix(link, "/invitations/"), w.now()))
		form.Set("invitation", string(i.ID))
		b.has(b.post(elsewhere+"/invitation", form), 404, "This invitation does not exist")
	}
	if got, err := w.dir.Invitation(t.Context(), w.owner, i.ID); err != nil || got.State != directory.InvitationPending {
		t.Fatalf("%+v, %v", got, err)
	}
	b := w.browser()
	p := b.has(b.get(redSite+link), 200, "You are invited to “Below red”", "Sign in with Microsoft",
		"in the portal of Brand red")
	p = b.press(b.click(p, "Sign in with Microsoft"), "Ann <Admin>")
	b.has(b.press(b.has(p, 200), "Accept the invitation"), 200, "Your access", "You have accepted the invitation to Below red.")
	b.has(b.signIn("Ann <Admin>"), 200, "Below red") // at the platform's, too
}

func TestABrandsOwnLook(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	w.must(png.Encode(&b, image.NewGray(image.Rect(0, 0, 48, 48))))
	logo, color, name := b.Bytes(), "#ffe08a", hierarchy.Name("Red <&> Co")
	red, err := w.dir.EditBrand(t.Context(), w.owner, w.brands[redSite].ID, directory.BrandEdit{Name: &name, Color: &color, Logo: &logo})
	w.must(err)
	show := func(at string) (string, http.Header) {
		t.Helper()
		a, err := w.browser().http.Get(at + "/invitation")
		w.must(err)
		body := new(bytes.Buffer)
		_, err = body.ReadFrom(a.Body)
		w.must(err)
		accessible(t, at, body.String())
		return body.String(), a.Header
	}
	for _, at := range []string{home, redSite, blueSite} {
		body, header := show(at)
		// The brand's colors are in no layer and so count more than the style sheet. Yellow links on white nobody could read.
		const own = ":root{--bar:#ffe08a;--on-bar:#000000;--main:#ffe08a;--on-main:#000000;--accent:light-dark(var(--text),#ffe08a)}"
		found, hash := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(body), ""
		if (found != nil) != (at == redSite) {
			t.Fatalf("%s: the colors are %q", at, found)
		}
		if found != nil {
			if found[1] != own {
				t.Errorf("%s: the colors are %s", at, found[1])
			}
			sum := sha256.Sum256([]byte(found[1]))
			hash = " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		want := "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:; connect-src 'self'; " +
			"script-src 'self'; style-src 'self'" + hash + "; require-trusted-types-for 'script'; trusted-types portal"
		if got := header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
	sum := sha256.Sum256(logo)
	path := "/brands/" + string(red.ID) + "/logo?v=" + hex.EncodeToString(sum[:])[:16]
	body, _ := show(redSite)
	for _, part := range []string{`<img src="` + path + `" alt="" width="32" height="32"> <span>Red &lt;&amp;&gt; Co</span></a>`,
		"<title>Open the link again – Red &lt;&amp;&gt; Co</title>"} {
		if !strings.Contains(body, part) {
			t.Errorf("the page has no %s: %s", part, body)
		}
	}
	if body, _ := show(blueSite); strings.Contains(body, "<img") || !strings.Contains(body, "<span>Brand blue</span></a>") {
		t.Errorf("without a logo: %s", body)
	}

	ask := func(path string) (*http.Response, string) {
		t.Helper()
		a, err := w.browser().http.Get(home + path)
		w.must(err)
		var body bytes.Buffer
		_, err = body.ReadFrom(a.Body)
		w.must(err)
		return a, body.String()
	}
	for query, cache := range map[string]string{
		path[strings.Index(path, "?"):]: "public, max-age=31536000, immutable", "": "public, max-age=300", "?v=": "public, max-age=300",
		"?v=0000000000000000": "public, max-age=300", "?v=" + hex.EncodeToString(sum[:4]): "public, max-age=300",
	} {
		a, got := ask(path[:strings.Index(path, "?")] + query)
		h := a.Header
		if a.StatusCode != 200 || got != string(logo) || h.Get("Content-Type") != "image/png" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != nothing+"; sandbox" || h.Get("Cache-Control") != cache || len(a.Cookies()) > 0 {
			t.Errorf("%s: %d %v, %d bytes", query, a.StatusCode, h, len(got))
		}
	}
	for _, id := range []string{string(w.brands[blueSite].ID), string(ident.NewBrand()), "x"} {
		if a, _ := ask("/brands/" + id + "/logo"); a.StatusCode != 404 || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", id, a.StatusCode, a.Header)
		}
	}
	w.store.Before = func(directorytest.Call) error { return directorytest.Busy() }
	if a, got := ask(path); a.StatusCode != 200 || got != string(logo) || a.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("a logo that was served before: %d %v", a.StatusCode, a.Header)
	}
	if a, _ := ask(path[:strings.Index(path, "?")]); a.StatusCode != contract.Status(fault.Busy.Slug) || a.Header.Get("Cache-Control") != "no-store" ||
		!regexp.MustCompile(`"level":"ERROR".*"page":"GET /brands/{id}/logo".*"outcome":"busy"`).MatchString(w.log.String()) {
		t.Errorf("while the table is busy: %d %v", a.StatusCode, a.Header)
	}
}

// The documents' home is the platform's. A host that is nobody's has nothing. Who asks for what there is not is told so: people in a page
// in the look of the site, programs in a problem document.
func TestWhatHasNoPage(t *testing.T) {
	w := newWorld(t)
	const browser, program = "text/html,application/xhtml+xml,*/*;q=0.8", "*/*"
	ask := func(at, route, accept string) response {
		t.Helper()
		e := events.APIGatewayV2HTTPRequest{RouteKey: route, Headers: map[string]string{"accept": accept}}
		e.RequestContext.DomainName = strings.TrimPrefix(at, "https://")
		r, err := w.portal.handle(t.Context(), e)
		w.must(err)
		if r.StatusCode >= 300 && r.Headers["Cache-Control"] != "no-store" {
			t.Errorf("%s at %s is kept: %v", route, at, r.Headers)
		}
		return r
	}
	for _, route := range []string{
		"GET /", "GET /docs", "GET /openapi.json", "GET /problems/{type}", logoRoute, "GET /me", "GET /signout", "$default",
	} {
		for _, accept := range []string{browser, program} {
			if r := ask("https://evil.example", route, accept); r.StatusCode != 404 || !strings.Contains(r.Body, "Nothing here") {
				t.Errorf("%s at a host of nobody: %d %s", route, r.StatusCode, r.Body)
			}
		}
	}
	for at, name := range map[string]string{home: "Partner management", redSite: "Brand red"} {
		for _, route := range []string{"$default", "GET /problems/{type}", logoRoute} {
			if r := ask(at, route, browser); r.StatusCode != 404 || !strings.Contains(r.Body, "<h1><bdi>Nothing here</bdi></h1>") ||
				!strings.Contains(r.Body, "<span>"+name+"</span></a>") || !strings.Contains(r.Body, `href="/home"`) {
				t.Errorf("%s at %s: %d %s", route, at, r.StatusCode, r.Body)
			}
			if r := ask(at, route, program); r.StatusCode != 404 || !strings.HasPrefix(r.Body, `{"type":"/problems/no`) ||
				r.Headers["Content-Type"] != "application/problem+json" {
				t.Errorf("%s at %s: %d %s", route, at, r.StatusCode, r.Body)
			}
		}
		if r := ask(at, "GET /docs", browser); r.StatusCode != 200 {
			t.Errorf("the reference at %s: %d", at, r.StatusCode)
		}
		if r := ask(at, "GET /", browser); (r.StatusCode == 303 && r.Headers["Location"] == start) != (at == redSite) {
			t.Errorf("/ at %s: %d", at, r.StatusCode)
		}
		for _, left := range []string{"GET /signout", "GET /signout/everywhere"} {
			if r := ask(at, left, browser); r.StatusCode != 303 || r.Headers["Location"] != start || len(r.Cookies) > 0 {
				t.Errorf("%s at %s: %d %v", left, at, r.StatusCode, r.Headers)
			}
		}
	}
	if r := ask(redSite+".", "GET /me", browser); r.StatusCode != 303 {
		t.Errorf("a host with its final dot: %d %s", r.StatusCode, r.Body)
	}
	w.store.Before = func(directorytest.Call) error { return directorytest.Busy() }
	if r := ask("https://admin.green.example", "GET /", browser); r.StatusCode != 503 || !strings.Contains(r.Body, "Too busy just now") {
		t.Errorf("while the table is busy: %d %s", r.StatusCode, r.Body)
	}
}

// Without knowing whose host it is, nobody is shown anything there, or sent anywhere.
func TestWhereNobodyCanTellWhoseHostItIs(t *testing.T) {
	w := newWorld(t)
	w.store.Before = func(directorytest.Call) error { return directorytest.Busy() }
	b := w.browser()
	b.has(b.get(redSite+"/signin"), 503, "Too busy just now")
	w.store.Before = nil
	b.has(b.signInAt(redSite, "Ann <Admin>"), 200)
}

func TestTheHostIsAHeadersOnADevelopersMachineOnly(t *testing.T) {
	w := newWorld(t)
	ask := func(origin, domain, forwarded string) string {
		w.configure(func(name string) string {
			return map[string]string{setting.EntraAuthority: w.double.URL, setting.EntraClient: ours, setting.EntraTenants: "any", setting.PortalOrigin: origin,
				setting.PortalHosts: "portal.example"}[name]
		})
		e := events.APIGatewayV2HTTPRequest{RouteKey: "GET /signin", Headers: map[string]string{"host": forwarded, "x-forwarded-host": forwarded}}
		e.RequestContext.DomainName, e.RequestContext.APIID = domain, "a1b2c3"
		r, err := w.portal.handle(t.Context(), e)
		w.must(err)
		if r.StatusCode != 303 {
			return http.StatusText(r.StatusCode)
		}
		q := mustURL(t, r.Headers["Location"]).Query()
		return q.Get("client_id") + " " + q.Get("redirect_uri")
	}
	const machine, api = "http://localhost:8080", "a1b2c3.execute-api.localhost"
	for _, c := range [][4]string{
		{machine, api, "localhost:8080", ours + " http://localhost:8080/signin/callback"},
		{machine, api, "", ours + " http://localhost:8080/signin/callback"},
		{machine, api, "admin.red.example:8080", redApp + " http://admin.red.example:8080/signin/callback"},
		{machine, api, "admin.none.example:8080", "Not Found"},
		{"", "portal.example", "admin.red.example", ours + " https://portal.example/signin/callback"},
		{"", "admin.red.example", "portal.example", redApp + " https://admin.red.example/signin/callback"},
		{"", "admin.blue.example", "admin.red.example", blueApp + " https://admin.blue.example/signin/callback"},
	} {
		if got := ask(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%q: %s", c[:3], got)
		}
	}
}

// Who signed in by an app is signed in no longer once it lets in others only, or the brand has another one.
func TestSessionsEndWithTheApp(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		who string
		app *brand.App
	}{
		{"Cleo", &brand.App{Client: redApp, Tenant: contoso, SingleTenant: true}},
		{"Ann", &brand.App{Client: blueApp, Tenant: contoso, SingleTenant: true}},
	} {
		b := w.browser()
		b.has(b.signInAt(redSite, c.who), 200)
		b.has(b.get(redSite+"/me"), 200)
		_, err := w.dir.EditBrand(t.Context(), w.owner, w.brands[redSite].ID, directory.BrandEdit{App: &c.app})
		w.must(err)
		w.ahead.Add(int64(2 * time.Minute)) // until the site is looked at again
		b.has(b.get(redSite+"/me"), 401, "Your session has ended")
	}
}
