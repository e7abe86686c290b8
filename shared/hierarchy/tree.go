package hierarchy

import (
	"slices"

	"example.com/partnertree/shared/ident"
)

// MarkKind is what a Mark says of the node that it stands on, and so of everything below.
type MarkKind string

// The marks.
const (
	NoProvisioning MarkKind = "no-provisioning"
	Suspended      MarkKind = "suspended"
	Trashed        MarkKind = "trashed"
	Purged         MarkKind = "purged" // gone for good: only the erasing of what is below is still under way
)

// Mark is inherited: it stands on one node and counts for all below it. Nothing else is inherited.
type Mark struct {
	Node ident.Node
	Kind MarkKind
}

// Place is where a node stands and which marks lie on it, its own and inherited ones.
type Place struct {
	Path  Path
	Marks []Mark
}

// Marked reports whether a mark of this kind lies on the place.
func (p Place) Marked(kind MarkKind) bool {
	return slices.ContainsFunc(p.Marks, func(m Mark) bool { return m.Kind == kind })
}

// Top returns the uppermost node on the path that has a mark of this kind, or "" when no node has.
func (p Place) Top(kind MarkKind) ident.Node {
	top, at := ident.Node(""), MaxDepth
	for _, m := range p.Marks {
		if m.Kind != kind {
			continue
		}
		if i := p.Path.Index(m.Node); i >= 0 && i < at {
			top, at = m.Node, i
		}
	}
	return top
}

// ChangeKind tells what happened to a whole subtree.
type ChangeKind string

// The changes.
const (
	Moved    ChangeKind = "moved"
	Marked   ChangeKind = "marked"
	Unmarked ChangeKind = "unmarked"
)

// Change is something that happened to a whole subtree and is not yet written into every node of it. A move is
// absolute ("this node now lives there"): it must stay right for nodes that never saw an earlier change above it.
type Change struct {
	Seq   int64
	Node  ident.Node
	Kind  ChangeKind
	Path  Path   // moved: the path of Node from now on
	Marks []Mark // moved: the marks that lay on the destination
	From  []Path // moved: the paths under which nodes of the subtree may still be stored
	Mark  Mark   // marked, unmarked
}

// TreeState is what has happened to whole subtrees since their nodes were last written. Every request reads it together
// with the node and the principal; it is nearly empty at rest.
type TreeState struct {
	Root    ident.Node // the root of the tree, which never changes
	Seq     int64
	Changes []Change // by rising Seq
}

// Bounds of the tree state, of which every request reads one copy and each change writes all: as many changes at the same
// time, and as many paths in all their From together. The largest that there can be fits an item of DynamoDB.
const (
	MaxChanges = 64
	MaxFrom    = 900
)

// Room reports whether the tree state has room for one more change.
func (t *TreeState) Room(c *Change) bool {
	from := len(c.From)
	for i := range t.Changes {
		from += len(t.Changes[i].From)
	}
	return len(t.Changes) < MaxChanges && from <= MaxFrom
}

// Place returns where the node really is: the place that the node stores, with every later change applied in order whose
// node is on its path. It allocates only when a change applies.
func (t *TreeState) Place(n *Node) Place {
	p := n.Place
	for i := range t.Changes {
		c := &t.Changes[i]
		if c.Seq <= n.AsOf {
			continue
		}
		at := p.Path.Index(c.Node)
		if at < 0 {
			continue
		}
		switch c.Kind {
		case Moved:
			within := p.Path.From(at)
			marks := slices.Clone(c.Marks)
			for _, m := range p.Marks {
				if within.Index(m.Node) >= 0 {
					marks = append(marks, m)
				}
			}
			p = Place{c.Path + p.Path.From(at+1), marks}
		case Marked:
			if !slices.Contains(p.Marks, c.Mark) {
				p.Marks = append(slices.Clone(p.Marks), c.Mark)
			}
		case Unmarked:
			p.Marks = slices.DeleteFunc(slices.Clone(p.Marks), func(m Mark) bool { return m == c.Mark })
		}
	}
	return p
}

// Range is a stored path under which nodes may lie that really are under another.
type Range struct {
	Stored    Path // where the index has them
	Canonical Path // where they are: what follows Stored in a stored path follows Canonical in the real one
}

// Ranges returns the stored paths under which the nodes lie that canonically are at path or below it; the first is path itself. Other
// nodes lie there too: the caller has to decide on each node that is found. At rest there is only path itself.
func (t *TreeState) Ranges(path Path) []Range {
	found := []Range{{path, path}}
	for i := range t.Changes {
		c := &t.Changes[i]
		if c.Kind != Moved {
			continue
		}
		now := t.Place(&Node{Place: Place{Path: c.Path}, AsOf: c.Seq}).Path
		for _, from := range c.From {
			r := Range{from, now}
			if path.Has(now) {
				r = Range{from + path[len(now):], path}
			} else if !now.Has(path) {
				continue
			}
			if !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	}
	return found
}

// Left returns the stored paths under which a node that is at path, and the nodes below, may be stored. A move of that node has to
// remember these paths as its From.
func (t *TreeState) Left(path Path) []Path {
	var from []Path
	for _, r := range t.Ranges(path) {
		if r.Canonical == path && r.Stored.Depth() <= MaxDepth { // nothing is stored deeper
			from = append(from, r.Stored)
		}
	}
	return from
}
