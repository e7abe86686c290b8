package graphtest_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/graph/graphtest"
)

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAPersonSignsInThroughThePage(t *testing.T) {
	s := graphtest.Start(t, directory())
	c := oauth(s, multi, contoso)
	provider, err := oidc.NewProvider(t.Context(), s.Issuer(contoso))
	if err != nil {
		t.Fatal(err)
	}
	if e := provider.Endpoint(); e.AuthURL != c.Endpoint.AuthURL || e.TokenURL != c.Endpoint.TokenURL {
		t.Errorf("the metadata has %+v", e)
	}
	b := newBrowser(t)
	choose := b.open(signInURL(c, nil))
	if choose.status != http.StatusOK || choose.header.Get("Content-Security-Policy") == "" || strings.Contains(choose.body, "<script") {
		t.Errorf("the page is %d with %v", choose.status, choose.header)
	}
	for _, name := range []string{"Ann Admin", "Bob <Builder>", "Cleo", "Dan", "Eve", "Go back without signing in"} {
		if choose.buttons()[name] == "" {
			t.Errorf("nobody can choose %s", name)
		}
	}
	back := b.press(choose, "Ann Admin")
	if back.to == nil || !strings.HasPrefix(back.to.String(), redirect+"?") || back.to.Query().Get("state") != "the state" {
		t.Fatalf("the browser is sent to %v", back.to)
	}
	if back.header.Get("Referrer-Policy") != "no-referrer" || back.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer with the code has %v", back.header)
	}
	code := back.to.Query().Get("code")
	token, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	verify := provider.VerifierContext(t.Context(), &oidc.Config{ClientID: multi}).Verify
	raw, _ := token.Extra("id_token").(string)
	id, err := verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"tid": contoso, "oid": ann, "ver": "2.0", "iss": s.Issuer(contoso), "aud": multi, "nonce": "the nonce",
		"email": "ann@contoso.example", "xms_edov": true, "name": "Ann Admin", "preferred_username": "ann@contoso.example"}
	for name, value := range want {
		if got := claims(t, raw)[name]; got != value {
			t.Errorf("the ID token has %s %v, not %v", name, got, value)
		}
	}
	if age := time.Since(id.IssuedAt); age < 4*time.Minute || age > 6*time.Minute {
		t.Errorf("issued %v ago: Entra's tokens count from five minutes before", age)
	}
	if _, err := verify(t.Context(), token.AccessToken); err != nil {
		t.Errorf("the access token for the app itself: %v", err)
	}
	access := claims(t, token.AccessToken)
	for name, value := range map[string]any{"scp": "access_as_user", "azp": multi, "oid": ann, "tid": contoso, "sub": id.Subject,
		"nonce": nil} {
		if access[name] != value {
			t.Errorf("the access token has %s %v, not %v", name, access[name], value)
		}
	}

	_, err = c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	refusedWith(t, err, "invalid_grant", "54005")

	fresh, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	if got := claims(t, fresh.AccessToken); got["oid"] != ann || got["scp"] != "access_as_user" {
		t.Errorf("refreshed to %v", got)
	}
}

func TestSubjectsDifferFromAppToApp(t *testing.T) {
	s := graphtest.Start(t, directory())
	one, _ := s.IDClaims(multi, contoso, ann, "n")
	two, _ := s.IDClaims(single, contoso, ann, "n")
	if one["sub"] == two["sub"] || one["oid"] != two["oid"] {
		t.Errorf("subjects %v and %v, object ids %v and %v", one["sub"], two["sub"], one["oid"], two["oid"])
	}
}

func TestTheAnswerCanBeAForm(t *testing.T) {
	s := graphtest.Start(t, directory())
	b := newBrowser(t)
	p := b.press(b.open(signInURL(oauth(s, multi, contoso), url.Values{"response_mode": {"form_post"}})), "Ann Admin")
	got := map[string]string{}
	for _, m := range hiddenPattern.FindAllStringSubmatch(p.body, -1) {
		got[m[1]] = m[2]
	}
	if !strings.Contains(p.body, `action="`+redirect+`"`) || got["code"] == "" || got["state"] != "the state" {
		t.Errorf("the form has %v: %s", got, p.body)
	}
}

// What is wrong before the redirect URI is known to be the app's is shown, and sent nowhere.
func TestErrorsGoOnlyToRegisteredURIs(t *testing.T) {
	s := graphtest.Start(t, directory())
	for _, test := range []struct {
		name, app, tenant, code string
		change                  url.Values
	}{
		{"no such tenant", multi, "nowhere.example", "90002", nil},
		{"no such app", nobody, contoso, "700016", nil},
		{"no app", multi, contoso, "900144", url.Values{"client_id": {""}}},
		{"no redirect URI", multi, contoso, "900144", url.Values{"redirect_uri": {""}}},
		{"a longer redirect URI", multi, contoso, "50011", url.Values{"redirect_uri": {redirect + "/"}}},
		{"another redirect URI", multi, contoso, "50011", url.Values{"redirect_uri": {"https://evil.example"}}},
		{"a single-tenant app elsewhere", single, fabrikam, "700016", nil},
		{"a single-tenant app at common", single, "common", "50194", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newBrowser(t).open(signInURL(oauth(s, test.app, test.tenant), test.change))
			if p.status != http.StatusBadRequest || p.to != nil || !strings.Contains(p.body, "AADSTS"+test.code+":") {
				t.Errorf("got %d to %v: %s", p.status, p.to, p.body)
			}
		})
	}
}

func TestTheAppHearsWhatIsWrongWithASignIn(t *testing.T) {
	s := graphtest.Start(t, directory())
	for _, test := range []struct{ param, value, code, number string }{
		{"response_type", "", "invalid_request", "900144"},
		{"response_type", "id_token", "unsupported_response_type", "700054"},
		{"response_mode", "fragment", "invalid_request", "90015"},
		{"prompt", "create", "invalid_request", "90023"},
		{"nonce", "", "invalid_request", "900144"},
		{"state", "", "invalid_request", "900144"},
		{"scope", "", "invalid_request", "900144"},
		{"scope", "profile", "invalid_request", "70011"},
		{"scope", "openid api://" + single + "/access_as_user", "invalid_scope", "70011"},
		{"scope", "openid api://" + multi + "/other", "invalid_scope", "650053"},
		{"scope", "openid User.Read api://" + multi + "/access_as_user", "invalid_scope", "28000"},
		{"code_challenge", "", "invalid_request", "9002325"},
		{"code_challenge", "short", "invalid_request", "501491"},
		{"code_challenge_method", "plain", "invalid_request", "501491"},
		{"code_challenge_method", "", "invalid_request", "501491"},
		{"prompt", "none", "login_required", "50058"},
	} {
		p := newBrowser(t).open(signInURL(oauth(s, multi, contoso), url.Values{test.param: {test.value}}))
		wantError(t, test.param+"="+test.value, p, test.code, test.number)
	}
	b := newBrowser(t)
	declined := b.press(b.open(signInURL(oauth(s, multi, contoso), nil)), "Go back without signing in")
	wantError(t, "going back", declined, "access_denied", "65004")
	if declined.to != nil && declined.to.Query().Get("state") != "the state" {
		t.Errorf("going back leads to %v", declined.to)
	}
}

// wantError wants the browser sent to the app with an error and no code.
func wantError(t *testing.T, what string, p page, code, number string) {
	t.Helper()
	if p.to == nil {
		t.Errorf("%s: no redirect, but %d: %s", what, p.status, p.body)
		return
	}
	q := p.to.Query()
	if !strings.HasPrefix(p.to.String(), redirect+"?") || q.Get("error") != code || q.Has("code") ||
		!strings.HasPrefix(q.Get("error_description"), "AADSTS"+number+":") {
		t.Errorf("%s: sent to %v, want %s with AADSTS%s", what, p.to, code, number)
	}
}

func TestWhoMayNotSignInIsTold(t *testing.T) {
	s := graphtest.Start(t, directory())
	for _, test := range []struct{ app, tenant, name, code string }{
		{single, contoso, "Cleo", "50020"},
		{multi, contoso, "Cleo", "50020"},
		{multi, "organizations", "Eve", "50057"},
	} {
		b := newBrowser(t)
		p := b.press(b.open(signInURL(oauth(s, test.app, test.tenant), nil)), test.name)
		if p.to != nil || !strings.Contains(p.body, "AADSTS"+test.code+":") {
			t.Errorf("%s at %s: sent to %v: %s", test.name, test.tenant, p.to, p.body)
		}
	}
	b := newBrowser(t)
	p := b.send(b.open(signInURL(oauth(s, multi, contoso), nil)), url.Values{"account": {contoso + "/" + nobody}})
	if !strings.Contains(p.body, "AADSTS50034:") {
		t.Errorf("somebody made up: %s", p.body)
	}
}

func TestATenantCanKeepConsentForAdministrators(t *testing.T) {
	dir := directory()
	dir.Tenants[1].AdminConsentOnly = true
	s := graphtest.Start(t, dir)
	b := newBrowser(t)
	p := b.press(b.open(signInURL(oauth(s, multi, "common"), nil)), "Cleo")
	if !strings.Contains(p.body, "AADSTS90094:") {
		t.Fatalf("without consent: %s", p.body)
	}
	if err := s.Consent(fabrikam, multi); err != nil {
		t.Fatal(err)
	}
	c := oauth(s, multi, "common")
	token := signIn(t, c, "Cleo")
	if got := claims(t, token.AccessToken); got["tid"] != fabrikam || got["oid"] != cleo || got["iss"] != s.Issuer(fabrikam) {
		t.Errorf("at common Cleo signs in as %v", got)
	}
	if err := s.Withdraw(fabrikam, multi); err != nil {
		t.Fatal(err)
	}
	_, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	refusedWith(t, err, "invalid_grant", "65001")
}

func TestASessionAtEntraSignsInSilently(t *testing.T) {
	s := graphtest.Start(t, directory())
	c := oauth(s, multi, contoso)
	b := newBrowser(t)
	b.code(c, "Ann Admin")
	for _, prompt := range []string{"", "none"} {
		if p := b.open(signInURL(c, url.Values{"prompt": {prompt}})); p.to == nil || p.to.Query().Get("code") == "" {
			t.Errorf("prompt %q with a session: %d to %v", prompt, p.status, p.to)
		}
	}
	for _, prompt := range []string{"login", "select_account"} {
		if p := b.open(signInURL(c, url.Values{"prompt": {prompt}})); p.buttons()["Ann Admin"] == "" {
			t.Errorf("prompt %q shows nobody to choose: %d to %v", prompt, p.status, p.to)
		}
	}
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	kept := b.http.Jar.Cookies(base)
	out := b.open(s.URL + "/" + contoso + "/oauth2/v2.0/logout?post_logout_redirect_uri=" + url.QueryEscape(redirect))
	if out.to == nil || out.to.String() != redirect {
		t.Errorf("signing out leads to %v", out.to)
	}
	wantError(t, "after signing out", b.open(signInURL(c, url.Values{"prompt": {"none"}})), "login_required", "50058")
	b.http.Jar.SetCookies(base, kept)
	wantError(t, "with the old cookie", b.open(signInURL(c, url.Values{"prompt": {"none"}})), "login_required", "50058")
	for _, after := range []string{"", "?post_logout_redirect_uri=https%3A%2F%2Fevil.example"} {
		if p := b.open(s.URL + "/common/oauth2/v2.0/logout" + after); p.status != http.StatusOK || !strings.Contains(p.body, "signed out") {
			t.Errorf("signing out with %q: %d to %v", after, p.status, p.to)
		}
	}
}

func TestTheLoginHintStandsFirst(t *testing.T) {
	s := graphtest.Start(t, directory())
	p := newBrowser(t).open(signInURL(oauth(s, multi, "common"), url.Values{"login_hint": {"DAN@fabrikam.example"}}))
	if first := buttonPattern.FindStringSubmatch(p.body); first == nil || first[2] != "Dan" {
		t.Errorf("first is %q", first)
	}
}

func TestWhatTheTokenEndpointRefuses(t *testing.T) {
	clock := clocktest.Start()
	s := graphtest.Start(t, directory(), func(o *graphtest.Options) { o.Now = func() time.Time { return clock } })
	c := oauth(s, multi, contoso)
	other := *oauth(s, single, contoso)
	b := newBrowser(t)
	with := func(name, value string) oauth2.AuthCodeOption { return oauth2.SetAuthURLParam(name, value) }
	proof := oauth2.VerifierOption(verifier)
	for _, test := range []struct {
		name, code, number string
		config             func(*oauth2.Config)
		options            []oauth2.AuthCodeOption
	}{
		{"a wrong verifier", "invalid_grant", "501481", nil, []oauth2.AuthCodeOption{oauth2.VerifierOption(strings.Repeat("x", 43))}},
		{"no verifier", "invalid_request", "900144", nil, nil},
		{"another redirect URI", "invalid_grant", "500112", func(c *oauth2.Config) { c.RedirectURL += "/" }, []oauth2.AuthCodeOption{proof}},
		{"another app", "invalid_grant", "70000", func(c *oauth2.Config) { *c = other }, []oauth2.AuthCodeOption{proof}},
		{"no such app", "unauthorized_client", "700016", func(c *oauth2.Config) { c.ClientID = nobody }, []oauth2.AuthCodeOption{proof}},
		{"a wrong secret", "invalid_client", "7000215", func(c *oauth2.Config) { c.ClientSecret = "x" }, []oauth2.AuthCodeOption{proof}},
		{"no secret", "invalid_client", "7000218", func(c *oauth2.Config) { c.ClientSecret = "" }, []oauth2.AuthCodeOption{proof}},
		{"another tenant", "invalid_grant", "700005",
			func(c *oauth2.Config) { c.Endpoint.TokenURL = s.URL + "/" + fabrikam + "/oauth2/v2.0/token" }, []oauth2.AuthCodeOption{proof}},
		{"no tenant", "invalid_request", "90002",
			func(c *oauth2.Config) { c.Endpoint.TokenURL = s.URL + "/nowhere/oauth2/v2.0/token" }, []oauth2.AuthCodeOption{proof}},
		{"another grant", "unsupported_grant_type", "70003", nil, []oauth2.AuthCodeOption{proof, with("grant_type", "password")}},
		{"no grant", "invalid_request", "900144", nil, []oauth2.AuthCodeOption{proof, with("grant_type", "")}},
		{"an assertion of no type", "invalid_request", "900144", nil, []oauth2.AuthCodeOption{proof, with("client_assertion", "x")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := *c
			if test.config != nil {
				test.config(&changed)
			}
			_, err := changed.Exchange(t.Context(), b.code(c, "Ann Admin"), test.options...)
			refusedWith(t, err, test.code, test.number)
		})
	}
	_, err := c.Exchange(t.Context(), "made up", proof)
	refusedWith(t, err, "invalid_grant", "70000")

	late := b.code(c, "Ann Admin")
	clock = clock.Add(10*time.Minute + time.Second)
	_, err = c.Exchange(t.Context(), late, proof)
	refusedWith(t, err, "invalid_grant", "70008")
}

func TestRefreshTokensEnd(t *testing.T) {
	clock := clocktest.Start()
	s := graphtest.Start(t, directory(), func(o *graphtest.Options) { o.Now = func() time.Time { return clock } })
	c := oauth(s, multi, contoso)
	refresh := func(c *oauth2.Config, token string) error {
		_, err := c.TokenSource(context.WithoutCancel(t.Context()), &oauth2.Token{RefreshToken: token}).Token()
		return err
	}
	token := signIn(t, c, "Ann Admin").RefreshToken
	if err := refresh(c, token); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, refresh(oauth(s, single, contoso), token), "invalid_grant", "70000")
	refusedWith(t, refresh(c, "made up"), "invalid_grant", "70000")
	person, _ := s.Person(contoso, ann)
	person.Disabled = true
	if err := s.SetPerson(contoso, person); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, refresh(c, token), "invalid_grant", "50057")
	clock = clock.Add(91 * 24 * time.Hour)
	refusedWith(t, refresh(c, token), "invalid_grant", "700082")
}

func TestATokenCanBeForAnotherResourceThanTheSignIn(t *testing.T) {
	s := graphtest.Start(t, directory())
	c := oauth(s, multi, contoso, "openid", "offline_access", "https://graph.microsoft.com/User.Read")
	c.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	own := oauth2.SetAuthURLParam("scope", multi+"/.default")
	token, err := c.Exchange(t.Context(), newBrowser(t).code(c, "Ann Admin"), oauth2.VerifierOption(verifier), own)
	if err != nil {
		t.Fatal(err)
	}
	if got := claims(t, token.AccessToken); got["aud"] != multi || got["scp"] != "access_as_user" || token.Extra("id_token") == nil {
		t.Errorf("with the code: %v", got)
	}
	refresh := func(scope string) (*oauth2.Token, error) {
		return c.Exchange(t.Context(), "", oauth2.SetAuthURLParam("grant_type", "refresh_token"),
			oauth2.SetAuthURLParam("refresh_token", token.RefreshToken), oauth2.SetAuthURLParam("scope", scope))
	}
	fresh, err := refresh("api://" + multi + "/access_as_user")
	if err != nil {
		t.Fatal(err)
	}
	if got := claims(t, fresh.AccessToken); got["aud"] != multi || fresh.Extra("id_token") != nil {
		t.Errorf("refreshed: %v", got)
	}
	graph, err := refresh("openid " + graphScope)
	if err != nil {
		t.Fatal(err)
	}
	got := claims(t, graph.AccessToken)
	if got["aud"] != "https://graph.microsoft.com" || got["scp"] != "openid User.Read" || got["ver"] != "1.0" || got["roles"] != nil {
		t.Errorf("for Graph: %v", got)
	}
	_, err = refresh("api://" + single + "/access_as_user")
	refusedWith(t, err, "invalid_scope", "70011")
	_, err = c.Exchange(t.Context(), "", oauth2.SetAuthURLParam("grant_type", "refresh_token"))
	refusedWith(t, err, "invalid_request", "900144")
}

func TestWhetherAnAddressIsVerifiedIsSaidOnlyWhereItIsAskedFor(t *testing.T) {
	s := graphtest.Start(t, directory())
	claimsOf := func(change func(*graphtest.App), app, person string) (email, edov any) {
		t.Helper()
		for _, a := range directory().Apps {
			if a.ID == app {
				change(&a)
				if err := s.SetApp(a); err != nil {
					t.Fatal(err)
				}
			}
		}
		c, err := s.IDClaims(app, contoso, person, "n")
		if err != nil {
			t.Fatal(err)
		}
		return c["email"], c["xms_edov"]
	}
	same := func(*graphtest.App) {}
	for _, test := range []struct {
		name        string
		app, person string
		change      func(*graphtest.App)
		email, edov any
	}{
		{"verified", multi, ann, same, "ann@contoso.example", true},
		{"not verified, multi-tenant", multi, bob, same, nil, nil},
		{"not verified, kept", multi, bob, func(a *graphtest.App) { a.KeepUnverifiedEmail = true }, "bob@elsewhere.example", false},
		{"not verified, single-tenant", single, bob, same, "bob@elsewhere.example", false},
		{"not asked for", multi, ann, func(a *graphtest.App) { a.OptionalClaims = nil }, "ann@contoso.example", nil},
	} {
		if email, edov := claimsOf(test.change, test.app, test.person); email != test.email || edov != test.edov {
			t.Errorf("%s: email %v and xms_edov %v", test.name, email, edov)
		}
	}
}

func TestKeysRotate(t *testing.T) {
	s := graphtest.Start(t, directory())
	provider, err := oidc.NewProvider(t.Context(), s.Issuer(contoso))
	if err != nil {
		t.Fatal(err)
	}
	// A verifier of its own each time: what it has cached must not decide.
	verify := func(token string) error {
		_, err := provider.VerifierContext(t.Context(), &oidc.Config{ClientID: multi}).Verify(t.Context(), token)
		return err
	}
	token := func() string {
		t.Helper()
		raw, err := s.Token(graphtest.TokenOrder{App: multi, Tenant: contoso, Person: ann})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	old := token()
	_, first := s.Keys()
	if err := s.RemoveKey(first); err == nil {
		t.Error("the key that signs was removed")
	}
	second, err := s.AddKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(old); err != nil {
		t.Error(err)
	}
	if _, signs := s.Keys(); signs != first {
		t.Error("a new key signs at once")
	}
	if err := s.SignWith(second); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{old, token()} {
		if err := verify(raw); err != nil {
			t.Error(err)
		}
	}
	if err := s.RemoveKey(first); err != nil {
		t.Fatal(err)
	}
	if verify(old) == nil || verify(token()) != nil {
		t.Error("after the first key left, its tokens are good, or those of the second are not")
	}
	if published, signs := s.Keys(); !slices.Equal(published, []string{second}) || signs != second {
		t.Errorf("published are %v, and %s signs", published, signs)
	}
	if s.SignWith(first) == nil || s.RemoveKey(first) == nil {
		t.Error("a key that has gone signs, or goes again")
	}
}

func TestMetadataOfEverybodyNamesNoTenant(t *testing.T) {
	s := graphtest.Start(t, directory())
	get := func(path string) map[string]any {
		t.Helper()
		status, answer := send(t, "GET", s.URL+path, "", nil)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %v", path, status, answer)
		}
		return answer
	}
	keys := func(path string) map[string]string {
		found := map[string]string{}
		for _, k := range get(path)["keys"].([]any) {
			key := k.(map[string]any)
			found[key["kid"].(string)] = key["issuer"].(string)
		}
		return found
	}
	_, signs := s.Keys()
	for _, name := range []string{"common", "organizations"} {
		meta := get("/" + name + "/v2.0/.well-known/openid-configuration")
		if meta["issuer"] != s.URL+"/{tenantid}/v2.0" {
			t.Errorf("%s has the issuer %v", name, meta["issuer"])
		}
		published := keys("/" + name + "/discovery/v2.0/keys")
		if len(published) != 2 || published[signs] != s.URL+"/{tenantid}/v2.0" {
			t.Errorf("%s publishes %v", name, published)
		}
		delete(published, signs)
		for _, issuer := range published {
			if issuer != s.URL+"/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0" {
				t.Errorf("the other key is for %v", issuer)
			}
		}
	}
	if meta := get("/contoso.example/v2.0/.well-known/openid-configuration"); meta["issuer"] != s.Issuer(contoso) {
		t.Errorf("found by its domain, the tenant has the issuer %v", meta["issuer"])
	}
	if published := keys("/" + contoso + "/discovery/v2.0/keys"); len(published) != 1 || published[signs] != s.Issuer(contoso) {
		t.Errorf("a tenant publishes %v", published)
	}
	for _, path := range []string{"/nowhere.example/v2.0/.well-known/openid-configuration", "/nowhere.example/discovery/v2.0/keys"} {
		if status, answer := send(t, "GET", s.URL+path, "", nil); status != http.StatusBadRequest || answer["error"] != "invalid_request" {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
}

// Forged tokens are what they say: good signatures over wrong claims, and a key of somebody else.
func TestTokensThatEntraWouldNotGive(t *testing.T) {
	s := graphtest.Start(t, directory())
	provider, err := oidc.NewProvider(t.Context(), s.Issuer(contoso))
	if err != nil {
		t.Fatal(err)
	}
	verify := func(o graphtest.TokenOrder) error {
		o.App, o.Tenant, o.Person = multi, contoso, ann
		raw, err := s.Token(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = provider.VerifierContext(t.Context(), &oidc.Config{ClientID: multi}).Verify(t.Context(), raw)
		return err
	}
	if err := verify(graphtest.TokenOrder{Nonce: "n", Change: map[string]any{"name": nil}}); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]graphtest.TokenOrder{
		"another audience": {Change: map[string]any{"aud": single}},
		"another issuer":   {Change: map[string]any{"iss": s.Issuer(fabrikam)}},
		"expired":          {Change: map[string]any{"exp": 1}},
		"not yet valid":    {Change: map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}},
		"consumers":        {Consumers: true},
	} {
		if verify(o) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := s.Token(graphtest.TokenOrder{App: multi, Tenant: fabrikam, Person: ann}); err == nil {
		t.Error("a token for somebody of another tenant")
	}
}
