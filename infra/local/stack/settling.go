package stack

import (
	"context"
	"fmt"
	"strings"

	"example.com/partnertree/infra/stage"
)

// Execution is one run of the state machine that settles changes.
type Execution struct {
	Name   string
	Status string // such as RUNNING, SUCCEEDED, FAILED
	Input  string
	Error  string // of one that failed
	// Retried are the errors of tasks, in order: of one that did not fail, each was followed by another try.
	Retried []string
}

// Executions are the runs of the state machine that settles changes, of one status ("": of any).
func (s *Stack) Executions(ctx context.Context, status string) ([]Execution, error) {
	in := map[string]any{"stateMachineArn": s.Outputs[stage.OutSettling]}
	if status != "" {
		in["statusFilter"] = status
	}
	var all []Execution
	for {
		var page struct {
			Executions []struct{ ExecutionArn string }
			NextToken  string
		}
		if err := s.states(ctx, "ListExecutions", in, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Executions {
			var one Execution
			if err := s.states(ctx, "DescribeExecution", map[string]any{"executionArn": e.ExecutionArn}, &one); err != nil {
				return nil, err
			}
			var history struct {
				Events []struct{ TaskFailedEventDetails struct{ Error string } }
			}
			if err := s.states(ctx, "GetExecutionHistory", map[string]any{"executionArn": e.ExecutionArn, "maxResults": 1000}, &history); err != nil {
				return nil, err
			}
			for _, event := range history.Events {
				if failed := event.TaskFailedEventDetails.Error; failed != "" {
					one.Retried = append(one.Retried, failed)
				}
			}
			all = append(all, one)
		}
		if page.NextToken == "" {
			return all, nil
		}
		in["nextToken"] = page.NextToken
	}
}

// interrupted is the error that MiniStack gives, at its next start, to an execution that was running when it stopped.
const interrupted = "States.ServiceRestart"

// restartSettling starts again what was being settled when the deployment was stopped. On AWS an execution outlives everything;
// in MiniStack it ends with it, and the change would stay in flight for ever.
func (s *Stack) restartSettling(ctx context.Context) error {
	failed, err := s.Executions(ctx, "FAILED")
	if err != nil {
		return err
	}
	for _, e := range failed {
		if e.Error != interrupted {
			continue
		}
		// Named after the one that it follows, so that each has one successor, however often this is done.
		err := s.states(ctx, "StartExecution", map[string]any{
			"stateMachineArn": s.Outputs[stage.OutSettling], "input": e.Input, "name": e.Name + "-r",
		}, &struct{}{})
		if err != nil && !strings.Contains(err.Error(), "ExecutionAlreadyExists") {
			return fmt.Errorf("cannot go on settling: %w", err)
		}
	}
	return nil
}

// states makes one call of Step Functions.
func (s *Stack) states(ctx context.Context, action string, in, out any) error {
	return s.call(ctx, "states", "AWSStepFunctions."+action, in, out)
}
