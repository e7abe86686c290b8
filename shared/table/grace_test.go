package table

import (
	"testing"

	"example.com/partnertree/shared/directory"
)

// A node that was read just before it was rewritten must not meet a tree state that the change has left since.
func TestTheGraceIsFarLongerThanAnAttempt(t *testing.T) {
	if directory.Grace <= 10*readDeadline {
		t.Errorf("the grace is %s and an attempt to read takes up to %s", directory.Grace, readDeadline)
	}
}
