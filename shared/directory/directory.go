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

// Repeat makes a request safe to send again: for MemoFor, the same key with the same fingerprint gives the same answer.
type Repeat struct {
	Key         string
	Fingerprint []byte // of the operation and its input
}

// MemoFor is how long an Idempotency-Key is remembered.
const MemoFor = 24 * time.Hour

// attempts is how often an operation starts over because something that it had read was changed before it committed.
const attempts = 8

// errChanged says that what was read is no longer so: read again.
var errChanged = errors.New("changed since it was read")

// view is what one strongly consistent read gave, with the caller in it.
type view struct {
	Got
	caller *access.Principal
}

// read reads w and the caller in one batch, and refuses a caller who is not, or no longer, who they were.
func (d *Directory) read(ctx context.Context, c Caller, w Want) (*view, error) {
	w.Principals = append(slices.Clip(w.Principals), c.Principal)
	got, err := d.store.Read(ctx, w)
	if err != nil {
		return nil, err
	}
	p := got.Principals[c.Principal]
	if c.Principal.IsPerson() {
		if p == nil { // has signed in and was never invited
			p = &access.Principal{ID: c.Principal}
		}
		if !p.Admits(c.Session, c.Within) {
			return nil, fault.Unauthenticated.New("You have signed out of this session. Sign in again.")
		}
		return &view{got, bound(p, c.Within)}, nil
	}
	if p == nil || !p.Holds(c.Key) {
		return nil, fault.Unauthenticated.New("The API key is unknown or was revoked. Send a live key as `Authorization: Bearer pmk_…`.")
	}
	return &view{got, p}, nil
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

// memo is where the answer to the request is remembered: for each bound apart, since an answer tells what could be seen within it.
func (c Caller) memo() *MemoKey {
	if c.Within == "" {
		return &MemoKey{c.Principal, c.Repeat.Key}
	}
	return &MemoKey{c.Principal, string(c.Within) + " " + c.Repeat.Key} // which has no space
}

// decide returns the node and what the caller may do there, or the error that refuses it.
func (v *view) decide(id ident.Node, a access.Action) (*hierarchy.Node, access.Decision, error) {
	node := v.Nodes[id]
	if node == nil {
		return nil, access.Decision{}, access.Hidden()
	}
	d := access.Decide(v.caller, &v.Tree, node, a)
	return node, d, d.Err()
}

// reach reads one node with the caller, and others who are wanted, and decides about it.
func (d *Directory) reach(ctx context.Context, c Caller, id ident.Node, a access.Action, others ...ident.Principal) (
	*view, *hierarchy.Node, access.Decision, error) {
	v, err := d.read(ctx, c, Want{Nodes: []ident.Node{id}, Principals: others})
	if err != nil {
		return nil, nil, access.Decision{}, err
	}
	node, dec, err := v.decide(id, a)
	return v, node, dec, err
}

// Retry runs do until it gives anything but errChanged.
func Retry[T any](do func() (T, error)) (T, error) {
	for range attempts {
		if t, err := do(); !errors.Is(err, errChanged) {
			return t, err
		}
	}
	var none T
	return none, fault.Conflict.New("Others changed the same thing at the same time, again and again. Repeat the request.")
}

// Plan is one try of an operation that changes something: what it decided, ready to be committed. Without steps there is nothing
// to do.
type Plan[T any] struct {
	answer T
	steps  []Step
}

// Do carries out a request at the node target: it reads, decides, and commits what do prepares. A request that
// was carried out before under its Idempotency-Key is answered as it was then, provided that the caller still may.
func Do[T any](ctx context.Context, d *Directory, c Caller, target ident.Node, a access.Action, w Want,
	do func(v *view, node *hierarchy.Node, dec access.Decision) (Plan[T], error)) (T, error) {
	return Retry(func() (T, error) { return Round(ctx, d, c, target, a, w, do) })
}

// Round is one Round of once. It gives errChanged when it is worth another one.
func Round[T any](ctx context.Context, d *Directory, c Caller, target ident.Node, a access.Action, w Want,
	do func(v *view, node *hierarchy.Node, dec access.Decision) (Plan[T], error)) (none T, err error) {
	w.Nodes = append(slices.Clip(w.Nodes), target)
	if c.Repeat != nil {
		w.Memo = c.memo()
	}
	v, err := d.read(ctx, c, w)
	if err != nil {
		return none, err
	}
	node, dec, err := v.decide(target, a)
	if err != nil {
		return none, err
	}
	now := d.now()
	if v.Memo != nil && !v.Memo.Expired(now) {
		return recall[T](v.Memo, c.Repeat)
	}
	prepared, err := do(v, node, dec)
	if err != nil {
		return none, err
	}
	steps := prepared.steps
	if c.Repeat != nil {
		answer, err := json.Marshal(prepared.answer)
		if err != nil {
			return none, err
		}
		memo := Memo{*w.Memo, c.Repeat.Fingerprint, answer, now.Add(MemoFor)}
		steps = append([]Step{Remember{memo, now}}, steps...)
	}
	if len(steps) == 0 {
		return prepared.answer, nil
	}
	switch err := d.commit(ctx, &v.Tree, steps...); {
	case errors.Is(err, ErrRemembered):
		return none, errChanged
	case err != nil:
		return none, err
	}
	return prepared.answer, nil
}

// commit commits what was decided from tree. An event names the nodes above the one that it happened to, in whose logs it is, so nothing
// up there may have been moved since: a commit with an event holds the tree state, unless it changes it.
func (d *Directory) commit(ctx context.Context, tree *hierarchy.TreeState, steps ...Step) error {
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
		steps = append(slices.Clip(steps), CheckSeq{Seq: tree.Seq, Else: errChanged})
	}
	return d.store.Commit(ctx, steps...)
}

func recall[T any](m *Memo, r *Repeat) (T, error) {
	var answer T
	if !slices.Equal(m.Fingerprint, r.Fingerprint) {
		return answer, fault.IdempotencyKeyReused.New("This Idempotency-Key came with another request before. Use a new key for each new request.")
	}
	return answer, json.Unmarshal(m.Answer, &answer)
}

// event makes the record of what happened at a node.
func (d *Directory) event(c Caller, t event.Type, node ident.Node, path hierarchy.Path, data map[string]any) AddEvent {
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

// listed reads the decision about a node, and where in a list that belongs to it a page begins.
func (d *Directory) listed(ctx context.Context, c Caller, node ident.Node, list, cursor string) (
	v *view, n *hierarchy.Node, dec access.Decision, after string, err error) {
	sum, after, err := splitCursor(cursor)
	if err == nil {
		v, n, dec, err = d.reach(ctx, c, node, access.Read)
	}
	if err == nil {
		err = checkCursor(v.caller, list, sum, after)
	}
	return v, n, dec, after, err
}

// sideBySide reads the decision about a node and a page of a list that belongs to it at the same time. The page is
// thrown away when the caller may not have it.
func sideBySide[T any](ctx context.Context, d *Directory, c Caller, node ident.Node, a access.Action, list string, p Paging,
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
	v, _, dec, err := d.reach(ctx, c, node, a)
	if err != nil {
		return fail(err)
	}
	<-done
	if cursorErr != nil {
		return fail(cursorErr)
	}
	if err := checkCursor(v.caller, list, sum, after); err != nil {
		return fail(err)
	}
	if pageErr != nil {
		return fail(pageErr)
	}
	return dec, List[T]{found.Items, signCursor(v.caller, list, found.Next)}, nil
}
