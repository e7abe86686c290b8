// Package hierarchy has the tree: paths, nodes, the marks that subtrees inherit, and the changes of whole subtrees that are
// not yet written into every node. Who may do what is decided in package access.
package hierarchy

import (
	"maps"
	"slices"
	"time"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
)

// Kind is the kind of a node.
type Kind string

// The kinds.
const (
	Partner  Kind = "partner"
	Customer Kind = "customer"
)

// KindOf returns the kind of a node, which its id tells.
func KindOf(id ident.Node) Kind {
	if len(id) > 4 && id[:4] == ident.Customer {
		return Customer
	}
	return Partner
}

// Node is a partner or a customer. Place and AsOf belong together: Place is true as of the change with the number AsOf.
// TreeState.Place applies the changes since.
type Node struct {
	ID      ident.Node
	Parent  ident.Node // "" for the root
	Name    Name
	Place   Place
	AsOf    int64
	Height  int   // what Levels was raised to; while the node is measured: since then
	Ceiling int   // what Levels was when measuring began; 0: the node is not being measured
	Version int64 // counts the edits that a client can see: the ETag
	Created time.Time
	Updated time.Time
	Trashed time.Time // when this node itself was put into the trash; zero when it was not

	Brands  Brands  // partners
	Details Details // customers
}

// Kind returns the kind of the node.
func (n *Node) Kind() Kind { return KindOf(n.ID) }

// Levels returns an upper bound of the number of levels below the node.
func (n *Node) Levels() int { return max(n.Height, n.Ceiling) }

// OwnMarks returns the marks on this node itself.
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

// Brands has the brands that a partner uses, has available and owns.
type Brands struct {
	Portal    ident.Brand   // the brand at which its users sign in
	Available []ident.Brand // given to it by its parent; sorted
	Owned     []ident.Brand // made by it; sorted
	// Uses counts, for every brand that is usable here, the customers directly below that have the brand and the partners
	// directly below that draw the brand from here. Its keys are Available and Owned together.
	Uses map[ident.Brand]int64
}

// MaxBrands is how many brands a partner may have available, and how many it may own. With this limit, a node fits one read unit (4 KB).
const MaxBrands = 40

// Usable reports whether customers directly below may have the brand. Partners directly below may be given the same brands.
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

// BecomesPortal reports whether a brand that the partner owns is its portal brand now, and was not.
func (b *Brands) BecomesPortal(was *Brands) bool {
	return b.Portal != was.Portal && slices.Contains(b.Owned, b.Portal)
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

// Below returns the node as a new child of parent. It copies the place that parent stores, and stays right while the AsOf of
// parent is unchanged. Below refuses a node that would be too deep by the canonical place of parent.
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
