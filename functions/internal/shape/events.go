package shape

import (
	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Event is something that happened.
type Event struct {
	ID      ident.Event     `json:"id"`
	Type    event.Type      `json:"type"`
	Time    string          `json:"time"`
	Node    ident.Node      `json:"nodeId"`
	Path    []ident.Node    `json:"path,omitzero"`
	Left    []ident.Node    `json:"left,omitzero"`
	Actor   ident.Principal `json:"actorId,omitzero"`
	Request string          `json:"requestId,omitzero"`
	Data    event.Payload   `json:"data"`
}

// OfEvent returns the shape of an event.
func OfEvent(e event.Event) Event {
	ids := func(p hierarchy.Path) []ident.Node {
		if p == "" {
			return nil
		}
		return p.IDs()
	}
	return Event{e.ID, e.Type, stamp(e.Time), e.Node, ids(e.Path), ids(e.Left), e.Actor, e.RequestID, e.Data}
}

// EventsPage asks for a part of the log of a node.
type EventsPage struct {
	Filter directory.LogFilter
	Paging directory.Paging
}

// Events reads which events are asked for.
func Events(q *input.Query) EventsPage {
	return EventsPage{directory.LogFilter{From: q.Time("from"), Until: q.Time("until"), Type: input.OneOf(q, "type", event.Types...),
		Oldest: input.OneOf(q, "order", "newest", "oldest") == "oldest", Actor: input.Given(q, "actorId", ident.ParsePrincipal)}, input.Paging(q)}
}
