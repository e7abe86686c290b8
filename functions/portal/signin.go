package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/graph/entra"
)

// start is what signing in leads to unless it began on another page. account is the page of what the visitor has access to.
const (
	start   = "/home"
	account = "/me"
)

// flow is a sign-in that is under way: what the browser that began it has to bring back.
type flow struct {
	entra.Flow
	Origin string // where it began: another brand's sign-in is not finished here
	To     string // where it leads
}

const flowPurpose = "sign-in"

// maxCookie is the largest value of a cookie in bytes. Browsers keep 4,096, name and attributes included, and drop a larger one.
const maxCookie = 3500

// begin sends the visitor to Microsoft.
func (v *visit) begin(context.Context) (response, error) {
	query, err := url.ParseQuery(v.event.RawQueryString)
	if err != nil {
		query = nil
	}
	to, secrets := v.signIn.Begin(v.site.App, v.callbackURL(), "")
	seal := func(then string) string {
		return credential.SealFlow(v.ring, flowPurpose, flow{secrets, v.origin, then}, v.now())
	}
	sealed := seal(local(query.Get("to")))
	if len(sealed) > maxCookie {
		sealed = seal(start)
	}
	v.setCookie(flowCookie, sealed)
	v.outcome = "began"
	return v.redirect(to), nil
}

func (v *visit) callbackURL() string { return v.origin + "/signin/callback" }

// local is a path of this site with its query, or start for whatever is none: nobody is sent elsewhere from here. It looks at the path
// decoded, and encodes it anew. What signs in or out is no place to be led to: signing in would lead to signing in again.
func local(to string) string {
	u, err := url.Parse(to) // refuses control characters, which browsers take out
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) {
		return start
	}
	switch path.Clean(u.Path) { // as browsers do
	case "/signin", "/signin/callback", "/signout", "/signout/everywhere":
		return start
	}
	clean := (&url.URL{Path: u.Path, RawQuery: u.Query().Encode()}).RequestURI()
	if len(clean) > 1000 {
		return start
	}
	return clean
}

// callback is where Microsoft sends the visitor back to. The flow is used up by whatever comes: the browser forgets it. Who is no browser
// can bring it again, each time with another code, and each costs a call of Microsoft, which takes a code once; the route's throttle bounds
// that.
func (v *visit) callback(ctx context.Context) (response, error) {
	v.dropCookie(flowCookie)
	f, ok := credential.OpenFlow[flow](v.ring, flowPurpose, v.cookies[flowCookie], v.now())
	query, err := url.ParseQuery(v.event.RawQueryString)
	if !ok || f.Origin != v.origin || err != nil {
		return v.notFinished(start, entra.State), nil
	}
	person, err := v.signIn.Finish(ctx, v.site.App, v.callbackURL(), f.Flow, query)
	if err != nil {
		return v.notFinished(f.To, err), nil
	}
	who := credential.SignedIn{Tenant: person.Tenant, Object: person.Object, Name: person.Name, Email: person.Email,
		Verified: person.EmailVerified, Began: v.now().UTC(), App: v.site.App.Client, Within: v.site.Within}
	v.who = &who
	v.setCookie(sessionCookie, v.ring.Seal(who, v.now()))
	v.outcome = "signed in"
	if err := v.dir.Greet(ctx, who, v.event.RequestContext.RequestID); err != nil { // the next sign-in tries again
		v.outcome = "signed in, name not taken over: " + fault.From(err).Type.Slug
	}
	return v.redirect(f.To), nil
}

// notFinished says why nobody was signed in, in words that help the visitor. The log has the reason itself, which holds nothing secret.
func (v *visit) notFinished(to string, err error) response {
	v.outcome = err.Error()
	again := &action{signInLink(to), "Sign in again"}
	var answered *entra.Answered
	var unavailable *entra.Unavailable
	switch {
	case errors.Is(err, entra.State), errors.Is(err, entra.Callback), errors.Is(err, entra.Nonce):
		return v.show(http.StatusBadRequest, message{Title: "This sign-in cannot be finished",
			Text:   []string{"This sign-in was already finished, began too long ago, or began in another browser. You were not signed in."},
			Action: again})
	case errors.Is(err, entra.OtherTenant):
		return v.show(http.StatusForbidden, message{Title: "Your organization cannot sign in here",
			Text: []string{"Only people of certain organizations can use this portal, and your organization is not one of them.",
				"Use the account that was invited."},
			Action: &action{signInLink(to), "Sign in with another account"}})
	case errors.As(err, &answered) && answered.Code == "access_denied":
		return v.show(http.StatusForbidden, message{Title: "You did not sign in",
			Text:   []string{"You cancelled the sign-in, or your organization does not allow it. If your organization does not allow it, ask its administrator."},
			Action: again})
	case errors.As(err, &unavailable), errors.Is(err, entra.UnknownKey), errors.Is(err, entra.NotYetValid):
		return v.show(http.StatusServiceUnavailable, message{Title: "Microsoft cannot be reached just now",
			Text: []string{"You were not signed in. Wait a minute, then try again."}, Action: again})
	default:
		return v.show(http.StatusForbidden, message{Title: "Microsoft’s answer was not accepted",
			Text:   []string{"You were not signed in. Try again. If this happens again, tell the people who run this portal the reference below."},
			Action: again, Reference: true})
	}
}

func signInLink(to string) string { return "/signin?" + url.Values{"to": {to}}.Encode() }

// signOut ends the session in this browser: the cookie is deleted, and nothing is kept of it here. A copy of the cookie counts until it ends
// by itself; that is for signing out everywhere.
func (v *visit) signOut(context.Context) (response, error) {
	switch {
	case !v.came(sessionCookie): // none is left; or another site has sent this, and the browser has kept it to itself
		v.outcome = "nothing to sign out of"
		return v.show(http.StatusOK, message{Title: "Nothing to sign out of",
			Text:   []string{"Your browser sent no session, so no session was ended. The start page shows whether you are signed in."},
			Action: &action{start, "To the start page"}}), nil
	case v.who != nil && !v.ours(v.form()):
		return v.strange(), nil
	}
	return v.signedOut("signed out", "You have signed out", "Your session in this browser has ended. Sessions in other browsers go on. If you have "+
		"signed in elsewhere, or someone may have copied your session, sign in again and choose “Sign out everywhere”."), nil
}

// afterSignOut is for who asks again for the address that signing out has left in the browser.
func (v *visit) afterSignOut(context.Context) (response, error) {
	v.outcome = "to the start page"
	return v.redirect(start), nil
}

// signOutEverywhere ends all sessions of the person.
func (v *visit) signOutEverywhere(ctx context.Context) (response, error) {
	if v.who == nil {
		return v.ended(), nil
	}
	if !v.ours(v.form()) {
		return v.strange(), nil
	}
	if err := v.dir.SignOutEverywhere(ctx, v.caller()); err != nil {
		return response{}, err
	}
	return v.signedOut("signed out everywhere", "You have signed out everywhere", "All your sessions here have ended, in every browser."), nil
}

func (v *visit) signedOut(outcome, title, text string) response {
	v.outcome = outcome
	v.dropCookie(sessionCookie)
	v.dropCookie(invitationCookie)
	return v.show(http.StatusOK, message{Title: title, Text: []string{text,
		"You are still signed in with Microsoft. On a shared computer, sign out of Microsoft, too."},
		Action: &action{signInLink(start), "Sign in"}, Second: &action{v.config.Cloud.SignOutURL(v.site.App), "Sign out of Microsoft"}})
}

// ended is for who comes with a session that does not count any more.
func (v *visit) ended() response {
	v.outcome = "session ended"
	v.dropCookie(sessionCookie)
	to := local(v.event.RawPath)
	if v.event.RequestContext.HTTP.Method == http.MethodGet {
		to = local(v.address())
	}
	text := "You signed out, or were inactive for a long time. Sign in to continue."
	if v.event.RequestContext.HTTP.Method == http.MethodPost {
		text = "You signed out, or were inactive for a long time. Your last action was not carried out. Sign in and repeat it."
	}
	return v.show(http.StatusUnauthorized, message{Title: "Your session has ended", Text: []string{text},
		Action: &action{signInLink(to), "Sign in"}})
}

// strange is for a form that no page of this session has sent.
func (v *visit) strange() response {
	v.outcome = "strange form"
	return v.show(http.StatusForbidden, message{Title: "This page is out of date",
		Text: []string{"This page was made for another session. Nothing was changed. Open the page again."}, Action: &action{start, "To the start page"}})
}
