// Package brand holds brands: the name, look and domain under which a partner's portal and service instances appear, and the app
// registration by which people sign in there.
package brand

import (
	"regexp"
	"strings"
	"time"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// State is how far a brand is.
type State string

// Draft is a brand whose app registrations do not exist yet.
const Draft State = "draft"

// MaxRegions is how many regions a brand may offer.
const MaxRegions = 20

// MaxDomain is the longest domain of a brand, in characters. It leaves room for what stands before it in the names of the portal
// (admin.<domain>) and of services (portal.<region>.<domain>).
const MaxDomain = hierarchy.MaxDomain - len("portal..") - maxRegion

// maxRegion is the longest name of a region that is taken, in characters.
const maxRegion = 30

// Brand belongs to the partner that made it.
type Brand struct {
	ID      ident.Brand
	Owner   ident.Node
	Name    hierarchy.Name
	Domain  string   // DNS name, unique on the platform: admin.<domain> is the portal; at most MaxDomain long
	Regions []string // AWS regions in which services under this brand may run; sorted
	State   State
	Color   string // of headers and buttons: # and six hexadecimal digits in lower case; "" for the platform's
	Logo    string // SHA-256 of the logo in hexadecimal digits, "" when there is none; the PNG itself is kept apart
	App     *App   // by which people sign in at Host; nil when the brand has none
	Version int64
	Created time.Time
}

// Vouched reports whether the brand may appear by its name and look where people who do not know it yet see it: in mails, and on the
// platform's own pages. Anybody who owns a partner can make a brand of any name. The vendor has looked at a brand that has an app: only
// an owner of the root gives it one.
func (b *Brand) Vouched() bool { return b.App != nil }

// LogoVersion is how many digits of a logo's hash are in its address.
const LogoVersion = 16

// LogoURL is the path of the brand's logo on the platform's and any brand's portal, "" when there is none. Another logo has another path.
func (b *Brand) LogoURL() string {
	if b.Logo == "" {
		return ""
	}
	return "/brands/" + string(b.ID) + "/logo?v=" + b.Logo[:LogoVersion]
}

// Host is the host name of the brand's portal.
func (b *Brand) Host() string { return hostPrefix + b.Domain }

// DomainOf is the brand's domain whose portal is at a host name.
func DomainOf(host string) (domain string, ok bool) { return strings.CutPrefix(host, hostPrefix) }

const hostPrefix = "admin."

// App is an app registration of the brand's own partner in Microsoft Entra ID.
type App struct {
	Client string // the application (client) id, a GUID in lower case
	Tenant string // the tenant that it is registered in, a GUID in lower case
	// SingleTenant says that only people of that tenant sign in by it (signInAudience AzureADMyOrg): others need to be guests there.
	SingleTenant bool
}

var region = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[1-9]$`)

// ValidRegion reports whether s has the form of an AWS region, such as eu-west-1.
func ValidRegion(s string) bool { return len(s) <= maxRegion && region.MatchString(s) }
