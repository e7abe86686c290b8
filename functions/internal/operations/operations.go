// Package operations is the HTTP side of each operation of the contract: the shapes of requests and answers, and which
// operation of the directory each one is. There are no rules here, only form.
package operations

import (
	"maps"
	"time"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/directory"
)

// All is every operation of the contract that the function api serves, by its id.
func All(d *directory.Directory) map[string]api.Operation {
	all := map[string]api.Operation{}
	for _, some := range []map[string]api.Operation{tree(d), brands(d), people(d)} {
		maps.Copy(all, some)
	}
	return all
}

// items is the shape of every list. Items is never null.
type items[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitzero"`
}

func list[From, To any](l directory.List[From], err error, shape func(From) To) (api.Reply, error) {
	if err != nil {
		return api.Reply{}, err
	}
	return api.OK(items[To]{each(l.Items, shape), l.Next}, 0)
}

func each[From, To any](from []From, shape func(From) To) []To {
	to := make([]To, len(from))
	for i := range from {
		to[i] = shape(from[i])
	}
	return to
}

// stamp is how the API writes times: RFC 3339 in UTC, to the millisecond.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
