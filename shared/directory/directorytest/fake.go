package directorytest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/word"
)

// Call is one call of a Fake that a test may interfere with.
type Call struct {
	Name  string           // Read, Children, List, Below, Find, Log, PurgeQueue, Erase, Commit or Count
	Nth   int              // how many calls of any name came before
	Steps []directory.Step // of a Commit
}

// Fake is a working directory.Store in memory. Its zero value is empty and ready.
//
// Before is asked before a call does anything, After when it has done all of it: an error that they return is what the
// caller gets. So After makes a Commit fail that was applied. Both may call the Fake, and are called by many goroutines when
// the Fake is. Ignore is one of Conditions, which then holds whatever there is. Set all three while no call is made.
type Fake struct {
	Before, After func(Call) error
	Ignore        string

	mu      sync.Mutex
	calls   []string
	nodes   map[ident.Node]hierarchy.Node
	lists   map[list][]child
	records map[record.Ref]record.Fields
	shown   map[ident.Node]map[*record.Listing]map[string]record.Fields // what lists show, by position
	terms   map[termed]bool
	counts  map[counted]int
	due     map[directory.PurgeEntry]bool
	events  []event.Event
	known   map[ident.Event]bool
	logs    map[ident.Node][]logged
	past    map[ident.Node][]logged
	rates   map[rate]int64
	tree    *hierarchy.TreeState
}

// logged is an event in the log of a node.
type logged struct {
	position string
	nth      int // in events
}

func (l logged) compare(position string) int { return strings.Compare(l.position, position) }

// position sorts by time, then id.
func position(t time.Time, id string) string { return moment(t) + "#" + id }

func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

type list struct {
	parent ident.Node
	kind   hierarchy.Kind
}

type child struct {
	name string // folded
	id   ident.Node
}

func (c child) compare(d child) int {
	return cmp.Or(strings.Compare(c.name, d.name), strings.Compare(string(c.id), string(d.id)))
}

// position and at translate places in a list of children to cursors and back.
func (c child) position() string { return c.name + "\t" + string(c.id) }

func at(position string) child {
	i := strings.LastIndex(position, "\t")
	return child{position[:max(i, 0)], ident.Node(position[i+1:])}
}

// counted is what is counted at a node, or on the platform, on one day (UTC).
type counted struct {
	node      ident.Node
	key, date string
}

func countedBy(s *directory.Count) counted {
	return counted{s.Node, s.Key, s.At.UTC().Format(time.DateOnly)}
}

type rate struct {
	who    string
	window int64
}

// termed is something that is found by a term.
type termed struct {
	id   string
	term word.Term
}

func (t termed) String() string { return t.position() + " is a term" }

func (t termed) position() string { return t.term.String() + "#" + t.id }

// maxBatch is how many items a read or a transaction may have.
const maxBatch = 100

// Busy is the error of a store that could not be reached for long enough.
func Busy() error {
	err := fault.Busy.New("Too busy just now. The request may or may not have been carried out: send it again in a moment, a POST with the same Idempotency-Key.")
	err.RetryAfter = time.Second
	return err
}

// Calls are the names of all calls so far, in order.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Events are all events that were added, in order.
func (f *Fake) Events() []event.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.events)
}

// Counted are the keys of what was counted so far.
func (f *Fake) Counted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	keys := map[string]bool{}
	for c := range f.counts {
		keys[c.key] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

// call does one call with what a test wants to happen around it.
func call[T any](ctx context.Context, f *Fake, name string, steps []directory.Step, do func() (T, error)) (T, error) {
	var none T
	f.mu.Lock()
	c := Call{name, len(f.calls), steps}
	f.calls = append(f.calls, name)
	f.mu.Unlock()
	if ctx.Err() != nil {
		return none, Busy()
	}
	if f.Before != nil {
		if err := f.Before(c); err != nil {
			return none, err
		}
	}
	f.mu.Lock()
	v, err := do()
	f.mu.Unlock()
	if f.After != nil && err == nil {
		if err := f.After(c); err != nil {
			return none, err
		}
	}
	return v, err
}

// Read implements directory.Store.
func (f *Fake) Read(ctx context.Context, w directory.Want) (directory.Got, error) {
	return call(ctx, f, "Read", nil, func() (directory.Got, error) {
		got := directory.Got{Nodes: map[ident.Node]*hierarchy.Node{}, Records: record.Set{}}
		wanted := map[string]bool{"tree": true}
		if f.tree != nil {
			got.Tree.Root, got.Tree.Seq = f.tree.Root, f.tree.Seq
			for _, c := range f.tree.Changes {
				got.Tree.Changes = append(got.Tree.Changes, copyChange(c))
			}
		}
		for _, id := range w.Nodes {
			wanted[string(id)] = true
			if n, ok := f.nodes[id]; ok {
				n = copyNode(n)
				got.Nodes[id] = &n
			}
		}
		for _, ref := range w.Records {
			wanted[ref.String()] = true
			if kept, ok := f.records[ref]; ok {
				r, err := ref.Decode(kept)
				if err != nil {
					return directory.Got{}, err
				}
				got.Records[ref] = r
			}
		}
		if len(wanted) > maxBatch {
			return directory.Got{}, fmt.Errorf("a read of %d items; %d are possible", len(wanted), maxBatch)
		}
		if f.tree == nil && len(got.Nodes) > 0 {
			return directory.Got{}, fmt.Errorf("there are nodes and no tree state")
		}
		return got, nil
	})
}

// Children implements directory.Store.
func (f *Fake) Children(ctx context.Context, parent ident.Node, kind hierarchy.Kind, all bool, after string, limit int) (
	directory.Page[hierarchy.Node], error) {
	return call(ctx, f, "Children", nil, func() (directory.Page[hierarchy.Node], error) {
		rest := f.lists[list{parent, kind}]
		if after != "" {
			i, found := slices.BinarySearchFunc(rest, at(after), child.compare)
			if found {
				i++
			}
			rest = rest[i:]
		}
		var listed []child
		for _, c := range rest {
			if len(listed) > limit {
				break
			}
			if all || f.nodes[c.id].Trashed.IsZero() {
				listed = append(listed, c)
			}
		}
		return page(listed, limit, child.position, func(c child) hierarchy.Node {
			n := copyNode(f.nodes[c.id])
			n.Place = hierarchy.Place{Marks: n.OwnMarks()}
			n.AsOf, n.Height, n.Ceiling, n.Brands.Uses, n.Brands.Owned = 0, 0, 0, nil, nil
			return n
		})
	})
}

// List implements directory.Store.
func (f *Fake) List(ctx context.Context, node ident.Node, l *record.Listing, after string, limit int) (directory.Page[directory.Listed], error) {
	return call(ctx, f, "List", nil, func() (directory.Page[directory.Listed], error) {
		var at []string
		for p := range f.shown[node][l] {
			if after == "" || l.NewestFirst && p < after || !l.NewestFirst && p > after {
				at = append(at, p)
			}
		}
		slices.Sort(at)
		if l.NewestFirst {
			slices.Reverse(at)
		}
		return page(at, limit, func(p string) string { return p }, func(p string) directory.Listed {
			return directory.Listed{At: p, Fields: f.shown[node][l][p]}
		})
	})
}

// Below implements directory.Store. It proposes by path and is never behind; those who use it have to expect both.
func (f *Fake) Below(ctx context.Context, under hierarchy.Path, kind hierarchy.Kind, trash bool, after string, limit int) (
	directory.Page[ident.Node], error) {
	return call(ctx, f, "Below", nil, func() (directory.Page[ident.Node], error) {
		var paths []hierarchy.Path
		for id, n := range f.nodes {
			p := n.Place.Path
			itself := slices.Contains(n.Place.Marks, hierarchy.Mark{Node: id, Kind: hierarchy.Trashed})
			if p.Has(under) && p != under && p.Depth() > 1 && (kind == "" || hierarchy.KindOf(id) == kind) && itself == trash &&
				string(p[len(under):]) > after {
				paths = append(paths, p)
			}
		}
		slices.Sort(paths)
		return page(paths, limit, func(p hierarchy.Path) string { return string(p[len(under):]) },
			func(p hierarchy.Path) ident.Node { return p.At(p.Depth() - 1) })
	})
}

// Find implements directory.Store.
func (f *Fake) Find(ctx context.Context, l directory.Lookup, after string, limit int) (directory.Page[directory.Found], error) {
	return call(ctx, f, "Find", nil, func() (directory.Page[directory.Found], error) {
		if l.Begins && l.Term.Word.Head() == "" {
			return directory.Page[directory.Found]{}, fmt.Errorf("a word of less than two characters begins too much")
		}
		var found []termed
		for t := range f.terms {
			if strings.HasPrefix(t.id, l.Kind) && t.position() > after && (t.term == l.Term || l.Begins && l.Term.Word.Begins(t.term.Word)) {
				found = append(found, t)
			}
		}
		slices.SortFunc(found, func(a, b termed) int { return strings.Compare(a.position(), b.position()) })
		return page(found, limit, termed.position, func(t termed) directory.Found { return directory.Found{ID: t.id, Term: t.term, At: t.position()} })
	})
}

// Log implements directory.Store.
func (f *Fake) Log(ctx context.Context, node ident.Node, q directory.LogQuery) (directory.Page[event.Event], error) {
	return call(ctx, f, "Log", nil, func() (directory.Page[event.Event], error) {
		log := f.logs[node]
		if q.Past {
			log = f.past[node]
		}
		find := func(position string) (int, bool) { return slices.BinarySearchFunc(log, position, logged.compare) }
		low, high := 0, len(log)
		if !q.From.IsZero() {
			low, _ = find(moment(q.From))
		}
		if !q.Until.IsZero() {
			high, _ = find(moment(q.Until))
		}
		switch i, found := find(q.After); {
		case q.After != "" && q.Oldest && found:
			low = max(low, i+1)
		case q.After != "" && q.Oldest:
			low = max(low, i)
		case q.After != "":
			high = min(high, i)
		}
		wanted := log[min(low, high):high]
		if !q.Oldest {
			wanted = slices.Clone(wanted[max(0, len(wanted)-q.Limit-1):])
			slices.Reverse(wanted)
		}
		return page(wanted, q.Limit, func(l logged) string { return l.position }, func(l logged) event.Event {
			return copyEvent(f.events[l.nth])
		})
	})
}

// PurgeQueue implements directory.Store.
func (f *Fake) PurgeQueue(ctx context.Context, until time.Time, limit int) ([]directory.PurgeEntry, error) {
	return call(ctx, f, "Due", nil, func() ([]directory.PurgeEntry, error) {
		var due []directory.PurgeEntry
		for d := range f.due {
			if d.Since.Before(micro(until)) {
				due = append(due, d)
			}
		}
		slices.SortFunc(due, func(a, b directory.PurgeEntry) int { return strings.Compare(dueAt(a), dueAt(b)) })
		p, err := page(due, limit, dueAt, func(d directory.PurgeEntry) directory.PurgeEntry { return d })
		return p.Items, err
	})
}

func dueAt(d directory.PurgeEntry) string { return position(d.Since, string(d.Node)) }

// Erase implements directory.Store.
func (f *Fake) Erase(ctx context.Context, node ident.Node) (done bool, err error) {
	return call(ctx, f, "Erase", nil, func() (bool, error) {
		const atOnce = 25
		if len(f.logs[node]) > atOnce {
			f.logs[node] = slices.Clone(f.logs[node][atOnce:])
			return false, nil
		}
		delete(f.logs, node)
		delete(f.past, node)
		for l, entries := range f.shown[node] {
			if l.OnErase == record.Delete {
				for at := range entries {
					maps.DeleteFunc(f.records, func(r record.Ref, _ record.Fields) bool { return r.Kind() == l.Name && r.ID() == record.IDAt(at) })
				}
			}
			if l.OnErase != record.Keep {
				delete(f.shown[node], l)
			}
		}
		maps.DeleteFunc(f.counts, func(c counted, _ int) bool { return c.node == node })
		return true, nil
	})
}

// page cuts one page off all.
func page[K, T any](all []K, limit int, position func(K) string, item func(K) T) (directory.Page[T], error) {
	if limit < 1 {
		return directory.Page[T]{}, fmt.Errorf("a page of %d items", limit)
	}
	p := directory.Page[T]{Items: []T{}}
	if len(all) > limit {
		all = all[:limit]
		p.Next = position(all[limit-1])
	}
	for _, k := range all {
		p.Items = append(p.Items, item(k))
	}
	return p, nil
}

// Count counts requests, as table.Table does.
func (f *Fake) Count(ctx context.Context, who string, window time.Time, n int64) (int64, error) {
	return call(ctx, f, "Count", nil, func() (int64, error) {
		put(&f.rates, rate{who, window.Unix()}, f.rates[rate{who, window.Unix()}]+n)
		return f.rates[rate{who, window.Unix()}], nil
	})
}

// Commit implements directory.Store.
func (f *Fake) Commit(ctx context.Context, steps ...directory.Step) error {
	_, err := call(ctx, f, "Commit", steps, func() (struct{}, error) { return struct{}{}, f.commit(steps) })
	return err
}

// commit checks all steps against what there is before any is applied: none sees what another one writes.
func (f *Fake) commit(steps []directory.Step) error {
	touched, writes := map[string]bool{}, 0
	for _, s := range steps {
		if err := malformed(s); err != nil {
			return err
		}
		for _, what := range touches(s) {
			if touched[what] {
				return fmt.Errorf("two steps of one transaction have to do with %s", what)
			}
			touched[what] = true
			writes++
		}
	}
	if writes < 1 || writes > maxBatch {
		return fmt.Errorf("a transaction of %d items; 1 to %d are possible", writes, maxBatch)
	}
	for _, s := range steps {
		for _, c := range f.conditions(s) {
			if c.holds || f.Ignore != "" && (c.name == f.Ignore || strings.HasPrefix(c.name, f.Ignore+" ")) {
				continue
			}
			if err := c.otherwise(); err != nil {
				return err
			}
			return fmt.Errorf("%T has no error for its failed condition", s)
		}
	}
	for _, s := range steps {
		f.apply(s)
	}
	return nil
}

// malformed is what is wrong with a step whatever there is.
func malformed(s directory.Step) error {
	switch s := s.(type) {
	case directory.Put:
		if s.Was != nil && s.Was.Ref() != s.Now.Ref() {
			return fmt.Errorf("%s is put over %s", s.Now.Ref(), s.Was.Ref())
		}
		_, _, err := encoded(s.Was, s.Now)
		return err
	case directory.AddEvent:
		_, err := json.Marshal(s.Event)
		return err
	case directory.AddChange:
		if c := s.Change; c.Kind == hierarchy.Moved && !strings.HasSuffix(string(c.Path), string(c.Node)+"/") {
			return fmt.Errorf("the path of a moved node does not end with it")
		}
	}
	return nil
}

// touches names everything that a step checks or writes. Nothing may be touched twice in a transaction, and the whole is
// bounded.
func touches(s directory.Step) []string {
	switch s := s.(type) {
	case directory.AddNode:
		return append(append(entry(&s.Node), string(s.Node.ID)), termsChanged(string(s.Node.ID), nil, s.Node.Terms())...)
	case directory.CheckParent:
		return []string{string(s.Parent.ID)}
	case directory.EditNode:
		now := *s.Now
		now.Parent = s.Was.Parent
		return append(entries(s.Was, &now), termsChanged(string(now.ID), s.Was.Terms(), now.Terms())...)
	case directory.PlaceNode:
		now := *s.Now
		now.Name = s.Was.Name
		all := entries(s.Was, &now)
		for _, due := range append(dueEntry(s.Was), dueEntry(s.Now)...) {
			if !s.Was.Trashed.Equal(s.Now.Trashed) {
				all = append(all, due)
			}
		}
		return all
	case directory.RemoveNode:
		return append(append(entry(s.Was), string(s.Was.ID)), termsChanged(string(s.Was.ID), s.Was.Terms(), nil)...)
	case directory.RemovePurgeEntry:
		return []string{"due " + dueAt(s.Entry)}
	case directory.Put:
		return append(append(relisted(s.Was, s.Now), s.Now.Ref().String()), termsChanged(s.Now.Ref().ID(), record.TermsOf(s.Was), record.TermsOf(s.Now))...)
	case directory.Remove:
		return append(append(relisted(s.Was, nil), s.Was.Ref().String()), termsChanged(s.Was.Ref().ID(), record.TermsOf(s.Was), nil)...)
	case directory.Count:
		return []string{fmt.Sprint("count ", countedBy(&s))}
	case directory.OwnBrand:
		return []string{string(s.Owner.ID)}
	case directory.DisownBrand:
		return []string{string(s.Owner)}
	case directory.RaiseHeight:
		return []string{string(s.Node)}
	case directory.MeasureHeight:
		return []string{string(s.Was.ID)}
	case directory.LowerHeight:
		return []string{string(s.Node)}
	case directory.Rewrite:
		return []string{string(s.Node)}
	case directory.CheckSeq:
		return treeCopies()[:1]
	case directory.AddChange, directory.DropChange, directory.NextSeq:
		return treeCopies()
	case directory.CheckGrant:
		return []string{access.Principals.Ref(s.Principal).String()}
	case directory.AddEvent:
		all := []string{string(s.Event.ID)}
		for _, node := range s.Event.Witnesses() {
			if node != s.Event.Node {
				all = append(all, "log "+string(node)+string(s.Event.ID))
			}
		}
		if s.Event.Past() {
			all = append(all, "past "+string(s.Event.ID))
		}
		return all
	case directory.AddTree:
		return treeCopies()
	}
	return nil
}

// treeCopies are the items of the tree state, which are written together; one of them is checked.
func treeCopies() []string {
	var all []string
	for i := range 8 {
		all = append(all, fmt.Sprint("tree state ", i))
	}
	return all
}

// entries are a node and its entries in the lists that it was in and is in.
func entries(was, now *hierarchy.Node) []string {
	all := append(entry(was), string(was.ID))
	for _, e := range entry(now) {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// entry is the node's entry in its parent's list.
func entry(n *hierarchy.Node) []string {
	if n.Parent == "" {
		return nil
	}
	return []string{string(n.Parent) + " " + string(n.Name.SortKey()) + " " + string(n.ID)}
}

// termsChanged are the terms that are written when something is found by others than before.
func termsChanged(id string, was, now []word.Term) (all []string) {
	for _, t := range slices.Concat(was, now) {
		if slices.Contains(was, t) != slices.Contains(now, t) {
			all = append(all, termed{id, t}.String())
		}
	}
	return all
}

// dueEntry is the node's entry in the list of what is due.
func dueEntry(n *hierarchy.Node) []string {
	if n.Trashed.IsZero() {
		return nil
	}
	return []string{"due " + dueAt(directory.PurgeEntry{Node: n.ID, Since: n.Trashed})}
}

// entryAt is an entry of a record in a list.
type entryAt struct {
	node ident.Node
	list *record.Listing
	at   string
}

func (e entryAt) String() string { return "entry " + string(e.node) + " " + e.list.Name + " " + e.at }

// encoded is a record as it is kept (nil: none is), and as lists show it before and after.
func encoded(was, now record.Record) (fields record.Fields, lists [2]map[entryAt]record.Fields, err error) {
	for i, r := range []record.Record{was, now} {
		lists[i] = map[entryAt]record.Fields{}
		if r == nil {
			continue
		}
		for _, e := range r.Lists() {
			shown, failed := record.Encode(e.List.Name, e.Show.Code)
			lists[i][entryAt{e.Node, e.List, e.At}], err = shown, errors.Join(err, failed)
		}
	}
	if now != nil {
		var failed error
		fields, failed = record.Encode(now.Ref().String(), now.Code)
		err = errors.Join(err, failed)
	}
	return fields, lists, err
}

// relisted are the entries that are written when one record replaces another.
func relisted(was, now record.Record) (all []string) {
	_, lists, _ := encoded(was, now)
	for e, before := range lists[0] {
		if after, still := lists[1][e]; !still || !reflect.DeepEqual(before, after) {
			all = append(all, e.String())
		}
	}
	for e := range lists[1] {
		if _, before := lists[0][e]; !before {
			all = append(all, e.String())
		}
	}
	return all
}

// hasVersion reports whether the record that is there has the version of was.
func (f *Fake) hasVersion(was record.Record) bool {
	kept, exists := f.records[was.Ref()]
	fields, _ := record.Encode(was.Ref().String(), was.Code)
	v, has := fields[record.VersionField]
	return exists && has && kept[record.VersionField] == v
}

// list takes a record from the lists that it was in to those that it is in.
func (f *Fake) list(before, after map[entryAt]record.Fields) {
	for e := range before {
		delete(f.shown[e.node][e.list], e.at)
	}
	for e, shown := range after {
		at := f.shown[e.node]
		entries := at[e.list]
		put(&entries, e.at, shown)
		put(&at, e.list, entries)
		put(&f.shown, e.node, at)
	}
}

// condition is one condition of a step, and the error that stands for it when it does not hold.
type condition struct {
	name      string
	holds     bool
	otherwise func() error
}

// Conditions are the names of all conditions that steps have. Those of records have the kind of the record behind them, when they are
// ignored for that kind alone: "Put.Version brand".
func Conditions() []string {
	n, p := &hierarchy.Node{}, &access.Principal{}
	var names []string
	for _, s := range []directory.Step{
		directory.AddNode{}, directory.CheckParent{Parent: n}, directory.EditNode{Was: n, Now: n}, directory.OwnBrand{Owner: n}, directory.DisownBrand{},
		directory.Put{Now: p}, directory.Put{Now: p, At: time.Unix(0, 0)}, directory.Put{Was: p, Now: p}, directory.Remove{Was: p},
		directory.Count{}, directory.CheckGrant{}, directory.AddEvent{}, directory.AddTree{}, directory.PlaceNode{Was: n, Now: n},
		directory.RemoveNode{Was: n}, directory.RaiseHeight{}, directory.MeasureHeight{Was: n}, directory.LowerHeight{},
		directory.NextSeq{}, directory.AddChange{}, directory.CheckSeq{}, directory.Rewrite{},
	} {
		for _, c := range ConditionsOf(s) {
			name, _, _ := strings.Cut(c, " ")
			names = append(names, name)
		}
	}
	return names
}

// ConditionsOf are the names of the conditions of these steps, with the kinds of the records.
func ConditionsOf(steps ...directory.Step) (names []string) {
	for _, s := range steps {
		for _, c := range new(Fake).conditions(s) {
			names = append(names, c.name)
		}
	}
	return names
}

// conditions are those of a step, as they are now. What the condition of a step with several is about does not say whether the
// others hold: when there is no such node, none does.
func (f *Fake) conditions(s directory.Step) []condition {
	switch s := s.(type) {
	case directory.AddNode:
		_, exists := f.nodes[s.Node.ID]
		return []condition{{"AddNode.New", !exists, is(directory.ErrExists)}}
	case directory.CheckParent:
		now := f.node(s.Parent.ID)
		drawn, dropped := now != nil, now != nil
		count := map[ident.Brand]int64{}
		for _, b := range s.Drop {
			count[b]++
		}
		for b, n := range count {
			dropped = dropped && now.Brands.Uses[b] >= n
		}
		for _, b := range s.Draw {
			drawn = drawn && now.Brands.Usable(b)
		}
		otherwise := func() error { return s.Else(now) }
		return []condition{
			{"CheckParent.AsOf", now != nil && now.AsOf == s.Parent.AsOf, otherwise},
			{"CheckParent.Draw", drawn || len(s.Draw) == 0, otherwise},
			{"CheckParent.Drop", dropped || len(s.Drop) == 0, otherwise},
		}
	case directory.EditNode:
		now := f.node(s.Was.ID)
		unused := now != nil
		gone := removed(s.Was, s.Now)
		for _, b := range gone {
			unused = unused && now.Brands.Usable(b) && now.Brands.Uses[b] == 0
		}
		otherwise := func() error { return s.Else(now) }
		return []condition{
			{"EditNode.Version", now != nil && now.Version == s.Was.Version, otherwise},
			{"EditNode.Parent", now != nil && now.Parent == s.Was.Parent, otherwise},
			{"EditNode.Unused", unused || len(gone) == 0, otherwise},
			{"EditNode.Portal", now == nil || !s.Now.Brands.BecomesPortal(&s.Was.Brands) || slices.Contains(now.Brands.Owned, s.Now.Brands.Portal), otherwise},
		}
	case directory.OwnBrand:
		now := f.node(s.Owner.ID)
		otherwise := func() error { return s.Else(now) }
		return []condition{
			{"OwnBrand.AsOf", now != nil && now.AsOf == s.Owner.AsOf, otherwise},
			{"OwnBrand.Room", now == nil || len(now.Brands.Owned) < hierarchy.MaxBrands, otherwise},
		}
	case directory.DisownBrand:
		now := f.node(s.Owner)
		otherwise := func() error { return s.Else(now) }
		return []condition{
			{"DisownBrand.Owned", now != nil && slices.Contains(now.Brands.Owned, s.Brand), otherwise},
			{"DisownBrand.Unused", now == nil || now.Brands.Uses[s.Brand] == 0, otherwise},
			{"DisownBrand.NoPortal", now == nil || now.Brands.Portal != s.Brand, otherwise},
		}
	case directory.Put:
		kept, exists := f.records[s.Now.Ref()]
		kind := " " + s.Now.Ref().Kind()
		switch {
		case s.Any:
			return nil
		case s.Was != nil:
			return []condition{{"Put.Version" + kind, f.hasVersion(s.Was), is(s.Else)}}
		case !s.At.IsZero():
			expires, ends := kept[record.ExpiresField].(int64)
			return []condition{{"Put.Expired" + kind, !exists || ends && expires <= s.At.Unix(), is(s.Else)}}
		}
		return []condition{{"Put.New" + kind, !exists, is(s.Else)}}
	case directory.Remove:
		if s.Any {
			return nil
		}
		return []condition{{"Remove.Version " + s.Was.Ref().Kind(), f.hasVersion(s.Was), is(s.Else)}}
	case directory.Count:
		return []condition{{"Count.Room " + s.Key, f.counts[countedBy(&s)] < s.Most, is(s.Else)}}
	case directory.CheckGrant:
		now := f.principal(s.Principal)
		role := now.Grants[s.Node]
		return []condition{
			{"CheckGrant.Role", role != access.None && role >= s.Role, is(s.Else)},
			{"CheckGrant.Live", now.Revoked.IsZero(), is(s.Else)},
		}
	case directory.AddEvent:
		return []condition{{"AddEvent.New", !f.known[s.Event.ID], is(directory.ErrExists)}}
	case directory.AddTree:
		return []condition{{"AddTree.New", f.tree == nil, is(s.Else)}}
	case directory.PlaceNode:
		now := f.node(s.Was.ID)
		otherwise := func() error { return s.Else(now) }
		return []condition{
			{"PlaceNode.Version", now != nil && now.Version == s.Was.Version, otherwise},
			{"PlaceNode.AsOf", now != nil && now.AsOf == s.Was.AsOf, otherwise},
			{"PlaceNode.Parent", now != nil && now.Parent == s.Was.Parent, otherwise},
			{"PlaceNode.Height", now == nil || now.Levels() <= s.Was.Levels(), otherwise},
		}
	case directory.RemoveNode:
		now := f.node(s.Was.ID)
		return []condition{
			{"RemoveNode.Version", now != nil && now.Version == s.Was.Version, is(s.Else)},
			{"RemoveNode.AsOf", now != nil && now.AsOf == s.Was.AsOf, is(s.Else)},
		}
	case directory.RaiseHeight:
		return []condition{{"RaiseHeight.Exists", f.node(s.Node) != nil, is(s.Else)}}
	case directory.MeasureHeight:
		now := f.node(s.Was.ID)
		return []condition{
			{"MeasureHeight.AsOf", now != nil && now.AsOf == s.Was.AsOf, is(s.Else)},
			{"MeasureHeight.Levels", now == nil || now.Levels() <= s.Was.Levels(), is(s.Else)},
		}
	case directory.LowerHeight:
		now := f.node(s.Node)
		return []condition{{"LowerHeight.AsOf", now != nil && now.AsOf == s.AsOf, is(s.Else)}}
	case directory.NextSeq:
		return []condition{{"NextSeq.Seq", f.tree != nil && f.tree.Seq == s.Seq-1, is(s.Else)}}
	case directory.AddChange:
		return []condition{{"AddChange.Seq", f.tree != nil && f.tree.Seq == s.Change.Seq-1, is(s.Else)}}
	case directory.CheckSeq:
		return []condition{{"CheckSeq.Seq", f.tree != nil && f.tree.Seq == s.Seq, is(s.Else)}}
	case directory.Rewrite:
		now := f.node(s.Node)
		return []condition{{"Rewrite.AsOf", now != nil && now.AsOf == s.WasAsOf, is(s.Else)}}
	}
	return nil
}

func is(err error) func() error { return func() error { return err } }

// node is a copy of the node, nil when there is none.
func (f *Fake) node(id ident.Node) *hierarchy.Node {
	n, ok := f.nodes[id]
	if !ok {
		return nil
	}
	n = copyNode(n)
	return &n
}

// principal is a principal, without anything when there is none.
func (f *Fake) principal(id ident.Principal) (p access.Principal) {
	if kept, ok := f.records[access.Principals.Ref(id)]; ok {
		if r, err := access.Principals.Ref(id).Decode(kept); err == nil {
			p = *r.(*access.Principal)
		}
	}
	return p
}

func removed(was, now *hierarchy.Node) []ident.Brand {
	return slices.DeleteFunc(was.Brands.List(), now.Brands.Usable)
}

// apply does what the step says. What is to be done with something that is not there is left out: that can only be when a
// condition is ignored.
func (f *Fake) apply(s directory.Step) {
	switch s := s.(type) {
	case directory.AddNode:
		put(&f.nodes, s.Node.ID, copyNode(s.Node))
		f.listNode(&s.Node)
		f.find(string(s.Node.ID), nil, s.Node.Terms())
	case directory.CheckParent:
		f.change(s.Parent.ID, func(n *hierarchy.Node) {
			for _, b := range s.Draw {
				put(&n.Brands.Uses, b, n.Brands.Uses[b]+1)
			}
			for _, b := range s.Drop {
				put(&n.Brands.Uses, b, n.Brands.Uses[b]-1)
			}
			n.Height = max(n.Height, s.Height)
		})
	case directory.EditNode:
		f.change(s.Was.ID, func(n *hierarchy.Node) {
			f.unlistNode(n)
			now := copyNode(*s.Now)
			n.Name, n.Details, n.Version, n.Updated = now.Name, now.Details, now.Version, now.Updated
			n.Brands.Portal, n.Brands.Available = now.Brands.Portal, now.Brands.Available
			for _, b := range removed(s.Was, s.Now) {
				delete(n.Brands.Uses, b)
			}
			for _, b := range now.Brands.List() {
				if !n.Brands.Usable(b) && !s.Was.Brands.Usable(b) {
					put(&n.Brands.Uses, b, 0)
				}
			}
			f.listNode(n)
			f.find(string(n.ID), s.Was.Terms(), now.Terms())
		})
	case directory.OwnBrand:
		f.change(s.Owner.ID, func(n *hierarchy.Node) {
			n.Brands.Owned = slices.Sorted(slices.Values(append(slices.Clone(n.Brands.Owned), s.Brand)))
			put(&n.Brands.Uses, s.Brand, 0)
		})
	case directory.DisownBrand:
		f.change(s.Owner, func(n *hierarchy.Node) {
			n.Brands.Owned = slices.DeleteFunc(slices.Clone(n.Brands.Owned), func(b ident.Brand) bool { return b == s.Brand })
			if len(n.Brands.Owned) == 0 {
				n.Brands.Owned = nil
			}
			n.Brands.Uses = maps.Clone(n.Brands.Uses)
			delete(n.Brands.Uses, s.Brand)
		})
	case directory.Put:
		fields, lists, _ := encoded(s.Was, s.Now)
		put(&f.records, s.Now.Ref(), fields)
		f.list(lists[0], lists[1])
		f.find(s.Now.Ref().ID(), record.TermsOf(s.Was), record.TermsOf(s.Now))
	case directory.Remove:
		_, lists, _ := encoded(s.Was, nil)
		delete(f.records, s.Was.Ref())
		f.list(lists[0], nil)
		f.find(s.Was.Ref().ID(), record.TermsOf(s.Was), nil)
	case directory.Count:
		put(&f.counts, countedBy(&s), f.counts[countedBy(&s)]+1+s.More)
	case directory.AddEvent:
		put(&f.known, s.Event.ID, true)
		at := position(s.Event.Time, string(s.Event.ID))
		f.log(&f.logs, s.Event.Node, at)
		for _, node := range s.Event.Witnesses() {
			if node != s.Event.Node {
				f.log(&f.logs, node, at)
			}
		}
		if s.Event.Past() {
			f.log(&f.past, s.Event.Node, at)
		}
		f.events = append(f.events, s.Event)
	case directory.AddTree:
		f.tree = &hierarchy.TreeState{Root: s.Root}
	case directory.PlaceNode:
		f.change(s.Was.ID, func(n *hierarchy.Node) {
			f.unlistNode(n)
			now := copyNode(*s.Now)
			n.Parent, n.Place, n.AsOf, n.Version, n.Updated, n.Trashed = now.Parent, now.Place, now.AsOf, now.Version, now.Updated, now.Trashed
			f.listNode(n)
		})
		delete(f.due, directory.PurgeEntry{Node: s.Was.ID, Since: micro(s.Was.Trashed)})
		if !s.Now.Trashed.IsZero() {
			put(&f.due, directory.PurgeEntry{Node: s.Was.ID, Since: micro(s.Now.Trashed)}, true)
		}
	case directory.RemoveNode:
		f.change(s.Was.ID, f.unlistNode)
		delete(f.nodes, s.Was.ID)
		f.find(string(s.Was.ID), s.Was.Terms(), nil)
	case directory.RemovePurgeEntry:
		delete(f.due, directory.PurgeEntry{Node: s.Entry.Node, Since: micro(s.Entry.Since)})
	case directory.RaiseHeight:
		f.change(s.Node, func(n *hierarchy.Node) { n.Height = max(n.Height, s.Height) })
	case directory.MeasureHeight:
		f.change(s.Was.ID, func(n *hierarchy.Node) {
			n.Height, n.Ceiling, n.Place, n.AsOf = 0, s.Was.Levels(), s.Place, s.AsOf
			*n = copyNode(*n)
		})
	case directory.LowerHeight:
		f.change(s.Node, func(n *hierarchy.Node) { n.Height, n.Ceiling = max(n.Height, s.Height), 0 })
	case directory.NextSeq:
		f.tree.Seq = s.Seq
	case directory.AddChange:
		f.tree.Seq = s.Change.Seq
		f.apply(directory.DropChange{Seq: s.Change.Seq})
		f.tree.Changes = append(f.tree.Changes, copyChange(s.Change))
		slices.SortFunc(f.tree.Changes, func(a, b hierarchy.Change) int { return cmp.Compare(a.Seq, b.Seq) })
	case directory.Rewrite:
		f.change(s.Node, func(n *hierarchy.Node) {
			n.Place, n.AsOf = s.Place, s.AsOf
			*n = copyNode(*n)
		})
	case directory.DropChange:
		f.tree.Changes = slices.DeleteFunc(f.tree.Changes, func(c hierarchy.Change) bool { return c.Seq == s.Seq })
	}
}

// put puts into a map that may not be made yet.
func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

func (f *Fake) change(id ident.Node, edit func(*hierarchy.Node)) {
	if n, ok := f.nodes[id]; ok {
		edit(&n)
		f.nodes[id] = n
	}
}

// log puts the event that comes next into one of the logs of a node.
func (f *Fake) log(logs *map[ident.Node][]logged, node ident.Node, position string) {
	log := (*logs)[node]
	i, _ := slices.BinarySearchFunc(log, position, logged.compare)
	put(logs, node, slices.Insert(log, i, logged{position, len(f.events)}))
}

func (f *Fake) listNode(n *hierarchy.Node) {
	if n.Parent == "" {
		return
	}
	k, c := list{n.Parent, n.Kind()}, child{n.Name.SortKey(), n.ID}
	if i, found := slices.BinarySearchFunc(f.lists[k], c, child.compare); !found {
		put(&f.lists, k, slices.Insert(f.lists[k], i, c))
	}
}

// find makes something found by other terms.
func (f *Fake) find(id string, was, now []word.Term) {
	for _, t := range was {
		delete(f.terms, termed{id, t})
	}
	for _, t := range now {
		put(&f.terms, termed{id, t}, true)
	}
}

func (f *Fake) unlistNode(n *hierarchy.Node) {
	k, c := list{n.Parent, n.Kind()}, child{n.Name.SortKey(), n.ID}
	if i, found := slices.BinarySearchFunc(f.lists[k], c, child.compare); found {
		f.lists[k] = slices.Delete(f.lists[k], i, i+1)
	}
}

// What comes in and goes out is copied, in the form in which stores keep it: times in UTC to the microsecond, sets
// sorted, nothing empty but not nil, except the maps that are always there.

func copyNode(n hierarchy.Node) hierarchy.Node {
	n.Created, n.Updated, n.Trashed = micro(n.Created), micro(n.Updated), micro(n.Trashed)
	n.Place.Marks = copySlice(n.Place.Marks)
	n.Brands.Available = sorted(n.Brands.Available)
	n.Brands.Owned = sorted(n.Brands.Owned)
	if n.Kind() == hierarchy.Partner {
		n.Brands.Uses = copyMap(n.Brands.Uses)
	}
	return n
}

func copyChange(c hierarchy.Change) hierarchy.Change {
	c.Marks, c.From = copySlice(c.Marks), copySlice(c.From)
	return c
}

// copyEvent is the event as JSON keeps it.
func copyEvent(e event.Event) event.Event {
	e.Time = micro(e.Time)
	var c event.Event
	b, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		panic(err) // it was not added then
	}
	return c
}

func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func copySlice[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}

func sorted[T cmp.Ordered](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Sorted(slices.Values(s))
}

func copyMap[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	maps.Copy(c, m)
	return c
}
