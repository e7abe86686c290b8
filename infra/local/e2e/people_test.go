package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"example.com/partnertree/infra/local/stack"
	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/graph/graphtest"
)

// company is a tenant of the double; the people of these tests work there.
var company = stack.Accounts[0].Tenant

// hire gives the company somebody who can sign in, with a verified address.
func hire(t *testing.T, id, name string) graphtest.Person {
	t.Helper()
	p := graphtest.Person{ID: "e2e00000-0000-4000-8000-0000000000" + id, Name: name, Mail: strings.ToLower(name) + "@e2e.example", MailVerified: true}
	secretsOfTheRun.add(p.Mail)
	double(t, "/tenants/"+company+"/people", p)
	return p
}

// double tells the double of Entra what its tests do by methods. It fails the test when the double refuses.
func double(t *testing.T, path string, order any) answer {
	t.Helper()
	body, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.Post(deployed.Entra+"/_control"+path, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	got := answer{status: r.StatusCode}
	if got.body, err = io.ReadAll(r.Body); err != nil || got.status/100 != 2 {
		t.Fatalf("the double: %d %s (%v)", got.status, got.body, err)
	}
	return got
}

// platformApp is the app by which people sign in where no brand has one.
func platformApp(t *testing.T) stage.Entra {
	t.Helper()
	config, err := stage.Named(stage.Local)
	if err != nil {
		t.Fatal(err)
	}
	return config.Entra
}

// accessToken is what Entra would give an app of the person's for this API. No two are alike.
func accessToken(t *testing.T, app string, p graphtest.Person) actor {
	t.Helper()
	token := double(t, "/tokens", graphtest.TokenOrder{App: app, Tenant: company, Person: p.ID, Change: map[string]any{"uti": rand.Text()}}).get(t, "token")
	secretsOfTheRun.add(token)
	return actor{key: token}
}

// at is the actor under another host name.
func (a actor) at(origin string) actor { return actor{a.key, origin} }

func (a actor) invite(t *testing.T, node, role string, p graphtest.Person) string {
	t.Helper()
	return a.do(t, 201, "POST", pathOf(node)+"/invitations", map[string]any{
		"email": p.Mail, "name": p.Name, "role": role, "message": "Welcome aboard.",
	}).get(t, "id")
}

var linkInText = regexp.MustCompile(`\S+/invitations/\S+`)

// mailed waits for the n-th mail to the person, and answers its link to the platform's portal.
func mailed(t *testing.T, p graphtest.Person, n int) (link string) {
	t.Helper()
	link, _ = mailedAt(t, deployed.URL, p, n)
	return link
}

// mailedAt waits for the n-th mail to the person, and answers its link to the portal at an origin, and the mail.
func mailedAt(t *testing.T, origin string, p graphtest.Person, n int) (link string, m stack.Mail) {
	t.Helper()
	until(t, "the mail to "+p.Name, time.Minute, func() (bool, error) {
		mails, err := deployed.Mails(context.Background())
		mails = slices.DeleteFunc(mails, func(m stack.Mail) bool { return !slices.Contains(m.To, p.Mail) })
		if err != nil || len(mails) < n {
			return false, err
		}
		if len(mails) > n {
			return false, fmt.Errorf("%d mails instead of %d", len(mails), n)
		}
		m = mails[0]
		link = linkInText.FindString(m.Text)
		if !strings.Contains(m.HTML, link) || !strings.Contains(m.Text, "Welcome aboard.") || !strings.Contains(m.Text, p.Name) {
			return false, fmt.Errorf("the mail says %s and %s", m.Text, m.HTML)
		}
		return true, nil
	})
	if !strings.HasPrefix(link, origin+"/invitations/") {
		t.Fatalf("the link of the mail is %q", link)
	}
	secretsOfTheRun.add(strings.TrimPrefix(link, origin+"/invitations/"))
	return link, m
}

// secrets are what must not be in any log.
type secrets struct {
	mu   sync.Mutex
	seen []string
}

var secretsOfTheRun secrets

func (s *secrets) add(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, text)
}

func (s *secrets) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// person is somebody at a browser.
type person struct {
	t   *testing.T
	ctx context.Context
}

// browser starts a browser that knows nothing yet.
func browser(t *testing.T) person {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && program == "" {
			program = found
		}
	}
	if program == "" {
		t.Fatal("this test needs Chromium: install it (on Debian: apt-get install chromium; on Ubuntu and macOS Google Chrome does, too)")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.WindowSize(900, 1000))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it does not start otherwise; it visits this machine only
	}
	allocated, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, quit := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		quit()
		end()
	})
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the browser lives as long as its first context
		t.Fatalf("%s does not start: %v", program, err)
	}
	return person{t, ctx}
}

// does takes steps in the browser, and answers what the page says afterwards.
func (p person) does(what string, steps ...chromedp.Action[chromedp.Void]) string {
	p.t.Helper()
	return p.sees(what, func(ctx context.Context) error { return chromedp.Do(ctx, steps...) })
}

func (p person) sees(what string, do func(context.Context) error) (page string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 40*time.Second)
	defer cancel()
	err := do(ctx)
	if err == nil {
		err = chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS("h1")))
	}
	if err == nil {
		page, err = chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	}
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
	return page
}

// presses clicks on the button or link with this text, and waits for the page that comes.
func (p person) presses(text string) string {
	p.t.Helper()
	return p.sees("press "+text, func(ctx context.Context) error {
		_, err := chromedp.RunResponse(ctx, chromedp.Click(fmt.Sprintf(`//main//*[self::a or self::button][contains(., %q)]`, text)))
		return err
	})
}

func (p person) opens(address string) string {
	p.t.Helper()
	return p.does("open "+strings.TrimPrefix(address, deployed.URL), chromedp.Navigate(address))
}

// learns takes a look at something in the browser.
func learns[T any](p person, look chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 40*time.Second)
	defer cancel()
	found, err := chromedp.Run(ctx, look)
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// has fails the test unless the page says all of this.
func (p person) has(page string, all ...string) {
	p.t.Helper()
	for _, want := range all {
		if !strings.Contains(page, want) {
			p.t.Fatalf("the page does not say %q but %s", want, page)
		}
	}
}

// An API client invites a person, who follows the link of the mail, signs in, accepts and sees the partner and what is below it; and
// nothing any more from the first request after the role was taken away.
func TestAPersonIsInvitedAndComesIn(t *testing.T) {
	f := founder()
	brand := f.brand(t, "people.example")
	vazon := f.partner(t, root(), "Vazon of the people", brand)
	vale := f.partner(t, vazon, "Vale of the people", brand)
	below := f.partner(t, vale, "Below of the people", brand)
	beside := f.partner(t, vazon, "Beside of the people", brand)
	inviter, _ := f.client(t, vazon, "admin")
	ann, other := hire(t, "01", "Ann"), hire(t, "02", "Otto")

	invitation := inviter.invite(t, vale, "viewer", ann)
	link := mailed(t, ann, 1)
	until(t, "the invitation says that its mail was sent", 30*time.Second, func() (bool, error) {
		return inviter.do(t, 200, "GET", "/v1/invitations/"+invitation, nil).get(t, "mail") == "sent", nil
	})

	// The wrong person hears that it is not for them, and gets nothing.
	otto := browser(t)
	otto.has(otto.opens(link), "Vale of the people", "Sign in with Microsoft")
	otto.presses("Sign in with Microsoft")
	otto.has(otto.presses(other.Name), other.Mail, "This invitation is for another address")
	otto.has(otto.opens(deployed.URL+"/me"), "You have no access to anything")

	b := browser(t)
	b.has(b.opens(link), "You are invited to “Vale of the people”", "viewer", "Welcome aboard.")
	if address := learns(b, chromedp.Location()); address != deployed.URL+"/invitation" {
		t.Errorf("the address is %s: the token has to leave it", address)
	}
	b.has(b.presses("Sign in with Microsoft"), "Sign in to Partner management", ann.Name)
	b.has(b.presses(ann.Name), "You are signed in as Ann", "Accept the invitation")
	page := b.presses("Accept the invitation")
	b.has(page, "Your access", "Vale of the people", "viewer", "You have accepted the invitation to Vale of the people.")
	for _, hidden := range []string{"Vazon of the people", "Beside of the people", "Cloudvendor"} {
		if strings.Contains(page, hidden) {
			t.Errorf("the page shows %s: %s", hidden, page)
		}
	}
	session := b.session(deployed.URL)
	if !session.HTTPOnly || !session.Secure || session.SameSite != network.CookieSameSiteLax || session.Path != "/" {
		t.Errorf("the session's cookie: %+v", session)
	}

	// The link was used.
	b.has(b.opens(link), "You have already accepted this invitation", "To your access")
	otto.has(otto.opens(link), "This invitation can no longer be used")

	// The same person at the API, with what Entra gives them for it.
	api := accessToken(t, platformApp(t).ClientID, ann)
	me := api.do(t, 200, "GET", "/v1/me", nil).get(t, "principal", "id")
	if got := api.do(t, 200, "GET", pathOf(vale)+"/tree", nil); !strings.Contains(string(got.body), below) {
		t.Errorf("the tree: %s", got.body)
	}
	api.do(t, 200, "GET", pathOf(below), nil)
	for _, hidden := range []string{vazon, beside, root()} {
		api.do(t, 404, "GET", pathOf(hidden), nil)
	}
	api.do(t, 403, "POST", "/v1/partners", newPartner(vale, "No", brand))
	accessToken(t, platformApp(t).ClientID, other).do(t, 404, "GET", pathOf(vale), nil)
	if users := inviter.do(t, 200, "GET", pathOf(vale)+"/users", nil); !strings.Contains(string(users.body), me) {
		t.Errorf("the users: %s", users.body)
	}

	// The next request of a running session, and of a token that is still good, is denied.
	b.has(b.opens(deployed.URL+"/me"), "Vale of the people")
	inviter.do(t, 204, "DELETE", pathOf(vale)+"/users/"+me, nil)
	api.do(t, 404, "GET", pathOf(vale), nil)
	b.has(b.opens(deployed.URL+"/me"), "You have no access to anything")
	b.has(b.presses("Sign out"), "You have signed out")
	api.do(t, 204, "POST", "/v1/me/sign-out-everywhere", nil)
	api.do(t, 401, "GET", "/v1/me", nil)
}

// session is the cookie of the portal's session at an origin.
func (p person) session(origin string) *network.Cookie {
	p.t.Helper()
	all := learns(p, func(ctx context.Context, _ *chromedp.Target) (network.GetCookiesResult, error) {
		return chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{origin}})
	})
	i := slices.IndexFunc(all.Cookies, func(c *network.Cookie) bool { return c.Name == "__Host-session" })
	if i < 0 {
		p.t.Fatal("there is no session")
	}
	secretsOfTheRun.add(all.Cookies[i].Value)
	return all.Cookies[i]
}

func TestALinkThatWasWithdrawnOrReplacedGivesNothing(t *testing.T) {
	f := founder()
	brand := f.brand(t, "withdrawn.example")
	partner := f.partner(t, root(), "Withdrawn", brand)
	inviter, client := f.client(t, partner, "admin")
	mia := hire(t, "03", "Mia")
	b := browser(t)
	b.has(b.opens(deployed.URL+"/signin"), mia.Name)
	b.has(b.presses(mia.Name), "You have no access to anything")

	revoked := inviter.invite(t, partner, "viewer", mia)
	link := mailed(t, mia, 1)
	b.has(b.opens(link), "You are invited to “Withdrawn”", "Accept the invitation")
	inviter.do(t, 200, "DELETE", "/v1/invitations/"+revoked, nil)
	b.has(b.presses("Accept the invitation"), "This invitation can no longer be used", "withdrawn")
	b.has(b.opens(link), "This invitation can no longer be used", "withdrawn")
	b.has(b.opens(link[:len(link)-1]), "This invitation does not exist")

	// Who invited has lost the right to: that counts when it is accepted.
	inviter.invite(t, partner, "viewer", mia)
	link = mailed(t, mia, 2)
	b.has(b.opens(link), "Accept the invitation")
	f.do(t, 204, "DELETE", "/v1/api-clients/"+client, nil)
	b.has(b.presses("Accept the invitation"), "This invitation can no longer be used")
	b.has(b.opens(deployed.URL+"/me"), "You have no access to anything")
}

func TestTheMailboxShowsMails(t *testing.T) {
	f := founder()
	partner := f.partner(t, root(), "Mailbox", f.brand(t, "mailbox.example"))
	leo := hire(t, "04", "Leo")
	f.invite(t, partner, "viewer", leo)
	mailed(t, leo, 1)
	b := browser(t)
	b.has(b.opens(deployed.Mailbox()), leo.Mail, "Mailbox")
	sandbox := learns(b, chromedp.AttributeValue(chromedp.CSS("iframe"), "sandbox")).Value
	if sandbox == "" || strings.Contains(sandbox, "allow-scripts") || strings.Contains(sandbox, "allow-same-origin") {
		t.Errorf("mails are framed with sandbox %q", sandbox)
	}
}
