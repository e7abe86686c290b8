package main

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/portalhost"
	"example.com/partnertree/shared/setting"
)

// Where people of the matrix have their role: above the partner that is asked about, at it, at a partner below it, and at another beside it.
var positions = []string{"above", "here", "below", "beside"}

// small is a tree with one thing of each kind at a partner, and with nobody but those who are asked for.
type small struct {
	t      *testing.T
	portal *portal
	store  *directorytest.Fake
	dir    *directory.Directory
	owner  directory.Caller
	at     map[string]ident.Node // by position
	values map[string]string     // of the parameters of routes
}

func newSmall(t *testing.T) *small {
	t.Helper()
	store := new(directorytest.Fake)
	s := &small{t: t, store: store, dir: directory.New(store, clocktest.Now), at: map[string]ident.Node{}}
	root, owner, key, err := s.dir.CreateRoot(t.Context(), "Cloudvendor", "Founder")
	s.must(err)
	parsed, _ := credential.ParseAPIKey(key)
	s.owner = directory.Caller{Principal: owner.ID, Key: parsed.ID}
	partner := func(parent ident.Node, name hierarchy.Name) ident.Node {
		n, err := s.dir.CreatePartner(t.Context(), s.owner, directory.NewPartner{Parent: parent, Name: name})
		s.must(err)
		return n.ID
	}
	s.at["above"] = partner(root.ID, "Above")
	s.at["here"] = partner(s.at["above"], "Here")
	s.at["below"] = partner(s.at["here"], "Below")
	s.at["beside"] = partner(s.at["above"], "Beside")
	b, err := s.dir.CreateBrand(t.Context(), s.owner, directory.NewBrand{Partner: s.at["here"], Name: "Brand", Domain: "brand.example", Regions: []string{"eu-west-1"}})
	s.must(err)
	client, err := s.dir.CreateClient(t.Context(), s.owner, directory.NewClient{Node: s.at["here"], Name: "Client", Role: access.Viewer})
	s.must(err)
	invitation, err := s.dir.Invite(t.Context(), s.owner, directory.NewInvitation{Node: s.at["here"], Email: "x@contoso.example", Name: "X", Role: access.Viewer, Days: 7})
	s.must(err)
	request, err := s.dir.AskMove(t.Context(), s.owner, s.at["here"], s.at["beside"], "Please")
	s.must(err)
	changed, err := s.dir.Suspend(t.Context(), s.owner, s.at["below"], "Unpaid")
	s.must(err)
	_, err = s.dir.Resume(t.Context(), s.owner, s.at["below"])
	s.must(err)
	s.values = map[string]string{"node": string(s.at["here"]), "id": string(b.ID), "client": string(client.ID), "secret": string(client.SecretID),
		"invitation": string(invitation.ID), "principal": string(client.ID), "request": string(request.ID), "job": string(changed.JobID()),
		"role": string(s.at["here"]), "token": "x", "name": "x"}
	s.portal = &portal{now: clocktest.Now, log: slog.New(slog.DiscardHandler), config: portalhost.Configured(func(name string) string {
		return map[string]string{setting.EntraClient: ours, setting.EntraTenants: "any", setting.PortalHosts: "portal.example"}[name]
	})}
	s.portal.serve(s.dir, store, entra.NewSignIn(entra.NewVerifier(s.portal.config.Cloud, nil, clocktest.Now), entra.Secret(password)))
	return s
}

func (s *small) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// hire makes a person with a role at a position.
func (s *small) hire(position string, role access.Role) credential.SignedIn {
	s.t.Helper()
	who := credential.SignedIn{Tenant: contoso, Object: ann, Name: "Ann", Email: "ann@contoso.example", Verified: true, Began: clocktest.Now(), App: ours}
	i, err := s.dir.Invite(s.t.Context(), s.owner, directory.NewInvitation{Node: s.at[position], Email: who.Email, Name: "Ann", Role: role, Days: 7})
	s.must(err)
	mail, err := s.dir.DueMail(s.t.Context(), i.ID, i.Generation)
	s.must(err)
	_, err = s.dir.AcceptInvitation(s.t.Context(), who, mail.Token, "req")
	s.must(err)
	return who
}

// ask asks for a page as somebody, with an empty form of theirs.
func (s *small) ask(route string, who *credential.SignedIn) response {
	s.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	e := events.APIGatewayV2HTTPRequest{RouteKey: route, PathParameters: map[string]string{}, Headers: map[string]string{"accept": "text/html"}}
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			if s.values[name] == "" {
				s.t.Fatalf("%s: the matrix has no value for {%s}", route, name)
			}
			e.PathParameters[name] = s.values[name]
			path = strings.Replace(path, part, s.values[name], 1)
		}
	}
	ring, err := s.dir.Keyring(s.t.Context())
	s.must(err)
	if e.RawPath = path; who != nil {
		e.Cookies = []string{sessionCookie + "=" + ring.Seal(*who, clocktest.Now())}
		if method == http.MethodPost {
			e.Body = url.Values{formField: {ring.FormToken(who)}, keyField: {"k"}}.Encode()
		}
	}
	e.RequestContext.DomainName, e.RequestContext.HTTP.Method = "portal.example", method
	r, err := s.portal.handle(s.t.Context(), e)
	s.must(err)
	return r
}

// Every page × position × role is a row of the golden file: the status of the answer to a viewer, an operator, an admin and an owner. A form
// is sent without anything in it: 422 and 400 say that it would have been carried out, 303 that it was.
func TestWhoSeesWhichPage(t *testing.T) {
	var rows []string
	for _, p := range contract.Pages {
		route := p.RouteKey()
		if !strings.HasPrefix(p.Path, "/nodes/") && !strings.HasPrefix(p.Path, "/brands/") && !strings.HasPrefix(p.Path, "/clients/") &&
			!strings.HasPrefix(p.Path, "/move-requests/") && !strings.HasPrefix(p.Path, "/jobs/") || route == logoRoute {
			continue
		}
		if r := newSmall(t).ask(route, nil); p.Method == http.MethodGet && (r.StatusCode != 303 || !strings.HasPrefix(r.Headers["Location"], "/signin?")) ||
			p.Method == http.MethodPost && r.StatusCode != 401 {
			t.Errorf("%s: nobody gets %d %v", route, r.StatusCode, r.Headers)
		}
		for _, position := range positions {
			row := fmt.Sprintf("%-46s %-6s", route, position)
			for role := access.Viewer; role <= access.Owner; role++ {
				s := newSmall(t)
				who := s.hire(position, role)
				r := s.ask(route, &who)
				row += fmt.Sprintf(" %d", r.StatusCode)
				seen := position == "above" || position == "here"
				if !seen && r.StatusCode != 404 && !strings.HasPrefix(p.Path, "/move-requests/") && !strings.HasPrefix(p.Path, "/jobs/") {
					t.Errorf("%s: a person %s gets %d: what cannot be seen looks as if it did not exist", route, position, r.StatusCode)
				}
				if r.StatusCode >= 500 {
					t.Errorf("%s: a person %s gets %d", route, position, r.StatusCode)
				}
			}
			rows = append(rows, row)
		}
	}
	got := "route                                          role   viewer operator admin owner\n" + strings.Join(rows, "\n") + "\n"
	lines(t, "testdata/matrix.golden", got)
}

// What each page asks of the store is a golden file, for an owner above: a list of what is read, of which some goes side by side. Prices in units
// are those of the operations (shared/table/costs).
func TestWhatPagesRead(t *testing.T) {
	var rows []string
	for _, p := range contract.Pages {
		if p.Method != http.MethodGet || !p.Session {
			continue
		}
		s := newSmall(t)
		who := s.hire("above", access.Owner)
		s.ask(p.RouteKey(), &who)          // after which keys and sites are known
		before := len(s.store.Calls()) + 1 // the keyring, by which ask makes the cookie
		r := s.ask(p.RouteKey(), &who)
		calls := map[string]int{}
		for _, name := range s.store.Calls()[before:] {
			calls[name]++
		}
		var read []string
		for _, name := range slices.Sorted(maps.Keys(calls)) {
			read = append(read, fmt.Sprintf("%d %s", calls[name], name))
		}
		rows = append(rows, fmt.Sprintf("%-46s %d  %s", p.RouteKey(), r.StatusCode, strings.Join(read, ", ")))
	}
	lines(t, "testdata/reads.golden", "page                                           status  reads\n"+strings.Join(rows, "\n")+"\n")
}

// lines compares lines with a file.
func lines(t *testing.T, file, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		had := strings.Split(string(want), "\n")
		for _, row := range strings.Split(got, "\n") {
			if !slices.Contains(had, row) {
				t.Errorf("new: %s", row)
			}
		}
		t.Errorf("%s: %v, or it has other rows", file, err)
	}
}

// notInThePortal are the operations of the API that the portal does not have, with the reason.
var notInThePortal = map[string]string{
	"getHome": "is a page itself", "getDocs": "is a page itself", "getOpenApi": "is for programs", "getOpenApi30": "is for programs", "getProblem": "is a page itself",
	"listDescendants": "the tree, the trash and the search show the same nodes in an order for people",
}

// shown are the pages that show what an operation reads.
var shown = map[string]string{
	"getMe": "GET /me", "signOutEverywhere": "POST /signout/everywhere",
	"getPartner": "GET /nodes/{node}", "getCustomer": "GET /nodes/{node}", "getPartnerPath": "GET /nodes/{node}", "getCustomerPath": "GET /nodes/{node}",
	"listPartners": "GET /nodes/{node}/partners", "listCustomers": "GET /nodes/{node}/customers", "getPartnerTree": "GET /nodes/{node}/tree",
	"search": "GET /search", "getJob": "GET /jobs/{job}", "listTrash": "GET /nodes/{node}/trash",
	"listPartnerEvents": "GET /nodes/{node}/activity", "listCustomerEvents": "GET /nodes/{node}/activity",
	"listPartnerUsers": "GET /nodes/{node}/users", "listCustomerUsers": "GET /nodes/{node}/users", "explainAccess": "GET /nodes/{node}/access",
	"listPartnerInvitations": "GET /nodes/{node}/invitations", "listCustomerInvitations": "GET /nodes/{node}/invitations",
	"getInvitation":    "GET /nodes/{node}/invitations/{invitation}",
	"listMoveRequests": "GET /nodes/{node}/move-requests", "listCustomerMoveRequests": "GET /nodes/{node}/move-requests", "getMoveRequest": "GET /move-requests/{request}",
	"listBrands": "GET /nodes/{node}/brands", "getBrand": "GET /brands/{id}", "listApiClients": "GET /nodes/{node}/clients", "getApiClient": "GET /clients/{client}",
}

// What one does by the API one does in the portal, too.
func TestThePortalDoesWhatTheAPIDoes(t *testing.T) {
	found := map[string]bool{}
	for path, f := range forms {
		if len(f.operations) == 0 {
			t.Errorf("%s carries out no operation", path)
		}
		for _, id := range f.operations {
			found[id] = true
		}
	}
	for id, route := range shown {
		if found[id] = true; pages()[route] == nil {
			t.Errorf("%s: there is no page %s", id, route)
		}
	}
	known := map[string]bool{}
	for _, op := range contract.Operations {
		known[op.ID] = true
		if reason := notInThePortal[op.ID]; found[op.ID] == (reason != "") {
			t.Errorf("%s: in the portal: %v; the reason why not: %q", op.ID, found[op.ID], reason)
		}
	}
	for id := range found {
		if !known[id] {
			t.Errorf("the contract has no operation %s", id)
		}
	}
	for id := range notInThePortal {
		if !known[id] {
			t.Errorf("the contract has no operation %s", id)
		}
	}
}
