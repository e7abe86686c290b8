package apitest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/golden"
	"example.com/partnertree/functions/internal/operations"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// What the recorded payloads are about.
const (
	goldenRoot     = ident.Node("ptn_00000000000000r1")
	goldenPartner  = ident.Node("ptn_00000000000000v1") // Vazon Bay IT
	goldenChild    = ident.Node("ptn_00000000000000v2") // Vale Telecom Services
	goldenCustomer = ident.Node("cus_00000000000000c1") // Cobo Surf School
	goldenTrashed  = ident.Node("cus_00000000000000c2") // Braye Harbour Clinic
	goldenBeside   = ident.Node("ptn_00000000000000n1") // Fjordtele, right below the root
	goldenBrand    = ident.Brand("brd_00000000000000b1")
	goldenOwn      = ident.Brand("brd_00000000000000b2")     // of Vazon Bay IT
	goldenClient   = ident.Principal("cli_00000000000000a1") // an owner at Vazon Bay IT
	goldenKey      = ident.Key("key_00000000000000k1")
	goldenRequest  = ident.MoveRequest("mrq_00000000000000q1") // to move Fjordtele below Vale Telecom Services
	goldenEvent    = ident.Event("evt_00000000000000e1")       // Braye Harbour Clinic was put into the trash
	goldenPerson   = ident.Principal("usr_00000000000000h1")
	goldenInvited  = ident.Invitation("inv_00000000000000t1") // somebody to Vale Telecom Services
)

// Golden gives the function api its recorded payloads, on a small tree with known ids at a known time. What is new or random in
// an answer is replaced: ids by "new", keys by "secret", span ids by "span".
func Golden(t *testing.T) {
	golden.Run(t, api.Function, func(t *testing.T, payload []byte) any {
		now := func() time.Time { return time.Date(2026, 11, 22, 9, 0, 30, 0, time.UTC) }
		store := goldenStore(t, now())
		var event events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(payload, &event); err != nil {
			t.Fatal(err)
		}
		dir := directory.New(store, now)
		handler := api.New(operations.All(dir), store, dir.NoteUse, now, slog.New(slog.NewJSONHandler(io.Discard, nil)))
		response, err := handler.Handle(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		response.Body = replaceNew(response.Body)
		response.Headers["traceparent"] = span.ReplaceAllString(response.Headers["traceparent"], "-span-")
		if location, ok := response.Headers["Location"]; ok {
			response.Headers["Location"] = replaceNew(location)
		}
		return response
	})
}

var (
	anID   = regexp.MustCompile(`(ptn|cus|brd|cli|usr|inv|key|job|mrq|evt)_[0-9a-z]{16}`)
	aKey   = regexp.MustCompile(`pmk_[0-9A-Za-z_-]+`)
	aHint  = regexp.MustCompile(`"hint":"[^"]{4}"`)
	span   = regexp.MustCompile(`-[0-9a-f]{16}-`)
	itsOwn = "_00000000000000"
)

func replaceNew(s string) string {
	s = aHint.ReplaceAllString(aKey.ReplaceAllString(s, "secret"), `"hint":"…"`)
	return anID.ReplaceAllStringFunc(s, func(id string) string {
		if strings.Contains(id, itsOwn) {
			return id
		}
		return id[:4] + "new"
	})
}

func goldenStore(t *testing.T, now time.Time) *directorytest.Fake {
	store := new(directorytest.Fake)
	node := func(parent *hierarchy.Node, id ident.Node, name hierarchy.Name) *hierarchy.Node {
		n := &hierarchy.Node{ID: id, Name: name, Version: 1, Created: now.Add(-time.Hour), Updated: now.Add(-time.Hour)}
		if parent != nil {
			below, err := n.Below(parent, parent.Place)
			if err != nil {
				t.Fatal(err)
			}
			n = &below
		} else {
			n.Place.Path = hierarchy.Path("").Child(id)
		}
		if n.Kind() == hierarchy.Customer {
			n.Details = hierarchy.Details{Brand: goldenBrand, Editable: hierarchy.Editable[string]{Reference: "C-1042"}}
		} else if parent != nil {
			n.Brands = hierarchy.Brands{Portal: goldenBrand, Available: []ident.Brand{goldenBrand}, Uses: map[ident.Brand]int64{goldenBrand: 0}}
		} else {
			n.Brands = hierarchy.Brands{Uses: map[ident.Brand]int64{}}
		}
		return n
	}
	root := node(nil, goldenRoot, "Cloudvendor")
	vazon := node(root, goldenPartner, "Vazon Bay IT")
	vale := node(vazon, goldenChild, "Vale Telecom Services")
	fjordtele := node(root, goldenBeside, "Fjordtele")
	was := node(vale, goldenTrashed, "Braye Harbour Clinic")
	trashed := *was
	trashed.Place.Marks = []hierarchy.Mark{{Node: goldenTrashed, Kind: hierarchy.Trashed}}
	trashed.Trashed, trashed.Updated, trashed.Version = now.Add(-30*time.Minute), now.Add(-30*time.Minute), 2
	failed := func(*hierarchy.Node) error { return directory.ErrExists }
	draw := func(parent *hierarchy.Node) directory.Step {
		return directory.CheckParent{Parent: parent, Draw: []ident.Brand{goldenBrand}, Else: failed}
	}
	brandOf := func(owner *hierarchy.Node, b brand.Brand) []directory.Step {
		return []directory.Step{directory.Put{Now: &b, Else: directory.ErrExists}, directory.Put{Now: b.DomainRecord(), Else: directory.ErrExists},
			directory.OwnBrand{Brand: b.ID, Owner: owner, Else: failed}}
	}
	for _, steps := range [][]directory.Step{
		{directory.AddTree{Root: goldenRoot, Else: directory.ErrExists}, directory.AddNode{Node: *root}},
		brandOf(root, brand.Brand{ID: goldenBrand, Owner: goldenRoot,
			Name: "Vazon Cloud", Domain: "vazon.example", Regions: []string{"eu-west-1", "eu-west-2"}, State: brand.Draft, Version: 1,
			Created: now.Add(-time.Hour)}),
		{draw(root), directory.AddNode{Node: *vazon}},
		brandOf(vazon, brand.Brand{ID: goldenOwn, Owner: goldenPartner,
			Name: "Bay Cloud", Domain: "cloud.bay.example", Regions: []string{"eu-west-2"}, State: brand.Draft, Version: 1, Color: "#7a1f3d",
			Created: now.Add(-time.Hour)}),
		{draw(vazon), directory.AddNode{Node: *vale}},
		{draw(vale), directory.AddNode{Node: *node(vale, goldenCustomer, "Cobo Surf School")}},
		{draw(root), directory.AddNode{Node: *fjordtele}},
		{draw(vale), directory.AddNode{Node: *was}},
		{directory.PlaceNode{Was: was, Now: &trashed, Else: failed}, directory.AddEvent{Event: event.Event{ID: goldenEvent,
			Type: event.CustomerTrashed, Time: trashed.Trashed, Node: goldenTrashed, Path: trashed.Place.Path, Actor: goldenClient,
			RequestID: "BzYh2jvXjoEEI1w=", Data: event.TrashedData{}}}},
		(&directory.MoveRequest{ID: goldenRequest, Node: goldenBeside,
			Name: fjordtele.Name, To: goldenChild, Message: "We are one company now.", By: "cli_00000000000000a2",
			State: directory.RequestOpen, Created: now.Add(-time.Hour), Ends: now.Add(directory.MoveRequestFor - time.Hour), Version: 1}).Add(directory.ErrExists),
		{directory.Put{Else: directory.ErrExists, Now: &access.Principal{ID: goldenClient, Name: "Billing", Home: goldenPartner, Version: 1, Created: now.Add(-time.Hour),
			Grants: map[ident.Node]access.Role{goldenPartner: access.Owner}, CursorKey: make([]byte, 32),
			Secrets: []access.Secret{{ID: goldenKey, Hash: make([]byte, 32), Hint: "1042", Created: now.Add(-time.Hour)}}}}},
		{directory.Put{Else: directory.ErrExists, Now: &access.Principal{ID: goldenPerson, Name: "Alice Le Page", Version: 1, Created: now.Add(-time.Hour),
			Person: &access.Person{Tenant: "11111111-1111-4111-8111-11111111aaaa", Object: "55555555-5555-4555-8555-55555555eeee",
				Email: "alice@vazon.example"},
			Grants: map[ident.Node]access.Role{goldenChild: access.Admin}, CursorKey: make([]byte, 32)}}},
		{directory.Put{Else: directory.ErrExists, Now: &credential.Keyring{{ID: 1, Created: now.Add(-time.Hour)}}}},
		{directory.Put{Else: directory.ErrExists, Now: &directory.Invitation{ID: goldenInvited, Node: goldenChild,
			Email: "bob@vale.example", Name: "Bob Tostevin", Role: access.Operator, Message: "Welcome to our portal.", By: goldenClient,
			State: directory.InvitationPending, Created: now.Add(-time.Hour), Expires: now.Add(6 * 24 * time.Hour), Sent: now.Add(-time.Hour),
			Generation: 1, Key: 1, Hash: make([]byte, 32), Mail: directory.MailBounced, Version: 3}}},
		goldenPast(now.Add(-time.Hour), vale.Place.Path),
	} {
		if err := store.Commit(t.Context(), steps...); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// goldenPast is how Vale Telecom Services came about: Alice was an operator there first, until ten minutes later.
func goldenPast(began time.Time, vale hierarchy.Path) (steps []directory.Step) {
	owner := event.ClientCreatedData{Client: event.Client{ClientID: goldenClient, Name: "Billing"}, Role: access.Owner}
	accepted := event.InvitationAcceptedData{PrincipalID: goldenPerson}
	accepted.Name, accepted.Role = "Alice Le Page", access.Operator
	changed := event.UserChangedData{UserRole: event.UserRole{PrincipalID: goldenPerson, Name: "Alice Le Page", Role: access.Admin}}
	for i, e := range []event.Event{
		{Type: event.PlatformFounded, Path: vale.To(0),
			Data: event.PlatformFoundedData{ClientID: "cli_00000000000000a0", ClientName: "Founder", Role: access.Owner}},
		{Type: event.PartnerCreated, Path: vale.To(1)}, {Type: event.ClientCreated, Path: vale.To(1), Data: owner},
		{Type: event.PartnerCreated, Path: vale}, {Type: event.InvitationAccepted, Path: vale, Data: accepted},
		{Type: event.UserChanged, Path: vale, Data: changed, Time: began.Add(10 * time.Minute)},
	} {
		e.ID, e.Node = ident.Event(fmt.Sprintf("evt_00000000000000p%d", i)), e.Path.At(e.Path.Depth()-1)
		if e.Time.IsZero() {
			e.Time = began
		}
		steps = append(steps, directory.AddEvent{Event: e})
	}
	return steps
}
