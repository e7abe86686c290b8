// Package portalhost says what stands at a host name: the platform's own portal, or that of a brand. By the site it follows by which app people
// sign in there, whose access tokens the API takes under this name, and how much of what somebody has can be reached through it.
package portalhost

import (
	"context"
	"sync"
	"time"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/ident"
)

// Site is what stands at a host name.
type Site struct {
	Host  string
	Brand *brand.Brand // nil at the platform's own; not to be changed
	// App is by which people sign in: the brand's own, or the platform's. For the platform's, https://<Host>/signin/callback has to be one of
	// the redirect URIs that are registered for it in Microsoft Entra ID; otherwise Entra refuses to send anybody back here.
	App entra.App
	Own bool // App is the brand's own
	// Within bounds what is reached through the site (directory.Caller.Within): at a brand's to its own partner. That partner runs the app,
	// and the domain, so it can have every token and every cookie that is sent there, whichever app they are of. It gains nothing by them
	// that its owners have not. "" at the platform's own.
	Within ident.Node
}

// How long a site is remembered, and how many are.
const (
	remember = time.Minute
	most     = 1000
)

// Sites finds sites. It is safe for concurrent use, and meant to live as long as the process: what it has found, it knows for a minute
// without a read.
type Sites struct {
	config  Config
	brandAt func(ctx context.Context, domain string) (*brand.Brand, error)
	now     func() time.Time

	mu    sync.Mutex
	known map[string]found // by domain
}

type found struct {
	brand *brand.Brand
	at    time.Time
}

// New returns the sites of the platform and of the brands that brandAt finds by their domain (directory.BrandAt). now is the clock.
func New(c Config, brandAt func(ctx context.Context, domain string) (*brand.Brand, error), now func() time.Time) *Sites {
	return &Sites{config: c, brandAt: brandAt, now: now, known: map[string]found{}}
}

// At returns the site at a host name, and whether there is one. The error is that of finding brands, and is not remembered.
func (s *Sites) At(ctx context.Context, host string) (Site, bool, error) {
	at := Site{Host: host, App: s.config.App}
	if s.config.own(host) {
		return at, true, nil
	}
	domain, ok := brand.DomainOf(host)
	if !ok {
		return Site{}, false, nil
	}
	b, err := s.find(ctx, domain)
	if err != nil || b == nil {
		return Site{}, false, err
	}
	at.Brand, at.Within = b, b.Owner
	if b.App != nil && b.App.Client != s.config.App.Client { // whom the platform's lets in is not the brand's to say
		at.Own = true
		at.App = entra.App{Client: b.App.Client, Tenants: entra.AnyTenant()}
		if b.App.SingleTenant {
			at.App.Tenants = entra.OnlyTenants(b.App.Tenant)
		}
	}
	return at, true, nil
}

// find returns the brand that has a domain, nil when none has.
func (s *Sites) find(ctx context.Context, domain string) (*brand.Brand, error) {
	now := s.now()
	s.mu.Lock()
	known, ok := s.known[domain]
	s.mu.Unlock()
	if age := now.Sub(known.at); ok && age >= 0 && age < remember {
		return known.brand, nil
	}
	b, err := s.brandAt(ctx, domain)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= most {
		clear(s.known)
	}
	s.known[domain] = found{b, now}
	return b, nil
}
