package mail

import (
	"cmp"
	"flag"
	"html"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
)

var update = flag.Bool("update", false, "write the golden mails")

const (
	invitation = "https://admin.cobo.example/invitations/0123456789abcdef.dG9rZW4"
	redeem     = "https://login.example/redeem?tenant=1&user=2&ticket=dGlja2V0"
)

func offer() *directory.Mail {
	return &directory.Mail{Offer: directory.Offer{Kind: hierarchy.Partner, Partner: "Vale Telecom Services",
		Brand: &brand.Brand{Name: "Cobo Voice", Color: "#ffcc33", App: &brand.App{}}, Email: "a.le-page@vale.example",
		Name: "Amélie Le Page", By: "Émile Durand", Role: access.Operator, Message: "Welcome!\nCall me <when> you are in.",
		Expires: time.Date(2026, 3, 9, 9, 14, 0, 0, time.UTC)}}
}

// The golden mails are how a mail looks: those in testdata open in any browser.
func TestTheInvitationReadsWell(t *testing.T) {
	platform := offer()
	platform.Brand.App, platform.By = nil, "" // nobody vouches for the brand; invited by somebody without a name
	const logo = "https://admin.cobo.example/brands/brd_0000000000000001/logo?v=0123456789abcdef"
	for name, c := range map[string]struct {
		mail   *directory.Mail
		links  Links
		sender string
	}{
		"platform": {platform, Links{Invitation: invitation, Logo: logo}, ""},
		"brand":    {offer(), Links{Invitation: invitation, Logo: logo}, "Cobo Voice"},
		"guest":    {offer(), Links{Invitation: invitation, Redeem: redeem, Logo: logo}, "Cobo Voice"},
	} {
		m := Invitation(c.mail, c.links)
		if m.To != "a.le-page@vale.example" || m.Sender != c.sender ||
			m.Subject != cmp.Or(c.sender, Platform)+": you are invited to “Vale Telecom Services”" {
			t.Errorf("%s: %+v", name, m)
		}
		for file, got := range map[string]string{"testdata/" + name + ".txt": m.Text, "testdata/" + name + ".html": m.HTML} {
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || string(want) != got {
				t.Errorf("%s differs (%v): look at it, and run go test ./shared/mail -update\n%s", file, err, got)
			}
			if !strings.Contains(got, invitation) || strings.Contains(html.UnescapeString(got), redeem) != (name == "guest") {
				t.Errorf("%s has not the right links", file)
			}
		}
	}
}

// What people wrote is text and nothing else, in every part of a mail.
func TestNobodyWritesIntoTheMail(t *testing.T) {
	in := offer()
	in.Message, in.Name, in.Email = `<script>alert(1)</script>`, `<b>x</b>`, `<b>"@vale.example`
	in.Partner, in.Brand.Name, in.By = "<b>\r\nBcc: all@example.com", "<b>\nX-Header: y", "<b>"
	m := Invitation(in, Links{invitation + `"<b>`, redeem + `"<b>`, `https://x.example/"<b>`})
	if strings.Contains(m.HTML, "<script>") || strings.Contains(m.HTML, "<b>") {
		t.Errorf("markup: %s", m.HTML)
	}
	if strings.ContainsAny(m.Subject+m.Sender, "\r\n") {
		t.Errorf("a header is begun: %q, %q", m.Subject, m.Sender)
	}
}

// Mail programs make links of what looks like an address.
func TestWhatWasTypedIsNoLink(t *testing.T) {
	for in, want := range map[string]string{
		"Vale Telecom Services":                         "Vale Telecom Services",
		"St. Peter Port Ltd.":                           "St. Peter Port Ltd.",
		"Dr. Who & Sons, Inc. (UK) 9:30":                "Dr. Who & Sons, Inc. (UK) 9:30",
		"A/S Nordljus":                                  "A/S Nordljus",
		"Booking.com":                                   "Booking·com",
		"www.evil.example":                              "www·evil·example",
		"Your account is locked: https://evil.example/": "Your account is locked: https: evil·example/",
		"Microsoft Security (support@microsoft.com)":    "Microsoft Security (support(at)microsoft·com)",
		"Partner management <security@evil.example>":    "Partner management <security(at)evil·example>",
		"mailto:x tel:+44 javascript:y":                 "mailto: x tel: +44 javascript: y",
		`\\\\server\share file:///etc`:                  `server\share file: etc`,
		"evil．example evil｡example evil。example":        "evil·example evil·example evil。 example",
		"x＠evil﹒example https：／／evil":                   "x(at)evil·example https： evil",
		"a\r\nBcc: b":                                   "a Bcc: b",
	} {
		if got := typed(in); got != want || typed(got) != got {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	if got := Quoted(`Vale” is yours: “call`); got != "“Vale' is yours: 'call”" {
		t.Error(got)
	}
	for in, want := range map[string]string{
		"Amélie Le Page": "Amélie Le Page", "J. O’Brien-Smith": "J. O’Brien-Smith", "王小明": "王小明",
		"Your account is locked: call 0800 1234": "", "evil.example": "", "a@b": "", strings.Repeat("x", longestGreeted+1): "",
	} {
		if got := Greeted(in); got != want {
			t.Errorf("%q is greeted as %q", in, got)
		}
	}
}

// No part of a mail has anything that somebody typed where words of the platform are, or as a link.
func TestTypedNamesAreHarmlessEverywhere(t *testing.T) {
	for _, evil := range []string{"www.evil.example", "Your account is locked: https://evil.example", "Security (support@evil.example)",
		"Partner management <security@evil.example>"} {
		in := offer()
		in.Partner, in.Brand.Name, in.By, in.Name, in.Message = hierarchy.Name(evil), hierarchy.Name(evil), hierarchy.Name(evil), hierarchy.Name(evil), evil
		in.ByClient = true
		m := Invitation(in, Links{Invitation: invitation})
		for part, text := range map[string]string{"sender": m.Sender, "subject": m.Subject, "text": m.Text, "html": html.UnescapeString(m.HTML)} {
			for _, bad := range []string{"evil.example", "www.", "https://evil", "support@", "security@"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s: the %s has %s:\n%s", evil, part, bad, text)
				}
			}
		}
		if in.Brand.App = nil; strings.Contains(Invitation(in, Links{Invitation: invitation}).Subject, typed(evil)+":") {
			t.Errorf("%s: nobody vouches for the brand, and it is in the subject", evil)
		}
		if want := "The API client " + Quoted(evil) + " wrote:\n\n> " + typed(evil) + "\n"; !strings.Contains(m.Text, want) {
			t.Errorf("the text has not\n%s\nbut\n%s", want, m.Text)
		}
	}
}

func TestEveryRoleAndKindIsSaid(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
		for role := access.Viewer; role <= access.Owner; role++ {
			in := offer()
			in.Kind, in.Role, in.Name, in.Message, in.Brand = kind, role, "", "", nil
			m := Invitation(in, Links{Invitation: invitation})
			if seen[m.Text] || !strings.Contains(m.Text, role.String()) || m.Sender != "" ||
				!strings.Contains(m.Text, Platform) || strings.Contains(m.Text, "wrote:") {
				t.Errorf("%s, %s:\n%s", kind, role, m.Text)
			}
			seen[m.Text] = true
		}
	}
}
