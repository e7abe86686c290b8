package directory

import (
	"context"
	"maps"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// SignOutEverywhere ends all sessions of the caller, who is a person, this one too; but in a bounded session only those with that bound:
// whoever runs the app that it is of has no say in others. The event is the bound's, or the root's, since sessions belong to no node; for
// somebody without a role there is none: anybody can sign in.
func (d *Directory) SignOutEverywhere(ctx context.Context, c Caller) error {
	if !c.Principal.IsPerson() {
		return fault.Forbidden.New("API clients have no sessions. Remove the secret that must no longer be used.")
	}
	_, err := Retry(func() (none struct{}, err error) {
		w := Want{}
		if c.Within != "" {
			w.Nodes = []ident.Node{c.Within}
		}
		v, err := d.Read(ctx, c, w)
		if err != nil {
			return none, err
		}
		was := access.Principals.In(v.Records, c.Principal)
		if was == nil {
			now := newPrincipal(c.Principal, d.now())
			endSessions(&now, c, d.now())
			return none, unlessExists(d.store.Commit(ctx, Put{Now: &now, Else: ErrExists}))
		}
		now := *was
		endSessions(&now, c, d.now())
		now.Version++
		steps := []Step{Put{Was: was, Now: &now, Else: ErrChanged}}
		at, path := v.Tree.Root, hierarchy.Path("").Child(v.Tree.Root)
		if node := v.Nodes[c.Within]; node != nil {
			at, path = node.ID, v.Tree.Place(node).Path
		}
		if len(was.Grants) > 0 {
			steps = append(steps, d.Event(c, at, path, event.SignedOutEverywhereData{PrincipalID: c.Principal}))
		}
		return none, d.Commit(ctx, &v.Tree, steps...)
	})
	return err
}

// TokensDatedBack is how long before it was made an access token says that it was made. Entra dates tokens so for clocks that are behind.
const TokensDatedBack = 5 * time.Minute

// signedOut refuses a session that began before since, when the caller signed out everywhere. A token that is got right after that began
// before as well, by the time in it, which is in whole seconds. So a caller with a token is told from when on a new one counts.
func signedOut(c Caller, since, now time.Time) error {
	if !c.Token {
		return fault.Unauthenticated.New("Your session was signed out. Sign in again.")
	}
	counts := since.Add(TokensDatedBack + time.Second - 1).Truncate(time.Second)
	e := fault.Unauthenticated.New("You signed out everywhere at %s. Tokens that you got before %s are not accepted any more. Get a new token then or later; "+
		"do not take it from a cache.", since.UTC().Format(time.RFC3339), counts.UTC().Format(time.RFC3339))
	e.RetryAfter = max(0, counts.Sub(now))
	return e
}

// maxBounds is of how many bounds it is known since when sessions count. For one more, the oldest is forgotten.
const maxBounds = 8

// endSessions notes on a person that sessions with the caller's bound count from now on. What is noted of others goes when no session can
// have begun before it.
func endSessions(p *access.Principal, c Caller, now time.Time) {
	if !now.After(c.Session) {
		now = c.Session.Add(time.Microsecond)
	}
	from := maps.Clone(p.SessionsFrom)
	maps.DeleteFunc(from, func(_ ident.Node, at time.Time) bool { return now.Sub(at) > credential.Absolute+time.Hour })
	if from == nil {
		from = map[ident.Node]time.Time{}
	}
	from[c.Within] = now
	for len(from) > maxBounds {
		delete(from, oldestOf(from, c.Within))
	}
	p.SessionsFrom = from
}
