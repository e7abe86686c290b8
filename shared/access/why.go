package access

import (
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Source is one grant on the way to a node: a reason for what its principal may do there, or none although it is a grant.
type Source struct {
	Node ident.Node
	Role Role
	// Blocked is the uppermost node that is in the trash or suspended at or above Node, "" when the grant counts. By says which of the
	// two it is.
	Blocked ident.Node
	By      hierarchy.MarkKind
}

// Why explains what Decide finds: the grants of the principal on the target's canonical path, from the root down, each judged by
// Decide as if it were the only one.
func Why(p *Principal, tree *hierarchy.TreeState, target *hierarchy.Node, a Action) (Decision, []Source) {
	d := Decide(p, tree, target, a)
	var sources []Source
	for _, id := range d.Place.Path.IDs() {
		role := p.Grants[id]
		if role == None {
			continue
		}
		s := Source{Node: id, Role: role}
		if alone := Decide(&Principal{Grants: map[ident.Node]Role{id: role}}, tree, target, a); !alone.Visible() {
			s.Blocked, s.By = blocker(d.Place)
		}
		sources = append(sources, s)
	}
	return d, sources
}

// blocker is the uppermost node on the path that is in the trash or suspended: what keeps a grant at it or below it from counting.
func blocker(place hierarchy.Place) (ident.Node, hierarchy.MarkKind) {
	trashed, suspended := place.Top(hierarchy.Trashed), place.Top(hierarchy.Suspended)
	if trashed != "" && (suspended == "" || place.Path.Index(trashed) <= place.Path.Index(suspended)) {
		return trashed, hierarchy.Trashed
	}
	return suspended, hierarchy.Suspended
}
