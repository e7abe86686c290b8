package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"example.com/partnertree/functions/portal/asset"
	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/mail"
)

// pagePolicy lets a page have the style and the module of the portal and its brand's colors, show a logo from here, send its forms here and ask
// here for other pages, and nothing else: nothing from elsewhere, in nobody's frame. HTML becomes elements by the module's one policy alone.
func pagePolicy(l *view.Look) string {
	style := "'self'"
	if hash := l.ColorsHash(); hash != "" {
		style += " " + hash
	}
	return "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:; connect-src 'self'; script-src 'self'; " +
		"style-src " + style + "; require-trusted-types-for 'script'; trusted-types portal"
}

// look is that of the site that the visitor came to.
func (v *visit) look() view.Look {
	l := view.Look{Name: mail.Platform, Scheme: v.settings().Scheme, Style: asset.Style.Path(), Script: asset.Script.Path()}
	if b := v.site.Brand; b != nil {
		l.Name, l.Color, l.Logo = string(b.Name), b.Color, b.LogoURL()
	}
	return l
}

// page makes a page. It is kept by no cache: it is for one person, for now.
func (v *visit) page(status int, p view.Page) response {
	if p.Look.Style == "" {
		p.Look = v.look()
	}
	if v.who != nil && p.Person == nil {
		p.Person = &view.Person{Name: v.who.Name, Email: v.who.Email, Token: v.ring.FormToken(v.who)}
	}
	if v.event.RequestContext.HTTP.Method == http.MethodGet {
		p.Notice = v.notice()
	}
	r := answer(*v.event, status, htmlFormat)
	r.Headers["Content-Security-Policy"] = pagePolicy(&p.Look)
	r.Headers["Cache-Control"] = "no-store"
	var b bytes.Buffer
	if err := p.Whole().Render(context.Background(), &b); err != nil { // into memory, of what is there: it has no reason to fail
		panic(err)
	}
	r.Body = b.String()
	return r
}

// action is a link that looks like a button. The first of a page's is its main one.
type action struct{ To, Text string }

// message is a page of a few sentences.
type message struct {
	Title          string
	Text           []string
	Action, Second *action
	Reference      bool // shows the request's id, by which the log's line is found
}

func (v *visit) show(status int, m message) response {
	content := view.Message{Text: m.Text}
	for i, a := range []*action{m.Action, m.Second} {
		if a != nil {
			content.Buttons = append(content.Buttons, view.Button{Text: a.Text, To: a.To, Main: i == 0})
		}
	}
	if m.Reference {
		content.Reference = v.event.RequestContext.RequestID
	}
	return v.page(status, view.Page{Title: m.Title, Content: content.Content()})
}

// clock tells times as the reader wants them.
func (v *visit) clock() view.Clock { return view.Clock{Zone: v.settings().zone()} }

// all shows components one after another.
func all(parts ...templ.Component) templ.Component { return templ.Join(parts...) }

// small compresses a page for a browser that takes it so.
func (v *visit) small(r response) response {
	if !strings.HasPrefix(r.Headers["Content-Type"], "text/html") || r.IsBase64Encoded || len(r.Body) < 1500 || !takesGzip(v.event.Headers["accept-encoding"]) {
		return r
	}
	r.Headers["Content-Encoding"] = "gzip"
	r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(gzipped([]byte(r.Body))), true
	return r
}
