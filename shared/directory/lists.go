package directory

import (
	"context"
	"slices"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Bounds of lists.
const (
	MaxLimit     = 200 // of items on a page
	MaxTreeDepth = 5   // levels below the top of a Tree
	maxTree      = 500 // nodes in a Tree
	maxSiblings  = 50  // children of one kind under one node of a Tree
	maxOpened    = 100 // partners whose children a Tree lists: each takes two queries
	readAtOnce   = 90  // nodes in one batch, beside what every batch holds
	proposals    = 5   // pages of the subtree index that one page of Descendants reads at the most
)

// Children lists the partners or the customers right below a partner, by name.
func (d *Directory) Children(ctx context.Context, c Caller, parent ident.Node, kind hierarchy.Kind, p Paging) (List[Node], error) {
	list := ListName("children", string(parent), string(kind))
	dec, page, err := PageAt(ctx, d, c, parent, access.Read, list, p, func(ctx context.Context, after string) (Page[hierarchy.Node], error) {
		return d.store.Children(ctx, parent, kind, false, after, p.Limit)
	})
	if err != nil {
		return List[Node]{}, err
	}
	items := make([]Node, len(page.Items))
	for i := range page.Items {
		child := &page.Items[i]
		place := hierarchy.Place{Path: dec.Place.Path.Child(child.ID), Marks: append(slices.Clip(dec.Place.Marks), child.Place.Marks...)}
		items[i] = seen(child, place, true)
	}
	return List[Node]{items, page.Next}, nil
}

// PathStep is one node of a Partner Path.
type PathStep struct {
	ID   ident.Node
	Name hierarchy.Name
}

// Path is the Partner Path: from where the caller's access begins down to the node.
func (d *Directory) Path(ctx context.Context, c Caller, id ident.Node) ([]PathStep, error) {
	_, node, dec, err := d.Reach(ctx, c, id, access.Read)
	if err != nil {
		return nil, err
	}
	return d.pathFrom(ctx, c, node, dec)
}

// pathFrom returns the Partner Path of a node that was decided on.
func (d *Directory) pathFrom(ctx context.Context, c Caller, node *hierarchy.Node, dec access.Decision) ([]PathStep, error) {
	ids := dec.Place.Path.IDs()[dec.First:]
	known := map[ident.Node]*hierarchy.Node{node.ID: node}
	if err := d.know(ctx, c, known, ids); err != nil {
		return nil, err
	}
	return pathSteps(ids, known), nil
}

// know reads those of ids that are not known yet.
func (d *Directory) know(ctx context.Context, c Caller, known map[ident.Node]*hierarchy.Node, ids []ident.Node) error {
	var unknown []ident.Node
	for _, id := range ids {
		if known[id] == nil && !slices.Contains(unknown, id) {
			unknown = append(unknown, id)
		}
	}
	for some := range slices.Chunk(unknown, readAtOnce) {
		v, err := d.Read(ctx, c, Want{Nodes: some})
		if err != nil {
			return err
		}
		for id, n := range v.Nodes {
			known[id] = n
		}
	}
	return nil
}

func pathSteps(ids []ident.Node, known map[ident.Node]*hierarchy.Node) []PathStep {
	path := make([]PathStep, 0, len(ids))
	for _, id := range ids {
		if n := known[id]; n != nil {
			path = append(path, PathStep{id, n.Name})
		}
	}
	return path
}

// TreeNode is a node with what is below it.
type TreeNode struct {
	PathStep
	SuspendedAt ident.Node  // as of a Node
	TrashedAt   ident.Node  // as of a Node
	Children    []*TreeNode // partners, then customers, each by name
	Opened      bool        // whether Children were looked for
	// Cut tells why Children are not all there are: CutDepth, CutSize, or "" when they are all.
	Cut string
}

// Why a Tree ends at a node.
const (
	CutDepth = "depth" // the asked depth ends here; there may be children
	CutSize  = "size"  // there are more children than a Tree holds
)

// Tree is the nodes below a node to a depth, nested.
type Tree struct {
	Root  *TreeNode
	Nodes int  // in the tree, the root counted
	Cut   bool // whether any node is cut
}

// Tree returns what lies below a partner, at most MaxTreeDepth levels and maxTree nodes of it. It is read level by
// level: each node is as current as its own read.
func (d *Directory) Tree(ctx context.Context, c Caller, id ident.Node, depth int) (Tree, error) {
	_, node, dec, err := d.Reach(ctx, c, id, access.Read)
	if err != nil {
		return Tree{}, err
	}
	tree := Tree{Root: &TreeNode{PathStep: PathStep{id, node.Name}, SuspendedAt: dec.Place.Top(hierarchy.Suspended),
		TrashedAt: dec.Place.Top(hierarchy.Trashed)}, Nodes: 1}
	opened := 0
	for level := []*TreeNode{tree.Root}; len(level) > 0; depth-- {
		var partners []*TreeNode
		for _, n := range level {
			if hierarchy.KindOf(n.ID) == hierarchy.Partner {
				partners = append(partners, n)
			}
		}
		level = nil
		if depth == 0 || tree.Nodes >= maxTree {
			for _, n := range partners {
				n.Cut, tree.Cut = CutDepth, true
				if depth > 0 {
					n.Cut = CutSize
				}
			}
			break
		}
		for len(partners) > maxOpened-opened {
			partners[len(partners)-1].Cut, tree.Cut = CutSize, true
			partners = partners[:len(partners)-1]
		}
		opened += len(partners)
		found, err := d.open(ctx, partners)
		if err != nil {
			return Tree{}, err
		}
		for i, n := range partners {
			n.Opened = true
			for _, page := range found[i] {
				room := max(0, maxTree-tree.Nodes)
				items := page.Items[:min(len(page.Items), room)]
				if len(items) < len(page.Items) || page.Next != "" {
					n.Cut, tree.Cut = CutSize, true
				}
				for j := range items {
					child := &TreeNode{PathStep: PathStep{items[j].ID, items[j].Name}, SuspendedAt: n.SuspendedAt, TrashedAt: n.TrashedAt}
					if child.SuspendedAt == "" && items[j].Place.Marked(hierarchy.Suspended) {
						child.SuspendedAt = child.ID
					}
					n.Children = append(n.Children, child)
				}
				tree.Nodes += len(items)
			}
			level = append(level, n.Children...)
		}
	}
	return tree, nil
}

// open lists the partners and the customers right below each of these.
func (d *Directory) open(ctx context.Context, partners []*TreeNode) ([][2]Page[hierarchy.Node], error) {
	kinds := [...]hierarchy.Kind{hierarchy.Partner, hierarchy.Customer}
	found := make([][len(kinds)]Page[hierarchy.Node], len(partners))
	err := concurrently(ctx, len(kinds)*len(partners), func(ctx context.Context, i int) (err error) {
		at, kind := i/len(kinds), i%len(kinds)
		found[at][kind], err = d.store.Children(ctx, partners[at].ID, kinds[kind], false, "", maxSiblings)
		return err
	})
	return found, err
}
