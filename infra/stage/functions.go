package stage

import (
	"path/filepath"
	"strings"
)

// Functions are the folders below functions/ that are deployed, each as one Lambda.
var Functions = []string{"api", "portal", "authorizer", "relay", "bootstrap", "settle", "notify", "guests"}

// BuildDir is where a function's binary is for an architecture, below the root of the checkout.
func BuildDir(root, arch, function string) string {
	return filepath.Join(root, ".build", arch, function)
}

// Environment variables that the functions read.
const (
	EnvStage       = "STAGE"                 // the stage's name
	EnvTable       = "TABLE_NAME"            // every function that reads or writes the table
	EnvBus         = "BUS_NAME"              // relay: where events go
	EnvUndelivered = "UNDELIVERED_QUEUE_URL" // relay: where events go that the bus refuses

	EnvEntraAuthority = "ENTRA_AUTHORITY"        // authorizer, portal, guests: where people and apps sign in; not set: the global cloud
	EnvEntraClient    = "ENTRA_CLIENT_ID"        // authorizer, portal: the platform's app; not set: nobody signs in
	EnvEntraTenants   = "ENTRA_TENANTS"          // authorizer, portal: whom the app lets in
	EnvEntraSecret    = "ENTRA_SECRET"           // portal, local stage only
	EnvEntraFederated = "ENTRA_FEDERATED"        // portal: 1 when the app trusts its role
	EnvGraphClient    = "GRAPH_CLIENT_ID"        // guests: the platform's app that partners' administrators consent to
	EnvGraphSecret    = "GRAPH_SECRET"           // guests, local stage only
	EnvGraphFederated = "GRAPH_FEDERATED"        // guests: 1 when the app trusts its role
	EnvGraphURL       = "GRAPH_URL"              // guests: where Microsoft Graph is; not set: that of Microsoft's global cloud
	EnvGuests         = "GUESTS_FUNCTION"        // notify: the name of the function guests
	EnvPortalHosts    = "PORTAL_HOSTS"           // authorizer, portal: host names of the platform's own, with commas between
	EnvPortalOrigin   = "PORTAL_ORIGIN"          // notify: where links lead; authorizer, portal: in the local stage only, instead of all hosts
	EnvMailFrom       = "MAIL_FROM"              // notify: the platform's name and address
	EnvMailSet        = "MAIL_CONFIGURATION_SET" // notify: of Amazon SES
)

// Outputs of the stacks, by name.
const (
	OutTable       = "TableName"           // stateful stack
	OutBus         = "BusName"             // stateful stack
	OutUndelivered = "UndeliveredQueueUrl" // stateful stack
	OutUnstarted   = "UnstartedQueueUrl"   // stateful stack
	// OutMails is in the stateful stack. MiniStack does not tell what becomes of mails, and lets nobody else tell it in Amazon's name: on
	// this machine, what Amazon SES would tell is put into this queue.
	OutMails          = "MailsQueueArn"
	OutUnmailed       = "UnmailedQueueArn" // stateful stack
	OutApiID          = "ApiId"            // service stack, like the rest
	OutApiURL         = "ApiUrl"
	OutSettling       = "SettlingMachineArn" // the state machine that settles changes to whole subtrees
	OutRedriveMapping = "RedriveMappingId"   // the event source mapping that an operator enables to redrive
)

// OutFunction is the output with a function's generated name: BootstrapFunction for bootstrap.
func OutFunction(function string) string {
	return strings.ToUpper(function[:1]) + function[1:] + "Function"
}
