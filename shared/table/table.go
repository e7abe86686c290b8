// Package table keeps the directory in one DynamoDB table. keys.go has every key, items.go what is stored of nodes and events, records.go of
// everything else, commit.go what a change writes and what each failed condition means, retry.go which failures are tried again.
//
// All reads are strongly consistent but those of the index, which only proposes. A failure is never "not found": what
// cannot be read or written for now is fault.Busy, and an item that is not as this package writes it is an error which
// names the item and shows nothing of it.
package table

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/awsenv"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/table/schema"
)

// API is what the table needs of a DynamoDB client. The client must not repeat calls by itself: only here it is known
// which of them may have been applied.
type API interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (
		*dynamodb.TransactWriteItemsOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
}

// Table is a directory.Store.
type Table struct {
	client API
	name   string
}

// New returns the store in the named table. It makes no call.
func New(client API, name string) *Table { return &Table{client, name} }

// Open returns the store in the named table, with a client configured from the environment of a Lambda function. It
// makes no call. AWS_ENDPOINT_URL_DYNAMODB goes before AWS_ENDPOINT_URL.
func Open(name string) (*Table, error) {
	if name == "" {
		return nil, errors.New("the name of the table is empty: set TABLE_NAME")
	}
	return New(dynamodb.NewFromConfig(awsenv.Config(), Once, func(o *dynamodb.Options) {
		if url := os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"); url != "" {
			o.BaseEndpoint = &url
		}
	}), name), nil
}

// Once makes a client try each call once, as New expects.
func Once(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }

// maxBatch is how many items DynamoDB reads in a batch, and writes in a transaction.
const maxBatch = 100

// Read implements directory.Store. When DynamoDB leaves out a part of the batch, all of it is read again: parts that were
// read far apart in time must not be decided on together.
func (t *Table) Read(ctx context.Context, w directory.Want) (directory.Got, error) {
	tree := treeKey(rand.IntN(treeCopies))
	wanted := map[key]bool{tree: true}
	for _, id := range w.Nodes {
		wanted[nodeKey(id)] = true
	}
	for _, ref := range w.Records {
		wanted[recordKey(ref)] = true
	}
	if len(wanted) > maxBatch {
		return directory.Got{}, fmt.Errorf("a read of %d items; %d are possible", len(wanted), maxBatch)
	}
	found, err := t.batch(ctx, wanted)
	if err != nil {
		return directory.Got{}, err
	}
	return decodeGot(w, tree, found)
}

func (t *Table) batch(ctx context.Context, wanted map[key]bool) (map[key]item, error) {
	keys := make([]map[string]types.AttributeValue, 0, len(wanted))
	for k := range wanted {
		keys = append(keys, k.attributes())
	}
	in := &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		t.name: {Keys: keys, ConsistentRead: aws.Bool(true)},
	}}
	var found map[key]item
	err := persist(ctx, func(ctx context.Context) error {
		out, err := t.client.BatchGetItem(ctx, in)
		if err != nil {
			return err
		}
		if len(out.UnprocessedKeys) > 0 {
			return errUnprocessed
		}
		found = make(map[key]item, len(out.Responses[t.name]))
		for _, it := range out.Responses[t.name] {
			r := reader{item: it}
			found[key{r.text(schema.PK), r.text(schema.SK)}] = it
		}
		return nil
	})
	return found, err
}

func decodeGot(w directory.Want, tree key, found map[key]item) (directory.Got, error) {
	got := directory.Got{Nodes: map[ident.Node]*hierarchy.Node{}, Records: record.Set{}}
	var errs []error
	for _, id := range w.Nodes {
		if it, ok := found[nodeKey(id)]; ok && got.Nodes[id] == nil {
			n, err := decodeNode(id, it)
			got.Nodes[id] = n
			errs = append(errs, err)
		}
	}
	for _, ref := range w.Records {
		if it, ok := found[recordKey(ref)]; ok && got.Records[ref] == nil {
			r, err := ref.Decode(recordFields(it))
			got.Records[ref] = r
			errs = append(errs, err)
		}
	}
	if it, ok := found[tree]; ok {
		var err error
		got.Tree, err = decodeTree(it)
		errs = append(errs, err)
	} else if len(got.Nodes) > 0 {
		// Deciding without it would undo every move and suspension that is still under way.
		errs = append(errs, fmt.Errorf("there are nodes and no tree state %s", tree.pk))
	}
	if err := errors.Join(errs...); err != nil {
		return directory.Got{}, err
	}
	return got, nil
}

// Children implements directory.Store. A position is what follows the kind in the sort key.
func (t *Table) Children(ctx context.Context, parent ident.Node, kind hierarchy.Kind, all bool, after string, limit int) (
	directory.Page[hierarchy.Node], error) {
	l := listing{pk: nodeKey(parent).pk, prefix: childPrefix(kind), after: after, limit: limit, shown: !all}
	return list(ctx, t, l, func(it item) (hierarchy.Node, error) { return decodeChild(parent, it) })
}

// List implements directory.Store.
func (t *Table) List(ctx context.Context, node ident.Node, l *record.Listing, after string, limit int) (directory.Page[directory.Listed], error) {
	prefix := listPrefix(l)
	part := listing{pk: nodeKey(node).pk, prefix: prefix, after: after, limit: limit, backwards: l.NewestFirst}
	return list(ctx, t, part, func(it item) (directory.Listed, error) {
		r := reader{item: it}
		return directory.Listed{At: strings.TrimPrefix(r.text(schema.SK), prefix), Fields: recordFields(it)}, nil
	})
}

// Find implements directory.Store. A position is what follows the word in the sort key.
func (t *Table) Find(ctx context.Context, l directory.Lookup, after string, limit int) (directory.Page[directory.Found], error) {
	if l.Begins && l.Term.Word.Head() == "" {
		return directory.Page[directory.Found]{}, errors.New("a word of less than two characters begins too much")
	}
	pk, prefix := termRange(l.Kind, l.Term.Word)
	if !l.Begins {
		prefix += termEnd + string(l.Term.Field) + "#"
	}
	return list(ctx, t, listing{pk: pk, prefix: prefix, after: after, limit: limit}, func(it item) (directory.Found, error) {
		r := reader{item: it, what: "term"}
		sk := r.text(schema.SK)
		id, term, err := termOf(key{r.text(schema.PK), sk})
		return directory.Found{ID: id, Term: term, At: strings.TrimPrefix(sk, prefix)}, errors.Join(r.err, err)
	})
}

// Log implements directory.Store. A position is a time, or the time and the id of an event.
func (t *Table) Log(ctx context.Context, node ident.Node, q directory.LogQuery) (directory.Page[event.Event], error) {
	l := listing{pk: nodeKey(node).pk, prefix: schema.EventPrefix, high: last, limit: q.Limit, backwards: !q.Oldest}
	if q.Past {
		l.prefix = pastPrefix
	}
	if !q.From.IsZero() {
		l.low = moment(q.From)
	}
	if !q.Until.IsZero() {
		l.high = moment(q.Until) // less than the position of any event at that time
	}
	switch {
	case q.After != "" && q.Oldest:
		l.low = max(l.low, q.After+" ")
	case q.After != "":
		l.high = min(l.high, before(q.After))
	}
	return list(ctx, t, l, func(it item) (event.Event, error) { return decodeEvent(node, it) })
}

// PurgeQueue implements directory.Store.
func (t *Table) PurgeQueue(ctx context.Context, until time.Time, limit int) ([]directory.PurgeEntry, error) {
	l := listing{pk: duePK, low: "0", high: moment(until), limit: limit} // DynamoDB compares with no empty string
	page, err := list(ctx, t, l, decodeDue)
	return page.Items, err
}

// listing is which part of a partition is wanted.
type listing struct {
	pk, prefix string // of the keys; a position is what follows the prefix in the sort key
	low, high  string // bounds of the positions; high "": none
	after      string // a position
	limit      int
	backwards  bool
	shown      bool // without what is in the trash itself
}

// refills is how many queries at most fill a page, when some of what they look at is in the trash.
const refills = 3

// list reads a page of the items of one partition. It asks for one more than the page holds, to know whether there are more
// without reading an empty page.
func list[T any](ctx context.Context, t *Table, l listing, decode func(item) (T, error)) (directory.Page[T], error) {
	page := directory.Page[T]{Items: []T{}}
	if l.limit < 1 {
		return directory.Page[T]{}, fmt.Errorf("a page of %d items", l.limit)
	}
	var e expression
	condition := e.name(schema.PK) + " = " + e.value(text(l.pk))
	switch {
	case l.high == "":
		condition += " AND begins_with(" + e.name(schema.SK) + ", " + e.value(text(l.prefix)) + ")"
	case l.low > l.high:
		return page, nil
	default:
		condition += " AND " + e.name(schema.SK) + " BETWEEN " + e.value(text(l.prefix+l.low)) + " AND " + e.value(text(l.prefix+l.high))
	}
	in := &dynamodb.QueryInput{
		TableName:              &t.name,
		ConsistentRead:         aws.Bool(true),
		KeyConditionExpression: &condition,
		ScanIndexForward:       aws.Bool(!l.backwards),
	}
	if l.shown {
		in.FilterExpression = aws.String("attribute_not_exists(" + e.name(trashed) + ")")
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	if l.after != "" {
		in.ExclusiveStartKey = key{l.pk, l.prefix + l.after}.attributes()
	}
	position := func(it item) string {
		r := reader{item: it}
		return r.text(schema.SK)[len(l.prefix):]
	}
	for range refills {
		in.Limit = aws.Int32(int32(l.limit - len(page.Items) + 1))
		out, err := t.query(ctx, in)
		if err != nil {
			return directory.Page[T]{}, err
		}
		for _, it := range out.Items {
			if len(page.Items) == l.limit {
				return page, nil
			}
			v, err := decode(it)
			if err != nil {
				return directory.Page[T]{}, err
			}
			page.Items = append(page.Items, v)
			page.Next = position(it)
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			page.Next = ""
			return page, nil
		}
		page.Next = position(in.ExclusiveStartKey)
	}
	return page, nil
}

// erasedAtOnce is how many items DynamoDB writes in a batch.
const erasedAtOnce = 25

// Erase implements directory.Store. What is listed goes before its entry in the list, by which it is found.
func (t *Table) Erase(ctx context.Context, node ident.Node) (done bool, err error) {
	var listed, writes []types.WriteRequest
	remove := func(k item) types.WriteRequest {
		return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: k}}
	}
	done = true
	for _, between := range kept {
		if !done || len(writes) == erasedAtOnce {
			done = false
			break
		}
		var e expression
		condition := e.name(schema.PK) + " = " + e.value(text(nodeKey(node).pk)) +
			" AND " + e.name(schema.SK) + " BETWEEN " + e.value(text(between[0])) + " AND " + e.value(text(between[1]))
		out, err := t.query(ctx, &dynamodb.QueryInput{
			TableName:                 &t.name,
			ConsistentRead:            aws.Bool(true),
			KeyConditionExpression:    &condition,
			ProjectionExpression:      aws.String(e.name(schema.PK) + ", " + e.name(schema.SK)),
			ExpressionAttributeNames:  e.names,
			ExpressionAttributeValues: e.values,
			Limit:                     aws.Int32(int32(erasedAtOnce - len(writes))),
		})
		if err != nil {
			return false, err
		}
		for _, k := range out.Items {
			r := reader{item: k}
			if rec, goes := recordOf(r.text(schema.SK)); goes {
				listed = append(listed, remove(rec.attributes()))
			}
			writes = append(writes, remove(k))
		}
		done = out.LastEvaluatedKey == nil
	}
	if err := t.batchWrite(ctx, listed); err != nil {
		return false, err
	}
	return done, t.batchWrite(ctx, writes)
}

func (t *Table) batchWrite(ctx context.Context, writes []types.WriteRequest) error {
	if len(writes) == 0 {
		return nil
	}
	in := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{t.name: writes}}
	return persist(ctx, func(ctx context.Context) error {
		out, err := t.client.BatchWriteItem(ctx, in)
		if err == nil && len(out.UnprocessedItems) > 0 {
			in.RequestItems, err = out.UnprocessedItems, errUnprocessed
		}
		return err
	})
}

// belowScan is how many index entries one page of Below looks at before it ends early: a subtree can hold 100,000
// customers and no partner.
const belowScan = 5000

// Below implements directory.Store. A position is what follows the path of under in a stored path, so it tells nothing
// of what lies above under; the shard follows from it.
func (t *Table) Below(ctx context.Context, under hierarchy.Path, kind hierarchy.Kind, trash bool, after string, limit int) (
	directory.Page[ident.Node], error) {
	if limit < 1 {
		return directory.Page[ident.Node]{}, fmt.Errorf("a page of %d items", limit)
	}
	page := directory.Page[ident.Node]{Items: []ident.Node{}}
	first, last := 0, shards-1
	if s, ok := shardOf(under + hierarchy.Path(after)); ok {
		first = s
		if under.Depth() >= 2 {
			last = s
		}
	}
	scanned := 0
	for s := first; s <= last; s++ {
		from := ""
		if s == first {
			from = after
		}
		for more := true; more; {
			out, err := t.belowIn(ctx, shard(s, trash), under, kind, from, limit+1-len(page.Items))
			if err != nil {
				return directory.Page[ident.Node]{}, err
			}
			for _, it := range out.Items {
				if len(page.Items) == limit {
					page.Next = after
					return page, nil
				}
				id, path, err := decodeIndexed(it)
				if err != nil {
					return directory.Page[ident.Node]{}, err
				}
				page.Items = append(page.Items, id)
				after = string(path[len(under):])
			}
			scanned += int(out.ScannedCount)
			if more = out.LastEvaluatedKey != nil; more {
				_, path, err := decodeIndexed(out.LastEvaluatedKey)
				if err != nil {
					return directory.Page[ident.Node]{}, err
				}
				from = string(path[len(under):])
				if scanned >= belowScan {
					page.Next = from
					return page, nil
				}
			}
		}
	}
	return page, nil
}

// belowIn reads a part of one shard's range. Without a kind it reads no more entries than are wanted.
func (t *Table) belowIn(ctx context.Context, shard string, under hierarchy.Path, kind hierarchy.Kind, after string, want int) (
	*dynamodb.QueryOutput, error) {
	low, high := below(under, after)
	var e expression
	condition := e.name(schema.IndexPK) + " = " + e.value(text(shard)) +
		" AND " + e.name(schema.IndexSK) + " BETWEEN " + e.value(text(low)) + " AND " + e.value(text(high))
	in := &dynamodb.QueryInput{
		TableName:              &t.name,
		IndexName:              aws.String(schema.SubtreeIndex),
		KeyConditionExpression: &condition,
		Limit:                  aws.Int32(int32(want)),
	}
	if kind != "" {
		in.FilterExpression = aws.String(e.name(schema.IndexCarries) + " = " + e.value(text(string(kind))))
		in.Limit = aws.Int32(belowScan / 5)
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
	return t.query(ctx, in)
}

func (t *Table) query(ctx context.Context, in *dynamodb.QueryInput) (out *dynamodb.QueryOutput, err error) {
	err = persist(ctx, func(ctx context.Context) (err error) {
		out, err = t.client.Query(ctx, in)
		return err
	})
	return out, err
}

// Count adds n to the number of requests that were made by who, the id of a secret or of a person, in the window that begins at window,
// and returns the new number. It may count a request twice when an answer was lost, and never misses one.
func (t *Table) Count(ctx context.Context, who string, window time.Time, n int64) (int64, error) {
	var e expression
	const counted = "n"
	update := "ADD " + e.name(counted) + " " + e.value(number(n)) +
		" SET " + e.name(schema.TTLAttr) + " = " + e.value(number(window.Add(rateKept).Unix())) +
		", " + e.name("type") + " = " + e.value(text("rate"))
	var total int64
	err := persist(ctx, func(ctx context.Context) error {
		out, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName:                 &t.name,
			Key:                       rateKey(who, window).attributes(),
			UpdateExpression:          &update,
			ExpressionAttributeNames:  e.names,
			ExpressionAttributeValues: e.values,
			ReturnValues:              types.ReturnValueUpdatedNew,
		})
		if err != nil {
			return err
		}
		r := reader{item: out.Attributes, what: "rate of " + who}
		total = r.number(counted)
		return r.err
	})
	return total, err
}

// rateKept is how long after the beginning of its window a counter is kept.
const rateKept = time.Hour
