// Package event holds what happened. An event is the audit record and the message to others in one: it is written in the
// transaction of the change that it tells of, and relayed from the table's stream. It is self-contained, is delivered at
// least once and in no order, and holds nothing secret.
package event

import (
	"time"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Type says what happened. Published types never change their meaning.
type Type string

// The types.
const (
	PlatformFounded     Type = "platform.founded"
	PartnerCreated      Type = "partner.created"
	PartnerEdited       Type = "partner.edited"
	CustomerCreated     Type = "customer.created"
	CustomerEdited      Type = "customer.edited"
	PartnerMoved        Type = "partner.moved"
	CustomerMoved       Type = "customer.moved"
	PartnerSuspended    Type = "partner.suspended"
	CustomerSuspended   Type = "customer.suspended"
	PartnerResumed      Type = "partner.resumed"
	CustomerResumed     Type = "customer.resumed"
	ProvisioningChanged Type = "partner.provisioning-changed"
	BrandCreated        Type = "brand.created"
	ClientCreated       Type = "api-client.created"
	ClientRevoked       Type = "api-client.revoked"
	ClientSecretAdded   Type = "api-client.secret-added"
	ClientSecretRemoved Type = "api-client.secret-removed"
	ClientGranted       Type = "api-client.granted"
	ClientGrantRemoved  Type = "api-client.grant-removed"
)

// Source is the `source` of every event on the bus.
const Source = "partnertree"

// Event is one thing that happened to one node.
type Event struct {
	ID      ident.Event    `json:"id"`
	Type    Type           `json:"type"`
	Time    time.Time      `json:"time"`
	Node    ident.Node     `json:"node"`
	Path    hierarchy.Path `json:"path"`  // canonical, when it happened
	Actor   ident.Client   `json:"actor"` // "" for whoever founded the platform with AWS rights
	Request string         `json:"request,omitempty"`
	Data    map[string]any `json:"data,omitempty"` // what changed, by the names of the API
}
