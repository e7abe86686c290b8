package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"html"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/graph/graphtest"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/setting"
)

func TestTheContractsPagesAreServed(t *testing.T) {
	for _, p := range contract.Pages {
		if pages()[p.RouteKey()] == nil && p.RouteKey() != logoRoute && p.RouteKey() != assetRoute {
			t.Errorf("%s is not served", p.RouteKey())
		}
	}
	if len(pages())+2 != len(contract.Pages) {
		t.Errorf("%d pages, the logos and the assets are served, the contract has %d", len(pages()), len(contract.Pages))
	}
}

// The whole way: the link of the mail, sign-in, acceptance, the start page, and out.
func TestSomebodyIsInvited(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newWorld(t)
		w.plainCookies = plain
		node, i, link := w.invite(annMail, access.Admin)
		b := w.browser()
		p := b.has(b.get(link), 200, "You are invited to “Vazon <Bay> IT”",
			"The API client “Founder” invites you to work with the partner", "admin", "Welcome!", annMail, " UTC", "Sign in with Microsoft")
		if p.url.String() != home+"/invitation" {
			t.Errorf("the token stays in the address: %s", p.url)
		}
		p = b.click(p, "Sign in with Microsoft")
		p = b.has(b.press(p, "Ann <Admin>"), 200, "You are signed in as Ann <Admin>", "Accept the invitation")
		if p.url.Path != "/invitation" {
			t.Errorf("the sign-in leads to %s", p.url)
		}
		p = b.has(b.press(p, "Accept the invitation"), 200, "Your access", "Vazon <Bay> IT", "admin",
			"You have accepted the invitation to Vazon <Bay> IT.")
		if p.url.String() != home+"/me?accepted="+string(node) || b.cookie(invitationCookie) != "" {
			t.Errorf("it ends at %s, with the cookie %q", p.url, b.cookie(invitationCookie))
		}
		p = b.click(b.has(b.get(link), 200, "You have already accepted this invitation"), "To your access")
		if b.has(p, 200, "Vazon <Bay> IT"); strings.Contains(p.body, "You have accepted") {
			t.Error("it is told again")
		}
		other := w.browser()
		other.has(other.get(link), 409, "This invitation can no longer be used", "already used")
		other.signIn("Cleo")
		other.has(other.get(link), 409, "This invitation can no longer be used")
		if got, err := w.dir.Invitation(t.Context(), w.owner, i.ID); err != nil || got.Person != ident.PersonOf(contoso, ann) {
			t.Errorf("accepted by %s: %v", got.Person, err)
		}
		p = b.has(b.press(b.get(home+"/me"), "Sign out"), 200, "You have signed out")
		if b.cookie(sessionCookie) != "" {
			t.Error("the session's cookie is kept")
		}
		if b.get(home + "/me"); !strings.HasPrefix(b.hops[len(b.hops)-1], w.double.URL) {
			t.Errorf("signed out, /me shows %s", b.hops[len(b.hops)-1])
		}
	}
}

func TestOnlyWhoWasInvitedAccepts(t *testing.T) {
	w := newWorld(t)
	_, i, link := w.invite("ann@contoso.example", access.Viewer)
	for name, says := range map[string]string{"Cleo": "This invitation is for another address", "Bob": "Microsoft has not verified this address"} {
		b := w.browser()
		p := b.press(b.click(b.get(link), "Sign in with Microsoft"), name)
		b.has(p, 200, says, "Sign in with another account")
		if strings.Contains(p.body[strings.Index(p.body, "<main"):], "<form") {
			t.Errorf("%s may press a button", name)
		}
		// The button pressed all the same, with the token of a form of the session.
		form := url.Values{"invitation": {string(i.ID)}, "form": {b.formToken()}}
		b.has(b.post(home+"/invitation", form), 403, "This invitation is for someone else")
		b.has(b.get(home+"/me"), 200, "You have no access to anything at the moment")
		// Signing in as somebody else leads on.
		p = b.press(b.click(b.get(home+"/invitation"), "Sign in with another account"), "Ann <Admin>")
		b.has(p, 200, "Accept the invitation")
	}
}

// formToken is that of the session which the browser has.
func (b *browser) formToken() string {
	_, form := b.form(b.get(home+"/me"), "Sign out")
	return form.Get("form")
}

func TestWhatIsClosedGrantsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		closes func(w *world, node ident.Node, i directory.Invitation)
		status int
		says   string
	}{
		"revoked": {func(w *world, _ ident.Node, i directory.Invitation) {
			_, err := w.dir.RevokeInvitation(w.t.Context(), w.owner, i.ID)
			w.must(err)
		}, 409, "can no longer be used"},
		"expired": {func(w *world, _ ident.Node, i directory.Invitation) { w.ahead.Add(int64(8 * 24 * time.Hour)) }, 0, ""},
		"sent again": {func(w *world, _ ident.Node, i directory.Invitation) {
			w.ahead.Add(int64(directory.ResendAfter))
			_, err := w.dir.Resend(w.t.Context(), w.owner, i.ID)
			w.must(err)
		}, 404, "This invitation does not exist"},
	} {
		w := newWorld(t)
		node, i, link := w.invite(annMail, access.Owner)
		b := w.browser()
		p := b.press(b.click(b.get(link), "Sign in with Microsoft"), "Ann <Admin>")
		to, form := b.form(p, "Accept the invitation")
		c.closes(w, node, i)
		if name == "expired" { // the session has ended by then, too
			b.has(b.post(to, form), 401, "Your session has ended", "was not carried out")
			b.has(b.press(b.signIn("Ann <Admin>"), "Sign out"), 200)
			b.has(b.get(link), 409, "This invitation has expired")
			continue
		}
		b.has(b.post(to, form), c.status, c.says)
		b.has(b.get(link), c.status, c.says)
		b.has(b.get(home+"/me"), 200, "You have no access to anything at the moment")
	}
	w := newWorld(t)
	_, _, link := w.invite(annMail, access.Owner)
	b := w.browser()
	for _, bad := range []string{home + "/invitations/x", link[:len(link)-1], link[:len(link)-4] + "AAAA"} {
		b.has(b.get(bad), 404, "This invitation does not exist")
	}
	b.has(b.get(home+"/invitation"), 400, "Open the link again")
}

// What is suspended can be accepted when it is resumed, in the page that was open all the time, too.
func TestASuspensionPasses(t *testing.T) {
	w := newWorld(t)
	node, _, link := w.invite(annMail, access.Viewer)
	b := w.browser()
	to, form := b.form(b.press(b.click(b.get(link), "Sign in with Microsoft"), "Ann <Admin>"), "Accept the invitation")
	_, err := w.dir.Suspend(t.Context(), w.owner, node, "unpaid")
	w.must(err)
	const says = "Vazon <Bay> IT is suspended. Open the link again after Vazon <Bay> IT is resumed."
	for _, p := range []page{b.post(to, form), b.get(link), b.get(home + "/invitation")} {
		if b.has(p, 409, "Not available now", says); strings.Contains(p.body, "Ask") || b.cookie(invitationCookie) == "" {
			t.Errorf("%s", p.body)
		}
	}
	b.has(b.get(home+"/me"), 200, "You have no access to anything at the moment")
	_, err = w.dir.Resume(t.Context(), w.owner, node)
	w.must(err)
	b.has(b.get(home+"/invitation"), 200, "Accept the invitation")
	b.has(b.post(to, form), 200, "You have accepted the invitation to Vazon <Bay> IT.")
}

func TestRevokingCountsAtOnce(t *testing.T) {
	w := newWorld(t)
	node, _, link := w.invite(annMail, access.Viewer)
	b := w.browser()
	b.press(b.press(b.click(b.get(link), "Sign in with Microsoft"), "Ann <Admin>"), "Accept the invitation")
	b.has(b.get(home+"/me"), 200, "Vazon <Bay> IT")
	w.must(w.dir.SetRole(t.Context(), w.owner, node, ident.PersonOf(contoso, ann), access.None))
	if p := b.has(b.get(home+"/me"), 200, "You have no access"); strings.Contains(p.body, "Vazon") {
		t.Error("it shows still")
	}
}

func TestWhoSignsInByANewNameHasIt(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("Ann <Admin>")
	who := access.Principal{ID: ident.PersonOf(contoso, ann), Name: "Ann Before", Grants: map[ident.Node]access.Role{w.root: access.Viewer},
		CursorKey: make([]byte, 32), Version: 1, Created: w.now(), Person: &access.Person{Tenant: contoso, Object: ann, Email: annMail}}
	w.must(w.store.Commit(t.Context(), directory.Put{Now: &who, Else: directory.ErrExists}))
	b.has(b.get(home+"/me"), 200, "Ann Before")
	other := w.browser()
	if p := other.has(other.signIn("Ann <Admin>"), 200, "Ann <Admin>"); strings.Contains(p.body, "Ann Before") {
		t.Error("the old name is shown")
	}
}

func TestSigningOutEverywhereEndsAllSessions(t *testing.T) {
	w := newWorld(t)
	one, other := w.browser(), w.browser()
	p := one.has(one.signIn("Ann <Admin>"), 200)
	other.has(other.signIn("Ann <Admin>"), 200)
	copied, token := one.cookie(sessionCookie), one.formToken()
	w.ahead.Add(int64(time.Second))
	one.has(one.press(p, "Sign out everywhere"), 200, "You have signed out everywhere")
	other.has(other.get(home+"/me"), 401, "Your session has ended")
	if other.cookie(sessionCookie) != "" {
		t.Error("the cookie of a session that has ended is kept")
	}
	other.has(other.signIn("Ann <Admin>"), 200, "You are signed in")
	// A cookie that was copied before is worth nothing, whatever page it comes to.
	_, i, link := w.invite(annMail, access.Viewer)
	thief := w.browser()
	for _, ask := range []func() page{
		func() page { return thief.get(home + "/me") },
		func() page { return thief.get(link) },
		func() page {
			return thief.post(home+"/invitation", url.Values{"invitation": {string(i.ID)}, "form": {token}})
		},
		func() page { return thief.post(home+"/signout/everywhere", url.Values{"form": {token}}) },
	} {
		thief.keep(home, sessionCookie, copied)
		thief.has(ask(), 401, "Your session has ended")
	}
}

func TestASessionEnds(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("Ann <Admin>")
	first := b.cookie(sessionCookie)
	if _, cut, _ := strings.Cut(first, "."); len(cut) == 0 {
		t.Fatal("no session")
	}
	for range 12 { // used all the time, it lasts to its absolute limit
		w.ahead.Add(int64(59 * time.Minute))
		b.has(b.get(home+"/me"), 200, "You are signed in")
	}
	if b.cookie(sessionCookie) == first {
		t.Error("the session was not renewed")
	}
	w.ahead.Add(int64(15 * time.Minute))
	b.has(b.get(home+"/me"), 401, "Your session has ended")

	b.signIn("Ann <Admin>")
	w.ahead.Add(int64(credential.Idle))
	b.has(b.get(home+"/me"), 401, "Your session has ended")

	// Another cookie than the platform's is none, and signing in makes a new session whatever was there.
	old := b.cookie(sessionCookie)
	b.keep(home, sessionCookie, "1."+base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", 32)+`{"t":"`+contoso+`"}`)))
	b.has(b.get(home+"/me"), 401, "Your session has ended")
	b.keep(home, sessionCookie, first)
	b.has(b.signInAgain("Cleo"), 200, "Cleo")
	if now := b.cookie(sessionCookie); now == first || now == old {
		t.Error("the session is an old one")
	}
}

// signInAgain chooses an account whoever is signed in.
func (b *browser) signInAgain(name string) page { return b.press(b.get(home+"/signin"), name) }

func TestNobodyIsSentElsewhere(t *testing.T) {
	w := newWorld(t)
	for to, want := range map[string]string{
		"/invitation": home + "/invitation", "/me?a=b": home + "/me?a=b", "": home + "/me",
		"https://evil.example/": home + "/me", "//evil.example": home + "/me",
		`/\evil.example`: home + "/me", `\/evil.example`: home + "/me", "/\t/evil.example": home + "/me", "evil.example": home + "/me",
		"javascript:alert(1)": home + "/me", "/\n/evil.example": home + "/me", "///evil.example": home + "/me", " //evil.example": home + "/me",
		"/signin": home + "/me", "/signin?to=%2Fsignin": home + "/me", "/me/../signin": home + "/me", "/%2e/signin/": home + "/me",
		"/signin/callback?code=x": home + "/me", "/signout": home + "/me", "/signout/everywhere?x": home + "/me", "/signing": home + "/signing",
		"/%2fevil.example ": home + "/me", "/%5cevil.example ": home + "/me",
	} {
		b := w.browser()
		p := b.press(b.get(home+"/signin?"+url.Values{"to": {to}}.Encode()), "Ann <Admin>")
		if p.url.String() != want {
			t.Errorf("to=%q leads to %s", to, p.url)
		}
	}
}

func FuzzLocal(f *testing.F) {
	for _, to := range []string{
		"/me", "//evil.example", `/\evil`, "/.//evil.example", "/%2f/evil.example", "https:/evil", "/a?b#c", "/@evil.example", "/./signin", "/a/../signin?to=/signin",
	} {
		f.Add(to)
	}
	base, err := url.Parse(home + "/signin/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, to string) {
		got := local(to)
		if u, err := base.Parse(got); err != nil || u.Host != base.Host || u.Scheme != "https" || !strings.HasPrefix(got, "/") ||
			strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\t\r\n \x00") {
			t.Errorf("%q leads to %q: %v", to, got, err)
		} else if strings.TrimSuffix(u.Path, "/") == "/signin" {
			t.Errorf("%q leads to signing in again, at %q", to, got)
		}
	})
}

// chosen is the answer of Entra, not followed: the address of the callback with code and state.
func (b *browser) chosen(to, name string) string {
	b.w.t.Helper()
	address, form := b.form(b.get(to), name)
	a, err := b.http.PostForm(address, form)
	b.w.must(err)
	a.Body.Close()
	return a.Header.Get("Location")
}

func TestASignInIsFinishedOnceAndWhereItBegan(t *testing.T) {
	w := newWorld(t)
	const says = "This sign-in cannot be finished"

	// Login CSRF: the answer to somebody else's sign-in.
	mallory, victim := w.browser(), w.browser()
	answer := mallory.chosen(home+"/signin", "Cleo")
	victim.has(victim.get(answer), 400, says)
	victim.get(home + "/signin") // with a sign-in of their own under way, neither
	victim.has(victim.get(answer), 400, says)
	if victim.cookie(sessionCookie) != "" {
		t.Fatal("signed in as somebody else")
	}
	// The one who began it finishes it, once.
	mallory.has(mallory.get(answer), 200, "Cleo")
	mallory.has(mallory.get(answer), 400, says)

	// With the flow's cookie brought back, Entra's code is still good for one time only.
	b := w.browser()
	answer = b.chosen(home+"/signin", "Ann <Admin>")
	flow := b.cookie(flowCookie)
	b.has(b.get(answer), 200, "Ann <Admin>")
	if b.cookie(flowCookie) != "" {
		t.Error("the flow is kept")
	}
	again := w.browser()
	again.keep(home, flowCookie, flow)
	again.has(again.get(answer), 403, "not accepted")

	// Too late.
	answer = b.chosen(home+"/signin", "Ann <Admin>")
	w.ahead.Add(int64(credential.FlowFor))
	b.has(b.get(answer), 400, says)

	// A flow that was used up by a failure is gone, too.
	answer = b.chosen(home+"/signin", "Ann <Admin>")
	b.has(b.get(callbackWith(t, answer, "state", "wrong")), 400, says)
	b.has(b.get(answer), 400, says)

	// A flow of another of our hosts is none here.
	answer = b.chosen(home+"/signin", "Ann <Admin>")
	b.keep(otherSite, flowCookie, b.cookie(flowCookie))
	b.has(b.get(strings.Replace(answer, home, otherSite, 1)), 400, says)
}

func callbackWith(t *testing.T, address, name, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// A code that another brand's app was given is worth nothing here, and neither is somebody of a tenant that is not let in.
func TestOtherAppsAndTenantsAreRefused(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.get(home + "/signin")
	authorize, err := url.Parse(b.hops[1])
	w.must(err)
	q := authorize.Query()
	q.Set("client_id", theirs)
	q.Set("redirect_uri", otherSite+"/signin/callback")
	authorize.RawQuery = q.Encode()
	answer := b.chosen(authorize.String(), "Ann <Admin>")
	if !strings.HasPrefix(answer, otherSite) {
		t.Fatalf("the other app's sign-in leads to %s", answer)
	}
	b.has(b.get(strings.Replace(answer, otherSite, home, 1)), 403, "not accepted")
	if b.cookie(sessionCookie) != "" {
		t.Error("signed in")
	}

	w = newWorld(t, contoso, "aaaaaaaa-0000-4000-8000-000000000009")
	b = w.browser()
	b.has(b.signIn("Cleo"), 403, "Your organization cannot sign in here")
	b.has(b.signIn("Ann <Admin>"), 200, "Your access")
}

func TestWhatGoesWrongAtMicrosoftIsSaid(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.has(b.press(b.get(home+"/signin"), "Go back without signing in"), 403, "You did not sign in", "Sign in again")
	w.must(w.double.Fail(graphtest.Fault{Path: "/*/oauth2/v2.0/token", Do: graphtest.FailBefore, Status: 503}))
	b.has(b.press(b.get(home+"/signin?to=/invitation"), "Ann <Admin>"), 503, "Microsoft cannot be reached just now")
	b.has(b.press(b.click(page{url: mustURL(t, home), body: `<a href="/signin">again</a>`}, "again"), "Ann <Admin>"), 200, "Your access")
}

func mustURL(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// No form is accepted but one of the session's own pages.
func TestOtherSitesFormsAreRefused(t *testing.T) {
	w := newWorld(t)
	_, i, link := w.invite(annMail, access.Owner)
	b, other := w.browser(), w.browser()
	other.signIn("Cleo")
	foreign := other.formToken()
	p := b.press(b.click(b.get(link), "Sign in with Microsoft"), "Ann <Admin>")
	for _, token := range []string{"", "x", "1.", foreign} {
		form := url.Values{"form": {token}, "invitation": {string(i.ID)}}
		for _, to := range []string{"/invitation", "/signout", "/signout/everywhere"} {
			b.has(b.post(home+to, form), 403, "Nothing was changed")
		}
	}
	b.has(b.get(home+"/me"), 200, "You have no access")
	// A page that was made for one invitation accepts no other.
	to, form := b.form(p, "Accept the invitation")
	_, _, second := w.invite(annMail, access.Viewer)
	b.get(second)
	b.has(b.post(to, form), 400, "Open the link again")
	// Without a session there is nothing to sign out of, and nothing to accept.
	nobody := w.browser()
	nobody.has(nobody.post(home+"/signout", nil), 200, "Nothing to sign out of")
	nobody.has(nobody.post(home+"/signout/everywhere", nil), 401, "Your session has ended")
	nobody.has(nobody.post(home+"/invitation", form), 401, "Your session has ended")
	if b.post(to, url.Values{"form": {strings.Repeat("x", maxForm)}}).status != 403 {
		t.Error("a huge form is read")
	}
}

// Nothing that is secret or personal is in the log, whatever happens.
func TestTheLogKeepsSecrets(t *testing.T) {
	w := newWorld(t)
	_, _, link := w.invite(annMail, access.Admin)
	b := w.browser()
	secrets := []string{"ann@", "contoso.example", "Ann", password, "Vazon", strings.TrimPrefix(link, home+"/invitations/")}
	p := b.press(b.click(b.get(link), "Sign in with Microsoft"), "Ann <Admin>")
	for _, hop := range b.hops {
		for _, values := range mustURL(t, hop).Query() {
			secrets = append(secrets, slices.DeleteFunc(values, func(s string) bool { return len(s) < 12 })...)
		}
	}
	secrets = append(secrets, b.cookie(sessionCookie), b.cookie(invitationCookie))
	p = b.press(p, "Accept the invitation")
	answer := b.chosen(home+"/signin", "Cleo")
	secrets = append(secrets, b.cookie(flowCookie), mustURL(t, answer).Query().Get("code"), mustURL(t, answer).Query().Get("state"))
	b.get(callbackWith(t, answer, "code", "stolen-code-in-an-address"))
	b.get(answer)
	b.press(p, "Sign out everywhere")
	w.must(w.double.Fail(graphtest.Fault{Path: "/*/oauth2/v2.0/token", Do: graphtest.FailBefore}))
	b.has(b.signInAgain("Ann <Admin>"), 503)
	w.portal.dir, w.portal.keys = nil, &keys{read: w.dir.Keyring, now: w.now}
	b.has(b.get(link), 500, "Something went wrong on our side", "req-1") // a mistake in the program
	if n := strings.Count(w.log.String(), "\n"); n < 15 {
		t.Fatalf("the log has %d lines", n)
	}
	for _, s := range append(secrets, "stolen-code") {
		if s != "" && strings.Contains(w.log.String(), s) {
			t.Errorf("the log has %q", s)
		}
	}
	if !strings.Contains(w.log.String(), `"outcome":"accepted"`) || !strings.Contains(w.log.String(), string(ident.PersonOf(contoso, ann))) {
		t.Errorf("the log does not tell what happened:\n%s", w.log.String())
	}
}

// The address with the token shows no page: nothing there could be clicked on, and the browser is told to name it to nobody.
func TestTheTokensAddressIsNamedToNobody(t *testing.T) {
	w := newWorld(t)
	_, _, link := w.invite(annMail, access.Admin)
	b := w.browser()
	b.get(link)
	if len(b.hops) != 2 || b.hops[1] != home+"/invitation" {
		t.Errorf("the link leads over %v", b.hops)
	}
	if sealed := b.cookie(invitationCookie); sealed == "" {
		t.Error("the token is not kept")
	}
	before := len(w.store.Calls())
	scanner := w.browser() // a program that reads mail follows the link, and changes nothing
	scanner.get(link)
	if got := w.store.Calls()[before:]; slices.ContainsFunc(got, func(c string) bool { return strings.HasPrefix(c, "Commit") }) {
		t.Errorf("following the link writes: %v", got)
	}
}

func TestThePortalIsAtItsHostsOnly(t *testing.T) {
	w := newWorld(t)
	ask := func(host string) int {
		e := events.APIGatewayV2HTTPRequest{RouteKey: "GET /signin", Headers: map[string]string{"host": "portal.example"}}
		e.RequestContext.DomainName, e.RequestContext.APIID = host, "a1b2c3"
		r, err := w.portal.handle(t.Context(), e)
		w.must(err)
		if r.StatusCode == 303 && !strings.Contains(r.Headers["Location"], url.QueryEscape("https://"+strings.ToLower(host)+"/signin/callback")) {
			t.Errorf("%s: sends to %s", host, r.Headers["Location"])
		}
		return r.StatusCode
	}
	for host, want := range map[string]int{
		"portal.example": 303, "admin.brand.example": 303, "a1b2c3.execute-api.eu-west-1.amazonaws.com": 303, "evil.example": 404, "": 404,
		"a1b2c3.evil.example": 404,
		"portal.example.evil": 404, "admin.red.example": 303, "Admin.Red.example": 303, "red.example": 404, "admin.green.example": 404,
	} {
		if got := ask(host); got != want {
			t.Errorf("%s: %d, want %d", host, got, want)
		}
	}
}

func TestWithoutAnAppItSaysSo(t *testing.T) {
	for route := range pages() {
		r := get(t, route)
		if r.StatusCode != 503 || !strings.Contains(r.Body, "Sign-in is not set up") {
			t.Errorf("%s: %d", route, r.StatusCode)
		}
	}
	for name, c := range map[string]struct {
		env map[string]string
		set bool
	}{
		"secret":        {map[string]string{setting.Table: "t", setting.EntraClient: ours, setting.EntraSecret: "s", setting.EntraTenants: "any"}, true},
		"federated":     {map[string]string{setting.Table: "t", setting.EntraClient: ours, setting.EntraFederated: "1"}, true},
		"no table":      {map[string]string{setting.EntraClient: ours, setting.EntraSecret: "s"}, false},
		"no credential": {map[string]string{setting.Table: "t", setting.EntraClient: ours}, false},
	} {
		p := configured(func(name string) string { return c.env[name] }, clocktest.Now, slog.New(slog.DiscardHandler))
		if (p.signIn != nil) != c.set {
			t.Errorf("%s: set up: %v", name, p.signIn != nil)
		}
	}
}

// A key that is newer than what the process knows is looked for at once, but not for each request that makes one up.
func TestANewKeyIsFound(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("Ann <Admin>")
	reads := 0
	read := w.portal.keys.read
	w.portal.keys.read = func(ctx context.Context) (credential.Keyring, error) { reads++; return read(ctx) }
	w.must(w.dir.RotateKeyring(t.Context()))
	w.ahead.Add(int64(keysFresh))
	b.has(b.get(home+"/me"), 200) // sealed by the old key
	ring, err := w.dir.Keyring(t.Context())
	w.must(err)
	fresh := w.browser()
	fresh.keep(home, sessionCookie, ring.Seal(credential.SignedIn{Tenant: contoso, Object: ann, Began: w.now(), App: ours}, w.now()))
	fresh.has(fresh.get(home+"/me"), 200)
	b.has(b.get(home+"/me"), 200)
	for range 20 {
		fresh.keep(home, sessionCookie, "999.AAAA")
		fresh.has(fresh.get(home+"/me"), 401)
	}
	if reads != 1 {
		t.Errorf("the keyring was read %d times", reads)
	}
	w.ahead.Add(int64(keysFor))
	w.portal.keys.read = func(context.Context) (credential.Keyring, error) { return nil, errors.New("boom") }
	b.has(b.get(home+"/me"), 500, "Something went wrong on our side")
}

// The pages as they look, without their style.
func TestPagesLookAsWanted(t *testing.T) {
	w := newWorld(t)
	_, _, link := w.invite(annMail, access.Admin)
	b := w.browser()
	shown := map[string]page{"invitation": b.get(link)}
	p := b.press(b.click(shown["invitation"], "Sign in with Microsoft"), "Cleo")
	shown["invitation-for-another"] = p
	shown["me-without-access"] = b.get(home + "/me")
	p = b.press(b.click(p, "Sign in with another account"), "Ann <Admin>")
	shown["invitation-signed-in"] = p
	shown["me"] = b.press(p, "Accept the invitation")
	shown["signed-out"] = b.press(shown["me"], "Sign out")
	shown["invitation-closed"] = b.get(link)
	vary := strings.NewReplacer(w.double.URL, "https://login.microsoftonline.com")
	masks := []*regexp.Regexp{regexp.MustCompile(`assets/\w+`), regexp.MustCompile(`\d+ \w+ 20\d\d, \d\d:\d\d`),
		regexp.MustCompile(`value="[^"]*"`), regexp.MustCompile(`(usr|ptn)_\w+`)}
	for name, p := range shown {
		got := strings.ReplaceAll(vary.Replace(p.body), "><", ">\n<")
		for i, mask := range masks {
			got = mask.ReplaceAllString(got, []string{"assets/…", "…", `value="…"`, "${1}_…"}[i])
		}
		file := "testdata/" + name + ".html"
		if flag.Lookup("update").Value.String() == "true" {
			w.must(os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v; the page is\n%s", file, err, got)
		}
		accessible(t, name, p.body)
	}
}

// accessible is what a page for everybody has at least.
func accessible(t *testing.T, name, body string) {
	for _, part := range []string{`<html lang="en">`, `<meta name="viewport"`, "<main", "<title>"} {
		if strings.Count(body, part) != 1 {
			t.Errorf("%s: %d times %s", name, strings.Count(body, part), part)
		}
	}
	if strings.Count(body, "<h1>") != 1 {
		t.Errorf("%s: not one heading", name)
	}
	for _, l := range aLink.FindAllStringSubmatch(body, -1) {
		if strings.TrimSpace(html.UnescapeString(l[2])) == "" {
			t.Errorf("%s: a link without text", name)
		}
	}
}
