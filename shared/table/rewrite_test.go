package table_test

import (
	"errors"
	"regexp"
	"slices"
	"testing"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table/tabletest"
)

const plainWrites = "UpdateItem"

// rewrite gives the root some marks that it does not have, as of the change number asOf.
func (s *spoiled) rewrite(was, asOf int64) directory.Rewrite {
	place := hierarchy.Place{Path: s.root.Place.Path, Marks: []hierarchy.Mark{{Node: ident.NewPartner(), Kind: hierarchy.Trashed}}}
	return directory.Rewrite{Node: s.root.ID, WasAsOf: was, Place: place, AsOf: asOf, Else: errElse}
}

// stored fails the test unless the root is as the rewrite writes it.
func (s *spoiled) stored(t *testing.T, want directory.Rewrite) {
	t.Helper()
	got, err := s.Read(t.Context(), directory.Want{Nodes: []ident.Node{s.root.ID}})
	if err != nil {
		t.Fatal(err)
	}
	n := got.Nodes[s.root.ID]
	if n.AsOf != want.AsOf || n.Place.Path != want.Place.Path || !slices.Equal(n.Place.Marks, want.Place.Marks) {
		t.Errorf("stored is %+v; want %+v", n, want)
	}
}

func TestARewriteAloneIsAPlainWriteThatIsTriedAgain(t *testing.T) {
	s := newSpoiled(t)
	transactions := s.wire.Calls(commits)
	for i, faults := range [][]tabletest.Fault{
		nil,
		{tabletest.Throttled(), tabletest.Broken()},
		{tabletest.Lost()},
		{tabletest.AnswerLost()},
		{tabletest.AnswerCut(), tabletest.Throttled()},
		{tabletest.SilentAfter()},
	} {
		before := s.wire.Calls(plainWrites)
		s.wire.Spoil(plainWrites, faults...)
		rewrite := s.rewrite(int64(i), int64(i+1))
		if err := s.Commit(t.Context(), rewrite); err != nil {
			t.Errorf("with %d faults, number %d: %v", len(faults), i, err)
		}
		s.stored(t, rewrite)
		if n := s.wire.Calls(plainWrites) - before; n != len(faults)+1 {
			t.Errorf("with %d faults it was tried %d times", len(faults), n)
		}
	}
	if s.wire.Calls(commits) != transactions {
		t.Error("there was a transaction")
	}
}

func TestARewriteDoesNotTakeTheWorkOfOthersForItsOwn(t *testing.T) {
	s := newSpoiled(t)
	first := s.rewrite(0, 1)
	if err := s.Commit(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), first); !errors.Is(err, errElse) {
		t.Errorf("done before, by a call of its own: %v", err)
	}
	// The first attempt was never heard of, and meanwhile another one was.
	for _, other := range []directory.Rewrite{s.rewrite(0, 1), s.rewrite(0, 2), s.rewrite(0, 0)} {
		s.wire.Spoil(plainWrites, tabletest.Lost())
		if err := s.Commit(t.Context(), other); !errors.Is(err, errElse) {
			t.Errorf("after %+v another one gave %v", first, err)
		}
		s.stored(t, first)
	}
}

// Transactions that check the same item at the same time are in conflict, so they check different copies.
func TestChecksOfTheSeqAreSpreadOverTheCopies(t *testing.T) {
	s := newSpoiled(t)
	for range 40 {
		if err := s.Commit(t.Context(), directory.CheckSeq{Seq: 0, Else: errElse}); err != nil {
			t.Fatal(err)
		}
	}
	checked := map[string]bool{}
	for _, body := range s.wire.Bodies()[1:] {
		checked[regexp.MustCompile(`T#\d`).FindString(body)] = true
	}
	if len(checked) < 4 {
		t.Errorf("40 transactions checked %d copies", len(checked))
	}
}
