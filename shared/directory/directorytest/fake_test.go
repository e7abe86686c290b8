package directorytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

func TestFakeKeepsTheContract(t *testing.T) {
	Contract(t, func(*testing.T) directory.Store { return new(Fake) })
	CountContract(t, new(Fake))
}

// Stores erase the records in a list by the list's name.
func TestListsWhoseRecordsAreErasedHaveTheNameOfTheirKind(t *testing.T) {
	for _, l := range record.Lists() {
		if l.OnErase == record.Delete && !slices.Contains(record.Kinds(), l.Name) {
			t.Errorf("no kind has the name of the list %s", l.Name)
		}
	}
}

func TestNoConditionCanBeTakenOut(t *testing.T) {
	names := Conditions()
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			t.Errorf("%s is there twice", name)
		}
		if !slices.ContainsFunc(Promises(), func(p Promise) bool { return p.Broken(t, &Fake{Ignore: name}) }) {
			t.Errorf("without %s every promise is kept", name)
		}
	}
}

func TestTenThousandChildrenAreListedInOrder(t *testing.T) {
	s := begin(t, new(Fake), 1)
	const many = 10_000
	var nodes []hierarchy.Node
	for i := range many {
		nodes = append(nodes, s.customerBelow(s.root, hierarchy.Name(fmt.Sprintf("Customer %05d", i*7919%many)), s.root.Brands.Owned[0]))
	}
	s.addAll(s.root, nodes)
	got := pages(t, 200, func(after string, limit int) (directory.Page[hierarchy.Node], error) {
		return s.store.Children(t.Context(), s.root.ID, hierarchy.Customer, true, after, limit)
	})
	byName := func(a, b hierarchy.Node) int { return strings.Compare(string(a.Name), string(b.Name)) }
	if len(got) != many || !slices.IsSortedFunc(got, byName) {
		t.Errorf("%d children, or not in order", len(got))
	}
}

func TestACommitCanFailBeforeAndAfterItWasApplied(t *testing.T) {
	fake := new(Fake)
	s := begin(t, fake, 0)
	before, after := s.partnerBelow(s.root, "Before"), s.partnerBelow(s.root, "After")
	fail := func(c Call) error {
		if c.Name != "Commit" {
			return nil
		}
		if len(c.Steps) != 1 {
			t.Errorf("%d steps are shown; want 1", len(c.Steps))
		}
		return Busy()
	}
	fake.Before = fail
	errBefore := fake.Commit(t.Context(), directory.AddNode{Node: before})
	fake.Before, fake.After = nil, fail
	errAfter := fake.Commit(t.Context(), directory.AddNode{Node: after})
	fake.After = nil
	if errBefore == nil || errAfter == nil {
		t.Errorf("the commits gave %v and %v", errBefore, errAfter)
	}
	got := s.read(directory.Want{Nodes: []ident.Node{before.ID, after.ID}}).Nodes
	if got[before.ID] != nil || got[after.ID] == nil {
		t.Errorf("applied were: the one that failed before %v, the one that failed after %v", got[before.ID] != nil, got[after.ID] != nil)
	}
	if calls := fake.Calls(); !slices.Equal(calls[len(calls)-3:], []string{"Commit", "Commit", "Read"}) {
		t.Errorf("the calls were %v", calls)
	}
}

func TestACallWhoseContextHasEndedDoesNothing(t *testing.T) {
	fake := new(Fake)
	s := begin(t, fake, 0)
	n := s.partnerBelow(s.root, "Too late")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := fake.Commit(ctx, directory.AddNode{Node: n}); !fault.Busy.Is(err) {
		t.Errorf("Commit: %v", err)
	}
	if s.read(directory.Want{Nodes: []ident.Node{n.ID}}).Nodes[n.ID] != nil {
		t.Error("it was committed")
	}
}
