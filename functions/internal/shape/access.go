package shape

import (
	"cmp"
	"fmt"
	"time"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Me is the caller.
type Me struct {
	Principal Principal `json:"principal"`
	Grants    []MyGrant `json:"grants"`
}

// Principal is an API client or a person.
type Principal struct {
	ID   ident.Principal `json:"id"`
	Kind string          `json:"kind"`
	Name hierarchy.Name  `json:"name,omitzero"`
}

// MyGrant is a grant of the caller's, or one of somebody else's as the caller sees it.
type MyGrant struct {
	Node Step   `json:"node"`
	Role string `json:"role"`
	Path []Step `json:"path"`
}

// OfMe returns the shape of the caller.
func OfMe(m directory.Me) Me {
	return Me{Principal{m.ID, principalKind(m.ID), m.Name}, each(m.Grants, ofMyGrant)}
}

func ofMyGrant(g directory.MyGrant) MyGrant {
	return MyGrant{OfStep(g.Node), g.Role.String(), each(g.Path, OfStep)}
}

// Source is a grant at a node or above the node. It has no node when that is out of the caller's sight.
type Source struct {
	Node      ident.Node `json:"nodeId,omitzero"`
	Role      string     `json:"role"`
	Inherited bool       `json:"inherited"`
	Counts    bool       `json:"counts"`
	BlockedBy *Blocker   `json:"blockedBy,omitzero"`
}

// Blocker is what keeps a grant from counting. It has no node when that is out of the caller's sight.
type Blocker struct {
	Node   ident.Node         `json:"nodeId,omitzero"`
	Reason hierarchy.MarkKind `json:"reason"`
}

func ofSource(s directory.Source) Source {
	out := Source{Node: s.Node, Role: s.Role.String(), Inherited: s.Inherited, Counts: s.Counts()}
	if !s.Counts() {
		out.BlockedBy = &Blocker{s.Blocked, s.By}
	}
	return out
}

// User is somebody who has access to a node, or had.
type User struct {
	Principal ident.Principal `json:"principalId"`
	Kind      string          `json:"kind"`
	Name      hierarchy.Name  `json:"name"`
	Tenant    string          `json:"tenantId,omitzero"`
	Source
}

// OfUser returns the shape of somebody who has access.
func OfUser(u directory.User) User {
	return User{u.Principal, principalKind(u.Principal), u.Name, u.Tenant, ofSource(u.Source)}
}

// PastUsers is who had access at a moment, or on a day.
type PastUsers struct {
	List[User]
	At         string `json:"at"`
	Incomplete bool   `json:"incomplete,omitzero"`
	Text       string `json:"text,omitzero"`
}

// OfPastUsers returns the shape of who had access in a window.
func OfPastUsers(u directory.PastUsers, at directory.Window) PastUsers {
	return PastUsers{OfList(u.List, OfUser), ofWindow(at), u.Incomplete, u.Text}
}

// ofWindow returns the moment or the day that was asked about.
func ofWindow(w directory.Window) string {
	if w.From.Before(w.Until) {
		return w.From.Format(time.DateOnly)
	}
	return stamp(w.Until)
}

// Explanation is why somebody may do something, or why not.
type Explanation struct {
	Principal  ident.Principal `json:"principalId"`
	Name       hierarchy.Name  `json:"name,omitzero"`
	Node       ident.Node      `json:"nodeId"`
	Action     string          `json:"action"`
	Allowed    bool            `json:"allowed"`
	Role       string          `json:"role,omitzero"`
	Sources    []NamedSource   `json:"sources"`
	At         string          `json:"at,omitzero"`
	Incomplete bool            `json:"incomplete,omitzero"`
	Text       string          `json:"text"`
}

// NamedSource is a Source with the name of its node.
type NamedSource struct {
	Source
	Name hierarchy.Name `json:"name,omitzero"`
}

// OfExplanation returns the shape of an explanation.
func OfExplanation(e directory.Explanation) Explanation {
	return Explanation{Principal: e.Principal, Name: e.Name, Node: e.Node, Action: e.Action.String(), Allowed: e.Allowed,
		Role: roleOrNone(e.Role), At: stampOrNone(e.At), Incomplete: e.Incomplete, Text: e.Text,
		Sources: each(e.Sources, func(s directory.Source) NamedSource { return NamedSource{ofSource(s), e.Known[s.Node]} })}
}

// Client is an API client.
type Client struct {
	ID      ident.Principal `json:"id"`
	Name    hierarchy.Name  `json:"name"`
	Node    ident.Node      `json:"nodeId"`
	Role    string          `json:"role,omitzero"` // at Node
	Grants  []ClientGrant   `json:"grants"`
	Secrets []ClientSecret  `json:"secrets"`
	Version int64           `json:"version"`
	Created string          `json:"createdAt"`
}

// ClientGrant is a role of an API client at a node.
type ClientGrant struct {
	Node ident.Node `json:"nodeId"`
	Role string     `json:"role"`
}

// ClientSecret is a secret of an API client, without what is secret.
type ClientSecret struct {
	ID       ident.Key `json:"id"`
	Hint     string    `json:"hint"`
	Created  string    `json:"createdAt"`
	Expires  string    `json:"expiresAt,omitzero"`
	LastUsed string    `json:"lastUsedAt,omitzero"`
}

// Self implements Thing.
func (c Client) Self() (string, int64) { return "api-clients/" + string(c.ID), c.Version }

// OfClient returns the shape of an API client.
func OfClient(c directory.Client) Client {
	role := ""
	for _, g := range c.Grants {
		if g.Node == c.Home {
			role = g.Role.String()
		}
	}
	return Client{c.ID, c.Name, c.Home, role,
		each(c.Grants, func(g access.Grant) ClientGrant { return ClientGrant{g.Node, g.Role.String()} }),
		each(c.Secrets, func(s access.Secret) ClientSecret {
			return ClientSecret{s.ID, s.Hint, stamp(s.Created), stampOrNone(s.Expires), stampOrNone(c.LastUsed[s.ID])}
		}),
		c.Version, stamp(c.Created)}
}

// ClientWithKey is an API client with a secret that was just made. It has the API key in the first answer only.
type ClientWithKey struct {
	Client
	Secret NewSecret `json:"secret"`
}

// NewSecret is a secret that was just made.
type NewSecret struct {
	ID  ident.Key `json:"id"`
	Key string    `json:"key,omitzero"`
}

// OfClientWithKey returns the shape of an API client with a new secret.
func OfClientWithKey(c directory.ClientWithKey) ClientWithKey {
	return ClientWithKey{OfClient(c.Client), NewSecret{c.SecretID, c.Key}}
}

// ClientSummary is an API client as a node lists it.
type ClientSummary struct {
	ID      ident.Principal `json:"id"`
	Name    hierarchy.Name  `json:"name"`
	Home    ident.Node      `json:"nodeId,omitzero"`
	Role    string          `json:"role"`
	Created string          `json:"createdAt"`
}

// OfClientSummary returns the shape of an API client at a node. It has the home of the client only where that is the node: another may
// be out of reach.
func OfClientSummary(g access.Grant) ClientSummary {
	home := g.Home
	if home != g.Node {
		home = ""
	}
	return ClientSummary{g.Principal, g.Name, home, g.Role.String(), stamp(g.Created)}
}

// Role reads a role to give.
func Role(o *input.Object) access.Role { return input.Required(o, "role", parseRole) }

func parseRole(s string) (access.Role, error) {
	role, ok := access.ParseRole(s)
	if !ok {
		return role, fmt.Errorf("must be viewer, operator, admin or owner")
	}
	return role, nil
}

// NewClient reads an API client to make, with its first role.
func NewClient(o *input.Object) directory.NewClient {
	return directory.NewClient{
		Node:    input.Required(o, "nodeId", ident.ParseNode),
		Name:    input.Required(o, "name", hierarchy.ParseName),
		Role:    Role(o),
		Expires: SecretEnd(o),
	}
}

// SecretEnd reads when a secret to make ends, zero for never.
func SecretEnd(o *input.Object) time.Time {
	return input.OptionalOr(o, "expiresAt", time.Time{}, input.Moment)
}

// EditClient reads an edit of an API client: its name, nil when the name stays.
func EditClient(o *input.Object) *hierarchy.Name {
	return input.Optional(o, "name", hierarchy.ParseName)
}

// UsersPage asks for who has access, or had.
type UsersPage struct {
	At     *directory.Window // nil: at present
	Paging directory.Paging
}

// Users reads which users are asked for.
func Users(q *input.Query) UsersPage { return UsersPage{q.Window("at"), input.Paging(q)} }

// ClientsPage asks for the API clients that have a role at a node.
type ClientsPage struct {
	Node   ident.Node
	Paging directory.Paging
}

// Clients reads which API clients are asked for.
func Clients(q *input.Query) ClientsPage {
	return ClientsPage{input.Needed(q, "nodeId", ident.ParseNode), input.Paging(q)}
}

// Question asks why a principal may do something, or why not.
type Question struct {
	Principal ident.Principal
	Node      ident.Node
	Action    access.Action
	At        *directory.Window // nil: at present
}

// Explain reads what is to be explained.
func Explain(q *input.Query) Question {
	in := Question{Principal: input.Needed(q, "principal", ident.ParsePrincipal), Node: input.Needed(q, "node", ident.ParseNode)}
	var names []string
	for _, a := range access.Actions {
		names = append(names, a.String())
	}
	in.Action, _ = access.ParseAction(cmp.Or(input.OneOf(q, "action", names...), access.Read.String()))
	if in.Node != "" && !in.Action.Fits(hierarchy.KindOf(in.Node)) {
		q.Add("action", "is not possible for a %s", hierarchy.KindOf(in.Node))
	}
	in.At = q.Window("at")
	return in
}
