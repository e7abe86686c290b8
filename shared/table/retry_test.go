package table_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/table/tabletest"
)

const (
	commits = "TransactWriteItems"
	reads   = "BatchGetItem"
)

var (
	errElse = errors.New("what the step says")
)

// spoiled is a founded table behind a wire.
type spoiled struct {
	*table.Table
	name string
	wire *tabletest.Wire
	root hierarchy.Node
	made ident.Brand
}

func newSpoiled(t *testing.T) *spoiled {
	t.Helper()
	s := &spoiled{wire: new(tabletest.Wire), made: ident.NewBrand()}
	s.Table, s.name = tabletest.New(t, s.wire.On)
	s.root = hierarchy.Node{ID: ident.NewPartner(), Name: "Root", Version: 1}
	s.root.Place.Path = hierarchy.Path("").Child(s.root.ID)
	s.root.Brands.Owned, s.root.Brands.Uses = []ident.Brand{s.made}, map[ident.Brand]int64{s.made: 0}
	if err := s.Commit(t.Context(), directory.AddTree{Root: s.root.ID, Else: errElse}, directory.AddNode{Node: s.root}); err != nil {
		t.Fatal(err)
	}
	return s
}

// create makes a new customer and the steps that add it.
func (s *spoiled) create() (ident.Node, []directory.Step) {
	n, err := hierarchy.Node{
		ID: ident.NewCustomer(), Name: "Customer", Version: 1, Details: hierarchy.Details{Brand: s.made},
	}.Below(&s.root, s.root.Place)
	if err != nil {
		panic(err)
	}
	return n.ID, []directory.Step{
		directory.CheckParent{Parent: &s.root, Draw: []ident.Brand{s.made}, Else: func(*hierarchy.Node) error { return errElse }},
		directory.AddNode{Node: n},
	}
}

// drawn is how many customers the root counts, and listed how many it lists.
func (s *spoiled) counts(t *testing.T) (drawn int64, listed int) {
	t.Helper()
	got, err := s.Read(t.Context(), directory.Want{Nodes: []ident.Node{s.root.ID}})
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Children(t.Context(), s.root.ID, hierarchy.Customer, false, "", 200)
	if err != nil {
		t.Fatal(err)
	}
	return got.Nodes[s.root.ID].Brands.Uses[s.made], len(page.Items)
}

var tokenOf = regexp.MustCompile(`"ClientRequestToken":"([^"]+)"`)

// tokens are those of the transactions since the table was founded.
func (s *spoiled) tokens() (tokens []string) {
	for _, body := range s.wire.Bodies()[1:] {
		tokens = append(tokens, tokenOf.FindStringSubmatch(body)[1])
	}
	return tokens
}

func TestATransactionIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		what   string
		faults []tabletest.Fault
		same   bool // whether DynamoDB has to know it again by its token
	}{
		{"after a conflict", []tabletest.Fault{tabletest.Canceled("TransactionConflict", "None", "None")}, false},
		{"after conflicts of all its items", []tabletest.Fault{tabletest.Canceled(slices.Repeat([]string{"TransactionConflict"}, 3)...)}, false},
		{"after an item was throttled", []tabletest.Fault{tabletest.Canceled("None", "ThrottlingError", "ProvisionedThroughputExceeded")}, false},
		{"after it was throttled", []tabletest.Fault{tabletest.Throttled(), tabletest.Throttled()}, true},
		{"after DynamoDB failed", []tabletest.Fault{tabletest.Broken()}, true},
		{"while it is still in progress", []tabletest.Fault{tabletest.AnswerLost(), tabletest.InProgress()}, true},
		{"when the connection broke before it", []tabletest.Fault{tabletest.Lost()}, true},
		{"when the connection broke after it", []tabletest.Fault{tabletest.AnswerLost(), tabletest.Lost()}, true},
		{"when the answer was cut", []tabletest.Fault{tabletest.AnswerCut()}, true},
		{"when there was no answer and it was not applied", []tabletest.Fault{tabletest.Silent()}, true},
		{"when there was no answer and it was applied", []tabletest.Fault{tabletest.SilentAfter()}, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := newSpoiled(t)
			s.wire.Spoil(commits, c.faults...)
			_, steps := s.create()
			if err := s.Commit(t.Context(), steps...); err != nil {
				t.Fatalf("Commit: %v", err)
			}
			if drawn, listed := s.counts(t); drawn != 1 || listed != 1 {
				t.Errorf("%d customers are counted and %d listed; it was created once", drawn, listed)
			}
			tokens := s.tokens()
			if len(tokens) != len(c.faults)+1 {
				t.Errorf("%d attempts; want %d", len(tokens), len(c.faults)+1)
			}
			if tokens[0] == tokens[len(tokens)-1] != c.same {
				t.Errorf("the tokens are %v; whether all are to be the same: %v", tokens, c.same)
			}
		})
	}
}

func TestATransactionThatWasAppliedIsNotTakenForOneThatFailed(t *testing.T) {
	s := newSpoiled(t)
	// The answer is lost, then the retry meets a conflict with yet another transaction: DynamoDB would answer by its token
	// that it was applied, had it got that far. A new token would meet its own work.
	s.wire.Spoil(commits, tabletest.AnswerLost(), tabletest.Throttled(), tabletest.Broken(), tabletest.InProgress())
	id, steps := s.create()
	p := access.Principal{ID: ident.NewClient(), Version: 1}
	steps = append(steps, directory.Put{Now: &p, Else: directory.ErrExists})
	if err := s.Commit(t.Context(), steps...); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	got, err := s.Read(t.Context(), directory.Want{Nodes: []ident.Node{id}, Records: access.Principals.Refs(p.ID)})
	if err != nil || got.Nodes[id] == nil || len(got.Records) != 1 {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestAFailedConditionGoesBeforeAConflict(t *testing.T) {
	s := newSpoiled(t)
	_, steps := s.create()
	s.wire.Spoil(commits, tabletest.Canceled("TransactionConflict", "ConditionalCheckFailed", "ConditionalCheckFailed"))
	if err := s.Commit(t.Context(), steps...); !errors.Is(err, directory.ErrExists) {
		t.Errorf("Commit: %v; want %v", err, directory.ErrExists)
	}
	s.wire.Spoil(commits, tabletest.Canceled("ConditionalCheckFailed", "None", "ThrottlingError"))
	if err := s.Commit(t.Context(), steps...); !errors.Is(err, errElse) {
		t.Errorf("Commit: %v; want %v", err, errElse)
	}
	if n := len(s.tokens()); n != 2 {
		t.Errorf("%d attempts; want one each", n)
	}
}

func TestWhatCannotSucceedLaterIsNotTriedAgain(t *testing.T) {
	denied := tabletest.Answer(400, `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}`)
	mismatch := tabletest.Answer(400, `{"__type":"com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException","Message":"no"}`)
	s := newSpoiled(t)
	for what, f := range map[string]tabletest.Fault{
		"an invalid item":             tabletest.Canceled("None", "ValidationError", "TransactionConflict"),
		"an unknown reason":           tabletest.Canceled("SomethingNew"),
		"no reason at all":            tabletest.Canceled("None"),
		"more reasons than items":     tabletest.Canceled("None", "None", "None", "ConditionalCheckFailed"),
		"a missing permission":        denied,
		"another request's own token": mismatch,
	} {
		before := s.wire.Calls(commits)
		s.wire.Spoil(commits, f)
		_, steps := s.create()
		if err := s.Commit(t.Context(), steps...); err == nil || fault.Busy.Is(err) {
			t.Errorf("%s gave %v", what, err)
		}
		if n := s.wire.Calls(commits) - before; n != 1 {
			t.Errorf("%s was tried %d times", what, n)
		}
	}
	s.wire.Spoil(reads, denied)
	if _, err := s.Read(t.Context(), directory.Want{}); err == nil || fault.Busy.Is(err) {
		t.Errorf("a read without permission gave %v", err)
	}
}

// partial is a client that leaves out a part of the first batches.
type partial struct {
	table.API
	times int
	asked []int
}

func (p *partial) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (
	*dynamodb.BatchGetItemOutput, error) {
	out, err := p.API.BatchGetItem(ctx, in, o...)
	for name, keys := range in.RequestItems {
		p.asked = append(p.asked, len(keys.Keys))
		if len(p.asked) <= p.times {
			items := out.Responses[name]
			out.Responses[name] = items[1:]
			out.UnprocessedKeys = map[string]types.KeysAndAttributes{name: {Keys: []map[string]types.AttributeValue{
				{schema.PK: items[0][schema.PK], schema.SK: items[0][schema.SK]},
			}}}
		}
	}
	return out, err
}

func TestABatchThatWasNotProcessedWhollyIsReadAgainWholly(t *testing.T) {
	s := newSpoiled(t)
	client := &partial{API: tabletest.Client(t), times: 2}
	absent := ident.NewPartner()
	got, err := table.New(client, s.name).Read(t.Context(), directory.Want{Nodes: []ident.Node{s.root.ID, absent}})
	if err != nil || got.Nodes[s.root.ID] == nil || got.Nodes[absent] != nil {
		t.Errorf("read %+v, %v", got, err)
	}
	if !slices.Equal(client.asked, []int{3, 3, 3}) {
		t.Errorf("the batches had %v keys; all three have to be read together each time", client.asked)
	}
}

const batchWrites = "BatchWriteItem"

// logged adds so many events at the root.
func (s *spoiled) logged(t *testing.T, many int) {
	t.Helper()
	var steps []directory.Step
	for range many {
		e := event.Event{ID: ident.NewEvent(), Node: s.root.ID, Time: clocktest.Now(), Path: s.root.Place.Path}
		steps = append(steps, directory.AddEvent{Event: e})
	}
	if err := s.Commit(t.Context(), steps...); err != nil {
		t.Fatal(err)
	}
}

func (s *spoiled) log(t *testing.T) int {
	t.Helper()
	page, err := s.Log(t.Context(), s.root.ID, directory.LogQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Items)
}

func TestErasingIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, faults := range [][]tabletest.Fault{
		{tabletest.Throttled(), tabletest.Broken(), tabletest.Lost()},
		{tabletest.AnswerLost()},
		{tabletest.AnswerCut(), tabletest.SilentAfter()},
	} {
		s := newSpoiled(t)
		s.logged(t, 7)
		s.wire.Spoil(batchWrites, faults...)
		if done, err := s.Erase(t.Context(), s.root.ID); !done || err != nil {
			t.Errorf("erased: %v, %v", done, err)
		}
		if n := s.log(t); n != 0 {
			t.Errorf("%d events are left", n)
		}
		if n := s.wire.Calls(batchWrites); n != len(faults)+1 {
			t.Errorf("with %d faults it was tried %d times", len(faults), n)
		}
	}
}

// slow is a client that processes one write of a batch at a time.
type slow struct {
	table.API
	asked []int
}

func (p *slow) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, o ...func(*dynamodb.Options)) (
	*dynamodb.BatchWriteItemOutput, error) {
	for name, writes := range in.RequestItems {
		p.asked = append(p.asked, len(writes))
		one := *in
		one.RequestItems = map[string][]types.WriteRequest{name: writes[:1]}
		out, err := p.API.BatchWriteItem(ctx, &one, o...)
		if err == nil && len(writes) > 1 {
			out.UnprocessedItems = map[string][]types.WriteRequest{name: writes[1:]}
		}
		return out, err
	}
	return nil, errors.New("an empty batch")
}

func TestWritesThatWereNotProcessedAreWrittenAgain(t *testing.T) {
	s := newSpoiled(t)
	s.logged(t, 4)
	client := &slow{API: tabletest.Client(t)}
	if done, err := table.New(client, s.name).Erase(t.Context(), s.root.ID); !done || err != nil {
		t.Errorf("erased: %v, %v", done, err)
	}
	if n := s.log(t); n != 0 || !slices.Equal(client.asked, []int{4, 3, 2, 1}) {
		t.Errorf("%d events are left after batches of %v", n, client.asked)
	}
}

func TestReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := newSpoiled(t)
	faults := []tabletest.Fault{
		tabletest.Throttled(), tabletest.Broken(), tabletest.Lost(), tabletest.AnswerCut(), tabletest.Answer(200, "<html>"), tabletest.Silent(),
	}
	s.wire.Spoil(reads, faults...)
	s.wire.Spoil("Query", faults...)
	s.wire.Spoil("UpdateItem", faults[:3]...)
	if _, listed := s.counts(t); listed != 0 {
		t.Errorf("%d customers; there is none", listed)
	}
	for _, operation := range []string{reads, "Query"} {
		if n := s.wire.Calls(operation); n != len(faults)+1 {
			t.Errorf("%s was tried %d times; want %d", operation, n, len(faults)+1)
		}
	}
	if n, err := s.Count(t.Context(), string(ident.NewKey()), time.Unix(0, 0), 1); n != 1 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
}

// down is a DynamoDB that answers everything with one error, and counts.
type down struct {
	err   error
	calls int
}

func (d *down) BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (
	*dynamodb.BatchGetItemOutput, error) {
	d.calls++
	return nil, d.err
}

func (d *down) BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (
	*dynamodb.BatchWriteItemOutput, error) {
	d.calls++
	return nil, d.err
}

func (d *down) Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	d.calls++
	return nil, d.err
}

func (d *down) TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (
	*dynamodb.TransactWriteItemsOutput, error) {
	d.calls++
	return nil, d.err
}

func (d *down) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	d.calls++
	return nil, d.err
}

func TestBusyIsSaidAfterEightSecondsAndNeverNotFound(t *testing.T) {
	conflict := &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String("TransactionConflict")}}}
	node := ident.NewPartner()
	for what, call := range map[string]func(context.Context, *table.Table) error{
		"Read": func(ctx context.Context, s *table.Table) error {
			_, err := s.Read(ctx, directory.Want{Nodes: []ident.Node{node}})
			return err
		},
		"Children": func(ctx context.Context, s *table.Table) error {
			_, err := s.Children(ctx, node, hierarchy.Partner, false, "", 10)
			return err
		},
		"List": func(ctx context.Context, s *table.Table) error {
			_, err := s.List(ctx, node, access.GrantsAt.Listing, "", 10)
			return err
		},
		"Below": func(ctx context.Context, s *table.Table) error {
			_, err := s.Below(ctx, hierarchy.Path("").Child(node), "", false, "", 10)
			return err
		},
		"Log": func(ctx context.Context, s *table.Table) error {
			_, err := s.Log(ctx, node, directory.LogQuery{Limit: 10})
			return err
		},
		"PurgeQueue": func(ctx context.Context, s *table.Table) error {
			_, err := s.PurgeQueue(ctx, clocktest.Now(), 10)
			return err
		},
		"Erase": func(ctx context.Context, s *table.Table) error {
			_, err := s.Erase(ctx, node)
			return err
		},
		"Count": func(ctx context.Context, s *table.Table) error {
			_, err := s.Count(ctx, string(ident.NewKey()), clocktest.Now(), 1)
			return err
		},
		"Commit": func(ctx context.Context, s *table.Table) error {
			return s.Commit(ctx, directory.CheckGrant{Principal: ident.NewClient(), Node: node, Role: access.Owner, Else: errElse})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := &down{err: &types.ProvisionedThroughputExceededException{}}
			if what == "Commit" {
				client.err = conflict
			}
			start := clocktest.Now()
			err := call(t.Context(), table.New(client, "t"))
			var busy *fault.Error
			if !errors.As(err, &busy) || busy.Type != fault.Busy || busy.RetryAfter != time.Second {
				t.Errorf("%s: %v", what, err)
			}
			if took := clocktest.Now().Sub(start); took != 8*time.Second {
				t.Errorf("%s gave up after %s", what, took)
			}
			if client.calls < 16 || client.calls > 200 {
				t.Errorf("%s made %d attempts in 8 s", what, client.calls)
			}
			if !strings.Contains(err.Error(), "conflict") && !strings.Contains(err.Error(), "Throughput") {
				t.Errorf("%s: the log does not hear the reason: %v", what, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start = clocktest.Now()
			if err := call(ctx, table.New(client, "t")); !fault.Busy.Is(err) || clocktest.Now().Sub(start) != time.Second {
				t.Errorf("%s with a second left: %v after %s", what, err, clocktest.Now().Sub(start))
			}
		})
	}
}

// stuck answers when the context ends, and says which deadline it had.
type stuck struct {
	down
	deadlines []time.Duration
}

func (s *stuck) BatchGetItem(ctx context.Context, _ *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (
	*dynamodb.BatchGetItemOutput, error) {
	deadline, _ := ctx.Deadline()
	s.deadlines = append(s.deadlines, time.Until(deadline))
	<-ctx.Done()
	return nil, ctx.Err()
}

// The deadline of a read is a part of the protocol of the tree state: see readDeadline.
func TestEveryReadHasADeadlineOfTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := new(stuck)
		if _, err := table.New(client, "t").Read(t.Context(), directory.Want{}); !fault.Busy.Is(err) {
			t.Errorf("Read: %v", err)
		}
		if len(client.deadlines) < 4 || slices.Max(client.deadlines) != 2*time.Second {
			t.Errorf("the attempts had deadlines of %v", client.deadlines)
		}
	})
}

// sparse is an index whose entries all are of another kind than the one that is asked for.
type sparse struct {
	down
	path hierarchy.Path
}

func (s *sparse) Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	s.calls++
	key := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	id := s.path.At(s.path.Depth() - 1)
	return &dynamodb.QueryOutput{ScannedCount: 1000, LastEvaluatedKey: map[string]types.AttributeValue{
		schema.PK: key("N#" + string(id)), schema.SK: key("N"), schema.IndexPK: key("S#00"), schema.IndexSK: key(string(s.path)),
	}}, nil
}

func TestAPageOfASparseSubtreeEndsEarly(t *testing.T) {
	under := hierarchy.Path("").Child(ident.NewPartner()).Child(ident.NewPartner())
	customer := ident.NewCustomer()
	client := &sparse{path: under.Child(customer)}
	page, err := table.New(client, "t").Below(t.Context(), under, hierarchy.Partner, false, "", 50)
	if err != nil || len(page.Items) != 0 || page.Next != string(customer)+"/" || client.calls != 5 {
		t.Errorf("got %+v, %v after %d calls", page, err, client.calls)
	}
}

func TestFiftyCreatesInConflictAllSucceed(t *testing.T) {
	s := newSpoiled(t)
	const many = 50
	// As DynamoDB does, a transaction whose token was applied is not canceled any more.
	var applied sync.Map
	token := func(r *http.Request) string {
		body, _ := r.GetBody()
		b, _ := io.ReadAll(body)
		return tokenOf.FindStringSubmatch(string(b))[1]
	}
	lost := func(r *http.Request, send tabletest.Send) (*http.Response, error) {
		applied.Store(token(r), true)
		return tabletest.AnswerLost()(r, send)
	}
	conflict := func(r *http.Request, send tabletest.Send) (*http.Response, error) {
		if _, ok := applied.Load(token(r)); ok {
			return send(r)
		}
		return tabletest.Canceled("TransactionConflict", "None", "None")(r, send)
	}
	for range many {
		s.wire.Spoil(commits, conflict, conflict, lost, nil)
	}
	errs := make(chan error)
	for range many {
		go func() {
			_, steps := s.create()
			errs <- s.Commit(t.Context(), steps...)
		}()
	}
	for range many {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if drawn, listed := s.counts(t); drawn != many || listed != many {
		t.Errorf("%d customers are counted and %d listed; %d were created", drawn, listed, many)
	}
}

func TestOpenTakesEverythingFromTheEnvironment(t *testing.T) {
	s := newSpoiled(t)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "local")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "local")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", tabletest.Endpoint(t))
	store, err := table.Open(s.name)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := store.Read(t.Context(), directory.Want{Nodes: []ident.Node{s.root.ID}}); err != nil || got.Nodes[s.root.ID] == nil {
		t.Errorf("read %+v, %v", got, err)
	}
	if _, err := table.Open(""); err == nil {
		t.Error("a table without a name was opened")
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	store, _ = table.Open(s.name)
	if _, err := store.Read(t.Context(), directory.Want{}); err == nil || fault.Busy.Is(err) {
		t.Errorf("a read without credentials gave %v", err)
	}
}
