package hierarchy

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Every field of Details is declared, once, and a missing one can be told from all others.
func TestEveryDetailIsDeclared(t *testing.T) {
	var d Details
	names := map[string]bool{}
	for _, f := range DetailFields {
		if *f.At(&d) != "" || names[f.Name] {
			t.Errorf("%s is declared twice", f.Name)
		}
		*f.At(&d), names[f.Name] = f.Name, true
		if v, err := f.Parse(""); !f.Fixed && (v != "" || err != nil) {
			t.Errorf("%s: nothing is read as %q, %v", f.Name, v, err)
		}
	}
	editable := map[string]bool{}
	for i, part := range []any{d, d.Editable} {
		for f, value := range reflect.ValueOf(part).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if editable[name] = i == 1; !f.Anonymous && name != value.String() {
				t.Errorf("the JSON of %s is %q, and DetailFields has %q for it", f.Name, name, value)
			}
		}
	}
	for _, f := range DetailFields {
		if editable[f.Name] == f.Fixed {
			t.Errorf("%s is Fixed: %t, and a field of Editable: %t", f.Name, f.Fixed, editable[f.Name])
		}
	}
}

// Compare compares each field with itself.
func TestCompareComparesEachField(t *testing.T) {
	var was, now Details
	for i, f := range DetailFields {
		*f.At(&was), *f.At(&now) = fmt.Sprint(i), fmt.Sprint(-i)
	}
	for f, got := range reflect.ValueOf(Compare(was.Editable, now.Editable, func(was, now string) string { return now + was })).Fields() {
		if i := strings.TrimPrefix(got.String(), "-"); len(i) != 2 || i[0] != i[1] {
			t.Errorf("%s is %s", f.Name, got)
		}
	}
}
