package job_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/job"
	"example.com/partnertree/shared/record"
)

const node = "ptn_0000000000000001"

var (
	began = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	rank  = map[job.State]int{job.Pending: 0, job.Running: 1, job.Succeeded: 2, job.Failed: 2}
)

func newJob(steps ...string) *job.Job { return job.Begin("move", node, "7", began, steps...) }

func TestAJobRunsItsStepsInOrder(t *testing.T) {
	j := newJob("one", "two")
	if j.State != job.Running || j.Step() != "one" || j.Version != 1 || !j.Steps[0].Started.Equal(began) || j.Steps[1].State != job.Pending {
		t.Fatalf("begun: %+v", j)
	}
	later := began.Add(time.Minute)
	next, ok := j.Advance("two", job.Progress{Done: 3}, later)
	if !ok || next.Step() != "two" || next.Version != 2 || next.Progress.Done != 3 || !next.Updated.Equal(later) {
		t.Fatalf("advanced: %+v, %v", next, ok)
	}
	if one := next.Steps[0]; one.State != job.Succeeded || !one.Started.Equal(began) || !one.Ended.Equal(later) {
		t.Errorf("the first step: %+v", one)
	}
	if j.Step() != "one" {
		t.Error("what was read has changed, too")
	}
	ended, ok := next.Succeed(later.Add(time.Minute))
	if !ok || ended.State != job.Succeeded || ended.Step() != "" || !ended.Expires().Equal(later.Add(time.Minute).Add(job.Keep)) {
		t.Errorf("ended: %+v, %v", ended, ok)
	}
}

func TestAFailedJobSaysWhy(t *testing.T) {
	j, ok := newJob("one", "two").Fail(fault.Busy.New("Later."), began.Add(time.Second))
	if !ok || j.State != job.Failed || *j.Problem != (job.Problem{Slug: "busy", Detail: "Later."}) {
		t.Fatalf("%+v, %v", j, ok)
	}
	if j.Steps[0].State != job.Failed || j.Steps[1].State != job.Pending {
		t.Errorf("the steps: %+v", j.Steps)
	}
}

func TestAnUnknownStepIsRefused(t *testing.T) {
	if next, ok := newJob("one").Advance("two", job.Progress{}, began); ok {
		t.Errorf("%+v", next)
	}
}

// A worker that is late, after another one has gone on, writes nothing: its progress is that of a step that is over.
func TestAStepThatIsOverIsRefused(t *testing.T) {
	j, ok := newJob("one", "two").Advance("two", job.Progress{Done: 3}, began)
	if !ok {
		t.Fatal("not advanced")
	}
	if next, ok := j.Advance("one", job.Progress{Done: 9}, began); ok {
		t.Errorf("%+v", next)
	}
	if next, ok := j.Advance("two", job.Progress{Done: 9}, began); !ok || next.Progress.Done != 9 {
		t.Errorf("the step that runs: %+v, %v", next, ok)
	}
}

func TestAJobThatRunsDoesNotExpire(t *testing.T) {
	j := newJob("one")
	if f := encode(t, j); !j.Expires().IsZero() || f[record.ExpiresField] != nil {
		t.Errorf("it expires at %v, kept as %v", j.Expires(), f[record.ExpiresField])
	}
	j, _ = j.Succeed(began)
	if f := encode(t, j); f[record.ExpiresField] != began.Add(job.Keep).Unix() {
		t.Errorf("kept as %v", f[record.ExpiresField])
	}
}

// Whatever is done to a job, in whatever order and by workers whose clocks differ, it never goes back, and it is kept as it is.
func TestAJobNeverGoesBack(t *testing.T) {
	names := []string{"one", "two", "three"}
	rapid.Check(t, func(rt *rapid.T) {
		j := newJob(names[:rapid.IntRange(0, len(names)).Draw(rt, "steps")]...)
		for range rapid.IntRange(1, 8).Draw(rt, "times") {
			now := began.Add(time.Duration(rapid.IntRange(-5, 100).Draw(rt, "seconds")) * time.Second)
			var next *job.Job
			var ok bool
			switch rapid.SampledFrom([]string{"advance", "advance", "advance", "succeed", "fail"}).Draw(rt, "what") {
			case "advance":
				done := job.Progress{Done: int64(rapid.IntRange(0, 9).Draw(rt, "done")), Total: int64(rapid.IntRange(0, 9).Draw(rt, "total"))}
				step := rapid.SampledFrom(names).Draw(rt, "step")
				if next, ok = j.Advance(step, done, now); ok && next.Step() != step {
					rt.Fatalf("advanced to %s: %+v", step, next)
				}
			case "succeed":
				next, ok = j.Succeed(now)
			default:
				next, ok = j.Fail(fault.Internal.New("A defect."), now)
			}
			if !ok {
				continue
			}
			forward(rt, j, next)
			sound(rt, next)
			got, err := job.Jobs.Ref(next.ID).Decode(encode(rt, next))
			if err != nil || !reflect.DeepEqual(got, next) {
				rt.Fatalf("kept as %+v, %v; want %+v", got, err, next)
			}
			j = next
		}
	})
}

// forward asserts that a job came to be another one.
func forward(t *rapid.T, was, now *job.Job) {
	if was.State != job.Running {
		t.Fatalf("%+v has ended, and became %+v", was, now)
	}
	if now.Version != was.Version+1 || now.Updated.Before(was.Updated) || now.Created != was.Created || now.ID != was.ID || now.Input != was.Input {
		t.Fatalf("%+v became %+v", was, now)
	}
	for i, s := range now.Steps {
		if rank[s.State] < rank[was.Steps[i].State] || rank[was.Steps[i].State] == 2 && s != was.Steps[i] {
			t.Fatalf("the step %+v became %+v", was.Steps[i], s)
		}
	}
}

// sound asserts what holds for each job.
func sound(t *rapid.T, j *job.Job) {
	running := 0
	for i, s := range j.Steps {
		if s.State == job.Running {
			running++
		}
		if (s.State == job.Pending) != s.Started.IsZero() || (rank[s.State] == 2) == s.Ended.IsZero() || !s.Ended.IsZero() && s.Ended.Before(s.Started) {
			t.Fatalf("the step %+v", s)
		}
		if i > 0 && s.State != job.Pending && (j.Steps[i-1].State != job.Succeeded || s.Started.Before(j.Steps[i-1].Ended)) {
			t.Fatalf("%+v began before %+v ended", s, j.Steps[i-1])
		}
	}
	ended, failed := j.State != job.Running, j.State == job.Failed
	if want := min(len(j.Steps), 1); !ended && running != want || ended && running > 0 {
		t.Fatalf("%d steps run: %+v", running, j)
	}
	if ended == j.Ended.IsZero() || failed != (j.Problem != nil) || j.State == job.Succeeded && slices.ContainsFunc(j.Steps, unsuccessful) {
		t.Fatalf("%+v", j)
	}
}

func unsuccessful(s job.Step) bool { return s.State != job.Succeeded }

func encode(t interface{ Fatal(...any) }, j *job.Job) record.Fields {
	f, err := record.Encode("a job", j.Code)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
