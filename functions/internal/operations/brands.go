package operations

import (
	"context"
	"fmt"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Brands is what the function brands serves.
func Brands(d *directory.Directory) map[string]api.Operation {
	return map[string]api.Operation{
		"createBrand": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			in, err := readNewBrand(r)
			if err != nil {
				return api.Reply{}, err
			}
			b, err := d.CreateBrand(ctx, r.Caller, in)
			if err != nil {
				return api.Reply{}, err
			}
			return api.Created("/v1/brands/"+string(b.ID), b.Version, brandShape(b))
		},
		"getBrand": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := plainID(r, ident.ParseBrand)
			if err != nil {
				return api.Reply{}, err
			}
			b, err := d.GetBrand(ctx, r.Caller, id)
			if err != nil {
				return api.Reply{}, err
			}
			return api.OK(brandShape(b), b.Version)
		},
		"listBrands": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := plainID(r, ident.ParsePartner)
			if err != nil {
				return api.Reply{}, err
			}
			brands, err := d.Brands(ctx, r.Caller, id)
			return list(directory.List[directory.Brand]{Items: brands}, err, func(b directory.Brand) listedBrand {
				return listedBrand{brandShape(b), b.Owner == id}
			})
		},
	}
}

func readNewBrand(r *api.Request) (directory.NewBrand, error) {
	in, err := api.Body[struct {
		Partner api.Opt[string]   `json:"partnerId"`
		Name    api.Opt[string]   `json:"name"`
		Domain  api.Opt[string]   `json:"domain"`
		Regions api.Opt[[]string] `json:"regions"`
	}](r)
	if err != nil {
		return directory.NewBrand{}, err
	}
	var f fault.Fields
	out := directory.NewBrand{
		Partner: api.Required(&f, "/partnerId", in.Partner, ident.ParsePartner),
		Name:    api.Required(&f, "/name", in.Name, hierarchy.ParseName),
		Domain:  api.Required(&f, "/domain", in.Domain, someDomain),
		Regions: api.Required(&f, "/regions", in.Regions, api.Each(&f, "/regions", 1, brand.MaxRegions, parseRegion)),
	}
	return out, f.Err()
}

func someDomain(s string) (string, error) {
	domain, err := hierarchy.ParseDomain(s)
	if err == nil && domain == "" {
		err = fmt.Errorf("must be a DNS name like example.com")
	}
	return domain, err
}

func parseRegion(s string) (string, error) {
	if !brand.ValidRegion(s) {
		return "", fmt.Errorf("must be an AWS region like eu-west-1")
	}
	return s, nil
}

type brandAnswer struct {
	ID      ident.Brand    `json:"id"`
	Name    hierarchy.Name `json:"name"`
	Domain  string         `json:"domain"`
	Owner   ident.Node     `json:"ownerPartnerId,omitzero"`
	Regions []string       `json:"regions"`
	State   brand.State    `json:"state"`
	Version int64          `json:"version"`
	Created string         `json:"createdAt"`
}

type listedBrand struct {
	brandAnswer
	Owned bool `json:"owned"`
}

func brandShape(b directory.Brand) brandAnswer {
	owner := b.Owner
	if !b.OwnerVisible {
		owner = ""
	}
	return brandAnswer{b.ID, b.Name, b.Domain, owner, b.Regions, b.State, b.Version, stamp(b.Created)}
}
