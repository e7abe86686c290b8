// Package listtest compares lists in tests. Of lists that differ it tells what is missing and what is unexpected, not both lists.
package listtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Same fails the test unless got has the elements of want, in any order, each as often. The failure begins with what the list is of.
func Same[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if difference := Difference(got, want); difference != "" {
		t.Errorf("%s:%s", what, difference)
	}
}

// InOrder fails the test unless got has the elements of want in the order of want.
func InOrder[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if difference := Difference(got, want); difference != "" {
		t.Errorf("%s:%s", what, difference)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: number %d is %v; want %v, and the others in that order", what, i+1, got[i], want[i])
			return
		}
	}
}

// Difference has a line for each element that got lacks, or has too often; "" when there is none.
func Difference[T comparable](got, want []T) string {
	count := map[T]int{}
	for _, v := range want {
		count[v]++
	}
	for _, v := range got {
		count[v]--
	}
	var lines []string
	for v, n := range count {
		for range n {
			lines = append(lines, fmt.Sprintf("\n  missing:    %v", v))
		}
		for range -n {
			lines = append(lines, fmt.Sprintf("\n  unexpected: %v", v))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// Lines has a line "key: value" for each entry of a map, so that maps can be compared like lists.
func Lines[K comparable, V any](m map[K]V) []string {
	var lines []string
	for k, v := range m {
		lines = append(lines, fmt.Sprintf("%v: %v", k, v))
	}
	return lines
}
