package input

import (
	"fmt"
	"strings"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// NewBrand reads a brand to make.
func NewBrand(o *Object) directory.NewBrand {
	return directory.NewBrand{
		Partner: Required(o, "partnerId", ident.ParsePartner),
		Name:    Required(o, "name", hierarchy.ParseName),
		Domain:  Required(o, "domain", parseDomain),
		Regions: Required(o, "regions", Each(o, "regions", 1, brand.MaxRegions, parseRegion)),
	}
}

// EditBrand reads an edit of a brand.
func EditBrand(o *Object) directory.BrandEdit {
	return directory.BrandEdit{
		Name:  Optional(o, "name", hierarchy.ParseName),
		Color: Clearable(o, "color", parseColor),
		App:   Clearable(o, "portalApp", app),
		Logo:  Clearable(o, "logo", parseLogo),
	}
}

func app(o *Object) (*brand.App, error) {
	return &brand.App{
		Client:       Required(o, "clientId", parseGUID),
		Tenant:       Required(o, "tenantId", parseGUID),
		SingleTenant: Required(o, "singleTenant", As[bool]),
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

// parseDomain reads a DNS name that must be there.
func parseDomain(s string) (string, error) {
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
