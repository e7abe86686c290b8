package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/people"
)

// Names in the authorizer's context, which API Gateway hands to the function that serves the request.
const (
	contextPrincipal = "principal" // the API client's id
	contextKey       = "key"       // the id of the secret that it used: whether it still counts is decided by each request
	contextRefusal   = "refusal"   // why nobody was recognized, safe to show; then there is no principal
)

// What callers are told; the functions add what to do. An unknown client, a revoked one and a wrong secret must look the
// same.
const (
	malformed = "The Authorization header has no API key of this platform."
	unknown   = "The API key is unknown or was revoked."
)

// errUnavailable is what API Gateway gets when the store cannot be read. Its text reaches no caller.
var errUnavailable = messages.InvokeResponse_Error{Type: "unavailable", Message: "the table cannot be read just now"}

// readDeadline leaves time to answer before API Gateway gives up on the authorizer.
const readDeadline = 5 * time.Second

type authorizer struct {
	store directory.Store
	log   *slog.Logger
}

// handle says who is calling. Its answer always lets the request through: an HTTP API cannot shape a refusal, so the
// functions answer 401 themselves, from the context. API Gateway keeps the answer for some minutes under the
// Authorization header; an error is not kept, so it is what a failing store gives (API Gateway then answers 500).
func (a *authorizer) handle(ctx context.Context, r events.APIGatewayV2CustomAuthorizerV2Request) (answer, error) {
	began := time.Now()
	who, outcome, err := a.identify(ctx, r.Headers["authorization"])
	attrs := []any{"outcome", outcome, "client", string(who.Client), "key", string(who.ID),
		"request", r.RequestContext.RequestID, "route", r.RouteKey, "ms", time.Since(began).Milliseconds()}
	if err != nil {
		a.log.ErrorContext(ctx, "authorize", append(attrs, "error", err.Error())...)
		return answer{}, errUnavailable
	}
	a.log.InfoContext(ctx, "authorize", attrs...)
	switch outcome {
	case recognized:
		return allow(map[string]any{contextPrincipal: string(who.Client), contextKey: string(who.ID)}), nil
	case notAKey:
		return allow(map[string]any{contextRefusal: malformed}), nil
	default:
		return allow(map[string]any{contextRefusal: unknown}), nil
	}
}

type answer = events.APIGatewayV2CustomAuthorizerSimpleResponse

func allow(context map[string]any) answer { return answer{IsAuthorized: true, Context: context} }

// outcome is what the log says of a call. It tells more than the caller hears.
type outcome string

const (
	recognized    outcome = "recognized"
	notAKey       outcome = "not a key"
	unknownClient outcome = "unknown client"
	unknownSecret outcome = "unknown or revoked secret"
	wrongSecret   outcome = "wrong secret"
	failed        outcome = "store failed"
)

// identify returns the key that the header claims to hold, whether or not it proves right.
func (a *authorizer) identify(ctx context.Context, header string) (people.APIKey, outcome, error) {
	scheme, token, _ := strings.Cut(header, " ")
	key, ok := people.ParseAPIKey(strings.TrimSpace(token))
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return people.APIKey{}, notAKey, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readDeadline)
	defer cancel()
	got, err := a.store.Read(ctx, directory.Want{Clients: []ident.Principal{key.Client}})
	if err != nil {
		return key, failed, err
	}
	client, because := got.Clients[key.Client], wrongSecret
	switch {
	case client == nil:
		client, because = decoy(key), unknownClient
	case !client.Holds(key.ID):
		client, because = decoy(key), unknownSecret
	}
	if !key.Verify(client) {
		return key, because, nil
	}
	return key, recognized, nil
}

// decoy is a client that has the key's secret id and no secret that fits: verifying against it takes as long as against
// a real one.
func decoy(k people.APIKey) *access.Principal {
	return &access.Principal{ID: k.Client, Secrets: []access.Secret{{ID: k.ID, Hash: make([]byte, 32)}}}
}
