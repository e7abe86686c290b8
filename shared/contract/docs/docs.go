// Package docs holds the documents that are generated from the contract: its JSON form and the pages that explain it.
// They are embedded, so whoever imports this package carries them; routes alone are in package contract.
package docs

import "embed"

// OpenAPI is the contract as an OpenAPI 3.1 document in JSON, with the answers that x-problems stands for spelled out.
//
//go:embed openapi.json
var OpenAPI []byte

// Reference is the API reference, an HTML page that needs nothing but itself.
//
//go:embed reference.html
var Reference []byte

// Home is the page at the API's own address.
//
//go:embed home.html
var Home []byte

//go:embed problems
var problems embed.FS

// Problem returns the page of a problem type. It reports false when there is no such type.
func Problem(slug string) ([]byte, bool) {
	page, err := problems.ReadFile("problems/" + slug + ".html")
	return page, err == nil
}
