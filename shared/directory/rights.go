package directory

import (
	"slices"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

func mayGrant(dec access.Decision, role access.Role) error {
	if role > dec.Role {
		return fault.RoleTooHigh.New("Your role there is %s, so you cannot grant %s.", dec.Role, role)
	}
	return nil
}

// stillOwner holds the caller's own right in place until the commit. Since nobody takes away their own access, an
// owner stays wherever an owner has just removed another, however many do so at once.
func stillOwner(v *View, dec access.Decision) CheckGrant {
	path := dec.Place.Path
	check := CheckGrant{Principal: v.Caller.ID, Role: access.Owner, Else: ErrChanged}
	for i := range path.Depth() {
		if v.Caller.Grants[path.At(i)] == access.Owner {
			check.Node = path.At(i)
			break
		}
	}
	return check
}

// notSelf refuses to change the caller's own access.
func notSelf(c Caller, id ident.Principal) error {
	if c.Principal == id {
		return fault.OwnAccess.New("You cannot change your own access. Ask another owner.")
	}
	return nil
}

// coversAll refuses a caller who has not, wherever the client has a role of at least least, that role too. Whoever holds
// the client's keys has all of its roles.
func coversAll(v *View, p *access.Principal, least access.Role) error {
	for node, role := range p.Grants {
		if role < least {
			continue
		}
		if v.Nodes[node] == nil {
			return ErrChanged // it was granted after the nodes were read
		}
		if _, dec, _ := v.Decide(node, access.Read); dec.Role < role {
			return fault.RoleTooHigh.New("The client has a higher role than you in another part of the tree. Ask an owner there to remove that grant, or to make this change.")
		}
	}
	return nil
}

// stillInviter holds the right to invite to a role until the commit.
func stillInviter(v *View, node ident.Node, place hierarchy.Place, needs access.Role) CheckGrant {
	right := nearest(v.Caller, node, place, access.Invite, func(dec *access.Decision) bool { return dec.Role >= needs })
	return CheckGrant{Principal: v.Caller.ID, Node: right, Role: needs, Else: ErrChanged}
}

// nearest is the lowest node on a node's path at which the principal has a grant that is enough alone, "" when none is.
func nearest(p *access.Principal, id ident.Node, place hierarchy.Place, a access.Action,
	enough func(dec *access.Decision) bool) ident.Node {
	for _, at := range slices.Backward(place.Path.IDs()) {
		if dec := decideAt(p.Only(at), id, place, a); enough(&dec) {
			return at
		}
	}
	return ""
}

// decideAt is access.Decide about a node that is at a place.
func decideAt(p *access.Principal, id ident.Node, place hierarchy.Place, a access.Action) access.Decision {
	return access.Decide(p, &hierarchy.TreeState{}, &hierarchy.Node{ID: id, Place: place}, a)
}
