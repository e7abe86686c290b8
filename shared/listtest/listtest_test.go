package listtest

import "testing"

func TestWhatDiffersIsTold(t *testing.T) {
	for _, c := range []struct {
		got, want []string
		says      string
	}{
		{nil, nil, ""},
		{[]string{"b", "a", "a"}, []string{"a", "b", "a"}, ""},
		{[]string{"a", "c"}, []string{"a", "b"}, "\n  missing:    b\n  unexpected: c"},
		{[]string{"a", "a"}, []string{"a"}, "\n  unexpected: a"},
		{nil, []string{"a", "a"}, "\n  missing:    a\n  missing:    a"},
	} {
		if said := Difference(c.got, c.want); said != c.says {
			t.Errorf("%v, and want %v: %q", c.got, c.want, said)
		}
	}
}
