package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// callDeadline bounds one call with its retries; the stream brings back what was not done.
const callDeadline = 5 * time.Second

// retryer is short: a longer pause is the stream's affair, which repeats the whole batch.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 3
		o.MaxBackoff = 300 * time.Millisecond
		o.RateLimiter = ratelimit.None // else bad minutes make the process stop repeating calls for the rest of its life
	})
}

// eventBus is a bus on EventBridge.
type eventBus struct {
	client *eventbridge.Client
	name   string
}

func newEventBus(cfg aws.Config, name string) *eventBus {
	return &eventBus{eventbridge.NewFromConfig(cfg, func(o *eventbridge.Options) { o.Retryer = retryer() }), name}
}

func (b *eventBus) put(ctx context.Context, batch []message) ([]error, error) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	in := &eventbridge.PutEventsInput{Entries: make([]ebtypes.PutEventsRequestEntry, len(batch))}
	for i := range batch {
		m := &batch[i]
		in.Entries[i] = ebtypes.PutEventsRequestEntry{
			EventBusName: &b.name, Source: &m.source, DetailType: &m.kind, Detail: &m.detail, Time: &m.time,
		}
	}
	out, err := b.client.PutEvents(ctx, in)
	if err != nil {
		return nil, classify(err)
	}
	outcomes := make([]error, len(out.Entries))
	for i, e := range out.Entries {
		switch code := aws.ToString(e.ErrorCode); {
		case code == "" && aws.ToString(e.EventId) == "":
			outcomes[i] = errors.New("neither an event id nor an error code")
		case curable[code]:
			outcomes[i] = errors.New(code)
		case code != "":
			outcomes[i] = refusal(code)
		}
	}
	return outcomes, nil
}

// curable are the codes of single entries that EventBridge documents as worth repeating, with their older names.
var curable = map[string]bool{
	"InternalFailure": true, "InternalException": true, "ServiceUnavailable": true,
	"ThrottlingException": true, "Throttling": true, "ThrottledException": true, "RequestLimitExceeded": true,
}

// classify makes a refusal of what the service itself says is the request's fault. Everything else (throttling, faults
// of the service, networks, time) may go away.
func classify(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) || retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary {
		return err
	}
	return refusal(api.ErrorCode())
}

// undelivered is a queue on SQS.
type undelivered struct {
	client *sqs.Client
	url    string
}

func newUndelivered(cfg aws.Config, url string) *undelivered {
	return &undelivered{sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.Retryer = retryer() }), url}
}

// acceptable escapes, inside of JSON, the characters that SQS refuses and JSON does not.
var acceptable = strings.NewReplacer("\ufffe", `\ufffe`, "\uffff", `\uffff`)

func (q *undelivered) send(ctx context.Context, body, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	body = acceptable.Replace(body)
	_, err := q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &q.url, MessageBody: &body,
		MessageAttributes: map[string]sqstypes.MessageAttributeValue{
			"reason": {DataType: aws.String("String"), StringValue: &reason},
		},
	})
	if err != nil {
		return fmt.Errorf("send to the queue: %w", err)
	}
	return nil
}
