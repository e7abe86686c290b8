// Package entra says who a person is, by Microsoft Entra ID. A Verifier checks the tokens that Entra signed, and SignIn gets one for a
// visitor by the authorization code flow. Whoever passes is a Person: a tenant and an object in it. What they may do is not decided here.
//
// Entra is one authority for all tenants of a cloud, so a valid signature says little: that a token is for this app, and from a tenant
// that this app lets in, are checks of their own. Nothing here leaves a token, a secret or an address in an error.
package entra

import (
	"log/slog"
	"slices"
	"strings"
)

// Cloud is one of Microsoft's clouds. The endpoints and the issuers of Entra are made from its authority.
// Source: https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
type Cloud struct {
	Authority string // where people sign in: scheme and host, without a closing slash
	Graph     string // Microsoft Graph: scheme and host, without a closing slash
}

// Global is the cloud that all partners are in.
var Global = Cloud{Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com"}

// issuer is what tokens of a tenant name as their issuer.
// Source: https://learn.microsoft.com/entra/identity-platform/access-tokens (Token formats, Validate the issuer)
func (c Cloud) issuer(tenant string) string { return c.Authority + "/" + tenant + "/v2.0" }

// tenantOf reads the tenant back from an issuer.
func (c Cloud) tenantOf(issuer string) (tenant string, ok bool) {
	tenant, inside := strings.CutPrefix(issuer, c.Authority+"/")
	tenant, complete := strings.CutSuffix(tenant, "/v2.0")
	return tenant, inside && complete && isGUID(tenant)
}

// keysURL is where the public keys of all tenants are. Discovery (/common/v2.0/.well-known/openid-configuration) names this address as
// its jwks_uri; asking there first would be a second round trip at a cold start.
func (c Cloud) keysURL() string { return c.Authority + "/common/discovery/v2.0/keys" }

// endpoint is one of the OAuth endpoints: authorize, token or logout. The audience is a tenant, or organizations.
// Source: https://learn.microsoft.com/entra/identity-platform/v2-protocols (Endpoints)
func (c Cloud) endpoint(audience, name string) string {
	return c.Authority + "/" + audience + "/oauth2/v2.0/" + name
}

// SignOutURL is where somebody who signed in by the app ends the session that they have with Entra itself.
// Source: https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc (Send a sign-out request)
func (c Cloud) SignOutURL(app App) string { return c.endpoint(app.audience(), "logout") }

// App is an app registration, and whom it lets in.
type App struct {
	Client  string // the application (client) id as Entra writes it, a GUID in lower case: the audience of the app's tokens
	Tenants Tenants
}

// audience is the part of the endpoints' paths that says who can sign in: one tenant, or people of any organization (which excludes
// personal Microsoft accounts). Source: https://learn.microsoft.com/entra/identity-platform/v2-protocols (Endpoints)
func (a App) audience() string {
	if len(a.Tenants.only) == 1 {
		return a.Tenants.only[0]
	}
	return "organizations"
}

// Tenants is a set of Entra tenants. The zero value is the empty set: it lets nobody in.
type Tenants struct {
	any  bool
	only []string
}

// AnyTenant is the set of all tenants, for an app whose access is decided by person alone.
func AnyTenant() Tenants { return Tenants{any: true} }

// OnlyTenants is the set of these tenants, each a tenant id (a GUID). Without one it is empty.
func OnlyTenants(ids ...string) Tenants {
	only := make([]string, len(ids))
	for i, id := range ids {
		only[i] = strings.ToLower(id)
	}
	return Tenants{only: only}
}

// Has reports whether a tenant is in the set. It expects its id in lower case.
func (t Tenants) Has(id string) bool { return t.any || slices.Contains(t.only, id) }

// Person is somebody who has signed in. Tenant and Object together are who they are. Everything else is for display, but for one thing:
// an invitation goes to whoever can prove its address. An address never decides access.
type Person struct {
	Tenant string // tenant id: a GUID in lower case
	Object string // object id in that tenant: a GUID in lower case. A guest elsewhere has another one there
	Name   string // as the person's tenant has it; may be empty
	Email  string // as Entra wrote it; may be empty

	// EmailVerified is whether Email is theirs, as far as Entra knows: the token's claim xms_edov is true. It says that the address's domain
	// is verified, by the tenant that the account is in, or by how the person signed in (Microsoft, Google, one-time passcode). Entra
	// writes this claim only for apps that ask for the optional claims email and xms_edov, so for all others it is false. No other
	// claim is evidence: whoever runs a tenant can write any address into email, upn and preferred_username.
	// Sources: https://learn.microsoft.com/entra/identity-platform/optional-claims-reference (xms_edov),
	// https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization
	EmailVerified bool
}

// String is the person without name and address, so that printing one into a log gives neither away.
func (p Person) String() string { return p.Tenant + "/" + p.Object }

// LogValue does the same for structured logs.
func (p Person) LogValue() slog.Value { return slog.StringValue(p.String()) }

// isGUID reports whether s is written as 8-4-4-4-12 hexadecimal digits, of either case.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F'):
			return false
		}
	}
	return true
}
