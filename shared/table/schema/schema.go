// Package schema names the attributes and the index of the one DynamoDB table. It is apart from package table so that
// infrastructure can create what the adapter reads and writes, from the same names, without compiling the AWS SDK.
package schema

// Attributes of the table's key, both strings.
const (
	PK = "pk" // partition key
	SK = "sk" // sort key
)

// TTLAttr holds the moment after which DynamoDB may delete an item, in seconds since 1970. Deletion can be days late, so
// the directory judges what still counts, by its own clock.
const TTLAttr = "expires"

// Stream is what each stream record carries of a changed item: its new image, which is all that the relay needs.
const Stream = "NEW_IMAGE"

// The index that finds everything below a node in one range. It is eventually consistent: it proposes, the table decides.
const (
	SubtreeIndex = "subtree"
	IndexPK      = "shard" // string: the shard of the tree that the node belongs to
	IndexSK      = "path"  // string: the node's stored path
	IndexCarries = "kind"  // the one attribute that the index has besides the keys
)

// TypeAttr is the attribute that tells what kind of item it is.
const TypeAttr = "type"

// Every event is there once as an item of EventType, at the node where it happened: that one the relay is called for. In the logs
// of the other nodes that it is listed at, it is an item of LogType.
const (
	EventType = "event"
	LogType   = "log"
)

// EventPrefix begins the sort keys of the items of EventType and LogType and of nothing else.
const EventPrefix = "E#"

// How the partition keys of some kinds of items begin. Those of records begin with the name of their kind.
const (
	NodePrefix       = "N#" // nodes, with what lies at them: lists, logs
	TreePrefix       = "T#" // the tree state
	RatePrefix       = "R#" // counters of requests
	CountPrefix      = "L#" // counts of a day, on the whole platform
	TermPrefix       = "W#" // terms of what can be found
	PrincipalPrefix  = "principal#"
	BrandPrefix      = "brand#"
	DomainPrefix     = "domain#"
	InvitationPrefix = "invitation#"
	KeyringPrefix    = "keyring#"
)

// ReadableKeys are the items that functions may use which have no business with all of them, by function and action of DynamoDB, as beginnings
// of partition keys. The deployment holds them to it. What is meant most is the keyring: by it, sessions of anybody can be made.
var ReadableKeys = map[string]map[string][]string{
	"authorizer": {"BatchGetItem": {PrincipalPrefix, TreePrefix, DomainPrefix, BrandPrefix, NodePrefix}},
	"notify": {
		"BatchGetItem": {InvitationPrefix, KeyringPrefix, NodePrefix, PrincipalPrefix, BrandPrefix, TreePrefix},
		"PutItem":      {InvitationPrefix, NodePrefix}, // an invitation is also in its node's list
		"UpdateItem":   {CountPrefix},                  // mails that bounced
	},
	"portal": {
		"PutItem":    {InvitationPrefix, NodePrefix, PrincipalPrefix, TermPrefix}, // who accepts an invitation, who signs out everywhere
		"DeleteItem": {TermPrefix},                                                // whose name is another one now
		"UpdateItem": {RatePrefix},
	},
}

// EventAttr is the attribute of these items that holds the event itself: what event.Event.Stored returns, in a string.
const EventAttr = "event"
