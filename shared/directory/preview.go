package directory

import (
	"cmp"
	"context"
	"slices"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// MovePreview is what a move would do. Of a move that there is nothing to do for, and of one into itself, all is after it as before.
type MovePreview struct {
	Blocks        []*fault.Error // what the move would be refused with, all of it; none: it would happen
	MissingBrands []ident.Brand  // that the node draws and that are not usable at the new parent; sorted
	Depth         [2]int         // of the node, before and after: 1 is the root
	Levels        int            // upper bound of how many come below it
	CanProvision  [2]bool        // whether anything on the path forbids it, before and after; of a customer: of its parent
	Access        []AccessChange // whose role at the node differs, by name; at most MaxAccessChanges
	More          bool           // there are more
	// Invitations are the pending ones at the node itself that nobody could accept any more, since who made them may not invite there then.
	Invitations []Invitation
}

// MaxAccessChanges is how many principals a preview names.
const MaxAccessChanges = 200

// grantPages is how many pages of grants at one node a preview reads.
const grantPages = 5

// AccessChange is somebody whose role at the node, and so at everything below it, changes. None is: no access.
type AccessChange struct {
	Principal ident.Principal
	Name      hierarchy.Name
	Role      [2]access.Role // before, after
	// Through is where the better of the two comes from, "" when that lies out of the caller's sight.
	Through ident.Node
}

// PreviewMove tells what Move would do, by the same code, and needs the same rights.
func (d *Directory) PreviewMove(ctx context.Context, c Caller, id, to ident.Node) (MovePreview, error) {
	v, err := d.Read(ctx, c, Want{Nodes: []ident.Node{id, to}})
	if err != nil {
		return MovePreview{}, err
	}
	node, dec, err := v.Decide(id, access.ManageSubtree)
	if err != nil {
		return MovePreview{}, err
	}
	dest, at, err := v.Decide(to, access.CreatePartner)
	if err != nil {
		return MovePreview{}, err
	}
	m := moving{node, dest, dec.Place, at.Place}
	p, after := MovePreview{Levels: node.Height}, m.from
	if !m.there() {
		p.Blocks, p.MissingBrands = m.blocks(), m.missing()
		if _, err := d.moved(c, v, m, ""); err != nil {
			p.Blocks = append(p.Blocks, fault.From(err))
		}
		if !m.intoItself() {
			after = m.place()
		}
	}
	for i, place := range [2]hierarchy.Place{m.from, after} {
		p.Depth[i], p.CanProvision[i] = place.Path.Depth(), !place.Marked(hierarchy.NoProvisioning)
	}
	if after.Path == m.from.Path {
		return p, nil
	}
	principals, more, err := d.grantedOn(ctx, m.from.Path, after.Path)
	if err != nil {
		return MovePreview{}, err
	}
	p.Access, p.More = accessChanges(principals, id, [2]hierarchy.Place{m.from, after}, [2]int{dec.First, at.First})
	p.More = p.More || more
	p.Invitations, err = d.voided(ctx, principals, id, after)
	return p, err
}

// voided finds the pending invitations at a node that cannot be accepted any more when it is at a place, because whoever made them may
// not invite there.
func (d *Directory) voided(ctx context.Context, principals map[ident.Principal]*access.Principal, id ident.Node, place hierarchy.Place) (
	[]Invitation, error) {
	var found []Invitation
	now, after := d.now(), ""
	for range grantPages {
		page, err := ListAt(ctx, d.store, InvitationsAt, id, after, MaxLimit)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			invitation := &page.Items[i]
			if invitation.at(now) != InvitationPending {
				continue
			}
			by := principals[invitation.By]
			if by == nil {
				by = &access.Principal{}
			}
			if dec := decideAt(bound(by, invitation.Within), id, place, access.Invite); dec.Role < invitation.needs() {
				found = append(found, invitation.seen(now))
			}
		}
		if after = page.Next; after == "" || len(found) >= MaxLimit {
			break
		}
	}
	return found, nil
}

// accessChanges finds whose role at a node differs between two places. sight is from where on the path of each the caller sees.
func accessChanges(principals map[ident.Principal]*access.Principal, id ident.Node, places [2]hierarchy.Place, sight [2]int) (
	_ []AccessChange, more bool) {
	var found []AccessChange
	for _, p := range principals {
		a := AccessChange{Principal: p.ID, Name: p.Name}
		for i, place := range places {
			dec := decideAt(p, id, place, access.Read)
			a.Role[i] = dec.Role
		}
		if a.Role[0] == a.Role[1] {
			continue
		}
		better := 0
		if a.Role[1] > a.Role[0] {
			better = 1
		}
		through := nearest(p, id, places[better], access.Read, func(dec *access.Decision) bool { return dec.Role == a.Role[better] })
		if places[better].Path.Index(through) >= sight[better] {
			a.Through = through
		}
		found = append(found, a)
	}
	slices.SortFunc(found, func(a, b AccessChange) int {
		return cmp.Or(cmp.Compare(a.Name.SortKey(), b.Name.SortKey()), cmp.Compare(a.Principal, b.Principal))
	})
	if len(found) > MaxAccessChanges {
		found, more = found[:MaxAccessChanges], true
	}
	return found, more
}

// grantedOn returns those who were granted a role at any node on the paths, with all their grants there, and whether there are more:
// of each node only so many grants are read.
func (d *Directory) grantedOn(ctx context.Context, paths ...hierarchy.Path) (map[ident.Principal]*access.Principal, bool, error) {
	var ids []ident.Node
	for _, path := range paths {
		for _, id := range path.IDs() {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	found, read := make([][]access.Grant, len(ids)), make([]ident.Principal, len(ids))
	err := concurrently(ctx, len(ids), func(ctx context.Context, i int) error {
		after := ""
		for range grantPages {
			page, err := ListAt(ctx, d.store, access.GrantsAt, ids[i], after, MaxLimit)
			if err != nil {
				return err
			}
			found[i] = append(found[i], page.Items...)
			if after = page.Next; after == "" {
				return nil
			}
		}
		read[i] = found[i][len(found[i])-1].Principal
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	end := ident.Principal("") // grants are listed by principal: up to this one all are known, "": of all
	for _, id := range read {
		if id != "" && (end == "" || id < end) {
			end = id
		}
	}
	principals := map[ident.Principal]*access.Principal{}
	for _, g := range slices.Concat(found...) {
		if end != "" && g.Principal > end {
			continue
		}
		p := principals[g.Principal]
		if p == nil {
			p = &access.Principal{ID: g.Principal, Name: g.Name, Grants: map[ident.Node]access.Role{}}
			principals[g.Principal] = p
		}
		p.Grants[g.Node] = g.Role
	}
	return principals, end != "", nil
}
