package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/functions/internal/golden"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
)

func over(store directory.Store) (*bootstrap, *bytes.Buffer) {
	var lines bytes.Buffer
	return &bootstrap{directory.New(store, clocktest.Now), slog.New(slog.NewJSONHandler(&lines, nil))}, &lines
}

func TestRecordedPayloads(t *testing.T) {
	golden.Run(t, "bootstrap", func(t *testing.T, payload []byte) any {
		var o order
		if err := json.Unmarshal(payload, &o); err != nil {
			t.Fatal(err)
		}
		b, lines := over(&directorytest.Fake{})
		if strings.HasSuffix(t.Name(), "second-time") || strings.HasSuffix(t.Name(), "recover-after-founding") {
			if _, err := b.handle(t.Context(), order{PartnerName: "Cloudvendor", ClientName: "Founder"}); err != nil {
				t.Fatal(err)
			}
		}
		answer, err := b.handle(t.Context(), o)
		if strings.Contains(lines.String(), credential.KeyPrefix) {
			t.Errorf("the log has a key: %s", lines)
		}
		if err != nil {
			// Lambda takes errorType from this very type, and from nothing that wraps it.
			typed, ok := err.(messages.InvokeResponse_Error)
			if !ok {
				t.Fatalf("error of type %T", err)
			}
			return typed
		}
		if _, ok := credential.ParseAPIKey(answer.Key); !ok {
			t.Errorf("the key is no API key")
		}
		// Ids and key are random: what they begin with is what can be compared.
		return founded{answer.PartnerID[:4], answer.ClientID[:4], answer.Key[:4]}
	})
}

func TestTheKeyIsThatOfAnOwnerOfTheRoot(t *testing.T) {
	store := &directorytest.Fake{}
	b, _ := over(store)
	answer, err := b.handle(t.Context(), order{PartnerName: "Cloudvendor", ClientName: "Founder"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Read(t.Context(), directory.Want{Records: access.Principals.Refs(answer.ClientID), Nodes: []ident.Node{answer.PartnerID}})
	if err != nil {
		t.Fatal(err)
	}
	client, root := access.Principals.In(got.Records, answer.ClientID), got.Nodes[answer.PartnerID]
	if client == nil || root == nil {
		t.Fatalf("stored: client %v, root %v", client, root)
	}
	if key, ok := credential.ParseAPIKey(answer.Key); !ok || !key.Verify(client, clocktest.Now()) {
		t.Error("the key is not the client's")
	}
	if d := access.Decide(client, &got.Tree, root, access.ManageClients); !d.Allowed() || d.Role != access.Owner {
		t.Errorf("the client is %s at the root", d.Role)
	}
}

func TestABusyTableIsToldApart(t *testing.T) {
	b, _ := over(&directorytest.Fake{Before: func(directorytest.Call) error { return fault.Busy.New("try again") }})
	_, err := b.handle(t.Context(), order{PartnerName: "Cloudvendor", ClientName: "Founder"})
	var typed messages.InvokeResponse_Error
	if !errors.As(err, &typed) || typed.Type != fault.Busy.Slug {
		t.Errorf("got %v", err)
	}
}

func TestACauseIsLoggedAndNotAnswered(t *testing.T) {
	b, lines := over(&directorytest.Fake{Before: func(directorytest.Call) error { return errors.New("table secret-place is gone") }})
	_, err := b.handle(t.Context(), order{PartnerName: "Cloudvendor", ClientName: "Founder"})
	var typed messages.InvokeResponse_Error
	if !errors.As(err, &typed) || typed.Type != fault.Internal.Slug || strings.Contains(typed.Message, "secret-place") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(lines.String(), "secret-place") {
		t.Errorf("the log lacks the cause: %s", lines)
	}
}

func TestALostKeyIsRecovered(t *testing.T) {
	store := &directorytest.Fake{}
	b, lines := over(store)
	lost := errors.New("the answer was lost")
	store.After = func(directorytest.Call) error { return lost }
	if _, err := b.handle(t.Context(), order{PartnerName: "Cloudvendor", ClientName: "Founder"}); err == nil {
		t.Fatal("the answer was not lost")
	}
	store.After = nil
	var keys []credential.APIKey
	for range 3 { // each recovery takes the oldest of two secrets away
		answer, err := b.handle(t.Context(), order{Recover: true})
		if err != nil {
			t.Fatal(err)
		}
		key, ok := credential.ParseAPIKey(answer.Key)
		if !ok {
			t.Fatal("no key")
		}
		keys = append(keys, key)
		got, err := store.Read(t.Context(), directory.Want{Records: access.Principals.Refs(answer.ClientID), Nodes: []ident.Node{answer.PartnerID}})
		if err != nil {
			t.Fatal(err)
		}
		client := access.Principals.In(got.Records, answer.ClientID)
		if d := access.Decide(client, &got.Tree, got.Nodes[answer.PartnerID], access.ManageClients); !key.Verify(client, clocktest.Now()) || !d.Allowed() || got.Tree.Root != answer.PartnerID {
			t.Error("the recovered key opens nothing")
		}
		if len(client.Secrets) != 2 || len(keys) == 3 && keys[0].Verify(client, clocktest.Now()) {
			t.Errorf("%d secrets; the oldest one should be gone", len(client.Secrets))
		}
	}
	if strings.Contains(lines.String(), credential.KeyPrefix) {
		t.Errorf("the log has a key: %s", lines)
	}
}

// A rotation leaves the key by which sessions that are running were sealed.
func TestTheKeyringIsRotated(t *testing.T) {
	store := &directorytest.Fake{}
	b, lines := over(store)
	before, err := b.directory.Keyring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := b.handle(t.Context(), order{Rotate: true})
	if err != nil || answer != (founded{}) {
		t.Fatalf("%+v, %v", answer, err)
	}
	after, err := b.directory.Keyring(t.Context())
	if err != nil || len(after) != 2 || after[0] == before[0] || after[1] != before[0] {
		t.Errorf("%d keys, then %d: %v", len(before), len(after), err)
	}
	if !strings.Contains(lines.String(), `"rotated":true`) {
		t.Errorf("the log: %s", lines)
	}
}
