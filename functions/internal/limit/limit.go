// Package limit bounds how many requests one caller makes: of the API and, of a person, for pages, counted together.
package limit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
)

// Every secret of an API client, and every person, may make Quota requests in each Window: by secret, so that a stolen one that was
// removed does not use up the quota of its client. Requests are counted in this process and told to all others in batches, so most
// requests cost nothing more, and who is counted may exceed the quota by at most batch for each process that serves them. What protects
// the platform as a whole is API Gateway's throttling.
const (
	Quota  = 3000
	Window = time.Minute
	batch  = 20

	// patience is how long an answer may wait for counting.
	patience = 300 * time.Millisecond
)

// Counter adds n to what all processes together have counted in the window that begins at window of who: the id of a secret or of a
// person.
type Counter interface {
	Count(ctx context.Context, who string, window time.Time, n int64) (total int64, err error)
}

// Limiter counts requests. It is safe for concurrent use, and meant to live as long as the process.
type Limiter struct {
	count   Counter
	mu      sync.Mutex
	windows map[string]*window // by who
}

// New returns a Limiter that shares its counts with all other processes by the counter.
func New(count Counter) *Limiter { return &Limiter{count: count, windows: map[string]*window{}} }

// who is by what a caller's requests are limited: an API client by its secret, and a person within a bound apart, so that whoever has their
// tokens or cookies there uses up nothing elsewhere.
func who(c directory.Caller) string {
	if c.Key != "" {
		return string(c.Key)
	}
	return string(c.Principal) + string(c.Within)
}

// window is somebody's present window, as this process knows it.
type window struct {
	begin time.Time
	told  int64 // what all processes had told when this one last asked
	here  int64 // requests here since then
	// telling is how many of those here are being told to the others.
	telling int64
}

// Ticket is one request, counted.
type Ticket struct {
	used  int64
	reset time.Duration
	told  chan struct{} // closed when the others know; nil when they need not
}

// Take counts a caller's request, and tells the others side by side with whatever the request does, when it is time.
func (l *Limiter) Take(ctx context.Context, c directory.Caller, now time.Time) Ticket {
	who := who(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	begin := now.Truncate(Window)
	w := l.windows[who]
	if w == nil || !w.begin.Equal(begin) {
		if w == nil && len(l.windows) >= 10_000 {
			clear(l.windows)
		}
		w = &window{begin: begin}
		l.windows[who] = w
	}
	w.here++
	t := Ticket{used: w.told + w.telling + w.here, reset: begin.Add(Window).Sub(now)}
	if w.here >= batch {
		t.told = make(chan struct{})
		w.telling += w.here
		go l.tell(ctx, who, w, w.here, t.told)
		w.here = 0
	}
	return t
}

func (l *Limiter) tell(ctx context.Context, who string, w *window, n int64, told chan<- struct{}) {
	defer close(told)
	ctx, cancel := context.WithTimeout(ctx, patience) // the answer waits for this
	defer cancel()
	total, err := l.count.Count(ctx, who, w.begin, n)
	l.mu.Lock()
	defer l.mu.Unlock()
	w.telling -= n
	if err != nil {
		w.here += n // who cannot count lets pass: a client must not be refused for our trouble
		return
	}
	w.told = max(w.told, total)
}

// Done waits until the others know: a Lambda process sleeps once it has answered.
func (t Ticket) Done() {
	if t.told != nil {
		<-t.told
	}
}

func (t Ticket) seconds() int { return int((t.reset + time.Second - 1) / time.Second) }

// Describe sets the headers of draft-ietf-httpapi-ratelimit-headers.
func (t Ticket) Describe(headers map[string]string) {
	headers["RateLimit-Policy"] = fmt.Sprintf(`"default";q=%d;w=%d`, Quota, int(Window/time.Second))
	headers["RateLimit"] = fmt.Sprintf(`"default";r=%d;t=%d`, max(0, Quota-t.used), t.seconds())
}

// Err is fault.TooManyRequests when the request is one too many.
func (t Ticket) Err() error {
	if t.used <= Quota {
		return nil
	}
	e := fault.TooManyRequests.New("You can send at most %d requests a minute. Wait %d seconds, and spread your requests out.", Quota, t.seconds())
	e.RetryAfter = t.reset
	return e
}
