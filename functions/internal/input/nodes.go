package input

import (
	"strings"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// NewPartner reads a partner to make.
func NewPartner(o *Object) directory.NewPartner {
	return directory.NewPartner{
		Parent:       Required(o, "parentId", ident.ParsePartner),
		Name:         Required(o, "name", hierarchy.ParseName),
		Portal:       Required(o, "portalBrandId", ident.ParseBrand),
		Available:    Required(o, "availableBrandIds", available(o)),
		CanProvision: Required(o, "canProvisionServices", As[bool]),
	}
}

func available(o *Object) func([]string) ([]ident.Brand, error) {
	return Each(o, "availableBrandIds", 0, hierarchy.MaxBrands, ident.ParseBrand)
}

// PartnerEdit is an edit of a partner. Whether the partner can provision services comes alone: that changes the whole subtree.
type PartnerEdit struct {
	Patch        directory.PartnerPatch
	CanProvision *bool // nil: it stays as it is
}

// EditPartner reads an edit of a partner.
func EditPartner(o *Object) PartnerEdit {
	alone := !o.Has("name") && !o.Has("portalBrandId") && !o.Has("availableBrandIds")
	can := Optional(o, "canProvisionServices", As[bool])
	if can != nil && !alone {
		o.Wrong("canProvisionServices", "applies to the whole subtree: send this field alone, and the other fields in another request")
	}
	return PartnerEdit{directory.PartnerPatch{
		Name:      Optional(o, "name", hierarchy.ParseName),
		Portal:    Optional(o, "portalBrandId", ident.ParseBrand),
		Available: Optional(o, "availableBrandIds", available(o)),
	}, can}
}

// NewCustomer reads a customer to make.
func NewCustomer(o *Object) directory.NewCustomer {
	in := directory.NewCustomer{
		Partner: Required(o, "partnerId", ident.ParsePartner),
		Name:    Required(o, "name", hierarchy.ParseName),
	}
	for _, f := range hierarchy.DetailFields {
		if f.Fixed {
			*f.At(&in.Details) = Required(o, f.Name, f.Parse)
		} else if value := Clearable(o, f.Name, f.Parse); value != nil {
			*f.At(&in.Details) = *value
		}
	}
	return in
}

// EditCustomer reads an edit of a customer.
func EditCustomer(o *Object) directory.CustomerPatch {
	patch := directory.CustomerPatch{Name: Optional(o, "name", hierarchy.ParseName), Details: map[string]string{}}
	for _, f := range hierarchy.DetailFields {
		if f.Fixed && o.Has(f.Name) {
			e := fault.Immutable.New("The %s of a customer can never change. Leave out %s, or create another customer.",
				strings.TrimSuffix(f.Name, "Id"), f.Name)
			e.Fields = []fault.Field{{Pointer: "/" + f.Name, Detail: "cannot change"}}
			o.Refuse(e)
		}
		if value := Clearable(o, f.Name, f.Parse); value != nil {
			patch.Details[f.Name] = *value
		}
	}
	return patch
}

// Move reads where a node is to be moved to.
func Move(o *Object) ident.Node { return Required(o, "parentId", ident.ParsePartner) }

// AskedMove is a move that others are asked for.
type AskedMove struct {
	To      ident.Node
	Message string
}

// AskMove reads a request for a move.
func AskMove(o *Object) AskedMove {
	return AskedMove{To: Move(o), Message: OptionalOr(o, "message", "", hierarchy.ParseReason)}
}

// Suspend reads why a node is suspended.
func Suspend(o *Object) string { return Required(o, "reason", hierarchy.ParseReason) }

// Nothing reads a body without members.
func Nothing(*Object) struct{} { return struct{}{} }
