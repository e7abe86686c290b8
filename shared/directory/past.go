package directory

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Who could, on that day: the past is put together from events (event.Event.Past) and decided on by the same function as the present.

// Window is when a question about the past is about: from From to Until, both included. Moment and Day make them.
type Window struct{ From, Until time.Time }

// Moment is the moment right after all that happened in the millisecond of t. The API tells times to the millisecond, so the time of an
// event, as it was read, is right after that event.
func Moment(t time.Time) Window {
	end := t.UTC().Truncate(time.Millisecond).Add(time.Millisecond - time.Microsecond)
	return Window{end, end}
}

// Day is the whole day (UTC) of t: what was so at any moment of it.
func Day(t time.Time) Window {
	begin := t.UTC().Truncate(24 * time.Hour)
	return Window{begin, begin.AddDate(0, 0, 1).Add(-time.Microsecond)}
}

// certain refuses what may still change. FeedDelay says why.
func (d *Directory) certain(w Window) error {
	if w.Until.Before(d.now().Add(-FeedDelay)) {
		return nil
	}
	var f fault.Fields
	f.Add("at", "must be over for more than %d seconds, a day as a whole: what happened is not certain before. "+
		"Without it the answer is about the present", FeedDelay/time.Second)
	return f.Err()
}

// Bounds of what one answer about the past reads.
const (
	maxPast    = 5000 // events, about a KB each
	pastAtOnce = 500  // on a page
)

// past is what an answer about a node's past is made from.
type past struct {
	node *hierarchy.Node // as it is now
	root ident.Node
	w    Window
	// stood has the nodes that were above it, or are, and itself.
	stood map[ident.Node]*standing
	// above are those of stood that were above the node in the window, or may have been, and itself.
	above   []ident.Node
	sees    map[ident.Node]bool // which of these the caller sees now
	revoked map[ident.Principal]time.Time
}

// standing is how a node stood at a moment, and the events that tell it.
type standing struct {
	events []event.Event // the oldest first
	next   int           // of events, the first that is later
	was    int           // what next was before it went on the last time
	gone   bool          // it was purged since, and nothing is known of it

	known              bool // the history begins with the node's own beginning
	parent             ident.Node
	suspended, trashed bool
	grants             map[ident.Principal]Grant
}

// until goes on to a later moment.
func (s *standing) until(t time.Time) {
	for s.was = s.next; s.next < len(s.events) && !s.events[s.next].Time.After(t); s.next++ {
		s.apply(&s.events[s.next])
	}
}

func (s *standing) apply(e *event.Event) {
	switch e.Type {
	case event.PlatformFounded, event.PartnerCreated, event.CustomerCreated:
		s.known, s.parent = true, parentIn(e)
	case event.PartnerMoved, event.CustomerMoved:
		s.parent = parentIn(e)
	case event.PartnerSuspended, event.CustomerSuspended:
		s.suspended = true
	case event.PartnerResumed, event.CustomerResumed:
		s.suspended = false
	case event.PartnerTrashed, event.CustomerTrashed:
		s.trashed = true
	case event.PartnerRestored, event.CustomerRestored:
		s.trashed = false
	}
	if g, ok := grantIn(e); ok {
		s.grants[g.Client] = g
		if g.Role == access.None {
			delete(s.grants, g.Client)
		}
	}
}

// news are the grants that were given, or got another role, since it went on the last time.
func (s *standing) news() map[ident.Principal]Grant {
	news := map[ident.Principal]Grant{}
	for i := s.was; i < s.next; i++ {
		if g, ok := grantIn(&s.events[i]); ok && s.grants[g.Client].Role != access.None {
			news[g.Client] = s.grants[g.Client]
		}
	}
	return news
}

// parentIn is what the node of an event is right below, "" of the root's.
func parentIn(e *event.Event) ident.Node {
	if depth := e.Path.Depth(); depth > 1 {
		return e.Path.At(depth - 2)
	}
	return ""
}

// grantIn is the role that somebody has at the event's node from then on, access.None when it was taken away.
func grantIn(e *event.Event) (Grant, bool) {
	name := "name"
	switch e.Type {
	case event.PlatformFounded: // where the name is the root's
		name = "clientName"
	case event.InvitationAccepted, event.UserChanged, event.UserRemoved, event.ClientCreated, event.ClientGranted, event.ClientGrantRemoved:
	default:
		return Grant{}, false
	}
	text := func(name string) string { s, _ := e.Data[name].(string); return s }
	g := Grant{Node: e.Node, Client: ident.Principal(cmp.Or(text("principalId"), text("clientId"))), Name: hierarchy.Name(text(name))}
	if e.Type != event.UserRemoved && e.Type != event.ClientGrantRemoved {
		g.Role, _ = access.ParseRole(text("role"))
	}
	return g, true
}

// parents are what the node was right below at any moment of a window.
func (s *standing) parents(w Window) []ident.Node {
	var all []ident.Node
	for i := range s.events {
		switch e := &s.events[i]; e.Type {
		case event.PartnerCreated, event.CustomerCreated, event.PartnerMoved, event.CustomerMoved:
			if !e.Time.After(w.From) {
				all = nil
			}
			all = append(all, parentIn(e))
		}
	}
	return all
}

// past reads all that tells who could have had access to a node that the caller sees. Of what is above the node now it is read at once,
// and then level by level of what was above it then and is no longer.
func (d *Directory) past(ctx context.Context, c Caller, node *hierarchy.Node, dec access.Decision, w Window) (*past, error) {
	path := dec.Place.Path
	p := &past{node: node, root: path.At(0), w: w, stood: map[ident.Node]*standing{}, sees: map[ident.Node]bool{},
		revoked: map[ident.Principal]time.Time{}}
	var read atomic.Int64
	for missing := path.IDs(); len(missing) > 0; missing = p.reach() {
		found := make([]*standing, len(missing))
		if err := severally(ctx, len(missing), func(ctx context.Context, i int) (err error) {
			found[i], err = d.pastOf(ctx, missing[i], w.Until, &read)
			return err
		}); err != nil {
			return nil, err
		}
		for i, id := range missing {
			p.stood[id] = found[i]
		}
	}
	for i, id := range path.IDs() {
		p.sees[id] = i >= dec.First
	}
	left := slices.DeleteFunc(slices.Clone(p.above), func(id ident.Node) bool { return path.Index(id) >= 0 })
	for some := range slices.Chunk(left, readAtOnce) {
		v, err := d.read(ctx, c, Want{Nodes: some})
		if err != nil {
			return nil, err
		}
		for _, id := range some {
			n, dec, _ := v.decide(id, access.Read)
			p.sees[id] = dec.Visible()
			p.stood[id].gone = n == nil || dec.Place.Marked(hierarchy.Purged)
		}
	}
	return p, nil
}

// pastOf reads the past of one node. It counts the events in read, of all nodes together.
func (d *Directory) pastOf(ctx context.Context, id ident.Node, until time.Time, read *atomic.Int64) (*standing, error) {
	s := &standing{grants: map[ident.Principal]Grant{}}
	for q := (LogQuery{Past: true, Oldest: true, Until: until.Add(time.Microsecond), Limit: pastAtOnce}); ; {
		page, err := d.store.Log(ctx, id, q)
		if err != nil {
			return nil, err
		}
		s.events = append(s.events, page.Items...)
		if read.Add(int64(len(page.Items))) > maxPast {
			var f fault.Fields
			f.Add("at", "is after more than %d changes of who has access here and above, which is more than one answer is made from. "+
				"Choose an earlier time", maxPast)
			return nil, f.Err()
		}
		if q.After = page.Next; q.After == "" {
			return s, nil
		}
	}
}

// reach finds what was above the node in the window, from what was read so far, and returns what has to be read still.
func (p *past) reach() (missing []ident.Node) {
	p.above = []ident.Node{p.node.ID}
	for i := 0; i < len(p.above); i++ {
		s := p.stood[p.above[i]]
		if s == nil {
			missing = append(missing, p.above[i])
			continue
		}
		for _, parent := range s.parents(p.w) {
			if !slices.Contains(p.above, parent) {
				p.above = append(p.above, parent)
			}
		}
	}
	if !slices.Contains(p.above, p.root) { // above all
		p.above = append(p.above, p.root)
	}
	return missing
}

// moments are all in the window at which something may have been otherwise than before, the first included. There are none when the node
// was made later.
func (p *past) moments() []time.Time {
	begin := p.w.From
	if begin.Before(p.node.Created) {
		begin = p.node.Created
	}
	if begin.After(p.w.Until) {
		return nil
	}
	all := []time.Time{begin}
	for _, id := range p.above {
		for _, e := range p.stood[id].events {
			if e.Time.After(begin) {
				all = append(all, e.Time)
			}
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// at goes on to a moment and returns the node as it stood then, in a tree in which nothing is left to settle. It is not all known when
// the history of something above it is gone: then it is as if it had been right below the root, where everything is.
func (p *past) at(t time.Time) (node *hierarchy.Node, all bool) {
	for _, id := range p.above {
		p.stood[id].until(t)
	}
	node, all = &hierarchy.Node{ID: p.node.ID}, true
	up := []ident.Node{node.ID}
	for at := node.ID; at != p.root; up = append(up, at) {
		s := p.stood[at]
		next := p.stood[s.parent]
		// Clocks that differ may tell two moves the wrong way round, in which nodes are below each other.
		if at = s.parent; !s.known || next == nil || next.gone || slices.Contains(up, at) {
			at, all = p.root, false
		}
	}
	for _, id := range slices.Backward(up) {
		node.Place.Path = node.Place.Path.Child(id)
		if p.stood[id].suspended {
			node.Place.Marks = append(node.Place.Marks, hierarchy.Mark{Node: id, Kind: hierarchy.Suspended})
		}
		if p.stood[id].trashed {
			node.Place.Marks = append(node.Place.Marks, hierarchy.Mark{Node: id, Kind: hierarchy.Trashed})
		}
	}
	return node, all && p.stood[p.root].known
}

// live reports whether somebody was not revoked yet.
func (p *past) live(who ident.Principal, at time.Time) bool {
	r := p.revoked[who]
	return r.IsZero() || at.Before(r)
}

// seen is a source as the caller sees it now: what it was made at, and what keeps it from counting, may be out of their sight.
func (p *past) seen(s access.Source) Source {
	inherited := s.Node != p.node.ID
	for _, id := range []*ident.Node{&s.Node, &s.Blocked} {
		if !p.sees[*id] {
			*id = ""
		}
	}
	return Source{s, inherited}
}
