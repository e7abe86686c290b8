package hierarchy

import "example.com/partnertree/shared/ident"

// Details has the fields that only a customer has. DetailFields decides how the API, events and the table handle these fields.
type Details struct {
	Brand     ident.Brand
	Reference string // the partner's own id for the customer
	Tenant    string // Microsoft tenant id, a GUID in lower case; there may be none until the first service instance
	Domain    string // DNS name
}

// DetailField is a field of Details.
type DetailField struct {
	// Name is what the API calls the field.
	Name string
	// Fixed says that the field is given when a customer is made, and never changes. Other fields can be missing, and edited.
	Fixed bool
	// At returns a pointer to the field. "" stands for a missing field.
	At func(*Details) *string
	// Parse reads a sent value. "" stands for a missing field.
	Parse func(string) (string, error)
}

// DetailFields lists the fields of Details, in the order of the API's answers.
var DetailFields = []DetailField{
	{Name: "reference", At: func(d *Details) *string { return &d.Reference }, Parse: ParseReference},
	{Name: "brandId", Fixed: true, At: func(d *Details) *string { return (*string)(&d.Brand) }, Parse: parseBrand},
	{Name: "tenantId", At: func(d *Details) *string { return &d.Tenant }, Parse: ParseTenant},
	{Name: "domain", At: func(d *Details) *string { return &d.Domain }, Parse: ParseDomain},
}

func parseBrand(s string) (string, error) {
	b, err := ident.ParseBrand(s)
	return string(b), err
}
