package costs

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
	"example.com/partnertree/shared/table"
	"example.com/partnertree/shared/table/tabletest"
)

func TestMain(m *testing.M) { tabletest.Main(m) }

var update = flag.Bool("update", false, "write costs.golden anew")

const head = `What each operation costs in DynamoDB: round trips, read units, write units, as AWS charges them. Measured by
shared/table/costs on DynamoDB Local, whose errors meter_test.go corrects; 'go test ./shared/table/costs -update'
writes this file anew.

The columns say at which depth the node that is worked on or made stands (customers, and what is made: 2 in place of
1), or how many siblings of its kind it has. Lists are pages of 50, of the node's siblings. Every POST comes with an
Idempotency-Key that is new. Round trips that are made side by side count each. What lies below the root is in 16
ranges of the index; how many of them a page needs is up to chance.

What is moved comes from depth 2 or 3 and goes to that of the column; what is below it has no part in the price. While
other changes are under way, the eight copies of the tree state are larger: one write unit more each for every KB, twice.

What happens is written into the log of every node above: two write units for each of these, or four at great depths,
where the path makes an event longer than a KB. What changes who has access is written once more, at the node itself.

`

// place is where in the tree an operation is measured.
type place struct {
	column            string
	parent            *hierarchy.Node // of the node that is worked on
	partner, customer ident.Node
	middle, last      string // cursors of pages of customers
}

// bench is a directory in DynamoDB Local with a caller who owns all of it.
type bench struct {
	t      *testing.T
	ctx    context.Context
	meter  *meter
	store  *table.Table // metered
	fast   *table.Table // the same, not metered, for new items only
	dir    *directory.Directory
	caller directory.Caller
	brand  ident.Brand
	root   ident.Node
	made   int

	unsettled []ident.Job
	trashed   []ident.Node
}

// clock stands still: times have no part in what differs.
func clock() time.Time {
	return clocktest.Start().Truncate(24 * time.Hour).Add(12*time.Hour + 123456*time.Microsecond)
}

func newBench(t *testing.T) *bench {
	_, name := tabletest.New(t)
	b := &bench{t: t, ctx: t.Context(), meter: &meter{API: tabletest.Client(t)}}
	b.store, b.fast = table.New(b.meter, name), table.New(loader{tabletest.Client(t)}, name)
	b.dir = directory.New(b.store, clock)
	root, owner, _, err := b.dir.CreateRoot(b.ctx, "Cloudvendor", "Founder")
	b.must(err)
	b.root = root.ID
	b.caller = directory.Caller{Principal: owner.ID, Key: owner.Secrets[0].ID}
	brand, err := b.dir.CreateBrand(b.ctx, b.caller, b.newBrand(root.ID))
	b.must(err)
	b.brand = brand.ID
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// repeatable is the caller with an Idempotency-Key that is new.
func (b *bench) repeatable() directory.Caller {
	b.made++
	c := b.caller
	c.Repeat = &directory.Repeat{Key: fmt.Sprintf("00000000-0000-4000-8000-%012d", b.made), Fingerprint: make([]byte, 32)}
	return c
}

func (b *bench) name() hierarchy.Name {
	b.made++
	return hierarchy.Name(fmt.Sprintf("Vazon Bay IT %06d", b.made))
}

func (b *bench) newBrand(partner ident.Node) directory.NewBrand {
	b.made++
	domain := fmt.Sprintf("brand-%06d.example.com", b.made)
	return directory.NewBrand{Partner: partner, Name: b.name(), Domain: domain, Regions: []string{"eu-west-1"}}
}

func (b *bench) newPartner(parent ident.Node) directory.NewPartner {
	return directory.NewPartner{Parent: parent, Name: b.name(), Portal: b.brand, Available: []ident.Brand{b.brand}, CanProvision: true}
}

func (b *bench) newCustomer(parent ident.Node) directory.NewCustomer {
	return directory.NewCustomer{Partner: parent, Name: b.name(), Details: hierarchy.Details{Brand: b.brand}}
}

// partner makes a child partner and reads it as it is stored.
func (b *bench) partner(parent ident.Node) *hierarchy.Node {
	b.t.Helper()
	n, err := b.dir.CreatePartner(b.ctx, b.caller, b.newPartner(parent))
	b.must(err)
	return b.node(n.ID)
}

func (b *bench) node(id ident.Node) *hierarchy.Node {
	b.t.Helper()
	got, err := b.store.Read(b.ctx, directory.Want{Nodes: []ident.Node{id}})
	b.must(err)
	return got.Nodes[id]
}

// fill adds children of both kinds below parent, many in one transaction, and returns a place among them.
func (b *bench) fill(column string, parent *hierarchy.Node, many int) place {
	b.t.Helper()
	p := place{column: column, parent: parent}
	raise := []directory.Step{directory.CheckParent{
		Parent: parent, Draw: slices.Repeat([]ident.Brand{b.brand}, 2*many), Height: 1, Else: func(*hierarchy.Node) error { return errRefused },
	}}
	for i, above := range parent.Place.Path.IDs()[:parent.Place.Path.Depth()-1] {
		raise = append(raise, directory.RaiseHeight{Node: above, Height: parent.Place.Path.Depth() - i, Else: errRefused})
	}
	b.must(b.store.Commit(b.ctx, raise...))
	var steps []directory.Step
	for range many {
		p.partner, p.customer = ident.NewPartner(), ident.NewCustomer()
		partner := hierarchy.Node{ID: p.partner, Name: b.name(), Version: 1, Created: clock(), Updated: clock()}
		partner.Brands = hierarchy.Brands{Portal: b.brand, Available: []ident.Brand{b.brand}, Uses: map[ident.Brand]int64{b.brand: 0}}
		customer := hierarchy.Node{ID: p.customer, Name: b.name(), Version: 1, Created: clock(), Updated: clock()}
		customer.Details.Brand = b.brand
		for _, n := range []hierarchy.Node{partner, customer} {
			n, err := n.Below(parent, parent.Place)
			b.must(err)
			steps = append(steps, directory.AddNode{Node: n})
		}
	}
	errs := make(chan error)
	chunks := slices.Collect(slices.Chunk(steps, 16))
	slots := make(chan struct{}, 8)
	for _, some := range chunks {
		go func() {
			slots <- struct{}{}
			err := b.fast.Commit(b.ctx, some...)
			<-slots
			errs <- err
		}()
	}
	for range chunks {
		b.must(<-errs)
	}
	return p
}

// cursors finds the middle and the last page among a place's customers.
func (b *bench) cursors(p *place, pages int) {
	b.t.Helper()
	next := ""
	for i := range pages - 1 {
		if i == pages/2 {
			p.middle = next
		}
		list, err := b.dir.Children(b.ctx, b.caller, p.parent.ID, hierarchy.Customer, directory.Paging{Cursor: next, Limit: 50})
		b.must(err)
		next = list.Next
	}
	p.last = next
}

// places builds the tree: at depths 1, 10 and 30 with 50 siblings, and among 10 and 10,000.
func (b *bench) places() []place {
	b.t.Helper()
	root := b.node(b.root)
	first := b.fill("depth 1", root, 50)
	first.partner = b.root
	chain := []*hierarchy.Node{root}
	for len(chain) < hierarchy.MaxDepth-1 {
		chain = append(chain, b.partner(chain[len(chain)-1].ID))
	}
	all := []place{first, b.fill("depth 10", chain[8], 50), b.fill("depth 30", chain[28], 50)}
	ten := b.fill("among 10", b.partner(b.root), 10)
	crowd := b.fill("among 10,000", b.partner(b.root), 10_000)
	b.cursors(&crowd, 200)
	return append(all, ten, crowd)
}

// operation is one operation of the contract, done at a place. What it returns is measured; what it does before is not.
type operation struct {
	id string
	at func(b *bench, p place) func() error
}

// only does a call whose answer has no part in the measure.
func only[T any](call func() (T, error)) func() error {
	return func() error {
		_, err := call()
		return err
	}
}

// client makes an API client at the place's partner.
func (b *bench) client(p place) directory.ClientWithKey {
	b.t.Helper()
	c, err := b.dir.CreateClient(b.ctx, b.caller, directory.NewClient{Node: p.partner, Name: b.name(), Role: access.Viewer})
	b.must(err)
	return c
}

// changing does a change of a whole subtree, and remembers to settle it.
func changing[T interface{ JobID() ident.Job }](b *bench, call func() (T, error)) func() error {
	return func() error {
		done, err := call()
		if err == nil {
			b.unsettled = append(b.unsettled, done.JobID())
		}
		return err
	}
}

// settle leaves the tree state, and the trash, as empty as they are at rest.
func (b *bench) settle() {
	b.t.Helper()
	for _, id := range b.unsettled {
		done, err := b.dir.Settle(b.ctx, id, "", time.Hour)
		b.must(err)
		if !done.Done {
			b.t.Fatalf("%s is not settled", id)
		}
		b.must(b.dir.Retire(b.ctx, id))
	}
	b.unsettled = nil
	for len(b.trashed) > 0 {
		id := b.trashed[0]
		b.trashed = b.trashed[1:]
		b.must(changing(b, func() (directory.Changed, error) { return b.dir.Restore(b.ctx, b.caller, id) })())
		b.settle()
	}
}

// suspended makes a node's suspension, all of it settled, and returns the job.
func (b *bench) suspended(id ident.Node) ident.Job {
	b.t.Helper()
	b.must(changing(b, func() (directory.Changed, error) { return b.dir.Suspend(b.ctx, b.caller, id, "unpaid") })())
	job := b.unsettled[0]
	b.settle()
	return job
}

// customer makes a customer and returns its id.
func (b *bench) customer(parent ident.Node) ident.Node {
	b.t.Helper()
	n, err := b.dir.CreateCustomer(b.ctx, b.caller, b.newCustomer(parent))
	b.must(err)
	return n.ID
}

// moves, suspends and resumes change a node that is made for it below a place, with nothing below itself.
func moves(b *bench, id ident.Node, to ident.Node) func() error {
	c := b.repeatable()
	return changing(b, func() (directory.Changed, error) { return b.dir.Move(b.ctx, c, id, to) })
}

func suspends(b *bench, id ident.Node) func() error {
	c := b.repeatable()
	return changing(b, func() (directory.Changed, error) { return b.dir.Suspend(b.ctx, c, id, "unpaid") })
}

func resumes(b *bench, id ident.Node) func() error {
	b.suspended(id)
	c := b.repeatable()
	return changing(b, func() (directory.Changed, error) { return b.dir.Resume(b.ctx, c, id) })
}

// trashes and restores do so with a node that is made for it.
func trashes(b *bench, id ident.Node) func() error {
	b.trashed = append(b.trashed, id)
	return changing(b, func() (directory.Changed, error) { return b.dir.Trash(b.ctx, b.caller, id) })
}

func restores(b *bench, id ident.Node) func() error {
	b.inTrash(id)
	c := b.repeatable()
	return changing(b, func() (directory.Changed, error) { return b.dir.Restore(b.ctx, c, id) })
}

// inTrash puts a node into the trash, and settles that.
func (b *bench) inTrash(id ident.Node) {
	b.t.Helper()
	b.must(changing(b, func() (directory.Changed, error) { return b.dir.Trash(b.ctx, b.caller, id) })())
	b.settle()
}

// asked makes a move request.
func (b *bench) asked(id, to ident.Node) ident.MoveRequest {
	b.t.Helper()
	r, err := b.dir.AskMove(b.ctx, b.caller, id, to, "As agreed")
	b.must(err)
	return r.ID
}

func asks(b *bench, id ident.Node) func() error {
	c, to := b.repeatable(), b.partner(b.root).ID
	return only(func() (directory.AskedMove, error) { return b.dir.AskMove(b.ctx, c, id, to, "As agreed") })
}

func previews(b *bench, id, to ident.Node) func() error {
	return only(func() (directory.MovePreview, error) { return b.dir.PreviewMove(b.ctx, b.caller, id, to) })
}

// events reads a page of the log of a node, where more than a page has happened at p's customer since all else.
func events(b *bench, p place, at ident.Node) func() error {
	path := p.parent.Place.Path.Child(p.customer)
	for i := range 60 {
		e := event.Event{
			ID: ident.NewEvent(), Type: event.CustomerPurged, Time: clock().Add(time.Hour + time.Duration(i)*time.Second),
			Node: p.customer, Path: path, Actor: b.caller.Principal, RequestID: "c817faea-b253-47be-9d98-47d2e427f93f",
			Data: event.PurgedData{Name: b.name()},
		}
		b.must(b.fast.Commit(b.ctx, directory.AddEvent{Event: e}))
	}
	return only(func() (directory.List[event.Event], error) {
		return b.dir.Log(b.ctx, b.caller, at, directory.LogFilter{}, page)
	})
}

var page = directory.Paging{Limit: 50}

var operations = []operation{
	{"getMe", func(b *bench, p place) func() error {
		return only(func() (directory.Me, error) { return b.dir.Me(b.ctx, b.caller) })
	}},
	{"signOutEverywhere", func(b *bench, p place) func() error {
		who := b.person(p.partner)
		return func() error {
			return b.dir.SignOutEverywhere(b.ctx, directory.Caller{Principal: who, Session: clock()})
		}
	}},
	{"search", func(b *bench, p place) func() error { return b.searches(p.parent.ID, b.node(p.customer).Name, 20) }},
	{"createPartner", func(b *bench, p place) func() error {
		return only(func() (directory.Node, error) {
			return b.dir.CreatePartner(b.ctx, b.repeatable(), b.newPartner(p.parent.ID))
		})
	}},
	{"getPartner", func(b *bench, p place) func() error {
		return only(func() (directory.Node, error) { return b.dir.Get(b.ctx, b.caller, p.partner) })
	}},
	{"editPartner", func(b *bench, p place) func() error {
		name := b.name()
		return only(func() (directory.Node, error) {
			return b.dir.EditPartner(b.ctx, b.caller, p.partner, directory.PartnerPatch{Name: &name})
		})
	}},
	{"listPartners", func(b *bench, p place) func() error {
		return only(func() (directory.List[directory.Node], error) {
			return b.dir.Children(b.ctx, b.caller, p.parent.ID, hierarchy.Partner, page)
		})
	}},
	{"listCustomers", func(b *bench, p place) func() error {
		return only(func() (directory.List[directory.Node], error) {
			return b.dir.Children(b.ctx, b.caller, p.parent.ID, hierarchy.Customer, page)
		})
	}},
	{"getPartnerPath", func(b *bench, p place) func() error {
		return only(func() ([]directory.PathStep, error) { return b.dir.Path(b.ctx, b.caller, p.partner) })
	}},
	{"getPartnerTree", func(b *bench, p place) func() error {
		return only(func() (directory.Tree, error) { return b.dir.Tree(b.ctx, b.caller, p.parent.ID, 1) })
	}},
	{"listDescendants", func(b *bench, p place) func() error {
		return only(func() (directory.List[directory.Descendant], error) {
			return b.dir.Descendants(b.ctx, b.caller, p.parent.ID, "", page)
		})
	}},
	{"movePartner", func(b *bench, p place) func() error {
		return moves(b, b.partner(b.partner(b.root).ID).ID, p.parent.ID)
	}},
	{"suspendPartner", func(b *bench, p place) func() error { return suspends(b, b.partner(p.parent.ID).ID) }},
	{"resumePartner", func(b *bench, p place) func() error { return resumes(b, b.partner(p.parent.ID).ID) }},
	{"previewPartnerMove", func(b *bench, p place) func() error {
		return previews(b, b.partner(b.partner(b.root).ID).ID, p.parent.ID)
	}},
	{"trashPartner", func(b *bench, p place) func() error { return trashes(b, b.partner(p.parent.ID).ID) }},
	{"restorePartner", func(b *bench, p place) func() error { return restores(b, b.partner(p.parent.ID).ID) }},
	{"listTrash", func(b *bench, p place) func() error {
		id := b.partner(p.parent.ID).ID
		b.inTrash(id)
		b.trashed = append(b.trashed, id)
		return only(func() (directory.List[directory.TrashItem], error) {
			return b.dir.TrashList(b.ctx, b.caller, p.parent.ID, "", page)
		})
	}},
	{"listPartnerEvents", func(b *bench, p place) func() error { return events(b, p, p.parent.ID) }},
	{"createCustomer", func(b *bench, p place) func() error {
		return only(func() (directory.Node, error) {
			return b.dir.CreateCustomer(b.ctx, b.repeatable(), b.newCustomer(p.parent.ID))
		})
	}},
	{"getCustomer", func(b *bench, p place) func() error {
		return only(func() (directory.Node, error) { return b.dir.Get(b.ctx, b.caller, p.customer) })
	}},
	{"editCustomer", func(b *bench, p place) func() error {
		name := b.name()
		return only(func() (directory.Node, error) {
			return b.dir.EditCustomer(b.ctx, b.caller, p.customer, directory.CustomerPatch{Name: &name})
		})
	}},
	{"getCustomerPath", func(b *bench, p place) func() error {
		return only(func() ([]directory.PathStep, error) { return b.dir.Path(b.ctx, b.caller, p.customer) })
	}},
	{"moveCustomer", func(b *bench, p place) func() error {
		return moves(b, b.customer(b.partner(b.root).ID), p.parent.ID)
	}},
	{"suspendCustomer", func(b *bench, p place) func() error { return suspends(b, b.customer(p.parent.ID)) }},
	{"resumeCustomer", func(b *bench, p place) func() error { return resumes(b, b.customer(p.parent.ID)) }},
	{"previewCustomerMove", func(b *bench, p place) func() error {
		return previews(b, b.customer(b.partner(b.root).ID), p.parent.ID)
	}},
	{"trashCustomer", func(b *bench, p place) func() error { return trashes(b, b.customer(p.parent.ID)) }},
	{"restoreCustomer", func(b *bench, p place) func() error { return restores(b, b.customer(p.parent.ID)) }},
	{"listCustomerEvents", func(b *bench, p place) func() error { return events(b, p, p.customer) }},
	{"requestPartnerMove", func(b *bench, p place) func() error { return asks(b, b.partner(p.parent.ID).ID) }},
	{"requestCustomerMove", func(b *bench, p place) func() error { return asks(b, b.customer(p.parent.ID)) }},
	{"listMoveRequests", func(b *bench, p place) func() error { return listsRequests(b, b.partner(p.parent.ID).ID) }},
	{"listCustomerMoveRequests", func(b *bench, p place) func() error { return listsRequests(b, b.customer(p.parent.ID)) }},
	{"getMoveRequest", func(b *bench, p place) func() error {
		id := b.asked(b.partner(p.parent.ID).ID, b.partner(b.root).ID)
		return only(func() (directory.AskedMove, error) { return b.dir.MoveRequest(b.ctx, b.caller, id) })
	}},
	{"acceptMoveRequest", func(b *bench, p place) func() error {
		id, c := b.asked(b.partner(b.partner(b.root).ID).ID, p.parent.ID), b.repeatable()
		return changing(b, func() (directory.Accepted, error) { return b.dir.AcceptMove(b.ctx, c, id) })
	}},
	{"declineMoveRequest", func(b *bench, p place) func() error {
		id, c := b.asked(b.partner(p.parent.ID).ID, b.partner(b.root).ID), b.repeatable()
		return only(func() (directory.AskedMove, error) { return b.dir.DeclineMove(b.ctx, c, id) })
	}},
	{"withdrawMoveRequest", func(b *bench, p place) func() error {
		id, c := b.asked(b.partner(p.parent.ID).ID, b.partner(b.root).ID), b.repeatable()
		return only(func() (directory.AskedMove, error) { return b.dir.WithdrawMove(b.ctx, c, id) })
	}},
	{"getJob", func(b *bench, p place) func() error {
		id := b.suspended(b.partner(p.parent.ID).ID)
		return only(func() (job.Job, error) { return b.dir.Job(b.ctx, b.caller, id) })
	}},
	{"listPartnerInvitations", func(b *bench, p place) func() error { return listsInvitations(b, p.partner) }},
	{"inviteToPartner", func(b *bench, p place) func() error { return invites(b, p.partner) }},
	{"listCustomerInvitations", func(b *bench, p place) func() error { return listsInvitations(b, p.customer) }},
	{"inviteToCustomer", func(b *bench, p place) func() error { return invites(b, p.customer) }},
	{"getInvitation", func(b *bench, p place) func() error {
		id := b.invited(p.partner)
		return only(func() (directory.Invitation, error) { return b.dir.Invitation(b.ctx, b.caller, id) })
	}},
	{"revokeInvitation", func(b *bench, p place) func() error {
		id := b.invited(p.partner)
		return only(func() (directory.Invitation, error) { return b.dir.RevokeInvitation(b.ctx, b.caller, id) })
	}},
	{"resendInvitation", func(b *bench, p place) func() error {
		id, c := b.invited(p.partner), b.repeatable()
		later := directory.New(b.store, func() time.Time { return clock().Add(directory.ResendAfter) })
		return only(func() (directory.Invitation, error) { return later.Resend(b.ctx, c, id) })
	}},
	{"listPartnerUsers", func(b *bench, p place) func() error { return listsUsers(b, p.partner) }},
	{"listCustomerUsers", func(b *bench, p place) func() error { return listsUsers(b, p.customer) }},
	{"setPartnerUserRole", func(b *bench, p place) func() error { return setsRole(b, p.partner, access.Viewer) }},
	{"removePartnerUser", func(b *bench, p place) func() error { return setsRole(b, p.partner, access.None) }},
	{"setCustomerUserRole", func(b *bench, p place) func() error { return setsRole(b, p.customer, access.Viewer) }},
	{"removeCustomerUser", func(b *bench, p place) func() error { return setsRole(b, p.customer, access.None) }},
	{"explainAccess", func(b *bench, p place) func() error {
		who := b.person(p.partner)
		return only(func() (directory.Explanation, error) {
			return b.dir.Why(b.ctx, b.caller, who, p.partner, access.EditPartner)
		})
	}},
	{"createBrand", func(b *bench, p place) func() error {
		return only(func() (directory.Brand, error) {
			return b.dir.CreateBrand(b.ctx, b.repeatable(), b.newBrand(p.partner))
		})
	}},
	{"getBrand", func(b *bench, p place) func() error {
		return only(func() (directory.Brand, error) { return b.dir.GetBrand(b.ctx, b.caller, b.brand) })
	}},
	{"listBrands", func(b *bench, p place) func() error {
		return only(func() ([]directory.Brand, error) { return b.dir.Brands(b.ctx, b.caller, p.partner) })
	}},
	{"editBrand", func(b *bench, p place) func() error {
		id, name := b.ownBrand(p.partner).ID, b.name()
		return edits(b, id, directory.BrandEdit{Name: &name})
	}},
	{"deleteBrand", func(b *bench, p place) func() error {
		id := b.ownBrand(p.partner).ID
		return func() error { return b.dir.DeleteBrand(b.ctx, b.caller, id) }
	}},
	{"createApiClient", func(b *bench, p place) func() error {
		return only(func() (directory.ClientWithKey, error) {
			return b.dir.CreateClient(b.ctx, b.repeatable(), directory.NewClient{Node: p.partner, Name: b.name(), Role: access.Viewer})
		})
	}},
	{"listApiClients", func(b *bench, p place) func() error {
		return only(func() (directory.List[access.Grant], error) {
			return b.dir.Clients(b.ctx, b.caller, p.partner, page)
		})
	}},
	{"getApiClient", func(b *bench, p place) func() error {
		c := b.client(p)
		return only(func() (directory.Client, error) { return b.dir.Client(b.ctx, b.caller, c.ID) })
	}},
	{"renameApiClient", func(b *bench, p place) func() error {
		c, name := b.client(p), hierarchy.Name("Another name")
		return only(func() (directory.Client, error) { return b.dir.RenameClient(b.ctx, b.caller, c.ID, &name) })
	}},
	{"revokeApiClient", func(b *bench, p place) func() error {
		c := b.client(p)
		return func() error { return b.dir.RevokeClient(b.ctx, b.caller, c.ID) }
	}},
	{"addApiClientSecret", func(b *bench, p place) func() error {
		c := b.client(p)
		return only(func() (directory.ClientWithKey, error) {
			return b.dir.AddSecret(b.ctx, b.repeatable(), c.ID, time.Time{})
		})
	}},
	{"removeApiClientSecret", func(b *bench, p place) func() error {
		c := b.client(p)
		_, err := b.dir.AddSecret(b.ctx, b.caller, c.ID, time.Time{})
		b.must(err)
		return func() error { return b.dir.RemoveSecret(b.ctx, b.caller, c.ID, c.SecretID) }
	}},
	{"grantApiClient", func(b *bench, p place) func() error {
		c := b.client(p)
		return only(func() (directory.Client, error) {
			return b.dir.GrantRole(b.ctx, b.caller, c.ID, p.customer, access.Admin)
		})
	}},
	{"revokeApiClientGrant", func(b *bench, p place) func() error {
		c := b.client(p)
		return func() error { return b.dir.RemoveGrant(b.ctx, b.caller, c.ID, p.partner) }
	}},
}

// rootRanges is in how many ranges of the subtree index everything below the root lies.
const rootRanges = 16

func TestCosts(t *testing.T) {
	b := newBench(t)
	places := b.places()
	var out strings.Builder
	out.WriteString(head)
	row := func(cells ...string) {
		line := fmt.Sprintf("%-26s", cells[0])
		for _, cell := range cells[1:] {
			line += fmt.Sprintf("%-16s", cell)
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	columns := []string{""}
	for _, p := range places {
		columns = append(columns, p.column)
	}
	row(columns...)
	measured := map[string][]cost{}
	for _, op := range operations {
		cells := []string{op.id}
		for _, p := range places {
			spent, err := b.meter.during(op.at(b, p))
			if err != nil {
				t.Fatalf("%s at %s: %v", op.id, p.column, err)
			}
			b.settle()
			measured[op.id] = append(measured[op.id], spent)
			cell := spent.String()
			if (op.id == "listDescendants" || op.id == "listTrash") && p.parent.ID == b.root {
				cell = fmt.Sprintf("up to %d trips", rootRanges+2)
				if spent.trips > rootRanges+2 {
					t.Errorf("%s at the root: %v", op.id, spent)
				}
			}
			cells = append(cells, cell)
		}
		row(cells...)
	}
	b.required(measured)
	b.everyOperation()
	crowd := places[len(places)-1]
	out.WriteString("\nPages of 50 among 10,000 customers\n")
	for _, c := range []struct{ what, cursor string }{{"the first", ""}, {"the 101st", crowd.middle}, {"the last", crowd.last}} {
		spent, err := b.meter.during(only(func() (directory.List[directory.Node], error) {
			return b.dir.Children(b.ctx, b.caller, crowd.parent.ID, hierarchy.Customer, directory.Paging{Cursor: c.cursor, Limit: 50})
		}))
		b.must(err)
		row(c.what, spent.String())
		measured["pages"] = append(measured["pages"], spent)
	}
	if first := measured["pages"][0]; first != slices.MinFunc(measured["pages"], func(a, b cost) int { return int(2 * (a.read - b.read)) }) {
		t.Errorf("the first page is dearer than another one: %v", measured["pages"])
	}
	out.WriteString("\nThe first child of a partner that had nothing beside it, which raises the heights above\n")
	for _, depth := range []int{3, 10, 20, hierarchy.MaxDepth} {
		parent := b.partner(b.root)
		for parent.Place.Path.Depth() < depth-1 {
			parent = b.partner(parent.ID)
		}
		c := b.repeatable()
		spent, err := b.meter.during(only(func() (directory.Node, error) { return b.dir.CreateCustomer(b.ctx, c, b.newCustomer(parent.ID)) }))
		b.must(err)
		row(fmt.Sprintf("at depth %d", depth), spent.String())
	}
	b.finds(places, row, &out)
	b.people(places, row, &out)
	past(t, row, &out)
	b.brands(row, &out)
	b.sizes(crowd, row, &out)
	b.background(row, &out)
	out.WriteString("\nOf every request, besides\n")
	spent, err := b.meter.during(only(func() (int64, error) { return b.store.Count(b.ctx, string(b.caller.Key), clock(), 1) }))
	b.must(err)
	row("counting it", spent.String())
	b.compare(out.String())
}

// sizes measures what a change of a whole subtree costs with so many nodes below: the same.
func (b *bench) sizes(crowd place, row func(...string), out *strings.Builder) {
	b.t.Helper()
	out.WriteString("\nA change of a partner with so many nodes below it: the commit, by which it is in effect for all of them\n")
	row("", "10", "1,000", "100,000")
	b.fill("", b.partner(crowd.parent.ID), 40_000) // beside the 20,000 that are there
	crowd.parent = b.node(crowd.parent.ID)
	tops := []place{b.fill("", b.partner(b.root), 5), b.fill("", b.partner(b.root), 500), crowd}
	to := b.partner(b.root)
	for _, change := range []struct {
		what string
		do   func(id ident.Node) func() error
	}{
		{"move, a level down", func(id ident.Node) func() error { return moves(b, id, to.ID) }},
		{"suspend", func(id ident.Node) func() error { return suspends(b, id) }},
		{"trash", func(id ident.Node) func() error { return trashes(b, id) }},
	} {
		cells := []string{change.what}
		for _, top := range tops {
			spent, err := b.meter.during(change.do(top.parent.ID))
			b.must(err)
			cells = append(cells, spent.String())
			due := directory.PurgeEntry{Node: top.parent.ID, Since: clock()}
			b.must(b.store.Commit(b.ctx, directory.DropChange{Seq: b.seq()}, directory.RemovePurgeEntry{Entry: due})) // nothing is read below it any more
			b.unsettled, b.trashed = nil, nil
		}
		if cells[1] != cells[2] || cells[1] != cells[3] {
			b.t.Errorf("a change of more nodes has another price: %v", cells)
		}
		row(cells...)
	}
}

// background measures what is done later, for all nodes of a branch. A mean of each would be rounded, and one unit more or less show, or not,
// by where its edge lies.
func (b *bench) background(row func(...string), out *strings.Builder) {
	b.t.Helper()
	out.WriteString("\nIn the background, for all of a branch of 111 nodes on three levels, with what each change takes once\n")
	all := func(what string, do func()) {
		spent, err := b.meter.during(func() error { do(); return nil })
		b.must(err)
		row(what, spent.String())
	}
	top := b.partner(b.root)
	for range 10 {
		b.customer(top.ID)
		partner := b.partner(top.ID)
		for range 9 {
			b.customer(partner.ID)
		}
	}
	b.must(suspends(b, top.ID)())
	all("settling a suspension", b.settle)
	b.must(changing(b, func() (directory.Changed, error) { return b.dir.Resume(b.ctx, b.caller, top.ID) })())
	b.settle()
	b.must(moves(b, top.ID, b.partner(b.root).ID)())
	all("settling a move", b.settle)
	b.inTrash(top.ID)
	later := directory.New(b.store, func() time.Time { return clock().Add(hierarchy.KeepTrash + time.Hour) })
	all("purging", func() {
		swept, err := later.Purge(b.ctx, 0)
		b.must(err)
		log, err := b.store.Log(b.ctx, top.ID, directory.LogQuery{From: clock().Add(hierarchy.KeepTrash), Limit: 1})
		b.must(err)
		if swept.Purged != 1 || len(log.Items) != 1 {
			b.t.Fatalf("swept %+v, and %d events", swept, len(log.Items))
		}
		b.unsettled = append(b.unsettled, log.Items[0].Job())
		b.settle()
	})
	if b.node(top.ID) != nil {
		b.t.Error("it is not purged")
	}
}

// seq is that of the tree state.
func (b *bench) seq() int64 {
	b.t.Helper()
	got, err := b.store.Read(b.ctx, directory.Want{})
	b.must(err)
	return got.Tree.Seq
}

// required checks what the costs must not exceed, whatever the golden file says.
func (b *bench) required(measured map[string][]cost) {
	b.t.Helper()
	for _, id := range []string{"getPartner", "getCustomer"} {
		for i, c := range measured[id] {
			if c.trips != 1 || c.read > 3 || c.write != 0 || c != measured[id][0] {
				b.t.Errorf("%s: %v in column %d; an authorized GET is one round trip and at most 3 read units, everywhere the same", id, c, i)
			}
		}
	}
	for _, id := range []string{"listPartners", "listCustomers", "listApiClients", "listPartnerInvitations", "listCustomerInvitations"} {
		for i, c := range measured[id] {
			if c.trips > 2 {
				b.t.Errorf("%s: %v in column %d; a page is at most 2 round trips", id, c, i)
			}
		}
	}
}

// everyOperation checks that nothing of the contract that uses the table is left out.
func (b *bench) everyOperation() {
	b.t.Helper()
	for _, op := range contract.Operations {
		measured := slices.ContainsFunc(operations, func(o operation) bool { return o.id == op.ID })
		if measured == op.Public {
			b.t.Errorf("%s: measured %v; it is public: %v, and what is public uses no table", op.ID, measured, op.Public)
		}
	}
}

func (b *bench) compare(got string) {
	b.t.Helper()
	const golden = "costs.golden"
	if *update {
		b.must(os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	b.must(err)
	if got != string(want) {
		b.t.Errorf("the costs have changed; look at each, then: go test ./shared/table/costs -update\ngot\n%s\nwant\n%s", got, want)
	}
}

// A GET stays cheap for a caller with as many grants as there can be, at the largest node at the greatest depth.
func TestTheDearestGetIsThreeReadUnits(t *testing.T) {
	b := newBench(t)
	node := b.node(b.root)
	var grants []ident.Node
	for node.Place.Path.Depth() < hierarchy.MaxDepth {
		node = b.partner(node.ID)
		grants = append(grants, node.ID)
	}
	for range hierarchy.MaxBrands {
		_, err := b.dir.CreateBrand(b.ctx, b.caller, b.newBrand(node.ID))
		b.must(err)
	}
	for len(grants) < access.MaxGrants {
		grants = append(grants, b.partner(b.root).ID)
	}
	c, err := b.dir.CreateClient(b.ctx, b.caller, directory.NewClient{Node: grants[0], Name: "Everywhere", Role: access.Operator})
	b.must(err)
	for _, at := range grants[1:] {
		_, err := b.dir.GrantRole(b.ctx, b.caller, c.ID, at, access.Operator)
		b.must(err)
	}
	caller := directory.Caller{Principal: c.ID, Key: c.SecretID}
	spent, err := b.meter.during(only(func() (directory.Node, error) { return b.dir.Get(b.ctx, caller, node.ID) }))
	b.must(err)
	if want := (cost{1, 3, 0}); spent != want {
		t.Errorf("it took %v; want %v", spent, want)
	}
}

func listsRequests(b *bench, id ident.Node) func() error {
	b.asked(id, b.partner(b.root).ID)
	return only(func() (directory.List[directory.AskedMove], error) {
		return b.dir.MoveRequests(b.ctx, b.caller, id, page)
	})
}
