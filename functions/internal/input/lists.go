package input

import (
	"cmp"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// NoQuery reads a query without parameters.
func NoQuery(*Query) struct{} { return struct{}{} }

// Paging reads which page of a list is asked for.
func Paging(q *Query) directory.Paging {
	return directory.Paging{Cursor: q.Text("cursor"), Limit: q.Int("limit", 50, 1, directory.MaxLimit)}
}

// Depth reads how many levels of a tree are asked for.
func Depth(q *Query) int { return q.Int("depth", 2, 1, directory.MaxTreeDepth) }

// Descent asks for the nodes at any depth below a partner.
type Descent struct {
	Kind   hierarchy.Kind // "": both
	Paging directory.Paging
}

// Below reads which nodes below a partner are asked for.
func Below(q *Query) Descent {
	return Descent{OneOf(q, "kind", hierarchy.Partner, hierarchy.Customer), Paging(q)}
}

// UsersPage asks for who has access, or had.
type UsersPage struct {
	At     *directory.Window // nil: at present
	Paging directory.Paging
}

// Users reads which users are asked for.
func Users(q *Query) UsersPage { return UsersPage{q.Window("at"), Paging(q)} }

// ClientsPage asks for the API clients that have a role at a node.
type ClientsPage struct {
	Node   ident.Node
	Paging directory.Paging
}

// Clients reads which API clients are asked for.
func Clients(q *Query) ClientsPage {
	return ClientsPage{Needed(q, "nodeId", ident.ParseNode), Paging(q)}
}

// EventsPage asks for a part of the log of a node.
type EventsPage struct {
	Filter directory.LogFilter
	Paging directory.Paging
}

// Events reads which events are asked for.
func Events(q *Query) EventsPage {
	in := EventsPage{Filter: directory.LogFilter{From: q.Time("from"), Until: q.Time("until"), Type: OneOf(q, "type", event.Types...),
		Oldest: OneOf(q, "order", "newest", "oldest") == "oldest"}}
	if by := q.Text("actorId"); by != "" {
		var err error
		if in.Filter.Actor, err = ident.ParsePrincipal(by); err != nil {
			q.Add("actorId", "%s", err)
		}
	}
	in.Paging = Paging(q)
	return in
}

// Question asks why a principal may do something, or why not.
type Question struct {
	Principal ident.Principal
	Node      ident.Node
	Action    access.Action
	At        *directory.Window // nil: at present
}

// Explain reads what is to be explained.
func Explain(q *Query) Question {
	in := Question{Principal: Needed(q, "principal", ident.ParsePrincipal), Node: Needed(q, "node", ident.ParseNode)}
	var names []string
	for _, a := range access.Actions {
		names = append(names, a.String())
	}
	in.Action, _ = access.ParseAction(cmp.Or(OneOf(q, "action", names...), access.Read.String()))
	if in.Node != "" && !in.Action.Fits(hierarchy.KindOf(in.Node)) {
		q.Add("action", "is not possible for a %s", hierarchy.KindOf(in.Node))
	}
	in.At = q.Window("at")
	return in
}
