// Package graphtest is a working double of Microsoft Entra ID and Microsoft Graph: an http.Handler for Go tests, and with
// the command serve a process of its own. It is for tests and for running the platform on one machine, and nothing else:
// whoever reaches it signs in as whom they like.
//
// Entra's side has metadata, rotating keys, a sign-in page with people to choose from, tokens, sign-out, administrators'
// consent and the redemption of guest invitations; Graph's side invitations, users and the organization. What it knows
// of people, tenants and apps is a [Directory]. It keeps everything in memory and forgets it at its end.
//
// Where Microsoft is lenient, the double is strict, so that what passes here passes there: it wants state, nonce and PKCE
// (S256) in every sign-in, and a guest must have redeemed the invitation before signing in. Where Microsoft refuses, it
// refuses, with the codes (AADSTS…) and the shapes of Microsoft's errors. It is lenient where one machine needs it:
// redirect URIs may be http on localhost and on names below it.
//
// Permissions are checked against Microsoft's published ones, and names and types of properties against Microsoft's
// metadata, where these are found (see [Options]).
//
// Tests make tokens that Entra would never issue with [Double.Sign].
package graphtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// How long things live. Entra's access tokens live between 60 and 90 minutes, its authorization codes 10 minutes.
const (
	idTokenLife      = time.Hour
	accessTokenLife  = 75 * time.Minute
	codeLife         = 10 * time.Minute
	refreshTokenLife = 90 * 24 * time.Hour
	sessionLife      = 24 * time.Hour
)

// maxBody is the limit of a request's body in bytes, before and after it is unzipped.
const maxBody = 1 << 20

// Options say how a double runs. Only Base is needed.
type Options struct {
	// Base is the address under which callers and browsers reach the double, such as http://localhost:8090, without a slash
	// at the end. It stands for Entra's https://login.microsoftonline.com and for Graph's https://graph.microsoft.com.
	Base string
	// Metadata is the folder with permissions.json and types.json, made from Microsoft's published ones. When it is empty,
	// ../shared/microsoft-graph beside the module of the working directory is taken. What is not there is not checked, and
	// the log says so.
	Metadata string
	// Log gets one line for each request, without queries, tokens and addresses, and what the double has to say. No log
	// when nil.
	Log *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Double plays Entra ID and Microsoft Graph. Its methods can be called from any goroutine.
type Double struct {
	base   string
	log    *slog.Logger
	now    func() time.Time
	meta   metadata
	entra  *http.ServeMux
	graph  *http.ServeMux
	tools  *http.ServeMux
	faults faults

	mu       sync.Mutex // guards what follows
	tenants  []*Tenant
	apps     []*App
	keys     keyring
	codes    map[string]*code
	refresh  map[string]*refreshToken
	sessions map[string]*session
	tickets  map[string]ticket
}

// New makes a double that knows the directory. It returns an error that tells everything that is wrong with the directory
// or the options.
func New(dir Directory, o Options) (*Double, error) {
	if u, err := url.Parse(o.Base); err != nil || u.Host == "" || u.Path != "" {
		return nil, fmt.Errorf("graphtest: the base %q is not a scheme and a host", o.Base)
	}
	if err := dir.validate(); err != nil {
		return nil, err
	}
	d := &Double{
		base: o.Base, log: o.Log, now: o.Now,
		codes: map[string]*code{}, refresh: map[string]*refreshToken{}, sessions: map[string]*session{}, tickets: map[string]ticket{},
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	var err error
	if d.meta, err = loadMetadata(o.Metadata, d.log); err != nil {
		return nil, err
	}
	if d.keys, err = newKeyring(); err != nil {
		return nil, err
	}
	dir = dir.clone()
	for i := range dir.Tenants {
		d.tenants = append(d.tenants, &dir.Tenants[i])
	}
	for i := range dir.Apps {
		d.apps = append(d.apps, &dir.Apps[i])
	}
	d.entra, d.graph, d.tools = d.entraRoutes(), d.graphRoutes(), d.controlRoutes()
	return d, nil
}

// Base is the address of the double, which stands for the authority and for Graph's host alike.
func (d *Double) Base() string { return d.base }

// Issuer is who issues a tenant's v2 tokens: Microsoft's https://login.microsoftonline.com/{tid}/v2.0, on this base.
func (d *Double) Issuer(tenant string) string { return d.base + "/" + tenant + "/v2.0" }

const (
	graphPrefix   = "/v1.0/"
	controlPrefix = "/_control/"
)

// ServeHTTP implements http.Handler.
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPrefix) {
		d.tools.ServeHTTP(w, r) // neither spoiled nor listed: it is no part of what is played
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	mux := d.entra
	if strings.HasPrefix(r.URL.Path, graphPrefix) {
		mux = d.graph
	}
	d.faults.serve(d, mux, w, r)
}

func (d *Double) entraRoutes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", d.configuration)
	m.HandleFunc("GET /{tenant}/discovery/v2.0/keys", d.keySet)
	m.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", d.authorize)
	m.HandleFunc("POST /{tenant}/oauth2/v2.0/authorize", d.authorize)
	m.HandleFunc("POST /{tenant}/oauth2/v2.0/token", d.token)
	m.HandleFunc("GET /{tenant}/oauth2/v2.0/logout", d.logout)
	m.HandleFunc("GET /{tenant}/v2.0/adminconsent", d.adminConsent)
	m.HandleFunc("POST /{tenant}/v2.0/adminconsent", d.adminConsent)
	m.HandleFunc("GET /redeem", d.redeem)
	m.HandleFunc("POST /redeem", d.redeem)
	return m
}

// secret is 256 random bits for codes, refresh tokens, sessions and tickets.
func secret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newGUID is a random GUID (RFC 9562, version 4), lower case.
func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
