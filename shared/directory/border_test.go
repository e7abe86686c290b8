package directory_test

import (
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

// What is written while the branch is moved, however far up, is told where the branch is by then: to those who follow it there, and not to
// those whom it has left.
func TestAnEventIsToldWhereItsNodeIsWhenItIsCommitted(t *testing.T) {
	for what, do := range map[string]func(s *shop, y ident.Node, home directory.Caller) error{
		"edit": func(s *shop, y ident.Node, _ directory.Caller) error {
			reference := "new"
			_, err := s.d.EditCustomer(s.t.Context(), s.founder, y, directory.CustomerPatch{Details: map[string]string{"reference": reference}})
			return err
		},
		"create": func(s *shop, _ ident.Node, _ directory.Caller) error {
			in := directory.NewCustomer{Partner: s.c, Name: "z", Details: hierarchy.Details{Brand: s.brand}}
			_, err := s.d.CreateCustomer(s.t.Context(), s.founder, in)
			return err
		},
		"brand": func(s *shop, _ ident.Node, _ directory.Caller) error {
			in := directory.NewBrand{Partner: s.c, Name: "O", Domain: "o.example", Regions: []string{"eu-west-1"}}
			_, err := s.d.CreateBrand(s.t.Context(), s.founder, in)
			return err
		},
		"client": func(s *shop, _ ident.Node, _ directory.Caller) error {
			_, err := s.d.CreateClient(s.t.Context(), s.founder, directory.NewClient{Node: s.c, Name: "D", Role: access.Viewer})
			return err
		},
		"grant": func(s *shop, y ident.Node, home directory.Caller) error {
			_, err := s.d.GrantRole(s.t.Context(), s.founder, home.Principal, y, access.Admin)
			return err
		},
		"request": func(s *shop, y ident.Node, _ directory.Caller) error {
			_, err := s.d.AskMove(s.t.Context(), s.founder, y, s.root, "")
			return err
		},
	} {
		s := newShop(t)
		y, err := s.d.CreateCustomer(t.Context(), s.founder, directory.NewCustomer{Partner: s.c, Name: "y", Details: hierarchy.Details{Brand: s.brand}})
		if err != nil {
			t.Fatal(err)
		}
		home := s.client(s.c, access.Viewer)
		s.now = s.now.Add(time.Minute)
		from, moved := s.now, false
		s.Before = func(c directorytest.Call) error {
			if c.Name == "Commit" && !moved {
				moved = true
				s.now = s.now.Add(time.Second)
				if _, err := s.d.Move(t.Context(), s.founder, s.b, s.e); err != nil {
					t.Fatal(err)
				}
			}
			return nil
		}
		if err := do(s, y.ID, home); err != nil {
			t.Fatal(what, err)
		}
		s.Before = nil
		if got := s.log(s.founder, s.a, directory.LogFilter{From: from}, 10); len(got) != 1 || got[0].Type != event.PartnerMoved {
			t.Errorf("%s: where it was: %v", what, types(got))
		}
		if got := s.log(s.founder, s.e, directory.LogFilter{From: from}, 10); len(got) != 2 {
			t.Errorf("%s: where it is: %v", what, types(got))
		}
	}
}

// Those at the node itself do not learn from its log where it was to go.
func TestWhereItWasToGoIsForThoseAbove(t *testing.T) {
	s := newBorder(t)
	within := s.client(s.b, access.Viewer)
	if _, err := s.d.WithdrawMove(t.Context(), s.left, s.ask()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.d.DeclineMove(t.Context(), s.right, s.ask()); err != nil {
		t.Fatal(err)
	}
	told := func(c directory.Caller, id ident.Node) (tos int) {
		for _, e := range s.log(c, id, directory.LogFilter{}, 100) {
			var to ident.Node
			switch p := e.Data.(type) {
			case event.MoveAskedData:
				to = p.To
			case event.MoveDeclinedData:
				to = p.To
			case event.MoveWithdrawnData:
				to = p.To
			}
			if to != "" {
				tos++
			}
		}
		return tos
	}
	if n := told(within, s.b); n != 0 {
		t.Errorf("%d events at the node", n)
	}
	if n := told(s.left, s.a); n != 4 {
		t.Errorf("%d events above it", n)
	}
}

// Somebody who is looked for by what is hidden is not found.
func TestAFilterFindsOnlyWhatIsSeen(t *testing.T) {
	s := newBorder(t)
	s.done(s.d.AcceptMove(t.Context(), s.right, s.ask()))
	if got := s.log(s.left, s.a, directory.LogFilter{Actor: s.right.Principal}, 10); len(got) > 0 {
		t.Errorf("who accepted is confirmed: %+v", got)
	}
	if got := s.log(s.right, s.e, directory.LogFilter{Actor: s.right.Principal}, 10); !slices.Equal(types(got), []event.Type{event.PartnerMoved}) {
		t.Errorf("on their own side: %+v", got)
	}
}

// What keeps a node out does not tell those who are asked about its brands and what is below it.
func TestARefusedAcceptTellsNothingOfTheOtherSide(t *testing.T) {
	s := newBorder(t)
	own, err := s.d.CreateBrand(t.Context(), s.founder, directory.NewBrand{Partner: s.a, Name: "P", Domain: "p.example", Regions: []string{"eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.d.EditPartner(t.Context(), s.founder, s.b, directory.PartnerPatch{Available: &[]ident.Brand{s.brand, own.ID}}); err != nil {
		t.Fatal(err)
	}
	_, err = s.d.AcceptMove(t.Context(), s.right, s.ask())
	if !fault.BrandNotAvailable.Is(err) || strings.Contains(err.Error(), "brd_") {
		t.Errorf("a brand: %v", err)
	}
	d := newBorder(t)
	at := d.e
	for range hierarchy.MaxDepth - 3 {
		at = d.partner(at, "deep")
	}
	asked, err := d.d.AskMove(t.Context(), d.left, d.b, at, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.d.AcceptMove(t.Context(), d.right, asked.ID)
	if !fault.DepthLimit.Is(err) || strings.Contains(err.Error(), "levels") {
		t.Errorf("the depth: %v", err)
	}
}

// What was said to the other side stays between the two, wherever the node goes then.
func TestAThirdSideDoesNotReadClosedRequests(t *testing.T) {
	s := newBorder(t)
	f := s.partner(s.root, "f")
	third := s.client(f, access.Admin)
	id := s.ask()
	if _, err := s.d.DeclineMove(t.Context(), s.right, id); err != nil {
		t.Fatal(err)
	}
	s.done(s.d.Move(t.Context(), s.founder, s.b, f))
	if got := s.requests(third, s.b); len(got) != 1 || got[0].To != "" || got[0].Message != "" {
		t.Errorf("%+v", got)
	}
	for who, c := range map[string]directory.Caller{"asked": s.left, "were asked": s.right} {
		if got, err := s.d.MoveRequest(t.Context(), c, id); err != nil || got.To != s.e || got.Message != "please" {
			t.Errorf("those who %s: %+v, %v", who, got, err)
		}
	}
}

// A client that has nothing at its home any more outlives the purge of its home; then the owners of the root manage it.
func TestWhoseHomeIsPurgedIsManagedAtTheRoot(t *testing.T) {
	s := newShop(t)
	c := s.client(s.b, access.Viewer)
	if _, err := s.d.GrantRole(t.Context(), s.founder, c.Principal, s.e, access.Owner); err != nil {
		t.Fatal(err)
	}
	if err := s.d.RemoveGrant(t.Context(), s.founder, c.Principal, s.b); err != nil {
		t.Fatal(err)
	}
	other := s.client(s.e, access.Owner)
	s.trash(s.b)
	s.now = s.now.Add(hierarchy.KeepTrash + time.Hour)
	s.purge()
	ids := jobsIn(s.Fake)
	if err := settled(t.Context(), s.d, ids[len(ids)-1]); err != nil {
		t.Fatal(err)
	}
	if got, err := s.d.Client(t.Context(), s.founder, c.Principal); err != nil || got.Home != s.root {
		t.Errorf("%+v, %v", got, err)
	}
	s.refused("by an owner elsewhere", fault.NotFound, s.d.RevokeClient(t.Context(), other, c.Principal))
	s.refused("by an owner of the root", nil, s.d.RevokeClient(t.Context(), s.founder, c.Principal))
	_, err := s.d.Get(t.Context(), c, s.e)
	s.refused("revoked", fault.Unauthenticated, err)
}

// Nothing is added to what is in the trash, so that nothing is left of it after the purge.
func TestAMoveIsNotAskedOfTheTrash(t *testing.T) {
	s := newBorder(t)
	s.trash(s.e)
	events := len(s.Events())
	asked, err := s.d.AskMove(t.Context(), s.left, s.b, s.e, "please") // the answer does not tell
	if err != nil || !slices.Equal(since(s.Fake, events), []event.Type{event.MoveAsked}) {
		t.Errorf("%+v, %v: %v", asked, err, since(s.Fake, events))
	}
}
