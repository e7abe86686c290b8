package directory_test

import (
	"slices"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

func (s *shop) log(c directory.Caller, id ident.Node, f directory.LogFilter, limit int) (all []event.Event) {
	s.t.Helper()
	for page := (directory.Paging{Limit: limit}); ; {
		list, err := s.d.Log(s.t.Context(), c, id, f, page)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			return all
		}
	}
}

func types(events []event.Event) (all []event.Type) {
	for _, e := range events {
		all = append(all, e.Type)
	}
	return all
}

func TestALogHasWhatHappenedBelowTheNewestFirst(t *testing.T) {
	s := newShop(t)
	began := s.now
	s.now = s.now.Add(time.Minute)
	other := s.client(s.b, access.Admin)
	name := hierarchy.Name("renamed")
	if _, err := s.d.EditPartner(t.Context(), other, s.c, directory.PartnerPatch{Name: &name}); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Minute)
	s.done(s.d.Suspend(t.Context(), s.founder, s.x, "unpaid"))
	s.now = s.now.Add(time.Minute)

	for _, limit := range []int{1, 2, 100} {
		got := types(s.log(s.founder, s.a, directory.LogFilter{}, limit))
		if len(got) != 7 || !slices.Equal(got[:3], []event.Type{event.CustomerSuspended, event.PartnerEdited, event.ClientCreated}) &&
			!slices.Equal(got[:3], []event.Type{event.CustomerSuspended, event.ClientCreated, event.PartnerEdited}) {
			t.Errorf("%d a page: %v", limit, got)
		}
		for what, f := range map[string]directory.LogFilter{
			"by type":  {Type: event.CustomerSuspended},
			"by time":  {From: began.Add(2 * time.Minute)},
			"all of":   {From: began.Add(2 * time.Minute), Until: began.Add(3 * time.Minute), Type: event.CustomerSuspended, Actor: s.founder.Principal},
			"of a day": {From: began.Add(2 * time.Minute), Until: began.Add(2*time.Minute + time.Microsecond)},
		} {
			if got := types(s.log(s.founder, s.a, f, limit)); !slices.Equal(got, []event.Type{event.CustomerSuspended}) {
				t.Errorf("%s, %d a page: %v", what, limit, got)
			}
		}
		if got := s.log(s.founder, s.a, directory.LogFilter{Actor: other.Principal}, limit); len(got) != 1 || got[0].Type != event.PartnerEdited ||
			got[0].Path != hierarchy.Path("").Child(s.a).Child(s.b).Child(s.c) {
			t.Errorf("by actor, %d a page: %+v", limit, got)
		}
		if got := s.log(s.founder, s.a, directory.LogFilter{Until: began}, limit); len(got) > 0 {
			t.Errorf("before it began: %v", got)
		}
	}
	if got := s.log(s.founder, s.e, directory.LogFilter{}, 100); len(got) != 1 {
		t.Errorf("beside: %v", got)
	}
	_, err := s.d.Log(t.Context(), other, s.a, directory.LogFilter{}, directory.Paging{Limit: 10})
	s.refused("from below", fault.NotFound, err)
}

// What happened while it was there is told, and of a move across the border only the side within.
func TestAMoveIsToldOnBothSidesAndNeitherLearnsOfTheOther(t *testing.T) {
	s := newShop(t)
	left, gained, deep := s.client(s.a, access.Viewer), s.client(s.e, access.Viewer), s.client(s.b, access.Viewer)
	s.done(s.d.Move(t.Context(), s.founder, s.b, s.e))
	newest := func(c directory.Caller, id ident.Node) event.Event {
		t.Helper()
		got := s.log(c, id, directory.LogFilter{Type: event.PartnerMoved}, 10)
		if len(got) != 1 {
			t.Fatalf("%v", got)
		}
		return got[0]
	}
	var none hierarchy.Path
	told := func(from, to ident.Node) event.MovedData { return event.MovedData{From: from, To: to} }
	data := func(e event.Event) event.MovedData {
		p := e.Data.(event.MovedData)
		p.Job = event.Job{}
		return p
	}
	e := newest(left, s.a)
	if e.Path != "" || e.Left != none.Child(s.a).Child(s.b) || data(e) != told(s.a, "") {
		t.Errorf("left: %+v", e)
	}
	e = newest(gained, s.e)
	if e.Left != "" || e.Path != none.Child(s.e).Child(s.b) || data(e) != told("", s.e) {
		t.Errorf("gained: %+v", e)
	}
	e = newest(s.founder, s.root)
	if e.Left != none.Child(s.root).Child(s.a).Child(s.b) || e.Path != none.Child(s.root).Child(s.e).Child(s.b) || data(e) != told(s.a, s.e) {
		t.Errorf("above both: %+v", e)
	}
	e = newest(deep, s.b)
	if e.Left != none.Child(s.b) || e.Path != none.Child(s.b) || data(e) != told("", "") {
		t.Errorf("itself: %+v", e)
	}
	s.now = s.now.Add(time.Second)
	name := hierarchy.Name("renamed")
	if _, err := s.d.EditPartner(t.Context(), s.founder, s.c, directory.PartnerPatch{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if got := s.log(left, s.a, directory.LogFilter{From: s.now}, 10); len(got) > 0 {
		t.Errorf("after it left: %v", got)
	}
	if got := s.log(gained, s.e, directory.LogFilter{}, 10); len(got) != 4 { // itself, the client, the move, the rename: nothing from before
		t.Errorf("where it came: %v", types(got))
	}
}

func TestAFeedHasEachEventOnceWhereverItsNodeIsMoved(t *testing.T) {
	s := newShop(t)
	var cursor string
	var got []event.Event
	poll := func() (news int) {
		t.Helper()
		for {
			list, err := s.d.Log(t.Context(), s.founder, s.b, directory.LogFilter{Oldest: true}, directory.Paging{Cursor: cursor, Limit: 2})
			if err != nil || list.Next == "" {
				t.Fatalf("%+v, %v", list, err)
			}
			cursor = list.Next
			got = append(got, list.Items...)
			if news += len(list.Items); len(list.Items) == 0 {
				return news
			}
		}
	}
	if n := poll(); n != 0 {
		t.Errorf("%d events that are too young", n)
	}
	s.now = s.now.Add(directory.FeedDelay + time.Microsecond)
	if n := poll(); n != 3 {
		t.Errorf("%d events at first", n)
	}
	for i, to := range []ident.Node{s.e, s.a, s.e} {
		name := hierarchy.Name(rune('m' + i))
		if _, err := s.d.EditPartner(t.Context(), s.founder, s.c, directory.PartnerPatch{Name: &name}); err != nil {
			t.Fatal(err)
		}
		s.done(s.d.Move(t.Context(), s.founder, s.b, to))
		if n := poll(); n != 0 {
			t.Errorf("%d events that are too young", n)
		}
		s.now = s.now.Add(directory.FeedDelay + time.Microsecond)
		if n := poll(); n != 2 {
			t.Errorf("%d events", n)
		}
	}
	s.done(s.d.Move(t.Context(), s.founder, s.a, s.e)) // beside it
	s.now = s.now.Add(time.Hour)
	if n := poll(); n != 0 {
		t.Errorf("%d events of others", n)
	}
	seen := map[ident.Event]bool{}
	for i, e := range got {
		if seen[e.ID] || i > 0 && e.Time.Before(got[i-1].Time) {
			t.Errorf("%+v again, or too late", e)
		}
		seen[e.ID] = true
	}
	if want := s.log(s.founder, s.b, directory.LogFilter{}, 100); len(want) != len(got) {
		t.Errorf("%d events in the feed, %d in the log", len(got), len(want))
	}
	list, err := s.d.Log(t.Context(), s.founder, s.b, directory.LogFilter{}, directory.Paging{Cursor: cursor, Limit: 2})
	s.refused("a feed's cursor in a log", fault.InvalidCursor, err)
	if len(list.Items) > 0 {
		t.Error("and it answers")
	}
}
