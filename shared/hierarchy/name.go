package hierarchy

import (
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"example.com/partnertree/shared/word"
)

// MaxName is the longest name, in characters (Unicode code points).
const MaxName = 120

// maxSortKey keeps a sort key of a name within DynamoDB's 1,024 bytes for a key. The id tells names apart that are cut.
const maxSortKey = 800

// Name is a name that people choose: 1 to MaxName characters of any script, with a letter or a digit, and without what cannot be seen.
type Name string

// ParseName trims and checks a name. Its error says what a name has to be.
func ParseName(s string) (Name, error) {
	t, err := parseVisible(s, MaxName)
	return Name(t), err
}

func parseVisible(s string, longest int) (string, error) {
	t, err := parseText(s, longest)
	if err == nil && !strings.ContainsFunc(t, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		err = fmt.Errorf("must have 1 to %d characters, at least one of them a letter or a digit", longest)
	}
	return t, err
}

// freeform is what a line of text may hold by Unicode's rules for text that people type: all that can be seen, and spaces. Control
// characters and those that show as nothing are not among it, nor are joiners, but where a script needs them.
// Source: https://www.rfc-editor.org/rfc/rfc8264 (section 4.3)
var freeform = sync.OnceValue(func() *precis.Profile { return precis.NewFreeform(precis.Norm(norm.NFC)) })

// presentation takes away what only says whether a symbol is shown in color.
var presentation = strings.NewReplacer("\ufe0e", "", "\ufe0f", "")

// parseText trims and normalizes a line of text: all spaces are alike, and single. It refuses what cannot be seen.
func parseText(s string, longest int) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) {
		return "", fmt.Errorf("must be UTF-8: on the way here, bytes that are no UTF-8 were lost or replaced by U+FFFD")
	}
	words := strings.FieldsFunc(strings.TrimSpace(presentation.Replace(s)), func(r rune) bool { return unicode.Is(unicode.Zs, r) })
	text, err := freeform().String(strings.Join(words, " "))
	if err != nil {
		return "", fmt.Errorf("must not have %s, which cannot be seen there or is no character", unseen(words))
	}
	if n := utf8.RuneCountInString(text); n > longest {
		return "", fmt.Errorf("must have at most %d characters; it has %d", longest, n)
	}
	return text, nil
}

// unseen names the first character that a text may not have.
func unseen(words []string) string {
	for _, word := range words {
		for _, r := range word {
			if !freeform().Allowed().Contains(r) {
				return fmt.Sprintf("the character %U", r)
			}
		}
	}
	return "a joiner (U+200C or U+200D) or another character of a script"
}

// SortKey orders names as people expect: by Unicode's collation, without regard to case and accents. It consists of digits and letters, so
// that a key may end it with anything that sorts before, and is at most maxSortKey bytes long.
func (n Name) SortKey() string {
	key := sortable.EncodeToString(word.Key(string(n)))
	return key[:min(len(key), maxSortKey)]
}

// sortable writes bytes as text that is in the same order.
var sortable = base32.HexEncoding.WithPadding(base32.NoPadding)

// MaxReference is the longest reference of a customer, in characters.
const MaxReference = 120

// ParseReference trims and checks a partner's own id for a customer; empty means none.
func ParseReference(s string) (string, error) { return parseText(s, MaxReference) }

// MaxReason is the longest reason for suspending something, in characters.
const MaxReason = 500

// ParseReason trims and checks why something is suspended.
func ParseReason(s string) (string, error) { return parseVisible(s, MaxReason) }

// MaxDomain is the longest DNS name, in characters.
const MaxDomain = 253

// MaxMoveMessage is the longest message of a move request, in characters. It goes to people who have not asked for it.
const MaxMoveMessage = 200

// ParseMoveMessage trims and checks what somebody who asks for a move tells the other side.
func ParseMoveMessage(s string) (string, error) { return parseVisible(s, MaxMoveMessage) }

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

// ParseDomain reads a DNS name of at least two labels; internationalized names are given in their xn-- form, which must stand for such a
// name. Empty means none.
func ParseDomain(s string) (string, error) {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), ".")
	if s != "" && (len(s) > MaxDomain || !dnsName().MatchString(s)) {
		return "", fmt.Errorf("must be a DNS name like example.com; write international names in their xn-- form")
	}
	for label := range strings.SplitSeq(s, ".") {
		if !strings.HasPrefix(label, "xn--") { // others may have hyphens where IDNA has none, such as r3---sn-a5m
			continue
		}
		if same, err := idna.Registration.ToASCII(label); err != nil || same != label {
			return "", fmt.Errorf("must be a DNS name: %s stands for no international name", label)
		}
	}
	return s, nil
}
