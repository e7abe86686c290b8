package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/partnertree/infra/local/stack"
	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table"
)

func TestWhatIsTrashedIsOutUntilItIsRestored(t *testing.T) {
	b := branches(t, "trashed", 3)
	admin, _ := founder().client(t, b.left, "admin")
	list := func(path string) []string {
		t.Helper()
		return admin.do(t, 200, "GET", "/v1/partners/"+b.left+path, nil).items(t, "id")
	}

	change := admin.do(t, 202, "DELETE", pathOf(b.moved), nil).get(t, "jobId")
	for range 2 {
		b.inside.do(t, 404, "GET", pathOf(b.moved), nil)
		b.inside.do(t, 404, "GET", pathOf(b.customers[0]), nil)
		below := b.here.do(t, 200, "GET", pathOf(b.customers[0]), nil)
		if below.get(t, "status") != "trashed" || below.get(t, "trashedAt") != b.moved {
			t.Errorf("below: %s", below.body)
		}
		if got := list("/partners"); len(got) != 0 {
			t.Errorf("right below: %v", got)
		}
		if got := list("/trash"); !slices.Equal(got, []string{b.moved}) {
			t.Errorf("the trash: %v", got)
		}
		admin.do(t, 409, "POST", "/v1/customers", map[string]any{"partnerId": b.moved, "name": "New", "brandId": b.brand})
		admin.do(t, 409, "DELETE", pathOf(b.customers[0]), nil)
		admin.waits(t, change, time.Minute)
	}
	if got := list("/descendants"); len(got) != 0 {
		t.Errorf("below: %v", got)
	}
	admin.do(t, 200, "DELETE", pathOf(b.moved), nil)

	change = admin.do(t, 202, "POST", pathOf(b.moved)+"/restore", map[string]any{}).get(t, "jobId")
	for range 2 {
		if got := b.inside.do(t, 200, "GET", pathOf(b.customers[0]), nil); got.get(t, "status") != "active" {
			t.Errorf("restored: %s", got.body)
		}
		if got := list("/partners"); !slices.Equal(got, []string{b.moved}) {
			t.Errorf("right below: %v", got)
		}
		if got := list("/trash"); len(got) != 0 {
			t.Errorf("the trash: %v", got)
		}
		admin.waits(t, change, time.Minute)
	}
	if got := list("/descendants"); len(got) != 1+len(b.customers) {
		t.Errorf("below: %v", got)
	}
}

// store is the deployment's table, as the functions have it.
func store() directory.Store {
	return table.New(dynamodb.NewFromConfig(aws.Config{
		Region: deployed.Region, BaseEndpoint: &deployed.Cloud, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}, table.Once), deployed.Outputs[stage.OutTable])
}

// Nobody can wait for 30 days, so what is purged was put into the trash by the domain itself with a clock that is 31 days slow,
// right into the deployment's table. All that follows is the deployment: the stream, the rules, the function and its state machine.
func TestWhatIsPurgedIsGoneForGood(t *testing.T) {
	f, b := founder(), branches(t, "purged", 150)
	own := f.do(t, 201, "POST", "/v1/brands", map[string]any{
		"partnerId": b.moved, "name": "Own", "domain": "purged-own.example", "regions": []string{"eu-west-1"},
	}).get(t, "id")
	child := f.partner(t, b.moved, "Child", own)
	leaf := f.do(t, 201, "POST", "/v1/customers", map[string]any{"partnerId": b.left, "name": "Leaf", "brandId": b.brand}).get(t, "id")
	made := f.do(t, 201, "POST", "/v1/api-clients", map[string]any{"nodeId": b.left, "name": "Tidy", "role": "admin"})
	admin := actor{key: made.get(t, "secret", "key")}

	long := directory.New(store(), func() time.Time { return time.Now().Add(-hierarchy.KeepTrash - 24*time.Hour) })
	for _, node := range []string{b.moved, leaf} {
		done, err := long.Trash(t.Context(), directory.Caller{
			Principal: ident.Principal(made.get(t, "id")), Key: ident.Key(made.get(t, "secret", "id")),
		}, ident.Node(node))
		if err != nil {
			t.Fatal(err)
		}
		admin.waits(t, string(done.Job), time.Minute)
	}

	purge := func() (gone int) {
		t.Helper()
		var answer struct{ Purged int }
		if err := deployed.Invoke(t.Context(), "settle", map[string]string{"task": "purge"}, &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Purged
	}
	if gone := purge(); gone != 2 {
		t.Errorf("%d were purged, want the branch and the leaf", gone)
	}
	for _, node := range []string{b.moved, child, b.customers[0], leaf} {
		f.do(t, 404, "GET", pathOf(node), nil)
	}
	if got := admin.do(t, 200, "GET", "/v1/partners/"+b.left+"/trash", nil).items(t, "id"); len(got) != 0 {
		t.Errorf("the trash: %v", got)
	}
	var change string
	events := admin.do(t, 200, "GET", "/v1/partners/"+b.left+"/events?type=partner.purged", nil)
	var list struct {
		Items []struct {
			NodeID string
			Data   struct{ Name, JobID string }
		}
	}
	if err := json.Unmarshal(events.body, &list); err != nil || len(list.Items) != 1 || list.Items[0].NodeID != b.moved ||
		list.Items[0].Data.Name != "purged branch" {
		t.Fatalf("what the log says: %s", events.body)
	}
	change = list.Items[0].Data.JobID

	// While it is erased, the function is killed again and again.
	killed := 0
	until(t, "the branch is erased", time.Minute, func() (bool, error) {
		if killed < 3 { // each time is one of the tries that a task has
			n, err := deployed.Kill(context.Background(), "settle")
			if killed += n; err != nil {
				return false, err
			}
		}
		done, err := deployed.Executions(context.Background(), "SUCCEEDED")
		return slices.ContainsFunc(done, func(e stack.Execution) bool { return strings.Contains(e.Input, change) }), err
	})
	t.Logf("the function was killed %d times", killed)

	nodes := []ident.Node{ident.Node(b.moved), ident.Node(child), ident.Node(leaf)}
	for _, c := range b.customers {
		nodes = append(nodes, ident.Node(c))
	}
	for some := range slices.Chunk(nodes, 90) {
		if got, err := store().Read(t.Context(), directory.Want{Nodes: some}); err != nil || len(got.Nodes) != 0 {
			t.Errorf("%d nodes are left: %v", len(got.Nodes), err)
		}
	}
	for _, node := range nodes[:5] {
		grants, err1 := directory.ListAt(t.Context(), store(), access.GrantsAt, node, "", 10)
		events, err2 := store().Log(t.Context(), node, directory.LogQuery{Limit: 10})
		if err1 != nil || err2 != nil || len(grants.Items)+len(events.Items) != 0 {
			t.Errorf("with %s are left %v, %v (%v, %v)", node, grants.Items, events.Items, err1, err2)
		}
	}
	ours := func(d directory.PurgeEntry) bool { return slices.Contains(nodes, d.Node) }
	if due, err := store().PurgeQueue(t.Context(), time.Now(), 100); err != nil || slices.ContainsFunc(due, ours) {
		t.Errorf("still due: %v, %v", due, err)
	}
	b.inside.do(t, 401, "GET", "/v1/me", nil) // its home is gone
	f.brand(t, "purged-own.example")          // and so is who had the domain
	if gone := purge(); gone != 0 {
		t.Errorf("%d more were purged", gone)
	}
}
