// Package input reads bodies, forms and queries. A reader, like shape.NewCustomer, takes the members that it knows by name, and returns
// what the directory works with. A member that the reader does not take is refused. A reader does not know whether a JSON body was sent or
// a form. A reader checks form only; the rules are in the directory.
package input

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/partnertree/shared/fault"
)

// Object is a body, or an object in a body, whose members are taken by name.
type Object struct {
	pointer string // to the object: "" for the body itself
	members map[string]member
	inside  []*Object     // those that were taken from it
	wrong   *fault.Fields // in the whole body
	refused error         // set by Refuse
}

// member is the value of a member that nobody has taken yet.
type member interface {
	// read reads the value into a *string, *bool, *int, *[]string or **Object.
	read(into any) (presence, error)
}

// presence tells what was sent for a member.
type presence int

const (
	missing presence = iota
	null
	blank // a field of a form that was left empty
	given
	malformed // which has been noted
)

// FromJSON reads a JSON body strictly: it refuses what is no JSON object, and an object that has a member twice.
func FromJSON(body []byte) (*Object, error) {
	switch string(bytes.TrimSpace(body)) {
	case "":
		return nil, fault.MalformedJSON.New("The body is missing. Send one JSON object.")
	case "null":
		return nil, notAnObject()
	}
	if !utf8.Valid(body) {
		return nil, fault.MalformedJSON.New("The body is not UTF-8. Send one JSON object in UTF-8.")
	}
	o := &Object{}
	err := json.Unmarshal(body, o)
	o.wrong = new(fault.Fields)
	if err == nil {
		return o, nil
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		what := fmt.Sprintf("The body is not JSON: the first error is at byte %d.", syntactic.ByteOffset)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			what = fmt.Sprintf("The body has the field %s twice.", syntactic.JSONPointer)
		}
		return nil, fault.MalformedJSON.Because(err, "%s Send one JSON object.", what)
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return nil, notAnObject()
	}
	return nil, fault.MalformedJSON.Because(err, "The body is not JSON. Send one JSON object.")
}

func notAnObject() error {
	e := fault.Invalid.New("The body must be a JSON object.")
	e.Fields = []fault.Field{{Pointer: "", Detail: "must be an object"}}
	return e
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom. It keeps the members as they were sent until they are taken.
func (o *Object) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var members map[string]jsontext.Value
	if err := json.UnmarshalDecode(dec, &members); err != nil {
		return err
	}
	o.members = map[string]member{}
	for name, value := range members {
		o.members[name] = jsonMember(value)
	}
	return nil
}

type jsonMember jsontext.Value

func (m jsonMember) read(into any) (presence, error) {
	if jsontext.Value(m).Kind() == 'n' {
		return null, nil
	}
	return given, json.Unmarshal(m, into)
}

// Err returns what was wrong with the body, once its reader has taken all members that it knows. Unknown members come first: a misspelt
// name may be why another member is missing.
func (o *Object) Err() error {
	if pointer := o.unknown(); pointer != "" {
		e := fault.UnknownField.New("%s: this field does not exist. Remove the field; the API reference lists all fields.", pointer)
		e.Fields = []fault.Field{{Pointer: pointer, Detail: "is not a field of this request"}}
		return e
	}
	if o.refused != nil {
		return o.refused
	}
	return o.wrong.Err()
}

// unknown returns the pointer to a member that nobody has taken, "" when there is none.
func (o *Object) unknown() string {
	if left := slices.Sorted(maps.Keys(o.members)); len(left) > 0 {
		return o.to(left[0])
	}
	for _, sub := range o.inside {
		if pointer := sub.unknown(); pointer != "" {
			return pointer
		}
	}
	return ""
}

// to returns the pointer (RFC 6901) to a member.
func (o *Object) to(name string) string { return string(jsontext.Pointer(o.pointer).AppendToken(name)) }

// Wrong notes what is wrong with a member.
func (o *Object) Wrong(name, format string, args ...any) { o.wrong.Add(o.to(name), format, args...) }

// Refuse notes a reason to refuse the body that counts more than what is wrong with single members.
func (o *Object) Refuse(because error) { o.refused = because }

// Has reports whether a member was sent, and has not been taken yet.
func (o *Object) Has(name string) bool { return o.members[name] != nil }

// take reads a member, and notes when it has another type than wanted.
func take[T any](o *Object, name string) (v T, sent presence) {
	m := o.members[name]
	if m == nil {
		return v, missing
	}
	delete(o.members, name)
	sent, err := m.read(&v)
	if sub, ok := any(v).(*Object); ok && sub != nil {
		sub.pointer, sub.wrong = o.to(name), o.wrong
		o.inside = append(o.inside, sub)
	}
	if err == nil {
		return v, o.whole(name, v, sent)
	}
	pointer, must := o.to(name), err.Error()
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		pointer, must = pointer+string(semantic.JSONPointer), "must be "+jsonType(semantic)
	}
	o.wrong.Add(pointer, "%s", must)
	return v, malformed
}

// whole returns sent, or malformed for a value with text that was damaged on its way, which it notes.
func (o *Object) whole(name string, v any, sent presence) presence {
	switch v := v.(type) {
	case string:
		if err := intact(v); err != nil {
			o.Wrong(name, "%s", err)
			return malformed
		}
	case []string:
		for i, element := range v {
			if err := intact(element); err != nil {
				o.wrong.Add(fmt.Sprintf("%s/%d", o.to(name), i), "%s", err)
				sent = malformed
			}
		}
	}
	return sent
}

// intact refuses text that is not what its sender wrote. Bytes that are no UTF-8 arrive as U+FFFD, if something on the way has replaced them.
func intact(text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
		return errors.New("has bytes that are not UTF-8, or U+FFFD in their place; send UTF-8")
	}
	return nil
}

func jsonType(e *json.SemanticError) string {
	if e.GoType == nil {
		return "of another type"
	}
	switch e.GoType.Kind().String() {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "slice":
		return "an array"
	case "struct", "map", "ptr":
		return "an object"
	}
	return "a number"
}

// Required takes a member that must be there.
func Required[T, V any](o *Object, name string, parse func(T) (V, error)) V {
	v, sent := take[T](o, name)
	switch sent {
	case given:
		return parsed(o, name, v, parse)
	case missing, null, blank:
		o.Wrong(name, "is required")
	}
	var none V
	return none
}

// Optional takes a member that may be missing, but not null. It returns nil for a missing member.
func Optional[T, V any](o *Object, name string, parse func(T) (V, error)) *V {
	v, sent := take[T](o, name)
	switch sent {
	case given:
		p := parsed(o, name, v, parse)
		return &p
	case null:
		o.Wrong(name, "cannot be null")
	}
	return nil
}

// OptionalOr takes a member that may be missing, but not null. It returns otherwise for a missing member.
func OptionalOr[T, V any](o *Object, name string, otherwise V, parse func(T) (V, error)) V {
	if v := Optional(o, name, parse); v != nil {
		return *v
	}
	return otherwise
}

// Clearable takes a member that may be missing or null. It returns nil for a missing member, and the zero value, which takes away, for null.
func Clearable[T, V any](o *Object, name string, parse func(T) (V, error)) *V {
	v, sent := take[T](o, name)
	switch sent {
	case given:
		p := parsed(o, name, v, parse)
		return &p
	case null, blank:
		return new(V)
	}
	return nil
}

func parsed[T, V any](o *Object, name string, from T, parse func(T) (V, error)) V {
	v, err := parse(from)
	if err != nil {
		o.Wrong(name, "%s", err)
	}
	return v
}

// As is the parse function of members that need no check beyond their type.
func As[T any](v T) (T, error) { return v, nil }

// Each returns a parse function for an array by that name: at least fewest elements, at most most, none twice. What is wrong with
// an element is noted with a pointer to the element.
func Each[V comparable](o *Object, name string, fewest, most int, parse func(string) (V, error)) func([]string) ([]V, error) {
	return func(from []string) ([]V, error) {
		if len(from) < fewest || len(from) > most {
			return nil, fmt.Errorf("must have %d to %d elements; it has %d", fewest, most, len(from))
		}
		to := make([]V, 0, len(from))
		have := map[V]bool{}
		for i, s := range from {
			v, err := parse(s)
			at := fmt.Sprintf("%s/%d", o.to(name), i)
			switch {
			case err != nil:
				o.wrong.Add(at, "%s", err)
			case have[v]:
				o.wrong.Add(at, "is a duplicate")
			}
			have[v] = true
			to = append(to, v)
		}
		return to, nil
	}
}

// Nothing reads a body without members.
func Nothing(*Object) struct{} { return struct{}{} }
