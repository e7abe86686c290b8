package event_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
)

// What is written is read again, from the table and from the bus, and what is stored is carried alike.
func TestAnEventIsReadAsItWasWritten(t *testing.T) {
	var root hierarchy.Path
	moved := event.Event{ID: "evt_1q8w5z0m3x7k4v9d", Type: event.PartnerMoved, Time: time.Date(2026, 3, 9, 16, 40, 51, 37_000, time.UTC),
		Node: "ptn_5n8c1r6yb2e9j4vz", Path: root.Child("ptn_0h3k9m2v7x4q8r1t").Child("ptn_5n8c1r6yb2e9j4vz"), Left: root.Child("ptn_5n8c1r6yb2e9j4vz"),
		Actor: "cli_6v0b3w8ne1k5t9xj", RequestID: "1f0c8e52b7d94a63",
		Data: event.MovedData{From: "ptn_0h3k9m2v7x4q8r1t", Job: event.Job{JobID: "job_7m2q9x4t0v6k3h8r"}}}
	newer := moved
	newer.Type, newer.Data = "partner.of-a-newer-version", event.Raw(`{"some":["data"]}`)
	for _, e := range []event.Event{moved, newer} {
		stored, err := e.Stored()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := event.FromStored(stored); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("from the table: %+v, %v", got, err)
		}
		written, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var got event.Event
		if err := json.Unmarshal(written, &got); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("from the bus: %+v, %v", got, err)
		}
		if carried, err := event.Carried(stored); err != nil || string(carried) != string(written) {
			t.Errorf("carried is %s, %v; written is %s", carried, err, written)
		}
	}
	if seen, err := json.Marshal(newer.SeenFrom(newer.Node).Data); err != nil || string(seen) != "{}" {
		t.Errorf("of an unknown type is seen %s, %v", seen, err)
	}
}

// Fields that a payload does not have are left out.
func TestUnknownFieldsAreLeftOut(t *testing.T) {
	var e event.Event
	err := json.Unmarshal([]byte(`{"type":"partner.suspended","data":{"reason":"Not paid.","of":"a newer version"}}`), &e)
	if err != nil || e.Data != event.Payload(event.SuspendedData{Reason: "Not paid."}) {
		t.Errorf("%+v, %v", e.Data, err)
	}
}
