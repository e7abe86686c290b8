package directorytest

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Alike commits random steps, most of them reasonable and many not, to a store and to a Fake, and compares every outcome
// and all that can be read after it.
func Alike(t *testing.T, open func(t *testing.T) directory.Store) {
	rapid.Check(t, func(r *rapid.T) {
		store, fake := open(t), new(Fake)
		s := newStory(t, store)
		m := &machine{story: s, r: r, fake: fake}
		root := hierarchy.Node{ID: ident.Node(s.id(ident.Partner)), Name: "Root", Version: 1, Created: then, Updated: then}
		root.Place.Path = hierarchy.Path("").Child(root.ID)
		s.root, s.nodes = &root, []ident.Node{root.ID}
		m.commit(directory.AddTree{Root: root.ID, Else: errElse}, directory.AddNode{Node: root})
		for range 3 {
			m.commit(m.ownBrand(m.present(root.ID)))
		}
		r.Repeat(map[string]func(*rapid.T){
			"commit": func(r *rapid.T) {
				m.r = r
				steps := make([]directory.Step, rapid.IntRange(1, 3).Draw(r, "steps"))
				for i := range steps {
					steps[i] = m.step()
				}
				m.commit(steps...)
			},
			"erase": func(r *rapid.T) {
				m.r = r
				m.erase(m.anyNode().ID)
			},
			"": func(*rapid.T) {},
		})
		for _, l := range m.lookups() {
			got := s.found(l, 3)
			s.store = fake
			want := s.found(l, 3)
			s.store = store
			if !slices.Equal(got, want) {
				r.Fatalf("by %+v: found %v; want %v", l, got, want)
			}
		}
		got, want := s.allOf(store), s.allOf(fake)
		if d := difference(got, want); d != "" {
			r.Fatalf("the stores differ: %s", d)
		}
		for _, n := range want.Got.Nodes {
			for _, trash := range []bool{false, true} {
				got := s.proposed(n.Place.Path, "", trash, 7)
				s.store = fake
				want := s.proposed(n.Place.Path, "", trash, 7)
				s.store = store
				if !slices.Equal(got, want) {
					r.Fatalf("below %s, in the trash %v: got %v, want %v", n.Place.Path, trash, got, want)
				}
			}
		}
	})
}

// machine makes random steps from what the fake has, and from what it had.
type machine struct {
	*story
	r       *rapid.T
	fake    *Fake
	history []hierarchy.Node
	past    []access.Principal // as they were
	gadgets []*gadget          // as they were
}

func (m *machine) commit(steps ...directory.Step) {
	got, want := m.store.Commit(m.t.Context(), steps...), m.fake.Commit(m.t.Context(), steps...)
	known := got == errElse || got == errAnother || got == directory.ErrExists
	if (got == nil) != (want == nil) || known && got != want {
		m.r.Fatalf("Commit(%+v):\n got %v\nwant %v", steps, got, want)
	}
	for _, id := range m.nodes {
		if n := m.fake.node(id); n != nil {
			m.history = append(m.history, *n)
		}
	}
	all, err := m.fake.Read(m.t.Context(), directory.Want{Records: m.refs})
	if err != nil {
		m.r.Fatal(err)
	}
	for _, ref := range m.refs { // in an order that can be repeated
		switch r := all.Records[ref].(type) {
		case *access.Principal:
			m.past = append(m.past, *r)
		case *gadget:
			m.gadgets = append(m.gadgets, r)
		}
	}
}

func (m *machine) erase(id ident.Node) {
	for _, store := range []directory.Store{m.store, m.fake} {
		for done, calls := false, 0; !done; calls++ {
			var err error
			if done, err = store.Erase(m.t.Context(), id); err != nil || calls > 50 {
				m.r.Fatalf("Erase: %v after %d calls", err, calls)
			}
		}
	}
}

// present is a node as it is, or as it was once.
func (m *machine) present(id ident.Node) *hierarchy.Node {
	if n := m.fake.node(id); n != nil {
		return n
	}
	return m.root
}

func (m *machine) anyNode() *hierarchy.Node {
	if rapid.IntRange(0, 4).Draw(m.r, "old") == 0 {
		n := copyNode(rapid.SampledFrom(m.history).Draw(m.r, "as it was"))
		return &n
	}
	return m.present(rapid.SampledFrom(m.nodes).Draw(m.r, "node"))
}

func (m *machine) anyPartner() *hierarchy.Node {
	for range 10 {
		if n := m.anyNode(); n.Kind() == hierarchy.Partner {
			return n
		}
	}
	return m.root
}

func some(r *rapid.T, brands []ident.Brand) []ident.Brand {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(brands), 0, 2, rapid.ID).Draw(r, "brands")
}

// given are some of the brands that the root had made before there was anything else: no partner owns what it is given.
func (m *machine) given() []ident.Brand { return some(m.r, m.brands[:3]) }

var machineNames = []string{"a", "A b", "á", "b#", "b", "Zürich", "日本", "Zü zür", "b zurich zurich-b"}

func (m *machine) name() hierarchy.Name {
	return hierarchy.Name(rapid.SampledFrom(machineNames).Draw(m.r, "name"))
}

// lookups find what has any of these names, or as a customer has one as its reference, and gadgets by their texts.
func (m *machine) lookups() (all []directory.Lookup) {
	for _, kind := range []string{ident.Partner, ident.Customer} {
		all = append(all, text(kind, "zü"), text(kind, "zuri"), text(kind, "日"), text(kind, "本"))
	}
	all = append(all, text("gad_", "ab"), text("gad_", "ac"), text("gad_", "expired"))
	for _, name := range machineNames {
		all = append(all, exactly("reference", name))
	}
	return all
}

func (m *machine) ownBrand(owner *hierarchy.Node) directory.Step {
	return directory.OwnBrand{Brand: m.newBrand(), Owner: owner, Else: always(errElse)}
}

// gadget is a new one, or one as it was once.
func (m *machine) gadget() *gadget {
	if len(m.gadgets) == 0 || rapid.IntRange(0, 3).Draw(m.r, "new") == 0 {
		g := m.newGadget()
		return g.next(m.anything)
	}
	return rapid.SampledFrom(m.gadgets).Draw(m.r, "as it was")
}

// anything gives a gadget other fields and other lists.
func (m *machine) anything(g *gadget) {
	g.Text = rapid.SampledFrom([]string{"", "a", "ab ac", "ab"}).Draw(m.r, "text")
	g.Number = rapid.IntRange(-1, 1).Draw(m.r, "number")
	g.Part = rapid.SampledFrom([]*part{nil, {"p"}}).Draw(m.r, "part")
	g.Texts = rapid.SampledFrom([][]string{nil, {"a", "b"}}).Draw(m.r, "texts")
	g.Expires = then.Add(time.Duration(rapid.IntRange(-1, 1).Draw(m.r, "expires")) * time.Hour).Truncate(time.Second)
	g.Kept, g.Unlisted, g.Deleted = m.nodeOrNowhere(), m.nodeOrNowhere(), m.nodeOrNowhere()
}

func (m *machine) nodeOrNowhere() ident.Node {
	return rapid.SampledFrom([]ident.Node{"", m.root.ID, m.anyNode().ID}).Draw(m.r, "listed at")
}

func (m *machine) step() directory.Step {
	kinds := []string{
		"partner", "customer", "check", "edit", "brand", "principal", "regrant", "grant", "event",
		"place", "height", "measure", "lower", "next seq", "change", "seq", "rewrite", "drop", "trash", "remove", "undue",
		"put", "put over", "put over expired", "put any", "remove record", "count",
	}
	switch rapid.SampledFrom(kinds).Draw(m.r, "step") {
	case "partner":
		parent := m.anyPartner()
		if parent.Place.Path.Depth() > 5 {
			parent = m.root
		}
		return directory.AddNode{Node: m.partnerBelow(parent, m.name(), m.given()...)}
	case "customer":
		parent := m.anyPartner()
		if parent.Place.Path.Depth() > 5 {
			parent = m.root
		}
		return directory.AddNode{Node: m.customerBelow(parent, m.name(), rapid.SampledFrom(m.brands).Draw(m.r, "brand"))}
	case "check":
		return directory.CheckParent{
			Parent: m.anyPartner(), Draw: some(m.r, m.brands), Drop: some(m.r, m.brands), Height: m.height(), Else: always(errElse),
		}
	case "edit":
		return m.edit(m.anyNode())
	case "brand":
		return m.ownBrand(m.anyPartner())
	case "principal":
		p := m.newClient(m.anyPartner().ID, m.grants())
		return directory.Put{Now: &p, Else: errElse}
	case "regrant":
		if len(m.past) > 0 {
			was := rapid.SampledFrom(m.past).Draw(m.r, "principal as it was")
			now := was
			now.Grants, now.Version = m.grants(), was.Version+1
			return directory.Put{Was: &was, Now: &now, Else: errElse}
		}
		return directory.AddTree{Else: errElse}
	case "grant":
		id := ident.Principal("cli_0000000000000000")
		if len(m.clients) > 0 {
			id = rapid.SampledFrom(m.clients).Draw(m.r, "client")
		}
		role := access.Role(rapid.IntRange(int(access.Viewer), int(access.Owner)).Draw(m.r, "role"))
		return directory.CheckGrant{Principal: id, Node: m.anyNode().ID, Role: role, Else: errAnother}
	case "place":
		was := m.anyNode()
		parent, path := m.somewhere(was.ID)
		place := hierarchy.Place{Path: path, Marks: append(m.inherited(), m.marksOn(was.ID)...)}
		return directory.PlaceNode{Was: was, Now: placed(was, parent, m.asOf(), place), Else: always(errElse)}
	case "trash":
		was := m.anyNode()
		at := rapid.SampledFrom([]time.Time{{}, then, then.Add(time.Hour)}).Draw(m.r, "trashed")
		return directory.PlaceNode{Was: was, Now: trashed(was, at), Else: always(errElse)}
	case "remove":
		if n := m.anyNode(); n.ID != m.root.ID {
			return directory.RemoveNode{Was: n, Else: errElse}
		}
		return directory.CheckSeq{Seq: m.seq(), Else: errElse}
	case "undue":
		n := m.anyNode()
		return directory.RemovePurgeEntry{Entry: directory.PurgeEntry{Node: n.ID, Since: rapid.SampledFrom([]time.Time{n.Trashed, then}).Draw(m.r, "since")}}
	case "put":
		return directory.Put{Now: m.gadget(), Else: errElse}
	case "put over", "remove record":
		was := m.gadget()
		if rapid.Bool().Draw(m.r, "removed") {
			return directory.Remove{Was: was, Else: errElse}
		}
		return directory.Put{Was: was, Now: was.next(m.anything), Else: errElse}
	case "put over expired":
		at := then.Add(time.Duration(rapid.IntRange(-3, 3).Draw(m.r, "at")) * 30 * time.Minute)
		g := m.gadget()
		return directory.Put{Now: g.next(func(now *gadget) { now.Text = "expired" }), At: at, Else: errElse}
	case "put any":
		g := m.newGadget() // that is in no list and has no terms: those of one that is replaced unseen would stay
		if rapid.Bool().Draw(m.r, "removed") {
			return directory.Remove{Was: g, Any: true}
		}
		return directory.Put{Now: g, Any: true}
	case "count":
		at := then.AddDate(0, 0, rapid.IntRange(0, 1).Draw(m.r, "days"))
		return directory.Count{Node: m.nodeOrNowhere(), Key: rapid.SampledFrom([]string{"a", "b"}).Draw(m.r, "key"), At: at,
			Most: rapid.IntRange(1, 3).Draw(m.r, "most"), More: rapid.IntRange(0, 2).Draw(m.r, "more"), Else: errAnother}
	case "height":
		return directory.RaiseHeight{Node: m.nodeOrNone(), Height: m.height(), Else: errElse}
	case "measure":
		n := m.anyNode()
		_, path := m.somewhere(n.ID)
		place := hierarchy.Place{Path: path, Marks: append(m.inherited(), m.present(n.ID).OwnMarks()...)}
		return directory.MeasureHeight{Was: n, Place: place, AsOf: m.asOf(), Else: errElse}
	case "lower":
		return directory.LowerHeight{Node: m.nodeOrNone(), AsOf: m.asOf(), Height: m.height(), Else: errElse}
	case "next seq":
		return directory.NextSeq{Seq: m.seq(), Else: errElse}
	case "change":
		return directory.AddChange{Change: m.change(), Else: errElse}
	case "seq":
		return directory.CheckSeq{Seq: m.seq(), Else: errElse}
	case "rewrite":
		n := m.anyNode()
		_, path := m.somewhere(n.ID)
		place := hierarchy.Place{Path: path, Marks: append(m.inherited(), m.present(n.ID).OwnMarks()...)}
		return directory.Rewrite{Node: n.ID, WasAsOf: n.AsOf, Place: place, AsOf: m.asOf(), Else: errElse}
	case "drop":
		return directory.DropChange{Seq: m.seq()}
	default:
		e := m.newEvent(m.anyNode().ID)
		e.Type = rapid.SampledFrom(event.Types).Draw(m.r, "type")
		data := reflect.New(reflect.TypeOf(e.Type.Empty()))
		Fill(data.Interface())
		e.Data = data.Elem().Interface().(event.Payload)
		e.Path = m.present(e.Node).Place.Path
		e.Time = then.Add(time.Duration(rapid.IntRange(0, 5).Draw(m.r, "later")) * time.Second)
		if rapid.Bool().Draw(m.r, "left") {
			e.Left = m.anyNode().Place.Path
		}
		return directory.AddEvent{Event: e}
	}
}

func (m *machine) height() int { return rapid.IntRange(0, hierarchy.MaxDepth-1).Draw(m.r, "height") }

func (m *machine) asOf() int64 { return int64(rapid.IntRange(0, 3).Draw(m.r, "as of")) }

// seq is that of the tree state, or one near it.
func (m *machine) seq() int64 {
	var now int64
	if m.fake.tree != nil {
		now = m.fake.tree.Seq
	}
	return now + int64(rapid.SampledFrom([]int{0, 0, 1, -1, -2}).Draw(m.r, "off"))
}

func (m *machine) nodeOrNone() ident.Node {
	if rapid.IntRange(0, 5).Draw(m.r, "none") == 0 {
		return "ptn_0000000000000000"
	}
	return m.anyNode().ID
}

// somewhere is a parent and a path that a node could have.
func (m *machine) somewhere(id ident.Node) (ident.Node, hierarchy.Path) {
	if id == m.root.ID {
		return "", m.root.Place.Path
	}
	parent := m.anyPartner()
	if parent.Place.Path.Depth() > 5 {
		parent = m.root
	}
	return parent.ID, parent.Place.Path.Child(id)
}

// marksOn are some marks that stand on the node.
func (m *machine) marksOn(id ident.Node) []hierarchy.Mark {
	var marks []hierarchy.Mark
	kinds := []hierarchy.MarkKind{hierarchy.NoProvisioning, hierarchy.Suspended, hierarchy.Trashed}
	for _, kind := range rapid.SliceOfNDistinct(rapid.SampledFrom(kinds), 0, 2, rapid.ID).Draw(m.r, "marks") {
		marks = append(marks, hierarchy.Mark{Node: id, Kind: kind})
	}
	return marks
}

// inherited are some marks of a node that all others lie below.
func (m *machine) inherited() []hierarchy.Mark { return m.marksOn("ptn_0000000000000001") }

func (m *machine) change() hierarchy.Change {
	n := m.anyNode()
	c := hierarchy.Change{Seq: m.seq() + 1, Node: n.ID, Kind: hierarchy.Moved, Path: n.Place.Path, Marks: m.inherited()}
	for range rapid.IntRange(0, 3).Draw(m.r, "from") {
		c.From = append(c.From, m.anyNode().Place.Path)
	}
	if kind := rapid.SampledFrom([]hierarchy.ChangeKind{hierarchy.Moved, hierarchy.Marked, hierarchy.Unmarked}).Draw(m.r, "kind"); kind != hierarchy.Moved {
		c = hierarchy.Change{Seq: c.Seq, Node: n.ID, Kind: kind, Mark: hierarchy.Mark{Node: n.ID, Kind: hierarchy.Suspended}}
	}
	return c
}

func (m *machine) edit(was *hierarchy.Node) directory.Step {
	var brands []ident.Brand
	if was.Parent != "" {
		brands = m.given()
	}
	return directory.EditNode{Was: was, Else: always(errElse), Now: edited(was, func(n *hierarchy.Node) {
		n.Name = m.name()
		if n.Kind() == hierarchy.Customer {
			n.Details.Reference = string(m.name())
			return
		}
		n.Brands.Available = sorted(brands)
		uses := map[ident.Brand]int64{}
		for _, b := range slices.Concat(brands, n.Brands.Owned) {
			uses[b] = was.Brands.Uses[b]
		}
		n.Brands.Uses = uses
	})}
}

func (m *machine) grants() map[ident.Node]access.Role {
	grants := map[ident.Node]access.Role{}
	for range rapid.IntRange(0, 3).Draw(m.r, "grants") {
		grants[m.anyNode().ID] = access.Role(rapid.IntRange(int(access.Viewer), int(access.Owner)).Draw(m.r, "role"))
	}
	return maps.Clone(grants)
}
