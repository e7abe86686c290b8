package directory_test

import (
	"fmt"
	"testing"

	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// TestAMovedUpBranchGrowsBeforeItIsSettled: what is stored deep and is no longer deep takes children at once, and nothing is
// ever stored deeper than the tree may be.
func TestAMovedUpBranchGrowsBeforeItIsSettled(t *testing.T) {
	ctx, store := t.Context(), new(directorytest.Fake)
	d := directory.New(store, clocktest.Now)
	root, founder, _, err := d.CreateRoot(ctx, "Root", "Founder")
	if err != nil {
		t.Fatal(err)
	}
	c := directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
	brand, err := d.CreateBrand(ctx, c, directory.NewBrand{Partner: root.ID, Name: "B", Domain: "b.example", Regions: []string{"eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	below := func(parent ident.Node) ident.Node {
		n, err := d.CreatePartner(ctx, c, directory.NewPartner{Parent: parent, Name: "P", Portal: brand.ID, Available: []ident.Brand{brand.ID}, CanProvision: true})
		if err != nil {
			t.Fatal(err)
		}
		return n.ID
	}
	var chain []ident.Node
	for at := root.ID; len(chain) < hierarchy.MaxDepth-1; chain = append(chain, at) {
		at = below(at)
	}
	if _, err := d.Move(ctx, c, chain[20], root.ID); err != nil {
		t.Fatal(err)
	}
	at := chain[len(chain)-1] // at depth 10 now, stored at 30
	for range 5 {
		at = below(at)
		got, err := store.Read(ctx, directory.Want{Nodes: []ident.Node{at}})
		if err != nil {
			t.Fatal(err)
		}
		n := got.Nodes[at]
		if stored, real := n.Place.Path.Depth(), got.Tree.Place(n).Path.Depth(); stored > hierarchy.MaxDepth || real > 15 {
			t.Errorf("stored at depth %d, which is %d", stored, real)
		}
		for _, from := range got.Tree.Left(got.Tree.Place(n).Path) {
			if from.Depth() > hierarchy.MaxDepth {
				t.Errorf("%s may be stored at depth %d", fmt.Sprint(at), from.Depth())
			}
		}
	}
}
