// Package contracttest holds answers of the API against its contract. It is for tests only.
package contracttest

import (
	"context"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// The contract, parsed once.
var document = sync.OnceValues(func() (routers.Router, error) {
	_, file, _, _ := runtime.Caller(0)
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(filepath.Dir(file), "../docs/openapi.json"))
	if err != nil {
		return nil, err
	}
	doc.Servers = nil
	return gorillamux.NewRouter(doc)
})

// Check says in what an answer differs from what the contract says of it: its status, its headers, its body. The request
// needs only its method and URL.
func Check(r *http.Request, status int, header http.Header, body []byte) error {
	router, err := document()
	if err != nil {
		return err
	}
	bare, err := http.NewRequest(r.Method, "http://localhost"+r.URL.RequestURI(), nil)
	if err != nil {
		return err
	}
	route, params, err := router.FindRoute(bare)
	if err != nil {
		return err
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: bare, PathParams: params, Route: route},
		Status:                 status, Header: header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	in.SetBodyBytes(body)
	return openapi3filter.ValidateResponse(context.Background(), in)
}
