package hierarchy

import "testing"

func TestTheTreeStateHasRoomForSoManyChangesAndPaths(t *testing.T) {
	from := func(n int) Change { return Change{From: make([]Path, n)} }
	changes := func(n int, from ...Change) []Change { return append(make([]Change, n), from...) }
	for what, c := range map[string]struct {
		changes []Change
		next    Change
		room    bool
	}{
		"the first":                         {nil, from(1), true},
		"the last":                          {changes(MaxChanges - 1), from(1), true},
		"one too many":                      {changes(MaxChanges), from(0), false},
		"one with all paths":                {nil, from(MaxFrom), true},
		"one with more":                     {nil, from(MaxFrom + 1), false},
		"one with the rest of the paths":    {changes(3, from(2), from(MaxFrom-5)), from(3), true},
		"one with one more than the rest":   {changes(3, from(2), from(MaxFrom-5)), from(4), false},
		"one without paths when all are in": {changes(3, from(MaxFrom)), from(0), true},
	} {
		tree := TreeState{Changes: c.changes}
		if got := tree.Room(&c.next); got != c.room {
			t.Errorf("%s: room is %v", what, got)
		}
	}
}
