package graphtest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// ticket is the secret part of a redeem URL. It works until the invitation is accepted; afterwards the URL only leads to
// where it leads.
type ticket struct {
	tenant, person string
	redirect       string
}

// passcode is the button's value for somebody who has no account with the invited address.
const passcode = "one-time-passcode"

// Addresses that Graph invites: without the characters that it refuses, + among them, and with a user name that does not
// begin or end with a period or a hyphen (Microsoft: "Create invitation").
var invitable = regexp.MustCompile(`^[\pL\pN_]([\pL\pN_'.-]*[\pL\pN_])?@[\pL\pN]([\pL\pN.-]*[\pL\pN])?$`)

// invite is POST /invitations: a guest in the tenant of the token, and a link that makes a person that guest.
func (d *Double) invite(c call) (int, any, *graphError) {
	bad := func(message string) (int, any, *graphError) {
		return 0, nil, &graphError{http.StatusBadRequest, "BadRequest", message}
	}
	text := func(name string) string { s, _ := c.body[name].(string); return s }
	mail, redirect := text("invitedUserEmailAddress"), text("inviteRedirectUrl")
	target, err := url.Parse(redirect)
	switch {
	case mail == "":
		return bad("The invited user email address is required.")
	case !invitable.MatchString(mail) || !strings.Contains(domain(mail), "."):
		return bad("The invited user's email address '" + mail + "' has characters that are not allowed.")
	case redirect == "" || err != nil || !reachable(target):
		return bad("The invite redirect URL is required, and must be a valid URL.")
	case c.tenant.Guests.InvitesFrom != "" && c.tenant.Guests.InvitesFrom != "everyone":
		return 0, nil, &graphError{http.StatusForbidden, "Forbidden",
			"Guest invitations not allowed for your company. Contact your company administrator for more details."}
	case slices.Contains(c.tenant.Guests.BlockedDomains, domain(mail)):
		return bad("This invitation is blocked by cross-tenant access settings. Admins in both your organization and the invited user's " +
			"organization must configure cross-tenant access settings to allow the invitation.")
	}
	var guest *Person
	for i := range c.tenant.People {
		p := &c.tenant.People[i]
		if !strings.EqualFold(p.Mail, mail) && !strings.EqualFold(p.upn(), mail) {
			continue
		}
		if p.Guest == nil {
			return bad("The invited user already exists in the directory as object ID: " + p.ID +
				". They can use that account to sign in to shared apps and resources.")
		}
		guest = p
	}
	if guest == nil {
		name := text("invitedUserDisplayName")
		if name == "" {
			name, _, _ = strings.Cut(mail, "@")
		}
		c.tenant.People = append(c.tenant.People, Person{
			ID: newGUID(), Name: name, Mail: mail,
			UPN:   strings.ReplaceAll(mail, "@", "_") + "#EXT#@" + c.tenant.initialDomain(),
			Guest: &Guest{State: PendingAcceptance, Since: d.now()},
		})
		guest = &c.tenant.People[len(c.tenant.People)-1]
	}
	value := secret()
	d.tickets[value] = ticket{tenant: c.tenant.ID, person: guest.ID, redirect: redirect}
	status := PendingAcceptance
	if guest.Guest.State == Accepted {
		status = "Completed"
	}
	link := url.Values{"tenant": {c.tenant.ID}, "user": {guest.ID}, "ticket": {value}, "ver": {"2.0"}}
	sent, _ := c.body["sendInvitationMessage"].(bool)
	return http.StatusCreated, map[string]any{
		"@odata.context":          d.base + "/v1.0/$metadata#invitations/$entity",
		"id":                      newGUID(),
		"inviteRedeemUrl":         d.base + "/redeem?" + link.Encode(),
		"invitedUserDisplayName":  guest.Name,
		"invitedUserType":         "Guest",
		"invitedUserEmailAddress": mail,
		"sendInvitationMessage":   sent,
		"resetRedemption":         false,
		"inviteRedirectUrl":       redirect,
		"status":                  status,
		"invitedUser":             map[string]any{"id": guest.ID},
	}, nil
}

// redeem is where an invitation's link leads: a page on which the person with the invited address accepts. Opening the page
// accepts nothing, so that what follows links in mail does no harm.
func (d *Double) redeem(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	failed := func(why string) {
		render(w, http.StatusBadRequest, errorPage, map[string]any{"Description": "Invitation redemption failed: " + why})
	}
	t, ok := d.tickets[r.URL.Query().Get("ticket")]
	if !ok {
		failed("the link is not valid.")
		return
	}
	tenant := d.tenant(t.tenant)
	guest := tenant.person(t.person)
	if guest == nil || guest.Guest == nil {
		failed("the invitation was withdrawn.")
		return
	}
	if guest.Guest.State == Accepted {
		http.Redirect(w, r, t.redirect, http.StatusFound)
		return
	}
	invited := func(_ *Tenant, p *Person) bool {
		return p.Guest == nil && !p.Disabled && (strings.EqualFold(p.Mail, guest.Mail) || strings.EqualFold(p.upn(), guest.Mail))
	}
	groups := d.groups("", invited)
	if r.Method == http.MethodGet {
		render(w, http.StatusOK, redeemPage, map[string]any{"Tenant": tenant.Name, "Mail": guest.Mail, "Action": r.URL.RequestURI(),
			"Passcode": passcode, "Groups": groups})
		return
	}
	choice := r.PostFormValue("account")
	homeTenant, homeID, _ := strings.Cut(choice, "/")
	home := d.tenant(homeTenant)
	switch {
	case choice == passcode && len(groups) == 0:
		guest.MailVerified = true
	case home != nil && home.person(homeID) != nil && invited(home, home.person(homeID)):
		guest.Guest.HomeTenant, guest.Guest.HomeID = home.ID, homeID
		guest.MailVerified = home.person(homeID).MailVerified
	default:
		failed("it was sent to another account.")
		return
	}
	guest.Guest.State, guest.Guest.Since = Accepted, d.now()
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, t.redirect, http.StatusFound)
}
