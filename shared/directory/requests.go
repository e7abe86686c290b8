package directory

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// MoveRequest is that somebody who is admin above a node asks for it to be moved below a partner where they are not.
type MoveRequest struct {
	ID      ident.MoveRequest
	Node    ident.Node
	Name    hierarchy.Name  // of the node, when it was asked for: all that the other side learns of it
	To      ident.Node      // as it was given: whether there is such a partner, the asking side does not learn
	Message string          // from those who ask to those who are asked
	By      ident.Principal // whose right to move the node counts when it is accepted, too
	Within  ident.Node      // what bounded them when they asked (Caller.Within), and bounds that right
	State   RequestState
	Created time.Time
	Ends    time.Time // when it cannot be accepted any more
	Closed  time.Time // when it was accepted, declined or withdrawn; zero while open
	Version int64
}

// RequestState is what became of a move request.
type RequestState string

// The states. A request that is open and past its end is Ended, which is not stored.
const (
	RequestOpen      RequestState = "open"
	RequestAccepted  RequestState = "accepted"
	RequestDeclined  RequestState = "declined"  // by the side that was asked
	RequestWithdrawn RequestState = "withdrawn" // by the side that asked
	RequestEnded     RequestState = "ended"
)

// MoveRequests are kept as records, which are listed at their node and at their destination.
var MoveRequests = record.NewKind("move-request", func(id ident.MoveRequest) *MoveRequest { return &MoveRequest{ID: id} })

// MoveRequestsAt lists the move requests of which a node is to move or is the destination, the newest first. The destination does not list one
// that was withdrawn.
var MoveRequestsAt = record.NewList(record.Listing{Name: "asked-move", NewestFirst: true, OnErase: record.Unlist},
	func(_ ident.Node, at string) *MoveRequest {
		return &MoveRequest{ID: ident.MoveRequest(record.IDAt(at))}
	})

// keepRequests is how long a move request is kept after its end.
const keepRequests = 90 * 24 * time.Hour

// Ref implements record.Record.
func (r *MoveRequest) Ref() record.Ref { return MoveRequests.Ref(r.ID) }

// Lists implements record.Record.
func (r *MoveRequest) Lists() []record.Entry {
	at := record.Time(r.Created) + "#" + string(r.ID)
	entries := []record.Entry{{List: MoveRequestsAt.Listing, Node: r.Node, At: at, Show: r}}
	if r.State != RequestWithdrawn { // nobody decides on it any more, and those who were asked have not asked for it
		entries = append(entries, record.Entry{List: MoveRequestsAt.Listing, Node: r.To, At: at, Show: r})
	}
	return entries
}

// Code implements record.Record.
func (r *MoveRequest) Code(c *record.Coder) {
	record.Text(c, "node", &r.Node)
	record.Text(c, "name", &r.Name)
	record.Text(c, "to", &r.To)
	record.Text(c, "message", &r.Message)
	record.Text(c, "by", &r.By)
	record.Text(c, "within", &r.Within)
	record.Text(c, "state", &r.State)
	c.Time("created", &r.Created)
	c.Time("ends", &r.Ends)
	c.Time("closed", &r.Closed)
	c.Version(&r.Version)
	kept := r.Ends.Add(keepRequests)
	c.Expires(&kept)
}

// openMoves says of a node which move request of it is open: one at a time.
var openMoves = record.NewKind("open-move", func(id ident.Node) *openMove { return &openMove{Node: id} })

// openMove is the open move request of a node. It expires when that ends.
type openMove struct {
	Node    ident.Node
	Request ident.MoveRequest
	Since   int64 // when it was made, by which it is told from the one before
	Ends    time.Time
}

// Add is the steps that make the request, as the open one of its node. They fail with open when the node has another one.
func (r *MoveRequest) Add(open error) []Step {
	return []Step{Put{Now: r, Else: ErrExists}, Put{Now: r.slot(), At: r.Created, Else: open}}
}

// slot returns the request as the open one of its node.
func (r *MoveRequest) slot() *openMove { return &openMove{r.Node, r.ID, r.Created.UnixMicro(), r.Ends} }

// Ref implements record.Record.
func (o *openMove) Ref() record.Ref { return openMoves.Ref(o.Node) }

// Lists implements record.Record.
func (o *openMove) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (o *openMove) Code(c *record.Coder) {
	record.Text(c, "id", &o.Request)
	c.Version(&o.Since)
	c.Expires(&o.Ends)
}

// MoveRequestFor is how long a move request can be accepted, up to a whole second: stores tell to the second whether something has expired.
const MoveRequestFor = 14 * 24 * time.Hour

// Bounds of move requests: what is asked of people who gave nobody a right to ask stands in their log.
const (
	AsksADay      = 5  // to move one node
	AsksToADay    = 5  // of one destination, from below one top-level partner
	AsksToAllADay = 50 // of one destination, from everywhere
	AsksBelowADay = 50 // from below one top-level partner, itself included
)

// count counts the request, of a node at a path, on its day. The refusals are alike: they do not tell what others have asked for, and are
// the same whether there is such a destination or not.
func (r *MoveRequest) count(path hierarchy.Path) []Step {
	top, to := string(topLevel(path)), string(r.To)
	tooMany := fault.TooManyMoveRequests.New("Too many move requests were made today. Make the next one tomorrow (UTC).")
	tooMany.RetryAfter = untilTomorrow(r.Created)
	count := func(node ident.Node, key string, most int) Step {
		return Count{Node: node, Key: key, At: r.Created, Most: most, Else: tooMany}
	}
	return []Step{count(r.Node, "asked-moves", AsksADay), count("", "ask-"+top+"-"+to, AsksToADay), count("", "ask-to-"+to, AsksToAllADay),
		count("", "ask-by-"+top, AsksBelowADay)}
}

// padding writes something in the place of an event at a node of this depth, so that a request to a destination that is not there takes as much
// writing, and as long, as to one that is. It is kept for a day.
func padding(depth int, now time.Time) (steps []Step) {
	for range depth {
		steps = append(steps, Count{Key: "padding-" + rand.Text(), At: now, Most: 1, Else: ErrChanged})
	}
	return steps
}

// AskedMove is a move request as a caller sees it: State is RequestEnded for one that is past its end, and By is "" for those who
// do not see the node.
type AskedMove struct {
	MoveRequest
	NodeVisible bool // whether the node that is to move lies within the caller's reach: otherwise only its name and kind are theirs
	ToVisible   bool // the same of the destination
}

// AskMove asks for a node to be moved below a partner, by somebody who needs admin above the node and no right at the partner.
// Whether there is such a partner the answer does not tell.
func (d *Directory) AskMove(ctx context.Context, c Caller, id, to ident.Node, message string) (AskedMove, error) {
	return Do(ctx, d, c, id, access.ManageSubtree, Want{Nodes: []ident.Node{to}},
		func(v *View, node *hierarchy.Node, dec access.Decision) (Plan[AskedMove], error) {
			_, there, _ := v.Decide(to, access.Read)
			switch {
			case to == id || there.Visible() && there.Place.Path.Index(id) >= 0:
				return Plan[AskedMove]{}, movesIntoItself()
			case to == node.Parent:
				return Plan[AskedMove]{}, fault.RequestVoid.New("The node is already directly below that partner. Choose another partner.")
			}
			if err := Untrashed(dec.Place); err != nil {
				return Plan[AskedMove]{}, err
			}
			now := d.now()
			r := MoveRequest{ID: ident.NewMoveRequest(), Node: id, Name: node.Name, To: to, Message: message, By: c.Principal, Within: c.Within,
				State: RequestOpen, Created: now, Ends: now.Add(MoveRequestFor).Truncate(time.Second), Version: 1}
			steps := r.Add(fault.RequestOpen.New(
				"A move request for this node is already open. Withdraw that request first, or wait until the other side decides."))
			steps = append(steps, r.count(dec.Place.Path)...)
			steps = append(steps, d.tell(c, v, id, event.MoveAskedData{MoveRequestID: r.ID, To: to})...)
			offer := d.tell(fromOver(), v, to, event.MoveOfferedData{
				MoveRequestID: r.ID, Kind: hierarchy.KindOf(r.Node), Name: r.Name, Message: message})
			if len(offer) == 0 {
				offer = padding(dec.Place.Path.Depth(), now)
			}
			steps = append(steps, offer...)
			return Plan[AskedMove]{r.seen(c, now, true, there.Visible()), steps}, nil
		})
}

// Each side of a move request has events of its own, which tell nothing of the other side but what was given to it, and not who acts
// there either.

func nodesSide(r *MoveRequest) event.MoveClosed {
	return event.MoveClosed{MoveRequestID: r.ID, To: r.To}
}

func destsSide(r *MoveRequest) event.MoveClosed {
	return event.MoveClosed{MoveRequestID: r.ID, Kind: hierarchy.KindOf(r.Node), Name: r.Name}
}

// fromOver is the actor of what somebody on the other side did.
func fromOver() Caller { return Caller{} }

// tell is the event of what happens to a move request at one of its sides: none where there is nothing (any more).
func (d *Directory) tell(c Caller, v *View, at ident.Node, data event.Payload) []Step {
	n := v.Nodes[at]
	if n == nil {
		return nil
	}
	place := v.Tree.Place(n)
	if place.Marked(hierarchy.Purged) || place.Marked(hierarchy.Trashed) { // nothing is added to what is about to go
		return nil
	}
	return []Step{d.Event(c, at, place.Path, data)}
}

// at is the state of the request at a time.
func (r *MoveRequest) at(now time.Time) RequestState {
	if r.State == RequestOpen && !now.Before(r.Ends) {
		return RequestEnded
	}
	return r.State
}

// askedBy reports whether it was the caller who asked. Within a bound they did not ask for more than what was asked for there.
func (r *MoveRequest) askedBy(c Caller) bool {
	return r.By == c.Principal && (c.Within == "" || c.Within == r.Within)
}

// seen is the request as a caller sees it. What was said to the other side, and where that is, a closed one tells only to it and to
// whoever asked: the node may have come to others since. What was said and taken back is only for whoever said it.
func (r *MoveRequest) seen(c Caller, now time.Time, node, to bool) AskedMove {
	a := AskedMove{*r, node, to}
	a.State = r.at(now)
	if !node {
		a.By = ""
	}
	if a.State != RequestOpen && !to && !r.askedBy(c) {
		a.To, a.Message = "", ""
	}
	if a.State == RequestWithdrawn && !r.askedBy(c) {
		a.Message = ""
	}
	return a
}

// close returns what an open request is when it is closed, and the steps that close it.
func (r *MoveRequest) close(state RequestState, now time.Time) (*MoveRequest, []Step) {
	closed := *r
	closed.State, closed.Closed, closed.Version = state, now, r.Version+1
	return &closed, []Step{Put{Was: r, Now: &closed, Else: ErrChanged}, Remove{Was: r.slot(), Else: ErrChanged}}
}

// open refuses a request that nobody decides on any more.
func (r *MoveRequest) open(now time.Time) error {
	switch state := r.at(now); state {
	case RequestOpen:
		return nil
	case RequestEnded:
		return fault.RequestClosed.New("The move request has expired: it could be accepted for %d days. The side that asked can ask again.",
			MoveRequestFor/(24*time.Hour))
	default:
		return fault.RequestClosed.New("The move request was already %s.", state)
	}
}

// MoveRequests lists the move requests of which a partner is to move or is the destination, the newest first. It needs admin; those
// of which it is to move are for those who have admin above it. A page can hold less than the limit and have a Next.
func (d *Directory) MoveRequests(ctx context.Context, c Caller, id ident.Node, p Paging) (List[AskedMove], error) {
	dec, page, err := RecordsAt(ctx, d, c, id, access.CreatePartner, MoveRequestsAt, p)
	if err != nil {
		return List[AskedMove]{}, err
	}
	requests := page.Items
	if dec.Above < access.ManageSubtree.Needs() {
		requests = slices.DeleteFunc(requests, func(r MoveRequest) bool { return r.Node == id })
	}
	visible := map[ident.Node]bool{id: true}
	var others []ident.Node
	for i := range requests {
		for _, side := range []ident.Node{requests[i].Node, requests[i].To} {
			if side != id && !slices.Contains(others, side) {
				others = append(others, side)
			}
		}
	}
	for some := range slices.Chunk(others, readAtOnce) {
		v, err := d.Read(ctx, c, Want{Nodes: some})
		if err != nil {
			return List[AskedMove]{}, err
		}
		for _, side := range some {
			_, dec, _ := v.Decide(side, access.Read)
			visible[side] = dec.Visible()
		}
	}
	now, items := d.now(), make([]AskedMove, len(requests))
	for i := range requests {
		r := &requests[i]
		items[i] = r.seen(c, now, visible[r.Node], visible[r.To])
	}
	return List[AskedMove]{items, page.Next}, nil
}

// sides is a move request with what the caller may do with it.
type sides struct {
	*MoveRequest
	move access.Decision // the node
	take access.Decision // it in, at the destination
}

// say reports whether the caller has a say on either side.
func (s *sides) say() bool { return s.move.Allowed() || s.take.Allowed() }

// sides decides about a request that was read, with its node and its destination if there are such.
func (v *View) sides(r *MoveRequest) sides {
	_, move, _ := v.Decide(r.Node, access.ManageSubtree)
	_, take, _ := v.Decide(r.To, access.CreatePartner)
	return sides{r, move, take}
}

func (s *sides) seen(c Caller, now time.Time) AskedMove {
	return s.MoveRequest.seen(c, now, s.move.Visible(), s.take.Visible())
}

// asked reads a move request, and then both its sides. It refuses those who have no say on either and did not ask, or within their
// bound could not any more; one that there
// is not takes as many reads.
func (d *Directory) asked(ctx context.Context, c Caller, id ident.MoveRequest) (sides, error) {
	v, err := d.Read(ctx, c, Want{Records: MoveRequests.Refs(id)})
	if err != nil {
		return sides{}, err
	}
	node, to := Nowhere, Nowhere
	if r := MoveRequests.In(v.Records, id); r != nil {
		node, to = r.Node, r.To
	}
	if v, err = d.Read(ctx, c, Want{Nodes: []ident.Node{node, to}, Records: MoveRequests.Refs(id)}); err != nil {
		return sides{}, err
	}
	if r := MoveRequests.In(v.Records, id); r != nil {
		if s := v.sides(r); s.say() || r.askedBy(c) && c.reaches(s.move.Place) {
			return s, nil
		}
	}
	return sides{}, access.Hidden()
}

// MoveRequest returns a move request to those who may decide on it or withdraw it, and to whoever asked, who learns in this way
// what became of it.
func (d *Directory) MoveRequest(ctx context.Context, c Caller, id ident.MoveRequest) (AskedMove, error) {
	s, err := d.asked(ctx, c, id)
	if err != nil {
		return AskedMove{}, err
	}
	return s.seen(c, d.now()), nil
}

// decideOn carries out what one side of a request does with it: those who may move the node, or those who may take
// it in. The request is found first; then all is read in one batch and decided on again.
func decideOn[T any](ctx context.Context, d *Directory, c Caller, id ident.MoveRequest, a access.Action,
	do func(v *View, s sides) (Plan[T], error)) (T, error) {
	return Retry(func() (none T, err error) {
		s, err := d.asked(ctx, c, id)
		if err != nil {
			return none, err
		}
		target, dec := s.To, s.take
		refusal := fault.Forbidden.New("Only an admin of the destination partner can do this. You can withdraw the move request.")
		if a == access.ManageSubtree {
			target, dec = s.Node, s.move
			refusal = fault.Forbidden.New("Only an admin of the side that asked can do this. You can accept or decline the move request.")
		}
		switch {
		case !s.say():
			return none, access.Hidden()
		case dec.Allowed():
		case dec.Visible():
			return none, dec.Err()
		default:
			return none, refusal
		}
		w := Want{Nodes: []ident.Node{s.Node, s.To}, Records: []record.Ref{access.Principals.Ref(s.By), MoveRequests.Ref(id)}}
		return Round(ctx, d, c, target, a, w, func(v *View, _ *hierarchy.Node, _ access.Decision) (Plan[T], error) {
			r := MoveRequests.In(v.Records, id)
			if r == nil {
				return Plan[T]{}, access.Hidden()
			}
			return do(v, v.sides(r))
		})
	})
}

// Accepted is a move request that was accepted.
type Accepted struct {
	AskedMove
	Job ident.Job `json:",omitzero"` // writes the move into the subtree; "": the node was there already
}

// JobID returns the job that writes the move into the subtree, "" when nothing was moved.
func (a Accepted) JobID() ident.Job { return a.Job }

// AcceptMove does the move that was asked for, with everything checked again: it needs admin at the destination of the caller, and
// above the node of whoever asked. A node that is there already is not moved.
func (d *Directory) AcceptMove(ctx context.Context, c Caller, id ident.MoveRequest) (Accepted, error) {
	return decideOn(ctx, d, c, id, access.CreatePartner, func(v *View, s sides) (Plan[Accepted], error) {
		now := d.now()
		if err := s.open(now); err != nil {
			return Plan[Accepted]{}, err
		}
		if err := Match(c.IfMatch, s.Version); err != nil {
			return Plan[Accepted]{}, err
		}
		m := moving{v.Nodes[s.Node], v.Nodes[s.To], s.move.Place, s.take.Place}
		closed, closing := s.close(RequestAccepted, now)
		accepted := Accepted{AskedMove: closed.seen(c, now, true, true)} // the node is below the partner now
		if s.move.Visible() && m.there() {
			return Plan[Accepted]{accepted, append(d.tell(c, v, s.Node, event.MoveAcceptedData{MoveRequestID: s.ID}), closing...)}, nil
		}
		right := s.right(v)
		if right == "" || Untrashed(m.from) != nil || m.intoItself() {
			return Plan[Accepted]{}, fault.RequestVoid.New(
				"The side that asked can no longer move this node. Decline the request, or tell that side to withdraw it and ask again.")
		}
		mover := c
		mover.IfMatch = nil // it was about the request
		try, err := d.move(ctx, mover, v, m, s.ID)
		if !s.move.Visible() {
			err = unseen(err)
		}
		accepted.Job = try.Answer.Job
		steps := append(append(try.Steps, closing...), CheckGrant{Principal: s.By, Node: right, Role: access.ManageSubtree.Needs(), Else: ErrChanged})
		return Plan[Accepted]{accepted, steps}, err
	})
}

// unseen is what keeps a node from being moved, for those who do not see the node: what it is told of its brands and of what is below it
// is left out.
func unseen(err error) error {
	switch {
	case fault.BrandNotAvailable.Is(err):
		return fault.BrandNotAvailable.New("The node uses a brand that is not available at the destination partner. The side that asked can see which brands the node uses.")
	case fault.DepthLimit.Is(err):
		return fault.DepthLimit.New("A tree can be at most %d nodes deep, and this move could exceed that. Tell the side that asked to choose a parent further up.",
			hierarchy.MaxDepth)
	}
	return err
}

// right is where whoever asked has the right that the request lives on, "" when they have it no longer (who is revoked has no
// grants), or there is nothing left to move.
func (s *sides) right(v *View) ident.Node {
	by := access.Principals.In(v.Records, s.By)
	if by == nil {
		return ""
	}
	return nearest(bound(by, s.Within), s.Node, s.move.Place, access.ManageSubtree, func(dec *access.Decision) bool { return dec.Allowed() })
}

// DeclineMove closes a move request; it needs admin at the destination. One that is closed so already is answered as it is.
func (d *Directory) DeclineMove(ctx context.Context, c Caller, id ident.MoveRequest) (AskedMove, error) {
	return decideOn(ctx, d, c, id, access.CreatePartner, func(v *View, s sides) (Plan[AskedMove], error) {
		return d.close(c, v, s, RequestDeclined, declined, fromOver(), c)
	})
}

// WithdrawMove closes a move request; it needs admin above the node. One that is closed so already is answered as it is.
func (d *Directory) WithdrawMove(ctx context.Context, c Caller, id ident.MoveRequest) (AskedMove, error) {
	return decideOn(ctx, d, c, id, access.ManageSubtree, func(v *View, s sides) (Plan[AskedMove], error) {
		return d.close(c, v, s, RequestWithdrawn, withdrawn, c, fromOver())
	})
}

func declined(m event.MoveClosed) event.Payload  { return event.MoveDeclinedData{MoveClosed: m} }
func withdrawn(m event.MoveClosed) event.Payload { return event.MoveWithdrawnData{MoveClosed: m} }

// close closes a request without a move; atNode and atDest is who did it, as each side may know it.
func (d *Directory) close(c Caller, v *View, s sides, state RequestState, data func(event.MoveClosed) event.Payload, atNode, atDest Caller) (Plan[AskedMove], error) {
	now := d.now()
	if s.State == state {
		return Plan[AskedMove]{Answer: s.seen(c, now)}, nil
	}
	if err := s.open(now); err != nil {
		return Plan[AskedMove]{}, err
	}
	if err := Match(c.IfMatch, s.Version); err != nil {
		return Plan[AskedMove]{}, err
	}
	closed, closing := s.close(state, now)
	steps := slices.Concat(closing, d.tell(atNode, v, s.Node, data(nodesSide(closed))), d.tell(atDest, v, s.To, data(destsSide(closed))))
	s.MoveRequest = closed
	return Plan[AskedMove]{s.seen(c, now), steps}, nil
}
