package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/guest"
	"example.com/partnertree/shared/metric"
)

const (
	tenant = "11111111-0000-4000-8000-000000000002"
	object = "33333333-0000-4000-8000-000000000009"
	redeem = "https://login.example/redeem?ticket=dGlja2V0"
)

// desk makes guests, of whom it keeps the orders.
type desk struct {
	mu     sync.Mutex
	given  []guest.Order
	answer func(guest.Order) (guest.Outcome, error)
}

func (d *desk) make(_ context.Context, o guest.Order) (guest.Outcome, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.given = append(d.given, o)
	return d.answer(o)
}

func welcomed(guest.Order) (guest.Outcome, error) {
	return guest.Outcome{RedeemURL: redeem, Object: object}, nil
}

// singleTenant gives the brand an app of its own that lets in only its tenant.
func singleTenant(b *brand.Brand) {
	b.App = &brand.App{Client: "22222222-0000-4000-8000-000000000009", Tenant: tenant, SingleTenant: true}
}

func TestWhoNeedsToBeAGuestIsMadeOneFirst(t *testing.T) {
	w := newWorld(t, singleTenant)
	var order []string
	w.desk.answer = func(o guest.Order) (guest.Outcome, error) {
		order = append(order, "guest "+string(w.state()))
		return welcomed(o)
	}
	w.post.answer = func(context.Context) (string, error) {
		order = append(order, fmt.Sprint("mail ", w.state(), w.stored().Guest))
		return "ses-1", nil
	}
	if failed := w.takes(made(2), made(2)); len(failed) > 0 || len(w.post.given) != 1 || len(w.desk.given) != 1 {
		t.Fatalf("%d mails, %d guests, failed: %v\n%s", len(w.post.given), len(w.desk.given), failed, w.log)
	}
	want := []string{"guest queued", fmt.Sprint("mail sending", directory.Guest{Tenant: tenant, Object: object, Of: rootNode})}
	if !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
	link := w.link("https://admin.cobo.example")
	if want := (guest.Order{Tenant: tenant, Email: address, Name: "Amélie", Redirect: link}); w.desk.given[0] != want {
		t.Errorf("ordered %+v, want %+v", w.desk.given[0], want)
	}
	m := w.post.given[0]
	if !strings.Contains(m.Text, redeem+"\n") || !strings.Contains(m.Text, link+"\n") ||
		strings.Index(m.HTML, redeem) > strings.Index(m.HTML, link) {
		t.Errorf("mailed %s", m.Text)
	}
	if w.state() != directory.MailSent || w.stored().MailProblem != "" {
		t.Errorf("%+v", w.stored())
	}
	for _, never := range []string{redeem, "dGlja2V0", address, "/invitations/"} {
		if strings.Contains(w.log.String(), never) {
			t.Errorf("%q is in the log:\n%s", never, w.log)
		}
	}
	if kept := fmt.Sprintf("%+v %v", w.stored(), w.store.Events()); strings.Contains(kept, "dGlja2V0") {
		t.Errorf("the link is kept: %s", kept)
	}
}

func TestNobodyElseIsMadeAGuest(t *testing.T) {
	for name, adjust := range map[string]func(*brand.Brand){
		"no app of its own": func(*brand.Brand) {},
		"any tenant":        func(b *brand.Brand) { singleTenant(b); b.App.SingleTenant = false },
	} {
		w := newWorld(t, adjust)
		if failed := w.takes(made(2)); len(failed) > 0 || len(w.desk.given) > 0 || w.state() != directory.MailSent ||
			w.stored().Guest != (directory.Guest{}) {
			t.Errorf("%s: %d guests, %+v", name, len(w.desk.given), w.stored())
		}
	}
	w := newWorld(t, singleTenant)
	w.desk.answer = func(guest.Order) (guest.Outcome, error) { return guest.Outcome{}, nil } // a member of the tenant
	if failed := w.takes(made(2)); len(failed) > 0 || w.state() != directory.MailSent || w.stored().Guest != (directory.Guest{}) ||
		!strings.Contains(w.post.given[0].Text, "See the invitation:\n"+w.link("https://admin.cobo.example")) {
		t.Errorf("a member: %+v", w.stored())
	}
}

func TestWhoIsRefusedAsAGuestIsMailedNothing(t *testing.T) {
	for _, why := range guest.Refusals {
		w := newWorld(t, singleTenant)
		w.desk.answer = func(guest.Order) (guest.Outcome, error) { return guest.Outcome{Refused: why}, nil }
		if failed := w.takes(made(2), made(2), told("Bounce", 2)); len(failed) > 0 || len(w.post.given) > 0 || len(w.desk.given) != 1 {
			t.Errorf("%s: %d mails, %d orders, failed: %v", why, len(w.post.given), len(w.desk.given), failed)
		}
		if now := w.stored(); now.Mail != directory.MailFailed || now.MailProblem != directory.MailProblem(why) || now.State != directory.InvitationPending {
			t.Errorf("%s: %+v", why, now)
		}
		if lost := strings.Contains(w.log.String(), `"`+metric.MailsLost.Name+`":1`); lost != (why == guest.Rejected) {
			t.Errorf("%s: counted as lost: %v\n%s", why, lost, w.log)
		}
	}
}

// What may be tried again comes back, and is neither claimed nor mailed.
func TestAGuestThatCannotBeMadeNowIsTriedAgain(t *testing.T) {
	w := newWorld(t, singleTenant)
	w.desk.answer = func(guest.Order) (guest.Outcome, error) {
		return guest.Outcome{}, errors.New("the function guests failed")
	}
	for range 2 {
		if failed := w.takes(made(2)); len(failed) != 1 || len(w.post.given) > 0 || w.state() != directory.MailQueued {
			t.Fatalf("%d mails, %s, failed: %v", len(w.post.given), w.state(), failed)
		}
	}
	w.desk.answer = welcomed
	if failed := w.takes(made(2)); len(failed) > 0 || len(w.post.given) != 1 || w.state() != directory.MailSent {
		t.Errorf("%d mails, %s, failed: %v", len(w.post.given), w.state(), failed)
	}
}

// Every call of the store, and of what makes guests, fails once, before it does anything or after it has done all. The message comes
// again until it is done.
func TestNoFailureOnTheWayOfAGuestSendsAMailTwice(t *testing.T) {
	const none, before, after = 0, 1, 2
	for _, desk := range []int{none, before, after} {
		for _, late := range []bool{false, true} {
			for nth := 0; ; nth++ {
				w := newWorld(t, singleTenant)
				begin, crashed, claimed := len(w.store.Calls()), false, false
				crash := func(c directorytest.Call) error {
					if crashed || c.Nth != begin+nth {
						return nil
					}
					crashed, claimed = true, late && c.Name == "Commit"
					return directorytest.Busy()
				}
				if w.store.Before = crash; late {
					w.store.Before, w.store.After = nil, crash
				}
				guests := map[string]bool{}
				w.desk.answer = func(o guest.Order) (guest.Outcome, error) {
					failing := len(w.desk.given) == 1
					if failing && desk == before {
						return guest.Outcome{}, errors.New("the function guests failed")
					}
					guests[object] = true // a repeat is the same guest
					if failing && desk == after {
						return guest.Outcome{}, errors.New("lambda does not answer")
					}
					return welcomed(o)
				}
				tries := 1
				for ; len(w.takes(made(2))) > 0 && tries < 6; tries++ {
				}
				if !crashed {
					if nth < 4 {
						t.Fatalf("only %d calls of the store", nth)
					}
					break
				}
				mails, state := len(w.post.given), w.state()
				lost := mails == 0 && state == directory.MailSending && claimed
				unnoted := mails == 1 && state == directory.MailSending // the last call was the one that failed
				if !lost && !unnoted && (mails != 1 || state != directory.MailSent) || tries > 3 || !guests[object] ||
					w.stored().Guest.Object != object {
					t.Errorf("desk %d, call %d failed (after it: %v): %d mails, %+v after %d tries", desk, nth, late, mails, w.stored(), tries)
				}
			}
		}
	}
}

// Others may send, withdraw or mail the same invitation while the guest is made.
func TestWhatHappensWhileAGuestIsMadeCounts(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*world)
		refused   guest.Refusal
	}{
		"withdrawn":              {func(w *world) { w.edit(func(i *directory.Invitation) { i.State = directory.InvitationRevoked }) }, ""},
		"sent again":             {func(w *world) { w.edit(func(i *directory.Invitation) { i.Generation++ }) }, ""},
		"sent again and refused": {func(w *world) { w.edit(func(i *directory.Invitation) { i.Generation++ }) }, guest.Blocked},
		"mailed by another": {func(w *world) {
			w.edit(func(i *directory.Invitation) { i.Mail = directory.MailSent })
		}, ""},
	} {
		w := newWorld(t, singleTenant)
		w.desk.answer = func(o guest.Order) (guest.Outcome, error) {
			c.meanwhile(w)
			if c.refused != "" {
				return guest.Outcome{Refused: c.refused}, nil
			}
			return welcomed(o)
		}
		if failed := w.takes(made(2)); len(failed) > 0 || len(w.post.given) > 0 || w.stored().MailProblem != "" ||
			w.stored().Guest != (directory.Guest{}) {
			t.Errorf("%s: %d mails, %+v, failed: %v", name, len(w.post.given), w.stored(), failed)
		}
	}
}

// edit changes the invitation as others would.
func (w *world) edit(change func(*directory.Invitation)) {
	w.t.Helper()
	was := w.stored()
	now := *was
	now.Version++
	change(&now)
	w.commit(directory.Put{Was: was, Now: &now, Else: directory.ErrExists})
}

func TestLinksLeadToTheBrandsOwnPortal(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for origin, c := range map[string]struct {
		own  bool
		want string
	}{
		"https://portal.example":    {true, "https://admin.cobo.example"},
		"http://localhost:8080":     {true, "http://admin.cobo.example:8080"},
		"http://localhost:18080":    {false, "http://localhost:18080"},
		"https://[::1]:8443":        {true, "https://admin.cobo.example:8443"},
		"https://portal.example:80": {false, "https://portal.example:80"},
	} {
		w := newWorld(t, func(b *brand.Brand) {
			b.Logo, b.Color = hash, "#112233"
			if singleTenant(b); !c.own {
				b.App = nil
			}
		})
		parsed, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		w.origin = *parsed
		w.takes(made(2))
		m := w.post.given[0]
		logo := strings.Contains(m.HTML, `<img src="`+c.want+"/brands/"+string(brandID)+`/logo?v=0123456789abcdef"`)
		if !strings.Contains(m.Text, w.link(c.want)+"\n") || logo != c.own || strings.Contains(m.HTML, "<img") != c.own ||
			strings.Contains(m.HTML, "#112233") != c.own { // nobody vouches for a brand without an app
			t.Errorf("at %s:\n%s", origin, m.HTML)
		}
	}
}

func TestAGuestIsOrderedOfTheFunction(t *testing.T) {
	order := guest.Order{Tenant: tenant, Email: address, Name: "Amélie", Redirect: "https://admin.cobo.example/invitations/1"}
	for name, c := range map[string]struct {
		status  int
		failed  string // X-Amz-Function-Error
		body    string
		want    guest.Outcome
		problem string
	}{
		"made":     {200, "", `{"redeemUrl":"` + redeem + `","object":"` + object + `"}`, guest.Outcome{RedeemURL: redeem, Object: object}, ""},
		"member":   {200, "", `{}`, guest.Outcome{}, ""},
		"refused":  {200, "", `{"refused":"no-consent"}`, guest.Outcome{Refused: guest.NoConsent}, ""},
		"failed":   {200, "Unhandled", `{"errorMessage":"` + address + `"}`, guest.Outcome{}, "the function guests failed"},
		"denied":   {403, "", `{"Message":"` + address + `"}`, guest.Outcome{}, "lambda answered 403"},
		"too many": {429, "", `{}`, guest.Outcome{}, "lambda answered 429"},
		"nothing":  {200, "", ``, guest.Outcome{}, "the function guests gave no outcome"},
		"half":     {200, "", `{"object":"x"}`, guest.Outcome{}, "the function guests gave half an outcome"},
	} {
		service := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			var got guest.Order
			body, _ := io.ReadAll(r.Body)
			if json.Unmarshal(body, &got) != nil || got != order || r.Method != "POST" ||
				r.URL.Path != "/2015-03-31/functions/the-function/invocations" || r.Header.Get("X-Amz-Invocation-Type") != "" ||
				!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/lambda/aws4_request") {
				t.Errorf("%s: %s %s %s", name, r.Method, r.URL, body)
			}
			if c.failed != "" {
				rw.Header().Set("X-Amz-Function-Error", c.failed)
			}
			rw.WriteHeader(c.status)
			_, _ = io.WriteString(rw, c.body)
		}))
		config := aws.Config{Region: "eu-west-1", BaseEndpoint: &service.URL,
			Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
		out, err := newGuests(config, "the-function").make(t.Context(), order)
		if out != c.want || (err == nil) != (c.problem == "") || err != nil && err.Error() != c.problem {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		service.Close()
		if _, err := newGuests(config, "the-function").make(t.Context(), order); err == nil || err.Error() != "lambda does not answer" {
			t.Errorf("%s: gone: %v", name, err)
		}
	}
}

// The time that one mail may take has room for a guest and the mail.
func TestThereIsTimeForAGuestAndAMail(t *testing.T) {
	if guestFor+sendFor+5*time.Second > perMail {
		t.Errorf("%v and %v in %v", guestFor, sendFor, perMail)
	}
	w := newWorld(t, singleTenant)
	ctx, cancel := context.WithTimeout(t.Context(), perMail-time.Second)
	defer cancel()
	answer, err := w.handle(ctx, events.SQSEvent{Records: []events.SQSMessage{{MessageId: "a", Body: made(2)}}})
	if err != nil || len(answer.BatchItemFailures) != 1 || len(w.desk.given) > 0 {
		t.Errorf("%v, %v", answer, err)
	}
}
