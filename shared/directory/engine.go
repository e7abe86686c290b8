package directory

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Nowhere is a node that does not exist. It is read in the place of one that cannot be known, so that what does not
// exist takes as long as what is not visible.
const Nowhere = ident.Node(ident.Partner + "0000000000000000")

// Untrashed refuses to change what is in the trash.
func Untrashed(place hierarchy.Place) error {
	if at := place.Top(hierarchy.Trashed); at != "" {
		return fault.Trashed.New("This part of the tree is in the trash, because %s was put there. Restore %[1]s before you change anything there.", at)
	}
	return nil
}

// Live refuses to change what is in the trash or suspended.
func Live(place hierarchy.Place) error {
	if err := Untrashed(place); err != nil {
		return err
	}
	if at := place.Top(hierarchy.Suspended); at != "" {
		return fault.Suspended.New("This part of the tree is suspended, because %s is suspended. Resume %[1]s before you change anything there.", at)
	}
	return nil
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
			return nil, signedOut(c, p.SessionsSince(c.Within), d.now())
		}
		return &View{got, bound(p, c.Within)}, nil
	}
	if p == nil || !p.Holds(c.Key, d.now()) {
		return nil, fault.Unauthenticated.New("The API key is unknown, has expired or was revoked. Send a live key as `Authorization: Bearer pmk_…`.")
	}
	return &View{got, p}, nil
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

// Retry runs do until it gives anything but ErrChanged.
func Retry[T any](do func() (T, error)) (T, error) {
	for range attempts {
		if t, err := do(); !errors.Is(err, ErrChanged) {
			return t, err
		}
	}
	var none T
	return none, fault.Conflict.New("Others keep changing the same data at the same time. Repeat the request.")
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

// Round is one attempt of Do. Its error is ErrChanged when another attempt may succeed.
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

// Event makes the record of what happened at a node. The type follows from the data.
func (d *Directory) Event(c Caller, node ident.Node, path hierarchy.Path, data event.Payload) AddEvent {
	return AddEvent{event.Event{ID: ident.NewEvent(), Type: data.TypeAt(node), Time: d.now(), Node: node, Path: path, Actor: c.Principal,
		RequestID: c.RequestID, Data: data}}
}

// concurrently calls do for each number below n, several at a time, until the first error. When it returns nothing goes on any more.
func concurrently(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	const atOnce = 8
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, n)
	slots := make(chan struct{}, atOnce)
	for i := range n {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs <- do(ctx, i)
		}()
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	return first
}

func Match(versions []int64, version int64) error {
	if versions == nil || slices.Contains(versions, version) {
		return nil
	}
	return fault.PreconditionFailed.New("This was changed after you read it, and is now at version %d. Read the current version and repeat your edit.", version)
}

// kept is a record that is found by its kind.
type kept[T any] interface {
	*T
	record.Record
}

// ReachOf reads a record, then the node that it belongs to with the caller, and decides about that one. A record that there is not takes as
// many reads as one out of sight.
func ReachOf[ID ~string, T any, P kept[T]](ctx context.Context, d *Directory, c Caller, k record.Kind[ID, T, P], id ID, belongs func(*T) ident.Node,
	a access.Action) (*View, *T, *hierarchy.Node, access.Decision, error) {
	r, at, err := find(ctx, d, c, k, id, belongs)
	if err != nil {
		return nil, nil, nil, access.Decision{}, err
	}
	v, node, dec, err := d.Reach(ctx, c, at, a)
	return v, r, node, dec, err
}

// DoOn carries out a request about a record, as Do does at the node that the record belongs to. The record is read again with all that is
// decided on.
func DoOn[ID ~string, T any, P kept[T], A any](ctx context.Context, d *Directory, c Caller, k record.Kind[ID, T, P], id ID,
	belongs func(*T) ident.Node, a access.Action, w Want,
	do func(v *View, was *T, node *hierarchy.Node, dec access.Decision) (Plan[A], error)) (A, error) {
	w.Records = append(slices.Clip(w.Records), k.Ref(id))
	return Retry(func() (none A, err error) {
		_, at, err := find(ctx, d, c, k, id, belongs)
		if err != nil {
			return none, err
		}
		return Round(ctx, d, c, at, a, w, func(v *View, node *hierarchy.Node, dec access.Decision) (Plan[A], error) {
			was := k.In(v.Records, id)
			if was == nil || belongs(was) != at {
				return Plan[A]{}, access.Hidden()
			}
			return do(v, was, node, dec)
		})
	})
}

// find reads a record, and says which node it belongs to: Nowhere when there is no such record.
func find[ID ~string, T any, P kept[T]](ctx context.Context, d *Directory, c Caller, k record.Kind[ID, T, P], id ID, belongs func(*T) ident.Node) (
	*T, ident.Node, error) {
	v, err := d.Read(ctx, c, Want{Records: k.Refs(id)})
	if err != nil {
		return nil, "", err
	}
	r := k.In(v.Records, id)
	if r == nil {
		return nil, Nowhere, nil
	}
	return r, belongs(r), nil
}
