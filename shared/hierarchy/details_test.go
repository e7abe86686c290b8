package hierarchy

import (
	"reflect"
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
	fields := reflect.ValueOf(d)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("DetailFields lacks %s", fields.Type().Field(i).Name)
		}
	}
}
