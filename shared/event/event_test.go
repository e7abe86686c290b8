package event_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
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

// The API lists payloads as the bus carries them, though another library writes them there.
func TestTheAPIAndTheBusWritePayloadsAlike(t *testing.T) {
	for _, kind := range event.Types {
		for _, p := range []event.Payload{withLists(kind.Empty()), filled(kind.Empty())} {
			bus, err1 := json.Marshal(p)
			api, err2 := jsonv2.Marshal(p, jsonv2.Deterministic(true))
			var one, other any
			if err := errors.Join(err1, err2, json.Unmarshal(bus, &one), json.Unmarshal(api, &other)); err != nil || !reflect.DeepEqual(one, other) {
				t.Errorf("%s: the bus carries %s, and the API lists %s (%v)", kind, bus, api, err)
			}
		}
	}
}

// Wherever somebody looks from, fields that callers are never told are empty.
func TestUnseenFieldsAreNeverTold(t *testing.T) {
	var path hierarchy.Path
	node := ident.Node("ptn_5n8c1r6yb2e9j4vz")
	seen := 0
	for _, kind := range event.Types {
		e := event.Event{Type: kind, Node: node, Path: path.Child(node), Data: filled(kind.Empty())}
		for name, v := range unseen(reflect.ValueOf(e.SeenFrom(node).Data)) {
			if seen++; !v.IsZero() {
				t.Errorf("%s tells %s", kind, name)
			}
		}
		for name, v := range unseen(reflect.ValueOf(e.Data)) {
			if v.IsZero() {
				t.Errorf("%s has lost %s, which is stored", kind, name)
			}
		}
	}
	if seen == 0 {
		t.Error("no payload has a field that is not told: this shows nothing")
	}
}

// unseen are the fields of a payload with the tag, those of its parts included.
func unseen(p reflect.Value) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	for f, v := range p.Fields() {
		if f.Tag.Get("unseen") == "true" {
			all[f.Name] = v
		} else if f.Anonymous {
			maps.Copy(all, unseen(v))
		}
	}
	return all
}

// filled returns a payload of the same type in which nothing is empty.
func filled(p event.Payload) event.Payload {
	v := reflect.New(reflect.TypeOf(p)).Elem()
	fill(v)
	return v.Interface().(event.Payload)
}

// withLists returns an empty payload whose lists are empty, and not nil: no event has a nil list.
func withLists(p event.Payload) event.Payload {
	v := reflect.New(reflect.TypeOf(p)).Elem()
	for _, inside := range v.Fields() {
		if inside.Kind() == reflect.Slice {
			inside.Set(reflect.MakeSlice(inside.Type(), 0, 0))
		}
	}
	return v.Interface().(event.Payload)
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, inside := range v.Fields() {
			fill(inside)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8: // a role
		v.SetUint(1)
	default:
		panic("this test cannot fill a " + v.Type().String())
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
