package operations

import (
	"cmp"
	"context"
	"time"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// explainAccess is why somebody may do something, or why not.
func explainAccess(d *directory.Directory) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		q := api.ReadQuery(r)
		principal, node := api.Needed(q, "principal", ident.ParsePrincipal), api.Needed(q, "node", ident.ParseNode)
		action, _ := access.ParseAction(cmp.Or(api.OneOf(q, "action", each(access.Actions[:], access.Action.String)...), access.Read.String()))
		if node != "" && !action.Fits(hierarchy.KindOf(node)) {
			q.Add("action", "is not done to a %s", hierarchy.KindOf(node))
		}
		at := readAt(q)
		if err := q.Err(); err != nil {
			return api.Reply{}, err
		}
		var e directory.Explanation
		var err error
		if at == nil {
			e, err = d.Why(ctx, r.Caller, principal, node, action)
		} else {
			e, err = d.WhyAt(ctx, r.Caller, principal, node, action, *at)
		}
		if err != nil {
			return api.Reply{}, err
		}
		return api.OK(explanationShape(e), 0)
	}
}

// readAt takes the window that is asked about; nil: the present.
func readAt(q *api.Query) *directory.Window {
	text := q.Text("at")
	if text == "" {
		return nil
	}
	w := directory.Window{}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		w = directory.Day(day)
	} else if moment, err := time.Parse(time.RFC3339, text); err == nil {
		w = directory.Moment(moment)
	}
	if year := w.From.Year(); year < 2 || year > 9998 { // it stays within four digits in any time zone
		q.NoTime("at", text, "a time like 2026-03-02T09:14:07Z or a date like 2026-03-02")
	}
	return &w
}

// listUsers is who has access to a node, or had.
func listUsers(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := api.Path(r, "id", parse)
		if err != nil {
			return api.Reply{}, err
		}
		q := api.ReadQuery(r)
		at, paging := readAt(q), q.Paging()
		if err := q.Err(); err != nil {
			return api.Reply{}, err
		}
		if at == nil {
			found, err := d.Users(ctx, r.Caller, id, paging)
			return list(found, err, userShape)
		}
		found, err := d.UsersAt(ctx, r.Caller, id, *at, paging)
		if err != nil {
			return api.Reply{}, err
		}
		return api.OK(pastUsers{items[user]{each(found.Items, userShape), found.Next}, atShape(*at), found.Incomplete, found.Text}, 0)
	}
}

type pastUsers struct {
	items[user]
	At         string `json:"at"`
	Incomplete bool   `json:"incomplete,omitzero"`
	Text       string `json:"text,omitzero"`
}

// atShape is what was asked about: a moment, or a day.
func atShape(w directory.Window) string {
	if w.From.Before(w.Until) {
		return w.From.Format(time.DateOnly)
	}
	return stamp(w.Until)
}

// source has no node when that is out of the caller's sight.
type source struct {
	Node      ident.Node `json:"nodeId,omitzero"`
	Role      string     `json:"role"`
	Inherited bool       `json:"inherited"`
	Counts    bool       `json:"counts"`
	BlockedBy *blocker   `json:"blockedBy,omitzero"`
}

type blocker struct {
	Node   ident.Node         `json:"nodeId,omitzero"` // "" when it is out of the caller's sight
	Reason hierarchy.MarkKind `json:"reason"`
}

func sourceShape(s directory.Source) source {
	shape := source{Node: s.Node, Role: s.Role.String(), Inherited: s.Inherited, Counts: s.Counts()}
	if !s.Counts() {
		shape.BlockedBy = &blocker{s.Blocked, s.By}
	}
	return shape
}

// kindOf is what a principal is.
func kindOf(p ident.Principal) string {
	if p.IsPerson() {
		return "person"
	}
	return "api-client"
}

type user struct {
	Principal ident.Principal `json:"principalId"`
	Kind      string          `json:"kind"`
	Name      hierarchy.Name  `json:"name"`
	Tenant    string          `json:"tenantId,omitzero"`
	source
}

func userShape(u directory.User) user {
	return user{u.Principal, kindOf(u.Principal), u.Name, u.Tenant, sourceShape(u.Source)}
}

type explanation struct {
	Principal  ident.Principal `json:"principalId"`
	Name       hierarchy.Name  `json:"name,omitzero"`
	Node       ident.Node      `json:"nodeId"`
	Action     string          `json:"action"`
	Allowed    bool            `json:"allowed"`
	Role       string          `json:"role,omitzero"`
	Sources    []namedSource   `json:"sources"`
	At         string          `json:"at,omitzero"`
	Incomplete bool            `json:"incomplete,omitzero"`
	Text       string          `json:"text"`
}

// namedSource has the name of its node, too.
type namedSource struct {
	source
	Name hierarchy.Name `json:"name,omitzero"`
}

func explanationShape(e directory.Explanation) explanation {
	shape := explanation{Principal: e.Principal, Name: e.Name, Node: e.Node, Action: e.Action.String(), Allowed: e.Allowed,
		Incomplete: e.Incomplete, Text: e.Text,
		Sources: each(e.Sources, func(s directory.Source) namedSource { return namedSource{sourceShape(s), e.Known[s.Node]} })}
	if !e.At.IsZero() {
		shape.At = stamp(e.At)
	}
	if e.Role != access.None {
		shape.Role = e.Role.String()
	}
	return shape
}
