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

// The tasks. All can be killed anywhere and done again. The state machine asks for the first two, a schedule for the third.
const (
	taskSettle = "settle" // walk on: rewrite nodes, or erase them, until the walk is done or the time is up
	taskRetire = "retire" // the grace is over: take the change out of the tree state
	taskPurge  = "purge"  // purge what has been in the trash long enough; it needs no change and starts some
)

// Names of errors, as the state machine's retries know them. Step Functions sees the errorType that Lambda answers with, which
// messages.InvokeResponse_Error sets; the name of any other Go type, or of one that wraps it, would match nothing.
const (
	errBusy       = "Busy"       // repeating helps
	errUnknownJob = "UnknownJob" // there is no such job, and there will be none
	errBadTask    = "BadTask"    // the input is not one of this function's
	errDefect     = "Defect"     // anything else; the log has the cause
)

// task is what is asked for.
type task struct {
	Task   string `json:"task"`
	Change change `json:"change"`
}

// change is the whole state of an execution: what a task answers is what the next one gets. Only the id is needed; without the
// rest everything begins anew, which is always right. Nothing that people typed is in it: Step Functions keeps it for 90 days.
type change struct {
	ID    ident.Job `json:"jobId"`
	Since time.Time `json:"since,omitzero"` // when it took effect
	Begun bool      `json:"begun,omitzero"` // the walk goes on where it was left; false: it begins anew
	Done  bool      `json:"done"`           // the walk is
}

// purged is what a purge answers.
type purged struct {
	Purged        int     `json:"purged"`        // nodes that are gone for good now
	BehindSeconds float64 `json:"behindSeconds"` // how overdue the oldest is that is left
}

// A walk, and a purge, gets at most walkFor of an invocation, and never the last reserve before the time-out, in which what was begun ends
// and the answer leaves.
const (
	walkFor = 40 * time.Second
	reserve = 15 * time.Second
)

type settling struct {
	directory *directory.Directory
	now       func() time.Time
	atMost    time.Duration // that one walk or purge lasts
	stage     string
	log       *slog.Logger
}

// handle answers a change, or purged.
func (s *settling) handle(ctx context.Context, t task) (answer any, err error) {
	log := s.log.With("task", t.Task)
	if t.Task == taskPurge {
		answer, err = s.purge(ctx, log)
	} else {
		log = log.With("job", string(t.Change.ID))
		if now := s.now(); !t.Change.Since.IsZero() {
			log = log.With(metric.ChangeAge.Attrs(now, s.stage, now.Sub(t.Change.Since).Seconds())...)
		}
		answer, err = s.step(ctx, log, t)
	}
	if err != nil {
		name := nameOf(err)
		log.ErrorContext(ctx, "failed", "error", name, "cause", err.Error())
		return nil, messages.InvokeResponse_Error{Type: name, Message: message(err)}
	}
	return answer, nil
}

// purge tells how far behind it is only when it did all that it could: one that fails is missed by the alarm.
func (s *settling) purge(ctx context.Context, log *slog.Logger) (purged, error) {
	swept, err := s.directory.Purge(ctx, s.budget(ctx))
	if err != nil {
		return purged{}, err
	}
	p := purged{swept.Purged, swept.Behind.Seconds()}
	log.InfoContext(ctx, "purged", append([]any{"nodes", p.Purged}, metric.TrashBehind.Attrs(s.now(), s.stage, p.BehindSeconds)...)...)
	return p, nil
}

// step does a task of the state machine.
func (s *settling) step(ctx context.Context, log *slog.Logger, t task) (change, error) {
	id, err := ident.ParseJob(string(t.Change.ID))
	if err != nil {
		return change{}, fault.Invalid.New("/change/jobId: %s", err)
	}
	next := t.Change
	switch t.Task {
	case taskSettle:
		settle := s.directory.SettleAnew
		if next.Begun {
			settle = s.directory.SettleOn
		}
		walked, err := settle(ctx, id, s.budget(ctx))
		if err != nil {
			return change{}, err
		}
		next.Begun, next.Done = !walked.Done, walked.Done
		log.InfoContext(ctx, "walked", "nodes", walked.Nodes, "done", walked.Done)
	case taskRetire:
		if err := s.directory.Retire(ctx, id); err != nil {
			return change{}, err
		}
		log.InfoContext(ctx, "retired")
	default:
		return change{}, fault.Invalid.New("/task: must be %s, %s or %s", taskSettle, taskRetire, taskPurge)
	}
	return next, nil
}

// budget is what a walk or a purge may take of the invocation.
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
	case errors.Is(err, directory.ErrUnknownJob), errors.Is(err, directory.ErrNotWalked):
		return err.Error()
	}
	return "The log of the function has the cause."
}

func nameOf(err error) string {
	switch {
	case fault.Busy.Is(err), fault.Conflict.Is(err):
		return errBusy
	case errors.Is(err, directory.ErrUnknownJob):
		return errUnknownJob
	case fault.Invalid.Is(err):
		return errBadTask
	}
	return errDefect
}
