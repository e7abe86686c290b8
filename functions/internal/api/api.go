// Package api is what the function api does once for all operations: it finds the operation, says who is calling, reads
// what came along, and turns what comes back into an answer. An operation gets the caller as an argument and cannot
// be reached without one. Whatever goes wrong becomes a problem document; the function never returns an error to Lambda.
package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/partnertree/functions/internal/deadline"
	"example.com/partnertree/functions/internal/etag"
	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/limit"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
)

// Function is the folder below functions/ that serves the API's operations.
const Function = "api"

// MaxBody is the largest body in bytes, of operations for which the contract says nothing else.
const MaxBody = 64 << 10

// Operation does one operation of the contract.
type Operation func(ctx context.Context, r *Request) (Reply, error)

// Request is what an operation gets.
type Request struct {
	Caller directory.Caller
	event  *events.APIGatewayV2HTTPRequest
	body   []byte
	unless etag.List // If-None-Match
}

// Reply is what an operation answers.
type Reply struct {
	Status   int
	Version  int64  // of the thing in Body: becomes the ETag; 0: none
	Location string // of what was created
	Body     any    // nil: none
}

// API serves the operations.
type API struct {
	operations map[string]served // by route key
	limit      *limit.Limiter
	used       *uses
	now        func() time.Time
	log        *slog.Logger
}

// served is an operation with what the contract says of it.
type served struct {
	contract.Operation
	do Operation
}

// New serves the operations, by their ids in the contract. It panics when they are not exactly those that the contract
// gives to the function: that is a mistake in the program, and any test that starts it shows it.
func New(operations map[string]Operation, count limit.Counter, used func(context.Context, ident.Key) error, now func() time.Time, log *slog.Logger) *API {
	a := &API{map[string]served{}, limit.New(count), &uses{note: used, noted: map[ident.Key]time.Time{}}, now, log}
	left := maps.Clone(operations)
	for _, op := range contract.Operations {
		if op.Function != Function {
			continue
		}
		do := operations[op.ID]
		if do == nil {
			panic("no line of functions/internal/operations/routes.go serves the operation " + op.ID)
		}
		delete(left, op.ID)
		op.MaxBody = cmp.Or(op.MaxBody, MaxBody)
		a.operations[op.RouteKey()] = served{op, do}
		if op.Method == http.MethodGet {
			a.operations[http.MethodHead+" "+op.Path] = served{op, do}
		}
	}
	for id := range left {
		panic("the contract does not give " + id + " to the function api: look at its x-function in shared/contract/openapi.yaml, then make generate")
	}
	return a
}

// Handle answers one request. Its error is always nil: an error would become an answer that is not ours.
func (a *API) Handle(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	start := a.now()
	ctx, cancel := deadline.Before(ctx)
	defer cancel()
	id := event.RequestContext.RequestID
	if id == "" {
		id = rand.Text()
	}
	trace, parent := traceparent(event.Headers["traceparent"])
	headers := map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Request-Id": id, "traceparent": parent,
	}
	r := &Request{event: &event}
	r.Caller.RequestID = id

	reply, err := a.serve(ctx, r, headers)
	if err == nil && reply.Version > 0 && r.unless.HasWeakly(tagOf(reply.Version)) {
		reply.Status, reply.Body = http.StatusNotModified, nil
	}
	response := events.APIGatewayV2HTTPResponse{StatusCode: reply.Status, Headers: headers}
	line := []slog.Attr{slog.String("requestId", id), slog.String("traceId", trace), slog.String("operation", a.operations[event.RouteKey].ID),
		slog.String("principal", string(r.Caller.Principal))}
	if err == nil && reply.Body != nil {
		response.Body, err = encode(reply.Body)
		headers["Content-Type"] = "application/json"
	}
	level := slog.LevelInfo
	if err != nil {
		e := fault.From(err)
		response.StatusCode = contract.Status(e.Type.Slug)
		response.Body = problem(e, id)
		headers["Content-Type"] = "application/problem+json"
		if after := shape.RetryAfter(e); after != "" {
			headers["Retry-After"] = after
		}
		if e.Type == fault.Unauthenticated {
			headers["WWW-Authenticate"] = "Bearer"
		}
		line = append(line, slog.String("problem", e.Type.Slug))
		if response.StatusCode >= 500 {
			level = slog.LevelError
			line = append(line, slog.String("cause", err.Error()))
		}
	} else {
		if reply.Version > 0 {
			headers["ETag"] = tagOf(reply.Version)
		}
		if reply.Location != "" {
			headers["Location"] = reply.Location
		}
	}
	if event.RequestContext.HTTP.Method == http.MethodHead {
		response.Body = ""
	}
	line = append(line, slog.Int("status", response.StatusCode), slog.Int64("micros", a.now().Sub(start).Microseconds()))
	a.log.LogAttrs(ctx, level, "request", line...)
	return response, nil
}

// serve does what is common before the operation, and the operation.
func (a *API) serve(ctx context.Context, r *Request, headers map[string]string) (reply Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	op, ok := a.operations[r.event.RouteKey]
	if !ok {
		return Reply{}, fault.NoSuchRoute.New("This operation does not exist. GET /docs lists all operations.")
	}
	if err := r.authenticate(a.now()); err != nil {
		return Reply{}, err
	}
	counted := a.limit.Take(ctx, r.Caller, a.now())
	defer counted.Done()
	counted.Describe(headers)
	if err := counted.Err(); err != nil {
		return Reply{}, err
	}
	defer a.used.by(ctx, r.Caller.Key, a.now())()
	if err := r.readHeaders(); err != nil {
		return Reply{}, err
	}
	if err := r.readBody(op.MaxBody, op.TooLarge); err != nil {
		return Reply{}, err
	}
	return op.do(ctx, r)
}

// authenticate takes over whom the authorizer found: an API client by one of its secrets, or a person by a token that was issued at
// session and counts until until, both in Unix milliseconds, bounded to within if that is there. API Gateway may have kept what the
// authorizer found for longer than that. What they may do, and whether the secret or the session still counts, is decided later, from
// the table.
func (r *Request) authenticate(now time.Time) error {
	const how = "Send a live API key as `Authorization: Bearer pmk_…`, or a Microsoft Entra access token for this API in the same way."
	if r.event.RequestContext.Authorizer == nil {
		return fault.Unauthenticated.New("The request has no credentials. %s", how)
	}
	found := r.event.RequestContext.Authorizer.Lambda
	principal, _ := found["principal"].(string)
	key, _ := found["key"].(string)
	session, _ := found["session"].(string)
	until, _ := found["until"].(string)
	client, err1 := ident.ParseClient(principal)
	secret, err2 := ident.ParseKey(key)
	if err1 == nil && err2 == nil {
		r.Caller.Principal, r.Caller.Key = client, secret
		return nil
	}
	person, err1 := ident.ParsePerson(principal)
	began, err2 := strconv.ParseInt(session, 10, 64)
	end, err3 := strconv.ParseInt(until, 10, 64)
	within, err4 := ident.Node(""), error(nil)
	if bound, given := found["within"]; given { // what cannot be read must not count as no bound
		text, _ := bound.(string)
		within, err4 = ident.ParseNode(text)
	}
	if err1 == nil && err2 == nil && err3 == nil && err4 == nil {
		if !now.Before(time.UnixMilli(end)) {
			return fault.Unauthenticated.New("The access token has expired. Get a new token, and send it as `Authorization: Bearer …`.")
		}
		r.Caller.Principal, r.Caller.Session, r.Caller.Token, r.Caller.Within = person, time.UnixMilli(began), true, within
		return nil
	}
	refusal, _ := found["refusal"].(string)
	return fault.Unauthenticated.New("%s", strings.TrimSpace(refusal+" "+how))
}

// validIdempotencyKey reports whether s has 1 to 255 visible ASCII characters.
func validIdempotencyKey(s string) bool {
	return len(s) >= 1 && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' })
}

// tagOf is the ETag of a version.
func tagOf(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// versions are those that a list of tags names. A weak tag names none (RFC 9110, 13.1.1), and neither does one that tagOf does not make.
func versions(tags etag.List) []int64 {
	found := []int64{}
	for _, tag := range tags.Tags {
		if version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64); err == nil && tagOf(version) == tag {
			found = append(found, version)
		}
	}
	return found
}

func (r *Request) readHeaders() error {
	method := r.event.RequestContext.HTTP.Method
	const form = "must be *, or an ETag exactly as you received it, with its quotes, or several ETags separated by commas"
	var wrong fault.Fields
	if match, given := r.event.Headers["if-match"]; given {
		tags, ok := etag.Parse(match)
		if !ok {
			wrong.Add("If-Match", form)
		}
		if !tags.Any {
			r.Caller.IfMatch = versions(tags)
		}
	}
	if match, given := r.event.Headers["if-none-match"]; given {
		var ok bool
		r.unless, ok = etag.Parse(match)
		switch {
		case method != http.MethodGet && method != http.MethodHead:
			wrong.Add("If-None-Match", "works only with GET and HEAD; leave this header out, or send If-Match")
		case !ok:
			wrong.Add("If-None-Match", form)
		}
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	key, given := r.event.Headers["idempotency-key"]
	if !given || method != http.MethodPost {
		return nil
	}
	key = strings.Trim(key, `"`) // the draft has a quoted string there
	if !validIdempotencyKey(key) {
		return fault.IdempotencyKeyFormat.New("Idempotency-Key must have 1 to 255 visible ASCII characters; a UUID works well.")
	}
	r.Caller.Repeat = &directory.Repeat{Key: key}
	return nil
}

func (r *Request) readBody(most int, hint string) error {
	body := []byte(r.event.Body)
	if r.event.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(r.event.Body); err != nil {
			return fault.MalformedJSON.Because(err, "The body cannot be read. Send one JSON object.")
		}
	}
	if len(body) > most {
		return fault.TooLarge.New("%s", strings.TrimSpace(fmt.Sprintf("The body has %d bytes; the maximum is %d. %s", len(body), most, hint)))
	}
	if len(body) > 0 {
		media, _, _ := strings.Cut(r.event.Headers["content-type"], ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "application/json", "application/merge-patch+json":
		default:
			return fault.UnsupportedMediaType.New("Send the body as `Content-Type: application/json`.")
		}
	}
	r.body = body
	if r.Caller.Repeat != nil {
		h := sha256.New()
		fmt.Fprintf(h, "%s\n%s\n", r.event.RouteKey, r.event.RawPath)
		h.Write(canonical(body))
		r.Caller.Repeat.Fingerprint = h.Sum(nil)
	}
	return nil
}

// Path reads an id from the path. One that cannot be is as hidden as one that is not.
func Path[T any](r *Request, name string, parse func(string) (T, error)) (T, error) {
	id, err := parse(r.event.PathParameters[name])
	if err != nil {
		return id, access.Hidden()
	}
	return id, nil
}

// Body reads the body. It refuses a query: what an operation with a body needs is in the body.
func Body[T any](r *Request, read func(*input.Object) T) (T, error) {
	var none T
	if _, err := Query(r, input.NoQuery); err != nil {
		return none, err
	}
	o, err := input.FromJSON(r.body)
	if err != nil {
		return none, err
	}
	in := read(o)
	return in, o.Err()
}

// BodyOrNone reads the body as Body does. A missing body counts as an empty object.
func BodyOrNone[T any](r *Request, read func(*input.Object) T) (T, error) {
	if len(bytes.TrimSpace(r.body)) == 0 {
		r.body = []byte("{}")
	}
	return Body(r, read)
}

// Query reads the query.
func Query[T any](r *Request, read func(*input.Query) T) (T, error) {
	q := input.FromQuery(r.event.QueryStringParameters)
	in := read(q)
	return in, q.Err()
}

// canonical is the body in a form in which equal requests are equal bytes (RFC 8785), or as it is if it is no JSON.
func canonical(body []byte) []byte {
	v := jsontext.Value(bytes.Clone(body))
	if v.Canonicalize() != nil {
		return body
	}
	return v
}

func encode(body any) (string, error) {
	b, err := json.Marshal(body, json.Deterministic(true))
	return string(b), err
}

// problem is the document of RFC 9457.
func problem(e *fault.Error, request string) string {
	body, err := encode(shape.OfProblem(e, request))
	if err != nil { // a text that is no UTF-8, which no detail is
		return `{"type":"/problems/internal","status":500}`
	}
	return body
}

// traceContext is compiled when it is needed: regular expressions with counts are a large part of a cold start.
var traceContext = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$`)
})

// traceparent continues the caller's trace (W3C Trace Context) or begins one.
func traceparent(header string) (trace, parent string) {
	var b [24]byte
	rand.Read(b[:]) // never fails
	trace, flags := hex.EncodeToString(b[:16]), "00"
	if m := traceContext().FindStringSubmatch(header); m != nil && strings.Trim(m[1], "0") != "" && strings.Trim(m[2], "0") != "" {
		trace, flags = m[1], m[3]
	}
	return trace, "00-" + trace + "-" + hex.EncodeToString(b[16:]) + "-" + flags
}
