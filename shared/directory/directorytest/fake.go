// Package directorytest has a directory.Store that keeps everything in memory, and Contract, the suite of tests that every
// Store passes.
package directorytest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Call is one call of a Fake that a test may interfere with.
type Call struct {
	Name  string           // Read, Children, Grants, Below, Commit or Count
	Nth   int              // how many calls of any name came before
	Steps []directory.Step // of a Commit
}

// Fake is a working directory.Store in memory. Its zero value is empty and ready.
//
// Before is asked before a call does anything, After when it has done all of it: an error that they return is what the
// caller gets. So After makes a Commit fail that was applied. Both may call the Fake, and are called by many goroutines when
// the Fake is; set them while no call is made.
type Fake struct {
	Before, After func(Call) error

	mu      sync.Mutex
	calls   []string
	nodes   map[ident.Node]hierarchy.Node
	lists   map[list][]child
	clients map[ident.Client]access.Principal
	brands  map[ident.Brand]brand.Brand
	memos   map[directory.MemoKey]directory.Memo
	changes map[ident.Change]directory.Progress
	events  []event.Event
	known   map[ident.Event]bool
	rates   map[rate]int64
	tree    *hierarchy.TreeState
}

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

type rate struct {
	key    ident.Key
	window int64
}

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
		got := directory.Got{
			Nodes: map[ident.Node]*hierarchy.Node{}, Clients: map[ident.Client]*access.Principal{}, Brands: map[ident.Brand]*brand.Brand{},
			Changes: map[ident.Change]*directory.Progress{},
		}
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
		for _, id := range w.Clients {
			wanted[string(id)] = true
			if p, ok := f.clients[id]; ok {
				p = copyClient(p)
				got.Clients[id] = &p
			}
		}
		for _, id := range w.Brands {
			wanted[string(id)] = true
			if b, ok := f.brands[id]; ok {
				b = copyBrand(b)
				got.Brands[id] = &b
			}
		}
		for _, id := range w.Changes {
			wanted[string(id)] = true
			if p, ok := f.changes[id]; ok {
				got.Changes[id] = &p
			}
		}
		if w.Memo != nil {
			wanted["memo"] = true
			if m, ok := f.memos[*w.Memo]; ok && valid(m) {
				m = copyMemo(m)
				got.Memo = &m
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
func (f *Fake) Children(ctx context.Context, parent ident.Node, kind hierarchy.Kind, after string, limit int) (
	directory.Page[hierarchy.Node], error) {
	return call(ctx, f, "Children", nil, func() (directory.Page[hierarchy.Node], error) {
		all := f.lists[list{parent, kind}]
		if after != "" {
			i, found := slices.BinarySearchFunc(all, at(after), child.compare)
			if found {
				i++
			}
			all = all[i:]
		}
		return page(all, limit, child.position, func(c child) hierarchy.Node {
			n := copyNode(f.nodes[c.id])
			n.Place = hierarchy.Place{Marks: n.OwnMarks()}
			n.AsOf, n.Height, n.Brands.Uses, n.Brands.Owned = 0, 0, nil, nil
			return n
		})
	})
}

// Grants implements directory.Store.
func (f *Fake) Grants(ctx context.Context, node ident.Node, after string, limit int) (directory.Page[directory.Grant], error) {
	return call(ctx, f, "Grants", nil, func() (directory.Page[directory.Grant], error) {
		var ids []ident.Client
		for id, p := range f.clients {
			if p.Grants[node] != access.None && string(id) > after {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		return page(ids, limit, func(id ident.Client) string { return string(id) }, func(id ident.Client) directory.Grant {
			p := f.clients[id]
			return directory.Grant{Node: node, Client: id, Role: p.Grants[node], Name: p.Name, Home: p.Home, Created: p.Created}
		})
	})
}

// Below implements directory.Store. It proposes by path and is never behind; those who use it have to expect both.
func (f *Fake) Below(ctx context.Context, under hierarchy.Path, kind hierarchy.Kind, after string, limit int) (
	directory.Page[ident.Node], error) {
	return call(ctx, f, "Below", nil, func() (directory.Page[ident.Node], error) {
		var paths []hierarchy.Path
		for id, n := range f.nodes {
			p := n.Place.Path
			if p.Has(under) && p != under && p.Depth() > 1 && (kind == "" || hierarchy.KindOf(id) == kind) && string(p[len(under):]) > after {
				paths = append(paths, p)
			}
		}
		slices.Sort(paths)
		return page(paths, limit, func(p hierarchy.Path) string { return string(p[len(under):]) },
			func(p hierarchy.Path) ident.Node { return p.At(p.Depth() - 1) })
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
func (f *Fake) Count(ctx context.Context, key ident.Key, window time.Time, n int64) (int64, error) {
	return call(ctx, f, "Count", nil, func() (int64, error) {
		if f.rates == nil {
			f.rates = map[rate]int64{}
		}
		f.rates[rate{key, window.Unix()}] += n
		return f.rates[rate{key, window.Unix()}], nil
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
		if err, failed := f.check(s); failed {
			if err == nil {
				return fmt.Errorf("%T has no error for its failed condition", s)
			}
			return err
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
		return append(entry(&s.Node), string(s.Node.ID))
	case directory.CheckParent:
		return []string{string(s.Parent.ID)}
	case directory.EditNode:
		now := *s.Now
		now.Parent = s.Was.Parent
		return entries(s.Was, &now)
	case directory.PlaceNode:
		now := *s.Now
		now.Name = s.Was.Name
		return entries(s.Was, &now)
	case directory.RaiseHeight:
		return []string{string(s.Node)}
	case directory.Rewrite:
		return []string{string(s.Node)}
	case directory.PutProgress:
		return []string{string(s.Progress.ID)}
	case directory.CheckSeq:
		return treeCopies()[:1]
	case directory.AddChange, directory.DropChange:
		return treeCopies()
	case directory.AddBrand:
		return []string{string(s.Brand.ID), "domain " + s.Brand.Domain, string(s.Owner.ID)}
	case directory.AddClient:
		all := []string{string(s.Client.ID)}
		for node := range s.Client.Grants {
			all = append(all, "grant "+string(s.Client.ID)+string(node))
		}
		return all
	case directory.EditClient:
		all := []string{string(s.Was.ID)}
		alike := s.Was.Name == s.Now.Name && s.Was.Home == s.Now.Home && s.Was.Created.Equal(s.Now.Created)
		nodes := maps.Clone(s.Was.Grants)
		if nodes == nil {
			nodes = map[ident.Node]access.Role{}
		}
		maps.Copy(nodes, s.Now.Grants)
		for node := range nodes {
			if was, now := s.Was.Grants[node], s.Now.Grants[node]; was != now || !alike {
				all = append(all, "grant "+string(s.Was.ID)+string(node))
			}
		}
		return all
	case directory.CheckGrant:
		return []string{string(s.Client)}
	case directory.AddEvent:
		return []string{string(s.Event.ID)}
	case directory.Remember:
		return []string{fmt.Sprint("memo ", s.Memo.MemoKey)}
	case directory.Found:
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

// check reports whether the step's condition fails, and its error for that.
func (f *Fake) check(s directory.Step) (err error, failed bool) {
	switch s := s.(type) {
	case directory.AddNode:
		_, exists := f.nodes[s.Node.ID]
		return directory.ErrExists, exists
	case directory.CheckParent:
		now := f.node(s.Parent.ID)
		holds := now != nil && now.AsOf == s.Parent.AsOf
		dropped := map[ident.Brand]int64{}
		for _, b := range s.Drop {
			dropped[b]++
		}
		for b, n := range dropped {
			holds = holds && now.Brands.Uses[b] >= n
		}
		for _, b := range s.Draw {
			holds = holds && now.Brands.Usable(b)
		}
		if !holds {
			return s.Else(now), true
		}
	case directory.EditNode:
		now := f.node(s.Was.ID)
		holds := now != nil && now.Version == s.Was.Version && now.Parent == s.Was.Parent
		for _, b := range removed(s.Was, s.Now) {
			holds = holds && now.Brands.Usable(b) && now.Brands.Uses[b] == 0
		}
		if !holds {
			return s.Else(now), true
		}
	case directory.AddBrand:
		if _, exists := f.brands[s.Brand.ID]; exists {
			return directory.ErrExists, true
		}
		for _, b := range f.brands {
			if b.Domain == s.Brand.Domain {
				return s.Taken, true
			}
		}
		if now := f.node(s.Owner.ID); now == nil || now.AsOf != s.Owner.AsOf || len(now.Brands.Owned) >= hierarchy.MaxBrands {
			return s.Else(now), true
		}
	case directory.AddClient:
		_, exists := f.clients[s.Client.ID]
		return directory.ErrExists, exists
	case directory.EditClient:
		now, exists := f.clients[s.Was.ID]
		return s.Else, !exists || now.Version != s.Was.Version
	case directory.CheckGrant:
		now, exists := f.clients[s.Client]
		role := now.Grants[s.Node]
		return s.Else, !exists || !now.Revoked.IsZero() || role == access.None || role < s.Role
	case directory.AddEvent:
		return directory.ErrExists, f.known[s.Event.ID]
	case directory.Remember:
		m, exists := f.memos[s.Memo.MemoKey]
		return directory.ErrRemembered, exists && valid(m)
	case directory.Found:
		return s.Else, f.tree != nil
	case directory.PlaceNode:
		now := f.node(s.Was.ID)
		if now == nil || now.Version != s.Was.Version || now.AsOf != s.Was.AsOf || now.Parent != s.Was.Parent || now.Height > s.Was.Height {
			return s.Else(now), true
		}
	case directory.RaiseHeight:
		return s.Else, f.node(s.Node) == nil
	case directory.AddChange:
		return s.Else, f.tree == nil || f.tree.Seq != s.Change.Seq-1
	case directory.CheckSeq:
		return s.Else, f.tree == nil || f.tree.Seq != s.Seq
	case directory.Rewrite:
		now := f.node(s.Node)
		return s.Else, now == nil || now.AsOf != s.WasAsOf
	case directory.PutProgress:
		return s.Else, f.changes[s.Progress.ID].Version != s.Was
	}
	return nil, false
}

// node is a copy of the node, nil when there is none.
func (f *Fake) node(id ident.Node) *hierarchy.Node {
	n, ok := f.nodes[id]
	if !ok {
		return nil
	}
	n = copyNode(n)
	return &n
}

func removed(was, now *hierarchy.Node) []ident.Brand {
	return slices.DeleteFunc(was.Brands.List(), now.Brands.Usable)
}

func (f *Fake) apply(s directory.Step) {
	switch s := s.(type) {
	case directory.AddNode:
		f.setNode(copyNode(s.Node))
		f.listNode(&s.Node)
	case directory.CheckParent:
		n := f.nodes[s.Parent.ID]
		for _, b := range s.Draw {
			n.Brands.Uses[b]++
		}
		for _, b := range s.Drop {
			n.Brands.Uses[b]--
		}
		n.Height = max(n.Height, s.Height)
		f.nodes[n.ID] = n
	case directory.EditNode:
		n := f.nodes[s.Was.ID]
		f.unlistNode(&n)
		now := copyNode(*s.Now)
		n.Name, n.Details, n.Version, n.Updated = now.Name, now.Details, now.Version, now.Updated
		n.Brands.Portal, n.Brands.Available = now.Brands.Portal, now.Brands.Available
		for _, b := range removed(s.Was, s.Now) {
			delete(n.Brands.Uses, b)
		}
		for _, b := range now.Brands.List() {
			if !n.Brands.Usable(b) && !s.Was.Brands.Usable(b) {
				n.Brands.Uses[b] = 0
			}
		}
		f.nodes[n.ID] = n
		f.listNode(&n)
	case directory.AddBrand:
		if f.brands == nil {
			f.brands = map[ident.Brand]brand.Brand{}
		}
		f.brands[s.Brand.ID] = copyBrand(s.Brand)
		n := f.nodes[s.Owner.ID]
		n.Brands.Owned = slices.Sorted(slices.Values(append(slices.Clone(n.Brands.Owned), s.Brand.ID)))
		n.Brands.Uses[s.Brand.ID] = 0
		f.nodes[n.ID] = n
	case directory.AddClient:
		f.setClient(copyClient(s.Client))
	case directory.EditClient:
		f.setClient(copyClient(*s.Now))
	case directory.AddEvent:
		if f.known == nil {
			f.known = map[ident.Event]bool{}
		}
		f.known[s.Event.ID] = true
		f.events = append(f.events, s.Event)
	case directory.Remember:
		if f.memos == nil {
			f.memos = map[directory.MemoKey]directory.Memo{}
		}
		m := copyMemo(s.Memo)
		m.Expires = time.Unix(m.Expires.Unix(), 0).UTC()
		f.memos[m.MemoKey] = m
	case directory.Found:
		f.tree = &hierarchy.TreeState{Root: s.Root}
	case directory.PlaceNode:
		n := f.nodes[s.Was.ID]
		f.unlistNode(&n)
		now := copyNode(*s.Now)
		n.Parent, n.Place, n.AsOf, n.Version, n.Updated = now.Parent, now.Place, now.AsOf, now.Version, now.Updated
		f.nodes[n.ID] = n
		f.listNode(&n)
	case directory.RaiseHeight:
		n := f.nodes[s.Node]
		n.Height = max(n.Height, s.Height)
		f.nodes[n.ID] = n
	case directory.AddChange:
		f.tree.Seq = s.Change.Seq
		f.tree.Changes = append(f.tree.Changes, copyChange(s.Change))
	case directory.Rewrite:
		n := f.nodes[s.Node]
		n.Place, n.AsOf = s.Place, s.AsOf
		f.nodes[n.ID] = copyNode(n)
	case directory.DropChange:
		f.tree.Changes = slices.DeleteFunc(f.tree.Changes, func(c hierarchy.Change) bool { return c.Seq == s.Seq })
	case directory.PutProgress:
		if f.changes == nil {
			f.changes = map[ident.Change]directory.Progress{}
		}
		p := s.Progress
		p.Started, p.Updated, p.Version = micro(p.Started), micro(p.Updated), s.Was+1
		f.changes[p.ID] = p
	}
}

func (f *Fake) setNode(n hierarchy.Node) {
	if f.nodes == nil {
		f.nodes, f.lists = map[ident.Node]hierarchy.Node{}, map[list][]child{}
	}
	f.nodes[n.ID] = n
}

func (f *Fake) setClient(p access.Principal) {
	if f.clients == nil {
		f.clients = map[ident.Client]access.Principal{}
	}
	f.clients[p.ID] = p
}

func (f *Fake) listNode(n *hierarchy.Node) {
	if n.Parent == "" {
		return
	}
	k, c := list{n.Parent, n.Kind()}, child{n.Name.SortKey(), n.ID}
	i, _ := slices.BinarySearchFunc(f.lists[k], c, child.compare)
	f.lists[k] = slices.Insert(f.lists[k], i, c)
}

func (f *Fake) unlistNode(n *hierarchy.Node) {
	k, c := list{n.Parent, n.Kind()}, child{n.Name.SortKey(), n.ID}
	if i, found := slices.BinarySearchFunc(f.lists[k], c, child.compare); found {
		f.lists[k] = slices.Delete(f.lists[k], i, i+1)
	}
}

func valid(m directory.Memo) bool { return time.Now().Unix() < m.Expires.Unix() }

// What comes in and goes out is copied, in the form in which stores keep it: times in UTC to the microsecond, sets
// sorted, nothing empty but not nil, except the maps that are always there.

func copyNode(n hierarchy.Node) hierarchy.Node {
	n.Created, n.Updated = micro(n.Created), micro(n.Updated)
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

func copyClient(p access.Principal) access.Principal {
	p.Created, p.Revoked = micro(p.Created), micro(p.Revoked)
	p.Grants = copyMap(p.Grants)
	p.CursorKey = copySlice(p.CursorKey)
	p.Secrets = copySlice(p.Secrets)
	for i := range p.Secrets {
		p.Secrets[i].Hash = copySlice(p.Secrets[i].Hash)
		p.Secrets[i].Created = micro(p.Secrets[i].Created)
	}
	return p
}

func copyBrand(b brand.Brand) brand.Brand {
	b.Created = micro(b.Created)
	b.Regions = copySlice(b.Regions)
	return b
}

func copyMemo(m directory.Memo) directory.Memo {
	m.Fingerprint, m.Answer = copySlice(m.Fingerprint), copySlice(m.Answer)
	return m
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
