package access

import (
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Actions lists all actions. Actions that need a smaller role come first.
var Actions = [...]Action{Read, CreateCustomer, EditCustomer, CreatePartner, EditPartner, Invite, ManageSubtree, ManageBrands, ManageClients}

var actionNames = [...]string{
	Read: "read", CreateCustomer: "create-customer", EditCustomer: "edit-customer", CreatePartner: "create-partner",
	EditPartner: "edit-partner", ManageBrands: "manage-brands", ManageClients: "manage-api-clients", Invite: "invite",
	ManageSubtree: "manage-subtree",
}

func (a Action) String() string { return actionNames[a] }

// ParseAction reads the name of an action.
func ParseAction(s string) (Action, bool) {
	for _, a := range Actions {
		if a.String() == s {
			return a, true
		}
	}
	return 0, false
}

// Fits reports whether the action can be done to nodes of this kind.
func (a Action) Fits(kind hierarchy.Kind) bool {
	switch a {
	case CreateCustomer, CreatePartner, EditPartner, ManageBrands:
		return kind == hierarchy.Partner
	case EditCustomer:
		return kind == hierarchy.Customer
	}
	return true
}

// Source is a grant at a node or above it. It explains why the principal may do something there, or why the grant does not help.
type Source struct {
	Node ident.Node
	Role Role
	// Blocked is the node that keeps the grant from counting, Node itself or a node above it. It is the uppermost node on the
	// path that is suspended, in the trash or purged; By says which. Both are "" when the grant counts.
	Blocked ident.Node
	By      hierarchy.MarkKind
}

// Counts reports whether the grant counts.
func (s *Source) Counts() bool { return s.By == "" }

// Why explains what Decide finds. It returns the grants of the principal on the target's canonical path, from the root down. Decide judges
// each grant as if the principal had no other grant. A target that does not lie within p.Within has no sources.
func Why(p *Principal, tree *hierarchy.TreeState, target *hierarchy.Node, a Action) (Decision, []Source) {
	d := Decide(p, tree, target, a)
	if p.Within != "" && d.Place.Path.Index(p.Within) < 0 {
		return d, nil
	}
	var sources []Source
	for _, id := range d.Place.Path.IDs() {
		role := p.Grants[id]
		if role == None {
			continue
		}
		s := Source{Node: id, Role: role}
		if alone := Decide(p.Only(id), tree, target, a); !alone.Visible() {
			s.Blocked, s.By = blocker(d.Place)
		}
		sources = append(sources, s)
	}
	return d, sources
}

// blocker returns the node that keeps grants from counting on a path where some do not count. A purged node goes first, because it is gone
// for principals above it too. For a node with several marks, blocker returns the heavier mark.
func blocker(place hierarchy.Place) (node ident.Node, by hierarchy.MarkKind) {
	if purged := place.Top(hierarchy.Purged); purged != "" {
		return purged, hierarchy.Purged
	}
	at := hierarchy.MaxDepth
	for _, kind := range []hierarchy.MarkKind{hierarchy.Trashed, hierarchy.Suspended} {
		if top := place.Top(kind); top != "" && place.Path.Index(top) < at {
			node, by, at = top, kind, place.Path.Index(top)
		}
	}
	return node, by
}
