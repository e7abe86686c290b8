package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func source(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func generated(t *testing.T, source []byte) map[string][]byte {
	t.Helper()
	files, err := generate(source)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestGeneratedFilesAreCurrent(t *testing.T) {
	if err := compare("..", generated(t, source(t))); err != nil {
		t.Error(err)
	}
}

func TestSameContractGivesSameBytes(t *testing.T) {
	again := generated(t, source(t))
	for name, content := range generated(t, source(t)) {
		if !bytes.Equal(content, again[name]) {
			t.Errorf("%s differs from one run to the next", name)
		}
	}
}

// Whoever opens a generated file is told so at its head, where the format has comments.
func TestGeneratedFilesSayThatTheyAre(t *testing.T) {
	files := generated(t, source(t))
	for name, content := range files {
		if of, is := strings.CutSuffix(name, compressed); is {
			if !bytes.Equal(plain(content), files[of]) || len(content) > len(files[of])/10 {
				t.Errorf("%s is not %s made small: %d bytes of %d", name, of, len(content), len(files[of]))
			}
			continue
		}
		head, _, _ := strings.Cut(strings.TrimPrefix(string(content), "<!DOCTYPE html>\n"), "\n")
		if !strings.Contains(head, generatedBy) && !strings.HasSuffix(name, ".json") {
			t.Errorf("%s begins with %s", name, head)
		}
	}
}

func TestStaleFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	files := generated(t, source(t))
	if err := write(dir, files); err != nil {
		t.Fatal(err)
	}
	if err := compare(dir, files); err != nil {
		t.Fatalf("just written, and already stale: %v", err)
	}
	for name, change := range map[string]func(path string) error{
		"routes.gen.go":     os.Remove,
		"docs/openapi.json": func(path string) error { return os.WriteFile(path, []byte("{}"), 0o644) },
		"docs/problem.html": func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"docs/reference.html.gz": func(path string) error {
			other, err := compress([]byte("another page"))
			return errors.Join(err, os.WriteFile(path, other, 0o644))
		},
		"docs/openapi.json.gz": func(path string) error { return os.WriteFile(path, []byte("not compressed"), 0o644) },
	} {
		if err := change(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := compare(dir, files); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is stale, and that is not said: %v", name, err)
		}
		if err := write(dir, files); err != nil {
			t.Fatal(err)
		}
		if err := compare(dir, files); err != nil {
			t.Errorf("written again, and still stale: %v", err)
		}
	}
}

func TestBrokenReferencesAreNamed(t *testing.T) {
	for _, c := range []struct{ old, new, message string }{
		{"#/components/parameters/Limit'", "#/components/parameters/Lmit'", "listPartners: there is no #/components/parameters/Lmit"},
		{"{$ref: '#/components/schemas/Me'}", "{$ref: '#/components/schemas/Mee'}", "getMe: there is no #/components/schemas/Mee"},
		{"ETag: {$ref: '#/components/headers/ETag'}", "ETag: {$ref: '#/components/headers/Etag'}", "there is no #/components/headers/Etag"},
		{"conflict, depth-limit", "conflict, height-limit", "createPartner: x-problem-types has no height-limit"},
		{"{type: string, enum: [newest, oldest], default: newest}", "{allOf: [{$ref: '#/components/schemas/Name'}]}",
			"listPartnerEvents: a schema without a type"},
		{"x-links: [getPartner", "x-links: [getPrtner", "createPartner: components/links has no getPrtner"},
		{"{operationId: resumePartner,", "{operationId: continuePartner,", "leads to continuePartner, which is no operation"},
		{"version: 1.0.0\n", "version: 2026-01-01\n", "put it in quotes"},
	} {
		bad := strings.Replace(string(source(t)), c.old, c.new, 1)
		if _, err := generate([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: got %v", c.message, err)
		}
	}
}

// What the contract says once, in whatever form, is in the reference.
func TestReferenceTellsAll(t *testing.T) {
	page := string(generated(t, source(t))["docs/reference.html"])
	operation := func(id string) string {
		_, rest, found := strings.Cut(page, `<article class="operation" id="`+id+`">`)
		about, _, closed := strings.Cut(rest, "</article>")
		if !found || !closed {
			t.Fatalf("there is no %s", id)
		}
		return html.UnescapeString(regexp.MustCompile(`<[^h/][^>]*>|</[^h][^>]*>`).ReplaceAllString(about, ""))
	}
	row := func(id, name string) string {
		_, rest, _ := strings.Cut(operation(id), "\n"+name+" ")
		text, _, _ := strings.Cut(rest, "\n\n")
		return text
	}
	for _, c := range []struct{ what, in, want string }{
		{"the default beside a reference", row("explainAccess", "action"), "default read"},
		{"the type and limits of what is described anew", row("inviteToPartner", "name"), "Name"},
		{"the type and limits of what is described anew", row("inviteToPartner", "name"), "1 to 120 characters"},
		{"a body without fields", operation("resendInvitation"), "An empty object: {}"},
		{"a heading below that of the operation", operation("editBrand"), "<h4>The logo</h4>"},
		{"what can follow", operation("getBrand"), "Next: Edit a brand"},
		{"how a logo is sent", operation("editBrand"), "base64 -w0 logo.png"},
	} {
		if !strings.Contains(c.in, c.want) {
			t.Errorf("%s: want %q in %s", c.what, c.want, c.in)
		}
	}
	if strings.Contains(operation("resendInvitation"), "Request body of") {
		t.Error("a body without fields has a table")
	}
}

// Examples by one name are one request and its answer, one below the other.
func TestExamplesOfOneNameBelongTogether(t *testing.T) {
	c, err := parse(source(t))
	if err != nil {
		t.Fatal(err)
	}
	samples := func(id string) (told []string) {
		for _, op := range c.operations {
			if op.ID != id {
				continue
			}
			all, err := c.samples(op)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(s.Code), ""))
				query := regexp.MustCompile(`\?[^" ]*"|"at": .*|"code": .*|"expiresInDays": .*`).FindString(text)
				told = append(told, strings.TrimRight(s.Title+" "+s.Status+" "+query, `," `))
			}
		}
		return told
	}
	for id, want := range map[string][]string{
		"explainAccess": {
			"Request: Something that is refused  ?principal=cli_6v0b3w8ne1k5t9xj&node=ptn_5n8c1r6yb2e9j4vz&action=manage-brands", "Answer 200",
			"Request: What was so on a day  ?principal=cli_6v0b3w8ne1k5t9xj&node=ptn_5n8c1r6yb2e9j4vz&at=2026-03-08",
			`Answer 200 "at": "2026-03-08T00:00:00.000Z`},
		"listPartnerUsers": {"Request: Who has access", "Answer 200", "Request: Who had access on a day  ?at=2026-03-08",
			`Answer 200 "at": "2026-03-08`},
		"getInvitation": {"Request: An invitation that was accepted", "Answer 200",
			`Answer: An invitation that nobody can accept any more 200 "code": "sender-may-not-invite`, `Answer: An invitation that was not mailed 200 "code": "address-refused`},
		"inviteToPartner": {`Request: With everything  "expiresInDays": 14`, "Answer 201", "Body: With the least"},
		"listBrands":      {"Request", "Answer 200"},
	} {
		if got := samples(id); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", id, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// A client made from the form in OpenAPI 3.0 must not send null for what an edit does not change.
func TestOptionalPropertiesThatMayBeNullAreLeftOut(t *testing.T) {
	b, err := older([]byte(`{"info": {}, "schema": {"required": ["b"], "properties": {
		"a": {"type": ["string", "null"]}, "b": {"type": ["string", "null"]}, "c": {"type": "string"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Schema struct {
			Properties map[string]struct {
				Nullable  bool `json:"nullable"`
				OmitEmpty bool `json:"x-omitempty"`
			} `json:"properties"`
		} `json:"schema"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]bool{"a": {true, true}, "b": {true, false}, "c": {false, false}} {
		if p := doc.Schema.Properties[name]; p.Nullable != want[0] || p.OmitEmpty != want[1] {
			t.Errorf("%s is %+v, want nullable and x-omitempty %v", name, p, want)
		}
	}
}
