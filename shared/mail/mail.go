// Package mail writes the mails of the platform: what they say, in text and in HTML. It sends nothing.
//
// What people typed never looks like a link or an address in a mail, nor like words of the platform: names stand in quotation marks, with
// what mail programs make links of changed so that it is seen (see typed). A message is quoted below the name of who wrote it. The name, the color
// and the logo of a brand are in its mails only when the vendor has vouched for the brand (brand.Brand.Vouched).
//
// There are no templates: the packages for them make the linker keep whatever could be called by reflection, which is 6.6 MB of Amazon's
// SDK in the function that mails.
package mail

import (
	"cmp"
	"html"
	"strings"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
)

// Message is one mail, ready to be sent. Sender and Subject are single lines.
type Message struct {
	Sender  string // the name of the brand that it is from, "" when it is from the platform; the address is the affair of whoever sends
	To      string // an address
	Subject string
	Text    string
	HTML    string
}

// Platform is the name in the place of a brand's for what has none.
const Platform = "Partner management"

// Color is that of headers and buttons of what has no color of a brand.
const Color = "#1f5fbf"

// Links are the addresses in the mail of an invitation. The first two are secret, and nothing else in a mail is.
type Links struct {
	Invitation string
	Redeem     string // where somebody becomes a guest first, and is led to the invitation from there; "" when they need not
	Logo       string // of the brand: a square; "" when it has none
}

// Invitation is the mail that brings the link of an invitation, in the look of its brand.
func Invitation(m *directory.Mail, to Links) Message {
	say, sender, node := english, "", Quoted(string(m.Partner))
	by := inviter{client: m.ByClient}
	if m.By != "" {
		by.name = Quoted(string(m.By))
	}
	b := body{head: Platform, title: say.preview(node), language: say.language, color: Color}
	if m.Brand != nil && m.Brand.Vouched() {
		sender = typed(string(m.Brand.Name))
		b.head, b.color, b.logo = sender, cmp.Or(m.Brand.Color, Color), to.Logo
	}
	b.add(paragraph, say.greeting(Greeted(string(m.Name))))
	b.add(paragraph, say.invited(by, node, m.Kind), say.role(m.Role))
	if m.Message != "" {
		b.add(paragraph, say.said(by))
		var lines []string
		for line := range strings.SplitSeq(m.Message, "\n") {
			lines = append(lines, typed(line))
		}
		b.add(quote, lines...)
	}
	if to.Redeem == "" {
		b.add(button, say.button, to.Invitation)
		b.add(address, say.orCopy, to.Invitation)
	} else {
		b.add(paragraph, say.guest(b.head))
		b.add(button, say.join, to.Redeem)
		b.add(address, say.orCopy, to.Redeem)
		b.add(link, say.joined, to.Invitation)
	}
	b.add(paragraph, say.signIn(m.Email), say.until(m.Expires))
	b.add(small, say.notForYou, say.sentBy(b.head))
	return Message{Sender: sender, To: m.Email, Subject: say.subject(b.head, node), Text: b.text(), HTML: b.html()}
}

// kind is how a block looks.
type kind int

const (
	paragraph kind = iota
	quote
	button  // its lines: the words, and where it leads to
	address // in HTML only: the words, and the address that a button leads to
	link    // the words, and where they lead to
	small
)

type block struct {
	kind  kind
	lines []string
}

// body is what a mail says below its head, as plain text in blocks.
type body struct {
	head, title, language string
	color, logo           string
	blocks                []block
}

func (b *body) add(k kind, lines ...string) { b.blocks = append(b.blocks, block{k, lines}) }

func (b *body) text() string {
	var all []string
	for _, block := range b.blocks {
		switch block.kind {
		case quote:
			all = append(all, "> "+strings.Join(block.lines, "\n> "))
		case button, link:
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
	colors := `background:` + html.EscapeString(b.color) + `;color:` + brand.On(b.color)
	logo := ""
	if b.logo != "" { // its name stands beside it
		logo = `<img src="` + html.EscapeString(b.logo) + `" alt="" width="40" height="40" style="margin-right:12px;vertical-align:middle">`
	}
	s.WriteString(`<!doctype html>
<html lang="` + html.EscapeString(b.language) + `">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
<title>` + html.EscapeString(b.title) + `</title>
</head>
<body style="margin:0;padding:24px;background:#f3f4f6;color:#1f2937;font:16px/1.5 'Segoe UI',Helvetica,Arial,sans-serif">
<table role="presentation" align="center" cellpadding="0" cellspacing="0" style="max-width:560px;background:#ffffff;border-radius:8px">
<tr><td style="padding:16px 32px;border-radius:8px 8px 0 0;font-size:20px;font-weight:600;` + colors + `">` +
		logo + html.EscapeString(b.head) + `</td></tr>
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
			s.WriteString(`<p><a href="` + escaped[1] + `" style="display:inline-block;padding:12px 24px;border-radius:6px;` +
				`text-decoration:none;font-weight:600;` + colors + `">` + escaped[0] + "</a></p>\n")
		case address:
			s.WriteString(`<p style="font-size:14px">` + escaped[0] + `:<br><span style="word-break:break-all">` + escaped[1] + "</span></p>\n")
		case link:
			s.WriteString("<p>" + escaped[0] + `:<br><a href="` + escaped[1] + `" style="word-break:break-all">` + escaped[1] + "</a></p>\n")
		case small:
			s.WriteString(`<p style="font-size:14px;color:#4b5563">` + strings.Join(escaped, " ") + "</p>\n")
		default:
			s.WriteString("<p>" + strings.Join(escaped, " ") + "</p>\n")
		}
	}
	s.WriteString("</td></tr></table>\n</body>\n</html>\n")
	return s.String()
}
