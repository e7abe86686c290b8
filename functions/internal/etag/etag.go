// Package etag reads the headers If-Match and If-None-Match (RFC 9110, 13.1). What is between the quotes of a tag is opaque, and may hold
// commas.
package etag

import "strings"

// List is the tags that a header names, as they were sent: with their quotes, and with W/ before a weak tag.
type List struct {
	Any  bool // the header is *, and names no tags
	Tags []string
}

// Parse reads a header. It reports false for what is neither * nor a list of tags, and for a list without tags.
// Source: https://www.rfc-editor.org/rfc/rfc9110 (8.8.3 for a tag, 5.6.1 for a list, in which elements may be empty)
func Parse(header string) (List, bool) {
	rest := strings.Trim(header, " \t")
	if rest == "*" {
		return List{Any: true}, true
	}
	var l List
	for rest != "" {
		if after, empty := strings.CutPrefix(rest, ","); empty {
			rest = strings.TrimLeft(after, " \t")
			continue
		}
		opaque, ok := strings.CutPrefix(strings.TrimPrefix(rest, "W/"), `"`)
		end := strings.IndexFunc(opaque, func(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f })
		if !ok || end < 0 || opaque[end] != '"' {
			return List{}, false
		}
		after := opaque[end+1:]
		l.Tags = append(l.Tags, rest[:len(rest)-len(after)])
		rest = strings.TrimLeft(after, " \t")
		if rest != "" && rest[0] != ',' {
			return List{}, false
		}
	}
	return l, len(l.Tags) > 0
}

// HasWeakly reports whether the list names a tag, or everything. Tags are compared weakly, as If-None-Match does.
func (l List) HasWeakly(tag string) bool {
	for _, t := range l.Tags {
		if strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return l.Any
}
