package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/functions/internal/golden"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
	"example.com/partnertree/shared/metric"
)

const (
	theRoot  = ident.Node("ptn_00000000000000r1")
	left     = ident.Node("ptn_00000000000000a1") // where it was
	right    = ident.Node("ptn_00000000000000b1") // where it is now
	moved    = ident.Node("ptn_00000000000000m1")
	below    = ident.Node("ptn_00000000000000m2")
	customer = ident.Node("cus_00000000000000c1")
	theJob   = ident.Job("job_00000000000000h1")
	theBrand = ident.Brand("brd_00000000000000b1")
	theAdmin = ident.Principal("cli_00000000000000a1")
	theKey   = ident.Key("key_00000000000000a1")
)

// began is when the change of these tests began: recorded payloads name it.
var began = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// world is a directory in which moved, with below and customer under it, has just been moved from left to right.
type world struct {
	*directorytest.Fake
	*settling
	lines *bytes.Buffer
}

func never(*hierarchy.Node) error { return errors.New("never") }

func newWorld(t *testing.T) world {
	t.Helper()
	store := &directorytest.Fake{}
	node := func(parent *hierarchy.Node, id ident.Node) *hierarchy.Node {
		n := hierarchy.Node{ID: id, Name: hierarchy.Name(id), Version: 1, Created: began, Updated: began,
			Brands: hierarchy.Brands{Uses: map[ident.Brand]int64{}}}
		if parent == nil {
			n.Place.Path = hierarchy.Path("").Child(id)
			return &n
		}
		n, err := n.Below(parent, parent.Place)
		if err != nil {
			t.Fatal(err)
		}
		return &n
	}
	r := node(nil, theRoot)
	a, b := node(r, left), node(r, right)
	m := node(a, moved)
	n := node(m, below)
	n.Brands.Uses[theBrand] = 1
	c := node(n, customer)
	c.Details.Brand = theBrand
	now := *m
	now.Parent, now.Place.Path, now.AsOf, now.Version = right, b.Place.Path.Child(moved), 1, 2
	settles := job.Begin(directory.MoveJob, moved, "1", began, directory.RewriteStep, directory.GraceStep)
	settles.ID = theJob
	for _, steps := range [][]directory.Step{
		{directory.AddTree{Else: errors.New("never")}, directory.AddNode{Node: *r}},
		{directory.AddNode{Node: *a}}, {directory.AddNode{Node: *b}}, {directory.AddNode{Node: *m}}, {directory.AddNode{Node: *n}},
		{directory.AddNode{Node: *c}},
		{directory.Put{Else: directory.ErrExists, Now: &access.Principal{
			ID: theAdmin, Name: "Admin", Home: theRoot, Grants: map[ident.Node]access.Role{theRoot: access.Admin},
			Secrets: []access.Secret{{ID: theKey}}, Version: 1, Created: began,
		}}},
		{
			directory.PlaceNode{Was: m, Now: &now, Else: never},
			directory.AddChange{Else: errors.New("never"), Change: hierarchy.Change{
				Seq: 1, Node: moved, Kind: hierarchy.Moved, Path: now.Place.Path, From: []hierarchy.Path{m.Place.Path},
			}},
			directory.Put{Else: errors.New("never"), Now: settles},
		},
	} {
		if err := store.Commit(t.Context(), steps...); err != nil {
			t.Fatal(err)
		}
	}
	clock := func() time.Time { return began.Add(30 * time.Second) }
	lines := &bytes.Buffer{}
	return world{store, &settling{
		directory: directory.New(store, clock), now: clock, atMost: walkFor, stage: "test", log: slog.New(slog.NewJSONHandler(lines, nil)),
	}, lines}
}

// state is the step that the job is at, or how it has ended, and how many changes the tree state holds.
func (w world) state(t *testing.T) (string, int) {
	t.Helper()
	got, err := w.Fake.Read(t.Context(), directory.Want{Records: job.Jobs.Refs(theJob)})
	if err != nil {
		t.Fatal(err)
	}
	j := job.Jobs.In(got.Records, theJob)
	return cmp.Or(j.Step(), string(j.State)), len(got.Tree.Changes)
}

// stored is the path that a node stores, whatever the tree state says of it.
func (w world) stored(t *testing.T, id ident.Node) hierarchy.Path {
	t.Helper()
	got, err := w.Fake.Read(t.Context(), directory.Want{Nodes: []ident.Node{id}})
	if err != nil {
		t.Fatal(err)
	}
	return got.Nodes[id].Place.Path
}

func (w world) isSettled(t *testing.T) {
	t.Helper()
	if state, inFlight := w.state(t); state != string(job.Succeeded) || inFlight != 0 {
		t.Errorf("the job is at %s, and %d are in flight", state, inFlight)
	}
	path := hierarchy.Path("").Child(theRoot).Child(right).Child(moved).Child(below)
	if got := w.stored(t, below); got != path {
		t.Errorf("the partner below is stored at %s", got)
	}
	if got := w.stored(t, customer); got != path.Child(customer) {
		t.Errorf("the customer below is stored at %s", got)
	}
}

// trashed puts a node into the trash, an hour more than long enough ago, and settles that.
func (w world) trashed(t *testing.T, id ident.Node) {
	t.Helper()
	ago := directory.New(w.Fake, func() time.Time { return w.now().Add(-hierarchy.KeepTrash - time.Hour) })
	done, err := ago.Trash(t.Context(), directory.Caller{Principal: theAdmin, Key: theKey}, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{taskSettle, taskRetire} {
		if _, err := w.handle(t.Context(), task{name, change{ID: done.Job}}); err != nil {
			t.Fatal(err)
		}
	}
}

// purges does the task that the schedule asks for, and answers the job that is to erase what is below, if there is one.
func (w world) purges(t *testing.T) (started ident.Job) {
	t.Helper()
	if _, err := w.handle(t.Context(), task{Task: taskPurge}); err != nil {
		t.Fatal(err)
	}
	page, err := w.Fake.Log(t.Context(), theRoot, directory.LogQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Items {
		if e.Type == event.PartnerPurged {
			started = e.Job()
		}
	}
	return started
}

// isErased asserts that nothing is left of the branch that was moved.
func (w world) isErased(t *testing.T) {
	t.Helper()
	got, err := w.Fake.Read(t.Context(), directory.Want{Nodes: []ident.Node{moved, below, customer}})
	purging := func(c hierarchy.Change) bool { return c.Mark.Kind == hierarchy.Purged }
	if err != nil || len(got.Nodes) != 0 || slices.ContainsFunc(got.Tree.Changes, purging) {
		t.Errorf("nodes %v, changes %v, %v", got.Nodes, got.Tree.Changes, err)
	}
	if page, err := w.Fake.Children(t.Context(), right, hierarchy.Partner, true, "", 10); err != nil || len(page.Items) != 0 {
		t.Errorf("listed at its parent: %v, %v", page.Items, err)
	}
	if due, err := w.Fake.PurgeQueue(t.Context(), w.now(), 10); err != nil || len(due) != 0 {
		t.Errorf("still due: %v, %v", due, err)
	}
}

func TestRecordedPayloads(t *testing.T) {
	golden.Run(t, "settle", func(t *testing.T, payload []byte) any {
		var in task
		if err := json.Unmarshal(payload, &in); err != nil {
			t.Fatal(err)
		}
		w := newWorld(t)
		name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		if strings.HasSuffix(name, "-walked") || strings.HasSuffix(name, "-settled") {
			if _, err := w.handle(t.Context(), task{taskSettle, change{ID: theJob}}); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasSuffix(name, "-settled") {
			if _, err := w.handle(t.Context(), task{taskRetire, change{ID: theJob}}); err != nil {
				t.Fatal(err)
			}
		}
		switch name {
		case "purges-a-leaf":
			w.trashed(t, customer)
		case "purges-a-branch":
			w.trashed(t, moved)
		}
		answer, err := w.handle(t.Context(), in)
		if err != nil {
			typed, ok := err.(messages.InvokeResponse_Error) // and nothing that wraps one: Step Functions would see another name
			if !ok {
				t.Fatalf("error of type %T", err)
			}
			return typed
		}
		state, inFlight := w.state(t)
		return map[string]any{"answer": answer, "state": state, "inFlight": inFlight}
	})
}

func TestATaskIsDoneAgainAfterAFailureAtAnyCall(t *testing.T) {
	all := func(w world) []error {
		var errs []error
		for _, name := range []string{taskSettle, taskRetire} {
			_, err := w.handle(t.Context(), task{name, change{ID: theJob}})
			errs = append(errs, err)
		}
		return errs
	}
	healthy := newWorld(t)
	first := len(healthy.Calls())
	if errs := all(healthy); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	calls := len(healthy.Calls()) - first
	healthy.isSettled(t)
	for n := range calls {
		for _, after := range []bool{false, true} {
			w := newWorld(t)
			failed := 0
			fail := func(c directorytest.Call) error {
				if c.Nth != first+n {
					return nil
				}
				failed++
				return directorytest.Busy()
			}
			if after {
				w.After = fail
			} else {
				w.Before = fail
			}
			for _, err := range all(w) { // the second task may come too soon now
				if typed, ok := err.(messages.InvokeResponse_Error); err != nil && (!ok || typed.Type != errBusy && typed.Type != errDefect) {
					t.Errorf("call %d: %v", n, err)
				}
			}
			if failed != 1 {
				t.Fatalf("call %d failed %d times", n, failed)
			}
			w.Before, w.After = nil, nil
			if errs := all(w); errors.Join(errs...) != nil {
				t.Errorf("call %d failed (after it was done: %v), and again: %v", n, after, errs)
			}
			w.isSettled(t)
		}
	}
}

func TestAWalkThatIsCutShortGoesOn(t *testing.T) {
	w := newWorld(t)
	w.atMost = 0
	next, walks := change{ID: theJob}, 0
	for !next.Done {
		var failed *messages.InvokeResponse_Error
		if next, failed = invoke(t, w, task{taskSettle, next}); failed != nil {
			t.Fatal(failed)
		}
		if walks++; walks > 20 {
			t.Fatal("the walk does not end")
		}
	}
	if walks < 3 {
		t.Errorf("%d walks: nothing was cut short", walks)
	}
	if _, err := w.handle(t.Context(), task{taskRetire, next}); err != nil {
		t.Fatal(err)
	}
	w.isSettled(t)
}

func TestAWalkEndsBeforeItsInvocationDoes(t *testing.T) {
	s := &settling{atMost: walkFor}
	if got := s.budget(context.Background()); got != walkFor {
		t.Errorf("without a deadline: %s", got)
	}
	for left, want := range map[time.Duration]time.Duration{time.Hour: walkFor, 20 * time.Second: 20*time.Second - reserve, reserve: 0} {
		ctx, cancel := context.WithTimeout(context.Background(), left)
		if got := s.budget(ctx); got > want || got < want-time.Second {
			t.Errorf("with %s left: %s, want %s", left, got, want)
		}
		cancel()
	}
}

// The age is told by each task, and most of all by those that fail.
func TestTheAgeOfTheChangeIsAMetric(t *testing.T) {
	for _, healthy := range []bool{true, false} {
		w := newWorld(t)
		if !healthy {
			w.Before = broken
		}
		_, err := w.handle(t.Context(), task{taskSettle, change{ID: theJob, Since: began}})
		if (err == nil) != healthy || err != nil && strings.Contains(err.Error(), "secret-place") {
			t.Errorf("healthy %v: %v", healthy, err)
		}
		line := w.line(t, metric.ChangeAge)
		if line.ChangeAge == nil || *line.ChangeAge != 30 {
			t.Errorf("healthy %v: %s", healthy, w.lines)
		}
		if !healthy && !strings.Contains(line.Cause, "secret-place") {
			t.Errorf("the log lacks the cause: %s", w.lines)
		}
	}
}

// A purge that fails is missed: that it tells nothing raises the alarm.
func TestHowFarThePurgeIsBehindIsAMetric(t *testing.T) {
	w := newWorld(t)
	w.trashed(t, moved)
	w.purges(t)
	w.lines.Reset()
	w.purges(t) // what is being erased is not gone yet
	if line := w.line(t, metric.TrashBehind); line.TrashBehind == nil || *line.TrashBehind != time.Hour.Seconds() {
		t.Errorf("an hour behind: %s", w.lines)
	}

	w = newWorld(t)
	w.purges(t)
	if line := w.line(t, metric.TrashBehind); line.TrashBehind == nil || *line.TrashBehind != 0 {
		t.Errorf("with an empty trash: %s", w.lines)
	}

	w = newWorld(t)
	w.Before = broken
	_, err := w.handle(t.Context(), task{Task: taskPurge})
	if typed, ok := err.(messages.InvokeResponse_Error); !ok || typed.Type != errDefect || strings.Contains(typed.Message, "secret-place") {
		t.Errorf("broken: %v", err)
	}
	if strings.Contains(w.lines.String(), metric.TrashBehind.Name) || !strings.Contains(w.lines.String(), "secret-place") {
		t.Errorf("broken: %s", w.lines)
	}
}

func broken(directorytest.Call) error { return errors.New("table secret-place is gone") }

// line is the one line of the log, which has to be a value of the metric.
func (w world) line(t *testing.T, m metric.Metric) (line logged) {
	t.Helper()
	if err := json.Unmarshal(w.lines.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, w.lines)
	}
	is := line.AWS.CloudWatchMetrics
	if line.Stage != "test" || line.AWS.Timestamp != w.now().UnixMilli() || len(is) != 1 || is[0].Namespace != metric.Namespace ||
		!slices.Equal(is[0].Dimensions[0], []string{metric.Stage}) || is[0].Metrics[0].Name != m.Name || is[0].Metrics[0].Unit != "Seconds" {
		t.Errorf("no value of %s: %s", m.Name, w.lines)
	}
	return line
}

type logged struct {
	Stage                  string
	ChangeAge, TrashBehind *float64
	Cause                  string
	AWS                    struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

func TestErrorsHaveNames(t *testing.T) {
	for want, err := range map[string]error{
		errBusy: directorytest.Busy(), errUnknownJob: directory.ErrUnknownJob, errBadTask: fault.Invalid.New("no"),
		errDefect: directory.ErrNotWalked,
	} {
		if got := nameOf(err); got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
	if got := nameOf(fault.Conflict.New("again and again")); got != errBusy {
		t.Errorf("a conflict is %s", got)
	}
}
