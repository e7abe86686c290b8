// Package access decides who may do what. There is one decision function, Decide. It is pure, and works on three things
// read in the same request: the principal, the tree state and the target node. A grant names a node id, never a path:
// it counts for every node on whose canonical path that id stands, so a move changes no grant.
package access

import (
	"time"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Role is what somebody may do at a node and below it. Each role may do all that the one before it may.
type Role uint8

// The roles.
const (
	None     Role = iota
	Viewer        // read everything below
	Operator      // + customers, service instances, access as a partner
	Admin         // + child partners, subtree operations, invitations up to admin, webhooks
	Owner         // + brands, API clients, owners
)

var roleNames = [...]string{"none", "viewer", "operator", "admin", "owner"}

func (r Role) String() string { return roleNames[r] }

// ParseRole reads one of the four roles.
func ParseRole(s string) (Role, bool) {
	for r := Viewer; r <= Owner; r++ {
		if roleNames[r] == s {
			return r, true
		}
	}
	return None, false
}

// MarshalText writes the role as its name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a name written by MarshalText.
func (r *Role) UnmarshalText(b []byte) error {
	role, ok := ParseRole(string(b))
	if !ok {
		return fault.Invalid.New("unknown role")
	}
	*r = role
	return nil
}

// Action is something that can be done to a node.
type Action uint8

// The actions.
const (
	Read Action = iota
	CreateCustomer
	EditCustomer
	CreatePartner
	EditPartner
	ManageBrands
	ManageClients
	Invite        // people, up to one's own role; and change or take away what they have
	ManageSubtree // move, suspend, resume, trash, restore: what happens to a whole subtree is decided above it
)

var needs = [...]Role{
	Read: Viewer, CreateCustomer: Operator, EditCustomer: Operator, CreatePartner: Admin, EditPartner: Admin,
	ManageBrands: Owner, ManageClients: Owner, Invite: Admin, ManageSubtree: Admin,
}

// Needs returns the smallest role that may do a.
func (a Action) Needs() Role { return needs[a] }

// MaxGrants is how many grants a principal may have. It keeps taking all of them away one transaction.
const MaxGrants = 60

// Secret is one of the at most two secrets of an API client. Only its hash is kept.
type Secret struct {
	ID      ident.Key
	Hash    []byte // SHA-256 of the secret, which has 256 random bits
	Hint    string // its last four characters, for people to tell secrets apart
	Created time.Time
}

// Person is who a principal is that signs in with Microsoft: an object in a tenant of Entra ID, both GUIDs in lower case. The address
// is for people to read; it never decides anything.
type Person struct {
	Tenant string
	Object string
	Email  string
}

// Principal is somebody who can be granted roles: an API client or a person.
type Principal struct {
	ID        ident.Principal
	Name      hierarchy.Name
	Home      ident.Node // of an API client: the node whose owners manage it
	Person    *Person    // of a person
	Grants    map[ident.Node]Role
	Secrets   []Secret
	CursorKey []byte // 32 random bytes that seal this principal's list cursors
	Version   int64
	Created   time.Time
	Revoked   time.Time // zero while it lives
	// SessionsFrom says since when sessions of a person count, by what bounds them (Within): those that began before have ended, since the
	// person signed out everywhere. What stands under "" ends all, whatever bounds them.
	SessionsFrom map[ident.Node]time.Time
	// Cut says, of a person, when a role at a node was last taken away from them or lowered. What was offered to them there before does
	// not bring it back. Under "" it counts for all nodes.
	Cut map[ident.Node]time.Time
	// Within bounds what the principal reaches in the present request: nothing but this node and what is below it, and grants further up
	// count as if they were made there. "" is no bound. It is not kept.
	Within ident.Node
}

// Holds reports whether the secret is one of the principal's and the principal was not revoked.
func (p *Principal) Holds(id ident.Key) bool {
	if !p.Revoked.IsZero() {
		return false
	}
	for i := range p.Secrets {
		if p.Secrets[i].ID == id {
			return true
		}
	}
	return false
}

// Admits reports whether a session of the person still counts that began at a time and is bounded to a node, or to none.
func (p *Principal) Admits(began time.Time, within ident.Node) bool {
	return p.Revoked.IsZero() && !began.Before(p.SessionsFrom[""]) && !began.Before(p.SessionsFrom[within])
}

// Only returns the principal with no grant but the grant at a node.
func (p *Principal) Only(at ident.Node) *Principal {
	return &Principal{Grants: map[ident.Node]Role{at: p.Grants[at]}, Within: p.Within}
}

// Decision is what Decide found.
type Decision struct {
	Action Action
	Role   Role // at the target: the highest of the grants on its path that count; None: the target is invisible
	Above  Role // the same without a grant on the target itself
	// First is the position on the canonical path where the principal's access begins: what they see as the first step
	// of a Partner Path. It has no meaning when Role is None.
	First int
	Place hierarchy.Place // the target's canonical place
}

// Decide returns what the principal may do at the target. A grant at or below a suspended or trashed node counts for
// nothing; grants above that node count. Purged nodes are invisible to all, and so are nodes that do not lie within p.Within.
func Decide(p *Principal, tree *hierarchy.TreeState, target *hierarchy.Node, a Action) Decision {
	d := Decision{Action: a, Place: tree.Place(target)}
	path := d.Place.Path
	depth := path.Depth()
	live := depth
	for _, m := range d.Place.Marks {
		switch m.Kind {
		case hierarchy.NoProvisioning:
			continue
		case hierarchy.Purged:
			return d
		}
		if at := path.Index(m.Node); at >= 0 && at < live {
			live = at
		}
	}
	bound := 0
	if p.Within != "" {
		if bound = path.Index(p.Within); bound < 0 {
			return d
		}
	}
	for i := range live {
		role, at := p.Grants[path.At(i)], max(i, bound)
		if role == None || at >= live {
			continue
		}
		if d.Role == None {
			d.First = at
		}
		d.Role = max(d.Role, role)
		if at < depth-1 {
			d.Above = d.Role
		}
	}
	return d
}

// Allowed reports whether the action may be done.
func (d *Decision) Allowed() bool {
	if d.Action == ManageSubtree {
		return d.Above >= d.Action.Needs()
	}
	return d.Role >= d.Action.Needs()
}

// Visible reports whether the principal may know that the target exists.
func (d *Decision) Visible() bool { return d.Role != None }

// Err returns nil when the action is allowed, NotFound when the target is invisible, and otherwise Forbidden, or NeedsGrantAbove
// when the role would be enough if the role came from above.
func (d *Decision) Err() error {
	switch {
	case d.Allowed():
		return nil
	case d.Role >= d.Action.Needs() && d.Place.Path.Depth() == 1:
		return fault.Root.New("The root cannot be moved, suspended or put into the trash. Choose a node below the root.")
	case d.Role >= d.Action.Needs():
		return fault.NeedsGrantAbove.New("Only an admin of a partner above this node can do this. Ask an admin there.")
	case d.Visible():
		return fault.Forbidden.New("This needs the role %s; your role here is %s. Ask an owner of this partner, or of a partner above it, for the role.",
			d.Action.Needs(), d.Role)
	default:
		return Hidden()
	}
}

// Hidden returns the answer for nodes that do not exist and for nodes that the caller cannot see, which must look the same.
func Hidden() error {
	return fault.NotFound.New("Nothing that you can see has this id. Check the id; GET /v1/me shows where your access begins.")
}
