package graphtest

import (
	"encoding/json"
	"testing"
)

// Types that the calls played so far do not have, and later ones will.
func TestValuesAreCheckedByType(t *testing.T) {
	m := metadata{types: map[string]entityType{"thing": {}}, enums: map[string][]string{"color": {"red", "blue"}}}
	for _, test := range []struct {
		kind      string
		good, bad any
	}{
		{"Edm.String", "x", 1.0},
		{"Edm.Boolean", true, "true"},
		{"Edm.Int32", 1.0, "1"},
		{"Edm.Guid", "AAAAAAAA-0000-4000-8000-000000000001", "x"},
		{"Edm.DateTimeOffset", "2026-11-23T10:00:00Z", "2026-11-23"},
		{"Collection(Edm.Boolean)", []any{true}, []any{true, "x"}},
		{"Collection(Edm.String)", []any{}, "x"},
		{"microsoft.graph.color", "red", "green"},
		{"microsoft.graph.thing", map[string]any{}, map[string]any{"name": "x"}},
		{"microsoft.graph.leftOut", map[string]any{"name": "x"}, "x"},
	} {
		if problem := m.checkValue(test.kind, test.good); problem != "" {
			t.Errorf("%s: %v %s", test.kind, test.good, problem)
		}
		if m.checkValue(test.kind, test.bad) == "" {
			t.Errorf("%s: %v was taken", test.kind, test.bad)
		}
	}
	if m.checkValue("Edm.Stream", "x") == "" {
		t.Error("a stream was set by a property")
	}
	var kind entityType
	published := `{"properties": {"a": {"type": "Edm.String", "nullable": true}, "b": {"type": "Edm.String"}}}`
	if err := json.Unmarshal([]byte(published), &kind); err != nil {
		t.Fatal(err)
	}
	m.types["kind"] = kind
	if problem := m.check("kind", map[string]any{"a": nil, "b": "x", "c@odata.type": "#x"}); problem != "" {
		t.Error(problem)
	}
	if m.check("kind", map[string]any{"b": nil}) == "" {
		t.Error("null was taken for what cannot be null")
	}
}
