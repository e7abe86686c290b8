// Package stage says in what the deployments differ: one Config for each stage, and nothing else decides by stage. It does
// not import the CDK, so that the local run can read it without compiling half a cloud.
package stage

import (
	"fmt"
	"net/mail"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Config is everything that differs between two deployments of the same stacks.
type Config struct {
	Name   string // part of stack names and of the bus's name; 1 to MaxName lowercase letters and digits
	Region string // where the stacks live
	// Account is the AWS account the stage belongs to. Empty: the account of the credentials that deploy.
	Account string
	// Arch is what the functions are built for: a value of GOARCH.
	Arch string
	// LogDays is how long logs are kept; one of the periods that CloudWatch offers.
	LogDays int
	// Whole bounds what the API takes before API Gateway answers 429 by itself. Limits of a single caller are the functions' concern.
	Whole Throttle
	// Pages bounds each of the routes that anybody can ask who has no account (pages of a session are not among them), but for two that have bounds of their own: SignIn the one
	// that sign-ins come back to, since each costs calls of Microsoft that take seconds, and Logos that of logos, since mails show them. All of
	// these routes together stay below half of Whole: whatever the public does, the other half is there for those who have an account.
	Pages, SignIn, Logos Throttle
	// Retain keeps the table, the bus and what is in them when their stack is deleted or they are taken out of it.
	Retain bool
	// Entra is the platform's own app in Microsoft Entra ID, by which people sign in.
	Entra Entra
	// Graph is the platform's app that partners' administrators consent to, so that it makes guests in their tenants. It is no app by
	// which anybody signs in.
	Graph Graph
	// PortalHosts are the host names of the portal; links in mails have the first. Empty: the API's own address.
	PortalHosts []string
	// PortalOrigin is scheme, host and port in the place of all hosts; of the local stage only.
	PortalOrigin string
	// MailFrom is the platform's name and the address that its mails come from: Name <name@domain>. Amazon SES is told that the domain
	// is ours, and asks for records in its DNS as proof (infra/RUNBOOK.md, Mail).
	MailFrom string
	// Without names what this stage leaves out, each with the reason.
	Without map[Feature]string
}

// MaxName is how long the name of a stage can be. CloudFormation names a rule by its stack, its id and a part by chance, and cuts what is
// longer than the 64 characters that a rule's name can have. Queues know rules by the beginning of their names.
const MaxName = 7

// Throttle is a rate of requests, and how many may come at once beyond it.
type Throttle struct{ PerSecond, Burst int }

// Entra is an app registration.
type Entra struct {
	// ClientID is the app's (client) id. Empty: nobody can sign in, and the portal says so.
	ClientID string
	// Tenants says whom the app lets in: "any", or ids of tenants with commas between.
	Tenants string
	// Federated says that the app trusts the role of the function portal, so that there is no secret.
	Federated bool
	// Authority and Secret are those of the double of Entra; of the local stage only.
	Authority, Secret string
}

// Graph is an app registration with application permissions of Microsoft Graph.
type Graph struct {
	// ClientID is the app's (client) id. Empty: no guests can be made.
	ClientID string
	// Federated says that the app trusts the role of the function guests, so that there is no secret.
	Federated bool
	// URL and Secret are those of the double of Microsoft Graph; of the local stage only.
	URL, Secret string
}

// Feature is a part of the deployment that a stage can be without.
type Feature string

// The parts that the local stage leaves out.
const (
	DeletionProtection Feature = "deletion protection of the table"
	Recovery           Feature = "point-in-time recovery of the table"
	Nag                Feature = "cdk-nag at synthesis"
)

// Has reports whether the stage has the feature.
func (c Config) Has(f Feature) bool { _, without := c.Without[f]; return !without }

// StatefulStack is the name of the stack with what must never be lost.
func (c Config) StatefulStack() string { return "partnertree-" + c.Name + "-stateful" }

// ServiceStack is the name of the stack that can be deleted and deployed again without loss.
func (c Config) ServiceStack() string { return "partnertree-" + c.Name + "-service" }

// MailAddress is the address in MailFrom. One that is none is a mistake in this package.
func (c Config) MailAddress() string {
	a, err := mail.ParseAddress(c.MailFrom)
	if err != nil {
		panic(fmt.Sprintf("stage %s: mails from %q: %v", c.Name, c.MailFrom, err))
	}
	return a.Address
}

// MailDomain is the domain of MailAddress.
func (c Config) MailDomain() string {
	_, domain, _ := strings.Cut(c.MailAddress(), "@")
	return domain
}

// BusName is fixed, not generated: regions and other systems will name it.
func (c Config) BusName() string { return "partnertree-" + c.Name }

// Local is the stage that infra/local deploys into MiniStack.
const Local = "local"

// What the local stage does not know before it is started: it is in these variables of the environment when the stacks are deployed.
const (
	LocalPortal = "PARTNERTREE_PORTAL" // origin under which the portal is seen in a browser
	LocalEntra  = "PARTNERTREE_ENTRA"  // where the double of Entra and Microsoft Graph is
)

var stages = []Config{
	{
		Name: Local, Region: "us-east-1", Account: "000000000000", Arch: runtime.GOARCH, LogDays: 1,
		Whole: Throttle{1000, 1000}, Pages: Throttle{23, 46}, SignIn: Throttle{20, 40}, Logos: Throttle{100, 200},
		Entra:    Entra{ClientID: "00000000-0000-4000-8000-00000000a991", Tenants: "any", Secret: "local"},
		Graph:    Graph{ClientID: "00000000-0000-4000-8000-00000000a992", Secret: "local"},
		MailFrom: "Partner management <no-reply@partnertree.example>",
		Without: map[Feature]string{
			DeletionProtection: "a local stack is thrown away and made again",
			Recovery:           "MiniStack does not keep it",
			Nag:                "the same stacks are checked by their test and for every other stage; here it only costs start-up time",
		},
	},
	{
		Name: "dev", Region: "eu-west-1", Arch: "arm64", LogDays: 14, Retain: true,
		Whole: Throttle{200, 400}, Pages: Throttle{4, 8}, SignIn: Throttle{5, 10}, Logos: Throttle{20, 40},
		Entra: Entra{Tenants: "any", Federated: true}, Graph: Graph{Federated: true},
		MailFrom: "Partner management (dev) <no-reply@dev.partnertree.example>",
	},
	{
		Name: "prod", Region: "eu-west-1", Arch: "arm64", LogDays: 365, Retain: true,
		Whole: Throttle{2000, 4000}, Pages: Throttle{48, 96}, SignIn: Throttle{20, 40}, Logos: Throttle{200, 400},
		Entra: Entra{Tenants: "any", Federated: true}, Graph: Graph{Federated: true},
		MailFrom: "Partner management <no-reply@partnertree.example>",
	},
}

// Named is the configuration of the stage with that name. The error lists the names there are.
func Named(name string) (Config, error) {
	for _, c := range stages {
		if c.Name == name {
			if name == Local {
				c.PortalOrigin, c.Entra.Authority, c.Graph.URL = os.Getenv(LocalPortal), os.Getenv(LocalEntra), os.Getenv(LocalEntra)
			}
			return c, nil
		}
	}
	return Config{}, fmt.Errorf("there is no stage %q: use one of %s", name, strings.Join(Names(), ", "))
}

// Names lists the stages.
func Names() []string {
	var names []string
	for _, c := range stages {
		names = append(names, c.Name)
	}
	return slices.Clip(names)
}
