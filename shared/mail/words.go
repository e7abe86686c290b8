package mail

import (
	"fmt"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
)

// words are all that a mail says in one language. How it looks is elsewhere. Names come as they are to be shown: by typed, Quoted or Greeted.
type words struct {
	language  string
	subject   func(brand, node string) string
	greeting  func(name string) string
	invited   func(by inviter, node string, kind hierarchy.Kind) string
	role      func(role access.Role) string
	said      func(by inviter) string
	button    string
	orCopy    string
	guest     func(portal string) string
	join      string
	joined    string
	signIn    func(address string) string
	until     func(t time.Time) string
	notForYou string
	sentBy    func(sender string) string
	preview   func(node string) string
}

// inviter is who invites: their name as it is shown, "" when they have none, and whether it is that of an API client.
type inviter struct {
	name   string
	client bool
}

// english is the only language so far. A translation is one more value like it.
var english = words{
	language: "en",
	subject:  func(brand, node string) string { return fmt.Sprintf("%s: you are invited to %s", brand, node) },
	greeting: func(name string) string {
		if name == "" {
			return "Hello,"
		}
		return "Hello " + name + ","
	},
	invited: func(by inviter, node string, kind hierarchy.Kind) string {
		invited := "You are invited"
		switch {
		case by.name != "" && by.client:
			invited = "The API client " + by.name + " invites you"
		case by.name != "":
			invited = by.name + " invites you"
		}
		if kind == hierarchy.Customer {
			return invited + " to work with the customer " + node + "."
		}
		return invited + " to work with the partner " + node + ", and with all partners and customers below it."
	},
	role: func(role access.Role) string {
		return "Your role there will be " + role.String() + ": you may " + rights[role] + "."
	},
	said: func(by inviter) string {
		switch {
		case by.name == "":
			return "Whoever invites you wrote:"
		case by.client:
			return "The API client " + by.name + " wrote:"
		}
		return by.name + " wrote:"
	},
	button: "See the invitation",
	orCopy: "If the button does not work, copy this address into your browser",
	guest: func(portal string) string {
		return "You sign in to the portal of " + portal + " as a guest of the organization that runs this portal. " +
			"Microsoft first asks you to join that organization, and then takes you to the invitation."
	},
	join:   "Join, and see the invitation",
	joined: "If you have already joined, open this address instead",
	signIn: func(address string) string {
		return "Sign in with the Microsoft account that has the address " + address + "."
	},
	until: func(t time.Time) string {
		return "You can accept the invitation until " + t.UTC().Format("2 January 2006, 15:04") + " UTC. The link works only for you."
	},
	notForYou: "If you did not expect this invitation, you can ignore this mail.",
	sentBy: func(sender string) string {
		if sender == Platform {
			return "Sent by " + sender + "."
		}
		return "Sent for " + sender + " by " + Platform + "." // which vouches for no brand's name
	},
	preview: func(node string) string { return "You are invited to " + node + "." },
}

// Rights says what a role lets somebody do, to go on after "you may". Mails and pages say it alike.
func Rights(role access.Role) string { return rights[role] }

var rights = map[access.Role]string{
	access.Viewer:   "see everything, but change nothing",
	access.Operator: "see everything, and create and edit customers",
	access.Admin:    "see everything, and manage partners, customers and who has access",
	access.Owner:    "do everything, including managing brands and API clients",
}
