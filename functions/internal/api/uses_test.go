package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// A key is noted once in a while, again after a note that failed, and no request waits for long, or fails, because of a note.
func TestUsesAreNotedSeldom(t *testing.T) {
	var noted []ident.Key
	var fails error
	u := &uses{noted: map[ident.Key]time.Time{}, note: func(_ context.Context, key ident.Key) error {
		noted = append(noted, key)
		return fails
	}}
	now := clocktest.Now()
	for i, c := range []struct {
		key   ident.Key
		after time.Duration
		fails error
		want  int
	}{
		{"key_1", 0, nil, 1}, {"key_1", time.Minute, nil, 1}, {"key_2", time.Minute, nil, 2}, {"", 0, nil, 2},
		{"key_1", directory.NoteUsesEvery, nil, 3}, {"key_2", directory.NoteUsesEvery, errors.New("busy"), 4}, {"key_2", 0, nil, 5}, {"key_2", 0, nil, 5},
	} {
		now, fails = now.Add(c.after), c.fails
		u.by(t.Context(), c.key, now)()
		if len(noted) != c.want {
			t.Errorf("%d: %v noted, want %d", i, noted, c.want)
		}
	}
	slow := &uses{noted: map[ident.Key]time.Time{}, note: func(ctx context.Context, _ ident.Key) error {
		<-ctx.Done() // longer than any patience
		return ctx.Err()
	}}
	slow.by(t.Context(), "key_1", now)()
	if len(slow.noted) > 0 {
		t.Error("what was not noted counts as noted")
	}
}
