package directory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/word"
)

// search finds all of it, in pages.
func (s *shop) search(as directory.Caller, text string, kind directory.ResultKind, under ident.Node, limit int) (all []directory.Result) {
	s.t.Helper()
	parsed, err := directory.ParseSearchText(text)
	if err != nil {
		s.t.Fatalf("%q: %v", text, err)
	}
	for p := (directory.Paging{Limit: limit}); ; {
		list, err := s.d.Search(s.t.Context(), as, directory.Search{Text: parsed, Kind: kind, Under: under}, p)
		if err != nil {
			s.t.Fatalf("%q: %v", text, err)
		}
		if len(list.Items) > limit {
			s.t.Errorf("%q: a page of %d", text, len(list.Items))
		}
		all = append(all, list.Items...)
		if p.Cursor = list.Next; p.Cursor == "" {
			return all
		}
	}
}

// finds is what is found by name, sorted.
func (s *shop) finds(as directory.Caller, text string) string {
	s.t.Helper()
	var names []string
	for _, r := range s.search(as, text, "", "", 50) {
		names = append(names, string(r.Name))
	}
	slices.Sort(names)
	return strings.Join(names, "; ")
}

func TestNodesAreFoundByWhatBeginsTheirWords(t *testing.T) {
	s := newShop(t)
	s.partner(s.a, "Łódź Networks")
	s.customer(s.a, "Straße & Söhne", oneTenant, "VTS-00417", "bordeaux-bakery.example")
	s.customer(s.b, "日本電信", "", "ÄÖ/7", "xn--bcher-kva.example")
	s.customer(s.b, "شركة محمد للاتصالات", "", "", "")
	s.customer(s.c, "O'Brien Zoë", anotherTenant, "Łódź", "")
	s.customer(s.e, "Out of sight Łódź", oneTenant, "VTS-00417", "bordeaux-bakery.example")
	viewer := s.client(s.a, access.Viewer)
	for text, want := range map[string]string{
		"lod":                      "O'Brien Zoë; Łódź Networks",
		"ŁÓDŹ":                     "O'Brien Zoë; Łódź Networks",
		"lodz net":                 "Łódź Networks",
		"net lodz":                 "Łódź Networks",
		"n lodz":                   "Łódź Networks",
		"lodz x":                   "",
		"strass":                   "Straße & Söhne",
		"STRAßE sohne":             "Straße & Söhne",
		"  söhne,  straße. ":       "Straße & Söhne",
		"zoe\u0308":                "O'Brien Zoë",
		"o'brien":                  "O'Brien Zoë",
		"日本":                       "日本電信",
		"電信":                       "日本電信",
		"信":                        "日本電信",
		"本電信":                      "日本電信",
		"電本":                       "",
		"مُحَمَّد":                 "شركة محمد للاتصالات",
		"vts-00417":                "Straße & Söhne",
		"00417":                    "Straße & Söhne",
		"vts 004":                  "Straße & Söhne",
		"ao/7":                     "日本電信",
		"bordeaux":                 "Straße & Söhne",
		"bordeaux-bakery.example":  "Straße & Söhne",
		"bakery":                   "Straße & Söhne",
		"bücher":                   "日本電信",
		"xn--bcher-kva.example":    "日本電信",
		"straße bakery":            "Straße & Söhne",
		oneTenant:                  "Straße & Söhne",
		strings.ToUpper(oneTenant): "Straße & Söhne",
		oneTenant[:8]:              "Straße & Söhne",
		oneTenant[:13]:             "Straße & Söhne",
		oneTenant + " 00417":       "Straße & Söhne",
		"out of sight":             "",
	} {
		if got := s.finds(viewer, text); got != want {
			t.Errorf("%q finds %q; want %q", text, got, want)
		}
	}
	for _, r := range s.search(viewer, "VTS-00417", "", "", 50) {
		if r.Kind != directory.CustomerResult || r.Details.Tenant != oneTenant || r.Details.Reference != "VTS-00417" || r.Details.Domain != "bordeaux-bakery.example" {
			t.Errorf("found as %+v", r)
		}
	}
	for _, text := range []string{"", " ", "a", "a b c", "-", "é", "ひ", "o ' b", strings.Repeat("ab ", 67)} {
		if _, err := directory.ParseSearchText(text); err == nil {
			t.Errorf("%q can be looked for", text)
		}
	}
	if _, err := directory.ParseSearchText(strings.Repeat("日", directory.MaxSearch)); err != nil {
		t.Errorf("of so many characters: %v", err)
	}
}

func TestSearchGoesThroughAllGrantsAndStaysBelowThem(t *testing.T) {
	s := newShop(t)
	in, out := s.customer(s.c, "Zebra in c", "", "", ""), s.customer(s.b, "Zebra in b", "", "", "")
	other := s.customer(s.e, "Zebra in e", "", "", "")
	both := s.client(s.c, access.Viewer)
	if _, err := s.d.GrantRole(t.Context(), s.founder, both.Principal, s.e, access.Viewer); err != nil {
		t.Fatal(err)
	}
	found := s.search(both, "zebra", "", "", 50)
	slices.SortFunc(found, func(a, b directory.Result) int { return strings.Compare(string(a.Name), string(b.Name)) })
	if len(found) != 2 || found[0].ID != string(in.ID) || found[1].ID != string(other.ID) {
		t.Fatalf("found %+v; out of sight is %s", found, out.ID)
	}
	if !slices.Equal(found[0].Path, []directory.PathStep{{ID: s.c, Name: "c"}, {ID: in.ID, Name: "Zebra in c"}}) {
		t.Errorf("its path is %v", found[0].Path)
	}
	text, _ := directory.ParseSearchText("zebra")
	for _, under := range []ident.Node{s.root, s.b, out.ID, directory.Nowhere} {
		if _, err := s.d.Search(t.Context(), both, directory.Search{Text: text, Under: under}, directory.Paging{Limit: 5}); !fault.NotFound.Is(err) {
			t.Errorf("under %s: %v", under, err)
		}
	}
	if found := s.search(both, "zebra", "", s.e, 5); len(found) != 1 || found[0].ID != string(other.ID) {
		t.Errorf("under e: %+v", found)
	}
	if found := s.search(both, "zebra", "", in.ID, 5); len(found) != 1 || found[0].ID != string(in.ID) {
		t.Errorf("under itself: %+v", found)
	}
	// Who has only signed in causes one batch of reads, and finds nothing.
	before := len(s.Calls())
	stranger := directory.Caller{Principal: ident.PersonOf("tenant", "object"), Session: clocktest.Start()}
	if found := s.search(stranger, "zebra", "", "", 5); len(found) > 0 || len(s.Calls())-before > 4 {
		t.Errorf("a stranger found %v by %v", found, s.Calls()[before:])
	}
}

// Whoever sees little of what has a word gets short pages, and all of it.
func TestAllPagesTogetherHaveEachResultOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	words := []string{"Alpha", "Alphabet", "Alpine", "Älpchen", "Beta", "日本", "日光", "Gamma"}
	s := newShop(t)
	at := []ident.Node{s.a, s.b, s.c, s.e, s.e, s.e, s.e}
	want := map[string]int{}
	for i := range 500 {
		name := words[random.IntN(len(words))] + " " + words[random.IntN(len(words))] + fmt.Sprint(" ", i)
		parent := at[random.IntN(len(at))]
		n := ""
		if random.IntN(4) == 0 {
			n = string(s.partner(parent, hierarchy.Name(name)))
		} else {
			n = string(s.customer(parent, hierarchy.Name(name), "", "", "").ID)
		}
		if parent != s.e && strings.Contains(strings.ToLower(strings.ReplaceAll(name, "Ä", "A")), "alp") {
			want[n]++
		}
	}
	viewer := s.client(s.a, access.Viewer)
	for _, limit := range []int{1, 3, 20, 50} {
		got := map[string]int{}
		kinds := ""
		for _, r := range s.search(viewer, "alp", "", "", limit) {
			got[r.ID]++
			kinds += string(r.Kind[:1])
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d a page: %d found; want %d: %v", limit, len(got), len(want), got)
		}
		if strings.Contains(kinds, "cp") {
			t.Errorf("partners come first: %s", kinds)
		}
	}
	if kinds := s.search(viewer, "alp", directory.PartnerResult, "", 50); slices.ContainsFunc(kinds, func(r directory.Result) bool { return r.Kind != directory.PartnerResult }) {
		t.Errorf("partners alone: %+v", kinds)
	}
}

func TestASearchCursorBelongsToOneSearch(t *testing.T) {
	s := newShop(t)
	for i := range 9 {
		s.customer(s.a, hierarchy.Name(fmt.Sprint("Zebra ", i)), "", "", "")
	}
	viewer, other := s.client(s.a, access.Viewer), s.client(s.a, access.Viewer)
	search := func(as directory.Caller, text string, kind directory.ResultKind, under ident.Node, cursor string) (directory.List[directory.Result], error) {
		parsed, err := directory.ParseSearchText(text)
		if err != nil {
			t.Fatal(err)
		}
		return s.d.Search(t.Context(), as, directory.Search{Text: parsed, Kind: kind, Under: under}, directory.Paging{Limit: 2, Cursor: cursor})
	}
	first, err := search(viewer, "zebra", "", "", "")
	if err != nil || first.Next == "" || strings.Contains(decode(t, first.Next), string(word.Fold("zebra"))[8:]) {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, err := search(viewer, "ZEBRA", "", "", first.Next); err != nil {
		t.Errorf("the same words: %v", err)
	}
	for what, try := range map[string]func() (directory.List[directory.Result], error){
		"another caller": func() (directory.List[directory.Result], error) { return search(other, "zebra", "", "", first.Next) },
		"another word":   func() (directory.List[directory.Result], error) { return search(viewer, "zeb", "", "", first.Next) },
		"another kind": func() (directory.List[directory.Result], error) {
			return search(viewer, "zebra", directory.CustomerResult, "", first.Next)
		},
		"another place": func() (directory.List[directory.Result], error) { return search(viewer, "zebra", "", s.a, first.Next) },
	} {
		if _, err := try(); !fault.InvalidCursor.Is(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// people are who is found, as "name: role at node, role at node; name: …", sorted.
func (s *shop) people(as directory.Caller, text string, under ident.Node, limit int) string {
	s.t.Helper()
	var all []string
	for _, r := range s.search(as, text, directory.PersonResult, under, limit) {
		var roles []string
		for _, g := range r.Roles {
			roles = append(roles, fmt.Sprint(g.Role, " at ", g.Path))
		}
		all = append(all, fmt.Sprint(r.Name, ": ", strings.Join(roles, ", ")))
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

func TestPeopleAreFoundWhereTheyHaveRoles(t *testing.T) {
	s := newShop(t)
	named := func(name string, tenant string) credential.SignedIn {
		who := guest(strings.ReplaceAll(strings.ToLower(name), " ", "."), s.now)
		who.Name, who.Tenant = name, tenant
		return who
	}
	member(s.Fake, named("Alice Łe Page", oneTenant), map[ident.Node]access.Role{s.b: access.Admin, s.c: access.Viewer, s.e: access.Owner})
	member(s.Fake, named("Alina Out", oneTenant), map[ident.Node]access.Role{s.e: access.Owner, s.root: access.Viewer})
	member(s.Fake, named("Bob Alison", anotherTenant), map[ident.Node]access.Role{s.x: access.Operator})
	viewer, inC := s.client(s.a, access.Viewer), s.client(s.c, access.Viewer)
	step := func(ids ...ident.Node) (path []directory.PathStep) {
		names := map[ident.Node]hierarchy.Name{s.root: "Root", s.a: "a", s.b: "b", s.c: "c", s.e: "e", s.x: "x"}
		for _, id := range ids {
			path = append(path, directory.PathStep{ID: id, Name: names[id]})
		}
		return path
	}
	inB, inCToo := fmt.Sprint("admin at ", step(s.a, s.b)), fmt.Sprint("viewer at ", step(s.a, s.b, s.c))
	bob := fmt.Sprint("Bob Alison: operator at ", step(s.a, s.b, s.x))
	for text, want := range map[string]string{
		"ali":                          "Alice Łe Page: " + inB + ", " + inCToo + "; " + bob,
		"alice le":                     "Alice Łe Page: " + inB + ", " + inCToo,
		"alice out":                    "",
		"ALICE.ŁE.page@example.com":    "Alice Łe Page: " + inB + ", " + inCToo,
		"alice.łe.page@example.com li": "",
		"alice.łe.page@example.com le": "Alice Łe Page: " + inB + ", " + inCToo,
		"alice.łe.page@example.co":     "",
		"example":                      "",
		"alina":                        "",
		"alina.out@example.com":        "",
		"bob.alison@example.com":       bob,
		"alice.łe.page@example.com bob.alison@example.com": "",
	} {
		for _, limit := range []int{1, 50} {
			if got := s.people(viewer, text, "", limit); got != want {
				t.Errorf("%q finds %q; want %q", text, got, want)
			}
		}
	}
	if got, want := s.people(viewer, "ali", s.c, 5), "Alice Łe Page: "+inCToo; got != want {
		t.Errorf("under c: %q; want %q", got, want)
	}
	if got, want := s.people(viewer, "ali", s.x, 5), bob; got != want {
		t.Errorf("under x: %q; want %q", got, want)
	}
	if got, want := s.people(inC, "ali", "", 5), fmt.Sprint("Alice Łe Page: viewer at ", step(s.c)); got != want {
		t.Errorf("in c: %q; want %q", got, want)
	}
	if r := s.search(viewer, "alison", "", "", 5); len(r) != 1 || r[0].Tenant != anotherTenant || r[0].Kind != directory.PersonResult {
		t.Errorf("among everything: %+v", r)
	}

	// A role that is gone is not found, nor somebody without any.
	if err := s.d.SetRole(t.Context(), s.founder, s.b, named("Alice Łe Page", oneTenant).Principal(), access.None); err != nil {
		t.Fatal(err)
	}
	if got, want := s.people(viewer, "alice", "", 5), "Alice Łe Page: "+inCToo; got != want {
		t.Errorf("after a role was taken away: %q; want %q", got, want)
	}
	s.trash(s.c)
	if got := s.people(viewer, "alice", "", 5); got != "" {
		t.Errorf("in the trash: %q", got)
	}
	if err := s.d.SetRole(t.Context(), s.founder, s.x, named("Bob Alison", anotherTenant).Principal(), access.None); err != nil {
		t.Fatal(err)
	}
	left, err := s.Find(t.Context(), directory.Lookup{Kind: ident.Person, Term: word.Term{Word: word.Fold("alis")}, Begins: true}, "", 5)
	if err != nil || len(left.Items) > 0 {
		t.Errorf("without a role they leave %+v, %v", left, err)
	}
	if got, want := s.people(s.founder, "alice", "", 5), fmt.Sprint("Alice Łe Page: owner at ", step(s.root, s.e)); got != want {
		t.Errorf("what is left: %q; want %q", got, want)
	}
}

func TestPeopleAreFoundByTheNameThatTheyHaveNow(t *testing.T) {
	s := newShop(t)
	who := guest("ann", s.now)
	member(s.Fake, who, map[ident.Node]access.Role{s.b: access.Viewer})
	who.Name, who.Email = "Anna Quarry", "anna@example.com"
	if err := s.d.Greet(t.Context(), who, "req"); err != nil {
		t.Fatal(err)
	}
	for text, many := range map[string]int{"ann": 1, "anna": 1, "quarry": 1, "anna@example.com": 1, "ann@example.com": 0} {
		if got := s.search(s.founder, text, directory.PersonResult, "", 5); len(got) != many {
			t.Errorf("%q finds %+v; want %d", text, got, many)
		}
	}
}

// The dearest renaming, of somebody with all the roles and words that there can be, fits a transaction, and so does the dearest acceptance.
func TestWhoeverHasAllTheRolesIsRenamed(t *testing.T) {
	s := newParty(t)
	grants, deepest := map[ident.Node]access.Role{}, s.c
	for len(grants) < access.MaxGrants-1 {
		grants[s.partner(s.e, hierarchy.Name(fmt.Sprint("p", len(grants))))] = access.Viewer
	}
	for range hierarchy.MaxDepth - 4 {
		deepest = s.partner(deepest, "deep")
	}
	name := func(letter string) string {
		words := ""
		for i := range 20 {
			words += letter + string(rune('a'+i)) + " "
		}
		return words
	}
	who := guest("ann", s.now)
	who.Name = name("x")
	member(s.Fake, who, grants)
	who.Name = name("y")
	i := s.invite(s.admin, deepest, who.Email, access.Viewer)
	if _, err := s.d.AcceptInvitation(t.Context(), who, s.token(i), "req"); err != nil {
		t.Fatalf("accepting: %v", err)
	}
	who.Email = "other@example.com"
	if err := s.d.Greet(t.Context(), who, "req"); err != nil {
		t.Fatalf("renaming: %v", err)
	}
	if found := s.search(s.founder, "yb", directory.PersonResult, "", 5); len(found) != 1 || len(found[0].Roles) != access.MaxGrants {
		t.Errorf("found %+v", found)
	}
	if found := s.search(s.founder, "xb", directory.PersonResult, "", 5); len(found) != 0 {
		t.Errorf("by the name that they had: %+v", found)
	}
}

// People are found as a plain model says, while the tree changes around them.
func TestPeopleAreFoundAsAModelSays(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newShop(t)
		nodes := []ident.Node{s.root, s.a, s.b, s.c, s.e, s.x}
		names := []string{"Ann Quarry", "Anna", "日本 Ann", "Quentin"}
		type somebody struct {
			name   string
			grants map[ident.Node]access.Role
		}
		var all []somebody
		for i := range rapid.IntRange(0, 8).Draw(r, "people") {
			p := somebody{rapid.SampledFrom(names).Draw(r, "name"), map[ident.Node]access.Role{}}
			for _, at := range rapid.SliceOfNDistinct(rapid.SampledFrom(nodes), 1, 4, rapid.ID).Draw(r, "roles at") {
				p.grants[at] = access.Role(rapid.IntRange(int(access.Viewer), int(access.Owner)).Draw(r, "role"))
			}
			who := guest(fmt.Sprint("p", i), s.now)
			who.Name = p.name
			member(s.Fake, who, p.grants)
			all = append(all, p)
		}
		as := s.client(rapid.SampledFrom(nodes).Draw(r, "the caller at"), access.Viewer)
		for range rapid.IntRange(0, 3).Draw(r, "changes") {
			id, to := rapid.SampledFrom(nodes[1:]).Draw(r, "node"), rapid.SampledFrom(nodes[:5]).Draw(r, "to")
			switch rapid.IntRange(0, 2).Draw(r, "what") {
			case 0:
				s.d.Move(t.Context(), s.founder, id, to) // what may not be is not
			case 1:
				s.d.Suspend(t.Context(), s.founder, id, "x")
			case 2:
				s.d.Trash(t.Context(), s.founder, id)
			}
		}
		got, err := s.Read(t.Context(), directory.Want{Nodes: nodes, Records: access.Principals.Refs(as.Principal)})
		if err != nil {
			r.Fatal(err)
		}
		caller, text := access.Principals.In(got.Records, as.Principal), rapid.SampledFrom([]string{"ann", "qu", "anna", "日本", "ann qu"}).Draw(r, "text")
		finds := map[string][]string{"ann": names[:3], "qu": {names[0], names[3]}, "anna": {names[1]}, "日本": {names[2]}, "ann qu": {names[0]}}[text]
		want := map[string]int{}
		for _, p := range all {
			var roles []string
			for at, role := range p.grants {
				dec := access.Decide(caller, &got.Tree, got.Nodes[at], access.Read)
				if slices.Contains(finds, p.name) && dec.Allowed() && !dec.Place.Marked(hierarchy.Trashed) {
					roles = append(roles, fmt.Sprint(at, role))
				}
			}
			if slices.Sort(roles); len(roles) > 0 {
				want[fmt.Sprint(p.name, roles)]++
			}
		}
		found := map[string]int{}
		for _, hit := range s.search(as, text, directory.PersonResult, "", rapid.IntRange(1, 3).Draw(r, "limit")) {
			var roles []string
			for _, g := range hit.Roles {
				roles = append(roles, fmt.Sprint(g.Node.ID, g.Role))
			}
			slices.Sort(roles)
			found[fmt.Sprint(hit.Name, roles)]++
		}
		if fmt.Sprint(found) != fmt.Sprint(want) {
			r.Fatalf("%q finds %v; want %v", text, found, want)
		}
	})
}
