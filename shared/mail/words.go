package mail

import (
	"fmt"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
)

// words are all that a mail says in one language. How it looks is elsewhere.
type words struct {
	language  string
	subject   func(brand, node string) string
	greeting  func(name string) string
	invited   func(node string, kind hierarchy.Kind) string
	role      func(role access.Role) string
	said      string
	button    string
	orCopy    string
	guest     string
	join      string
	joined    string
	signIn    func(address string) string
	until     func(t time.Time) string
	notForYou string
	sentBy    func(brand string) string
	preview   func(node string) string
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
	invited: func(node string, kind hierarchy.Kind) string {
		if kind == hierarchy.Customer {
			return "you are invited to work with the customer " + node + "."
		}
		return "you are invited to work with " + node + ", and with all partners and customers below it."
	},
	role: func(role access.Role) string {
		switch role {
		case access.Viewer:
			return "Your role will be viewer: you see everything there and change nothing."
		case access.Operator:
			return "Your role will be operator: you see everything there and manage customers."
		case access.Admin:
			return "Your role will be admin: you manage customers, partners and the people who work with them."
		default:
			return "Your role will be owner: you manage everything there."
		}
	},
	said:   "The message to you:",
	button: "See the invitation",
	orCopy: "If the button does not work, copy this address into your browser",
	guest: "You sign in to the portal as a guest of the organization that runs it. Microsoft asks you to join it first, " +
		"and then leads you to the invitation.",
	join:   "Join, and see the invitation",
	joined: "If you have joined before, open this address instead",
	signIn: func(address string) string {
		return "You will be asked to sign in with the Microsoft account whose address is " + address + "."
	},
	until: func(t time.Time) string {
		return "The invitation can be accepted until " + t.UTC().Format("2 January 2006, 15:04") + " UTC. Its link works for you alone."
	},
	notForYou: "If you did not expect this, you need not do anything.",
	sentBy:    func(brand string) string { return "Sent by " + brand + "." },
	preview:   func(node string) string { return "You are invited to " + node + "." },
}
