package directory_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
)

// does is one operation at a time or beside others.
type does = func(ctx context.Context) error

// duel is two operations that act in every order of their calls, in a tree.
type duel struct {
	tree       []int
	before     func(s *stage) error // what there is already
	begin      func(s *stage) []does
	principals bool // whether principals are changed, and so when they are read makes a difference
	steady     bool // whether the tree has to be sound after each commit, and not only at the end
}

// chain is root > 1 > 2 > 3 and root > 4, twig is root > 1 > 2 and root > 3.
var chain, twig = []int{0, 1, 2, 0}, []int{0, 1, 0}

// fight runs a duel without one of the conditions of transactions, "" with all of them, and says what goes wrong.
func (d duel) fight(ignore string) error {
	only := 0
	if ignore == "" {
		only = few(50)
	}
	check := func(s *stage) error {
		if d.steady {
			if err := s.sound(s.ids()); err != nil {
				return err
			}
		}
		return s.honest()
	}
	ends, _, err := everyState(only, func() *stage { return d.set(ignore, nil) }, check, func(s *stage) error {
		if err := s.settledWhole(d.tree); err != nil {
			return err
		}
		return s.honest()
	})
	if err == nil && ends == 0 {
		return errors.New("it came to no end")
	}
	return err
}

// set is the stage with the two before they begin. Each call of the store is told to see, if there is one.
func (d duel) set(ignore string, see func(directorytest.Call) error) *stage {
	s := planted(d.tree)
	s.apart, s.refuses, s.Before = d.principals, true, see
	if d.before != nil {
		if err := d.before(s); err != nil {
			panic(err)
		}
	}
	s.Ignore = ignore
	for i, do := range d.begin(s) {
		s.begin(string(rune('A'+i)), false, do)
	}
	return s
}

// honest says what is wrong with a tree that was planted: with a node's version, brands, clients, jobs, or with the log.
func (s *stage) honest() error {
	ids := s.ids()
	brands, clients, changes := map[ident.Brand]bool{s.brand: true}, map[ident.Principal]bool{s.founder.Principal: true}, jobsIn(s.Fake)
	versions, asleep, grants := map[ident.Node]int64{}, map[ident.Node]bool{}, map[ident.Principal]map[ident.Node]access.Role{
		s.founder.Principal: {s.root: access.Owner}}
	looks := map[ident.Brand]int64{}
	answered, asked, closed := map[string]bool{}, map[ident.Node]int{}, map[ident.Invitation]bool{}
	for _, e := range s.Events() {
		var client ident.Principal
		var role access.Role
		switch p := e.Data.(type) {
		case event.ClientCreatedData:
			client, role = p.ClientID, p.Role
		case event.ClientGrantedData:
			client, role = p.ClientID, p.Role
		case event.ClientGrantRemovedData:
			client = p.ClientID
		case event.ClientRevokedData:
			client = p.ClientID
		}
		switch e.Type {
		case event.PartnerCreated:
			if e.RequestID != "" && answered[e.RequestID] {
				return fmt.Errorf("%s was carried out twice", e.RequestID)
			}
			answered[e.RequestID] = true
			if at := e.Path.At(e.Path.Depth() - 2); asleep[at] {
				return fmt.Errorf("%s was made in the trash, below %s", e.Node, at)
			}
		case event.BrandCreated:
			brands[e.Data.(event.BrandCreatedData).BrandID] = true
			if asleep[e.Node] {
				return fmt.Errorf("a brand was made in the trash, at %s", e.Node)
			}
		case event.BrandEdited:
			looks[e.Data.(event.BrandEditedData).BrandID]++
			if asleep[e.Node] {
				return fmt.Errorf("a brand was edited in the trash, at %s", e.Node)
			}
		case event.InvitationAccepted, event.InvitationRevoked:
			if id := invitationIn(e); closed[id] {
				return fmt.Errorf("%s was closed twice", id)
			} else {
				closed[id] = true
			}
		case event.PartnerTrashed, event.PartnerRestored:
			asleep[e.Node] = e.Type == event.PartnerTrashed
			versions[e.Node]++
		case event.MoveAsked:
			if asked[e.Node]++; asked[e.Node] > 1 {
				return fmt.Errorf("two moves of %s are asked for", e.Node)
			}
		case event.ClientCreated:
			clients[client] = true
			grants[client] = map[ident.Node]access.Role{e.Node: role}
		case event.ClientGranted:
			grants[client][e.Node] = role
		case event.ClientGrantRemoved:
			delete(grants[client], e.Node)
		case event.ClientRevoked:
			grants[client] = map[ident.Node]access.Role{}
		case event.PartnerEdited, event.PartnerMoved, event.PartnerSuspended, event.PartnerResumed, event.PartnerPurged:
			if asleep[e.Node] && e.Type != event.PartnerPurged {
				return fmt.Errorf("%s was changed in the trash: %s", e.Node, e.Type)
			}
			versions[e.Node]++
		}
	}
	got, err := s.Fake.Read(context.Background(), directory.Want{Nodes: ids, Records: slices.Concat(
		access.Principals.Refs(slices.Collect(maps.Keys(clients))...), brand.Brands.Refs(slices.Collect(maps.Keys(brands))...),
		job.Jobs.Refs(changes...))})
	if err != nil {
		return err
	}
	uses := map[ident.Node]map[ident.Brand]int64{}
	for _, id := range ids {
		uses[id] = map[ident.Brand]int64{}
	}
	for _, id := range ids {
		n := got.Nodes[id]
		if n.Version != 1+versions[id] {
			return fmt.Errorf("%s is at version %d after %d edits", id, n.Version, versions[id])
		}
		if len(n.Brands.Owned) > hierarchy.MaxBrands {
			return fmt.Errorf("%s owns %d brands", id, len(n.Brands.Owned))
		}
		for _, b := range n.Draws() {
			if uses[n.Parent][b]++; !got.Nodes[n.Parent].Brands.Usable(b) {
				return fmt.Errorf("%s has the brand %s, which is not usable at %s", id, b, n.Parent)
			}
		}
	}
	for _, id := range ids {
		n := got.Nodes[id]
		if usable := slices.Concat(n.Brands.Available, n.Brands.Owned); len(usable) != len(n.Brands.Uses) {
			return fmt.Errorf("%s has the brands %v and counts %v", id, usable, n.Brands.Uses)
		}
		for b, n := range n.Brands.Uses {
			if n != uses[id][b] {
				return fmt.Errorf("%s counts %d uses of %s, and there are %d", id, n, b, uses[id][b])
			}
		}
	}
	domains := map[string]bool{}
	for _, b := range brand.Brands.All(got.Records) {
		if domains[b.Domain] {
			return fmt.Errorf("two brands have the domain %s", b.Domain)
		}
		if domains[b.Domain] = true; b.Version != 1+looks[b.ID] {
			return fmt.Errorf("%s is at version %d after %d edits", b.ID, b.Version, looks[b.ID])
		}
	}
	owners := 0
	for _, p := range access.Principals.All(got.Records) {
		if p.Grants[s.root] == access.Owner {
			owners++
		}
		if !maps.Equal(p.Grants, grants[p.ID]) {
			return fmt.Errorf("%s has the grants %v, and was given %v", p.ID, p.Grants, grants[p.ID])
		}
	}
	if owners == 0 {
		return errors.New("the root has no owner any more")
	}
	for _, j := range job.Jobs.All(got.Records) {
		id := j.ID
		if s.settled == nil {
			s.settled = map[ident.Job]int64{}
		}
		if s.settled[id] > j.Version {
			return fmt.Errorf("%s is at version %d and was at %d", id, j.Version, s.settled[id])
		}
		s.settled[id] = j.Version
		seq, err := directory.ChangeOf(j)
		if err != nil {
			return err
		}
		flying := slices.ContainsFunc(got.Tree.Changes, func(c hierarchy.Change) bool { return c.Seq == seq })
		if flying && j.State == job.Succeeded {
			return fmt.Errorf("%s is settled, and in the tree state", id)
		}
	}
	return nil
}

// The operations of duels.

func renamer(s *stage, node int, name hierarchy.Name) does {
	return func(ctx context.Context) error {
		_, err := s.d.EditPartner(ctx, s.founder, nodeNo(node), directory.PartnerPatch{Name: &name})
		return err
	}
}

func brander(s *stage, node int, domain string) does {
	return func(ctx context.Context) error {
		in := directory.NewBrand{Partner: nodeNo(node), Name: "X", Domain: domain, Regions: []string{"eu-west-1"}}
		_, err := s.d.CreateBrand(ctx, s.founder, in)
		return err
	}
}

// ownBrand makes a brand.
func ownBrand(s *stage, node int) ident.Brand {
	b, err := s.d.CreateBrand(context.Background(), s.founder, directory.NewBrand{Partner: nodeNo(node), Name: "X", Domain: "x.example"})
	if err != nil {
		panic(err)
	}
	return b.ID
}

func colorer(s *stage, id ident.Brand, color string) does {
	return func(ctx context.Context) error {
		_, err := s.d.EditBrand(ctx, s.founder, id, directory.BrandEdit{Color: &color})
		return err
	}
}

func restorer(s *stage, node int) does {
	return func(ctx context.Context) error { _, err := s.d.Restore(ctx, s.founder, nodeNo(node)); return err }
}

func purger(s *stage) does {
	return func(ctx context.Context) error { _, err := s.d.Purge(ctx, time.Hour); return err }
}

// settler settles a change as the state machine does: before it retires it, all reads end that were under way when it was written
// into the last node. That is what the grace is for.
func settler(s *stage, id ident.Job) does {
	return func(ctx context.Context) error {
		for r := (directory.SettleResult{}); !r.Done; {
			var err error
			if r, err = s.d.Settle(ctx, id, r.Resume, time.Hour); err != nil {
				return err
			}
		}
		me, under := acting(ctx), map[*actor]int{}
		for _, a := range s.cast {
			if a != me && a.reading {
				under[a] = a.reads
				fmt.Fprintf(&me.given, "waits for %s;", a.name)
			}
		}
		me.waits = func() bool {
			for a, read := range under {
				if a.reading && a.reads == read {
					return true
				}
			}
			return false
		}
		yield(ctx, 1)
		me.waits = nil
		return s.d.Retire(ctx, id)
	}
}

// deleter deletes a brand.
func deleter(s *stage, id ident.Brand) does {
	return func(ctx context.Context) error { return s.d.DeleteBrand(ctx, s.founder, id) }
}

// client makes an API client with a role.
func client(s *stage, at ident.Node, role access.Role) (directory.Caller, error) {
	c, err := s.d.CreateClient(context.Background(), s.founder, directory.NewClient{Node: at, Name: "C", Role: role})
	return directory.Caller{Principal: c.ID, Key: c.SecretID}, err
}

// invitationIn is the invitation that an event tells the end of.
func invitationIn(e event.Event) ident.Invitation {
	if p, ok := e.Data.(event.InvitationAcceptedData); ok {
		return p.InvitationID
	}
	return e.Data.(event.InvitationRevokedData).InvitationID
}

// clientsOf are the clients that the events tell of.
func clientsOf(s *stage) (all []directory.Caller) {
	for _, e := range s.Events() {
		if p, ok := e.Data.(event.ClientCreatedData); ok {
			all = append(all, directory.Caller{Principal: p.ClientID, Key: p.SecretID})
		}
	}
	return all
}

func trashed(node int) func(*stage) error {
	return func(s *stage) error {
		done, err := s.d.Trash(context.Background(), s.founder, nodeNo(node))
		if err == nil {
			err = settled(context.Background(), s.d, done.Job)
		}
		return err
	}
}

func two(a, b func(s *stage) does) func(*stage) []does {
	return func(s *stage) []does { return []does{a(s), b(s)} }
}

func on[A any](f func(*stage, A) does, a A) func(*stage) does {
	return func(s *stage) does { return f(s, a) }
}

func on2[A, B any](f func(*stage, A, B) does, a A, b B) func(*stage) does {
	return func(s *stage) does { return f(s, a, b) }
}

// duels are what can happen at the same time, by what it shows.
var duels = map[string]duel{
	"two moves make no circle":              {tree: chain, begin: two(on2(mover, 1, 4), on2(mover, 4, 2))},
	"a move, and a child below the moved":   {tree: chain, begin: two(on2(mover, 1, 4), on(creator, 3))},
	"a move, and a child right below":       {tree: chain, begin: two(on2(mover, 2, 4), on(creator, 2))},
	"a move, and a child of the new parent": {tree: chain, begin: two(on2(mover, 2, 4), on(creator, 4))},
	"a move, and the new parent is moved":   {tree: chain, begin: two(on2(mover, 3, 4), on2(mover, 4, 1))},
	"trash, and a child below":              {tree: chain, begin: two(on(trasher, 2), on(creator, 2))},
	"trash, and a brand":                    {tree: chain, begin: two(on(trasher, 2), on2(brander, 2, "x.example"))},
	"trash, and a rename":                   {tree: chain, begin: two(on(trasher, 2), on2(renamer, 2, hierarchy.Name("z")))},
	"a move, and a rename":                  {tree: chain, begin: two(on2(mover, 2, 4), on2(renamer, 2, hierarchy.Name("z")))},
	"two renames": {
		tree: chain, begin: two(on2(renamer, 2, hierarchy.Name("y")), on2(renamer, 2, hierarchy.Name("z"))),
	},
	"two edits of a brand": {
		tree: twig,
		begin: func(s *stage) []does {
			id := ownBrand(s, 1)
			return []does{colorer(s, id, "#000001"), colorer(s, id, "#000002")}
		},
	},
	"trash, and an edit of a brand": {
		tree:  chain,
		begin: func(s *stage) []does { return []does{trasher(s, 2), colorer(s, ownBrand(s, 2), "#000001")} },
	},
	"two brands with one domain": {tree: chain, begin: two(on2(brander, 1, "x.example"), on2(brander, 2, "x.example"))},
	"the last brand that there is room for": {
		tree: chain,
		before: func(s *stage) error {
			for i := range hierarchy.MaxBrands - 1 {
				if err := brander(s, 1, fmt.Sprintf("b%d.example", i))(context.Background()); err != nil {
					return err
				}
			}
			return nil
		},
		begin: two(on2(brander, 1, "x.example"), on2(brander, 1, "y.example")),
	},
	"a brand is taken away, and comes into use": {
		tree: chain,
		begin: func(s *stage) []does {
			none := []ident.Brand{}
			return []does{creator(s, 3), func(ctx context.Context) error {
				_, err := s.d.EditPartner(ctx, s.founder, nodeNo(3), directory.PartnerPatch{Available: &none})
				return err
			}}
		},
	},
	"a brand is deleted, and comes into use": {
		tree: chain,
		begin: func(s *stage) []does {
			id := ownBrand(s, 2)
			return []does{deleter(s, id), func(ctx context.Context) error {
				_, err := s.d.CreateCustomer(ctx, s.founder, directory.NewCustomer{Partner: nodeNo(2), Name: "new", Details: hierarchy.Details{Brand: id}})
				return err
			}}
		},
	},
	"a brand is deleted, and becomes the portal brand": {
		tree: chain,
		begin: func(s *stage) []does {
			id := ownBrand(s, 2)
			return []does{deleter(s, id), func(ctx context.Context) error {
				_, err := s.d.EditPartner(ctx, s.founder, nodeNo(2), directory.PartnerPatch{Portal: &id})
				return err
			}}
		},
	},
	"two requests to move one node": {
		tree: chain,
		begin: func(s *stage) []does {
			ask := func(to int) does {
				return func(ctx context.Context) error {
					_, err := s.d.AskMove(ctx, s.founder, nodeNo(3), nodeNo(to), "")
					return err
				}
			}
			return []does{ask(1), ask(4)}
		},
	},
	"a request, and the same again": {
		tree: chain,
		begin: func(s *stage) []does {
			c := s.founder
			c.RequestID, c.Repeat = "once", &directory.Repeat{Key: "k", Fingerprint: []byte("f")}
			do := func(ctx context.Context) error {
				_, err := s.d.CreatePartner(ctx, c, directory.NewPartner{Parent: nodeNo(4), Name: "new", Portal: s.brand,
					Available: []ident.Brand{s.brand}, CanProvision: true})
				return err
			}
			return []does{do, do}
		},
	},
	"two grants": {
		tree:       chain,
		principals: true,
		before:     func(s *stage) error { _, err := client(s, nodeNo(4), access.Viewer); return err },
		begin: func(s *stage) []does {
			grant := func(node int) does {
				return func(ctx context.Context) error {
					_, err := s.d.GrantRole(ctx, s.founder, clientsOf(s)[0].Principal, nodeNo(node), access.Viewer)
					return err
				}
			}
			return []does{grant(1), grant(2)}
		},
	},
	"two owners take each other's role": {
		tree:       chain,
		principals: true,
		before: func(s *stage) error {
			_, err := client(s, s.root, access.Owner)
			return err
		},
		begin: func(s *stage) []does {
			take := func(by, from directory.Caller) does {
				return func(ctx context.Context) error { return s.d.RemoveGrant(ctx, by, from.Principal, s.root) }
			}
			other := clientsOf(s)[0]
			return []does{take(s.founder, other), take(other, s.founder)}
		},
	},
	"two owners revoke each other": {
		tree:       chain,
		principals: true,
		before: func(s *stage) error {
			_, err := client(s, s.root, access.Owner)
			return err
		},
		begin: func(s *stage) []does {
			revoke := func(by, whom directory.Caller) does {
				return func(ctx context.Context) error { return s.d.RevokeClient(ctx, by, whom.Principal) }
			}
			other := clientsOf(s)[0]
			return []does{revoke(s.founder, other), revoke(other, s.founder)}
		},
	},
	"a purge of a leaf, and a restore": {
		tree:   chain,
		before: func(s *stage) error { err := trashed(4)(s); s.later = hierarchy.KeepTrash + time.Hour; return err },
		begin:  two(purger, on(restorer, 4)), // nothing is measured for it, which would come to too many states
	},
	"a purge of a branch, and a restore": {
		tree:   chain,
		before: func(s *stage) error { err := trashed(2)(s); s.later = hierarchy.KeepTrash + time.Hour; return err },
		begin:  two(purger, on(restorer, 2)),
	},
}

// settling is a change above that is being settled, while something happens below it.
func settling(above func(*stage) does, before func(*stage) error, below func(*stage) does) duel {
	return duel{
		tree: twig,
		before: func(s *stage) error {
			if before != nil {
				if err := before(s); err != nil {
					return err
				}
			}
			return above(s)(context.Background())
		},
		begin: func(s *stage) []does {
			ids := jobsIn(s.Fake)
			return []does{settler(s, ids[len(ids)-1]), below(s)}
		},
	}
}

func suspender(s *stage, node int) does {
	return func(ctx context.Context) error { _, err := s.d.Suspend(ctx, s.founder, nodeNo(node), "x"); return err }
}

func resumer(s *stage, node int) does {
	return func(ctx context.Context) error { _, err := s.d.Resume(ctx, s.founder, nodeNo(node)); return err }
}

// settlings are duels with a settler.
var settlings = map[string]duel{
	"a restore below a suspension": settling(on(suspender, 1), trashed(2), on(restorer, 2)),
	"a restore below a move":       settling(on2(mover, 1, 3), trashed(2), on(restorer, 2)),
	"a restore below a restore": settling(on(restorer, 1), func(s *stage) error {
		return errors.Join(trashed(2)(s), trashed(1)(s))
	}, on(restorer, 2)),
	"trash below a move":                settling(on2(mover, 1, 3), nil, on(trasher, 2)),
	"a move out of a move":              settling(on2(mover, 1, 3), nil, on2(mover, 2, 0)),
	"a move out of a suspension":        settling(on(suspender, 1), nil, on2(mover, 2, 3)),
	"a child below a move":              settling(on2(mover, 1, 3), nil, on(creator, 2)),
	"a child right below a move":        settling(on2(mover, 1, 3), nil, on(creator, 1)),
	"a rename below a move":             settling(on2(mover, 1, 3), nil, on2(renamer, 2, hierarchy.Name("z"))),
	"a resumption while it is settled":  settling(on(suspender, 1), nil, on(resumer, 1)),
	"a restore while the trash settles": settling(on(trasher, 1), nil, on(restorer, 1)),
	"settled twice at a time": {
		tree:   []int{0, 0}, // two that walk further come to too many states
		before: func(s *stage) error { return mover(s, 1, 2)(context.Background()) },
		begin: func(s *stage) []does {
			id := jobsIn(s.Fake)[0]
			return []does{settler(s, id), settler(s, id)}
		},
	},
	"moved twice, and both are settled": {
		tree: twig,
		before: func(s *stage) error {
			return errors.Join(mover(s, 2, 3)(context.Background()), mover(s, 2, 0)(context.Background()))
		},
		begin: func(s *stage) []does {
			ids := jobsIn(s.Fake)
			return []does{settler(s, ids[0]), settler(s, ids[1])}
		},
	},
}

func measurer(s *stage, node int) does {
	return func(ctx context.Context) error { return s.d.Measure(ctx, nodeNo(node)) }
}

// tall makes nodes of a twig higher than they need to be.
func tall(s *stage) error {
	s.must(directory.RaiseHeight{Node: s.root, Height: 9, Else: errEnded}, directory.RaiseHeight{Node: nodeNo(1), Height: 8, Else: errEnded})
	return nil
}

// measurings are duels with what measures how high nodes are.
var measurings = map[string]duel{
	"measured, and a child below":           {tree: twig, steady: true, begin: two(on(measurer, 1), on(creator, 2))},
	"measured high, and a child below":      {tree: twig, steady: true, before: tall, begin: two(on(measurer, 1), on(creator, 2))},
	"measured high, and a child":            {tree: twig, steady: true, before: tall, begin: two(on(measurer, 1), on(creator, 1))},
	"measured high, and moved in":           {tree: twig, steady: true, before: tall, begin: two(on(measurer, 1), on2(mover, 3, 2))},
	"measured, and a rename of the highest": {tree: []int{0, 1, 1, 3}, steady: true, begin: two(on(measurer, 1), on2(renamer, 3, hierarchy.Name("a")))},
	"measured, and moved":                   {tree: chain, steady: true, begin: two(on(measurer, 2), on2(mover, 1, 4))},
	"a child, and measuring begins again": {
		tree: twig, steady: true, before: tall,
		begin: func(s *stage) []does {
			return []does{measurer(s, 1), func(ctx context.Context) error {
				return errors.Join(creator(s, 2)(ctx), s.d.BeginMeasuring(ctx, nodeNo(1)))
			}}
		},
	},
}

// invitations are duels about them, and about the keyring.
var invitations = map[string]duel{
	"accept and revoke": {
		tree: twig,
		before: func(s *stage) error {
			_, err := s.d.Invite(context.Background(), s.founder, directory.NewInvitation{Node: nodeNo(1), Email: "ann@example.com",
				Role: access.Viewer, Days: 7})
			return err
		},
		begin: func(s *stage) []does {
			page, err := directory.ListAt(context.Background(), s.Fake, directory.InvitationsAt, nodeNo(1), "", 1)
			if err != nil {
				panic(err)
			}
			i := page.Items[0]
			token := link(s.d, i)
			return []does{
				func(ctx context.Context) error {
					_, err := s.d.AcceptInvitation(ctx, guest("ann", fixed), token, "")
					return err
				},
				func(ctx context.Context) error { _, err := s.d.RevokeInvitation(ctx, s.founder, i.ID); return err },
			}
		},
	},
	"two make the keyring": {
		tree: twig,
		begin: func(s *stage) []does {
			keep := func(ctx context.Context) error {
				made, err := s.d.Keyring(ctx)
				if err != nil {
					return err
				}
				if now, err := s.d.Keyring(ctx); err != nil || now[0] != made[0] {
					return errors.Join(err, errors.New("the key that somebody was given is not the one that there is"))
				}
				return nil
			}
			return []does{keep, keep}
		},
	},
}

func TestDuelsComeToAGoodEndInEveryOrder(t *testing.T) {
	for name, d := range merged(duels, settlings, measurings, invitations) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := d.fight(""); err != nil {
				t.Error(err)
			}
		})
	}
}

func merged(all ...map[string]duel) map[string]duel {
	m := map[string]duel{}
	for _, some := range all {
		maps.Copy(m, some)
	}
	return m
}

// shownBy are the duels that go wrong without a condition.
var shownBy = map[string]string{
	"CheckParent.AsOf":       "a child below a move",
	"CheckParent.Draw":       "a brand is taken away, and comes into use",
	"EditNode.Version":       "two renames",
	"EditNode.Unused":        "a brand is taken away, and comes into use",
	"Put.New domain":         "two brands with one domain",
	"OwnBrand.Room":          "the last brand that there is room for",
	"DisownBrand.Unused":     "a brand is deleted, and comes into use",
	"EditNode.Portal":        "a brand is deleted, and becomes the portal brand",
	"DisownBrand.NoPortal":   "a brand is deleted, and becomes the portal brand",
	"Put.Version brand":      "two edits of a brand",
	"Put.Version principal":  "two grants",
	"CheckGrant.Role":        "two owners take each other's role",
	"Put.Expired memo":       "a request, and the same again",
	"PlaceNode.Version":      "a move, and a rename",
	"PlaceNode.Height":       "a move, and a child below the moved",
	"Put.Expired open-move":  "two requests to move one node",
	"MeasureHeight.Levels":   "measured, and a child below",
	"LowerHeight.AsOf":       "a child, and measuring begins again",
	"NextSeq.Seq":            "measured, and moved",
	"AddChange.Seq":          "two moves make no circle",
	"CheckSeq.Seq":           "a move, and a child below the moved",
	"Rewrite.AsOf":           "a restore below a move",
	"Put.Version job":        "settled twice at a time",
	"Put.Version invitation": "accept and revoke",
	"Put.New keyring":        "two make the keyring",
}

// unmet are conditions for what no operation comes to, like an id that is drawn twice, or what another condition of the same
// transaction holds as well: whatever changes a parent changes the version. That they are there is shown at the store: step has to be
// refused, after what before did.
var unmet = map[string]struct{ before, step func(s *stage) directory.Step }{
	"AddNode.New": {step: func(s *stage) directory.Step { return directory.AddNode{Node: *s.now(nodeNo(2))} }},
	"Put.New principal": {step: func(s *stage) directory.Step {
		return directory.Put{Now: &access.Principal{ID: s.founder.Principal}, Else: errEnded}
	}},
	"OwnBrand.AsOf": {step: func(s *stage) directory.Step {
		owner := s.now(nodeNo(4))
		owner.AsOf--
		return directory.OwnBrand{Brand: "brd_0000000000000001", Owner: owner, Else: always}
	}},
	"DisownBrand.Owned": {step: func(s *stage) directory.Step {
		return directory.DisownBrand{Brand: "brd_0000000000000001", Owner: nodeNo(4), Else: always}
	}},
	"AddEvent.New":         {before: anEvent, step: anEvent},
	"Remove.Version brand": {before: aBrand(1), step: func(s *stage) directory.Step { return directory.Remove{Was: theBrand(2), Else: errEnded} }},
	"Put.New move-request": {before: aRequest(1), step: aRequest(1)},
	"Put.Version move-request": {before: aRequest(1), step: func(s *stage) directory.Step {
		return directory.Put{Was: theRequest(2), Now: theRequest(3), Else: errEnded}
	}},
	"Count.Room":  {before: aCount(2), step: aCount(1)},
	"AddTree.New": {step: func(s *stage) directory.Step { return directory.AddTree{Root: s.root, Else: errEnded} }},
	"RaiseHeight.Exists": {step: func(s *stage) directory.Step {
		return directory.RaiseHeight{Node: nodeNo(9), Height: 1, Else: errEnded}
	}},
	"MeasureHeight.AsOf": {step: func(s *stage) directory.Step {
		was := s.now(nodeNo(4))
		was.AsOf--
		return directory.MeasureHeight{Was: was, Place: was.Place, AsOf: 1, Else: errEnded}
	}},
	"CheckParent.Drop": {step: func(s *stage) directory.Step {
		return directory.CheckParent{Parent: s.now(nodeNo(4)), Drop: []ident.Brand{s.brand}, Else: always}
	}},
	"EditNode.Parent": {step: func(s *stage) directory.Step {
		was, now := s.now(nodeNo(4)), s.now(nodeNo(4))
		was.Parent = nodeNo(1)
		return directory.EditNode{Was: was, Now: now, Else: always}
	}},
	"PlaceNode.AsOf":   {step: placeAfter(func(was *hierarchy.Node) { was.AsOf-- })},
	"PlaceNode.Parent": {step: placeAfter(func(was *hierarchy.Node) { was.Parent = nodeNo(1) })},
	"RemoveNode.Version": {step: func(s *stage) directory.Step {
		was := s.now(nodeNo(4))
		was.Version--
		return directory.RemoveNode{Was: was, Else: errEnded}
	}},
	"RemoveNode.AsOf": {step: func(s *stage) directory.Step {
		was := s.now(nodeNo(4))
		was.AsOf--
		return directory.RemoveNode{Was: was, Else: errEnded}
	}},
	"CheckGrant.Live": {
		before: func(s *stage) directory.Step {
			was := s.principal()
			now := *was
			now.Revoked = fixed
			return directory.Put{Was: was, Now: &now, Else: errEnded}
		},
		step: func(s *stage) directory.Step {
			return directory.CheckGrant{Principal: s.founder.Principal, Node: s.root, Role: access.Owner, Else: errEnded}
		},
	},
}

func always(*hierarchy.Node) error { return errEnded }

func placeAfter(differs func(was *hierarchy.Node)) func(s *stage) directory.Step {
	return func(s *stage) directory.Step {
		was, now := s.now(nodeNo(4)), s.now(nodeNo(4))
		differs(was)
		return directory.PlaceNode{Was: was, Now: now, Else: always}
	}
}

func (s *stage) principal() *access.Principal {
	got, err := s.Fake.Read(context.Background(), directory.Want{Records: access.Principals.Refs(s.founder.Principal)})
	if err != nil {
		panic(err)
	}
	return access.Principals.In(got.Records, s.founder.Principal)
}

func theBrand(version int64) *brand.Brand {
	return &brand.Brand{ID: "brd_0000000000000001", Version: version}
}

func aBrand(version int64) func(*stage) directory.Step {
	return func(*stage) directory.Step { return directory.Put{Now: theBrand(version), Else: errEnded} }
}

func anEvent(s *stage) directory.Step {
	e := event.Event{ID: "evt_0000000000000001", Node: s.root, Path: hierarchy.Path("").Child(s.root), Time: fixed}
	return directory.AddEvent{Event: e}
}

func theRequest(version int64) *directory.MoveRequest {
	return &directory.MoveRequest{ID: "mrq_0000000000000001", Node: nodeNo(4), To: nodeNo(2), State: directory.RequestOpen, Created: fixed,
		Ends: fixed.Add(time.Hour), Version: version}
}

func aRequest(version int64) func(*stage) directory.Step {
	return func(*stage) directory.Step { return directory.Put{Now: theRequest(version), Else: errEnded} }
}

func aCount(most int) func(*stage) directory.Step {
	return func(*stage) directory.Step { return directory.Count{Key: "k", At: fixed, Most: most, Else: errEnded} }
}

func (s *stage) must(steps ...directory.Step) {
	if err := s.Fake.Commit(context.Background(), steps...); err != nil {
		panic(err)
	}
}

// refused tells whether what has to be refused is refused without the condition, "" with all of them.
func refused(condition, ignore string) bool {
	u, s := unmet[condition], planted(chain)
	if u.before != nil {
		s.must(u.before(s))
	}
	step := u.step(s)
	s.Ignore = ignore
	return s.Fake.Commit(context.Background(), step) != nil
}

// TestEveryConditionIsNeeded takes the conditions of all transactions out one at a time. Something goes wrong without each.
func TestEveryConditionIsNeeded(t *testing.T) {
	all := merged(duels, settlings, measurings, invitations)
	conditions := slices.Concat(slices.Collect(maps.Keys(shownBy)), slices.Collect(maps.Keys(unmet)))
	for _, condition := range directorytest.Conditions() {
		if !slices.ContainsFunc(conditions, func(c string) bool { return c == condition || strings.HasPrefix(c, condition+" ") }) {
			t.Errorf("nothing shows what %s is for", condition)
		}
	}
	for _, condition := range conditions {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			name, shown := shownBy[condition]
			_, at := unmet[condition]
			switch {
			case shown == at:
				t.Error("two things show what it is for")
			case at && !refused(condition, ""):
				t.Error("not refused with it")
			case at && refused(condition, condition):
				t.Error("refused without it")
			case shown:
				err := all[name].fight(condition)
				if err == nil {
					t.Errorf("not caught by: %s", name)
				}
				t.Logf("%s: %.200s", name, err)
			}
		})
	}
}

// drawn are conditions that hold because an id is drawn from too many to be drawn twice: nothing goes wrong without them.
var drawn = []string{"Put.New brand", "Put.New invitation", "Put.New job"}

// What TestEveryConditionIsNeeded shows for one kind of records says nothing of another one. Of counts there is one kind.
func TestEveryConditionOfARecordIsShownForItsKind(t *testing.T) {
	met, good := map[string]bool{}, func(*stage) error { return nil }
	see := func(c directorytest.Call) error {
		for _, condition := range directorytest.ConditionsOf(c.Steps...) {
			met[condition] = true
		}
		return nil
	}
	for _, d := range merged(duels, settlings, measurings, invitations) {
		if _, _, err := everyState(5, func() *stage { return d.set("", see) }, good, good); err != nil {
			t.Error(err)
		}
	}
	for condition := range met {
		_, at := unmet[condition]
		if !at && shownBy[condition] == "" && !slices.Contains(drawn, condition) && !strings.HasPrefix(condition, "Count.Room ") {
			t.Errorf("nothing shows what %s is for", condition)
		}
	}
	for _, condition := range drawn {
		if !met[condition] {
			t.Errorf("%s is not met any more: take it off the list", condition)
		}
	}
}

// behind is a store with a subtree index that has everything as it was once. One that is believed is asked instead of the table for
// what it proposes.
type behind struct {
	directory.Store
	was      map[ident.Node]*hierarchy.Node
	top      ident.Node
	believed bool
}

func (b *behind) Below(_ context.Context, under hierarchy.Path, kind hierarchy.Kind, trash bool, _ string, _ int) (
	directory.Page[ident.Node], error) {
	page := directory.Page[ident.Node]{Items: []ident.Node{}}
	for id, n := range b.was {
		if n.Place.Path.Has(under) && n.Place.Path != under && trash != n.Trashed.IsZero() && (kind == "" || kind == n.Kind()) {
			page.Items = append(page.Items, id)
		}
	}
	return page, nil
}

func (b *behind) Read(ctx context.Context, w directory.Want) (directory.Got, error) {
	got, err := b.Store.Read(ctx, w)
	for _, id := range w.Nodes {
		if n := b.was[id]; b.believed && n != nil && id != b.top {
			got.Nodes[id] = n
		}
	}
	return got, err
}

// listedBehind lists what is below two nodes by an index that is behind, after a move, a trash, a restore and a purge, and says what is
// wrong in the lists.
func listedBehind(t *testing.T, believed bool) error {
	w, ctx := newBranch(t), t.Context()
	if err := w.inTrash(w.all[6]); err != nil {
		t.Fatal(err)
	}
	was := w.peek(w.all).Nodes
	w.later = hierarchy.KeepTrash + time.Hour
	_, err := w.stage.d.Purge(ctx, time.Hour)
	if err == nil {
		err = w.inTrash(w.all[7])
	}
	var moved directory.Changed
	if err == nil {
		moved, err = w.stage.d.Move(ctx, w.founder, w.leaf, w.d)
	}
	if err == nil {
		err = settled(ctx, w.stage.d, moved.Job)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, trash := range []bool{false, true} {
		d := directory.New(&behind{w.Fake, was, w.c, believed}, func() time.Time { return clocktest.Now().Add(w.later) })
		var found []ident.Node
		if trash {
			list, err := d.TrashList(ctx, w.founder, w.c, "", directory.Paging{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list.Items {
				found = append(found, n.ID)
			}
		} else {
			list, err := d.Descendants(ctx, w.founder, w.c, "", directory.Paging{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list.Items {
				found = append(found, n.ID)
			}
		}
		want := map[bool][]ident.Node{false: w.all[8:]}[trash] // what was put into the trash since is not proposed as such yet
		slices.Sort(found)
		if want = slices.Sorted(slices.Values(want)); !slices.Equal(found, want) {
			return fmt.Errorf("below %s (trash: %v): %v; want %v", w.c, trash, found, want)
		}
	}
	return nil
}

func TestAnIndexThatIsBehindIsNotBelieved(t *testing.T) {
	if err := listedBehind(t, false); err != nil {
		t.Error(err)
	}
	if listedBehind(t, true) == nil {
		t.Error("an index that is believed is not caught")
	}
}
