package hierarchy

import (
	"slices"
	"strings"
	"testing"

	"example.com/partnertree/shared/ident"
)

func TestParsePath(t *testing.T) {
	good := []string{
		"",
		"ptn_0000000000000001/",
		"ptn_0000000000000001/ptn_zzzzzzzzzzzzzzzz/cus_0123456789abcdef/",
		strings.Repeat("ptn_0000000000000001/", MaxDepth),
	}
	for _, s := range good {
		if p, err := ParsePath(s); err != nil || string(p) != s {
			t.Errorf("%q: %q, %v", s, p, err)
		}
	}
	bad := map[string]string{
		"no closing slash":     "ptn_0000000000000001",
		"another closing byte": "ptn_0000000000000001#",
		"a slash first":        "/ptn_0000000000000001",
		"a slash alone":        "/",
		"an id too short":      "ptn_000000000000001/",
		"an id too long":       "ptn_00000000000000001/",
		"no id of a node":      "brd_0000000000000001/",
		"upper case":           "PTN_0000000000000001/",
		"a letter that is out": "ptn_000000000000000l/",
		"the second is no id":  "ptn_0000000000000001/ptn-0000000000000001/",
		"too deep":             strings.Repeat("ptn_0000000000000001/", MaxDepth+1),
	}
	for name, s := range bad {
		if p, err := ParsePath(s); err == nil || p != "" {
			t.Errorf("%s: %q was taken as %q", name, s, p)
		}
	}
}

func TestPathMethods(t *testing.T) {
	p := pathOf(1, 2, 3)
	if p.Depth() != 3 || Path("").Depth() != 0 {
		t.Errorf("depths %d, %d", p.Depth(), Path("").Depth())
	}
	if want := []ident.Node{partner(1), partner(2), partner(3)}; !slices.Equal(p.IDs(), want) {
		t.Errorf("ids %v", p.IDs())
	}
	for i := range p.Depth() {
		if p.To(i)+p.From(i+1) != p || p.Index(p.At(i)) != i {
			t.Errorf("step %d: %q and %q, index %d", i, p.To(i), p.From(i+1), p.Index(p.At(i)))
		}
	}
	if p.Index(partner(4)) != -1 || p.Index("") != -1 {
		t.Error("found what is not on the path")
	}
	if p.Child(partner(4)) != pathOf(1, 2, 3, 4) {
		t.Errorf("child %q", p.Child(partner(4)))
	}
}

func TestAPathHasWhatItLiesBelow(t *testing.T) {
	tests := []struct {
		p, q Path
		want bool
	}{
		{pathOf(1, 2, 3), pathOf(1, 2, 3), true},
		{pathOf(1, 2, 3), pathOf(1, 2), true},
		{pathOf(1, 2, 3), "", true},
		{pathOf(1, 2), pathOf(1, 2, 3), false},
		{pathOf(1, 2, 3), pathOf(2), false},
		{pathOf(1, 22), pathOf(1, 2), false},
	}
	for _, tt := range tests {
		if got := tt.p.Has(tt.q); got != tt.want {
			t.Errorf("%q has %q: %v", tt.p, tt.q, got)
		}
	}
}

// A step of a path never matches one that only begins alike, or one that lies across two steps.
func TestIndexComparesWholeIDs(t *testing.T) {
	p := Path("ptn_0000000000000001/ptn_0000000000000012/")
	for _, id := range []ident.Node{"ptn_000000000000001", "ptn_0000000000000011", "ptn_0000000000000012/",
		"1/ptn_00000000000000", "cus_0000000000000001"} {
		if i := p.Index(id); i != -1 {
			t.Errorf("%q is at %d", id, i)
		}
	}
}
