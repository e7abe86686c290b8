// Package deadline leaves a function the time to answer, also when its work takes too long.
package deadline

import (
	"context"
	"time"
)

// Reserve is what is kept of Lambda's time to still say that it was too short.
const Reserve = 500 * time.Millisecond

// Before returns the context of an invocation with its deadline that much earlier. One without a deadline stays without.
func Before(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, end.Add(-Reserve))
}
