package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"strings"
	"time"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/mail"
)

//go:embed style.css
var style string

// pagePolicy lets a page have its own style, show a logo from here and send its forms here, and nothing else: no script, nothing from
// elsewhere, in nobody's frame.
func pagePolicy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// look is how pages appear: as the platform's, or a brand's.
type look struct {
	name  string
	color string // of header and main buttons; "": the platform's
	logo  string // its path; "": none
}

// look is that of the site that the visitor came to.
func (v *visit) look() look {
	b := v.site.Brand
	if b == nil {
		return look{name: mail.Platform}
	}
	return look{string(b.Name), b.Color, b.LogoURL()}
}

// What links and secondary buttons stand on, as in the style.
const (
	lightPanel = "#ffffff"
	darkPanel  = "#1b212c"
)

// style is the pages' style, in the look's color if it has one. For the header and main buttons it counts in dark mode, too: what stands on
// it is black or white. Links and other buttons have it where it can be read, and the color of text where it cannot.
func (l look) style() string {
	if l.color == "" {
		return style
	}
	accent := func(panel string) string {
		if brand.Readable(l.color, panel) {
			return l.color
		}
		return "var(--text)"
	}
	return fmt.Sprintf(`%s:root { --bar: %s; --on-bar: %[3]s; --main: %[2]s; --on-main: %[3]s; --accent: %[4]s; }
@media (prefers-color-scheme: dark) { :root { --accent: %[5]s; } }
`, style, l.color, brand.On(l.color), accent(lightPanel), accent(darkPanel))
}

// header is the look's name, with its logo.
func (l look) header() markup {
	return when(l.logo != "", fill(`<img src="%s" alt="" width="32" height="32">`, l.logo)) + fill("%s", l.name)
}

// markup is HTML. Only fill makes it from what is not.
//
// Package html/template would do this, too, but looks up methods by name: then the linker keeps every method of the AWS SDK, and the
// function is 4 MB larger, more than functions may be.
type markup string

// fill puts values into a piece of HTML, at each %s. A value that is no markup is text: it is escaped, so that it can stand between tags
// and in quoted attributes. An href gets only addresses that are made here.
func fill(format string, values ...any) markup {
	for i, v := range values {
		if m, ok := v.(markup); ok {
			values[i] = string(m)
		} else {
			values[i] = html.EscapeString(fmt.Sprint(v))
		}
	}
	return markup(fmt.Sprintf(format, values...))
}

// when is m if holds, and nothing otherwise.
func when(holds bool, m markup) markup {
	if !holds {
		return ""
	}
	return m
}

const frame = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>%s – %s</title>
<style>%s</style>
</head>
<body>
<header><p>%s</p></header>
<main>
<h1>%s</h1>
%s</main>
</body>
</html>
`

// page makes a page. It is kept by no cache: it is for one person, for now.
func (v *visit) page(status int, title string, l look, content markup) response {
	r := answer(*v.event, status, htmlFormat)
	style := l.style()
	r.Headers["Content-Security-Policy"] = pagePolicy(style)
	r.Headers["Cache-Control"] = "no-store"
	r.Body = string(fill(frame, title, l.name, markup(style), l.header(), title, content))
	return r
}

// action is a link that looks like a button. The first of a page's is its main one.
type action struct{ To, Text string }

func buttons(actions ...*action) markup {
	var links []string
	class := "button main"
	for _, a := range actions {
		if a != nil {
			links = append(links, string(fill(`<a class="%s" href="%s">%s</a>`, class, a.To, a.Text)))
			class = "button"
		}
	}
	return when(len(links) > 0, fill("<p class=\"actions\">%s</p>\n", markup(strings.Join(links, "\n"))))
}

// message is a page of a few sentences.
type message struct {
	Title          string
	Text           []string
	Action, Second *action
	Reference      bool // shows the request's id, by which the log's line is found
}

func (v *visit) show(status int, m message) response {
	var content markup
	for _, text := range m.Text {
		content += fill("<p>%s</p>\n", text)
	}
	content += when(m.Reference, fill("<p class=\"soft\">Reference: <code>%s</code></p>\n", v.event.RequestContext.RequestID))
	return v.page(status, m.Title, v.look(), content+buttons(m.Action, m.Second))
}

// formToken is the field by which a form shows that a page of this session made it.
func (v *visit) formToken() markup {
	return fill(`<input type="hidden" name="%s" value="%s">`, formField, v.ring.FormToken(v.who))
}

// utc is a time for people. Without a script a page does not know where its reader is, so it says which zone it means.
func utc(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
