package directory

import (
	"context"
	"time"

	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// keepWalks is how long it is remembered where a walk goes on: longer than an execution of settling can last.
const keepWalks = 7 * 24 * time.Hour

// walks are kept as records: where the settling of a job goes on. They are not part of what the state machine carries, since its history keeps
// that for 90 days, and a position in a list of customers has the name of one in it.
var walks = record.NewKind("walk", func(id ident.Job) *savedWalk { return &savedWalk{Job: id} })

// savedWalk is where the walk of a job goes on: SettleResult.Resume. Executions that settle the same job at the same time share it. That does no
// harm: whoever wrote it has walked everything before it.
type savedWalk struct {
	Job     ident.Job
	Resume  string
	Expires time.Time
}

// Ref implements record.Record.
func (w *savedWalk) Ref() record.Ref { return walks.Ref(w.Job) }

// Lists implements record.Record.
func (w *savedWalk) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (w *savedWalk) Code(c *record.Coder) {
	record.Needed(c, "resume", &w.Resume)
	c.Expires(&w.Expires)
}

// SettleOn goes on settling a job where the last call of SettleOn or SettleAnew ended, with what Settle promises.
func (d *Directory) SettleOn(ctx context.Context, id ident.Job, budget time.Duration) (SettleResult, error) {
	got, err := d.store.Read(ctx, Want{Records: walks.Refs(id)})
	if err != nil {
		return SettleResult{}, err
	}
	resume := ""
	if w := walks.In(got.Records, id); w != nil {
		resume = w.Resume
	}
	return d.settleAndSave(ctx, id, resume, budget)
}

// SettleAnew begins to settle a job, or begins again.
func (d *Directory) SettleAnew(ctx context.Context, id ident.Job, budget time.Duration) (SettleResult, error) {
	return d.settleAndSave(ctx, id, "", budget)
}

func (d *Directory) settleAndSave(ctx context.Context, id ident.Job, resume string, budget time.Duration) (SettleResult, error) {
	result, err := d.Settle(ctx, id, resume, budget)
	if err != nil || result.Done {
		return result, err
	}
	return result, d.store.Commit(ctx, Put{Now: &savedWalk{id, result.Resume, d.now().Add(keepWalks)}, Any: true})
}
