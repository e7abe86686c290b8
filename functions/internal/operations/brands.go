package operations

import (
	"context"
	"fmt"
	"strings"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// brands has the operations on brands.
func brands(d *directory.Directory) map[string]api.Operation {
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
			return foundBrand(d.GetBrand(ctx, r.Caller, id))
		},
		"editBrand": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := api.Path(r, "id", ident.ParseBrand)
			if err != nil {
				return api.Reply{}, err
			}
			edit, err := readBrandEdit(r)
			if err != nil {
				return api.Reply{}, err
			}
			return foundBrand(d.EditBrand(ctx, r.Caller, id, edit))
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

func readBrandEdit(r *api.Request) (directory.BrandEdit, error) {
	type app struct {
		Client       api.Opt[string] `json:"clientId"`
		Tenant       api.Opt[string] `json:"tenantId"`
		SingleTenant api.Opt[bool]   `json:"singleTenant"`
	}
	in, err := api.Body[struct {
		Name  api.Opt[string] `json:"name"`
		Color api.Opt[string] `json:"color"`
		App   api.Opt[app]    `json:"portalApp"`
		Logo  api.Opt[string] `json:"logo"`
	}](r)
	if err != nil {
		return directory.BrandEdit{}, err
	}
	var f fault.Fields
	out := directory.BrandEdit{
		Name:  api.Optional(&f, "/name", in.Name, hierarchy.ParseName),
		Color: api.Clearable(&f, "/color", in.Color, parseColor),
		App: api.Clearable(&f, "/portalApp", in.App, func(a app) (*brand.App, error) {
			return &brand.App{
				Client:       api.Required(&f, "/portalApp/clientId", a.Client, someGUID),
				Tenant:       api.Required(&f, "/portalApp/tenantId", a.Tenant, someGUID),
				SingleTenant: api.Required(&f, "/portalApp/singleTenant", a.SingleTenant, api.As),
			}, nil
		}),
		Logo: api.Clearable(&f, "/logo", in.Logo, parseLogo),
	}
	return out, f.Err()
}

func parseColor(s string) (string, error) {
	if s = strings.ToLower(s); !brand.ValidColor(s) {
		return "", fmt.Errorf("must be # and six hexadecimal digits, like #1f5fbf")
	}
	return s, nil
}

func someGUID(s string) (string, error) {
	id, err := hierarchy.ParseTenant(s)
	if err == nil && id == "" {
		err = fmt.Errorf("must be a GUID like 72f988bf-86f1-41af-91ab-2d7cd011db47")
	}
	return id, err
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
	Color   string         `json:"color,omitzero"`
	LogoURL string         `json:"logoUrl,omitzero"`
	App     *appAnswer     `json:"portalApp,omitzero"`
	Version int64          `json:"version"`
	Created string         `json:"createdAt"`
}

type appAnswer struct {
	Client       string `json:"clientId"`
	Tenant       string `json:"tenantId"`
	SingleTenant bool   `json:"singleTenant"`
}

type listedBrand struct {
	brandAnswer
	Owned bool `json:"owned"`
}

func brandShape(b directory.Brand) brandAnswer {
	answer := brandAnswer{
		ID: b.ID, Name: b.Name, Domain: b.Domain, Regions: b.Regions, State: b.State, Color: b.Color, LogoURL: b.LogoURL(),
		Version: b.Version, Created: stamp(b.Created),
	}
	if b.OwnerVisible {
		answer.Owner = b.Owner
		if b.App != nil {
			answer.App = &appAnswer{b.App.Client, b.App.Tenant, b.App.SingleTenant}
		}
	}
	return answer
}

func foundBrand(b directory.Brand, err error) (api.Reply, error) {
	if err != nil {
		return api.Reply{}, err
	}
	return api.OK(brandShape(b), b.Version)
}
