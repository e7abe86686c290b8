package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/word"
)

// Bounds of searches.
const (
	MaxSearch      = 200 // characters of a text
	MaxSearchLimit = 50  // results on a page: each has a path, of which the nodes are read
)

// SearchText is what somebody looks for: words, each of which has to begin one of what is found.
type SearchText struct{ words []word.Word }

// ParseSearchText reads a text to look for. It needs a word that can be looked for (word.Word.Head).
func ParseSearchText(s string) (SearchText, error) {
	if n := utf8.RuneCountInString(s); n > MaxSearch {
		return SearchText{}, fmt.Errorf("must have at most %d characters; it has %d", MaxSearch, n)
	}
	t := SearchText{word.In(s)}
	if !slices.ContainsFunc(t.words, func(w word.Word) bool { return w.Head() != "" }) {
		return SearchText{}, fmt.Errorf("must have a word of at least two letters or digits, or an ideograph; type more of the name")
	}
	return t, nil
}

// rarest is the longest word, as that of which there is the least.
func rarest(words []word.Word) word.Word {
	return slices.MaxFunc(words, func(a, b word.Word) int {
		return cmp.Or(cmp.Compare(min(len(a.Head()), 1), min(len(b.Head()), 1)), cmp.Compare(len(a), len(b)))
	})
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
)

// searched are the kinds with the beginning of their ids.
var searched = []struct {
	kind   ResultKind
	prefix string
}{{PartnerResult, ident.Partner}, {CustomerResult, ident.Customer}}

// Result is a partner or a customer that was found.
type Result struct {
	Kind        ResultKind
	ID          string
	Name        hierarchy.Name
	Details     hierarchy.Details // of a customer
	SuspendedAt ident.Node        // as of a Node
	TrashedAt   ident.Node        // as of a Node
	Path        []PathStep        // the Partner Path: from where the caller's sight begins down to the node
}

// Search finds partners and customers by the beginnings of their words, of all that the caller reaches by any of their grants, or of that what is
// at a node or below it. Those by name come in the order of the kinds, and then of the words that were found. What was put into the trash
// is not found, but within a node that is in the trash itself. A page can be short, or empty, and still have a Next. While nothing changes,
// all pages together have each result once.
func (d *Directory) Search(ctx context.Context, c Caller, s Search, p Paging) (List[Result], error) {
	key := rarest(s.Text.words)
	f := finding{d: d, c: c, under: s.Under, list: ListName("search", string(s.Kind), string(s.Under), fmt.Sprint(s.Text.words)),
		is: func(n *hierarchy.Node, t word.Term) bool {
			return first(n.Terms(), key) == t && beginAll(s.Text.words, n.Words())
		}}
	for _, k := range searched {
		if s.Kind == "" || s.Kind == k.kind {
			f.lookups = append(f.lookups, Lookup{Kind: k.prefix, Term: word.Term{Word: key}, Begins: true})
		}
	}
	found, err := f.page(ctx, p)
	if err != nil {
		return List[Result]{}, err
	}
	known := map[ident.Node]*hierarchy.Node{}
	var above []ident.Node
	for _, h := range found.Items {
		known[h.node.ID] = h.node
		above = append(above, h.place.Path.IDs()[h.first:]...)
	}
	if err := d.know(ctx, c, known, above); err != nil {
		return List[Result]{}, err
	}
	results := make([]Result, len(found.Items))
	for i, h := range found.Items {
		results[i] = Result{ResultKind(h.node.Kind()), string(h.node.ID), h.node.Name, h.node.Details, h.place.Top(hierarchy.Suspended),
			h.place.Top(hierarchy.Trashed), pathSteps(h.place.Path.IDs()[h.first:], known)}
	}
	return List[Result]{results, found.Next}, nil
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
