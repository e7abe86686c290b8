package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/partnertree/functions/internal/golden"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table/schema"
)

// memoryBus has what it took, and takes what fate lets it take.
type memoryBus struct {
	calls int
	has   []message
	fate  func(batch []message) ([]error, error) // nil: takes all
}

func (b *memoryBus) put(_ context.Context, batch []message) ([]error, error) {
	b.calls++
	outcomes, err := make([]error, len(batch)), error(nil)
	if b.fate != nil {
		outcomes, err = b.fate(batch)
	}
	if err == nil {
		for i, m := range batch {
			if i < len(outcomes) && outcomes[i] == nil {
				b.has = append(b.has, m)
			}
		}
	}
	return outcomes, err
}

type letter struct{ body, reason string }

type memoryQueue struct {
	has  []letter
	fate func() error // nil: takes all
}

func (q *memoryQueue) send(_ context.Context, body, reason string) error {
	if q.fate != nil {
		if err := q.fate(); err != nil {
			return err
		}
	}
	q.has = append(q.has, letter{body, reason})
	return nil
}

func silent() *slog.Logger { return slog.New(slog.NewJSONHandler(io.Discard, nil)) }

type batch = struct{ Records []json.RawMessage }

// relayed runs a batch and returns the ids that were reported as failed.
func relayed(t interface {
	Helper()
	Fatal(...any)
}, r *relay, records ...json.RawMessage) []string {
	t.Helper()
	answer, err := r.handle(context.Background(), batch{records})
	if err != nil {
		t.Fatal(err)
	}
	if answer.BatchItemFailures == nil {
		t.Fatal("the failures are null, not an empty list")
	}
	ids := []string{}
	for _, f := range answer.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	return ids
}

// stored is the n-th record of a stream: a new event.
func stored(n int) json.RawMessage {
	e := event.Event{
		ID: ident.Event(fmt.Sprintf("evt_%016d", n)), Type: event.PartnerCreated, Time: time.Unix(1789028065, 0).UTC(),
		Node: "ptn_0h3k9m2v7x4q8r1t", Data: event.PartnerCreatedData{Name: hierarchy.Name(fmt.Sprint(n))},
	}
	body, _ := e.Stored()
	return inserted(n, schema.EventType, map[string]any{schema.EventAttr: map[string]any{"S": string(body)}})
}

// inserted is the record of a new item of a type.
func inserted(n int, kind string, image map[string]any) json.RawMessage {
	image[schema.TypeAttr] = map[string]any{"S": kind}
	return record1(n, "INSERT", image)
}

func record1(n int, name string, image map[string]any) json.RawMessage {
	raw, _ := json.Marshal(map[string]any{
		"eventSource": "aws:dynamodb", "eventName": name,
		"dynamodb": map[string]any{
			"Keys":           map[string]any{schema.PK: map[string]any{"S": "N#x"}, schema.SK: map[string]any{"S": "E#2026"}},
			"NewImage":       image,
			"SequenceNumber": strconv.Itoa(n),
		},
	})
	return raw
}

func unreadable(n int) json.RawMessage { return inserted(n, schema.EventType, map[string]any{}) }

// panicking is a record on which the Lambda library itself panics.
func panicking(n int) json.RawMessage {
	return inserted(n, schema.EventType, map[string]any{"x": map[string]any{"BS": []any{5}}})
}

func otherItem(n int) json.RawMessage { return record1(n, "MODIFY", map[string]any{}) }

// copied is the record of an event's copy in the log of another node.
func copied(n int) json.RawMessage {
	return inserted(n, schema.LogType, map[string]any{schema.EventAttr: map[string]any{"S": eventIn(stored(n))}})
}

func queued(n int, body string) json.RawMessage {
	raw, _ := json.Marshal(map[string]any{"eventSource": "aws:sqs", "messageId": strconv.Itoa(n), "body": body})
	return raw
}

// number is the n that stored was given.
func number(m message) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(m.id, "evt_"))
	return n
}

func numbers(ms []message) []int {
	all := []int{}
	for _, m := range ms {
		all = append(all, number(m))
	}
	return all
}

func TestRecordedPayloads(t *testing.T) {
	golden.Run(t, "relay", func(t *testing.T, payload []byte) any {
		var in batch
		if err := json.Unmarshal(payload, &in); err != nil {
			t.Fatal(err)
		}
		bus, queue := &memoryBus{}, &memoryQueue{}
		var lines bytes.Buffer
		r := &relay{bus, queue, slog.New(slog.NewJSONHandler(&lines, nil))}
		answer, err := r.handle(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(lines.String(), "Vale") {
			t.Errorf("the log has the content of an event: %s", &lines)
		}
		type put struct {
			Source     string          `json:"source"`
			DetailType string          `json:"detailType"`
			Time       time.Time       `json:"time"`
			Detail     json.RawMessage `json:"detail"`
		}
		type sent struct {
			Reason string          `json:"reason"`
			Body   json.RawMessage `json:"body"`
		}
		out := struct {
			Bus    []put  `json:"bus"`
			Queue  []sent `json:"queue"`
			Answer any    `json:"answer"`
		}{[]put{}, []sent{}, answer}
		for _, m := range bus.has {
			out.Bus = append(out.Bus, put{m.source, m.kind, m.time, json.RawMessage(m.detail)})
		}
		for _, l := range queue.has {
			out.Queue = append(out.Queue, sent{l.reason, json.RawMessage(l.body)})
		}
		return out
	})
}

func TestWhatBecomesOfABatch(t *testing.T) {
	throttled := errors.New("ThrottlingException")
	outcomes := func(of ...error) func([]message) ([]error, error) {
		return func(b []message) ([]error, error) { return of[:len(b)], nil }
	}
	tests := []struct {
		name    string
		records []json.RawMessage
		bus     func([]message) ([]error, error)
		queue   func() error
		onBus   []int
		queued  []string // reasons
		failed  []string
	}{
		{name: "nothing"},
		{name: "all is well", records: []json.RawMessage{stored(1), stored(2)}, onBus: []int{1, 2}},
		{name: "one is throttled", records: []json.RawMessage{stored(1), stored(2), stored(3)},
			bus: outcomes(nil, throttled, nil), onBus: []int{1, 3}, failed: []string{"2"}},
		{name: "one is refused", records: []json.RawMessage{stored(1), stored(2), stored(3)},
			bus: outcomes(nil, refusal("MalformedDetail"), nil), onBus: []int{1, 3}, queued: []string{"MalformedDetail"}},
		{name: "one is refused and the queue is away", records: []json.RawMessage{stored(1), stored(2), stored(3)},
			bus: outcomes(nil, refusal("MalformedDetail"), nil), queue: func() error { return throttled },
			onBus: []int{1, 3}, failed: []string{"2"}},
		{name: "the bus is away", records: []json.RawMessage{otherItem(1), stored(2), unreadable(3), stored(4)},
			bus:    func([]message) ([]error, error) { return nil, throttled },
			queued: []string{"the record has no event"}, failed: []string{"2", "4"}},
		{name: "the bus loses count", records: []json.RawMessage{stored(1), stored(2)},
			bus: func([]message) ([]error, error) { return []error{}, nil }, failed: []string{"1", "2"}},
		{name: "one spoils the call", records: []json.RawMessage{stored(1), stored(2), stored(3)},
			bus: func(b []message) ([]error, error) {
				if slices.ContainsFunc(b, func(m message) bool { return number(m) == 2 }) {
					return nil, refusal("ValidationException")
				}
				return make([]error, len(b)), nil
			}, onBus: []int{1, 3}, queued: []string{"ValidationException"}},
		{name: "a record panics", records: []json.RawMessage{stored(1), panicking(2), stored(3)},
			onBus: []int{1, 3}, queued: []string{"reading the record panicked: *runtime.TypeAssertionError"}},
		{name: "an item without a type", records: []json.RawMessage{record1(1, "INSERT", map[string]any{})}, queued: []string{"the record has no type"}},
		{name: "other items", records: []json.RawMessage{otherItem(1), copied(2), inserted(3, "node", map[string]any{}), record1(4, "REMOVE", nil)}},
		{name: "a redriven event that is refused stays where it is",
			records: []json.RawMessage{queued(7, eventIn(stored(1))), queued(8, eventIn(stored(2)))},
			bus:     outcomes(refusal("AccessDeniedException"), nil), onBus: []int{2}, failed: []string{"7"}},
		{name: "a redriven record that is readable now",
			records: []json.RawMessage{queued(7, string(stored(1))), queued(8, string(unreadable(2)))},
			onBus:   []int{1}, failed: []string{"8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bus, queue := &memoryBus{fate: tt.bus}, &memoryQueue{fate: tt.queue}
			failed := relayed(t, &relay{bus, queue, silent()}, tt.records...)
			var reasons []string
			for _, l := range queue.has {
				reasons = append(reasons, l.reason)
			}
			if !slices.Equal(numbers(bus.has), tt.onBus) || !slices.Equal(reasons, tt.queued) || !slices.Equal(failed, tt.failed) {
				t.Errorf("on the bus %v, queued %q, failed %v; want %v, %q, %v", numbers(bus.has), reasons, failed, tt.onBus, tt.queued, tt.failed)
			}
		})
	}
}

// eventIn is the event in a record, as it goes into the queue.
func eventIn(raw json.RawMessage) string {
	s, err := eventOf(raw)
	if err != nil {
		panic(err)
	}
	return s
}

func TestWhatIsQueuedCanBeRedriven(t *testing.T) {
	queue := &memoryQueue{}
	r := &relay{&memoryBus{fate: func(b []message) ([]error, error) { return nil, refusal("AccessDeniedException") }}, queue, silent()}
	if failed := relayed(t, r, stored(1), stored(2)); len(failed) != 0 || len(queue.has) != 2 {
		t.Fatalf("failed %v, queued %v", failed, queue.has)
	}
	if got, want := queue.has[0], (letter{eventIn(stored(1)), "AccessDeniedException"}); got != want {
		t.Errorf("queued %+v, want %+v", got, want)
	}
	bus := &memoryBus{}
	failed := relayed(t, &relay{bus, &memoryQueue{}, silent()}, queued(1, queue.has[0].body), queued(2, queue.has[1].body))
	if len(failed) != 0 || !slices.Equal(numbers(bus.has), []int{1, 2}) {
		t.Errorf("failed %v, on the bus %v", failed, numbers(bus.has))
	}
}

func TestALargeBatchTakesSeveralCalls(t *testing.T) {
	bus := &memoryBus{}
	var records []json.RawMessage
	var want []int
	for n := range 25 {
		records, want = append(records, stored(n)), append(want, n)
	}
	failed := relayed(t, &relay{bus, &memoryQueue{}, silent()}, records...)
	if len(failed) != 0 || bus.calls != 3 || !slices.Equal(numbers(bus.has), want) {
		t.Errorf("failed %v, on the bus %v after %d calls", failed, numbers(bus.has), bus.calls)
	}
}

func TestABatchWhoseRecordsCannotBeToldApartFailsAsAWhole(t *testing.T) {
	for _, bad := range []string{`7`, `{}`, `{"eventSource":"aws:s3"}`, `{"eventSource":"aws:dynamodb"}`,
		`{"eventSource":"aws:sqs","body":"{}"}`} {
		bus := &memoryBus{}
		r := &relay{bus, &memoryQueue{}, silent()}
		if _, err := r.handle(t.Context(), batch{[]json.RawMessage{stored(1), json.RawMessage(bad)}}); err == nil {
			t.Errorf("%s: no error", bad)
		}
		if bus.calls != 0 {
			t.Errorf("%s: the bus was called", bad)
		}
	}
}

func TestCallsStayWithinTheLimitsOfTheBus(t *testing.T) {
	sized := func(bytes int) *record {
		m := message{source: "s", kind: "k"}
		m.detail = strings.Repeat("x", bytes-m.size())
		return &record{message: m}
	}
	tests := []struct {
		name  string
		sizes []int
		want  int
	}{
		{"eleven small ones", slices.Repeat([]int{100}, 11), 10},
		{"just under", []int{maxBytes / 2, maxBytes/2 - 1, 100}, 2},
		{"exactly the limit", []int{maxBytes / 2, maxBytes / 2, 100}, 1},
		{"one that is too large goes alone", []int{maxBytes + 1, 100}, 1},
		{"a small one before it", []int{100, maxBytes + 1}, 1},
	}
	for _, tt := range tests {
		var records []*record
		for _, n := range tt.sizes {
			records = append(records, sized(n))
		}
		if got := fits(records); got != tt.want {
			t.Errorf("%s: %d in the first call, want %d", tt.name, got, tt.want)
		}
	}
}

// An invocation that is about to run out of time answers before it is killed: the bus gets a context that ends earlier.
func TestTimeIsLeftToAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end, _ := ctx.Deadline()
	r := &relay{busFunc(func(ctx context.Context, b []message) ([]error, error) {
		if got, ok := ctx.Deadline(); !ok || end.Sub(got) < answerIn {
			t.Errorf("the bus may take until %v, the invocation ends at %v", got, end)
		}
		return make([]error, len(b)), nil
	}), &memoryQueue{}, silent()}
	if _, err := r.handle(ctx, batch{[]json.RawMessage{stored(1)}}); err != nil {
		t.Fatal(err)
	}
}

type busFunc func(context.Context, []message) ([]error, error)

func (f busFunc) put(ctx context.Context, b []message) ([]error, error) { return f(ctx, b) }

// misfortune draws what the bus and the queue do, call by call, until it is over.
type misfortune struct {
	t    *rapid.T
	over bool
}

func (m *misfortune) err(label string) error {
	if m.over {
		return nil
	}
	return rapid.SampledFrom([]error{nil, nil, nil, errors.New("throttled"), refusal("no")}).Draw(m.t, label)
}

func (m *misfortune) bus(b []message) ([]error, error) {
	if err := m.err("call"); err != nil {
		return nil, err
	}
	outcomes := make([]error, len(b))
	for i := range outcomes {
		outcomes[i] = m.err("entry")
	}
	return outcomes, nil
}

func (m *misfortune) queue() error {
	if m.err("queue") != nil {
		return errors.New("away")
	}
	return nil
}

// kindOf a record of a drawn batch.
const (
	good = iota
	cannotBeRead
	panics
	noEvent
)

func drawn(t *rapid.T, n int) (kinds []int, records []json.RawMessage) {
	make := []func(int) json.RawMessage{good: stored, cannotBeRead: unreadable, panics: panicking, noEvent: copied}
	for i := range n {
		k := rapid.SampledFrom([]int{good, good, good, good, cannotBeRead, panics, noEvent}).Draw(t, "kind")
		kinds, records = append(kinds, k), append(records, make[k](i))
	}
	return kinds, records
}

// where says for each record in how many ways the world outside has it.
func where(n int, bus *memoryBus, queue *memoryQueue) []int {
	count := make([]int, n)
	for _, m := range bus.has {
		count[number(m)]++
	}
	for _, l := range queue.has {
		var e event.Event
		if rec, err := identify(json.RawMessage(l.body)); err == nil {
			i, _ := strconv.Atoi(rec.id)
			count[i]++
		} else if json.Unmarshal([]byte(l.body), &e) == nil {
			count[number(message{id: string(e.ID)})]++
		}
	}
	return count
}

func TestEveryRecordIsDeliveredOrQueuedOrReported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fate := &misfortune{t: t}
		kinds, records := drawn(t, rapid.IntRange(0, 35).Draw(t, "n"))
		bus, queue := &memoryBus{fate: fate.bus}, &memoryQueue{fate: fate.queue}
		failed := relayed(t, &relay{bus, queue, silent()}, records...)
		reported := map[int]bool{}
		last := -1
		for _, id := range failed {
			n, _ := strconv.Atoi(id)
			if n <= last {
				t.Fatalf("reported out of order: %v", failed)
			}
			reported[n], last = true, n
		}
		for i, count := range where(len(records), bus, queue) {
			if kinds[i] == noEvent {
				if count != 0 || reported[i] {
					t.Fatalf("record %d is no event: delivered %d times, reported: %v", i, count, reported[i])
				}
			} else if count > 1 || (count == 1) == reported[i] {
				t.Fatalf("record %d: delivered or queued %d times, reported: %v", i, count, reported[i])
			}
		}
	})
}

// The stream as Lambda reads it: a batch is repeated from the first record reported as failed.
func TestNothingIsLostHoweverOftenItFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fate := &misfortune{t: t}
		kinds, records := drawn(t, rapid.IntRange(1, 40).Draw(t, "n"))
		bus, queue := &memoryBus{fate: fate.bus}, &memoryQueue{fate: fate.queue}
		r := &relay{bus, queue, silent()}
		at, patience := 0, rapid.IntRange(0, 8).Draw(t, "bad calls")
		for calls := 0; at < len(records); calls++ {
			fate.over = calls >= patience
			if calls > patience+len(records) {
				t.Fatalf("stuck at record %d although all is well again", at)
			}
			size := rapid.IntRange(1, 25).Draw(t, "batch")
			end := min(at+size, len(records))
			if failed := relayed(t, r, records[at:end]...); len(failed) > 0 {
				at, _ = strconv.Atoi(failed[0])
			} else {
				at = end
			}
		}
		for i, count := range where(len(records), bus, queue) {
			if kinds[i] != noEvent && count == 0 {
				t.Fatalf("record %d is lost", i)
			}
		}
	})
}
