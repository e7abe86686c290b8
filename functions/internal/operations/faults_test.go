package operations_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/hierarchy"
)

// TestEveryWriteIsSafeToRepeat fails the commit of every operation that writes, before it was applied and after. The first
// leaves nothing behind; after either, the request sent again does what it should have done, once.
func TestEveryWriteIsSafeToRepeat(t *testing.T) {
	for _, op := range contract.Operations {
		if op.Public || op.Method == "GET" || strings.HasSuffix(op.Path, "/preview") {
			continue
		}
		events := 1
		if strings.HasPrefix(op.ID, "request") || op.ID == "declineMoveRequest" || op.ID == "withdrawMoveRequest" {
			events = 2 // one for each side
		}
		for _, applied := range []bool{false, true} {
			name := op.ID + " fails before the write"
			if applied {
				name = op.ID + " fails after the write"
			}
			t.Run(name, func(t *testing.T) {
				s := newScene(t, op)
				store := s.Store.(*directorytest.Fake)
				do := calls[op.ID]
				as := s.Founder.Client(s.World.Root, "owner")
				if op.ID == "signOutEverywhere" {
					as = s.PersonWith(s.World.Root, access.Owner)
				}
				as.Always = []apitest.With{apitest.Header("Idempotency-Key", "once")}
				before := len(store.Events())

				failed := false
				fail := func(c directorytest.Call) error {
					if c.Name != "Commit" {
						return nil
					}
					failed = true
					return directorytest.Busy()
				}
				if applied {
					store.After = fail
				} else {
					store.Before = fail
				}
				do(s, as).Is(503, "busy")
				if !failed {
					t.Fatal("nothing was committed: the test shows nothing")
				}
				store.Before, store.After = nil, nil
				if left := len(store.Events()) - before; applied == (left == 0) {
					t.Errorf("%d events after the failure", left)
				}

				again := do(s, as)
				want := 200
				switch {
				case applied && op.ID == "signOutEverywhere":
					want = 401
				case applied && op.Method == "DELETE" && !strings.HasPrefix(op.ID, "trash") && op.ID != "revokeInvitation":
					want = 404 // as the contract says: what is gone after its DELETE, unlike what can be read still, is not found
				}
				if again.Status != want && (want != 200 || again.Status/100 != 2) {
					t.Errorf("the request again: %d %s", again.Status, again.Body)
				}
				if happened := len(store.Events()) - before; happened != events {
					t.Errorf("%d events; want %d", happened, events)
				}
			})
		}
	}
}

// TestAPreviewChangesNothing holds for the operations that the test above leaves out.
func TestAPreviewChangesNothing(t *testing.T) {
	for _, op := range contract.Operations {
		if !strings.HasSuffix(op.Path, "/preview") {
			continue
		}
		s := newScene(t, op)
		store := s.Store.(*directorytest.Fake)
		before := len(store.Calls())
		calls[op.ID](s, s.Founder).Is(200)
		if made := store.Calls()[before:]; len(made) == 0 || slices.Contains(made, "Commit") {
			t.Errorf("%s: %v", op.ID, made)
		}
	}
}

// TestTheContractTellsTheBounds compares the numbers in its text with those in the code.
func TestTheContractTellsTheBounds(t *testing.T) {
	text, err := os.ReadFile("../../../shared/contract/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Join(strings.Fields(string(text)), " ")
	const day = 24 * time.Hour
	edit := slices.IndexFunc(contract.Operations, func(op contract.Operation) bool { return op.ID == "editBrand" })
	for _, want := range []string{
		fmt.Sprintf("For %d days you can restore the partner", hierarchy.KeepTrash/day),
		fmt.Sprintf("there accepts or declines within %d days", directory.MoveRequestFor/day),
		fmt.Sprintf("when it is %d seconds old", directory.FeedDelay/time.Second),
		fmt.Sprintf("grants on at most %d nodes", access.MaxGrants),
		fmt.Sprintf("In a day, at most %d invitations can be made at a partner or customer", directory.InvitationsADay),
		fmt.Sprintf("In a day, at most %d requests to move one node can be made, and at most %d requests from below one top-level partner, %d of them to one new parent. "+
			"At most %d requests a day", directory.AsksADay, directory.AsksBelowADay, directory.AsksToADay, directory.AsksToAllADay),
		fmt.Sprintf("in a line of 1 to %d characters. White", hierarchy.MaxMoveMessage),
		fmt.Sprintf("In a day, at most %d links are mailed from below one top-level partner, and at most %d of them to one mailbox",
			directory.LinksBelowADay, directory.LinksToADay),
		fmt.Sprintf("marked as unwanted counts as %d links. At most %d links a day are mailed to one mailbox", directory.BounceCosts, directory.LinksToAllADay),
		fmt.Sprintf("One invitation can be sent at most %d times", directory.MaxLinks),
		fmt.Sprintf("You can send it again %d minutes after the last time", directory.ResendAfter/time.Minute),
		fmt.Sprintf("expiresInDays: {type: integer, minimum: 1, maximum: %d, default: %d,", directory.MaxInvitationDays, directory.InvitationDays),
		fmt.Sprintf("maxItems: %d description: The principals whose role", directory.MaxAccessChanges),
		fmt.Sprintf("so that the tree is at most %d levels deep", hierarchy.MaxDepth),
		fmt.Sprintf("There can be %d of these changes at a time", hierarchy.MaxChanges),
		fmt.Sprintf("at most %d KiB. Only the request that edits a brand, which can contain a logo, can have %d KiB", api.MaxBody>>10,
			contract.Operations[edit].MaxBody>>10),
	} {
		if !strings.Contains(told, want) {
			t.Errorf("the contract does not say %q", want)
		}
	}
}

// TestRequestsHaveTheFieldsOfTheContract: none is missing in the code, and the code has no others.
func TestRequestsHaveTheFieldsOfTheContract(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("../../../shared/contract/docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	s := newScene(t, contract.Operation{})
	for _, op := range contract.Operations {
		spec := doc.Paths.Value(op.Path).GetOperation(op.Method)
		if spec.RequestBody == nil {
			continue
		}
		unknown := func(field string) bool {
			answer := s.Founder.Do(op.Method, s.address(op), `{"`+field+`": null}`)
			return answer.Status == 400 && answer.Get("type") == "/problems/unknown-field"
		}
		for field := range spec.RequestBody.Value.Content.Get("application/json").Schema.Value.Properties {
			fields++
			if unknown(field) {
				t.Errorf("%s: the contract has the field %s and the code has not", op.ID, field)
			}
		}
		for _, field := range []string{"id", "kind", "version", "state", "noSuchField"} {
			if !unknown(field) {
				t.Errorf("%s takes the field %s, which the contract has not", op.ID, field)
			}
		}
	}
	if fields < 20 {
		t.Errorf("only %d fields were looked at", fields)
	}
}
