package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// bus takes events.
type bus interface {
	// put offers a batch and returns what became of each event, in order: nil when the bus has it, a refusal when it will
	// never take it, any other error when it may the next time. An error for the whole batch is a refusal or not in
	// the same sense; then the bus has none of it.
	put(ctx context.Context, batch []message) ([]error, error)
}

// queue keeps what cannot be delivered until somebody has looked at it.
type queue interface {
	send(ctx context.Context, body, reason string) error
}

// refusal is why something will not be delivered however often it is tried. It says no more than a code.
type refusal string

func (r refusal) Error() string { return string(r) }

// relay moves events from the table's stream to the bus. It promises that after each call every event is on the bus, in
// the queue, or reported as failed, so that it comes again: nothing is lost, and something may be delivered twice.
type relay struct {
	bus   bus
	queue queue
	log   *slog.Logger
}

// answerIn is kept free at the end of an invocation, so that one that runs out of time still reports what it has done.
const answerIn = 2 * time.Second

// handle relays one batch of the stream, or of the queue once an operator has enabled the redrive. It fails as a whole only
// for a batch whose records cannot even be told apart.
//
// The answer has the same form for both triggers.
func (r *relay) handle(ctx context.Context, batch struct{ Records []json.RawMessage }) (events.DynamoDBEventResponse, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerIn))
		defer cancel()
	}
	records := make([]*record, len(batch.Records))
	var messages []*record
	for i, raw := range batch.Records {
		rec, err := identify(raw)
		if err != nil {
			return events.DynamoDBEventResponse{}, fmt.Errorf("record %d: %w", i, err)
		}
		records[i] = rec
		switch err := rec.read(); {
		case errors.Is(err, errNoEvent):
			rec.done = true
		case err != nil:
			r.finish(ctx, rec, err)
		default:
			messages = append(messages, rec)
		}
	}
	for len(messages) > 0 {
		n := fits(messages)
		if !r.offer(ctx, messages[:n]) {
			break
		}
		messages = messages[n:]
	}

	failed := []events.DynamoDBBatchItemFailure{}
	for _, rec := range records {
		if !rec.done {
			failed = append(failed, events.DynamoDBBatchItemFailure{ItemIdentifier: rec.id})
		}
	}
	r.log.InfoContext(ctx, "relayed", "records", len(records), "failed", len(failed))
	return events.DynamoDBEventResponse{BatchItemFailures: failed}, nil
}

// offer puts a batch on the bus. It reports false when the bus takes nothing just now: what follows is not worth trying,
// and comes again anyway.
func (r *relay) offer(ctx context.Context, batch []*record) bool {
	messages := make([]message, len(batch))
	for i, rec := range batch {
		messages[i] = rec.message
	}
	outcomes, err := r.bus.put(ctx, messages)
	switch {
	case err == nil && len(outcomes) == len(batch):
		for i, rec := range batch {
			r.finish(ctx, rec, outcomes[i])
		}
		return true
	case err == nil:
		err = fmt.Errorf("%d outcomes for %d events", len(outcomes), len(batch))
	case isRefusal(err) && len(batch) == 1:
		r.finish(ctx, batch[0], err)
		return true
	case isRefusal(err): // perhaps because of one of them
		for rec := range slices.Chunk(batch, 1) {
			if !r.offer(ctx, rec) {
				return false
			}
		}
		return true
	}
	r.log.ErrorContext(ctx, "bus unavailable", "error", err.Error())
	return false
}

// finish draws the consequence of an attempt to deliver: done, into the queue, or left to be reported as failed.
func (r *relay) finish(ctx context.Context, rec *record, err error) {
	if err == nil {
		rec.done = true
		return
	}
	attrs := []any{"record", rec.id, "event", rec.message.id, "error", err.Error()}
	if !isRefusal(err) {
		r.log.WarnContext(ctx, "not delivered yet", attrs...)
		return
	}
	if rec.queued {
		r.log.ErrorContext(ctx, "still undeliverable: stays in the queue", attrs...)
		return
	}
	if err := r.queue.send(ctx, rec.body, err.Error()); err != nil {
		r.log.ErrorContext(ctx, "undeliverable and not queued yet", append(attrs, "queue", err.Error())...)
		return
	}
	r.log.ErrorContext(ctx, "undeliverable: queued", attrs...)
	rec.done = true
}

func isRefusal(err error) bool {
	var r refusal
	return errors.As(err, &r)
}
