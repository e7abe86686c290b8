package entra

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// leeway is how far the clocks of Entra and this machine may be apart.
const leeway = time.Minute

// maxToken bounds the work on strange input, in bytes. Entra keeps its tokens small enough for a header.
const maxToken = 16 << 10

// Verifier checks tokens of any app in a cloud. It is safe for concurrent use, and meant to live as long as the process: it keeps Entra's
// keys for 24 hours, so nearly all tokens are verified without network.
type Verifier struct {
	cloud  Cloud
	client *http.Client
	now    func() time.Time
	keys   *keyring
}

// NewVerifier returns a Verifier that has fetched nothing yet. The transport carries all calls to Entra, and now is the time; nil is
// http.DefaultTransport, and the machine's clock.
func NewVerifier(cloud Cloud, transport http.RoundTripper, now func() time.Time) *Verifier {
	if now == nil {
		now = wallClock
	}
	// Entra's endpoints redirect nowhere; a key or a code that went elsewhere would be trusted, or lost, there.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{Transport: transport, CheckRedirect: stay}
	return &Verifier{cloud, client, now, &keyring{url: cloud.keysURL(), client: client, now: now}}
}

// wallClock has no monotonic reading, which stands still while Lambda freezes the process: keys would stay young.
func wallClock() time.Time { return time.Now().Round(0) }

// IDToken checks an ID token of this app and returns who it is about. The nonce is the one of the sign-in that the token came from. The
// error is a Refusal, or *Unavailable.
func (v *Verifier) IDToken(ctx context.Context, app App, token, nonce string) (Person, error) {
	c, err := v.verify(ctx, app, token)
	if err != nil {
		return Person{}, err
	}
	if !same(c.Nonce, nonce) {
		return Person{}, Nonce
	}
	return c.person(), nil
}

// Access is what an access token says: who it was issued to, and for which time.
type Access struct {
	Person
	Issued time.Time // its iat. Entra writes one that is some minutes before the token was made
	Until  time.Time // when it stops counting by this machine's clock: its exp, and the leeway
}

// apiScope is the permission that an access token for an app's own API carries: the app registration has to expose it, under the name that
// Microsoft's own guides use for acting as the person who is signed in.
// Source: https://learn.microsoft.com/microsoftteams/platform/tabs/how-to/authentication/tab-sso-register-aad
const apiScope = "access_as_user"

// AccessToken checks an access token for this app's own API, and returns what it says. A token that an app got for itself is refused:
// its object id is that of no person. So is one that another app than this got for a person (azp), or for something else (scp): by the
// person's consent to any app of the world, for any use, whoever runs that app would be that person here.
// Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference (azp, scp)
// The error is a Refusal, or *Unavailable.
func (v *Verifier) AccessToken(ctx context.Context, app App, token string) (Access, error) {
	c, err := v.verify(ctx, app, token)
	switch {
	case err != nil:
		return Access{}, err
	case c.Scopes == "" || c.Kind == appOnly:
		return Access{}, NotDelegated
	case c.Presenter != app.Client:
		return Access{}, OtherClient
	case !slices.Contains(strings.Fields(c.Scopes), apiScope):
		return Access{}, NoScope
	case c.IssuedAt == nil:
		return Access{}, NoValidity
	}
	return Access{c.person(), c.IssuedAt.Time(), c.Expiry.Time().Add(leeway)}, nil
}

// claims are those of an ID token or access token that are of use here.
// Sources: https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference,
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
type claims struct {
	jwt.Claims
	Version       string `json:"ver"`
	Tenant        string `json:"tid"`
	Object        string `json:"oid"`
	Nonce         string `json:"nonce"` // ID tokens
	Presenter     string `json:"azp"`   // access tokens: the app that got it
	Scopes        string `json:"scp"`   // access tokens of people, with spaces between; those of apps have none
	Kind          string `json:"idtyp"` // optional: app in access tokens of apps
	Name          string `json:"name"`
	Email         string `json:"email"`
	EmailVerified truth  `json:"xms_edov"`
}

const appOnly = "app"

func (c *claims) person() Person {
	return Person{
		Tenant: strings.ToLower(c.Tenant), Object: strings.ToLower(c.Object), Name: c.Name,
		Email: c.Email, EmailVerified: c.Email != "" && bool(c.EmailVerified),
	}
}

// truth is xms_edov. It is documented as a Boolean, and has been seen as true and as "1". What is anything else is false.
type truth bool

// UnmarshalJSON never fails: a strange value must not keep anybody out.
func (t *truth) UnmarshalJSON(b []byte) error {
	s := string(b)
	*t = s == "true" || s == "1" || s == `"1"` || s == `"true"`
	return nil
}

// parse reads a token without believing any of it.
func parse(token string) (*jwt.JSONWebToken, error) {
	if len(token) > maxToken {
		return nil, Malformed
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	var other *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &other):
		return nil, Algorithm
	case err != nil:
		return nil, Malformed
	}
	return parsed, nil
}

// verify makes every check that ID tokens and access tokens have in common.
func (v *Verifier) verify(ctx context.Context, app App, token string) (*claims, error) {
	parsed, err := parse(token)
	if err != nil {
		return nil, err
	}
	key, err := v.keys.find(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return nil, err
	}
	var c claims
	switch err := parsed.Claims(key.public, &c); {
	case errors.Is(err, jose.ErrCryptoFailure):
		return nil, Signature
	case err != nil:
		return nil, Malformed
	}
	switch {
	case c.Version != "2.0":
		return nil, Version
	case !isGUID(c.Tenant):
		return nil, TenantID
	case c.Issuer != v.cloud.issuer(c.Tenant):
		return nil, Issuer
	case !key.signsFor(c.Issuer, c.Tenant):
		return nil, KeyIssuer
	case app.Client == "" || len(c.Audience) != 1 || c.Audience[0] != app.Client:
		return nil, Audience
	case !app.Tenants.Has(strings.ToLower(c.Tenant)):
		return nil, OtherTenant
	case !isGUID(c.Object):
		return nil, ObjectID
	case c.Expiry == nil || c.NotBefore == nil:
		return nil, NoValidity
	}
	switch err := c.ValidateWithLeeway(jwt.Expected{Time: v.now()}, leeway); {
	case errors.Is(err, jwt.ErrExpired):
		return nil, Expired
	case err != nil:
		return nil, NotYetValid
	}
	return &c, nil
}

// same compares what was received with a secret that must not be empty, in a time that does not tell where they differ.
func same(received, secret string) bool {
	return secret != "" && subtle.ConstantTimeCompare([]byte(received), []byte(secret)) == 1
}
