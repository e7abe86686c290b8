package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/table/schema"
)

// message is an event as the bus takes it.
type message struct {
	id     string
	source string
	kind   string // detail type
	time   time.Time
	detail string // the whole event, JSON
}

// Limits of PutEvents.
const (
	maxEntries = 10
	maxBytes   = 1 << 20 // of all entries of a call together; exclusive
)

// size is what EventBridge counts for an entry.
func (m *message) size() int { return 14 + len(m.source) + len(m.kind) + len(m.detail) }

// fits is how many of the messages go into one call, from the first on; at least one.
func fits(records []*record) int {
	n, total := 0, 0
	for n < len(records) && n < maxEntries {
		total += records[n].message.size()
		if n > 0 && total >= maxBytes {
			break
		}
		n++
	}
	return n
}

// record is one record of a batch and what became of it.
type record struct {
	id      string // what a failure is reported by: sequence number or message id
	raw     json.RawMessage
	queued  bool    // it comes from the queue
	body    string  // what goes into the queue and comes out of it again: the event as the bus carries it, or all of a record that cannot be read
	message message // after read
	done    bool
}

// identify finds out what a failure of the record is reported by, and nothing else: a record that holds nonsense must
// not take the others of its batch along.
func identify(raw json.RawMessage) (*record, error) {
	var env struct {
		EventSource string `json:"eventSource"`
		MessageID   string `json:"messageId"`
		Body        string `json:"body"`
		Dynamodb    struct{ SequenceNumber string }
	}
	if err := json.Unmarshal(raw, &env); err != nil {
		return nil, err
	}
	rec := &record{raw: raw}
	switch env.EventSource {
	case "aws:dynamodb":
		rec.id, rec.body = env.Dynamodb.SequenceNumber, string(raw)
	case "aws:sqs":
		rec.id, rec.body, rec.queued = env.MessageID, env.Body, true
	default:
		return nil, fmt.Errorf("unknown source %q", env.EventSource)
	}
	if rec.id == "" {
		return nil, errors.New("it has no id to report a failure by")
	}
	return rec, nil
}

// errNoEvent says that a record of the stream tells of something else than a new event, such as its copy in the log of another node.
// The trigger filters those out; the relay does not rely on it.
var errNoEvent = errors.New("not a new event")

// read takes the event out of the record. What cannot be read is a refusal, a panic included.
func (r *record) read() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = refusal(fmt.Sprintf("reading the record panicked: %T", p))
		}
	}()
	carried := r.body
	if r.queued {
		var was struct{ Dynamodb json.RawMessage }
		if json.Unmarshal([]byte(carried), &was) == nil && was.Dynamodb != nil {
			if carried, err = eventOf([]byte(carried)); err != nil {
				return err
			}
		} else if repeated, err := event.Carried([]byte(carried)); err == nil { // an operator has put it there as the table has it
			carried = string(repeated)
		}
	} else if carried, err = eventOf(r.raw); err != nil {
		return err
	}

	var e event.Event
	if err := json.Unmarshal([]byte(carried), &e); err != nil {
		return refusal("the event is no JSON of an event")
	}
	if e.ID == "" || e.Type == "" || e.Node == "" || e.Time.IsZero() {
		return refusal("the event lacks its id, type, node or time")
	}
	r.body = carried
	r.message = message{id: string(e.ID), source: event.Source, kind: string(e.Type), time: e.Time, detail: carried}
	return nil
}

// eventOf returns the event in a record of the stream, as the bus carries it.
func eventOf(raw []byte) (string, error) {
	var rec events.DynamoDBEventRecord
	if err := json.Unmarshal(raw, &rec); err != nil {
		return "", refusal("the record is not one of a DynamoDB stream")
	}
	if rec.EventName != string(events.DynamoDBOperationTypeInsert) {
		return "", errNoEvent
	}
	kind, ok := rec.Change.NewImage[schema.TypeAttr]
	if !ok || kind.DataType() != events.DataTypeString {
		return "", refusal("the record has no type")
	}
	if kind.String() != schema.EventType {
		return "", errNoEvent
	}
	stored, ok := rec.Change.NewImage[schema.EventAttr]
	if !ok || stored.DataType() != events.DataTypeString {
		return "", refusal("the record has no event")
	}
	carried, err := event.Carried([]byte(stored.String()))
	if err != nil {
		return "", refusal("the event is no JSON of an event")
	}
	return string(carried), nil
}
