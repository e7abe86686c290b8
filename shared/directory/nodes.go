package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Node is a partner or a customer as a caller sees it.
type Node struct {
	hierarchy.Node
	ParentVisible bool       // whether the parent lies within the caller's reach
	CanProvision  bool       // of a partner: nothing on its path forbids it
	SuspendedAt   ident.Node // the uppermost suspended node on its path, "": there is none. Whoever sees the node sees this one
	TrashedAt     ident.Node // the same of the trash
	// SameTenant has other customers with the same Microsoft tenant that the caller sees, some of them at least, when the customer was just given
	// its tenant: usually there is one customer for each.
	SameTenant []PathStep
}

func seen(n *hierarchy.Node, place hierarchy.Place, parentVisible bool) Node {
	return Node{Node: *n, ParentVisible: parentVisible, CanProvision: !place.Marked(hierarchy.NoProvisioning),
		SuspendedAt: place.Top(hierarchy.Suspended), TrashedAt: place.Top(hierarchy.Trashed)}
}

// NewPartner is what a child partner is made from. All of it is checked for form already.
type NewPartner struct {
	Parent       ident.Node
	Name         hierarchy.Name
	Portal       ident.Brand
	Available    []ident.Brand // at most hierarchy.MaxBrands, none twice
	CanProvision bool
}

// CreatePartner makes a child partner. Its brands have to be usable at the parent.
func (d *Directory) CreatePartner(ctx context.Context, c Caller, in NewPartner) (Node, error) {
	n := hierarchy.Node{ID: ident.NewPartner(), Name: in.Name}
	n.Brands = hierarchy.Brands{Portal: in.Portal, Available: slices.Sorted(slices.Values(in.Available)), Uses: map[ident.Brand]int64{}}
	for _, b := range in.Available {
		n.Brands.Uses[b] = 0
	}
	var own []hierarchy.MarkKind
	if !in.CanProvision {
		own = []hierarchy.MarkKind{hierarchy.NoProvisioning}
	}
	return d.create(ctx, c, in.Parent, access.CreatePartner, n, own, event.PartnerCreatedData{
		Name: n.Name, PortalBrandID: n.Brands.Portal, AvailableBrandIDs: nonNil(n.Brands.Available), CanProvisionServices: in.CanProvision})
}

// NewCustomer is what a customer is made from. All of it is checked for form already.
type NewCustomer struct {
	Partner ident.Node
	Name    hierarchy.Name
	hierarchy.Details
}

// CreateCustomer makes a customer. Its brand has to be usable at the partner.
func (d *Directory) CreateCustomer(ctx context.Context, c Caller, in NewCustomer) (Node, error) {
	n := hierarchy.Node{ID: ident.NewCustomer(), Name: in.Name, Details: in.Details}
	return d.create(ctx, c, in.Partner, access.CreateCustomer, n, nil, event.CustomerCreatedData{Name: n.Name, Details: n.Details})
}

// create adds n below parent, in one transaction with the check that the parent still is where it was and has the
// brands that n draws. The first child of a parent makes a branch longer: then what lies above learns of it, and nothing up there
// may have been moved meanwhile.
func (d *Directory) create(ctx context.Context, c Caller, parentID ident.Node, a access.Action, n hierarchy.Node, own []hierarchy.MarkKind,
	data event.Payload) (Node, error) {
	alike, err := d.havingTenant(ctx, n.Details.Tenant)
	if err != nil {
		return Node{}, err
	}
	return Do(ctx, d, c, parentID, a, Want{Nodes: alike}, func(v *View, parent *hierarchy.Node, dec access.Decision) (Plan[Node], error) {
		if err := Live(dec.Place); err != nil {
			return Plan[Node]{}, err
		}
		draw := n.Draws()
		if err := usable(parent, draw); err != nil {
			return Plan[Node]{}, err
		}
		node, err := n.Below(parent, dec.Place, own...)
		if err != nil {
			return Plan[Node]{}, err
		}
		if node.Place.Path.Depth() > hierarchy.MaxDepth { // the parent has moved up, and is still stored too deep to store more below it
			return Plan[Node]{}, d.rewriteFirst(ctx, &v.Tree, parent)
		}
		place := hierarchy.Place{Path: dec.Place.Path.Child(node.ID), Marks: append(slices.Clone(dec.Place.Marks), node.OwnMarks()...)}
		happened := d.Event(c, node.ID, place.Path, data)
		node.Version, node.Created, node.Updated = 1, happened.Event.Time, happened.Event.Time
		check := CheckParent{Parent: parent, Draw: draw, Else: parentChanged(draw)}
		steps := []Step{AddNode{node}, happened}
		if parent.Height == 0 {
			check.Height = 1
			low, _, err := d.tooLow(ctx, c, dec.Place.Path, parent.Height, 1)
			if err != nil {
				return Plan[Node]{}, err
			}
			steps = append(steps, raise(low)...)
		}
		steps = append([]Step{check}, steps...)
		made := seen(&node, place, true)
		made.SameTenant = v.sameTenant(&node, alike)
		return Plan[Node]{made, steps}, nil
	})
}

func usable(parent *hierarchy.Node, brands []ident.Brand) error {
	for _, b := range brands {
		if !parent.Brands.Usable(b) {
			return fault.BrandNotAvailable.New("The brand %s is not available at the parent. Choose a brand that GET /v1/partners/%s/brands lists.", b, parent.ID)
		}
	}
	return nil
}

func parentChanged(draw []ident.Brand) func(now *hierarchy.Node) error {
	return func(now *hierarchy.Node) error {
		if now == nil {
			return access.Hidden()
		}
		if err := usable(now, draw); err != nil {
			return err
		}
		return ErrChanged
	}
}

// Get returns a partner or a customer.
func (d *Directory) Get(ctx context.Context, c Caller, id ident.Node) (Node, error) {
	_, node, dec, err := d.Reach(ctx, c, id, access.Read)
	if err != nil {
		return Node{}, err
	}
	return seenBy(node, dec), nil
}

func seenBy(n *hierarchy.Node, dec access.Decision) Node {
	return seen(n, dec.Place, dec.First < dec.Place.Path.Depth()-1)
}

// PartnerPatch is an edit of a partner; nil leaves as it is.
type PartnerPatch struct {
	Name      *hierarchy.Name
	Portal    *ident.Brand
	Available *[]ident.Brand // at most hierarchy.MaxBrands, none twice
}

// EditPartner edits a partner. Which brands it may sell under is decided above it, and so is a portal brand that is
// not usable at the partner itself.
func (d *Directory) EditPartner(ctx context.Context, c Caller, id ident.Node, patch PartnerPatch) (Node, error) {
	return d.edit(ctx, c, id, access.EditPartner, "", partnerChanges, func(n *hierarchy.Node, dec access.Decision) error {
		if patch.Name != nil {
			n.Name = *patch.Name
		}
		above := false
		if patch.Available != nil {
			want := slices.Sorted(slices.Values(*patch.Available))
			if !slices.Equal(want, n.Brands.Available) {
				above = true
				n.Brands.Available = want
				uses := map[ident.Brand]int64{}
				for _, b := range slices.Concat(want, n.Brands.Owned) {
					uses[b] = n.Brands.Uses[b]
				}
				n.Brands.Uses = uses
			}
		}
		if patch.Portal != nil && *patch.Portal != n.Brands.Portal {
			n.Brands.Portal = *patch.Portal
			above = above || !n.Brands.Usable(*patch.Portal)
		}
		if above && n.Parent == "" {
			return fault.BrandNotAvailable.New("The root can use only its own brands. Create the brand at the root first.")
		}
		if above && dec.Above < access.EditPartner.Needs() {
			return fault.NeedsGrantAbove.New("Only an admin of a partner above this partner can choose which brands it has. Ask an admin there.")
		}
		return nil
	})
}

// CustomerPatch is an edit of a customer; what is not there stays as it is.
type CustomerPatch struct {
	Name    *hierarchy.Name
	Details map[string]string // by the names of hierarchy.DetailFields that are not fixed; "" takes away
}

// EditCustomer edits a customer.
func (d *Directory) EditCustomer(ctx context.Context, c Caller, id ident.Node, patch CustomerPatch) (Node, error) {
	return d.edit(ctx, c, id, access.EditCustomer, patch.Details["tenantId"], customerChanges, func(n *hierarchy.Node, _ access.Decision) error {
		if patch.Name != nil {
			n.Name = *patch.Name
		}
		for _, f := range hierarchy.DetailFields {
			if value, edited := patch.Details[f.Name]; edited && !f.Fixed {
				*f.At(&n.Details) = value
			}
		}
		return nil
	})
}

// edit applies change to a copy of the node and commits what became of it. An edit that changes nothing succeeds without
// writing, whatever If-Match says: it may be the repetition of one that was applied (RFC 9110, 13.1.1). tenant is the Microsoft tenant that the
// edit gives to a customer.
func (d *Directory) edit(ctx context.Context, c Caller, id ident.Node, a access.Action, tenant string,
	changes func(was, now *hierarchy.Node, job event.Job) event.Payload, change func(n *hierarchy.Node, dec access.Decision) error) (Node, error) {
	alike, err := d.havingTenant(ctx, tenant)
	if err != nil {
		return Node{}, err
	}
	return Retry(func() (Node, error) {
		v, err := d.Read(ctx, c, Want{Nodes: append(slices.Clip(alike), id)})
		if err != nil {
			return Node{}, err
		}
		was, dec, err := v.Decide(id, a)
		if err != nil {
			return Node{}, err
		}
		answer := func(n *hierarchy.Node) (Node, error) {
			edited := seenBy(n, dec)
			edited.SameTenant = v.sameTenant(n, alike)
			return edited, nil
		}
		now := *was
		if err := change(&now, dec); err != nil {
			return Node{}, err
		}
		if changes(was, &now, event.Job{}) == changes(was, was, event.Job{}) { // no field has an edit
			return answer(was)
		}
		if err := Live(dec.Place); err != nil {
			return Node{}, err
		}
		if err := Match(c.IfMatch, was.Version); err != nil {
			return Node{}, err
		}
		now.Version, now.Updated = was.Version+1, d.now()
		steps, job, err := d.parentsPart(ctx, c, v.Tree.Seq, was, &now)
		if err != nil {
			return Node{}, err
		}
		steps = append(steps, EditNode{Was: was, Now: &now, Else: editFailed(was, &now)},
			d.Event(c, id, dec.Place.Path, changes(was, &now, job)))
		err = unused(was, &now, was)
		if err == nil {
			err = d.Commit(ctx, &v.Tree, steps...)
		}
		var used *inUse
		if errors.As(err, &used) {
			err = d.nameUsers(ctx, id, used.brand)
		}
		if err != nil {
			return Node{}, err
		}
		return answer(&now)
	})
}

// parentsPart is the parent's part in an edit: when it changes what the node draws from it, or where it lists the node. The job is that of
// keepCovered.
func (d *Directory) parentsPart(ctx context.Context, c Caller, seq int64, was, now *hierarchy.Node) (steps []Step, job event.Job, err error) {
	before, after := was.Draws(), now.Draws()
	draw, drop := without(after, before), without(before, after)
	relisted := was.Name.SortKey() != now.Name.SortKey()
	if now.Parent == "" {
		if len(draw) > 0 {
			return nil, job, fault.BrandNotAvailable.New("The root can use only its own brands. Create the brand at the root first.")
		}
		return nil, job, nil
	}
	if len(draw) == 0 && len(drop) == 0 && !relisted {
		return nil, job, nil
	}
	v, err := d.Read(ctx, c, Want{Nodes: []ident.Node{now.Parent, now.ID}})
	if err != nil {
		return nil, job, err
	}
	parent := v.Nodes[now.Parent]
	if parent == nil || v.Tree.Seq != seq {
		return nil, job, ErrChanged
	}
	if err := usable(parent, draw); err != nil {
		return nil, job, err
	}
	check := CheckParent{Parent: parent, Draw: draw, Drop: drop, Else: parentChanged(draw)}
	if !relisted {
		return []Step{check}, job, nil
	}
	if node := v.Nodes[now.ID]; node != nil { // a list that measuring reads is no snapshot either: then this is how it learns of the node
		check.Height = node.Levels() + 1
	}
	covered, job, err := d.keepCovered(ctx, v, was, parent)
	return append([]Step{check}, covered...), job, err
}

// keepCovered is for a node that gets another place in its parent's list. Settling may be reading that list just now, and a list
// that is read is no snapshot: it could miss the node. It reads a list only after it has rewritten the parent, so it is
// enough that the parent is not rewritten meanwhile, which CheckParent holds, and that changes which may be there already do
// not need to find the node: one without anything below it is rewritten first, and others become a change of their own, to
// where they are.
func (d *Directory) keepCovered(ctx context.Context, v *View, was, parent *hierarchy.Node) ([]Step, event.Job, error) {
	node := v.Nodes[was.ID]
	if node == nil || parent.AsOf > v.Tree.Seq || node.Levels() > was.Levels() || node.Version != was.Version {
		return nil, event.Job{}, ErrChanged
	}
	at, latest := v.Tree.Place(parent), int64(-1)
	for i := range v.Tree.Changes {
		if change := &v.Tree.Changes[i]; change.Seq <= parent.AsOf && at.Path.Index(change.Node) >= 0 {
			latest = change.Seq
		}
	}
	switch {
	case latest < 0 || node.Levels() == 0 && node.AsOf >= latest:
		return nil, event.Job{}, nil
	case node.Levels() == 0:
		return nil, event.Job{}, d.rewriteFirst(ctx, &v.Tree, node)
	}
	path := at.Path.Child(node.ID)
	change := hierarchy.Change{Kind: hierarchy.Moved, Path: path, Marks: at.Marks, From: v.Tree.Left(path)}
	steps, j, err := d.announce(&v.Tree, node.ID, RenameJob, change)
	if err != nil {
		return nil, event.Job{}, err
	}
	return steps, event.Job{JobID: j.ID}, nil
}

// rewriteFirst does for one node what settling would do for it later. Its error is ErrChanged: what was read is no longer so.
func (d *Directory) rewriteFirst(ctx context.Context, tree *hierarchy.TreeState, n *hierarchy.Node) error {
	return cmp.Or(d.store.Commit(ctx, Rewrite{Node: n.ID, WasAsOf: n.AsOf, Place: tree.Place(n), AsOf: tree.Seq, Else: ErrChanged}), ErrChanged)
}

func without(from, these []ident.Brand) []ident.Brand {
	return slices.DeleteFunc(slices.Clone(from), func(b ident.Brand) bool { return slices.Contains(these, b) })
}

// inUse says that a brand cannot be taken away from a partner.
type inUse struct{ brand ident.Brand }

func (*inUse) Error() string { return "the brand is in use" }

// unused checks that the brands that now lacks and was had are not used at the node as it is at present.
func unused(was, now, present *hierarchy.Node) error {
	for _, b := range without(was.Brands.List(), now.Brands.List()) {
		if present.Brands.Uses[b] > 0 {
			return &inUse{b}
		}
	}
	return nil
}

func editFailed(was, now *hierarchy.Node) func(present *hierarchy.Node) error {
	return func(present *hierarchy.Node) error {
		if present == nil {
			return access.Hidden()
		}
		if present.Version != was.Version || present.Parent != was.Parent {
			return ErrChanged
		}
		if err := unused(was, now, present); err != nil {
			return err
		}
		return ErrChanged
	}
}

// nameUsers makes the error for a brand that cannot be taken away from a partner, with some of what uses it: all of
// that lies below the partner, so whoever may edit the partner may see it.
func (d *Directory) nameUsers(ctx context.Context, partner ident.Node, b ident.Brand) error {
	const most, pages = 10, 10 // a partner with more children than that names what was found until then
	e := fault.BrandInUse.New("The brand %s is used directly below the partner. Remove the brand there first. A customer's brand can never change.", b)
	for _, kind := range []hierarchy.Kind{hierarchy.Customer, hierarchy.Partner} {
		after := ""
		for range pages {
			page, err := d.store.Children(ctx, partner, kind, true, after, MaxLimit)
			if err != nil {
				return err
			}
			for i := range page.Items {
				if n := &page.Items[i]; slices.Contains(n.Draws(), b) && len(e.UsedBy) < most {
					e.UsedBy = append(e.UsedBy, fault.Ref{ID: string(n.ID), Kind: string(n.Kind()), Name: string(n.Name)})
				}
			}
			if after = page.Next; after == "" || len(e.UsedBy) == most {
				break
			}
		}
	}
	return e
}

// The data of events.

func partnerChanges(was, now *hierarchy.Node, job event.Job) event.Payload {
	data := event.PartnerEditedData{Name: event.Note(was.Name, now.Name), PortalBrandID: event.Note(was.Brands.Portal, now.Brands.Portal), Job: job}
	if !slices.Equal(was.Brands.Available, now.Brands.Available) {
		data.AvailableBrandIDs = &event.Edit[[]ident.Brand]{From: nonNil(was.Brands.Available), To: nonNil(now.Brands.Available)}
	}
	return data
}

func customerChanges(was, now *hierarchy.Node, job event.Job) event.Payload {
	return event.CustomerEditedData{Name: event.Note(was.Name, now.Name),
		Editable: hierarchy.Compare(was.Details.Editable, now.Details.Editable, event.Note[string]), Job: job}
}

// nonNil returns the list as it is written for others: an empty list is [], never null.
func nonNil(brands []ident.Brand) []ident.Brand { return append([]ident.Brand{}, brands...) }
