package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/ident"
)

// machine is as much of the Amazon States Language as infra/settle.asl.json uses.
type machine struct {
	Comment        string
	StartAt        string
	TimeoutSeconds int
	States         map[string]state
}

type state struct {
	Comment        string
	Type           string
	Resource       string
	Parameters     parameters
	OutputPath     string
	TimeoutSeconds int
	Retry          []retry
	Next           string
	End            bool
	Seconds        int // Wait
	Choices        []choice
	Default        string
}

type parameters struct {
	FunctionName string
	Payload      map[string]string
}

type retry struct {
	ErrorEquals     []string
	IntervalSeconds int
	BackoffRate     float64
	MaxDelaySeconds int
	MaxAttempts     int
	JitterStrategy  string
}

type choice struct {
	Variable      string
	BooleanEquals bool
	Next          string
}

func (s state) next() []string {
	var all []string
	for _, c := range s.Choices {
		all = append(all, c.Next)
	}
	for _, n := range []string{s.Next, s.Default} {
		if n != "" {
			all = append(all, n)
		}
	}
	return all
}

func load(t *testing.T) machine {
	t.Helper()
	f, err := os.Open("../../infra/settle.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var m machine
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields() // what is not understood here is not tested either
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// errCrash stands for a process that is killed in the middle of a task.
var errCrash = errors.New("killed")

// run does what Step Functions would, without waiting, and answers which states it was in.
func (m machine) run(t *testing.T, w world, input change) (path []string, failed error) {
	t.Helper()
	for at := m.StartAt; ; {
		path = append(path, at)
		if len(path) > 100 {
			t.Fatalf("the execution does not end: %v", path)
		}
		s := m.States[at]
		switch s.Type {
		case "Task":
			if s.Parameters.Payload["change.$"] != "$" || s.OutputPath != "$.Payload" {
				t.Fatalf("%s hands on something else than the change: %+v", at, s)
			}
			retried := map[int]int{}
			for {
				output, err := invoke(t, w, task{s.Parameters.Payload["task"], input})
				if err == nil {
					input = output
					break
				}
				i := slices.IndexFunc(s.Retry, func(r retry) bool { return slices.Contains(r.ErrorEquals, err.Type) })
				if i < 0 || retried[i] == s.Retry[i].MaxAttempts {
					return path, err
				}
				retried[i]++
			}
		case "Choice":
			if s.Choices[0].Variable != "$.done" {
				t.Fatalf("%s asks for %s", at, s.Choices[0].Variable)
			}
			if input.Done == s.Choices[0].BooleanEquals {
				at = s.Choices[0].Next
			} else {
				at = s.Default
			}
			continue
		case "Wait":
		default:
			t.Fatalf("%s is a %s", at, s.Type)
		}
		if s.End {
			return path, nil
		}
		at = s.Next
	}
}

// invoke calls the handler as Lambda does: through JSON, and with a crash being an error of Lambda's own.
func invoke(t *testing.T, w world, in task) (out change, failed *messages.InvokeResponse_Error) {
	t.Helper()
	defer func() {
		if p := recover(); p == errCrash {
			failed = &messages.InvokeResponse_Error{Type: "Runtime.ExitError"}
		} else if p != nil {
			panic(p)
		}
	}()
	through := func(from, to any) {
		b, err := json.Marshal(from)
		if err == nil {
			err = json.Unmarshal(b, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var received task
	through(in, &received)
	answer, err := w.handle(t.Context(), received)
	if err != nil {
		typed, ok := err.(messages.InvokeResponse_Error) // and nothing that wraps one: Step Functions would see another name
		if !ok {
			t.Fatalf("error of type %T", err)
		}
		return out, &typed
	}
	through(answer, &out)
	return out, nil
}

func TestTheMachineSettlesAChange(t *testing.T) {
	m, w := load(t), newWorld(t)
	path, err := m.run(t, w, change{ID: theJob, Since: began})
	if want := []string{"Settle", "Walked", "Grace", "Retire"}; err != nil || !slices.Equal(path, want) {
		t.Errorf("%v, %v; want %v", path, err, want)
	}
	w.isSettled(t)

	// The same event again.
	if _, err := m.run(t, w, change{ID: theJob, Since: began}); err != nil {
		t.Errorf("settling again: %v", err)
	}
	w.isSettled(t)
}

func TestTheMachineWalksOnUntilTheWalkIsDone(t *testing.T) {
	m, w := load(t), newWorld(t)
	w.atMost = 0
	path, err := m.run(t, w, change{ID: theJob})
	walks := len(slices.DeleteFunc(slices.Clone(path), func(s string) bool { return s != "Settle" }))
	if err != nil || walks < 3 {
		t.Errorf("%v, %v", path, err)
	}
	w.isSettled(t)
}

func TestTheMachineErasesWhatIsPurged(t *testing.T) {
	m, w := load(t), newWorld(t)
	w.trashed(t, moved)
	purge := w.purges(t)
	path, err := m.run(t, w, change{ID: purge, Since: w.now()})
	if want := []string{"Settle", "Walked", "Grace", "Retire"}; err != nil || !slices.Equal(path, want) {
		t.Errorf("%v, %v; want %v", path, err, want)
	}
	w.isErased(t)
	if again := w.purges(t); again != purge {
		t.Errorf("what is gone is purged again by %s", again)
	}
	if _, err := m.run(t, w, change{ID: purge}); err != nil { // the same event again
		t.Errorf("erasing again: %v", err)
	}
	w.isErased(t)
}

func TestTheMachineGoesOnAfterACrashAnywhere(t *testing.T) {
	for what, begin := range map[string]func(*testing.T) (w world, id ident.Job, end func(*testing.T)){
		"a move": func(t *testing.T) (world, ident.Job, func(*testing.T)) {
			w := newWorld(t)
			return w, theJob, w.isSettled
		},
		"a purge": func(t *testing.T) (world, ident.Job, func(*testing.T)) {
			w := newWorld(t)
			w.trashed(t, moved)
			return w, w.purges(t), w.isErased
		},
	} {
		t.Run(what, func(t *testing.T) {
			m := load(t)
			crashed := true
			for n := 0; crashed; n++ {
				for _, after := range []bool{false, true} {
					w, id, end := begin(t)
					w.atMost = 0
					first := len(w.Calls())
					crashed = false
					crash := func(c directorytest.Call) error {
						if c.Nth == first+n {
							crashed = true
							panic(errCrash)
						}
						return nil
					}
					if after {
						w.After = crash
					} else {
						w.Before = crash
					}
					path, err := m.run(t, w, change{ID: id})
					if err != nil {
						t.Errorf("crash at call %d: %v, %v", n, path, err)
					}
					w.Before, w.After = nil, nil
					end(t)
				}
			}
		})
	}
}

// What repeating cannot help ends the execution, with the error's name, where a redrive can go on.
func TestTheMachineFailsWithTheNameOfTheError(t *testing.T) {
	m := load(t)
	for want, in := range map[string]change{errUnknownJob: {ID: "job_00000000000000h9"}, errBadTask: {ID: "nonsense"}} {
		path, err := m.run(t, newWorld(t), in)
		typed, _ := err.(*messages.InvokeResponse_Error)
		if typed == nil || typed.Type != want || !slices.Equal(path, []string{"Settle"}) {
			t.Errorf("%s: %v, %v", in.ID, path, err)
		}
	}
	w := newWorld(t)
	tries := 0
	w.Before = func(directorytest.Call) error { tries++; return errors.New("something is broken") }
	if _, err := m.run(t, w, change{ID: theJob}); err == nil || tries < 3 || tries > 10 {
		t.Errorf("a defect was tried %d times: %v", tries, err)
	}
}

// documented are the names of errors that are not the function's: what Lambda and Step Functions say of a task.
var documented = []string{
	"Lambda.Unknown", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException",
	"Lambda.ClientExecutionTimeoutException", "Lambda.TooManyRequestsException", "Runtime.ExitError", "Sandbox.Timedout", "States.Timeout",
}

func TestEveryErrorThatIsRetriedCanHappen(t *testing.T) {
	for name, s := range load(t).States {
		if s.Type != "Task" {
			continue
		}
		var retried []string
		for _, r := range s.Retry {
			retried = append(retried, r.ErrorEquals...)
			if r.MaxAttempts < 1 || r.BackoffRate < 1 || r.IntervalSeconds < 1 {
				t.Errorf("%s: %+v", name, r)
			}
		}
		slices.Sort(retried)
		want := append([]string{errBusy, errDefect}, documented...)
		if slices.Sort(want); !slices.Equal(retried, want) {
			t.Errorf("%s retries %q, want each of %q once", name, retried, want)
		}
	}
}

func TestEveryStateIsReachedAndLeadsToTheEnd(t *testing.T) {
	m := load(t)
	reached := map[string]bool{}
	var reach func(name string)
	reach = func(name string) {
		if reached[name] {
			return
		}
		reached[name] = true
		s, ok := m.States[name]
		if !ok {
			t.Fatalf("there is no state %s", name)
		}
		for _, next := range s.next() {
			reach(next)
		}
	}
	reach(m.StartAt)
	for name, s := range m.States {
		if !reached[name] {
			t.Errorf("nothing leads to %s", name)
		}
		if s.End == (len(s.next()) > 0) {
			t.Errorf("%s has to end or to go on", name)
		}
		if s.Type == "Task" && (s.Parameters.FunctionName != "${Settle}" || s.Resource != "arn:aws:states:::lambda:invoke" || s.TimeoutSeconds == 0) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if m.TimeoutSeconds == 0 {
		t.Error("an execution may last for ever, and nobody hears of it")
	}
}

func TestTheMachineWaitsForTheGrace(t *testing.T) {
	if got := time.Duration(load(t).States["Grace"].Seconds) * time.Second; got != directory.Grace {
		t.Errorf("it waits %s, and the grace is %s", got, directory.Grace)
	}
}

func TestWhatTheMachineCarriesHasItsNames(t *testing.T) {
	b, err := json.Marshal(change{ID: theJob, Since: began, Begun: true, Done: true})
	if want := fmt.Sprintf(`{"jobId":%q,"since":"2026-11-22T09:00:00Z","begun":true,"done":true}`, theJob); err != nil || string(b) != want {
		t.Errorf("%s, want %s", b, want)
	}
}
