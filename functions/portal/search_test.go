package main

import (
	"strings"
	"testing"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
)

// What the visitor reaches is found by words, with its place; what they do not see is not.
func TestSearch(t *testing.T) {
	w := newWorld(t)
	top, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Łódź <b> Telecom"})
	w.must(err)
	brand, err := w.dir.CreateBrand(t.Context(), w.owner, directory.NewBrand{Partner: top.ID, Name: "B", Domain: "b.example", Regions: []string{"eu-west-1"}})
	w.must(err)
	_, err = w.dir.CreateCustomer(t.Context(), w.owner, directory.NewCustomer{Partner: top.ID, Name: "Bakery", Details: hierarchy.Details{Brand: brand.ID,
		Editable: hierarchy.Editable[string]{Reference: "REF-77", Domain: "bakery.example"}}})
	w.must(err)
	_, err = w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Bakery of others"})
	w.must(err)
	w.grantAnn(top.ID, access.Viewer)
	b := w.browser()
	b.signIn("Ann <Admin>")
	b.has(b.get(home+"/search"), 200, "The beginning of each word is enough")
	p := b.has(b.get(home+"/search?q=bak"), 200, "Bakery", "customer", "REF-77", "Łódź <b> Telecom")
	if strings.Contains(p.body, "others") || strings.Contains(p.body, "Cloudvendor") {
		t.Error("it shows what cannot be seen")
	}
	for _, q := range []string{"ref-77", "bakery.example", "lodz+tele"} {
		if p := b.get(home + "/search?kind=&under=&q=" + q); !strings.Contains(p.body, `<li>`) {
			t.Errorf("%s: nothing is found", q)
		}
	}
	b.has(b.get(home+"/search?q=ann&kind=person"), 200, "Ann <Admin>", "viewer")
	b.has(b.get(home+"/search?q=nothing-like-it"), 200, "Nothing that you can see matches", "Clear the search")
	b.has(b.get(home+"/search?q=b"), 422, "What you look for must have a word of at least two letters")
	b.has(b.get(home+"/search?q=bak&under="+string(top.ID)), 200, "Only below Łódź <b> Telecom", "Bakery")
	b.has(b.get(home+"/search?q=bak&under="+string(w.root)), 404)
	b.has(b.get(home+nodePath(top.ID, "customers")), 200, "Find a customer below", "REF-77")
}
