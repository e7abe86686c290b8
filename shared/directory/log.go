package directory

import (
	"context"
	"time"

	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/ident"
)

// FeedDelay is how old an event is before a feed has it. The time of an event is taken before its commit, so one may still be
// committed with an earlier time than others have that are there: this is longer than any commit is tried, and clocks differ.
const FeedDelay = 30 * time.Second

// LogFilter is which events are wanted.
type LogFilter struct {
	From, Until time.Time // from From on, before Until; zero: no bound
	Type        event.Type
	Actor       ident.Principal
	// Oldest makes the log a feed: the oldest first, and Next is always there, for what comes later. Each event that there is or
	// will be comes once, in one order, wherever nodes are moved.
	Oldest bool
}

func (f *LogFilter) wants(e *event.Event) bool {
	return (f.Type == "" || e.Type == f.Type) && (f.Actor == "" || e.Actor == f.Actor)
}

// filteredPages is how many pages of a log are read at the most for one page of some of it.
const filteredPages = 10

// Log lists what happened at a node and below it while it was there, as seen from there (event.Event.SeenFrom). It needs
// viewer. A page can hold less than the limit, even nothing, and have a Next.
func (d *Directory) Log(ctx context.Context, c Caller, id ident.Node, f LogFilter, p Paging) (List[event.Event], error) {
	name := ListName("log", string(id), string(f.Type), string(f.Actor), f.From.String(), f.Until.String())
	q := LogQuery{From: f.From, Until: f.Until, Oldest: f.Oldest}
	if f.Oldest {
		name = ListName("feed", name)
		if ripe := d.now().Add(-FeedDelay); q.Until.IsZero() || q.Until.After(ripe) {
			q.Until = ripe
		}
	}
	v, _, _, after, err := d.beginPage(ctx, c, id, name, p.Cursor)
	if err != nil {
		return List[event.Event]{}, err
	}
	found := List[event.Event]{Items: []event.Event{}}
	for range filteredPages {
		q.After, q.Limit = after, p.Limit-len(found.Items)
		page, err := d.store.Log(ctx, id, q)
		if err != nil {
			return List[event.Event]{}, err
		}
		for i := range page.Items {
			if seen := page.Items[i].SeenFrom(id); f.wants(&seen) {
				found.Items = append(found.Items, seen)
			}
		}
		if after = page.Next; after == "" || len(found.Items) == p.Limit {
			break
		}
	}
	if f.Oldest && after == "" { // all until then was given
		after = LogPosition(q.Until, q.After)
	}
	found.Next = signCursor(v.Caller, name, after)
	return found, nil
}
