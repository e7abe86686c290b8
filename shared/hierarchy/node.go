// Package hierarchy is the tree: ids on paths, nodes, the marks that subtrees inherit, and what has happened to whole
// subtrees since their nodes were last written. It decides nothing about who may do what; that is package access.
package hierarchy

import (
	"maps"
	"slices"
	"time"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
)

// Kind is what a node is.
type Kind string

// The kinds.
const (
	Partner  Kind = "partner"
	Customer Kind = "customer"
)

// KindOf tells the kind of a node from its id.
func KindOf(id ident.Node) Kind {
	if len(id) > 4 && id[:4] == ident.Customer {
		return Customer
	}
	return Partner
}

// Node is a partner or a customer. Place and AsOf belong together: the place is true as of that change number, and
// TreeState.Place says what has become of it since.
type Node struct {
	ID      ident.Node
	Parent  ident.Node // "" for the root
	Name    Name
	Place   Place
	AsOf    int64
	Height  int   // upper bound of how many levels lie below
	Version int64 // counts the edits that a client can see: the ETag
	Created time.Time
	Updated time.Time
	Trashed time.Time // when this very node was put into the trash; zero when it is not there itself

	Brands  Brands  // partners
	Details Details // customers
}

// Kind returns what the node is.
func (n *Node) Kind() Kind { return KindOf(n.ID) }

// OwnMarks returns the marks that stand on this very node.
func (n *Node) OwnMarks() []Mark {
	var own []Mark
	for _, m := range n.Place.Marks {
		if m.Node == n.ID {
			own = append(own, m)
		}
	}
	return own
}

// KeepTrash is how long a node stays in the trash before it is purged.
const KeepTrash = 30 * 24 * time.Hour

// Brands is what a partner has to do with brands.
type Brands struct {
	Portal    ident.Brand   // where its users sign in
	Available []ident.Brand // given to it by its parent; sorted
	Owned     []ident.Brand // made by it; sorted
	// Uses counts, for every brand that is usable here, the customers right below that have it and the partners right
	// below that draw it from here. Its keys are Available and Owned together.
	Uses map[ident.Brand]int64
}

// MaxBrands is how many brands a partner may have available, and own, each: a node stays within one read unit (4 KB).
const MaxBrands = 40

// Usable reports whether customers right below may have the brand, and partners right below may be given it.
func (b *Brands) Usable(id ident.Brand) bool { _, ok := b.Uses[id]; return ok }

// Drawn returns the brands that the partner takes from its parent: the brands available to the partner, and its portal brand
// unless the partner owns that brand. The parent cannot lose these brands while the partner takes them.
func (b *Brands) Drawn() []ident.Brand {
	drawn := slices.Clone(b.Available)
	if b.Portal != "" && !slices.Contains(b.Owned, b.Portal) && !slices.Contains(drawn, b.Portal) {
		drawn = append(drawn, b.Portal)
	}
	slices.Sort(drawn)
	return drawn
}

// List returns all usable brands, sorted.
func (b *Brands) List() []ident.Brand { return slices.Sorted(maps.Keys(b.Uses)) }

// Draws returns the brands that the node takes from its parent.
func (n *Node) Draws() []ident.Brand {
	if n.Kind() == Customer {
		return []ident.Brand{n.Details.Brand}
	}
	return n.Brands.Drawn()
}

// Below returns the node as a new child of parent: it copies what parent stores about its place, and is right for as
// long as parent stores that (its AsOf is unchanged). The canonical place of parent decides about the depth.
func (n Node) Below(parent *Node, canonical Place, own ...MarkKind) (Node, error) {
	if canonical.Path.Depth() >= MaxDepth {
		return Node{}, fault.DepthLimit.New("A tree can be at most %d nodes deep, and the parent is already at level %d. Choose a parent further up.",
			MaxDepth, canonical.Path.Depth())
	}
	n.Parent = parent.ID
	n.AsOf = parent.AsOf
	n.Place = Place{parent.Place.Path.Child(n.ID), slices.Clone(parent.Place.Marks)}
	for _, kind := range own {
		n.Place.Marks = append(n.Place.Marks, Mark{n.ID, kind})
	}
	return n, nil
}
