package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/partnertree/infra/local/stack"
)

// invited are the people that the founder invites: each is one of the accounts of the double of Entra.
var invited = []Person{
	{Name: "Alice Le Page", Mail: "alice@vazonbay.example", Role: "admin", At: vazon},
	{Name: "Denis Ogier", Mail: "denis@vazonbay.example", Role: "operator", At: vazon, Invited: true},
	{Name: "Bea Ozanne", Mail: "bea@valetelecom.example", Role: "viewer", At: vale, Invited: true},
}

// invite invites them, and lets those accept who are to have their role.
func (s *seeding) invite(ctx context.Context) error {
	for _, p := range invited {
		if err := s.api.post(ctx, "/v1/partners/"+s.ids[p.At]+"/invitations", key("invitation "+p.Mail), map[string]any{
			"email": p.Mail, "name": p.Name, "role": p.Role, "message": "Welcome to our portal.",
		}, &created{}); err != nil {
			return err
		}
		if !p.Invited {
			if err := s.accept(ctx, p.Mail); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		s.People = append(s.People, p)
	}
	return nil
}

var (
	link   = regexp.MustCompile(`\S+/invitations/\S+`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// accept does what a person does in a browser: it follows the link of the mail, signs in, and accepts.
func (s *seeding) accept(ctx context.Context, address string) error {
	i := slices.IndexFunc(stack.Accounts, func(a stack.Account) bool { return a.Mail == address })
	if i < 0 {
		return errors.New("nobody can sign in with this address")
	}
	open, err := s.mailed(ctx, address)
	if err != nil {
		return err
	}
	b, err := newBrowser()
	if err != nil {
		return err
	}
	page, err := b.get(ctx, open)
	if strings.Contains(page, "can no longer be used") {
		return nil // an interrupted seeding came as far as this
	}
	portal := s.stack.URL // or that of the brand, where the link leads
	if err == nil {
		portal = b.at.Scheme + "://" + b.at.Host
		_, err = b.get(ctx, portal+"/signin?to=/invitation")
	}
	if err == nil { // the double asks who it is, at the address of its page
		page, err = b.post(ctx, b.at.String(), url.Values{"account": {stack.Accounts[i].Tenant + "/" + stack.Accounts[i].ID}})
	}
	if err != nil {
		return err
	}
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], field[2])
	}
	_, err = b.post(ctx, portal+"/invitation", form)
	return err
}

// mailed waits for the mail to an address and answers the link in it.
func (s *seeding) mailed(ctx context.Context, address string) (string, error) {
	for end := time.Now().Add(time.Minute); ; {
		mails, err := s.stack.Mails(ctx)
		if err != nil {
			return "", err
		}
		for _, m := range mails {
			if found := link.FindString(m.Text); found != "" && slices.Contains(m.To, address) {
				return found, nil
			}
		}
		if time.Now().After(end) {
			return "", errors.New("no mail came within a minute")
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// browser keeps cookies and follows redirects.
type browser struct {
	http http.Client
	at   *url.URL // of the last page
}

// jar takes this machine for a site with TLS, as browsers do.
type jar struct{ *cookiejar.Jar }

func (j jar) SetCookies(u *url.URL, cookies []*http.Cookie) { j.Jar.SetCookies(secure(u), cookies) }
func (j jar) Cookies(u *url.URL) []*http.Cookie             { return j.Jar.Cookies(secure(u)) }

func secure(u *url.URL) *url.URL {
	s := *u
	s.Scheme = "https"
	return &s
}

func newBrowser() (*browser, error) {
	cookies, err := cookiejar.New(nil)
	return &browser{http: http.Client{Jar: jar{cookies}, Transport: stack.Transport()}}, err
}

func (b *browser) get(ctx context.Context, address string) (string, error) {
	return b.send(ctx, http.MethodGet, address, nil)
}

func (b *browser) post(ctx context.Context, address string, form url.Values) (string, error) {
	return b.send(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
}

// send answers the page that it leads to, also when that is an error.
func (b *browser) send(ctx context.Context, method, address string, body io.Reader) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return "", err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if b.at = resp.Request.URL; err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s", method, b.at.Path, resp.Status)
	}
	return string(page), err
}
