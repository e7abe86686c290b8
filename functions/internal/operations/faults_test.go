package operations_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/directory/directorytest"
)

// TestEveryWriteIsSafeToRepeat fails the commit of every operation that writes, before it was applied and after. The first
// leaves nothing behind; after either, the request sent again does what it should have done, once.
func TestEveryWriteIsSafeToRepeat(t *testing.T) {
	for _, op := range contract.Operations {
		if op.Public || op.Method == "GET" {
			continue
		}
		for _, applied := range []bool{false, true} {
			name := op.ID + " fails before the write"
			if applied {
				name = op.ID + " fails after the write"
			}
			t.Run(name, func(t *testing.T) {
				s := newScene(t, op)
				store := s.Store.(*directorytest.Fake)
				do := calls[op.ID]
				as := s.Founder.Client(s.World.Root, "owner")
				as.Always = []apitest.With{apitest.Header("Idempotency-Key", "once")}
				before := len(store.Events())

				failed := false
				fail := func(c directorytest.Call) error {
					if c.Name != "Commit" {
						return nil
					}
					failed = true
					return directorytest.Busy()
				}
				if applied {
					store.After = fail
				} else {
					store.Before = fail
				}
				do(s, as).Is(503, "busy")
				if !failed {
					t.Fatal("nothing was committed: the test shows nothing")
				}
				store.Before, store.After = nil, nil
				if left := len(store.Events()) - before; applied == (left == 0) {
					t.Errorf("%d events after the failure", left)
				}

				again := do(s, as)
				gone := applied && op.Method == "DELETE" // it says that there is nothing more to delete
				if gone && again.Status != 404 || !gone && again.Status/100 != 2 {
					t.Errorf("the request again: %d %s", again.Status, again.Body)
				}
				if happened := len(store.Events()) - before; happened != 1 {
					t.Errorf("it happened %d times", happened)
				}
			})
		}
	}
}

// TestRequestsHaveTheFieldsOfTheContract: none is missing in the code, and the code has no others.
func TestRequestsHaveTheFieldsOfTheContract(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("../../../shared/contract/docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	s := newScene(t, contract.Operation{})
	for _, op := range contract.Operations {
		spec := doc.Paths.Value(op.Path).GetOperation(op.Method)
		if spec.RequestBody == nil {
			continue
		}
		path := strings.NewReplacer("/partners/{id}", "/partners/SELF", "/customers/{id}", "/customers/CUSTOMER", "/api-clients/{id}", "/api-clients/CLIENT",
			"{nodeId}", "SELF").Replace(op.Path)
		unknown := func(field string) bool {
			answer := s.Founder.Do(op.Method, s.expand(path), `{"`+field+`": null}`)
			return answer.Status == 400 && answer.Get("type") == "/problems/unknown-field"
		}
		for field := range spec.RequestBody.Value.Content.Get("application/json").Schema.Value.Properties {
			fields++
			if unknown(field) {
				t.Errorf("%s: the contract has the field %s and the code has not", op.ID, field)
			}
		}
		for _, field := range []string{"id", "kind", "version", "state", "noSuchField"} {
			if !unknown(field) {
				t.Errorf("%s takes the field %s, which the contract has not", op.ID, field)
			}
		}
	}
	if fields < 20 {
		t.Errorf("only %d fields were looked at", fields)
	}
}
