package table_test

import (
	"flag"
	"testing"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/directory/directorytest"
)

// TestSubtreesAgreeWithAModel is a small run of what the tests of directory do with the Fake for long.
func TestSubtreesAgreeWithAModel(t *testing.T) {
	for name, value := range map[string]string{"rapid.checks": "6", "rapid.steps": "100"} {
		was := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { flag.Set(name, was) })
	}
	steps := 0
	rapid.Check(t, func(r *rapid.T) { directorytest.Subtrees(r, open(t), false, func() { steps++ }) })
	t.Logf("%d steps", steps)
}
