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

// document is something that is served as it is. Its tag, and the form that it is not kept in, are made when they are first asked for, so
// that starting costs nothing.
type document struct {
	media string
	// tag is weak: the document is the same, compressed or not.
	tag     func() string
	content func() []byte
	small   func() []byte
}

const (
	htmlFormat = "text/html; charset=utf-8"
	jsonFormat = "application/json"
)

func newDocument(media string, content []byte) *document {
	return &document{
		media:   media,
		content: func() []byte { return content },
		tag:     tagOf(content),
		small:   sync.OnceValue(func() []byte { return gzipped(content) }),
	}
}

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(content) // a Buffer never fails
	w.Close()
	return b.Bytes()
}

// newCompressed is of a document that is kept compressed.
func newCompressed(media string, content docs.Compressed) *document {
	return &document{media: media, content: sync.OnceValue(content.Plain), tag: tagOf(content), small: func() []byte { return content }}
}

// tagOf makes a tag of how a document is kept.
func tagOf(kept []byte) func() string {
	return sync.OnceValue(func() string {
		sum := sha256.Sum256(kept)
		return `W/"` + hex.EncodeToString(sum[:12]) + `"`
	})
}

// documents are those that have an address of their own, by route key.
var documents = map[string]*document{
	homeRoute:               newDocument(htmlFormat, docs.Home),
	"GET /docs":             newCompressed(htmlFormat, docs.Reference),
	"GET /openapi.json":     newCompressed(jsonFormat, docs.OpenAPI),
	"GET /openapi-3.0.json": newCompressed(jsonFormat, docs.OpenAPI30),
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
