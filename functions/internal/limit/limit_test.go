package limit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"example.com/partnertree/shared/directory"
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
	l := New(c)
	who, now := directory.Caller{Key: ident.NewKey()}, time.Unix(1_800_000_000, 0)
	var wg sync.WaitGroup
	for range 8 * batch {
		wg.Go(func() { l.Take(t.Context(), who, now).Done() })
	}
	wg.Wait()
	if c.total != 8*batch {
		t.Errorf("%d requests were counted as %d", 8*batch, c.total)
	}
	if got := l.Take(t.Context(), who, now); got.used != 8*batch+1 {
		t.Errorf("the next request is number %d", got.used)
	}
}

func TestWhoCannotCountLetsPassAndCountsLater(t *testing.T) {
	c := &counter{err: errors.New("throttled")}
	l := New(c)
	who, now := directory.Caller{Key: ident.NewKey()}, time.Unix(1_800_000_000, 0)
	for range batch {
		tk := l.Take(t.Context(), who, now)
		tk.Done()
		if err := tk.Err(); err != nil {
			t.Error(err)
		}
	}
	c.err = nil
	l.Take(t.Context(), who, now).Done()
	if c.total != batch+1 {
		t.Errorf("%d requests were counted as %d", batch+1, c.total)
	}
}

func TestAWindowEndsForEverybody(t *testing.T) {
	c := &counter{total: Quota}
	l := New(c)
	who, now := directory.Caller{Key: ident.NewKey()}, time.Unix(1_800_000_000, 0).Truncate(Window)
	for range batch {
		l.Take(t.Context(), who, now).Done()
	}
	tk := l.Take(t.Context(), who, now.Add(15*time.Second))
	if err := tk.Err(); err == nil || tk.seconds() != 45 {
		t.Errorf("over the quota: %v, for %d seconds", err, tk.seconds())
	}
	if tk := l.Take(t.Context(), who, now.Add(Window)); tk.Err() != nil || tk.used != 1 {
		t.Errorf("the next window begins with %d used", tk.used)
	}
}

// A client has a quota for each of its secrets; a person one at the platform's, and one within each bound.
func TestWhatHasAQuotaOfItsOwn(t *testing.T) {
	l, now := New(new(counter)), time.Unix(1_800_000_000, 0)
	callers := []directory.Caller{
		{Principal: "cli_0000000000000001", Key: "key_0000000000000001"}, {Principal: "cli_0000000000000001", Key: "key_0000000000000002"},
		{Principal: "usr_0000000000000001"}, {Principal: "usr_0000000000000001", Within: "ptn_0000000000000001"},
		{Principal: "usr_0000000000000001", Within: "ptn_0000000000000002"}, {Principal: "usr_0000000000000002"},
	}
	for n := range int64(3) {
		for _, c := range callers {
			c.Session, c.RequestID = now.Add(time.Duration(n)), string(ident.NewKey())
			if got := l.Take(t.Context(), c, now); got.used != n+1 {
				t.Errorf("%+v: number %d, want %d", c, got.used, n+1)
			}
		}
	}
}
