// Package access decides who may do what. Decide is the only decision function. It is pure, and works on three things that
// are read in the same request: the principal, the tree state and the target node. A grant names a node id, never a path.
// It counts for every node whose canonical path has that id, so a move changes no grant.
package access

import (
	"time"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Role is what a principal may do at a node and below it. Each role may do everything that the role before it may do.
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

// ParseRole reads the name of a role. It refuses the name of None.
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
	Invite        // invite people, up to the inviter's own role; change or take away their roles
	ManageSubtree // move, suspend, resume, trash, restore a whole subtree; decided above the subtree
)

var needs = [...]Role{
	Read: Viewer, CreateCustomer: Operator, EditCustomer: Operator, CreatePartner: Admin, EditPartner: Admin,
	ManageBrands: Owner, ManageClients: Owner, Invite: Admin, ManageSubtree: Admin,
}

// Needs returns the smallest role that may do the action.
func (a Action) Needs() Role { return needs[a] }

// MaxGrants is how many grants a principal may have. With this limit, one transaction can take all of them away.
const MaxGrants = 60

// Secret is a secret of an API client, which has at most two. Only the hash of a secret is kept.
type Secret struct {
	ID      ident.Key
	Hash    []byte // SHA-256 of the secret, which has 256 random bits
	Hint    string // its last four characters, for people to tell secrets apart
	Created time.Time
	Expires time.Time // from then on the secret is refused; zero: never
}

// Live reports whether the secret counts at a time.
func (s *Secret) Live(at time.Time) bool { return s.Expires.IsZero() || at.Before(s.Expires) }

// Person is the Microsoft account of a principal: an object in a tenant of Entra ID, both GUIDs in lower case. The address is for people
// to read and never decides anything.
type Person struct {
	Tenant string
	Object string
	Email  string
}

// Principal is an API client or a person that can be granted roles.
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
	Revoked   time.Time // zero while the principal is not revoked
	// SessionsFrom has, for a person, the time from which sessions count; the key is the bound of the sessions (Within). Sessions that began
	// before that time have ended, because the person signed out everywhere. The time under "" ends sessions with any bound.
	SessionsFrom map[ident.Node]time.Time
	// Cut has, for a person, the time when their role at a node was last taken away or lowered. Invitations that were made there before
	// that time do not bring the role back. The time under "" counts for all nodes.
	Cut map[ident.Node]time.Time
	// Within bounds what the principal reaches in the present request: only this node and what is below it. Grants further up count as if
	// they were made at this node. "" means no bound. Within is not stored.
	Within ident.Node
}

// Holds reports whether the principal has this secret, which has not expired at a time, and is not revoked.
func (p *Principal) Holds(id ident.Key, at time.Time) bool {
	if !p.Revoked.IsZero() {
		return false
	}
	for i := range p.Secrets {
		if p.Secrets[i].ID == id {
			return p.Secrets[i].Live(at)
		}
	}
	return false
}

// SessionsSince is the time from which the person's sessions with a bound count, zero when all of them do.
func (p *Principal) SessionsSince(within ident.Node) time.Time {
	if at := p.SessionsFrom[within]; at.After(p.SessionsFrom[""]) {
		return at
	}
	return p.SessionsFrom[""]
}

// Admits reports whether a session of the person still counts. The session began at a time, and is bounded to a node, or to none ("").
func (p *Principal) Admits(began time.Time, within ident.Node) bool {
	return p.Revoked.IsZero() && !began.Before(p.SessionsSince(within))
}

// Only returns the principal with only the grant at one node.
func (p *Principal) Only(at ident.Node) *Principal {
	return &Principal{Grants: map[ident.Node]Role{at: p.Grants[at]}, Within: p.Within}
}

// Decision is the result of Decide.
type Decision struct {
	Action Action
	Role   Role // at the target: the highest role of the grants on its path that count; None: the target is invisible
	Above  Role // the highest role when grants on the target itself are left out
	// First is the position on the canonical path where the principal's access begins. The node there is the first step
	// of the Partner Path that the principal sees. First has no meaning when Role is None.
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

// Err returns nil when the action is allowed, and NotFound when the target is invisible. When the role is high enough but does not come
// from above the target, Err returns NeedsGrantAbove, or Root at the root. Otherwise Err returns Forbidden.
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
