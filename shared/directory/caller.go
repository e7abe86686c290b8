package directory

import (
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Caller is who makes a request, as was found before, and what came along with it.
type Caller struct {
	Principal ident.Principal
	Key       ident.Key // of an API client: the secret that was presented; it has to be live still
	Session   time.Time // of a person: when they proved who they are; it has to count still
	Token     bool      // of a person: Session is the time in an access token, which is TokensDatedBack early
	// Within bounds a person's reach (access.Principal.Within): to the partner that runs the app by which they signed in, if it is not the
	// platform's. Whoever runs an app has the tokens of all who sign in by it.
	Within    ident.Node
	RequestID string  // request id, for the events
	Repeat    *Repeat // nil without an Idempotency-Key
	IfMatch   []int64 // versions that an edit may start from; nil: any
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
