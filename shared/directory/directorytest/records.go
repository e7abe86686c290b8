package directorytest

import (
	"cmp"
	"errors"
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

// What the contract says of the log and of move requests.

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
	moved.Data = map[string]any{"from": a.ID, "to": z.ID, "many": 12, "list": []string{"a", "b"}, "none": nil}
	moved.Time = moved.Time.Add(999 * time.Nanosecond).In(time.FixedZone("", 3600))
	for _, e := range []event.Event{moved, below, here} {
		s.commits(directory.AddEvent{Event: e})
		s.refuses(directory.ErrExists, directory.AddEvent{Event: e})
	}
	kept := moved
	kept.Time = then.Add(3 * time.Microsecond)
	kept.Data = map[string]any{"from": string(a.ID), "to": string(z.ID), "many": 12.0, "list": []any{"a", "b"}, "none": nil}
	same(t, "the log of the moved node", at(p), []event.Event{kept, below, here})
	same(t, "the log of what is below", at(c), []event.Event{below})
	same(t, "the log of what it has left", at(a), []event.Event{kept, below, here})
	same(t, "the log of where it is now", at(z), []event.Event{kept})
	root := slices.DeleteFunc(at(s.root), func(e event.Event) bool { return e.Time.Equal(then) }) // what refuses adds
	same(t, "the log of the root", root, []event.Event{kept, below, here})
	for n, want := range map[*hierarchy.Node][]event.Event{p: {kept}, s.root: nil, a: nil, z: nil, c: nil} {
		same(t, "the past of "+string(n.Name), logOf(t, store, n.ID, directory.LogQuery{Past: true, Limit: 10}), want)
	}
	read := at(z)
	read[0].Data["to"] = "changed"
	same(t, "the log after what was read was changed", at(z), []event.Event{kept})
	bad := s.happened(p.Place.Path, 9)
	bad.Data = map[string]any{"f": func() {}}
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
		e.Type = event.PartnerSuspended
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

func addsRequests(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	n, to := s.add(s.root, s.partnerBelow(s.root, "Node")), s.add(s.root, s.partnerBelow(s.root, "Destination"))
	add := func(r directory.MoveRequest) directory.AddRequest {
		return directory.AddRequest{Request: r, Open: errAnother}
	}
	at := func(node ident.Node) []directory.MoveRequest { return s.all().Requests[node] }
	same(t, "requests when there is none", at(n.ID), []directory.MoveRequest(nil))
	first := s.newRequest(n, to, then.In(time.FixedZone("", 3600)))
	s.commits(add(first))
	first.Created, first.Ends = first.Created.UTC(), first.Ends.UTC()
	got := s.read(directory.Want{MoveRequests: []ident.MoveRequest{first.ID, first.ID, ident.NewMoveRequest()}}).MoveRequests
	same(t, "as it is read", got, map[ident.MoveRequest]*directory.MoveRequest{first.ID: &first})
	same(t, "listed at the node", at(n.ID), []directory.MoveRequest{first})
	same(t, "listed at the destination", at(to.ID), []directory.MoveRequest{first})
	s.refuses(directory.ErrExists, add(first))
	// There is one that is open, until its end.
	elsewhere := s.newRequest(n, s.root, then.Add(time.Hour))
	s.refuses(errAnother, add(elsewhere))
	elsewhere.Created = first.Ends.Add(-time.Microsecond)
	s.refuses(errAnother, add(elsewhere))
	elsewhere.Created = first.Ends
	elsewhere.Ends = elsewhere.Created.Add(time.Hour)
	s.commits(add(elsewhere))
	s.refuses(errAnother, add(s.newRequest(n, to, elsewhere.Created.Add(time.Minute))))
	other := s.newRequest(to, n, then.Add(time.Minute))
	nowhere := s.newRequest(s.root, &hierarchy.Node{ID: ident.Node(s.id(ident.Partner))}, then)
	nowhere.Message, nowhere.Name = "", "Ω"
	s.commits(add(other), add(nowhere))
	same(t, "at the node, the newest first", at(n.ID), []directory.MoveRequest{elsewhere, other, first})
	same(t, "at the destination", at(to.ID), []directory.MoveRequest{other, first})
	same(t, "at the root", at(s.root.ID), []directory.MoveRequest{elsewhere, nowhere})
	for _, limit := range []int{1, 2, 3, 4} {
		got := pages(t, limit, func(after string, limit int) (directory.Page[directory.MoveRequest], error) {
			return store.Requests(t.Context(), n.ID, after, limit)
		})
		same(t, fmt.Sprint("in pages of ", limit), got, []directory.MoveRequest{elsewhere, other, first})
	}
	if _, err := store.Requests(t.Context(), n.ID, "", 0); err == nil {
		t.Error("a page of no items is no error")
	}
}

func closesRequests(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	n, to := s.add(s.root, s.partnerBelow(s.root, "Node")), s.add(s.root, s.partnerBelow(s.root, "Destination"))
	add := func(r directory.MoveRequest) directory.AddRequest {
		return directory.AddRequest{Request: r, Open: errAnother}
	}
	end := func(r directory.MoveRequest, state directory.RequestState) directory.CloseRequest {
		return directory.CloseRequest{Was: &r, Now: closed(&r, state), Else: errElse}
	}
	created := then
	for _, state := range []directory.RequestState{directory.RequestAccepted, directory.RequestDeclined, directory.RequestWithdrawn} {
		created = created.Add(time.Hour)
		r := s.newRequest(n, to, created)
		s.refuses(errElse, end(r, state))
		s.commits(add(r))
		older := r
		older.Version--
		s.refuses(errElse, end(older, state))
		newer := r
		newer.Version++
		s.refuses(errElse, end(newer, state))
		step := end(r, state)
		want := *step.Now
		other := want // only the state, the times and the version are written
		other.Name, other.Message, other.By, other.To, other.Node = "Other", "Other", "", n.ID, to.ID
		s.commits(directory.CloseRequest{Was: &r, Now: &other, Else: errElse})
		same(t, "as it is read", s.read(directory.Want{MoveRequests: []ident.MoveRequest{r.ID}}).MoveRequests[r.ID], &want)
		all := s.all()
		same(t, "listed at the node", all.Requests[n.ID][0], want)
		same(t, "listed at the destination", all.Requests[to.ID][0], want)
		s.refuses(errElse, end(r, state))
		s.refuses(errElse, end(want, state)) // its version is right, but it is closed
	}
	if got := s.all().Requests[n.ID]; len(got) != 3 {
		t.Errorf("listed are %d requests; 3 were made", len(got))
	}
	// One that is past its end does not close the one that has followed it.
	old := s.newRequest(n, to, then.AddDate(0, 1, 0))
	s.commits(add(old))
	next := s.newRequest(n, to, old.Ends.Add(time.Second))
	s.commits(add(next))
	s.refuses(errElse, end(old, directory.RequestDeclined))
	s.refuses(errAnother, add(s.newRequest(n, to, next.Created.Add(time.Second))))
	s.commits(end(next, directory.RequestWithdrawn))
	s.commits(end(old, directory.RequestDeclined))
}

func requestsAtATime(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	n, to := s.add(s.root, s.partnerBelow(s.root, "Node")), s.add(s.root, s.partnerBelow(s.root, "Destination"))
	const many = 8
	for round := range 3 {
		var requests []directory.MoveRequest
		for i := range many {
			requests = append(requests, s.newRequest(n, to, then.Add(time.Duration(round*many+i)*time.Second)))
		}
		won := -1
		for i, err := range atOnce(many, func(i int) error {
			return store.Commit(t.Context(), directory.AddRequest{Request: requests[i], Open: errAnother})
		}) {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Error("two requests are open")
			case !errors.Is(err, errAnother):
				t.Error(err)
			}
		}
		if won < 0 {
			t.Fatal("no request is open")
		}
		open := requests[won]
		states := []directory.RequestState{directory.RequestAccepted, directory.RequestDeclined, directory.RequestWithdrawn}
		errs := atOnce(len(states), func(i int) error {
			return store.Commit(t.Context(), directory.CloseRequest{Was: &open, Now: closed(&open, states[i]), Else: errElse})
		})
		got := s.read(directory.Want{MoveRequests: []ident.MoveRequest{open.ID}}).MoveRequests[open.ID]
		for i, err := range errs {
			if (err == nil) != (got.State == states[i]) || err != nil && !errors.Is(err, errElse) {
				t.Errorf("%s gave %v, and it is %s", states[i], err, got.State)
			}
		}
	}
}
