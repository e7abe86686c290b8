package entra

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// signInTimeout is for redeeming a code: signing for the app, the token endpoint, and keys if they are due.
const signInTimeout = 10 * time.Second

// SignIn has people sign in, by the authorization code flow with PKCE. It is safe for concurrent use.
// Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
type SignIn struct {
	verifier   *Verifier
	credential Credential
}

// NewSignIn returns a SignIn in the verifier's cloud. The credential is that of each app it is used for.
func NewSignIn(v *Verifier, c Credential) *SignIn { return &SignIn{v, c} }

// Flow is what the browser that began a sign-in, and no other, must bring back to finish it. The caller keeps it where only that browser
// has it (a signed cookie), and forgets it before calling Finish: a flow is used once.
type Flow struct {
	State    string // ties the callback to the browser: nobody signs another in
	Nonce    string // ties the ID token to the flow
	Verifier string // of PKCE: ties the code to the flow
}

// Begin returns where to send the visitor, and the flow to keep. The redirect is where Entra sends them back: an address that is registered
// for the app. The hint is the address that they are expected to sign in with; Entra fills it in. Without one it asks which account to use,
// also when there is only one: so whoever is signed in with the wrong account gets to choose.
func (s *SignIn) Begin(app App, redirect, hint string) (to string, flow Flow) {
	flow = Flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	account := oauth2.SetAuthURLParam("prompt", "select_account") // which Entra refuses together with a hint
	if hint != "" {
		account = oauth2.SetAuthURLParam("login_hint", hint)
	}
	to = s.config(app, redirect).AuthCodeURL(flow.State, oauth2.S256ChallengeOption(flow.Verifier), account,
		oauth2.SetAuthURLParam("nonce", flow.Nonce), oauth2.SetAuthURLParam("response_mode", "query"))
	return to, flow
}

// Finish returns who has signed in, given the flow of Begin, the same app and redirect, and the query that the visitor came back with.
// The error is a Refusal, *Answered, or *Unavailable.
func (s *SignIn) Finish(ctx context.Context, app App, redirect string, flow Flow, callback url.Values) (Person, error) {
	for _, name := range []string{"state", "error", "iss", "code"} {
		if len(callback[name]) > 1 {
			return Person{}, Callback
		}
	}
	if !same(callback.Get("state"), flow.State) {
		return Person{}, State
	}
	if callback.Has("error") { // before anything else: an error may come with what looks like success
		return Person{}, answered(callback.Get("error"), callback.Get("error_description"))
	}
	// Entra need not say who answers (RFC 9207). When it does, it must be a tenant that is let in, and the one of the token below.
	answering, ours := s.verifier.cloud.tenantOf(callback.Get("iss"))
	if callback.Has("iss") && !(ours && app.Tenants.Has(answering)) {
		return Person{}, Issuer
	}
	if callback.Get("code") == "" {
		return Person{}, Callback
	}
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	token, err := s.redeem(ctx, app, redirect, flow, callback.Get("code"))
	if err != nil {
		return Person{}, err
	}
	person, err := s.verifier.IDToken(ctx, app, token, flow.Nonce)
	if err == nil && ours && answering != person.Tenant {
		return Person{}, Issuer
	}
	return person, err
}

func (s *SignIn) config(app App, redirect string) *oauth2.Config {
	audience := app.audience()
	return &oauth2.Config{
		ClientID: app.Client, RedirectURL: redirect, Scopes: []string{"openid", "profile", "email"},
		Endpoint: oauth2.Endpoint{
			AuthURL:   s.verifier.cloud.endpoint(audience, "authorize"),
			TokenURL:  s.verifier.cloud.endpoint(audience, "token"),
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// redeem gets the ID token for a code. A code is good for one attempt, so there is no second.
func (s *SignIn) redeem(ctx context.Context, app App, redirect string, flow Flow, code string) (string, error) {
	config := s.config(app, redirect)
	proof, err := s.credential.Prove(ctx, app.Client, config.Endpoint.TokenURL)
	if err != nil {
		return "", &Unavailable{fmt.Errorf("the app's credential: %w", err)}
	}
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(flow.Verifier)}
	for name, value := range proof {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	token, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, s.verifier.client), code, options...)
	if err != nil {
		return "", exchangeError(err)
	}
	id, _ := token.Extra("id_token").(string)
	return id, nil
}

// exchangeError keeps of the library's errors what is no secret: they quote the whole answer.
func exchangeError(err error) error {
	var answer *oauth2.RetrieveError
	var unreached *url.Error
	switch {
	case errors.As(err, &unreached):
		return &Unavailable{unreached}
	case !errors.As(err, &answer) || answer.ErrorCode == "":
		return &Unavailable{errUnusable}
	}
	err = answered(answer.ErrorCode, answer.ErrorDescription)
	if status := answer.Response.StatusCode; status == http.StatusTooManyRequests || status >= http.StatusInternalServerError {
		return &Unavailable{err}
	}
	return err
}

// Credential proves to the token endpoint that a request is an app's own.
type Credential interface {
	// Prove returns the form parameters that do. The client is the app's id, and the endpoint is the URL that they are sent to, once.
	Prove(ctx context.Context, client, endpoint string) (map[string]string, error)
}

// credential is a function, so that a secret in it is printed by no log.
type credential func(ctx context.Context, client, endpoint string) (map[string]string, error)

func (c credential) Prove(ctx context.Context, client, endpoint string) (map[string]string, error) {
	return c(ctx, client, endpoint)
}

// Assertion is a credential without a stored secret: each request carries a JWT from sign. That is a token of an identity provider that the
// app registration trusts (a federated credential), or one that is signed with a key whose certificate the app registration has; only
// the latter depends on client and endpoint.
// Source: https://learn.microsoft.com/entra/identity-platform/certificate-credentials, also for federated credentials
func Assertion(sign func(ctx context.Context, client, endpoint string) (jwt string, err error)) Credential {
	return credential(func(ctx context.Context, client, endpoint string) (map[string]string, error) {
		jwt, err := sign(ctx, client, endpoint)
		if err != nil {
			return nil, err
		}
		return map[string]string{
			"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion": jwt,
		}, nil
	})
}

// Secret is a password that the app registration has: for use on a developer's machine.
func Secret(value string) Credential {
	return credential(func(context.Context, string, string) (map[string]string, error) {
		return map[string]string{"client_secret": value}, nil
	})
}
