package directorytest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// What the contract says of the log.

// happened is an event at the last node of path, so many microseconds after then.
func (s *story) happened(path hierarchy.Path, after int) event.Event {
	e := s.newEvent(path.At(path.Depth() - 1))
	e.Path, e.Time = path, then.Add(time.Duration(after)*time.Microsecond)
	return e
}

func logsEvents(t testing.TB, store directory.Store) {
	s := begin(t, store, 1)
	b := s.root.Brands.Owned[0]
	a, z := s.add(s.root, s.partnerBelow(s.root, "A", b)), s.add(s.root, s.partnerBelow(s.root, "Z", b))
	p := s.add(a, s.partnerBelow(a, "P", b))
	c := s.add(p, s.customerBelow(p, "C", b))
	at := func(n *hierarchy.Node) []event.Event { return logOf(t, store, n.ID, directory.LogQuery{Limit: 10}) }
	same(t, "the log when nothing has happened", at(s.root), []event.Event(nil))
	here, below := s.happened(p.Place.Path, 1), s.happened(c.Place.Path, 2)
	moved := s.happened(z.Place.Path.Child(p.ID), 3)
	moved.Left = p.Place.Path
	moved.Actor, moved.RequestID, moved.Type = "cli_0000000000000000", "request", event.PartnerMoved
	moved.Data = event.MovedData{From: a.ID, To: z.ID, Job: event.Job{JobID: "job_0000000000000000"}}
	moved.Time = moved.Time.Add(999 * time.Nanosecond).In(time.FixedZone("", 3600))
	for _, e := range []event.Event{moved, below, here} {
		s.commits(directory.AddEvent{Event: e})
		s.refuses(directory.ErrExists, directory.AddEvent{Event: e})
	}
	kept := moved
	kept.Time = then.Add(3 * time.Microsecond)
	same(t, "the log of the moved node", at(p), []event.Event{kept, below, here})
	same(t, "the log of what is below", at(c), []event.Event{below})
	same(t, "the log of what it has left", at(a), []event.Event{kept, below, here})
	same(t, "the log of where it is now", at(z), []event.Event{kept})
	root := slices.DeleteFunc(at(s.root), func(e event.Event) bool { return e.Time.Equal(then) }) // what refuses adds
	same(t, "the log of the root", root, []event.Event{kept, below, here})
	for n, want := range map[*hierarchy.Node][]event.Event{p: {kept}, s.root: nil, a: nil, z: nil, c: nil} {
		same(t, "the past of "+string(n.Name), logOf(t, store, n.ID, directory.LogQuery{Past: true, Limit: 10}), want)
	}
	edited := s.happened(p.Place.Path, 4)
	edited.Data = event.PartnerEditedData{Name: &event.Edit[hierarchy.Name]{From: "A", To: "<&>"}}
	s.commits(directory.AddEvent{Event: edited})
	at(p)[0].Data.(event.PartnerEditedData).Name.To = "changed"
	same(t, "the log after what was read was changed", at(p), []event.Event{edited, kept, below, here})
	newer := s.happened(p.Place.Path, 5)
	newer.Type, newer.Data = "partner.of-a-newer-version", event.Raw(`{"some":["data"]}`)
	s.commits(directory.AddEvent{Event: newer})
	same(t, "the log with an event of an unknown type", at(p), []event.Event{newer, edited, kept, below, here})
	bad := s.happened(p.Place.Path, 9)
	bad.Data = event.Raw("{")
	if err := store.Commit(t.Context(), directory.AddEvent{Event: bad}); err == nil {
		t.Error("what is no JSON was committed")
	}
}

func logOrder(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	p := s.add(s.root, s.partnerBelow(s.root, "Partner"))
	var all []event.Event
	for i := range 30 {
		e := s.happened(p.Place.Path, i/3) // three at a time
		e.Type, e.Data = event.PartnerSuspended, event.SuspendedData{}
		all = append(all, e)
	}
	for some := range slices.Chunk(all, 10) {
		slices.Reverse(some)
		var steps []directory.Step
		for _, e := range some {
			steps = append(steps, directory.AddEvent{Event: e})
		}
		s.commits(steps...)
	}
	slices.SortFunc(all, func(a, b event.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(string(a.ID), string(b.ID)))
	})
	ids := func(events []event.Event) (ids []ident.Event) {
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		return ids
	}
	moment := func(i int) time.Time { return then.Add(time.Duration(i) * time.Microsecond) }
	for _, bound := range []struct {
		from, until time.Time
		want        []event.Event
	}{
		{want: all},
		{from: moment(0), want: all},
		{from: moment(2), want: all[6:]},
		{until: moment(2), want: all[:6]},
		{until: moment(10), want: all},
		{from: moment(2), until: moment(5), want: all[6:15]},
		{from: moment(5).Add(999 * time.Nanosecond).In(time.FixedZone("", 7200)), until: moment(6), want: all[15:18]},
		{from: moment(5), until: moment(5)},
		{from: moment(6), until: moment(5)},
		{from: moment(10)},
		{until: moment(0)},
	} {
		for _, limit := range []int{1, 4, 9, 30, 100} {
			for nth := range 4 {
				q := directory.LogQuery{From: bound.from, Until: bound.until, Oldest: nth%2 == 0, Past: nth > 1, Limit: limit}
				want := slices.Clone(bound.want)
				if !q.Oldest {
					slices.Reverse(want)
				}
				same(t, fmt.Sprintf("%+v", q), ids(logOf(t, store, p.ID, q)), ids(want))
			}
		}
	}
	if _, err := store.Log(t.Context(), p.ID, directory.LogQuery{}); err == nil {
		t.Error("a page of no items is no error")
	}
	// A position can be one that no event has, and may lie outside the bounds.
	page := func(q directory.LogQuery) directory.Page[event.Event] {
		t.Helper()
		q.Limit = 100
		p, err := store.Log(t.Context(), p.ID, q)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first, err := store.Log(t.Context(), p.ID, directory.LogQuery{Oldest: true, Limit: 7})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		q    directory.LogQuery
		want []event.Event
	}{
		{"after a time", directory.LogQuery{Oldest: true, After: directory.LogPosition(moment(4), "")}, all[12:]},
		{"after an event", directory.LogQuery{Oldest: true, After: first.Next}, all[7:]},
		{"after the later of the two", directory.LogQuery{Oldest: true, After: directory.LogPosition(moment(1), first.Next)}, all[7:]},
		{"until before the position", directory.LogQuery{Oldest: true, After: first.Next, Until: moment(1)}, nil},
		{"until just after the position", directory.LogQuery{Oldest: true, After: first.Next, Until: moment(3)}, all[7:9]},
		{"from after the position", directory.LogQuery{Oldest: true, After: first.Next, From: moment(5)}, all[15:]},
		{"the newest before an event", directory.LogQuery{After: first.Next}, reversed(all[:6])},
		{"the newest, from after the position", directory.LogQuery{After: first.Next, From: moment(5)}, nil},
		{"the newest, until after the position", directory.LogQuery{After: first.Next, Until: moment(9)}, reversed(all[:6])},
		{"the newest, until before the position", directory.LogQuery{After: first.Next, Until: moment(1)}, reversed(all[:3])},
	} {
		got := page(c.q)
		same(t, c.what, ids(got.Items), ids(c.want))
		if got.Items == nil || got.Next != "" {
			t.Errorf("%s: %+v", c.what, got)
		}
	}
}

func reversed[T any](s []T) []T {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}
