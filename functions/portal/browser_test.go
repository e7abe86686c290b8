package main

import (
	"bytes"
	"encoding/base64"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/graph/graphtest"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/portalhost"
	"example.com/partnertree/shared/setting"
)

const (
	home      = "https://portal.example"
	otherSite = "https://admin.brand.example" // another of the platform's
	redSite   = "https://admin.red.example"   // of a brand with an app for everybody
	blueSite  = "https://admin.blue.example"  // of a brand with an app for people of contoso
	graySite  = "https://admin.gray.example"  // of a brand without an app

	contoso  = "aaaaaaaa-0000-4000-8000-000000000001"
	fabrikam = "aaaaaaaa-0000-4000-8000-000000000002"
	ann      = "bbbbbbbb-0000-4000-8000-000000000001" // at contoso
	cleo     = "bbbbbbbb-0000-4000-8000-000000000003" // at fabrikam
	ours     = "cccccccc-0000-4000-8000-000000000001" // the platform's app
	theirs   = "cccccccc-0000-4000-8000-000000000002" // an app that is nobody's here
	redApp   = "cccccccc-0000-4000-8000-000000000003"
	blueApp  = "cccccccc-0000-4000-8000-000000000004"
	password = "a secret of the app"
	annMail  = "Ann@contoso.example"
)

// world is the portal with a store, the double of Entra, and a clock.
type world struct {
	t      *testing.T
	portal *portal
	store  *directorytest.Fake
	dir    *directory.Directory
	double *graphtest.Server
	log    bytes.Buffer
	ahead  atomic.Int64 // of the tests' clock
	root   ident.Node
	owner  directory.Caller
	brands map[string]directory.Brand // by site; each of a partner of its own
	// plainCookies sends cookies as a header alone, as not every gateway has the list.
	plainCookies bool
}

func (w *world) now() time.Time { return clocktest.Now().Add(time.Duration(w.ahead.Load())) }

func newWorld(t *testing.T, tenants ...string) *world {
	t.Helper()
	claims := []string{"email", "xms_edov"}
	app := func(id, audience string, sites ...string) graphtest.App {
		a := graphtest.App{ID: id, Name: "Portal", Tenant: contoso, Audience: audience, Secrets: []string{password}, OptionalClaims: claims,
			KeepUnverifiedEmail: true}
		for _, home := range sites {
			a.RedirectURIs = append(a.RedirectURIs, home+"/signin/callback")
		}
		return a
	}
	w := &world{t: t, store: new(directorytest.Fake)}
	w.double = graphtest.Start(t, graphtest.Directory{
		Tenants: []graphtest.Tenant{
			{ID: contoso, Name: "Contoso", Domains: []string{"contoso.example"}, People: []graphtest.Person{
				{ID: ann, Name: "Ann <Admin>", Mail: "ann@contoso.example", MailVerified: true},
				{ID: "bbbbbbbb-0000-4000-8000-000000000002", Name: "Bob", Mail: "ann@contoso.example", UPN: "bob@contoso.example"},
			}},
			{ID: fabrikam, Name: "Fabrikam", Domains: []string{"fabrikam.example"}, People: []graphtest.Person{
				{ID: cleo, Name: "Cleo", Mail: "cleo@fabrikam.example", MailVerified: true},
			}},
		},
		Apps: []graphtest.App{app(ours, graphtest.MultiTenant, home, graySite), app(theirs, graphtest.MultiTenant, otherSite),
			app(redApp, graphtest.MultiTenant, redSite), app(blueApp, graphtest.SingleTenant, blueSite)},
	}, func(o *graphtest.Options) { o.Now = w.now })
	w.dir = directory.New(w.store, w.now)
	root, owner, key, err := w.dir.CreateRoot(t.Context(), "Cloudvendor", "Founder")
	w.must(err)
	parsed, _ := credential.ParseAPIKey(key)
	w.root, w.owner = root.ID, directory.Caller{Principal: owner.ID, Key: parsed.ID}

	w.brands = map[string]directory.Brand{}
	for home, app := range map[string]*brand.App{
		redSite: {Client: redApp, Tenant: contoso}, blueSite: {Client: blueApp, Tenant: contoso, SingleTenant: true}, graySite: nil,
	} {
		name := strings.Split(home, ".")[1]
		partner, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: hierarchy.Name("Partner " + name)})
		w.must(err)
		domain, _ := brand.DomainOf(strings.TrimPrefix(home, "https://"))
		b, err := w.dir.CreateBrand(t.Context(), w.owner, directory.NewBrand{Partner: partner.ID, Name: hierarchy.Name("Brand " + name),
			Domain: domain, Regions: []string{"eu-west-1"}})
		w.must(err)
		w.brands[home], err = w.dir.EditBrand(t.Context(), w.owner, b.ID, directory.BrandEdit{App: &app})
		w.must(err)
	}

	if len(tenants) == 0 {
		tenants = []string{"any"}
	}
	w.configure(func(name string) string {
		return map[string]string{setting.EntraAuthority: w.double.URL, setting.EntraClient: ours, setting.EntraTenants: strings.Join(tenants, ","),
			setting.PortalHosts: "portal.example,admin.brand.example"}[name]
	})
	return w
}

// configure makes the portal of an environment.
func (w *world) configure(env func(string) string) {
	w.portal = &portal{now: w.now, log: slog.New(slog.NewJSONHandler(&w.log, nil)), config: portalhost.Configured(env)}
	w.portal.serve(w.dir, w.store, entra.NewSignIn(entra.NewVerifier(w.portal.config.Cloud, nil, w.now), entra.Secret(password)))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// invite invites somebody to a new partner, and returns the link of the mail.
func (w *world) invite(mail string, role access.Role) (ident.Node, directory.Invitation, string) {
	w.t.Helper()
	partner, err := w.dir.CreatePartner(w.t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Vazon <Bay> IT"})
	w.must(err)
	i, link := w.inviteTo(partner.ID, mail, role)
	return partner.ID, i, home + link
}

// inviteTo invites somebody, and returns the link of the mail, as a path.
func (w *world) inviteTo(node ident.Node, mail string, role access.Role) (directory.Invitation, string) {
	w.t.Helper()
	i, err := w.dir.Invite(w.t.Context(), w.owner, directory.NewInvitation{Node: node, Email: mail, Name: "Ann", Role: role, Days: 7,
		Message: "Welcome!\n<script>alert(1)</script>"})
	w.must(err)
	sent, err := w.dir.DueMail(w.t.Context(), i.ID, i.Generation)
	w.must(err)
	return i, "/invitations/" + sent.Token.Text()
}

// RoundTrip is the network: the portal behind API Gateway, and the double.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if "http://"+r.URL.Host == w.double.URL {
		return http.DefaultTransport.RoundTrip(r)
	}
	e := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: "$default", RawPath: r.URL.EscapedPath(),
		RawQueryString: r.URL.RawQuery, Headers: map[string]string{}}
	e.RequestContext.RequestID, e.RequestContext.DomainName, e.RequestContext.APIID = "req-1", r.URL.Host, "a1b2c3"
	e.RequestContext.HTTP.Method = r.Method
	for name := range r.Header {
		e.Headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	if !w.plainCookies && e.Headers["cookie"] != "" {
		e.Cookies = strings.Split(e.Headers["cookie"], "; ")
		delete(e.Headers, "cookie")
	}
	if query := r.URL.Query(); len(query) > 0 {
		e.QueryStringParameters = map[string]string{}
		for name := range query {
			e.QueryStringParameters[name] = query.Get(name)
		}
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		w.must(err)
		e.Body = string(body)
	}
	for _, p := range contract.Pages { // of several that fit, API Gateway takes the one with the fewest parameters
		if params, ok := contract.Match(p.Path, r.URL.Path); ok && p.Method == r.Method && (e.RouteKey == "$default" || len(params) < len(e.PathParameters)) {
			e.RouteKey, e.PathParameters = p.RouteKey(), params
		}
	}
	a, err := w.portal.handle(r.Context(), e)
	w.must(err)
	w.guarded(e.RouteKey, a)
	header := http.Header{"Set-Cookie": a.Cookies}
	for name, value := range a.Headers {
		header.Set(name, value)
	}
	body := a.Body
	if a.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(body)
		w.must(err)
		body = string(decoded)
	}
	return &http.Response{StatusCode: a.StatusCode, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

var secretCookie = regexp.MustCompile(`^__Host-((session|flow|invitation|draft|notice)=[\w.-]*; Path=/;( Max-Age=0;)?|settings=[\w.%&=-]*; Path=/; Max-Age=31536000;) HttpOnly; Secure; SameSite=Lax$`)

// invitationPage is the address of an invitation's page, which is no link by which somebody accepts it.
var invitationPage = regexp.MustCompile(`/nodes/\w+/invitations/inv_\w{16}"`)

// guarded is what holds for each answer of each page.
func (w *world) guarded(route string, a response) {
	w.t.Helper()
	if pages()[route] == nil {
		return
	}
	for name, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Strict-Transport-Security": "max-age=63072000",
	} {
		if a.Headers[name] != want {
			w.t.Errorf("%s: %s is %q", route, name, a.Headers[name])
		}
	}
	policy := a.Headers["Content-Security-Policy"]
	if !strings.HasPrefix(policy, "default-src 'none'; base-uri 'none'; form-action ") || strings.Contains(policy, "unsafe") ||
		!strings.Contains(policy, "require-trusted-types-for 'script'") && strings.Contains(policy, "script") || !strings.Contains(policy, "frame-ancestors 'none'") {
		w.t.Errorf("%s: Content-Security-Policy is %q", route, policy)
	}
	for _, never := range []string{"<script>", "style=", "javascript:", "/invitations/"} {
		if strings.Contains(strings.ToLower(invitationPage.ReplaceAllString(a.Body, "")), never) {
			w.t.Errorf("%s: the page has %s in it", route, never)
		}
	}
	for _, c := range a.Cookies {
		if !secretCookie.MatchString(c) {
			w.t.Errorf("%s: sets %s", route, c)
		}
	}
}

// raw asks the platform's own site for a page with exactly these cookies, and with a query, or the form of a POST.
func (w *world) raw(method, path, in string, cookies ...string) response {
	w.t.Helper()
	e := events.APIGatewayV2HTTPRequest{RouteKey: method + " " + path, RawQueryString: in, Headers: map[string]string{}, Cookies: cookies}
	if method == http.MethodPost {
		e.RawQueryString, e.Body = "", in
	}
	if w.plainCookies {
		e.Cookies, e.Headers["cookie"] = nil, strings.Join(cookies, "; ")
	}
	e.RequestContext.RequestID, e.RequestContext.DomainName, e.RequestContext.HTTP.Method = "req-1", "portal.example", method
	r, err := w.portal.handle(w.t.Context(), e)
	w.must(err)
	w.guarded(e.RouteKey, r)
	return r
}

// browser keeps cookies, and goes where it is sent.
type browser struct {
	w    *world
	http *http.Client
	hops []string // addresses on the way to the last page
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &browser{w: w, http: &http.Client{Jar: jar, Transport: w,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is what a browser shows.
type page struct {
	status int
	url    *url.URL
	body   string
}

func (b *browser) get(address string) page {
	b.w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	b.w.must(err)
	return b.follow(r)
}

func (b *browser) post(address string, form url.Values) page {
	b.w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	b.w.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.follow(r)
}

// follow goes on until something is shown; or to where nothing in this world listens.
func (b *browser) follow(r *http.Request) page {
	b.w.t.Helper()
	b.hops = nil
	for range 10 {
		b.hops = append(b.hops, r.URL.String())
		a, err := b.http.Do(r)
		b.w.must(err)
		body, err := io.ReadAll(a.Body)
		b.w.must(err)
		a.Body.Close()
		if a.StatusCode/100 != 3 {
			return page{a.StatusCode, r.URL, string(body)}
		}
		to, err := r.URL.Parse(a.Header.Get("Location"))
		b.w.must(err)
		if ours := []string{home, otherSite, redSite, blueSite, graySite, b.w.double.URL}; !slices.Contains(ours, to.Scheme+"://"+to.Host) {
			b.w.t.Fatalf("%s leads away, to %s", r.URL, to.Host)
		}
		r, err = http.NewRequest(http.MethodGet, to.String(), nil)
		b.w.must(err)
	}
	b.w.t.Fatal("redirected for ever")
	return page{}
}

var (
	aForm   = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`)
	aButton = regexp.MustCompile(`(?s)<button([^>]*)>(.*?)</button>`)
	aName   = regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`)
	aLink   = regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*>(?:<bdi>)?([^<]*)(?:</bdi>)?</a>`)
)

var (
	anInput   = regexp.MustCompile(`<input([^>]*)>`)
	anArea    = regexp.MustCompile(`<textarea([^>]*)>([^<]*)</textarea>`)
	aSelect   = regexp.MustCompile(`(?s)<select([^>]*)>(.*?)</select>`)
	anOption  = regexp.MustCompile(`<option value="([^"]*)"([^>]*)>`)
	attribute = regexp.MustCompile(`([a-z]+)(?:="([^"]*)")?`)
)

// sent is what a browser sends of a form in which nothing was changed.
func sent(form string) url.Values {
	values := url.Values{}
	has := func(attributes string) map[string]string {
		all := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(attributes, -1) {
			all[a[1]] = html.UnescapeString(a[2])
		}
		return all
	}
	for _, f := range anInput.FindAllStringSubmatch(form, -1) {
		input := has(f[1])
		if _, checked := input["checked"]; checked || input["type"] != "radio" && input["type"] != "checkbox" {
			values.Add(input["name"], input["value"])
		}
	}
	for _, f := range anArea.FindAllStringSubmatch(form, -1) {
		values.Add(has(f[1])["name"], html.UnescapeString(f[2]))
	}
	for _, f := range aSelect.FindAllStringSubmatch(form, -1) {
		value := ""
		for i, o := range anOption.FindAllStringSubmatch(f[2], -1) {
			if i == 0 || strings.Contains(o[2], "selected") {
				value = html.UnescapeString(o[1])
			}
		}
		values.Add(has(f[1])["name"], value)
	}
	return values
}

// form is the address and the content of a form, as the button with this text would send it.
func (b *browser) form(p page, button string) (string, url.Values) {
	b.w.t.Helper()
	for _, f := range aForm.FindAllStringSubmatch(p.body, -1) {
		for _, press := range aButton.FindAllStringSubmatch(f[2], -1) {
			if !strings.Contains(html.UnescapeString(press[2]), button) {
				continue
			}
			values := sent(f[2])
			for _, h := range aName.FindAllStringSubmatch(press[1], -1) {
				values.Set(html.UnescapeString(h[1]), html.UnescapeString(h[2]))
			}
			to, err := p.url.Parse(html.UnescapeString(f[1]))
			b.w.must(err)
			return to.String(), values
		}
	}
	b.w.t.Fatalf("the page %s has no button %q: %s", p.url, button, p.body)
	return "", nil
}

func (b *browser) press(p page, button string) page {
	b.w.t.Helper()
	return b.post(b.form(p, button))
}

func (b *browser) click(p page, text string) page {
	b.w.t.Helper()
	for _, l := range aLink.FindAllStringSubmatch(p.body, -1) {
		if html.UnescapeString(l[2]) == text {
			to, err := p.url.Parse(html.UnescapeString(l[1]))
			b.w.must(err)
			return b.get(to.String())
		}
	}
	b.w.t.Fatalf("the page %s has no link %q: %s", p.url, text, p.body)
	return page{}
}

// signIn goes from the start page through Entra's and back.
func (b *browser) signIn(name string) page { return b.signInAt(home, name) }

func (b *browser) signInAt(home, name string) page {
	b.w.t.Helper()
	return b.press(b.get(home+"/me"), name)
}

// has fails the test unless the page has the status and shows all of this.
func (b *browser) has(p page, status int, texts ...string) page {
	b.w.t.Helper()
	shown := html.UnescapeString(p.body)
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			b.w.t.Errorf("%s does not say %q", p.url, text)
		}
	}
	if p.status != status || b.w.t.Failed() {
		b.w.t.Fatalf("%s: %d, want %d: %s", p.url, p.status, status, p.body)
	}
	return p
}

// cookie is the value that the browser keeps for the platform's site.
func (b *browser) cookie(name string) string { return b.cookieAt(home, name) }

func (b *browser) cookieAt(home, name string) string {
	u, err := url.Parse(home)
	b.w.must(err)
	for _, c := range b.http.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// keep puts a cookie into the browser.
func (b *browser) keep(origin, name, value string) {
	u, err := url.Parse(origin)
	b.w.must(err)
	b.http.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}
