// Package directory is what can be done with the tree: partners, customers, brands and API clients, by a caller who
// reaches some of it. Every operation takes the caller, reads what it decides on in one strongly consistent batch, asks
// access.Decide, and commits at most one transaction. No operation works without the decision.
//
// An operation that is refused has changed nothing. What the caller cannot see and what does not exist give the same
// error after the same reads.
package directory

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Directory does the operations on a Store.
type Directory struct {
	store Store
	now   func() time.Time
}

// New returns the directory that is kept in store; now is the clock.
func New(store Store, now func() time.Time) *Directory {
	return &Directory{store, func() time.Time { return now().UTC().Truncate(time.Microsecond) }}
}

// Caller is who makes a request, as was found before, and what came along with it.
type Caller struct {
	Principal ident.Principal
	Key       ident.Key // of an API client: the secret that was presented; it has to be live still
	Session   time.Time // of a person: when they proved who they are; it has to count still
	// Within bounds a person's reach (access.Principal.Within): to the partner that runs the app by which they signed in, if it is not the
	// platform's. Whoever runs an app has the tokens of all who sign in by it.
	Within    ident.Node
	RequestID string  // request id, for the events
	Repeat    *Repeat // nil without an Idempotency-Key
	IfMatch   []int64 // versions that an edit may start from; nil: any
}

// attempts is how often an operation starts over because something that it had read was changed before it committed.
const attempts = 8

// ErrChanged says that what was read is no longer so: read again.
var ErrChanged = errors.New("changed since it was read")

// View is what one strongly consistent read gave, with the caller in it.
type View struct {
	Got
	Caller *access.Principal
}

// Read reads w and the caller in one batch, and refuses a caller who is not, or no longer, who they were.
func (d *Directory) Read(ctx context.Context, c Caller, w Want) (*View, error) {
	w.Records = append(slices.Clip(w.Records), access.Principals.Ref(c.Principal))
	got, err := d.store.Read(ctx, w)
	if err != nil {
		return nil, err
	}
	p := access.Principals.In(got.Records, c.Principal)
	if c.Principal.IsPerson() {
		if p == nil { // has signed in and was never invited
			p = &access.Principal{ID: c.Principal}
		}
		if !p.Admits(c.Session, c.Within) {
			return nil, fault.Unauthenticated.New("You have signed out of this session. Sign in again.")
		}
		return &View{got, bound(p, c.Within)}, nil
	}
	if p == nil || !p.Holds(c.Key) {
		return nil, fault.Unauthenticated.New("The API key is unknown or was revoked. Send a live key as `Authorization: Bearer pmk_…`.")
	}
	return &View{got, p}, nil
}

// bound is the principal with a bound: that of the caller, or that with which they once asked for what lives on their right.
func bound(p *access.Principal, within ident.Node) *access.Principal {
	b := *p
	b.Within = within
	return &b
}

// reaches reports whether a place lies within the caller's bound.
func (c Caller) reaches(place hierarchy.Place) bool {
	return c.Within == "" || place.Path.Index(c.Within) >= 0
}

// Decide returns the node and what the caller may do there, or the error that refuses it.
func (v *View) Decide(id ident.Node, a access.Action) (*hierarchy.Node, access.Decision, error) {
	node := v.Nodes[id]
	if node == nil {
		return nil, access.Decision{}, access.Hidden()
	}
	d := access.Decide(v.Caller, &v.Tree, node, a)
	return node, d, d.Err()
}

// Reach reads one node with the caller, and others who are wanted, and decides about it.
func (d *Directory) Reach(ctx context.Context, c Caller, id ident.Node, a access.Action, others ...ident.Principal) (
	*View, *hierarchy.Node, access.Decision, error) {
	v, err := d.Read(ctx, c, Want{Nodes: []ident.Node{id}, Records: access.Principals.Refs(others...)})
	if err != nil {
		return nil, nil, access.Decision{}, err
	}
	node, dec, err := v.Decide(id, a)
	return v, node, dec, err
}

// Retry runs do until it gives anything but errChanged.
func Retry[T any](do func() (T, error)) (T, error) {
	for range attempts {
		if t, err := do(); !errors.Is(err, ErrChanged) {
			return t, err
		}
	}
	var none T
	return none, fault.Conflict.New("Others changed the same thing at the same time, again and again. Repeat the request.")
}

// Plan is one try of an operation that changes something: what it decided, ready to be committed. Without steps there is nothing
// to do.
type Plan[T any] struct {
	Answer T
	Steps  []Step
}

// Do carries out a request at the node target: it reads, decides, and commits what do prepares. A request that
// was carried out before under its Idempotency-Key is answered as it was then, provided that the caller still may.
func Do[T any](ctx context.Context, d *Directory, c Caller, target ident.Node, a access.Action, w Want,
	do func(v *View, node *hierarchy.Node, dec access.Decision) (Plan[T], error)) (T, error) {
	return Retry(func() (T, error) { return Round(ctx, d, c, target, a, w, do) })
}

// Round is one Round of once. It gives errChanged when it is worth another one.
func Round[T any](ctx context.Context, d *Directory, c Caller, target ident.Node, a access.Action, w Want,
	do func(v *View, node *hierarchy.Node, dec access.Decision) (Plan[T], error)) (none T, err error) {
	w.Nodes = append(slices.Clip(w.Nodes), target)
	if c.Repeat != nil {
		w.Records = append(slices.Clip(w.Records), memos.Ref(c.memo()))
	}
	v, err := d.Read(ctx, c, w)
	if err != nil {
		return none, err
	}
	node, dec, err := v.Decide(target, a)
	if err != nil {
		return none, err
	}
	if c.Repeat != nil {
		if m := memos.In(v.Records, c.memo()); m != nil && !m.expired(d.now()) {
			return recall[T](m, c.Repeat)
		}
	}
	prepared, err := do(v, node, dec)
	if err != nil {
		return none, err
	}
	steps := prepared.Steps
	if c.Repeat != nil {
		answer, err := json.Marshal(prepared.Answer)
		if err != nil {
			return none, err
		}
		now := d.now()
		memo := &memo{c.memo(), c.Repeat.Fingerprint, answer, now.Add(MemoFor)}
		steps = append([]Step{Put{Now: memo, At: now, Else: errRemembered}}, steps...)
	}
	if len(steps) == 0 {
		return prepared.Answer, nil
	}
	switch err := d.Commit(ctx, &v.Tree, steps...); {
	case errors.Is(err, errRemembered):
		return none, ErrChanged
	case err != nil:
		return none, err
	}
	return prepared.Answer, nil
}

// Commit commits what was decided from tree. An event names the nodes above the one that it happened to, in whose logs it is, so nothing
// up there may have been moved since: a Commit with an event holds the tree state, unless it changes it.
func (d *Directory) Commit(ctx context.Context, tree *hierarchy.TreeState, steps ...Step) error {
	tells, holds := false, false
	for _, s := range steps {
		switch s.(type) {
		case AddEvent:
			tells = true
		case AddChange, CheckSeq:
			holds = true
		}
	}
	if tells && !holds {
		steps = append(slices.Clip(steps), CheckSeq{Seq: tree.Seq, Else: ErrChanged})
	}
	return d.store.Commit(ctx, steps...)
}

// Event makes the record of what happened at a node.
func (d *Directory) Event(c Caller, t event.Type, node ident.Node, path hierarchy.Path, data map[string]any) AddEvent {
	return AddEvent{event.Event{ID: ident.NewEvent(), Type: t, Time: d.now(), Node: node, Path: path, Actor: c.Principal, RequestID: c.RequestID, Data: data}}
}

// Paging is which part of a list is wanted.
type Paging struct {
	Cursor string
	Limit  int
}

// List is one page; Next is "" on the last one.
type List[T any] struct {
	Items []T
	Next  string
}

// beginPage reads the decision about a node, and where in a list that belongs to it a page begins.
func (d *Directory) beginPage(ctx context.Context, c Caller, node ident.Node, list, cursor string) (
	v *View, n *hierarchy.Node, dec access.Decision, after string, err error) {
	sum, after, err := splitCursor(cursor)
	if err == nil {
		v, n, dec, err = d.Reach(ctx, c, node, access.Read)
	}
	if err == nil {
		err = checkCursor(v.Caller, list, sum, after)
	}
	return v, n, dec, after, err
}

// PageAt reads the decision about a node and a page of a list that belongs to it at the same time. The page is
// thrown away when the caller may not have it.
func PageAt[T any](ctx context.Context, d *Directory, c Caller, node ident.Node, a access.Action, list string, p Paging,
	page func(ctx context.Context, after string) (Page[T], error)) (access.Decision, List[T], error) {
	fail := func(err error) (access.Decision, List[T], error) { return access.Decision{}, List[T]{}, err }
	sum, after, cursorErr := splitCursor(p.Cursor)
	ctx, cancel := context.WithCancel(ctx)
	var found Page[T]
	var pageErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if cursorErr == nil {
			found, pageErr = page(ctx, after)
		}
	}()
	defer func() { cancel(); <-done }() // nothing goes on after the answer: a Lambda process sleeps then
	v, _, dec, err := d.Reach(ctx, c, node, a)
	if err != nil {
		return fail(err)
	}
	<-done
	if cursorErr != nil {
		return fail(cursorErr)
	}
	if err := checkCursor(v.Caller, list, sum, after); err != nil {
		return fail(err)
	}
	if pageErr != nil {
		return fail(pageErr)
	}
	return dec, List[T]{found.Items, signCursor(v.Caller, list, found.Next)}, nil
}
