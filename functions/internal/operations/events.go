package operations

import (
	"context"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// listEvents is the log of a node, and its feed.
func listEvents(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := api.Path(r, "id", parse)
		if err != nil {
			return api.Reply{}, err
		}
		q := api.ReadQuery(r)
		filter := directory.LogFilter{From: q.Time("from"), Until: q.Time("until"), Type: api.OneOf(q, "type", event.Types...),
			Oldest: api.OneOf(q, "order", "newest", "oldest") == "oldest"}
		if by := q.Text("actorId"); by != "" {
			if filter.Actor, err = ident.ParsePrincipal(by); err != nil {
				q.Add("actorId", "%s", err)
			}
		}
		paging := q.Paging()
		if err := q.Err(); err != nil {
			return api.Reply{}, err
		}
		found, err := d.Log(ctx, r.Caller, id, filter, paging)
		return list(found, err, eventShape)
	}
}

type happening struct {
	ID      ident.Event     `json:"id"`
	Type    event.Type      `json:"type"`
	Time    string          `json:"time"`
	Node    ident.Node      `json:"nodeId"`
	Path    []ident.Node    `json:"path,omitzero"`
	Left    []ident.Node    `json:"left,omitzero"`
	Actor   ident.Principal `json:"actorId,omitzero"`
	Request string          `json:"requestId,omitzero"`
	Data    map[string]any  `json:"data"`
}

func eventShape(e event.Event) happening {
	ids := func(p hierarchy.Path) []ident.Node {
		if p == "" {
			return nil
		}
		return p.IDs()
	}
	return happening{e.ID, e.Type, stamp(e.Time), e.Node, ids(e.Path), ids(e.Left), e.Actor, e.RequestID, e.Data}
}
