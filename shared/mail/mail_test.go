package mail

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
)

var update = flag.Bool("update", false, "write the golden mails")

const link = "https://admin.cobo.example/invitations/0123456789abcdef.dG9rZW4"

func offer() *directory.Mail {
	return &directory.Mail{Offer: directory.Offer{Kind: hierarchy.Partner, Partner: "Vale Telecom Services", Brand: "Cobo Voice",
		Email: "a.le-page@vale.example",
		Name:  "Amélie Le Page", Role: access.Operator, Message: "Welcome!\nCall me <when> you are in.",
		Expires: time.Date(2026, 3, 9, 9, 14, 0, 0, time.UTC)}}
}

// The golden mails are how a mail looks: testdata/invitation.html opens in any browser.
func TestTheInvitationReadsWell(t *testing.T) {
	m := Invitation(offer(), link)
	if m.To != "a.le-page@vale.example" || m.Sender != "Cobo Voice" || m.Subject != "Cobo Voice: you are invited to Vale Telecom Services" {
		t.Errorf("%+v", m)
	}
	for name, got := range map[string]string{"testdata/invitation.txt": m.Text, "testdata/invitation.html": m.HTML} {
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil || string(want) != got {
			t.Errorf("%s differs (%v): look at it, and run go test ./shared/mail -update\n%s", name, err, got)
		}
		if !strings.Contains(got, link) {
			t.Errorf("%s is without the link", name)
		}
	}
}

// What people wrote is text and nothing else, in every part of a mail.
func TestNobodyWritesIntoTheMail(t *testing.T) {
	in := offer()
	in.Message, in.Name, in.Email = `<script>alert(1)</script>`, `<b>x</b>`, `<b>"@vale.example`
	in.Partner, in.Brand = "<b>\r\nBcc: all@example.com", "<b>\nX-Header: y"
	m := Invitation(in, link)
	if strings.Contains(m.HTML, "<script>") || strings.Contains(m.HTML, "<b>") {
		t.Errorf("markup: %s", m.HTML)
	}
	if strings.ContainsAny(m.Subject+m.Sender, "\r\n") {
		t.Errorf("a header is begun: %q, %q", m.Subject, m.Sender)
	}
}

func TestEveryRoleAndKindIsSaid(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
		for role := access.Viewer; role <= access.Owner; role++ {
			in := offer()
			in.Kind, in.Role, in.Name, in.Message, in.Brand = kind, role, "", "", ""
			m := Invitation(in, link)
			if seen[m.Text] || !strings.Contains(m.Text, role.String()) || m.Sender != "" ||
				!strings.Contains(m.Text, Platform) || strings.Contains(m.Text, english.said) {
				t.Errorf("%s, %s:\n%s", kind, role, m.Text)
			}
			seen[m.Text] = true
		}
	}
}
