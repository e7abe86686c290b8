// Package event holds what happened. An event is the audit record and the message to others in one: it is written in the
// transaction of the change that it tells of, and relayed from the table's stream. It is self-contained, is delivered at
// least once and in no order, and holds nothing secret.
package event

import (
	"bytes"
	"encoding/json"
	"time"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Source is the `source` of every event on the bus.
const Source = "partnertree"

// Event is one thing that happened to one node. As JSON, which the bus carries, it has the names and shapes that the API lists it by.
type Event struct {
	ID        ident.Event
	Type      Type // Data.TypeAt(Node), unless there is no data
	Time      time.Time
	Node      ident.Node
	Path      hierarchy.Path  // canonical, when it happened; of a move: after it
	Left      hierarchy.Path  // of a move: the canonical path before it
	Actor     ident.Principal // "" for whoever founded the platform with AWS rights
	RequestID string
	Data      Payload // what changed
}

// written is an event as JSON.
type written struct {
	ID        ident.Event     `json:"id"`
	Type      Type            `json:"type"`
	Time      time.Time       `json:"time"`
	Node      ident.Node      `json:"nodeId"`
	Path      []ident.Node    `json:"path,omitempty"`
	Left      []ident.Node    `json:"left,omitempty"`
	Actor     ident.Principal `json:"actorId,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
}

// MarshalJSON writes the event.
func (e Event) MarshalJSON() ([]byte, error) {
	w := written{e.ID, e.Type, e.Time, e.Node, e.Path.IDs(), e.Left.IDs(), e.Actor, e.RequestID, nil}
	if e.Data != nil {
		var err error
		if w.Data, err = json.Marshal(e.Data); err != nil {
			return nil, err
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote. The data of an unknown type is kept as Raw.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w written
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	data, err := w.Type.decode(w.Data)
	if err != nil {
		return err
	}
	*e = Event{w.ID, w.Type, w.Time, w.Node, pathOf(w.Path), pathOf(w.Left), w.Actor, w.RequestID, data}
	return nil
}

// stored is an event as the table keeps it. Each log above the node has a copy, and a KB more costs two write units for each: so the names
// are short, and a path is one string.
type stored struct {
	ID        ident.Event     `json:"id"`
	Type      Type            `json:"type"`
	Time      time.Time       `json:"time"`
	Node      ident.Node      `json:"node"`
	Path      hierarchy.Path  `json:"path"`
	Left      hierarchy.Path  `json:"left,omitempty"`
	Actor     ident.Principal `json:"actor"`
	RequestID string          `json:"request,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
}

// Stored returns the event as the table keeps it.
func (e *Event) Stored() ([]byte, error) {
	s := stored{e.ID, e.Type, e.Time, e.Node, e.Path, e.Left, e.Actor, e.RequestID, nil}
	if e.Data != nil {
		var err error
		if s.Data, err = json.Marshal(e.Data); err != nil {
			return nil, err
		}
	}
	return json.Marshal(s)
}

// FromStored reads what Stored wrote.
func FromStored(b []byte) (Event, error) {
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return Event{}, err
	}
	data, err := s.Type.decode(s.Data)
	return Event{s.ID, s.Type, s.Time, s.Node, s.Path, s.Left, s.Actor, s.RequestID, data}, err
}

// Carried returns a stored event as the bus carries it, and an event that is in that form already as it is. The data stays as it was stored:
// a newer version of this code may have written it.
func Carried(b []byte) ([]byte, error) {
	var form struct {
		Node json.RawMessage `json:"nodeId"` // which only the carried form has
	}
	if err := json.Unmarshal(b, &form); err != nil || form.Node != nil {
		return b, err
	}
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	var carried bytes.Buffer
	enc := json.NewEncoder(&carried)
	enc.SetEscapeHTML(false)
	err := enc.Encode(written{s.ID, s.Type, s.Time, s.Node, s.Path.IDs(), s.Left.IDs(), s.Actor, s.RequestID, s.Data})
	return bytes.TrimSpace(carried.Bytes()), err
}

func pathOf(ids []ident.Node) (p hierarchy.Path) {
	for _, id := range ids {
		p = p.Child(id)
	}
	return p
}

// Past reports whether the event changes who has access at its node: all of these together tell who could, on any day. Of a client that
// was revoked access.Principal.Revoked tells, wherever it had roles; and of what was purged nothing is told any more.
func (e *Event) Past() bool {
	switch e.Type {
	case PlatformFounded, PartnerCreated, CustomerCreated, PartnerMoved, CustomerMoved, PartnerSuspended, CustomerSuspended,
		PartnerResumed, CustomerResumed, PartnerTrashed, CustomerTrashed, PartnerRestored, CustomerRestored,
		InvitationAccepted, UserChanged, UserRemoved, ClientCreated, ClientGranted, ClientGrantRemoved:
		return true
	}
	return false
}

// Witnesses are the nodes in whose logs the event is listed: all on its path, and all on the one that was left. At most twice
// hierarchy.MaxDepth.
func (e *Event) Witnesses() []ident.Node {
	ids := e.Path.IDs()
	for _, id := range e.Left.IDs() {
		if e.Path.Index(id) < 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// SeenFrom returns the event as somebody may see it who reaches node, one of its witnesses, and perhaps nothing else. Paths begin there.
// What the payload tells from there, the payload decides.
func (e Event) SeenFrom(node ident.Node) Event {
	here, before := e.Path.Index(node), e.Left.Index(node)
	if m, ok := e.Data.(MovedData); ok && m.MoveRequestID != "" && here < 0 { // the other side accepted it
		e.Actor, e.RequestID = "", ""
	}
	if p, ok := e.Data.(restricted); ok {
		e.Data = p.seen(sight{on: here >= 0, onLeft: before >= 0, itself: e.Node == node})
	}
	if e.Data != nil {
		e.Data = told(e.Data)
	}
	e.Path, e.Left = within(e.Path, here), within(e.Left, before)
	return e
}

func within(p hierarchy.Path, from int) hierarchy.Path {
	if from < 0 {
		return ""
	}
	return p.From(from)
}
