package directory

import (
	"context"
	"maps"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Bounds of access.Principal.Cut.
const (
	keepCuts = (MaxInvitationDays + 1) * 24 * time.Hour // what was sent before has expired then, by any clock
	maxCuts  = access.MaxGrants
)

// lastCut is when a role at a node was last taken away from a person or lowered, as far as that is known for the node alone.
func lastCut(p *access.Principal, node ident.Node) time.Time {
	if at := p.Cut[node]; at.After(p.Cut[""]) {
		return at
	}
	return p.Cut[""]
}

// recentCuts are a person's cuts that something may still depend on.
func recentCuts(p *access.Principal, now time.Time) map[ident.Node]time.Time {
	cuts := maps.Clone(p.Cut)
	maps.DeleteFunc(cuts, func(_ ident.Node, at time.Time) bool { return now.Sub(at) > keepCuts })
	return cuts
}

// cut notes on a person that a role at a node is taken away from them or lowered now. When there are too many notes, the oldest become one
// that counts for all nodes.
func cut(p *access.Principal, node ident.Node, now time.Time) {
	cuts := recentCuts(p, now)
	if cuts == nil {
		cuts = map[ident.Node]time.Time{}
	}
	cuts[node] = now
	for len(cuts) > maxCuts {
		oldest := oldestOf(cuts, node)
		if at := cuts[oldest]; at.After(cuts[""]) {
			cuts[""] = at
		}
		delete(cuts, oldest)
	}
	p.Cut = cuts
}

// oldestOf is the node with the earliest time, newest when there is none before that. What stands under "" for all nodes is none.
func oldestOf(times map[ident.Node]time.Time, newest ident.Node) ident.Node {
	oldest := newest
	for node, at := range times {
		if node != "" && at.Before(times[oldest]) {
			oldest = node
		}
	}
	return oldest
}

// SetRole gives somebody who has a role at the very node another one; access.None takes it away. It needs access.Invite, both roles, and
// that it is somebody else. Of an API client it takes or lowers a role that was granted beside its home, and needs access.ManageClients,
// like RemoveGrant; a higher one needs what GrantRole needs, and is given by that.
func (d *Directory) SetRole(ctx context.Context, c Caller, node ident.Node, who ident.Principal, role access.Role) error {
	needed := access.Invite
	if !who.IsPerson() {
		needed = access.ManageClients
	}
	_, err := Do(ctx, d, c, node, needed, Want{Records: access.Principals.Refs(who)},
		func(v *View, _ *hierarchy.Node, dec access.Decision) (none Plan[struct{}], err error) {
			p := access.Principals.In(v.Records, who)
			if p == nil || !p.Revoked.IsZero() || p.Grants[node] == access.None {
				return none, fault.NotFound.New("No principal with this id has a role here. A role granted higher up must be changed there.")
			}
			was := p.Grants[node]
			switch {
			case p.Home == node:
				return none, fault.Immutable.New("This principal is an API client of this partner. Manage the client here: /v1/api-clients/%s.", who)
			case was == role:
				return none, nil
			case role > was && !who.IsPerson():
				return none, fault.Immutable.New("This principal is an API client. Grant it a higher role where it is managed: "+
					"PUT /v1/api-clients/%s/grants/%s.", who, node)
			case c.Principal == who:
				return none, fault.OwnAccess.New("You cannot change your own access. Ask someone else who manages users here.")
			case was > dec.Role:
				return none, fault.RoleTooHigh.New("Your role there is %s, and this user's role is %s. Ask someone who also has that role.", dec.Role, was)
			}
			if err := mayGrant(dec, role); err != nil {
				return none, err
			}
			if role > was {
				if err := Untrashed(dec.Place); err != nil {
					return none, err
				}
			}
			if err := Match(c.IfMatch, p.Version); err != nil {
				return none, err
			}
			now := *p
			now.Grants = maps.Clone(p.Grants)
			now.Version++
			if now.Grants[node] = role; role == access.None {
				delete(now.Grants, node)
			}
			if role < was && who.IsPerson() {
				cut(&now, node, d.now())
			}
			told := event.UserRole{PrincipalID: who, Name: p.Name, Role: role, Version: event.Version{Version: now.Version}}
			data := event.Payload(event.UserChangedData{UserRole: told})
			if role == access.None {
				told.Role = was
				data = event.UserRemovedData{UserRole: told}
			}
			// The caller's right is held: an owner who removes another one stays, as in stillOwner.
			return Plan[struct{}]{Steps: []Step{Put{Was: p, Now: &now, Else: ErrChanged},
				stillInviter(v, node, dec.Place, max(was, role, needed.Needs())),
				d.Event(c, node, dec.Place.Path, data)}}, nil
		})
	return err
}
