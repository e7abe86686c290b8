package main

import (
	"net/http"
	"slices"
	"strings"

	"example.com/partnertree/shared/contract"
)

// noRoute is the key of requests that no route of API Gateway fits.
const noRoute = "$default"

// callbackRoute is the one that is no HEAD's: it uses up a sign-in, and asks Microsoft.
const callbackRoute = "GET /signin/callback"

// route gives a request that no route fits to the page that is meant: HEAD asks for what GET does. Of another method of a path that there is, it
// notes what the path takes.
func (v *visit) route() {
	if v.event.RouteKey != noRoute {
		return
	}
	var takes []string
	for _, r := range contract.Routes() {
		method, pattern, _ := strings.Cut(r, " ")
		params, ok := contract.Match(pattern, v.event.RawPath)
		if !ok {
			continue
		}
		takes = append(takes, method)
		if method != http.MethodGet || r == callbackRoute {
			continue
		}
		if v.event.RequestContext.HTTP.Method == http.MethodHead {
			v.event.RouteKey, v.event.PathParameters = r, params
			return
		}
		takes = append(takes, http.MethodHead)
	}
	slices.Sort(takes)
	v.allow = strings.Join(takes, ", ")
}
