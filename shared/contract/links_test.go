package contract_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"example.com/partnertree/shared/contract/docs"
)

// A tool that follows the links has to get somewhere, in both forms of the contract.
func TestEveryLinkCanBeFollowed(t *testing.T) {
	for form, published := range map[string][]byte{"3.1": docs.OpenAPI.Plain(), "3.0": docs.OpenAPI30.Plain()} {
		for _, complaint := range strayed(published) {
			t.Errorf("OpenAPI %s: %s", form, complaint)
		}
	}
}

// Each rule about links is broken once.
func TestALinkThatLeadsNowhereIsNoticed(t *testing.T) {
	good := docs.OpenAPI.Plain()
	for _, c := range []struct{ old, new, complaint string }{
		{`"operationId": "resendInvitation",
    "parameters"`, `"operationId": "sendInvitation",
    "parameters"`, "resendInvitation leads to sendInvitation"},
		{`"parameters": {
     "id": "$response.body#/jobId"`, `"parameters": {
     "job": "$response.body#/jobId"`, "getJob has no parameter job"},
		{`"id": "$response.body#/jobId"`, `"id": "$response.body#/work"`, "nothing is at $response.body#/work"},
		{`"id": "$request.path.id"`, `"id": "$request.path.ids"`, "nothing is at $request.path.ids"},
		{`"$ref": "#/components/links/getBrand"`, `"$ref": "#/components/links/editBrand"`, "createBrand: 201 has no link to getBrand"},
		{`"cursor": "$response.body#/next"`, `"cursor": "$response.body#/items"`, ": 200 has no link to the next page"},
	} {
		bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(bad, good) {
			t.Errorf("there is no %q to break", c.old)
		}
		if complaints := strayed(bad); !slices.ContainsFunc(complaints, func(s string) bool { return strings.Contains(s, c.complaint) }) {
			t.Errorf("nobody says %q, only %q", c.complaint, complaints)
		}
	}
}

// strayed returns what is wrong with the links of a published contract.
func strayed(published []byte) (complaints []string) {
	refuse := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	doc, err := openapi3.NewLoader().LoadFromData(published)
	if err != nil {
		return []string{err.Error()}
	}
	all, used := map[string]operation{}, map[*openapi3.Link]bool{}
	for _, op := range operations(doc) {
		all[op.OperationID] = op
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		op := all[id]
		for status, r := range op.Responses.Map() {
			for _, name := range slices.Sorted(maps.Keys(r.Value.Links)) {
				link := r.Value.Links[name].Value
				used[link] = true
				to, ok := all[link.OperationID]
				if !ok {
					refuse("%s: %s leads to %s, which is no operation", id, name, link.OperationID)
					continue
				}
				for parameter, at := range link.Parameters {
					if !to.takes("path", parameter) && !to.takes("query", parameter) {
						refuse("%s: %s has no parameter %s", id, link.OperationID, parameter)
					}
					if !op.has(r.Value, fmt.Sprint(at)) {
						refuse("%s: nothing is at %s", id, at)
					}
				}
				for _, p := range to.parameters {
					if p.Value.Required && link.Parameters[p.Value.Name] == nil {
						refuse("%s: the link %s does not say which %s", id, name, p.Value.Name)
					}
				}
			}
			leads := func(to, parameter, at string) bool {
				for _, l := range r.Value.Links {
					if l.Value.OperationID == to && l.Value.Parameters[parameter] == at {
						return true
					}
				}
				return false
			}
			if thing, creates := strings.CutPrefix(id, "create"); creates && status == "201" && !leads("get"+thing, "id", "$response.body#/id") {
				refuse("%s: 201 has no link to get%s", id, thing)
			}
			if status == "201" && !slices.ContainsFunc(slices.Collect(maps.Values(r.Value.Links)), func(l *openapi3.LinkRef) bool {
				return strings.HasPrefix(l.Value.OperationID, "get")
			}) {
				refuse("%s: 201 has no link to what was made", id)
			}
			if status == "202" && !leads("getJob", "id", "$response.body#/jobId") {
				refuse("%s: 202 has no link to the job", id)
			}
			if status == "200" && op.takes("query", "cursor") && !leads(id, "cursor", "$response.body#/next") {
				refuse("%s: 200 has no link to the next page", id)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Links)) {
		if !used[doc.Components.Links[name].Value] {
			refuse("no answer has the link %s", name)
		}
	}
	return complaints
}

// has reports whether a runtime expression is about something that the request has or the answer can have.
func (o operation) has(r *openapi3.Response, expression string) bool {
	if place, ok := strings.CutPrefix(expression, "$request."); ok {
		in, name, _ := strings.Cut(place, ".")
		return o.takes(in, name)
	}
	pointer, ok := strings.CutPrefix(expression, "$response.body#/")
	media := r.Content["application/json"]
	if !ok || media == nil {
		return false
	}
	at := media.Schema
	for name := range strings.SplitSeq(pointer, "/") {
		if at = property(at, name); at == nil {
			return false
		}
	}
	return true
}

func property(s *openapi3.SchemaRef, name string) *openapi3.SchemaRef {
	for _, part := range s.Value.AllOf {
		if found := property(part, name); found != nil {
			return found
		}
	}
	return s.Value.Properties[name]
}
