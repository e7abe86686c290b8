package api

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"example.com/partnertree/shared/ident"
)

// counter counts for all processes, and can be out of order.
type counter struct {
	mu    sync.Mutex
	total int64
	err   error
}

func (c *counter) Count(_ context.Context, _ string, _ time.Time, n int64) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	c.total += n
	return c.total, nil
}

func TestEveryRequestIsCountedOnce(t *testing.T) {
	c := new(counter)
	l := &limiter{count: c, windows: map[string]*window{}}
	who, now := string(ident.NewKey()), time.Unix(1_800_000_000, 0)
	var wg sync.WaitGroup
	for range 8 * batch {
		wg.Go(func() { l.take(t.Context(), who, now).done() })
	}
	wg.Wait()
	if c.total != 8*batch {
		t.Errorf("%d requests were counted as %d", 8*batch, c.total)
	}
	if got := l.take(t.Context(), who, now); got.used != 8*batch+1 {
		t.Errorf("the next request is number %d", got.used)
	}
}

func TestWhoCannotCountLetsPassAndCountsLater(t *testing.T) {
	c := &counter{err: errors.New("throttled")}
	l := &limiter{count: c, windows: map[string]*window{}}
	who, now := string(ident.NewKey()), time.Unix(1_800_000_000, 0)
	for range batch {
		tk := l.take(t.Context(), who, now)
		tk.done()
		if err := tk.err(); err != nil {
			t.Error(err)
		}
	}
	c.err = nil
	l.take(t.Context(), who, now).done()
	if c.total != batch+1 {
		t.Errorf("%d requests were counted as %d", batch+1, c.total)
	}
}

func TestAWindowEndsForEverybody(t *testing.T) {
	c := &counter{total: Quota}
	l := &limiter{count: c, windows: map[string]*window{}}
	who, now := string(ident.NewKey()), time.Unix(1_800_000_000, 0).Truncate(Window)
	for range batch {
		l.take(t.Context(), who, now).done()
	}
	tk := l.take(t.Context(), who, now.Add(15*time.Second))
	if err := tk.err(); err == nil || tk.seconds() != 45 {
		t.Errorf("over the quota: %v, for %d seconds", err, tk.seconds())
	}
	if tk := l.take(t.Context(), who, now.Add(Window)); tk.err() != nil || tk.used != 1 {
		t.Errorf("the next window begins with %d used", tk.used)
	}
}
