package directory

import (
	"context"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Bounds of Node.SameTenant.
const (
	maxSameTenant  = 5  // customers that show
	sameTenantRead = 20 // customers that are looked at, most of which may be out of sight
)

// havingTenant proposes customers with a Microsoft tenant. Whoever decides about something else reads them in the same batch: it takes as many
// round trips whether there are any or not.
func (d *Directory) havingTenant(ctx context.Context, tenant string) ([]ident.Node, error) {
	if tenant == "" {
		return nil, nil
	}
	asked := hierarchy.Details{Editable: hierarchy.Editable[string]{Tenant: tenant}}
	page, err := d.store.Find(ctx, Lookup{Kind: ident.Customer, Term: asked.Whole()[0]}, "", sameTenantRead)
	ids := make([]ident.Node, len(page.Items))
	for i, found := range page.Items {
		ids[i] = ident.Node(found.ID)
	}
	return ids, err
}

// sameTenant returns those of the customers that have the same Microsoft tenant as n, that the caller sees, and that are not in the trash.
func (v *View) sameTenant(n *hierarchy.Node, ids []ident.Node) []PathStep {
	var same []PathStep
	for _, id := range ids {
		other := v.Nodes[id]
		if other == nil || id == n.ID || n.Details.Tenant == "" || other.Details.Tenant != n.Details.Tenant || len(same) == maxSameTenant {
			continue
		}
		if dec := access.Decide(v.Caller, &v.Tree, other, access.Read); dec.Allowed() && !dec.Place.Marked(hierarchy.Trashed) {
			same = append(same, PathStep{id, other.Name})
		}
	}
	return same
}
