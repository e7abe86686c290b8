package contract_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/contract/docs"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/listtest"
)

func TestContractKeepsItsRules(t *testing.T) {
	for _, complaint := range lint(source(t), functions(t)) {
		t.Error(complaint)
	}
}

// Each rule is broken once, to see that somebody notices.
func TestBrokenContractIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ old, new, complaint string }{
		"not OpenAPI":              {"openapi: 3.1.0", "openapi: 3.1.0\nnonsense: 1", "nonsense"},
		"function without folder":  {"x-function: api", "x-function: aip", "getMe: there is no functions/aip"},
		"unknown role":             {"x-role: owner", "x-role: boss", "createBrand: x-role boss"},
		"unknown target":           {"x-target: body.parentId", "x-target: somewhere", "createPartner: x-target somewhere"},
		"target without parameter": {"x-target: query.nodeId", "x-target: path.id", "listApiClients: x-target path.id"},
		"nothing to be above of":   {"x-target: job", "x-target: above.id", "getJob: x-target above.id"},
		"no invitation":            {"x-target: query.node\n", "x-target: invitation\n", "explainAccess: x-target invitation"},
		"no side of a move":        {"x-target: move-request.to", "x-target: move-request.here", "acceptMoveRequest: x-target move-request.here"},
		"open by accident":         {"x-target: public", "x-target: self", "getHome: public"},
		"no summary":               {"      summary: Who am I\n", "", "getMe: no summary"},
		"no description": {
			"      description: Answers with one partner. An id of another kind is not found.\n",
			"", "getPartner: no description"},
		"operationId twice": {"operationId: getPartnerPath", "operationId: getPartner", "same operation id"},
		"example of the wrong shape": {
			"                canProvisionServices: true\n", "                canProvisionServices: yes please\n", "createPartner: example"},
		"request example with an unknown field": {
			"value: {role: viewer}",
			"value: {role: viewer, colour: red}", "setPartnerUserRole: example"},
		"no example": {
			"              example:\n                openapi: 3.1.0\n                info: {title: Partner management API, version: 1.0.0}\n" +
				"                paths: {}\n", "", "getOpenApi: 200 has no example"},
		"unknown problem": {
			"forbidden, not-found, conflict, depth-limit",
			"forbidden, not-found, conflict, height-limit", "height-limit"},
		"forgotten problem": {
			"not-found, conflict, depth-limit",
			"conflict, depth-limit", "createPartner: x-problems lacks not-found"},
		"problem that nobody has": {"last-secret, ", "", "last-secret: no operation"},
		"problem without action":  {"    action: Create the partner further up in the tree, or choose a new parent further up.\n", "", "depth-limit: no action"},
		"POST that is not safe": {
			"        - {$ref: '#/components/parameters/IdempotencyKey'}\n",
			"        []\n", "signOutEverywhere: no Idempotency-Key"},
		"change without If-Match": {
			"        - {$ref: '#/components/parameters/IfMatch'}\n",
			"        []\n", "editPartner: no If-Match"},
		"GET that is always sent": {
			"        - {$ref: '#/components/parameters/IfNoneMatch'}\n",
			"        []\n", "getPartner: no If-None-Match"},
		"list without items": {
			"        items:\n          type: array\n          description: The partners, by name.",
			"        partners:\n          type: array", "listPartners"},
		"page without next": {"        next: {$ref: '#/components/schemas/Next'}\n", "", "listPartners: pages need next"},
		"request open for more": {
			"    NewPartner:\n      type: object\n      additionalProperties: false",
			"    NewPartner:\n      type: object", "createPartner: additionalProperties"},
		"heading of the page": {"        #### The logo\n", "        ## The logo\n", "editBrand: headings"},
		"answer about something else": {
			"      example: ptn_5n8c1r6yb2e9j4vz\n    ListedPartnerId:", "    ListedPartnerId:",
			"getPartner: the example asks about ptn_0h3k9m2v7x4q8r1t"},
		"answer to something else": {
			"value: {tenantId: 6f1c2f0e-9a4b-4c7d-8e35-0b7a91d2c846, reference: null}", "value: {name: Braye Clinic}",
			"editCustomer: the example sends the name Braye Clinic"},
		"created without Location": {
			"            Location: {$ref: '#/components/headers/Location'}\n",
			"", "createPartner: 201 has no Location"},
	} {
		t.Run(name, func(t *testing.T) {
			good := string(source(t))
			bad := strings.Replace(good, c.old, c.new, 1)
			if bad == good {
				t.Fatalf("the contract has no %q to break", c.old)
			}
			complaints := lint([]byte(bad), functions(t))
			if !slices.ContainsFunc(complaints, func(s string) bool { return strings.Contains(s, c.complaint) }) {
				t.Errorf("nobody says %q, only %q", c.complaint, complaints)
			}
		})
	}
}

// What is published has every answer spelled out, and is the same API.
func TestPublishedContractIsComplete(t *testing.T) {
	doc, err := load(docs.OpenAPI.Plain())
	if err != nil {
		t.Fatal(err)
	}
	published := map[string]*openapi3.Operation{}
	for _, op := range operations(doc) {
		published[op.key] = op.Operation
	}
	if len(published) != len(contract.Operations) {
		t.Errorf("%d operations are published, %d are routed", len(published), len(contract.Operations))
	}
	status := map[string]int{}
	for _, p := range contract.ProblemTypes {
		status[p.Slug] = p.Status
	}
	for _, op := range contract.Operations {
		p := published[op.RouteKey()]
		if p == nil || p.OperationID != op.ID {
			t.Errorf("%s is not published as %s", op.RouteKey(), op.ID)
			continue
		}
		for _, slug := range contract.Problems[op.ID] {
			r := p.Responses.Status(status[slug])
			if r == nil || !strings.Contains(*r.Value.Description, "`"+slug+"`") {
				t.Errorf("%s does not say that it can answer with %s", op.ID, slug)
			}
		}
		for code, r := range p.Responses.Map() {
			if (r.Value.Headers["X-Request-Id"] == nil) != op.Public {
				t.Errorf("%s: %s: an answer to a known caller, and no other, has X-Request-Id", op.ID, code)
			}
		}
	}
}

// Package fault has the slugs and titles, the contract has each of them once and its status, and Status gives that to whoever answers.
func TestProblemTypesAreThoseOfFault(t *testing.T) {
	var inCode, inContract []string
	for _, p := range fault.Types {
		inCode = append(inCode, p.Slug+": "+p.Title)
	}
	for _, p := range contract.ProblemTypes {
		inContract = append(inContract, p.Slug+": "+p.Title)
		if p.Status < 400 || p.Status > 599 || contract.Status(p.Slug) != p.Status {
			t.Errorf("%s has the status %d, and is answered with %d", p.Slug, p.Status, contract.Status(p.Slug))
		}
	}
	listtest.Same(t, "problem types of the contract", inContract, inCode)
	if got := contract.Status("no-such-type"); got != 500 {
		t.Errorf("a type that nobody has is answered with %d", got)
	}
}

func TestEventTypesAreThoseOfEvent(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../event/payload.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared, listed, documented []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Type" {
				text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				declared = append(declared, text)
			}
		}
		return true
	})
	for _, e := range event.Types {
		listed = append(listed, string(e))
	}
	doc, err := load(source(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range doc.Components.Schemas["EventType"].Value.Enum {
		documented = append(documented, fmt.Sprint(e))
	}
	listtest.Same(t, "event.Types, of the constants", listed, declared)
	listtest.Same(t, "event types of the contract", documented, declared)
	about := doc.Tags.Get("Events").Description
	for _, e := range declared {
		if !strings.Contains(about, "`"+e+"`") {
			t.Errorf("the data of %s is not told", e)
		}
	}
}

func TestActionsAreThoseOfAccess(t *testing.T) {
	doc, err := load(source(t))
	if err != nil {
		t.Fatal(err)
	}
	schema := doc.Components.Schemas["Action"].Value
	var inCode, documented []string
	for _, a := range access.Actions {
		inCode = append(inCode, a.String())
		if line := fmt.Sprintf("- `%s` (`%s`", a, a.Needs()); !strings.Contains(schema.Description, line) {
			t.Errorf("the contract does not say %s", line)
		}
	}
	for _, a := range schema.Enum {
		documented = append(documented, fmt.Sprint(a))
	}
	listtest.Same(t, "actions of the contract", documented, inCode)
	if !slices.Equal(documented, inCode) {
		t.Error("the contract has the actions in another order than package access")
	}
}

func source(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func functions(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob("../../functions/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no functions: %v", err)
	}
	var names []string
	for _, m := range mains {
		names = append(names, filepath.Base(filepath.Dir(m)))
	}
	return names
}

func load(source []byte) (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(source)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background(), openapi3.EnableSchemaPatternValidation(), openapi3.EnableSchemaFormatValidation(),
		openapi3.DisableExamplesValidation()) // the examples that count are checked one by one, with their operation's name
}

type operation struct {
	*openapi3.Operation
	key        string // method and path
	method     string
	path       string
	parameters openapi3.Parameters // with those of the path
}

func operations(doc *openapi3.T) []operation {
	var all []operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, operation{op, method + " " + path, method, path, slices.Concat(item.Parameters, op.Parameters)})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.key, b.key) })
	return all
}

func (o operation) text(extension string) string {
	s, _ := o.Extensions[extension].(string)
	return s
}

func (o operation) takes(in, name string) bool { return o.parameters.GetByInAndName(in, name) != nil }

func (o operation) body() *openapi3.SchemaRef {
	if o.RequestBody == nil {
		return nil
	}
	return o.RequestBody.Value.Content["application/json"].Schema
}

// lint returns what is wrong with a contract.
func lint(source []byte, functions []string) []string {
	doc, err := load(source)
	if err != nil {
		return []string{err.Error()}
	}
	l := linter{doc: doc, functions: functions, used: map[string]bool{}}
	l.problems, _ = doc.Extensions["x-problem-types"].(map[string]any)
	for _, op := range operations(doc) {
		l.operation(op)
	}
	for _, slug := range slices.Sorted(maps.Keys(l.problems)) {
		l.problem(slug)
	}
	return l.complaints
}

type linter struct {
	doc        *openapi3.T
	functions  []string
	problems   map[string]any
	used       map[string]bool // problems that an operation can answer with
	complaints []string
}

func (l *linter) refuse(format string, args ...any) {
	l.complaints = append(l.complaints, fmt.Sprintf(format, args...))
}

// need refuses unless ok.
func (l *linter) need(ok bool, format string, args ...any) {
	if !ok {
		l.refuse(format, args...)
	}
}

func (l *linter) operation(op operation) {
	id := op.OperationID
	l.need(op.Summary != "", "%s: no summary", id)
	l.need(op.Description != "", "%s: no description", id)
	l.need(len(op.Tags) == 1 && l.doc.Tags.Get(op.Tags[0]) != nil, "%s: needs one of the tags", id)
	l.need(slices.Contains(l.functions, op.text("x-function")), "%s: there is no functions/%s", id, op.text("x-function"))
	l.access(op)
	l.expectations(op)
	l.bodies(op)
	l.together(op)
	l.list(op)
	l.need(!heading.MatchString(op.Description), "%s: headings are ####, below those of the page", op.OperationID)
}

// heading is one of any other level than those of an operation's description.
var heading = regexp.MustCompile(`(?m)^(#{1,3}|#{5,6}) `)

// access checks that who may call is told, and can be found out from the request.
func (l *linter) access(op operation) {
	id, role, target := op.OperationID, op.text("x-role"), op.text("x-target")
	l.need(slices.Contains([]string{"none", "viewer", "operator", "admin", "owner"}, role), "%s: x-role %s is none of the roles", id, role)
	open := op.Security != nil && len(*op.Security) == 0
	l.need(open == (target == "public"), "%s: public operations, and no others, have security: []", id)
	l.need(!open || role == "none", "%s: public, but needs a role", id)
	where, name, named := strings.Cut(target, ".")
	switch {
	case named && (where == "path" || where == "query"):
		l.need(op.takes(where, name), "%s: x-target %s is no parameter", id, target)
	case named && where == "body":
		l.need(op.body() != nil && slices.Contains(op.body().Value.Required, name), "%s: x-target %s is no needed field", id, target)
	case where == "above":
		l.need(name == "path.id" && op.takes("path", "id"), "%s: x-target %s is no parameter", id, target)
	case where == "move-request":
		l.need(strings.HasPrefix(op.path, "/v1/move-requests/{id}") && (!named || name == "from" || name == "to"),
			"%s: x-target %s without a move request in the path, or with no side of it", id, target)
	case target == "self" || target == "public":
	default: // what the path names, and belongs to a node
		l.need(strings.HasPrefix(op.path, "/v1/"+target+"s/{id}") || strings.HasPrefix(op.path, "/v1/api-"+target+"s/{id}"),
			"%s: x-target %s is none of the targets, nor what the path names", id, target)
	}
}

// expectations checks the headers that a kind of request takes, and that what can go wrong with it is declared.
func (l *linter) expectations(op operation) {
	id := op.OperationID
	var declared, needed []string
	list, ok := op.Extensions["x-problems"].([]any)
	l.need(ok, "%s: no x-problems", id)
	for _, p := range list {
		slug := fmt.Sprint(p)
		l.need(l.problems[slug] != nil, "%s: x-problem-types has no %s", id, slug)
		l.need(!slices.Contains(declared, slug), "%s: x-problems names %s twice", id, slug)
		declared = append(declared, slug)
		l.used[slug] = true
	}
	if op.text("x-target") != "public" {
		needed = append(needed, "invalid", "unauthenticated", "too-many-requests", "busy", "internal")
		switch op.method {
		case "GET":
			if answer := op.Responses.Status(200); answer != nil && answer.Value.Headers["ETag"] != nil {
				l.need(op.takes("header", "If-None-Match") && op.Responses.Status(304) != nil, "%s: no If-None-Match with 304", id)
			}
		case "POST":
			l.need(op.takes("header", "Idempotency-Key"), "%s: no Idempotency-Key", id)
			needed = append(needed, "idempotency-key-invalid", "conflict")
			if !strings.HasSuffix(op.path, "/preview") { // which changes nothing
				needed = append(needed, "idempotency-key-reused")
			}
		case "PUT", "PATCH", "DELETE":
			needed = append(needed, "conflict")
			if strings.Contains(op.path, "/users/") { // a role at a node has no version
				break
			}
			l.need(op.takes("header", "If-Match"), "%s: no If-Match", id)
			needed = append(needed, "precondition-failed")
		}
	}
	if !slices.Contains([]string{"none", "viewer"}, op.text("x-role")) && op.text("x-target") != "move-request" {
		needed = append(needed, "forbidden")
	}
	if !slices.Contains([]string{"self", "public"}, op.text("x-target")) {
		needed = append(needed, "not-found")
	}
	if strings.HasPrefix(op.text("x-target"), "above.") {
		needed = append(needed, "needs-grant-above")
	}
	if op.RequestBody != nil {
		needed = append(needed, "malformed-json", "unknown-field", "unsupported-media-type", "too-large")
	}
	if op.takes("query", "cursor") {
		needed = append(needed, "invalid-cursor")
	}
	for _, slug := range needed {
		l.need(slices.Contains(declared, slug), "%s: x-problems lacks %s", id, slug)
	}
}

func (l *linter) bodies(op operation) {
	id := op.OperationID
	if body := op.body(); body != nil {
		closed := body.Value.AdditionalProperties.Has
		l.need(closed != nil && !*closed, "%s: additionalProperties of the request must be false", id)
		l.examples(id, "the request", op.RequestBody.Value.Content["application/json"])
	}
	for status, r := range op.Responses.Map() {
		if media := r.Value.Content["application/json"]; media != nil {
			l.examples(id, status, media)
		}
		l.need(status != "201" || r.Value.Headers["Location"] != nil, "%s: 201 has no Location", id)
		l.need(status != "201" || r.Value.Headers["ETag"] != nil, "%s: 201 has no ETag", id)
	}
}

// examples checks that there is an example, and that each is what the schema says.
func (l *linter) examples(id, what string, media *openapi3.MediaType) {
	var all []any
	if media.Example != nil {
		all = append(all, media.Example)
	}
	for _, e := range media.Examples {
		all = append(all, e.Value.Value)
	}
	l.need(len(all) > 0, "%s: %s has no example", id, what)
	for _, e := range all {
		var value any // as JSON has it
		if b, err := json.Marshal(e); err != nil || json.Unmarshal(b, &value) != nil {
			l.refuse("%s: example of %s is no JSON", id, what)
		} else if err := l.doc.ValidateSchemaJSON(media.Schema.Value, value); err != nil {
			l.refuse("%s: example of %s: %s", id, what, err)
		}
	}
}

// together checks that examples which are shown one below the other are of one request: an answer is about what was asked about, and has
// what was sent.
func (l *linter) together(op operation) {
	id := op.OperationID
	sent := map[string]any{}
	if op.RequestBody != nil && !op.takes("path", "nodeId") { // what is answered is not that node
		examples := op.RequestBody.Value.Content["application/json"].Examples
		for _, e := range examples {
			if len(examples) == 1 {
				sent, _ = e.Value.Value.(map[string]any)
			}
		}
	}
	for _, r := range op.Responses.Map() {
		media := r.Value.Content["application/json"]
		if media == nil {
			continue
		}
		all := []any{media.Example}
		for _, e := range media.Examples {
			all = append(all, e.Value.Value)
		}
		for _, e := range all {
			answer, _ := e.(map[string]any)
			for _, p := range op.parameters {
				about, _ := cmp.Or(p.Value.Example, p.Value.Schema.Value.Example).(string)
				for _, name := range []string{"id", "nodeId", "principalId"} {
					told, _ := answer[name].(string)
					if p.Value.Name != "nodeId" && len(about) == ident.Len && len(told) == ident.Len && told[:4] == about[:4] {
						l.need(told == about, "%s: the example asks about %s, and answers about %s", id, about, told)
					}
				}
			}
			for name, value := range sent {
				told, has := answer[name]
				l.need(!has || fmt.Sprint(told) == fmt.Sprint(value), "%s: the example sends the %s %v, and answers %v", id, name, value, told)
			}
		}
	}
}

// list checks that lists, and what is paged, have the one shape of lists.
func (l *linter) list(op operation) {
	id := op.OperationID
	paged := op.takes("query", "cursor")
	l.need(paged == op.takes("query", "limit"), "%s: cursor and limit come together", id)
	if !paged && !strings.HasPrefix(id, "list") {
		return
	}
	schema := op.Responses.Value("200").Value.Content["application/json"].Schema.Value
	items := schema.Properties["items"]
	l.need(items != nil && items.Value.Type.Is("array") && slices.Contains(schema.Required, "items"), "%s: lists need items", id)
	next := schema.Properties["next"]
	l.need(paged == (next != nil) && !slices.Contains(schema.Required, "next"), "%s: pages need next, which is absent on the last", id)
}

// answeredElsewhere are problems that no operation has: of addresses without one, of the function bootstrap, and of the portal's pages.
var answeredElsewhere = []string{"no-such-route", "method-not-allowed", "already-founded", "not-invited"}

func (l *linter) problem(slug string) {
	p, _ := l.problems[slug].(map[string]any)
	for _, field := range []string{"status", "title", "description", "action"} {
		l.need(p[field] != nil, "%s: no %s", slug, field)
	}
	l.need(l.used[slug] != slices.Contains(answeredElsewhere, slug), "%s: no operation can answer with it, or one that should not", slug)
}
