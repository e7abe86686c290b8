package graphtest

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Directory is what a double knows at its start: tenants with their people, and app registrations. It is JSON in files.
type Directory struct {
	Tenants []Tenant `json:"tenants"`
	Apps    []App    `json:"apps"`
}

// Tenant is a Microsoft tenant.
type Tenant struct {
	ID   string `json:"id"` // a GUID, lower case
	Name string `json:"name"`
	// Domains are the tenant's verified domains. The first is the default one; the one that ends with .onmicrosoft.com, if
	// there is one, is the initial one, in which guests get their user principal names.
	Domains []string `json:"domains"`
	People  []Person `json:"people"`
	// Consents are the apps of other tenants (or of this one) that have a service principal here, and what they may do here.
	// An app has a service principal in its own tenant without being listed.
	Consents []Consent `json:"consents"`
	Guests   Guests    `json:"guests"`
	// AdminConsentOnly forbids people to consent by signing in: apps of other tenants need an administrator's consent first.
	// Otherwise the first sign-in consents, without the page that Entra shows for it.
	AdminConsentOnly bool `json:"adminConsentOnly"`
}

// Guests says whom a tenant lets in as a guest.
type Guests struct {
	// InvitesFrom is who may invite, in the words of Graph's authorizationPolicy.allowInvitesFrom: everyone (also when
	// empty), adminsAndGuestInviters or none. Only the first lets an app invite.
	InvitesFrom string `json:"invitesFrom"`
	// BlockedDomains are refused by the tenant's cross-tenant access settings.
	BlockedDomains []string `json:"blockedDomains"`
}

// Person is an account in a tenant: a member, or a guest with a home elsewhere.
type Person struct {
	ID   string `json:"id"` // the object id in this tenant: a GUID, lower case
	Name string `json:"name"`
	Mail string `json:"mail"`
	// UPN is the user principal name; Mail when empty.
	UPN string `json:"upn"`
	// MailVerified says that the domain's owner vouches for Mail. Entra says it so of addresses in a verified domain of the
	// person's tenant, of Microsoft and Google accounts, and after a one-time passcode (optional claim xms_edov).
	MailVerified bool `json:"mailVerified"`
	// Admin is a Global or Privileged Role Administrator, who may consent for the tenant.
	Admin    bool `json:"admin"`
	Disabled bool `json:"disabled"`
	// Guest is set for guests only.
	Guest *Guest `json:"guest"`
}

// The states of a guest (Graph: user.externalUserState).
const (
	PendingAcceptance = "PendingAcceptance"
	Accepted          = "Accepted"
)

// Guest is what makes a person a guest.
type Guest struct {
	State string `json:"state"` // PendingAcceptance or Accepted
	// HomeTenant and HomeID name the person at home. Both are empty for one who has no account and signs in with one-time
	// passcodes, and while the invitation is pending.
	HomeTenant string    `json:"homeTenant"`
	HomeID     string    `json:"homeId"`
	Since      time.Time `json:"since"` // of the state
}

// Consent is an app's service principal in a tenant, and what the app was given there.
type Consent struct {
	App string `json:"app"`
	// Roles are application permissions of Microsoft Graph, such as User.Invite.All.
	Roles []string `json:"roles"`
	// Object is the object id of the service principal; made when empty.
	Object string `json:"object"`
}

// Who can sign in to an app (Graph: application.signInAudience).
const (
	SingleTenant = "AzureADMyOrg"
	MultiTenant  = "AzureADMultipleOrgs"
)

// App is an app registration.
type App struct {
	ID           string   `json:"id"` // the application (client) id: a GUID, lower case
	Name         string   `json:"name"`
	Tenant       string   `json:"tenant"`   // where it is registered
	Audience     string   `json:"audience"` // SingleTenant or MultiTenant
	RedirectURIs []string `json:"redirectUris"`
	// Secrets, Certificates (PEM) and FederatedCredentials are how the app proves who it is.
	Secrets              []string              `json:"secrets"`
	Certificates         []string              `json:"certificates"`
	FederatedCredentials []FederatedCredential `json:"federatedCredentials"`
	// Scopes are the delegated permissions of the app's own API, api://<app id>/<scope>.
	Scopes []string `json:"scopes"`
	// Permissions are the application permissions of Microsoft Graph that the registration asks for, and gets with an
	// administrator's consent.
	Permissions []string `json:"permissions"`
	// OptionalClaims are put into ID and access tokens: email and xms_edov. Without xms_edov no token says whether an
	// address is verified.
	OptionalClaims []string `json:"optionalClaims"`
	// KeepUnverifiedEmail lets a multi-tenant app's tokens have addresses that nobody vouches for. Since June 2023 Entra
	// leaves them out of a new app's (Graph: authenticationBehaviors.removeUnverifiedEmailClaim).
	KeepUnverifiedEmail bool `json:"keepUnverifiedEmail"`
}

// FederatedCredential lets tokens of another issuer stand for the app's secret. The issuer's keys are read by OpenID
// Connect discovery, which the double does over http, too.
type FederatedCredential struct {
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"` // exactly one
}

var guidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// validate tells everything that is wrong.
func (dir Directory) validate() error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("graphtest: "+format, args...)) }
	seen := map[string]string{}
	once := func(what, id string) {
		if !guidPattern.MatchString(id) {
			say("%s: %q is not a GUID in lower case", what, id)
		} else if seen[id] != "" {
			say("%s: %s is %s already", what, id, seen[id])
		}
		seen[id] = what
	}
	for _, t := range dir.Tenants {
		once("tenant "+t.Name, t.ID)
		if len(t.Domains) == 0 {
			say("tenant %s has no domain", t.Name)
		}
		for _, domain := range t.Domains {
			if seen[domain] != "" || domain != strings.ToLower(domain) || !strings.Contains(domain, ".") {
				say("tenant %s: the domain %q is not one, not in lower case, or not of one tenant", t.Name, domain)
			}
			seen[domain] = "a domain of " + t.Name
		}
		if from := t.Guests.InvitesFrom; from != "" && !slices.Contains([]string{"everyone", "adminsAndGuestInviters", "none"}, from) {
			say("tenant %s: guests are not invited from %q", t.Name, from)
		}
		for _, p := range t.People {
			once("person "+p.Name, p.ID)
			if err := p.validate(); err != nil {
				say("person %s: %v", p.Name, err)
			}
		}
	}
	for _, a := range dir.Apps {
		once("app "+a.Name, a.ID)
		if err := a.validate(); err != nil {
			say("app %s: %v", a.Name, err)
		}
		if !slices.ContainsFunc(dir.Tenants, func(t Tenant) bool { return t.ID == a.Tenant }) {
			say("app %s: there is no tenant %q", a.Name, a.Tenant)
		}
	}
	for _, t := range dir.Tenants {
		for _, c := range t.Consents {
			if !slices.ContainsFunc(dir.Apps, func(a App) bool { return a.ID == c.App }) {
				say("tenant %s: there is no app %q to consent to", t.Name, c.App)
			}
		}
	}
	return errors.Join(wrong...)
}

func (p Person) validate() error {
	switch {
	case p.Name == "" || !strings.Contains(p.Mail, "@"):
		return errors.New("needs a name and a mail address")
	case p.Guest != nil && p.Guest.State != PendingAcceptance && p.Guest.State != Accepted:
		return fmt.Errorf("the state of a guest is not %q", p.Guest.State)
	}
	return nil
}

func (a App) validate() error {
	if a.Audience != SingleTenant && a.Audience != MultiTenant {
		return fmt.Errorf("the audience is not %q", a.Audience)
	}
	if len(a.RedirectURIs) > 256 {
		return errors.New("more than 256 redirect URIs")
	}
	for _, raw := range a.RedirectURIs {
		u, err := url.Parse(raw)
		if err != nil || !reachable(u) || u.Fragment != "" || len(raw) > 256 {
			return fmt.Errorf("the redirect URI %q must be https (http on localhost), have at most 256 characters, and no fragment", raw)
		}
	}
	for _, cert := range a.Certificates {
		if _, err := parseCertificate(cert); err != nil {
			return err
		}
	}
	for _, c := range a.FederatedCredentials {
		if c.Name == "" || c.Issuer == "" || c.Subject == "" || len(c.Audiences) != 1 {
			return fmt.Errorf("the federated credential %q needs a name, an issuer, a subject and exactly one audience", c.Name)
		}
	}
	for _, claim := range a.OptionalClaims {
		if claim != claimEmail && claim != claimEDOV {
			return fmt.Errorf("no optional claim %q", claim)
		}
	}
	return nil
}

// reachable reports whether browsers may be sent to the URL: https, or http on this machine.
func reachable(u *url.URL) bool {
	host := u.Hostname()
	local := host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1"
	return host != "" && (u.Scheme == "https" || u.Scheme == "http" && local)
}

func parseCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("a certificate is not in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// clone keeps what a double changes apart from what it was given.
func (dir Directory) clone() Directory {
	tenants := slices.Clone(dir.Tenants)
	for i := range tenants {
		t := &tenants[i]
		t.People, t.Consents = slices.Clone(t.People), slices.Clone(t.Consents)
		for k := range t.People {
			if g := t.People[k].Guest; g != nil {
				t.People[k].Guest = new(*g)
			}
		}
		for k := range t.Consents {
			t.Consents[k] = t.Consents[k].complete()
		}
	}
	return Directory{Tenants: tenants, Apps: slices.Clone(dir.Apps)}
}

func (c Consent) complete() Consent {
	if c.Object == "" {
		c.Object = newGUID()
	}
	return c
}

// upn is the user principal name.
func (p Person) upn() string {
	if p.UPN != "" {
		return p.UPN
	}
	return p.Mail
}

// domain is the part of an address behind the @, in lower case.
func domain(mail string) string {
	return strings.ToLower(mail[strings.LastIndexByte(mail, '@')+1:])
}

// initialDomain is where guests get their user principal names.
func (t *Tenant) initialDomain() string {
	for _, d := range t.Domains {
		if strings.HasSuffix(d, ".onmicrosoft.com") {
			return d
		}
	}
	return t.Domains[0]
}

func (t *Tenant) person(id string) *Person {
	for i := range t.People {
		if t.People[i].ID == id {
			return &t.People[i]
		}
	}
	return nil
}

func (t *Tenant) consent(app string) *Consent {
	for i := range t.Consents {
		if t.Consents[i].App == app {
			return &t.Consents[i]
		}
	}
	return nil
}

// grant adds roles to what the app has here, and makes its service principal.
func (t *Tenant) grant(app string, roles []string) {
	if t.consent(app) == nil {
		t.Consents = append(t.Consents, Consent{App: app}.complete())
	}
	c := t.consent(app)
	for _, r := range roles {
		if !slices.Contains(c.Roles, r) {
			c.Roles = append(slices.Clone(c.Roles), r)
		}
	}
}

// Names of a path's tenant that mean no tenant in particular.
const (
	common        = "common"
	organizations = "organizations"
)

// anyTenant reports whether the name in a path means everybody's own tenant.
func anyTenant(name string) bool { return name == common || name == organizations }

// tenant finds a tenant by its id or by one of its domains.
func (d *Double) tenant(name string) *Tenant {
	name = strings.ToLower(name)
	for _, t := range d.tenants {
		if t.ID == name || slices.Contains(t.Domains, name) {
			return t
		}
	}
	return nil
}

func (d *Double) app(id string) *App {
	for _, a := range d.apps {
		if a.ID == strings.ToLower(id) {
			return a
		}
	}
	return nil
}

// SetPerson adds a person to a tenant, or replaces the one with this object id: to disable somebody, for example.
func (d *Double) SetPerson(tenant string, p Person) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tenant(tenant)
	if t == nil {
		return fmt.Errorf("graphtest: there is no tenant %q", tenant)
	}
	if !guidPattern.MatchString(p.ID) {
		return fmt.Errorf("graphtest: %q is not a GUID in lower case", p.ID)
	}
	if err := p.validate(); err != nil {
		return fmt.Errorf("graphtest: %w", err)
	}
	if known := t.person(p.ID); known != nil {
		*known = p
	} else {
		t.People = append(t.People, p)
	}
	return nil
}

// SetApp registers an app, or replaces the one with this id.
func (d *Double) SetApp(a App) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := a.validate(); err != nil {
		return fmt.Errorf("graphtest: %w", err)
	}
	if !guidPattern.MatchString(a.ID) || d.tenant(a.Tenant) == nil {
		return fmt.Errorf("graphtest: the app %q needs a GUID in lower case and a tenant that is there", a.ID)
	}
	if known := d.app(a.ID); known != nil {
		*known = a
	} else {
		d.apps = append(d.apps, &a)
	}
	return nil
}

// Consent gives an app application permissions of Graph in a tenant, as an administrator's consent does.
func (d *Double) Consent(tenant, app string, roles ...string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, a := d.tenant(tenant), d.app(app)
	if t == nil || a == nil {
		return fmt.Errorf("graphtest: there is no tenant %q or no app %q", tenant, app)
	}
	t.grant(a.ID, roles)
	return nil
}

// Directory is what the double knows now.
func (d *Double) Directory() Directory {
	d.mu.Lock()
	defer d.mu.Unlock()
	var dir Directory
	for _, t := range d.tenants {
		dir.Tenants = append(dir.Tenants, *t)
	}
	for _, a := range d.apps {
		dir.Apps = append(dir.Apps, *a)
	}
	return dir.clone()
}

// Withdraw takes an app's service principal out of a tenant, with all that it was given there.
func (d *Double) Withdraw(tenant, app string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tenant(tenant)
	if t == nil || t.consent(app) == nil {
		return fmt.Errorf("graphtest: there is no tenant %q, or the app %q has no consent there", tenant, app)
	}
	t.Consents = slices.DeleteFunc(t.Consents, func(c Consent) bool { return c.App == app })
	return nil
}

// Person is what a tenant knows of a person now, a guest's state included.
func (d *Double) Person(tenant, id string) (Person, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.tenant(tenant); t != nil {
		if p := t.person(id); p != nil {
			found := *p
			if p.Guest != nil {
				found.Guest = new(*p.Guest)
			}
			return found, true
		}
	}
	return Person{}, false
}
