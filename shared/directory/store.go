package directory

import (
	"context"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/credential"
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
// Times are kept in UTC to the microsecond, but Memo.Expires to the second. A store has no clock: what depends on the time
// is told it, or left to the directory.
type Store interface {
	// Read reads all that w names in one batch. What does not exist is absent from the answer.
	Read(ctx context.Context, w Want) (Got, error)

	// Children lists the children of one kind by name, then id: those that are not in the trash themselves, or all. A page can
	// hold less than limit and not be the last one when some are in the trash. The nodes are as complete as Read's but for their
	// place: Place has the marks that stand on the child itself and an empty path, AsOf and Height are 0, Brands.Uses
	// and Brands.Owned are nil.
	Children(ctx context.Context, parent ident.Node, kind hierarchy.Kind, all bool, after string, limit int) (Page[hierarchy.Node], error)

	// Grants lists who was granted a role at the very node, by principal id.
	Grants(ctx context.Context, node ident.Node, after string, limit int) (Page[Grant], error)

	// Below proposes ids of nodes whose stored path lies below under (not at it), by shard and path: of those that are not in
	// the trash themselves (what lies below one that is may be among them), or of those that are. It is behind by an
	// unknown time: what it proposes has to be read again and decided on. kind "" means all. A page can hold less than
	// limit, even nothing, and not be the last. A position tells nothing of what lies above under.
	Below(ctx context.Context, under hierarchy.Path, kind hierarchy.Kind, trash bool, after string, limit int) (Page[ident.Node], error)

	// Log lists the events of which the node is a witness, or those of its past, by time, then id.
	Log(ctx context.Context, node ident.Node, q LogQuery) (Page[event.Event], error)

	// Requests lists the move requests of which the node is to move or is the destination, the newest first.
	Requests(ctx context.Context, node ident.Node, after string, limit int) (Page[MoveRequest], error)

	// Invitations lists the invitations at the very node, the newest first.
	Invitations(ctx context.Context, node ident.Node, after string, limit int) (Page[Invitation], error)

	// PurgeQueue lists what was put into the trash before until, and not restored or taken off the list since: the earliest first, at
	// most limit. Never nil.
	PurgeQueue(ctx context.Context, until time.Time, limit int) ([]PurgeEntry, error)

	// Erase deletes some of what is kept with a node, other than the node itself, its children's entries and the grants at it: the
	// invitations to it as well, but not the move requests, which are also the other side's. It says whether that was all. Repeating it
	// is safe.
	Erase(ctx context.Context, node ident.Node) (done bool, err error)

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
	Nodes        []ident.Node
	Principals   []ident.Principal
	Brands       []ident.Brand
	Domains      []string
	Logos        []ident.Brand
	Changes      []ident.Change
	MoveRequests []ident.MoveRequest
	Invitations  []ident.Invitation
	Keyring      bool
	Memo         *MemoKey
}

// Got is what was read.
type Got struct {
	Tree         hierarchy.TreeState
	Nodes        map[ident.Node]*hierarchy.Node
	Principals   map[ident.Principal]*access.Principal
	Brands       map[ident.Brand]*brand.Brand
	Domains      map[string]Domain
	Logos        map[ident.Brand][]byte // a PNG
	Changes      map[ident.Change]*Progress
	MoveRequests map[ident.MoveRequest]*MoveRequest
	Invitations  map[ident.Invitation]*Invitation
	Keyring      credential.Keyring // as it was asked for; empty when there is none yet
	Memo         *Memo              // nil when there is none; it may have expired
}

// Domain is whose domain one is: neither ever changes.
type Domain struct {
	Brand ident.Brand
	Owner ident.Node // of the brand
}

// LogQuery is which part of a node's log is wanted. After is a position in the same order.
type LogQuery struct {
	From, Until time.Time // from From on, before Until; zero: no bound
	Oldest      bool      // the oldest first; otherwise the newest
	Past        bool      // only those at the very node that are event.Event.Past, which are kept apart: not what happened below
	After       string
	Limit       int
}

// LogPosition is the position in any log, oldest first, before which all events have an earlier time; but not one before at.
func LogPosition(t time.Time, at string) string { return max(t.UTC().Format(logTime), at) }

// logTime begins every position in a log; "#" and the id of an event may follow.
const logTime = "2006-01-02T15:04:05.000000Z"

// PurgeEntry is a node that was put into the trash: until it is restored, or nothing is left of it.
type PurgeEntry struct {
	Node  ident.Node
	Since time.Time // its Trashed
}

// Grant is one principal's role at one node, as it is listed there.
type Grant struct {
	Node      ident.Node
	Principal ident.Principal
	Role      access.Role
	Name      hierarchy.Name // of the client
	Home      ident.Node     // of the client
	Created   time.Time      // of the client
	Tenant    string         // of a person: whose they are
}

// MemoKey addresses what is remembered of a request: Idempotency-Keys of different principals have nothing to do with
// each other.
type MemoKey struct {
	Principal ident.Principal
	Key       string // the Idempotency-Key; stores keep only a hash of it
}

// Memo is what is remembered of a request that was carried out, for the next time that it comes.
type Memo struct {
	MemoKey
	Fingerprint []byte // of the operation and its input
	Answer      []byte // holds nothing secret
	Expires     time.Time
}

// Expired reports whether a memo counts for nothing any more. It is judged by whole seconds, in which stores keep Expires.
func (m Memo) Expired(now time.Time) bool { return now.Unix() >= m.Expires.Unix() }

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

// EditBrand writes a brand's name, color, app, logo's hash and version. It fails with Else unless the brand has Was.Version.
type EditBrand struct {
	Was, Now *brand.Brand
	Else     error
}

// PutLogo replaces a brand's logo; an empty one removes it. RemoveBrand removes it too.
type PutLogo struct {
	Brand ident.Brand
	PNG   []byte
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
	Principal ident.Principal
	Node      ident.Node
	Role      access.Role
	Else      error
}

// AddEvent adds an event, once.
type AddEvent struct{ Event event.Event }

// Remember adds a memo, in place of one that has expired. It fails with ErrRemembered when there is one that has not, by the
// whole seconds of At.
type Remember struct {
	Memo Memo
	At   time.Time // the present
}

// AddTree makes the tree state, of a tree with this root. It fails with Else when there is one.
type AddTree struct {
	Root ident.Node
	Else error
}

// PlaceNode gives a node another place: another parent, or other marks of its own. It writes Now's parent, place, AsOf,
// version, time of update and Trashed (with Now.Trashed it enters the purge queue, with none any more it leaves the queue), and moves or rewrites its entry in the list of its parent's children. It fails unless the
// node has Was.Version, Was.AsOf and Was.Parent, and its Height is still at most Was.Height: the heights above its new
// parent are raised by what was read. Else says what the failure means, from what the node is now (nil: gone).
type PlaceNode struct {
	Was, Now *hierarchy.Node
	Else     func(now *hierarchy.Node) error
}

// RemoveNode deletes a node and its entry in the list of its parent's children. It fails with Else unless the node has
// Was.Version and Was.AsOf. Its entry in the purge queue stays.
type RemoveNode struct {
	Was  *hierarchy.Node
	Else error
}

// RemovePurgeEntry takes an entry out of the purge queue. What is not there (any more) is no failure.
type RemovePurgeEntry struct{ Entry PurgeEntry }

// RemoveBrand deletes a brand and gives its domain back. One that is not there (any more) is no failure. The node that owns it
// is left alone.
type RemoveBrand struct{ Brand brand.Brand }

// AddRequest adds a move request, lists it at its node and at its destination, and makes it the node's open one. It fails with
// Open when the node has one that is open and not at its end.
type AddRequest struct {
	Request MoveRequest
	Open    error
}

// CloseRequest writes the state and the times of a move request, which is no longer the node's open one. It fails with Else
// unless the request is open and has Was.Version.
type CloseRequest struct {
	Was, Now *MoveRequest
	Else     error
}

// AddInvitation adds an invitation, lists it at its node, and counts it there for the day of its Created (UTC). It fails with TooMany
// when Most were made at the node that day, and with ErrExists when it is there.
type AddInvitation struct {
	Invitation Invitation
	Most       int
	TooMany    error
}

// CountLink counts a link of an invitation that is mailed, for the day (UTC) of At: for the address that it goes to, on the whole
// platform, and for whoever has it mailed. It fails with TooMany when MostTo or MostBy of them were counted that day.
type CountLink struct {
	At      time.Time
	To      string // SHA-256 of the address in hex, and never the address
	MostTo  int
	By      ident.Principal
	MostBy  int
	TooMany error
}

// EditInvitation replaces an invitation, all but its ID, Node and Created. It fails with Else unless the invitation has Was.Version.
type EditInvitation struct {
	Was, Now *Invitation
	Else     error
}

// PutKeyring replaces the keyring. It fails with Else unless its newest key is Was, 0 when there is none.
type PutKeyring struct {
	Keyring credential.Keyring
	Was     int
	Else    error
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

func (AddNode) step()          {}
func (CheckParent) step()      {}
func (EditNode) step()         {}
func (AddBrand) step()         {}
func (EditBrand) step()        {}
func (PutLogo) step()          {}
func (AddClient) step()        {}
func (EditClient) step()       {}
func (CheckGrant) step()       {}
func (AddEvent) step()         {}
func (Remember) step()         {}
func (AddTree) step()          {}
func (PlaceNode) step()        {}
func (AddInvitation) step()    {}
func (CountLink) step()        {}
func (EditInvitation) step()   {}
func (PutKeyring) step()       {}
func (RaiseHeight) step()      {}
func (RemoveNode) step()       {}
func (RemoveBrand) step()      {}
func (RemovePurgeEntry) step() {}
func (AddRequest) step()       {}
func (CloseRequest) step()     {}
func (AddChange) step()        {}
func (CheckSeq) step()         {}
func (Rewrite) step()          {}
func (DropChange) step()       {}
func (PutProgress) step()      {}
