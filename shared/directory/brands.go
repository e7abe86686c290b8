package directory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Brand is a brand as a caller sees it.
type Brand struct {
	brand.Brand
	OwnerVisible bool // whether the partner that owns it lies within the caller's reach
}

// NewBrand is what a brand is made from. All of it is checked for form already.
type NewBrand struct {
	Partner ident.Node
	Name    hierarchy.Name
	Domain  string
	Regions []string
}

// CreateBrand makes a brand that belongs to a partner and can be used there from now on.
func (d *Directory) CreateBrand(ctx context.Context, c Caller, in NewBrand) (Brand, error) {
	b := brand.Brand{ID: ident.NewBrand(), Owner: in.Partner, Name: in.Name, Domain: in.Domain, Regions: slices.Sorted(slices.Values(in.Regions)),
		State: brand.Draft, Version: 1}
	return Do(ctx, d, c, in.Partner, access.ManageBrands, Want{}, func(v *View, owner *hierarchy.Node, dec access.Decision) (Plan[Brand], error) {
		if err := Live(dec.Place); err != nil {
			return Plan[Brand]{}, err
		}
		if err := roomForBrand(owner); err != nil {
			return Plan[Brand]{}, err
		}
		b := b
		b.Created = d.now()
		return Plan[Brand]{Brand{b, true}, []Step{
			Put{Now: &b, Else: ErrExists},
			claim(&b),
			OwnBrand{Brand: b.ID, Owner: owner, Else: func(now *hierarchy.Node) error {
				if now == nil {
					return access.Hidden()
				}
				if err := roomForBrand(now); err != nil {
					return err
				}
				return ErrChanged
			}},
			stillOwner(v, dec),
			d.Event(c, owner.ID, dec.Place.Path, event.BrandCreatedData{BrandID: b.ID, Name: b.Name, Domain: b.Domain, Regions: b.Regions}),
		}}, nil
	})
}

func roomForBrand(owner *hierarchy.Node) error {
	if len(owner.Brands.Owned) >= hierarchy.MaxBrands {
		return fault.TooManyBrands.New("A partner can have at most %d brands of its own. Create the brand at another partner.", hierarchy.MaxBrands)
	}
	return nil
}

// GetBrand returns a brand to those who reach the partner that owns it.
func (d *Directory) GetBrand(ctx context.Context, c Caller, id ident.Brand) (Brand, error) {
	_, b, _, err := d.reachBrand(ctx, c, id, access.Read)
	if err != nil {
		return Brand{}, err
	}
	return Brand{*b, true}, nil // only those who reach its owner get here
}

// reachBrand decides about a brand at the partner that owns it.
func (d *Directory) reachBrand(ctx context.Context, c Caller, id ident.Brand, a access.Action) (*View, *brand.Brand, access.Decision, error) {
	v, b, _, dec, err := ReachOf(ctx, d, c, brand.Brands, id, func(b *brand.Brand) ident.Node { return b.Owner }, a)
	return v, b, dec, err
}

// BrandEdit is what an edit of a brand changes: what is nil stays. All of it is checked for form already.
type BrandEdit struct {
	Name    *hierarchy.Name
	Domain  *string     // only of a draft without an app
	Regions *[]string   // the same; none twice
	Color   *string     // "": the platform's
	App     **brand.App // nil in it: none
	Logo    *[]byte     // a PNG; empty: none
}

// EditBrand edits a brand. Like any edit, one that changes nothing writes nothing. An app takes an owner of the root, too: links in
// invitations lead to the brand's host name from then on, and invitations can make guests in its tenant. Somebody who can has to make sure
// that both are the partner's.
func (d *Directory) EditBrand(ctx context.Context, c Caller, id ident.Brand, edit BrandEdit) (Brand, error) {
	return Retry(func() (Brand, error) {
		v, was, dec, err := d.reachBrand(ctx, c, id, access.ManageBrands)
		if err != nil {
			return Brand{}, err
		}
		now := edit.of(was)
		data := brandChanges(was, &now)
		if data == (event.BrandEditedData{BrandID: id}) {
			return Brand{*was, true}, nil
		}
		if (data.Domain != nil || data.Regions != nil) && (was.State != brand.Draft || was.App != nil) {
			return Brand{}, fault.Immutable.New("The domain and the regions of a brand can change only while it is a draft without an app of its own. " +
				"Take the app away first, or create another brand.")
		}
		if err := Live(dec.Place); err != nil {
			return Brand{}, err
		}
		if err := Match(c.IfMatch, was.Version); err != nil {
			return Brand{}, err
		}
		holds := stillOwner(v, dec)
		if was.Vouched() && data.Name != nil && now.App != nil {
			if holds, err = d.vouching(ctx, c, v, "The vendor vouches for the name of a brand that has an app of its own: mails show it. Ask an owner of the platform to change it."); err != nil {
				return Brand{}, err
			}
		}
		if now.App != nil && (was.App == nil || *was.App != *now.App) {
			if holds, err = d.vouching(ctx, c, v, "Once a brand has an app of its own, links in invitations lead to admin."+now.Domain+", and invitations can make "+
				"guests in the app's Microsoft tenant. An owner of the platform must check that both belong to this partner. Ask an owner of the platform to set the app."); err != nil {
				return Brand{}, err
			}
		}
		now.Version = was.Version + 1
		steps := []Step{Put{Was: was, Now: &now, Else: ErrChanged}, holds, d.Event(c, was.Owner, dec.Place.Path, data)}
		if was.Logo != now.Logo {
			steps = append(steps, writeLogo(&brand.Logo{Brand: id, PNG: *edit.Logo}))
		}
		if was.Domain != now.Domain {
			steps = append(steps, dropDomain(was), claim(&now))
		}
		if err := d.Commit(ctx, &v.Tree, steps...); err != nil {
			return Brand{}, err
		}
		return Brand{now, true}, nil
	})
}

// vouching decides whether the caller is an owner of the root, who alone vouches for a brand, and returns what holds that they still are; why says
// what is refused to others.
func (d *Directory) vouching(ctx context.Context, c Caller, v *View, why string) (CheckGrant, error) {
	v, _, dec, err := d.Reach(ctx, c, v.Tree.Root, access.ManageBrands)
	switch {
	case fault.NotFound.Is(err), fault.Forbidden.Is(err):
		return CheckGrant{}, fault.Forbidden.New("%s", why)
	case err != nil:
		return CheckGrant{}, err
	}
	return stillOwner(v, dec), nil
}

// claim is the step by which a brand gets its domain.
func claim(b *brand.Brand) Step {
	return Put{Now: b.DomainRecord(), Else: fault.DomainTaken.New("The domain %s belongs to another brand. Choose another domain.", b.Domain)}
}

// dropDomain is the step by which a brand gives its domain back. The brand is written, or removed, with it on its version.
func dropDomain(b *brand.Brand) Step { return Remove{Was: b.DomainRecord(), Any: true} }

// DeleteBrand deletes a brand that nothing uses. Its domain is free then.
func (d *Directory) DeleteBrand(ctx context.Context, c Caller, id ident.Brand) error {
	_, err := Retry(func() (none struct{}, err error) {
		v, was, dec, err := d.reachBrand(ctx, c, id, access.ManageBrands)
		if err != nil {
			return none, err
		}
		if err := Live(dec.Place); err != nil {
			return none, err
		}
		if err := Match(c.IfMatch, was.Version); err != nil {
			return none, err
		}
		err = d.Commit(ctx, &v.Tree, Remove{Was: was, Else: ErrChanged}, dropDomain(was), writeLogo(&brand.Logo{Brand: id}),
			DisownBrand{Brand: id, Owner: was.Owner, Else: func(now *hierarchy.Node) error {
				switch {
				case now == nil || !slices.Contains(now.Brands.Owned, id):
					return ErrChanged
				case now.Brands.Portal == id:
					return fault.BrandInUse.New("The brand %s is the portal brand of its own partner. Choose another portal brand for the partner first.", id)
				}
				return &inUse{id}
			}}, stillOwner(v, dec), d.Event(c, was.Owner, dec.Place.Path, event.BrandDeletedData{BrandID: id, Name: was.Name, Domain: was.Domain}))
		var used *inUse
		if errors.As(err, &used) {
			err = d.nameUsers(ctx, was.Owner, id)
		}
		return none, err
	})
	return err
}

// writeLogo is the step that replaces a logo, or removes it when it is empty. The brand, which is written with it, holds it.
func writeLogo(l *brand.Logo) Step {
	if len(l.PNG) == 0 {
		return Remove{Was: l, Any: true}
	}
	return Put{Now: l, Any: true}
}

// of is the brand after the edit.
func (e *BrandEdit) of(was *brand.Brand) brand.Brand {
	now := *was
	if e.Name != nil {
		now.Name = *e.Name
	}
	if e.Domain != nil {
		now.Domain = *e.Domain
	}
	if e.Regions != nil {
		now.Regions = slices.Sorted(slices.Values(*e.Regions))
	}
	if e.Color != nil {
		now.Color = *e.Color
	}
	if e.App != nil {
		now.App = *e.App
	}
	if e.Logo != nil {
		now.Logo = ""
		if len(*e.Logo) > 0 {
			sum := sha256.Sum256(*e.Logo)
			now.Logo = hex.EncodeToString(sum[:])
		}
	}
	return now
}

func brandChanges(was, now *brand.Brand) event.BrandEditedData {
	data := event.BrandEditedData{BrandID: was.ID, Name: event.Note(was.Name, now.Name), Color: event.Note(was.Color, now.Color),
		Domain: event.Note(was.Domain, now.Domain), LogoURL: event.Note(was.LogoURL(), now.LogoURL())}
	if !slices.Equal(was.Regions, now.Regions) {
		data.Regions = &event.Edit[[]string]{From: was.Regions, To: now.Regions}
	}
	if before, after := appData(was.App), appData(now.App); (before == nil) != (after == nil) || before != nil && *before != *after {
		data.PortalApp = &event.Edit[*event.PortalApp]{From: before, To: after}
	}
	return data
}

// appData returns an app as events tell it, nil when there is none.
func appData(a *brand.App) *event.PortalApp {
	if a == nil {
		return nil
	}
	return &event.PortalApp{ClientID: a.Client, TenantID: a.Tenant, SingleTenant: a.SingleTenant}
}

// Logo returns a brand's logo, a PNG. Anybody may have it: it is shown before people sign in. One that does not exist is
// fault.NotFound.
func (d *Directory) Logo(ctx context.Context, id ident.Brand) ([]byte, error) {
	got, err := d.store.Read(ctx, Want{Records: brand.Logos.Refs(id)})
	if err != nil {
		return nil, err
	}
	logo := brand.Logos.In(got.Records, id)
	if logo == nil {
		return nil, fault.NotFound.New("This logo does not exist.")
	}
	return logo.PNG, nil
}

// BrandAt returns the brand that has a domain, nil when there is none, or its owner was purged. It is for what is shown before people
// sign in, and for what they may sign in by.
func (d *Directory) BrandAt(ctx context.Context, domain string) (*brand.Brand, error) {
	got, err := d.store.Read(ctx, Want{Records: brand.Domains.Refs(domain)})
	if err != nil {
		return nil, err
	}
	at := brand.Domains.In(got.Records, domain)
	if at == nil {
		return nil, nil
	}
	if got, err = d.store.Read(ctx, Want{Records: brand.Brands.Refs(at.Brand), Nodes: []ident.Node{at.Owner}}); err != nil {
		return nil, err
	}
	owner := got.Nodes[at.Owner]
	if owner == nil {
		return nil, nil
	}
	if place := got.Tree.Place(owner); place.Marked(hierarchy.Purged) {
		return nil, nil
	}
	return brand.Brands.In(got.Records, at.Brand), nil
}

// Brands lists what a partner may sell under, by name: its own brands and those available to it.
func (d *Directory) Brands(ctx context.Context, c Caller, partner ident.Node) ([]Brand, error) {
	_, node, dec, err := d.Reach(ctx, c, partner, access.Read)
	if err != nil {
		return nil, err
	}
	brands := []Brand{}
	ids := node.Brands.List()
	if len(ids) == 0 {
		return brands, nil
	}
	v, err := d.Read(ctx, c, Want{Records: brand.Brands.Refs(ids...)})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		b := brand.Brands.In(v.Records, id)
		if b == nil {
			continue
		}
		brands = append(brands, Brand{*b, dec.Place.Path.Index(b.Owner) >= dec.First})
	}
	slices.SortFunc(brands, func(a, b Brand) int {
		return cmp.Or(cmp.Compare(a.Name.SortKey(), b.Name.SortKey()), cmp.Compare(a.ID, b.ID))
	})
	return brands, nil
}
