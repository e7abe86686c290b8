package hierarchy

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxName is the longest name, in characters (Unicode code points).
const MaxName = 120

// maxSortKey keeps a folded name within DynamoDB's 1,024 bytes for a sort key. The id tells names apart that are cut.
const maxSortKey = 800

// Name is a name that people choose: 1 to MaxName characters of any script, trimmed, without control characters.
type Name string

// ParseName trims and checks a name. Its error says what a name has to be.
func ParseName(s string) (Name, error) {
	t, err := parseVisible(s, MaxName)
	return Name(t), err
}

func parseVisible(s string, longest int) (string, error) {
	t, err := parseText(s, longest)
	if err == nil && !strings.ContainsFunc(t, visible) {
		err = fmt.Errorf("must have 1 to %d characters, at least one of them visible", longest)
	}
	return t, err
}

func visible(r rune) bool {
	return unicode.IsOneOf([]*unicode.RangeTable{unicode.L, unicode.N, unicode.P, unicode.S}, r)
}

// noncharacter reports whether Unicode promises never to assign r.
func noncharacter(r rune) bool { return r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef }

// parseText trims s and normalizes it, and refuses what no line of text holds.
func parseText(s string, longest int) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("must be valid UTF-8")
	}
	s = norm.NFC.String(strings.TrimSpace(s))
	if n := utf8.RuneCountInString(s); n > longest {
		return "", fmt.Errorf("must have at most %d characters; it has %d", longest, n)
	}
	for _, r := range s {
		// Line and paragraph separators, and the bidirectional overrides that make a name look like another one.
		if unicode.IsControl(r) || noncharacter(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return "", fmt.Errorf("must not contain control characters")
		}
	}
	return s, nil
}

// SortKey orders names as people expect: without regard to case and accents. It has no control characters, so that a
// key may end it with one, and is at most maxSortKey bytes long.
func (n Name) SortKey() string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(string(n)) {
		if unicode.Is(unicode.Mn, r) || unicode.IsControl(r) {
			continue
		}
		if b.Len() > maxSortKey-2*utf8.UTFMax {
			break
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// MaxReference is the longest reference of a customer, in characters.
const MaxReference = 120

// ParseReference trims and checks a partner's own id for a customer; empty means none.
func ParseReference(s string) (string, error) { return parseText(s, MaxReference) }

// MaxReason is the longest reason for suspending something, in characters.
const MaxReason = 500

// ParseReason trims and checks why something is suspended.
func ParseReason(s string) (string, error) { return parseVisible(s, MaxReason) }

// Both are compiled when they are needed: regular expressions with counts are a large part of a cold start.
var (
	tenant = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	})
	dnsName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$`)
	})
)

// ParseTenant reads a Microsoft tenant id; empty means none.
func ParseTenant(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s != "" && !tenant().MatchString(s) {
		return "", fmt.Errorf("must be a GUID like 72f988bf-86f1-41af-91ab-2d7cd011db47")
	}
	return s, nil
}

// ParseDomain reads a DNS name of at least two labels; internationalized names are given in their xn-- form. Empty
// means none.
func ParseDomain(s string) (string, error) {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), ".")
	if s != "" && (len(s) > 253 || !dnsName().MatchString(s)) {
		return "", fmt.Errorf("must be a DNS name like example.com; write international names in their xn-- form")
	}
	return s, nil
}
