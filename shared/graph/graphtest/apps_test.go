package graphtest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"example.com/partnertree/shared/graph/graphtest"
)

const graphScope = "https://graph.microsoft.com/.default"

// appAlone gets the token of an app without a person.
func appAlone(t *testing.T, s *graphtest.Server, app, tenant, scope string, params url.Values) (*oauth2.Token, error) {
	t.Helper()
	c := clientcredentials.Config{ClientID: app, ClientSecret: password, TokenURL: s.URL + "/" + tenant + "/oauth2/v2.0/token",
		Scopes: []string{scope}, AuthStyle: oauth2.AuthStyleInParams, EndpointParams: params}
	if params != nil {
		c.ClientSecret = ""
	}
	return c.Token(t.Context())
}

func TestAnAppGetsATokenWhereItWasConsentedTo(t *testing.T) {
	s := graphtest.Start(t, directory())
	_, err := appAlone(t, s, onboard, contoso, graphScope, nil)
	refusedWith(t, err, "unauthorized_client", "7000229")

	if err := s.Consent(contoso, onboard, "User.Invite.All"); err != nil {
		t.Fatal(err)
	}
	token, err := appAlone(t, s, onboard, "contoso.example", graphScope+" openid offline_access profile", nil) // as Microsoft's SDK does
	if err != nil {
		t.Fatal(err)
	}
	got := claims(t, token.AccessToken)
	if fmt.Sprint(got["roles"]) != "[User.Invite.All]" || got["tid"] != contoso || got["aud"] != "https://graph.microsoft.com" ||
		got["appid"] != onboard || got["idtyp"] != "app" || got["scp"] != nil || token.RefreshToken != "" || token.Extra("id_token") != nil {
		t.Errorf("the app alone has %v", got)
	}
	own, err := appAlone(t, s, multi, contoso, "api://"+multi+"/.default", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := claims(t, own.AccessToken); got["aud"] != multi || got["ver"] != "2.0" || got["scp"] != nil || got["oid"] != got["sub"] {
		t.Errorf("for its own API the app alone has %v", got)
	}
	// Microsoft's SDK names Graph by the host of its base address, with https in any case.
	if _, err := appAlone(t, s, onboard, contoso, strings.Replace(s.URL, "http:", "https:", 1)+"/.default", nil); err != nil {
		t.Error(err)
	}

	for _, test := range []struct{ app, tenant, scope, code, number string }{
		{single, fabrikam, graphScope, "unauthorized_client", "700016"},
		{onboard, "common", graphScope, "invalid_request", "90002"},
		{onboard, contoso, "", "invalid_request", "900144"},
		{onboard, contoso, "https://graph.microsoft.com/User.Invite.All", "invalid_scope", "1002012"},
		{onboard, contoso, "openid", "invalid_scope", "1002012"},
		{onboard, contoso, "https://vault.azure.net/.default", "invalid_scope", "70011"},
	} {
		_, err := appAlone(t, s, test.app, test.tenant, test.scope, nil)
		refusedWith(t, err, test.code, test.number)
	}
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func assertion(token string) url.Values {
	return url.Values{"client_assertion": {token}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
}

// with is a copy of the claims with one changed.
func with(claims map[string]any, name string, value any) map[string]any {
	changed := map[string]any{name: value}
	for k, v := range claims {
		if k != name {
			changed[k] = v
		}
	}
	return changed
}

func TestAnAppProvesItselfByItsCertificate(t *testing.T) {
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	dir := directory()
	dir.Apps[0].Certificates = []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
	s := graphtest.Start(t, dir)
	one, two := sha1.Sum(der), sha256.Sum256(der)
	x5t := map[jose.HeaderKey]any{"x5t": base64.RawURLEncoding.EncodeToString(one[:])}
	good := map[string]any{"iss": multi, "sub": multi, "aud": s.URL + "/" + contoso + "/oauth2/v2.0/token", "jti": "1",
		"nbf": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	try := func(token string) error {
		_, err := appAlone(t, s, multi, contoso, graphScope, assertion(token))
		return err
	}
	for _, header := range []map[jose.HeaderKey]any{x5t, {"x5t#S256": base64.RawURLEncoding.EncodeToString(two[:])}} {
		if err := try(signed(t, key, header, good)); err != nil {
			t.Error(err)
		}
	}
	refusedWith(t, try("no.jwt.atall"), "invalid_client", "50027")
	refusedWith(t, try(signed(t, key, nil, good)), "invalid_client", "700027")
	refusedWith(t, try(signed(t, newKey(t), x5t, good)), "invalid_client", "700027")
	refusedWith(t, try(signed(t, key, x5t, with(good, "sub", "somebody else"))), "invalid_client", "700021")
	refusedWith(t, try(signed(t, key, x5t, with(good, "aud", "https://login.microsoftonline.com/x"))), "invalid_client", "700023")
	refusedWith(t, try(signed(t, key, x5t, with(good, "exp", time.Now().Add(-6*time.Minute).Unix()))), "invalid_client", "700024")
	refusedWith(t, try(signed(t, key, x5t, with(good, "exp", nil))), "invalid_client", "700024")
}

func TestAnAppProvesItselfByATokenOfAnotherIssuer(t *testing.T) {
	key := jose.JSONWebKey{Key: newKey(t), KeyID: "k", Algorithm: "RS256", Use: "sig"}
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jwks" {
			json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"issuer": issuer.URL, "jwks_uri": issuer.URL + "/jwks"})
	}))
	defer issuer.Close()
	const audience, role = "api://AzureADTokenExchange", "arn:aws:iam::123456789012:role/graph"
	dir := directory()
	dir.Apps[2].FederatedCredentials = []graphtest.FederatedCredential{
		{Name: "aws", Issuer: issuer.URL, Subject: role, Audiences: []string{audience}},
		{Name: "gone", Issuer: "http://127.0.0.1:1", Subject: role, Audiences: []string{audience}},
	}
	s := graphtest.Start(t, dir)
	if err := s.Consent(contoso, onboard, "User.Invite.All"); err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"iss": issuer.URL, "sub": role, "aud": audience, "exp": time.Now().Add(time.Minute).Unix()}
	try := func(key any, claims map[string]any) error {
		_, err := appAlone(t, s, onboard, contoso, graphScope, assertion(signed(t, key, nil, claims)))
		return err
	}
	if err := try(key, good); err != nil {
		t.Error(err)
	}
	refusedWith(t, try(key, with(good, "sub", role+"2")), "invalid_client", "70021")
	refusedWith(t, try(key, with(good, "aud", "sts.amazonaws.com")), "invalid_client", "70021")
	refusedWith(t, try(key, with(good, "iss", "https://other.example")), "invalid_client", "70021")
	refusedWith(t, try(key, with(good, "exp", time.Now().Add(-time.Minute).Unix())), "invalid_client", "700024")
	refusedWith(t, try(jose.JSONWebKey{Key: newKey(t), KeyID: "k"}, good), "invalid_client", "50013")
	refusedWith(t, try(key, with(good, "iss", "http://127.0.0.1:1")), "invalid_client", "50166")
}

func consentURL(s *graphtest.Server, app, tenant string, change url.Values) string {
	q := url.Values{"client_id": {app}, "scope": {graphScope}, "redirect_uri": {redirect}, "state": {"the state"}}
	for name, values := range change {
		q[name] = values
	}
	return s.URL + "/" + tenant + "/v2.0/adminconsent?" + q.Encode()
}

func TestAnAdministratorConsents(t *testing.T) {
	s := graphtest.Start(t, directory())
	b := newBrowser(t)
	asks := b.open(consentURL(s, onboard, contoso, nil))
	if !strings.Contains(asks.body, "User.Invite.All") || asks.buttons()["Cleo"] != "" {
		t.Errorf("the page: %s", asks.body)
	}
	no := b.press(asks, "Cancel")
	wantError(t, "declined", no, "consent_required", "65004")
	if q := no.to.Query(); q.Get("admin_consent") != "True" || q.Get("tenant") != contoso || q.Get("state") != "the state" {
		t.Errorf("declining leads to %v", no.to)
	}
	if p := b.press(asks, "Bob <Builder>"); p.to != nil || !strings.Contains(p.body, "AADSTS90094:") {
		t.Errorf("somebody who is no administrator: %v %s", p.to, p.body)
	}
	if p := b.send(asks, url.Values{"account": {fabrikam + "/" + dan}}); p.to != nil || !strings.Contains(p.body, "AADSTS50020:") {
		t.Errorf("an administrator of another tenant: %v %s", p.to, p.body)
	}
	_, err := appAlone(t, s, onboard, contoso, graphScope, nil)
	refusedWith(t, err, "unauthorized_client", "7000229")

	yes := b.press(asks, "Ann Admin")
	want := url.Values{"admin_consent": {"True"}, "tenant": {contoso}, "scope": {graphScope}, "state": {"the state"}}
	if yes.to == nil || yes.to.Query().Encode() != want.Encode() {
		t.Fatalf("accepting leads to %v", yes.to)
	}
	token, err := appAlone(t, s, onboard, contoso, graphScope, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(claims(t, token.AccessToken)["roles"]); got != "[Application.ReadWrite.OwnedBy User.Invite.All]" {
		t.Errorf("the app may %s", got)
	}
}

func TestConsentErrorsCarryAdminConsentToo(t *testing.T) {
	s := graphtest.Start(t, directory())
	b := newBrowser(t)
	for _, test := range []struct{ scope, code, number string }{
		{"", "invalid_request", "900144"},
		{"https://vault.azure.net/.default", "invalid_scope", "70011"},
	} {
		p := b.open(consentURL(s, onboard, contoso, url.Values{"scope": {test.scope}}))
		wantError(t, "scope "+test.scope, p, test.code, test.number)
		if p.to != nil && p.to.Query().Get("admin_consent") != "True" {
			t.Errorf("scope %q leads to %v", test.scope, p.to)
		}
	}
	p := b.open(consentURL(s, onboard, contoso, url.Values{"redirect_uri": {"https://evil.example"}}))
	if p.to != nil || !strings.Contains(p.body, "AADSTS50011:") {
		t.Errorf("to another redirect URI: %v %s", p.to, p.body)
	}
	// What is named one by one is delegated: the app alone may nothing.
	named := b.open(consentURL(s, onboard, "organizations", url.Values{"scope": {"https://graph.microsoft.com/User.Read"}}))
	if yes := b.press(named, "Ann Admin"); yes.to == nil || yes.to.Query().Get("tenant") != contoso {
		t.Errorf("accepting leads to %v", yes.to)
	}
	token, err := appAlone(t, s, onboard, contoso, graphScope, nil)
	if err != nil {
		t.Fatal(err)
	}
	if roles := claims(t, token.AccessToken)["roles"]; roles != nil {
		t.Errorf("the app may %v", roles)
	}
}

func TestADirectoryThatIsWrongIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*graphtest.Directory){
		"is not a GUID":      func(d *graphtest.Directory) { d.Tenants[0].ID = strings.ToUpper(contoso) },
		"already":            func(d *graphtest.Directory) { d.Tenants[1].People[0].ID = ann },
		"has no domain":      func(d *graphtest.Directory) { d.Tenants[0].Domains = nil },
		"not of one tenant":  func(d *graphtest.Directory) { d.Tenants[1].Domains = d.Tenants[0].Domains },
		"not invited from":   func(d *graphtest.Directory) { d.Tenants[0].Guests.InvitesFrom = "anybody" },
		"a mail address":     func(d *graphtest.Directory) { d.Tenants[0].People[0].Mail = "" },
		"state of a guest":   func(d *graphtest.Directory) { d.Tenants[0].People[0].Guest = &graphtest.Guest{} },
		"the audience":       func(d *graphtest.Directory) { d.Apps[0].Audience = "everybody" },
		"must be https":      func(d *graphtest.Directory) { d.Apps[0].RedirectURIs = []string{"http://contoso.example/"} },
		"no fragment":        func(d *graphtest.Directory) { d.Apps[0].RedirectURIs = []string{"https://contoso.example/#a"} },
		"there is no tenant": func(d *graphtest.Directory) { d.Apps[0].Tenant = nobody },
		"no app":             func(d *graphtest.Directory) { d.Tenants[0].Consents = []graphtest.Consent{{App: nobody}} },
		"optional claim":     func(d *graphtest.Directory) { d.Apps[0].OptionalClaims = []string{"email_verified"} },
		"not in PEM":         func(d *graphtest.Directory) { d.Apps[0].Certificates = []string{"x"} },
		"exactly one audience": func(d *graphtest.Directory) {
			d.Apps[0].FederatedCredentials = []graphtest.FederatedCredential{{Name: "x"}}
		},
	} {
		dir := directory()
		spoil(&dir)
		if _, err := graphtest.New(dir, graphtest.Options{Base: "http://localhost:1"}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	local := directory()
	local.Apps[0].RedirectURIs = []string{"http://admin.contoso.localhost:8080/signin", "http://localhost/x", "http://127.0.0.1:1/"}
	if _, err := graphtest.New(local, graphtest.Options{Base: "http://localhost:1"}); err != nil {
		t.Error(err)
	}
	for _, base := range []string{"", "localhost:1", "http://localhost:1/"} {
		if _, err := graphtest.New(directory(), graphtest.Options{Base: base}); err == nil {
			t.Errorf("the base %q was taken", base)
		}
	}
}
