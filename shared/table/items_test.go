package table

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/table/tabletest/itemsize"
)

func TestTreeStateIsReadAsItWasWritten(t *testing.T) {
	a, b := ident.NewPartner(), ident.NewPartner()
	path := hierarchy.Path("").Child(a).Child(b)
	mark := hierarchy.Mark{Node: b, Kind: hierarchy.Suspended}
	customer := ident.NewCustomer()
	from := []hierarchy.Path{path.Child(customer), path.To(0).Child(customer), "", hierarchy.Path("").Child(customer).Child(b)}
	for len(from) < 200 {
		from = append(from, path.Child(ident.NewPartner()).Child(customer))
	}
	want := hierarchy.TreeState{Root: a, Seq: 10, Changes: []hierarchy.Change{
		{Seq: 7, Node: b, Kind: hierarchy.Moved, Path: path, Marks: []hierarchy.Mark{mark, {Node: a, Kind: hierarchy.Trashed}}},
		{Seq: 8, Node: b, Kind: hierarchy.Marked, Mark: mark},
		{Seq: 9, Node: b, Kind: hierarchy.Unmarked, Mark: mark},
		{Seq: 10, Node: customer, Kind: hierarchy.Moved, Path: path.Child(customer), From: from,
			Marks: []hierarchy.Mark{{Node: ident.NewPartner(), Kind: hierarchy.NoProvisioning}}},
	}}
	for _, want := range []hierarchy.TreeState{{}, want} {
		it, err := encodeTree(0, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeTree(it)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestWhatIsNoChangeIsNotWritten(t *testing.T) {
	a, b := ident.NewPartner(), ident.NewPartner()
	right := hierarchy.Change{Node: b, Kind: hierarchy.Moved, Path: hierarchy.Path("").Child(a).Child(b)}
	wrong := map[string]hierarchy.Change{}
	for what, change := range map[string]func(*hierarchy.Change){
		"of another node":         func(c *hierarchy.Change) { c.Node = a },
		"to nowhere":              func(c *hierarchy.Change) { c.Path = "" },
		"with an unknown mark":    func(c *hierarchy.Change) { c.Marks = []hierarchy.Mark{{Node: a, Kind: "paused"}} },
		"with a mark on no node":  func(c *hierarchy.Change) { c.Marks = []hierarchy.Mark{{Kind: hierarchy.Suspended}} },
		"from what is not a path": func(c *hierarchy.Change) { c.From = []hierarchy.Path{"ptn_UUUUUUUUUUUUUUUU/"} },
	} {
		c := right
		change(&c)
		wrong[what] = c
	}
	if _, err := encodeChange(&right); err != nil {
		t.Error(err)
	}
	for what, c := range wrong {
		if _, err := encodeChange(&c); err == nil {
			t.Errorf("a move %s was written", what)
		}
	}
}

// FuzzUnpackMove checks that no bytes are a danger, and that those which are a move are so in the one way they are written.
func FuzzUnpackMove(f *testing.F) {
	a, b := ident.NewPartner(), ident.NewCustomer()
	path := hierarchy.Path("").Child(a).Child(b)
	packed, err := packMove(&hierarchy.Change{
		Node: b, Path: path, From: []hierarchy.Path{path.Child(a), path.To(0)}, Marks: []hierarchy.Mark{{Node: a, Kind: hierarchy.Trashed}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	for i := range packed {
		f.Add(packed[:i])
		f.Add(slices.Concat(packed[:i], []byte{255, 255, 3}, packed[i:]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again hierarchy.Change
		if !unpackMove(b, &c) {
			return
		}
		packed, err := packMove(&c)
		if err != nil || !unpackMove(packed, &again) || !reflect.DeepEqual(c, again) {
			t.Errorf("%x is %+v, then %+v, %v", b, c, again, err)
		}
	})
}

func TestTheLargestTreeStateFitsAnItem(t *testing.T) {
	path := func(depth int) (p hierarchy.Path) {
		for range depth {
			p = p.Child(ident.NewPartner())
		}
		return p
	}
	moved := func(p hierarchy.Path) hierarchy.Change {
		return hierarchy.Change{Node: p.At(p.Depth() - 1), Kind: hierarchy.Moved, Path: p}
	}
	size := func(from int, change func() hierarchy.Change) int {
		tree := hierarchy.TreeState{}
		for len(tree.Changes) < hierarchy.MaxChanges {
			c := change()
			tree.Seq++
			c.Seq = tree.Seq
			for range (from - from*len(tree.Changes)/hierarchy.MaxChanges) - (from - from*(len(tree.Changes)+1)/hierarchy.MaxChanges) {
				c.From = append(c.From, path(c.Path.Depth()-1).Child(c.Node))
			}
			if !tree.Room(&c) {
				t.Fatalf("there is no room for change %d", c.Seq)
			}
			tree.Changes = append(tree.Changes, c)
		}
		it, err := encodeTree(0, tree)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeTree(it); err != nil || !reflect.DeepEqual(got, tree) {
			t.Errorf("it is not read as it was written: %v", err)
		}
		return itemsize.Of(it)
	}
	for _, c := range []struct {
		what   string
		from   int // paths of all changes
		most   int // bytes
		change func() hierarchy.Change
	}{
		{"full", hierarchy.MaxFrom, 400 << 10, func() hierarchy.Change {
			c := moved(path(hierarchy.MaxDepth))
			for i := range hierarchy.MaxDepth - 1 {
				for _, kind := range markKinds {
					c.Marks = append(c.Marks, hierarchy.Mark{Node: c.Path.At(i), Kind: kind})
				}
			}
			return c
		}},
		// Beside a node and a caller of one read unit each, that makes six.
		{"with as many moves as there can be, from and to depth 10", hierarchy.MaxChanges, 4 * 4096, func() hierarchy.Change {
			return moved(path(10))
		}},
		{"with as many marks as there can be", 0, 2 * 4096, func() hierarchy.Change {
			n := ident.NewPartner()
			return hierarchy.Change{Node: n, Kind: hierarchy.Unmarked, Mark: hierarchy.Mark{Node: n, Kind: hierarchy.NoProvisioning}}
		}},
	} {
		got := size(c.from, c.change)
		t.Logf("%s: %d bytes", c.what, got)
		if got > c.most {
			t.Errorf("a tree state %s has %d bytes; it must not have more than %d", c.what, got, c.most)
		}
	}
}

// full is one item of each kind that is read, with how it is read.
func full(t *testing.T) map[string]kindOfItem {
	t.Helper()
	n := hierarchy.Node{ID: ident.NewPartner(), Parent: ident.NewPartner(), Name: "secret-name", Version: 1}
	n.Created, n.Updated, n.Trashed, n.Height = clocktest.Now(), clocktest.Now(), clocktest.Now(), 3
	n.Ceiling = 5
	n.Place.Path = hierarchy.Path("").Child(n.Parent).Child(n.ID)
	n.Place.Marks = []hierarchy.Mark{{Node: n.ID, Kind: hierarchy.NoProvisioning}}
	own, given := ident.NewBrand(), ident.NewBrand()
	n.Brands = hierarchy.Brands{
		Portal: own, Available: []ident.Brand{given}, Owned: []ident.Brand{own}, Uses: map[ident.Brand]int64{own: 1, given: 2},
	}
	change := func(c hierarchy.Change) item {
		c.Seq, c.Node = 1, n.ID
		it, err := encodeChange(&c)
		if err != nil {
			t.Fatal(err)
		}
		return it.(*types.AttributeValueMemberM).Value
	}
	asChange := func(it item) error {
		r := &reader{item: it, what: "change"}
		r.change(1)
		return r.err
	}
	tree, err := encodeTree(0, hierarchy.TreeState{Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	edited := event.Event{ID: ident.NewEvent(), Type: event.PartnerPurged, Node: n.ID, Path: n.Place.Path, Data: event.PurgedData{Name: "secret-name"}}
	happened, err := encodeEvent(edited)
	if err != nil {
		t.Fatal(err)
	}
	due := encodeDue(&n)
	all := map[string]kindOfItem{
		"node":  {encodeNode(&n), func(it item) error { _, err := decodeNode(n.ID, it); return err }},
		"child": {encodeChild(&n), func(it item) error { _, err := decodeChild(n.Parent, it); return err }},
		"tree":  {tree, func(it item) error { _, err := decodeTree(it); return err }},
		"move":  {change(hierarchy.Change{Kind: hierarchy.Moved, Path: n.Place.Path, Marks: n.Place.Marks}), asChange},
		"mark":  {change(hierarchy.Change{Kind: hierarchy.Marked, Mark: n.Place.Marks[0]}), asChange},
		"event": {happened[0], func(it item) error { _, err := decodeEvent(n.ID, it); return err }},
		"due":   {due, func(it item) error { _, err := decodeDue(it); return err }},
	}
	for _, kind := range record.Kinds() {
		r := record.Empty(kind, "id")
		directorytest.Fill(r)
		it, err := recordItem(r)
		if err != nil {
			t.Fatal(err)
		}
		all["record "+kind] = kindOfItem{it, func(it item) error { _, err := r.Ref().Decode(fields(it)); return err }}
	}
	return all
}

// kindOfItem is an item and how it is read.
type kindOfItem struct {
	item   item
	decode func(item) error
}

func TestMalformedItemsAreErrorsThatShowNothing(t *testing.T) {
	wrong := map[string]types.AttributeValue{
		"another type": &types.AttributeValueMemberBOOL{Value: true},
		"a list of it": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberBOOL{}}},
		"a map of it":  &types.AttributeValueMemberM{Value: item{"secret-name": &types.AttributeValueMemberBOOL{}}},
		"a set":        &types.AttributeValueMemberSS{Value: []string{"secret-name"}},
		"no numbers":   &types.AttributeValueMemberNS{Value: []string{"secret-name"}},
		"no bytes":     &types.AttributeValueMemberB{Value: []byte("secret-name")},
		"no number":    &types.AttributeValueMemberN{Value: "secret-name"},
		"a list of map": &types.AttributeValueMemberL{Value: []types.AttributeValue{
			&types.AttributeValueMemberM{Value: item{"seq": text("secret-name")}},
		}},
	}
	unread := map[string]bool{schema.PK: true, schema.SK: true, schema.TypeAttr: true, schema.IndexPK: true, schema.IndexCarries: true}
	for kind, one := range full(t) {
		if err := one.decode(one.item); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for name, right := range one.item {
			if unread[name] && (kind != "due" || name != schema.SK) {
				continue
			}
			for how, value := range wrong {
				if reflect.TypeOf(value) == reflect.TypeOf(right) && how != "no number" && how != "a set" {
					continue
				}
				broken := item{}
				for k, v := range one.item {
					broken[k] = v
				}
				broken[name] = value
				err := one.decode(broken)
				if err == nil {
					t.Errorf("%s with %s as %s was read without an error", kind, name, how)
				} else if strings.Contains(err.Error(), "secret-name") && name != "secret-name" {
					t.Errorf("%s with %s as %s: the error shows what is stored: %v", kind, name, how, err)
				}
			}
		}
	}
}

func TestWhatANodeCannotDoWithoutIsMissed(t *testing.T) {
	needs := map[string][]string{
		"node":  {"name", "version", schema.IndexSK, "asOf", "uses"},
		"child": {schema.SK, "name", "version"},
		"tree":  {"seq", "changes"},
		"move":  {"kind", "move"},
		"mark":  {"kind", "mark"},
		"event": {schema.EventAttr},
		"due":   {schema.SK},
	}
	for kind, one := range full(t) {
		for _, name := range needs[kind] {
			broken := item{}
			for k, v := range one.item {
				broken[k] = v
			}
			delete(broken, name)
			if err := one.decode(broken); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s without %s: %v", kind, name, err)
			}
		}
	}
}

// Sets have no order: DynamoDB answers with the numbers as it likes.
func TestTheHighestHeightCounts(t *testing.T) {
	n := hierarchy.Node{ID: ident.NewPartner(), Name: "N", Version: 1}
	n.Place.Path = hierarchy.Path("").Child(n.ID)
	it := encodeNode(&n)
	for _, set := range [][]string{{"10", "9", "2"}, {"2", "10", "9"}, {"9", "2", "10"}} {
		it["heights"] = &types.AttributeValueMemberNS{Value: set}
		if got, err := decodeNode(n.ID, it); err != nil || got.Height != 10 {
			t.Errorf("the height of %v is %+v, %v", set, got, err)
		}
	}
}

func TestTheLargestPartnerIsOneReadUnit(t *testing.T) {
	n := hierarchy.Node{ID: ident.NewPartner(), Version: 1 << 40, AsOf: 1 << 40, Height: hierarchy.MaxDepth - 1, Ceiling: hierarchy.MaxDepth - 1}
	n.Name = hierarchy.Name(strings.Repeat("𝄞", hierarchy.MaxName))
	n.Created, n.Updated, n.Trashed = clocktest.Now(), clocktest.Now(), clocktest.Now()
	for n.Place.Path.Depth() < hierarchy.MaxDepth-1 {
		n.Parent = ident.NewPartner()
		n.Place.Path = n.Place.Path.Child(n.Parent)
	}
	n.Place.Path = n.Place.Path.Child(n.ID)
	n.Place.Marks = []hierarchy.Mark{
		{Node: n.ID, Kind: hierarchy.NoProvisioning}, {Node: n.ID, Kind: hierarchy.Trashed}, {Node: n.Parent, Kind: hierarchy.Suspended},
	}
	n.Brands.Portal = ident.NewBrand()
	n.Brands.Uses = map[ident.Brand]int64{}
	for range hierarchy.MaxBrands {
		own, given := ident.NewBrand(), ident.NewBrand()
		n.Brands.Owned, n.Brands.Available = append(n.Brands.Owned, own), append(n.Brands.Available, given)
		n.Brands.Uses[own], n.Brands.Uses[given] = 10_000, 10_000
	}
	it := encodeNode(&n)
	all := it["heights"].(*types.AttributeValueMemberNS)
	for height := 1; height < n.Height; height++ {
		all.Value = append(all.Value, heights(height).(*types.AttributeValueMemberNS).Value...)
	}
	if size := itemsize.Of(it); size > 4096 {
		t.Errorf("it has %d bytes; a read unit has 4096", size)
	}
}

// A person is read with every request they make.
func TestAPersonWithTheMostRolesIsOneReadUnit(t *testing.T) {
	p := access.Principal{ID: ident.PersonOf("t", "o"), Name: hierarchy.Name(strings.Repeat("n", hierarchy.MaxName)), CursorKey: make([]byte, 32),
		Version: 1 << 40, Created: clocktest.Now(), SessionsFrom: map[ident.Node]time.Time{"": clocktest.Now()}, Grants: map[ident.Node]access.Role{}, Cut: map[ident.Node]time.Time{}}
	p.Person = &access.Person{Tenant: strings.Repeat("0", 36), Object: strings.Repeat("0", 36), Email: strings.Repeat("a", 64)}
	for range access.MaxGrants {
		p.Grants[ident.NewPartner()], p.Cut[ident.NewPartner()] = access.Operator, clocktest.Now()
	}
	it, err := recordItem(&p)
	if err != nil {
		t.Fatal(err)
	}
	if size := itemsize.Of(it); size > 4096 {
		t.Errorf("it has %d bytes; a read unit has 4096", size)
	}
	if _, expires := it[schema.TTLAttr]; expires {
		t.Error("a person whom others know expires")
	}
	p.Person, p.Grants, p.Cut = nil, nil, nil // has only signed out everywhere
	it, err = recordItem(&p)
	if err != nil {
		t.Fatal(err)
	}
	r := reader{item: it}
	from := p.SessionsFrom[""]
	if end := time.Unix(r.number(schema.TTLAttr), 0); end.Before(from.Add(credential.Absolute+time.Hour)) || end.After(from.AddDate(0, 0, 3)) {
		t.Errorf("it expires %s after the sign-out", end.Sub(from))
	}
}
