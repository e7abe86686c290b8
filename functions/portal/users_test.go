package main

import (
	"strings"
	"testing"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// Somebody is invited, changed and removed, and all of it is shown and explained.
func TestPortalUsers(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Admin)
	low, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Low <b>"})
	w.must(err)
	b := w.browser()
	b.signIn("Ann <Admin>")
	at := home + nodePath(low.ID)

	p := b.has(b.get(at+"/users"), 200, "Everybody with access to Low <b> is listed here", "Ann <Admin>", "Person (you)", "Cloudvendor", "Counts", "Why?")
	if strings.Contains(p.body, "Remove") {
		t.Error("one can remove oneself, or what is granted above")
	}
	b.has(b.get(at+"/invitations"), 200, "Nobody was invited here yet")
	p = b.has(b.click(p, "Invite somebody"), 200, "Invite somebody to Low <b>", "May see everything, but change nothing.")
	if strings.Contains(p.body, `value="owner"`) {
		t.Error("an admin is offered to make owners")
	}
	form := func(button string) (string, map[string][]string) {
		to, fields := b.form(p, button)
		return home + strings.TrimPrefix(to, home), fields
	}
	to, fields := form("Send the invitation")
	fields["email"], fields["message"] = []string{"not an address"}, []string{"Hello <script>alert(1)</script>"}
	p = b.has(b.post(to, fields), 422, "There is a problem", "must be a mail address", "Hello <script>")
	if !strings.Contains(p.body, "<title>Error: ") {
		t.Error("the title does not say that there is an error")
	}
	to, fields = form("Send the invitation")
	fields["email"], fields["name"], fields["role"], fields["preview"] = []string{"cleo@fabrikam.example"}, []string{"Cleo"}, []string{"viewer"}, []string{"1"}
	p = b.has(b.post(to, fields), 200, "The mail", "Subject", "Hello Cleo", "Hello <script>")
	if list, err := w.dir.Invitations(t.Context(), w.owner, low.ID, directory.Paging{Limit: 10}); err != nil || len(list.Items) > 0 {
		t.Fatalf("a preview invites: %v %v", list, err)
	}
	to, fields = form("Send the invitation")
	p = b.has(b.post(to, fields), 200, "The invitation is on its way", "Pending", "Mail on its way", "cleo@fabrikam.example", "Hello <script>")
	again := b.has(b.post(to, fields), 200, "cleo@fabrikam.example") // the same form, sent twice
	if list, err := w.dir.Invitations(t.Context(), w.owner, low.ID, directory.Paging{Limit: 10}); err != nil || len(list.Items) != 1 || again.url.Path != p.url.Path {
		t.Fatalf("sent twice: %d invitations", len(list.Items))
	}
	w.ahead.Add(int64(directory.ResendAfter))
	to, fields = form("Do it")
	b.has(b.post(to, fields), 200, "on its way again, with a new link")
	to, fields = form("Do it") // of the page as it was before
	fields["act"] = []string{"revoke"}
	p = b.has(b.post(to, fields), 200, "The invitation is withdrawn", "Withdrawn")
	b.has(b.click(p, "cleo@fabrikam.example"), 200, "Withdrawn")

	// Cleo takes another one.
	_, link := w.inviteTo(low.ID, "cleo@fabrikam.example", access.Operator)
	cleo := w.browser()
	cleo.has(cleo.press(cleo.press(cleo.click(cleo.get(home+link), "Sign in with Microsoft"), "Cleo"), "Accept the invitation"), 200, "operator")
	p = b.has(b.get(at+"/users"), 200, "Cleo", "operator", "Change role", "Remove")
	who := string(ident.PersonOf(fabrikam, "bbbbbbbb-0000-4000-8000-000000000003"))
	p = b.has(b.get(at+"/users/"+who), 200, "Role of Cleo at Low <b>", "operator was granted here")
	to, fields = form("Save")
	fields["role"] = []string{"viewer"}
	b.has(b.post(to, fields), 200, "The role was changed", "viewer")
	fields["role"] = []string{"owner"}
	b.has(b.post(to, fields), 403, "There is a problem", "Your role there is admin")

	b.has(b.get(at+"/access?principal="+who+"&action=edit-partner"), 200, "No", "Cleo may not edit this partner")
	b.has(b.get(at+"/access?principal="+who), 200, "Yes", "Cleo may read this partner")
	b.has(b.get(at+"/access?day="+clocktest.Now().AddDate(0, 0, -1).Format("2006-01-02")), 200, "Answer")
	b.has(b.get(at+"/access?day=2199-01-01"), 400)

	p = b.has(b.get(at+"/users/"+who+"/remove"), 200, "Cleo loses the role viewer", "No access is left here")
	b.has(b.press(p, "Remove the role of Cleo"), 200, "The role was taken away")
	cleo.has(cleo.get(at), 404, "Nothing here")
	b.has(b.get(at+"/users/"+who), 404)
}
