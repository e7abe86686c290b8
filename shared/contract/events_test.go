package contract_test

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"example.com/partnertree/shared/contract/contracttest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/listtest"
)

// Each type has one schema, by which Event tells it apart, and the data there has the fields of the type's payload.
func TestEventsHaveTheFieldsOfTheirPayloads(t *testing.T) {
	doc, err := load(source(t))
	if err != nil {
		t.Fatal(err)
	}
	of := doc.Components.Schemas["Event"].Value
	var mapped, listed, some []string
	for name, to := range of.Discriminator.Mapping {
		mapped = append(mapped, name+": "+to.Ref)
	}
	for _, one := range of.OneOf {
		some = append(some, fmt.Sprint(one.Value.Properties["type"].Value.Enum[0])+": "+one.Ref)
	}
	listtest.Same(t, "the schemas that Event is one of, and the discriminator", mapped, some)
	for _, one := range of.OneOf {
		name := event.Type(fmt.Sprint(one.Value.Properties["type"].Value.Enum[0]))
		listed = append(listed, string(name))
		payload := name.Empty()
		if payload == nil {
			t.Errorf("%s has no payload", name)
			continue
		}
		data := one.Value.Properties["data"]
		kind := reflect.TypeOf(payload)
		if got := path.Base(data.Ref); got != kind.Name() {
			t.Errorf("the data of %s is %s, and its payload is %s", name, got, kind.Name())
		}
		listtest.Same(t, "data of "+string(name)+" in the contract", fieldsOf(data.Value, ""), fieldsIn(kind, ""))
		checkExample(t, name, data.Value.Example, kind)
	}
	var types []string
	for _, e := range event.Types {
		types = append(types, string(e))
		node := ident.Node("ptn_5n8c1r6yb2e9j4vz")
		if strings.HasPrefix(string(e), "customer.") {
			node = "cus_9q4e6h1zv8c0n5rb"
		}
		if p := e.Empty(); p != nil && p.TypeAt(node) != e {
			t.Errorf("the payload of %s says that its type is %s", e, p.TypeAt(node))
		}
	}
	listtest.Same(t, "types with a schema", listed, types)
}

// checkExample asserts that an example validates, and that nothing of it is lost when it is read.
func checkExample(t *testing.T, name event.Type, example any, kind reflect.Type) {
	t.Helper()
	want, err := json.Marshal(example)
	if err != nil || example == nil {
		t.Errorf("%s has no example: %v", name, err)
		return
	}
	if err := contracttest.CheckSchema(kind.Name(), want); err != nil {
		t.Errorf("the example of %s: %v", name, err)
	}
	body := fmt.Sprintf(`{"id":"evt_1q8w5z0m3x7k4v9d","type":%q,"time":"2026-03-09T16:40:51.037Z","nodeId":"ptn_5n8c1r6yb2e9j4vz","data":%s}`, name, want)
	if err := contracttest.CheckSchema("Event", []byte(body)); err != nil {
		t.Errorf("an event with the example of %s: %v", name, err)
	}
	var e event.Event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	read, err := json.Marshal(e.Data)
	var before, after any
	if err != nil || json.Unmarshal(want, &before) != nil || json.Unmarshal(read, &after) != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the example of %s is read as %s, %v", name, read, err)
	}
}

// fieldsOf lists the fields of a schema with their kinds, those of nested objects too.
func fieldsOf(s *openapi3.Schema, prefix string) (all []string) {
	for name, p := range s.Properties {
		kind := "?"
		if p.Value.Type != nil {
			kind = (*p.Value.Type)[0]
		}
		all = append(all, describe(prefix+name, kind, !slices.Contains(s.Required, name)))
		if kind == "object" {
			all = append(all, fieldsOf(p.Value, prefix+name+".")...)
		}
	}
	return all
}

// fieldsIn lists the fields that a caller may see of a struct, as fieldsOf does.
func fieldsIn(kind reflect.Type, prefix string) (all []string) {
	for f := range kind.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		of := f.Type
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		switch {
		case f.Tag.Get("unseen") == "true":
			continue
		case f.Anonymous:
			all = append(all, fieldsIn(of, prefix)...)
			continue
		}
		written := "?"
		switch of.Kind() {
		case reflect.String, reflect.Uint8: // a role is written as its name
			written = "string"
		case reflect.Bool:
			written = "boolean"
		case reflect.Int, reflect.Int64:
			written = "integer"
		case reflect.Slice:
			written = "array"
		case reflect.Struct:
			written = "object"
		}
		all = append(all, describe(prefix+name, written, options != ""))
		if written == "object" {
			all = append(all, fieldsIn(of, prefix+name+".")...)
		}
	}
	return all
}

func describe(name, kind string, optional bool) string {
	if optional {
		return name + " " + kind + ", optional"
	}
	return name + " " + kind
}
