package directory

import (
	"context"
	"fmt"
	"strings"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Explanation is why somebody may do something at a node, or why not.
type Explanation struct {
	Client  ident.Principal
	Name    hierarchy.Name // "" when they have no grant at the node or above it
	Node    ident.Node
	Action  access.Action
	Allowed bool
	Role    access.Role // at the node; None: to them it does not exist
	Sources []Source    // their grants on the way to the node, from the top down, whether they count or not
	// Known are the names of the nodes in Sources that the caller sees.
	Known map[ident.Node]hierarchy.Name
	Text  string // all of this in words
}

// Why explains what somebody may do at a node, by the decision itself and from the same read. It needs viewer at the node. Of
// somebody who was granted nothing there or above, it does not tell whether they exist. Of the caller themselves it explains what they
// may do within their bound.
func (d *Directory) Why(ctx context.Context, c Caller, client ident.Principal, id ident.Node, a access.Action) (Explanation, error) {
	v, err := d.read(ctx, c, Want{Nodes: []ident.Node{id}, Clients: []ident.Principal{client}})
	if err != nil {
		return Explanation{}, err
	}
	node, dec, err := v.decide(id, access.Read)
	if err != nil {
		return Explanation{}, err
	}
	who := v.Clients[client]
	switch {
	case client == c.Client:
		who = v.caller
	case who == nil:
		who = &access.Principal{}
	}
	theirs, sources := access.Why(who, &v.Tree, node, a)
	e := Explanation{Client: client, Node: id, Action: a, Allowed: theirs.Allowed(), Role: theirs.Role,
		Sources: make([]Source, len(sources)), Known: map[ident.Node]hierarchy.Name{}}
	known := map[ident.Node]*hierarchy.Node{id: node}
	var named []ident.Node
	for i, s := range sources {
		e.Name = who.Name
		e.Sources[i] = sourceSeen(s, dec.Place.Path, dec.First)
		for _, id := range []ident.Node{e.Sources[i].Node, s.Blocked} {
			if id != "" {
				named = append(named, id)
			}
		}
	}
	if err := d.know(ctx, c, known, named); err != nil {
		return Explanation{}, err
	}
	for _, id := range named {
		if n := known[id]; n != nil {
			e.Known[id] = n.Name
		}
	}
	e.Text = e.words(&theirs, who.Within)
	return e, nil
}

// doing has each action in words. %s is what kind of node it is done to.
var doing = map[access.Action]string{
	access.Read:           "read this %s",
	access.CreateCustomer: "create customers at this %s",
	access.EditCustomer:   "edit this %s",
	access.CreatePartner:  "create partners at this %s",
	access.EditPartner:    "edit this %s",
	access.Place:          "move, suspend, resume, trash or restore this %s",
	access.ManageBrands:   "manage brands of this %s",
	access.ManageClients:  "manage API clients at this %s",
	access.Invite:         "invite people to this %s and change what they may do",
}

// words says all of it: what is so and why, and what is with the grants that do not count. within bounds who it is about.
func (e *Explanation) words(d *access.Decision, within ident.Node) string {
	who := string(e.Name)
	if who == "" {
		who = string(e.Client)
	}
	kind := hierarchy.KindOf(e.Node)
	may := fmt.Sprintf(doing[e.Action], kind)
	var reason Source // the nearest of the grants that give the deciding role
	var idle []string // grants that do not count: for all of them, for the same reason
	why := ""
	for _, s := range e.Sources {
		switch {
		case !s.Counts():
			idle = append(idle, fmt.Sprintf("as %s %s", s.Role, e.where(s)))
			why = e.whatIs(s)
		case (e.Action != access.Place || s.Inherited) && s.Role >= reason.Role:
			reason = s
		}
	}
	var text string
	switch needs := e.Action.Needs(); {
	case e.Allowed:
		text = fmt.Sprintf("%s may %s: it was granted %s %s", who, may, reason.Role, e.where(reason))
		if reason.Inherited && reason.Node != "" {
			text += fmt.Sprintf(", above this %s", kind)
		}
		text += "."
	case len(e.Sources) == 0:
		text = fmt.Sprintf("%s has no access to this %s: nothing was granted to it here or above.", who, kind)
	case e.Role == access.None:
		text = fmt.Sprintf("%s has no access to this %s.", who, kind)
	case e.Action != access.Place:
		text = fmt.Sprintf("%s may not %s: its role here is %s, and this takes %s.", who, may, e.Role, needs)
	case d.Place.Path.Depth() == 1:
		text = fmt.Sprintf("%s may not %s: nobody may, since it is the root.", who, may)
	case e.Node == within:
		text = fmt.Sprintf("%s may not %s signed in at this portal, which reaches nothing above this %s: there it is decided.", who, may, kind)
	case d.Above == access.None:
		text = fmt.Sprintf("%s may not %s: this takes %s above it, where nothing was granted to it.", who, may, needs)
	default:
		text = fmt.Sprintf("%s may not %s: this takes %s above it, and its role there is %s.", who, may, needs, d.Above)
	}
	switch len(idle) {
	case 0:
		return text
	case 1:
		return text + fmt.Sprintf(" Its grant %s does not count, because %s.", idle[0], why)
	default:
		return text + fmt.Sprintf(" Its grants %s do not count, because %s.", strings.Join(idle, " and "), why)
	}
}

// where tells where a grant was made.
func (e *Explanation) where(s Source) string {
	switch s.Node {
	case "":
		return "further up than you can see"
	case e.Node:
		return "here"
	}
	return "at " + e.called(s.Node)
}

// whatIs tells what keeps a grant from counting.
func (e *Explanation) whatIs(s Source) string {
	node, state := "this "+string(hierarchy.KindOf(e.Node)), "suspended"
	if s.Blocked != e.Node {
		node = e.called(s.Blocked)
	}
	if s.By == hierarchy.Trashed {
		state = "in the trash"
	}
	return node + " is " + state
}

func (e *Explanation) called(id ident.Node) string {
	if name := e.Known[id]; name != "" {
		return string(name)
	}
	return string(id) // it is being purged
}
