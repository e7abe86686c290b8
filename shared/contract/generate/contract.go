package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// contract is openapi.yaml as the pages and the Go files need it. Lists are in the order of the source.
type contract struct {
	Info struct {
		Title, Version, Summary, Description string
	}
	Tags       []tag
	Paths      ordered[ordered[yaml.Node]]
	Components struct {
		Parameters map[string]*parameter
		Headers    map[string]*header
		Links      map[string]*link
		Schemas    ordered[*schema]
	}
	Problems ordered[*problemType] `yaml:"x-problem-types"`

	operations []*operation
	json       []byte // the contract as it is published
}

type tag struct{ Name, Description string }

type operation struct {
	ID          string `yaml:"operationId"`
	Tags        []string
	Summary     string
	Description string
	Function    string   `yaml:"x-function"`
	Role        string   `yaml:"x-role"`
	Target      string   `yaml:"x-target"`
	Problems    []string `yaml:"x-problems"`
	Links       []string `yaml:"x-links"`
	MaxBody     int      `yaml:"x-max-body"`
	TooLarge    string   `yaml:"x-too-large"`
	Parameters  []*parameter
	RequestBody *struct{ Content map[string]*mediaType } `yaml:"requestBody"`
	Responses   ordered[*response]

	Method, Path string `yaml:"-"`
}

// Public reports whether nobody is asked who they are.
func (o *operation) Public() bool { return o.Target == "public" }

type parameter struct {
	Ref         string `yaml:"$ref"`
	Name, In    string
	Required    bool
	Description string
	Schema      *schema
	Example     yaml.Node
	Examples    examples
}

type header struct {
	Ref         string `yaml:"$ref"`
	Description string
}

// link says which operation can follow an answer, and where its parameters are.
type link struct {
	OperationID string            `yaml:"operationId"`
	Parameters  map[string]string `yaml:"parameters"`
}

type response struct {
	Description string
	Headers     ordered[*header]
	Content     map[string]*mediaType
}

type mediaType struct {
	Schema   *schema
	Example  yaml.Node
	Examples examples
}

// examples have names: what has the same name in the parameters, the body and the answer of an operation belongs together.
type examples = ordered[example]

type example struct {
	Summary string
	Value   yaml.Node
}

type problemType struct {
	Status                     int
	Title, Description, Action string
}

type schema struct {
	Ref         string `yaml:"$ref"`
	Description string
	Type        oneOrMore
	Format      string
	Pattern     string
	Enum        []string
	Minimum     *int
	Maximum     *int
	MinLength   *int      `yaml:"minLength"`
	MaxLength   *int      `yaml:"maxLength"`
	MinItems    *int      `yaml:"minItems"`
	MaxItems    *int      `yaml:"maxItems"`
	Unique      bool      `yaml:"uniqueItems"`
	Default     yaml.Node `yaml:"default"`
	Example     yaml.Node
	Required    []string
	Properties  ordered[*schema]
	Items       *schema
	OneOf       []*schema `yaml:"oneOf"`
}

// oneOrMore is a string, or a list of them.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

// ordered is a mapping in the order of the source.
type ordered[T any] []entry[T]

type entry[T any] struct {
	Name  string
	Value T
}

func (o *ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry[T]{Name: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&e.Value); err != nil {
			return err
		}
		*o = append(*o, e)
	}
	return nil
}

func (o ordered[T]) get(name string) (T, bool) {
	for _, e := range o {
		if e.Name == name {
			return e.Value, true
		}
	}
	var none T
	return none, false
}

var methods = []string{"get", "put", "post", "patch", "delete"}

// parse reads the contract, resolves references to parameters and headers, and makes its published form.
func parse(source []byte) (*contract, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(source, &root); err != nil {
		return nil, err
	}
	c := &contract{}
	if err := root.Decode(c); err != nil {
		return nil, err
	}
	for _, path := range c.Paths {
		var shared []*parameter
		if n, ok := path.Value.get("parameters"); ok {
			if err := n.Decode(&shared); err != nil {
				return nil, err
			}
		}
		for _, e := range path.Value {
			if !slices.Contains(methods, e.Name) {
				continue
			}
			op := &operation{Method: strings.ToUpper(e.Name), Path: path.Name}
			if err := e.Value.Decode(op); err != nil {
				return nil, err
			}
			op.Parameters = append(slices.Clone(shared), op.Parameters...)
			if err := c.resolve(op); err != nil {
				return nil, fmt.Errorf("%s: %w", op.ID, err)
			}
			c.operations = append(c.operations, op)
		}
	}
	if err := c.publish(&root); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *contract) resolve(op *operation) error {
	for i, p := range op.Parameters {
		if p.Ref != "" {
			if op.Parameters[i] = c.Components.Parameters[refName(p.Ref)]; op.Parameters[i] == nil {
				return fmt.Errorf("there is no %s", p.Ref)
			}
		}
	}
	for _, r := range op.Responses {
		for i, h := range r.Value.Headers {
			if h.Value.Ref != "" {
				if r.Value.Headers[i].Value = c.Components.Headers[refName(h.Value.Ref)]; r.Value.Headers[i].Value == nil {
					return fmt.Errorf("there is no %s", h.Value.Ref)
				}
			}
		}
	}
	for _, slug := range op.Problems {
		if _, ok := c.Problems.get(slug); !ok {
			return fmt.Errorf("x-problem-types has no %s", slug)
		}
	}
	for _, name := range op.Links {
		if c.Components.Links[name] == nil {
			return fmt.Errorf("components/links has no %s", name)
		}
	}
	return nil
}

func (c *contract) schema(ref string) (*schema, error) {
	if s, ok := c.Components.Schemas.get(refName(ref)); ok {
		return s, nil
	}
	return nil, fmt.Errorf("there is no %s", ref)
}

func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// publish makes the contract's JSON form. It spells out what the source says once: the responses that x-problems stands
// for, and the headers that every answer to a known caller has.
func (c *contract) publish(root *yaml.Node) error {
	paths := field(root.Content[0], "paths")
	for _, op := range c.operations {
		responses := field(field(field(paths, op.Path), strings.ToLower(op.Method)), "responses")
		for _, status := range c.statuses(op.Problems) {
			var problem yaml.Node
			if err := problem.Encode(c.problemResponse(op, status)); err != nil {
				return err
			}
			responses.Content = append(responses.Content, scalar(strconv.Itoa(status)), &problem)
		}
		if op.Public() {
			continue
		}
		for i := 1; i < len(responses.Content); i += 2 {
			if err := addLinks(responses.Content[i], c.links(op, responses.Content[i-1].Value)); err != nil {
				return err
			}
			if err := addHeaders(responses.Content[i]); err != nil {
				return err
			}
		}
	}
	forClients(root.Content[0])
	var b bytes.Buffer
	if err := writeJSON(&b, root); err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b.Bytes(), "", " "); err != nil {
		return err
	}
	c.json = append(indented.Bytes(), '\n')
	return nil
}

// statuses are the distinct HTTP statuses of problem types, in ascending order.
func (c *contract) statuses(slugs []string) []int {
	var all []int
	for _, slug := range slugs {
		p, _ := c.Problems.get(slug)
		all = append(all, p.Status)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (c *contract) problemResponse(op *operation, status int) map[string]any {
	var slugs []string
	for _, slug := range op.Problems {
		if p, _ := c.Problems.get(slug); p.Status == status {
			slugs = append(slugs, fmt.Sprintf("`%s`: %s.", slug, p.Title))
		}
	}
	r := map[string]any{
		"description": strings.Join(slugs, " "),
		"content": map[string]any{
			"application/problem+json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Problem"}},
		},
	}
	if slices.Contains(byGateway, status) {
		r["content"].(map[string]any)["application/json"] = map[string]any{"schema": map[string]any{"$ref": schemaRef + "GatewayError"}}
	}
	if status == 401 || status == 429 || status == 503 {
		r["headers"] = map[string]any{"Retry-After": headerRef("Retry-After")}
	}
	return r
}

// links are what can follow an answer of an operation: a reference to what x-links names, to the job of what is accepted, and the next page of a
// list, which is asked for with all that the one before was asked for with.
func (c *contract) links(op *operation, status string) map[string]any {
	all := map[string]any{}
	ref := func(name string) { all[name] = map[string]any{"$ref": "#/components/links/" + name} }
	switch status {
	case "202":
		ref("getJob")
	case "200", "201":
	default:
		return nil
	}
	for _, name := range op.Links {
		ref(name)
	}
	next := map[string]any{}
	for _, p := range op.Parameters {
		if p.In == "path" || p.In == "query" {
			next[p.Name] = "$request." + p.In + "." + p.Name
		}
	}
	if next["cursor"] != nil {
		next["cursor"] = "$response.body#/next"
		all["next"] = map[string]any{"operationId": op.ID, "parameters": next}
	}
	return all
}

func addLinks(response *yaml.Node, links map[string]any) error {
	if len(links) == 0 {
		return nil
	}
	var n yaml.Node
	if err := n.Encode(links); err != nil {
		return err
	}
	response.Content = append(response.Content, scalar("links"), &n)
	return nil
}

// byGateway are the statuses with which API Gateway may answer by itself, in a form of its own.
// Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
var byGateway = []int{401, 413, 429, 500, 503}

func addHeaders(response *yaml.Node) error {
	headers := field(response, "headers")
	if headers == nil {
		headers = &yaml.Node{Kind: yaml.MappingNode}
		response.Content = append(response.Content, scalar("headers"), headers)
	}
	for _, name := range []string{"X-Request-Id", "RateLimit", "RateLimit-Policy", "traceparent"} {
		var ref yaml.Node
		if err := ref.Encode(headerRef(name)); err != nil {
			return err
		}
		headers.Content = append(headers.Content, scalar(name), &ref)
	}
	return nil
}

func headerRef(name string) map[string]any {
	return map[string]any{"$ref": "#/components/headers/" + name}
}

func scalar(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// field returns the value of a mapping's field, or nil.
func field(n *yaml.Node, name string) *yaml.Node {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// writeJSON writes YAML as JSON and keeps the order of fields.
func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return writeJSON(b, n.Content[0])
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeString(b, n.Content[i].Value); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!str":
			return writeString(b, n.Value)
		case "!!int", "!!float", "!!bool", "!!null":
			var v any
			if err := n.Decode(&v); err != nil {
				return err
			}
			j, err := json.Marshal(v)
			b.Write(j)
			return err
		}
	}
	return fmt.Errorf("line %d: %q is neither text nor number nor truth value; put it in quotes", n.Line, n.Value)
}

func writeString(b *bytes.Buffer, s string) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}

// indented is an example as it is shown.
func indented(n *yaml.Node) (string, error) {
	var compact, b bytes.Buffer
	if err := writeJSON(&compact, n); err != nil {
		return "", err
	}
	err := json.Indent(&b, compact.Bytes(), "", "  ")
	return b.String(), err
}
