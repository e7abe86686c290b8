package directorytest

import (
	"time"

	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/word"
)

// gadget is a record that only tests have, with fields of every type, and in lists of every sort.
type gadget struct {
	ID       string
	Text     string
	Must     string
	Number   int
	Yes      bool
	At       time.Time
	Bytes    []byte
	Texts    []string
	Part     *part
	Parts    []part
	Map      map[ident.Node]string
	Few      map[ident.Node]time.Time
	Created  time.Time  // where it stands in lists
	Kept     ident.Node // it is listed there, in a list that stays
	Unlisted ident.Node // and there, in one that goes without it
	Deleted  ident.Node // and there, in one that goes with it
	Expires  time.Time
	Version  int64
}

type part struct{ Name string }

var gadgets = record.NewKind("gadget", func(id string) *gadget { return &gadget{ID: id} })

// The lists: the first is in the order of ids, the others begin with the newest.
var (
	gadgetsKept     = gadgetList("gadget-kept", false, record.Keep)
	gadgetsUnlisted = gadgetList("gadget-unlisted", true, record.Unlist)
	gadgetsDeleted  = gadgetList("gadget", true, record.Delete)
)

func gadgetList(name string, newestFirst bool, onErase record.OnErase) record.List[gadget, *gadget] {
	return record.NewList(record.Listing{Name: name, NewestFirst: newestFirst, OnErase: onErase},
		func(_ ident.Node, at string) *gadget { return &gadget{ID: record.IDAt(at)} })
}

// Ref implements record.Record.
func (g *gadget) Ref() record.Ref { return gadgets.Ref(g.ID) }

// Lists implements record.Record.
func (g *gadget) Lists() (entries []record.Entry) {
	if g.Kept != "" {
		entries = append(entries, record.Entry{List: gadgetsKept.Listing, Node: g.Kept, At: g.ID, Show: g})
	}
	at := record.Time(g.Created) + "#" + g.ID
	if g.Unlisted != "" {
		entries = append(entries, record.Entry{List: gadgetsUnlisted.Listing, Node: g.Unlisted, At: at, Show: g})
	}
	if g.Deleted != "" {
		entries = append(entries, record.Entry{List: gadgetsDeleted.Listing, Node: g.Deleted, At: at, Show: g})
	}
	return entries
}

// Terms implements record.Termed.
func (g *gadget) Terms() []word.Term { return word.Terms(nil, word.In(g.Text)) }

// Code implements record.Record.
func (g *gadget) Code(c *record.Coder) {
	code := func(c *record.Coder, p *part) { record.Needed(c, "name", &p.Name) }
	record.Text(c, "text", &g.Text)
	record.Needed(c, "must", &g.Must)
	record.Number(c, "number", &g.Number)
	c.Bool("yes", &g.Yes)
	c.Time("at", &g.At)
	c.Bytes("bytes", &g.Bytes)
	record.Texts(c, "texts", &g.Texts)
	record.Optional(c, "part", &g.Part, code)
	record.Each(c, "parts", &g.Parts, code)
	record.Map(c, "map", &g.Map, func(c *record.Coder, key string, v *string) { record.Needed(c, key, v) })
	record.Few(c, "few", &g.Few, func(c *record.Coder, key string, at *time.Time) { c.Micros(key, at) })
	c.Time("created", &g.Created)
	record.Text(c, "kept", &g.Kept)
	record.Text(c, "unlisted", &g.Unlisted)
	record.Text(c, "deleted", &g.Deleted)
	c.Expires(&g.Expires)
	c.Version(&g.Version)
}

// keepsake is a record that only tests have, and that never expires.
type keepsake struct {
	ID      string
	Version int64
}

var keepsakes = record.NewKind("keepsake", func(id string) *keepsake { return &keepsake{ID: id} })

// Ref implements record.Record.
func (k *keepsake) Ref() record.Ref { return keepsakes.Ref(k.ID) }

// Lists implements record.Record.
func (k *keepsake) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (k *keepsake) Code(c *record.Coder) { c.Version(&k.Version) }

// newGadget is one that is listed nowhere.
func (s *story) newGadget() *gadget {
	g := &gadget{ID: s.id("gad_"), Must: "be", Map: map[ident.Node]string{"type": "a name that stores use elsewhere"}, Created: then, Expires: then.Truncate(time.Second), Version: 1}
	s.refs = append(s.refs, g.Ref())
	return g
}

// next is a copy of g with the next version, after an edit.
func (g *gadget) next(edit func(*gadget)) *gadget {
	r, err := g.Ref().Decode(must(record.Encode("gadget", g.Code)))
	if err != nil {
		panic(err)
	}
	now := r.(*gadget)
	now.Version++
	edit(now)
	return now
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
