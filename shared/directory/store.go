package directory

import (
	"context"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Store keeps the directory. Everything it reads is strongly consistent, but for Below.
//
// Its errors are fault.Busy for what went wrong for now (throttled, timed out, in conflict for longer than the retries
// last: repeating is safe), the error that a Step names for its own condition, and others for what must not happen. A
// read that failed is never "not found". Nodes without a tree state are such an error: Found comes first.
//
// Times are kept in UTC to the microsecond, but Memo.Expires to the second.
type Store interface {
	// Read reads all that w names in one batch. What does not exist is absent from the answer.
	Read(ctx context.Context, w Want) (Got, error)

	// Children lists the children of one kind by name, then id. The nodes are as complete as Read's but for their
	// place: Place has the marks that stand on the child itself and an empty path, AsOf and Height are 0, Brands.Uses
	// and Brands.Owned are nil.
	Children(ctx context.Context, parent ident.Node, kind hierarchy.Kind, after string, limit int) (Page[hierarchy.Node], error)

	// Grants lists who was granted a role at the very node, by principal id.
	Grants(ctx context.Context, node ident.Node, after string, limit int) (Page[Grant], error)

	// Below proposes ids of nodes whose stored path lies below under (not at it), by shard and path. It is behind by an
	// unknown time: what it proposes has to be read again and decided on. kind "" means all. A page can hold less than
	// limit, even nothing, and not be the last. A position tells nothing of what lies above under.
	Below(ctx context.Context, under hierarchy.Path, kind hierarchy.Kind, after string, limit int) (Page[ident.Node], error)

	// Commit does all steps or none, in one transaction. When conditions of several steps fail, the first such step's
	// error is returned. Repeating a Commit whose outcome is unknown is the caller's affair: each step that adds
	// something refuses to add it twice. No two steps may be about the same thing, and all may write at most 100 items:
	// that is an error.
	Commit(ctx context.Context, steps ...Step) error
}

// Page is one page of a list. Next is where the following one begins, "" at the end: a position for the store's own
// use. It is signed before it leaves the system but not hidden, so it tells nothing of what is not below the node that
// was asked about. Items is never nil when the error is nil.
type Page[T any] struct {
	Items []T
	Next  string
}

// Want names what to read. The tree state always comes along. At most 100 items in all.
type Want struct {
	Nodes   []ident.Node
	Clients []ident.Client
	Brands  []ident.Brand
	Changes []ident.Change
	Memo    *MemoKey
}

// Got is what was read.
type Got struct {
	Tree    hierarchy.TreeState
	Nodes   map[ident.Node]*hierarchy.Node
	Clients map[ident.Client]*access.Principal
	Brands  map[ident.Brand]*brand.Brand
	Changes map[ident.Change]*Progress
	Memo    *Memo // nil when there is none that is still valid
}

// Grant is one principal's role at one node, as it is listed there.
type Grant struct {
	Node    ident.Node
	Client  ident.Client
	Role    access.Role
	Name    hierarchy.Name // of the client
	Home    ident.Node     // of the client
	Created time.Time      // of the client
}

// MemoKey addresses what is remembered of a request: Idempotency-Keys of different principals have nothing to do with
// each other.
type MemoKey struct {
	Client ident.Client
	Key    string // the Idempotency-Key; stores keep only a hash of it
}

// Memo is what is remembered of a request that was carried out, for the next time that it comes.
type Memo struct {
	MemoKey
	Fingerprint []byte // of the operation and its input
	Answer      []byte // holds nothing secret
	Expires     time.Time
}

// Step is one part of a Commit. Each names the error that its failed condition stands for.
type Step interface{ step() }

// AddNode adds a node and its entry in the list of its parent's children. It fails with ErrExists.
type AddNode struct{ Node hierarchy.Node }

// CheckParent holds the parent in place while a child is added or edited: it fails unless the parent still is what it was
// (same AsOf), every brand in Draw is usable there, and every brand in Drop is drawn at least once. It counts Draw up and
// Drop down. Else says what the failure means, from what the parent is now (nil: gone).
type CheckParent struct {
	Parent *hierarchy.Node
	Draw   []ident.Brand
	Drop   []ident.Brand
	Height int // raises the parent's Height to at least this
	Else   func(now *hierarchy.Node) error
}

// EditNode writes what a client can edit: name, brands (Uses: entries are added with 0, and removed only when they are
// 0; other counts are left alone), details, version, time of update; and the entry in the parent's list. It leaves the
// place alone. It fails unless the node has Was.Version and Was.Parent, and the removed brands are unused. Else says
// what the failure means, from what the node is now (nil: gone).
type EditNode struct {
	Was, Now *hierarchy.Node
	Else     func(now *hierarchy.Node) error
}

// AddBrand adds a brand, takes its domain for it, and makes it owned and usable at its owner. It fails with
// DomainTaken when another brand has the domain, and with what Else says when the owner is not what it was (same
// AsOf) or owns hierarchy.MaxBrands already.
type AddBrand struct {
	Brand brand.Brand
	Owner *hierarchy.Node
	Taken error
	Else  func(now *hierarchy.Node) error
}

// AddClient adds an API client with its grants. It fails with ErrExists.
type AddClient struct{ Client access.Principal }

// EditClient replaces an API client, and lists it at the nodes where it has grants and no longer where it had them. It fails with
// Else unless the client has Was.Version.
type EditClient struct {
	Was, Now *access.Principal
	Else     error
}

// CheckGrant fails with Else unless the client still has at least this role granted at the node, and is not revoked.
type CheckGrant struct {
	Client ident.Client
	Node   ident.Node
	Role   access.Role
	Else   error
}

// AddEvent adds an event, once.
type AddEvent struct{ Event event.Event }

// Remember adds a memo. It fails with ErrRemembered when there is a valid one.
type Remember struct{ Memo Memo }

// Found makes the tree state, of a tree with this root. It fails with Else when there is one.
type Found struct {
	Root ident.Node
	Else error
}

// PlaceNode gives a node another place: another parent, or other marks of its own. It writes Now's parent, place, AsOf,
// version and time of update, and moves or rewrites its entry in the list of its parent's children. It fails unless the
// node has Was.Version, Was.AsOf and Was.Parent, and its Height is still at most Was.Height: the heights above its new
// parent are raised by what was read. Else says what the failure means, from what the node is now (nil: gone).
type PlaceNode struct {
	Was, Now *hierarchy.Node
	Else     func(now *hierarchy.Node) error
}

// RaiseHeight raises the upper bound of how many levels lie below a node; it never lowers it. A node that is gone fails
// with Else.
type RaiseHeight struct {
	Node   ident.Node
	Height int
	Else   error
}

// AddChange adds a change to the tree state, which gets its Seq. It fails with Else unless the tree state has the Seq right
// before it, so changes are serialized. The Path of one that is Moved ends with its Node.
type AddChange struct {
	Change hierarchy.Change
	Else   error
}

// CheckSeq fails with Else unless the tree state has this Seq.
type CheckSeq struct {
	Seq  int64
	Else error
}

// Rewrite makes a node's stored place its canonical one, as of a change number. It changes nothing that a client can see, so
// the version stays, and so do the marks that stand on the node itself: Place has them as they are. It fails with Else
// unless the node has WasAsOf. A Commit of nothing else is a plain write, at half the price of a transaction.
type Rewrite struct {
	Node    ident.Node
	WasAsOf int64
	Place   hierarchy.Place
	AsOf    int64
	Else    error
}

// DropChange takes a change out of the tree state. One that is not there (any more) is no failure.
type DropChange struct{ Seq int64 }

// PutProgress writes how far a change is: over what is there when Was is its Version (0: there must be nothing). It fails
// with Else otherwise.
type PutProgress struct {
	Progress Progress // its Version is written as Was+1
	Was      int64
	Else     error
}

// Progress is how far the settling of a change is, for people to see.
type Progress struct {
	ID      ident.Change
	Seq     int64
	Node    ident.Node // the top of the subtree
	Kind    hierarchy.ChangeKind
	State   ProgressState
	Nodes   int64 // looked at so far, in the present walk
	Started time.Time
	Updated time.Time
	Version int64
}

// ProgressState is where a change is on its way from in effect to settled. It is in effect from the beginning.
type ProgressState string

// The states.
const (
	Settling ProgressState = "settling" // nodes are being rewritten
	Waiting  ProgressState = "waiting"  // all are; the grace for reads under way runs
	Settled  ProgressState = "settled"  // the change has left the tree state
)

func (AddNode) step()     {}
func (CheckParent) step() {}
func (EditNode) step()    {}
func (AddBrand) step()    {}
func (AddClient) step()   {}
func (EditClient) step()  {}
func (CheckGrant) step()  {}
func (AddEvent) step()    {}
func (Remember) step()    {}
func (Found) step()       {}
func (PlaceNode) step()   {}
func (RaiseHeight) step() {}
func (AddChange) step()   {}
func (CheckSeq) step()    {}
func (Rewrite) step()     {}
func (DropChange) step()  {}
func (PutProgress) step() {}
