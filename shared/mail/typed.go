package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// typed is what somebody typed, as it stands in a mail: a name or a line of a message. Mail programs turn what looks like an address into
// a link, and readers take it for one. So nothing that was typed looks like an address here:
//
//   - a dot with a letter or a digit after it is shown as ·, as in Booking·com;
//   - @ is shown as (at);
//   - slashes and backslashes that follow each other are shown as one space, and so is whatever follows the colon of https: or tel: set apart.
//
// All of this can be seen. Characters that cannot be seen would break a link, too, but they are refused everywhere else.
func typed(s string) string {
	var out strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		before, after := rune(' '), rune(' ')
		if i > 0 {
			before = runes[i-1]
		}
		if i+1 < len(runes) {
			after = runes[i+1]
		}
		switch {
		case strings.ContainsRune(ats, r):
			out.WriteString("(at)")
		case strings.ContainsRune(dots, r) && (unicode.IsLetter(after) || unicode.IsNumber(after)):
			out.WriteRune('·')
		case r == ideographicStop && (unicode.IsLetter(after) || unicode.IsNumber(after)):
			out.WriteString("。 ") // it ends sentences, and none has a space after it
		case strings.ContainsRune(colons, r) && unicode.IsLetter(before) && !unicode.IsSpace(after):
			out.WriteRune(r)
			out.WriteRune(' ')
		case strings.ContainsRune(slashes, r) && (strings.ContainsRune(slashes, before) || strings.ContainsRune(slashes, after)):
			out.WriteRune(' ')
		case r < ' ' || r == 0x7f:
			out.WriteRune(' ') // a header would end there
		default:
			out.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// What mail programs and browsers take for parts of an address, in all the widths that there are of each.
const (
	ats             = "@＠﹫"
	dots            = ".．․﹒｡"
	colons          = ":：﹕"
	slashes         = `/／⁄∕\＼﹨`
	ideographicStop = '。'
)

// Quoted returns a name as typed shows it, in quotation marks that the name cannot close. So a reader sees that it is a name, even when it
// reads like a sentence or like the name of the platform.
func Quoted(name string) string {
	return "“" + strings.Map(func(r rune) rune {
		if strings.ContainsRune(quotes, r) {
			return '\''
		}
		return r
	}, typed(name)) + "”"
}

const quotes = `"“”„‟«»〝〞〟＂`

// longestGreeted is the longest name that somebody is greeted with, in characters.
const longestGreeted = 40

// Greeted returns the name that an invited person is greeted with, which whoever invites has typed: "" for one that could be anything but a name.
func Greeted(name string) string {
	if utf8.RuneCountInString(name) > longestGreeted || typed(name) != name || strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune(" -'’.", r)
	}) {
		return ""
	}
	return name
}
