package directorytest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// What the contract says of records, lists and counts.

// Unset are the exported fields of a struct that have no value, those of what it holds included.
func Unset(v any) []string { return unset("", reflect.ValueOf(v)) }

func unset(name string, v reflect.Value) (all []string) {
	switch {
	case v.IsZero():
		return []string{name}
	case v.Kind() == reflect.Pointer:
		return unset(name, v.Elem())
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				all = append(all, unset(name+"."+f.Name, v.Field(i))...)
			}
		}
	}
	return all
}

// Fill gives every exported field of a struct a value of its own, and every list and map two. It panics for what it has no value for.
func Fill(v any) { filler{new(int)}.fill(reflect.ValueOf(v).Elem()) }

// filler has how many values it has given.
type filler struct{ n *int }

func (f filler) fill(v reflect.Value) {
	*f.n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(then.Add(time.Duration(*f.n) * time.Hour).Truncate(time.Second)))
		return
	case access.Role:
		v.Set(reflect.ValueOf(access.Operator))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("v" + strconv.Itoa(*f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*f.n))
	case reflect.Uint8:
		v.SetUint(uint64(*f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key)
			f.fill(value)
			v.SetMapIndex(key, value)
		}
	default:
		panic("no value for a " + v.Type().String())
	}
}

// notKept are the fields of records that are not kept, with the reason.
var notKept = map[string]string{
	"principal.Within":   "it bounds a principal in one request",
	"memo.ID":            "it is what a memo is read by: the reader knows it",
	"invitation.Problem": "it is found out when an invitation is read",
}

// keepsFields gives every field of every kind of records of the product a value, and reads it back: also from lists.
func keepsFields(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	for _, kind := range record.Kinds() {
		rec := record.Empty(kind, "one")
		Fill(rec)
		for name := range notKept {
			if of, field, _ := strings.Cut(name, "."); of == kind {
				reflect.ValueOf(rec).Elem().FieldByName(field).SetZero()
			}
		}
		s.refs = append(s.refs, rec.Ref())
		s.commits(directory.Put{Now: rec, Else: errElse})
		got := s.read(directory.Want{Records: []record.Ref{rec.Ref()}}).Records[rec.Ref()]
		same(t, "a "+kind, got, rec)
		for _, e := range rec.Lists() {
			page, err := store.List(t.Context(), e.Node, e.List, "", 100)
			i := slices.IndexFunc(page.Items, func(l directory.Listed) bool { return l.At == e.At })
			if err != nil || i < 0 {
				t.Errorf("a %s in the list %s: %+v, %v", kind, e.List.Name, page, err)
				continue
			}
			same(t, "a "+kind+" in the list "+e.List.Name, page.Items[i].Fields, must(record.Encode(kind, e.Show.Code)))
		}
	}
	grant := access.Grant{Node: s.root.ID, Principal: "cli_0000000000000000"}
	Fill(&grant)
	shown, err := access.GrantsAt.Decode(grant.Node, string(grant.Principal), must(record.Encode("grant", grant.Code)))
	same(t, "a grant", shown, grant)
	same(t, "its error", err, error(nil))
}

func putsRecords(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	g := s.newGadget()
	read := func() *gadget { return gadgets.In(s.read(directory.Want{Records: s.refs}).Records, g.ID) }
	second := g.next(func(g *gadget) {
		g.Text, g.Part, g.Few = "second", &part{"p"}, map[ident.Node]time.Time{"": then, s.root.ID: then}
	})
	s.refuses(errElse, directory.Put{Was: g, Now: second, Else: errElse})
	s.commits(directory.Put{Now: g, Else: errElse})
	s.refuses(errElse, directory.Put{Now: g, Else: errElse})
	s.refuses(errElse, directory.Put{Now: second, Else: errElse})
	s.commits(directory.Put{Was: g, Now: second, Else: errElse})
	same(t, "after an edit", read(), second)
	s.refuses(errElse, directory.Put{Was: g, Now: second, Else: errElse})
	newer := second.next(func(*gadget) {})
	s.refuses(errElse, directory.Put{Was: newer, Now: newer.next(func(*gadget) {}), Else: errElse})
	third := second.next(func(g *gadget) { g.Text, g.Part, g.Few = "", nil, nil })
	s.commits(directory.Put{Was: second, Now: third, Else: errElse})
	same(t, "after fields were taken away", read(), third)
	s.commits(directory.Put{Now: g, Any: true})
	same(t, "after it was written over, whatever it was", read(), g)
	other := s.newGadget()
	wrong := func(what string, steps ...directory.Step) {
		t.Helper()
		before := s.all()
		if err := store.Commit(t.Context(), steps...); err == nil || errors.Is(err, errElse) {
			t.Errorf("%s: %v", what, err)
		}
		if d := difference(s.all(), before); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	wrong("over another record", directory.Put{Was: g, Now: other, Else: errElse})
	wrong("twice in one transaction", directory.Put{Now: other, Else: errElse}, directory.Put{Now: other, Any: true})
	other.Must = ""
	wrong("without what it must have", directory.Put{Now: other, Else: errElse})
}

func putsOverExpired(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	g := s.newGadget()
	g.Expires = then.Truncate(time.Second).Add(time.Hour)
	put := func(at time.Time) directory.Put {
		return directory.Put{Now: g.next(func(now *gadget) { now.Text = at.String() }), At: at, Else: errElse}
	}
	s.commits(directory.Put{Now: g, At: then, Else: errElse})
	s.refuses(errElse, put(then))
	s.refuses(errElse, put(g.Expires.Add(-time.Microsecond)))
	s.refuses(errElse, directory.Put{Now: g, Else: errElse}) // without a time it is there
	s.commits(put(g.Expires))
	same(t, "after it had expired", gadgets.In(s.read(directory.Want{Records: s.refs}).Records, g.ID), put(g.Expires).Now)
	k := &keepsake{ID: g.ID, Version: 1}
	s.commits(directory.Put{Now: k, At: then, Else: errElse})
	s.refuses(errElse, directory.Put{Now: k, At: then.AddDate(1000, 0, 0), Else: errElse})
}

func removesRecords(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	g := s.newGadget()
	g.Kept, g.Unlisted, g.Deleted = s.root.ID, s.root.ID, s.root.ID
	s.refuses(errElse, directory.Remove{Was: g, Else: errElse})
	s.commits(directory.Put{Now: g, Else: errElse})
	s.refuses(errElse, directory.Remove{Was: g.next(func(*gadget) {}), Else: errElse})
	s.commits(directory.Remove{Was: g, Else: errElse})
	all := s.all()
	if len(all.Got.Records) > 0 || len(all.Listed[s.root.ID]) > 0 {
		t.Errorf("left are %v and %v", all.Got.Records, all.Listed)
	}
	s.refuses(errElse, directory.Remove{Was: g, Else: errElse})
	s.commits(directory.Remove{Was: g, Any: true})
	s.commits(directory.Put{Now: g, Else: errElse})
	s.commits(directory.Remove{Was: g, Any: true})
	same(t, "records", s.all().Got.Records, record.Set{})
}

func listsRecords(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	a, b := s.add(s.root, s.partnerBelow(s.root, "A")).ID, s.add(s.root, s.partnerBelow(s.root, "B")).ID
	at := func(l record.List[gadget, *gadget], node ident.Node) (ids []string) {
		for _, g := range pages(t, 10, func(after string, limit int) (directory.Page[gadget], error) {
			return directory.ListAt(t.Context(), store, l, node, after, limit)
		}) {
			ids = append(ids, g.Text)
		}
		return ids
	}
	expect := func(what string, kept, unlisted, deleted [2][]string) {
		t.Helper()
		same(t, what, [3][2][]string{{at(gadgetsKept, a), at(gadgetsKept, b)}, {at(gadgetsUnlisted, a), at(gadgetsUnlisted, b)},
			{at(gadgetsDeleted, a), at(gadgetsDeleted, b)}}, [3][2][]string{kept, unlisted, deleted})
	}
	first := s.newGadget()
	first.Text, first.Kept, first.Unlisted, first.Deleted = "first", a, a, b
	s.commits(directory.Put{Now: first, Else: errElse})
	expect("once", [2][]string{{"first"}}, [2][]string{{"first"}}, [2][]string{nil, {"first"}})
	moved := first.next(func(g *gadget) { g.Text, g.Kept, g.Unlisted = "moved", b, "" })
	s.commits(directory.Put{Was: first, Now: moved, Else: errElse})
	expect("moved", [2][]string{nil, {"moved"}}, [2][]string{}, [2][]string{nil, {"moved"}})
	s.refuses(errElse, directory.Put{Was: first, Now: first.next(func(g *gadget) { g.Kept = a }), Else: errElse})
	// A position in a list may change as well.
	later := moved.next(func(g *gadget) { g.Text, g.Created = "later", then.Add(time.Hour) })
	s.commits(directory.Put{Was: moved, Now: later, Else: errElse})
	expect("at another time", [2][]string{nil, {"later"}}, [2][]string{}, [2][]string{nil, {"later"}})
}

func pagesRecords(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	var all []*gadget
	for i := range 7 {
		g := s.newGadget()
		g.Text, g.Created = strconv.Itoa(i), then.Add(time.Duration(i/2)*time.Microsecond)
		g.Kept, g.Unlisted = s.root.ID, s.root.ID
		all = append(all, g)
		s.commits(directory.Put{Now: g, Else: errElse})
	}
	want := func(before func(a, b *gadget) int) (texts []string) {
		for _, g := range slices.SortedFunc(slices.Values(all), before) {
			texts = append(texts, g.Text)
		}
		return texts
	}
	position := func(g *gadget) string { return record.Time(g.Created) + "#" + g.ID }
	compare := func(a, b string) int {
		if a < b {
			return -1
		}
		return 1
	}
	for _, limit := range []int{1, 2, 3, 7, 8} {
		for l, want := range map[*record.List[gadget, *gadget]][]string{
			&gadgetsKept:     want(func(a, b *gadget) int { return compare(a.ID, b.ID) }),
			&gadgetsUnlisted: want(func(a, b *gadget) int { return compare(position(b), position(a)) }),
		} {
			var got []string
			for _, g := range pages(t, limit, func(after string, limit int) (directory.Page[gadget], error) {
				return directory.ListAt(t.Context(), store, *l, s.root.ID, after, limit)
			}) {
				got = append(got, g.Text)
			}
			same(t, fmt.Sprint(l.Name, " in pages of ", limit), got, want)
		}
	}
}

// counts takes days as they are in UTC.
func counts(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	late := time.Date(2026, 3, 5, 0, 30, 0, 0, time.FixedZone("", 3600)) // the 4th, in UTC
	early, next := late.Add(-23*time.Hour), late.Add(time.Hour)
	count := func(node ident.Node, key string, at time.Time, most int) directory.Count {
		return directory.Count{Node: node, Key: key, At: at, Most: most, Else: errAnother}
	}
	for _, node := range []ident.Node{"", s.root.ID} {
		s.commits(count(node, "a", late, 2))
		s.commits(count(node, "a", early, 2))
		s.refuses(errAnother, count(node, "a", late, 2))
		s.commits(count(node, "a", late, 3))
		s.commits(count(node, "a", next, 1)) // another day
		s.commits(count(node, "b", late, 1)) // another key
		if err := store.Commit(t.Context(), count(node, "c", late, 9), count(node, "c", late, 9)); err == nil {
			t.Error("two were counted in one transaction")
		}
	}
	// Several at once.
	several := count("", "f", late, 2)
	several.More = 2
	s.commits(several)
	s.refuses(errAnother, count("", "f", late, 3))
	s.commits(count("", "f", late, 4))
	// What was refused was not counted.
	s.commits(count("", "d", late, 9))
	s.refuses(errAnother, count("", "e", late, 1), count("", "d", late, 1))
	s.commits(count("", "e", late, 1))
}

func recordsAtATime(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	const many, most = 8, 3
	won := func(what string, want int, steps func(i int) []directory.Step) {
		t.Helper()
		n := 0
		for _, err := range atOnce(many, func(i int) error { return store.Commit(t.Context(), steps(i)...) }) {
			if err == nil {
				n++
			} else if !errors.Is(err, errElse) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n != want {
			t.Errorf("%s: %d won; %d may", what, n, want)
		}
	}
	g := s.newGadget()
	named := func(was *gadget, i int) *gadget { return was.next(func(g *gadget) { g.Text = strconv.Itoa(i) }) }
	won("new", 1, func(i int) []directory.Step { return []directory.Step{directory.Put{Now: named(g, i), Else: errElse}} })
	for range 3 {
		was := gadgets.In(s.read(directory.Want{Records: s.refs}).Records, g.ID)
		won("over the one that was read", 1, func(i int) []directory.Step {
			return []directory.Step{directory.Put{Was: was, Now: named(was, i), Else: errElse}}
		})
	}
	at := g.Expires.Add(time.Hour)
	won("over one that has expired", 1, func(i int) []directory.Step {
		return []directory.Step{directory.Put{Now: g.next(func(g *gadget) { g.Expires = at.Add(time.Hour) }), At: at, Else: errElse}}
	})
	won("counted", most, func(i int) []directory.Step {
		return []directory.Step{directory.Count{Key: "k", At: then, Most: most, Else: errElse}}
	})
}
