package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

//go:embed pages.tmpl
var pagesTemplate string

//go:embed style.css
var style string

// view is what every page is rendered from.
type view struct {
	*contract
	Generated template.HTML // a comment
	Style     template.CSS
	Lead      string
	Sections  []section
	Groups    []group
	Objects   []object
	Simple    []row
	All       []*problemView
}

// section is one part of the introduction.
type section struct{ ID, Title, Text string }

// group is the operations of one tag.
type group struct {
	tag
	ID         string
	Operations []*operationView
}

type operationView struct {
	*operation
	Access     string
	Parameters []row
	Body       *bodyView
	Answers    []answer
	Samples    []sample
	Failures   []*problemView
	Next       []*operation
}

type bodyView struct {
	Type   typeLabel
	Fields []row
}

// sample is a request, its body alone, or an answer, as an example.
type sample struct {
	Title  string
	Status string // of an answer
	Code   template.HTML
}

type answer struct {
	Status      string
	Description string
	Media       string
	Headers     []row
	Type        typeLabel
	Fields      []row
}

type object struct {
	Name, Description string
	Fields            []row
}

type problemView struct {
	Slug string
	*problemType
	Operations []*operation
}

// row is one line of a table of fields, parameters, headers or simple types.
type row struct {
	Name        string
	In          string
	Required    bool
	Type        typeLabel
	Description string
	Limits      string
	Pattern     string
}

// fieldTable is a table of an object's fields. A request's says what is needed, an answer's what may be absent.
type fieldTable struct {
	Rows    []row
	Request bool
	Label   string
}

func newFieldTable(rows []row, request bool, label string) fieldTable {
	return fieldTable{rows, request, label}
}

// typeLabel is a type's name, with a link to the schema when it has one.
type typeLabel struct{ Before, Name, Schema string }

func pages(c *contract, files map[string][]byte) error {
	v, err := newView(c)
	if err != nil {
		return err
	}
	t, err := template.New("pages").Funcs(template.FuncMap{
		"markdown": markdown, "lower": strings.ToLower, "fields": newFieldTable,
	}).Parse(pagesTemplate)
	if err != nil {
		return err
	}
	render := func(name, file string) error {
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, name, v); err != nil {
			return err
		}
		files[file] = b.Bytes()
		return nil
	}
	if err := render("reference", "docs/reference.html"); err != nil {
		return err
	}
	if err := render("home", "docs/home.html"); err != nil {
		return err
	}
	if err := render("problem", "docs/problem.html"); err != nil {
		return err
	}
	if files["docs/problems.gen.go"], err = v.problemPages(); err != nil {
		return err
	}
	files["docs/style.gen.go"], err = styleHash(files["docs/home.html"])
	return err
}

// styleHash writes down the hash of the style that stands in every page: a content security policy allows it by that.
func styleHash(page []byte) ([]byte, error) {
	_, rest, found := bytes.Cut(page, []byte("<style>"))
	css, _, closed := bytes.Cut(rest, []byte("</style>"))
	if !found || !closed {
		return nil, fmt.Errorf("the pages have no style")
	}
	sum := sha256.Sum256(css)
	return fmt.Appendf(nil, generatedHeader+"// StyleHash is the hash of the style of every page, as a content security policy names it.\n"+
		"const StyleHash = %q\n", "docs", "sha256-"+base64.StdEncoding.EncodeToString(sum[:])), nil
}

func newView(c *contract) (*view, error) {
	v := &view{contract: c, Generated: "<!-- " + generatedBy + " -->", Style: template.CSS(style)}
	parts := strings.Split(c.Info.Description, "\n## ")
	v.Lead = parts[0]
	for _, part := range parts[1:] {
		title, text, _ := strings.Cut(part, "\n")
		v.Sections = append(v.Sections, section{anchor(title), title, text})
	}
	for _, p := range c.Problems {
		v.All = append(v.All, &problemView{Slug: p.Name, problemType: p.Value})
	}
	for _, t := range c.Tags {
		g := group{tag: t, ID: "group-" + anchor(t.Name)}
		for _, op := range c.operations {
			if op.Tags[0] != t.Name {
				continue
			}
			o, err := v.operation(op)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", op.ID, err)
			}
			g.Operations = append(g.Operations, o)
		}
		v.Groups = append(v.Groups, g)
	}
	for _, s := range c.Components.Schemas {
		if len(s.Value.Properties) == 0 {
			v.Simple = append(v.Simple, row{Name: s.Name, Type: typeLabel{Name: s.Value.typeName()}, Description: s.Value.Description,
				Limits: s.Value.limits(), Pattern: s.Value.Pattern})
			continue
		}
		fields, err := c.fields(s.Value, "")
		if err != nil {
			return nil, err
		}
		v.Objects = append(v.Objects, object{s.Name, s.Value.Description, fields})
	}
	return v, nil
}

func (v *view) operation(op *operation) (*operationView, error) {
	c := v.contract
	o := &operationView{operation: op, Access: access(op)}
	for _, p := range op.Parameters {
		label, resolved, err := c.label(p.Schema)
		if err != nil {
			return nil, err
		}
		o.Parameters = append(o.Parameters, row{Name: p.Name, In: p.In, Required: p.Required, Type: label, Description: p.Description,
			Limits: p.Schema.limitsAs(resolved)})
	}
	if op.RequestBody != nil {
		media := op.RequestBody.Content["application/json"]
		label, resolved, err := c.label(media.Schema)
		if err != nil {
			return nil, err
		}
		o.Body = &bodyView{Type: label}
		if o.Body.Fields, err = c.fields(resolved, ""); err != nil {
			return nil, err
		}
	}
	for _, r := range op.Responses {
		a, err := v.answer(r.Name, r.Value)
		if err != nil {
			return nil, err
		}
		o.Answers = append(o.Answers, a)
	}
	for _, p := range v.All { // in the order of their statuses
		if slices.Contains(op.Problems, p.Slug) {
			p.Operations = append(p.Operations, op)
			o.Failures = append(o.Failures, p)
		}
	}
	for _, name := range op.Links {
		id := c.Components.Links[name].OperationID
		i := slices.IndexFunc(c.operations, func(to *operation) bool { return to.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("the link %s leads to %s, which is no operation", name, id)
		}
		o.Next = append(o.Next, c.operations[i])
	}
	var err error
	o.Samples, err = c.samples(op)
	return o, err
}

// samples are the examples of an operation: the first request with its answers, then what else there is by one name.
func (c *contract) samples(op *operation) (all []sample, err error) {
	var bodies examples
	if op.RequestBody != nil {
		bodies = op.RequestBody.Content["application/json"].Examples
	}
	named := slices.Clone(bodies)
	for _, r := range op.Responses {
		for _, m := range r.Value.Content {
			for _, e := range m.Examples {
				if _, found := named.get(e.Name); !found {
					named = append(named, e)
				}
			}
		}
	}
	if len(named) == 0 {
		named = make(examples, 1)
	}
	first := ""
	for i, e := range named {
		body, err := textOf(bodies, e.Name)
		if err != nil {
			return nil, err
		}
		curl, err := c.curl(op, e.Name, body)
		if err != nil {
			return nil, err
		}
		answers, err := op.answersTo(e.Name, i == 0)
		if err != nil {
			return nil, err
		}
		about := ""
		if e.Value.Summary != "" {
			about = ": " + e.Value.Summary
		}
		switch {
		case i > 0 && len(answers) == 0: // it has no answer that is worth showing, too
			all = append(all, sample{Title: "Body" + about, Code: highlight(body)})
		case i > 0 && curl == first:
			for j := range answers {
				answers[j].Title += about
			}
		default:
			all = append(all, sample{Title: "Request" + about, Code: template.HTML(html.EscapeString(curl))})
		}
		if all = append(all, answers...); i == 0 {
			first = curl
		}
	}
	return all, nil
}

// textOf is the example of a name, "" when there is none.
func textOf(some examples, name string) (string, error) {
	e, found := some.get(name)
	if !found {
		return "", nil
	}
	return indented(&e.Value)
}

// answersTo are the answers by a name; those to the first request need none.
func (op *operation) answersTo(name string, first bool) (all []sample, err error) {
	for _, r := range op.Responses {
		for _, m := range r.Value.Content {
			text, err := textOf(m.Examples, name)
			if err == nil && first && !m.Example.IsZero() {
				text, err = indented(&m.Example)
			}
			if err != nil {
				return nil, err
			}
			if text != "" {
				all = append(all, sample{"Answer", r.Name, highlight(text)})
			}
		}
	}
	return all, nil
}

func (v *view) answer(status string, r *response) (answer, error) {
	a := answer{Status: status, Description: r.Description}
	for _, h := range r.Headers {
		a.Headers = append(a.Headers, row{Name: h.Name, Description: h.Value.Description})
	}
	for media, m := range r.Content {
		a.Media = media
		label, resolved, err := v.label(m.Schema)
		if err != nil {
			return a, err
		}
		a.Type = label
		if a.Fields, err = v.fields(resolved, ""); err != nil {
			return a, err
		}
	}
	return a, nil
}

// access says in words what x-role and x-target say.
func access(op *operation) string {
	if op.Public() {
		return "No key needed."
	}
	if op.Role == "none" {
		return "Every caller."
	}
	where, ok := map[string]string{
		"path.id":           "on the partner",
		"body.parentId":     "on the partner in `parentId`",
		"body.partnerId":    "on the partner in `partnerId`",
		"body.nodeId":       "on the node in `nodeId`",
		"path.nodeId":       "on the node in `nodeId`",
		"query.nodeId":      "on the node in `nodeId`",
		"query.node":        "on the node in `node`",
		"above.path.id":     "on a node above the partner",
		"job":               "on the node that the job belongs to",
		"move-request":      "on either side of the move",
		"move-request.from": "on a node above the one that is to move",
		"move-request.to":   "on the partner that it is to move to",
		"invitation":        "where the invitation is to",
		"client":            "at the API client's home",
		"brand":             "on the partner that owns the brand",
	}[op.Target]
	if !ok {
		where = "on " + op.Target
	}
	if op.Target == "path.id" && strings.HasPrefix(op.Path, "/v1/customers/") {
		where = "on the customer"
	}
	if op.Target == "above.path.id" && strings.HasPrefix(op.Path, "/v1/customers/") {
		where = "on a node above the customer"
	}
	return fmt.Sprintf("Needs `%s` %s.", op.Role, where)
}

// curl is the operation as a command: with what it needs, with what has an example of this name, and with If-Match where it counts.
func (c *contract) curl(op *operation, name, body string) (string, error) {
	path, query := op.Path, ""
	var headers []string
	if !op.Public() {
		headers = append(headers, `"Authorization: Bearer $KEY"`)
	}
	for _, p := range op.Parameters {
		_, resolved, err := c.label(p.Schema)
		if err != nil {
			return "", err
		}
		named, asked := p.Examples.get(name)
		value := cmp.Or(named.Value.Value, p.Example.Value, resolved.Example.Value)
		switch {
		case p.In == "path":
			path = strings.Replace(path, "{"+p.Name+"}", value, 1)
		case p.In == "query" && (p.Required || asked):
			query = strings.TrimPrefix(query+"&"+p.Name+"="+value, "&")
		case p.Name == "Idempotency-Key":
			headers = append(headers, `"Idempotency-Key: $(uuidgen)"`)
		case p.In == "header":
			headers = append(headers, "'"+p.Name+": "+value+"'")
		}
	}
	var b strings.Builder
	b.WriteString("curl ")
	if op.Method != "GET" {
		b.WriteString("-X " + op.Method + " ")
	}
	if query != "" {
		path += "?" + query
	}
	b.WriteString(`"$API` + path + `"`)
	if body != "" {
		headers = append(headers, `"Content-Type: application/json"`)
	}
	for _, h := range headers {
		b.WriteString(" \\\n  -H " + h)
	}
	if body != "" {
		b.WriteString(" \\\n  -d '" + strings.ReplaceAll(body, "'", `'\''`) + "'")
	}
	return b.String(), nil
}

// fields are the rows of an object's properties. Those of nested objects without a name of their own follow theirs.
func (c *contract) fields(s *schema, prefix string) ([]row, error) {
	var rows []row
	for _, p := range s.Properties {
		label, resolved, err := c.label(p.Value)
		if err != nil {
			return nil, err
		}
		r := row{Name: prefix + p.Name, Type: label, Description: p.Value.Description, Limits: p.Value.limitsAs(resolved)}
		if r.Description == "" {
			r.Description = resolved.Description
		}
		for _, name := range s.Required {
			r.Required = r.Required || name == p.Name
		}
		rows = append(rows, r)
		if label.Schema == "" && len(p.Value.Properties) > 0 {
			nested, err := c.fields(p.Value, r.Name+".")
			if err != nil {
				return nil, err
			}
			rows = append(rows, nested...)
		}
	}
	return rows, nil
}

// label names a schema's type, and returns the schema that it refers to.
func (c *contract) label(s *schema) (typeLabel, *schema, error) {
	if s.Ref != "" {
		resolved, err := c.schema(s.Ref)
		return typeLabel{Name: refName(s.Ref), Schema: refName(s.Ref)}, resolved, err
	}
	if s.Items != nil {
		of, _, err := c.label(s.Items)
		of.Before = "list of " + of.Before
		return of, s, err
	}
	name := s.typeName()
	if name == "" {
		return typeLabel{}, nil, fmt.Errorf("a schema without a type: %q", s.Description)
	}
	return typeLabel{Name: name}, s, nil
}

func (s *schema) typeName() string {
	names := slices.Clone(s.Type)
	for _, one := range s.OneOf {
		names = append(names, refName(one.Ref))
	}
	return strings.Join(names, " or ")
}

// limitsAs are the limits of what a schema refers to, with the default that is its own.
func (s *schema) limitsAs(resolved *schema) string {
	if s == resolved || s.Default.IsZero() {
		return resolved.limits()
	}
	own := *resolved
	own.Default = s.Default
	return own.limits()
}

// limits says in words what values a schema allows, but for its pattern.
func (s *schema) limits() string {
	var all []string
	if len(s.Enum) == 1 {
		all = append(all, "always `"+s.Enum[0]+"`")
	} else if len(s.Enum) > 1 {
		all = append(all, "one of `"+strings.Join(s.Enum, "`, `")+"`")
	}
	if s.Format != "" {
		all = append(all, s.Format)
	}
	for _, bound := range []struct {
		least, most *int
		what        string
	}{{s.Minimum, s.Maximum, ""}, {s.MinLength, s.MaxLength, " characters"}, {s.MinItems, s.MaxItems, " items"}} {
		switch {
		case bound.least != nil && bound.most != nil && *bound.least == *bound.most:
			all = append(all, fmt.Sprintf("%d%s", *bound.least, bound.what))
		case bound.least != nil && bound.most != nil:
			all = append(all, fmt.Sprintf("%d to %d%s", *bound.least, *bound.most, bound.what))
		case bound.least != nil:
			all = append(all, fmt.Sprintf("at least %d%s", *bound.least, bound.what))
		case bound.most != nil:
			all = append(all, fmt.Sprintf("at most %d%s", *bound.most, bound.what))
		}
	}
	if s.Unique {
		all = append(all, "no two alike")
	}
	if !s.Default.IsZero() {
		all = append(all, "default `"+s.Default.Value+"`")
	}
	return strings.Join(all, ", ")
}

var md = goldmark.New(goldmark.WithExtensions(extension.Table))

// markdown renders a description. Raw HTML in it is left out.
func markdown(text string) (template.HTML, error) {
	var b bytes.Buffer
	err := md.Convert([]byte(text), &b)
	rendered := strings.ReplaceAll(b.String(), "<pre>", `<pre tabindex="0">`)
	return template.HTML(rendered), err
}

func anchor(title string) string { return strings.ReplaceAll(strings.ToLower(title), " ", "-") }

var jsonToken = regexp.MustCompile(`("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\b[0-9]+\b`)

// highlight marks names and values of an example.
func highlight(text string) template.HTML {
	var b strings.Builder
	last := 0
	for _, m := range jsonToken.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(html.EscapeString(text[last:m[0]]))
		class, end := "v", m[1]
		if m[2] >= 0 {
			class, end = "s", m[3]
		}
		if m[4] >= 0 {
			class = "n"
		}
		fmt.Fprintf(&b, `<span class="%s">%s</span>%s`, class, html.EscapeString(text[m[0]:end]), text[end:m[1]])
		last = m[1]
	}
	b.WriteString(html.EscapeString(text[last:]))
	return template.HTML(b.String())
}
