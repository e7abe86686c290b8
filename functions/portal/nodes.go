package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// perPage is how many rows a page of a list has.
const perPage = 100

// overview is the page of a node: its facts, what it inherits, and how much lies below it.
func (v *visit) overview(ctx context.Context, at *place) (content, error) {
	n := &at.Node
	brands, err := v.brandNames(ctx, at)
	if err != nil {
		return content{}, err
	}
	facts := []view.Fact{{Name: "State", Is: all(state(n).Badge(), view.Text(" "), v.whence(at))}}
	fact := func(name string, is templ.Component) { facts = append(facts, view.Fact{Name: name, Is: is}) }
	if at.partner() {
		fact("Portal brand", view.Text(brandName(brands, n.Brands.Portal, "none: people sign in at the platform’s address")))
		var names []string
		for _, b := range n.Brands.Available {
			names = append(names, brandName(brands, b, string(b)))
		}
		slices.Sort(names)
		fact("Available brands", view.Text(orNone(strings.Join(names, ", "), "none from above")))
		fact("Can provision services", view.Text(v.provisioning(at)))
	} else {
		fact("Brand", view.Text(brandName(brands, n.Details.Brand, "a brand that you cannot see")))
		for _, f := range hierarchy.DetailFields {
			if !f.Fixed {
				fact(detailWords[f.Name].label, view.Text(orNone(*f.At(&n.Details), "none")))
			}
		}
	}
	fact("Created", v.clock().At(n.Created))
	fact("Last change", v.clock().At(n.Updated))
	fact("Your role here", view.Role(at.Role.String()))
	fact("Id", view.Code(string(n.ID)))
	settling, err := v.settling(ctx)
	if err != nil {
		return content{}, err
	}
	parts := []templ.Component{settling, view.Facts(facts...)}
	if at.partner() {
		extent, err := v.dir.Extent(ctx, v.caller(), at.id())
		if err != nil {
			return content{}, err
		}
		parts = append(parts, view.Heading("Below this partner"), v.below(at, extent))
	} else {
		parts = append(parts, view.Heading("Service instances"), view.Empty("This customer has no service instances yet. They will be listed here."))
	}
	return content{Title: string(n.Name), Body: all(parts...)}, nil
}

// below says what lies below a partner, and what can be done first when there is nothing.
func (v *visit) below(at *place, e directory.Extent) templ.Component {
	if e.Partners+e.Customers == 0 {
		return view.Empty("There is nothing below this partner yet. Add a partner that sells for it, or a customer.",
			at.offer(access.CreatePartner, "Add a partner", "partners/new"), at.offer(access.CreateCustomer, "Add a customer", "customers/new"))
	}
	return all(view.Paragraphs(extentWords(e)+"."), view.Buttons(view.Button{Text: "Show the tree", To: at.path("tree")},
		at.offer(access.CreatePartner, "Add a partner", "partners/new"), at.offer(access.CreateCustomer, "Add a customer", "customers/new")))
}

// extentWords tells how much lies below a node: "214 partners and 3,802 customers".
func extentWords(e directory.Extent) string {
	words := view.Count(e.Partners, "partner") + " and " + view.Count(e.Customers, "customer")
	if e.More {
		words = "More than " + words
	}
	return words
}

// whence says where the state of a node comes from, when that is above it.
func (v *visit) whence(at *place) templ.Component {
	for _, cause := range []struct {
		at   ident.Node
		what string
	}{{at.Node.TrashedAt, "put into the trash"}, {at.Node.SuspendedAt, "suspended"}} {
		if cause.at == "" || cause.at == at.id() {
			continue
		}
		for _, step := range at.Path {
			if step.ID == cause.at {
				return all(view.Text("because "), nodeLink(step).Anchor(), view.Text(" was "+cause.what+"."))
			}
		}
		return view.Text("because a partner above was " + cause.what + ".")
	}
	return templ.NopComponent
}

func (v *visit) provisioning(at *place) string {
	switch {
	case at.Node.CanProvision:
		return "Yes"
	case slices.Contains(at.Node.OwnMarks(), hierarchy.Mark{Node: at.id(), Kind: hierarchy.NoProvisioning}):
		return "No: it is switched off here"
	}
	return "No: it is switched off above"
}

// brandNames are the names of the brands that can be used at a place: of a customer, at its partner.
func (v *visit) brandNames(ctx context.Context, at *place) (map[ident.Brand]string, error) {
	names := map[ident.Brand]string{}
	partner := at.id()
	if !at.partner() {
		if partner = at.Node.Parent; !at.Node.ParentVisible {
			return names, nil
		}
	}
	brands, err := v.dir.Brands(ctx, v.caller(), partner)
	for _, b := range brands {
		names[b.ID] = string(b.Name)
	}
	return names, err
}

// brandName is the name of a brand, or otherwise when the visitor does not see the brand.
func brandName(names map[ident.Brand]string, id ident.Brand, otherwise string) string {
	if name := names[id]; name != "" {
		return name
	}
	return otherwise
}

func orNone(text, none string) string {
	if text == "" {
		return none
	}
	return text
}

// partners lists the partners right below a partner, customers the customers.
func (v *visit) partners(ctx context.Context, at *place) (content, error) {
	return v.children(ctx, at, hierarchy.Partner)
}

func (v *visit) customers(ctx context.Context, at *place) (content, error) {
	return v.children(ctx, at, hierarchy.Customer)
}

func (v *visit) children(ctx context.Context, at *place, kind hierarchy.Kind) (content, error) {
	var brands map[ident.Brand]string
	named := make(chan error)
	go func() { // side by side with the list
		var err error
		brands, err = v.brandNames(ctx, at)
		named <- err
	}()
	list, err := v.dir.Children(ctx, v.caller(), at.id(), kind, directory.Paging{Limit: perPage, Cursor: v.query("cursor")})
	if err := cmp.Or(<-named, err); err != nil {
		return content{}, err
	}
	title, section, a := "Partners", "partners", access.CreatePartner
	none := "No partner sells for " + string(at.Node.Name) + " yet."
	if kind == hierarchy.Customer {
		title, section, a = "Customers", "customers", access.CreateCustomer
		none = string(at.Node.Name) + " has no customer of its own yet."
	}
	add := at.offer(a, "Add a "+string(kind), section+"/new")
	add.Main = true
	buttons := []view.Button{add}
	if kind == hierarchy.Partner {
		buttons = append(buttons, view.Button{Text: "Show as a tree", To: at.path("tree")})
	}
	if len(list.Items) == 0 && v.query("cursor") == "" {
		return content{Title: title, Body: view.Empty(none, buttons...)}, nil
	}
	table := view.Nodes{Caption: title + " of " + string(at.Node.Name), Customer: kind == hierarchy.Customer}
	for i := range list.Items {
		n := &list.Items[i]
		row := view.Row{Link: nodeLink(directory.PathStep{ID: n.ID, Name: n.Name}), State: state(n), Updated: v.clock().At(n.Updated)}
		if kind == hierarchy.Partner {
			row.Brand, row.Can = brandName(brands, n.Brands.Portal, "none"), yesNo(n.CanProvision)
			if n.Brands.Portal != "" && brands[n.Brands.Portal] == "" {
				row.Brand = "its own"
			}
		} else {
			row.Brand, row.More = brandName(brands, n.Details.Brand, ""), n.Details.Reference
		}
		table.Rows = append(table.Rows, row)
	}
	if list.Next != "" {
		table.Next = at.path(section, "cursor", list.Next)
	}
	return content{Title: title, Wide: true, Body: all(view.Buttons(buttons...),
		view.FindBelow(string(at.id()), string(kind), "Find a "+string(kind)+" below"), table.Show())}, nil
}

func yesNo(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

// maxOpen is how many branches of a tree are open at once.
const maxOpen = 20

// tree shows what lies below a partner as nested lists, of which the branches in open are opened.
func (v *visit) tree(ctx context.Context, at *place) (content, error) {
	open := []ident.Node{at.id()}
	for id := range strings.SplitSeq(v.query("open"), ".") {
		if id, err := ident.ParsePartner(id); err == nil && len(open) < maxOpen {
			open = append(open, id)
		}
	}
	nodes := map[ident.Node]directory.Tree{}
	for _, id := range open {
		tree, err := v.dir.Tree(ctx, v.caller(), id, 1)
		if err != nil {
			if id == at.id() {
				return content{}, err
			}
			continue // is no more, or was moved away
		}
		nodes[id] = tree
	}
	toggled := func(id ident.Node) string {
		var ids []string
		for _, o := range open[1:] {
			if o != id {
				ids = append(ids, string(o))
			}
		}
		if !slices.Contains(open, id) {
			ids = append(ids, string(id))
		}
		return at.path("tree", "open", strings.Join(ids, "."))
	}
	var branch func(n *directory.TreeNode) *view.Branch
	branch = func(n *directory.TreeNode) *view.Branch {
		b := &view.Branch{ID: "b-" + string(n.ID), Link: nodeLink(n.PathStep), Customer: hierarchy.KindOf(n.ID) == hierarchy.Customer,
			State: state(&directory.Node{Node: hierarchy.Node{ID: n.ID}, SuspendedAt: n.SuspendedAt, TrashedAt: n.TrashedAt})}
		if b.Customer {
			return b
		}
		if n.ID != at.id() {
			b.Toggle = toggled(n.ID)
		}
		if tree, opened := nodes[n.ID]; opened && slices.Contains(open, n.ID) {
			b.Open = true
			for _, child := range tree.Root.Children {
				b.Below = append(b.Below, branch(child))
			}
			if tree.Root.Cut == directory.CutSize {
				b.Rest = &view.Link{Text: "Show all of these in a list", To: nodePath(n.ID, "partners")}
			}
		}
		return b
	}
	top := nodes[at.id()].Root
	return content{Title: "Tree below " + string(at.Node.Name), Body: view.Tree(branch(top))}, nil
}
