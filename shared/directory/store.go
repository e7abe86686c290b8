package directory

import (
	"context"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/word"
)

// Store keeps the directory. Everything it reads is strongly consistent, but for Below.
//
// Its errors are fault.Busy for what went wrong for now (throttled, timed out, in conflict for longer than the retries
// last: repeating is safe), the error that a Step names for its own condition, and others for what must not happen. A
// read that failed is never "not found". Nodes without a tree state are such an error: AddTree comes first.
//
// Times are kept in UTC to the microsecond, but when a record expires to the second. A store has no clock: what depends on the time
// is told it, or left to the directory.
type Store interface {
	// Read reads all that w names in one batch. What does not exist is absent from the answer.
	Read(ctx context.Context, w Want) (Got, error)

	// Children lists the children of one kind by name, then id: those that are not in the trash themselves, or all. A page can
	// hold less than limit and not be the last one when some are in the trash. The nodes are as complete as Read's but for their
	// place: Place has the marks that stand on the child itself and an empty path, AsOf, Height and Ceiling are 0, Brands.Uses
	// and Brands.Owned are nil.
	Children(ctx context.Context, parent ident.Node, kind hierarchy.Kind, all bool, after string, limit int) (Page[hierarchy.Node], error)

	// List lists what is listed at the very node, in the order of the list.
	List(ctx context.Context, node ident.Node, l *record.Listing, after string, limit int) (Page[Listed], error)

	// Below proposes ids of nodes whose stored path lies below under (not at it), by shard and path: of those that are not in
	// the trash themselves (what lies below one that is may be among them), or of those that are. It is behind by an
	// unknown time: what it proposes has to be read again and decided on. kind "" means all. A page can hold less than
	// limit, even nothing, and not be the last. A position tells nothing of what lies above under.
	Below(ctx context.Context, under hierarchy.Path, kind hierarchy.Kind, trash bool, after string, limit int) (Page[ident.Node], error)

	// Find lists what has a term, in the order of the terms, then of the ids: what is looked up knows nothing of where anything is, and
	// whether a caller may see it. A position and what is found are for nobody who may not see it.
	Find(ctx context.Context, l Lookup, after string, limit int) (Page[Found], error)

	// Log lists the events of which the node is a witness, or those of its past, by time, then id.
	Log(ctx context.Context, node ident.Node, q LogQuery) (Page[event.Event], error)

	// PurgeQueue lists what was put into the trash before until, and not restored or taken off the list since: the earliest first, at
	// most limit. Never nil.
	PurgeQueue(ctx context.Context, until time.Time, limit int) ([]PurgeEntry, error)

	// Erase deletes some of what is kept with a node, other than the node itself and its children's entries: its log, its counts, and its
	// lists in the way that each of them says (record.OnErase). It reports whether that was all. Repeating it is safe.
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
	Nodes   []ident.Node
	Records []record.Ref
}

// Got is what was read.
type Got struct {
	Tree    hierarchy.TreeState
	Nodes   map[ident.Node]*hierarchy.Node
	Records record.Set
}

// Listed is what a list shows of a record, and where.
type Listed struct {
	At     string
	Fields record.Fields
}

// ListAt reads a page of a list at a node.
func ListAt[T any, P interface {
	*T
	Code(c *record.Coder)
}](ctx context.Context, s Store, l record.List[T, P], node ident.Node, after string, limit int) (Page[T], error) {
	page, err := s.List(ctx, node, l.Listing, after, limit)
	if err != nil {
		return Page[T]{}, err
	}
	shown := Page[T]{Items: make([]T, len(page.Items)), Next: page.Next}
	for i, e := range page.Items {
		if shown.Items[i], err = l.Decode(node, e.At, e.Fields); err != nil {
			return Page[T]{}, err
		}
	}
	return shown, nil
}

// Lookup says what to find.
type Lookup struct {
	Kind string // the prefix of the ids
	Term word.Term
	// Begins asks for everything that has a term which begins with the word, of any field. Without a head there is none (word.Word.Head).
	Begins bool
}

// Found is something that has a term. What begins with a word can be found by several.
type Found struct {
	ID   string
	Term word.Term
	At   string // the position: the next page begins behind it
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

// Step is one part of a Commit. Each names the error that its failed condition stands for.
type Step interface{ step() }

// AddNode adds a node, its entry in the list of its parent's children, and its terms. It fails with ErrExists.
type AddNode struct{ Node hierarchy.Node }

// CheckParent holds the parent in place while a child is added or edited: it fails unless the parent still is what it was
// (same AsOf), every brand in Draw is usable there, and every brand in Drop is drawn at least once. It counts Draw up and
// Drop down. Else says what the failure means, from what the parent is now (nil: gone).
type CheckParent struct {
	Parent *hierarchy.Node
	Draw   []ident.Brand
	Drop   []ident.Brand
	Height int // raises the parent's Height to at least this, when Parent has less
	Else   func(now *hierarchy.Node) error
}

// EditNode writes what a client can edit: name, brands (Uses: entries are added with 0, and removed only when they are
// 0; other counts are left alone), details, version, time of update; the entry in the parent's list, and the terms. It leaves the
// place alone. It fails unless the node has Was.Version and Was.Parent, the removed brands are unused, and a brand of its own that becomes its portal brand is its own still. Else says
// what the failure means, from what the node is now (nil: gone).
type EditNode struct {
	Was, Now *hierarchy.Node
	Else     func(now *hierarchy.Node) error
}

// Put writes a record, its entries in lists and its terms, and takes away those of Was that are not its any more. It fails with Else unless
// the record that is there has the version of Was; without Was, unless there is none.
type Put struct {
	Was, Now record.Record
	// At, when it is given, makes a record that has expired by then (record.Coder.Expires) count as none. Its lists and its terms stay.
	At time.Time
	// Any replaces whatever there is: another step of the transaction says that it may. There is no Was and no Else then, and lists and terms stay.
	Any  bool
	Else error
}

// Remove deletes a record, its entries in lists and its terms. It fails with Else unless the record that is there has the version of Was.
type Remove struct {
	Was record.Record
	// Any deletes whatever there is, or is not: another step of the transaction says that it may. There is no Else then.
	Any  bool
	Else error
}

// Count counts one more of what Key says on the day (UTC) of At: at a node, with which the count is erased, or on the whole platform (""). It
// fails with Else when Most were counted on that day. Counts are kept until their day is over everywhere.
type Count struct {
	Node ident.Node
	Key  string // holds no secret, and no address of anybody
	At   time.Time
	Most int
	More int // that are counted at once, beside the one: so more than Most can come to be counted
	Else error
}

// OwnBrand makes a brand owned by, and usable at, a partner. Else says what it means that the partner is not what it was (same AsOf), or
// owns hierarchy.MaxBrands already, from what the partner is now (nil: gone).
type OwnBrand struct {
	Brand ident.Brand
	Owner *hierarchy.Node
	Else  func(now *hierarchy.Node) error
}

// DisownBrand takes a brand from the partner that owns it, which can no longer use it. Else says what it means that the partner does not own it, that
// something right below the partner uses it, or that it is the partner's portal brand, from what the partner is now (nil: gone).
type DisownBrand struct {
	Brand ident.Brand
	Owner ident.Node
	Else  func(now *hierarchy.Node) error
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

// AddTree makes the tree state, of a tree with this root. It fails with Else when there is one.
type AddTree struct {
	Root ident.Node
	Else error
}

// PlaceNode gives a node another place: another parent, or other marks of its own. It writes Now's parent, place, AsOf,
// version, time of update and Trashed (with Now.Trashed it enters the purge queue, with none any more it leaves the queue), and moves or rewrites its entry in the list of its parent's children. It fails unless the
// node has Was.Version, Was.AsOf and Was.Parent, and still at most Was.Levels: the heights above its new
// parent are raised by what was read. Else says what the failure means, from what the node is now (nil: gone).
type PlaceNode struct {
	Was, Now *hierarchy.Node
	Else     func(now *hierarchy.Node) error
}

// RemoveNode deletes a node, its entry in the list of its parent's children, and its terms. It fails with Else unless the node has
// Was.Version and Was.AsOf. Its entry in the purge queue stays.
type RemoveNode struct {
	Was  *hierarchy.Node
	Else error
}

// RemovePurgeEntry takes an entry out of the purge queue. What is not there (any more) is no failure.
type RemovePurgeEntry struct{ Entry PurgeEntry }

// RaiseHeight raises a node's Height to at least this; it never lowers it. A node that is gone fails with Else.
type RaiseHeight struct {
	Node   ident.Node
	Height int
	Else   error
}

// MeasureHeight begins to measure how many levels lie below a node: its Ceiling becomes Was.Levels and its Height 0, so Height is what the
// node is raised to from now on. It also makes the stored place the canonical one, as of a change number, as Rewrite does. It fails with Else
// unless the node has Was.AsOf, and still at most Was.Levels.
type MeasureHeight struct {
	Was   *hierarchy.Node
	Place hierarchy.Place
	AsOf  int64
	Else  error
}

// LowerHeight ends the measuring that began with AsOf: it takes the Ceiling away and raises Height to at least what was measured. It fails with
// Else unless the node has this AsOf.
type LowerHeight struct {
	Node   ident.Node
	AsOf   int64
	Height int
	Else   error
}

// NextSeq gives the tree state its next Seq, without a change. It fails with Else unless the tree state has the Seq right before it. What
// was decided before, and holds the tree state, fails from then on.
type NextSeq struct {
	Seq  int64
	Else error
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

func (Put) step()              {}
func (Remove) step()           {}
func (Count) step()            {}
func (OwnBrand) step()         {}
func (DisownBrand) step()      {}
func (AddNode) step()          {}
func (CheckParent) step()      {}
func (EditNode) step()         {}
func (CheckGrant) step()       {}
func (AddEvent) step()         {}
func (AddTree) step()          {}
func (PlaceNode) step()        {}
func (RaiseHeight) step()      {}
func (MeasureHeight) step()    {}
func (LowerHeight) step()      {}
func (NextSeq) step()          {}
func (RemoveNode) step()       {}
func (RemovePurgeEntry) step() {}
func (AddChange) step()        {}
func (CheckSeq) step()         {}
func (Rewrite) step()          {}
func (DropChange) step()       {}
