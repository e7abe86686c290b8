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

// MovePreview is what a move would do. For a move to the present parent, or into the node's own subtree, the "after" values equal the
// "before" values.
type MovePreview struct {
	Blocks        []*fault.Error // all errors that the move would be refused with; none: the move would be done
	MissingBrands []ident.Brand  // the brands that the node draws and that are not usable at the new parent; sorted
	Depth         [2]int         // of the node, before and after, from where the caller's sight begins, which is at 1
	Levels        int            // upper bound of the number of levels below the node
	CanProvision  [2]bool        // whether nothing on the path forbids provisioning, before and after; for a customer: at its parent
	Access        []AccessChange // principals whose role at the node would change, by name; at most MaxAccessChanges
	More          bool           // whether there are more of them
	// Invitations has the pending invitations at the node itself that nobody could accept any more, because the sender may not invite there
	// after the move.
	Invitations []Invitation
}

// MaxAccessChanges is how many principals a preview names.
const MaxAccessChanges = 200

// grantPages is how many pages of grants at one node a preview reads.
const grantPages = 5

// AccessChange is a principal whose role at the node, and so at everything below it, changes. None means no access.
type AccessChange struct {
	Principal ident.Principal
	Name      hierarchy.Name
	Role      [2]access.Role // before, after
	// Through is the node where the higher of the two roles was granted, or "" when the caller does not see that node.
	Through ident.Node
}

// PreviewMove returns what Move would do. It uses the same code and needs the same rights.
func (d *Directory) PreviewMove(ctx context.Context, c Caller, id, to ident.Node) (MovePreview, error) {
	return Retry(func() (MovePreview, error) { return d.previewMove(ctx, c, id, to) })
}

func (d *Directory) previewMove(ctx context.Context, c Caller, id, to ident.Node) (MovePreview, error) {
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
	p, after := MovePreview{Levels: node.Levels()}, m.from
	if !m.there() {
		p.MissingBrands = m.missing()
		if _, p.Blocks, err = d.moved(ctx, c, v, m, ""); err != nil {
			return MovePreview{}, err
		}
		if !m.intoItself() {
			after = m.place()
		}
	}
	for i, place := range [2]hierarchy.Place{m.from, after} {
		hidden := [2]int{dec.First, at.First}[i] // above where the caller begins
		if place.Path == m.from.Path {
			hidden = dec.First
		}
		p.Depth[i], p.CanProvision[i] = place.Path.Depth()-hidden, !place.Marked(hierarchy.NoProvisioning)
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

// voided returns the pending invitations at a node that nobody could accept any more if the node were at a place, because the sender may
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

// accessChanges returns the principals whose role at a node differs between two places. sight is the position on the path of each place
// from which the caller sees it.
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

// grantedOn returns the principals who were granted a role at any node on the paths, with all their grants there. It reads only so many
// grants of each node, and reports whether there are more.
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
