package table

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"example.com/partnertree/shared/fault"
)

const (
	// readDeadline is the longest that one attempt takes. A batch is no snapshot: a node that was read just before it was
	// rewritten must not meet a tree state from which the change has left since. So this stays far below directory.Grace,
	// for which changes stay in the tree state when all is rewritten.
	readDeadline = 2 * time.Second

	// patience is how long a call is tried again in all.
	patience = 8 * time.Second

	// The n-th pause is a random part of 2ⁿ times shortest, at most longest.
	shortest = 20 * time.Millisecond
	longest  = 500 * time.Millisecond

	// retryAfter is what callers are told who come when it is too busy.
	retryAfter = time.Second
)

// errUnprocessed is DynamoDB leaving out a part of a batch, which it does when it is throttling.
var errUnprocessed = errors.New("a part of the batch was not processed")

// persist makes attempts, each with its own deadline, until one succeeds or fails for good, or patience or ctx ends;
// that is fault.Busy. What an attempt does may have been done although it failed.
func persist(ctx context.Context, attempt func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := shortest; ; pause = min(2*pause, longest) {
		err := once(ctx, attempt)
		if err == nil || ctx.Err() == nil && !temporary(err) {
			return err
		}
		select {
		case <-ctx.Done():
			busy := fault.Busy.Because(errors.Join(err, ctx.Err()),
				"Too busy just now. The request may or may not have been carried out: send it again in a moment, a POST with the same Idempotency-Key.")
			busy.RetryAfter = retryAfter
			return busy
		case <-time.After(rand.N(pause)):
		}
	}
}

// once makes one attempt. When it is the attempt's own deadline that has passed, the error says so.
func once(ctx context.Context, attempt func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readDeadline)
	defer cancel()
	err := attempt(ctx)
	if err != nil && ctx.Err() != nil {
		return errors.Join(context.DeadlineExceeded, err)
	}
	return err
}

var standard = retry.IsErrorRetryables(retry.DefaultRetryables)

// temporary reports whether an attempt that failed this way may succeed later: throttling, conflicts, failures inside
// DynamoDB, and whatever happened to the connection.
func temporary(err error) bool {
	var unreadable *smithy.DeserializationError
	if errors.Is(err, errUnprocessed) || errors.Is(err, errConflict) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &unreadable) {
		return true
	}
	var conflict *types.TransactionConflictException
	return errors.As(err, &conflict) || standard.IsErrorRetryable(err) == aws.TrueTernary
}
