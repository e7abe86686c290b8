package directory

import (
	"cmp"
	"context"
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
	return once(ctx, d, c, in.Partner, access.ManageBrands, Want{}, func(v *view, owner *hierarchy.Node, dec access.Decision) (attempt[Brand], error) {
		if err := live(dec.Place); err != nil {
			return attempt[Brand]{}, err
		}
		if err := roomForBrand(owner); err != nil {
			return attempt[Brand]{}, err
		}
		b := b
		b.Created = d.now()
		return attempt[Brand]{Brand{b, true}, []Step{
			AddBrand{Brand: b, Owner: owner, Else: func(now *hierarchy.Node) error {
				if now == nil {
					return access.Hidden()
				}
				if err := roomForBrand(now); err != nil {
					return err
				}
				return errChanged
			}, Taken: fault.DomainTaken.New("Another brand has the domain %s. Choose another domain.", b.Domain)},
			d.event(c, event.BrandCreated, owner.ID, dec.Place.Path,
				map[string]any{"brandId": b.ID, "name": b.Name, "domain": b.Domain, "regions": b.Regions}),
		}}, nil
	})
}

func roomForBrand(owner *hierarchy.Node) error {
	if len(owner.Brands.Owned) >= hierarchy.MaxBrands {
		return fault.TooManyBrands.New("A partner has at most %d brands of its own. Create the brand at another partner.", hierarchy.MaxBrands)
	}
	return nil
}

// GetBrand returns a brand to those who reach the partner that owns it.
func (d *Directory) GetBrand(ctx context.Context, c Caller, id ident.Brand) (Brand, error) {
	v, err := d.read(ctx, c, Want{Brands: []ident.Brand{id}})
	if err != nil {
		return Brand{}, err
	}
	owner := nowhere
	b := v.Brands[id]
	if b != nil {
		owner = b.Owner
	}
	if _, _, _, err := d.reach(ctx, c, owner, access.Read); err != nil {
		return Brand{}, err
	}
	return Brand{*b, true}, nil // only those who reach its owner get here
}

// nowhere is a node that does not exist. It is read in the place of one that cannot be known, so that what does not
// exist takes as long as what is not visible.
const nowhere = ident.Node(ident.Partner + "0000000000000000")

// Brands lists what a partner may sell under, by name: its own brands and those available to it.
func (d *Directory) Brands(ctx context.Context, c Caller, partner ident.Node) ([]Brand, error) {
	_, node, dec, err := d.reach(ctx, c, partner, access.Read)
	if err != nil {
		return nil, err
	}
	brands := []Brand{}
	ids := node.Brands.List()
	if len(ids) == 0 {
		return brands, nil
	}
	v, err := d.read(ctx, c, Want{Brands: ids})
	if err != nil {
		return nil, err
	}
	for _, b := range v.Brands {
		brands = append(brands, Brand{*b, dec.Place.Path.Index(b.Owner) >= dec.First})
	}
	slices.SortFunc(brands, func(a, b Brand) int {
		return cmp.Or(cmp.Compare(a.Name.SortKey(), b.Name.SortKey()), cmp.Compare(a.ID, b.ID))
	})
	return brands, nil
}
