package hierarchy

import (
	"slices"

	"example.com/partnertree/shared/ident"
)

// MarkKind is what a Mark says about its node and everything below it.
type MarkKind string

// The marks.
const (
	NoProvisioning MarkKind = "no-provisioning"
	Suspended      MarkKind = "suspended"
	Trashed        MarkKind = "trashed"
	Purged         MarkKind = "purged" // gone for good: the nodes below are still being erased
)

// Mark is a mark on a node, which everything below the node inherits. Nothing else is inherited.
type Mark struct {
	Node ident.Node
	Kind MarkKind
}

// Place is the path of a node and the marks that apply to it: its own marks and inherited marks.
type Place struct {
	Path  Path
	Marks []Mark
}

// Marked reports whether the place has a mark of this kind.
func (p Place) Marked(kind MarkKind) bool {
	return slices.ContainsFunc(p.Marks, func(m Mark) bool { return m.Kind == kind })
}

// Top returns the uppermost node on the path that has a mark of this kind, or "" when no node has this mark.
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

// ChangeKind is what happened to a whole subtree.
type ChangeKind string

// The changes.
const (
	Moved    ChangeKind = "moved"
	Marked   ChangeKind = "marked"
	Unmarked ChangeKind = "unmarked"
)

// Change is a change of a whole subtree that is not yet written into every node of the subtree. A move is absolute ("this
// node is now there"), because it must be right even for nodes into which an earlier change above was never written.
type Change struct {
	Seq   int64
	Node  ident.Node
	Kind  ChangeKind
	Path  Path   // moved: the path of Node from now on
	Marks []Mark // moved: the marks that the destination had
	From  []Path // moved: the paths under which nodes of the subtree may still be stored
	Mark  Mark   // marked, unmarked
}

// TreeState has the changes of whole subtrees that are not yet written into every node. Every request reads the tree state
// together with the node and the principal. At rest the tree state is nearly empty.
type TreeState struct {
	Root    ident.Node // the root of the tree, which never changes
	Seq     int64
	Changes []Change // by rising Seq
}

// Bounds of the tree state: the number of changes at the same time, and the number of paths in all their From together.
// Every request reads the tree state, and each change writes all of it. The largest tree state fits an item of DynamoDB.
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

// Place returns where the node really is. It takes the place that the node stores, and applies, in order, every later change
// whose node is on the path. It allocates only when a change applies.
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

// Range is a stored path under which nodes may be found that really are under another path.
type Range struct {
	Stored    Path // where the index has the nodes
	Canonical Path // where the nodes really are: what follows Stored in a stored path follows Canonical in the real path
}

// Ranges returns the stored paths under which to find the nodes that really are at path or below it. The first stored path is path itself;
// at rest there is no other. Other nodes can be found there too, so the caller has to check each node.
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

// Left returns the paths under which a node that really is at path, and the nodes below it, may be stored. A move of that node has to
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
