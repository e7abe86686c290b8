package main

import (
	"errors"
	"log/slog"
	"maps"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/graph/graphtest"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/setting"
)

// Host names, and the apps of the brands there.
const (
	home = "api.example"
	red  = "admin.red.example"  // of a brand with an app for everybody
	blue = "admin.blue.example" // of a brand with an app for people of vazon
	gray = "admin.gray.example" // of a brand without an app

	redApp  = "44444444-4444-4444-8444-44444444aaaa"
	blueApp = "44444444-4444-4444-8444-44444444bbbb"
)

// branded is an authorizer with brands, whose partners are given by host.
func branded(t testing.TB) (*authorizer, *directorytest.Fake, *graphtest.Server, map[string]ident.Node) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	app := func(id, audience string) graphtest.App {
		return graphtest.App{ID: id, Name: "Portal", Tenant: vazon, Audience: audience, Secrets: []string{"a secret of the tests"},
			RedirectURIs: []string{"https://portal.example/signin/callback"}, Scopes: []string{"access_as_user"}}
	}
	double := graphtest.Start(t, graphtest.Directory{
		Apps: []graphtest.App{app(platform, graphtest.MultiTenant), app(redApp, graphtest.MultiTenant), app(blueApp, graphtest.MultiTenant)},
		Tenants: []graphtest.Tenant{
			{ID: vazon, Name: "Vazon Bay IT", Domains: []string{"vazon.example"}, People: []graphtest.Person{
				{ID: alice, Name: "Alice Le Page", Mail: "alice@vazon.example", MailVerified: true}}},
			{ID: stranger, Name: "Stranger", Domains: []string{"stranger.example"}, People: []graphtest.Person{
				{ID: mallory, Name: "Mallory", Mail: "mallory@stranger.example", MailVerified: true}}},
		},
	}, func(o *graphtest.Options) { o.Now = clocktest.Now })
	fake, owners := new(directorytest.Fake), map[string]ident.Node{}
	d := directory.New(fake, clocktest.Now)
	root, founder, key, err := d.CreateRoot(t.Context(), "Vendor", "Founder")
	must(err)
	secret, _ := credential.ParseAPIKey(key)
	by := directory.Caller{Principal: founder.ID, Key: secret.ID}
	for host, app := range map[string]*brand.App{
		red: {Client: redApp, Tenant: vazon}, blue: {Client: blueApp, Tenant: vazon, SingleTenant: true}, gray: nil,
	} {
		partner, err := d.CreatePartner(t.Context(), by, directory.NewPartner{Parent: root.ID, Name: hierarchy.Name(host)})
		must(err)
		domain, _ := brand.DomainOf(host)
		b, err := d.CreateBrand(t.Context(), by,
			directory.NewBrand{Partner: partner.ID, Name: "B", Domain: domain, Regions: []string{"eu-west-1"}})
		must(err)
		_, err = d.EditBrand(t.Context(), by, b.ID, directory.BrandEdit{App: &app})
		must(err)
		owners[host] = partner.ID
	}
	return configured(fake, environment(double.URL, platform, "any"), clocktest.Now, slog.New(slog.DiscardHandler)), fake, double, owners
}

// A token is taken where its app signs people in, and nowhere else; and from a brand's host nobody reaches more than the brand's partner.
func TestATokenIsTakenAtItsAppsHost(t *testing.T) {
	a, _, double, owners := branded(t)
	apps := map[string]string{home: platform, red: redApp, blue: blueApp, gray: "none at all"}
	for host, wanted := range apps {
		for _, app := range []string{platform, redApp, blueApp} {
			for tenant, person := range map[string]string{vazon: alice, stranger: mallory} {
				got, err := a.handle(t.Context(), bearerAt(host, order(t, double, graphtest.TokenOrder{App: app, Tenant: tenant, Person: person})))
				if err != nil || !got.IsAuthorized {
					t.Fatalf("%s: %v, %v", host, got, err)
				}
				if app != wanted || host == blue && tenant != vazon {
					if !maps.Equal(got.Context, map[string]any{"refusal": notTaken}) {
						t.Errorf("at %s a token of %s for %s gives %v", host, tenant, app, got.Context)
					}
					continue
				}
				within, bounded := got.Context["within"]
				if got.Context["principal"] != string(ident.PersonOf(tenant, person)) || bounded != (host != home) ||
					bounded && within != string(owners[host]) {
					t.Errorf("at %s a token of %s for %s gives %v, want it within %q", host, tenant, app, got.Context, owners[host])
				}
			}
		}
	}
	for _, host := range []string{"", "admin.none.example", "red.example", "api.example.evil"} {
		for _, app := range []string{platform, redApp} {
			got, err := a.handle(t.Context(), bearerAt(host, order(t, double, graphtest.TokenOrder{App: app, Tenant: vazon, Person: alice})))
			if err != nil || !maps.Equal(got.Context, map[string]any{"refusal": notTaken}) {
				t.Errorf("at %q: %v, %v", host, got, err)
			}
		}
	}
}

// An API key is one at every host, and costs no look at whose that is.
// A key that was sent to a brand's host is not even looked at: the brand's partner runs the name.
func TestAKeyIsNotTakenAtABrandsHost(t *testing.T) {
	a, fake, _, _ := branded(t)
	client := ident.NewClient()
	_, key := credential.NewSecret(client, clocktest.Now())
	for host, want := range map[string]string{home: unknown, red: elsewhere, gray: elsewhere, red + ".": elsewhere, "admin.none.example": unknown, "": unknown} {
		for range 2 { // the second time the site is known
			before := len(fake.Calls())
			got, err := a.handle(t.Context(), bearerAt(host, key))
			if err != nil || !maps.Equal(got.Context, map[string]any{"refusal": want}) {
				t.Errorf("at %q: %v, %v", host, got.Context, err)
			}
			if host == home && len(fake.Calls()) != before+1 {
				t.Errorf("%d reads for a key", len(fake.Calls())-before)
			}
		}
	}
}

func TestAHostIsLookedUpOnceAMinute(t *testing.T) {
	a, fake, double, _ := branded(t)
	token := order(t, double, graphtest.TokenOrder{App: redApp, Tenant: vazon, Person: alice})
	reads := len(fake.Calls())
	for range 10 {
		if got, err := a.handle(t.Context(), bearerAt(red, token)); err != nil || got.Context["principal"] == nil {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if n := len(fake.Calls()) - reads; n != 2 {
		t.Errorf("%d reads for 10 tokens", n)
	}
}

// Who cannot tell whose host it is takes no token, and says so by an error, which API Gateway does not keep.
func TestAFailingLookUpIsAnErrorAndNoRefusal(t *testing.T) {
	a, fake, double, _ := branded(t)
	fake.Before = func(directorytest.Call) error { return directorytest.Busy() }
	token := order(t, double, graphtest.TokenOrder{App: redApp, Tenant: vazon, Person: alice})
	var typed messages.InvokeResponse_Error
	if got, err := a.handle(t.Context(), bearerAt(red, token)); !errors.As(err, &typed) || typed.Type != "unavailable" {
		t.Errorf("%v, %v", got, err)
	}
	fake.Before = nil
	if got, err := a.handle(t.Context(), bearerAt(red, token)); err != nil || got.Context["principal"] == nil {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

// Only on a developer's machine, where all hosts are one to API Gateway, a header says which it is.
func TestAHeaderSaysTheHostOnADevelopersMachineOnly(t *testing.T) {
	a, _, double, owners := branded(t)
	ask := func(a *authorizer) any {
		r := bearerAt(home, order(t, double, graphtest.TokenOrder{App: redApp, Tenant: vazon, Person: alice}))
		r.Headers["x-forwarded-host"], r.Headers["host"] = red+":8080", red
		got, err := a.handle(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return got.Context["within"]
	}
	if got := ask(a); got != nil {
		t.Errorf("in AWS a header counts: %v", got)
	}
	env := environment(double.URL, platform, "any")
	local := reconfigured(a, func(name string) string {
		if name == setting.PortalOrigin {
			return "http://localhost:8080"
		}
		return env(name)
	})
	if got := ask(local); got != string(owners[red]) {
		t.Errorf("on a developer's machine it does not: %v", got)
	}
}

// BenchmarkToken is a token at a brand's host when the host, and Entra's keys, are known: at most 200 µs.
func BenchmarkToken(b *testing.B) {
	a, _, double, _ := branded(b)
	token, err := double.Token(graphtest.TokenOrder{App: redApp, Tenant: vazon, Person: alice})
	if err != nil {
		b.Fatal(err)
	}
	r := bearerAt(red, token)
	for b.Loop() {
		if got, err := a.handle(b.Context(), r); err != nil || got.Context["principal"] == nil {
			b.Fatal(got, err)
		}
	}
}
