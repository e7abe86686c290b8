package hierarchy

import (
	"slices"
	"testing"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
)

func TestKindOf(t *testing.T) {
	for id, want := range map[ident.Node]Kind{ident.NewPartner(): Partner, ident.NewCustomer(): Customer} {
		if got := (&Node{ID: id}).Kind(); got != want {
			t.Errorf("%s is a %s", id, got)
		}
	}
}

func TestAChildCopiesWhatItsParentStores(t *testing.T) {
	parent := &Node{ID: partner(2), AsOf: 7, Place: Place{pathOf(1, 2), []Mark{{partner(1), NoProvisioning}}}}
	canonical := Place{Path: pathOf(9, 2)}
	child, err := Node{ID: partner(3)}.Below(parent, canonical, NoProvisioning)
	if err != nil {
		t.Fatal(err)
	}
	want := Place{pathOf(1, 2, 3), []Mark{{partner(1), NoProvisioning}, {partner(3), NoProvisioning}}}
	if child.Parent != parent.ID || child.AsOf != 7 || !same(child.Place, want) {
		t.Errorf("%+v", child)
	}
	if own := child.OwnMarks(); !slices.Equal(own, want.Marks[1:]) {
		t.Errorf("own marks %v", own)
	}
	if len(parent.Place.Marks) != 1 {
		t.Errorf("the parent's marks were changed: %v", parent.Place.Marks)
	}
}

// The canonical place counts, not the stored one: the parent may have been moved down, or up.
func TestTheTreeIsAtMostThirtyDeep(t *testing.T) {
	deep := func(n int) Path {
		var p Path
		for i := range n {
			p = p.Child(partner(i))
		}
		return p
	}
	parent := &Node{ID: partner(2), Place: Place{Path: pathOf(1, 2)}}
	if _, err := (Node{ID: partner(3)}).Below(parent, Place{Path: deep(MaxDepth - 1)}); err != nil {
		t.Errorf("depth %d: %v", MaxDepth, err)
	}
	if _, err := (Node{ID: partner(3)}).Below(parent, Place{Path: deep(MaxDepth)}); !fault.DepthLimit.Is(err) {
		t.Errorf("depth %d: %v", MaxDepth+1, err)
	}
}

func TestWhatAPartnerDrawsFromItsParent(t *testing.T) {
	uses := map[ident.Brand]int64{"brd_a": 0, "brd_b": 2, "brd_own": 1}
	tests := []struct {
		name   string
		brands Brands
		want   []ident.Brand
	}{
		{"nothing", Brands{}, nil},
		{"what is available to it", Brands{Portal: "brd_a", Available: []ident.Brand{"brd_a", "brd_b"}}, []ident.Brand{"brd_a", "brd_b"}},
		{"a portal brand that it may not sell", Brands{Portal: "brd_a", Available: []ident.Brand{"brd_b"}}, []ident.Brand{"brd_a", "brd_b"}},
		{"not its own brand", Brands{Portal: "brd_own", Owned: []ident.Brand{"brd_own"}, Available: []ident.Brand{"brd_b"}},
			[]ident.Brand{"brd_b"}},
	}
	for _, tt := range tests {
		tt.brands.Uses = uses
		n := Node{ID: partner(1), Brands: tt.brands}
		if got := n.Draws(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	customer := Node{ID: ident.NewCustomer(), Details: Details{Brand: "brd_b"}}
	if got := customer.Draws(); !slices.Equal(got, []ident.Brand{"brd_b"}) {
		t.Errorf("a customer draws %v", got)
	}
	b := Brands{Uses: uses}
	if !b.Usable("brd_a") || b.Usable("brd_c") || !slices.Equal(b.List(), []ident.Brand{"brd_a", "brd_b", "brd_own"}) {
		t.Errorf("usable %v", b.List())
	}
}
