package operations_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/ident"
	"github.com/aws/aws-lambda-go/events"
)

// scene is a tree around two targets, a partner and a customer, with a place for every position that a caller can have
// towards them.
//
//	root ─┬─ top ─┬─ parent ─┬─ self ─┬─ child
//	      │       │          │        └─ customer ……… the target of operations on customers
//	      │       │          └─ sibling ── nephew
//	      │       └─ uncle ── cousin
//	      └─ other top
type scene struct {
	*apitest.World
	brand     string
	self      ident.Node
	customer  ident.Node
	ownBrand  string         // of self
	job       string         // of self
	dest      ident.Node     // where self and the customer can be moved to
	request   string         // to move self below uncle
	trashed   string         // the address of what is in the trash
	client    *apitest.Actor // managed at self
	secret    string
	user      *apitest.Actor // a viewer at self and the customer
	invited   string         // an invitation to self
	at        string         // when all of it was there, before there were callers
	positions map[string]ident.Node
}

func newScene(t *testing.T, op contract.Operation) *scene {
	w := apitest.New(t, new(directorytest.Fake))
	s := &scene{World: w, positions: map[string]ident.Node{}}
	f := w.Founder
	s.brand = f.Brand(w.Root, "vendor.example")
	below := func(parent ident.Node, name string) ident.Node { return f.Partner(parent, name, s.brand) }
	top := below(w.Root, "Top")
	parent, uncle := below(top, "Parent"), below(top, "Uncle")
	s.self = below(parent, "Self")
	sibling := below(parent, "Sibling")
	s.customer = f.Customer(s.self, "Customer", s.brand)
	s.dest, s.request = sibling, string(ident.NewMoveRequest())
	s.positions = map[string]ident.Node{
		"self": s.self, "root": w.Root, "top": top, "parent": parent, "child": below(s.self, "Child"),
		"sibling": sibling, "nephew": below(sibling, "Nephew"), "uncle": uncle, "cousin": below(uncle, "Cousin"), "other top": below(w.Root, "Other top"),
		"the customer": s.customer, "another customer": f.Customer(s.self, "Another customer", s.brand), "no grant": "",
	}
	s.ownBrand = f.Brand(s.self, "self.example")
	s.client = f.Client(s.self, "viewer")
	if _, err := w.Dir.Keyring(t.Context()); err != nil { // which the first invitation would make
		t.Fatal(err)
	}
	s.user, s.invited = &apitest.Actor{World: w, ID: ident.PersonOf("none", "none")}, string(ident.NewInvitation())
	switch {
	case strings.HasSuffix(op.ID, "PartnerUserRole") || op.ID == "removePartnerUser":
		s.user = w.PersonWith(s.self, access.Viewer)
	case strings.HasSuffix(op.ID, "CustomerUserRole") || op.ID == "removeCustomerUser":
		s.user = w.PersonWith(s.customer, access.Viewer)
	case op.Target == "invitation":
		s.invited = f.Do("POST", s.expand("/v1/partners/SELF/invitations"), toBob(s)).Is(201).Get("id")
		w.Wait(directory.ResendAfter)
	}
	switch op.ID {
	case "getJob":
		s.job = s.changes("POST", "/v1/partners/SELF/suspend", because(s))
		s.changes("POST", "/v1/partners/SELF/resume", empty(s))
	case "resumePartner": // only what is suspended can be resumed
		s.changes("POST", "/v1/partners/SELF/suspend", because(s))
	case "resumeCustomer":
		s.changes("POST", "/v1/customers/CUSTOMER/suspend", because(s))
	case "restorePartner":
		s.trashed = "/v1/partners/SELF"
		s.changes("DELETE", s.trashed, nil)
	case "restoreCustomer":
		s.trashed = "/v1/customers/CUSTOMER"
		s.changes("DELETE", s.trashed, nil)
	case "moveCustomer", "previewCustomerMove": // to where an admin of its partner can move it
		s.dest = s.positions["child"]
	}
	if strings.HasPrefix(op.Target, "move-request") {
		s.request = f.Do("POST", s.expand("/v1/partners/SELF/move-requests"), map[string]any{"parentId": uncle}).Is(201).Get("id")
	}
	if op.ID == "removeApiClientSecret" { // one can be removed only when there are two, and added only when there is one
		s.secret = f.Do("POST", "/v1/api-clients/"+string(s.client.ID)+"/secrets", nil).Is(201).Get("secret", "id")
	}
	s.at = w.Now().Format(time.RFC3339Nano)
	w.Wait(time.Minute)
	return s
}

// changes makes a change to a whole subtree, settles it and returns the job.
func (s *scene) changes(method, path string, body any) string {
	job := s.Founder.Do(method, s.expand(path), body).Is(202).Get("jobId")
	if _, err := s.Dir.Settle(s.T.Context(), ident.Job(job), "", time.Minute); err != nil {
		s.T.Fatal(err)
	}
	if err := s.Dir.Retire(s.T.Context(), ident.Job(job)); err != nil {
		s.T.Fatal(err)
	}
	return job
}

// call is how the matrix makes a request of an operation.
type call func(s *scene, as *apitest.Actor) *apitest.Answer

func get(path string) call {
	return func(s *scene, as *apitest.Actor) *apitest.Answer { return as.Do("GET", s.expand(path), nil) }
}

func send(method, path string, body func(s *scene) any) call {
	return func(s *scene, as *apitest.Actor) *apitest.Answer { return as.Do(method, s.expand(path), body(s)) }
}

func nothing(*scene) any { return nil }

func elsewhere(s *scene) any { return map[string]any{"parentId": s.dest} }

func because(*scene) any { return map[string]any{"reason": "Not paid."} }

func toBob(*scene) any { return map[string]any{"email": "bob@vale.example", "role": "viewer"} }

func asOperator(*scene) any { return map[string]any{"role": "operator"} }

func empty(*scene) any { return map[string]any{} }

func (s *scene) expand(path string) string {
	return strings.NewReplacer("USER", string(s.user.ID), "INVITED", s.invited, "AT", s.at,
		"SELF", string(s.self), "CUSTOMER", string(s.customer), "BRAND", s.ownBrand, "CLIENT", string(s.client.ID),
		"SECRET", s.secret, "JOB", s.job, "REQUEST", s.request).Replace(path)
}

// address is the path of an operation with what the scene has in it.
func (s *scene) address(op contract.Operation) string {
	return s.expand(strings.NewReplacer("/partners/{id}", "/partners/SELF", "/customers/{id}", "/customers/CUSTOMER",
		"/api-clients/{id}", "/api-clients/CLIENT", "/brands/{id}", "/brands/BRAND", "/jobs/{id}", "/jobs/JOB",
		"/move-requests/{id}", "/move-requests/REQUEST", "/invitations/{id}", "/invitations/INVITED",
		"{principalId}", "USER", "{nodeId}", "SELF", "{secretId}", "SECRET").Replace(op.Path))
}

// calls has every operation of the contract that asks who is calling. One that is missing fails the matrix.
var calls = map[string]call{
	"getMe":  get("/v1/me"),
	"search": get("/v1/search?q=self"),
	"createPartner": send("POST", "/v1/partners", func(s *scene) any {
		return apitest.NewPartner(s.self, "New", s.brand)
	}),
	"getPartner":      get("/v1/partners/SELF"),
	"editPartner":     send("PATCH", "/v1/partners/SELF", func(*scene) any { return map[string]any{"name": "Renamed"} }),
	"listPartners":    get("/v1/partners/SELF/partners"),
	"listCustomers":   get("/v1/partners/SELF/customers"),
	"getPartnerPath":  get("/v1/partners/SELF/path"),
	"getPartnerTree":  get("/v1/partners/SELF/tree"),
	"listDescendants": get("/v1/partners/SELF/descendants"),
	"createCustomer": send("POST", "/v1/customers", func(s *scene) any {
		return map[string]any{"partnerId": s.self, "name": "New", "brandId": s.brand}
	}),
	"getCustomer":     get("/v1/customers/CUSTOMER"),
	"editCustomer":    send("PATCH", "/v1/customers/CUSTOMER", func(*scene) any { return map[string]any{"name": "Renamed"} }),
	"getCustomerPath": get("/v1/customers/CUSTOMER/path"),
	"createBrand": send("POST", "/v1/brands", func(s *scene) any {
		return map[string]any{"partnerId": s.self, "name": "New", "domain": "new.example", "regions": []string{"eu-west-1"}}
	}),
	"getBrand":    get("/v1/brands/BRAND"),
	"editBrand":   send("PATCH", "/v1/brands/BRAND", func(*scene) any { return map[string]any{"color": "#1f5fbf"} }),
	"deleteBrand": send("DELETE", "/v1/brands/BRAND", nothing),
	"listBrands":  get("/v1/partners/SELF/brands"),
	"createApiClient": send("POST", "/v1/api-clients", func(s *scene) any {
		return map[string]any{"nodeId": s.self, "name": "New", "role": "viewer"}
	}),
	"listApiClients":           get("/v1/api-clients?nodeId=SELF"),
	"getApiClient":             get("/v1/api-clients/CLIENT"),
	"revokeApiClient":          send("DELETE", "/v1/api-clients/CLIENT", nothing),
	"addApiClientSecret":       send("POST", "/v1/api-clients/CLIENT/secrets", nothing),
	"removeApiClientSecret":    send("DELETE", "/v1/api-clients/CLIENT/secrets/SECRET", nothing),
	"renameApiClient":          send("PATCH", "/v1/api-clients/CLIENT", func(*scene) any { return map[string]any{"name": "Another name"} }),
	"grantApiClient":           send("PUT", "/v1/api-clients/CLIENT/grants/SELF", func(*scene) any { return map[string]any{"role": "operator"} }),
	"movePartner":              send("POST", "/v1/partners/SELF/move", elsewhere),
	"moveCustomer":             send("POST", "/v1/customers/CUSTOMER/move", elsewhere),
	"suspendPartner":           send("POST", "/v1/partners/SELF/suspend", because),
	"suspendCustomer":          send("POST", "/v1/customers/CUSTOMER/suspend", because),
	"resumePartner":            send("POST", "/v1/partners/SELF/resume", empty),
	"resumeCustomer":           send("POST", "/v1/customers/CUSTOMER/resume", empty),
	"getJob":                   get("/v1/jobs/JOB"),
	"trashPartner":             send("DELETE", "/v1/partners/SELF", nothing),
	"trashCustomer":            send("DELETE", "/v1/customers/CUSTOMER", nothing),
	"restorePartner":           send("POST", "/v1/partners/SELF/restore", empty),
	"restoreCustomer":          send("POST", "/v1/customers/CUSTOMER/restore", empty),
	"listTrash":                get("/v1/partners/SELF/trash"),
	"previewPartnerMove":       send("POST", "/v1/partners/SELF/move/preview", elsewhere),
	"previewCustomerMove":      send("POST", "/v1/customers/CUSTOMER/move/preview", elsewhere),
	"requestPartnerMove":       send("POST", "/v1/partners/SELF/move-requests", elsewhere),
	"requestCustomerMove":      send("POST", "/v1/customers/CUSTOMER/move-requests", elsewhere),
	"listMoveRequests":         get("/v1/partners/SELF/move-requests"),
	"listCustomerMoveRequests": get("/v1/customers/CUSTOMER/move-requests"),
	"getMoveRequest":           get("/v1/move-requests/REQUEST"),
	"acceptMoveRequest":        send("POST", "/v1/move-requests/REQUEST/accept", empty),
	"declineMoveRequest":       send("POST", "/v1/move-requests/REQUEST/decline", empty),
	"withdrawMoveRequest":      send("POST", "/v1/move-requests/REQUEST/withdraw", empty),
	"listPartnerUsers":         get("/v1/partners/SELF/users"),
	"listCustomerUsers":        get("/v1/customers/CUSTOMER/users"),
	"explainAccess":            get("/v1/access?principal=CLIENT&node=SELF"),
	"listPartnerEvents":        get("/v1/partners/SELF/events"),
	"listCustomerEvents":       get("/v1/customers/CUSTOMER/events"),
	"inviteToPartner":          send("POST", "/v1/partners/SELF/invitations", toBob),
	"inviteToCustomer":         send("POST", "/v1/customers/CUSTOMER/invitations", toBob),
	"listPartnerInvitations":   get("/v1/partners/SELF/invitations"),
	"listCustomerInvitations":  get("/v1/customers/CUSTOMER/invitations"),
	"getInvitation":            get("/v1/invitations/INVITED"),
	"resendInvitation":         send("POST", "/v1/invitations/INVITED/resend", empty),
	"revokeInvitation":         send("DELETE", "/v1/invitations/INVITED", nothing),
	"setPartnerUserRole":       send("PUT", "/v1/partners/SELF/users/USER", asOperator),
	"setCustomerUserRole":      send("PUT", "/v1/customers/CUSTOMER/users/USER", asOperator),
	"removePartnerUser":        send("DELETE", "/v1/partners/SELF/users/USER", nothing),
	"removeCustomerUser":       send("DELETE", "/v1/customers/CUSTOMER/users/USER", nothing),
	"signOutEverywhere":        send("POST", "/v1/me/sign-out-everywhere", nothing),
	"revokeApiClientGrant":     send("DELETE", "/v1/api-clients/CLIENT/grants/SELF", nothing),
}

// others has more ways to call some operations: about the past.
var others = map[string]call{
	"listPartnerUsers":  get("/v1/partners/SELF/users?at=AT"),
	"listCustomerUsers": get("/v1/customers/CUSTOMER/users?at=AT"),
	"explainAccess":     get("/v1/access?principal=CLIENT&node=SELF&at=AT"),
}

// reaches tells from which positions the target is at or below the granted node.
func reaches(op contract.Operation, position string) bool {
	above := []string{"root", "top", "parent", "self"}
	if strings.Contains(op.Path, "/customers/{id}") {
		above = append(above, "the customer")
	}
	if own := above[len(above)-1]; (strings.HasPrefix(op.ID, "resume") || strings.HasPrefix(op.ID, "restore")) && position == own {
		return false // what is suspended or in the trash does not count its own grants
	}
	return slices.Contains(above, position)
}

// enough tells from which of those positions the role counts for the operation: what is decided above a node is not decided by a
// grant on it.
func enough(op contract.Operation, position string) bool {
	if op.Target != "above.path.id" {
		return true
	}
	own := map[bool]string{false: "self", true: "the customer"}[strings.Contains(op.Path, "/customers/{id}")]
	return position != own
}

// wanted is the status that a role at a position gets: 200 stands for any success.
func wanted(op contract.Operation, position string, role access.Role) int {
	needs, any := access.ParseRole(op.Role)
	if side, ok := strings.CutPrefix(op.Target, "move-request"); ok { // there for those who have a say on one of its sides
		from := role >= needs && slices.Contains([]string{"root", "top", "parent"}, position)
		to := role >= needs && slices.Contains([]string{"root", "top", "uncle"}, position)
		switch {
		case !from && !to:
			return 404
		case side == ".from" && !from, side == ".to" && !to:
			return 403
		}
		return 200
	}
	switch {
	case !any || reaches(op, position) && enough(op, position) && role >= needs:
		return 200
	case reaches(op, position):
		return 403
	}
	return 404
}

// TestAccessMatrix calls every operation from every position with every role, as an API client, and from some positions as a person.
// What may be done is done; what may be seen and not done is 403; and everything else looks as if it did not exist, in every part of the
// answer.
func TestAccessMatrix(t *testing.T) {
	rows := 0
	for _, op := range contract.Operations {
		if op.Public {
			continue
		}
		do := calls[op.ID]
		if do == nil {
			t.Errorf("the matrix has no row for %s: add how it is called to calls", op.ID)
			continue
		}
		inAllRows := func(t *testing.T, do call) {
			s := newScene(t, op)
			for _, position := range []string{"self", "root", "top", "parent", "child", "sibling", "nephew", "uncle", "cousin", "other top", "the customer", "another customer", "no grant"} {
				for nth := range 2 * int(access.Owner) {
					role, person := access.Viewer+access.Role(nth/2), nth%2 == 1
					if person && !slices.Contains([]string{"self", "parent", "sibling", "the customer", "no grant"}, position) {
						continue // the decision is the same one
					}
					as := s.caller(position, role, person)
					store := s.Store.(*directorytest.Fake)
					before := len(store.Events())
					var asked string
					as.Always = append(as.Always, func(e *events.APIGatewayV2HTTPRequest) {
						asked = fmt.Sprint(e.RawPath, e.QueryStringParameters, e.Body)
					})
					answer, reads := s.watched(func() *apitest.Answer { return do(s, as) })
					known := asked
					row := fmt.Sprintf("%s as %s at %s (a person: %v)", op.ID, role, position, person)
					want := wanted(op, position, role)
					if op.ID == "signOutEverywhere" && !person { // who has no sessions
						want = 403
					}
					switch want {
					case 200:
						if answer.Status/100 != 2 {
							t.Errorf("%s: %d %s; want success", row, answer.Status, answer.Body)
						}
					case 403:
						if answer.Status != 403 {
							t.Errorf("%s: %d %s; want 403", row, answer.Status, answer.Body)
						}
						_, unknown := s.watched(func() *apitest.Answer { return s.unknown(do, as) })
						if reads != unknown && op.Target != "self" {
							t.Errorf("%s: 403 takes %s from the store, and 404 %s", row, reads, unknown)
						}
					default:
						unknown, none := s.watched(func() *apitest.Answer { return s.unknown(do, as) })
						if asked == known {
							t.Fatalf("%s: what is unknown is the same: have (*scene).unknown ask for another id than %s", row, asked)
						}
						if answer.Status != 404 || answer.Body != unknown.Body {
							t.Errorf("%s: %d %s; want what an unknown id gives", row, answer.Status, answer.Body)
						}
						if reads != none {
							t.Errorf("%s: what is out of sight takes %s from the store, and what does not exist %s", row, reads, none)
						}
					}
					if after := len(store.Events()); answer.Status/100 != 2 && after != before {
						t.Errorf("%s: refused, and %d events happened", row, after-before)
					}
					rows++
					if op.Method != "GET" && answer.Status/100 == 2 {
						s = newScene(t, op) // the target is not what it was
					}
				}
			}
		}
		t.Run(op.ID, func(t *testing.T) { inAllRows(t, do) })
		if do, ok := others[op.ID]; ok {
			t.Run(op.ID+" at", func(t *testing.T) { inAllRows(t, do) })
		}
	}
	t.Logf("%d rows", rows)
}

// caller has one role at one position, and nothing else. A person has it in the same way as an API client.
func (s *scene) caller(position string, role access.Role, person bool) *apitest.Actor {
	if person {
		if at := s.positions[position]; at != "" {
			return s.PersonWith(at, role)
		}
		return s.Stranger("alice@vale.example")
	}
	if s.trashed != "" { // where nobody is granted anything
		s.changes("POST", s.trashed+"/restore", empty(s))
		defer func() { s.changes("DELETE", s.trashed, nil) }()
	}
	if at := s.positions[position]; at != "" {
		return s.Founder.Client(at, role.String())
	}
	as := s.Founder.Client(s.positions["other top"], role.String())
	s.Founder.Do("DELETE", fmt.Sprintf("/v1/api-clients/%s/grants/%s", as.ID, s.positions["other top"]), nil).Is(204)
	return as
}

// watched tells what an answer took from the store: how long it takes. Counting requests is left out: each caller's twentieth request
// does it, whatever is asked.
func (s *scene) watched(do func() *apitest.Answer) (*apitest.Answer, string) {
	store := s.Store.(*directorytest.Fake)
	before := len(store.Calls())
	answer := do()
	calls := slices.DeleteFunc(store.Calls()[before:], func(name string) bool { return name == "Count" })
	slices.Sort(calls) // some are made side by side
	return answer, fmt.Sprint(calls)
}

// unknown is what the same caller gets for ids that do not exist.
func (s *scene) unknown(do call, as *apitest.Actor) *apitest.Answer {
	none := *s
	none.self, none.customer, none.ownBrand = ident.NewPartner(), ident.NewCustomer(), string(ident.NewBrand())
	none.job, none.request, none.invited = string(ident.NewJob()), string(ident.NewMoveRequest()), string(ident.NewInvitation())
	none.user = &apitest.Actor{World: s.World, ID: ident.PersonOf("none", "none")}
	none.client = &apitest.Actor{World: s.World, ID: ident.NewClient()}
	return do(&none, as)
}
