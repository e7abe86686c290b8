package main

import (
	"context"
	"slices"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// pickable is how many children the page offers that picks a place; the others are in the list.
const pickable = 20

// pick is the page by which the visitor goes to another place: what they pinned, where they were, and what is below this one.
func (v *visit) pick(ctx context.Context, at *place) (content, error) {
	s := v.settings()
	names, err := v.dir.Names(ctx, v.caller(), slices.Concat(s.Pinned, s.Recent), nil)
	if err != nil {
		return content{}, err
	}
	links := func(ids []ident.Node) (found []view.Link) {
		for _, id := range ids {
			if name := names.Nodes[id]; name != "" && id != at.id() {
				found = append(found, nodeLink(directory.PathStep{ID: id, Name: name}))
			}
		}
		return found
	}
	shown := view.Pick{Here: nodeLink(at.Path[len(at.Path)-1]), Pinned: links(s.Pinned), Recent: links(s.Recent), Under: string(at.id()),
		Pin: at.path("pin"), IsPinned: slices.Contains(s.Pinned, at.id()), Token: v.ring.FormToken(v.who)}
	if at.partner() {
		list, err := v.dir.Children(ctx, v.caller(), at.id(), hierarchy.Partner, directory.Paging{Limit: pickable})
		if err != nil {
			return content{}, err
		}
		for i := range list.Items {
			shown.Below = append(shown.Below, nodeLink(directory.PathStep{ID: list.Items[i].ID, Name: list.Items[i].Name}))
		}
		if list.Next != "" {
			shown.Rest = at.path("partners")
		}
	}
	return content{Title: "Go to another place", Body: shown.Show()}, nil
}

// pin pins a place for this browser, or unpins it.
func (v *visit) pin(ctx context.Context) (response, error) {
	if v.who == nil {
		return v.ended(), nil
	}
	if !v.ours(v.form()) {
		return v.strange(), nil
	}
	id, err := named(v, "node", ident.ParseNode)
	if err != nil {
		return response{}, err
	}
	if _, err := v.place(ctx, id); err != nil {
		return response{}, err
	}
	s := v.settings()
	others := slices.DeleteFunc(slices.Clone(s.Pinned), func(n ident.Node) bool { return n == id })
	if v.outcome = "unpinned"; len(others) == len(s.Pinned) {
		v.outcome = "pinned"
		others = append([]ident.Node{id}, others...)
	}
	s.Pinned = others[:min(len(others), maxRecent)]
	v.keep(s)
	return v.redirect(nodePath(id, "go")), nil
}
