package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"

	"example.com/partnertree/shared/clocktest"
)

const (
	redirect = "https://admin.vazon.example/signed-in"
	code     = "0.the-authorization-code"
	password = "the-password-of-the-app"
)

// visit is one sign-in: what was begun, and what the token endpoint was asked.
type visit struct {
	*SignIn
	entra *issuer
	flow  Flow
	asked url.Values
}

// begins has a visitor go off to Entra, which then answers the code with an ID token; change edits it.
func begins(t *testing.T, app App, change ...map[string]any) (*visit, *url.URL) {
	v := &visit{entra: entra(t)}
	v.SignIn = NewSignIn(v.entra.verifier(), Secret(password))
	to, flow := v.Begin(app, redirect, "")
	v.flow = flow
	v.entra.answersToken(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		v.asked = r.PostForm
		switch {
		case r.PostForm.Get("code") != code || oauth2.S256ChallengeFromVerifier(r.PostForm.Get("code_verifier")) != challenge(to):
			answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "AADSTS70008: for " + aliceAddress})
		default:
			claims := v.entra.idToken(append([]map[string]any{{"nonce": flow.Nonce}}, change...)...)
			answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": "for-graph", "id_token": sign(claims)})
		}
	})
	return v, must(url.Parse(to))
}

func challenge(to string) string { return must(url.Parse(to)).Query().Get("code_challenge") }

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// returns is the query that Entra sends the visitor back with.
func (v *visit) returns(change ...[2]string) url.Values {
	q := url.Values{"code": {code}, "state": {v.flow.State}, "session_state": {"s"}}
	for _, c := range change {
		q.Add(c[0], c[1])
	}
	return q
}

func TestSomebodySignsIn(t *testing.T) {
	for name, c := range map[string]struct {
		tenants Tenants
		path    string
	}{
		"where one tenant is let in": {OnlyTenants(strings.ToUpper(vazon)), vazon},
		"where several are":          {OnlyTenants(vazon, stranger), "organizations"},
		"where all are":              {AnyTenant(), "organizations"},
	} {
		app := App{portal, c.tenants}
		v, to := begins(t, app)
		want := url.Values{
			"client_id": {portal}, "redirect_uri": {redirect}, "response_type": {"code"}, "response_mode": {"query"},
			"scope": {"openid profile email"}, "state": {v.flow.State}, "nonce": {v.flow.Nonce}, "prompt": {"select_account"},
			"code_challenge": {oauth2.S256ChallengeFromVerifier(v.flow.Verifier)}, "code_challenge_method": {"S256"},
		}
		if at := v.entra.URL + "/" + c.path + "/oauth2/v2.0/authorize"; !strings.HasPrefix(to.String(), at+"?") || to.RawQuery != want.Encode() {
			t.Errorf("%s: sent to %s", name, to)
		}
		for _, iss := range [][][2]string{nil, {{"iss", v.entra.URL + "/" + vazon + "/v2.0"}}} {
			got, err := v.Finish(t.Context(), app, redirect, v.flow, v.returns(iss...))
			if got != (Person{vazon, alice, "Alice Le Page", aliceAddress, true}) || err != nil {
				t.Errorf("%s: %#v, %v", name, got, err)
			}
		}
		want = url.Values{
			"grant_type": {"authorization_code"}, "client_id": {portal}, "client_secret": {password}, "code": {code},
			"code_verifier": {v.flow.Verifier}, "redirect_uri": {redirect},
		}
		if v.asked.Encode() != want.Encode() {
			t.Errorf("%s: the token endpoint was asked %v", name, v.asked)
		}
	}
}

func TestTheHintIsFilledInInsteadOfAskingForAnAccount(t *testing.T) {
	s := NewSignIn(NewVerifier(Global, nil, nil), Secret(password))
	to, _ := s.Begin(ours, redirect, aliceAddress)
	u := must(url.Parse(to))
	if q := u.Query(); q.Get("login_hint") != aliceAddress || q.Has("prompt") || u.Host != "login.microsoftonline.com" {
		t.Error(to)
	}
}

func TestEachFlowHasSecretsOfItsOwn(t *testing.T) {
	s := NewSignIn(NewVerifier(Global, nil, nil), Secret(password))
	seen := map[string]bool{"": true}
	for range 100 {
		_, f := s.Begin(ours, redirect, "")
		for _, secret := range []string{f.State, f.Nonce, f.Verifier} {
			if seen[secret] || len(secret) < 26 { // 26 characters of base32 are 130 bits
				t.Fatalf("%q", secret)
			}
			seen[secret] = true
		}
	}
}

func TestAnAssertionTakesThePlaceOfASecret(t *testing.T) {
	v, _ := begins(t, ours)
	v.SignIn = NewSignIn(v.verifier, Assertion(func(_ context.Context, client, endpoint string) (string, error) {
		return "for " + client + " at " + strings.TrimPrefix(endpoint, v.entra.URL), nil
	}))
	if _, err := v.Finish(t.Context(), ours, redirect, v.flow, v.returns()); err != nil {
		t.Fatal(err)
	}
	if v.asked.Has("client_secret") || v.asked.Get("client_assertion") != "for "+portal+" at /"+vazon+"/oauth2/v2.0/token" ||
		v.asked.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("the token endpoint was asked %v", v.asked)
	}
	v.asked = nil
	broken := errors.New("no identity today")
	v.SignIn = NewSignIn(v.verifier, Assertion(func(context.Context, string, string) (string, error) { return "", broken }))
	if _, err := v.Finish(t.Context(), ours, redirect, v.flow, v.returns()); !unavailable(err) || !errors.Is(err, broken) || v.asked != nil {
		t.Errorf("%v, asked %v", err, v.asked)
	}
}

func TestACredentialPrintsNothing(t *testing.T) {
	if s := fmt.Sprintf("%v %+v %#v", Secret(password), NewSignIn(nil, Secret(password)), Secret(password)); strings.Contains(s, password) {
		t.Error(s)
	}
}

// Nothing of these is even sent to Entra.
func TestACallbackThatIsNotThisFlowsIsRefused(t *testing.T) {
	v, _ := begins(t, ours)
	_, other := v.Begin(ours, redirect, "")
	issuer := v.entra.URL + "/" + vazon + "/v2.0"
	for _, c := range []struct {
		name     string
		flow     Flow
		callback url.Values
		want     Refusal
	}{
		{"the state of another flow", v.flow, url.Values{"code": {code}, "state": {other.State}}, State},
		{"another browser's flow", other, v.returns(), State},
		{"no state", v.flow, url.Values{"code": {code}}, State},
		{"an empty state", v.flow, url.Values{"code": {code}, "state": {""}}, State},
		{"no flow", Flow{}, url.Values{"code": {code}, "state": {""}}, State},
		{"an error without the state", v.flow, url.Values{"error": {"access_denied"}}, State},
		{"nothing", v.flow, url.Values{}, State},
		{"two states", v.flow, v.returns([2]string{"state", other.State}), Callback},
		{"two codes", v.flow, v.returns([2]string{"code", "another"}), Callback},
		{"two issuers", v.flow, v.returns([2]string{"iss", issuer}, [2]string{"iss", issuer}), Callback},
		{"no code", v.flow, url.Values{"state": {v.flow.State}}, Callback},
		{"an empty code", v.flow, url.Values{"state": {v.flow.State}, "code": {""}}, Callback},
		{"an issuer elsewhere", v.flow, v.returns([2]string{"iss", "https://login.evil.example/" + vazon + "/v2.0"}), Issuer},
		{"an issuer that is longer", v.flow, v.returns([2]string{"iss", issuer + "/more"}), Issuer},
		{"an issuer that is shorter", v.flow, v.returns([2]string{"iss", v.entra.URL + "/" + vazon}), Issuer},
		{"an issuer that is no tenant", v.flow, v.returns([2]string{"iss", v.entra.URL + "/common/v2.0"}), Issuer},
		{"a tenant that is not let in", v.flow, v.returns([2]string{"iss", v.entra.URL + "/" + stranger + "/v2.0"}), Issuer},
		{"an empty issuer", v.flow, v.returns([2]string{"iss", ""}), Issuer},
	} {
		p, err := v.Finish(t.Context(), ours, redirect, c.flow, c.callback)
		if !errors.Is(err, c.want) || p != (Person{}) {
			t.Errorf("%s: %#v, %v", c.name, p, err)
		}
	}
	if v.asked != nil || v.entra.fetches.Load() != 0 {
		t.Errorf("Entra was asked %v, and for keys %d times", v.asked, v.entra.fetches.Load())
	}
}

func TestAnErrorCountsBeforeWhateverElseComesWithIt(t *testing.T) {
	v, _ := begins(t, ours)
	for _, c := range []struct {
		code, description string
		want              Answered
	}{
		{"access_denied", "AADSTS65004: User " + aliceAddress + " declined to consent.", Answered{"access_denied", 65004}},
		{"login_required", "", Answered{"login_required", 0}},
		{"invalid_request", "AADSTS: odd", Answered{"invalid_request", 0}},
		{"invalid_request", "AADSTS99999999999999999999", Answered{"invalid_request", 999999999}},
		{aliceAddress, "", Answered{"an unreadable error", 0}},
		{strings.Repeat("a", 65), "", Answered{"an unreadable error", 0}},
		{"", "", Answered{"an unreadable error", 0}},
	} {
		callback := v.returns([2]string{"error", c.code}, [2]string{"error_description", c.description}, [2]string{"admin_consent", "True"})
		p, err := v.Finish(t.Context(), ours, redirect, v.flow, callback)
		var got *Answered
		if !errors.As(err, &got) || *got != c.want || p != (Person{}) || unavailable(err) {
			t.Errorf("%q, %q: %v", c.code, c.description, err)
		}
		saysNothing(t, err, aliceAddress, v.flow.State, code)
	}
	for _, busy := range []string{"temporarily_unavailable", "server_error"} {
		_, err := v.Finish(t.Context(), ours, redirect, v.flow, v.returns([2]string{"error", busy}))
		if !unavailable(err) || !strings.Contains(err.Error(), busy) {
			t.Errorf("%s: %v", busy, err)
		}
	}
	if v.asked != nil {
		t.Errorf("the code was redeemed: %v", v.asked)
	}
}

func TestATokenThatIsNotThisFlowsIsRefused(t *testing.T) {
	elsewhere := func(v *visit, tenant string) string { return v.entra.URL + "/" + tenant + "/v2.0" }
	for name, c := range map[string]struct {
		change map[string]any
		want   Refusal
	}{
		"of another sign-in":      {map[string]any{"nonce": nonce}, Nonce},
		"of another brand's app":  {map[string]any{"aud": rival}, Audience},
		"that has expired":        {map[string]any{"exp": began.Unix() - 120}, Expired},
		"of nobody in particular": {map[string]any{"oid": nil}, ObjectID},
	} {
		v, _ := begins(t, ours, c.change)
		if p, err := v.Finish(t.Context(), ours, redirect, v.flow, v.returns()); !errors.Is(err, c.want) || p != (Person{}) {
			t.Errorf("%s: %#v, %v", name, p, err)
		}
	}
	anybody := App{portal, AnyTenant()}
	v, _ := begins(t, anybody)
	answers := v.returns([2]string{"iss", elsewhere(v, stranger)})
	if p, err := v.Finish(t.Context(), anybody, redirect, v.flow, answers); !errors.Is(err, Issuer) || p != (Person{}) {
		t.Errorf("of another tenant than the one that answers: %#v, %v", p, err)
	}
}

func TestWhatTheTokenEndpointAnswers(t *testing.T) {
	v, _ := begins(t, ours)
	denied := map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret " + password}
	plain := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	secrets := []string{password, code, v.flow.Verifier, v.flow.State, v.flow.Nonce, aliceAddress, "the-token"}
	for _, c := range []struct {
		name    string
		answers http.HandlerFunc
		is      func(error) bool
	}{
		{"a wrong credential", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusUnauthorized, denied) },
			func(err error) bool { return isAnswered(err, Answered{"invalid_client", 7000215}) && !unavailable(err) }},
		{"an error that calls itself success", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, denied) },
			func(err error) bool { return isAnswered(err, Answered{"invalid_client", 7000215}) }},
		{"too many requests", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusTooManyRequests, denied) }, unavailable},
		{"a bad day", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusServiceUnavailable, denied) }, unavailable},
		{"a proxy's page", plain(http.StatusBadGateway, "<html>"+aliceAddress), unavailable},
		{"a page instead of tokens", plain(http.StatusOK, "the-token "+code), unavailable},
		{"half an answer", plain(http.StatusOK, `{"access_token":"the-token`), unavailable},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.evil.example/?code="+code, http.StatusTemporaryRedirect)
		}, unavailable},
		{"gone", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, unavailable},
		{"no ID token", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": "the-token"})
		}, func(err error) bool { return errors.Is(err, Malformed) }},
		{"an ID token that is no text", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": "the-token", "id_token": 1})
		}, func(err error) bool { return errors.Is(err, Malformed) }},
	} {
		v.entra.answersToken(c.answers)
		p, err := v.Finish(t.Context(), ours, redirect, v.flow, v.returns())
		if err == nil || !c.is(err) || p != (Person{}) {
			t.Errorf("%s: %#v, %v", c.name, p, err)
			continue
		}
		saysNothing(t, err, secrets...)
		for cause := err; cause != nil; cause = errors.Unwrap(cause) {
			saysNothing(t, cause, secrets...)
		}
	}
}

func isAnswered(err error, want Answered) bool {
	var got *Answered
	return errors.As(err, &got) && *got == want
}

func TestACodeOfAnotherFlowIsRefusedByEntra(t *testing.T) {
	v, _ := begins(t, ours)
	stolen := v.flow
	stolen.Verifier = oauth2.GenerateVerifier()
	_, err := v.Finish(t.Context(), ours, redirect, stolen, v.returns())
	if !isAnswered(err, Answered{"invalid_grant", 70008}) {
		t.Error(err)
	}
	saysNothing(t, err, aliceAddress)
}

func TestASignInEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		s := NewSignIn(NewVerifier(Global, silent, nil), Secret(password))
		_, flow := s.Begin(ours, redirect, "")
		began := clocktest.Now()
		_, err := s.Finish(context.Background(), ours, redirect, flow, url.Values{"code": {code}, "state": {flow.State}})
		if took := clocktest.Now().Sub(began); !unavailable(err) || !errors.Is(err, context.DeadlineExceeded) || took != signInTimeout {
			t.Errorf("after %v: %v", took, err)
		}
		saysNothing(t, err, password, code, flow.Verifier)
	})
}
