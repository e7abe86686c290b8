// Package apitest is the API in one process, on any store: requests go in as API Gateway sends them and every answer is
// held against the contract. Its words read as a story: w.As(owner).Creates(…), w.As(stranger).CannotSee(…).
package apitest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/limit"
	"example.com/partnertree/functions/internal/operations"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/contract/contracttest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Store is what the API needs of a store.
type Store interface {
	directory.Store
	limit.Counter
}

// World is the API on a store, founded: Root is the root partner, Founder its owner.
type World struct {
	T       testing.TB
	Store   Store
	Dir     *directory.Directory
	Log     *bytes.Buffer // everything that was logged
	Root    ident.Node
	Founder *Actor
	clock   atomic.Int64
	api     *api.API
}

// Actor is an API client with one of its keys, or a person who has signed in.
type Actor struct {
	World  *World
	ID     ident.Principal
	Key    string               // of an API client
	Person *credential.SignedIn // a person
	Always []With               // applied to each request
}

// tokenFor is how long after each request the access token of a person counts.
const tokenFor = time.Hour

// New founds a platform on the store.
func New(t testing.TB, store Store) *World {
	t.Helper()
	w := &World{T: t, Store: store, Log: new(bytes.Buffer)}
	w.clock.Store(clocktest.Start().UnixMicro())
	w.Dir = directory.New(store, w.Now)
	w.api = api.New(operations.All(w.Dir), store, nothingNoted, w.Now, slog.New(slog.NewJSONHandler(&synced{w: w.Log}, nil)))
	root, owner, key, err := w.Dir.CreateRoot(t.Context(), "Cloudvendor", "Founder")
	if err != nil {
		t.Fatal(err)
	}
	w.Root, w.Founder = root.ID, &Actor{World: w, ID: owner.ID, Key: key}
	if fake, ok := store.(*directorytest.Fake); ok {
		t.Cleanup(func() { checkEvents(t, fake) })
	}
	return w
}

// checkEvents asserts that everything that happened is told as the contract says, from the root and from where it happened.
func checkEvents(t testing.TB, store *directorytest.Fake) {
	for _, e := range store.Events() {
		for _, at := range []ident.Node{e.Path.At(0), e.Node} {
			seen := shape.OfEvent(e.SeenFrom(at))
			for schema, value := range map[string]any{reflect.TypeOf(seen.Data).Name(): seen.Data, "Event": seen} {
				body, err := json.Marshal(value)
				if err == nil {
					err = contracttest.CheckSchema(schema, body)
				}
				if err != nil {
					t.Errorf("%s is told as %s, which is no %s: %.500v", e.Type, body, schema, err)
				}
			}
		}
	}
}

type synced struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *synced) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// Now is the world's clock: it begins at clocktest.Start, and moves a millisecond each time that somebody looks.
func (w *World) Now() time.Time { return time.UnixMicro(w.clock.Add(1000)) }

// Wait moves the clock.
func (w *World) Wait(d time.Duration) { w.clock.Add(d.Microseconds()) }

// Until moves the clock to a time that is still to come.
func (w *World) Until(at time.Time) {
	w.T.Helper()
	now := w.Now()
	if now.After(at) {
		w.T.Fatalf("it is %s, after %s", now, at)
	}
	w.Wait(at.Sub(now))
}

// Next moves the clock to where another period (a minute, a day) begins, in UTC.
func (w *World) Next(period time.Duration) { w.Until(clocktest.Next(w.Now(), period)) }

// Answer is what the API answered.
type Answer struct {
	T       testing.TB
	Request string // method and path, for messages
	Status  int
	Header  map[string]string
	Body    string
}

// With changes a request before it is sent.
type With func(*events.APIGatewayV2HTTPRequest)

// Header sets a request header.
func Header(name, value string) With {
	return func(e *events.APIGatewayV2HTTPRequest) { e.Headers[strings.ToLower(name)] = value }
}

// Do sends a request. A body that is a string is sent as it is; others as JSON.
func (a *Actor) Do(method, target string, body any, with ...With) *Answer {
	t := a.World.T
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	op, params := find(method, u.Path)
	if op == nil {
		t.Fatalf("the contract has no %s %s", method, u.Path)
	}
	event := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: method + " " + op.Path, RawPath: u.Path, RawQueryString: u.RawQuery,
		Headers: map[string]string{}, PathParameters: params}
	event.RequestContext.RequestID = "test-request"
	event.RequestContext.HTTP.Method, event.RequestContext.HTTP.Path = method, u.Path
	for name, values := range u.Query() {
		if event.QueryStringParameters == nil {
			event.QueryStringParameters = map[string]string{}
		}
		event.QueryStringParameters[name] = strings.Join(values, ",")
	}
	if key, ok := credential.ParseAPIKey(a.Key); ok {
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			Lambda: map[string]any{"principal": string(key.Client), "key": string(key.ID)}}
	}
	if a.Person != nil {
		millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			Lambda: map[string]any{"principal": string(a.ID), "session": millis(a.Person.Began), "until": millis(a.World.Now().Add(tokenFor))}}
	}
	switch body := body.(type) {
	case nil:
	case string:
		event.Body = body
	default:
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		event.Body = string(b)
	}
	if event.Body != "" {
		event.Headers["content-type"] = "application/json"
	}
	for _, w := range slices.Concat(a.Always, with) {
		w(&event)
	}
	response, err := a.World.api.Handle(context.Background(), event)
	if err != nil {
		t.Fatal(err)
	}
	answer := &Answer{t, method + " " + target, response.StatusCode, response.Headers, response.Body}
	hold(t, event, answer)
	return answer
}

func find(method, path string) (*contract.Operation, map[string]string) {
	method = strings.Replace(method, "HEAD", "GET", 1)
	for i := range contract.Operations {
		op := &contract.Operations[i]
		if params, ok := contract.Match(op.Path, path); ok && op.Method == method {
			return op, params
		}
	}
	return nil, nil
}

// hold compares an answer with what the contract says of it.
func hold(t testing.TB, event events.APIGatewayV2HTTPRequest, a *Answer) {
	t.Helper()
	if len(a.Header["X-Request-Id"]) == 0 || len(a.Header["traceparent"]) != 55 {
		t.Errorf("%s: the answer has no request id or traceparent: %v", a.Request, a.Header)
	}
	if event.RequestContext.HTTP.Method == "HEAD" {
		if a.Body != "" {
			t.Errorf("%s: the answer has a body: %s", a.Request, a.Body)
		}
		return
	}
	header := http.Header{}
	for name, value := range a.Header {
		header.Set(name, value)
	}
	r := httptest.NewRequest(event.RequestContext.HTTP.Method, event.RawPath+"?"+event.RawQueryString, nil)
	if err := contracttest.Check(r, a.Status, header, []byte(a.Body)); err != nil {
		t.Errorf("%s: the answer is not what the contract says: %v\n%d %s", a.Request, err, a.Status, a.Body)
	}
}

// Is fails the test unless the answer has the status and, for problems, the type with this slug.
func (a *Answer) Is(status int, slug ...string) *Answer {
	a.T.Helper()
	if a.Status != status || len(slug) > 0 && a.Get("type") != "/problems/"+slug[0] {
		a.T.Fatalf("%s: %d %s; want %d %v", a.Request, a.Status, a.Body, status, slug)
	}
	return a
}

// Says fails the test unless the body has the text.
func (a *Answer) Says(text string) *Answer {
	a.T.Helper()
	if !strings.Contains(a.Body, text) {
		a.T.Errorf("%s: %d %s; want it to say %s", a.Request, a.Status, a.Body, text)
	}
	return a
}

// JSON is the body.
func (a *Answer) JSON() map[string]any {
	a.T.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		a.T.Fatalf("%s: %d %q: %v", a.Request, a.Status, a.Body, err)
	}
	return body
}

// Get is a value of the body by the names on the way to it, as text; "" when it is not there.
func (a *Answer) Get(names ...string) string {
	a.T.Helper()
	var at any = a.JSON()
	for _, name := range names {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	if at == nil {
		return ""
	}
	return fmt.Sprint(at)
}

// Items are the values that the items of a list have under name.
func (a *Answer) Items(name string) []string {
	a.T.Helper()
	a.Is(200)
	items, ok := a.JSON()["items"].([]any)
	if !ok {
		a.T.Fatalf("%s: no items in %s", a.Request, a.Body)
	}
	values := []string{}
	for _, item := range items {
		values = append(values, fmt.Sprint(item.(map[string]any)[name]))
	}
	return values
}

// Gets sends a GET.
func (a *Actor) Gets(target string, args ...any) *Answer {
	a.World.T.Helper()
	return a.Do("GET", fmt.Sprintf(target, args...), nil)
}

// Partner creates a child partner that has these brands; the first one is its portal brand.
func (a *Actor) Partner(parent ident.Node, name string, brands ...string) ident.Node {
	a.World.T.Helper()
	return ident.Node(a.Do("POST", "/v1/partners", NewPartner(parent, name, brands...)).Is(201).Get("id"))
}

// NewPartner is a request for a child partner.
func NewPartner(parent ident.Node, name string, brands ...string) map[string]any {
	return map[string]any{"parentId": parent, "name": name, "portalBrandId": brands[0], "availableBrandIds": brands, "canProvisionServices": true}
}

// Customer creates a customer.
func (a *Actor) Customer(partner ident.Node, name, brand string) ident.Node {
	a.World.T.Helper()
	return ident.Node(a.Do("POST", "/v1/customers", map[string]any{"partnerId": partner, "name": name, "brandId": brand}).Is(201).Get("id"))
}

// Brand creates a brand.
func (a *Actor) Brand(owner ident.Node, domain string) string {
	a.World.T.Helper()
	return a.Do("POST", "/v1/brands", map[string]any{"partnerId": owner, "name": "Brand " + domain, "domain": domain, "regions": []string{"eu-west-1"}}).Is(201).Get("id")
}

// Client creates an API client with a role at a node.
func (a *Actor) Client(node ident.Node, role string) *Actor {
	a.World.T.Helper()
	made := a.Do("POST", "/v1/api-clients", map[string]any{"nodeId": node, "name": role, "role": role}).Is(201)
	return &Actor{World: a.World, ID: ident.Principal(made.Get("id")), Key: made.Get("secret", "key")}
}

// Stranger is a person who has just signed in, with their verified address, and was never invited.
func (w *World) Stranger(email string) *Actor {
	who := credential.SignedIn{Tenant: guid(), Object: guid(), Name: "Alice Le Page", Email: email, Verified: true, Began: w.Now()}
	return &Actor{World: w, ID: who.Principal(), Person: &who}
}

func guid() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// PersonWith is a person who has a role at a node.
func (w *World) PersonWith(node ident.Node, role access.Role) *Actor {
	w.T.Helper()
	a := w.Stranger("alice@vale.example")
	person := access.Person{Tenant: a.Person.Tenant, Object: a.Person.Object, Email: a.Person.Email}
	p := access.Principal{ID: a.ID, Name: "Alice Le Page", Person: &person,
		Grants: map[ident.Node]access.Role{node: role}, CursorKey: make([]byte, 32), Version: 1, Created: w.Now()}
	rand.Read(p.CursorKey) // never fails
	if err := w.Store.Commit(w.T.Context(), directory.Put{Now: &p, Else: directory.ErrExists}); err != nil {
		w.T.Fatal(err)
	}
	return a
}

// SignsIn begins another session of the person.
func (a *Actor) SignsIn() *Actor {
	who := *a.Person
	who.Began = a.World.Now()
	return &Actor{World: a.World, ID: a.ID, Person: &who}
}

// Accepts takes the invitation, by the link that was mailed.
func (a *Actor) Accepts(invitation string) error {
	a.World.T.Helper()
	return a.AcceptsLink(a.World.Link(invitation))
}

// AcceptsLink takes the invitation that a link is of.
func (a *Actor) AcceptsLink(link credential.Token) error {
	_, err := a.World.Dir.AcceptInvitation(a.World.T.Context(), *a.Person, link, "test-request")
	return err
}

// Link is the present link of an invitation.
func (w *World) Link(invitation string) credential.Token {
	w.T.Helper()
	id := ident.Invitation(invitation)
	got, err := w.Store.Read(w.T.Context(), directory.Want{
		Records: []record.Ref{directory.Invitations.Ref(id), credential.Keyrings.Ref(credential.TheKeyring)}})
	i, ring := directory.Invitations.In(got.Records, id), credential.Keyrings.In(got.Records, credential.TheKeyring)
	if err != nil || i == nil || ring == nil {
		w.T.Fatalf("%s: %v", id, err)
	}
	token, ok := ring.InvitationToken(i.Key, id, i.Generation)
	if !ok {
		w.T.Fatalf("the key of %s is gone", id)
	}
	return token
}

// Sees fails the test unless the actor can read the node.
func (a *Actor) Sees(node ident.Node) {
	a.World.T.Helper()
	a.Gets("%s", NodePath(node)).Is(200)
}

// CannotSee fails the test unless the node does not exist for the actor.
func (a *Actor) CannotSee(node ident.Node) {
	a.World.T.Helper()
	a.Gets("%s", NodePath(node)).Is(404, "not-found")
}

// NodePath is where the API has a node.
func NodePath(node ident.Node) string {
	if strings.HasPrefix(string(node), ident.Customer) {
		return "/v1/customers/" + string(node)
	}
	return "/v1/partners/" + string(node)
}

// nothingNoted is in the place of Directory.NoteUse: what a request asks of the store is then the same for every key, whenever it comes.
func nothingNoted(context.Context, ident.Key) error { return nil }
