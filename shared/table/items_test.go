package table

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
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
func full(t *testing.T) map[string]struct {
	item   item
	decode func(item) error
} {
	t.Helper()
	n := hierarchy.Node{ID: ident.NewPartner(), Parent: ident.NewPartner(), Name: "secret-name", Version: 1}
	n.Created, n.Updated, n.Trashed, n.Height = clocktest.Now(), clocktest.Now(), clocktest.Now(), 3
	n.Place.Path = hierarchy.Path("").Child(n.Parent).Child(n.ID)
	n.Place.Marks = []hierarchy.Mark{{Node: n.ID, Kind: hierarchy.NoProvisioning}}
	own, given := ident.NewBrand(), ident.NewBrand()
	n.Brands = hierarchy.Brands{
		Portal: own, Available: []ident.Brand{given}, Owned: []ident.Brand{own}, Uses: map[ident.Brand]int64{own: 1, given: 2},
	}
	p := access.Principal{
		ID: ident.NewClient(), Name: "secret-name", Home: n.ID, Grants: map[ident.Node]access.Role{n.ID: access.Owner}, CursorKey: []byte{1},
		Version: 1, Created: clocktest.Now(), Revoked: clocktest.Now(),
		Secrets: []access.Secret{{ID: ident.NewKey(), Hash: []byte{1}, Hint: "abcd", Created: clocktest.Now()}},
	}
	b := brand.Brand{
		ID: own, Owner: n.ID, Name: "secret-name", Domain: "secret-name.example", Regions: []string{"eu-west-1"}, State: brand.Draft,
		Created: clocktest.Now(), Color: "secret-name", Logo: "secret-name",
		App: &brand.App{Client: "secret-name", Tenant: "secret-name", SingleTenant: true},
	}
	k := directory.MemoKey{Principal: p.ID, Key: "k"}
	m := directory.Memo{MemoKey: k, Fingerprint: []byte{1}, Answer: []byte("secret-name"), Expires: clocktest.Now().Add(time.Hour)}
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
	request := directory.MoveRequest{
		ID: ident.NewMoveRequest(), Node: n.ID, Name: "secret-name", To: n.Parent, Message: "secret-name", By: p.ID, State: directory.RequestDeclined,
		Created: clocktest.Now(), Ends: clocktest.Now(), Closed: clocktest.Now(), Version: 2,
	}
	person := p
	person.ID, person.Home, person.Secrets, person.SessionsFrom = ident.PersonOf("t", "o"), "", nil,
		map[ident.Node]time.Time{"": clocktest.Now()}
	person.Person = &access.Person{Tenant: "secret-name", Object: "secret-name", Email: "secret-name"}
	invitation := directory.Invitation{
		ID: ident.NewInvitation(), Node: n.ID, Email: "secret-name", Name: "secret-name", Role: access.Admin, Message: "secret-name",
		By: p.ID, State: directory.InvitationAccepted, Created: clocktest.Now(), Expires: clocktest.Now(), Sent: clocktest.Now(), Closed: clocktest.Now(),
		Generation: 1, Key: 1, Hash: []byte{1}, Mail: directory.MailSent, Person: person.ID, Version: 1,
	}
	edited := event.Event{ID: ident.NewEvent(), Node: n.ID, Path: n.Place.Path, Data: map[string]any{"name": "secret-name"}}
	happened, err := encodeEvent(edited)
	if err != nil {
		t.Fatal(err)
	}
	invited := encodeInvitation(invitationKey(invitation.ID), "", &invitation)
	ring := credential.Keyring(nil).Rotated(clocktest.Now())
	due := encodeDue(&n)
	progress := directory.Progress{
		ID: ident.NewChange(), Seq: 1, Node: n.ID, Kind: hierarchy.Moved, State: directory.Waiting, Started: clocktest.Now(), Updated: clocktest.Now(), Version: 1,
	}
	return map[string]struct {
		item   item
		decode func(item) error
	}{
		"node":   {encodeNode(&n), func(it item) error { _, err := decodeNode(n.ID, it); return err }},
		"child":  {encodeChild(&n), func(it item) error { _, err := decodeChild(n.Parent, it); return err }},
		"client": {encodeClient(&p), func(it item) error { _, err := decodeClient(p.ID, it); return err }},
		"grant":  {encodeGrant(&p, n.ID), func(it item) error { _, err := decodeGrant(n.ID, it); return err }},
		"brand":  {encodeBrand(&b), func(it item) error { _, err := decodeBrand(b.ID, it); return err }},
		"app": {encodeBrand(&b)["app"].(*types.AttributeValueMemberM).Value, func(it item) error {
			whole := encodeBrand(&b)
			whole["app"] = &types.AttributeValueMemberM{Value: it}
			_, err := decodeBrand(b.ID, whole)
			return err
		}},
		"logo":     {encodeLogo(b.ID, []byte("secret-name")), func(it item) error { _, err := decodeLogo(b.ID, it); return err }},
		"domain":   {encodeDomain(&b), func(it item) error { _, err := decodeDomain(it); return err }},
		"memo":     {encodeMemo(&m), func(it item) error { _, err := decodeMemo(k, it); return err }},
		"tree":     {tree, func(it item) error { _, err := decodeTree(it); return err }},
		"move":     {change(hierarchy.Change{Kind: hierarchy.Moved, Path: n.Place.Path, Marks: n.Place.Marks}), asChange},
		"mark":     {change(hierarchy.Change{Kind: hierarchy.Marked, Mark: n.Place.Marks[0]}), asChange},
		"progress": {encodeProgress(&progress), func(it item) error { _, err := decodeProgress(progress.ID, it); return err }},
		"request":  {encodeRequest(requestKey(request.ID), "", &request), func(it item) error { _, err := decodeRequest(it); return err }},
		"event":    {happened[0], func(it item) error { _, err := decodeEvent(n.ID, it); return err }},
		"person":   {encodeClient(&person), func(it item) error { _, err := decodeClient(person.ID, it); return err }},
		"who": {encodeClient(&person)["person"].(*types.AttributeValueMemberM).Value, func(it item) error {
			whole := encodeClient(&person)
			whole["person"] = &types.AttributeValueMemberM{Value: it}
			_, err := decodeClient(person.ID, whole)
			return err
		}},
		"invitation": {invited, func(it item) error { _, err := decodeInvitation(it); return err }},
		"keyring":    {encodeKeyring(ring), func(it item) error { _, err := decodeKeyring(it); return err }},
		"key": {encodeKeyring(ring)["keys"].(*types.AttributeValueMemberL).Value[0].(*types.AttributeValueMemberM).Value, func(it item) error {
			whole := item{}
			whole.list("keys", []item{it})
			_, err := decodeKeyring(whole)
			return err
		}},
		"due": {due, func(it item) error { _, err := decodeDue(it); return err }},
	}
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
			if unread[name] && (kind != "due" || name != schema.SK) || name == schema.TTLAttr && kind != "memo" {
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
		"node":       {"name", "version", schema.IndexSK, "asOf", "uses"},
		"child":      {schema.SK, "name", "version"},
		"client":     {"version"},
		"grant":      {schema.SK, "role"},
		"brand":      {"version"},
		"app":        {"client", "tenant"},
		"logo":       {"png"},
		"domain":     {"brand", "owner"},
		"memo":       {schema.TTLAttr},
		"tree":       {"seq", "changes"},
		"move":       {"kind", "move"},
		"mark":       {"kind", "mark"},
		"progress":   {"seq", "nodes", "version"},
		"request":    {"id", "version"},
		"event":      {schema.EventAttr},
		"due":        {schema.SK},
		"person":     {"version"},
		"who":        {"tenant", "object"},
		"invitation": {"id", "role", "generation", "key", "version"},
		"keyring":    {"keys"},
		"key":        {"id", "secret"},
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

// A secret that is shorter or longer is not one that was written.
func TestASecretHasItsLength(t *testing.T) {
	for _, length := range []int{0, 1, 31, 33, 64} {
		it := encodeKeyring(credential.Keyring(nil).Rotated(clocktest.Now()))
		first := item(it["keys"].(*types.AttributeValueMemberL).Value[0].(*types.AttributeValueMemberM).Value)
		first["secret"] = &types.AttributeValueMemberB{Value: make([]byte, length)}
		if _, err := decodeKeyring(it); err == nil {
			t.Errorf("a secret of %d bytes was read", length)
		}
	}
}

// What is kept for some time only: DynamoDB deletes it in the days after.
func TestInvitationsAreKeptForNinetyDaysAfterTheirEnd(t *testing.T) {
	created := time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC)
	i := directory.Invitation{ID: ident.NewInvitation(), Node: ident.NewPartner(), Created: created, Expires: created.AddDate(0, 0, 7)}
	ttl := func(it item) time.Time {
		r := reader{item: it}
		return time.Unix(r.number(schema.TTLAttr), 0).UTC()
	}
	table := New(nil, "table")
	later := i
	later.Expires = created.AddDate(0, 0, 30)
	for what, parts := range map[string][]part{
		"7":  table.addInvitation(directory.AddInvitation{Invitation: i, Most: 1}),
		"30": table.editInvitation(directory.EditInvitation{Was: &i, Now: &later}),
	} {
		ends := i.Expires
		if what == "30" {
			ends = later.Expires
		}
		puts := 0
		for _, p := range parts {
			switch w := p.write; {
			case w.Put != nil:
				puts++
				if got := ttl(w.Put.Item); !got.Equal(ends.AddDate(0, 0, 90)) {
					t.Errorf("of %s days: kept until %s", what, got)
				}
			case !strings.Contains(*w.Update.UpdateExpression, "SET"):
				t.Errorf("of %s days: the count is kept for good", what)
			}
		}
		if puts != 2 {
			t.Errorf("of %s days: %d items", what, puts)
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
	n := hierarchy.Node{ID: ident.NewPartner(), Version: 1 << 40, AsOf: 1 << 40, Height: hierarchy.MaxDepth - 1}
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
	it := encodeClient(&p)
	if size := itemsize.Of(it); size > 4096 {
		t.Errorf("it has %d bytes; a read unit has 4096", size)
	}
	if _, expires := it[schema.TTLAttr]; expires {
		t.Error("a person whom others know expires")
	}
	p.Person, p.Grants, p.Cut = nil, nil, nil // has only signed out everywhere
	r := reader{item: encodeClient(&p)}
	from := p.SessionsFrom[""]
	if end := time.Unix(r.number(schema.TTLAttr), 0); end.Before(from.Add(credential.Absolute+time.Hour)) || end.After(from.AddDate(0, 0, 3)) {
		t.Errorf("it expires %s after the sign-out", end.Sub(from))
	}
}
