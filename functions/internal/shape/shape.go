// Package shape has the form of what comes in and what goes out, a file for each entity. Each struct that goes out is a schema of the
// contract, and OfX turns an X of the directory into that form. What comes in is read by functions named for it, like NewCustomer.
package shape

import (
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// List is the shape of every list. Items is never null.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitzero"`
}

// OfList returns the shape of a list whose items have the shape that of returns.
func OfList[From, To any](l directory.List[From], of func(From) To) List[To] {
	return List[To]{each(l.Items, of), l.Next}
}

func each[From, To any](from []From, of func(From) To) []To {
	to := make([]To, len(from))
	for i := range from {
		to[i] = of(from[i])
	}
	return to
}

// Thing is a shape of something that has an address, and a version by which it is edited.
type Thing interface {
	// Self returns the path of the thing below /v1/, and its version.
	Self() (path string, version int64)
}

// stamp writes a time as the API does: RFC 3339 in UTC, to the millisecond.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// stampOrNone returns "" for a time that has not come.
func stampOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}

// principalKind tells people from API clients.
func principalKind(p ident.Principal) string {
	if p.IsPerson() {
		return "person"
	}
	return "api-client"
}

// roleOrNone returns "" for no role.
func roleOrNone(r access.Role) string {
	if r == access.None {
		return ""
	}
	return r.String()
}
