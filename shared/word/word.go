// Package word has the words by which things are found: how a text is taken apart into words, how words of any script are folded so that
// they can be compared, and the terms of an index.
package word

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// Key returns the key of the first level of Unicode's collation: texts that differ only in case, accents or width have the same key, and keys
// are in the order of the texts.
// Source: https://www.unicode.org/reports/tr10/ (keys of the first level)
func Key(text string) []byte {
	c := collators.Get().(*collate.Collator)
	defer collators.Put(c)
	var b collate.Buffer
	return c.KeyFromString(&b, text)
}

// collators has collators for use by one goroutine at a time.
var collators = sync.Pool{New: func() any { return collate.New(language.Und, collate.Loose) }}

// Word is a folded text: its Key in hexadecimal digits. A key has two or three bytes for each character, and never ends within one. So the
// first characters of a text make a Word that the Word of the text begins with.
type Word string

// maxWord is the longest Word, in bytes. It leaves room for more in a key of DynamoDB, which has at most 1,024.
const maxWord = 800

// Fold returns a whole text as one Word. What is beyond 200 characters or so has no part in it.
func Fold(text string) Word {
	key := hex.EncodeToString(Key(norm.NFKC.String(text)))
	return Word(key[:min(len(key), maxWord)])
}

// Digest returns a Word for a whole text that is not to be read from an index: who has the text finds it, and nobody finds its beginning.
func Digest(text string) Word {
	sum := sha256.Sum256([]byte(text))
	return Word(hex.EncodeToString(sum[:20]))
}

// Begins reports whether all begins with the word.
func (w Word) Begins(all Word) bool { return strings.HasPrefix(string(all), string(w)) }

// Head returns how a word begins: its first two characters, or the first alone when that is an ideograph. It returns "" when the word has no
// more than one letter or digit. An index is divided by heads, so what has no head cannot be the beginning of a word that is looked for.
func (w Word) Head() Word {
	first := w.character(0)
	if first == ideograph {
		return w[:first]
	}
	if second := w.character(first); second > 0 {
		return w[:first+second]
	}
	return ""
}

// How many digits characters have in a Word: that of an ideograph, or of another rare character, begins with 8 to f.
const (
	letter    = 4
	ideograph = 6
)

// character returns how long the character at a position is, 0 when there is none.
func (w Word) character(at int) int {
	length := letter
	if at < len(w) && w[at] >= '8' {
		length = ideograph
	}
	if at+length > len(w) {
		return 0
	}
	return length
}

// In returns the words of a text, each once, in the order in which they begin to appear. A word is a run of letters and digits. What looks
// like the id of a Microsoft tenant, or like the beginning of one, stays together. In scripts that put no spaces between words, every two
// neighboring characters are a word, and the last one alone: Japanese, Chinese, Thai, Lao, Khmer, Burmese.
func In(text string) []Word {
	var words []Word
	known := map[Word]bool{"": true}
	add := func(text string) {
		if w := Fold(text); !known[w] {
			known[w] = true
			words = append(words, w)
		}
	}
	for chunk := range strings.FieldsSeq(norm.NFKC.String(text)) {
		if isTenant(chunk) {
			add(chunk)
			continue
		}
		for run := range strings.FieldsFuncSeq(chunk, func(r rune) bool { return !inWord(r) }) {
			split(run, add)
		}
	}
	return words
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || joins(r)
}

// joins reports whether a character belongs to the one before it: an accent, a vowel sign, a joiner.
func joins(r rune) bool { return unicode.IsMark(r) || r == '\u200c' || r == '\u200d' }

// unspaced are the scripts that put no spaces between words.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

func isUnspaced(r rune) bool {
	return r > unicode.MaxLatin1 && (unicode.In(r, unspaced...) || r == 'ー')
}

// split takes a run of letters and digits apart where another script begins, and what has no spaces into pairs.
func split(run string, add func(string)) {
	spaced, before := "", "" // what has spaces so far; the last character of what has none
	for run != "" {
		c := character(run)
		run = run[len(c):]
		if first, _ := utf8.DecodeRuneInString(c); !isUnspaced(first) {
			add(before)
			spaced, before = spaced+c, ""
			continue
		}
		add(spaced)
		if before != "" {
			add(before + c)
		}
		spaced, before = "", c
	}
	add(before)
	add(spaced)
}

// character returns the first character of a text, with all that belongs to it.
func character(text string) string {
	for i, r := range text {
		if i > 0 && !joins(r) {
			return text[:i]
		}
	}
	return text
}

// isTenant reports whether a text is the id of a Microsoft tenant, or begins one and has its first hyphen.
func isTenant(text string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(text) < len("xxxxxxxx-") || len(text) > len(form) {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (form[i] == '-') != (c == '-') || c != '-' && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}

// Field is where a term comes from. It is kept with each term, so it never changes.
type Field string

// Text is the field of a term that is a word of a text. Each other field has a whole value as its only term.
const Text Field = "w"

// Term is what something is found by: one of its words, or a whole value.
type Term struct {
	Field Field
	Word  Word
}

// String returns the term as an index sorts it: by the word, shorter ones first.
func (t Term) String() string { return string(t.Word) + "." + string(t.Field) }

// MaxWords is how many words of its texts something is found by at most. Each is an item of a transaction.
const MaxWords = 16

// Terms returns the terms of something: its whole values, and then the first MaxWords words of its texts. Left out are words that another
// term begins with, which is found as well by what they begin with, and words without a head, which nobody can look for.
func Terms(whole []Term, words []Word) []Term {
	terms := slices.Clone(whole)
	for _, w := range words {
		begins := func(t Term) bool { return w.Begins(t.Word) }
		if w.Head() != "" && len(terms) < len(whole)+MaxWords && !slices.ContainsFunc(terms, begins) {
			terms = append(terms, Term{Text, w})
		}
	}
	for i := len(terms) - 1; i >= len(whole); i-- {
		begins := func(t Term) bool { return terms[i].Word.Begins(t.Word) }
		if slices.ContainsFunc(terms[i+1:], begins) {
			terms = slices.Delete(terms, i, i+1)
		}
	}
	return terms
}
