package deadline

import (
	"context"
	"testing"
	"time"
)

func TestSomeTimeIsKept(t *testing.T) {
	outer, stop := context.WithTimeout(t.Context(), time.Hour)
	defer stop()
	end, _ := outer.Deadline()
	ctx, cancel := Before(outer)
	if got, ok := ctx.Deadline(); !ok || !got.Equal(end.Add(-Reserve)) {
		t.Errorf("%s, %v", got, ok)
	}
	cancel()
	if ctx.Err() == nil || outer.Err() != nil {
		t.Errorf("%v, %v", ctx.Err(), outer.Err())
	}
	ctx, cancel = Before(context.Background())
	cancel()
	if _, ok := ctx.Deadline(); ok {
		t.Error("there is a deadline that nobody has set")
	}
}
