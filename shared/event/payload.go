package event

import (
	"encoding/json"
	"reflect"

	"example.com/partnertree/shared/access"
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
	UserRenamed         Type = "user.renamed"
	SignedOutEverywhere Type = "user.signed-out-everywhere"
	BrandCreated        Type = "brand.created"
	BrandEdited         Type = "brand.edited"
	BrandDeleted        Type = "brand.deleted"
	ClientCreated       Type = "api-client.created"
	ClientRevoked       Type = "api-client.revoked"
	ClientSecretAdded   Type = "api-client.secret-added"
	ClientSecretRemoved Type = "api-client.secret-removed"
	ClientGranted       Type = "api-client.granted"
	ClientGrantRemoved  Type = "api-client.grant-removed"
	ClientRenamed       Type = "api-client.renamed"
)

// Types lists them all. The contract documents each; a test keeps the three alike.
var Types = []Type{PlatformFounded, PartnerCreated, PartnerEdited, CustomerCreated, CustomerEdited, PartnerMoved, CustomerMoved,
	PartnerSuspended, CustomerSuspended, PartnerResumed, CustomerResumed, ProvisioningChanged, PartnerTrashed, CustomerTrashed,
	PartnerRestored, CustomerRestored, PartnerPurged, CustomerPurged, MoveAsked, MoveOffered, MoveAccepted, MoveDeclined, MoveWithdrawn,
	InvitationMade, InvitationResent, InvitationRevoked, InvitationAccepted, UserChanged, UserRemoved, UserRenamed, SignedOutEverywhere,
	BrandCreated, BrandEdited, BrandDeleted, ClientCreated, ClientRevoked, ClientSecretAdded, ClientSecretRemoved, ClientGranted, ClientGrantRemoved,
	ClientRenamed}

// Payload is the data of an event: a struct whose fields have the names of the API. The contract has a schema for each type with the same
// fields; a test holds the two alike. A field with the tag `unseen:"true"` is stored, and is not told to a caller of the API.
type Payload interface {
	// TypeAt returns the type of an event with this payload at a node. Where partners and customers share a payload, the node's kind decides.
	TypeAt(node ident.Node) Type
}

// payloads has an empty payload for each type. Decoding makes another one of the same Go type.
var payloads = map[Type]Payload{
	PlatformFounded:     PlatformFoundedData{},
	PartnerCreated:      PartnerCreatedData{},
	PartnerEdited:       PartnerEditedData{},
	CustomerCreated:     CustomerCreatedData{},
	CustomerEdited:      CustomerEditedData{},
	PartnerMoved:        MovedData{},
	CustomerMoved:       MovedData{},
	PartnerSuspended:    SuspendedData{},
	CustomerSuspended:   SuspendedData{},
	PartnerResumed:      ResumedData{},
	CustomerResumed:     ResumedData{},
	ProvisioningChanged: ProvisioningChangedData{},
	PartnerTrashed:      TrashedData{},
	CustomerTrashed:     TrashedData{},
	PartnerRestored:     RestoredData{},
	CustomerRestored:    RestoredData{},
	PartnerPurged:       PurgedData{},
	CustomerPurged:      PurgedData{},
	MoveAsked:           MoveAskedData{},
	MoveOffered:         MoveOfferedData{},
	MoveAccepted:        MoveAcceptedData{},
	MoveDeclined:        MoveDeclinedData{},
	MoveWithdrawn:       MoveWithdrawnData{},
	InvitationMade:      InvitationMadeData{},
	InvitationResent:    InvitationResentData{},
	InvitationRevoked:   InvitationRevokedData{},
	InvitationAccepted:  InvitationAcceptedData{},
	UserChanged:         UserChangedData{},
	UserRemoved:         UserRemovedData{},
	UserRenamed:         UserRenamedData{},
	SignedOutEverywhere: SignedOutEverywhereData{},
	BrandCreated:        BrandCreatedData{},
	BrandEdited:         BrandEditedData{},
	BrandDeleted:        BrandDeletedData{},
	ClientCreated:       ClientCreatedData{},
	ClientRevoked:       ClientRevokedData{},
	ClientSecretAdded:   ClientSecretAddedData{},
	ClientSecretRemoved: ClientSecretRemovedData{},
	ClientGranted:       ClientGrantedData{},
	ClientGrantRemoved:  ClientGrantRemovedData{},
	ClientRenamed:       ClientRenamedData{},
}

// Empty returns an empty payload of the type, nil for an unknown type.
func (t Type) Empty() Payload { return payloads[t] }

// decode reads the payload of an event of a type. Fields that the payload does not have are left out.
func (t Type) decode(data json.RawMessage) (Payload, error) {
	empty := t.Empty()
	switch {
	case empty == nil && data == nil:
		return nil, nil
	case empty == nil:
		return Raw(data), nil
	case data == nil:
		return empty, nil
	}
	p := reflect.New(reflect.TypeOf(empty))
	err := json.Unmarshal(data, p.Interface())
	return p.Elem().Interface().(Payload), err
}

// Raw is the data of an event of an unknown type, as JSON: a newer version of this code wrote the event. Raw keeps the data, and shows
// nothing of the data to a caller, because nobody here knows which fields a caller may see.
type Raw json.RawMessage

// TypeAt returns no type: the data does not tell the type.
func (Raw) TypeAt(ident.Node) Type { return "" }

// MarshalJSON returns the data.
func (r Raw) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// Edit is what an edit makes of a field.
type Edit[T any] struct {
	From T `json:"from"`
	To   T `json:"to"`
}

// Note returns the edit of a field, nil when the field stays as it was.
func Note[T comparable](was, now T) *Edit[T] {
	if was == now {
		return nil
	}
	return &Edit[T]{was, now}
}

// Job is the part of a payload that names the job which settles a change to a whole subtree.
type Job struct {
	JobID ident.Job `json:"jobId,omitzero"`
}

func (j Job) job() ident.Job { return j.JobID }

// Settled returns the types of events that may begin the settling of a change to a whole subtree.
func Settled() (all []Type) {
	for _, t := range Types {
		if _, may := payloads[t].(interface{ job() ident.Job }); may {
			all = append(all, t)
		}
	}
	return all
}

// Job returns the id of the job that settles what happened, "" when there is nothing to settle.
func (e *Event) Job() ident.Job {
	if p, ok := e.Data.(interface{ job() ident.Job }); ok {
		return p.job()
	}
	return ""
}

// Version is the part of a payload that orders events about the same principal: access.Principal.Version that came of the change. Of two
// such events the event that happened later has the higher version, whatever the clocks said.
type Version struct {
	Version int64 `json:"version,omitzero" unseen:"true"`
}

// Kinds of nodes.

func byKind(node ident.Node, partner, customer Type) Type {
	if hierarchy.KindOf(node) == hierarchy.Customer {
		return customer
	}
	return partner
}

// Nodes.

// PlatformFoundedData is the data of PlatformFounded.
type PlatformFoundedData struct {
	Name       hierarchy.Name  `json:"name"` // of the root
	ClientID   ident.Principal `json:"clientId"`
	ClientName hierarchy.Name  `json:"clientName"`
	Role       access.Role     `json:"role"`
}

// PartnerCreatedData is the data of PartnerCreated.
type PartnerCreatedData struct {
	Name                 hierarchy.Name `json:"name"`
	PortalBrandID        ident.Brand    `json:"portalBrandId"`
	AvailableBrandIDs    []ident.Brand  `json:"availableBrandIds"`
	CanProvisionServices bool           `json:"canProvisionServices"`
}

// PartnerEditedData is the data of PartnerEdited: what changed.
type PartnerEditedData struct {
	Name              *Edit[hierarchy.Name] `json:"name,omitempty"`
	PortalBrandID     *Edit[ident.Brand]    `json:"portalBrandId,omitempty"`
	AvailableBrandIDs *Edit[[]ident.Brand]  `json:"availableBrandIds,omitempty"`
	Job                                     // when a change to a whole subtree was being settled that the partner could have been missed by
}

// CustomerCreatedData is the data of CustomerCreated.
type CustomerCreatedData struct {
	Name hierarchy.Name `json:"name"`
	hierarchy.Details
}

// CustomerEditedData is the data of CustomerEdited: what changed.
type CustomerEditedData struct {
	Name *Edit[hierarchy.Name] `json:"name,omitempty"`
	hierarchy.Editable[*Edit[string]]
	Job // as PartnerEditedData.Job
}

// MovedData is the data of PartnerMoved and CustomerMoved.
type MovedData struct {
	From          ident.Node        `json:"from,omitempty"` // the parent before
	To            ident.Node        `json:"to,omitempty"`   // the parent since
	MoveRequestID ident.MoveRequest `json:"moveRequestId,omitempty"`
	Job
}

// SuspendedData is the data of PartnerSuspended and CustomerSuspended.
type SuspendedData struct {
	Reason string `json:"reason"`
	Job
}

// ResumedData is the data of PartnerResumed and CustomerResumed.
type ResumedData struct{ Job }

// ProvisioningChangedData is the data of ProvisioningChanged.
type ProvisioningChangedData struct {
	CanProvisionServices bool `json:"canProvisionServices"`
	Job
}

// TrashedData is the data of PartnerTrashed and CustomerTrashed.
type TrashedData struct{ Job }

// RestoredData is the data of PartnerRestored and CustomerRestored.
type RestoredData struct{ Job }

// PurgedData is the data of PartnerPurged and CustomerPurged.
type PurgedData struct {
	Name hierarchy.Name `json:"name"`
	Job                 // when anything was below the node
}

// Requests for moves.

// MoveAskedData is the data of MoveAsked.
type MoveAskedData struct {
	MoveRequestID ident.MoveRequest `json:"moveRequestId"`
	To            ident.Node        `json:"to,omitempty"` // told to those above the node, who asked
}

// MoveOfferedData is the data of MoveOffered.
type MoveOfferedData struct {
	MoveRequestID ident.MoveRequest `json:"moveRequestId"`
	Kind          hierarchy.Kind    `json:"kind"`
	Name          hierarchy.Name    `json:"name"`
	Message       string            `json:"message"`
}

// MoveAcceptedData is the data of MoveAccepted.
type MoveAcceptedData struct {
	MoveRequestID ident.MoveRequest `json:"moveRequestId"`
}

// MoveClosed is what each side of a move request learns when the request is closed without a move.
type MoveClosed struct {
	MoveRequestID ident.MoveRequest `json:"moveRequestId"`
	To            ident.Node        `json:"to,omitempty"`   // at the node, told to those above the node
	Kind          hierarchy.Kind    `json:"kind,omitempty"` // at the destination, as the name
	Name          hierarchy.Name    `json:"name,omitempty"`
}

// MoveDeclinedData is the data of MoveDeclined.
type MoveDeclinedData struct{ MoveClosed }

// MoveWithdrawnData is the data of MoveWithdrawn.
type MoveWithdrawnData struct{ MoveClosed }

// Invitations.

// Invitation is what is told of an invitation. The address is never told.
type Invitation struct {
	InvitationID ident.Invitation `json:"invitationId"`
	Generation   int              `json:"generation"`
	Role         access.Role      `json:"role"`
	Name         hierarchy.Name   `json:"name"`
}

// InvitationMadeData is the data of InvitationMade.
type InvitationMadeData struct{ Invitation }

// InvitationResentData is the data of InvitationResent.
type InvitationResentData struct{ Invitation }

// InvitationRevokedData is the data of InvitationRevoked.
type InvitationRevokedData struct{ Invitation }

// InvitationAcceptedData is the data of InvitationAccepted. Role and Name are those of the person who accepted, from then on.
type InvitationAcceptedData struct {
	Invitation
	PrincipalID ident.Principal `json:"principalId"`
	Version
}

// Users.

// UserRole is the role of a person at the event's node.
type UserRole struct {
	PrincipalID ident.Principal `json:"principalId"`
	Name        hierarchy.Name  `json:"name"`
	Role        access.Role     `json:"role"`
	Version
}

// UserChangedData is the data of UserChanged: the new role.
type UserChangedData struct{ UserRole }

// UserRemovedData is the data of UserRemoved: the role that was taken away.
type UserRemovedData struct{ UserRole }

// UserRenamedData is the data of UserRenamed: what a person was called, and is called at Microsoft now.
type UserRenamedData struct {
	PrincipalID ident.Principal `json:"principalId"`
	From        hierarchy.Name  `json:"from"`
	To          hierarchy.Name  `json:"to"`
}

// SignedOutEverywhereData is the data of SignedOutEverywhere.
type SignedOutEverywhereData struct {
	PrincipalID ident.Principal `json:"principalId"`
}

// Brands.

// BrandCreatedData is the data of BrandCreated.
type BrandCreatedData struct {
	BrandID ident.Brand    `json:"brandId"`
	Name    hierarchy.Name `json:"name"`
	Domain  string         `json:"domain"`
	Regions []string       `json:"regions"`
}

// BrandEditedData is the data of BrandEdited: what changed.
type BrandEditedData struct {
	BrandID   ident.Brand           `json:"brandId"`
	Name      *Edit[hierarchy.Name] `json:"name,omitempty"`
	Domain    *Edit[string]         `json:"domain,omitempty"`
	Regions   *Edit[[]string]       `json:"regions,omitempty"`
	Color     *Edit[string]         `json:"color,omitempty"`
	LogoURL   *Edit[string]         `json:"logoUrl,omitempty"`
	PortalApp *Edit[*PortalApp]     `json:"portalApp,omitempty"` // null: there is none
}

// BrandDeletedData is the data of BrandDeleted.
type BrandDeletedData struct {
	BrandID ident.Brand    `json:"brandId"`
	Name    hierarchy.Name `json:"name"`
	Domain  string         `json:"domain"`
}

// PortalApp is the app registration that a brand's portal signs in by.
type PortalApp struct {
	ClientID     string `json:"clientId"`
	TenantID     string `json:"tenantId"`
	SingleTenant bool   `json:"singleTenant"`
}

// API clients.

// Client is the API client that an event is about.
type Client struct {
	ClientID ident.Principal `json:"clientId"`
	Name     hierarchy.Name  `json:"name"`
}

// Secret is a secret of an API client that was made.
type Secret struct {
	SecretID ident.Key `json:"secretId"`
	Expires  string    `json:"expiresAt,omitzero"` // when it ends (RFC 3339), "" for never
}

// ClientCreatedData is the data of ClientCreated.
type ClientCreatedData struct {
	Client
	Role access.Role `json:"role"`
	Secret
	Recovered bool `json:"recovered,omitzero"` // somebody with AWS rights made it, since no owner was left
}

// ClientRevokedData is the data of ClientRevoked.
type ClientRevokedData struct {
	Client
	Grants map[ident.Node]access.Role `json:"grants,omitempty" unseen:"true"` // they may be anywhere in the tree
}

// ClientSecretAddedData is the data of ClientSecretAdded.
type ClientSecretAddedData struct {
	Client
	Secret
	Recovered bool `json:"recovered,omitzero"` // as ClientCreatedData.Recovered
}

// ClientSecretRemovedData is the data of ClientSecretRemoved.
type ClientSecretRemovedData struct {
	Client
	SecretID ident.Key `json:"secretId"`
}

// ClientRole is the role of an API client at the event's node.
type ClientRole struct {
	Client
	Role access.Role `json:"role"`
	Version
}

// ClientGrantedData is the data of ClientGranted: the new role.
type ClientGrantedData struct{ ClientRole }

// ClientGrantRemovedData is the data of ClientGrantRemoved: the role that was taken away.
type ClientGrantRemovedData struct{ ClientRole }

// ClientRenamedData is the data of ClientRenamed.
type ClientRenamedData struct {
	ClientID ident.Principal      `json:"clientId"`
	Name     Edit[hierarchy.Name] `json:"name"`
}

// Types of payloads.

// TypeAt implements Payload, as the methods below do.
func (PlatformFoundedData) TypeAt(ident.Node) Type     { return PlatformFounded }
func (PartnerCreatedData) TypeAt(ident.Node) Type      { return PartnerCreated }
func (PartnerEditedData) TypeAt(ident.Node) Type       { return PartnerEdited }
func (CustomerCreatedData) TypeAt(ident.Node) Type     { return CustomerCreated }
func (CustomerEditedData) TypeAt(ident.Node) Type      { return CustomerEdited }
func (MovedData) TypeAt(n ident.Node) Type             { return byKind(n, PartnerMoved, CustomerMoved) }
func (SuspendedData) TypeAt(n ident.Node) Type         { return byKind(n, PartnerSuspended, CustomerSuspended) }
func (ResumedData) TypeAt(n ident.Node) Type           { return byKind(n, PartnerResumed, CustomerResumed) }
func (ProvisioningChangedData) TypeAt(ident.Node) Type { return ProvisioningChanged }
func (TrashedData) TypeAt(n ident.Node) Type           { return byKind(n, PartnerTrashed, CustomerTrashed) }
func (RestoredData) TypeAt(n ident.Node) Type          { return byKind(n, PartnerRestored, CustomerRestored) }
func (PurgedData) TypeAt(n ident.Node) Type            { return byKind(n, PartnerPurged, CustomerPurged) }
func (MoveAskedData) TypeAt(ident.Node) Type           { return MoveAsked }
func (MoveOfferedData) TypeAt(ident.Node) Type         { return MoveOffered }
func (MoveAcceptedData) TypeAt(ident.Node) Type        { return MoveAccepted }
func (MoveDeclinedData) TypeAt(ident.Node) Type        { return MoveDeclined }
func (MoveWithdrawnData) TypeAt(ident.Node) Type       { return MoveWithdrawn }
func (InvitationMadeData) TypeAt(ident.Node) Type      { return InvitationMade }
func (InvitationResentData) TypeAt(ident.Node) Type    { return InvitationResent }
func (InvitationRevokedData) TypeAt(ident.Node) Type   { return InvitationRevoked }
func (InvitationAcceptedData) TypeAt(ident.Node) Type  { return InvitationAccepted }
func (UserChangedData) TypeAt(ident.Node) Type         { return UserChanged }
func (UserRemovedData) TypeAt(ident.Node) Type         { return UserRemoved }
func (UserRenamedData) TypeAt(ident.Node) Type         { return UserRenamed }
func (SignedOutEverywhereData) TypeAt(ident.Node) Type { return SignedOutEverywhere }
func (BrandCreatedData) TypeAt(ident.Node) Type        { return BrandCreated }
func (BrandEditedData) TypeAt(ident.Node) Type         { return BrandEdited }
func (BrandDeletedData) TypeAt(ident.Node) Type        { return BrandDeleted }
func (ClientCreatedData) TypeAt(ident.Node) Type       { return ClientCreated }
func (ClientRevokedData) TypeAt(ident.Node) Type       { return ClientRevoked }
func (ClientSecretAddedData) TypeAt(ident.Node) Type   { return ClientSecretAdded }
func (ClientSecretRemovedData) TypeAt(ident.Node) Type { return ClientSecretRemoved }
func (ClientGrantedData) TypeAt(ident.Node) Type       { return ClientGranted }
func (ClientGrantRemovedData) TypeAt(ident.Node) Type  { return ClientGrantRemoved }
func (ClientRenamedData) TypeAt(ident.Node) Type       { return ClientRenamed }

// Grants.

// Grant returns the role that somebody has at the event's node from then on, access.None when the role was taken away, with the version of
// the principal: 0 when the principal was made by this event. An event of another type has no grant.
func (e *Event) Grant() (g access.Grant, version int64, ok bool) {
	p, ok := e.Data.(interface{ grant() (access.Grant, int64) })
	if !ok {
		return access.Grant{}, 0, false
	}
	g, version = p.grant()
	g.Node = e.Node
	return g, version, true
}

func (p PlatformFoundedData) grant() (access.Grant, int64) {
	return access.Grant{Principal: p.ClientID, Name: p.ClientName, Role: p.Role}, 0
}

func (p InvitationAcceptedData) grant() (access.Grant, int64) {
	return access.Grant{Principal: p.PrincipalID, Name: p.Name, Role: p.Role}, p.Version.Version
}

func (p UserChangedData) grant() (access.Grant, int64) {
	return access.Grant{Principal: p.PrincipalID, Name: p.Name, Role: p.Role}, p.Version.Version
}

func (p UserRemovedData) grant() (access.Grant, int64) {
	return access.Grant{Principal: p.PrincipalID, Name: p.Name}, p.Version.Version
}

func (p ClientCreatedData) grant() (access.Grant, int64) {
	return access.Grant{Principal: p.ClientID, Name: p.Name, Role: p.Role}, 0
}

func (p ClientGrantedData) grant() (access.Grant, int64) {
	return access.Grant{Principal: p.ClientID, Name: p.Name, Role: p.Role}, p.Version.Version
}

func (p ClientGrantRemovedData) grant() (access.Grant, int64) {
	return access.Grant{Principal: p.ClientID, Name: p.Name}, p.Version.Version
}

// What may be seen.

// sight is from where somebody looks at an event: a node that is one of its witnesses.
type sight struct {
	on     bool // the node is on the event's path
	onLeft bool // the node is on the path that a move left
	itself bool // the event happened to the node
}

// restricted is a payload that does not tell everything to everybody.
type restricted interface {
	// seen returns the payload without what may not be seen from there.
	seen(from sight) Payload
}

// seen tells the parents only to those who reach them: the parent above the node before, and since.
func (p MovedData) seen(from sight) Payload {
	if !from.on || from.itself {
		p.To = ""
	}
	if !from.onLeft || from.itself {
		p.From = ""
	}
	return p
}

// seen tells the destination only to those above the node, who asked.
func (p MoveAskedData) seen(from sight) Payload {
	if from.itself {
		p.To = ""
	}
	return p
}

func (p MoveDeclinedData) seen(from sight) Payload {
	p.MoveClosed = p.MoveClosed.seen(from)
	return p
}

func (p MoveWithdrawnData) seen(from sight) Payload {
	p.MoveClosed = p.MoveClosed.seen(from)
	return p
}

// seen is as MoveAskedData.seen.
func (p MoveClosed) seen(from sight) MoveClosed {
	if from.itself {
		p.To = ""
	}
	return p
}

// told returns the payload without its fields that a caller of the API is never told.
func told(p Payload) Payload {
	whole := reflect.ValueOf(p)
	if whole.Kind() != reflect.Struct {
		return p
	}
	part := reflect.New(whole.Type()).Elem()
	part.Set(whole)
	hide(part)
	return part.Interface().(Payload)
}

// hide empties the fields with the tag unseen, those of embedded structs included.
func hide(part reflect.Value) {
	for f, v := range part.Fields() {
		if f.Tag.Get("unseen") == "true" {
			v.SetZero()
		} else if f.Anonymous {
			hide(v)
		}
	}
}

// seen shows nothing of what nobody here knows.
func (Raw) seen(sight) Payload { return Raw("{}") }
