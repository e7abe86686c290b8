package main

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/mail"
)

const (
	invitationPath    = "/invitation"
	invitationPurpose = "invitation"
)

// follow is where the link of an invitation leads. Programs that read mail follow links, so it changes nothing: it takes the token out of
// the address, into a cookie, and goes on to the page. So the token stands in no history of pages, and no page can give it away.
func (v *visit) follow(context.Context) (response, error) {
	text := v.event.PathParameters["token"]
	if _, ok := credential.ParseToken(text); !ok {
		return v.noInvitation(), nil
	}
	v.setCookie(invitationCookie, credential.SealFlow(v.ring, invitationPurpose, text, v.now()))
	v.outcome = "followed"
	return v.redirect(invitationPath), nil
}

// token is that of the link that was followed in this browser, for as long as a flow lasts.
func (v *visit) token() (credential.Token, bool) {
	text, ok := credential.OpenFlow[string](v.ring, invitationPurpose, v.cookies[invitationCookie], v.now())
	if !ok {
		return credential.Token{}, false
	}
	return credential.ParseToken(text)
}

// invitation shows what is offered, and asks the visitor to sign in, or to accept.
func (v *visit) invitation(ctx context.Context) (response, error) {
	token, ok := v.token()
	if !ok {
		return v.reopen(), nil
	}
	var who ident.Principal
	if v.who != nil {
		who = v.who.Principal()
	}
	offer, err := v.dir.Offered(ctx, token, v.site.Within, who)
	if err != nil {
		return response{}, err
	}
	if v.who != nil {
		if _, err := v.dir.Me(ctx, v.caller()); err != nil {
			return response{}, err
		}
		v.renew()
	}
	if offer.Accepted {
		v.outcome = "accepted before"
		return v.show(http.StatusOK, message{Title: "You have already accepted this invitation",
			Text:   []string{"You have already used this link, with the account that you are signed in with. You need not do anything more."},
			Action: &action{account, "To your access"}}), nil
	}
	v.outcome = "offered"
	// The token lives as long as the visitor looks at it and signs in.
	v.setCookie(invitationCookie, credential.SealFlow(v.ring, invitationPurpose, token.Text(), v.now()))
	appears := v.look()
	if v.site.Brand == nil && offer.Brand != nil { // the platform's page is in the name of who invites
		appears.Name = string(offer.Brand.Name)
	}
	invited, wrote := "You are invited", "Whoever invites you wrote:"
	if offer.By != "" {
		by := mail.Quoted(string(offer.By))
		if offer.ByClient {
			by = "The API client " + by
		}
		invited, wrote = by+" invites you", by+" wrote:"
	}
	to := mail.Quoted(string(offer.Partner))
	shown := view.Offer{Hello: mail.Greeted(string(offer.Name)), Invited: invited, Wrote: wrote, Kind: string(offer.Kind), To: to,
		Below: offer.Kind == hierarchy.Partner, Portal: appears.Name, Role: offer.Role.String(), Rights: mail.Rights(offer.Role),
		For: offer.Email, Until: v.clock().Words(offer.Expires), Message: offer.Message}
	return v.page(http.StatusOK, view.Page{Title: "You are invited to " + to, Look: appears, Content: shown.Show(v.answers(&offer, token.ID))}), nil
}

// answers is what the visitor can do about an offer: that depends on who they are signed in as.
func (v *visit) answers(offer *directory.Offer, id ident.Invitation) templ.Component {
	signIn := signInLink(invitationPath)
	if v.who == nil {
		return all(view.Paragraphs("To accept, sign in with the Microsoft account that has this address. You can still decide after you sign in."),
			view.If(v.joins(offer), view.Soft("You sign in here as a guest. If Microsoft does not know you as a guest, use the first link in the mail once: this link lets you join.")),
			view.Buttons(view.Button{Text: "Sign in with Microsoft", To: signIn, Main: true}))
	}
	other := view.Buttons(view.Button{Text: "Sign in with another account", To: signIn, Main: true})
	email, invited := cmp.Or(v.who.Email, "an account without an address"), offer.Guest.Is(v.who)
	switch same := directory.SameAddress(v.who.Email, offer.Email); {
	case !same && !invited:
		return all(view.Remark("You are signed in as "+email+". This invitation is for another address, so you cannot accept the invitation with this account."), other)
	case !v.who.Verified && !invited:
		return all(view.Remark("You are signed in as "+email+", which is the address that was invited. But Microsoft has not verified this address: the "+
			"organization of your account has not proved that it owns the domain.",
			"Sign in with another account that has this address, or ask for an invitation to an address in a domain that your organization has proved."), other)
	}
	as := email
	if v.who.Name != "" {
		as = v.who.Name + ", " + email
	}
	return view.Acceptance(as, invitationPath, v.ring.FormToken(v.who), string(id), signIn)
}

// joins reports whether whoever is invited signs in here as a guest: Microsoft lets them in after they have followed the mail's other link,
// and answers AADSTS50020 on a page of its own before that.
func (v *visit) joins(offer *directory.Offer) bool {
	b := v.site.Brand
	return b != nil && b.App != nil && b.App.SingleTenant && offer.Guest.Object != "" && offer.Guest.Tenant == b.App.Tenant
}

// accept gives the visitor what they are invited to. Whether they may have it is decided by the directory, now.
func (v *visit) accept(ctx context.Context) (response, error) {
	if v.who == nil {
		return v.ended(), nil
	}
	form := v.form()
	if !v.ours(form) {
		return v.strange(), nil
	}
	token, ok := v.token()
	if !ok || form.Get("invitation") != string(token.ID) { // another link was followed since the page was made
		return v.reopen(), nil
	}
	node, err := v.dir.AcceptInvitation(ctx, *v.who, token, v.event.RequestContext.RequestID)
	if err != nil {
		return response{}, err
	}
	v.dropCookie(invitationCookie)
	v.outcome = "accepted"
	return v.redirect(account + "?" + url.Values{"accepted": {string(node.ID)}}.Encode()), nil
}

func (v *visit) reopen() response {
	v.outcome = "no token"
	return v.show(http.StatusBadRequest, message{Title: "Open the link again",
		Text: []string{"Open the link in your invitation mail again. An opened invitation stays available here for a short time only."}})
}

func (v *visit) noInvitation() response {
	v.outcome = "no invitation"
	v.dropCookie(invitationCookie)
	return v.show(http.StatusNotFound, message{Title: "This invitation does not exist",
		Text: []string{"The link is incomplete, or a newer link was sent. Open the link in the newest mail, or ask for a new invitation."}})
}

// failed makes a page of what the directory, or anything else, has refused.
func (v *visit) failed(f *fault.Error) response {
	status := contract.Status(f.Type.Slug)
	invitation := strings.HasSuffix(v.event.RouteKey, " "+invitationPath)
	switch {
	case f.Type == fault.Unauthenticated:
		return v.ended()
	case f.Type == fault.NotFound && invitation:
		return v.noInvitation()
	case f.Type == fault.NotFound:
		return v.nothingHere()
	case f.Type == fault.Suspended && invitation: // the cookie stays: the same link works again later
		return v.show(status, message{Title: "Not available now", Text: []string{f.Detail}})
	case f.Type == fault.InvitationClosed:
		v.dropCookie(invitationCookie)
		return v.show(status, message{Title: "This invitation can no longer be used", Text: []string{f.Detail},
			Action: &action{start, "To the start page"}})
	case f.Type == fault.NotInvited:
		return v.show(status, message{Title: "This invitation is for someone else", Text: []string{f.Detail},
			Action: &action{signInLink(invitationPath), "Sign in with another account"}})
	case status >= http.StatusInternalServerError && f.Type != fault.Internal:
		return v.show(status, message{Title: "Too busy just now",
			Text: []string{"Nothing was changed. Wait a moment, then load the page again."}, Reference: true})
	case status >= http.StatusInternalServerError:
		return v.show(status, message{Title: "Something went wrong on our side",
			Text: []string{"Try again later. If this happens again, tell the people who run this portal the reference below."}, Reference: true})
	default:
		return v.show(status, message{Title: f.Type.Title, Text: []string{plain(f.Detail)}, Action: &action{start, "To the start page"}})
	}
}
