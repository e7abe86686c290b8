package guests

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"example.com/partnertree/shared/graph/graphtest"
	"example.com/partnertree/shared/guest"
)

const (
	platform = "11111111-0000-4000-8000-000000000001" // the platform's own tenant
	partner  = "11111111-0000-4000-8000-000000000002" // a partner's
	onboard  = "22222222-0000-4000-8000-000000000001" // the platform's app
	secret   = "the secret"
	invites  = "/v1.0/invitations"
	address  = "amelie@vale.example"
)

// world is Microsoft with one partner, who has consented, unless adjust says otherwise.
type world struct {
	*graphtest.Double
	*Inviter
	url  string
	stub http.HandlerFunc // answers invitations instead, when it is set
}

func newWorld(t *testing.T, adjust ...func(*graphtest.Directory)) *world {
	t.Helper()
	dir := graphtest.Directory{
		Tenants: []graphtest.Tenant{
			{ID: platform, Name: "Cloudvendor", Domains: []string{"cloudvendor.example"}},
			{ID: partner, Name: "Cobo", Domains: []string{"cobo.example"},
				Consents: []graphtest.Consent{{App: onboard, Roles: []string{"User.Invite.All"}}},
				People:   []graphtest.Person{{ID: "33333333-0000-4000-8000-000000000001", Name: "Bea", Mail: "bea@cobo.example", MailVerified: true}}},
		},
		Apps: []graphtest.App{{ID: onboard, Name: "Onboarding", Tenant: platform, Audience: graphtest.MultiTenant, Secrets: []string{secret},
			Permissions: []string{"User.Invite.All"}}},
	}
	for _, f := range adjust {
		f(&dir)
	}
	w := &world{}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.stub != nil && r.URL.Path == invites {
			w.stub(rw, r)
			return
		}
		w.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	var err error
	if w.Double, err = graphtest.New(dir, graphtest.Options{Base: s.URL}); err != nil {
		t.Fatal(err)
	}
	w.url = s.URL
	w.Inviter = New(s.URL, s.URL, App{Client: onboard, Secret: secret})
	return w
}

func order(email string) guest.Order {
	return guest.Order{Tenant: partner, Email: email, Name: "Amélie Le Page", Redirect: "https://admin.cobo.example/invitations/0123.abc"}
}

// invite gives an order the seconds that it has in the function.
func (w *world) invite(t *testing.T, o guest.Order) (guest.Outcome, *Failure) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return w.within(t, ctx, o)
}

func (w *world) within(t *testing.T, ctx context.Context, o guest.Order) (guest.Outcome, *Failure) {
	t.Helper()
	out, err := w.Invite(ctx, o)
	if err == nil {
		return out, nil
	}
	f, ok := errors.AsType[*Failure](err)
	if !ok || out != (guest.Outcome{}) {
		t.Fatalf("%+v with an error that is a %T", out, err)
	}
	for _, never := range []string{o.Email, "@", "http", o.Redirect, partner, onboard, secret} {
		if strings.Contains(fmt.Sprintf("%v %+v", err, *f), never) {
			t.Errorf("the error tells %q: %v", never, err)
		}
	}
	return out, f
}

// asked counts the requests to a path.
func (w *world) asked(path string) (n int) {
	for _, r := range w.Requests() {
		if r.Path == path {
			n++
		}
	}
	return n
}

const tokens = "/" + partner + "/oauth2/v2.0/token"

func TestSomebodyIsMadeAGuest(t *testing.T) {
	w := newWorld(t)
	first, failed := w.invite(t, order(address))
	if failed != nil || !strings.HasPrefix(first.RedeemURL, w.url+"/redeem?") || len(first.Object) != 36 || first.Refused != "" {
		t.Fatalf("%+v, %v", first, failed)
	}
	made, ok := w.Person(partner, first.Object)
	if !ok || made.Guest == nil || made.Guest.State != graphtest.PendingAcceptance || made.Mail != address || made.Name != "Amélie Le Page" {
		t.Errorf("made %+v", made)
	}
	again, failed := w.invite(t, order(address))
	if failed != nil || again.Object != first.Object || again.RedeemURL == first.RedeemURL {
		t.Errorf("again: %+v, %v", again, failed)
	}
	other, failed := w.invite(t, order("cleo@nowhere.example"))
	if failed != nil || other.Object == first.Object {
		t.Errorf("somebody else: %+v, %v", other, failed)
	}
	if n := w.asked(tokens); n != 1 {
		t.Errorf("%d tokens for three guests", n)
	}
}

// What Graph is asked, in its own words: above all that it sends no mail.
func TestGraphIsAskedForAGuestWithoutAMail(t *testing.T) {
	w := newWorld(t)
	w.stub = func(rw http.ResponseWriter, r *http.Request) {
		var got map[string]any
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		want := map[string]any{"invitedUserEmailAddress": address, "invitedUserDisplayName": "Amélie Le Page", "sendInvitationMessage": false,
			"inviteRedirectUrl": "https://admin.cobo.example/invitations/0123.abc"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("asked for %v, want %v", got, want)
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusCreated)
		fmt.Fprint(rw, `{"inviteRedeemUrl":"https://redeem.example/1","invitedUser":{"id":"ABCDEF00-0000-4000-8000-000000000001"}}`)
	}
	out, failed := w.invite(t, order(address))
	if failed != nil || out != (guest.Outcome{RedeemURL: "https://redeem.example/1", Object: "abcdef00-0000-4000-8000-000000000001"}) {
		t.Errorf("%+v, %v", out, failed)
	}
}

func TestWhoIsAMemberNeedsNothing(t *testing.T) {
	w := newWorld(t)
	if out, failed := w.invite(t, order("bea@cobo.example")); failed != nil || out != (guest.Outcome{}) {
		t.Errorf("%+v, %v", out, failed)
	}
}

func TestRefusalsAreToldApart(t *testing.T) {
	inPartner := func(change func(*graphtest.Tenant)) func(*graphtest.Directory) {
		return func(d *graphtest.Directory) { change(&d.Tenants[1]) }
	}
	for name, c := range map[string]struct {
		adjust func(*graphtest.Directory)
		email  string
		want   Failure
	}{
		"administrators alone": {inPartner(func(p *graphtest.Tenant) { p.Guests.InvitesFrom = "adminsAndGuestInviters" }), address,
			Failure{guest.AdminsOnly, graph, 403, "Forbidden"}},
		"nobody at all": {inPartner(func(p *graphtest.Tenant) { p.Guests.InvitesFrom = "none" }), address,
			Failure{guest.AdminsOnly, graph, 403, "Forbidden"}},
		"a domain that is blocked": {inPartner(func(p *graphtest.Tenant) { p.Guests.BlockedDomains = []string{"vale.example"} }), address,
			Failure{guest.Blocked, graph, 400, "BadRequest"}},
		"a plus": {nil, "amelie+1@vale.example", Failure{guest.AddressRefused, graph, 400, "BadRequest"}},
		"no consent": {inPartner(func(p *graphtest.Tenant) { p.Consents = nil }), address,
			Failure{guest.NoConsent, entra, 400, "AADSTS7000229"}},
		"no consent to this": {inPartner(func(p *graphtest.Tenant) { p.Consents[0].Roles = nil }), address,
			Failure{guest.NoConsent, graph, 403, "Authorization_RequestDenied"}},
		"no such tenant": {func(d *graphtest.Directory) { d.Tenants = d.Tenants[:1] }, address, Failure{guest.Rejected, entra, 400, "AADSTS90002"}},
		"no such secret": {func(d *graphtest.Directory) { d.Apps[0].Secrets = nil }, address, Failure{"", entra, 401, "AADSTS7000215"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want.Code == "Authorization_RequestDenied" {
				graphtest.NeedsMetadata(t)
			}
			w := newWorld(t)
			if c.adjust != nil {
				w = newWorld(t, c.adjust)
			}
			if _, failed := w.invite(t, order(c.email)); failed == nil || *failed != c.want {
				t.Errorf("%+v, want %+v", failed, c.want)
			}
		})
	}
}

// A token tells what the app was allowed when it was issued, so one from before the consent must not be kept.
func TestAConsentCountsWithTheNextTry(t *testing.T) {
	graphtest.NeedsMetadata(t)
	w := newWorld(t, func(d *graphtest.Directory) { d.Tenants[1].Consents[0].Roles = nil })
	for range 2 {
		if _, failed := w.invite(t, order(address)); failed == nil || failed.Refusal != guest.NoConsent {
			t.Fatalf("without consent: %v", failed)
		}
	}
	if err := w.Consent(partner, onboard, "User.Invite.All"); err != nil {
		t.Fatal(err)
	}
	if out, failed := w.invite(t, order(address)); failed != nil || out.Object == "" {
		t.Errorf("after the consent: %v", failed)
	}
	if err := w.Withdraw(partner, onboard); err != nil {
		t.Fatal(err)
	}
	if _, failed := w.invite(t, order(address)); failed == nil || failed.Refusal != guest.NoConsent {
		t.Errorf("after it was withdrawn: %v", failed)
	}
}

func TestWhatPassesIsNoRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		fault graphtest.Fault
		want  Failure
	}{
		"throttled": {graphtest.Fault{Path: invites, Do: graphtest.Throttle, RetryAfter: 60},
			Failure{"", graph, 429, "TooManyRequests"}},
		"a fault": {graphtest.Fault{Path: invites, Do: graphtest.FailBefore, Status: 500},
			Failure{"", graph, 500, "InternalServerError"}},
		"a fault after it is done": {graphtest.Fault{Path: invites, Do: graphtest.FailAfter, Status: 500},
			Failure{"", graph, 500, "InternalServerError"}},
		"cut off":                  {graphtest.Fault{Path: invites, Do: graphtest.FailBefore, Count: 9}, Failure{Of: graph}},
		"cut off after it is done": {graphtest.Fault{Path: invites, Do: graphtest.FailAfter, Count: 9}, Failure{Of: graph}},
		"late":                     {graphtest.Fault{Path: invites, Do: graphtest.Late, Delay: 1500}, Failure{Of: graph}},
		"a conflict": {graphtest.Fault{Path: invites, Do: graphtest.FailBefore, Status: 409},
			Failure{"", graph, 409, "Conflict"}},
		"a token that is not taken": {graphtest.Fault{Path: invites, Do: graphtest.FailBefore, Status: 401, Code: "InvalidAuthenticationToken"},
			Failure{"", graph, 401, "InvalidAuthenticationToken"}},
		"no token for now": {graphtest.Fault{Path: tokens, Do: graphtest.FailBefore, Status: 500}, Failure{"", entra, 500, "AADSTS90033"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.Fail(c.fault); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, failed := w.within(t, ctx, order(address))
			if failed == nil || *failed != c.want {
				t.Errorf("%+v, want %+v", failed, c.want)
			}
			w.Heal()
			out, failed := w.invite(t, order(address))
			if failed != nil || out.Object == "" {
				t.Errorf("the next time: %+v", failed)
			}
		})
	}
}

// Graph can answer with anything.
func TestNoAnswerOfGraphIsBelievedOrPassedOn(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   Failure
	}{
		"nothing in an error":  {400, `{"error":{}}`, Failure{guest.Rejected, graph, 400, ""}},
		"no error in an error": {400, `{}`, Failure{guest.Rejected, graph, 400, ""}},
		"no JSON":              {400, `<p>` + address, Failure{guest.Rejected, graph, 400, ""}},
		"nothing":              {403, ``, Failure{guest.Rejected, graph, 403, ""}},
		"a code that is a text": {400, `{"error":{"code":"` + address + `","message":"` + address + `"}}`,
			Failure{guest.Rejected, graph, 400, ""}},
		"a code without an end": {400, `{"error":{"code":"` + strings.Repeat("a", 65) + `"}}`, Failure{guest.Rejected, graph, 400, ""}},
		"words of a code": {401, `{"error":{"code":"Unauthorized","message":"Guest invitations not allowed for your company."}}`,
			Failure{guest.AdminsOnly, graph, 401, "Unauthorized"}},
		"a privilege": {401, `{"error":{"code":"Unauthorized","message":"Insufficient privileges to perform."}}`,
			Failure{guest.NoConsent, graph, 401, "Unauthorized"}},
		"made, and no link":    {201, `{"invitedUser":{"id":"x"}}`, Failure{"", graph, 201, ""}},
		"made, and nobody":     {201, `{"inviteRedeemUrl":"https://redeem.example/1"}`, Failure{"", graph, 201, ""}},
		"made, and nothing":    {201, ``, Failure{"", graph, 201, ""}},
		"sent elsewhere":       {307, ``, Failure{"", graph, 307, ""}},
		"another success":      {200, `{"inviteRedeemUrl":"https://redeem.example/1","invitedUser":{"id":"x"}}`, Failure{"", graph, 200, ""}},
		"a member, by a fault": {500, `{"error":{"message":"already exists in the directory"}}`, Failure{"", graph, 500, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stub = func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				rw.Header().Set("Location", w.url+"/elsewhere")
				rw.WriteHeader(c.status)
				fmt.Fprint(rw, c.body)
			}
			if _, failed := w.invite(t, order(address)); failed == nil || *failed != c.want {
				t.Errorf("%+v, want %+v", failed, c.want)
			}
		})
	}
}

func TestAnAssertionStandsInForTheSecret(t *testing.T) {
	const audience, role = "api://AzureADTokenExchange", "arn:aws:iam::123456789012:role/guests"
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: "k", Algorithm: "RS256", Use: "sig"}
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jwks" {
			_ = json.NewEncoder(rw).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
			return
		}
		_ = json.NewEncoder(rw).Encode(map[string]string{"issuer": issuer.URL, "jwks_uri": issuer.URL + "/jwks"})
	}))
	defer issuer.Close()
	w := newWorld(t, func(d *graphtest.Directory) {
		d.Apps[0].Secrets = nil
		d.Apps[0].FederatedCredentials = []graphtest.FederatedCredential{
			{Name: "aws", Issuer: issuer.URL, Subject: role, Audiences: []string{audience}}}
	})
	subject, refused := role, error(nil)
	w.Inviter = New(w.url, w.url, App{Client: onboard, Assertion: func(context.Context) (string, error) {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
		if err != nil {
			t.Error(err)
		}
		token, err := jwt.Signed(signer).Claims(map[string]any{"iss": issuer.URL, "sub": subject, "aud": audience,
			"exp": time.Now().Add(time.Minute).Unix()}).Serialize()
		return token, errors.Join(err, refused)
	}})
	refused = errors.New("STS answered 403")
	if _, failed := w.invite(t, order(address)); failed == nil || *failed != (Failure{Of: entra}) {
		t.Errorf("without an assertion: %+v", failed)
	}
	refused, subject = nil, role+"-of-another-function"
	if _, failed := w.invite(t, order(address)); failed == nil || *failed != (Failure{"", entra, 401, "AADSTS70021"}) {
		t.Errorf("by another role's token: %+v", failed)
	}
	subject = role
	if out, failed := w.invite(t, order(address)); failed != nil || out.Object == "" {
		t.Errorf("%+v", failed)
	}
}

func TestTokensOfOnlySoManyTenantsAreKept(t *testing.T) {
	i := New("https://entra.example", "https://graph.example", App{Client: onboard, Secret: secret})
	for n := range 2*maxTenants + 1 {
		if _, err := i.tenant(fmt.Sprintf("11111111-0000-4000-8000-%012d", n)); err != nil {
			t.Fatal(err)
		}
	}
	if len(i.tenants) > maxTenants {
		t.Errorf("%d tenants", len(i.tenants))
	}
}
