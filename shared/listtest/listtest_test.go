package listtest

import (
	"fmt"
	"testing"
)

// told is a test that only keeps what it is told.
type told struct {
	testing.TB
	said string
}

func (*told) Helper() {}

func (t *told) Errorf(format string, args ...any) { t.said += fmt.Sprintf(format, args...) }

func TestWhatDiffersIsTold(t *testing.T) {
	for _, c := range []struct {
		got, want     []string
		same, inOrder string
	}{
		{nil, nil, "", ""},
		{[]string{"a", "b"}, []string{"a", "b"}, "", ""},
		{[]string{"b", "a", "a"}, []string{"a", "b", "a"}, "", "X: number 1 is b; want a, and the others in that order"},
		{[]string{"a", "c"}, []string{"a", "b"}, "X:\n  missing:    b\n  unexpected: c", "X:\n  missing:    b\n  unexpected: c"},
		{[]string{"a", "a"}, []string{"a"}, "X:\n  unexpected: a", "X:\n  unexpected: a"},
		{nil, []string{"a", "a"}, "X:\n  missing:    a\n  missing:    a", "X:\n  missing:    a\n  missing:    a"},
	} {
		same, inOrder := &told{}, &told{}
		Same(same, "X", c.got, c.want)
		InOrder(inOrder, "X", c.got, c.want)
		if same.said != c.same || inOrder.said != c.inOrder {
			t.Errorf("%v, and want %v: %q, %q", c.got, c.want, same.said, inOrder.said)
		}
	}
}
