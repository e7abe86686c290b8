package directorytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/word"
)

// What the contract says of terms.

// text looks up what has a word that begins like a text.
func text(kind, begins string) directory.Lookup {
	return directory.Lookup{Kind: kind, Term: word.Term{Word: word.Fold(begins)}, Begins: true}
}

// exactly looks up what has a value in the field that the API calls by this name.
func exactly(field, value string) directory.Lookup {
	i := slices.IndexFunc(hierarchy.DetailFields, func(f hierarchy.DetailField) bool { return f.Name == field })
	return directory.Lookup{Kind: ident.Customer, Term: word.Term{Field: hierarchy.DetailFields[i].Term, Word: word.Fold(value)}}
}

// found is all that a lookup finds in pages, as "id term".
func (s *story) found(l directory.Lookup, limit int) (all []string) {
	s.t.Helper()
	for _, f := range pages(s.t, limit, func(after string, limit int) (directory.Page[directory.Found], error) {
		return s.store.Find(s.t.Context(), l, after, limit)
	}) {
		all = append(all, f.ID+" "+f.Term.String())
	}
	return all
}

// by is how a node is found by a word of it.
func by(n *hierarchy.Node, field word.Field, text string) string {
	return string(n.ID) + " " + word.Term{Field: field, Word: word.Fold(text)}.String()
}

func findsTerms(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	lodz := s.add(s.root, s.partnerBelow(s.root, "Łódź Sieć", b))
	inner := s.customerBelow(lodz, "LODZIARNIA 日本電信", b)
	inner.Details.Reference, inner.Details.Tenant, inner.Details.Domain = "7", "72f988bf-86f1-41af-91ab-2d7cd011db47", "lod.example"
	customer := s.add(lodz, inner)
	other := s.add(lodz, s.customerBelow(lodz, "Lod lodi", b))
	expect := func(what string, l directory.Lookup, want ...string) {
		t.Helper()
		for _, limit := range []int{1, 2, 100} {
			same(t, fmt.Sprintf("%s in pages of %d", what, limit), s.found(l, limit), want)
		}
	}
	expect("partners by a beginning", text(ident.Partner, "lod"), by(lodz, word.Text, "lodz"))
	expect("customers by a beginning, by term and then by id", text(ident.Customer, "lod"),
		by(customer, "d", "lod.example"), by(other, word.Text, "lodi"), by(customer, word.Text, "lodziarnia"))
	expect("by a whole word", text(ident.Customer, "lodziarnia"), by(customer, word.Text, "lodziarnia"))
	expect("by more than a word", text(ident.Customer, "lodziarniab"))
	expect("by an ideograph", text(ident.Customer, "電"), by(customer, word.Text, "電信"))
	expect("by the beginning of a value", text(ident.Customer, "72F988BF-86"), by(customer, "t", inner.Details.Tenant))
	expect("by a value", exactly("reference", "7"), by(customer, "r", "7"))
	expect("by another field's value", exactly("domain", "7"))
	expect("by the beginning of a value, where the whole is asked for", exactly("domain", "lod"))
	expect("by a word, where a value is asked for", exactly("reference", "lodi"))
	if _, err := store.Find(t.Context(), text(ident.Customer, "l"), "", 10); err == nil {
		t.Error("a letter alone is no error")
	}
	if _, err := store.Find(t.Context(), text(ident.Customer, "lo"), "", 0); err == nil {
		t.Error("a page of 0 is no error")
	}
	page, err := store.Find(t.Context(), text(ident.Customer, "lod"), "", 2)
	if err != nil || len(page.Items) != 2 || page.Next != page.Items[1].At {
		t.Fatalf("a page of two: %+v, %v", page, err)
	}
	rest, err := store.Find(t.Context(), text(ident.Customer, "lod"), page.Items[0].At, 2)
	if err != nil || len(rest.Items) != 2 || rest.Items[0] != page.Items[1] || rest.Next != "" {
		t.Errorf("from the first one on: %+v, %v", rest, err)
	}
	var many []hierarchy.Node
	for i := range 30 {
		many = append(many, s.customerBelow(lodz, hierarchy.Name(fmt.Sprintf("Zz%c", 'a'+i%2)), b))
	}
	s.addAll(lodz, many)
	var want []string
	for _, n := range many {
		want = append(want, by(&n, word.Text, string(n.Name)))
	}
	slices.SortFunc(want, func(a, b string) int {
		return strings.Compare(a[ident.Len:]+"#"+a, b[ident.Len:]+"#"+b)
	})
	expect("many", text(ident.Customer, "zz"), want...)
}

func keepsTerms(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	p := s.add(s.root, s.partnerBelow(s.root, "Vale Telecom", b))
	c := s.add(p, s.customerBelow(p, "Bordeaux Bakery", b))
	expect := func(what, begins string, want ...*hierarchy.Node) {
		t.Helper()
		var ids []string
		for _, n := range want {
			ids = append(ids, string(n.ID))
		}
		var got []string
		for _, kind := range []string{ident.Partner, ident.Customer} {
			for _, f := range s.found(text(kind, begins), 10) {
				got = append(got, f[:ident.Len])
			}
		}
		same(t, what+": "+begins, got, ids)
	}
	edit := func(id ident.Node, change func(*hierarchy.Node)) {
		t.Helper()
		was := s.node(id)
		s.commits(directory.EditNode{Was: was, Now: edited(was, change), Else: always(errElse)})
	}
	expect("the root", "cloudvendor", s.root)
	expect("before", "tele", p)
	expect("before", "bake", c)
	edit(c.ID, func(n *hierarchy.Node) { n.Name, n.Details.Reference = "Bordeaux Patisserie", "Bakery-1" })
	expect("renamed", "bordeaux", c)
	expect("renamed", "patis", c)
	expect("the word is another field's now", "bakery", c)
	edit(c.ID, func(n *hierarchy.Node) { n.Details.Reference = "" })
	expect("without the reference", "bakery")
	same(t, "by the reference that is gone", s.found(exactly("reference", "Bakery-1"), 10), []string(nil))
	edit(p.ID, func(n *hierarchy.Node) { n.Name = "VALE Télécom" })
	expect("written in another way", "telecom", p)
	edit(s.root.ID, func(n *hierarchy.Node) { n.Name = "Vendor" })
	expect("the root, renamed", "cloudvendor")
	expect("the root, renamed", "vendor", s.root)
	// A refused edit, and a node that there is already, change nothing.
	s.refuses(errElse, directory.EditNode{Was: c, Now: edited(c, func(n *hierarchy.Node) { n.Name = "Quarry" }), Else: always(errElse)})
	again := *s.node(c.ID)
	again.Name = "Quarry"
	s.refuses(directory.ErrExists, directory.AddNode{Node: again})
	expect("refused", "quarry")
	expect("refused", "innocent")
	// Nothing of where a node is has to do with its terms.
	s.trash(s.node(p.ID), then)
	was := s.node(c.ID)
	s.commits(directory.PlaceNode{Was: was, Now: placed(was, s.root.ID, 1, hierarchy.Place{Path: s.root.Place.Path.Child(c.ID)}), Else: always(errElse)})
	s.commits(directory.Rewrite{Node: c.ID, WasAsOf: 1, Place: hierarchy.Place{Path: s.root.Place.Path.Child(c.ID)}, AsOf: 2, Else: errElse})
	expect("moved", "bordeaux", c)
	expect("in the trash", "vale", p)
	s.commits(directory.RemoveNode{Was: s.node(c.ID), Else: errElse})
	s.commits(directory.RemoveNode{Was: s.node(p.ID), Else: errElse})
	for _, w := range []string{"bordeaux", "patisserie", "vale", "telecom"} {
		expect("removed", w)
	}
}

func recordTerms(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	texted := func(text string) func(*gadget) { return func(g *gadget) { g.Text = text } }
	first := s.newGadget().next(texted("Bordeaux Bakery"))
	second := first.next(texted("Bakery Quarry"))
	expect := func(what string, word string, want ...string) {
		t.Helper()
		var got []string
		for _, f := range s.found(text("gad_", word), 10) {
			got = append(got, f[:ident.Len])
		}
		same(t, what+": "+word, got, want)
	}
	s.commits(directory.Put{Now: first, Else: errElse})
	expect("made", "bordeaux", first.ID)
	expect("made", "bakery", first.ID)
	s.refuses(errElse, directory.Put{Now: second, Else: errElse})
	expect("refused", "quarry")
	s.commits(directory.Put{Was: first, Now: second, Else: errElse})
	expect("written over", "bordeaux")
	expect("written over", "bakery", first.ID)
	expect("written over", "quarry", first.ID)
	s.refuses(errElse, directory.Remove{Was: first, Else: errElse})
	expect("refused", "bakery", first.ID)
	s.commits(directory.Remove{Was: second, Else: errElse})
	expect("removed", "bakery")
	expect("removed", "quarry")
}

// manyTerms does at once all that is written when the deepest customer there can be gets other values everywhere.
func manyTerms(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	parent := s.root
	for parent.Place.Path.Depth() < hierarchy.MaxDepth-1 {
		parent = s.add(parent, s.partnerBelow(parent, "Partner", b))
	}
	name := func(letter byte) (name hierarchy.Name) {
		for i := range hierarchy.MaxName / 3 {
			name += hierarchy.Name([]byte{letter, byte('a' + i%26), ' '})
		}
		return name[:len(name)-1]
	}
	wide := hierarchy.Editable[string]{Reference: strings.Repeat("ﷺ", hierarchy.MaxReference), Tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47",
		Domain: strings.Repeat(strings.Repeat("x", 62)+".", 4)[:hierarchy.MaxDomain-4] + ".org"}
	n := s.customerBelow(parent, name('x'), b)
	n.Details.Editable = wide
	c := s.add(parent, n)
	if terms := len(c.Terms()); terms != 3+word.MaxWords {
		t.Fatalf("%d terms", terms)
	}
	now := edited(c, func(n *hierarchy.Node) {
		n.Name = name('y')
		n.Details.Editable = hierarchy.Editable[string]{Reference: "1", Tenant: "82f988bf-86f1-41af-91ab-2d7cd011db47", Domain: "a.example"}
	})
	happened := s.happened(c.Place.Path, 0)
	s.commits(
		directory.CheckParent{Parent: s.node(parent.ID), Else: always(errElse)},
		directory.AddChange{Change: hierarchy.Change{Seq: 1, Kind: hierarchy.Moved, Node: c.ID, Path: c.Place.Path}, Else: errElse},
		directory.Put{Now: s.newGadget(), Else: errElse},
		directory.EditNode{Was: c, Now: now, Else: always(errElse)},
		directory.AddEvent{Event: happened})
	same(t, "by the reference that was there", s.found(exactly("reference", wide.Reference), 10), []string(nil))
	same(t, "by the new reference", s.found(exactly("reference", "1"), 10), []string{by(c, "r", "1")})
	same(t, "by the words that were there", s.found(text(ident.Customer, "xb"), 10), []string(nil))
	same(t, "by the new words", s.found(text(ident.Customer, "yb"), 10), []string{by(c, word.Text, "yb")})
}

// Found says what is still found of nodes, by the terms that they had.
func Found(ctx context.Context, s directory.Store, terms map[ident.Node][]word.Term) error {
	for id, all := range terms {
		for _, term := range all {
			for after := ""; ; {
				page, err := s.Find(ctx, directory.Lookup{Kind: string(id[:len(ident.Partner)]), Term: term}, after, 100)
				if err != nil {
					return err
				}
				if slices.ContainsFunc(page.Items, func(f directory.Found) bool { return f.ID == string(id) }) {
					return fmt.Errorf("%s is still found by %s", id, term)
				}
				if after = page.Next; after == "" {
					break
				}
			}
		}
	}
	return nil
}
