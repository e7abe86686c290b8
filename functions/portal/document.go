package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"

	"example.com/partnertree/shared/contract/docs"
)

// document is something that is served as it is. Its tag and its small form are made when it is first asked for, so
// that starting costs nothing.
type document struct {
	media   string
	content []byte
	// tag is weak: the document is the same, compressed or not.
	tag   func() string
	small func() []byte
}

const (
	htmlFormat = "text/html; charset=utf-8"
	jsonFormat = "application/json"
)

func newDocument(media string, content []byte) *document {
	return &document{
		media:   media,
		content: content,
		tag: sync.OnceValue(func() string {
			sum := sha256.Sum256(content)
			return `W/"` + hex.EncodeToString(sum[:12]) + `"`
		}),
		small: sync.OnceValue(func() []byte { return gzipped(content) }),
	}
}

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(content) // a Buffer never fails
	w.Close()
	return b.Bytes()
}

// documents are those that have an address of their own, by route key.
var documents = map[string]*document{
	homeRoute:               newDocument(htmlFormat, docs.Home),
	"GET /docs":             newDocument(htmlFormat, docs.Reference),
	"GET /openapi.json":     newDocument(jsonFormat, docs.OpenAPI),
	"GET /openapi-3.0.json": newDocument(jsonFormat, docs.OpenAPI30),
}

// homeRoute is the address of a host alone. The documents' home is that of the platform: a brand's is its portal.
const homeRoute = "GET /"

// problemRoute is the one route whose document depends on a parameter.
const problemRoute = "GET /problems/{type}"

// takesGzip reports whether an Accept-Encoding header lets the answer be compressed.
func takesGzip(header string) bool {
	accepted, named := false, false
	for coding := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(coding, " ", "")), ";q=")
		q, err := strconv.ParseFloat(weight, 64)
		wanted := err != nil || q > 0
		switch {
		case name == "gzip":
			accepted, named = wanted, true
		case name == "*" && !named:
			accepted = wanted
		}
	}
	return accepted
}
