package directorytest

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// searches are texts to look for, with those of rangerNames, and "Root", that they find.
var searches = map[string][]hierarchy.Name{
	"ab":      {"ab", "Ab zen", "日本 ab"},
	"ÁB":      {"ab", "Ab zen", "日本 ab"},
	"ze":      {"Zé", "Ab zen", "Zeb zén"},
	"zen":     {"Ab zen", "Zeb zén"},
	"z ab":    {"Ab zen"},
	"日":       {"日本 ab"},
	"a 日本":    {"日本 ab"},
	"本":       {"日本 ab"},
	"本日":      {},
	"b ab":    {},
	"zen ze":  {"Ab zen", "Zeb zén"},
	"abz":     {},
	"root":    {"Root"},
	"root ab": {},
}

// searched compares what somebody finds with what they see. between is done between two pages.
func (r *ranger) searched(c directory.Caller, between func()) {
	text := rapid.SampledFrom(slices.Sorted(maps.Keys(searches))).Draw(r.t, "text")
	parsed, err := directory.ParseSearchText(text)
	r.must(err)
	s := directory.Search{Text: parsed, Kind: rapid.SampledFrom([]directory.ResultKind{"", "", directory.PartnerResult, directory.CustomerResult}).Draw(r.t, "kind")}
	if rapid.Bool().Draw(r.t, "under a node") {
		s.Under = r.node(false)
	}
	var want []string
	for _, id := range r.ids {
		path := r.path(id)
		at := 0
		if s.Under != "" {
			at = slices.Index(path, s.Under)
		}
		role, _ := r.roles(c.Principal, id)
		if at >= 0 && role != access.None && slices.Contains(searches[text], r.name[id]) &&
			(s.Kind == "" || s.Kind == directory.ResultKind(hierarchy.KindOf(id))) {
			if s.Under != "" {
				at++
			}
			if !slices.ContainsFunc(path[at:], r.inTrash) {
				want = append(want, string(id))
			}
		}
	}
	var found []string
	for page := (directory.Paging{Limit: rapid.IntRange(1, 7).Draw(r.t, "limit")}); ; between() {
		list, err := r.d.Search(r.ctx, c, s, page)
		if s.Under != "" {
			if role, _ := r.roles(c.Principal, s.Under); role == access.None {
				if !fault.NotFound.Is(err) {
					r.t.Fatalf("searching under %s: %v; the caller cannot see it", s.Under, err)
				}
				return
			}
		}
		r.must(err)
		for _, n := range list.Items {
			found = append(found, n.ID)
			r.shown(c, n)
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		r.t.Fatalf("%s finds by %q (%+v) %v; want %v", c.Principal, text, s, found, want)
	}
}

// shown compares a result with what its node is: where the path begins, too.
func (r *ranger) shown(c directory.Caller, n directory.Result) {
	id := ident.Node(n.ID)
	path := r.path(id)
	begins := slices.IndexFunc(path, func(id ident.Node) bool { role, _ := r.roles(c.Principal, id); return role != access.None })
	var steps []directory.PathStep
	for _, id := range path[max(begins, 0):] {
		steps = append(steps, directory.PathStep{ID: id, Name: r.name[id]})
	}
	if n.Name != r.name[id] || n.Kind != directory.ResultKind(hierarchy.KindOf(id)) || n.SuspendedAt != r.suspendedAt(id) || n.TrashedAt != r.trashedAt(id) ||
		!slices.Equal(n.Path, steps) {
		r.t.Fatalf("%s is found as %+v; want %s at %v, suspended at %q, trashed at %q", id, n, r.name[id], steps, r.suspendedAt(id), r.trashedAt(id))
	}
}
