package etag

import (
	"slices"
	"testing"
)

func TestTagsAreReadAsTheyWereSent(t *testing.T) {
	for header, want := range map[string][]string{
		`"1"`:               {`"1"`},
		`"05"`:              {`"05"`},
		`""`:                {`""`},
		` "1" ,W/"2",	"3"`:  {`"1"`, `W/"2"`, `"3"`},
		`"a,b", "2"`:        {`"a,b"`, `"2"`},
		`"a, b"`:            nil, // a space is not among what a tag may hold
		`, "1", ,"2",`:      {`"1"`, `"2"`},
		`"*"`:               {`"*"`},
		`"é!\"`:             {`"é!\"`},
		``:                  nil,
		` `:                 nil,
		`,`:                 nil,
		`1`:                 nil,
		`"1`:                nil,
		`1"`:                nil,
		`"`:                 nil,
		`"1" "2"`:           nil,
		`"1"x`:              nil,
		`W/`:                nil,
		`W/, "1"`:           nil,
		`w/"1"`:             nil,
		`*, "1"`:            nil,
		`"1", *`:            nil,
		"\"\x7f\"":          nil,
		"\"1\"\u00a0,\"2\"": nil,
	} {
		l, ok := Parse(header)
		if ok != (want != nil) || ok && !slices.Equal(l.Tags, want) || l.Any {
			t.Errorf("%s: %q, %t; want %q", header, l.Tags, ok, want)
		}
	}
	if l, ok := Parse(" * "); !ok || !l.Any || !l.HasWeakly(`"1"`) {
		t.Errorf("*: %+v, %t", l, ok)
	}
}

func TestTagsAreComparedWeakly(t *testing.T) {
	l, _ := Parse(`"1", W/"2"`)
	for tag, want := range map[string]bool{`"1"`: true, `W/"1"`: true, `"2"`: true, `W/"2"`: true, `"3"`: false, `1`: false} {
		if l.HasWeakly(tag) != want {
			t.Errorf("%s: %t", tag, !want)
		}
	}
}
