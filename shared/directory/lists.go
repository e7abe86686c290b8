package directory

import (
	"cmp"
	"context"
	"slices"
	"strconv"

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
	ids := dec.Place.Path.IDs()[dec.First:]
	known := map[ident.Node]*hierarchy.Node{id: node}
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

// Me is who the caller is and where they begin.
type Me struct {
	ID     ident.Principal
	Name   hierarchy.Name
	Grants []MyGrant
}

// MyGrant is one of the caller's own grants.
type MyGrant struct {
	Node PathStep
	Role access.Role
	Path []PathStep // from where the caller's access begins; only Node unless another grant lies above it
}

// Me returns the caller's grants that count, by the name of their nodes. Those above the caller's bound show as one at it.
func (d *Directory) Me(ctx context.Context, c Caller) (Me, error) {
	v, err := d.Read(ctx, c, Want{})
	if err != nil {
		return Me{}, err
	}
	me, within := Me{ID: c.Principal, Grants: []MyGrant{}}, v.Caller.Within
	if within == "" { // otherwise that they are known elsewhere does not show
		me.Name = v.Caller.Name
	}
	known := map[ident.Node]*hierarchy.Node{}
	granted := make([]ident.Node, 0, len(v.Caller.Grants))
	for id := range v.Caller.Grants {
		granted = append(granted, id)
	}
	if len(granted) == 0 {
		return me, nil
	}
	if within != "" {
		granted = append(granted, within)
	}
	if v, err = d.Read(ctx, c, Want{Nodes: granted}); err != nil {
		return Me{}, err
	}
	paths, roles := map[ident.Node][]ident.Node{}, map[ident.Node]access.Role{}
	var all []ident.Node
	for id, n := range v.Nodes {
		dec, role := access.Decide(v.Caller, &v.Tree, n, access.Read), v.Caller.Grants[id]
		if id == within {
			role = dec.Role
		}
		if dec.Visible() && role != access.None {
			known[id], roles[id] = n, role
			paths[id] = dec.Place.Path.IDs()[dec.First:]
			all = append(all, paths[id]...)
		}
	}
	if err := d.know(ctx, c, known, all); err != nil {
		return Me{}, err
	}
	for id, path := range paths {
		me.Grants = append(me.Grants, MyGrant{PathStep{id, known[id].Name}, roles[id], pathSteps(path, known)})
	}
	if len(me.Grants) > 0 {
		me.Name = v.Caller.Name
	}
	slices.SortFunc(me.Grants, func(a, b MyGrant) int {
		return cmp.Or(cmp.Compare(a.Node.Name.SortKey(), b.Node.Name.SortKey()), cmp.Compare(a.Node.ID, b.Node.ID))
	})
	return me, nil
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

// concurrently calls do for each number below n, several at a time, until the first error. When it returns nothing goes on any more.
func concurrently(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	const atOnce = 8
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, n)
	slots := make(chan struct{}, atOnce)
	for i := range n {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs <- do(ctx, i)
		}()
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	return first
}

// Descendant is a node somewhere below another.
type Descendant struct {
	PathStep
	SuspendedAt ident.Node   // as of a Node
	TrashedAt   ident.Node   // as of a Node
	Path        []ident.Node // from the node that was asked about down to this one
}

// Descendants lists everything below a partner that was not put into the trash below it, or what is of one kind ("": any), in the order of the subtree index. The
// index proposes and the table decides: a node that was made a moment ago may be missing, one that is not there (any
// more) never shows. A page may be short, or empty, and still have a Next.
func (d *Directory) Descendants(ctx context.Context, c Caller, id ident.Node, kind hierarchy.Kind, p Paging) (List[Descendant], error) {
	list, err := d.descend(ctx, c, id, kind, false, p)
	if err != nil {
		return List[Descendant]{}, err
	}
	items := make([]Descendant, len(list.Items))
	for i := range list.Items {
		items[i] = list.Items[i].Descendant
	}
	return List[Descendant]{items, list.Next}, nil
}

// descend lists what lies below a partner, or of that what is in the trash itself.
func (d *Directory) descend(ctx context.Context, c Caller, id ident.Node, kind hierarchy.Kind, trash bool, p Paging) (List[TrashItem], error) {
	sum, after, err := splitCursor(p.Cursor)
	if err != nil {
		return List[TrashItem]{}, err
	}
	name := ListName("descendants", string(id), string(kind), strconv.FormatBool(trash))
	return Retry(func() (none List[TrashItem], err error) {
		v, _, dec, err := d.Reach(ctx, c, id, access.Read)
		if err != nil {
			return none, err
		}
		if err := checkCursor(v.Caller, name, sum, after); err != nil {
			return none, err
		}
		list, after := List[TrashItem]{Items: []TrashItem{}}, after
		scan := scan{d, c, id, kind, trash, dec.Place.Path, v.Tree.Seq, scanned(&v.Tree, dec.Place.Path)}
		for range proposals {
			var found []TrashItem
			if found, after, err = scan.page(ctx, after, min(p.Limit-len(list.Items), readAtOnce)); err != nil {
				return none, err
			}
			list.Items = append(list.Items, found...)
			if after == "" || len(list.Items) >= p.Limit {
				break
			}
		}
		list.Next = signCursor(v.Caller, name, after)
		return list, nil
	})
}

// scan is how Descendants reads the subtree index below top: over all ranges at a time, in the order of real paths, so
// that settling, which takes nodes from one range to another, makes it neither miss a node nor show one twice.
type scan struct {
	d      *Directory
	c      Caller
	id     ident.Node
	kind   hierarchy.Kind
	trash  bool // what is in the trash itself, or what is not
	top    hierarchy.Path
	seq    int64
	ranges []hierarchy.Range
}

// scanned are the ranges to be read for what is below top, top's own as the last: what settling takes away from one while they
// are read is in that one then. Below the root everything is in its own range, which is not in the order of paths.
func scanned(tree *hierarchy.TreeState, top hierarchy.Path) []hierarchy.Range {
	ranges := tree.Ranges(top)
	if top.Depth() == 1 {
		return ranges[:1]
	}
	slices.Reverse(ranges)
	return ranges
}

// page reads on after a position, and returns the next one. A position is what follows top in the real path of a node.
func (s *scan) page(ctx context.Context, after string, limit int) ([]TrashItem, string, error) {
	var proposed []ident.Node
	end := "" // up to where all ranges were read
	for _, r := range s.ranges {
		from, done := enter(r.Canonical, s.top+hierarchy.Path(after))
		if done {
			continue
		}
		page, err := s.d.store.Below(ctx, r.Stored, s.kind, s.trash, from, limit)
		if err != nil {
			return nil, "", err
		}
		if page.Next != "" {
			if at := string(r.Canonical[len(s.top):]) + page.Next; end == "" || at < end {
				end = at
			}
		}
		proposed = append(proposed, page.Items...)
	}
	found, err := s.decide(ctx, proposed)
	if err != nil || len(s.ranges) == 1 {
		return found, end, err
	}
	place := func(n TrashItem) string {
		var p hierarchy.Path
		for _, id := range n.Path[1:] {
			p = p.Child(id)
		}
		return string(p)
	}
	found = slices.DeleteFunc(found, func(n TrashItem) bool { return place(n) <= after || end != "" && place(n) > end })
	slices.SortFunc(found, func(a, b TrashItem) int { return cmp.Compare(place(a), place(b)) })
	found = slices.CompactFunc(found, func(a, b TrashItem) bool { return a.ID == b.ID })
	if len(found) > limit {
		found = found[:limit]
		end = place(found[limit-1])
	}
	return found, end, nil
}

// enter is where to read on in the range whose nodes really are below under, when all up to at has been read; done: nowhere.
func enter(under, at hierarchy.Path) (after string, done bool) {
	if at.Has(under) {
		return string(at[len(under):]), false
	}
	return "", at > under
}

// decide reads what the index proposes and keeps what is below top, and in the trash or not as it is wanted.
func (s *scan) decide(ctx context.Context, proposed []ident.Node) ([]TrashItem, error) {
	var found []TrashItem
	for ids := range slices.Chunk(proposed, readAtOnce) {
		v, err := s.d.Read(ctx, s.c, Want{Nodes: append(slices.Clip(ids), s.id)})
		if err != nil {
			return nil, err
		}
		_, dec, err := v.Decide(s.id, access.Read)
		if err != nil {
			return nil, err
		}
		if dec.Place.Path != s.top || len(s.ranges) > 1 && v.Tree.Seq != s.seq {
			return nil, ErrChanged
		}
		for _, id := range ids {
			n := v.Nodes[id]
			if n == nil {
				continue
			}
			place := v.Tree.Place(n)
			if !place.Path.Has(s.top) || place.Path == s.top || place.Marked(hierarchy.Purged) {
				continue
			}
			trashed := func(m hierarchy.Mark) bool {
				return m.Kind == hierarchy.Trashed && place.Path.Index(m.Node) >= s.top.Depth()
			}
			if own := slices.Contains(place.Marks, hierarchy.Mark{Node: id, Kind: hierarchy.Trashed}); s.trash && own ||
				!s.trash && !slices.ContainsFunc(place.Marks, trashed) {
				found = append(found, TrashItem{Descendant{PathStep{n.ID, n.Name}, place.Top(hierarchy.Suspended), place.Top(hierarchy.Trashed),
					place.Path.IDs()[s.top.Depth()-1:]}, n.Trashed})
			}
		}
	}
	return found, nil
}
