// Package event holds what happened. An event is the audit record and the message to others in one: it is written in the
// transaction of the change that it tells of, and relayed from the table's stream. It is self-contained, is delivered at
// least once and in no order, and holds nothing secret.
package event

import (
	"maps"
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
	PartnerTrashed      Type = "partner.trashed"
	CustomerTrashed     Type = "customer.trashed"
	PartnerRestored     Type = "partner.restored"
	CustomerRestored    Type = "customer.restored"
	PartnerPurged       Type = "partner.purged"
	CustomerPurged      Type = "customer.purged"
	MoveAsked           Type = "move-request.made"      // at the node that is to move
	MoveOffered         Type = "move-request.received"  // at the partner that it is to move to
	MoveAccepted        Type = "move-request.accepted"  // of a node that was there already: any other has the moveRequestId in the move's event
	MoveDeclined        Type = "move-request.declined"  // at both
	MoveWithdrawn       Type = "move-request.withdrawn" // at both
	InvitationMade      Type = "invitation.made"
	InvitationResent    Type = "invitation.resent"
	InvitationRevoked   Type = "invitation.revoked"
	InvitationAccepted  Type = "invitation.accepted"
	UserChanged         Type = "user.role-changed"
	UserRemoved         Type = "user.removed"
	SignedOutEverywhere Type = "user.signed-out-everywhere"
	BrandCreated        Type = "brand.created"
	BrandEdited         Type = "brand.edited"
	ClientCreated       Type = "api-client.created"
	ClientRevoked       Type = "api-client.revoked"
	ClientSecretAdded   Type = "api-client.secret-added"
	ClientSecretRemoved Type = "api-client.secret-removed"
	ClientGranted       Type = "api-client.granted"
	ClientGrantRemoved  Type = "api-client.grant-removed"
)

// Types lists them all. The contract documents each; a test keeps the three alike.
var Types = []Type{PlatformFounded, PartnerCreated, PartnerEdited, CustomerCreated, CustomerEdited, PartnerMoved, CustomerMoved,
	PartnerSuspended, CustomerSuspended, PartnerResumed, CustomerResumed, ProvisioningChanged, PartnerTrashed, CustomerTrashed,
	PartnerRestored, CustomerRestored, PartnerPurged, CustomerPurged, MoveAsked, MoveOffered, MoveAccepted, MoveDeclined, MoveWithdrawn,
	InvitationMade, InvitationResent, InvitationRevoked, InvitationAccepted, UserChanged, UserRemoved, SignedOutEverywhere,
	BrandCreated, BrandEdited, ClientCreated, ClientRevoked, ClientSecretAdded, ClientSecretRemoved, ClientGranted, ClientGrantRemoved}

// Source is the `source` of every event on the bus.
const Source = "partnertree"

// Event is one thing that happened to one node.
type Event struct {
	ID        ident.Event     `json:"id"`
	Type      Type            `json:"type"`
	Time      time.Time       `json:"time"`
	Node      ident.Node      `json:"node"`
	Path      hierarchy.Path  `json:"path"`           // canonical, when it happened; of a move: after it
	Left      hierarchy.Path  `json:"left,omitempty"` // of a move: the canonical path before it
	Actor     ident.Principal `json:"actor"`          // "" for whoever founded the platform with AWS rights
	RequestID string          `json:"request,omitempty"`
	// Data is what changed, by the names of the API. Where somebody got another role, version is the access.Principal.Version that
	// came of it: of two such events the one that happened later has the higher one, whatever the clocks said.
	Data map[string]any `json:"data,omitempty"`
}

// Past reports whether the event changes who has access at its node: all of these together tell who could, on any day. Of a client that
// was revoked access.Principal.Revoked tells, wherever it had roles; and of what was purged nothing is told any more.
func (e *Event) Past() bool {
	switch e.Type {
	case PlatformFounded, PartnerCreated, CustomerCreated, PartnerMoved, CustomerMoved, PartnerSuspended, CustomerSuspended,
		PartnerResumed, CustomerResumed, PartnerTrashed, CustomerTrashed, PartnerRestored, CustomerRestored,
		InvitationAccepted, UserChanged, UserRemoved, ClientCreated, ClientGranted, ClientGrantRemoved:
		return true
	}
	return false
}

// Witnesses are the nodes in whose logs the event is listed: all on its path, and all on the one that was left. At most twice
// hierarchy.MaxDepth.
func (e *Event) Witnesses() []ident.Node {
	ids := e.Path.IDs()
	for _, id := range e.Left.IDs() {
		if e.Path.Index(id) < 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// SeenFrom is the event as somebody may see it who reaches node, one of its witnesses, and perhaps nothing else: paths begin
// there, of a move, or one that was asked for, only that parent is told which is the node or lies below it, of a revoked client not
// where it had grants, and of nobody how often their roles were changed.
func (e Event) SeenFrom(node ident.Node) Event {
	here, before := e.Path.Index(node), e.Left.Index(node)
	data := maps.Clone(e.Data)
	delete(data, "grants")  // of a client that was revoked: they may be anywhere in the tree
	delete(data, "version") // it counts what was changed elsewhere, too
	if e.Left != "" && (here < 0 || e.Node == node) {
		delete(data, "to")
	}
	if e.Left != "" && (before < 0 || e.Node == node) {
		delete(data, "from")
	}
	if e.Left != "" && here < 0 {
		if _, asked := data["moveRequestId"]; asked { // the other side accepted it
			e.Actor, e.RequestID = "", ""
		}
	}
	switch e.Type {
	case MoveAsked, MoveDeclined, MoveWithdrawn:
		if e.Node == node {
			delete(data, "to") // it is for those above, who asked
		}
	}
	e.Data = data
	e.Path, e.Left = within(e.Path, here), within(e.Left, before)
	return e
}

func within(p hierarchy.Path, from int) hierarchy.Path {
	if from < 0 {
		return ""
	}
	return p.From(from)
}
