package main

import (
	"cmp"
	"context"
	"maps"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// search finds partners, customers and people, of all that the visitor reaches or below one place: with the parameters and the results of the
// API.
func (v *visit) search(ctx context.Context) (response, error) {
	given := maps.Clone(v.event.QueryStringParameters)
	for name, value := range given { // fields that were left empty
		if value == "" {
			delete(given, name)
		}
	}
	shown := view.Search{Q: given["q"], Kind: given["kind"], Under: given["under"]}
	var at *place
	if under, err := ident.ParseNode(shown.Under); err == nil {
		if at, err = v.place(ctx, under); err != nil {
			return response{}, err
		}
		shown.UnderName = string(at.Node.Name)
	}
	status := 200
	if shown.Q != "" {
		q := input.FromQuery(given)
		in := shape.Search(q)
		if err := q.Err(); err != nil {
			status, shown.Wrong = 422, searchWrong(fault.From(err))
		} else if err := v.find(ctx, in, &shown); err != nil {
			return response{}, err
		}
	}
	c := content{Title: "Search", Body: shown.Show(), Wrong: shown.Wrong != ""}
	if at != nil {
		return v.pageAt(status, at, "", c), nil
	}
	return v.page(status, view.Page{Title: c.Title, Content: c.Body, Wide: true, Failed: c.Wrong}), nil
}

func searchWrong(e *fault.Error) string {
	for _, f := range e.Fields {
		if f.Pointer == "q" || f.Pointer == "/q" {
			return "What you look for " + f.Detail
		}
	}
	return plain(e.Detail)
}

func (v *visit) find(ctx context.Context, in shape.SearchRequest, shown *view.Search) error {
	found, err := v.dir.Search(ctx, v.caller(), in.Search, in.Paging)
	if err != nil {
		return err
	}
	shown.Asked = true
	for i := range found.Items {
		r := &found.Items[i]
		row := view.Found{Name: string(r.Name), Kind: string(r.Kind), State: state(&directory.Node{Node: hierarchy.Node{ID: ident.Node(r.ID)}, SuspendedAt: r.SuspendedAt, TrashedAt: r.TrashedAt})}
		switch r.Kind {
		case directory.PersonResult:
			row.State = view.State{}
			for _, g := range r.Roles {
				role := view.FoundRole{Role: g.Role.String()}
				for _, step := range g.Path {
					role.Path = append(role.Path, view.Link{Text: string(step.Name), To: nodePath(step.ID, "users")})
				}
				row.Roles = append(row.Roles, role)
			}
		default:
			row.To = nodePath(ident.Node(r.ID))
			for _, step := range r.Path[:max(0, len(r.Path)-1)] {
				row.Path = append(row.Path, nodeLink(step))
			}
			row.More = cmp.Or(r.Details.Reference, r.Details.Domain, r.Details.Tenant)
		}
		shown.Rows = append(shown.Rows, row)
	}
	if found.Next != "" {
		shown.Next = addressOf("/search", "q", shown.Q, "kind", shown.Kind, "under", shown.Under, "cursor", found.Next)
	}
	return nil
}
