package directorytest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// forest is what happens to subtrees as plain maps. What is purged is out of ids; its parents stay known.
type forest struct {
	ids                  []ident.Node
	parent               map[ident.Node]ident.Node
	name                 map[ident.Node]hierarchy.Name
	height               map[ident.Node]int
	suspended, forbidden map[ident.Node]bool
	trashed              map[ident.Node]time.Time
	clients              []ident.Principal
	grants               map[ident.Principal]map[ident.Node]access.Role
	callers              map[ident.Principal]directory.Caller
	home                 map[ident.Principal]ident.Node
	domains              map[string]ident.Node     // the owners of their brands
	brands               map[string]ident.Brand    // by their domains
	looks                map[string]hierarchy.Name // the names of brands, and their logos, by their domains
	logs                 map[ident.Node][]event.Event
}

func (m *forest) path(n ident.Node) []ident.Node {
	var p []ident.Node
	for ; n != ""; n = m.parent[n] {
		p = append(p, n)
	}
	slices.Reverse(p)
	return p
}

// counts reports whether a grant at n counts.
func (m *forest) counts(n ident.Node) bool { return m.suspendedAt(n) == "" && m.trashedAt(n) == "" }

// roles are the best of the grants at n and above, and of those above.
func (m *forest) roles(c ident.Principal, n ident.Node) (at, above access.Role) {
	for _, id := range m.path(n) {
		if m.counts(id) {
			above, at = at, max(at, m.grants[c][id])
		}
		if id != n {
			above = at
		}
	}
	return at, above
}

func (m *forest) uppermost(n ident.Node, is func(ident.Node) bool) ident.Node {
	path := m.path(n)
	if i := slices.IndexFunc(path, is); i >= 0 {
		return path[i]
	}
	return ""
}

func (m *forest) suspendedAt(n ident.Node) ident.Node {
	return m.uppermost(n, func(id ident.Node) bool { return m.suspended[id] })
}

func (m *forest) inTrash(n ident.Node) bool { _, is := m.trashed[n]; return is }

func (m *forest) trashedAt(n ident.Node) ident.Node { return m.uppermost(n, m.inTrash) }

func (m *forest) mayProvision(n ident.Node) bool {
	return !slices.ContainsFunc(m.path(n), func(id ident.Node) bool { return m.forbidden[id] })
}

// levels are how many there really are below each node.
func (m *forest) levels() map[ident.Node]int {
	below := map[ident.Node]int{}
	for _, id := range m.ids {
		path := m.path(id)
		for i, above := range path {
			below[above] = max(below[above], len(path)-1-i)
		}
	}
	return below
}

// raise makes nodes as high as they have ever been.
func (m *forest) raise(n ident.Node, height int) {
	for ; n != ""; n, height = m.parent[n], height+1 {
		m.height[n] = max(m.height[n], height)
	}
}

// below are the nodes below top, without those that are not seen among them: what is in the trash below top. Or those
// that were put into the trash themselves.
func (m *forest) below(top ident.Node, trash bool) []ident.Node {
	var found []ident.Node
	for _, id := range m.ids {
		path := m.path(id)
		at := slices.Index(path, top)
		if at < 0 || id == top {
			continue
		}
		if trash && m.inTrash(id) || !trash && !slices.ContainsFunc(path[at+1:], m.inTrash) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return found
}

// children are those of one kind that are not in the trash themselves, in their order.
func (m *forest) children(n ident.Node, kind hierarchy.Kind) []ident.Node {
	var found []ident.Node
	for _, id := range m.ids {
		if m.parent[id] == n && hierarchy.KindOf(id) == kind && !m.inTrash(id) {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, func(a, b ident.Node) int {
		return cmp.Or(cmp.Compare(m.name[a].SortKey(), m.name[b].SortKey()), cmp.Compare(a, b))
	})
	return found
}

// allowed is the refusal that an operation at n has to give, nil when it may be done.
func (m *forest) allowed(c ident.Principal, n ident.Node, needs access.Role, fromAbove bool) *fault.Type {
	at, above := m.roles(c, n)
	switch {
	case at == access.None:
		return fault.NotFound
	case at < needs:
		return fault.Forbidden
	case fromAbove && m.parent[n] == "":
		return fault.Root
	case fromAbove && above < needs:
		return fault.NeedsGrantAbove
	}
	return nil
}

// still is the refusal of what does not happen in the trash.
func (m *forest) still(n ident.Node) *fault.Type {
	if m.trashedAt(n) != "" {
		return fault.Trashed
	}
	return nil
}

// live is the refusal of what happens neither in the trash nor below something suspended.
func (m *forest) live(n ident.Node) *fault.Type {
	if m.still(n) == nil && m.suspendedAt(n) != "" {
		return fault.Suspended
	}
	return m.still(n)
}

func first(refusals ...*fault.Type) *fault.Type {
	for _, r := range refusals {
		if r != nil {
			return r
		}
	}
	return nil
}

func (m *forest) moves(c ident.Principal, n, to ident.Node) *fault.Type {
	refusal := first(m.allowed(c, n, access.Admin, true), m.allowed(c, to, access.Admin, false))
	switch {
	case refusal != nil || m.parent[n] == to:
		return refusal
	case slices.Contains(m.path(to), n):
		return fault.MoveIntoItself
	case m.trashedAt(n) != "" || m.trashedAt(to) != "":
		return fault.Trashed
	case len(m.path(to))+1+m.height[n] > hierarchy.MaxDepth:
		return fault.DepthLimit
	}
	return nil
}

// happened notes an event in the logs of all that it is witnessed by.
func (m *forest) happened(e event.Event, before, after []ident.Node) {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(before, after)))) {
		seen := e
		seen.Path, seen.Left = onPath(after, id), ""
		data := fields(e)
		delete(data, "version")
		if slices.Contains([]event.Type{event.PartnerMoved, event.CustomerMoved}, e.Type) {
			seen.Left = onPath(before, id)
			if seen.Path == "" || id == e.Node {
				delete(data, "to")
			}
			if seen.Left == "" || id == e.Node {
				delete(data, "from")
			}
		}
		seen.Data = event.Raw(mustJSON(data))
		m.logs[id] = append(m.logs[id], seen)
		slices.SortFunc(m.logs[id], func(a, b event.Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
	}
}

// fields returns the fields of an event's data, by the names of the API.
func fields(e event.Event) (data map[string]any) {
	if err := json.Unmarshal(mustJSON(e.Data), &data); err != nil {
		panic(err)
	}
	return data
}

func mustJSON(x any) []byte {
	b, err := json.Marshal(x)
	if err != nil {
		panic(err)
	}
	return b
}

// onPath is the path from a node on it down, "" when it is not on it.
func onPath(ids []ident.Node, from ident.Node) (p hierarchy.Path) {
	for i := slices.Index(ids, from); i >= 0 && i < len(ids); i++ {
		p = p.Child(ids[i])
	}
	return p
}

// purge takes a node out with all below it, and what hangs on that. What is left of it in the store is no more to be seen.
func (m *forest) purge(top ident.Node) remains {
	r := remains{since: m.trashed[top]}
	r.nodes = slices.DeleteFunc(slices.Clone(m.ids), func(id ident.Node) bool { return !slices.Contains(m.path(id), top) })
	gone := func(id ident.Node) bool { return slices.Contains(r.nodes, id) }
	m.ids = slices.DeleteFunc(m.ids, gone)
	for _, c := range m.clients {
		if gone(m.home[c]) && m.grants[c][m.home[c]] != access.None { // those without it are the root's then
			r.clients = append(r.clients, c)
		}
	}
	m.clients = slices.DeleteFunc(m.clients, func(c ident.Principal) bool { return slices.Contains(r.clients, c) })
	for _, grants := range m.grants {
		maps.DeleteFunc(grants, func(id ident.Node, _ access.Role) bool { return gone(id) })
	}
	for domain, owner := range m.domains {
		if gone(owner) {
			r.domains = append(r.domains, domain)
		}
	}
	return r
}

// remains is what may be left of something purged until all of it is erased.
type remains struct {
	since   time.Time
	nodes   []ident.Node
	clients []ident.Principal
	domains []string
	walked  bool // by the settling of a change
	erased  bool
}
