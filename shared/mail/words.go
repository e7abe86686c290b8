package mail

import (
	"fmt"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
)

// words are all that a mail says in one language. What stands between them is in the templates, which need the names in upper case.
type words struct {
	Language   string
	subject    func(brand, node string) string
	Greeting   func(name string) string
	Invited    func(node string, kind hierarchy.Kind) string
	Role       func(role access.Role) string
	Said       string
	Button     string
	OrCopy     string
	SignIn     func(address string) string
	Until      func(t time.Time) string
	NotForYou  string
	SentBy     func(brand string) string
	PreviewFor func(node string) string
}

// english is the only language so far. A translation is one more value like it.
var english = words{
	Language: "en",
	subject:  func(brand, node string) string { return fmt.Sprintf("%s: you are invited to %s", brand, node) },
	Greeting: func(name string) string {
		if name == "" {
			return "Hello,"
		}
		return "Hello " + name + ","
	},
	Invited: func(node string, kind hierarchy.Kind) string {
		if kind == hierarchy.Customer {
			return "you are invited to work with the customer " + node + "."
		}
		return "you are invited to work with " + node + ", and with all partners and customers below it."
	},
	Role: func(role access.Role) string {
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
	Said:   "The message to you:",
	Button: "See the invitation",
	OrCopy: "If the button does not work, copy this address into your browser:",
	SignIn: func(address string) string {
		return "You will be asked to sign in with the Microsoft account whose address is " + address + "."
	},
	Until: func(t time.Time) string {
		return "The invitation can be accepted until " + t.UTC().Format("2 January 2006, 15:04") + " UTC. Its link works for you alone."
	},
	NotForYou:  "If you did not expect this, you need not do anything.",
	SentBy:     func(brand string) string { return "Sent by " + brand + "." },
	PreviewFor: func(node string) string { return "You are invited to " + node + "." },
}
