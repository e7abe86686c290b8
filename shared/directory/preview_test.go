package directory_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

func slugs(blocks []*fault.Error) (all []string) {
	for _, e := range blocks {
		all = append(all, e.Type.Slug)
	}
	return all
}

func TestAPreviewNamesWhoGainsAndWhoLoses(t *testing.T) {
	s, ctx := newShop(t), t.Context()
	f := s.partner(s.e, "f")
	if _, err := s.d.SetCanProvision(ctx, s.founder, s.e, false); err != nil {
		t.Fatal(err)
	}
	client := func(name hierarchy.Name, grants map[ident.Node]access.Role) directory.Caller {
		made, err := s.d.CreateClient(ctx, s.founder, directory.NewClient{Node: s.root, Name: name, Role: access.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		for id, role := range grants {
			if _, err := s.d.GrantRole(ctx, s.founder, made.ID, id, role); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.d.RemoveGrant(ctx, s.founder, made.ID, s.root); err != nil {
			t.Fatal(err)
		}
		return directory.Caller{Principal: made.ID, Key: made.SecretID}
	}
	loser := client("ända", map[ident.Node]access.Role{s.a: access.Operator})
	gainer := client("Berta", map[ident.Node]access.Role{s.e: access.Viewer, f: access.Owner})
	client("keeper", map[ident.Node]access.Role{s.a: access.Viewer, s.b: access.Admin, f: access.Viewer})
	lower := client("Alma", map[ident.Node]access.Role{s.a: access.Admin, s.e: access.Viewer})
	client("below", map[ident.Node]access.Role{s.c: access.Owner})
	gone := client("gone", map[ident.Node]access.Role{s.a: access.Owner})
	if err := s.d.RevokeClient(ctx, s.founder, gone.Principal); err != nil {
		t.Fatal(err)
	}
	mover := client("mover", map[ident.Node]access.Role{s.a: access.Admin, f: access.Admin})

	writes := len(s.Calls())
	for _, c := range []struct {
		who            string
		caller         directory.Caller
		gained, lowers ident.Node // through what, as they may know it
		depth          [2]int     // from where they begin
	}{{"above all", s.founder, f, s.a, [2]int{3, 4}}, {"of both sides", mover, f, s.a, [2]int{2, 2}}} {
		got, err := s.d.PreviewMove(ctx, c.caller, s.b, f)
		want := directory.MovePreview{MissingBrands: []ident.Brand{}, Depth: c.depth, Levels: 1, CanProvision: [2]bool{true, false}}
		want.Access = []directory.AccessChange{
			{Principal: lower.Principal, Name: "Alma", Role: [2]access.Role{access.Admin, access.Viewer}, Through: c.lowers},
			{Principal: loser.Principal, Name: "ända", Role: [2]access.Role{access.Operator, access.None}, Through: s.a},
			{Principal: gainer.Principal, Name: "Berta", Role: [2]access.Role{access.None, access.Owner}, Through: c.gained},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, %v; want\n%+v", c.who, got, err, want)
		}
	}
	if slices.Contains(s.Calls()[writes:], "Commit") {
		t.Error("a preview wrote")
	}
	// Those who begin at f do not see e, through which somebody gains.
	if err := s.d.RemoveGrant(ctx, s.founder, gainer.Principal, f); err != nil {
		t.Fatal(err)
	}
	got, err := s.d.PreviewMove(ctx, mover, s.b, f)
	if err != nil || len(got.Access) != 3 || got.Access[2].Principal != gainer.Principal || got.Access[2].Through != "" {
		t.Errorf("out of sight: %+v, %v", got, err)
	}
	if got, err = s.d.PreviewMove(ctx, s.founder, s.b, f); err != nil || got.Access[2].Through != s.e {
		t.Errorf("in sight: %+v, %v", got, err)
	}

	begins := len(s.Calls())
	for what, c := range map[string]struct {
		caller directory.Caller
		id, to ident.Node
		want   *fault.Type
	}{
		"seen from below only": {client("here", map[ident.Node]access.Role{s.b: access.Owner, f: access.Owner}), s.b, f, fault.NeedsGrantAbove},
		"one side only":        {lower, s.b, f, fault.Forbidden},
		"nowhere":              {s.founder, s.b, ident.NewPartner(), fault.NotFound},
		"nothing":              {s.founder, ident.NewPartner(), s.b, fault.NotFound},
		"the root":             {s.founder, s.root, s.b, fault.Root},
	} {
		_, err := s.d.PreviewMove(ctx, c.caller, c.id, c.to)
		s.refused(what, c.want, err)
	}
	if slices.Contains(s.Calls()[begins:], "Grants") {
		t.Error("somebody who may not move read who has grants")
	}
}

func TestAPreviewNamesAllThatBlocks(t *testing.T) {
	s, ctx := newShop(t), t.Context()
	s.onlyOwnBrand(s.e)
	at := s.root
	for range hierarchy.MaxDepth - 3 {
		at = s.partner(at, "deep")
	}
	s.done(s.d.Move(ctx, s.founder, s.e, at))
	s.trash(s.e)
	s.trash(s.b)
	s.founder.IfMatch = []int64{77}
	got, err := s.d.PreviewMove(ctx, s.founder, s.b, s.e)
	blocks := []string{"trashed", "trashed", "depth-limit", "brand-not-available", "precondition-failed"}
	if err != nil || !slices.Equal(slugs(got.Blocks), blocks) || !slices.Equal(got.MissingBrands, []ident.Brand{s.brand}) ||
		got.Depth != [2]int{3, hierarchy.MaxDepth} {
		t.Errorf("%v, %+v, %v", slugs(got.Blocks), got, err)
	}
	_, err = s.d.Move(ctx, s.founder, s.b, s.e)
	s.refused("moved", fault.Trashed, err)
	if err == nil || err.Error() != got.Blocks[0].Error() {
		t.Errorf("it is refused with %v, and blocked first by %v", err, got.Blocks[0])
	}

	s.founder.IfMatch = nil
	got, err = s.d.PreviewMove(ctx, s.founder, s.b, s.c)
	blocks = []string{"move-into-itself", "trashed"}
	if err != nil || !slices.Equal(slugs(got.Blocks), blocks) || got.Depth != [2]int{3, 3} || got.Access != nil {
		t.Errorf("into itself: %v, %+v, %v", slugs(got.Blocks), got, err)
	}
	got, err = s.d.PreviewMove(ctx, s.founder, s.b, s.a)
	if err != nil || got.Blocks != nil || got.Depth != [2]int{3, 3} || got.Access != nil {
		t.Errorf("to where it is: %v, %+v, %v", slugs(got.Blocks), got, err)
	}
	for range hierarchy.MaxChanges {
		if _, err := s.d.SetCanProvision(ctx, s.founder, s.partner(s.root, "p"), false); err != nil {
			t.Fatal(err)
		}
	}
	if got, err = s.d.PreviewMove(ctx, s.founder, s.a, s.root); err != nil || got.Blocks != nil {
		t.Errorf("nothing to do: %v, %v", slugs(got.Blocks), err)
	}
	p := s.partner(s.root, "p")
	s.founder.IfMatch = []int64{77}
	got, err = s.d.PreviewMove(ctx, s.founder, p, s.a)
	if blocks = []string{"precondition-failed", "too-many-changes"}; err != nil || !slices.Equal(slugs(got.Blocks), blocks) {
		t.Errorf("no room: %v, %v", slugs(got.Blocks), err)
	}
}

// Where more have a role than a preview reads or names, it says so, and what it says of the others is right.
func TestAPreviewIsBounded(t *testing.T) {
	for _, c := range []struct{ all, lose, known int }{{1100, 100, 1000}, {1100, 20, 1000}, {250, 250, 250}, {200, 200, 200}} {
		s, ctx := newShop(t), t.Context()
		var ids []ident.Principal
		loses := map[ident.Principal]bool{}
		for i := range c.all {
			client := s.client(s.a, access.Viewer).Principal
			if ids = append(ids, client); i < c.lose {
				loses[client] = true
			} else if _, err := s.d.GrantRole(ctx, s.founder, client, s.e, access.Viewer); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(ids)
		var want []ident.Principal
		for _, id := range ids[:c.known] {
			if loses[id] && len(want) < directory.MaxAccessChanges {
				want = append(want, id)
			}
		}
		got, err := s.d.PreviewMove(ctx, s.founder, s.b, s.e)
		var told []ident.Principal
		for _, a := range got.Access {
			if told = append(told, a.Principal); a.Role != [2]access.Role{access.Viewer, access.None} || a.Through != s.a {
				t.Errorf("%+v", a)
			}
		}
		if err != nil || !slices.Equal(told, want) || got.More != (c.all != directory.MaxAccessChanges) {
			t.Errorf("%d of %d lose: %d are told, more: %v, %v; want %d", c.lose, c.all, len(told), got.More, err, len(want))
		}
	}
}

// TestAPreviewIsWhatHappens previews moves in random trees, and then makes them.
func TestAPreviewIsWhatHappens(t *testing.T) {
	was := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", "1500"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { flag.Set("rapid.checks", was) })
	roles := rapid.SampledFrom([]access.Role{access.Viewer, access.Operator, access.Admin, access.Owner})
	happened, refused := 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		ctx, store := context.Background(), new(directorytest.Fake)
		d := directory.New(store, clocktest.Now)
		root, founder, _, err := d.CreateRoot(ctx, "Root", "Founder")
		if err != nil {
			t.Fatal(err)
		}
		owner := directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
		var brands []ident.Brand
		for i := range 3 {
			b, err := d.CreateBrand(ctx, owner, directory.NewBrand{Partner: root.ID, Name: "B", Domain: fmt.Sprint(i, ".example"),
				Regions: []string{"eu-west-1"}})
			if err != nil {
				t.Fatal(err)
			}
			brands = append(brands, b.ID)
		}
		partners, all := []ident.Node{root.ID}, []ident.Node{root.ID}
		usable := map[ident.Node][]ident.Brand{root.ID: brands}
		for range rapid.IntRange(2, 10).Draw(t, "nodes") {
			parent := rapid.SampledFrom(partners).Draw(t, "parent")
			if rapid.IntRange(0, 3).Draw(t, "deep") == 0 {
				parent = partners[len(partners)-1]
			}
			portal := rapid.SampledFrom(usable[parent]).Draw(t, "portal")
			if rapid.IntRange(0, 3).Draw(t, "customer") == 0 {
				n, err := d.CreateCustomer(ctx, owner, directory.NewCustomer{Partner: parent, Name: "c", Details: hierarchy.Details{Brand: portal}})
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, n.ID)
				continue
			}
			available := rapid.SliceOfNDistinct(rapid.SampledFrom(usable[parent]), 1, -1, rapid.ID).Draw(t, "available")
			n, err := d.CreatePartner(ctx, owner, directory.NewPartner{Parent: parent, Name: "p", Portal: portal, Available: available,
				CanProvision: rapid.IntRange(0, 4).Draw(t, "forbidden") > 0})
			if err != nil {
				t.Fatal(err)
			}
			partners, all, usable[n.ID] = append(partners, n.ID), append(all, n.ID), available
		}
		clients, callers := []ident.Principal{founder.ID}, []directory.Caller{owner}
		for range rapid.IntRange(1, 5).Draw(t, "clients") {
			name := rapid.SampledFrom([]hierarchy.Name{"b", "A", "ä"}).Draw(t, "name")
			c, err := d.CreateClient(ctx, owner, directory.NewClient{Node: rapid.SampledFrom(all).Draw(t, "at"), Name: name, Role: roles.Draw(t, "role")})
			if err != nil {
				t.Fatal(err)
			}
			for range rapid.IntRange(0, 3).Draw(t, "grants") {
				if _, err := d.GrantRole(ctx, owner, c.ID, rapid.SampledFrom(all).Draw(t, "also at"), roles.Draw(t, "role")); err != nil {
					t.Fatal(err)
				}
			}
			clients, callers = append(clients, c.ID), append(callers, directory.Caller{Principal: c.ID, Key: c.SecretID})
		}
		read := func() directory.Got {
			got, err := store.Read(ctx, directory.Want{Nodes: all, Records: access.Principals.Refs(clients...)})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		for range rapid.IntRange(1, 6).Draw(t, "moves") {
			switch at := rapid.SampledFrom(all[1:]).Draw(t, "at"); rapid.IntRange(0, 9).Draw(t, "mark") {
			case 0:
				_, err = d.Trash(ctx, owner, at)
			case 1:
				_, err = d.Suspend(ctx, owner, at, "because")
			case 2:
				_, err = d.Restore(ctx, owner, at)
			case 3:
				for _, id := range jobsIn(store) {
					if err := settled(ctx, d, id); err != nil {
						t.Fatal(err)
					}
				}
			case 4:
				for range 2 {
					if len(all) > 60 { // a batch reads no more than 100 items
						break
					}
					top := rapid.SampledFrom(partners[:min(len(partners), 4)]).Draw(t, "top of a chain")
					for range rapid.IntRange(8, 24).Draw(t, "links") {
						n, err := d.CreatePartner(ctx, owner, directory.NewPartner{Parent: top, Name: "l", Portal: usable[top][0], Available: usable[top]})
						if err != nil {
							break
						}
						usable[n.ID], top = usable[top], n.ID
						partners, all = append(partners, n.ID), append(all, n.ID)
					}
				}
			case 5:
				if rapid.IntRange(0, 3).Draw(t, "full") > 0 {
					break
				}
				tree := read().Tree
				none := hierarchy.Change{Node: root.ID, Kind: hierarchy.Unmarked, Mark: hierarchy.Mark{Node: root.ID, Kind: hierarchy.Suspended}}
				for none.Seq = tree.Seq + 1; none.Seq <= tree.Seq+int64(hierarchy.MaxChanges-len(tree.Changes)); none.Seq++ {
					if err := store.Commit(ctx, directory.AddChange{Change: none, Else: errEnded}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err != nil && !fault.Trashed.Is(err) && !fault.TooManyChanges.Is(err) {
				t.Fatal(err)
			}
			c := owner
			if rapid.Bool().Draw(t, "somebody else") {
				c = rapid.SampledFrom(callers).Draw(t, "caller")
			}
			if rapid.IntRange(0, 5).Draw(t, "If-Match") == 0 {
				c.IfMatch = []int64{1}
			}
			id, to := rapid.SampledFrom(all).Draw(t, "node"), rapid.SampledFrom(partners).Draw(t, "to")
			if rapid.IntRange(0, 3).Draw(t, "from the top to the bottom") == 0 {
				id, to = rapid.SampledFrom(all[1:min(len(all), 6)]).Draw(t, "node above"), partners[len(partners)-1]
			}
			before, commits := read(), len(store.Calls())
			preview, previewErr := d.PreviewMove(ctx, c, id, to)
			if tall := before.Tree.Place(before.Nodes[to]).Path.Depth()+1+before.Nodes[id].Levels() > hierarchy.MaxDepth; !tall &&
				slices.Contains(store.Calls()[commits:], "Commit") {
				t.Fatal("a preview wrote")
			}
			if told, all := slugs(preview.Blocks), blocking(&before, c, id, to); previewErr == nil && !slices.Equal(told, all) {
				t.Fatalf("blocked by %v; want %v", told, all)
			}
			_, moveErr := d.Move(ctx, c, id, to)
			after := read()
			switch {
			case previewErr != nil:
				if moveErr == nil || moveErr.Error() != previewErr.Error() {
					t.Fatalf("the preview is refused with %v, the move with %v", previewErr, moveErr)
				}
				refused[fault.From(moveErr).Type.Slug]++
				continue
			case len(preview.Blocks) > 0:
				if moveErr == nil || moveErr.Error() != preview.Blocks[0].Error() {
					t.Fatalf("blocked by %v, and the move gives %v", slugs(preview.Blocks), moveErr)
				}
				refused[preview.Blocks[0].Type.Slug]++
				continue
			case moveErr != nil:
				t.Fatalf("nothing blocks it, and the move gives %v", moveErr)
			}
			happened++
			places := [2]hierarchy.Place{before.Tree.Place(before.Nodes[id]), after.Tree.Place(after.Nodes[id])}
			for i, place := range places {
				got := [2]*directory.Got{&before, &after}[i]
				sight := access.Decide(access.Principals.In(got.Records, c.Principal), &got.Tree, got.Nodes[id], access.Read)
				if preview.Depth[i] != place.Path.Depth()-sight.First || preview.CanProvision[i] == place.Marked(hierarchy.NoProvisioning) {
					t.Fatalf("%+v; it was at %+v, and is at %+v", preview, places[0], places[1])
				}
			}
			if preview.Levels != after.Nodes[id].Levels() {
				t.Fatalf("%d levels, of %d", preview.Levels, after.Nodes[id].Levels())
			}
			want := map[ident.Principal][2]access.Role{}
			for _, client := range clients {
				was := access.Decide(access.Principals.In(before.Records, client), &before.Tree, before.Nodes[id], access.Read)
				is := access.Decide(access.Principals.In(after.Records, client), &after.Tree, after.Nodes[id], access.Read)
				if was.Role != is.Role {
					want[client] = [2]access.Role{was.Role, is.Role}
				}
			}
			told := map[ident.Principal][2]access.Role{}
			for _, a := range preview.Access {
				told[a.Principal] = a.Role
				better, got := 0, before
				if a.Role[1] > a.Role[0] {
					better, got = 1, after
				}
				if a.Through == "" {
					for _, at := range places[better].Path.IDs() {
						dec := access.Decide(access.Principals.In(got.Records, c.Principal), &got.Tree, got.Nodes[at], access.Read)
						if access.Principals.In(got.Records, a.Principal).Grants[at] == a.Role[better] && dec.Visible() {
							t.Fatalf("%+v: it comes from %s, which the caller sees", a, at)
						}
					}
					continue
				}
				dec := access.Decide(access.Principals.In(got.Records, c.Principal), &got.Tree, got.Nodes[a.Through], access.Read)
				if !dec.Visible() || access.Principals.In(got.Records, a.Principal).Grants[a.Through] != a.Role[better] || places[better].Path.Index(a.Through) < 0 {
					t.Fatalf("%+v: the caller has %s there, the path is %s", a, dec.Role, places[better].Path)
				}
			}
			if !maps.Equal(told, want) || preview.More {
				t.Fatalf("%v are told, and it was %v", told, want)
			}
			if !slices.IsSortedFunc(preview.Access, func(a, b directory.AccessChange) int {
				return cmp.Or(cmp.Compare(a.Name.SortKey(), b.Name.SortKey()), cmp.Compare(a.Principal, b.Principal))
			}) {
				t.Fatalf("not sorted: %+v", preview.Access)
			}
		}
	})
	t.Logf("%d moves happened, refused were %v", happened, refused)
	for _, slug := range []string{"trashed", "brand-not-available", "move-into-itself", "depth-limit", "precondition-failed", "too-many-changes",
		"not-found", "forbidden", "needs-grant-above"} {
		if refused[slug] == 0 {
			t.Errorf("none was refused with %s", slug)
		}
	}
}

// blocking are all the reasons why a node cannot be moved, from what is stored of all nodes.
func blocking(got *directory.Got, c directory.Caller, id, to ident.Node) (all []string) {
	node, dest := got.Nodes[id], got.Nodes[to]
	if node.Parent == to {
		return nil
	}
	from, at, levels := got.Tree.Place(node), got.Tree.Place(dest), 0
	for _, n := range got.Nodes {
		if path := got.Tree.Place(n).Path; path.Index(id) >= 0 {
			levels = max(levels, path.Depth()-from.Path.Depth())
		}
	}
	add := func(slug string, blocks bool) {
		if blocks {
			all = append(all, slug)
		}
	}
	add("move-into-itself", at.Path.Index(id) >= 0)
	add("trashed", from.Marked(hierarchy.Trashed))
	add("trashed", at.Marked(hierarchy.Trashed) && at.Top(hierarchy.Trashed) != from.Top(hierarchy.Trashed))
	add("depth-limit", at.Path.Depth()+1+levels > hierarchy.MaxDepth)
	for _, b := range node.Draws() {
		add("brand-not-available", !dest.Brands.Usable(b))
	}
	add("precondition-failed", c.IfMatch != nil && !slices.Contains(c.IfMatch, node.Version))
	add("too-many-changes", len(got.Tree.Changes) >= hierarchy.MaxChanges)
	return all
}

// The preview names the invitations that end with the right of who made them, and accepting them is refused after the move.
func TestAPreviewNamesTheInvitationsThatEnd(t *testing.T) {
	s := newBorder(t)
	invite := func(c directory.Caller, email string) directory.Invitation {
		t.Helper()
		i, err := s.d.Invite(t.Context(), c, directory.NewInvitation{Node: s.b, Email: email, Role: access.Viewer, Days: 7})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	ends := invite(s.left, "ann@example.com")
	invite(s.founder, "bob@example.com")
	closed := invite(s.left, "eve@example.com")
	if _, err := s.d.RevokeInvitation(t.Context(), s.left, closed.ID); err != nil {
		t.Fatal(err)
	}
	p, err := s.d.PreviewMove(t.Context(), s.founder, s.b, s.e)
	if err != nil || len(p.Invitations) != 1 || p.Invitations[0].ID != ends.ID || p.Invitations[0].Hash != nil {
		t.Errorf("%+v, %v", p.Invitations, err)
	}
	if p, err = s.d.PreviewMove(t.Context(), s.founder, s.c, s.a); err != nil || len(p.Invitations) > 0 {
		t.Errorf("of another node: %+v, %v", p.Invitations, err)
	}
}
