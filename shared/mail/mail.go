// Package mail writes the mails of the platform: what they say, in text and in HTML. It sends nothing.
package mail

import (
	"bytes"
	_ "embed" // the templates
	html "html/template"
	"strings"
	text "text/template"

	"example.com/partnertree/shared/directory"
)

// Message is one mail, ready to be sent. Sender and Subject are single lines.
type Message struct {
	Sender  string // the name of the brand that it is from, "" when there is none; the address is the affair of whoever sends
	To      string // an address
	Subject string
	Text    string
	HTML    string
}

// Platform is the name in the place of a brand's for what has none.
const Platform = "Partner management"

//go:embed invitation.txt.tmpl
var invitationText string

//go:embed invitation.html.tmpl
var invitationHTML string

// invitation is what the templates are filled with.
type invitation struct {
	directory.Offer
	Say    words
	Sender string
	Link   string
}

// Lines are those of the personal message.
func (i invitation) Lines() []string { return strings.Split(i.Message, "\n") }

// Invitation is the mail that brings the link of an invitation. The link is the only thing in it that is secret.
func Invitation(m *directory.Mail, link string) (Message, error) {
	in := invitation{Offer: m.Offer, Say: english, Sender: string(m.Brand), Link: link}
	if in.Sender == "" {
		in.Sender = Platform
	}
	out := Message{Sender: oneLine(string(m.Brand)), To: m.Email, Subject: oneLine(in.Say.subject(in.Sender, string(m.Partner)))}
	t, err := text.New("text").Parse(invitationText)
	if err != nil {
		return Message{}, err
	}
	h, err := html.New("html").Parse(invitationHTML)
	if err != nil {
		return Message{}, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, in); err != nil {
		return Message{}, err
	}
	out.Text = b.String()
	b.Reset()
	if err := h.Execute(&b, in); err != nil {
		return Message{}, err
	}
	out.HTML = b.String()
	return out, nil
}

// oneLine keeps a name from beginning another header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
}
