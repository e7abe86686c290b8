package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What generators of clients need is not written into the source, but made when the contract is published: values in answers are open, since new
// ones come without notice; no parameter has the name of a schema; and there is a second form in OpenAPI 3.0.

const schemaRef, parameterRef = "#/components/schemas/", "#/components/parameters/"

// forClients changes the published contract, in the order of its source.
func forClients(root *yaml.Node) {
	components := field(root, "components")
	schemas, parameters := field(components, "schemas"), field(components, "parameters")

	// What requests hold stays closed: parameters and bodies, with all that they refer to.
	var requests []*yaml.Node
	requests = append(requests, parameters)
	each(field(root, "paths"), func(n *yaml.Node) {
		for _, of := range []string{"parameters", "requestBody"} {
			if part := field(n, of); part != nil {
				requests = append(requests, part)
			}
		}
	})
	asked := map[string]bool{}
	for len(requests) > 0 {
		var next []*yaml.Node
		for _, part := range requests {
			each(part, func(n *yaml.Node) {
				name, to := referred(n, schemas)
				switch {
				case to == nil:
				case field(to, "enum") != nil: // answers may have it, too: the request gets a copy of its own
					*n = *clone(to)
				case !asked[name]:
					asked[name] = true
					next = append(next, to)
				}
			})
		}
		requests = next
	}
	for i := 0; i+1 < len(schemas.Content); i += 2 {
		if !asked[schemas.Content[i].Value] {
			each(schemas.Content[i+1], open)
		}
	}
	renamed := map[string]string{}
	for i := 0; i+1 < len(parameters.Content); i += 2 {
		if name := parameters.Content[i]; field(schemas, name.Value) != nil {
			renamed[parameterRef+name.Value] = parameterRef + name.Value + "Parameter"
			name.Value += "Parameter"
		}
	}
	each(root, func(n *yaml.Node) {
		if ref := field(n, "$ref"); ref != nil && renamed[ref.Value] != "" {
			ref.Value = renamed[ref.Value]
		}
	})
}

// open says of a schema which values there are, without saying that there can be no others.
func open(n *yaml.Node) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		switch name, value := n.Content[i], n.Content[i+1]; {
		case name.Value == "enum" && value.Kind == yaml.SequenceNode && len(value.Content) > 1, name.Value == "oneOf" && field(n, "discriminator") != nil,
			name.Value == "discriminator":
			name.Value = "x-known-" + name.Value
		}
	}
}

// each calls do with every mapping of a tree.
func each(n *yaml.Node, do func(*yaml.Node)) {
	if n == nil {
		return
	}
	if n.Kind == yaml.MappingNode {
		do(n)
	}
	for _, inside := range n.Content {
		each(inside, do)
	}
}

// referred returns the schema that a mapping refers to, with its name, and nil when the mapping is no reference to a schema.
func referred(n, schemas *yaml.Node) (string, *yaml.Node) {
	ref := field(n, "$ref")
	if ref == nil || !strings.HasPrefix(ref.Value, schemaRef) {
		return "", nil
	}
	name := strings.TrimPrefix(ref.Value, schemaRef)
	return name, field(schemas, name)
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	for _, inside := range n.Content {
		c.Content = append(c.Content, clone(inside))
	}
	return &c
}

// older returns the published contract in OpenAPI 3.0, for generators that do not know 3.1.
// Source: https://spec.openapis.org/oas/v3.0.3
func older(published []byte) ([]byte, error) {
	var doc map[string]any
	if err := json.Unmarshal(published, &doc); err != nil {
		return nil, err
	}
	doc["openapi"] = "3.0.3"
	delete(doc["info"].(map[string]any), "summary")
	b, err := json.MarshalIndent(before31(doc), "", " ")
	return append(b, '\n'), err
}

// before31 says in the words of OpenAPI 3.0 what 3.1 says otherwise: that a value may be null, and what is said beside a reference.
func before31(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = before31(v[i])
		}
	case map[string]any:
		for _, name := range slices.Collect(maps.Keys(v)) {
			if name != "example" && name != "value" {
				v[name] = before31(v[name])
			}
		}
		if types, ok := v["type"].([]any); ok {
			types = slices.DeleteFunc(types, func(t any) bool { return t == "null" })
			v["type"], v["nullable"] = types[0], true
		}
		omitted(v)
		if some, ok := v["oneOf"].([]any); ok {
			rest := slices.DeleteFunc(slices.Clone(some), func(one any) bool { m, _ := one.(map[string]any); return m["type"] == "null" })
			if len(rest) == 1 && len(some) > 1 {
				delete(v, "oneOf")
				v["allOf"], v["nullable"] = rest, true
			}
		}
		if ref, ok := v["$ref"]; ok && len(v) > 1 {
			delete(v, "$ref")
			v["allOf"] = []any{map[string]any{"$ref": ref}}
		}
	}
	return v
}

// omitted says of optional properties that may be null that they are left out when nothing is set. Otherwise oapi-codegen sends null for
// each of them, and an edit of one field takes the others away.
func omitted(schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for name, property := range properties {
		if p, ok := property.(map[string]any); ok && p["nullable"] == true && !slices.Contains(required, any(name)) {
			p["x-omitempty"] = true
		}
	}
}
