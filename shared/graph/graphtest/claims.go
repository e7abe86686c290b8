package graphtest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The optional claims (Microsoft: optional claims reference). claimEDOV is "email domain owner verified", a Boolean that
// comes only beside an address, and without which nothing in a token says that an address is verified: Entra has no
// email_verified.
const (
	claimEmail = "email"
	claimEDOV  = "xms_edov"
)

// How an app proved who it is (claim azpacr; appidacr in tokens of version 1).
const (
	provedBySecret    = "1"
	provedByAssertion = "2"
)

// IDClaims are those of the ID token that Entra would give the app for a person of a tenant, with nonce.
func (d *Double) IDClaims(app, tenant, person, nonce string) (map[string]any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, t, p, err := d.subject(app, tenant, person)
	if err != nil {
		return nil, err
	}
	return d.idClaims(a, t, p, nonce, oidcScopes), nil
}

// AccessClaims are those of the access token for the app itself that Entra would give it for a person of a tenant, with all
// scopes of the app.
func (d *Double) AccessClaims(app, tenant, person string) (map[string]any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, t, p, err := d.subject(app, tenant, person)
	if err != nil {
		return nil, err
	}
	return d.accessClaims(a, t, p, a.Scopes, provedBySecret), nil
}

func (d *Double) subject(app, tenant, person string) (*App, *Tenant, *Person, error) {
	a, t := d.app(app), d.tenant(tenant)
	if a == nil || t == nil || t.person(person) == nil {
		return nil, nil, nil, fmt.Errorf("graphtest: there is no app %q, no tenant %q, or no person %q in it", app, tenant, person)
	}
	return a, t, t.person(person), nil
}

func (d *Double) idClaims(a *App, t *Tenant, p *Person, nonce string, openID []string) map[string]any {
	claims := d.personClaims(a, t, p, slices.Contains(openID, "email"), idTokenLife)
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if slices.Contains(openID, "profile") {
		claims["name"], claims["preferred_username"] = p.Name, p.upn()
	}
	return claims
}

func (d *Double) accessClaims(a *App, t *Tenant, p *Person, scp []string, proved string) map[string]any {
	claims := d.personClaims(a, t, p, false, accessTokenLife)
	claims["name"], claims["preferred_username"] = p.Name, p.upn()
	claims["azp"], claims["azpacr"], claims["scp"] = a.ID, proved, strings.Join(scp, " ")
	return claims
}

// personClaims are what ID tokens and access tokens for the app itself have in common: version 2.
func (d *Double) personClaims(a *App, t *Tenant, p *Person, email bool, life time.Duration) map[string]any {
	claims := d.dated(life)
	maps.Copy(claims, map[string]any{
		"ver": "2.0", "iss": d.Issuer(t.ID), "aud": a.ID, "tid": t.ID, "oid": p.ID, "sub": pairwise(a.ID, t.ID, p.ID), "uti": uti(), "rh": ".",
	})
	email = email || slices.Contains(a.OptionalClaims, claimEmail)
	if email && (p.MailVerified || a.Audience == SingleTenant || a.KeepUnverifiedEmail) {
		claims[claimEmail] = p.Mail
		if slices.Contains(a.OptionalClaims, claimEDOV) {
			claims[claimEDOV] = p.MailVerified
		}
	}
	return claims
}

// appClaims are those of a token for an app alone, for its own API.
func (d *Double) appClaims(a *App, t *Tenant, proved string) map[string]any {
	claims := d.dated(accessTokenLife)
	object := d.servicePrincipal(a, t)
	maps.Copy(claims, map[string]any{"ver": "2.0", "iss": d.Issuer(t.ID), "aud": a.ID, "azp": a.ID, "azpacr": proved, "tid": t.ID,
		"oid": object, "sub": object, "idtyp": "app", "uti": uti(), "rh": "."})
	return claims
}

// graphClaims are those of a token for Graph, which has tokens of version 1, whose issuer is another. Roles are an app's
// own permissions, scp those that a person gave it.
func (d *Double) graphClaims(a *App, t *Tenant, p *Person, scp []string, proved string) map[string]any {
	claims := d.dated(accessTokenLife)
	maps.Copy(claims, map[string]any{"ver": "1.0", "iss": "https://sts.windows.net/" + t.ID + "/", "aud": graphResource, "appid": a.ID,
		"appidacr": proved, "tid": t.ID, "uti": uti(), "rh": "."})
	if p != nil {
		maps.Copy(claims, map[string]any{"oid": p.ID, "sub": pairwise(graphAppID, t.ID, p.ID), "scp": strings.Join(scp, " "),
			"idtyp": "user", "name": p.Name, "upn": p.upn()})
		return claims
	}
	object := d.servicePrincipal(a, t)
	maps.Copy(claims, map[string]any{"oid": object, "sub": object, "idtyp": "app"})
	if c := t.consent(a.ID); c != nil && len(c.Roles) > 0 {
		claims["roles"] = c.Roles
	}
	return claims
}

// servicePrincipal is the object id of the app in the tenant.
func (d *Double) servicePrincipal(a *App, t *Tenant) string {
	if t.consent(a.ID) == nil {
		t.grant(a.ID, nil) // its own tenant, where it is without being listed
	}
	return t.consent(a.ID).Object
}

// dated are the times of a token. It counts from five minutes ago, as Entra's do, for clocks that are behind.
func (d *Double) dated(life time.Duration) map[string]any {
	now := d.now()
	return map[string]any{"iat": now.Add(-5 * time.Minute).Unix(), "nbf": now.Add(-5 * time.Minute).Unix(), "exp": now.Add(life).Unix()}
}

// pairwise is the subject, which differs from app to app.
func pairwise(app, tenant, person string) string {
	sum := sha256.Sum256([]byte(app + "|" + tenant + "|" + person))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// uti is a token's own id.
func uti() string { return secret()[:22] }
