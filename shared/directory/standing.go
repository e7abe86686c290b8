package directory

import (
	"context"
	"slices"
	"sync"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Standing is a node with how the caller stands to it.
type Standing struct {
	Node  Node
	Path  []PathStep  // the Partner Path: from where the caller's access begins down to the node
	Role  access.Role // of the caller at the node
	Above access.Role // the caller's highest role that was not granted at the node itself
}

// May returns nil when the caller may do the action at the node, and otherwise the error that refuses the action.
func (s *Standing) May(a access.Action) error {
	d := access.Decision{Action: a, Role: s.Role, Above: s.Above, Place: s.Node.Place}
	return d.Err()
}

// Standing returns how the caller stands to a node.
func (d *Directory) Standing(ctx context.Context, c Caller, id ident.Node) (Standing, error) {
	_, node, dec, err := d.Reach(ctx, c, id, access.Read)
	if err != nil {
		return Standing{}, err
	}
	path, err := d.pathFrom(ctx, c, node, dec)
	if err != nil {
		return Standing{}, err
	}
	s := Standing{Node: seenBy(node, dec), Path: path, Role: dec.Role, Above: dec.Above}
	s.Node.Place = dec.Place
	return s, nil
}

// OneLook returns a Directory for one request that changes nothing. What the request has read together is not read again: so a page that is
// made by several operations decides all of them on the same state, at the price of one read.
func (d *Directory) OneLook() *Directory { return &Directory{&oneLook{Store: d.store}, d.now} }

// oneLook remembers what was read.
type oneLook struct {
	Store
	mu   sync.Mutex
	seen []look
}

type look struct {
	want Want
	got  Got
}

// Read implements Store. It answers from a former read that had everything that is wanted now: what was read at different times is not mixed.
func (s *oneLook) Read(ctx context.Context, w Want) (Got, error) {
	s.mu.Lock()
	for _, l := range s.seen {
		if l.has(w) {
			s.mu.Unlock()
			return l.got, nil
		}
	}
	s.mu.Unlock()
	got, err := s.Store.Read(ctx, w)
	if err == nil {
		s.mu.Lock()
		s.seen = append(s.seen, look{w, got})
		s.mu.Unlock()
	}
	return got, err
}

func (l *look) has(w Want) bool {
	return !slices.ContainsFunc(w.Nodes, func(id ident.Node) bool { return !slices.Contains(l.want.Nodes, id) }) &&
		!slices.ContainsFunc(w.Records, func(r record.Ref) bool { return !slices.Contains(l.want.Records, r) })
}

// Extent is how many nodes lie below a node, as the subtree index has them: it is behind by an unknown time, and counts what lies below
// something in the trash.
type Extent struct {
	Partners, Customers int
	More                bool // there are more than were counted
}

// Bounds of what Extent counts of each kind.
const (
	countAtOnce = 1000
	countPages  = 10
)

// Extent counts the nodes below a node that are not in the trash themselves.
func (d *Directory) Extent(ctx context.Context, c Caller, id ident.Node) (Extent, error) {
	v, _, dec, err := d.Reach(ctx, c, id, access.Read)
	if err != nil || hierarchy.KindOf(id) == hierarchy.Customer {
		return Extent{}, err
	}
	var e Extent
	counts := []struct {
		kind hierarchy.Kind
		n    *int
		more bool
	}{{hierarchy.Partner, &e.Partners, false}, {hierarchy.Customer, &e.Customers, false}}
	err = concurrently(ctx, len(counts), func(ctx context.Context, i int) error {
		k := &counts[i]
		for _, r := range scanned(&v.Tree, dec.Place.Path) {
			after := ""
			for page := 0; page == 0 || after != ""; page++ {
				if page == countPages {
					k.more = true
					break
				}
				found, err := d.store.Below(ctx, r.Stored, k.kind, false, after, countAtOnce)
				if err != nil {
					return err
				}
				*k.n += len(found.Items)
				after = found.Next
			}
		}
		return nil
	})
	e.More = counts[0].more || counts[1].more
	return e, err
}
