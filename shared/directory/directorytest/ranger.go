package directorytest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/word"
)

// ranger goes through a forest and through a directory at the same time.
type ranger struct {
	*forest
	t       *rapid.T
	ctx     context.Context
	store   *observed
	d       *directory.Directory
	now     time.Time
	owner   directory.Caller
	brand   ident.Brand
	walks   []*settling
	purged  []*remains
	readers []*reader
}

// settling is how far a change is.
type settling struct {
	id     ident.Job
	resume string
	done   bool
	purge  *remains // what it erases
}

// reader follows the feed of a node.
type reader struct {
	node   ident.Node
	cursor string
	seen   []event.Event
}

// Subtrees does random operations on subtrees of a directory in the store, as random callers, with settling and erasing a step at a
// time, a clock that runs, and crashes everywhere. It compares after each what every caller may do at every node, and what is
// listed, with plain maps. The store is empty; stale has its subtree index replaced by one that is behind. step is told of each.
func Subtrees(t *rapid.T, store directory.Store, stale bool, step func()) {
	r := &ranger{t: t, ctx: context.Background(), store: &observed{Store: store, stale: stale}}
	r.now = clocktest.Now().UTC().Truncate(time.Microsecond)
	r.d = directory.New(r.store, func() time.Time { return r.now })
	root, founder, _, err := r.d.CreateRoot(r.ctx, "Root", "Founder")
	r.must(err)
	r.forest = &forest{
		ids: []ident.Node{root.ID}, parent: map[ident.Node]ident.Node{root.ID: ""}, name: map[ident.Node]hierarchy.Name{root.ID: "Root"},
		height: map[ident.Node]int{}, suspended: map[ident.Node]bool{}, forbidden: map[ident.Node]bool{}, trashed: map[ident.Node]time.Time{},
		clients: []ident.Principal{founder.ID}, grants: map[ident.Principal]map[ident.Node]access.Role{founder.ID: founder.Grants},
		callers: map[ident.Principal]directory.Caller{founder.ID: {Principal: founder.ID, Key: founder.Secrets[0].ID}},
		home:    map[ident.Principal]ident.Node{founder.ID: root.ID}, domains: map[string]ident.Node{}, logs: map[ident.Node][]event.Event{},
		brands: map[string]ident.Brand{}, looks: map[string]hierarchy.Name{},
	}
	r.owner = r.callers[founder.ID]
	brand, err := r.d.CreateBrand(r.ctx, r.owner,
		directory.NewBrand{Partner: root.ID, Name: "B", Domain: "b.example", Regions: []string{"eu-west-1"}})
	r.must(err)
	r.brand = brand.ID
	for _, e := range r.store.events {
		r.happened(e, nil, r.path(root.ID))
	}
	r.readers = []*reader{{node: root.ID}}
	nth := 0
	actions := r.actions()
	for range 8 {
		actions["create partner"](t)
	}
	actions[""] = func(t *rapid.T) {
		r.t = t
		step()
		r.agree()
		r.branded()
		switch nth++; nth % 6 { // lists are dear
		case 0:
			r.lists()
		case 3:
			r.logged()
		}
	}
	t.Repeat(actions)
	r.t = t
	r.end()
}

func (r *ranger) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *ranger) node(partners bool) ident.Node {
	some := r.ids
	if partners {
		some = slices.DeleteFunc(slices.Clone(some), func(id ident.Node) bool { return hierarchy.KindOf(id) != hierarchy.Partner })
	}
	return rapid.SampledFrom(some).Draw(r.t, "node")
}

func (r *ranger) caller() directory.Caller {
	return r.callers[rapid.SampledFrom(r.clients).Draw(r.t, "caller")]
}

// managed is a client whose home is there, and not the owner.
func (r *ranger) managed() ident.Principal {
	some := slices.DeleteFunc(slices.Clone(r.clients[1:]), func(c ident.Principal) bool { return !slices.Contains(r.ids, r.home[c]) })
	if len(some) == 0 {
		r.t.Skip("nobody")
	}
	return rapid.SampledFrom(some).Draw(r.t, "client")
}

func (r *ranger) anyReader() *reader {
	return r.readers[rapid.IntRange(0, len(r.readers)-1).Draw(r.t, "reader")]
}

var rangerNames = []hierarchy.Name{"a", "á", "b", "a b", "ab", "Zé", "Ab zen", "日本 ab", "Zeb zén"}

func (r *ranger) someName() hierarchy.Name { return rapid.SampledFrom(rangerNames).Draw(r.t, "name") }

func (r *ranger) role() access.Role {
	return rapid.SampledFrom([]access.Role{access.Viewer, access.Operator, access.Admin, access.Owner}).Draw(r.t, "role")
}

// crashing does something with a call of the store that fails, perhaps, and reports whether one did.
func (r *ranger) crashing(often []int, do func()) bool {
	nth := rapid.SampledFrom(often).Draw(r.t, "crash")
	r.store.crash(nth, rapid.Bool().Draw(r.t, "applied"))
	do()
	return r.store.crashed(nth)
}

var (
	seldom = []int{-1, -1, -1, -1, -1, 0, 1, 2, 3, 4}
	often  = []int{-1, -1, -1, 0, 1, 2, 3}
)

// try does one operation at a node, or what makes one, perhaps with a crash, and perhaps with a commit that comes late. apply is
// what it does to the forest when it happened; refusal and noop are why it may not happen.
func (r *ranger) try(what string, refusal *fault.Type, noop bool, do func() error, apply func(event.Event)) {
	begins, tree := len(r.store.events), r.store.flying
	if rapid.IntRange(0, 3).Draw(r.t, "late") == 0 {
		r.store.late = func() {
			r.store.late = nil
			r.now = r.now.Add(directory.FeedDelay - time.Second)
			r.store.aside(func() { r.feed(r.anyReader(), false) })
		}
	}
	var err error
	crashed := r.crashing(seldom, func() { err = do() })
	r.store.late = nil
	events := r.store.events[begins:]
	switch {
	case len(events) > 1:
		r.t.Fatalf("%s: %d events", what, len(events))
	case len(events) == 1 && (refusal != nil || noop):
		r.t.Fatalf("%s: it happened and must not have", what)
	case len(events) == 1:
		e := events[0]
		before := r.path(e.Node)
		apply(e)
		r.happened(e, before, r.path(e.Node))
		if id := e.Job(); id != "" {
			r.walks = append(r.walks, &settling{id: id})
		}
	case crashed && fault.Busy.Is(err):
	case fault.TooManyChanges.Is(err) && tree >= hierarchy.MaxChanges:
	case refusal != nil && !refusal.Is(err):
		r.t.Fatalf("%s: %v; want %s", what, err, refusal.Slug)
	case refusal == nil && err != nil:
		r.t.Fatalf("%s: %v", what, err)
	case refusal == nil && !noop:
		r.t.Fatalf("%s: nothing happened", what)
	}
}

// created is a node that was added below parent.
func (r *ranger) created(parent ident.Node) func(event.Event) {
	return func(e event.Event) {
		r.parent[e.Node], r.name[e.Node] = parent, hierarchy.Name(fields(e)["name"].(string))
		r.raise(parent, 1)
		r.ids = append(r.ids, e.Node)
		if len(r.readers) < 4 && hierarchy.KindOf(e.Node) == hierarchy.Partner {
			r.readers = append(r.readers, &reader{node: e.Node})
		}
	}
}

// unless is the refusals of what is done at n, of which those of its state do not count when there is nothing to do.
func unless(noop bool, allowed, state *fault.Type) *fault.Type {
	if noop {
		return allowed
	}
	return first(allowed, state)
}

const (
	most    = 18 // nodes
	clients = 5
)

// brandDomains are those of brands that come and go.
var brandDomains = []string{"x.example", "y.example"}

func (r *ranger) actions() map[string]func(*rapid.T) {
	all := map[string]func(){
		"create partner": func() {
			c, parent, n := r.caller(), r.node(true), r.someName()
			can := rapid.IntRange(0, 3).Draw(r.t, "forbidden") > 0
			if len(r.ids) > most {
				r.t.Skip("enough nodes")
			}
			refusal := first(r.allowed(c.Principal, parent, access.Admin, false), r.live(parent))
			if refusal == nil && len(r.path(parent)) >= hierarchy.MaxDepth {
				refusal = fault.DepthLimit
			}
			r.try("create partner", refusal, false, func() error {
				_, err := r.d.CreatePartner(r.ctx, c, directory.NewPartner{Parent: parent, Name: n, Portal: r.brand,
					Available: []ident.Brand{r.brand}, CanProvision: can})
				return err
			}, func(e event.Event) {
				r.created(parent)(e)
				r.forbidden[e.Node] = !can
			})
		},
		"create customer": func() {
			if rapid.Bool().Draw(r.t, "none") {
				r.t.Skip("partners say more")
			}
			c, parent, n := r.caller(), r.node(true), r.someName()
			if len(r.ids) > most {
				r.t.Skip("enough nodes")
			}
			r.try("create customer", first(r.allowed(c.Principal, parent, access.Operator, false), r.live(parent)), false, func() error {
				_, err := r.d.CreateCustomer(r.ctx, c, directory.NewCustomer{Partner: parent, Name: n, Details: hierarchy.Details{Brand: r.brand}})
				return err
			}, r.created(parent))
		},
		"rename": func() {
			c, id, n := r.caller(), r.node(false), r.someName()
			needs, noop := access.Admin, r.name[id] == n
			if hierarchy.KindOf(id) == hierarchy.Customer {
				needs = access.Operator
			}
			r.try("rename", unless(noop, r.allowed(c.Principal, id, needs, false), r.live(id)), noop, func() (err error) {
				if needs == access.Operator {
					_, err = r.d.EditCustomer(r.ctx, c, id, directory.CustomerPatch{Name: &n})
				} else {
					_, err = r.d.EditPartner(r.ctx, c, id, directory.PartnerPatch{Name: &n})
				}
				return err
			}, func(event.Event) { r.name[id] = n })
		},
		"move": func() {
			c, id, to := r.caller(), r.node(false), r.node(true)
			r.try("move", r.moves(c.Principal, id, to), r.parent[id] == to, func() error {
				_, err := r.d.Move(r.ctx, c, id, to)
				return err
			}, func(event.Event) {
				r.parent[id] = to
				r.raise(to, r.height[id]+1)
			})
		},
		"suspend": func() {
			c, id := r.caller(), r.node(false)
			noop := r.suspended[id]
			r.try("suspend", unless(noop, r.allowed(c.Principal, id, access.Admin, true), r.still(id)), noop, func() error {
				_, err := r.d.Suspend(r.ctx, c, id, "because")
				return err
			}, func(event.Event) { r.suspended[id] = true })
		},
		"resume": func() {
			c, id := r.caller(), r.node(false)
			noop := !r.suspended[id]
			r.try("resume", unless(noop, r.allowed(c.Principal, id, access.Admin, true), r.still(id)), noop, func() error {
				_, err := r.d.Resume(r.ctx, c, id)
				return err
			}, func(event.Event) { delete(r.suspended, id) })
		},
		"can provision": func() {
			c, id, can := r.caller(), r.node(true), rapid.IntRange(0, 3).Draw(r.t, "can") > 0
			noop := r.forbidden[id] == !can
			r.try("can provision", unless(noop, r.allowed(c.Principal, id, access.Admin, true), r.live(id)), noop, func() error {
				_, err := r.d.SetCanProvision(r.ctx, c, id, can)
				return err
			}, func(event.Event) { r.forbidden[id] = !can })
		},
		"trash": func() {
			c, id := r.caller(), r.node(rapid.Bool().Draw(r.t, "partner"))
			if len(r.path(id)) < 3 && rapid.IntRange(0, 3).Draw(r.t, "all of it") > 0 {
				r.t.Skip("not everything")
			}
			noop := r.inTrash(id)
			r.try("trash", unless(noop, r.allowed(c.Principal, id, access.Admin, true), r.still(r.parent[id])), noop, func() error {
				_, err := r.d.Trash(r.ctx, c, id)
				return err
			}, func(e event.Event) { r.trashed[id] = e.Time })
		},
		"restore": func() {
			c, id := r.caller(), r.node(false)
			in := slices.DeleteFunc(slices.Clone(r.ids), func(id ident.Node) bool { return !r.inTrash(id) })
			if len(in) > 0 && rapid.IntRange(0, 4).Draw(r.t, "there") == 0 {
				id = rapid.SampledFrom(in).Draw(r.t, "in the trash")
			}
			noop := !r.inTrash(id)
			r.try("restore", unless(noop, r.allowed(c.Principal, id, access.Admin, true), r.still(r.parent[id])), noop, func() error {
				_, err := r.d.Restore(r.ctx, c, id)
				return err
			}, func(event.Event) { delete(r.trashed, id) })
		},
		"create brand": func() {
			c, id, domain := r.caller(), r.node(true), rapid.SampledFrom(brandDomains).Draw(r.t, "domain")
			if owner := r.domains[domain]; owner != "" && !slices.Contains(r.ids, owner) {
				r.t.Skip("whether it is free already is not known")
			}
			refusal := first(r.allowed(c.Principal, id, access.Owner, false), r.live(id))
			if refusal == nil && r.domains[domain] != "" {
				refusal = fault.DomainTaken
			}
			r.try("create brand", refusal, false, func() error {
				_, err := r.d.CreateBrand(r.ctx, c, directory.NewBrand{Partner: id, Name: "X", Domain: domain, Regions: []string{"eu-west-1"}})
				return err
			}, func(e event.Event) {
				r.domains[domain], r.brands[domain], r.looks[domain] = id, e.Data.(event.BrandCreatedData).BrandID, "X"
			})
		},
		"edit brand": func() {
			c, domain, n := r.caller(), rapid.SampledFrom(brandDomains).Draw(r.t, "domain"), r.someName()
			id, logo, noop := r.domains[domain], []byte(n), r.looks[domain] == n
			if !slices.Contains(r.ids, id) {
				r.t.Skip("no brand")
			}
			r.try("edit brand", unless(noop, r.allowed(c.Principal, id, access.Owner, false), r.live(id)), noop, func() error {
				_, err := r.d.EditBrand(r.ctx, c, r.brands[domain], directory.BrandEdit{Name: &n, Logo: &logo})
				return err
			}, func(event.Event) { r.looks[domain] = n })
		},
		"create client": func() {
			id, role := r.node(false), r.role()
			if len(r.clients) >= clients {
				r.t.Skip("enough clients")
			}
			var made directory.ClientWithKey
			r.try("create client", r.still(id), false, func() (err error) {
				made, err = r.d.CreateClient(r.ctx, r.owner, directory.NewClient{Node: id, Name: "C", Role: role})
				return err
			}, func(e event.Event) {
				if made.ID == "" {
					return // nobody knows its key
				}
				r.clients = append(r.clients, made.ID)
				r.grants[made.ID], r.home[made.ID] = map[ident.Node]access.Role{id: role}, id
				r.callers[made.ID] = directory.Caller{Principal: made.ID, Key: made.SecretID}
			})
		},
		"grant": func() {
			id, role, to := r.node(false), r.role(), r.managed()
			noop := r.grants[to][id] == role
			r.try("grant", unless(noop, nil, r.still(id)), noop, func() error {
				_, err := r.d.GrantRole(r.ctx, r.owner, to, id, role)
				return err
			}, func(event.Event) { r.grants[to][id] = role })
		},
		"revoke": func() {
			from := r.managed()
			granted := slices.DeleteFunc(slices.Clone(r.ids), func(id ident.Node) bool { return r.grants[from][id] == access.None })
			if len(granted) == 0 {
				r.t.Skip("nothing")
			}
			id := rapid.SampledFrom(granted).Draw(r.t, "granted")
			r.try("revoke", nil, false, func() error { return r.d.RemoveGrant(r.ctx, r.owner, from, id) }, func(event.Event) {
				delete(r.grants[from], id)
			})
		},
		"time": func() {
			r.now = r.now.Add(rapid.SampledFrom([]time.Duration{
				time.Second, time.Second, directory.FeedDelay, directory.FeedDelay, 24 * time.Hour,
			}).Draw(r.t, "passes"))
		},
		"purge": r.purgeSome,
		"settle all of one": func() {
			if len(r.walks) == 0 {
				r.t.Skip("nothing to settle")
			}
			i := rapid.IntRange(0, len(r.walks)-1).Draw(r.t, "change")
			for w := r.walks[i]; i < len(r.walks) && r.walks[i] == w; {
				r.must(r.step(i))
			}
		},
		"settle":                     r.settleSome,
		"feed":                       func() { r.feed(r.anyReader(), false) },
		"search while it is settled": func() { r.searched(r.caller(), r.settleABit) },
		"list while it is settled": func() {
			top, trash := r.node(true), rapid.IntRange(0, 3).Draw(r.t, "trash") == 0
			if r.parent[top] == "" || r.suspendedAt(top) == r.ids[0] {
				r.t.Skip("below the root the order is another one")
			}
			r.listed(r.owner, top, trash, r.settleABit)
		},
	}
	all["settle more"], all["settle still more"], all["move more"] = all["settle"], all["settle"], all["move"]
	all["trash more"], all["purge more"] = all["trash"], all["purge"]
	actions := map[string]func(*rapid.T){}
	for name, do := range all {
		actions[name] = func(t *rapid.T) {
			r.t = t
			do()
		}
	}
	return actions
}

// step does one step of the settling of a change.
func (r *ranger) step(i int) error {
	w := r.walks[i]
	if w.done {
		err := r.d.Retire(r.ctx, w.id)
		if err == nil {
			r.walks = slices.Delete(r.walks, i, i+1)
		}
		return err
	}
	result, err := r.d.Settle(r.ctx, w.id, w.resume, 0)
	if err != nil {
		return err
	}
	if w.resume, w.done = result.Resume, result.Done; w.done && w.purge != nil {
		r.nothingLeft(w.purge)
	}
	return nil
}

// settleABit does some steps of the settling of changes.
func (r *ranger) settleABit() {
	for range rapid.IntRange(0, 3).Draw(r.t, "steps") {
		if len(r.walks) > 0 {
			r.must(r.step(rapid.IntRange(0, len(r.walks)-1).Draw(r.t, "change")))
		}
	}
}

func (r *ranger) settleSome() {
	if len(r.walks) == 0 {
		r.t.Skip("nothing to settle")
	}
	i := rapid.IntRange(0, len(r.walks)-1).Draw(r.t, "change")
	w := r.walks[i]
	var err error
	r.crashing(often, func() { err = r.step(i) })
	if err != nil && !fault.Busy.Is(err) {
		r.t.Fatalf("settle: %v", err)
	}
	if err != nil && rapid.Bool().Draw(r.t, "from the start") {
		w.resume = ""
	}
}

// purgeSome purges what is due, or some of it, perhaps with a crash.
func (r *ranger) purgeSome() {
	if rapid.IntRange(0, 3).Draw(r.t, "soon") > 0 {
		r.now = r.now.Add(hierarchy.KeepTrash)
	}
	r.sweep(rapid.SampledFrom([]time.Duration{0, time.Hour, time.Hour}).Draw(r.t, "budget"), often)
}

func (r *ranger) sweep(budget time.Duration, crashes []int) {
	got, err := r.store.Store.Read(r.ctx, directory.Want{})
	r.must(err)
	var swept directory.Swept
	begins := len(r.store.events)
	crashed := r.crashing(crashes, func() { swept, err = r.d.Purge(r.ctx, budget) })
	if err != nil && !(crashed && fault.Busy.Is(err)) {
		r.t.Fatalf("purge: %v", err)
	}
	until := r.now.Add(-hierarchy.KeepTrash)
	for _, e := range r.store.events[begins:] {
		since, trashed := r.trashed[e.Node]
		change := e.Job()
		branch := change != ""
		path := r.path(e.Node)
		switch {
		case !slices.Contains(r.ids, e.Node) || !trashed || !since.Before(until):
			r.t.Fatalf("%s was purged, and is in the trash since %s (%v); now is %s", e.Node, since, trashed, r.now)
		case !branch && slices.ContainsFunc(r.ids, func(id ident.Node) bool { return r.parent[id] == e.Node }):
			r.t.Fatalf("%s was purged like a leaf", e.Node)
		}
		left := r.purge(e.Node)
		left.walked = branch
		r.purged = append(r.purged, &left)
		if branch {
			r.walks = append(r.walks, &settling{id: change, purge: &left})
		}
		r.happened(e, path, path)
	}
	if err != nil || budget == 0 {
		return
	}
	for _, left := range r.purged {
		if !left.walked {
			r.nothingLeft(left)
		}
	}
	due, err := r.store.Store.PurgeQueue(r.ctx, until, 100)
	r.must(err)
	var behind time.Duration
	if len(due) > 0 {
		behind = until.Sub(due[0].Since)
	}
	if swept.Behind != behind {
		r.t.Fatalf("purge is %s behind; want %s: %v", swept.Behind, behind, due)
	}
	for id, since := range r.trashed {
		settled := !slices.ContainsFunc(got.Tree.Changes, func(c hierarchy.Change) bool {
			return c.Mark.Kind == hierarchy.Trashed && slices.Contains(r.path(id), c.Node)
		})
		if slices.Contains(r.ids, id) && since.Before(until) && settled && r.store.flying < 8 {
			r.t.Fatalf("%s is in the trash since %s and was not purged at %s", id, since, r.now)
		}
	}
}

// nothingLeft is for what was erased: nothing of it is kept any more, but in the logs of what it lay below.
func (r *ranger) nothingLeft(left *remains) {
	if left.erased {
		return
	}
	left.erased = true
	s := r.store.Store
	got, err := s.Read(r.ctx, directory.Want{Records: access.Principals.Refs(left.clients...)})
	r.must(err)
	for _, c := range left.clients {
		if p := access.Principals.In(got.Records, c); p.Revoked.IsZero() || len(p.Grants)+len(p.Secrets) > 0 {
			r.t.Fatalf("a client is left whose home is purged: %+v", p)
		}
		if _, err := r.d.Me(r.ctx, r.callers[c]); !fault.Unauthenticated.Is(err) {
			r.t.Fatalf("a client whose home is purged: %v", err)
		}
	}
	r.must(Gone(r.ctx, s, left.nodes...))
	terms := map[ident.Node][]word.Term{}
	for _, id := range left.nodes {
		for _, name := range rangerNames {
			terms[id] = append(terms[id], (&hierarchy.Node{ID: id, Name: name}).Terms()...)
		}
	}
	r.must(Found(r.ctx, s, terms))
	for _, domain := range left.domains {
		id := r.brands[domain]
		got, err := s.Read(r.ctx, directory.Want{Records: []record.Ref{brand.Brands.Ref(id), brand.Domains.Ref(domain), brand.Logos.Ref(id)}})
		if r.must(err); len(got.Records) > 0 {
			r.t.Fatalf("something is left of %s: %v", id, got.Records)
		}
		delete(r.domains, domain)
		delete(r.looks, domain)
	}
	for c, home := range r.home {
		if slices.Contains(left.nodes, home) {
			r.home[c] = r.ids[0]
		}
	}
}

// branded compares the brands that come and go, as those see them who have not signed in.
func (r *ranger) branded() {
	d := directory.New(r.store.Store, clocktest.Now)
	for _, domain := range brandDomains {
		owner, name := r.domains[domain], r.looks[domain]
		at, err := d.BrandAt(r.ctx, domain)
		r.must(err)
		if !slices.Contains(r.ids, owner) {
			if at != nil {
				r.t.Fatalf("the owner of %s is gone, and it is %+v", domain, at)
			}
			continue
		}
		if at == nil || at.ID != r.brands[domain] || at.Owner != owner || at.Name != name {
			r.t.Fatalf("%s is %+v; want the brand of %s by the name of %s", domain, at, owner, name)
		}
		logo, err := d.Logo(r.ctx, at.ID)
		if name == "X" && at.Logo == "" { // it was made and not edited yet
			if !fault.NotFound.Is(err) {
				r.t.Fatalf("%s has no logo: %q, %v", domain, logo, err)
			}
		} else if sum := sha256.Sum256(logo); string(logo) != string(name) || at.Logo != hex.EncodeToString(sum[:]) {
			r.t.Fatalf("%s has the logo %q of the hash %s, %v; want %q", domain, logo, at.Logo, err, name)
		}
	}
}

// Gone says what is left of nodes of which nothing is to be left but in the logs of what they lay below.
func Gone(ctx context.Context, s directory.Store, ids ...ident.Node) error {
	got, err := s.Read(ctx, directory.Want{Nodes: ids})
	if err != nil || len(got.Nodes) > 0 {
		return fmt.Errorf("%d nodes are left of %v (%w)", len(got.Nodes), ids, err)
	}
	due, err := s.PurgeQueue(ctx, clocktest.Now().Add(100*hierarchy.KeepTrash), 1000)
	if i := slices.IndexFunc(due, func(d directory.PurgeEntry) bool { return slices.Contains(ids, d.Node) }); i >= 0 || err != nil {
		return fmt.Errorf("%v is due still (%w)", due, err)
	}
	for _, id := range ids {
		partners, err1 := s.Children(ctx, id, hierarchy.Partner, true, "", 1)
		customers, err2 := s.Children(ctx, id, hierarchy.Customer, true, "", 1)
		log, err3 := s.Log(ctx, id, directory.LogQuery{Limit: 1})
		err := errors.Join(err1, err2, err3)
		var listed []directory.Listed
		for _, l := range []*record.Listing{access.GrantsAt.Listing, directory.MoveRequestsAt.Listing, directory.InvitationsAt.Listing} {
			page, failed := s.List(ctx, id, l, "", 1)
			listed, err = append(listed, page.Items...), errors.Join(err, failed)
		}
		if n := len(partners.Items) + len(customers.Items) + len(listed) + len(log.Items); n > 0 || err != nil {
			return fmt.Errorf("something is left of %s: %+v, %+v, %+v, %+v (%w)", id, partners, customers, listed, log, err)
		}
	}
	return nil
}

// agree compares what is stored, and what every client may do everywhere.
func (r *ranger) agree() {
	var dying []ident.Node
	for _, left := range r.purged {
		if !left.erased {
			dying = append(dying, left.nodes...)
		}
	}
	got, err := r.store.Store.Read(r.ctx, directory.Want{Nodes: slices.Concat(r.ids, dying), Records: access.Principals.Refs(r.clients...)})
	r.must(err)
	for _, id := range dying {
		if n := got.Nodes[id]; n != nil {
			for _, c := range r.clients {
				if dec := access.Decide(access.Principals.In(got.Records, c), &got.Tree, n, access.Read); dec.Visible() {
					r.t.Fatalf("%s is purged, and %s sees it", id, c)
				}
			}
		}
	}
	real := r.levels()
	for _, id := range r.ids {
		n := got.Nodes[id]
		if n == nil || n.Parent != r.parent[id] || n.Name != r.name[id] || n.Levels() < real[id] || n.Levels() > r.height[id] || !n.Trashed.Equal(r.trashed[id]) {
			r.t.Fatalf("%s is %+v; want %s below %s, %d to %d high, trashed %s", id, n, r.name[id], r.parent[id], real[id], r.height[id], r.trashed[id])
		}
		place, path := got.Tree.Place(n), r.path(id)
		if !slices.Equal(place.Path.IDs(), path) {
			r.t.Fatalf("%s is at %s; want %v", id, place.Path, path)
		}
		if place.Top(hierarchy.Suspended) != r.suspendedAt(id) || place.Top(hierarchy.Trashed) != r.trashedAt(id) ||
			place.Marked(hierarchy.NoProvisioning) == r.mayProvision(id) || place.Marked(hierarchy.Purged) {
			r.t.Fatalf("%s has the marks %v; want suspended at %q, trashed at %q, provisioning %v", id, place.Marks, r.suspendedAt(id),
				r.trashedAt(id), r.mayProvision(id))
		}
		for _, c := range r.clients {
			dec := access.Decide(access.Principals.In(got.Records, c), &got.Tree, n, access.Read)
			if at, above := r.roles(c, id); dec.Role != at || dec.Above != above {
				r.t.Fatalf("%s at %s is %s, and above %s; want %s, %s", c, id, dec.Role, dec.Above, at, above)
			}
		}
	}
}

// lists compares what is listed below a node.
func (r *ranger) lists() {
	for _, left := range r.purged {
		if _, err := r.d.Get(r.ctx, r.owner, left.nodes[0]); !fault.NotFound.Is(err) {
			r.t.Fatalf("%s is purged: %v", left.nodes[0], err)
		}
	}
	r.searched(r.caller(), func() {})
	c, top := r.caller(), r.node(true)
	at, _ := r.roles(c.Principal, top)
	for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
		var found []ident.Node
		for page := (directory.Paging{Limit: 4}); ; {
			list, err := r.d.Children(r.ctx, c, top, kind, page)
			if at == access.None {
				if !fault.NotFound.Is(err) {
					r.t.Fatalf("the children of %s: %v; the caller cannot see it", top, err)
				}
				return
			}
			r.must(err)
			for _, n := range list.Items {
				found = append(found, n.ID)
				if n.SuspendedAt != r.suspendedAt(n.ID) || n.TrashedAt != r.trashedAt(n.ID) || n.CanProvision != r.mayProvision(n.ID) {
					r.t.Fatalf("%s is listed as %+v; want suspended at %q, trashed at %q, provisioning %v", n.ID, n, r.suspendedAt(n.ID),
						r.trashedAt(n.ID), r.mayProvision(n.ID))
				}
			}
			if page.Cursor = list.Next; page.Cursor == "" {
				break
			}
		}
		if want := r.children(top, kind); !slices.Equal(found, want) {
			r.t.Fatalf("the children of %s: %v; want %v", top, found, want)
		}
	}
	r.listed(c, top, false, func() {})
	r.listed(c, top, true, func() {})
}

// listed compares the list of all that is below a node, or of what is in the trash there. between is done between two pages.
func (r *ranger) listed(c directory.Caller, top ident.Node, trash bool, between func()) {
	var found []ident.Node
	for page := (directory.Paging{Limit: rapid.IntRange(1, 7).Draw(r.t, "limit")}); ; {
		var items []directory.TrashItem
		if trash {
			list, err := r.d.TrashList(r.ctx, c, top, "", page)
			r.must(err)
			items, page.Cursor = list.Items, list.Next
		} else {
			list, err := r.d.Descendants(r.ctx, c, top, "", page)
			r.must(err)
			for _, n := range list.Items {
				items = append(items, directory.TrashItem{Descendant: n, Since: r.trashed[n.ID]})
			}
			page.Cursor = list.Next
		}
		for _, n := range items {
			found = append(found, n.ID)
			path := r.path(n.ID)
			if n.SuspendedAt != r.suspendedAt(n.ID) || n.TrashedAt != r.trashedAt(n.ID) || !n.Since.Equal(r.trashed[n.ID]) ||
				!slices.Equal(n.Path, path[min(len(path), len(r.path(top))-1):]) {
				r.t.Fatalf("below %s: %+v; want %v, suspended at %q, trashed at %q since %s", top, n, path, r.suspendedAt(n.ID),
					r.trashedAt(n.ID), r.trashed[n.ID])
			}
		}
		if page.Cursor == "" {
			break
		}
		between()
	}
	slices.Sort(found)
	if r.store.stale && r.parent[top] == "" { // below the root the order is another one, and what is moved may be there twice
		found = slices.Compact(found)
	}
	if want := r.below(top, trash); !slices.Equal(found, want) {
		r.t.Fatalf("below %s (trash: %v): %v; want %v", top, trash, found, want)
	}
}

// logged compares a log, or a part of one.
func (r *ranger) logged() {
	c, id := r.caller(), r.node(false)
	want := slices.Clone(r.logs[id])
	slices.Reverse(want)
	var f directory.LogFilter
	switch rapid.SampledFrom([]string{"all", "type", "time", "actor"}).Draw(r.t, "filter") {
	case "type":
		f.Type = event.PartnerMoved
	case "actor":
		f.Actor = r.owner.Principal
	case "time":
		e := rapid.SampledFrom(r.store.events).Draw(r.t, "from")
		f.From, f.Until = e.Time, rapid.SampledFrom(r.store.events).Draw(r.t, "until").Time
	}
	want = slices.DeleteFunc(want, func(e event.Event) bool {
		return f.Type != "" && e.Type != f.Type || f.Actor != "" && e.Actor != f.Actor ||
			!f.From.IsZero() && e.Time.Before(f.From) || !f.Until.IsZero() && !e.Time.Before(f.Until)
	})
	var found []event.Event
	for page := (directory.Paging{Limit: 10}); ; {
		list, err := r.d.Log(r.ctx, c, id, f, page)
		if at, _ := r.roles(c.Principal, id); at == access.None {
			if !fault.NotFound.Is(err) {
				r.t.Fatalf("the log of %s: %v; the caller cannot see it", id, err)
			}
			return
		}
		r.must(err)
		found = append(found, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	r.same(fmt.Sprintf("the log of %s (%+v)", id, f), found, want)
}

func (r *ranger) same(what string, found, want []event.Event) {
	equal := func(a, b event.Event) bool {
		return a.ID == b.ID && a.Path == b.Path && a.Left == b.Left &&
			slices.Equal(slices.Sorted(maps.Keys(fields(a))), slices.Sorted(maps.Keys(fields(b))))
	}
	if !slices.EqualFunc(found, want, equal) {
		r.t.Fatalf("%s:\n got %s\nwant %s", what, written(found), written(want))
	}
}

func written(events []event.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%s %s %s at %s, left %s, %v\n", e.Time.Format(time.TimeOnly), e.ID, e.Type, e.Path, e.Left,
			slices.Sorted(maps.Keys(fields(e))))
	}
	return b.String()
}

// feed reads on in a feed: a page of it, or all that there is.
func (r *ranger) feed(f *reader, all bool) {
	if !slices.Contains(r.ids, f.node) {
		if _, err := r.d.Log(r.ctx, r.owner, f.node, directory.LogFilter{Oldest: true}, directory.Paging{Limit: 1}); !fault.NotFound.Is(err) {
			r.t.Fatalf("the feed of %s, which is purged: %v", f.node, err)
		}
		return
	}
	for more := true; more; more = all {
		list, err := r.d.Log(r.ctx, r.owner, f.node, directory.LogFilter{Oldest: true}, directory.Paging{Cursor: f.cursor, Limit: 5})
		r.must(err)
		if list.Next == "" {
			r.t.Fatalf("the feed of %s ends", f.node)
		}
		if f.cursor = list.Next; len(list.Items) == 0 {
			all = false
		}
		f.seen = append(f.seen, list.Items...)
	}
	want := r.logs[f.node]
	r.same("the feed of "+string(f.node), f.seen, want[:min(len(want), len(f.seen))])
}

// end settles and purges all that is to be, and looks at what there is then.
func (r *ranger) end() {
	for rest := true; rest; {
		for len(r.walks) > 0 {
			r.must(r.step(0))
		}
		begins := len(r.purged)
		r.sweep(time.Hour, []int{-1})
		rest = len(r.purged) > begins
	}
	for _, left := range r.purged {
		r.nothingLeft(left)
	}
	got, err := r.store.Store.Read(r.ctx, directory.Want{Nodes: r.ids})
	r.must(err)
	if len(got.Tree.Changes) > 0 {
		r.t.Fatalf("all is settled, and the tree state has %+v", got.Tree.Changes)
	}
	used := map[ident.Node]int64{}
	for _, id := range r.ids {
		used[r.parent[id]]++
	}
	for _, id := range r.ids {
		n := got.Nodes[id]
		if !slices.Equal(n.Place.Path.IDs(), r.path(id)) {
			r.t.Fatalf("all is settled, and %s is stored at %s; want %v", id, n.Place.Path, r.path(id))
		}
		if hierarchy.KindOf(id) == hierarchy.Partner && n.Brands.Uses[r.brand] != used[id] {
			r.t.Fatalf("%d brands are drawn at %s; want %d", n.Brands.Uses[r.brand], id, used[id])
		}
	}
	r.agree()
	r.now = r.now.Add(time.Hour)
	for _, f := range r.readers {
		r.feed(f, true)
		if slices.Contains(r.ids, f.node) && len(f.seen) != len(r.logs[f.node]) {
			r.t.Fatalf("the feed of %s has %d events at its end; want %d", f.node, len(f.seen), len(r.logs[f.node]))
		}
	}
}
