// Package guest is what is asked and told about guests. Where an app lets in only people of the tenant that it is registered in, everybody
// else needs an account there, as a guest, before they can sign in by it.
package guest

// Order asks for somebody to be made a guest. Nothing of it but the tenant may be in a log.
type Order struct {
	Tenant   string `json:"tenant"` // where: a GUID in lower case
	Email    string `json:"email"`  // whom; they prove at Microsoft that it is theirs
	Name     string `json:"name,omitempty"`
	Redirect string `json:"redirect"` // where they are led after that
}

// Outcome is what came of an order. When it is empty, whoever was to be a guest is a member of the tenant, and needs nothing.
type Outcome struct {
	// RedeemURL makes whoever opens it and proves the address that guest: it is mailed, and is in nothing else.
	RedeemURL string  `json:"redeemUrl,omitempty"`
	Object    string  `json:"object,omitempty"` // the guest's object id in the tenant: a GUID in lower case
	Refused   Refusal `json:"refused,omitempty"`
}

// Refusal is why somebody was not made a guest. Trying again is of no use before somebody has done something about it.
type Refusal string

// The refusals.
const (
	AdminsOnly     Refusal = "guests-by-admins-only"
	Blocked        Refusal = "guest-blocked"
	AddressRefused Refusal = "address-refused"
	NoConsent      Refusal = "no-consent"
	Rejected       Refusal = "guest-rejected" // for a reason that is not among these
)

// Refusals are all of them.
var Refusals = []Refusal{AdminsOnly, Blocked, AddressRefused, NoConsent, Rejected}

// Advice says in a sentence what is wrong and what to do about it, to those who manage users.
func (r Refusal) Advice() string {
	switch r {
	case AdminsOnly:
		return "Only administrators may invite guests into the Microsoft tenant of the brand's portal: have one of them allow it to " +
			"everyone, in its external collaboration settings, and send the invitation again."
	case Blocked:
		return "The access settings of the brand's Microsoft tenant, or of that of the invited person, do not let them become a guest: " +
			"have the administrators of both allow it, and send the invitation again."
	case AddressRefused:
		return "Microsoft makes nobody a guest whose address has such characters, a + for example: revoke the invitation, and invite " +
			"another address of theirs."
	case NoConsent:
		return "This platform may not invite guests into the Microsoft tenant of the brand's portal: have an administrator of it consent, " +
			"wait some minutes if that was just done, and send the invitation again."
	default:
		return "Microsoft did not make them a guest in the tenant of the brand's portal: have an administrator of it find out why, and send " +
			"the invitation again."
	}
}
