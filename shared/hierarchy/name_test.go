package hierarchy

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestParseName(t *testing.T) {
	good := map[string]string{ // what is given, and the name that it makes
		"Vazon Bay IT":                     "Vazon Bay IT",
		"  Vale Telecom Services\t\n":      "Vale Telecom Services",
		"\u00a0Vale\u3000":                 "Vale",
		"x":                                "x",
		"東京テレコム":                           "東京テレコム",
		"Телеком Север":                    "Телеком Север",
		"شركة الاتصالات":                   "شركة الاتصالات",
		"Ü":                                "Ü",
		"U\u0308":                          "Ü",
		"❤\ufe0f 2":                        "❤ 2",
		"a  b\u00a0c\u2003 d":              "a b c d",
		"क्\u200dष":                        "क्\u200dष", // the joiner changes how it is written
		"C#ptn#/../":                       "C#ptn#/../",
		strings.Repeat("é", MaxName):       strings.Repeat("é", MaxName),
		strings.Repeat("𝔘", MaxName):       strings.Repeat("𝔘", MaxName),
		" " + strings.Repeat("x", 120):     strings.Repeat("x", 120),
		strings.Repeat("e\u0301", 120):     strings.Repeat("é", 120), // 240 characters before they are normalized
		"name, with \"quotes\" & <angles>": "name, with \"quotes\" & <angles>",
	}
	for in, want := range good {
		if got, err := ParseName(in); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	bad := map[string]string{
		"empty":               "",
		"white space":         " \t\u00a0\u3000\n",
		"121 characters":      strings.Repeat("x", MaxName+1),
		"121 wide characters": strings.Repeat("𝔘", MaxName+1),
		"a line break":        "two\nlines",
		"a tab":               "a\tb",
		"NUL":                 "a\x00b",
		"delete":              "a\x7fb",
		"C1":                  "a\u0085b",
		"line separator":      "a\u2028b",
		"paragraph separator": "a\u2029b",
		"override":            "Vale\u202eecivreS",
		"embedding":           "a\u202ab",
		"pop":                 "a\u202cb",
		"isolate":             "a\u2066b",
		"pop isolate":         "a\u2069b",
		"no UTF-8":            "a\xff",
		"half a character":    "\xe6\x9d",
		"replaced bytes":      "Caf\ufffd",
		"a filler":            "\u3164",
		"Hangul fillers":      "\u115f\u1160",
		"a narrow filler":     "\uffa0",
		"a blank pattern":     "\u2800",
		"an empty note":       "\U0001d159",
		"an object":           "\ufffc",
		"nothing to see":      "Vale\u200b",
		"a hidden tag":        "Vale\U000e0041",
		"a direction":         "left\u200eto\u200fright",
		"a joiner in Latin":   "Va\u200dle",
		"joined people":       "👩\u200d👩\u200d👧 Families",
		"a soft hyphen":       "Va\u00adle",
		"only punctuation":    "!!",
	}
	for name, in := range bad {
		if got, err := ParseName(in); err == nil {
			t.Errorf("%s: %q was taken as %q", name, in, got)
		} else if strings.Contains(err.Error(), in) && in != "" {
			t.Errorf("%s: the error repeats the name: %v", name, err)
		}
	}
}

func TestNamesSortWithoutCaseAndAccents(t *testing.T) {
	alike := [][]Name{
		{"Émile", "emile", "EMILE", "e\u0301mile"},
		{"Ångström", "angstrom"},
		{"ＦＵＬＬ ｗｉｄｔｈ", "full width"},
		{"ﬁne", "fine"},
		{"ΑΘΉΝΑ", "αθηνα"},
		{"Ёлка", "елка"},
		{"Łódź", "Lodz"},
		{"Øre", "ore"},
		{"Straße", "STRASSE"},
	}
	for _, names := range alike {
		for _, n := range names[1:] {
			if n.SortKey() != names[0].SortKey() {
				t.Errorf("%q gives %q, %q gives %q", names[0], names[0].SortKey(), n, n.SortKey())
			}
		}
	}
	want := []Name{"Ábaco", "abacus", "Bay", "bay IT", "Éclair", "eclairs", "Łódź", "Lviv", "Zeta", "Zoo", "Ёлка", "東京"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, func(a, b Name) int { return strings.Compare(a.SortKey(), b.SortKey()) })
	if !slices.Equal(got, want) {
		t.Errorf("sorted %q, want %q", got, want)
	}
}

func TestSortKeysFitIntoAKey(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, n Name) {
		key := n.SortKey()
		if len(key) > maxSortKey || !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl) {
			t.Fatalf("%q gives %q of %d bytes", n, key, len(key))
		}
	}
	// The character that grows most when it is folded: 3 bytes to 33.
	check(t, Name(strings.Repeat("\ufdfa", MaxName)))
	check(t, Name(strings.Repeat("𝔘", MaxName)))
	rapid.Check(t, func(t *rapid.T) {
		runes := rapid.RuneFrom(nil, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs)
		if n, err := ParseName(rapid.StringOfN(runes, 1, MaxName, -1).Draw(t, "name")); err == nil {
			check(t, n)
			if again, err := ParseName(string(n)); err != nil || again != n {
				t.Fatalf("%q parses to %q, %v", n, again, err)
			}
		}
	})
}

func TestParseReference(t *testing.T) {
	longest := strings.Repeat("x", MaxReference)
	for in, want := range map[string]string{"": "", "  ": "", " A-17/3 ": "A-17/3", longest: longest} {
		if got, err := ParseReference(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{longest + "x", "a\nb", "\u200b", "A\u200b1"} {
		if got, err := ParseReference(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func TestParseReason(t *testing.T) {
	longest := strings.Repeat("é", MaxReason)
	for in, want := range map[string]string{" Not paid. ": "Not paid.", longest: longest} {
		if got, err := ParseReason(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "  ", "\u200b", longest + "x", "a\nb"} {
		if got, err := ParseReason(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func TestParseTenant(t *testing.T) {
	const id = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	for in, want := range map[string]string{"": "", id: id, " " + strings.ToUpper(id) + " ": id} {
		if got, err := ParseTenant(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{id[:35], id + "0", "{" + id + "}", strings.ReplaceAll(id, "-", ""), "g" + id[1:], id + "\n" + id,
		"contoso.com", "72f988bf8-6f1-41af-91ab-2d7cd011db47"} {
		if got, err := ParseTenant(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func TestParseDomain(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := strings.Repeat(label+".", 3) + strings.Repeat("b", 61)
	good := map[string]string{
		"": "", "example.com": "example.com", " Shop.Example.COM. ": "shop.example.com", "a.bc": "a.bc", "1-2.x-y.io": "1-2.x-y.io",
		"xn--mnchen-3ya.de": "xn--mnchen-3ya.de", "example.xn--p1ai": "example.xn--p1ai",
		"XN--MNCHEN-3YA.de": "xn--mnchen-3ya.de", "r3---sn-a5m.example.com": "r3---sn-a5m.example.com", "xn--mgbh0fb.xn--kgbechtv": "xn--mgbh0fb.xn--kgbechtv",
		label + ".com": label + ".com", longest: longest,
	}
	for in, want := range good {
		if got, err := ParseDomain(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	bad := []string{"com", "localhost", ".com", "a..com", "-a.com", "a-.com", "a_b.com", "a.c", "a.1", "a.com/path", "https://a.com",
		"a.com:443", "münchen.de", "a b.com", "a.com\nb.com", label + "a.com", longest + "b", "192.168.0.1", "..", "a.b-",
		"xn--zzzzzzzz.com", "www.xn--zzzzzzzz.com", "a.xn--zzzzzzzz", "xn--.com", "xn--abc.com", "xn--mnchen-.com", "xn--mnchen-psa.com" /* with a capital Ü */, "xn--ux-uub.com" /* with a diaeresis of its own */, "xn--ab-m1t.com" /* with a joiner */}
	for _, in := range bad {
		if got, err := ParseDomain(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}
