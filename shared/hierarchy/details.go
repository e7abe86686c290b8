package hierarchy

import (
	"reflect"

	"example.com/partnertree/shared/ident"
)

// Details is what only a customer has. A field is declared here, with its name in the API, and in DetailFields. What can be sent, answered,
// changed, told in events and stored of the field follows from these two.
type Details struct {
	Brand ident.Brand `json:"brandId,omitzero"`
	Editable[string]
}

// Editable is the part of Details that can be missing, and edited: the values, or what an edit makes of each.
type Editable[T any] struct {
	Reference T `json:"reference,omitzero"` // the partner's own id for the customer
	Tenant    T `json:"tenantId,omitzero"`  // Microsoft tenant id, a GUID in lower case
	Domain    T `json:"domain,omitzero"`    // DNS name
}

// Compare returns what compare makes of each value before and after an edit.
func Compare[T any](was, now Editable[string], compare func(was, now string) T) (out Editable[T]) {
	before, after, to := reflect.ValueOf(was), reflect.ValueOf(now), reflect.ValueOf(&out).Elem()
	for i := range to.NumField() {
		to.Field(i).Set(reflect.ValueOf(compare(before.Field(i).String(), after.Field(i).String())))
	}
	return out
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

// DetailFields lists the fields of Details.
var DetailFields = []DetailField{
	{Name: "brandId", Fixed: true, At: func(d *Details) *string { return (*string)(&d.Brand) }, Parse: parseBrand},
	{Name: "reference", At: func(d *Details) *string { return &d.Reference }, Parse: ParseReference},
	{Name: "tenantId", At: func(d *Details) *string { return &d.Tenant }, Parse: ParseTenant},
	{Name: "domain", At: func(d *Details) *string { return &d.Domain }, Parse: ParseDomain},
}

func parseBrand(s string) (string, error) {
	b, err := ident.ParseBrand(s)
	return string(b), err
}
