package portalhost_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/portalhost"
	"example.com/partnertree/shared/setting"
)

const (
	platform = "11111111-0000-4000-8000-000000000001"
	app      = "11111111-0000-4000-8000-000000000002"
	tenant   = "22222222-0000-4000-8000-000000000001"
	second   = "22222222-0000-4000-8000-000000000002"
	owner    = ident.Node("ptn_0000000000000001")
)

func env(pairs ...string) func(string) string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return all[name] }
}

// brands are those that there are, by domain.
type brands struct {
	all   map[string]*brand.Brand
	err   error
	asked []string
}

func (b *brands) at(_ context.Context, domain string) (*brand.Brand, error) {
	b.asked = append(b.asked, domain)
	return b.all[domain], b.err
}

func TestWhatStandsWhere(t *testing.T) {
	plain := &brand.Brand{ID: "brd_1", Owner: owner, Domain: "plain.example"}
	many := &brand.Brand{ID: "brd_2", Owner: owner, Domain: "many.example", App: &brand.App{Client: app, Tenant: tenant}}
	one := &brand.Brand{ID: "brd_3", Owner: owner, Domain: "one.example", App: &brand.App{Client: app, Tenant: tenant, SingleTenant: true}}
	same := &brand.Brand{ID: "brd_4", Owner: owner, Domain: "same.example", App: &brand.App{Client: platform, Tenant: second}}
	b := &brands{all: map[string]*brand.Brand{"same.example": same, "plain.example": plain, "many.example": many, "one.example": one,
		"portal.example": many, "execute-api.eu-west-1.amazonaws.com": many}}
	c := portalhost.Configured(env(setting.EntraClient, platform, setting.EntraTenants, tenant, setting.PortalHosts, "Portal.example, admin.portal.example"))
	sites := portalhost.New(c, b.at, clocktest.Now)
	ours := entra.App{Client: platform, Tenants: entra.OnlyTenants(tenant)}
	for host, want := range map[string]*portalhost.Site{
		"portal.example": {App: ours}, "admin.portal.example": {App: ours},
		"a1b2c3.execute-api.eu-west-1.amazonaws.com": {App: ours}, "admin.execute-api.eu-west-1.amazonaws.com": {App: ours},
		"admin.plain.example": {Brand: plain, App: ours, Within: owner},
		"admin.same.example":  {Brand: same, App: ours, Within: owner}, // whom the platform's app lets in, no brand says
		"admin.many.example":  {Brand: many, App: entra.App{Client: app, Tenants: entra.AnyTenant()}, Own: true, Within: owner},
		"admin.one.example":   {Brand: one, App: entra.App{Client: app, Tenants: entra.OnlyTenants(tenant)}, Own: true, Within: owner},
		"admin.none.example":  nil, "many.example": nil, "www.many.example": nil, "portal.example.evil": nil, "": nil, "admin.": nil,
		"admin.admin.many.example": nil, "xadmin.many.example": nil, "a1b2c3.execute-api.evil.example": nil, "localhost": nil,
	} {
		got, ok, err := sites.At(t.Context(), host)
		if want != nil {
			want.Host = host
		} else {
			want = new(portalhost.Site)
		}
		if err != nil || ok != (want.Host != "") || !reflect.DeepEqual(got, *want) {
			t.Errorf("%q: %+v, %v, %v; want %+v", host, got, ok, err, want)
		}
	}
}

func TestASiteIsRememberedForAMinute(t *testing.T) {
	one := &brand.Brand{ID: "brd_1", Owner: owner, App: &brand.App{Client: app, Tenant: tenant}}
	b, now := &brands{all: map[string]*brand.Brand{"one.example": one}}, time.Unix(1_800_000_000, 0)
	sites := portalhost.New(portalhost.Configured(env()), b.at, func() time.Time { return now })
	at := func(host string) (portalhost.Site, bool) {
		t.Helper()
		s, ok, err := sites.At(t.Context(), host)
		if err != nil {
			t.Fatal(err)
		}
		return s, ok
	}
	for range 3 {
		if s, ok := at("admin.one.example"); !ok || s.Brand != one {
			t.Fatalf("%+v", s)
		}
		if _, ok := at("admin.none.example"); ok {
			t.Fatal("a brand that there is not")
		}
	}
	now = now.Add(time.Minute - 1)
	at("admin.one.example")
	if len(b.asked) != 2 {
		t.Errorf("asked for %v within the minute", b.asked)
	}
	delete(b.all, "one.example")
	now = now.Add(1)
	if _, ok := at("admin.one.example"); ok {
		t.Error("it is remembered for longer")
	}
	now = now.Add(-time.Hour) // a clock that was set back
	b.all["one.example"] = one
	if _, ok := at("admin.one.example"); !ok {
		t.Error("what was found later than now is remembered")
	}
}

func TestAnErrorIsNotRemembered(t *testing.T) {
	b := &brands{err: errors.New("throttled"), all: map[string]*brand.Brand{"one.example": {ID: "brd_1", Owner: owner}}}
	sites := portalhost.New(portalhost.Configured(env()), b.at, clocktest.Now)
	if s, ok, err := sites.At(t.Context(), "admin.one.example"); !errors.Is(err, b.err) || ok || s.Host != "" {
		t.Errorf("%+v, %v, %v", s, ok, err)
	}
	b.err = nil
	if _, ok, err := sites.At(t.Context(), "admin.one.example"); !ok || err != nil {
		t.Errorf("afterwards: %v, %v", ok, err)
	}
}

// Whoever makes up hosts makes the process remember only so much.
func TestSoManySitesAreRemembered(t *testing.T) {
	b := &brands{}
	sites := portalhost.New(portalhost.Configured(env()), b.at, clocktest.Now)
	ask := func(i int) {
		if _, _, err := sites.At(t.Context(), fmt.Sprintf("admin.%d.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		ask(i)
	}
	ask(0)
	if len(b.asked) != 1000 {
		t.Fatalf("asked %d times for 1000", len(b.asked))
	}
	ask(1000)
	ask(0)
	if len(b.asked) != 1002 {
		t.Errorf("after one more %d were asked for: nothing is forgotten", len(b.asked))
	}
}

func TestTheEnvironmentIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		env       []string
		app       entra.App
		authority string
	}{
		"nothing": {nil, entra.App{Tenants: entra.OnlyTenants()}, entra.Global.Authority},
		"any": {[]string{setting.EntraClient, "AAAA", setting.EntraTenants, "any", setting.EntraAuthority, "https://login.example/"},
			entra.App{Client: "aaaa", Tenants: entra.AnyTenant()}, "https://login.example"},
		"two tenants": {[]string{setting.EntraClient, platform, setting.EntraTenants, "22222222-0000-4000-8000-000000000001, " + second},
			entra.App{Client: platform, Tenants: entra.OnlyTenants(tenant, second)}, entra.Global.Authority},
	} {
		got := portalhost.Configured(env(c.env...))
		if !reflect.DeepEqual(got.App, c.app) || got.Cloud.Authority != c.authority || got.Cloud.Graph != entra.Global.Graph {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Anybody can send a header. In AWS none counts: only the name by which API Gateway chose this API.
func TestAHeaderNamesTheHostOnADevelopersMachineOnly(t *testing.T) {
	headers := func(host string) map[string]string {
		return map[string]string{"x-forwarded-host": host, "host": host, "forwarded": "host=" + host}
	}
	aws := portalhost.Configured(env(setting.PortalHosts, "portal.example"))
	for _, h := range []map[string]string{nil, headers("admin.evil.example"), headers("")} {
		for _, name := range []string{"Admin.Brand.example", "admin.brand.example."} {
			if host, origin := aws.Host(name, h); host != "admin.brand.example" || origin != "https://admin.brand.example" {
				t.Errorf("%s, %v: %s, %s", name, h, host, origin)
			}
		}
	}
	local := portalhost.Configured(env(setting.PortalOrigin, "http://localhost:8080", setting.PortalHosts, "portal.example"))
	for forwarded, want := range map[string][2]string{
		"":                             {"localhost", "http://localhost:8080"},
		"localhost:8080":               {"localhost", "http://localhost:8080"},
		"localhost.:8080":              {"localhost", "http://localhost:8080"},
		"admin.brand.localhost.":       {"admin.brand.localhost", "http://admin.brand.localhost:8080"},
		"Admin.Brand.localhost:8080":   {"admin.brand.localhost", "http://admin.brand.localhost:8080"},
		"admin.brand.localhost":        {"admin.brand.localhost", "http://admin.brand.localhost:8080"},
		"admin.brand.localhost:1":      {"admin.brand.localhost", "http://admin.brand.localhost:8080"},
		"[::1]:8080":                   {"::1", "http://[::1]:8080"},
		"portal.example":               {"portal.example", "http://portal.example:8080"},
		"a1b2c3.execute-api.localhost": {"a1b2c3.execute-api.localhost", "http://a1b2c3.execute-api.localhost:8080"},
	} {
		if host, origin := local.Host("a1b2c3.execute-api.localhost", headers(forwarded)); host != want[0] || origin != want[1] {
			t.Errorf("%q: %s, %s", forwarded, host, origin)
		}
	}
	sites := portalhost.New(local, (&brands{}).at, clocktest.Now)
	for host, want := range map[string]bool{"localhost": true, "portal.example": false, "127.0.0.1": false} {
		if _, ok, err := sites.At(t.Context(), host); ok != want || err != nil {
			t.Errorf("%s: %v, %v", host, ok, err)
		}
	}
	portless := portalhost.Configured(env(setting.PortalOrigin, "https://localhost"))
	host, origin := portless.Host("x", headers("admin.brand.localhost:9"))
	if host != "admin.brand.localhost" || origin != "https://admin.brand.localhost" {
		t.Errorf("%s, %s", host, origin)
	}
	for _, bad := range []string{"localhost", "://", "/"} { // no origin: as in AWS
		c := portalhost.Configured(env(setting.PortalOrigin, bad))
		if host, _ := c.Host("portal.example", headers("evil.example")); host != "portal.example" {
			t.Errorf("%q: %s", bad, host)
		}
	}
}
