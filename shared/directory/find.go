package directory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/word"
)

// finding is a list of what lookups propose, one after the other, and what the table decides on. Lookups know nothing of who may see what
// they propose: each node is read with the caller, and shows if it is within reach now and really is what was looked for. So that nobody can
// measure what is out of their sight, something is read also when nothing is proposed, and positions are sealed.
type finding struct {
	d       *Directory
	c       Caller
	list    string     // the name of the list, for its cursors
	under   ident.Node // only what is at this node or below it; "": all that the caller reaches
	lookups []Lookup
	node    func(n *hierarchy.Node, t word.Term) bool   // whether a node is what is looked for
	person  func(p *access.Principal, t word.Term) bool // whether a person is
	caller  *access.Principal                           // as it was read last
}

// hit is a node that is found, or a person and nodes where they have a role.
type hit struct {
	sight
	person *access.Principal
	roles  []sight
}

// sight is a node as the caller sees it.
type sight struct {
	node  *hierarchy.Node
	place hierarchy.Place
	first int // the position on the path where the caller's sight begins
	under int // the position of finding.under, -1 without one
}

// peopleAtOnce is how many people are looked at together: the nodes of all their roles are read.
const peopleAtOnce = 20

// page reads a page. It can have less than there is room for, or nothing, and not be the last one.
func (f *finding) page(ctx context.Context, p Paging) (List[hit], error) {
	none, list := List[hit]{}, List[hit]{Items: []hit{}}
	nth, after := 0, ""
	if p.Cursor != "" {
		v, err := f.d.Read(ctx, f.c, Want{})
		if err != nil {
			return none, err
		}
		position, err := openCursor(v.Caller, f.list, p.Cursor)
		if err != nil {
			return none, err
		}
		begin, rest, _ := strings.Cut(position, " ")
		if nth, err = strconv.Atoi(begin); err != nil || nth >= len(f.lookups) {
			return none, badCursor()
		}
		after = rest
	}
	end := func(nth int, after string) (List[hit], error) {
		if nth < len(f.lookups) {
			list.Next = sealCursor(f.caller, f.list, strconv.Itoa(nth)+" "+after)
		}
		return list, nil
	}
	type proposed struct {
		nth int
		Found
	}
	for round, size := 1, min(p.Limit, readAtOnce); ; round, size = round+1, readAtOnce {
		var all []proposed
		for nth < len(f.lookups) && len(all) < size {
			most, people := size-len(all), f.lookups[nth].Kind == ident.Person
			if people {
				most = min(most, peopleAtOnce)
			}
			page, err := f.d.store.Find(ctx, f.lookups[nth], after, most)
			if err != nil {
				return none, err
			}
			for _, found := range page.Items {
				all = append(all, proposed{nth, found})
			}
			if after = page.Next; after == "" {
				nth++
			}
			if people {
				break
			}
		}
		ids := make([]Found, len(all))
		for i := range all {
			ids[i] = all[i].Found
		}
		hits, err := f.decide(ctx, ids)
		if err != nil {
			return none, err
		}
		if len(f.caller.Grants) == 0 { // who has only signed in is to cause no work
			return list, nil
		}
		last := 0
		for i, h := range hits {
			if h == nil {
				continue
			}
			if len(list.Items) == p.Limit {
				return end(all[last].nth, all[last].At)
			}
			list.Items, last = append(list.Items, *h), i
		}
		if nth == len(f.lookups) || len(list.Items) == p.Limit || round == proposals {
			return end(nth, after)
		}
	}
}

// decide reads what is proposed, and returns what of it is found: nil for the rest.
func (f *finding) decide(ctx context.Context, proposed []Found) ([]*hit, error) {
	w := Want{Nodes: []ident.Node{cmp.Or(f.under, Nowhere)}}
	for _, p := range proposed {
		if id := ident.Principal(p.ID); id.IsPerson() {
			w.Records = append(w.Records, access.Principals.Ref(id))
		} else {
			w.Nodes = append(w.Nodes, ident.Node(p.ID))
		}
	}
	v, err := f.d.Read(ctx, f.c, w)
	if err != nil {
		return nil, err
	}
	if f.caller = v.Caller; f.under != "" {
		if _, _, err := v.Decide(f.under, access.Read); err != nil {
			return nil, err
		}
	}
	hits := make([]*hit, len(proposed))
	var people []*access.Principal
	for i, p := range proposed {
		if who := access.Principals.In(v.Records, ident.Principal(p.ID)); who != nil && f.person(who, p.Term) {
			hits[i], people = &hit{person: who}, append(people, who)
		} else if n := v.Nodes[ident.Node(p.ID)]; n != nil && f.node(n, p.Term) {
			if s, ok := f.sees(v, n); ok {
				hits[i] = &hit{sight: s}
			}
		}
	}
	if len(people) == 0 {
		return hits, nil
	}
	seen, err := f.whereTheyAre(ctx, people)
	if err != nil {
		return nil, err
	}
	for i, h := range hits {
		if h == nil || h.person == nil {
			continue
		}
		for node := range h.person.Grants {
			if s, ok := seen[node]; ok {
				h.roles = append(h.roles, s)
			}
		}
		if len(h.roles) == 0 {
			hits[i] = nil
		}
	}
	return hits, nil
}

// sees decides about a node that was read with the caller.
func (f *finding) sees(v *View, n *hierarchy.Node) (sight, bool) {
	dec := access.Decide(v.Caller, &v.Tree, n, access.Read)
	under := dec.Place.Path.Index(f.under)
	return sight{n, dec.Place, dec.First, under}, dec.Allowed() && (f.under == "" || under >= 0) && !trashedBelow(dec.Place, under+1)
}

// whereTheyAre returns those of the nodes where people have roles that the caller sees.
func (f *finding) whereTheyAre(ctx context.Context, people []*access.Principal) (map[ident.Node]sight, error) {
	granted := map[ident.Node]bool{}
	for _, p := range people {
		for node := range p.Grants {
			granted[node] = true
		}
	}
	seen := map[ident.Node]sight{}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(granted)), readAtOnce) {
		v, err := f.d.Read(ctx, f.c, Want{Nodes: some})
		if err != nil {
			return nil, err
		}
		for id, n := range v.Nodes {
			if s, ok := f.sees(v, n); ok {
				seen[id] = s
			}
		}
	}
	return seen, nil
}

// trashedBelow reports whether something on a path, from a position on, is in the trash.
func trashedBelow(place hierarchy.Place, from int) bool {
	return slices.ContainsFunc(place.Marks, func(m hierarchy.Mark) bool {
		return m.Kind == hierarchy.Trashed && place.Path.Index(m.Node) >= from
	})
}

// CustomersWith lists the customers right below a partner that have all values that asked has, at least one, each page by name. What it costs depends on how
// many customers on the platform have the longest of these values, and not on how many there are below the partner.
func (d *Directory) CustomersWith(ctx context.Context, c Caller, partner ident.Node, asked hierarchy.Details, p Paging) (List[Node], error) {
	found, err := d.with(ctx, c, "customers", partner, asked, p, func(n *hierarchy.Node) bool { return n.Parent == partner })
	items := make([]Node, len(found.Items))
	for i, h := range found.Items {
		items[i] = seen(h.node, h.place, true)
	}
	slices.SortFunc(items, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Name.SortKey(), b.Name.SortKey()), cmp.Compare(a.ID, b.ID))
	})
	return List[Node]{items, found.Next}, err
}

// DescendantsWith lists the customers at any depth below a partner that have all values that asked has, as CustomersWith does.
func (d *Directory) DescendantsWith(ctx context.Context, c Caller, partner ident.Node, asked hierarchy.Details, p Paging) (List[Descendant], error) {
	found, err := d.with(ctx, c, "descendants", partner, asked, p, func(*hierarchy.Node) bool { return true })
	items := make([]Descendant, len(found.Items))
	for i, h := range found.Items {
		items[i] = Descendant{PathStep{h.node.ID, h.node.Name}, h.place.Top(hierarchy.Suspended), h.place.Top(hierarchy.Trashed), h.place.Path.IDs()[h.under:]}
	}
	return List[Descendant]{items, found.Next}, err
}

// with finds customers below a partner by the longest of the values: the one that the fewest have.
func (d *Directory) with(ctx context.Context, c Caller, what string, partner ident.Node, asked hierarchy.Details, p Paging, wanted func(*hierarchy.Node) bool) (
	List[hit], error) {
	name := []string{what, string(partner)}
	for _, f := range hierarchy.DetailFields {
		name = append(name, *f.At(&asked))
	}
	longest := slices.MaxFunc(asked.Whole(), func(a, b word.Term) int { return cmp.Compare(len(a.Word), len(b.Word)) })
	f := finding{d: d, c: c, list: ListName(name...), under: partner, lookups: []Lookup{{Kind: ident.Customer, Term: longest}},
		node: func(n *hierarchy.Node, _ word.Term) bool { return n.Details.Have(asked) && wanted(n) }}
	return f.page(ctx, p)
}
