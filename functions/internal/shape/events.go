package shape

import (
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
