package tabletest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Wire stands between a client and DynamoDB, counts what passes, and spoils it on demand.
type Wire struct {
	mu     sync.Mutex
	queue  map[string][]Fault
	calls  map[string]int
	bodies []string
}

// Fault is what happens to one call instead of being sent.
type Fault func(r *http.Request, send Send) (*http.Response, error)

// Send sends a call to DynamoDB.
type Send func(*http.Request) (*http.Response, error)

// On is the option that puts the wire into a client.
func (w *Wire) On(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: w} }

// Spoil makes the next calls of an operation, such as TransactWriteItems, meet these faults, one each. A nil Fault lets a
// call pass.
func (w *Wire) Spoil(operation string, faults ...Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue == nil {
		w.queue = map[string][]Fault{}
	}
	w.queue[operation] = append(w.queue[operation], faults...)
}

// Calls is how often the operation was called.
func (w *Wire) Calls(operation string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[operation]
}

// Bodies are the requests of the operation TransactWriteItems so far.
func (w *Wire) Bodies() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.bodies...)
}

// RoundTrip implements http.RoundTripper.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	w.mu.Lock()
	if w.calls == nil {
		w.calls = map[string]int{}
	}
	w.calls[operation]++
	if operation == "TransactWriteItems" {
		w.bodies = append(w.bodies, string(body))
	}
	var fault Fault
	if q := w.queue[operation]; len(q) > 0 {
		fault, w.queue[operation] = q[0], q[1:]
	}
	w.mu.Unlock()
	if fault == nil {
		return client.Transport.RoundTrip(r)
	}
	return fault(r, client.Transport.RoundTrip)
}

// Answer answers in DynamoDB's stead. The call is not carried out.
func Answer(status int, body string) Fault {
	return func(r *http.Request, _ Send) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Status: strconv.Itoa(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header:        http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// Throttled is DynamoDB refusing a call because there are too many.
func Throttled() Fault {
	return Answer(400, `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"too fast"}`)
}

// Broken is DynamoDB failing inside.
func Broken() Fault {
	return Answer(500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"sorry"}`)
}

// InProgress is DynamoDB still working on a transaction with the same token.
func InProgress() Fault {
	return Answer(400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionInProgressException","Message":"in progress"}`)
}

// Canceled is DynamoDB canceling a transaction; there is a code for each of its items, "None" for those that are innocent.
func Canceled(codes ...string) Fault {
	reasons := `{"Code":"` + strings.Join(codes, `"},{"Code":"`) + `"}`
	return Answer(400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"canceled",`+
		`"CancellationReasons":[`+reasons+`]}`)
}

// Lost is a connection that breaks before DynamoDB has heard of the call.
func Lost() Fault {
	return func(*http.Request, Send) (*http.Response, error) {
		return nil, errLost
	}
}

// AnswerLost is a connection that breaks after the call was carried out.
func AnswerLost() Fault {
	return func(r *http.Request, send Send) (*http.Response, error) {
		resp, err := send(r)
		if err != nil {
			return nil, err
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return nil, errLost
	}
}

// AnswerCut is a connection that breaks within the answer to a call that was carried out.
func AnswerCut() Fault {
	return func(r *http.Request, send Send) (*http.Response, error) {
		resp, err := send(r)
		if err != nil {
			return nil, err
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"`), failing{}))
		resp.ContentLength = -1
		resp.Header.Del("X-Amz-Crc32")
		return resp, nil
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Silent is a call that DynamoDB never answers and has not heard of.
func Silent() Fault {
	return func(r *http.Request, _ Send) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
}

// SilentAfter is a call that was carried out and is never answered.
func SilentAfter() Fault {
	return func(r *http.Request, send Send) (*http.Response, error) {
		resp, err := send(r)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
}

// errLost is what net/http reports of a peer that went away.
var errLost = errors.New("read tcp: connection reset by peer")
