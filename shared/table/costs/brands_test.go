package costs

import (
	"strings"

	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// What brands cost: their logos, and what is asked before anybody signs in.

func (b *bench) ownBrand(partner ident.Node) directory.Brand {
	b.t.Helper()
	made, err := b.dir.CreateBrand(b.ctx, b.caller, b.newBrand(partner))
	b.must(err)
	return made
}

func edits(b *bench, id ident.Brand, edit directory.BrandEdit) func() error {
	return only(func() (directory.Brand, error) { return b.dir.EditBrand(b.ctx, b.caller, id, edit) })
}

// brands measures what depends on the size of a logo, here the largest, and what no operation of the API does.
func (b *bench) brands(row func(...string), out *strings.Builder) {
	b.t.Helper()
	out.WriteString("\nA brand of the root with a logo of 100 KB\n")
	made := b.ownBrand(b.root)
	logo, none := make([]byte, 100<<10), []byte(nil)
	for _, one := range []struct {
		what string
		do   func() error
	}{
		{"giving it the logo", edits(b, made.ID, directory.BrandEdit{Logo: &logo})},
		{"getting the brand", only(func() (directory.Brand, error) { return b.dir.GetBrand(b.ctx, b.caller, made.ID) })},
		{"getting the logo", only(func() ([]byte, error) { return b.dir.Logo(b.ctx, made.ID) })},
		{"finding it by its domain", only(func() (*brand.Brand, error) { return b.dir.BrandAt(b.ctx, made.Domain) })},
		{"another domain", only(func() (*brand.Brand, error) { return b.dir.BrandAt(b.ctx, "none.example.com") })},
		{"taking the logo away", edits(b, made.ID, directory.BrandEdit{Logo: &none})},
	} {
		spent, err := b.meter.during(one.do)
		b.must(err)
		row(one.what, spent.String())
	}
}
