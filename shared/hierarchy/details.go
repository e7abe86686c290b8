package hierarchy

import (
	"reflect"

	"golang.org/x/net/idna"

	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/word"
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
	// Term says that customers are found by the whole value, and by its words. It is kept with the value, so it never changes.
	Term word.Field
	// Words returns the words of the value, when customers are found by them.
	Words func(string) []word.Word
}

// DetailFields lists the fields of Details.
var DetailFields = []DetailField{
	{Name: "brandId", Fixed: true, At: func(d *Details) *string { return (*string)(&d.Brand) }, Parse: parseBrand},
	{Name: "reference", At: func(d *Details) *string { return &d.Reference }, Parse: ParseReference,
		Term: "r", Words: word.In},
	{Name: "tenantId", At: func(d *Details) *string { return &d.Tenant }, Parse: ParseTenant,
		Term: "t", Words: word.In},
	{Name: "domain", At: func(d *Details) *string { return &d.Domain }, Parse: ParseDomain,
		Term: "d", Words: domainWords},
}

func parseBrand(s string) (string, error) {
	b, err := ident.ParseBrand(s)
	return string(b), err
}

// domainWords returns the words of a DNS name: of an international one as people write it, and in its xn-- form.
func domainWords(domain string) []word.Word {
	international, _ := idna.ToUnicode(domain)
	return append(word.In(international), word.In(domain)...)
}

// Terms returns by what the node is found: the whole values of its fields that have a Term, then the words of its name, then those of the
// fields.
func (n *Node) Terms() []word.Term {
	return word.Terms(n.Details.Whole(), n.Words())
}

// Words returns the words of the node's name, and of its fields that have a Term.
func (n *Node) Words() []word.Word {
	words := word.In(string(n.Name))
	for _, f := range DetailFields {
		if value := *f.At(&n.Details); f.Term != "" {
			words = append(words, f.Words(value)...)
		}
	}
	return words
}

// Whole returns the terms of the values that are there.
func (d *Details) Whole() (terms []word.Term) {
	for _, f := range DetailFields {
		if value := *f.At(d); f.Term != "" && value != "" {
			terms = append(terms, word.Term{Field: f.Term, Word: word.Fold(value)})
		}
	}
	return terms
}

// Have reports whether all values that asked has are those of d.
func (d *Details) Have(asked Details) bool {
	for _, f := range DetailFields {
		if value := *f.At(&asked); value != "" && value != *f.At(d) {
			return false
		}
	}
	return true
}
