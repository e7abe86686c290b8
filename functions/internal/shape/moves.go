package shape

import (
	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// MoveRequest is a move that others were asked for.
type MoveRequest struct {
	ID      ident.MoveRequest      `json:"id"`
	Kind    hierarchy.Kind         `json:"kind"`
	Name    hierarchy.Name         `json:"name"`
	Node    ident.Node             `json:"nodeId,omitzero"`
	To      ident.Node             `json:"parentId,omitzero"`
	Message string                 `json:"message,omitzero"`
	State   directory.RequestState `json:"state"`
	Version int64                  `json:"version"`
	Created string                 `json:"createdAt"`
	Ends    string                 `json:"endsAt"`
	Closed  string                 `json:"closedAt,omitzero"`
	Job     ident.Job              `json:"jobId,omitzero"` // in the answer to accepting, while the move is being settled
}

// Self implements Thing.
func (r MoveRequest) Self() (string, int64) { return "move-requests/" + string(r.ID), r.Version }

// OfRequest returns the shape of a move request.
func OfRequest(m directory.AskedMove) MoveRequest {
	out := MoveRequest{ID: m.ID, Kind: hierarchy.KindOf(m.Node), Name: m.Name, To: m.To, Message: m.Message, State: m.State,
		Version: m.Version, Created: stamp(m.Created), Ends: stamp(m.Ends), Closed: stampOrNone(m.Closed)}
	if m.NodeVisible {
		out.Node = m.Node
	}
	return out
}

// OfAccepted returns the shape of a move request that was accepted.
func OfAccepted(a directory.Accepted) MoveRequest {
	out := OfRequest(a.AskedMove)
	out.Job = a.Job
	return out
}

// MovePreview is what a move would do.
type MovePreview struct {
	Blocks       []Block            `json:"blocks"`
	Missing      []ident.Brand      `json:"missingBrandIds"`
	Depth        BeforeAfter[int]   `json:"depth"`
	Levels       int                `json:"levelsBelow"`
	CanProvision BeforeAfter[bool]  `json:"canProvisionServices"`
	Access       []AccessChange     `json:"access"`
	More         bool               `json:"more"`
	Invitations  []VoidedInvitation `json:"invitations"`
}

// BeforeAfter is a value before a move and after the move.
type BeforeAfter[T any] struct {
	Before T `json:"before"`
	After  T `json:"after"`
}

// Block is something that a move would be refused with.
type Block struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// AccessChange is a principal whose role a move would change.
type AccessChange struct {
	Principal ident.Principal `json:"principalId"`
	Name      hierarchy.Name  `json:"name"`
	Before    string          `json:"before,omitzero"`
	After     string          `json:"after,omitzero"`
	Node      ident.Node      `json:"nodeId,omitzero"`
}

// VoidedInvitation is an invitation that nobody could accept after a move.
type VoidedInvitation struct {
	ID   ident.Invitation `json:"id"`
	Name hierarchy.Name   `json:"name,omitzero"`
	Role string           `json:"role"`
}

// OfPreview returns the shape of what a move would do.
func OfPreview(p directory.MovePreview) MovePreview {
	return MovePreview{
		each(p.Blocks, func(e *fault.Error) Block {
			return Block{e.Type.URI(), e.Type.Title, contract.Status(e.Type.Slug), e.Detail}
		}),
		append([]ident.Brand{}, p.MissingBrands...),
		BeforeAfter[int]{p.Depth[0], p.Depth[1]}, p.Levels, BeforeAfter[bool]{p.CanProvision[0], p.CanProvision[1]},
		each(p.Access, func(a directory.AccessChange) AccessChange {
			return AccessChange{a.Principal, a.Name, roleOrNone(a.Role[0]), roleOrNone(a.Role[1]), a.Through}
		}),
		p.More,
		each(p.Invitations, func(i directory.Invitation) VoidedInvitation { return VoidedInvitation{i.ID, i.Name, i.Role.String()} }),
	}
}

// Move reads where a node is to be moved to.
func Move(o *input.Object) ident.Node { return input.Required(o, "parentId", ident.ParsePartner) }

// AskedMove is a move that others are asked for.
type AskedMove struct {
	To      ident.Node
	Message string
}

// AskMove reads a request for a move.
func AskMove(o *input.Object) AskedMove {
	return AskedMove{To: Move(o), Message: input.OptionalOr(o, "message", "", hierarchy.ParseMoveMessage)}
}
