package graphtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"example.com/partnertree/shared/graph/graphtest"
)

const (
	contoso  = "aaaaaaaa-0000-4000-8000-000000000001" // the partner
	fabrikam = "aaaaaaaa-0000-4000-8000-000000000002" // another company
	ann      = "bbbbbbbb-0000-4000-8000-000000000001" // administrator at contoso
	bob      = "bbbbbbbb-0000-4000-8000-000000000002" // at contoso, with an address that nobody vouches for
	cleo     = "bbbbbbbb-0000-4000-8000-000000000003" // at fabrikam
	dan      = "bbbbbbbb-0000-4000-8000-000000000004" // at fabrikam, administrator
	eve      = "bbbbbbbb-0000-4000-8000-000000000005" // at fabrikam, disabled
	multi    = "cccccccc-0000-4000-8000-000000000001" // multi-tenant app of contoso
	single   = "cccccccc-0000-4000-8000-000000000002" // single-tenant app of contoso
	onboard  = "cccccccc-0000-4000-8000-000000000003" // the platform's app that calls Graph
	nobody   = "dddddddd-0000-4000-8000-000000000001"
	redirect = "https://admin.contoso.example/signin"
	password = "a secret of the app"
)

func directory() graphtest.Directory {
	claims := []string{"email", "xms_edov"}
	return graphtest.Directory{
		Tenants: []graphtest.Tenant{
			{ID: contoso, Name: "Contoso", Domains: []string{"contoso.example", "contoso.onmicrosoft.com"}, People: []graphtest.Person{
				{ID: ann, Name: "Ann Admin", Mail: "ann@contoso.example", MailVerified: true, Admin: true},
				{ID: bob, Name: "Bob <Builder>", Mail: "bob@elsewhere.example", UPN: "bob@contoso.example"},
			}},
			{ID: fabrikam, Name: "Fabrikam", Domains: []string{"fabrikam.example"}, People: []graphtest.Person{
				{ID: cleo, Name: "Cleo", Mail: "cleo@fabrikam.example", MailVerified: true},
				{ID: dan, Name: "Dan", Mail: "dan@fabrikam.example", MailVerified: true, Admin: true},
				{ID: eve, Name: "Eve", Mail: "eve@fabrikam.example", MailVerified: true, Disabled: true},
			}},
		},
		Apps: []graphtest.App{
			{ID: multi, Name: "Partner portal", Tenant: contoso, Audience: graphtest.MultiTenant, RedirectURIs: []string{redirect},
				Secrets: []string{password}, Scopes: []string{"access_as_user"}, OptionalClaims: claims},
			{ID: single, Name: "Contoso portal", Tenant: contoso, Audience: graphtest.SingleTenant, RedirectURIs: []string{redirect},
				Secrets: []string{password}, Scopes: []string{"access_as_user"}, OptionalClaims: claims},
			{ID: onboard, Name: "Onboarding", Tenant: fabrikam, Audience: graphtest.MultiTenant, RedirectURIs: []string{redirect},
				Secrets: []string{password}, Permissions: []string{"Application.ReadWrite.OwnedBy", "User.Invite.All"}},
		},
	}
}

// browser follows no redirect by itself and keeps cookies.
type browser struct {
	t    *testing.T
	http *http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is what a browser shows, or where it is sent.
type page struct {
	status int
	body   string
	url    *url.URL // of the page
	to     *url.URL // of a redirect
	header http.Header
}

func (b *browser) open(address string) page {
	b.t.Helper()
	resp, err := b.http.Get(address)
	return b.read(resp, err)
}

func (b *browser) read(resp *http.Response, err error) page {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	p := page{status: resp.StatusCode, body: string(body), url: resp.Request.URL, header: resp.Header}
	if resp.StatusCode/100 == 3 {
		if p.to, err = resp.Location(); err != nil {
			b.t.Fatal(err)
		}
	}
	return p
}

var (
	formPattern   = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	buttonPattern = regexp.MustCompile(`<button name="account" value="([^"]*)">([^<]*)`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// buttons are those of the page, by what they say.
func (p page) buttons() map[string]string {
	found := map[string]string{}
	for _, m := range buttonPattern.FindAllStringSubmatch(p.body, -1) {
		found[html.UnescapeString(m[2])] = html.UnescapeString(m[1])
	}
	return found
}

// press sends the page's form by one of its buttons.
func (b *browser) press(p page, button string) page {
	b.t.Helper()
	value, ok := p.buttons()[button]
	if !ok {
		b.t.Fatalf("no button %q on a page with status %d: %s", button, p.status, p.body)
	}
	return b.send(p, url.Values{"account": {value}})
}

func (b *browser) send(p page, form url.Values) page {
	b.t.Helper()
	action := formPattern.FindStringSubmatch(p.body)
	if action == nil {
		b.t.Fatalf("no form on the page: %s", p.body)
	}
	target, err := p.url.Parse(html.UnescapeString(action[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.http.PostForm(target.String(), form)
	return b.read(resp, err)
}

// oauth is how the app with this id talks to the double at a tenant.
func oauth(s *graphtest.Server, app, tenant string, scopes ...string) *oauth2.Config {
	if scopes == nil {
		scopes = []string{"openid", "profile", "email", "offline_access", "api://" + app + "/access_as_user"}
	}
	return &oauth2.Config{ClientID: app, ClientSecret: password, RedirectURL: redirect, Scopes: scopes, Endpoint: oauth2.Endpoint{
		AuthURL: s.URL + "/" + tenant + "/oauth2/v2.0/authorize", TokenURL: s.URL + "/" + tenant + "/oauth2/v2.0/token",
		AuthStyle: oauth2.AuthStyleInParams,
	}}
}

// verifier is a PKCE verifier of the right size.
const verifier = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

// signInURL is where the app sends the browser, with changes: an empty value takes a parameter out.
func signInURL(c *oauth2.Config, change url.Values) string {
	u, err := url.Parse(c.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "the nonce")))
	if err != nil {
		panic(err)
	}
	q := u.Query()
	for name, values := range change {
		if values[0] == "" {
			q.Del(name)
		} else {
			q[name] = values
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// code signs in as the person with that name.
func (b *browser) code(c *oauth2.Config, name string) string {
	b.t.Helper()
	back := b.press(b.open(signInURL(c, url.Values{"prompt": {"select_account"}})), name)
	if back.to == nil || back.to.Query().Get("code") == "" {
		b.t.Fatalf("signing in as %s leads to %v: %s", name, back.to, back.body)
	}
	return back.to.Query().Get("code")
}

// signIn goes all the way to the tokens.
func signIn(t *testing.T, c *oauth2.Config, name string) *oauth2.Token {
	t.Helper()
	token, err := c.Exchange(t.Context(), newBrowser(t).code(c, name), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// claims reads a token without checking it.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	_, rest, _ := strings.Cut(token, ".")
	middle, _, _ := strings.Cut(rest, ".")
	var c map[string]any
	if err := json.Unmarshal(decode(t, middle), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// refusedWith wants the token endpoint to have refused with this AADSTS number.
func refusedWith(t *testing.T, err error, code, number string) {
	t.Helper()
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || answer.ErrorCode != code || !strings.HasPrefix(answer.ErrorDescription, "AADSTS"+number+":") {
		t.Errorf("got %v, want %s with AADSTS%s", err, code, number)
	}
}

// send sends JSON and reads JSON.
func send(t *testing.T, method, address, token string, body any, header ...string) (int, map[string]any) {
	t.Helper()
	var content bytes.Buffer
	if raw, ok := body.([]byte); ok {
		content.Write(raw)
	} else if body != nil {
		json.NewEncoder(&content).Encode(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, &content)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, map[string]any{"transport": err.Error()}
	}
	defer resp.Body.Close()
	var answer map[string]any
	if data, _ := io.ReadAll(resp.Body); len(data) > 0 {
		if err := json.Unmarshal(data, &answer); err != nil {
			t.Fatalf("%s %s answers %d with no JSON object: %s", method, address, resp.StatusCode, data)
		}
	}
	return resp.StatusCode, answer
}

// graphCode is the code of an answer that is an error of Graph.
func graphCode(answer map[string]any) string {
	e, _ := answer["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}
