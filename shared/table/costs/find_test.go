package costs

import (
	"fmt"
	"strings"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// finds measures what it costs to find customers by their values: the number that have them counts, and not how many others there are.
func (b *bench) finds(places []place, row func(...string), out *strings.Builder) {
	b.t.Helper()
	out.WriteString("\nCustomers of one tenant, with a reference and a domain: this many below the partner have the same tenant already, and as many elsewhere\n")
	cells := map[string][]string{}
	columns, counts := []string{""}, []int{0, 1, 10, 50}
	crowd := places[len(places)-1].parent.ID
	elsewhere := b.partner(b.root).ID
	for i, many := range counts {
		columns = append(columns, fmt.Sprint(many))
		tenant := fmt.Sprintf("72f988bf-86f1-41af-91ab-%012d", i)
		with := func(parent ident.Node, reference int) directory.NewCustomer {
			n := b.newCustomer(parent)
			n.Tenant, n.Reference, n.Domain = tenant, fmt.Sprintf("R-%d", reference), fmt.Sprintf("customer-%d.example", reference)
			return n
		}
		for j := range many {
			for _, parent := range []ident.Node{crowd, elsewhere} {
				_, err := b.dir.CreateCustomer(b.ctx, b.caller, with(parent, j))
				b.must(err)
			}
		}
		asked := hierarchy.Details{Editable: hierarchy.Editable[string]{Tenant: tenant}}
		measure := func(what string, do func() error) {
			spent, err := b.meter.during(do)
			b.must(err)
			cells[what] = append(cells[what], spent.String())
		}
		measure("listing customers with it", only(func() (directory.List[directory.Node], error) {
			return b.dir.CustomersWith(b.ctx, b.caller, crowd, asked, page)
		}))
		measure("listing descendants", only(func() (directory.List[directory.Descendant], error) {
			return b.dir.DescendantsWith(b.ctx, b.caller, crowd, asked, page)
		}))
		c := b.repeatable()
		measure("creating another", func() error {
			_, err := b.dir.CreateCustomer(b.ctx, c, with(crowd, many))
			return err
		})
		// Of one that has none yet: where its own id would be among those of the others is up to chance, and so is whether it is read with them.
		other, err := b.dir.CreateCustomer(b.ctx, b.caller, b.newCustomer(crowd))
		b.must(err)
		measure("giving it", only(func() (directory.Node, error) {
			return b.dir.EditCustomer(b.ctx, b.caller, other.ID, directory.CustomerPatch{Details: map[string]string{"tenantId": tenant, "reference": "R"}})
		}))
	}
	row(columns...)
	for _, what := range []string{"listing customers with it", "listing descendants", "creating another", "giving it"} {
		row(append([]string{what}, cells[what]...)...)
	}
	// By the beginning of a number, those that are found are always the same: by a word that all have it would be up to chance below whom they are.
	out.WriteString("\nA page of 20 of what is found among 20,000: by the beginning of a number, from the root; by a word that all have, by who reaches none of it\n")
	within := b.partner(b.root)
	c, err := b.dir.CreateClient(b.ctx, b.caller, directory.NewClient{Node: within.ID, Name: b.name(), Role: access.Viewer})
	b.must(err)
	spent, err := b.meter.during(b.searches("", "0100", 20))
	b.must(err)
	row("all in sight", spent.String())
	owner := b.caller
	b.caller = directory.Caller{Principal: c.ID, Key: c.SecretID}
	spent, err = b.meter.during(b.searches("", "Vazon", 20))
	b.must(err)
	row("none in sight", spent.String())
	b.caller = owner
}

// searches looks for a name below a node.
func (b *bench) searches(under ident.Node, name hierarchy.Name, limit int) func() error {
	b.t.Helper()
	text, err := directory.ParseSearchText(string(name))
	b.must(err)
	return only(func() (directory.List[directory.Result], error) {
		return b.dir.Search(b.ctx, b.caller, directory.Search{Text: text, Under: under}, directory.Paging{Limit: limit})
	})
}
