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
