package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"golang.org/x/sync/errgroup"

	"example.com/partnertree/infra/local/stack"
	"example.com/partnertree/infra/stage"
)

// until asks again and again until the answer is yes.
func until(t *testing.T, what string, within time.Duration, ask func() (bool, error)) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		switch yes, err := ask(); {
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		case yes:
			return
		case time.Now().After(end):
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// tell puts an event of ours on the bus, as the relay does.
func tell(t *testing.T, kind string, detail map[string]any) {
	t.Helper()
	b, err := json.Marshal(detail)
	if err != nil {
		t.Fatal(err)
	}
	bus := eventbridge.NewFromConfig(aws.Config{
		Region: deployed.Region, BaseEndpoint: &deployed.Cloud, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	if _, err := bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{{
		EventBusName: aws.String(deployed.Outputs[stage.OutBus]), Source: aws.String("partnertree"), DetailType: &kind, Detail: aws.String(string(b)),
	}}}); err != nil {
		t.Fatal(err)
	}
}

// An error keeps its name on the whole way: domain, Lambda, Step Functions.
func TestSettlingThatFailsSaysWhy(t *testing.T) {
	const unknown = "job_0000000000000000"
	tell(t, "partner.moved", map[string]any{"time": "2026-11-22T09:00:00Z", "data": map[string]any{"jobId": unknown}})
	until(t, "an execution for a job that does not exist fails", 30*time.Second, func() (bool, error) {
		failed, err := deployed.Executions(context.Background(), "FAILED")
		for _, e := range failed {
			if strings.Contains(e.Input, unknown) {
				if e.Error != "UnknownJob" || !strings.Contains(e.Input, `"since":"2026-11-22T09:00:00Z"`) {
					t.Errorf("it fails with %s, input %s", e.Error, e.Input)
				}
				return true, nil
			}
		}
		return false, err
	})
}

// moves moves a node and answers the job.
func (a actor) moves(t *testing.T, node, to string) string {
	t.Helper()
	got := a.do(t, 202, "POST", pathOf(node)+"/move", map[string]any{"parentId": to})
	change := got.get(t, "jobId")
	if location := got.header.Get("Location"); location != "/v1/jobs/"+change {
		t.Errorf("Location %q of the job %s", location, change)
	}
	return change
}

func pathOf(node string) string {
	if strings.HasPrefix(node, "cus_") {
		return "/v1/customers/" + node
	}
	return "/v1/partners/" + node
}

// waits until a job has succeeded, and answers how many nodes were looked at.
func (a actor) waits(t *testing.T, change string, within time.Duration) (nodes string) {
	t.Helper()
	until(t, change+" is settled", within, func() (bool, error) {
		got := a.do(t, 200, "GET", "/v1/jobs/"+change, nil)
		nodes = got.get(t, "progress", "done")
		return got.get(t, "state") == "succeeded", nil
	})
	return nodes
}

func (a actor) names(t *testing.T, path string) []string {
	t.Helper()
	return a.do(t, 200, "GET", path, nil).items(t, "name")
}

// branch is a partner with customers, below another, and people to watch it.
type branch struct {
	brand, left, right, moved string
	customers                 []string
	here, there, inside       actor // viewers at left, right and moved
}

// branches makes left and right below the root, and below left a branch with so many customers.
func branches(t *testing.T, name string, customers int) branch {
	t.Helper()
	f := founder()
	b := branch{brand: f.brand(t, name+".example"), customers: make([]string, customers)}
	b.left, b.right = f.partner(t, root(), name+" left", b.brand), f.partner(t, root(), name+" right", b.brand)
	b.moved = f.partner(t, b.left, name+" branch", b.brand)
	b.here, _ = f.client(t, b.left, "viewer")
	b.there, _ = f.client(t, b.right, "viewer")
	b.inside, _ = f.client(t, b.moved, "viewer")
	maker, _ := f.client(t, b.moved, "operator") // so that the founder's rate limit is left to others
	var g errgroup.Group
	g.SetLimit(8)
	for i := range b.customers {
		g.Go(func() error {
			made, err := maker.send("POST", "/v1/customers", map[string]any{"partnerId": b.moved, "name": fmt.Sprintf("Customer %03d", i), "brandId": b.brand})
			if err != nil || made.status != 201 {
				return fmt.Errorf("customer %d: %d %s (%w)", i, made.status, made.body, err)
			}
			b.customers[i] = made.get(t, "id")
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABranchMovesWithItsPeopleWatching(t *testing.T) {
	f, b := founder(), branches(t, "watched", 3)
	child := f.partner(t, b.moved, "Further down", b.brand)
	deep := f.do(t, 201, "POST", "/v1/customers", map[string]any{"partnerId": child, "name": "Deep", "brandId": b.brand}).get(t, "id")
	admin, _ := f.client(t, b.left, "admin")
	all := append([]string{b.moved, child, deep}, b.customers...)

	sees := func(who actor, status int) {
		t.Helper()
		for _, node := range all {
			who.do(t, status, "GET", pathOf(node), nil)
		}
	}
	sees(b.here, 200)
	sees(b.there, 404)
	sees(b.inside, 200)

	b.here.do(t, 403, "POST", pathOf(b.moved)+"/move", map[string]any{"parentId": b.left})
	admin.do(t, 404, "POST", pathOf(b.moved)+"/move", map[string]any{"parentId": b.right}) // of which it knows nothing
	f.do(t, 422, "POST", pathOf(b.moved)+"/move", map[string]any{"parentId": child})

	change := f.moves(t, b.moved, b.right)
	// Whether or not anything is settled yet, and when it is: the same.
	for range 2 {
		sees(b.here, 404)
		sees(b.there, 200)
		sees(b.inside, 200)
		admin.do(t, 404, "GET", "/v1/jobs/"+change, nil)
		b.there.do(t, 200, "GET", "/v1/jobs/"+change, nil)
		if got := f.names(t, pathOf(deep)+"/path"); !slices.Equal(got, []string{"Cloudvendor", "watched right", "watched branch", "Further down", "Deep"}) {
			t.Errorf("path: %v", got)
		}
		if got := b.there.names(t, "/v1/partners/"+b.right+"/descendants?limit=200"); len(got) != len(all) {
			t.Errorf("below the new parent: %v", got)
		}
		if got := b.here.names(t, "/v1/partners/"+b.left+"/descendants?limit=200"); len(got) != 0 {
			t.Errorf("below the old parent: %v", got)
		}
		if got := b.here.names(t, "/v1/partners/"+b.left+"/partners"); len(got) != 0 {
			t.Errorf("right below the old parent: %v", got)
		}
		if nodes := f.waits(t, change, time.Minute); nodes != fmt.Sprint(len(all)) {
			t.Errorf("%s nodes were looked at, want %d", nodes, len(all))
		}
	}
	f.do(t, 200, "POST", pathOf(b.moved)+"/move", map[string]any{"parentId": b.right}) // it is there

	back := f.moves(t, b.moved, b.left)
	sees(b.here, 200)
	sees(b.there, 404)
	f.waits(t, back, time.Minute)
	sees(b.here, 200)
	sees(b.there, 404)
}

func TestWhoIsSuspendedIsOutUntilTheyAreResumed(t *testing.T) {
	f, b := founder(), branches(t, "suspended", 2)
	own, _ := f.client(t, b.moved, "owner")
	admin, _ := f.client(t, b.left, "admin")
	own.do(t, 403, "POST", pathOf(b.moved)+"/suspend", map[string]any{"reason": "Themselves."})
	new := map[string]any{"partnerId": b.moved, "name": "New", "brandId": b.brand}

	change := admin.do(t, 202, "POST", pathOf(b.moved)+"/suspend", map[string]any{"reason": "The invoices are not paid."}).get(t, "jobId")
	for range 2 {
		own.do(t, 404, "GET", pathOf(b.moved), nil)
		own.do(t, 404, "GET", pathOf(b.customers[0]), nil)
		own.do(t, 404, "POST", pathOf(b.moved)+"/resume", map[string]any{})
		below := b.here.do(t, 200, "GET", pathOf(b.customers[0]), nil)
		if below.get(t, "status") != "suspended" || below.get(t, "suspendedAt") != b.moved {
			t.Errorf("below: %s", below.body)
		}
		admin.do(t, 409, "POST", "/v1/customers", new)
		admin.waits(t, change, time.Minute)
	}
	admin.do(t, 200, "POST", pathOf(b.moved)+"/suspend", map[string]any{"reason": "Again."})

	change = admin.do(t, 202, "POST", pathOf(b.moved)+"/resume", map[string]any{}).get(t, "jobId")
	for range 2 {
		if got := own.do(t, 200, "GET", pathOf(b.customers[0]), nil); got.get(t, "status") != "active" {
			t.Errorf("resumed: %s", got.body)
		}
		admin.waits(t, change, time.Minute)
	}
	own.do(t, 201, "POST", "/v1/customers", new)
}

func TestSettlingThatIsKilledFinishes(t *testing.T) {
	f, b := founder(), branches(t, "killed-settling", 250)
	stop := make(chan struct{})
	killed := make(chan int)
	go func() {
		n := 0
		for n < 3 { // each time is one of the tries that a task has, and may last as long as the function may
			k, err := deployed.Kill(context.Background(), "settle")
			if err != nil {
				t.Error(err)
			}
			n += k
			select {
			case <-stop:
				killed <- n
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
		<-stop
		killed <- n
	}()
	change := f.moves(t, b.moved, b.right)
	nodes := f.waits(t, change, 5*time.Minute) // a call that a kill swallows ends with the time-out of its function
	close(stop)
	n := <-killed
	t.Logf("settling was killed %d times and looked at %s nodes", n, nodes)
	if n == 0 || nodes != "251" {
		t.Errorf("killed %d times, %s nodes", n, nodes)
	}
	for _, c := range b.customers {
		b.there.do(t, 200, "GET", pathOf(c), nil)
	}
	until(t, "the execution ends well, after it was killed in the middle of a task", time.Minute, func() (bool, error) {
		all, err := deployed.Executions(context.Background(), "")
		for _, e := range all {
			if !strings.Contains(e.Input, change) {
				continue
			}
			if e.Status == "FAILED" {
				return false, fmt.Errorf("it failed with %s", e.Error)
			}
			return e.Status == "SUCCEEDED" && slices.Contains(e.Retried, "Runtime.ExitError"), err
		}
		return false, err
	})
}

// An event that comes twice, as events may.
func TestAChangeThatIsToldTwiceIsSettledOnce(t *testing.T) {
	f, b := founder(), branches(t, "twice", 20)
	change := f.moves(t, b.moved, b.right)
	for range 2 {
		tell(t, "partner.moved", map[string]any{"time": "2026-11-22T09:00:00Z", "data": map[string]any{"jobId": change}})
	}
	f.waits(t, change, time.Minute)
	tell(t, "partner.moved", map[string]any{"time": "2026-11-22T09:00:00Z", "data": map[string]any{"jobId": change}})
	until(t, "all four executions end well", time.Minute, func() (bool, error) {
		succeeded, err := deployed.Executions(context.Background(), "SUCCEEDED")
		ours := slices.DeleteFunc(succeeded, func(e stack.Execution) bool { return !strings.Contains(e.Input, change) })
		return len(ours) == 4, err
	})
	if got := b.there.names(t, "/v1/partners/"+b.right+"/descendants?limit=200"); len(got) != 21 {
		t.Errorf("below the new parent: %d nodes", len(got))
	}
}

// observer asks one question again and again. answer says what it got: true when it is how things are after the move.
type observer struct {
	what     string
	who      actor
	ask      func(i int) string // path
	answer   func(got answer) (after bool, err error)
	old, new atomic.Int64
	cut      int // answers that the move cut in two
}

// errCut says that a page was put together from several reads and the move came between them: a short page, as the contract
// has it, and a true one when each of its reads was made. Only the one request that was under way can have it.
var errCut = errors.New("a page that the move cut in two")

// watch asks until it is stopped. An answer that is neither the old nor the new truth is an error, and so is an old one after a
// new one.
func (o *observer) watch(stop <-chan struct{}) error {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		path := o.ask(i)
		got, err := o.who.send("GET", path, nil)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", o.what, path, err)
		}
		if got.status == 429 {
			time.Sleep(500 * time.Millisecond)
			continue
		}
		switch after, err := o.answer(got); {
		case errors.Is(err, errCut) && o.cut == 0 && o.new.Load() == 0:
			o.cut++
		case err != nil:
			return fmt.Errorf("%s: %s: neither old nor new: %w: %d %.300s", o.what, path, err, got.status, got.body)
		case after:
			o.new.Add(1)
		case o.new.Load()+int64(o.cut) > 0:
			return fmt.Errorf("%s: %s: old after new: %d %.300s", o.what, path, got.status, got.body)
		default:
			o.old.Add(1)
		}
	}
}

func TestReadersNeverSeeAnythingButOldThenNew(t *testing.T) {
	const many = 300
	f, b := founder(), branches(t, "readers", many)
	top, _ := f.client(t, root(), "viewer")
	status := func(old, new int) func(answer) (bool, error) {
		return func(got answer) (bool, error) {
			if got.status != old && got.status != new {
				return false, errors.New("status")
			}
			return got.status == new, nil
		}
	}
	items := func(a answer) (list struct{ Items []struct{ ID, Name string } }, err error) {
		if a.status != 200 {
			return list, errors.New("status")
		}
		return list, json.Unmarshal(a.body, &list)
	}
	count := func(old, new int) func(answer) (bool, error) {
		return func(got answer) (bool, error) {
			list, err := items(got)
			if n := len(list.Items); err == nil && n != old && n != new {
				return false, fmt.Errorf("%w: %d items", errCut, n)
			}
			return len(list.Items) == new, err
		}
	}
	each := func(suffix string) func(int) string {
		return func(i int) string { return pathOf(b.customers[i*7%many]) + suffix }
	}
	page := func(node, list string) func(int) string {
		return func(int) string { return "/v1/partners/" + node + list }
	}
	observers := []*observer{
		{what: "at the old side", who: b.here, ask: each(""), answer: status(200, 404)},
		{what: "at the new side", who: b.there, ask: each(""), answer: status(404, 200)},
		{what: "above both", who: top, ask: each("/path"), answer: func(got answer) (bool, error) {
			list, err := items(got)
			if err != nil || len(list.Items) != 4 || list.Items[0].ID != root() || list.Items[2].ID != b.moved {
				return false, fmt.Errorf("path: %w", err)
			}
			if side := list.Items[1].ID; side != b.left && side != b.right {
				return false, errors.New("side")
			}
			return list.Items[1].ID == b.right, nil
		}},
		{what: "children at the old side", who: b.here, ask: page(b.left, "/partners"), answer: count(1, 0)},
		{what: "descendants at the old side", who: b.here, ask: page(b.left, "/descendants?limit=200"), answer: count(200, 0)},
		{what: "descendants at the new side", who: b.there, ask: page(b.right, "/descendants?limit=200"), answer: count(0, 200)},
	}
	// To who is inside nothing changes: each answer counts as old.
	inside := &observer{what: "inside", who: b.inside, ask: each("/path"), answer: func(got answer) (bool, error) {
		list, err := items(got)
		if err == nil && (len(list.Items) != 2 || list.Items[0].ID != b.moved) {
			return false, errors.New("path")
		}
		return false, err
	}}

	stop := make(chan struct{})
	var readers errgroup.Group
	for _, o := range append(observers, inside) {
		readers.Go(func() error { return o.watch(stop) })
	}
	until(t, "all have looked", time.Minute, func() (bool, error) {
		return !slices.ContainsFunc(observers, func(o *observer) bool { return o.old.Load() < 5 }), nil
	})
	change := f.moves(t, b.moved, b.right)
	until(t, change+" is settled", time.Minute, func() (bool, error) {
		time.Sleep(200 * time.Millisecond) // the machine is the readers'
		return f.do(t, 200, "GET", "/v1/jobs/"+change, nil).get(t, "state") == "succeeded", nil
	})
	close(stop)
	if err := readers.Wait(); err != nil {
		t.Error(err)
	}
	for _, o := range observers {
		t.Logf("%s: %d old answers, %d cut in two, then %d new ones", o.what, o.old.Load(), o.cut, o.new.Load())
		if o.old.Load() == 0 || o.new.Load() == 0 {
			t.Errorf("%s: saw not both", o.what)
		}
	}
	t.Logf("inside: %d answers", inside.old.Load())

	// Page by page, while nothing moves any more: each once.
	seen, next := map[string]bool{}, ""
	for {
		got := b.there.do(t, 200, "GET", "/v1/partners/"+b.right+"/descendants?limit=100"+next, nil)
		for _, id := range got.items(t, "id") {
			if seen[id] {
				t.Errorf("%s is there twice", id)
			}
			seen[id] = true
		}
		cursor := got.get(t, "next")
		if cursor == "<nil>" {
			break
		}
		next = "&cursor=" + cursor
	}
	if len(seen) != many+1 {
		t.Errorf("%d nodes below the new parent, want %d", len(seen), many+1)
	}
}
