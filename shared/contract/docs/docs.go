// Package docs holds the documents that are generated from the contract: its JSON form and the pages that explain it.
// They are embedded, the large ones compressed, so whoever imports this package carries them; routes alone are in package contract. Nothing
// is parsed or made when a program starts.
package docs

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"html"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Compressed is a document as gzip has it, which is how nearly every client takes it.
type Compressed []byte

// Plain uncompresses the document.
func (c Compressed) Plain() []byte {
	r, err := gzip.NewReader(bytes.NewReader(c))
	if err != nil {
		panic(err) // it was made with this package, and is tested
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return plain
}

// OpenAPI is the contract as an OpenAPI 3.1 document in JSON, with the answers that x-problems stands for spelled out.
//
//go:embed openapi.json.gz
var OpenAPI Compressed

// OpenAPI30 is the same contract in OpenAPI 3.0.
//
//go:embed openapi-3.0.json.gz
var OpenAPI30 Compressed

// Reference is the API reference, an HTML page that needs nothing but itself.
//
//go:embed reference.html.gz
var Reference Compressed

// Home is the page at the API's own address.
//
//go:embed home.html
var Home []byte

// problemPage is the page of a problem type, with [[…]] where the types differ.
//
//go:embed problem.html
var problemPage string

// problem is what the page of a problem type says.
type problem struct {
	slug            string
	status          int
	title           string
	meaning, action string   // HTML
	operations      []string // the ids of those that answer with it
}

// operation is one that answers with a problem.
type operation struct{ id, route, summary string }

// Problem makes the page of a problem type. It reports false when there is no such type.
func Problem(slug string) ([]byte, bool) {
	i := slices.IndexFunc(problems, func(p problem) bool { return p.slug == slug })
	if i < 0 {
		return nil, false
	}
	p := problems[i]
	return []byte(strings.NewReplacer(
		"[[slug]]", p.slug, "[[status]]", strconv.Itoa(p.status), "[[title]]", html.EscapeString(p.title),
		"[[meaning]]", p.meaning, "[[action]]", p.action, "[[operations]]", p.answeredBy(),
	).Replace(problemPage)), true
}

// answeredBy lists the operations that answer with the problem, as HTML.
func (p problem) answeredBy() string {
	if len(p.operations) == 0 {
		return ""
	}
	var list strings.Builder
	list.WriteString("<h2>Who answers with it</h2>\n<ul>\n")
	for _, op := range operations {
		if slices.Contains(p.operations, op.id) {
			list.WriteString(`<li><a href="/docs#` + op.id + `">` + html.EscapeString(op.summary) + `</a> <code>` + op.route + "</code></li>\n")
		}
	}
	list.WriteString("</ul>")
	return list.String()
}
