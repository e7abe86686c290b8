package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/portalhost"
)

// Names in the authorizer's context, which API Gateway hands to the function that serves the request.
const (
	contextPrincipal = "principal" // the id of the API client or person
	contextKey       = "key"       // of an API client: the id of the secret that it used
	contextSession   = "session"   // of a person: when their token was issued, in Unix milliseconds
	contextUntil     = "until"     // of a person: when their token stops counting, in Unix milliseconds
	contextWithin    = "within"    // of a person: what bounds them (directory.Caller.Within); not there when nothing does
	contextRefusal   = "refusal"   // why nobody was recognized, safe to show; then there is no principal
)

// What callers are told; the functions add what to do. An unknown client, a revoked one and a wrong secret must look the
// same.
const (
	malformed = "The Authorization header has neither an API key of this platform nor an access token."
	unknown   = "The API key is unknown or was revoked."
	elsewhere = "API keys are not taken under the name of a brand, which its partner runs. Replace a key that you have sent here, and use the platform's own name."
	notTaken  = "The access token is not meant for this API at this host, was not issued to a person, or is not valid now."
)

// errUnavailable is what API Gateway gets when nobody can say just now who is calling. Its text reaches no caller.
var errUnavailable = messages.InvokeResponse_Error{Type: "unavailable", Message: "the table or Entra's keys cannot be read just now"}

// readDeadline leaves time to answer before API Gateway gives up on the authorizer.
const readDeadline = 5 * time.Second

type authorizer struct {
	store  directory.Store
	config portalhost.Config
	sites  *portalhost.Sites // whose app's tokens are taken under which name
	tokens *entra.Verifier   // of people; nil: none are taken
	now    func() time.Time
	log    *slog.Logger
}

// configured makes the authorizer that the environment describes. It makes no call: nothing is fetched before the first token comes.
func configured(store directory.Store, env func(string) string, now func() time.Time, log *slog.Logger) *authorizer {
	a := &authorizer{store: store, config: portalhost.Configured(env), now: now, log: log}
	a.sites = portalhost.New(a.config, directory.New(store, now).BrandAt, now)
	if a.config.App.Client != "" {
		a.tokens = entra.NewVerifier(a.config.Cloud, nil, now)
	}
	return a
}

// handle says who is calling. Its answer always lets the request through: an HTTP API cannot shape a refusal, so the
// functions answer 401 themselves, from the context. API Gateway keeps the answer for some minutes under the
// Authorization header and the host name; an error is not kept, so it is what a failing store gives (API Gateway then
// answers 500). Whether a secret or a session still counts is therefore decided by each request.
//
// That a token's key is unknown (entra.UnknownKey) is kept as well, although the key may be so new that Entra's keys were
// fetched before it, less than five minutes ago. Entra announces keys days before it signs with them, so that takes a
// hurried change of keys on its side, and then a token may be refused for ten minutes at most. As an error it would be
// kept by nobody: anybody could raise the alarms by sending junk.
func (a *authorizer) handle(ctx context.Context, r events.APIGatewayV2CustomAuthorizerV2Request) (answer, error) {
	began := a.now()
	host, _ := a.config.Host(r.RequestContext.DomainName, r.Headers)
	who, err := a.identify(ctx, host, r.Headers["authorization"])
	attrs := []any{"outcome", who.outcome, "principal", string(who.principal), "key", string(who.key),
		"request", r.RequestContext.RequestID, "route", r.RouteKey, "ms", a.now().Sub(began).Milliseconds()}
	if err != nil {
		a.log.ErrorContext(ctx, "authorize", append(attrs, "error", err.Error())...)
		return answer{}, errUnavailable
	}
	a.log.InfoContext(ctx, "authorize", attrs...)
	switch {
	case who.outcome == notAKey:
		return allow(map[string]any{contextRefusal: malformed}), nil
	case who.outcome == keyElsewhere:
		return allow(map[string]any{contextRefusal: elsewhere}), nil
	case who.outcome != recognized && who.key == "":
		return allow(map[string]any{contextRefusal: notTaken}), nil
	case who.outcome != recognized:
		return allow(map[string]any{contextRefusal: unknown}), nil
	case who.key == "":
		found := map[string]any{contextPrincipal: string(who.principal), contextSession: millis(who.session), contextUntil: millis(who.until)}
		if who.within != "" {
			found[contextWithin] = string(who.within)
		}
		return allow(found), nil
	}
	return allow(map[string]any{contextPrincipal: string(who.principal), contextKey: string(who.key)}), nil
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

type answer = events.APIGatewayV2CustomAuthorizerSimpleResponse

func allow(context map[string]any) answer { return answer{IsAuthorized: true, Context: context} }

// outcome is what the log says of a call. It tells more than the caller hears. Of a token that is refused it is the entra.Refusal.
type outcome string

const (
	recognized    outcome = "recognized"
	notAKey       outcome = "neither key nor token"
	unknownClient outcome = "unknown client"
	unknownSecret outcome = "unknown or revoked secret"
	wrongSecret   outcome = "wrong secret"
	noApp         outcome = "tokens are not set up"
	noSite        outcome = "token at a host without an app"
	keyElsewhere  outcome = "key at a brand's host"
	failed        outcome = "store or Entra failed"
)

// identity is who somebody claims to be, and whether that proved right. The principal of a key is there in any case, of a token only
// when it was recognized.
type identity struct {
	outcome   outcome
	principal ident.Principal
	key       ident.Key // of an API client
	session   time.Time // of a person
	until     time.Time // of a person
	within    ident.Node
}

// identify finds out whose key or token the header holds that came to a host.
func (a *authorizer) identify(ctx context.Context, host, header string) (identity, error) {
	scheme, credentials, _ := strings.Cut(header, " ")
	credentials = strings.TrimSpace(credentials)
	if !strings.EqualFold(scheme, "Bearer") {
		return identity{outcome: notAKey}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readDeadline)
	defer cancel()
	if key, ok := credential.ParseAPIKey(credentials); ok {
		return a.client(ctx, host, key)
	}
	if strings.Count(credentials, ".") == 2 && !strings.HasPrefix(credentials, credential.KeyPrefix) {
		return a.person(ctx, host, credentials)
	}
	return identity{outcome: notAKey}, nil
}

// client finds out whether the key is a live one. At a brand's host none is taken: the brand's partner runs the name, and so could have
// every key that is sent there, which counts for more than what is the partner's.
func (a *authorizer) client(ctx context.Context, host string, key credential.APIKey) (identity, error) {
	who := identity{outcome: failed, principal: key.Client, key: key.ID}
	at, ok, err := a.sites.At(ctx, host)
	if err != nil {
		return who, err
	}
	if ok && at.Brand != nil {
		who.outcome = keyElsewhere
		return who, nil
	}
	got, err := a.store.Read(ctx, directory.Want{Records: access.Principals.Refs(key.Client)})
	if err != nil {
		return who, err
	}
	client, because := access.Principals.In(got.Records, key.Client), wrongSecret
	switch {
	case client == nil:
		client, because = decoy(key), unknownClient
	case !client.Holds(key.ID, a.now()):
		client, because = decoy(key), unknownSecret
	}
	who.outcome = because
	if key.Verify(client, a.now()) {
		who.outcome = recognized
	}
	return who, nil
}

// decoy is a client that has the key's secret id and no secret that fits: verifying against it takes as long as against
// a real one.
func decoy(k credential.APIKey) *access.Principal {
	return &access.Principal{ID: k.Client, Secrets: []access.Secret{{ID: k.ID, Hash: make([]byte, 32)}}}
}

// person finds out to whom the access token was issued. It has to be for the app of the very host: the platform's at the platform's, and a
// brand's own at that brand's. Where a brand has no app of its own, none is taken: the platform's would count for more elsewhere. It reads nothing from
// the table but the brand of a host, for a minute's use.
func (a *authorizer) person(ctx context.Context, host, token string) (identity, error) {
	if a.tokens == nil {
		return identity{outcome: noApp}, nil
	}
	at, ok, err := a.sites.At(ctx, host)
	switch {
	case err != nil:
		return identity{outcome: failed}, err
	case !ok, at.Brand != nil && !at.Own:
		return identity{outcome: noSite}, nil
	}
	found, err := a.tokens.AccessToken(ctx, at.App, token)
	var refused entra.Refusal
	switch {
	case errors.As(err, &refused):
		return identity{outcome: outcome(refused)}, nil
	case err != nil:
		return identity{outcome: failed}, err
	}
	return identity{outcome: recognized, principal: ident.PersonOf(found.Tenant, found.Object), session: found.Issued, until: found.Until,
		within: at.Within}, nil
}
