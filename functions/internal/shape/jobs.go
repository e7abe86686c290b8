package shape

import (
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
)

// Job is long work, and how far it is.
type Job struct {
	ID       ident.Job   `json:"id"`
	Kind     job.Kind    `json:"kind"`
	Node     ident.Node  `json:"nodeId"`
	State    job.State   `json:"state"`
	Steps    []JobStep   `json:"steps"`
	Progress JobProgress `json:"progress"`
	Problem  *JobProblem `json:"problem,omitempty"`
	Created  string      `json:"createdAt"`
	Updated  string      `json:"updatedAt"`
	Ended    string      `json:"endedAt,omitzero"`
}

// JobStep is a part of a job.
type JobStep struct {
	Name    string    `json:"name"`
	State   job.State `json:"state"`
	Started string    `json:"startedAt,omitzero"`
	Ended   string    `json:"endedAt,omitzero"`
}

// JobProgress is how much of a job is done.
type JobProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total,omitzero"`
}

// JobProblem is why a job failed.
type JobProblem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// OfJob returns the shape of a job.
func OfJob(j job.Job) Job {
	out := Job{ID: j.ID, Kind: j.Kind, Node: j.Node, State: j.State, Progress: JobProgress{j.Progress.Done, j.Progress.Total},
		Created: stamp(j.Created), Updated: stamp(j.Updated), Ended: stampOrNone(j.Ended)}
	out.Steps = each(j.Steps, func(s job.Step) JobStep {
		return JobStep{s.Name, s.State, stampOrNone(s.Started), stampOrNone(s.Ended)}
	})
	if p := j.Problem; p != nil {
		out.Problem = &JobProblem{p.URI(), p.Detail}
	}
	return out
}
