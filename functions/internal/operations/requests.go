package operations

import (
	"context"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// What precedes a move: its preview, and the request for one to where the caller is no admin.

func previewMove(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := plainID(r, parse)
		if err != nil {
			return api.Reply{}, err
		}
		to, err := readMove(r)
		if err != nil {
			return api.Reply{}, err
		}
		preview, err := d.PreviewMove(ctx, r.Caller, id, to)
		if err != nil {
			return api.Reply{}, err
		}
		return api.OK(previewShape(preview), 0)
	}
}

func askMove(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := plainID(r, parse)
		if err != nil {
			return api.Reply{}, err
		}
		in, err := api.Body[struct {
			Parent  api.Opt[string] `json:"parentId"`
			Message api.Opt[string] `json:"message"`
		}](r)
		if err != nil {
			return api.Reply{}, err
		}
		var f fault.Fields
		to := api.Required(&f, "/parentId", in.Parent, ident.ParsePartner)
		message := orEmpty(api.Optional(&f, "/message", in.Message, hierarchy.ParseReason))
		if err := f.Err(); err != nil {
			return api.Reply{}, err
		}
		asked, err := d.AskMove(ctx, r.Caller, id, to, message)
		if err != nil {
			return api.Reply{}, err
		}
		return api.Created("/v1/move-requests/"+string(asked.ID), asked.Version, requestShape(asked))
	}
}

// closeRequest is an answer to a move request by which nothing is moved.
func closeRequest(do func(context.Context, directory.Caller, ident.MoveRequest) (directory.AskedMove, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := plainID(r, ident.ParseMoveRequest)
		if err != nil {
			return api.Reply{}, err
		}
		if _, err := readNothing(r); err != nil {
			return api.Reply{}, err
		}
		return foundRequest(do(ctx, r.Caller, id))
	}
}

func foundRequest(m directory.AskedMove, err error) (api.Reply, error) {
	if err != nil {
		return api.Reply{}, err
	}
	return api.OK(requestShape(m), m.Version)
}

type moveRequest struct {
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
}

func requestShape(m directory.AskedMove) moveRequest {
	out := moveRequest{ID: m.ID, Kind: hierarchy.KindOf(m.Node), Name: m.Name, To: m.To, Message: m.Message, State: m.State,
		Version: m.Version, Created: stamp(m.Created), Ends: stamp(m.Ends)}
	if m.NodeVisible {
		out.Node = m.Node
	}
	if !m.Closed.IsZero() {
		out.Closed = stamp(m.Closed)
	}
	return out
}

type preview struct {
	Blocks       []block           `json:"blocks"`
	Missing      []ident.Brand     `json:"missingBrandIds"`
	Depth        beforeAfter[int]  `json:"depth"`
	Levels       int               `json:"levelsBelow"`
	CanProvision beforeAfter[bool] `json:"canProvisionServices"`
	Access       []accessChange    `json:"access"`
	More         bool              `json:"more"`
	Invitations  []voided          `json:"invitations"`
}

type voided struct {
	ID   ident.Invitation `json:"id"`
	Name hierarchy.Name   `json:"name,omitzero"`
	Role string           `json:"role"`
}

type beforeAfter[T any] struct {
	Before T `json:"before"`
	After  T `json:"after"`
}

type block struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

type accessChange struct {
	Principal ident.Principal `json:"principalId"`
	Name      hierarchy.Name  `json:"name"`
	Before    string          `json:"before,omitzero"`
	After     string          `json:"after,omitzero"`
	Node      ident.Node      `json:"nodeId,omitzero"`
}

func previewShape(p directory.MovePreview) preview {
	role := func(r access.Role) string {
		if r == access.None {
			return ""
		}
		return r.String()
	}
	return preview{
		each(p.Blocks, func(e *fault.Error) block {
			return block{e.Type.URI(), e.Type.Title, e.Type.Status, e.Detail}
		}),
		append([]ident.Brand{}, p.MissingBrands...),
		beforeAfter[int]{p.Depth[0], p.Depth[1]}, p.Levels, beforeAfter[bool]{p.CanProvision[0], p.CanProvision[1]},
		each(p.Access, func(a directory.AccessChange) accessChange {
			return accessChange{a.Principal, a.Name, role(a.Role[0]), role(a.Role[1]), a.Through}
		}),
		p.More,
		each(p.Invitations, func(i directory.Invitation) voided { return voided{i.ID, i.Name, i.Role.String()} }),
	}
}
