package directory

import (
	"context"
	"fmt"
	"slices"
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

// words tells when it is.
func (w Window) words() string {
	if w.From.Before(w.Until) {
		return "On " + w.From.Format(time.DateOnly)
	}
	return "At " + w.Until.Format("2006-01-02 15:04:05.000 UTC")
}

// before says of a node that was made after the window that it was, "" of others.
func (w Window) before(node *hierarchy.Node) string {
	if !w.Until.Before(node.Created) {
		return ""
	}
	return fmt.Sprintf("%s, nobody had access to this %s: it was made later.", w.words(), node.Kind())
}

// certain refuses what may still change. FeedDelay says why.
func (d *Directory) certain(w Window) error {
	if w.Until.Before(d.now().Add(-FeedDelay)) {
		return nil
	}
	var f fault.Fields
	f.Add("at", "must be at least %d seconds ago; a date must be a day that has ended (UTC)", FeedDelay/time.Second)
	return f.Err()
}

// Bounds of what one answer about the past is made from. Nothing bounds how much happened before its window, or nothing could be told any
// more of where that is much; but how long it is read.
const (
	pastFor    = 7 * time.Second // which leaves time to answer before Lambda gives up
	pastAtOnce = 1000            // events on a page, about a KB each
	maxPast    = 5000            // events in the window
	maxRead    = 20_000          // events in the window and before: reading them takes some seconds
	maxLooked  = 10_000_000      // grants, at each moment after which the node stood otherwise: a second or two
)

// tooMuch refuses a window in which too much has happened.
func tooMuch() error {
	var f fault.Fields
	f.Add("at", "is a day with more access changes, here and above, than one answer can cover. Ask for one moment of that day, "+
		"like 2026-03-02T09:14:07Z")
	return f.Err()
}

// tooLong refuses a past in which too much has to be read to know how it was.
func tooLong() error {
	var f fault.Fields
	f.Add("at", "is after more access changes, here and above, than can be read for one answer. Ask for an earlier time, or about a node with fewer "+
		"changes; or follow the events, from the first on")
	return f.Err()
}

// past is what an answer about a node's past is made from.
type past struct {
	node *hierarchy.Node // as it is now
	path hierarchy.Path  // its canonical one, now
	root ident.Node
	w    Window
	// stood has the nodes that were above it, or are, and itself.
	stood map[ident.Node]*standing
	// above are those of stood that were above the node in the window, or may have been, and itself.
	above []ident.Node
	sees  map[ident.Node]bool // which of these the caller sees now
}

// standing is how a node stood at a moment, from the beginning of the window on, and what happened to it in the window.
type standing struct {
	events []event.Event // the oldest first
	next   int           // of events, the first that is later
	was    int           // what next was before it went on the last time
	rest   string        // where in the log what was not read yet begins, "" when all is read
	read   int           // events, those before the window included
	gone   bool          // it was purged since, and nothing is known of it

	known              bool // the history begins with the node's own beginning
	parent             ident.Node
	suspended, trashed bool
	grants             map[ident.Principal]access.Grant
	versions           map[ident.Principal]int64 // of the principals, as of the newest event about each
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
	if g, version, ok := e.Grant(); ok {
		if version < s.versions[g.Principal] {
			return // clocks differ: it was before another event that has the earlier time
		}
		s.grants[g.Principal], s.versions[g.Principal] = g, version
		if g.Role == access.None {
			delete(s.grants, g.Principal)
		}
	}
}

// newGrants are the grants that were given, or got another role, since it went on the last time.
func (s *standing) newGrants() map[ident.Principal]access.Grant {
	news := map[ident.Principal]access.Grant{}
	for i := s.was; i < s.next; i++ {
		if g, _, ok := s.events[i].Grant(); ok && s.grants[g.Principal].Role != access.None {
			news[g.Principal] = s.grants[g.Principal]
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

// parents are what the node was right below at any moment from the present one on.
func (s *standing) parents() (all []ident.Node) {
	if s.parent != "" {
		all = append(all, s.parent)
	}
	for i := range s.events {
		switch e := &s.events[i]; e.Type {
		case event.PartnerCreated, event.CustomerCreated, event.PartnerMoved, event.CustomerMoved:
			all = append(all, parentIn(e))
		}
	}
	return all
}

// past reads all that tells who could have had access to a node that the caller sees. Of what is above the node now a page is read at once;
// all of it, of what was above it then, level by level.
func (d *Directory) past(ctx context.Context, c Caller, node *hierarchy.Node, dec access.Decision, w Window) (*past, error) {
	path := dec.Place.Path
	p := &past{node: node, path: path, root: path.At(0), w: w, stood: map[ident.Node]*standing{}, sees: map[ident.Node]bool{}}
	for missing, all := path.IDs(), false; len(missing) > 0; all = true {
		for _, id := range missing {
			if p.stood[id] == nil {
				p.stood[id] = &standing{grants: map[ident.Principal]access.Grant{}, versions: map[ident.Principal]int64{}}
			}
		}
		err := concurrently(ctx, len(missing), func(ctx context.Context, i int) error {
			return d.pastOf(ctx, missing[i], p.stood[missing[i]], w, all)
		})
		if err != nil {
			return nil, err
		}
		if missing, err = p.reach(); err != nil {
			return nil, err
		}
	}
	for i, id := range path.IDs() {
		p.sees[id] = i >= dec.First
	}
	left := slices.DeleteFunc(slices.Clone(p.above), func(id ident.Node) bool { return path.Index(id) >= 0 })
	for some := range slices.Chunk(left, readAtOnce) {
		v, err := d.Read(ctx, c, Want{Nodes: some})
		if err != nil {
			return nil, err
		}
		for _, id := range some {
			n, dec, _ := v.Decide(id, access.Read)
			p.sees[id] = dec.Visible()
			p.stood[id].gone = n == nil || dec.Place.Marked(hierarchy.Purged)
		}
	}
	return p, nil
}

// pastOf reads another page of the past of a node, or all of it that is left, unless that is too much.
func (d *Directory) pastOf(ctx context.Context, id ident.Node, s *standing, w Window, all bool) error {
	q := LogQuery{Past: true, Oldest: true, Until: w.Until.Add(time.Microsecond), Limit: pastAtOnce}
	for {
		q.After = s.rest
		page, err := d.store.Log(ctx, id, q)
		if err != nil {
			return err
		}
		s.read += len(page.Items)
		for i := range page.Items {
			if e := &page.Items[i]; e.Time.After(w.From) {
				s.events = append(s.events, *e)
			} else {
				s.apply(e)
			}
		}
		if s.rest = page.Next; s.rest == "" || !all || len(s.events) > maxPast || s.read > maxRead {
			return nil
		}
	}
}

// reach finds what was above the node in the window, from what was read so far, and returns what has to be read still.
func (p *past) reach() (missing []ident.Node, err error) {
	p.above = []ident.Node{p.node.ID}
	events, read := 0, 0
	for i := 0; i < len(p.above); i++ {
		s := p.stood[p.above[i]]
		if s != nil {
			events, read = events+len(s.events), read+s.read
		}
		if s == nil || s.rest != "" {
			missing = append(missing, p.above[i])
			continue
		}
		for _, parent := range s.parents() {
			if !slices.Contains(p.above, parent) {
				p.above = append(p.above, parent)
			}
		}
	}
	if events > maxPast {
		return nil, tooMuch()
	}
	if read > maxRead {
		return nil, tooLong()
	}
	if !slices.Contains(p.above, p.root) { // above all
		p.above = append(p.above, p.root)
		if p.stood[p.root].rest != "" {
			missing = append(missing, p.root)
		}
	}
	return missing, nil
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

// visible reports whether the caller sees what was granted at a node, and whether it was suspended: not of what is elsewhere now and out
// of their sight.
func (p *past) visible(id ident.Node) bool { return p.sees[id] || p.path.Index(id) >= 0 }

// at goes on to a moment and returns the node as it stood then, in a tree in which nothing is left to settle. It is not all told when
// the history of something above it is gone: then it is as if it had been right below the root, where everything is. What was above it and
// is not for the caller to know of is left out.
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
		if !p.visible(id) {
			all = false
			continue
		}
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

// lived reports whether somebody was not revoked yet. who is nil when nothing is kept of them.
func lived(who *access.Principal, at time.Time) bool {
	return who == nil || who.Revoked.IsZero() || at.Before(who.Revoked)
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
