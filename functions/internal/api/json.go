package api

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/partnertree/shared/fault"
)

// Opt is a member of a JSON object that may be missing, or null, or have a value.
type Opt[T any] struct {
	Set, Null bool
	Value     T
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (o *Opt[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	o.Set = true
	if dec.PeekKind() == 'n' {
		o.Null = true
		_, err := dec.ReadToken()
		return err
	}
	return json.UnmarshalDecode(dec, &o.Value)
}

// Body reads the body into a T, strictly: what is no JSON, has a member that T has not or twice, or a value of a wrong
// type is refused with a pointer to it.
//
// It refuses a query as well: what an operation with a body needs is in the body.
func Body[T any](r *Request) (T, error) {
	var in T
	if err := NoQuery(r); err != nil {
		return in, err
	}
	switch string(bytes.TrimSpace(r.body)) {
	case "":
		return in, fault.MalformedJSON.New("The body is missing. Send one JSON object.")
	case "null":
		return in, notAnObject()
	}
	err := json.Unmarshal(r.body, &in, json.RejectUnknownMembers(true))
	if err == nil {
		return in, nil
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		pointer := string(semantic.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			e := fault.UnknownField.New("%s: there is no such field. Remove it; the fields are listed in the API reference.", pointer)
			e.Fields = []fault.Field{{Pointer: pointer, Detail: "is not a field of this request"}}
			return in, e
		}
		if pointer == "" {
			return in, notAnObject()
		}
		var f fault.Fields
		f.Add(pointer, "must be %s", jsonType(semantic))
		return in, f.Err()
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		what := fmt.Sprintf("The body is not JSON: it goes wrong at byte %d.", syntactic.ByteOffset)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			what = fmt.Sprintf("The body has the field %s twice.", syntactic.JSONPointer)
		}
		return in, fault.MalformedJSON.Because(err, "%s Send one JSON object.", what)
	}
	return in, fault.MalformedJSON.Because(err, "The body is not JSON. Send one JSON object.")
}

func notAnObject() error {
	e := fault.Invalid.New("The body must be a JSON object.")
	e.Fields = []fault.Field{{Pointer: "", Detail: "must be an object"}}
	return e
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
	case "struct", "map":
		return "an object"
	}
	return "a number"
}

// canonical is the body in a form in which equal requests are equal bytes (RFC 8785), or as it is if it is no JSON.
func canonical(body []byte) []byte {
	v := jsontext.Value(bytes.Clone(body))
	if v.Canonicalize() != nil {
		return body
	}
	return v
}

// Required reads a member that must be there. It notes in f what is wrong with it.
func Required[T, V any](f *fault.Fields, pointer string, o Opt[T], parse func(T) (V, error)) V {
	var none V
	if !o.Set || o.Null {
		f.Add(pointer, "is required")
		return none
	}
	return read(f, pointer, o.Value, parse)
}

// Optional reads a member that may be missing; null is an error. The result is nil when it is missing.
func Optional[T, V any](f *fault.Fields, pointer string, o Opt[T], parse func(T) (V, error)) *V {
	if !o.Set {
		return nil
	}
	if o.Null {
		f.Add(pointer, "cannot be null")
		return nil
	}
	v := read(f, pointer, o.Value, parse)
	return &v
}

// Clearable reads a member that may be missing (nil) or null (the zero value: take it away).
func Clearable[T, V any](f *fault.Fields, pointer string, o Opt[T], parse func(T) (V, error)) *V {
	if o.Null {
		return new(V)
	}
	return Optional(f, pointer, o, parse)
}

func read[T, V any](f *fault.Fields, pointer string, from T, parse func(T) (V, error)) V {
	v, err := parse(from)
	if err != nil {
		f.Add(pointer, "%s", err)
	}
	return v
}

// As is for members that need no check beyond their type.
func As[T any](v T) (T, error) { return v, nil }

// Each parses the elements of an array: at least fewest, at most most, none twice. It notes what is wrong with pointers
// to the elements.
func Each[V comparable](f *fault.Fields, pointer string, fewest, most int, parse func(string) (V, error)) func([]string) ([]V, error) {
	return func(from []string) ([]V, error) {
		if len(from) < fewest || len(from) > most {
			return nil, fmt.Errorf("must have %d to %d elements; it has %d", fewest, most, len(from))
		}
		to := make([]V, 0, len(from))
		have := map[V]bool{}
		for i, s := range from {
			v, err := parse(s)
			at := fmt.Sprintf("%s/%d", pointer, i)
			switch {
			case err != nil:
				f.Add(at, "%s", err)
			case have[v]:
				f.Add(at, "is there twice")
			}
			have[v] = true
			to = append(to, v)
		}
		return to, nil
	}
}
