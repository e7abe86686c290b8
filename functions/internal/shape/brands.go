package shape

import (
	"fmt"
	"strings"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Brand is a brand. Who does not see its owner sees neither that nor the app.
type Brand struct {
	ID      ident.Brand    `json:"id"`
	Name    hierarchy.Name `json:"name"`
	Domain  string         `json:"domain"`
	Owner   ident.Node     `json:"ownerPartnerId,omitzero"`
	Regions []string       `json:"regions"`
	State   brand.State    `json:"state"`
	Color   string         `json:"color,omitzero"`
	LogoURL string         `json:"logoUrl,omitzero"`
	App     *App           `json:"portalApp,omitzero"`
	Version int64          `json:"version"`
	Created string         `json:"createdAt"`
}

// App is the app registration of a brand's portal.
type App struct {
	Client       string `json:"clientId"`
	Tenant       string `json:"tenantId"`
	SingleTenant bool   `json:"singleTenant"`
}

// Self implements Thing.
func (b Brand) Self() (string, int64) { return "brands/" + string(b.ID), b.Version }

// OfBrand returns the shape of a brand.
func OfBrand(b directory.Brand) Brand {
	out := Brand{
		ID: b.ID, Name: b.Name, Domain: b.Domain, Regions: b.Regions, State: b.State, Color: b.Color, LogoURL: b.LogoURL(),
		Version: b.Version, Created: stamp(b.Created),
	}
	if b.OwnerVisible {
		out.Owner = b.Owner
		if b.App != nil {
			out.App = &App{b.App.Client, b.App.Tenant, b.App.SingleTenant}
		}
	}
	return out
}

// ListedBrand is a brand that a partner may sell under.
type ListedBrand struct {
	Brand
	Owned bool `json:"owned"`
}

// OfBrands returns the shape of the brands that a partner may sell under.
func OfBrands(brands []directory.Brand, partner ident.Node) List[ListedBrand] {
	return List[ListedBrand]{Items: each(brands, func(b directory.Brand) ListedBrand { return ListedBrand{OfBrand(b), b.Owner == partner} })}
}

// NewBrand reads a brand to make.
func NewBrand(o *input.Object) directory.NewBrand {
	return directory.NewBrand{
		Partner: input.Required(o, "partnerId", ident.ParsePartner),
		Name:    input.Required(o, "name", hierarchy.ParseName),
		Domain:  input.Required(o, "domain", parseDomain),
		Regions: input.Required(o, "regions", input.Each(o, "regions", 1, brand.MaxRegions, parseRegion)),
	}
}

// EditBrand reads an edit of a brand.
func EditBrand(o *input.Object) directory.BrandEdit {
	return directory.BrandEdit{
		Name:    input.Optional(o, "name", hierarchy.ParseName),
		Domain:  input.Optional(o, "domain", parseDomain),
		Regions: input.Optional(o, "regions", input.Each(o, "regions", 1, brand.MaxRegions, parseRegion)),
		Color:   input.Clearable(o, "color", parseColor),
		App:     input.Clearable(o, "portalApp", app),
		Logo:    input.Clearable(o, "logo", parseLogo),
	}
}

func app(o *input.Object) (*brand.App, error) {
	return &brand.App{
		Client:       input.Required(o, "clientId", parseGUID),
		Tenant:       input.Required(o, "tenantId", parseGUID),
		SingleTenant: input.Required(o, "singleTenant", input.As[bool]),
	}, nil
}

func parseColor(s string) (string, error) {
	if s = strings.ToLower(s); !brand.ValidColor(s) {
		return "", fmt.Errorf("must be # and six hexadecimal digits, like #1f5fbf")
	}
	return s, nil
}

// parseGUID reads a GUID that must be there.
func parseGUID(s string) (string, error) {
	id, err := hierarchy.ParseTenant(s)
	if err == nil && id == "" {
		err = fmt.Errorf("must be a GUID like 72f988bf-86f1-41af-91ab-2d7cd011db47")
	}
	return id, err
}

// parseDomain reads a DNS name that must be there, and leaves room for the host names below it.
func parseDomain(s string) (string, error) {
	domain, err := hierarchy.ParseDomain(s)
	switch {
	case err == nil && domain == "":
		err = fmt.Errorf("must be a DNS name like example.com")
	case len(domain) > brand.MaxDomain:
		err = fmt.Errorf("must have at most %d characters, so that there is room for portal.<region>. before it; it has %d", brand.MaxDomain, len(domain))
	}
	return domain, err
}

func parseRegion(s string) (string, error) {
	if !brand.ValidRegion(s) {
		return "", fmt.Errorf("must be an AWS region like eu-west-1")
	}
	return s, nil
}
