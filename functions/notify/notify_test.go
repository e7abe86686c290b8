package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/functions/internal/golden"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/guest"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/mail"
	"example.com/partnertree/shared/metric"
)

const (
	address    = "Amelie.LePage@vale.example"
	invitation = ident.Invitation("inv_0000000000000011")
	rootNode   = ident.Node("ptn_0000000000000001")
	inviter    = ident.Principal("cli_0000000000000001")
	brandID    = ident.Brand("brd_0000000000000001")
)

// noon is the time in all of these tests: mails and recorded payloads name it.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world is the function with a store in which somebody is invited, and a sender that keeps what it is given.
type world struct {
	*notify
	t     *testing.T
	store *directorytest.Fake
	log   *bytes.Buffer
	post  *post
	desk  *desk
}

// post is a sender. answer says what becomes of a mail that it is given.
type post struct {
	mu     sync.Mutex
	given  []mail.Message
	about  []link
	answer func(context.Context) (string, error)
}

func (p *post) send(ctx context.Context, m mail.Message, about link) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given, p.about = append(p.given, m), append(p.about, about)
	return p.answer(ctx)
}

func sent(context.Context) (string, error) { return "ses-1", nil }

// newWorld takes what the brand is besides its name.
func newWorld(t *testing.T, adjust ...func(*brand.Brand)) *world {
	t.Helper()
	w := &world{t: t, store: new(directorytest.Fake), log: new(bytes.Buffer), post: &post{answer: sent}, desk: &desk{answer: welcomed}}
	b := brand.Brand{ID: brandID, Owner: rootNode, Name: "Cobo Voice", Domain: "cobo.example", State: brand.Draft, Version: 1, Created: noon}
	for _, f := range adjust {
		f(&b)
	}
	w.notify = &notify{directory: directory.New(w.store, func() time.Time { return noon }), guests: w.desk, sender: w.post,
		origin: url.URL{Scheme: "https", Host: "portal.example"}, stage: "test", now: func() time.Time { return noon },
		log: slog.New(slog.NewJSONHandler(w.log, nil))}
	root := hierarchy.Node{ID: rootNode, Name: "Vale & Sons", Version: 1, Created: noon, Updated: noon,
		Place: hierarchy.Place{Path: hierarchy.Path("").Child(rootNode)}, Brands: hierarchy.Brands{Uses: map[ident.Brand]int64{}}}
	w.commit(directory.AddTree{Root: rootNode, Else: directory.ErrExists}, directory.AddNode{Node: root})
	w.commit(directory.Put{Now: &b, Else: directory.ErrExists},
		directory.OwnBrand{Brand: b.ID, Owner: &root, Else: func(*hierarchy.Node) error { return directory.ErrExists }})
	branded := w.read(directory.Want{Nodes: []ident.Node{rootNode}}).Nodes[rootNode]
	edited := *branded
	edited.Brands.Portal, edited.Version = brandID, branded.Version+1
	w.commit(directory.EditNode{Was: branded, Now: &edited, Else: func(*hierarchy.Node) error { return directory.ErrExists }})
	w.commit(directory.Put{Else: directory.ErrExists, Now: &access.Principal{ID: inviter, Name: "Founder", Home: rootNode, Version: 1, Created: noon,
		Grants: map[ident.Node]access.Role{rootNode: access.Owner}}})
	ring := credential.Keyring{{ID: 1, Secret: [32]byte{1, 2, 3}, Created: noon}}
	token, _ := ring.InvitationToken(1, invitation, 2)
	w.commit(directory.Put{Now: &ring, Else: directory.ErrExists})
	w.commit(directory.Put{Else: directory.ErrExists, Now: &directory.Invitation{ID: invitation, Node: rootNode,
		Email: address, Name: "Amélie", Role: access.Admin, By: inviter, State: directory.InvitationPending, Created: noon,
		Expires: noon.Add(7 * 24 * time.Hour), Sent: noon, Generation: 2, Key: 1, Hash: token.Hash(), Mail: directory.MailQueued, Version: 1}})
	return w
}

func (w *world) commit(steps ...directory.Step) {
	w.t.Helper()
	if err := w.store.Commit(w.t.Context(), steps...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(want directory.Want) directory.Got {
	w.t.Helper()
	got, err := w.store.Read(w.t.Context(), want)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// ring is the keyring.
func (w *world) ring() *credential.Keyring {
	w.t.Helper()
	return credential.Keyrings.In(w.read(directory.Want{Records: credential.Keyrings.Refs(credential.TheKeyring)}).Records, credential.TheKeyring)
}

// stored is the invitation.
func (w *world) stored() *directory.Invitation {
	w.t.Helper()
	return directory.Invitations.In(w.read(directory.Want{Records: directory.Invitations.Refs(invitation)}).Records, invitation)
}

// state is what the invitation says of its mail.
func (w *world) state() directory.MailState { return w.stored().Mail }

// link is the invitation's, at a site.
func (w *world) link(site string) string {
	w.t.Helper()
	token, _ := w.ring().InvitationToken(1, invitation, 2)
	return site + "/invitations/" + token.Text()
}

// takes gives the function a batch, and returns which messages failed: their places in it.
func (w *world) takes(bodies ...string) []string {
	w.t.Helper()
	var batch events.SQSEvent
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: body})
	}
	answer, err := w.handle(w.t.Context(), batch)
	if err != nil {
		w.t.Fatal(err)
	}
	failed := []string{}
	for _, f := range answer.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

func made(generation int) string {
	return fmt.Sprintf(`{"id":"1","source":"partnertree","detail-type":"invitation.made","detail":{"id":"evt_0000000000000001",`+
		`"type":"invitation.made","data":{"invitationId":"%s","generation":%d,"role":"admin","name":"Amélie"}}}`, invitation, generation)
}

func told(kind string, generation int) string {
	return fmt.Sprintf(`{"source":"aws.ses","detail":{"eventType":"%s","mail":{"messageId":"ses-1",`+
		`"tags":{"invitation":["%s"],"generation":["%d"]}}}}`, kind, invitation, generation)
}

// Anybody can make a brand of any name. It is in mails only when the vendor has given the brand an app.
func TestTheLinkIsMailedInTheNameOfABrandThatIsVouchedFor(t *testing.T) {
	for _, c := range []struct {
		adjust       func(*brand.Brand)
		sender, site string
	}{
		{func(*brand.Brand) {}, "", "https://portal.example"},
		{func(b *brand.Brand) { singleTenant(b); b.App.SingleTenant = false }, "Cobo Voice", "https://admin.cobo.example"},
	} {
		w := newWorld(t, c.adjust)
		if failed := w.takes(made(2)); len(failed) > 0 || len(w.post.given) != 1 {
			t.Fatalf("%d mails, failed: %v\n%s", len(w.post.given), failed, w.log)
		}
		m, want := w.post.given[0], w.link(c.site)
		if m.To != address || m.Sender != c.sender || !strings.Contains(m.Text, want+"\n") || !strings.Contains(m.HTML, `href="`+want+`"`) ||
			strings.Contains(m.HTML+m.Subject, "Cobo Voice") != (c.sender != "") {
			t.Errorf("%+v", m)
		}
		if w.post.about[0] != (link{invitation, 2}) || w.state() != directory.MailSent {
			t.Errorf("about %v, state %s", w.post.about, w.state())
		}
	}
}

func TestAnEventThatComesOftenIsMailedOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := w.handle(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{Body: made(2)}, {Body: made(2)}}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(w.post.given) != 1 {
		t.Errorf("%d mails", len(w.post.given))
	}
}

// Every call of the store fails once, before it does anything or after it has done all. The message comes again until it is done.
func TestNoFailureOfTheTableSendsAMailTwice(t *testing.T) {
	for _, after := range []bool{false, true} {
		for nth := 0; ; nth++ {
			w := newWorld(t)
			begin, crashed := len(w.store.Calls()), false
			var applied bool // the commit that claims
			crash := func(c directorytest.Call) error {
				if crashed || c.Nth != begin+nth {
					return nil
				}
				crashed, applied = true, after && c.Name == "Commit"
				return directorytest.Busy()
			}
			if w.store.Before = crash; after {
				w.store.Before, w.store.After = nil, crash
			}
			tries := 1
			for ; len(w.takes(made(2))) > 0 && tries < 5; tries++ {
			}
			if !crashed {
				if nth < 4 {
					t.Fatalf("only %d calls of the store", nth)
				}
				break
			}
			mails, state := len(w.post.given), w.state()
			lost := mails == 0 && state == directory.MailSending && applied
			unnoted := mails == 1 && state == directory.MailSending // the last call was the one that failed
			if counted := strings.Contains(w.log.String(), `"`+metric.MailsLost.Name+`":1`); counted != lost {
				t.Errorf("call %d failed (after it: %v): counted as lost: %v", nth, after, counted)
			}
			if !lost && !unnoted && (mails != 1 || state != directory.MailSent) || tries > 2 {
				t.Errorf("call %d failed (after it: %v): %d mails, %s after %d tries", nth, after, mails, state, tries)
			}
		}
	}
}

func TestWhatBecomesOfAMail(t *testing.T) {
	for name, c := range map[string]struct {
		answer error
		state  directory.MailState
		lost   bool
	}{
		"sent":    {nil, directory.MailSent, false},
		"refused": {refusal("MessageRejected"), directory.MailFailed, true},
		"unknown": {errors.New("SES does not answer"), directory.MailSending, true},
	} {
		w := newWorld(t)
		w.post.answer = func(context.Context) (string, error) { return "ses-1", c.answer }
		for range 2 {
			if failed := w.takes(made(2)); len(failed) > 0 {
				t.Errorf("%s: the message comes again", name)
			}
		}
		if len(w.post.given) != 1 || w.state() != c.state {
			t.Errorf("%s: %d mails, %s, want %s", name, len(w.post.given), w.state(), c.state)
		}
		if lost := strings.Contains(w.log.String(), `"`+metric.MailsLost.Name+`":1`); lost != c.lost {
			t.Errorf("%s: counted as lost: %v\n%s", name, lost, w.log)
		}
	}
}

func TestWhatIsNotWantedAnyMoreIsNotMailed(t *testing.T) {
	w := newWorld(t)
	elsewhere := strings.ReplaceAll(made(2), string(invitation), "inv_0000000000000099")
	if failed := w.takes(made(1), made(3), elsewhere); len(failed) > 0 || len(w.post.given) > 0 || w.state() != directory.MailQueued {
		t.Errorf("%d mails, failed: %v", len(w.post.given), failed)
	}
	was := directory.Invitations.In(w.read(directory.Want{Records: directory.Invitations.Refs(invitation)}).Records, invitation)
	now := *was
	now.State, now.Version = directory.InvitationRevoked, was.Version+1
	w.commit(directory.Put{Was: was, Now: &now, Else: directory.ErrExists})
	if failed := w.takes(made(2)); len(failed) > 0 || len(w.post.given) > 0 {
		t.Errorf("%d mails about a revoked invitation, failed: %v", len(w.post.given), failed)
	}
}

// Nobody is mailed, or made a guest, for somebody who may not invite any more.
func TestNothingIsMailedForWhoLostTheRight(t *testing.T) {
	w := newWorld(t, singleTenant)
	was := access.Principals.In(w.read(directory.Want{Records: access.Principals.Refs(inviter)}).Records, inviter)
	now := *was
	now.Grants, now.Version = map[ident.Node]access.Role{rootNode: access.Operator}, was.Version+1
	w.commit(directory.Put{Was: was, Now: &now, Else: directory.ErrExists})
	if failed := w.takes(made(2), made(2)); len(failed) > 0 || len(w.post.given) > 0 || len(w.desk.given) > 0 {
		t.Errorf("%d mails, %d guests, failed: %v", len(w.post.given), len(w.desk.given), failed)
	}
	if now := w.stored(); now.Mail != directory.MailFailed || now.MailProblem != directory.InvitationVoid {
		t.Errorf("%+v", now)
	}
	if strings.Contains(w.log.String(), metric.MailsLost.Name) {
		t.Errorf("counted as lost: %s", w.log)
	}
}

func TestBouncesAndComplaintsComeBack(t *testing.T) {
	for _, c := range []struct {
		bodies []string
		want   directory.MailState
	}{
		{[]string{made(2), told("Bounce", 2)}, directory.MailBounced},
		{[]string{made(2), told("Complaint", 2)}, directory.MailComplained},
		{[]string{made(2), told("Reject", 2)}, directory.MailFailed},
		{[]string{made(2), told("Bounce", 2), made(2)}, directory.MailBounced},
		{[]string{made(2), told("Bounce", 1)}, directory.MailSent}, // an earlier link's
		{[]string{told("Bounce", 2)}, directory.MailQueued},        // nothing was sent
	} {
		w := newWorld(t)
		if failed := w.takes(c.bodies...); len(failed) > 0 || w.state() != c.want {
			t.Errorf("%q: %s, want %s; failed: %v", c.bodies, w.state(), c.want, failed)
		}
	}
	// It may come before the sending is noted.
	w := newWorld(t)
	w.post.answer = func(ctx context.Context) (string, error) {
		return "ses-1", w.take(ctx, told("Bounce", 2))
	}
	if failed := w.takes(made(2)); len(failed) > 0 || w.state() != directory.MailBounced {
		t.Errorf("a bounce that is faster: %s; failed: %v", w.state(), failed)
	}
}

// What cannot be read ends where somebody looks at it, and takes nothing along.
func TestOneBadMessageFailsAlone(t *testing.T) {
	w := newWorld(t)
	bad := []string{"", "[]", `{"source":"aws.s3"}`, `{"source":"partnertree","detail":{"id":"evt_1","data":{}}}`,
		`{"source":"partnertree","detail":3}`, `{"source":"aws.ses","detail":3}`, told("Delivery", 2), told("Bounce", 2)[:40],
		`{"source":"aws.ses","detail":{"eventType":"Bounce","mail":{"tags":{}}}}`}
	failed := w.takes(slices.Concat(bad, []string{made(2)})...)
	if len(failed) != len(bad) || slices.Contains(failed, fmt.Sprint(len(bad))) || w.state() != directory.MailSent {
		t.Errorf("failed: %v of %d, state %s", failed, len(bad), w.state())
	}
	w.store.Before = func(directorytest.Call) error { return directorytest.Busy() }
	if failed := w.takes(told("Bounce", 2)); len(failed) != 1 {
		t.Error("a bounce is lost when the table does not answer")
	}
}

// A mail that is begun must not be cut off by the end of the invocation.
func TestNothingIsBegunWithTooLittleTime(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), perMail-time.Second)
	defer cancel()
	answer, err := w.handle(ctx, events.SQSEvent{Records: []events.SQSMessage{{MessageId: "a", Body: made(2)}}})
	if err != nil || len(answer.BatchItemFailures) != 1 || w.state() != directory.MailQueued {
		t.Errorf("%v, %v, %s", answer, err, w.state())
	}
}

func TestLogsHaveNoAddressAndNoLink(t *testing.T) {
	w := newWorld(t)
	for _, answer := range []error{nil, refusal("MessageRejected"), errors.New("SES answered 500")} {
		v := newWorld(t)
		v.post.answer = func(context.Context) (string, error) { return "ses-1", answer }
		v.takes(made(2), made(2), told("Bounce", 2), address, made(2)[:60]+address, strings.Replace(told("Bounce", 2), "Bounce", address, 1))
		w.log.Write(v.log.Bytes())
	}
	text := w.log.String()
	token, _ := w.ring().InvitationToken(1, invitation, 2)
	for _, never := range []string{address, "vale.example", token.Text(), token.Text()[20:], "/invitations/", "Amélie"} {
		if strings.Contains(text, never) {
			t.Errorf("the log has %q:\n%s", never, text)
		}
	}
	for _, needed := range []string{"evt_0000000000000001", string(invitation), `"outcome":"sent"`, `"outcome":"bounced"`, `"mail":"ses-1"`} {
		if !strings.Contains(text, needed) {
			t.Errorf("the log has no %s:\n%s", needed, text)
		}
	}
}

// The recorded messages, with what is sent for them and what the invitation says then. Tokens are replaced.
func TestGolden(t *testing.T) {
	golden.Run(t, "notify", func(t *testing.T, payload []byte) any {
		w := newWorld(t)
		var batch events.SQSEvent
		if err := json.Unmarshal(payload, &batch); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(t.Name(), "guest") {
			w = newWorld(t, singleTenant)
			if strings.Contains(t.Name(), "refused") {
				w.desk.answer = func(guest.Order) (guest.Outcome, error) { return guest.Outcome{Refused: guest.NoConsent}, nil }
			}
		}
		answer, err := w.handle(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		token, _ := w.ring().InvitationToken(1, invitation, 2)
		mails := []map[string]string{}
		for _, m := range w.post.given {
			mails = append(mails, map[string]string{"from": m.Sender, "to": m.To, "subject": m.Subject,
				"text": strings.ReplaceAll(m.Text, token.Text(), "TOKEN")})
		}
		now := w.stored()
		got := map[string]any{"answer": answer, "mails": mails, "state": now.Mail}
		if now.MailProblem != "" {
			got["problem"] = now.MailProblem
		}
		if now.Guest != (directory.Guest{}) {
			got["guest"] = now.Guest
		}
		return got
	})
}
