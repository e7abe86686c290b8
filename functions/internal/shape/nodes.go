package shape

import (
	"errors"
	"strings"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Partner is a partner.
type Partner struct {
	Step
	Parent       ident.Node    `json:"parentId,omitzero"`
	Portal       ident.Brand   `json:"portalBrandId,omitzero"`
	Available    []ident.Brand `json:"availableBrandIds"`
	CanProvision bool          `json:"canProvisionServices"`
	Life
}

// Customer is a customer.
type Customer struct {
	Step
	Partner ident.Node `json:"partnerId,omitzero"`
	hierarchy.Details
	Life
	SameTenant []Step `json:"sameTenant,omitzero"` // in the answer to a request that gives the customer a tenant
}

// OfNode returns a Partner or a Customer.
func OfNode(n directory.Node) Thing { return ofNode(n, "") }

// OfChanged returns the Partner or Customer that was changed, with the job that settles the change.
func OfChanged(c directory.Changed) Thing { return ofNode(c.Node, c.JobID()) }

func ofNode(n directory.Node, settles ident.Job) Thing {
	step := Step{n.ID, n.Kind(), n.Name}
	life := Life{statusOf(n.SuspendedAt, n.TrashedAt), n.SuspendedAt, n.TrashedAt, n.Version, stamp(n.Created), stamp(n.Updated), settles}
	parent := n.Parent
	if !n.ParentVisible {
		parent = ""
	}
	if n.Kind() == hierarchy.Customer {
		customer := Customer{Step: step, Partner: parent, Details: n.Details, Life: life}
		if len(n.SameTenant) > 0 {
			customer.SameTenant = each(n.SameTenant, OfStep)
		}
		return customer
	}
	return Partner{step, parent, n.Brands.Portal, n.Brands.Available, n.CanProvision, life}
}

// Self implements Thing.
func (p Partner) Self() (string, int64) { return "partners/" + string(p.ID), p.Version }

// Self implements Thing.
func (c Customer) Self() (string, int64) { return "customers/" + string(c.ID), c.Version }

// Life is what becomes of a node.
type Life struct {
	Status      Status     `json:"status"`
	SuspendedAt ident.Node `json:"suspendedAt,omitzero"`
	TrashedAt   ident.Node `json:"trashedAt,omitzero"`
	Version     int64      `json:"version"`
	Created     string     `json:"createdAt"`
	Updated     string     `json:"updatedAt"`
	Job         ident.Job  `json:"jobId,omitzero"` // in the answer to a change that is being settled
}

// Status tells whether a node is active, suspended or trashed.
type Status string

func statusOf(suspendedAt, trashedAt ident.Node) Status {
	switch {
	case trashedAt != "":
		return "trashed"
	case suspendedAt != "":
		return "suspended"
	}
	return "active"
}

// Step is a node on a path.
type Step struct {
	ID   ident.Node     `json:"id"`
	Kind hierarchy.Kind `json:"kind"`
	Name hierarchy.Name `json:"name"`
}

// OfStep returns the shape of a node on a path.
func OfStep(s directory.PathStep) Step { return Step{s.ID, hierarchy.KindOf(s.ID), s.Name} }

// Tree is what lies below a partner, to a depth.
type Tree struct {
	Root  TreeNode `json:"root"`
	Depth int      `json:"depth"`
	Nodes int      `json:"nodes"`
	Cut   bool     `json:"cut"`
}

// TreeNode is a node with its children, where they were looked for.
type TreeNode struct {
	Step
	Status      Status      `json:"status"`
	SuspendedAt ident.Node  `json:"suspendedAt,omitzero"`
	TrashedAt   ident.Node  `json:"trashedAt,omitzero"`
	Children    *[]TreeNode `json:"children,omitzero"`
	Cut         *Cut        `json:"cut,omitzero"`
}

// Cut tells why children are missing.
type Cut struct {
	Reason string `json:"reason"`
}

// OfTree returns the shape of a tree that was asked for to a depth.
func OfTree(t directory.Tree, depth int) Tree { return Tree{ofTreeNode(t.Root), depth, t.Nodes, t.Cut} }

func ofTreeNode(n *directory.TreeNode) TreeNode {
	out := TreeNode{Step: OfStep(n.PathStep), Status: statusOf(n.SuspendedAt, n.TrashedAt), SuspendedAt: n.SuspendedAt, TrashedAt: n.TrashedAt}
	if n.Opened {
		children := each(n.Children, ofTreeNode)
		out.Children = &children
	}
	if n.Cut != "" {
		out.Cut = &Cut{n.Cut}
	}
	return out
}

// Descendant is a node at any depth below a partner.
type Descendant struct {
	Step
	Status      Status       `json:"status"`
	SuspendedAt ident.Node   `json:"suspendedAt,omitzero"`
	TrashedAt   ident.Node   `json:"trashedAt,omitzero"`
	Path        []ident.Node `json:"path"`
}

// OfDescendant returns the shape of a node below a partner.
func OfDescendant(d directory.Descendant) Descendant {
	return Descendant{OfStep(d.PathStep), statusOf(d.SuspendedAt, d.TrashedAt), d.SuspendedAt, d.TrashedAt, d.Path}
}

// TrashItem is a node that was put into the trash.
type TrashItem struct {
	Descendant
	Deleted string `json:"deletedAt"`
	Purge   string `json:"purgeAfter"`
}

// OfTrash returns the shape of what is in the trash.
func OfTrash(t directory.TrashItem) TrashItem {
	return TrashItem{OfDescendant(t.Descendant), stamp(t.Since), stamp(t.Since.Add(hierarchy.KeepTrash))}
}

// NewPartner reads a partner to make.
func NewPartner(o *input.Object) directory.NewPartner {
	return directory.NewPartner{
		Parent:       input.Required(o, "parentId", ident.ParsePartner),
		Name:         input.Required(o, "name", hierarchy.ParseName),
		Portal:       input.Required(o, "portalBrandId", ident.ParseBrand),
		Available:    input.Required(o, "availableBrandIds", available(o)),
		CanProvision: input.Required(o, "canProvisionServices", input.As[bool]),
	}
}

func available(o *input.Object) func([]string) ([]ident.Brand, error) {
	return input.Each(o, "availableBrandIds", 0, hierarchy.MaxBrands, ident.ParseBrand)
}

// someAvailable refuses an empty list, which clients send that were made by a generator, with every edit of something else.
func someAvailable(o *input.Object) func([]string) ([]ident.Brand, error) {
	return func(from []string) ([]ident.Brand, error) {
		if len(from) == 0 {
			return nil, errors.New("must not be empty: send null to take all brands away, or leave this field out")
		}
		return available(o)(from)
	}
}

// PartnerEdit is an edit of a partner. Whether the partner can provision services comes alone: that changes the whole subtree.
type PartnerEdit struct {
	Patch        directory.PartnerPatch
	CanProvision *bool // nil: it stays as it is
}

// EditPartner reads an edit of a partner.
func EditPartner(o *input.Object) PartnerEdit {
	alone := !o.Has("name") && !o.Has("portalBrandId") && !o.Has("availableBrandIds")
	can := input.Optional(o, "canProvisionServices", input.As[bool])
	if can != nil && !alone {
		o.Wrong("canProvisionServices", "applies to the whole subtree: send this field alone, and the other fields in another request")
	}
	return PartnerEdit{directory.PartnerPatch{
		Name:      input.Optional(o, "name", hierarchy.ParseName),
		Portal:    input.Optional(o, "portalBrandId", ident.ParseBrand),
		Available: input.Clearable(o, "availableBrandIds", someAvailable(o)),
	}, can}
}

// NewCustomer reads a customer to make.
func NewCustomer(o *input.Object) directory.NewCustomer {
	in := directory.NewCustomer{
		Partner: input.Required(o, "partnerId", ident.ParsePartner),
		Name:    input.Required(o, "name", hierarchy.ParseName),
	}
	for _, f := range hierarchy.DetailFields {
		if f.Fixed {
			*f.At(&in.Details) = input.Required(o, f.Name, f.Parse)
		} else if value := input.Clearable(o, f.Name, f.Parse); value != nil {
			*f.At(&in.Details) = *value
		}
	}
	return in
}

// EditCustomer reads an edit of a customer.
func EditCustomer(o *input.Object) directory.CustomerPatch {
	patch := directory.CustomerPatch{Name: input.Optional(o, "name", hierarchy.ParseName), Details: map[string]string{}}
	for _, f := range hierarchy.DetailFields {
		if f.Fixed && o.Has(f.Name) {
			e := fault.Immutable.New("The %s of a customer can never change. Leave out %s, or create another customer.",
				strings.TrimSuffix(f.Name, "Id"), f.Name)
			e.Fields = []fault.Field{{Pointer: "/" + f.Name, Detail: "cannot change"}}
			o.Refuse(e)
		}
		if value := input.Clearable(o, f.Name, f.Parse); value != nil {
			patch.Details[f.Name] = *value
		}
	}
	return patch
}

// Suspend reads why a node is suspended.
func Suspend(o *input.Object) string { return input.Required(o, "reason", hierarchy.ParseReason) }

// Depth reads how many levels of a tree are asked for.
func Depth(q *input.Query) int { return q.Int("depth", 2, 1, directory.MaxTreeDepth) }

// Descent asks for the nodes at any depth below a partner.
type Descent struct {
	Kind   hierarchy.Kind // "": both
	Filter hierarchy.Details
	Paging directory.Paging
}

// Trash reads which nodes in the trash below a partner are asked for.
func Trash(q *input.Query) Descent {
	return Descent{Kind: kind(q), Paging: input.Paging(q)}
}

// Descendants reads which nodes below a partner are asked for.
func Descendants(q *input.Query) Descent {
	in := Descent{kind(q), filter(q), input.Paging(q)}
	if in.Kind == hierarchy.Partner && in.Filter != (hierarchy.Details{}) {
		q.Add("kind", "must be customer, or left out, together with a field that only customers have")
	}
	return in
}

func kind(q *input.Query) hierarchy.Kind {
	return input.OneOf(q, "kind", hierarchy.Partner, hierarchy.Customer)
}

// Customers asks for the customers of a partner.
type Customers struct {
	Filter hierarchy.Details
	Paging directory.Paging
}

// ListedCustomers reads which customers of a partner are asked for.
func ListedCustomers(q *input.Query) Customers { return Customers{filter(q), input.Paging(q)} }

// filter reads the values that customers must have.
func filter(q *input.Query) (asked hierarchy.Details) {
	for _, f := range hierarchy.DetailFields {
		text := ""
		if f.Term != "" {
			text = q.Text(f.Name)
		}
		value, err := f.Parse(text)
		switch {
		case text == "":
			continue
		case err == nil && value == "":
			err = errors.New("must not be blank; leave this parameter out")
		}
		if err != nil {
			q.Add(f.Name, "%s", err)
		}
		*f.At(&asked) = value
	}
	return asked
}
