package graphtest

import (
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// code is an authorization code: what one sign-in at one tenant gave one app.
type code struct {
	app, tenant, person string // ids; person in the tenant
	redirect            string
	challenge           string // PKCE, S256
	nonce               string
	scopes              scopes
	expires             time.Time
	used                bool
}

// session is Entra's own: who is signed in to the browser that has the cookie, at home.
type session struct {
	account account
	expires time.Time
}

// account names a person where they sign in: at home, or a guest without an account elsewhere.
type account struct{ tenant, person string }

// sessionCookie is named as Entra's.
const sessionCookie = "ESTSAUTH"

// cancel is the value of an account's button for going back without signing in.
const cancel = "cancel"

var challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// authorize is the sign-in: GET shows a page with people to choose from, unless somebody is signed in already, and POST
// comes from its buttons, with the same query.
func (d *Double) authorize(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := r.URL.Query()
	app, tenant, err := d.client(r.PathValue("tenant"), q)
	if err != nil {
		d.errorPage(w, err)
		return
	}
	// From here on the app hears of what is wrong: the redirect URI is its own.
	answer := func(params url.Values) { respond(w, r, q, params) }
	fail := func(e *refusal) { answer(d.errorParams(e)) }
	request, err := d.signInRequest(app, q)
	if err != nil {
		fail(err)
		return
	}
	var who account
	known := d.session(r)
	switch prompt := q.Get("prompt"); {
	case r.Method == http.MethodPost:
		choice := r.PostFormValue("account")
		if choice == cancel {
			fail(refuse(accessDenied, 65004, "User declined to consent to access the app."))
			return
		}
		who.tenant, who.person, _ = strings.Cut(choice, "/")
	case known != nil && (prompt == "" || prompt == "none"):
		who = known.account
	case prompt == "none":
		fail(refuse(loginRequired, 50058, "A silent sign-in request was sent but no user is signed in."))
		return
	default:
		d.chooser(w, r, app, tenant, q.Get("login_hint"))
		return
	}
	request.app = app.ID
	if err := d.admit(app, tenant, who, &request); err != nil {
		d.errorPage(w, err)
		return
	}
	d.startSession(w, who)
	request.expires = d.now().Add(codeLife)
	value := secret()
	d.codes[value] = &request
	answer(url.Values{"code": {value}, "session_state": {newGUID()}})
}

// client finds the app and the tenant of a request by a browser, and checks where its answer would go: while that is not
// sure, errors are shown and go nowhere. The tenant is nil when everybody may come from their own.
func (d *Double) client(name string, q url.Values) (*App, *Tenant, *refusal) {
	var t *Tenant
	if !anyTenant(name) {
		if t = d.tenant(name); t == nil {
			return nil, nil, tenantUnknown(name)
		}
	}
	for _, needed := range []string{"client_id", "redirect_uri"} {
		if q.Get(needed) == "" {
			return nil, nil, parameterMissing(needed)
		}
	}
	app := d.app(q.Get("client_id"))
	switch {
	case app == nil || t != nil && app.Audience == SingleTenant && app.Tenant != t.ID:
		return nil, nil, appUnknown(q.Get("client_id"), name)
	case t == nil && app.Audience == SingleTenant:
		return nil, nil, refuse(invalidRequest, 50194, "Application '%s'(%s) is not configured as a multi-tenant application. Usage of the "+
			"/common endpoint is not supported for such apps created after '10/15/2018'.", app.ID, app.Name)
	case !slices.Contains(app.RedirectURIs, q.Get("redirect_uri")):
		return nil, nil, refuse(invalidRequest, 50011, "The redirect URI '%s' specified in the request does not match the redirect URIs "+
			"configured for the application '%s'.", q.Get("redirect_uri"), app.ID)
	}
	return app, t, nil
}

// signInRequest checks what a sign-in asks for. Entra does without state, nonce and PKCE here; an app that leaves one out
// has forgotten it.
func (d *Double) signInRequest(app *App, q url.Values) (code, *refusal) {
	for _, needed := range []string{"response_type", "scope", "state", "nonce"} {
		if q.Get(needed) == "" {
			return code{}, parameterMissing(needed)
		}
	}
	c := code{redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), nonce: q.Get("nonce")}
	switch {
	case q.Get("response_type") != "code":
		return code{}, refuse("unsupported_response_type", 700054, "response_type '%s' is not enabled for the application.",
			q.Get("response_type"))
	case !slices.Contains([]string{"", "query", "form_post"}, q.Get("response_mode")):
		return code{}, refuse(invalidRequest, 90015, "The response_mode '%s' is not supported.", q.Get("response_mode"))
	case !slices.Contains([]string{"", "login", "none", "consent", "select_account"}, q.Get("prompt")):
		return code{}, refuse(invalidRequest, 90023, "The prompt '%s' is not supported.", q.Get("prompt"))
	case c.challenge == "":
		return code{}, refuse(invalidRequest, 9002325, "Proof Key for Code Exchange is required for authorization code redemption.")
	case q.Get("code_challenge_method") != "S256" || !challengePattern.MatchString(c.challenge):
		return code{}, refuse(invalidRequest, 501491, "The code_challenge_method is not S256, or the code_challenge has an invalid size.")
	}
	var err *refusal
	c.scopes, err = d.parseScopes(app, q.Get("scope"))
	if err == nil && !slices.Contains(c.scopes.openID, "openid") {
		err = refuse(invalidRequest, 70011, "The provided value for the input parameter 'scope' is not valid: it has no openid.")
	}
	return c, err
}

// admit decides whether the account may sign in to the app, and as whom: its own person at home, or its guest elsewhere.
func (d *Double) admit(app *App, tenant *Tenant, who account, c *code) *refusal {
	home := d.tenant(who.tenant)
	if home == nil || home.person(who.person) == nil {
		return refuse(invalidRequest, 50034, "The user account does not exist in the directory.")
	}
	at, person := home, home.person(who.person)
	if tenant != nil && tenant != home {
		at, person = tenant, tenant.guestOf(who)
	}
	switch {
	case person == nil || person.Guest != nil && (tenant == nil || person.Guest.State != Accepted):
		// At common a guest without an account elsewhere belongs to no tenant.
		return refuse(invalidGrant, 50020, "User account from the identity provider does not exist in tenant '%s' and cannot access the "+
			"application '%s'(%s) in that tenant. The account needs to be added as an external user in the tenant first.",
			at.Name, app.ID, app.Name)
	case person.Disabled || home.person(who.person).Disabled:
		return refuse(invalidGrant, 50057, "The user account is disabled.")
	case app.Audience == SingleTenant && app.Tenant != at.ID:
		return appUnknown(app.ID, at.Name)
	case app.Tenant != at.ID && at.consent(app.ID) == nil:
		if at.AdminConsentOnly {
			return refuse(consentRequired, 90094, "An administrator of %s has set a policy that prevents you from granting %s the permissions "+
				"it is requesting.", at.Name, app.Name)
		}
		at.grant(app.ID, nil)
	}
	c.tenant, c.person = at.ID, person.ID
	return nil
}

// guestOf finds the guest whose home the account is: one who has accepted, since only then there is a home.
func (t *Tenant) guestOf(who account) *Person {
	for i := range t.People {
		if g := t.People[i].Guest; g != nil && (account{g.HomeTenant, g.HomeID}) == who {
			return &t.People[i]
		}
	}
	return nil
}

func (d *Double) errorParams(e *refusal) url.Values {
	return url.Values{"error": {e.code}, "error_description": {d.description(e)}}
}

// respond sends a browser back to the app, with its state: by a redirect, or (response_mode=form_post) by a form. Entra's
// form sends itself by a script; this one has a button.
func respond(w http.ResponseWriter, r *http.Request, q, params url.Values) {
	if state := q.Get("state"); state != "" {
		params.Set("state", state)
	}
	target := q.Get("redirect_uri")
	if q.Get("response_mode") == "form_post" {
		render(w, http.StatusOK, formPostPage, map[string]any{"Target": target, "Params": params})
		return
	}
	u, err := url.Parse(target)
	if err != nil {
		http.Error(w, "the redirect URI cannot be read", http.StatusInternalServerError)
		return
	}
	query := u.Query()
	for name, values := range params {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, u.String(), http.StatusFound)
}

func (d *Double) session(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	s := d.sessions[cookie.Value]
	if s == nil || d.now().After(s.expires) {
		return nil
	}
	return s
}

func (d *Double) startSession(w http.ResponseWriter, who account) {
	value := secret()
	d.sessions[value] = &session{account: who, expires: d.now().Add(sessionLife)}
	d.setCookie(w, value, 0)
}

func (d *Double) setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: strings.HasPrefix(d.base, "https:"), SameSite: http.SameSiteLaxMode})
}

// logout ends Entra's session. The browser goes on to post_logout_redirect_uri when an app has registered that; otherwise
// a page says that one is signed out.
func (d *Double) logout(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		delete(d.sessions, cookie.Value)
	}
	d.setCookie(w, "", -1)
	q := r.URL.Query()
	after := q.Get("post_logout_redirect_uri")
	if after != "" && slices.ContainsFunc(d.apps, func(a *App) bool { return slices.Contains(a.RedirectURIs, after) }) {
		respond(w, r, url.Values{"redirect_uri": {after}, "state": {q.Get("state")}}, url.Values{})
		return
	}
	render(w, http.StatusOK, signedOutPage, nil)
}

// choice is a person on a page, as a button.
type choice struct {
	Value, Name, Mail, Note string
}

// group is a tenant's people on a page.
type group struct {
	Tenant string
	People []choice
}

// chooser shows the people to choose from: everybody there is, because everybody can come to a sign-in page. Who cannot
// get in is told so afterwards. The person of the login hint stands first.
func (d *Double) chooser(w http.ResponseWriter, r *http.Request, app *App, tenant *Tenant, hint string) {
	page := map[string]any{"App": app.Name, "Action": r.URL.RequestURI(), "Cancel": cancel, "Tenant": ""}
	if tenant != nil {
		page["Tenant"] = tenant.Name
	}
	page["Groups"] = d.groups(hint, func(_ *Tenant, p *Person) bool {
		return p.Guest == nil || p.Guest.HomeTenant == "" && p.Guest.State == Accepted // others sign in at home, or cannot yet
	})
	render(w, http.StatusOK, chooserPage, page)
}

// groups are the people that are wanted, by tenant. Those whom the hint names stand first.
func (d *Double) groups(hint string, wanted func(*Tenant, *Person) bool) []group {
	var suggested []choice
	var all []group
	for _, t := range d.tenants {
		g := group{Tenant: t.Name}
		for i := range t.People {
			p := &t.People[i]
			if !wanted(t, p) {
				continue
			}
			c := choice{Value: t.ID + "/" + p.ID, Name: p.Name, Mail: p.upn(), Note: p.note()}
			if hint != "" && (strings.EqualFold(hint, p.upn()) || strings.EqualFold(hint, p.Mail)) {
				suggested = append(suggested, c)
			} else {
				g.People = append(g.People, c)
			}
		}
		if len(g.People) > 0 {
			all = append(all, g)
		}
	}
	if len(suggested) > 0 {
		all = append([]group{{Tenant: "Suggested", People: suggested}}, all...)
	}
	return all
}

// note is what somebody who tries things out wants to know of a person.
func (p Person) note() string {
	var notes []string
	for _, n := range []struct {
		holds bool
		text  string
	}{
		{p.Admin, "administrator"},
		{p.Disabled, "account disabled"},
		{!p.MailVerified, "address not verified"},
		{p.Guest != nil, "guest with one-time passcode"},
	} {
		if n.holds {
			notes = append(notes, n.text)
		}
	}
	return strings.Join(notes, ", ")
}

func (d *Double) errorPage(w http.ResponseWriter, e *refusal) {
	render(w, http.StatusBadRequest, errorPage, map[string]any{"Description": d.description(e)})
}

// render writes a page that runs no script, is framed by nobody, and leaks no address to where its links lead.
func render(w http.ResponseWriter, status int, page *template.Template, data any) {
	var b strings.Builder
	if err := page.Execute(&b, data); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(b.String())) // fails only when the browser has gone
}
