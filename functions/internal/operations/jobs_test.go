package operations_test

import (
	"errors"
	"testing"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/job"
)

// A failed job says which step failed, and why, to who may read the node that it belongs to.
func TestAFailedJobSaysWhy(t *testing.T) {
	w, f, brand := world(t)
	a, b := f.Partner(w.Root, "A", brand), f.Partner(w.Root, "B", brand)
	atA, atB := f.Client(a, "viewer"), f.Client(b, "viewer")
	j := job.Begin(directory.MoveJob, a, "1", w.Now(), directory.RewriteStep, directory.GraceStep)
	j, _ = j.Advance(directory.RewriteStep, job.Progress{Done: 2, Total: 5}, w.Now())
	j, _ = j.Fail(fault.Busy.New("Repeat the request in a minute."), w.Now().Add(time.Second))
	if err := w.Store.Commit(t.Context(), directory.Put{Now: j, Else: errors.New("never")}); err != nil {
		t.Fatal(err)
	}
	got := atA.Gets("/v1/jobs/%s", j.ID).Is(200)
	for want, is := range map[string]string{
		"failed":                          got.Get("state"),
		"/problems/busy":                  got.Get("problem", "type"),
		"Repeat the request in a minute.": got.Get("problem", "detail"),
		"5":                               got.Get("progress", "total"),
	} {
		if is != want {
			t.Errorf("%q instead of %q: %s", is, want, got.Body)
		}
	}
	if got.Get("endedAt") == "" {
		t.Errorf("no end: %s", got.Body)
	}
	atB.Gets("/v1/jobs/%s", j.ID).Is(404, "not-found")
}
