package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"example.com/partnertree/functions/internal/deadline"
	"example.com/partnertree/shared/graph/guests"
	"example.com/partnertree/shared/guest"
)

// inviter makes guests. Its errors are *guests.Failure.
type inviter interface {
	Invite(ctx context.Context, o guest.Order) (guest.Outcome, error)
}

type function struct {
	inviter
	now func() time.Time
	log *slog.Logger
}

// handle makes one guest. An error means that it can be tried again. The log has one line of it, without an address or a link.
func (f *function) handle(ctx context.Context, o guest.Order) (guest.Outcome, error) {
	if o.Tenant == "" || o.Email == "" || o.Redirect == "" {
		return guest.Outcome{}, errors.New("the order is not complete")
	}
	began := f.now()
	ctx, cancel := deadline.Before(ctx)
	defer cancel()
	out, err := f.Invite(ctx, o)
	line := []slog.Attr{slog.String("tenant", o.Tenant), slog.Int64("micros", f.now().Sub(began).Microseconds())}
	level, outcome := slog.LevelInfo, "made"
	var failure *guests.Failure
	switch {
	case errors.As(err, &failure) && failure.Refusal != "":
		out, outcome, line = guest.Outcome{Refused: failure.Refusal}, string(failure.Refusal), append(line, slog.String("error", err.Error()))
		err = nil
	case err != nil:
		level, outcome, line = slog.LevelError, "failed", append(line, slog.String("error", err.Error()))
	case out.Object == "":
		outcome = "member"
	}
	f.log.LogAttrs(ctx, level, "guest", append(line, slog.String("outcome", outcome))...)
	return out, err
}
