// Package mail writes the mails of the platform: what they say, in text and in HTML. It sends nothing.
//
// There are no templates: the packages for them make the linker keep whatever could be called by reflection, which is 6.6 MB of Amazon's
// SDK in the function that mails.
package mail

import (
	"html"
	"strings"

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

// Invitation is the mail that brings the link of an invitation. The link is the only thing in it that is secret.
func Invitation(m *directory.Mail, link string) Message {
	say, sender, node := english, string(m.Brand), string(m.Partner)
	if sender == "" {
		sender = Platform
	}
	b := body{head: sender, title: say.preview(node), language: say.language}
	b.add(paragraph, say.greeting(string(m.Name)))
	b.add(paragraph, say.invited(node, m.Kind), say.role(m.Role))
	if m.Message != "" {
		b.add(paragraph, say.said)
		b.add(quote, strings.Split(m.Message, "\n")...)
	}
	b.add(button, say.button, link)
	b.add(address, say.orCopy, link)
	b.add(paragraph, say.signIn(m.Email), say.until(m.Expires))
	b.add(small, say.notForYou, say.sentBy(sender))
	return Message{Sender: oneLine(string(m.Brand)), To: m.Email, Subject: oneLine(say.subject(sender, node)), Text: b.text(), HTML: b.html()}
}

// oneLine keeps a name from beginning another header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
}

// kind is how a block looks.
type kind int

const (
	paragraph kind = iota
	quote
	button  // its lines: the words, and where it leads to
	address // in HTML only: the words, and the address that a button leads to
	small
)

type block struct {
	kind  kind
	lines []string
}

// body is what a mail says below its head, as plain text in blocks.
type body struct {
	head, title, language string
	blocks                []block
}

func (b *body) add(k kind, lines ...string) { b.blocks = append(b.blocks, block{k, lines}) }

func (b *body) text() string {
	var all []string
	for _, block := range b.blocks {
		switch block.kind {
		case quote:
			all = append(all, "    "+strings.Join(block.lines, "\n    "))
		case button:
			all = append(all, strings.Join(block.lines, ":\n"))
		case address:
		default:
			all = append(all, strings.Join(block.lines, "\n"))
		}
	}
	return strings.Join(all, "\n\n") + "\n"
}

// html has its looks in each element, in tables where boxes are: mail programs know little more. Everything that is said goes through
// html.EscapeString, which is enough between tags and in quotation marks, and there is nothing anywhere else.
func (b *body) html() string {
	var s strings.Builder
	s.WriteString(`<!doctype html>
<html lang="` + html.EscapeString(b.language) + `">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>` + html.EscapeString(b.title) + `</title>
</head>
<body style="margin:0;padding:24px;background:#f3f4f6;color:#1f2937;font:16px/1.5 'Segoe UI',Helvetica,Arial,sans-serif">
<table role="presentation" align="center" cellpadding="0" cellspacing="0" style="max-width:560px;background:#ffffff;border-radius:8px">
<tr><td style="padding:24px 32px 0;font-size:20px;font-weight:600">` + html.EscapeString(b.head) + `</td></tr>
<tr><td style="padding:16px 32px 32px">
`)
	for _, block := range b.blocks {
		escaped := make([]string, len(block.lines))
		for i, line := range block.lines {
			escaped[i] = html.EscapeString(line)
		}
		switch block.kind {
		case quote:
			s.WriteString(`<blockquote style="margin:0 0 16px;padding:8px 16px;border-left:4px solid #9ca3af">` +
				strings.Join(escaped, "<br>") + "</blockquote>\n")
		case button:
			s.WriteString(`<p><a href="` + escaped[1] + `" style="display:inline-block;padding:12px 24px;background:#1d4ed8;color:#ffffff;` +
				`border-radius:6px;text-decoration:none;font-weight:600">` + escaped[0] + "</a></p>\n")
		case address:
			s.WriteString(`<p style="font-size:14px">` + escaped[0] + `:<br><span style="word-break:break-all">` + escaped[1] + "</span></p>\n")
		case small:
			s.WriteString(`<p style="font-size:14px;color:#4b5563">` + strings.Join(escaped, " ") + "</p>\n")
		default:
			s.WriteString("<p>" + strings.Join(escaped, " ") + "</p>\n")
		}
	}
	s.WriteString("</td></tr></table>\n</body>\n</html>\n")
	return s.String()
}
