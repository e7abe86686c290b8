package brand

import (
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Brands are kept as records. Their owner, a node, has their ids.
var Brands = record.NewKind("brand", func(id ident.Brand) *Brand { return &Brand{ID: id} })

// Ref implements record.Record.
func (b *Brand) Ref() record.Ref { return Brands.Ref(b.ID) }

// Lists implements record.Record.
func (b *Brand) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (b *Brand) Code(c *record.Coder) {
	record.Text(c, "owner", &b.Owner)
	record.Text(c, "name", &b.Name)
	record.Text(c, "domain", &b.Domain)
	record.Texts(c, "regions", &b.Regions)
	record.Text(c, "state", &b.State)
	record.Text(c, "color", &b.Color)
	record.Text(c, "logo", &b.Logo)
	record.Optional(c, "app", &b.App, func(c *record.Coder, a *App) {
		record.Needed(c, "client", &a.Client)
		record.Needed(c, "tenant", &a.Tenant)
		c.Bool("single", &a.SingleTenant)
	})
	c.Version(&b.Version)
	c.Time("created", &b.Created)
}

// Logos are kept apart from their brands: a logo can be large, and is read by whoever shows it alone.
var Logos = record.NewKind("logo", func(id ident.Brand) *Logo { return &Logo{Brand: id} })

// Logo is the logo of a brand. It is written with its brand, whose Logo field has its hash.
type Logo struct {
	Brand ident.Brand
	PNG   []byte
}

// Ref implements record.Record.
func (l *Logo) Ref() record.Ref { return Logos.Ref(l.Brand) }

// Lists implements record.Record.
func (l *Logo) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (l *Logo) Code(c *record.Coder) {
	if c.Bytes("png", &l.PNG); len(l.PNG) == 0 {
		c.Fail("png")
	}
}

// Domains are kept as records, so that a domain belongs to one brand.
var Domains = record.NewKind("domain", func(name string) *Domain { return &Domain{Name: name} })

// Domain is whose domain a name is, which never changes.
type Domain struct {
	Name  string
	Brand ident.Brand
	Owner ident.Node // of the brand
}

// DomainRecord returns whose the brand's domain is.
func (b *Brand) DomainRecord() *Domain { return &Domain{b.Domain, b.ID, b.Owner} }

// Ref implements record.Record.
func (d *Domain) Ref() record.Ref { return Domains.Ref(d.Name) }

// Lists implements record.Record.
func (d *Domain) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (d *Domain) Code(c *record.Coder) {
	record.Needed(c, "brand", &d.Brand)
	record.Needed(c, "owner", &d.Owner)
}
