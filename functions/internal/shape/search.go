package shape

import (
	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// SearchRequest asks for what is found.
type SearchRequest struct {
	Search directory.Search
	Paging directory.Paging
}

// Search reads what is to be found.
func Search(q *input.Query) SearchRequest {
	return SearchRequest{
		directory.Search{
			Text:  input.Needed(q, "q", directory.ParseSearchText),
			Kind:  input.OneOf(q, "kind", directory.PartnerResult, directory.CustomerResult, directory.PersonResult),
			Under: input.Given(q, "under", ident.ParseNode),
		},
		directory.Paging{Cursor: q.Text("cursor"), Limit: q.Int("limit", 20, 1, directory.MaxSearchLimit)},
	}
}

// Result is a partner, a customer or a person that was found.
type Result struct {
	ID   string               `json:"id"`
	Kind directory.ResultKind `json:"kind"`
	Name hierarchy.Name       `json:"name"`
	hierarchy.Editable[string]
	Status      Status     `json:"status,omitzero"` // of a node, and so are the next three
	SuspendedAt ident.Node `json:"suspendedAt,omitzero"`
	TrashedAt   ident.Node `json:"trashedAt,omitzero"`
	Path        []Step     `json:"path,omitzero"`
	Roles       []MyGrant  `json:"roles,omitzero"` // of a person
}

// OfResult returns the shape of what was found.
func OfResult(r directory.Result) Result {
	out := Result{ID: r.ID, Kind: r.Kind, Name: r.Name}
	if r.Kind == directory.PersonResult {
		out.Tenant, out.Roles = r.Tenant, each(r.Roles, ofMyGrant)
		return out
	}
	out.Editable, out.Status, out.Path = r.Details.Editable, statusOf(r.SuspendedAt, r.TrashedAt), each(r.Path, OfStep)
	out.SuspendedAt, out.TrashedAt = r.SuspendedAt, r.TrashedAt
	return out
}
