package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/internal/limit"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/ident"
)

// Another host of the same domain can set cookies that come here, with any name that a browser does not take for one of a single host's. It
// can keep somebody out by that, and never show them somebody else's session.
func TestCookiesOfOtherHostsDoNotCount(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newWorld(t)
		w.plainCookies = plain
		victim, attacker := w.browser(), w.browser()
		victim.signIn("Ann <Admin>")
		attacker.signIn("Cleo")
		own, tossed := sessionCookie+"="+victim.cookie(sessionCookie), "="+attacker.cookie(sessionCookie)
		for name, space := range map[string]string{
			"U+0085": "\u0085", "U+00A0": "\u00a0", "U+2000": "\u2000", "U+3000": "\u3000", "VT": "\v", "FF": "\f", "CR": "\r",
		} {
			for _, cookies := range [][]string{{space + sessionCookie + tossed, own}, {own, sessionCookie + space + tossed}} {
				if r := w.raw("GET", "/me", "", cookies...); r.StatusCode != 200 || !strings.Contains(r.Body, "Ann &lt;Admin&gt;") {
					t.Errorf("%s: %d %s", name, r.StatusCode, r.Body)
				}
			}
			if r := w.raw("GET", "/me", "", space+sessionCookie+tossed); r.StatusCode != 303 {
				t.Errorf("%s, alone: %d %s", name, r.StatusCode, r.Body)
			}
		}
		for _, space := range []string{"", " ", "\t", " \t "} { // with what HTTP has around a cookie it is the same name
			for _, cookies := range [][]string{{space + sessionCookie + tossed, own}, {own, space + sessionCookie + tossed}} {
				if r := w.raw("GET", "/me", "", cookies...); r.StatusCode != 401 || !strings.Contains(r.Body, "Your session has ended") {
					t.Errorf("two of one name: %d %s", r.StatusCode, r.Body)
				}
			}
			if r := w.raw("GET", "/me", "", "a=b", space+own); r.StatusCode != 200 {
				t.Errorf("%q before the name: %d", space, r.StatusCode)
			}
		}
	}
}

// A form of another site brings no cookie along. Its answer must not delete those that the browser has, and not say that anything has ended.
func TestNoAnswerDeletesACookieThatDidNotCome(t *testing.T) {
	w := newWorld(t)
	for _, ask := range []string{"POST /signout", "POST /signout/everywhere", "POST /invitation", "GET /signin/callback", "GET /invitation",
		"GET /invitations/{token}"} {
		method, path, _ := strings.Cut(ask, " ")
		r := w.raw(method, path, "")
		if len(r.Cookies) > 0 || strings.Contains(r.Body, "You have signed out") {
			t.Errorf("%s: %v %s", ask, r.Cookies, r.Body)
		}
		all := []string{sessionCookie + "=x", flowCookie + "=x", invitationCookie + "=x"}
		if r := w.raw(method, path, "", all...); len(r.Cookies) == 0 && path != "/invitation" {
			t.Errorf("%s: keeps what is worth nothing", ask)
		}
	}
}

// An address is kept in a cookie through the sign-in, which browsers drop when it is larger than 4,096 bytes.
func TestALongWayBackLeadsToTheStartPage(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		to   string
		kept bool
	}{
		"as long as may be":     {"/me?" + strings.Repeat("a", 995), true},
		"longer":                {"/me?" + strings.Repeat("a", 996), false},
		"longer when encoded":   {"/me?" + strings.Repeat("<", 400), false},
		"longer when sealed":    {"/me?a=" + strings.Repeat("&a=", 331), false},
		"crafted":               {"/me?" + strings.Repeat("<&", 497), false},
		"as short as it can be": {"/", true},
	} {
		r := w.raw("GET", "/signin", url.Values{"to": {c.to}}.Encode())
		set, err := http.ParseSetCookie(r.Cookies[0])
		w.must(err)
		if len(r.Cookies) != 1 || len(set.Value) > maxCookie || len(r.Cookies[0]) > 4096 {
			t.Errorf("%s: a cookie of %d bytes", name, len(r.Cookies[0]))
		}
		ring, err := w.dir.Keyring(t.Context())
		w.must(err)
		f, ok := credential.OpenFlow[flow](ring, flowPurpose, set.Value, w.now())
		if !ok || (f.To != start) != c.kept {
			t.Errorf("%s: leads to %.20q, %v", name, f.To, ok)
		}
	}
}

// A session is renewed by a page that is looked at, and only by one for which it counts: no answer to a form, no way to Microsoft and no
// page that says the session has ended brings one into a browser that has signed out meanwhile.
func TestOnlyPagesRenewASession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("Ann <Admin>")
	form, own := url.Values{"form": {b.formToken()}}, sessionCookie+"="+b.cookie(sessionCookie)
	_, i, link := w.invite(annMail, access.Viewer)
	ring, err := w.dir.Keyring(t.Context())
	w.must(err)
	form.Set("invitation", string(i.ID))
	renews := func(ask string, status int) bool {
		t.Helper()
		method, path, _ := strings.Cut(ask, " ")
		in := ""
		if method == http.MethodPost {
			in = form.Encode()
		}
		token := invitationCookie + "=" + credential.SealFlow(ring, invitationPurpose, link[strings.LastIndex(link, "/")+1:], w.now())
		r := w.raw(method, path, in, own, token)
		if r.StatusCode != status {
			t.Errorf("%s: %d, want %d", ask, r.StatusCode, status)
		}
		for _, c := range r.Cookies {
			if set, err := http.ParseSetCookie(c); err == nil && set.Name == sessionCookie && set.Value != "" {
				return true
			}
		}
		return false
	}
	if renews("GET /me", 200) {
		t.Error("a session that is new is renewed")
	}
	w.ahead.Add(int64(6 * time.Minute))
	for _, c := range []struct {
		ask    string
		status int
		want   bool
	}{
		{"GET /me", 200, true}, {"GET /invitation", 200, true}, {"GET /signin", 303, false}, {"GET /signin/callback", 400, false},
		{"GET /invitations/{token}", 404, false}, {"POST /invitation", 303, false}, {"POST /signout", 200, false},
	} {
		if got := renews(c.ask, c.status); got != c.want {
			t.Errorf("%s renews it: %v", c.ask, got)
		}
	}
	w.store.Before = func(directorytest.Call) error { return directorytest.Busy() }
	for _, ask := range []string{"GET /me", "GET /invitation"} {
		if renews(ask, 503) {
			t.Errorf("%s renews a session of which nobody can tell whether it counts", ask)
		}
	}
	w.store.Before = nil
	b.has(b.post(home+"/signout/everywhere", form), 200, "You have signed out everywhere")
	if renews("GET /me", 401) {
		t.Error("a session that was ended everywhere is renewed")
	}
}

// Pages count as requests of the API do, and together with them. Over the limit one can still sign out.
func TestWhoIsSignedInIsLimited(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Viewer)
	b, red, other := w.browser(), w.browser(), w.browser()
	p := b.has(b.signIn("Ann <Admin>"), 200)
	red.has(red.signInAt(redSite, "Ann <Admin>"), 200)
	other.has(other.signIn("Cleo"), 200)
	window := w.now().Truncate(limit.Window)
	if _, err := w.store.Count(t.Context(), string(ident.PersonOf(contoso, ann)), window, limit.Quota); err != nil { // by the API
		t.Fatal(err)
	}
	own := sessionCookie + "=" + b.cookie(sessionCookie)
	limited := func() bool {
		r := w.raw("GET", "/me", "", own)
		if r.StatusCode == 429 && (r.Headers["Retry-After"] == "" || r.Headers["Retry-After"] == "0" ||
			!strings.Contains(r.Body, "Too many requests") || len(r.Cookies) > 0) {
			t.Errorf("%v %s", r.Headers, r.Body)
		}
		return r.StatusCode == 429
	}
	for n := 0; !limited(); n++ {
		if n > 100 {
			t.Fatal("nobody counts the pages")
		}
	}
	b.has(b.post(home+"/invitation", nil), 429)
	red.has(red.get(redSite+"/me"), 200, "Your access") // what is used up elsewhere counts apart
	other.has(other.get(home+"/me"), 200)
	b.has(b.press(p, "Sign out everywhere"), 200, "You have signed out everywhere")
	w.ahead.Add(int64(limit.Window))
	b.has(b.signIn("Ann <Admin>"), 200)
	if p := b.has(b.press(b.get(home+"/me"), "Sign out"), 200, "Sessions in other browsers go on", "Sign out everywhere"); b.cookie(sessionCookie) != "" {
		t.Errorf("%s", p.body)
	}
	before := len(w.store.Calls())
	w.store.Before = func(c directorytest.Call) error {
		if c.Name == "Count" {
			return directorytest.Busy()
		}
		return nil
	}
	other.has(other.get(home+"/me"), 200) // who cannot count lets pass
	if len(w.store.Calls()) == before {
		t.Error("nothing was read")
	}
}
