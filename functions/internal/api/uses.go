package api

import (
	"context"
	"sync"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// patience is how long an answer waits for the note that a key was used.
const patience = 300 * time.Millisecond

// uses notes which keys are used: in each process each key once in directory.NoteUsesEvery. So nearly all requests cost nothing more, and a
// key that is used once a year is noted, too.
type uses struct {
	note  func(context.Context, ident.Key) error
	mu    sync.Mutex
	noted map[ident.Key]time.Time
}

// by notes that a key is used, when it is time, side by side with the request. It returns what waits for the note: a Lambda process sleeps
// once it has answered. A note that fails is tried again with the next request.
func (u *uses) by(ctx context.Context, key ident.Key, now time.Time) (wait func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if key == "" || now.Sub(u.noted[key]) < directory.NoteUsesEvery {
		return func() {}
	}
	if len(u.noted) >= 10_000 {
		clear(u.noted)
	}
	u.noted[key] = now
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if u.note(ctx, key) != nil {
			u.mu.Lock()
			delete(u.noted, key)
			u.mu.Unlock()
		}
	}()
	return func() { <-done }
}
