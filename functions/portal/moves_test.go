package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// A branch is moved: where to is picked, what would change is shown, and how far it is.
func TestABranchIsMoved(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Admin)
	make := func(parent ident.Node, name hierarchy.Name) ident.Node {
		n, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: parent, Name: name, CanProvision: true})
		w.must(err)
		return n.ID
	}
	old, to := make(w.root, "Old <parent>"), make(w.root, "New <parent>")
	node := make(old, "Branch")
	below := make(node, "Below")
	_, err := w.dir.SetCanProvision(t.Context(), w.owner, to, false)
	w.must(err)
	_, link := w.inviteTo(old, "cleo@fabrikam.example", access.Viewer)
	cleo := w.browser()
	cleo.has(cleo.press(cleo.press(cleo.click(cleo.get(home+link), "Sign in with Microsoft"), "Cleo"), "Accept the invitation"), 200)

	b := w.browser()
	b.signIn("Ann <Admin>")
	at := home + nodePath(node)
	b.has(b.get(at+"/move"), 200, "Choose the partner that it is to be moved to", "Cloudvendor", "Ask that partner")
	b.has(b.get(at+"/move?in="+string(w.root)), 200, "Old <parent>", "is the present parent", "New <parent>")
	p := b.has(b.get(at+"/move?to="+string(to)), 200, "Move Branch to New <parent>", "Cleo", "Loses", "no access", "can no longer be provisioned",
		"Move 1 partner and 1 partner and 0 customers below it")
	p = b.has(b.press(p, "Move 1 partner"), 200, "It was moved", "In progress", "The change is in effect already", "Writing it into everything below", "Look again")
	if !strings.Contains(p.body, "data-poll") {
		t.Error("nobody looks again")
	}
	jobAt := p.url.Query().Get("job")
	b.has(b.get(home+"/jobs/"+jobAt), 200, "Progress", "In progress")
	cleo.has(cleo.get(home+"/jobs/"+jobAt), 404, "Nothing here")
	job, err := ident.ParseJob(jobAt)
	w.must(err)
	_, err = w.dir.Settle(t.Context(), job, "", time.Minute)
	w.must(err)
	w.must(w.dir.Retire(t.Context(), job))
	if p = b.has(b.get(home+"/jobs/"+jobAt), 200, "Done", "written everywhere"); strings.Contains(p.body, "data-poll") {
		t.Error("what is done is looked at again")
	}
	cleo.has(cleo.get(at), 404)
	b.has(b.get(at+"/move?to="+string(to)), 200, "It is there already")
	b.has(b.get(at+"/move?to="+string(below)), 200, "It cannot be moved there", "is the moved node itself or is below that node")
	b.has(b.get(at+"/move?to="+string(ident.NewPartner())), 404)
	b.has(b.get(at+"?job="+string(ident.NewJob())), 200, "Branch")
}

// A move is asked for, seen from both sides, and answered.
func TestAMoveIsAskedFor(t *testing.T) {
	w := newWorld(t)
	mine, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Mine"})
	w.must(err)
	node, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: mine.ID, Name: "Branch"})
	w.must(err)
	theirs, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Theirs"})
	w.must(err)
	w.grantAnn(mine.ID, access.Admin)
	_, link := w.inviteTo(theirs.ID, "cleo@fabrikam.example", access.Admin)
	cleo, b := w.browser(), w.browser()
	cleo.has(cleo.press(cleo.press(cleo.click(cleo.get(home+link), "Sign in with Microsoft"), "Cleo"), "Accept the invitation"), 200)
	b.signIn("Ann <Admin>")
	at := home + nodePath(node.ID)
	b.has(b.get(at+"/move-requests"), 200, "No request was sent or received here")
	ask := func(message string) page {
		t.Helper()
		p := b.get(at + "/move/ask")
		to, form := b.form(p, "Send the request")
		form.Set("parentId", string(theirs.ID))
		form.Set("message", message)
		return b.has(b.post(to, form), 200, "The request was sent", "Waiting for an answer", "Branch")
	}
	to, form := b.form(b.get(at+"/move/ask"), "Send the request")
	b.has(b.post(to, form), 422, "There is a problem", "Id of the other partner: is required")
	p := ask("Please <b>")
	answer := func(b *browser, p page, act string, texts ...string) page {
		t.Helper()
		to, form := b.form(p, "Send the answer")
		form.Set("act", act)
		return b.has(b.post(to, form), 200, texts...)
	}
	if strings.Contains(p.body, "Accept") || !strings.Contains(p.body, "Withdraw") {
		t.Error("those who asked can accept, or cannot withdraw")
	}
	answer(b, p, "withdraw", "The request was withdrawn", "Withdrawn", "Sent")
	p = ask("Once more")
	seen := cleo.has(cleo.get(home+nodePath(theirs.ID, "move-requests")), 200, "Branch", "Received", "Waiting for an answer")
	seen = cleo.has(cleo.click(seen, "Branch"), 200, "Once more", "Accept", "Decline")
	if strings.Contains(seen.body, "Mine") || strings.Contains(seen.body, "Withdraw") {
		t.Error("the other side sees more than the name")
	}
	answer(cleo, seen, "decline", "The request was declined", "Declined")
	ask("Please do")
	seen = cleo.click(cleo.get(home+nodePath(theirs.ID, "move-requests")), "Branch")
	answer(cleo, seen, "accept", "the move is in effect", "In progress")
	b.has(b.get(at), 404)
	stranger := w.browser()
	stranger.signIn("Bob")
	stranger.has(stranger.get(seen.url.String()), 404)
	stranger.has(stranger.post(seen.url.String(), url.Values{formField: {stranger.formToken()}, "act": {"accept"}}), 404)
}
