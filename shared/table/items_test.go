package table

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/table/tabletest/itemsize"
)

func TestTreeStateIsReadAsItWasWritten(t *testing.T) {
	a, b := ident.NewPartner(), ident.NewPartner()
	path := hierarchy.Path("").Child(a).Child(b)
	mark := hierarchy.Mark{Node: b, Kind: hierarchy.Suspended}
	want := hierarchy.TreeState{Root: "ptn_0h3k9m2v7x4q8r1t", Seq: 9, Changes: []hierarchy.Change{
		{Seq: 7, Node: b, Kind: hierarchy.Moved, Path: path, Marks: []hierarchy.Mark{mark, {Node: a, Kind: hierarchy.Trashed}}},
		{Seq: 8, Node: b, Kind: hierarchy.Marked, Mark: mark},
		{Seq: 9, Node: b, Kind: hierarchy.Unmarked, Mark: mark},
	}}
	got, err := decodeTree(encodeTree(0, want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// full is one item of each kind that is read, with how it is read.
func full(t *testing.T) map[string]struct {
	item   item
	decode func(item) error
} {
	t.Helper()
	n := hierarchy.Node{ID: ident.NewPartner(), Parent: ident.NewPartner(), Name: "secret-name", Version: 1}
	n.Created, n.Updated = time.Now(), time.Now()
	n.Place.Path = hierarchy.Path("").Child(n.Parent).Child(n.ID)
	n.Place.Marks = []hierarchy.Mark{{Node: n.ID, Kind: hierarchy.NoProvisioning}}
	own, given := ident.NewBrand(), ident.NewBrand()
	n.Brands = hierarchy.Brands{
		Portal: own, Available: []ident.Brand{given}, Owned: []ident.Brand{own}, Uses: map[ident.Brand]int64{own: 1, given: 2},
	}
	p := access.Principal{
		ID: ident.NewClient(), Name: "secret-name", Home: n.ID, Grants: map[ident.Node]access.Role{n.ID: access.Owner}, CursorKey: []byte{1},
		Version: 1, Created: time.Now(), Revoked: time.Now(),
		Secrets: []access.Secret{{ID: ident.NewKey(), Hash: []byte{1}, Hint: "abcd", Created: time.Now()}},
	}
	b := brand.Brand{
		ID: own, Owner: n.ID, Name: "secret-name", Domain: "secret-name.example", Regions: []string{"eu-west-1"}, State: brand.Draft,
		Created: time.Now(),
	}
	k := directory.MemoKey{Client: p.ID, Key: "k"}
	m := directory.Memo{MemoKey: k, Fingerprint: []byte{1}, Answer: []byte("secret-name"), Expires: time.Now().Add(time.Hour)}
	tree := hierarchy.TreeState{Seq: 1, Changes: []hierarchy.Change{{
		Seq: 1, Node: n.ID, Kind: hierarchy.Moved, Path: n.Place.Path, Marks: n.Place.Marks, Mark: n.Place.Marks[0],
	}}}
	return map[string]struct {
		item   item
		decode func(item) error
	}{
		"node":   {encodeNode(&n), func(it item) error { _, err := decodeNode(n.ID, it); return err }},
		"child":  {encodeChild(&n), func(it item) error { _, err := decodeChild(n.Parent, it); return err }},
		"client": {encodeClient(&p), func(it item) error { _, err := decodeClient(p.ID, it); return err }},
		"grant":  {encodeGrant(&p, n.ID), func(it item) error { _, err := decodeGrant(n.ID, it); return err }},
		"brand":  {encodeBrand(&b), func(it item) error { _, err := decodeBrand(b.ID, it); return err }},
		"memo":   {encodeMemo(&m), func(it item) error { _, err := decodeMemo(k, it, time.Now()); return err }},
		"tree":   {encodeTree(0, tree), func(it item) error { _, err := decodeTree(it); return err }},
	}
}

func TestMalformedItemsAreErrorsThatShowNothing(t *testing.T) {
	wrong := map[string]types.AttributeValue{
		"another type": &types.AttributeValueMemberBOOL{Value: true},
		"a list of it": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberBOOL{}}},
		"a map of it":  &types.AttributeValueMemberM{Value: item{"secret-name": &types.AttributeValueMemberBOOL{}}},
		"a set":        &types.AttributeValueMemberSS{Value: []string{"secret-name"}},
		"no number":    &types.AttributeValueMemberN{Value: "secret-name"},
		"a list of map": &types.AttributeValueMemberL{Value: []types.AttributeValue{
			&types.AttributeValueMemberM{Value: item{"seq": text("secret-name")}},
		}},
	}
	unread := map[string]bool{schema.PK: true, schema.SK: true, "type": true, schema.IndexPK: true, schema.IndexCarries: true}
	for kind, one := range full(t) {
		if err := one.decode(one.item); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for name, right := range one.item {
			if unread[name] {
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
		"node":   {"name", "version", schema.IndexSK, "asOf", "uses"},
		"child":  {schema.SK, "name", "version"},
		"client": {"version"},
		"grant":  {schema.SK, "role"},
		"brand":  {"version"},
		"memo":   {schema.TTLAttr},
		"tree":   {"seq"},
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

func TestTheLargestPartnerIsOneReadUnit(t *testing.T) {
	n := hierarchy.Node{ID: ident.NewPartner(), Version: 1 << 40, AsOf: 1 << 40}
	n.Name = hierarchy.Name(strings.Repeat("𝄞", hierarchy.MaxName))
	n.Created, n.Updated = time.Now(), time.Now()
	for n.Place.Path.Depth() < hierarchy.MaxDepth-1 {
		n.Parent = ident.NewPartner()
		n.Place.Path = n.Place.Path.Child(n.Parent)
	}
	n.Place.Path = n.Place.Path.Child(n.ID)
	n.Place.Marks = []hierarchy.Mark{{Node: n.ID, Kind: hierarchy.NoProvisioning}, {Node: n.Parent, Kind: hierarchy.Suspended}}
	n.Brands.Portal = ident.NewBrand()
	n.Brands.Uses = map[ident.Brand]int64{}
	for range hierarchy.MaxBrands {
		own, given := ident.NewBrand(), ident.NewBrand()
		n.Brands.Owned, n.Brands.Available = append(n.Brands.Owned, own), append(n.Brands.Available, given)
		n.Brands.Uses[own], n.Brands.Uses[given] = 10_000, 10_000
	}
	if size := itemsize.Of(encodeNode(&n)); size > 4096 {
		t.Errorf("it has %d bytes; a read unit has 4096", size)
	}
}
