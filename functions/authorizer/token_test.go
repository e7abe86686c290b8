package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/graph/graphtest"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/setting"
)

// The people, tenants and apps of the tests.
const (
	vazon    = "11111111-1111-4111-8111-11111111aaaa" // a tenant
	stranger = "22222222-2222-4222-8222-22222222bbbb" // another, which the platform's app does not let in
	platform = "33333333-3333-4333-8333-33333333cccc" // the platform's app
	rival    = "44444444-4444-4444-8444-44444444dddd" // another brand's
	alice    = "55555555-5555-4555-8555-55555555eeee" // an object id in vazon
	mallory  = "66666666-6666-4666-8666-66666666ffff" // an object id in stranger
)

// withEntra is an authorizer that is set up by its environment to take tokens of a double of Entra, whose tenants and apps these are.
func withEntra(t *testing.T) (*authorizer, *clients, *graphtest.Server, func() string) {
	app := func(id string) graphtest.App {
		return graphtest.App{ID: id, Name: "Portal", Tenant: vazon, Audience: graphtest.MultiTenant, Secrets: []string{"a secret of the tests"},
			RedirectURIs: []string{"https://portal.example/signin/callback"}, Scopes: []string{"access_as_user"}}
	}
	double := graphtest.Start(t, graphtest.Directory{
		Apps: []graphtest.App{app(platform), app(rival)},
		Tenants: []graphtest.Tenant{
			{ID: vazon, Name: "Vazon Bay IT", Domains: []string{"vazon.example"}, People: []graphtest.Person{
				{ID: alice, Name: "Alice Le Page", Mail: "alice@vazon.example", MailVerified: true}}},
			{ID: stranger, Name: "Stranger", Domains: []string{"stranger.example"}, People: []graphtest.Person{
				{ID: mallory, Name: "Mallory", Mail: "mallory@stranger.example", MailVerified: true}}},
		},
	}, func(o *graphtest.Options) { o.Now = clocktest.Now })
	c := recorded()
	var lines bytes.Buffer
	a := configured(c, environment(double.URL+"/", strings.ToUpper(platform), "77777777-7777-4777-8777-777777777777, "+strings.ToUpper(vazon)),
		clocktest.Now, slog.New(slog.NewJSONHandler(&lines, nil)))
	return a, c, double, lines.String
}

// environment is that of an authorizer at the host api.example.
func environment(authority, client, tenants string) func(string) string {
	return func(name string) string {
		return map[string]string{setting.EntraAuthority: authority, setting.EntraClient: client, setting.EntraTenants: tenants,
			setting.PortalHosts: "api.example"}[name]
	}
}

// reconfigured is the same authorizer in another environment.
func reconfigured(a *authorizer, env func(string) string) *authorizer {
	return configured(a.store, env, clocktest.Now, a.log)
}

func order(t *testing.T, double *graphtest.Server, o graphtest.TokenOrder) string {
	t.Helper()
	token, err := double.Token(o)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func bearer(token string) events.APIGatewayV2CustomAuthorizerV2Request {
	return bearerAt("api.example", token)
}

func bearerAt(host, token string) events.APIGatewayV2CustomAuthorizerV2Request {
	r := events.APIGatewayV2CustomAuthorizerV2Request{Headers: map[string]string{"authorization": "bearer " + token}}
	r.RequestContext.DomainName = host
	return r
}

// A token costs no read: whether its session still counts is decided by each request.
func TestAPersonIsRecognizedByAnAccessToken(t *testing.T) {
	a, c, double, log := withEntra(t)
	issued, expires := clocktest.Now().Add(-time.Minute).Truncate(time.Second), clocktest.Now().Add(time.Hour).Truncate(time.Second)
	token := order(t, double, graphtest.TokenOrder{App: platform, Tenant: vazon, Person: alice,
		Change: map[string]any{"iat": issued.Unix(), "exp": expires.Unix()}})
	got, err := a.handle(t.Context(), bearer(token))
	want := map[string]any{"principal": string(ident.PersonOf(vazon, alice)), "session": strconv.FormatInt(issued.UnixMilli(), 10),
		"until": strconv.FormatInt(expires.Add(time.Minute).UnixMilli(), 10)}
	if err != nil || !got.IsAuthorized || !maps.Equal(got.Context, want) || len(c.reads) != 0 {
		t.Errorf("%v, %v, %d reads; want %v", got, err, len(c.reads), want)
	}
	if !strings.Contains(log(), string(ident.PersonOf(vazon, alice))) {
		t.Errorf("the log does not say who it was: %s", log())
	}
	silent(t, log(), token)
}

// silent fails when the log has the token, a part of it, or what it says of the person.
func silent(t *testing.T, log, token string) {
	t.Helper()
	for _, secret := range append(strings.Split(token, "."), "Alice", "vazon.example", "Mallory", "stranger.example") {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %.20q: %s", secret, log)
		}
	}
}

func TestOtherTokensAreRefused(t *testing.T) {
	a, c, double, log := withEntra(t)
	long := clocktest.Now().Add(-2 * time.Hour).Unix()
	for name, o := range map[string]graphtest.TokenOrder{
		"of another brand's app": {App: rival, Tenant: vazon, Person: alice},
		"of another tenant":      {App: platform, Tenant: stranger, Person: mallory},
		"an ID token":            {App: platform, Tenant: vazon, Person: alice, Nonce: "nonce"},
		"expired":                {App: platform, Tenant: vazon, Person: alice, Change: map[string]any{"exp": long}},
		"not yet valid":          {App: platform, Tenant: vazon, Person: alice, Change: map[string]any{"nbf": clocktest.Now().Add(time.Hour).Unix()}},
		"issued never":           {App: platform, Tenant: vazon, Person: alice, Change: map[string]any{"iat": nil}},
		"an app's own":           {App: platform, Tenant: vazon, Person: alice, Change: map[string]any{"scp": nil, "idtyp": "app"}},
		"got by another app":     {App: platform, Tenant: vazon, Person: alice, Change: map[string]any{"azp": rival}},
		"got by no app":          {App: platform, Tenant: vazon, Person: alice, Change: map[string]any{"azp": nil}},
		"for another use":        {App: platform, Tenant: vazon, Person: alice, Change: map[string]any{"scp": "User.Read"}},
		"of a consumer":          {App: platform, Tenant: vazon, Person: alice, Consumers: true},
	} {
		token := order(t, double, o)
		got, err := a.handle(t.Context(), bearer(token))
		if err != nil || !got.IsAuthorized || !maps.Equal(got.Context, map[string]any{"refusal": notTaken}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		silent(t, log(), token)
	}
	good := order(t, double, graphtest.TokenOrder{App: platform, Tenant: vazon, Person: alice})
	forged := good[:len(good)-8] + "AAAAAAAA"
	if got, err := a.handle(t.Context(), bearer(forged)); err != nil || got.Context["refusal"] != notTaken {
		t.Errorf("with another signature: %v, %v", got, err)
	}
	if len(c.reads) != 0 {
		t.Errorf("%d reads", len(c.reads))
	}
}

// Junk that names an unknown key is refused like any other, however much of it comes, and is no error: errors raise alarms. What it costs
// others is that a token by a key which Entra has begun to use just now is refused until the keys are fetched again.
func TestAnUnknownKeyIsARefusalAndNoError(t *testing.T) {
	a, _, double, _ := withEntra(t)
	var ahead atomic.Int64
	now := func() time.Time { return clocktest.Now().Add(time.Duration(ahead.Load())) }
	a = configured(a.store, environment(double.URL, platform, "any"), now, a.log)
	ask := func(token string, want bool) {
		t.Helper()
		if got, err := a.handle(t.Context(), bearer(token)); err != nil || (got.Context["principal"] != nil) != want ||
			(got.Context["refusal"] == notTaken) == want {
			t.Errorf("%v, %v", got, err)
		}
	}
	good := order(t, double, graphtest.TokenOrder{App: platform, Tenant: vazon, Person: alice})
	ask(good, true)
	_, rest, _ := strings.Cut(good, ".")
	for n := range 20 {
		ask(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"`+strconv.Itoa(n)+`"}`))+"."+rest, false)
	}
	kid, err := double.AddKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := double.SignWith(kid); err != nil {
		t.Fatal(err)
	}
	fresh := order(t, double, graphtest.TokenOrder{App: platform, Tenant: vazon, Person: alice})
	ask(fresh, false)
	ahead.Store(int64(5 * time.Minute))
	ask(fresh, true)
}

func TestWithoutAnAppNoTokenIsTaken(t *testing.T) {
	a, _, double, _ := withEntra(t)
	a = reconfigured(a, environment(double.URL, "", "any"))
	got, err := a.handle(t.Context(), bearer(order(t, double, graphtest.TokenOrder{App: platform, Tenant: vazon, Person: alice})))
	if err != nil || got.Context["refusal"] != notTaken {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWithoutTenantsNobodyIsLetInAndWithAnyEverybody(t *testing.T) {
	for tenants, want := range map[string]bool{"": false, stranger: false, "any": true} {
		a, _, double, _ := withEntra(t)
		a = reconfigured(a, environment(double.URL, platform, tenants))
		got, err := a.handle(t.Context(), bearer(order(t, double, graphtest.TokenOrder{App: platform, Tenant: vazon, Person: alice})))
		if err != nil || (got.Context["principal"] != nil) != want {
			t.Errorf("%q: %v, %v", tenants, got, err)
		}
	}
}

func TestWithoutEntrasKeysItIsAnErrorAndNoRefusal(t *testing.T) {
	a, _, double, log := withEntra(t)
	token := order(t, double, graphtest.TokenOrder{App: platform, Tenant: vazon, Person: alice})
	a = reconfigured(a, environment("http://127.0.0.1:1", platform, "any")) // where nobody listens
	var typed messages.InvokeResponse_Error
	if got, err := a.handle(t.Context(), bearer(token)); !errors.As(err, &typed) || typed.Type != "unavailable" {
		t.Errorf("%v, %v; API Gateway keeps answers and forgets errors, so this must be one", got, err)
	}
	silent(t, log(), token)
}
