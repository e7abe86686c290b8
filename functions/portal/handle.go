package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/functions/internal/deadline"
	"example.com/partnertree/functions/internal/etag"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/functions/portal/asset"
	"example.com/partnertree/shared/contract"
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
	ctx, cancel := deadline.Before(ctx)
	defer cancel()
	return p.visit(ctx, &e), nil
}

// unsigned answers what is the same for everybody, whoever is signed in: documents, logos, and what there is not.
func (v *visit) unsigned(ctx context.Context) (response, error) {
	v.outcome = "served"
	switch key := v.event.RouteKey; {
	case key == homeRoute && v.site.Brand != nil:
		v.outcome = "to the start page"
		return v.redirect(start), nil
	case key == logoRoute:
		return v.logo(ctx)
	case key == assetRoute:
		return v.asset()
	case documents[key] != nil:
		return serve(*v.event, documents[key]), nil
	case v.allow != "":
		return response{}, fault.MethodNotAllowed.New("This path takes %s only. GET /docs lists all operations.", v.allow)
	case key != problemRoute:
		return response{}, fault.NoSuchRoute.New("This operation does not exist. GET /docs lists all operations.")
	}
	content, ok := docs.Problem(v.event.PathParameters["type"])
	if !ok {
		return response{}, fault.NotFound.New("This problem type does not exist. GET /docs lists all problem types.")
	}
	return serve(*v.event, newDocument(htmlFormat, content)), nil
}

// assetRoute is where the style sheet and the module of the pages are.
const assetRoute = "GET /assets/{name}"

// asset serves what pages use. Its address has a hash of it, so it never changes.
func (v *visit) asset() (response, error) {
	a := asset.Named(v.event.PathParameters["name"])
	if a == nil {
		return response{}, fault.NotFound.New("This file does not exist.")
	}
	r := serve(*v.event, newDocument(a.Media, a.Content))
	r.Headers["Cache-Control"] = "public, max-age=31536000, immutable"
	return r, nil
}

func serve(e events.APIGatewayV2HTTPRequest, d *document) events.APIGatewayV2HTTPResponse {
	r := answer(e, 200, d.media)
	if d.media == htmlFormat {
		r.Headers["Content-Security-Policy"] = documentPolicy
	}
	r.Headers["Cache-Control"] = "public, max-age=300"
	r.Headers["ETag"] = d.tag()
	r.Headers["Vary"] = "Accept-Encoding"
	known, _ := etag.Parse(e.Headers["if-none-match"]) // one that cannot be read names nothing
	switch {
	case known.HasWeakly(d.tag()):
		r.StatusCode = 304
		delete(r.Headers, "Content-Type")
	case takesGzip(e.Headers["accept-encoding"]):
		r.Headers["Content-Encoding"] = "gzip"
		r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(d.small()), true
	default:
		r.Body = string(d.content())
	}
	return r
}

// refuse says what is wrong where no page for people was asked for: to browsers in a page all the same, and to programs in a problem
// document, as the API does.
func (v *visit) refuse(f *fault.Error) response {
	status := contract.Status(f.Type.Slug)
	if strings.Contains(v.event.Headers["accept"], "text/html") {
		if status == http.StatusNotFound {
			return v.nothingHere()
		}
		return v.failed(f)
	}
	r := answer(*v.event, status, "application/problem+json")
	r.Headers["Cache-Control"] = "no-store"
	body, err := json.Marshal(shape.OfProblem(f, v.event.RequestContext.RequestID))
	if err != nil {
		panic(err) // there is nothing in it that JSON has not
	}
	r.Body = string(body)
	return r
}

// nothingHere is the page for an address that has none.
func (v *visit) nothingHere() response {
	m := message{Title: "Nothing here", Text: []string{"There is no page at this address, or you have no access to it. The address may be incomplete or misspelled."},
		Action: &action{start, "To the start page"}}
	if v.signIn == nil {
		m.Action = &action{"/docs", "API reference"}
	}
	return v.show(http.StatusNotFound, m)
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
