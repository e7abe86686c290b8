package shape

import (
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
