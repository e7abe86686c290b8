// Package record holds what a store keeps without knowing what it is: a record has a reference, fields, and lists at nodes in which it is
// shown. A feature that has something of its own to keep declares a Kind, and a List where records are listed at a node. No store needs
// to be changed for it.
//
// A record is written under the version of the one that it replaces, so two writers cannot both replace the same one.
package record

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/word"
)

// Record is one thing that is kept, with everything about it.
type Record interface {
	// Ref returns what the record is read by. It never changes.
	Ref() Ref
	// Lists returns where the record is listed.
	Lists() []Entry
	// Code carries every field but the id to what is kept, or back. A record that can be replaced has a version (Coder.Version).
	Code(c *Coder)
}

// Termed is a record that is found by terms. The first four characters of its id say what it is.
type Termed interface {
	Record
	Terms() []word.Term
}

// TermsOf returns by what a record is found, if it is found by anything. The record can be nil.
func TermsOf(r Record) []word.Term {
	if t, ok := r.(Termed); ok {
		return t.Terms()
	}
	return nil
}

// Ref addresses a record: its kind and its id.
type Ref struct {
	kind *kind
	id   string
}

// Kind returns the name of the kind.
func (r Ref) Kind() string { return r.kind.name }

// ID returns the id, which is one of its kind alone.
func (r Ref) ID() string { return r.id }

func (r Ref) String() string { return r.kind.name + " " + r.id }

// Decode returns the record that was kept as these fields.
func (r Ref) Decode(f Fields) (Record, error) {
	rec := r.kind.make(r.id)
	return rec, decode(r.String(), f, rec.Code)
}

// kind is what is known of a kind without its types.
type kind struct {
	name string
	make func(id string) Record
}

// Kind is a kind of records: each is a *T that is read by an ID.
type Kind[ID ~string, T any, P interface {
	*T
	Record
}] struct{ *kind }

// NewKind declares a kind. The name begins the keys of its records and never changes. empty returns the record with this id and nothing
// else in it.
func NewKind[ID ~string, T any, P interface {
	*T
	Record
}](name string, empty func(id ID) *T) Kind[ID, T, P] {
	k := &kind{name, func(id string) Record { return P(empty(ID(id))) }}
	register(kinds, name, k)
	return Kind[ID, T, P]{k}
}

// Name returns the name of the kind.
func (k Kind[ID, T, P]) Name() string { return k.name }

// Ref returns the reference to the record with an id.
func (k Kind[ID, T, P]) Ref(id ID) Ref { return Ref{k.kind, string(id)} }

// Refs returns references to the records with these ids.
func (k Kind[ID, T, P]) Refs(ids ...ID) []Ref {
	refs := make([]Ref, len(ids))
	for i, id := range ids {
		refs[i] = k.Ref(id)
	}
	return refs
}

// In returns the record with an id from what was read, nil when there is none.
func (k Kind[ID, T, P]) In(s Set, id ID) *T {
	p, _ := s[k.Ref(id)].(P)
	return p
}

// All returns all records of the kind that were read, in the order of their ids.
func (k Kind[ID, T, P]) All(s Set) (all []*T) {
	for _, r := range s {
		if p, ok := r.(P); ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *T) int { return strings.Compare(P(a).Ref().id, P(b).Ref().id) })
	return all
}

// Set is the records that were read. What does not exist is not in it.
type Set map[Ref]Record

// Entry is a place where a record is listed.
type Entry struct {
	List *Listing
	Node ident.Node
	// At is the position in the list: lists are in the order of positions. No two records have the same one, so it ends with the id, after
	// a "#" if there is something before the id.
	At string
	// Show is what the list shows of the record.
	Show interface{ Code(c *Coder) }
}

// Listing is what stores know of a list.
type Listing struct {
	Name string
	// NewestFirst says that the list is read from its end.
	NewestFirst bool
	// OnErase is what becomes of the list when its node is erased.
	OnErase OnErase
}

// OnErase is what becomes of a list when its node is erased.
type OnErase string

// The three ways.
const (
	// Unlist deletes the entries. The records stay: they have to do with other nodes, too.
	Unlist OnErase = "Q"
	// Delete deletes the entries, and the records. The list then has the name of their kind.
	Delete OnErase = "R"
	// Keep leaves the list alone: its records are taken out of it one by one before, by those who know more of them.
	Keep OnErase = "G"
)

// List is a list whose entries are shown as a T.
type List[T any, P interface {
	*T
	Code(c *Coder)
}] struct {
	*Listing
	empty func(node ident.Node, at string) *T
}

// NewList declares a list. empty returns what is shown of the record at a position at a node, with nothing in it but what follows from
// these.
func NewList[T any, P interface {
	*T
	Code(c *Coder)
}](l Listing, empty func(node ident.Node, at string) *T) List[T, P] {
	register(lists, l.Name, &l)
	return List[T, P]{&l, empty}
}

// Decode returns what is shown as these fields at a position.
func (l List[T, P]) Decode(node ident.Node, at string, f Fields) (T, error) {
	v := l.empty(node, at)
	err := decode(l.Name+" at "+string(node), f, P(v).Code)
	return *v, err
}

// IDAt returns the id at the end of a position.
func IDAt(at string) string { return at[strings.LastIndex(at, "#")+1:] }

// kinds and lists are what was declared, by name.
var (
	names sync.Mutex
	kinds = map[string]*kind{}
	lists = map[string]*Listing{}
)

// register keeps what was declared. It panics when somebody else has the name: two features would read each other's records.
func register[T any](known map[string]*T, name string, v *T) {
	names.Lock()
	defer names.Unlock()
	if known[name] != nil {
		panic("two kinds of records, or two lists, have the name " + name)
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' }) {
		panic("the name of a kind or of a list has lower-case letters and hyphens: " + name)
	}
	known[name] = v
}

// Kinds returns the names of all kinds of this program, sorted.
func Kinds() []string {
	names.Lock()
	defer names.Unlock()
	return slices.Sorted(maps.Keys(kinds))
}

// Empty returns the record of a kind with an id and nothing else in it. It panics when there is no such kind.
func Empty(name, id string) Record {
	names.Lock()
	defer names.Unlock()
	return kinds[name].make(id)
}

// Lists returns all lists of this program, in the order of their names.
func Lists() []*Listing {
	names.Lock()
	defer names.Unlock()
	all := slices.Collect(maps.Values(lists))
	slices.SortFunc(all, func(a, b *Listing) int { return strings.Compare(a.Name, b.Name) })
	return all
}
