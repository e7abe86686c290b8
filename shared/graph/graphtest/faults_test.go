package graphtest_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"example.com/partnertree/shared/graph/graphtest"
)

func TestFaultsHappenAsOftenAsTold(t *testing.T) {
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.Invite.All", "User.Read.All")
	invite := func() (int, map[string]any) {
		return send(t, "POST", s.URL+"/v1.0/invitations", token, invitation("x@c.example"))
	}
	guests := func() int {
		_, list := send(t, "GET", s.URL+"/v1.0/users?$filter="+url.QueryEscape("userType eq 'Guest'"), token, nil)
		return len(list["value"].([]any))
	}
	fail := func(f graphtest.Fault) {
		t.Helper()
		if err := s.Fail(f); err != nil {
			t.Fatal(err)
		}
	}
	fail(graphtest.Fault{Method: "POST", Path: "/v1.0/*", Do: graphtest.Throttle, Count: 2, RetryAfter: 7})
	for range 2 {
		resp, err := http.Post(s.URL+"/v1.0/invitations", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
			t.Errorf("throttled: %d after %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	fail(graphtest.Fault{Path: "/v1.0/invitations", Do: graphtest.FailBefore, Status: 503})
	if status, answer := invite(); status != 503 || graphCode(answer) != "ServiceUnavailable" || guests() != 0 {
		t.Errorf("failing before: %d %v, %d guests", status, answer, guests())
	}
	fail(graphtest.Fault{Path: "/v1.0/invitations", Do: graphtest.FailBefore})
	if status, _ := invite(); status != 0 || guests() != 0 {
		t.Errorf("closed before: %d, %d guests", status, guests())
	}
	fail(graphtest.Fault{Path: "/v1.0/invitations", Do: graphtest.FailAfter})
	if status, _ := invite(); status != 0 || guests() != 1 {
		t.Errorf("closed after: %d, %d guests", status, guests())
	}
	fail(graphtest.Fault{Path: "/v1.0/users/*", Do: graphtest.FailBefore, Status: 404, Code: "Request_ResourceNotFound"})
	status, answer := send(t, "GET", s.URL+"/v1.0/users/"+bob, token, nil)
	if status != 404 || graphCode(answer) != "Request_ResourceNotFound" {
		t.Errorf("not there yet: %d %v", status, answer)
	}
	if status, _ := send(t, "GET", s.URL+"/v1.0/users/"+bob, token, nil); status != 200 {
		t.Errorf("there: %d", status)
	}
	fail(graphtest.Fault{Path: "/v1.0/organization", Do: graphtest.Late, Delay: 60})
	began := time.Now()
	if status, _ := send(t, "GET", s.URL+"/v1.0/organization", token, nil); status != 200 || time.Since(began) < 60*time.Millisecond {
		t.Errorf("late: %d after %v", status, time.Since(began))
	}
	fail(graphtest.Fault{Path: "/*/oauth2/v2.0/token", Do: graphtest.FailBefore, Status: 500})
	_, err := appAlone(t, s, onboard, contoso, graphScope, nil)
	refusedWith(t, err, "temporarily_unavailable", "90033")

	fail(graphtest.Fault{Path: "/v1.0/users", Do: graphtest.FailBefore, Status: 500, Count: 9})
	s.Heal()
	if guests() != 1 {
		t.Error("a fault that was healed happened")
	}
	for _, wrong := range []graphtest.Fault{
		{Path: "[", Do: graphtest.Late}, {Do: graphtest.Late}, {Path: "/", Do: "explode"},
		{Path: "/", Do: graphtest.FailBefore, Status: 200}, {Path: "/", Do: graphtest.Late, Delay: -1},
	} {
		if s.Fail(wrong) == nil {
			t.Errorf("%+v was taken", wrong)
		}
	}
}

// A whole run leaves no token, code, link, secret or address: neither in the list of requests nor in the log.
func TestNothingSecretIsKept(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	s := graphtest.Start(t, directory(), func(o *graphtest.Options) { o.Log = slog.New(slog.NewTextHandler(locked{&mu, &log}, nil)) })
	c := oauth(s, multi, contoso)
	code := newBrowser(t).code(c, "Ann Admin")
	tokens, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	app := graphAs(t, s, "User.Invite.All", "User.Read.All")
	_, invited := send(t, "POST", s.URL+"/v1.0/invitations", app, invitation("cleo@fabrikam.example"))
	link := invited["inviteRedeemUrl"].(string)
	b := newBrowser(t)
	b.press(b.open(link), "Cleo")
	send(t, "GET", s.URL+"/v1.0/users?$filter="+url.QueryEscape("mail eq 'cleo@fabrikam.example'"), app, nil)

	requests := s.Requests()
	kept, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	u, _ := url.Parse(link)
	for _, secret := range []string{code, tokens.AccessToken, tokens.RefreshToken, tokens.Extra("id_token").(string), app,
		u.Query().Get("ticket"), password, verifier, "the state", "the nonce", "cleo@"} {
		if bytes.Contains(kept, []byte(secret)) || strings.Contains(log.String(), secret) {
			t.Errorf("%q is kept", secret)
		}
	}
	want := []string{"GET /" + contoso + "/oauth2/v2.0/authorize 200", "POST /" + contoso + "/oauth2/v2.0/authorize 302",
		"POST /" + contoso + "/oauth2/v2.0/token 200", "POST /" + contoso + "/oauth2/v2.0/token 200", "POST /v1.0/invitations 201",
		"GET /redeem 200", "POST /redeem 302", "GET /v1.0/users 200"}
	if len(requests) != len(want) {
		t.Fatalf("%d requests: %s", len(requests), kept)
	}
	for i, r := range requests {
		if got := strings.Join([]string{r.Method, r.Path, jsonText(r.Status)}, " "); got != want[i] {
			t.Errorf("request %d is %s, not %s", i, got, want[i])
		}
	}
	if p := requests[2].Params; p["grant_type"] != "authorization_code" || p["client_id"] != multi || p["redirect_uri"] != redirect {
		t.Errorf("the parameters kept of a token request are %v", p)
	}
	if strings.Count(log.String(), "msg=request") != len(want) {
		t.Errorf("the log: %s", log.String())
	}
	if s.Forget(); len(s.Requests()) != 0 {
		t.Error("requests are not forgotten")
	}
}

func jsonText(v any) string { b, _ := json.Marshal(v); return string(b) }

// locked is a buffer that a server and a test share.
type locked struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestItCanBeToldOverHTTP(t *testing.T) {
	s := graphtest.Start(t, directory())
	control := func(method, path string, body any) (int, map[string]any) {
		t.Helper()
		return send(t, method, s.URL+"/_control/"+path, "", body)
	}
	ok := func(method, path string, body any) map[string]any {
		t.Helper()
		status, answer := control(method, path, body)
		if status/100 != 2 {
			t.Fatalf("%s %s: %d %v", method, path, status, answer)
		}
		return answer
	}
	ok("POST", "faults", graphtest.Fault{Path: "/common/discovery/v2.0/keys", Do: graphtest.FailBefore, Status: 500})
	if status, _ := send(t, "GET", s.URL+"/common/discovery/v2.0/keys", "", nil); status != 500 {
		t.Errorf("a fault told over HTTP: %d", status)
	}
	ok("POST", "faults", graphtest.Fault{Path: "/common/discovery/v2.0/keys", Do: graphtest.FailBefore, Status: 500})
	ok("DELETE", "faults", nil)
	if status, _ := send(t, "GET", s.URL+"/common/discovery/v2.0/keys", "", nil); status != 200 {
		t.Errorf("after healing: %d", status)
	}
	resp, err := http.Get(s.URL + "/_control/requests")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var requests []graphtest.Request
	if err := json.NewDecoder(resp.Body).Decode(&requests); err != nil || len(requests) != 2 || requests[0].Fault != graphtest.FailBefore {
		t.Errorf("requests %v, %v", requests, err)
	}
	ok("DELETE", "requests", nil)
	if len(s.Requests()) != 0 {
		t.Error("requests are not forgotten")
	}

	first := ok("GET", "keys", nil)["signs"].(string)
	second := ok("POST", "keys", struct{}{})["kid"].(string)
	ok("POST", "keys/"+second, struct{}{})
	ok("DELETE", "keys/"+first, nil)
	if published, signs := s.Keys(); len(published) != 1 || signs != second {
		t.Errorf("%v are published, %s signs", published, signs)
	}

	fay := graphtest.Person{ID: nobody, Name: "Fay", Mail: "fay@fabrikam.example"}
	ok("POST", "tenants/"+fabrikam+"/people", fay)
	if got := ok("GET", "tenants/fabrikam.example/people/"+nobody, nil); got["name"] != "Fay" {
		t.Errorf("Fay is %v", got)
	}
	ok("POST", "tenants/"+fabrikam+"/consents", graphtest.Consent{App: multi, Roles: []string{"User.Read.All"}})
	if _, err := appAlone(t, s, multi, fabrikam, graphScope, nil); err != nil {
		t.Error(err)
	}
	ok("DELETE", "tenants/"+fabrikam+"/consents/"+multi, nil)
	_, err = appAlone(t, s, multi, fabrikam, graphScope, nil)
	refusedWith(t, err, "unauthorized_client", "7000229")

	app := directory().Apps[0]
	app.RedirectURIs = []string{"https://new.contoso.example/"}
	ok("POST", "apps", app)
	if p := newBrowser(t).open(signInURL(oauth(s, multi, contoso), nil)); !strings.Contains(p.body, "AADSTS50011:") {
		t.Errorf("with other redirect URIs: %s", p.body)
	}
	app.ID = "eeeeeeee-0000-4000-8000-000000000001"
	ok("POST", "apps", app)
	forged := ok("POST", "tokens", graphtest.TokenOrder{App: app.ID, Tenant: fabrikam, Person: nobody, Change: map[string]any{"oid": ann}})
	if got := claims(t, forged["token"].(string)); got["oid"] != ann || got["aud"] != app.ID {
		t.Errorf("forged to order: %v", got)
	}

	for _, wrong := range []struct {
		path string
		body any
	}{
		{"faults", map[string]any{"path": "/", "do": "late", "often": 2}},
		{"faults", graphtest.Fault{Path: "/", Do: "explode"}},
		{"keys/made-up", struct{}{}},
		{"tokens", graphtest.TokenOrder{App: nobody}},
		{"apps", graphtest.App{ID: nobody}},
		{"tenants/nowhere/people", fay},
		{"tenants/" + contoso + "/people", graphtest.Person{ID: "x"}},
		{"tenants/" + contoso + "/consents", graphtest.Consent{App: nobody}},
	} {
		status, answer := control("POST", wrong.path, wrong.body)
		if status != 400 || !strings.HasPrefix(answer["error"].(string), "graphtest: ") {
			t.Errorf("%s %v: %d %v", wrong.path, wrong.body, status, answer)
		}
	}
	status, _ := send(t, "POST", s.URL+"/_control/keys", "", []byte("{}"), "Content-Type", "text/plain")
	if status != http.StatusUnsupportedMediaType {
		t.Errorf("what a page of another origin can send: %d", status)
	}
}

func TestItBearsManyAtOnce(t *testing.T) {
	s := graphtest.Start(t, directory())
	token := graphAs(t, s, "User.ReadWrite.All")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 5 {
				send(t, "POST", s.URL+"/v1.0/invitations", token, invitation(string(rune('a'+i))+"@c.example"))
				send(t, "GET", s.URL+"/v1.0/users", token, nil)
				if _, err := appAlone(t, s, onboard, contoso, graphScope, nil); err != nil {
					t.Error(err)
				}
				if err := s.Consent(fabrikam, multi, "User.Read.All"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if _, list := send(t, "GET", s.URL+"/v1.0/users", token, nil); len(list["value"].([]any)) != 2+8 {
		t.Errorf("%d people after 8 guests were invited five times each", len(list["value"].([]any)))
	}
}
