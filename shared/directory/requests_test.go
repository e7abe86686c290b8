package directory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// border is a shop with somebody on both sides of a move of b, from below a to below e.
type border struct {
	*shop
	left, right directory.Caller // admins at a, and at e
}

func newBorder(t *testing.T) *border {
	s := newShop(t)
	return &border{s, s.client(s.a, access.Admin), s.client(s.e, access.Admin)}
}

func (s *border) ask() ident.MoveRequest {
	s.t.Helper()
	r, err := s.d.AskMove(s.t.Context(), s.left, s.b, s.e, "please")
	if err != nil {
		s.t.Fatal(err)
	}
	return r.ID
}

// state is what became of a request, as somebody sees it who sees all.
func (s *border) state(id ident.MoveRequest) directory.RequestState {
	s.t.Helper()
	r, err := s.d.MoveRequest(s.t.Context(), s.founder, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.State
}

func (s *border) parent(id ident.Node) ident.Node {
	s.t.Helper()
	n, err := s.d.Get(s.t.Context(), s.founder, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return n.Parent
}

func (s *border) requests(c directory.Caller, id ident.Node) (all []directory.AskedMove) {
	s.t.Helper()
	for page := (directory.Paging{Limit: 1}); ; {
		list, err := s.d.MoveRequests(s.t.Context(), c, id, page)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			return all
		}
	}
}

// onlyOwnBrand makes a brand at a partner, and takes all others from it.
func (s *shop) onlyOwnBrand(id ident.Node) {
	s.t.Helper()
	own, err := s.d.CreateBrand(s.t.Context(), s.founder, directory.NewBrand{Partner: id, Name: "O", Domain: "o.example",
		Regions: []string{"eu-west-1"}})
	if err != nil {
		s.t.Fatal(err)
	}
	patch := directory.PartnerPatch{Portal: &own.ID, Available: &[]ident.Brand{}}
	if _, err := s.d.EditPartner(s.t.Context(), s.founder, id, patch); err != nil {
		s.t.Fatal(err)
	}
}

// since are the types of the events after the first n.
func since(f *directorytest.Fake, n int) []event.Type { return types(f.Events()[n:]) }

func TestAMoveIsAskedForAndAccepted(t *testing.T) {
	s, ctx := newBorder(t), t.Context()
	_, err := s.d.Move(ctx, s.left, s.b, s.e)
	s.refused("moved without asking", fault.NotFound, err)

	asked, err := s.d.AskMove(ctx, s.left, s.b, s.e, "please")
	want := directory.AskedMove{NodeVisible: true, MoveRequest: directory.MoveRequest{ID: asked.ID, Node: s.b, Name: "b", To: s.e,
		Message: "please", By: s.left.Principal, State: directory.RequestOpen, Created: s.now, Ends: s.now.Add(14 * 24 * time.Hour).Truncate(time.Second), Version: 1}}
	if err != nil || asked != want {
		t.Fatalf("%+v, %v", asked, err)
	}
	if got, err := s.d.MoveRequest(ctx, s.left, asked.ID); err != nil || got != want {
		t.Errorf("to those who asked it is %+v, %v", got, err)
	}
	if got := s.requests(s.left, s.a); len(got) > 0 {
		t.Errorf("at the parent: %+v", got)
	}
	if got := s.requests(s.left, s.b); len(got) != 1 || got[0] != want {
		t.Errorf("at the node: %+v", got)
	}
	want.NodeVisible, want.ToVisible, want.By = false, true, ""
	if got, err := s.d.MoveRequest(ctx, s.right, asked.ID); err != nil || got != want {
		t.Errorf("to those who are asked it is %+v, %v", got, err)
	}
	if got := s.requests(s.right, s.e); len(got) != 1 || got[0] != want {
		t.Errorf("at the destination: %+v", got)
	}

	s.now = s.now.Add(time.Hour)
	done, err := s.d.AcceptMove(ctx, s.right, asked.ID)
	s.done(done, err)
	_, err = s.d.Get(ctx, s.left, s.c)
	s.refused("to those who gave it away", fault.NotFound, err)
	if _, err := s.d.Get(ctx, s.right, s.c); err != nil {
		t.Errorf("to those who have it now: %v", err)
	}
	want.NodeVisible, want.By, want.State, want.Closed, want.Version = true, s.left.Principal, directory.RequestAccepted, s.now, 2
	if got, err := s.d.MoveRequest(ctx, s.right, asked.ID); err != nil || got != want || done.AskedMove != want {
		t.Errorf("accepted it is %+v, %v; answered %+v", got, err, done)
	}
	if got, err := s.d.Get(ctx, s.right, s.b); err != nil || got.Parent != s.e || !got.ParentVisible {
		t.Errorf("the node is %+v, %v", got, err)
	}
	want.NodeVisible, want.ToVisible, want.By = false, false, ""
	if got, err := s.d.MoveRequest(ctx, s.left, asked.ID); err != nil || got != want {
		t.Errorf("to whoever asked it is %+v, %v", got, err)
	}
	_, err = s.d.WithdrawMove(ctx, s.left, asked.ID)
	s.refused("withdrawn by who has no say any more", fault.NotFound, err)
	last := s.Events()[len(s.Events())-1]
	left := hierarchy.Path("").Child(s.root).Child(s.a).Child(s.b)
	if last.Type != event.PartnerMoved || last.Data.(event.MovedData).MoveRequestID != asked.ID || last.Left != left {
		t.Errorf("%+v", last)
	}
	for what, do := range map[string]func() error{
		"accepted": func() error { _, err := s.d.AcceptMove(ctx, s.right, asked.ID); return err },
		"declined": func() error { _, err := s.d.DeclineMove(ctx, s.right, asked.ID); return err },
		"withdrawn by those who had asked": func() error {
			_, err := s.d.WithdrawMove(ctx, s.right, asked.ID) // they are above it now
			return err
		},
	} {
		s.refused(what+" after that", fault.RequestClosed, do())
	}
}

// Who stands where, and what they may do with the request.
func TestWhoHasASayInAMoveRequest(t *testing.T) {
	no, low, above := fault.NotFound, fault.Forbidden, fault.NeedsGrantAbove
	operations := []func(s *border, c directory.Caller, id ident.MoveRequest) error{
		func(s *border, c directory.Caller, _ ident.MoveRequest) error {
			_, err := s.d.AskMove(s.t.Context(), c, s.x, s.e, "")
			return err
		},
		func(s *border, c directory.Caller, id ident.MoveRequest) error {
			_, err := s.d.MoveRequest(s.t.Context(), c, id)
			return err
		},
		func(s *border, c directory.Caller, id ident.MoveRequest) error {
			_, err := s.d.AcceptMove(s.t.Context(), c, id)
			return err
		},
		func(s *border, c directory.Caller, id ident.MoveRequest) error {
			_, err := s.d.DeclineMove(s.t.Context(), c, id)
			return err
		},
		func(s *border, c directory.Caller, id ident.MoveRequest) error {
			_, err := s.d.WithdrawMove(s.t.Context(), c, id)
			return err
		},
		func(s *border, c directory.Caller, _ ident.MoveRequest) error {
			_, err := s.d.MoveRequests(s.t.Context(), c, s.b, directory.Paging{Limit: 10})
			return err
		},
		func(s *border, c directory.Caller, _ ident.MoveRequest) error {
			_, err := s.d.MoveRequests(s.t.Context(), c, s.e, directory.Paging{Limit: 10})
			return err
		},
	}
	names := []string{"ask", "get", "accept", "decline", "withdraw", "list at the node", "list at the destination"}
	client := func(at func(s *border) ident.Node, role access.Role) func(s *border) directory.Caller {
		return func(s *border) directory.Caller { return s.client(at(s), role) }
	}
	also := func(c func(s *border) directory.Caller, at func(s *border) ident.Node, role access.Role) func(s *border) directory.Caller {
		return func(s *border) directory.Caller {
			if _, err := s.d.GrantRole(s.t.Context(), s.founder, c(s).Principal, at(s), role); err != nil {
				s.t.Fatal(err)
			}
			return c(s)
		}
	}
	left, right := func(s *border) directory.Caller { return s.left }, func(s *border) directory.Caller { return s.right }
	parent, node := func(s *border) ident.Node { return s.a }, func(s *border) ident.Node { return s.b }
	dest, below := func(s *border) ident.Node { return s.e }, func(s *border) ident.Node { return s.partner(s.e, "f") }
	all := func(s *border) directory.Caller { return s.founder }
	for who, c := range map[string]struct {
		caller func(s *border) directory.Caller
		want   []*fault.Type
		listed int // at the node, for those who may list there
	}{
		"above both":                    {all, []*fault.Type{nil, nil, nil, nil, nil, nil, nil}, 1},
		"above the node":                {left, []*fault.Type{nil, nil, low, low, nil, nil, no}, 1},
		"operator above the node":       {client(parent, access.Operator), []*fault.Type{low, no, no, no, no, low, no}, 0},
		"owner of the node":             {client(node, access.Owner), []*fault.Type{nil, no, no, no, no, nil, no}, 0},
		"at the destination":            {right, []*fault.Type{no, nil, nil, nil, low, no, nil}, 0},
		"operator at the destination":   {client(dest, access.Operator), []*fault.Type{no, no, no, no, no, no, low}, 0},
		"above the node, and viewer":    {also(left, dest, access.Viewer), []*fault.Type{nil, nil, low, low, nil, nil, low}, 1},
		"at the destination, and owner": {also(right, node, access.Owner), []*fault.Type{nil, nil, nil, nil, above, nil, nil}, 0},
		"elsewhere":                     {client(below, access.Owner), []*fault.Type{no, no, no, no, no, no, no}, 0},
	} {
		for i, do := range operations {
			s := newBorder(t)
			id, caller := s.ask(), c.caller(s)
			events := len(s.Events())
			s.refused(who+": "+names[i], c.want[i], do(s, caller, id))
			if happened := len(s.Events()) > events; happened && c.want[i] != nil {
				t.Errorf("%s: %s: it happened", who, names[i])
			}
			if names[i] == "list at the node" && c.want[i] == nil {
				if got := s.requests(caller, s.b); len(got) != c.listed {
					t.Errorf("%s: listed at the node: %+v", who, got)
				}
			}
		}
	}
}

// Whether there is a partner to move to shows in nothing that the asking side gets.
func TestAnInvisibleDestinationIsLikeAnUnknownOne(t *testing.T) {
	see := func(to func(s *border) ident.Node) (string, []string) {
		s, ctx := newBorder(t), t.Context()
		dest, begins := to(s), len(s.Calls())
		var seen []string
		note := func(answer any, err error) {
			b, jsonErr := json.Marshal(answer)
			if jsonErr != nil {
				t.Fatal(jsonErr)
			}
			seen = append(seen, fmt.Sprint(string(b), err))
		}
		s.left.Repeat = &directory.Repeat{Key: "k", Fingerprint: []byte("f")}
		r, err := s.d.AskMove(ctx, s.left, s.b, dest, "please")
		note(r, err)
		note(s.d.AskMove(ctx, s.left, s.b, dest, "please"))
		s.left.Repeat = nil
		note(s.d.AskMove(ctx, s.left, s.b, dest, "please"))
		note(s.d.MoveRequest(ctx, s.left, r.ID))
		note(s.d.AcceptMove(ctx, s.left, r.ID))
		note(s.d.DeclineMove(ctx, s.left, r.ID))
		note(s.requests(s.left, s.b), nil)
		s.now = s.now.Add(time.Second)
		note(s.d.WithdrawMove(ctx, s.left, r.ID))
		for _, e := range s.log(s.left, s.a, directory.LogFilter{Actor: s.left.Principal}, 100) {
			note(string(e.Type), nil)
		}
		all := strings.Join(seen, "\n")
		for _, own := range []string{string(r.ID), string(dest), string(s.a), string(s.b), string(s.left.Principal)} {
			all = strings.ReplaceAll(all, own, "*")
		}
		return all, slices.Sorted(slices.Values(s.Calls()[begins:])) // some are made side by side
	}
	got, calls := see(func(s *border) ident.Node { return s.e })
	for what, to := range map[string]func(s *border) ident.Node{
		"unknown": func(*border) ident.Node { return ident.NewPartner() },
		"in the trash": func(s *border) ident.Node {
			s.trash(s.e)
			return s.e
		},
		"purged": func(s *border) ident.Node {
			s.trash(s.e)
			s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
			s.purge()
			s.now = s.now.Add(-hierarchy.KeepTrash - time.Second)
			return s.e
		},
	} {
		other, otherCalls := see(to)
		if got != other {
			t.Errorf("invisible:\n%s\n%s:\n%s", got, what, other)
		}
		if !slices.Equal(calls, otherCalls) {
			t.Errorf("invisible: %v; %s: %v", calls, what, otherCalls)
		}
	}

	s := newBorder(t)
	id := s.ask()
	stranger := s.client(s.partner(s.root, "f"), access.Owner)
	begins := len(s.Calls())
	_, err := s.d.MoveRequest(t.Context(), stranger, id)
	s.refused("a request of others", fault.NotFound, err)
	middle := len(s.Calls())
	_, unknown := s.d.MoveRequest(t.Context(), stranger, ident.NewMoveRequest())
	if fmt.Sprint(err) != fmt.Sprint(unknown) || len(s.Calls())-middle != middle-begins {
		t.Errorf("a request of others: %v, %d calls; an unknown one: %v, %d calls", err, middle-begins, unknown, len(s.Calls())-middle)
	}
}

// Asking writes as much whether there is a destination or not: how long it takes tells nothing.
func TestAskingWritesAsMuchForADestinationThatIsNotThere(t *testing.T) {
	written := func(to func(s *border) ident.Node) (items int) {
		s := newBorder(t)
		dest := to(s)
		s.Before = func(c directorytest.Call) error {
			for _, step := range c.Steps {
				switch step := step.(type) {
				case directory.AddEvent:
					items += len(step.Event.Witnesses())
				case directory.Put:
					items += 1 + len(step.Now.Lists())
				default:
					items++
				}
			}
			return nil
		}
		if _, err := s.d.AskMove(t.Context(), s.left, s.b, dest, "please"); err != nil {
			t.Fatal(err)
		}
		s.Before = nil
		return items
	}
	deep := func(s *border) ident.Node { return s.partner(s.e, "as deep as b") }
	there := written(deep)
	missing := written(func(*border) ident.Node { return ident.NewPartner() })
	trashed := written(func(s *border) ident.Node {
		s.trash(s.e)
		return s.e
	})
	if there != missing || there != trashed {
		t.Errorf("%d items for one that is there, %d for none, %d in the trash", there, missing, trashed)
	}
}

// Nobody fills the log of those who gave them no right, and nobody keeps others from asking.
func TestOnlySoManyMoveRequestsADay(t *testing.T) {
	s, ctx := newBorder(t), t.Context()
	s.now = s.now.Truncate(24 * time.Hour).Add(20 * time.Hour)
	// ask asks and withdraws until that is refused, each time for another node and destination.
	ask := func(what string, want int, next func(n int) (node, to ident.Node, by directory.Caller)) {
		t.Helper()
		for n := 0; ; n++ {
			node, to, by := next(n)
			r, err := s.d.AskMove(ctx, by, node, to, "x")
			if err == nil {
				_, err = s.d.WithdrawMove(ctx, by, r.ID)
			}
			if err != nil {
				s.refused(what, fault.TooManyMoveRequests, err)
				if n != want || fault.From(err).RetryAfter != 4*time.Hour {
					t.Errorf("%s: %d requests, %v", what, n, err)
				}
				return
			}
		}
	}
	ask("one node", directory.AsksADay, func(int) (ident.Node, ident.Node, directory.Caller) { return s.b, ident.NewPartner(), s.left })
	ask("one destination", directory.AsksToADay, func(n int) (ident.Node, ident.Node, directory.Caller) {
		return s.partner(s.a, "n"), s.e, s.client(s.a, access.Admin) // making clients does not help
	})
	ask("one top-level partner", directory.AsksBelowADay-directory.AsksADay-directory.AsksToADay, func(int) (ident.Node, ident.Node, directory.Caller) {
		return s.partner(s.a, "n"), ident.NewPartner(), s.founder
	})
	var top ident.Node
	unknown := ident.NewPartner()
	for what, to := range map[string]ident.Node{"a destination, from everywhere": s.e, "one that is not there": unknown} {
		want := directory.AsksToAllADay
		if to == s.e {
			want -= directory.AsksToADay
		}
		ask(what, want, func(n int) (ident.Node, ident.Node, directory.Caller) {
			if n%directory.AsksToADay == 0 {
				top = s.partner(s.root, "top")
			}
			return s.partner(top, "n"), to, s.founder
		})
	}
	s.now = s.now.Add(4 * time.Hour)
	s.ask()
}

func TestWhatCannotBeAskedFor(t *testing.T) {
	s, ctx := newBorder(t), t.Context()
	for what, c := range map[string]struct {
		id, to ident.Node
		want   *fault.Type
	}{
		"to itself":       {s.b, s.b, fault.MoveIntoItself},
		"into itself":     {s.b, s.c, fault.MoveIntoItself},
		"to where it is":  {s.b, s.a, fault.RequestVoid},
		"the root":        {s.root, s.e, fault.Root},
		"nothing":         {ident.NewPartner(), s.e, fault.NotFound},
		"a customer":      {s.x, s.e, nil},
		"what is allowed": {s.c, s.a, nil},
	} {
		_, err := s.d.AskMove(ctx, s.founder, c.id, c.to, "")
		s.refused(what, c.want, err)
	}
	s.ask()
	_, err := s.d.AskMove(ctx, s.founder, s.b, s.root, "")
	s.refused("twice", fault.RequestOpen, err)
	s.trash(s.c)
	_, err = s.d.AskMove(ctx, s.founder, s.c, s.e, "")
	s.refused("in the trash", fault.Trashed, err)
}

func TestAMoveRequestEnds(t *testing.T) {
	s, ctx := newBorder(t), t.Context()
	id := s.ask()
	s.now = s.now.Add(directory.MoveRequestFor).Truncate(time.Second).Add(-time.Microsecond)
	if got := s.state(id); got != directory.RequestOpen {
		t.Errorf("before its end it is %s", got)
	}
	_, err := s.d.AskMove(ctx, s.left, s.b, s.root, "")
	s.refused("another one before its end", fault.RequestOpen, err)
	s.now = s.now.Add(time.Microsecond)
	if got := s.state(id); got != directory.RequestEnded {
		t.Errorf("at its end it is %s", got)
	}
	if got := s.requests(s.right, s.e); len(got) != 1 || got[0].State != directory.RequestEnded {
		t.Errorf("listed at its end: %+v", got)
	}
	_, err = s.d.AcceptMove(ctx, s.right, id)
	s.refused("accepted", fault.RequestClosed, err)
	_, err = s.d.DeclineMove(ctx, s.right, id)
	s.refused("declined", fault.RequestClosed, err)
	_, err = s.d.WithdrawMove(ctx, s.left, id)
	s.refused("withdrawn", fault.RequestClosed, err)

	again := s.ask()
	if got := s.requests(s.left, s.b); len(got) != 2 || got[0].ID != again || got[1].ID != id {
		t.Errorf("asked again: %+v", got)
	}
	s.done(s.d.AcceptMove(ctx, s.right, again))
}

// The contract promises 90 days after the end, which is never later than 14 days after it was made.
func TestAMoveRequestIsKeptAfterItsEnd(t *testing.T) {
	const days = 24 * time.Hour
	s, ctx := newBorder(t), t.Context()
	made := s.now
	id := s.ask()
	kept := func(what string, closed time.Time) {
		t.Helper()
		ref := directory.MoveRequests.Ref(id)
		if got := s.keptFor(ref, made); got != (14+90)*days || s.keptFor(ref, closed) < 90*days {
			t.Errorf("%s: kept for %s after it was made", what, got)
		}
	}
	kept("open", made.Add(directory.MoveRequestFor))
	s.now = s.now.Add(13 * days)
	if _, err := s.d.DeclineMove(ctx, s.right, id); err != nil {
		t.Fatal(err)
	}
	kept("declined", s.now)
}

func TestAMoveRequestIsDeclinedOrWithdrawn(t *testing.T) {
	for _, c := range []struct {
		state directory.RequestState
		what  event.Type
		do    func(s *border, id ident.MoveRequest) (directory.AskedMove, error)
	}{
		{directory.RequestDeclined, event.MoveDeclined,
			func(s *border, id ident.MoveRequest) (directory.AskedMove, error) {
				return s.d.DeclineMove(t.Context(), s.right, id)
			}},
		{directory.RequestWithdrawn, event.MoveWithdrawn,
			func(s *border, id ident.MoveRequest) (directory.AskedMove, error) {
				return s.d.WithdrawMove(t.Context(), s.left, id)
			}},
	} {
		s := newBorder(t)
		id := s.ask()
		s.left.IfMatch, s.right.IfMatch = []int64{7}, []int64{7}
		_, err := c.do(s, id)
		s.refused("another version", fault.PreconditionFailed, err)
		_, err = s.d.AcceptMove(t.Context(), s.right, id)
		s.refused("accepted in another version", fault.PreconditionFailed, err)
		s.left.IfMatch, s.right.IfMatch = []int64{1}, []int64{1}

		events := len(s.Events())
		s.now = s.now.Add(time.Hour)
		closed, err := c.do(s, id)
		if err != nil || closed.State != c.state || !closed.Closed.Equal(s.now) || closed.Version != 2 {
			t.Errorf("%s: %+v, %v", c.state, closed, err)
		}
		if got := since(s.Fake, events); !slices.Equal(got, []event.Type{c.what, c.what}) {
			t.Errorf("%s: %v", c.state, got)
		}
		commits := len(s.Calls())
		s.now = s.now.Add(time.Hour)
		again, err := c.do(s, id)
		if err != nil || again != closed || slices.Contains(s.Calls()[commits:], "Commit") {
			t.Errorf("%s again: %+v, %v, by %v", c.state, again, err, s.Calls()[commits:])
		}
		if s.parent(s.b) != s.a {
			t.Errorf("%s, and it was moved", c.state)
		}
		if there := s.requests(s.right, s.e); len(there) != map[directory.RequestState]int{directory.RequestDeclined: 1}[c.state] {
			t.Errorf("%s: the destination lists %+v", c.state, there)
		}
		if all := s.requests(s.left, s.b); len(all) != 1 || all[0].State != c.state {
			t.Errorf("%s: the node lists %+v", c.state, all)
		}
		s.left.IfMatch, s.right.IfMatch = nil, nil
		// What was taken back is known by its id still, so that those who were asked learn it, but says nothing to them any more.
		for _, by := range []struct {
			caller  directory.Caller
			message string
		}{{s.left, "please"}, {s.right, map[directory.RequestState]string{directory.RequestDeclined: "please"}[c.state]}} {
			got, err := s.d.MoveRequest(t.Context(), by.caller, id)
			if err != nil || got.State != c.state || got.To != s.e || got.Message != by.message {
				t.Errorf("%s: %+v, %v; want the message %q", c.state, got, err, by.message)
			}
		}
		_, err = s.d.AcceptMove(t.Context(), s.right, id)
		s.refused("accepted after that", fault.RequestClosed, err)
		if c.state == directory.RequestDeclined {
			_, err = s.d.WithdrawMove(t.Context(), s.left, id)
		} else {
			_, err = s.d.DeclineMove(t.Context(), s.right, id)
		}
		s.refused("closed otherwise after that", fault.RequestClosed, err)

		name := hierarchy.Name("renamed")
		if _, err := s.d.EditPartner(t.Context(), s.founder, s.b, directory.PartnerPatch{Name: &name}); err != nil {
			t.Fatal(err)
		}
		next := s.ask()
		s.right.IfMatch = []int64{1} // of the request; the node is at 2
		s.done(s.d.AcceptMove(t.Context(), s.right, next))
	}
}

// What those who asked may no longer do does not happen for them, and those who are asked do not learn why.
func TestAMoveRequestLivesOnTheRightOfThoseWhoAsked(t *testing.T) {
	var said string
	for what, do := range map[string]func(s *border) error{
		"revoked":     func(s *border) error { return s.d.RevokeClient(t.Context(), s.founder, s.left.Principal) },
		"not granted": func(s *border) error { return s.d.RemoveGrant(t.Context(), s.founder, s.left.Principal, s.a) },
		"only operator": func(s *border) error {
			_, err := s.d.GrantRole(t.Context(), s.founder, s.left.Principal, s.a, access.Operator)
			return err
		},
		"only at the node itself": func(s *border) error {
			if _, err := s.d.GrantRole(t.Context(), s.founder, s.left.Principal, s.b, access.Owner); err != nil {
				return err
			}
			return s.d.RemoveGrant(t.Context(), s.founder, s.left.Principal, s.a)
		},
		"suspended": func(s *border) error { s.done(s.d.Suspend(t.Context(), s.founder, s.a, "x")); return nil },
		"moved":     func(s *border) error { s.done(s.d.Move(t.Context(), s.founder, s.b, s.root)); return nil },
		"trashed":   func(s *border) error { s.done(s.d.Trash(t.Context(), s.left, s.b)); return nil },
		"purged": func(s *border) error {
			s.trash(s.b)
			r := s.now
			s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
			s.purge()
			s.now = r
			return nil
		},
		"gone": func(s *border) error {
			s.trash(s.b)
			r := s.now
			s.now = s.now.Add(hierarchy.KeepTrash + time.Second)
			s.purge()
			for _, id := range jobsIn(s.Fake) {
				if err := settled(t.Context(), s.d, id); err != nil {
					return err
				}
			}
			s.now = r
			return nil
		},
		"above the destination": func(s *border) error { s.done(s.d.Move(t.Context(), s.founder, s.e, s.c)); return nil },
	} {
		s := newBorder(t)
		id := s.ask()
		if err := do(s); err != nil {
			t.Fatal(err)
		}
		events := len(s.Events())
		_, err := s.d.AcceptMove(t.Context(), s.right, id)
		s.refused(what, fault.RequestVoid, err)
		if said == "" {
			said = err.Error()
		}
		if err == nil || err.Error() != said || len(s.Events()) > events {
			t.Errorf("%s: %v; another time: %s", what, err, said)
		}
		if _, err := s.d.DeclineMove(t.Context(), s.right, id); err != nil {
			t.Errorf("%s: declined: %v", what, err)
		}
		gone := 1
		if what == "purged" || what == "gone" || what == "trashed" {
			gone = 0
		}
		if got := since(s.Fake, events); len(got) != 1+gone || got[0] != event.MoveDeclined {
			t.Errorf("%s: declined: %v", what, got)
		}
	}
}

// A name may be mended while a request for the node is open.
func TestARenamedNodeIsMoved(t *testing.T) {
	s := newBorder(t)
	id := s.ask()
	name := hierarchy.Name("mended")
	if _, err := s.d.EditPartner(t.Context(), s.founder, s.b, directory.PartnerPatch{Name: &name}); err != nil {
		t.Fatal(err)
	}
	s.done(s.d.AcceptMove(t.Context(), s.right, id))
}

// What has become of the side that is asked counts as in any move.
func TestAcceptingIsAMove(t *testing.T) {
	for what, c := range map[string]struct {
		do            func(s *border)
		right, atRoot *fault.Type // what admins at the destination get, and those above
	}{
		"trashed":   {func(s *border) { s.trash(s.e) }, fault.NotFound, fault.Trashed},
		"suspended": {func(s *border) { s.done(s.d.Suspend(t.Context(), s.founder, s.e, "x")) }, fault.NotFound, nil},
		"no brand": {func(s *border) {
			s.onlyOwnBrand(s.e)
		}, fault.BrandNotAvailable, fault.BrandNotAvailable},
		"deep": {func(s *border) {
			at := s.root
			for range hierarchy.MaxDepth - 3 {
				at = s.partner(at, "deep")
			}
			s.done(s.d.Move(t.Context(), s.founder, s.e, at))
		}, fault.DepthLimit, fault.DepthLimit},
		"nothing": {func(*border) {}, nil, nil},
	} {
		s := newBorder(t)
		id := s.ask()
		c.do(s)
		_, err := s.d.AcceptMove(t.Context(), s.right, id)
		s.refused(what, c.right, err)
		if c.right == nil {
			continue
		}
		if got := s.state(id); got != directory.RequestOpen || s.parent(s.b) != s.a {
			t.Errorf("%s: refused, and it is %s", what, got)
		}
		_, err = s.d.AcceptMove(t.Context(), s.founder, id)
		s.refused(what+", from above", c.atRoot, err)
	}
}

func TestWhatIsThereAlreadyIsNotMoved(t *testing.T) {
	s, ctx := newBorder(t), t.Context()
	id := s.ask()
	s.done(s.d.Move(ctx, s.founder, s.b, s.e))
	events := len(s.Events())
	done, err := s.d.AcceptMove(ctx, s.right, id)
	if err != nil || done.Job != "" || done.State != directory.RequestAccepted {
		t.Errorf("%+v, %v", done, err)
	}
	if got := since(s.Fake, events); !slices.Equal(got, []event.Type{event.MoveAccepted}) || s.state(id) != directory.RequestAccepted {
		t.Errorf("%v, %s", got, s.state(id))
	}
}

// Neither side learns more of the other than the name that it was given: not from answers, and not from its log.
func TestASideLearnsNothingOfTheOther(t *testing.T) {
	for _, end := range []string{"", "accept", "decline", "withdraw"} {
		s, ctx := newBorder(t), t.Context()
		name := hierarchy.Name("Leftmost")
		if _, err := s.d.EditPartner(ctx, s.founder, s.a, directory.PartnerPatch{Name: &name}); err != nil {
			t.Fatal(err)
		}
		for side, id := range map[hierarchy.Name]ident.Node{"Given": s.b, "Leftmost child": s.c, "Rightmost": s.e} {
			if _, err := s.d.EditPartner(ctx, s.founder, id, directory.PartnerPatch{Name: &side}); err != nil {
				t.Fatal(err)
			}
		}
		low := s.client(s.c, access.Viewer) // goes with the node
		s.left.RequestID, s.right.RequestID = "left-request", "right-request"
		var left, right []any
		asked, err := s.d.AskMove(ctx, s.left, s.b, s.e, "please")
		if err != nil {
			t.Fatal(err)
		}
		id := asked.ID
		hide := func(r directory.AskedMove, err error) directory.AskedMove {
			if err != nil {
				t.Fatal(err)
			}
			if !r.NodeVisible { // it is there for its kind
				r.Node = ""
			}
			return r
		}
		left = append(left, asked, hide(s.d.MoveRequest(ctx, s.left, id)))
		right = append(right, hide(s.d.MoveRequest(ctx, s.right, id)), hide(s.requests(s.right, s.e)[0], nil))
		s.now = s.now.Add(time.Second)
		switch end {
		case "accept":
			s.done(s.d.AcceptMove(ctx, s.right, id))
		case "decline":
			right = append(right, hide(s.d.DeclineMove(ctx, s.right, id)))
			left = append(left, hide(s.d.MoveRequest(ctx, s.left, id)))
		case "withdraw":
			left = append(left, hide(s.d.WithdrawMove(ctx, s.left, id)))
			right = append(right, hide(s.d.MoveRequest(ctx, s.right, id)))
		}
		var told [2][]event.Type
		for _, e := range s.log(s.left, s.a, directory.LogFilter{}, 100) {
			if left = append(left, e); strings.HasPrefix(string(e.Type), "move-request.") || e.Type == event.PartnerMoved {
				told[0] = append(told[0], e.Type)
			}
		}
		for _, e := range s.log(s.right, s.e, directory.LogFilter{}, 100) {
			if right = append(right, e); strings.HasPrefix(string(e.Type), "move-request.") || e.Type == event.PartnerMoved {
				told[1] = append(told[1], e.Type)
			}
		}
		ends := map[string][]event.Type{"accept": {event.PartnerMoved}, "decline": {event.MoveDeclined}, "withdraw": {event.MoveWithdrawn}}[end]
		if !slices.Equal(told[0], append(slices.Clone(ends), event.MoveAsked)) ||
			!slices.Equal(told[1], append(slices.Clone(ends), event.MoveOffered)) {
			t.Errorf("%s: told %v", end, told)
		}
		secret := map[string][]string{
			"left":  {string(s.root), string(s.right.Principal), "right-request", "Rightmost"},
			"right": {string(s.root), string(s.a), string(s.left.Principal), "left-request", "Leftmost"},
		}
		if end != "accept" {
			secret["right"] = append(secret["right"], string(s.b), string(s.c), string(s.x), string(low.Principal))
		}
		for side, answers := range map[string][]any{"left": left, "right": right} {
			b, err := json.Marshal(answers)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range secret[side] {
				if strings.Contains(string(b), word) {
					t.Errorf("%s: the %s side learns %s from %s", end, side, word, b)
				}
			}
		}
	}
}

// The largest move that there can be is still one transaction, also when it is one that was asked for.
func TestTheDeepestMoveFits(t *testing.T) {
	for _, asked := range []bool{false, true} {
		s, ctx := newBorder(t), t.Context()
		chain := func() (ids []ident.Node) {
			for at := s.root; len(ids) < hierarchy.MaxDepth-2; ids = append(ids, at) {
				at = s.partner(at, "deep")
			}
			return ids
		}
		from, to := chain(), chain()
		node, parent, dest := s.partner(from[len(from)-1], "node"), from[len(from)-1], to[len(to)-1]
		asker, taker := s.client(from[0], access.Admin), s.client(to[0], access.Admin)
		taker.Repeat = &directory.Repeat{Key: "k", Fingerprint: []byte("f")}
		asker.Repeat = taker.Repeat
		if asked {
			r, err := s.d.AskMove(ctx, asker, node, dest, strings.Repeat("m", 1000))
			if err != nil {
				t.Fatal(err)
			}
			s.done(s.d.AcceptMove(ctx, taker, r.ID))
		} else {
			s.founder.Repeat = taker.Repeat
			s.done(s.d.Move(ctx, s.founder, node, dest))
		}
		if s.parent(node) != dest || s.parent(parent) != from[len(from)-2] {
			t.Errorf("it is below %s", s.parent(node))
		}
		got, err := s.Read(ctx, directory.Want{Nodes: to})
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range to {
			if h := got.Nodes[id].Height; h != len(to)-i {
				t.Errorf("the node at %d is %d high", i+2, h)
			}
		}
	}
}

// TestAMoveRequestSurvivesACrashAnywhere fails every call of the store, before it does anything and after it has done all. The
// request sent again gets the one right answer, and everything happened once.
func TestAMoveRequestSurvivesACrashAnywhere(t *testing.T) {
	type does func(s *border, left, right directory.Caller, id ident.MoveRequest) (any, error)
	ask := does(func(s *border, left, _ directory.Caller, _ ident.MoveRequest) (any, error) {
		return s.d.AskMove(t.Context(), left, s.b, s.e, "please")
	})
	accept := does(func(s *border, _, right directory.Caller, id ident.MoveRequest) (any, error) {
		return s.d.AcceptMove(t.Context(), right, id)
	})
	for name, c := range map[string]struct {
		before func(s *border)
		do     does
		asks   bool
		state  directory.RequestState
		events []event.Type
	}{
		"ask":    {nil, ask, true, directory.RequestOpen, []event.Type{event.MoveAsked, event.MoveOffered}},
		"accept": {nil, accept, false, directory.RequestAccepted, []event.Type{event.PartnerMoved}},
		"accept what is there": {func(s *border) { s.done(s.d.Move(t.Context(), s.founder, s.b, s.e)) },
			accept, false, directory.RequestAccepted, []event.Type{event.MoveAccepted}},
		"decline": {nil, func(s *border, _, right directory.Caller, id ident.MoveRequest) (any, error) {
			return s.d.DeclineMove(t.Context(), right, id)
		}, false, directory.RequestDeclined, []event.Type{event.MoveDeclined, event.MoveDeclined}},
		"withdraw": {nil, func(s *border, left, _ directory.Caller, id ident.MoveRequest) (any, error) {
			return s.d.WithdrawMove(t.Context(), left, id)
		}, false, directory.RequestWithdrawn, []event.Type{event.MoveWithdrawn, event.MoveWithdrawn}},
	} {
		for _, applied := range []bool{false, true} {
			for nth, crashed := 0, true; crashed; nth++ {
				s := newBorder(t)
				id := ident.MoveRequest("")
				if !c.asks {
					id = s.ask()
				}
				if c.before != nil {
					c.before(s)
				}
				crashed = false
				events, begins := len(s.Events()), len(s.Calls())
				crash := func(call directorytest.Call) error {
					if call.Nth-begins != nth || crashed {
						return nil
					}
					crashed = true
					return directorytest.Busy()
				}
				if applied {
					s.After = crash
				} else {
					s.Before = crash
				}
				left, right := s.left, s.right
				left.Repeat = &directory.Repeat{Key: "once", Fingerprint: []byte("it")}
				right.Repeat = left.Repeat
				at := fmt.Sprintf("%s, call %d, applied %v", name, nth, applied)
				var answers []string
				for range 2 {
					answer, err := c.do(s, left, right, id)
					if fault.Busy.Is(err) {
						answer, err = c.do(s, left, right, id)
					}
					if err != nil {
						t.Fatalf("%s: %v", at, err)
					}
					b, err := json.Marshal(answer)
					if err != nil {
						t.Fatal(err)
					}
					answers = append(answers, string(b))
				}
				s.Before, s.After = nil, nil
				if answers[0] != answers[1] {
					t.Errorf("%s: answered\n%s\nand sent again\n%s", at, answers[0], answers[1])
				}
				if got := since(s.Fake, events); !slices.Equal(got, c.events) {
					t.Errorf("%s: %v", at, got)
				}
				all := s.requests(s.founder, s.b)
				if len(all) != 1 || all[0].State != c.state {
					t.Errorf("%s: %+v", at, all)
				}
				if moved := s.parent(s.b) == s.e; moved != (c.state == directory.RequestAccepted) {
					t.Errorf("%s: moved: %v", at, moved)
				}
			}
		}
	}
}

// TestMoveRequestsInEveryOrder lets two at a time decide on a request, or one decide and one take away what it needs, in every order
// of their calls.
func TestMoveRequestsInEveryOrder(t *testing.T) {
	type world struct {
		*stage
		a, b, e     ident.Node
		left, right directory.Caller
		id          ident.MoveRequest
	}
	type does func(ctx context.Context, w *world) error
	accept := func(ctx context.Context, w *world) error { _, err := w.d.AcceptMove(ctx, w.right, w.id); return err }
	for name, c := range map[string]struct {
		other does
		fails *fault.Type // the second of the two
		both  bool        // may happen, when the other one is the second
	}{
		"accept": {accept, fault.RequestClosed, false},
		"withdraw": {func(ctx context.Context, w *world) error {
			_, err := w.d.WithdrawMove(ctx, w.left, w.id)
			return err
		}, fault.RequestClosed, false},
		"take the right away": {func(ctx context.Context, w *world) error {
			return w.d.RemoveGrant(ctx, w.founder, w.left.Principal, w.a)
		}, fault.RequestVoid, true},
		"trash": {func(ctx context.Context, w *world) error { _, err := w.d.Trash(ctx, w.founder, w.b); return err }, fault.RequestVoid, true},
		"move it away": {func(ctx context.Context, w *world) error {
			_, err := w.d.Move(ctx, w.founder, w.b, w.root)
			return err
		}, fault.RequestVoid, true},
	} {
		happened := map[string]int{}
		orders, err := everyOrder(t, func() (*stage, func() error) {
			s := newStage(t)
			w := &world{stage: s}
			w.a, w.e = s.mustPartner(t, s.root, "a"), s.mustPartner(t, s.root, "e")
			w.b = s.mustPartner(t, w.a, "b")
			for at, c := range map[ident.Node]*directory.Caller{w.a: &w.left, w.e: &w.right} {
				made, err := s.d.CreateClient(t.Context(), s.founder, directory.NewClient{Node: at, Name: "C", Role: access.Admin})
				if err != nil {
					t.Fatal(err)
				}
				*c = directory.Caller{Principal: made.ID, Key: made.SecretID}
			}
			r, err := s.d.AskMove(t.Context(), w.left, w.b, w.e, "")
			if err != nil {
				t.Fatal(err)
			}
			w.id = r.ID
			var ended []string
			run := func(name string, do does) {
				s.begin(name, false, func(ctx context.Context) error {
					err := do(ctx, w)
					if err == nil {
						ended = append(ended, name)
						return nil
					}
					if !c.fails.Is(err) && !(name == "withdraw" && fault.NotFound.Is(err)) { // it is not theirs any more
						return err
					}
					return nil
				})
			}
			run("first", accept)
			run(name, c.other)
			if name == "accept" { // which of two alike begins makes no difference
				s.proceed(s.actors[0])
			}
			return s, func() error {
				if s.wrote() {
					if err := s.sound([]ident.Node{s.root, w.a, w.b, w.e}); err != nil {
						return err
					}
				}
				if len(s.actors) > 0 {
					return nil
				}
				got := s.now(w.b)
				accepted := slices.Contains(ended, "first") || name == "accept" && len(ended) > 0
				moves := 0
				for _, e := range s.Events() {
					if p, ok := e.Data.(event.MovedData); ok && p.MoveRequestID == w.id && e.Type == event.PartnerMoved {
						moves++
					}
				}
				happened[fmt.Sprint(ended)]++
				switch {
				case accepted != (moves == 1) || moves > 1:
					return fmt.Errorf("%v ended well, and there were %d moves", ended, moves)
				case len(ended) == 2 && (!c.both || ended[0] != "first"):
					return fmt.Errorf("%v happened both", ended)
				case len(ended) == 1 && accepted && got.Parent != w.e:
					return fmt.Errorf("accepted, and it is below %s", got.Parent)
				}
				return nil
			}
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(happened) < 2 {
			t.Errorf("%s: always %v", name, happened)
		}
		t.Logf("%s: %d orders, %v", name, orders, happened)
	}
}
