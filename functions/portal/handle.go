package main

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/contract/docs"
	"example.com/partnertree/shared/fault"
)

// Content security policies of what is served as it is. A document may have its own style and nothing else: no script, nothing from
// elsewhere, in nobody's frame. What is no document may have nothing at all.
const (
	nothing        = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	documentPolicy = nothing + "; img-src data:; style-src '" + docs.StyleHash + "'"
)

// handle answers one request. Its error is always nil: an error would become an answer that is not ours.
func (p *portal) handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
		defer cancel()
	}
	if e.RouteKey == logoRoute {
		return p.logo(ctx, e), nil
	}
	if pages[e.RouteKey] != nil {
		return p.visit(ctx, &e), nil
	}
	if d := documents[e.RouteKey]; d != nil {
		return serve(e, d), nil
	}
	if e.RouteKey != problemRoute {
		return refuse(e, fault.NoSuchRoute.New("There is no such operation. GET /docs lists all there are.")), nil
	}
	content, ok := docs.Problem(e.PathParameters["type"])
	if !ok {
		return refuse(e, fault.NotFound.New("There is no such problem type. GET /docs lists all there are.")), nil
	}
	return serve(e, newDocument(htmlFormat, content)), nil
}

func serve(e events.APIGatewayV2HTTPRequest, d *document) events.APIGatewayV2HTTPResponse {
	r := answer(e, 200, d.media)
	if d.media == htmlFormat {
		r.Headers["Content-Security-Policy"] = documentPolicy
	}
	r.Headers["Cache-Control"] = "public, max-age=300"
	r.Headers["ETag"] = d.tag()
	r.Headers["Vary"] = "Accept-Encoding"
	switch {
	case matches(e.Headers["if-none-match"], d.tag()):
		r.StatusCode = 304
		delete(r.Headers, "Content-Type")
	case takesGzip(e.Headers["accept-encoding"]):
		r.Headers["Content-Encoding"] = "gzip"
		r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(d.small()), true
	default:
		r.Body = string(d.content)
	}
	return r
}

func refuse(e events.APIGatewayV2HTTPRequest, f *fault.Error) events.APIGatewayV2HTTPResponse {
	r := answer(e, f.Type.Status, "application/problem+json")
	r.Headers["Cache-Control"] = "no-store"
	body, err := json.Marshal(map[string]any{
		"type":     "/problems/" + f.Type.Slug,
		"title":    f.Type.Title,
		"status":   f.Type.Status,
		"detail":   f.Detail,
		"instance": "urn:request:" + e.RequestContext.RequestID,
	})
	if err != nil {
		panic(err) // there is nothing in it that JSON has not
	}
	r.Body = string(body)
	return r
}

// answer has the headers that every answer has.
func answer(e events.APIGatewayV2HTTPRequest, status int, media string) events.APIGatewayV2HTTPResponse {
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: map[string]string{
		"Content-Type":              media,
		"Content-Security-Policy":   nothing,
		"Referrer-Policy":           "no-referrer",
		"Strict-Transport-Security": "max-age=63072000",
		"X-Content-Type-Options":    "nosniff",
		"X-Request-Id":              e.RequestContext.RequestID,
	}}
}
