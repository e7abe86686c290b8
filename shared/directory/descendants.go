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
			if own := slices.Contains(place.Marks, hierarchy.Mark{Node: id, Kind: hierarchy.Trashed}); s.trash && own ||
				!s.trash && !trashedBelow(place, s.top.Depth()) {
				found = append(found, TrashItem{Descendant{PathStep{n.ID, n.Name}, place.Top(hierarchy.Suspended), place.Top(hierarchy.Trashed),
					place.Path.IDs()[s.top.Depth()-1:]}, n.Trashed})
			}
		}
	}
	return found, nil
}
