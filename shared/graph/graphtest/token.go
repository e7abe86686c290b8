package graphtest

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// assertionType is that of a JWT in client_assertion (RFC 7523).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// issuerTimeout bounds reading the keys of a federated credential's issuer.
const issuerTimeout = 5 * time.Second

// refreshToken stands for a person's sign-in to an app. Entra does not take it back when it gives a new one.
type refreshToken struct {
	app, tenant, person string
	scopes              scopes
	expires             time.Time
}

// grant is what a request for tokens proved: for whom, for which app, and how the app showed who it is.
type grant struct {
	app    *App
	tenant *Tenant
	person *Person // nil for the app alone
	scopes scopes
	nonce  string
	proved string
}

func (d *Double) token(w http.ResponseWriter, r *http.Request) {
	answer, err := d.exchange(r)
	if err != nil {
		d.tokenError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (d *Double) exchange(r *http.Request) (map[string]any, *refusal) {
	if err := r.ParseForm(); err != nil {
		return nil, refuse(invalidRequest, 9002313, "Invalid request. Request is malformed or invalid.")
	}
	name := r.PathValue("tenant")
	d.mu.Lock()
	known := anyTenant(name) || d.tenant(name) != nil
	d.mu.Unlock()
	if !known {
		return nil, tenantUnknown(name)
	}
	app, proved, err := d.authenticate(r, name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var g grant
	switch kind := r.PostForm.Get("grant_type"); kind {
	case "":
		return nil, parameterMissing("grant_type")
	case "authorization_code":
		g, err = d.redeemCode(r, app, d.tenant(name))
	case "refresh_token":
		g, err = d.refreshed(r, app, d.tenant(name))
	case "client_credentials":
		g, err = d.appAlone(r, app, d.tenant(name))
	default:
		return nil, refuse("unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'.", kind)
	}
	if err != nil {
		return nil, err
	}
	g.app, g.proved = app, proved
	return d.issue(g)
}

// redeemCode takes an authorization code, once.
func (d *Double) redeemCode(r *http.Request, app *App, tenant *Tenant) (grant, *refusal) {
	for _, needed := range []string{"code", "redirect_uri", "code_verifier"} {
		if r.PostForm.Get(needed) == "" {
			return grant{}, parameterMissing(needed)
		}
	}
	c := d.codes[r.PostForm.Get("code")]
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	switch {
	case c == nil || c.app != app.ID:
		return grant{}, refuse(invalidGrant, 70000, "The provided value for the 'code' parameter is not valid.")
	case c.used:
		return grant{}, refuse(invalidGrant, 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use "+
			"an existing refresh token.")
	case d.now().After(c.expires):
		return grant{}, refuse(invalidGrant, 70008, "The provided authorization code or refresh token has expired due to inactivity.")
	case tenant != nil && tenant.ID != c.tenant:
		return grant{}, refuse(invalidGrant, 700005, "Provided Authorization Code is intended to use against other tenant, thus rejected.")
	case r.PostForm.Get("redirect_uri") != c.redirect:
		return grant{}, refuse(invalidGrant, 500112, "The reply address '%s' does not match the reply address '%s' provided when requesting "+
			"Authorization code.", r.PostForm.Get("redirect_uri"), c.redirect)
	case base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge:
		return grant{}, refuse(invalidGrant, 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	}
	c.used = true
	g, err := d.person(c.app, c.tenant, c.person)
	g.scopes, g.nonce = c.scopes, c.nonce
	if err == nil && r.PostForm.Get("scope") != "" {
		// Other scopes than in the sign-in may be asked for here; the OpenID ones stay as they were.
		var asked scopes
		if asked, err = d.parseScopes(app, r.PostForm.Get("scope")); err == nil && asked.resource != "" {
			g.scopes.resource, g.scopes.names = asked.resource, asked.names
		}
	}
	return g, err
}

func (d *Double) refreshed(r *http.Request, app *App, tenant *Tenant) (grant, *refusal) {
	t := d.refresh[r.PostForm.Get("refresh_token")]
	switch {
	case r.PostForm.Get("refresh_token") == "":
		return grant{}, parameterMissing("refresh_token")
	case t == nil || t.app != app.ID || tenant != nil && tenant.ID != t.tenant:
		return grant{}, refuse(invalidGrant, 70000, "Provided grant is invalid or malformed.")
	case d.now().After(t.expires):
		return grant{}, refuse(invalidGrant, 700082, "The refresh token has expired due to inactivity.")
	}
	g, err := d.person(t.app, t.tenant, t.person)
	g.scopes = t.scopes
	if err == nil && r.PostForm.Get("scope") != "" {
		var asked scopes
		if asked, err = d.parseScopes(app, r.PostForm.Get("scope")); err == nil {
			g.scopes = asked
		}
	}
	return g, err
}

// person finds who signed in, unless that has ended since.
func (d *Double) person(app, tenant, id string) (grant, *refusal) {
	t := d.tenant(tenant)
	p := t.person(id)
	switch {
	case p == nil:
		return grant{}, refuse(invalidGrant, 50034, "The user account does not exist in the directory.")
	case p.Disabled:
		return grant{}, refuse(invalidGrant, 50057, "The user account is disabled.")
	case d.app(app).Tenant != tenant && t.consent(app) == nil:
		return grant{}, refuse(invalidGrant, 65001, "The user or administrator has not consented to use the application with ID '%s'.", app)
	}
	return grant{tenant: t, person: p}, nil
}

// appAlone is the grant of an app that acts without a person. Its token shows that the app has a service principal in the
// tenant, and no more: permissions are in it when there are any.
func (d *Double) appAlone(r *http.Request, app *App, tenant *Tenant) (grant, *refusal) {
	switch {
	case tenant == nil:
		return grant{}, tenantUnknown(r.PathValue("tenant"))
	case app.Audience == SingleTenant && app.Tenant != tenant.ID:
		return grant{}, appUnknown(app.ID, tenant.Name)
	case app.Tenant != tenant.ID && tenant.consent(app.ID) == nil:
		return grant{}, refuse(unauthorizedClient, 7000229, "The client application %s is missing service principal in the tenant %s.",
			app.ID, tenant.ID)
	case r.PostForm.Get("scope") == "":
		return grant{}, parameterMissing("scope")
	}
	s, err := d.parseScopes(app, r.PostForm.Get("scope"))
	s.openID = nil // Microsoft's SDK asks for them here, too, and gets nothing for that
	if err == nil && !slices.Equal(s.names, []string{defaultScope}) {
		err = refuse(invalidScope, 1002012, "The provided value for scope %s is not valid. Client credential flows must have a scope value with "+
			"/.default suffixed to the resource identifier (application ID URI).", r.PostForm.Get("scope"))
	}
	return grant{tenant: tenant, scopes: s}, err
}

// issue makes the tokens.
func (d *Double) issue(g grant) (map[string]any, *refusal) {
	life := int(accessTokenLife.Seconds())
	answer := map[string]any{"token_type": "Bearer", "expires_in": life, "ext_expires_in": life}
	var claims map[string]any
	switch own := g.scopes.resource == g.app.ID; {
	case g.person == nil && own:
		claims = d.appClaims(g.app, g.tenant, g.proved)
	case g.person == nil:
		claims = d.graphClaims(g.app, g.tenant, nil, nil, g.proved)
	default:
		scp := g.scopes.delegated(g.app)
		answer["scope"] = strings.Join(scp, " ")
		if own {
			claims = d.accessClaims(g.app, g.tenant, g.person, scp, g.proved)
		} else {
			claims = d.graphClaims(g.app, g.tenant, g.person, scp, g.proved)
		}
	}
	tokens := map[string]map[string]any{"access_token": claims}
	if g.person != nil && slices.Contains(g.scopes.openID, "openid") {
		tokens["id_token"] = d.idClaims(g.app, g.tenant, g.person, g.nonce, g.scopes.openID)
	}
	for name, claims := range tokens {
		signed, err := d.sign(claims)
		if err != nil {
			return nil, refuse("server_error", 90033, "A transient error has occurred. Please try again.")
		}
		answer[name] = signed
	}
	if g.person != nil && slices.Contains(g.scopes.openID, "offline_access") {
		value := secret()
		d.refresh[value] = &refreshToken{g.app.ID, g.tenant.ID, g.person.ID, g.scopes, d.now().Add(refreshTokenLife)}
		answer["refresh_token"] = value
	}
	return answer, nil
}

// authenticate finds the app of a request and has it prove who it is, by a secret or by an assertion. It returns a copy.
func (d *Double) authenticate(r *http.Request, tenant string) (*App, string, *refusal) {
	form := r.PostForm
	id, password, basic := r.BasicAuth()
	if basic { // both are encoded as in a form (RFC 6749 2.3.1)
		var idErr, passwordErr error
		id, idErr = url.QueryUnescape(id)
		password, passwordErr = url.QueryUnescape(password)
		if idErr != nil || passwordErr != nil {
			return nil, "", refuse(invalidRequest, 9002313, "Invalid request. Request is malformed or invalid.")
		}
	} else {
		id, password = form.Get("client_id"), form.Get("client_secret")
	}
	assertion := form.Get("client_assertion")
	if id == "" {
		return nil, "", parameterMissing("client_id")
	}
	d.mu.Lock()
	found := d.app(id)
	if found == nil {
		d.mu.Unlock()
		return nil, "", appUnknown(id, tenant)
	}
	app := new(*found)
	d.mu.Unlock()
	switch {
	case assertion != "" && form.Get("client_assertion_type") != assertionType:
		return nil, "", refuse(invalidRequest, 900144, "The client_assertion_type is not '%s'.", assertionType)
	case assertion != "":
		return app, provedByAssertion, d.checkAssertion(r.Context(), app, tenant, assertion)
	case password == "":
		return nil, "", refuse(invalidClient, 7000218, "The request body must contain the following parameter: 'client_assertion' or "+
			"'client_secret'.")
	case !slices.Contains(app.Secrets, password):
		return nil, "", refuse(invalidClient, 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the "+
			"client secret value, not the client secret ID, for a secret added to app '%s'.", app.ID)
	}
	return app, provedBySecret, nil
}

// checkAssertion checks a JWT that stands for an app's secret: signed by the app's own key, or by the issuer of one of its
// federated credentials.
func (d *Double) checkAssertion(ctx context.Context, app *App, tenant, assertion string) *refusal {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	var claims jwt.Claims
	if err == nil {
		err = token.UnsafeClaimsWithoutVerification(&claims) // to know whose keys to take
	}
	if err != nil {
		return refuse(invalidClient, 50027, "JWT token is invalid or malformed.")
	}
	if claims.Issuer == app.ID || claims.Subject == app.ID {
		return d.checkOwnAssertion(app, tenant, token)
	}
	i := slices.IndexFunc(app.FederatedCredentials, func(c FederatedCredential) bool {
		return c.Issuer == claims.Issuer && c.Subject == claims.Subject && claims.Audience.Contains(c.Audiences[0])
	})
	if i < 0 {
		return refuse(invalidClient, 70021, "No matching federated identity record found for presented assertion. Assertion Issuer: '%s'. "+
			"Assertion Subject: '%s'. Assertion Audience: '%s'.", claims.Issuer, claims.Subject, strings.Join(claims.Audience, " "))
	}
	ctx, stop := context.WithTimeout(ctx, issuerTimeout)
	defer stop()
	provider, err := oidc.NewProvider(ctx, claims.Issuer)
	if err != nil {
		return refuse(invalidClient, 50166, "The keys of the issuer '%s' cannot be read: %v", claims.Issuer, err)
	}
	_, err = provider.VerifierContext(ctx, &oidc.Config{SkipClientIDCheck: true, Now: d.now}).Verify(ctx, assertion)
	if _, expired := errors.AsType[*oidc.TokenExpiredError](err); expired {
		return refuse(invalidClient, 700024, "Client assertion is not within its valid time range.")
	}
	if err != nil {
		return refuse(invalidClient, 50013, "Assertion failed signature validation.")
	}
	return nil
}

// checkOwnAssertion checks an assertion that the app signed with the key of one of its certificates.
func (d *Double) checkOwnAssertion(app *App, tenant string, token *jwt.JSONWebToken) *refusal {
	for _, text := range app.Certificates {
		cert, err := parseCertificate(text)
		if err != nil {
			continue // checked when the app was registered
		}
		one, two := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw)
		header := token.Headers[0].ExtraHeaders
		if header["x5t"] != base64.RawURLEncoding.EncodeToString(one[:]) && header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(two[:]) {
			continue
		}
		var claims jwt.Claims
		if token.Claims(cert.PublicKey, &claims) != nil {
			return refuse(invalidClient, 700027, "The certificate with identifier used to sign the client assertion: the signature is not valid.")
		}
		endpoint := d.base + "/" + tenant + "/oauth2/v2.0/token"
		switch {
		case claims.Issuer != app.ID || claims.Subject != app.ID:
			return refuse(invalidClient, 700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
		case !claims.Audience.Contains(endpoint) && !claims.Audience.Contains(d.Issuer(tenant)):
			return refuse(invalidClient, 700023, "Client assertion audience claim does not match Realm issuer.")
		case claims.Expiry == nil || claims.ValidateWithLeeway(jwt.Expected{Time: d.now()}, 5*time.Minute) != nil:
			return refuse(invalidClient, 700024, "Client assertion is not within its valid time range.")
		}
		return nil
	}
	return refuse(invalidClient, 700027, "The certificate with identifier used to sign the client assertion is not registered on application.")
}
