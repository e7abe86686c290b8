package directory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
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
	if found := s.search(stranger, "zebra", "", "", 5); len(found) > 0 || len(s.Calls())-before > 3 {
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
