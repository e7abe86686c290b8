package main

import (
	"context"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// trash lists what was put into the trash below a partner.
func (v *visit) trash(ctx context.Context, at *place) (content, error) {
	list, err := v.dir.TrashList(ctx, v.caller(), at.id(), "", directory.Paging{Limit: activityPage, Cursor: v.query("cursor")})
	if err != nil {
		return content{}, err
	}
	var above []ident.Node
	for i := range list.Items {
		above = append(above, list.Items[i].Path...)
	}
	names, err := v.dir.Names(ctx, v.caller(), above, nil)
	if err != nil {
		return content{}, err
	}
	shown := view.Trash{}
	for i := range list.Items {
		n := &list.Items[i]
		item := view.Trashed{Link: nodeLink(n.PathStep), Kind: string(hierarchy.KindOf(n.ID)), Since: v.clock().At(n.Since),
			Until: v.clock().At(n.Since.Add(hierarchy.KeepTrash))}
		for _, id := range n.Path[:len(n.Path)-1] {
			item.Path = append(item.Path, nodeLink(directory.PathStep{ID: id, Name: names.Nodes[id]}))
		}
		// Whoever may manage what is below this partner may restore what is directly in it; an admin here may restore whatever is further down.
		if at.Role >= access.ManageSubtree.Needs() {
			item.Restore = nodePath(n.ID, "restore")
		}
		shown.Items = append(shown.Items, item)
	}
	if list.Next != "" {
		shown.Next = at.path("trash", "cursor", list.Next)
	}
	return content{Title: "Trash", Body: shown.Show()}, nil
}
