package ident

import (
	"strings"
	"testing"
)

func TestNewIDsAreReadBack(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		p, c, b, cl, k, e, j := NewPartner(), NewCustomer(), NewBrand(), NewClient(), NewKey(), NewEvent(), NewJob()
		for _, id := range []string{string(p), string(c), string(b), string(cl), string(k), string(e), string(j)} {
			if len(id) != Len || seen[id] {
				t.Fatalf("%s: %d bytes, seen before: %v", id, len(id), seen[id])
			}
			seen[id] = true
		}
		if got, err := ParsePartner(string(p)); got != p || err != nil {
			t.Fatalf("%s: %s, %v", p, got, err)
		}
		if got, err := ParseCustomer(string(c)); got != c || err != nil {
			t.Fatalf("%s: %s, %v", c, got, err)
		}
		for _, node := range []Node{p, c} {
			packed, err := AppendBits([]byte("#"), node)
			if len(packed) != 1+BitsLen || err != nil || NodeOf(string(node[:4]), [BitsLen]byte(packed[1:])) != node {
				t.Fatalf("%s: packed as %x, %v", node, packed, err)
			}
			if got, err := ParseNode(string(node)); got != node || err != nil {
				t.Fatalf("%s: %s, %v", node, got, err)
			}
		}
		if got, err := ParseBrand(string(b)); got != b || err != nil {
			t.Fatalf("%s: %s, %v", b, got, err)
		}
		if got, err := ClientFrom(Bare(cl)); got != cl || err != nil {
			t.Fatalf("%s: %s, %v", cl, got, err)
		}
		if got, err := KeyFrom(Bare(k)); got != k || err != nil {
			t.Fatalf("%s: %s, %v", k, got, err)
		}
	}
}

// parsers are all of them, by the prefix that each accepts.
var parsers = map[string]func(string) error{
	"ptn_": func(s string) error { _, err := ParsePartner(s); return err },
	"cus_": func(s string) error { _, err := ParseCustomer(s); return err },
	"brd_": func(s string) error { _, err := ParseBrand(s); return err },
	"cli_": func(s string) error { _, err := ParseClient(s); return err },
	"job_": func(s string) error { _, err := ParseJob(s); return err },
	"key_": func(s string) error { _, err := ParseKey(s); return err },
}

func TestWhatIsNoIDIsNotPacked(t *testing.T) {
	for _, s := range []Node{"", "ptn_", "ptn_0123456789abcdeF", "ptn_0123456789abcdef0", "ptn_0123456789abcde"} {
		if b, err := AppendBits(nil, s); err == nil {
			t.Errorf("%q was packed as %x", s, b)
		}
	}
}

func TestAnIDOfTheWrongKindIsNone(t *testing.T) {
	for prefix := range parsers {
		for accepts, parse := range parsers {
			if err := parse(prefix + "0123456789abcdef"); (err == nil) != (prefix == accepts) {
				t.Errorf("%s as %s: %v", prefix, accepts, err)
			}
		}
		_, err := ParseNode(prefix + "0123456789abcdef")
		if node := prefix == Partner || prefix == Customer; (err == nil) != node {
			t.Errorf("%s as a node: %v", prefix, err)
		}
	}
}

func TestWhatIsNoID(t *testing.T) {
	for prefix, parse := range parsers {
		if err := parse(prefix + "ghjkmnpqrstvwxyz"); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
		for _, s := range []string{
			"", prefix, prefix + "0123456789abcde", prefix + "0123456789abcdef0", " " + prefix + "0123456789abcde", prefix + "0123456789abcde ",
			prefix + "0123456789ABCDEF", strings.ToUpper(prefix) + "0123456789abcdef", prefix + "0123456789abcde/", prefix + "0123456789abcde\x00",
			prefix + "0123456789abcdei", prefix + "0123456789abcdel", prefix + "0123456789abcdeo", prefix + "0123456789abcdeu",
			prefix + "0123456789abcd\u00e9", strings.Replace(prefix, "_", "-", 1) + "0123456789abcdef",
		} {
			err := parse(s)
			if err == nil {
				t.Errorf("%q was taken", s)
			} else if s != "" && s != prefix && strings.Contains(err.Error(), s) {
				t.Errorf("the error repeats %q: %v", s, err)
			}
		}
	}
}
