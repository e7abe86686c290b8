package graphtest

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What a Fault does.
const (
	Throttle   = "throttle"   // 429 with Retry-After, nothing applied
	Late       = "late"       // applied and answered after Delay
	FailBefore = "failBefore" // answered with Status, nothing applied
	FailAfter  = "failAfter"  // applied, and answered with Status nevertheless
)

// Fault is what happens to the next requests that it matches.
type Fault struct {
	Method string `json:"method"` // any when empty
	// Path is matched as path.Match does: an asterisk stands for one part of a path, as in /v1.0/users/*.
	Path  string `json:"path"`
	Count int    `json:"count"` // how many requests; 1 when 0
	Do    string `json:"do"`    // Throttle, Late, FailBefore or FailAfter
	// Status is what FailBefore and FailAfter answer with. With 0 the connection is closed without an answer.
	Status int `json:"status"`
	// Code is Graph's error code in that answer, such as Request_ResourceNotFound; the name of the status when empty.
	Code string `json:"code"`
	// RetryAfter is that of Throttle, and of other answers when it is not 0, in seconds.
	RetryAfter int `json:"retryAfter"`
	// Delay is in milliseconds. The other faults wait, too, when it is not 0.
	Delay int `json:"delay"`
}

// Request is what the double keeps of a request: neither tokens nor bodies.
type Request struct {
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"` // may name a user
	// Params are those parameters of the query and of a form that hold no secret and nobody's address: see paramsKept.
	Params map[string]string `json:"params"`
	Status int               `json:"status"` // 0 when the connection was closed without an answer
	Fault  string            `json:"fault"`  // what was done to it, if anything
}

var paramsKept = []string{"client_id", "redirect_uri", "response_type", "response_mode", "code_challenge_method", "scope", "prompt",
	"grant_type", "client_assertion_type", "$select", "$top"}

// requestsKept bounds the list of requests: the oldest go first.
const requestsKept = 10_000

// faults are what is going to happen, and what has.
type faults struct {
	mu       sync.Mutex
	waiting  []Fault
	requests []Request
}

// Fail makes the next requests that match meet the fault. Faults are met in the order in which they were told.
func (d *Double) Fail(f Fault) error {
	if _, err := path.Match(f.Path, ""); err != nil || f.Path == "" {
		return fmt.Errorf("graphtest: the path %q of a fault is not a pattern", f.Path)
	}
	if !slices.Contains([]string{Throttle, Late, FailBefore, FailAfter}, f.Do) {
		return fmt.Errorf("graphtest: a fault does not %q", f.Do)
	}
	if f.Count < 0 || f.Delay < 0 || f.RetryAfter < 0 || f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		return errors.New("graphtest: a fault's count, delay and retryAfter are not below 0, and its status is 0 or that of an error")
	}
	f.Count = max(f.Count, 1)
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.waiting = append(d.faults.waiting, f)
	return nil
}

// Heal forgets the faults that have not been met.
func (d *Double) Heal() {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.waiting = nil
}

// Requests are those that were answered since the start or the last Forget, oldest first, at most 10,000.
func (d *Double) Requests() []Request {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	return append([]Request{}, d.faults.requests...)
}

// Forget empties the list of requests.
func (d *Double) Forget() {
	d.faults.mu.Lock()
	defer d.faults.mu.Unlock()
	d.faults.requests = nil
}

// next takes the first fault that matches.
func (f *faults) next(r *http.Request) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.waiting {
		w := &f.waiting[i]
		if ok, _ := path.Match(w.Path, r.URL.Path); !ok || w.Method != "" && w.Method != r.Method {
			continue
		}
		met := *w
		if w.Count--; w.Count == 0 {
			f.waiting = slices.Delete(f.waiting, i, i+1)
		}
		return met, true
	}
	return Fault{}, false
}

// serve lets a request through to the handler, or has it meet its fault, and keeps what became of it.
func (f *faults) serve(d *Double, next http.Handler, w http.ResponseWriter, r *http.Request) {
	out := &watched{ResponseWriter: w}
	fault, spoiled := f.next(r)
	defer func() {
		kept := Request{Time: d.now(), Method: r.Method, Path: r.URL.Path, Params: params(r), Status: out.status, Fault: fault.Do}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.requests = append(f.requests, kept)
		if len(f.requests) > requestsKept {
			f.requests = slices.Clone(f.requests[1:])
		}
		d.log.Info("request", "method", r.Method, "route", r.Pattern, "status", out.status, "fault", fault.Do)
	}()
	if !spoiled {
		next.ServeHTTP(out, r)
		return
	}
	select { // a caller who goes away does not take the request back
	case <-time.After(time.Duration(fault.Delay) * time.Millisecond):
	case <-r.Context().Done():
	}
	switch fault.Do {
	case Late:
		next.ServeHTTP(out, r)
		return
	case Throttle:
		fault.Status = http.StatusTooManyRequests
	case FailAfter:
		next.ServeHTTP(&unheard{header: http.Header{}}, r)
	}
	if fault.Status == 0 {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	if fault.Do == Throttle || fault.RetryAfter > 0 {
		out.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
	}
	if strings.HasPrefix(r.URL.Path, graphPrefix) {
		if fault.Code == "" {
			fault.Code = strings.ReplaceAll(http.StatusText(fault.Status), " ", "")
		}
		d.graphRefuse(out, &graphError{fault.Status, fault.Code, "The double was told to answer with this."})
		return
	}
	e := refuse("temporarily_unavailable", 90033, "A transient error has occurred. Please try again.")
	e.status = fault.Status
	d.tokenError(out, e)
}

// params are the parameters that are kept. A form is seen when the handler has read it.
func params(r *http.Request) map[string]string {
	kept := map[string]string{}
	query := r.URL.Query()
	for _, name := range paramsKept {
		for _, values := range [][]string{query[name], r.PostForm[name]} {
			if len(values) > 0 {
				kept[name] = values[0]
			}
		}
	}
	return kept
}

// watched notices the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// unheard is the answer that nobody gets.
type unheard struct{ header http.Header }

func (u *unheard) Header() http.Header         { return u.header }
func (u *unheard) Write(b []byte) (int, error) { return len(b), nil }
func (u *unheard) WriteHeader(int)             {}
