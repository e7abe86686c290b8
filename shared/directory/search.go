package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/word"
)

// Bounds of searches.
const (
	MaxSearch      = 200 // characters of a text
	MaxSearchLimit = 50  // results on a page: each has a path, of which the nodes are read
)

// SearchText is what somebody looks for: words, each of which has to begin one of what is found. People are found by an address when it is
// whole, so what has an @ is none of the words of their names.
type SearchText struct{ words, names, addresses []word.Word }

// ParseSearchText reads a text to look for. It needs a word that can be looked for (word.Word.Head).
func ParseSearchText(s string) (SearchText, error) {
	if n := utf8.RuneCountInString(s); n > MaxSearch {
		return SearchText{}, fmt.Errorf("must have at most %d characters; it has %d", MaxSearch, n)
	}
	t := SearchText{words: word.In(s)}
	if rarest(t.words).Head() == "" {
		return SearchText{}, fmt.Errorf("must have a word of at least two letters or digits, or an ideograph; type more of the name")
	}
	var names []string
	for chunk := range strings.FieldsSeq(s) {
		if strings.Contains(chunk, "@") {
			t.addresses = append(t.addresses, access.AddressTerm(chunk).Word)
		} else {
			names = append(names, chunk)
		}
	}
	t.names = word.In(strings.Join(names, " "))
	return t, nil
}

// rarest returns the longest word, as that of which there is the least; "" of none. A word without a head is the last choice.
func rarest(words []word.Word) (rarest word.Word) {
	for _, w := range words {
		if headed := w.Head() != ""; headed && rarest.Head() == "" || headed == (rarest.Head() != "") && len(w) > len(rarest) {
			rarest = w
		}
	}
	return rarest
}

// Search says what to find, and where.
type Search struct {
	Text  SearchText
	Kind  ResultKind // "": all
	Under ident.Node // only at this node and below it; "": all that the caller reaches
}

// ResultKind is what a search finds.
type ResultKind string

// The kinds of results, in the order in which they are found.
const (
	PartnerResult  ResultKind = "partner"
	CustomerResult ResultKind = "customer"
	PersonResult   ResultKind = "person"
)

// lookups are what a search reads, in the order of the kinds.
func (s *Search) lookups() (all []Lookup) {
	byWord := func(kind string, words []word.Word) Lookup {
		return Lookup{Kind: kind, Term: word.Term{Word: rarest(words)}, Begins: true}
	}
	if s.Kind == "" || s.Kind == PartnerResult {
		all = append(all, byWord(ident.Partner, s.Text.words))
	}
	if s.Kind == "" || s.Kind == CustomerResult {
		all = append(all, byWord(ident.Customer, s.Text.words))
	}
	switch {
	case s.Kind != "" && s.Kind != PersonResult:
	case len(s.Text.addresses) > 0: // nobody has two, so by any of them
		all = append(all, Lookup{Kind: ident.Person, Term: word.Term{Field: access.Address, Word: s.Text.addresses[0]}})
	default:
		all = append(all, byWord(ident.Person, s.Text.names))
	}
	return all
}

// finds reports whether something that has terms and words is found by the term t: the words begin all that is looked for, and t is the first of
// the terms that its lookup finds.
func finds(words []word.Word, t word.Term, terms []word.Term, has []word.Word) bool {
	return first(terms, rarest(words)) == t && beginAll(words, has)
}

// node reports whether a node is what is looked for.
func (s *Search) node(n *hierarchy.Node, t word.Term) bool {
	return finds(s.Text.words, t, n.Terms(), n.Words())
}

// person reports whether somebody is what is looked for.
func (s *Search) person(p *access.Principal, t word.Term) bool {
	if len(s.Text.addresses) > 0 {
		return !slices.ContainsFunc(s.Text.addresses, func(w word.Word) bool {
			return !slices.Contains(p.Terms(), word.Term{Field: access.Address, Word: w})
		}) && beginAll(s.Text.names, p.Words())
	}
	terms := slices.DeleteFunc(p.Terms(), func(t word.Term) bool { return t.Field == access.Address })
	return finds(s.Text.names, t, terms, p.Words())
}

// Result is a partner, a customer or a person that was found.
type Result struct {
	Kind        ResultKind
	ID          string
	Name        hierarchy.Name
	Details     hierarchy.Details // of a customer
	SuspendedAt ident.Node        // as of a Node
	TrashedAt   ident.Node        // as of a Node
	Path        []PathStep        // of a node, the Partner Path: from where the caller's sight begins down to the node
	Tenant      string            // of a person: whose they are, by which people of one name can be told apart
	Roles       []MyGrant         // of a person: those that were granted within the caller's sight, as those of the caller are in Me
}

// Search finds partners, customers and people by the beginnings of their words, of all that the caller reaches by any of their grants, or of that
// what is at a node or below it. People are where they were granted a role. Results come in the order of the kinds, and then of the words that
// were found. What was put into the trash is not found, but within a node that is in the trash itself. A page can be short, or empty, and still
// have a Next. While nothing changes, all pages together have each result once.
func (d *Directory) Search(ctx context.Context, c Caller, s Search, p Paging) (List[Result], error) {
	f := finding{d: d, c: c, under: s.Under, list: ListName("search", string(s.Kind), string(s.Under), fmt.Sprint(s.Text)), lookups: s.lookups(),
		node: s.node, person: s.person}
	found, err := f.page(ctx, p)
	if err != nil {
		return List[Result]{}, err
	}
	known := map[ident.Node]*hierarchy.Node{}
	var above []ident.Node
	for _, h := range found.Items {
		for _, at := range append(slices.Clip(h.roles), h.sight) {
			if at.node != nil {
				known[at.node.ID] = at.node
				above = append(above, at.place.Path.IDs()[at.first:]...)
			}
		}
	}
	if err := d.know(ctx, c, known, above); err != nil {
		return List[Result]{}, err
	}
	results := make([]Result, len(found.Items))
	for i, h := range found.Items {
		results[i] = h.result(known)
	}
	return List[Result]{results, found.Next}, nil
}

// result returns what a search shows of what was found.
func (h *hit) result(known map[ident.Node]*hierarchy.Node) Result {
	if h.person == nil {
		return Result{Kind: ResultKind(h.node.Kind()), ID: string(h.node.ID), Name: h.node.Name, Details: h.node.Details,
			SuspendedAt: h.place.Top(hierarchy.Suspended), TrashedAt: h.place.Top(hierarchy.Trashed), Path: h.path(known)}
	}
	r := Result{Kind: PersonResult, ID: string(h.person.ID), Name: h.person.Name, Tenant: h.person.Person.Tenant}
	for _, at := range h.roles {
		r.Roles = append(r.Roles, MyGrant{PathStep{at.node.ID, at.node.Name}, h.person.Grants[at.node.ID], at.path(known)})
	}
	sortGrants(r.Roles)
	return r
}

// path returns the Partner Path of a node that is seen.
func (s *sight) path(known map[ident.Node]*hierarchy.Node) []PathStep {
	return pathSteps(s.place.Path.IDs()[s.first:], known)
}

// first returns the first term that begins with a word, in the order of an index. What has several is found by that one alone, so that it is
// found once.
func first(terms []word.Term, begins word.Word) (least word.Term) {
	for _, t := range terms {
		if begins.Begins(t.Word) && (least == word.Term{} || t.String() < least.String()) {
			least = t
		}
	}
	return least
}

// beginAll reports whether each of the words begins one of those that something has.
func beginAll(words, has []word.Word) bool {
	return !slices.ContainsFunc(words, func(w word.Word) bool { return !slices.ContainsFunc(has, w.Begins) })
}
