package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/functions/internal/golden"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/contract/docs"
)

func TestRecordedPayloads(t *testing.T) {
	golden.Run(t, "portal", func(t *testing.T, payload []byte) any {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t)
		r, err := w.portal.handle(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = strings.ReplaceAll(r.Body, w.double.URL, "https://login.microsoftonline.com")
		if at := strings.Index(r.Body, "<style>"); at >= 0 {
			r.Body = r.Body[:at] + r.Body[strings.Index(r.Body, "</style>"):]
		}
		return r
	})
}

// unset is a portal where nobody can sign in.
func unset() *portal {
	return configured(func(string) string { return "" }, clocktest.Now, slog.New(slog.DiscardHandler))
}

// get asks as API Gateway does, with pairs of header names and values.
func get(t *testing.T, operation string, headers ...string) events.APIGatewayV2HTTPResponse {
	t.Helper()
	e := events.APIGatewayV2HTTPRequest{RouteKey: operation, Headers: map[string]string{}, PathParameters: map[string]string{}}
	if slug, ok := strings.CutPrefix(operation, "GET /problems/"); ok {
		e.RouteKey, e.PathParameters["type"] = "GET /problems/{type}", slug
	}
	e.RequestContext.RequestID = "Xk3pMgW0DoEEJ5A="
	for i := 0; i < len(headers); i += 2 {
		e.Headers[headers[i]] = headers[i+1]
	}
	r, err := unset().handle(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var served = map[string][]byte{
	"GET /":                 docs.Home,
	"GET /docs":             docs.Reference.Plain(),
	"GET /openapi.json":     docs.OpenAPI.Plain(),
	"GET /openapi-3.0.json": docs.OpenAPI30.Plain(),
}

func TestServesWhatTheContractGivesIt(t *testing.T) {
	routes := 0
	for _, op := range contract.Operations {
		if op.Function != "portal" {
			continue
		}
		routes++
		key := strings.Replace(op.RouteKey(), "{type}", "invalid", 1)
		if r := get(t, key); r.StatusCode != 200 || r.Body == "" {
			t.Errorf("%s: %d", key, r.StatusCode)
		}
	}
	if routes != len(documents)+1 {
		t.Errorf("the contract has %d routes here, and %d are served", routes, len(documents)+1)
	}
	for key, want := range served {
		if r := get(t, key); r.Body != string(want) {
			t.Errorf("%s has another body", key)
		}
	}
}

func TestEveryProblemTypeHasItsPage(t *testing.T) {
	for _, p := range contract.ProblemTypes {
		r := get(t, "GET /problems/"+p.Slug)
		if r.StatusCode != 200 || r.Headers["Content-Type"] != "text/html; charset=utf-8" || !strings.Contains(r.Body, p.Title) {
			t.Errorf("%s: %d %s", p.Slug, r.StatusCode, r.Headers["Content-Type"])
		}
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	for _, key := range []string{"GET /", "GET /docs", "GET /openapi.json", "GET /problems/busy", "GET /problems/nothing", "$default"} {
		h := get(t, key).Headers
		for name, want := range map[string]string{
			"X-Content-Type-Options":    "nosniff",
			"Referrer-Policy":           "no-referrer",
			"Strict-Transport-Security": "max-age=63072000",
			"X-Request-Id":              "Xk3pMgW0DoEEJ5A=",
		} {
			if h[name] != want {
				t.Errorf("%s: %s is %q", key, name, h[name])
			}
		}
		allowed := ""
		if h["Content-Type"] == "text/html; charset=utf-8" {
			allowed = "; img-src data:; style-src '" + docs.StyleHash + "'"
		}
		csp, strict := h["Content-Security-Policy"], "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		if csp != strict+allowed {
			t.Errorf("%s: Content-Security-Policy is %q", key, csp)
		}
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	tag := get(t, "GET /docs").Headers["ETag"]
	if tag == "" || tag == get(t, "GET /").Headers["ETag"] {
		t.Fatalf("ETag %q tells nothing", tag)
	}
	for header, status := range map[string]int{
		tag: 304, strings.TrimPrefix(tag, "W/"): 304, `"other", ` + tag: 304, `"a,b",` + tag: 304, "*": 304, `W/"other"`: 200, "": 200,
	} {
		r := get(t, "GET /docs", "if-none-match", header)
		if r.StatusCode != status || (r.Body == "") != (status == 304) || r.Headers["ETag"] != tag {
			t.Errorf("If-None-Match %s: %d with %d bytes", header, r.StatusCode, len(r.Body))
		}
	}
}

// What no route fits is a HEAD, another method of a path that there is, or nothing that there is.
func TestWhatNoRouteFits(t *testing.T) {
	ask := func(method, path string) response {
		t.Helper()
		e := events.APIGatewayV2HTTPRequest{RouteKey: "$default", RawPath: path, Headers: map[string]string{}}
		e.RequestContext.HTTP.Method, e.RequestContext.RequestID = method, "Xk3pMgW0DoEEJ5A="
		r, err := unset().handle(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, path := range []string{"/", "/docs", "/openapi.json", "/problems/busy", "/problems/nothing", "/me", "/signin", "/brands/brd_0/logo"} {
		key := "GET " + path
		if strings.HasPrefix(path, "/brands/") {
			key = logoRoute
		}
		want, got := get(t, key), ask("HEAD", path)
		if got.Body != "" || got.StatusCode != want.StatusCode || !maps.Equal(got.Headers, want.Headers) {
			t.Errorf("HEAD %s: %+v; want %+v without its body", path, got, want)
		}
	}
	for request, allow := range map[string]string{
		"POST /docs": "GET, HEAD", "OPTIONS /": "GET, HEAD", "PUT /signout": "GET, HEAD, POST", "HEAD /signin/callback": "GET",
		"DELETE /problems/busy": "GET, HEAD", "PUT /v1/partners": "POST", "PUT /v1/partners/ptn_0": "DELETE, GET, HEAD, PATCH",
		"GET /v1/partners/ptn_0/move": "POST", "BREW /v1/me": "GET, HEAD",
		"GET /v1/nothing": "", "POST /v1/partners/": "", "HEAD /v1": "", "GET /docs/": "", "GET //": "", "GET /problems/": "", "GET ": "",
	} {
		method, path, _ := strings.Cut(request, " ")
		r, status, slug := ask(method, path), 405, "method-not-allowed"
		if allow == "" {
			status, slug = 404, "no-such-route"
		}
		if _, sent := r.Headers["Allow"]; r.StatusCode != status || r.Headers["Allow"] != allow || sent != (allow != "") ||
			(method != "HEAD") != strings.Contains(r.Body, `"/problems/`+slug+`"`) {
			t.Errorf("%s: %d %v %s; want %d, Allow: %s", request, r.StatusCode, r.Headers, r.Body, status, allow)
		}
	}
}

func TestCompressesForThoseWhoTakeIt(t *testing.T) {
	for header, want := range map[string]bool{
		"gzip": true, "gzip, deflate, br": true, "br, GZIP;q=0.5": true, "*": true, "deflate, *;q=0.1": true,
		"": false, "br": false, "gzip;q=0": false, "gzip;q=0, *": false, "*, gzip; q=0.0": false, "identity, *;q=0": false,
	} {
		r := get(t, "GET /docs", "accept-encoding", header)
		if r.IsBase64Encoded != want || (r.Headers["Content-Encoding"] == "gzip") != want || r.Headers["Vary"] != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: %v", header, r.Headers)
		}
	}
	for key, want := range served {
		packed, err := base64.StdEncoding.DecodeString(get(t, key, "accept-encoding", "gzip").Body)
		if err != nil {
			t.Fatal(err)
		}
		unpack, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(unpack); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s does not unpack to what it was: %v", key, err)
		}
	}
}
