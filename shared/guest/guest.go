// Package guest holds orders to make somebody a guest, and their outcomes. An app can let in only people of the tenant in which it is
// registered. Then everybody else needs a guest account in that tenant before they can sign in by the app.
package guest

// Order asks for a person to be made a guest. Only its tenant may be in a log.
type Order struct {
	Tenant   string `json:"tenant"` // the tenant of the guest: a GUID in lower case
	Email    string `json:"email"`  // the person, who proves at Microsoft that the address is theirs
	Name     string `json:"name,omitempty"`
	Redirect string `json:"redirect"` // where Microsoft leads the person after that
}

// Outcome is the result of an order. An empty Outcome means that the person is a member of the tenant and needs nothing.
type Outcome struct {
	// RedeemURL makes a person who opens it and proves the address the guest. It is in the mail and nowhere else.
	RedeemURL string  `json:"redeemUrl,omitempty"`
	Object    string  `json:"object,omitempty"` // the guest's object id in the tenant: a GUID in lower case
	Refused   Refusal `json:"refused,omitempty"`
}

// Refusal is the reason why a person was not made a guest. A new attempt is of no use before the reason is removed.
type Refusal string

// The refusals.
const (
	AdminsOnly     Refusal = "guests-by-admins-only"
	Blocked        Refusal = "guest-blocked"
	AddressRefused Refusal = "address-refused"
	NoConsent      Refusal = "no-consent"
	Rejected       Refusal = "guest-rejected" // any other reason
)

// Refusals lists all refusals.
var Refusals = []Refusal{AdminsOnly, Blocked, AddressRefused, NoConsent, Rejected}

// Advice returns what is wrong and what to do, for people who manage users.
func (r Refusal) Advice() string {
	switch r {
	case AdminsOnly:
		return "Only administrators may invite guests into the Microsoft tenant of the brand's portal. Ask an administrator of that tenant to allow " +
			"everyone to invite guests (External collaboration settings). Then send the invitation again."
	case Blocked:
		return "The access settings of the brand's Microsoft tenant, or of the invited person's tenant, do not let the person become a guest. " +
			"Ask the administrators of both tenants to allow it. Then send the invitation again."
	case AddressRefused:
		return "Microsoft refuses guests whose address has certain characters, for example a plus sign. Revoke the invitation, and invite another " +
			"address of the person."
	case NoConsent:
		return "This platform may not invite guests into the Microsoft tenant of the brand's portal. Ask an administrator of that tenant to " +
			"consent, and wait some minutes after the consent. Then send the invitation again."
	default:
		return "Microsoft did not make the person a guest in the tenant of the brand's portal. Ask an administrator of that tenant to find out why. " +
			"Then send the invitation again."
	}
}
