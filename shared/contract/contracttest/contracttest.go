// Package contracttest holds answers of the API against its contract. It is for tests only.
package contracttest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is what answers are held against. The schema of an answer is compiled once, with the first of its kind: that takes a hundred
// times as long as to look at an answer, and what kin-openapi has for answers does it for each.
type contract struct {
	routers.Router
	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

const document = "openapi.json"

var inPointer = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")

// The contract, parsed once.
var parsed = sync.OnceValues(func() (*contract, error) {
	_, file, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "../docs", document))
	if err != nil {
		return nil, err
	}
	// The contract says which values there are, and leaves room for others: here there are none.
	text = bytes.ReplaceAll(text, []byte(`"x-known-`), []byte(`"`))
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil
	c := &contract{compiler: jsonschema.NewCompiler()}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = c.compiler.AddResource(document, tree)
	}
	if err == nil {
		c.Router, err = gorillamux.NewRouter(doc)
	}
	return c, err
})

// schema is what lies at the end of a way through the document.
func (c *contract) schema(way ...string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pointer := document + "#"
	for _, step := range way {
		pointer += "/" + inPointer.Replace(step)
	}
	return c.compiler.Compile(pointer)
}

// Check says in what an answer differs from what the contract says of it: its status, its headers, its body. The request
// needs only its method and URL.
func Check(r *http.Request, status int, header http.Header, body []byte) error {
	c, err := parsed()
	if err != nil {
		return err
	}
	bare, err := http.NewRequest(r.Method, "http://localhost"+r.URL.RequestURI(), nil)
	if err != nil {
		return err
	}
	route, _, err := c.FindRoute(bare)
	if err != nil {
		return err
	}
	answer := route.Operation.Responses.Status(status)
	if answer == nil {
		return fmt.Errorf("the contract has no status %d there", status)
	}
	for name, is := range answer.Value.Headers {
		given := header.Get(name)
		if given == "" && is.Value.Required {
			return fmt.Errorf("the header %s is missing", name)
		}
		if given == "" || is.Value.Schema.Value.Type.Is("string") {
			continue
		}
		if _, err := strconv.Atoi(given); err != nil || !is.Value.Schema.Value.Type.Is("integer") {
			return fmt.Errorf("the header %s is %q, and not of type %s", name, given, is.Value.Schema.Value.Type)
		}
	}
	if len(answer.Value.Content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("a body of %d bytes, where the contract has none", len(body))
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || answer.Value.Content[media] == nil {
		return fmt.Errorf("the contract has no %q there", header.Get("Content-Type"))
	}
	schema, err := c.schema("paths", route.Path, strings.ToLower(r.Method), "responses", strconv.Itoa(status), "content", media, "schema")
	if err != nil {
		return err
	}
	value := any(string(body))
	if media != "text/html" {
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			return err
		}
	}
	return schema.Validate(value)
}

// CheckSchema says in what JSON differs from one of the contract's schemas.
func CheckSchema(name string, body []byte) error {
	c, err := parsed()
	if err != nil {
		return err
	}
	s, err := c.schema("components", "schemas", name)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return s.Validate(value)
}
