package word

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func words(texts ...string) []Word {
	all := make([]Word, len(texts))
	for i, text := range texts {
		all[i] = Fold(text)
	}
	return all
}

func TestTextsAreTakenApartIntoWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                       {},
		"  – & –  ":                              {},
		"Vazon Bay IT":                           {"vazon", "bay", "it"},
		"Bay bay BAY báy":                        {"bay"},
		"O'Brien & Söhne GmbH":                   {"o", "brien", "sohne", "gmbh"},
		"Müller-Lüdenscheidt":                    {"muller", "ludenscheidt"},
		"VTS-00417/b":                            {"vts", "00417", "b"},
		"x² Ⅳ ﬁrst":                              {"x2", "iv", "first"},
		"日本電信":                                   {"日本", "本電", "電信", "信"},
		"森 ビル":                                   {"森", "ひる", "る"},
		"NTTドコモ2号":                               {"ntt", "とこ", "こも", "も", "2", "号"},
		"ﾄﾞｺﾓ":                                   {"とこ", "こも", "も"},
		"ใจดี":                                   {"ใจ", "จดี", "ดี"},
		"شركة مُحَمَّد":                          {"شركة", "محمد"},
		"नमस्ते":                                 {"नमस्ते"},
		"72f988bf-86f1-41af-91ab-2d7cd011db47 x": {"72f988bf-86f1-41af-91ab-2d7cd011db47", "x"},
		"72F988BF-86f1":                          {"72f988bf-86f1"},
		"72f988bf":                               {"72f988bf"},
		"72f988bg-86f1":                          {"72f988bg", "86f1"},
		"www.bordeaux-bakery.example":            {"www", "bordeaux", "bakery", "example"},
	} {
		if got := In(text); !slices.Equal(got, words(want...)) {
			t.Errorf("%q: %v; want %v (%v)", text, got, want, words(want...))
		}
	}
}

func TestWordsAreAlikeWithoutRegardToCaseAndAccents(t *testing.T) {
	for _, pair := range [][2]string{
		{"Łódź", "lodz"}, {"Straße", "STRASSE"}, {"Ærø", "aero"}, {"e\u0301cole", "École"}, {"ＡＢＣ", "abc"}, {"مُحَمَّد", "محمد"}, {"ひらがな", "ヒラガナ"}, {"İ", "i"},
	} {
		if a, b := Fold(pair[0]), Fold(pair[1]); a != b || a == "" {
			t.Errorf("%s is %s, and %s is %s", pair[0], a, pair[1], b)
		}
	}
	for _, pair := range [][2]string{{"lodz", "loda"}, {"日本", "日木"}, {"й", "и"}, {"1", "2"}} {
		if Fold(pair[0]) == Fold(pair[1]) {
			t.Errorf("%s and %s are alike", pair[0], pair[1])
		}
	}
}

// An index finds words by how they begin: the beginning of a word has to be that of its key, and nothing else may be.
func TestAWordBeginsWithItsFirstCharacters(t *testing.T) {
	letters := []string{"a", "B", "ß", "Ł", "æ", "é", "e\u0301", "o\u0308", "ñ", "1", "٣", "م", "مُ", "日", "本", "ひ", "ガ", "한", "ㄱ", "Ж", "й", "क", "𠀀", "𝔸", "ﬁ", "z"}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(rapid.SampledFrom(letters), 1, 12).Draw(t, "characters")
		other := rapid.SliceOfN(rapid.SampledFrom(letters), 1, 12).Draw(t, "others")
		all := strings.Join(some, "")
		n := rapid.IntRange(1, len(some)).Draw(t, "of them")
		if first := strings.Join(some[:n], ""); !Fold(first).Begins(Fold(all)) {
			t.Errorf("%s is %s, and does not begin with %s, which is %s", all, Fold(all), first, Fold(first))
		}
		begins, is, wanted := strings.Join(other, ""), characters(some), characters(other)
		want := len(wanted) <= len(is) && slices.Equal(wanted, is[:min(len(is), len(wanted))])
		if got := Fold(begins).Begins(Fold(all)); got != want {
			t.Errorf("%s begins with %s: %v; want %v", all, begins, got, want)
		}
	})
}

// characters are those of all words of these texts, one after the other.
func characters(texts []string) (chars []Word) {
	for _, text := range texts {
		for w := Fold(text); w != ""; {
			n := w.character(0)
			chars, w = append(chars, w[:n]), w[n:]
		}
	}
	return chars
}

func TestAnIndexIsDividedByHowWordsBegin(t *testing.T) {
	for text, want := range map[string]string{"": "", "a": "", "ß": "ss", "ab": "ab", "abc": "ab", "é": "", "éa": "ea", "日": "日", "日本": "日", "a日": "a日", "a日b": "a日", "ひ": "", "ひる": "ひる"} {
		if got := Fold(text).Head(); got != Fold(want) {
			t.Errorf("%q begins with %s; want %q, which is %s", text, got, want, Fold(want))
		}
	}
}

func TestALongTextIsCut(t *testing.T) {
	long := Fold(strings.Repeat("x", 500))
	if len(long) != maxWord || Fold(strings.Repeat("x", 300)) != long {
		t.Errorf("%d bytes", len(long))
	}
}

func TestTermsLeaveOutWhatNobodyCanLookForAndWhatIsFoundAnyway(t *testing.T) {
	whole := Term{"r", Fold("bay-7")}
	for text, want := range map[string][]string{
		"A Bay":          {},
		"Sunrise Sun":    {"sunrise"},
		"Sun Sunrise":    {"sunrise"},
		"Baywatch bay 7": {"baywatch"},
		"日本":             {"日本", "本"},
	} {
		terms := []Term{whole}
		for _, w := range words(want...) {
			terms = append(terms, Term{Text, w})
		}
		if got := Terms([]Term{whole}, In(text)); !slices.Equal(got, terms) {
			t.Errorf("%q: %v; want %v", text, got, terms)
		}
	}
}

func TestTheFirstWordsAreTerms(t *testing.T) {
	var texts []string
	for i := range MaxWords + 5 {
		texts = append(texts, fmt.Sprintf("word%c", 'a'+i))
	}
	texts = append(texts, "worda1", "wordax") // the first one begins them, and they are beyond
	whole := []Term{{"r", Fold("x1")}, {"t", Fold("x2")}}
	terms := Terms(whole, In(strings.Join(texts, " ")))
	if len(terms) != len(whole)+MaxWords || terms[2].Word != Fold("worda") || terms[len(terms)-1].Word != Fold(texts[MaxWords-1]) {
		t.Errorf("%d terms: %v", len(terms), terms)
	}
}
