// Package directory is what can be done with the tree: partners, customers, brands and API clients, by a caller who
// reaches some of it. Every operation takes the caller, reads what it decides on in one strongly consistent batch, asks
// access.Decide, and commits at most one transaction. No operation works without the decision.
//
// An operation that is refused has changed nothing. What the caller cannot see and what does not exist give the same
// error after the same reads.
//
// Features beside this package stand on the same engine: Do and DoOn carry out requests that change something (engine.go), RecordsAt lists
// records at a node (paging.go), and what they keep is a record.Record.
package directory

import "time"

// Directory does the operations on a Store.
type Directory struct {
	store Store
	now   func() time.Time
}

// New returns the directory that is kept in store; now is the clock.
func New(store Store, now func() time.Time) *Directory {
	return &Directory{store, func() time.Time { return now().UTC().Truncate(time.Microsecond) }}
}
