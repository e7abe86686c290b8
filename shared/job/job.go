// Package job holds long work: what goes on after the request that began it was answered. A job has steps, one after the other, and ends
// once. A feature with long work chooses a kind and the names of the steps. The feature's worker writes what each method returns in the place
// of the job that was read.
package job

import (
	"slices"
	"time"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Keep is how long a job can be read after it ended.
const Keep = 90 * 24 * time.Hour

// Kind says what a job does.
type Kind string

// State is where a job, or a step of a job, is.
type State string

// The states. A job is never Pending.
const (
	Pending   State = "pending" // an earlier step is running
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
)

// Job is one piece of long work.
type Job struct {
	ID       ident.Job
	Kind     Kind
	Node     ident.Node // what the job belongs to: who may read the node may read the job
	State    State
	Steps    []Step
	Problem  *Problem // why the job failed
	Progress Progress
	Input    string // what the worker needs to find its work again; nobody else reads it
	Created  time.Time
	Updated  time.Time
	Ended    time.Time
	Version  int64
}

// Step is a part of a job. The next step begins when this step ends.
type Step struct {
	Name    string
	State   State
	Started time.Time
	Ended   time.Time
}

// Problem is why a job failed: the slug of a fault.Type, and a text that is safe to show.
type Problem struct {
	Slug   string
	Detail string
}

// URI is the path of the page that explains the problem.
func (p *Problem) URI() string { return (&fault.Type{Slug: p.Slug}).URI() }

// Progress is how much of the work is done. It counts anew when the work begins anew after a crash.
type Progress struct {
	Done  int64
	Total int64 // 0: not known
}

// Begin returns a new job whose first step is running.
func Begin(kind Kind, node ident.Node, input string, now time.Time, steps ...string) *Job {
	j := &Job{ID: ident.NewJob(), Kind: kind, Node: node, State: Running, Input: input, Created: now, Updated: now, Version: 1}
	for _, name := range steps {
		j.Steps = append(j.Steps, Step{Name: name, State: Pending})
	}
	if len(j.Steps) > 0 {
		j.Steps[0].State, j.Steps[0].Started = Running, now
	}
	return j
}

// Step returns the name of the running step, "" when no step is running.
func (j *Job) Step() string {
	if i := j.running(); i >= 0 {
		return j.Steps[i].Name
	}
	return ""
}

func (j *Job) running() int {
	return slices.IndexFunc(j.Steps, func(s Step) bool { return s.State == Running })
}

// Advance returns the job with this step running and this much done. The steps before have succeeded. It reports false when the job would go
// back: the job has ended, or a later step is running already.
func (j *Job) Advance(step string, done Progress, now time.Time) (*Job, bool) {
	to := slices.IndexFunc(j.Steps, func(s Step) bool { return s.Name == step })
	if j.State != Running || to < 0 || to < j.running() {
		return nil, false
	}
	next := j.next(now)
	next.Progress = done
	next.finish(to)
	if s := &next.Steps[to]; s.State == Pending {
		s.State, s.Started = Running, next.Updated
	}
	return next, true
}

// Succeed returns the job with all steps ended well. It reports false when the job has ended already.
func (j *Job) Succeed(now time.Time) (*Job, bool) {
	if j.State != Running {
		return nil, false
	}
	next := j.next(now)
	next.finish(len(next.Steps))
	next.State, next.Ended = Succeeded, next.Updated
	return next, true
}

// Fail returns the job with its running step failed, and the problem that is shown to readers. The steps after it never run. It reports false
// when the job has ended already.
func (j *Job) Fail(why *fault.Error, now time.Time) (*Job, bool) {
	if j.State != Running {
		return nil, false
	}
	next := j.next(now)
	if i := next.running(); i >= 0 {
		next.Steps[i].State, next.Steps[i].Ended = Failed, next.Updated
	}
	next.State, next.Ended, next.Problem = Failed, next.Updated, &Problem{why.Type.Slug, why.Detail}
	return next, true
}

// next copies the job as its next version. Its times never go back, although the clocks of two workers differ.
func (j *Job) next(now time.Time) *Job {
	next := *j
	next.Steps = slices.Clone(j.Steps)
	if next.Version++; now.After(j.Updated) {
		next.Updated = now
	}
	return &next
}

// finish ends the steps before a number well.
func (j *Job) finish(before int) {
	for i := range j.Steps[:before] {
		s := &j.Steps[i]
		if s.State == Pending {
			s.Started = j.Updated
		}
		if s.State != Succeeded {
			s.State, s.Ended = Succeeded, j.Updated
		}
	}
}

// Expires is when stores may forget a job that has ended. It is zero for a job that is running.
func (j *Job) Expires() time.Time {
	if j.Ended.IsZero() {
		return time.Time{}
	}
	return j.Ended.Add(Keep)
}

// Jobs are kept as records.
var Jobs = record.NewKind("job", func(id ident.Job) *Job { return &Job{ID: id} })

// Ref implements record.Record.
func (j *Job) Ref() record.Ref { return Jobs.Ref(j.ID) }

// Lists implements record.Record.
func (j *Job) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (j *Job) Code(c *record.Coder) {
	record.Text(c, "kind", &j.Kind)
	record.Text(c, "node", &j.Node)
	record.Text(c, "state", &j.State)
	record.Each(c, "steps", &j.Steps, func(c *record.Coder, s *Step) {
		record.Needed(c, "name", &s.Name)
		record.Needed(c, "state", &s.State)
		c.Time("started", &s.Started)
		c.Time("ended", &s.Ended)
	})
	record.Optional(c, "problem", &j.Problem, func(c *record.Coder, p *Problem) {
		record.Needed(c, "slug", &p.Slug)
		record.Text(c, "detail", &p.Detail)
	})
	record.Number(c, "done", &j.Progress.Done)
	record.Number(c, "total", &j.Progress.Total)
	record.Text(c, "input", &j.Input)
	c.Time("created", &j.Created)
	c.Time("updated", &j.Updated)
	c.Time("ended", &j.Ended)
	c.Version(&j.Version)
	if kept := j.Expires(); !kept.IsZero() {
		c.Expires(&kept)
	}
}
