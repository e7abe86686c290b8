package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/metric"
)

// The tasks. Both can be killed anywhere and done again.
const (
	taskSettle = "settle" // walk on: rewrite nodes until the walk is done or the time is up
	taskRetire = "retire" // the grace is over: take the change out of the tree state
)

// Names of errors, as the state machine's retries know them. Step Functions sees the errorType that Lambda answers with, which
// messages.InvokeResponse_Error sets; the name of any other Go type, or of one that wraps it, would match nothing.
const (
	errBusy          = "Busy"          // repeating helps
	errUnknownChange = "UnknownChange" // there is no such change, and there will be none
	errBadTask       = "BadTask"       // the input is not one of this function's
	errDefect        = "Defect"        // anything else; the log has the cause
)

// task is what the state machine asks for.
type task struct {
	Task   string `json:"task"`
	Change change `json:"change"`
}

// change is the whole state of an execution: what a task answers is what the next one gets. Only the id is needed; without the
// rest everything begins anew, which is always right.
type change struct {
	ID     ident.Change `json:"changeId"`
	Since  time.Time    `json:"since,omitzero"`   // when it took effect
	Resume string       `json:"resume,omitempty"` // where the walk goes on
	Done   bool         `json:"done"`             // the walk is
}

// A walk gets at most walkFor of an invocation, and never the last reserve before the time-out, in which what was begun ends
// and the answer leaves.
const (
	walkFor = 40 * time.Second
	reserve = 15 * time.Second
)

type settling struct {
	directory *directory.Directory
	now       func() time.Time
	atMost    time.Duration // that one walk lasts
	stage     string
	log       *slog.Logger
}

func (s *settling) handle(ctx context.Context, t task) (change, error) {
	log := s.log.With("task", t.Task, "change", string(t.Change.ID))
	if now := s.now(); !t.Change.Since.IsZero() {
		log = log.With(metric.ChangeAge.Attrs(now, s.stage, now.Sub(t.Change.Since).Seconds())...)
	}
	answer, err := s.do(ctx, log, t)
	if err != nil {
		name := nameOf(err)
		log.ErrorContext(ctx, "failed", "error", name, "cause", err.Error())
		return change{}, messages.InvokeResponse_Error{Type: name, Message: message(err)}
	}
	return answer, nil
}

func (s *settling) do(ctx context.Context, log *slog.Logger, t task) (change, error) {
	id, err := ident.ParseChange(string(t.Change.ID))
	if err != nil {
		return change{}, fault.Invalid.New("/change/changeId: %s", err)
	}
	next := t.Change
	switch t.Task {
	case taskSettle:
		walked, err := s.directory.Settle(ctx, id, next.Resume, s.budget(ctx))
		if err != nil {
			return change{}, err
		}
		next.Resume, next.Done = walked.Resume, walked.Done
		log.InfoContext(ctx, "walked", "nodes", walked.Nodes, "done", walked.Done)
	case taskRetire:
		if err := s.directory.Retire(ctx, id); err != nil {
			return change{}, err
		}
		log.InfoContext(ctx, "retired")
	default:
		return change{}, fault.Invalid.New("/task: must be %s or %s", taskSettle, taskRetire)
	}
	return next, nil
}

// budget is what a walk may take of the invocation.
func (s *settling) budget(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return s.atMost
	}
	return min(s.atMost, time.Until(end)-reserve)
}

// message is what the execution's history shows: nothing that only the log may have.
func message(err error) string {
	var told *fault.Error
	switch {
	case errors.As(err, &told):
		return told.Detail
	case errors.Is(err, directory.ErrUnknownChange), errors.Is(err, directory.ErrNotWalked):
		return err.Error()
	}
	return "The log of the function has the cause."
}

func nameOf(err error) string {
	switch {
	case fault.Busy.Is(err), fault.Conflict.Is(err):
		return errBusy
	case errors.Is(err, directory.ErrUnknownChange):
		return errUnknownChange
	case fault.Invalid.Is(err):
		return errBadTask
	}
	return errDefect
}
