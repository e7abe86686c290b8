package costs

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/table"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/table/tabletest/itemsize"
)

// cost is what an operation took.
type cost struct {
	trips       int     // calls of DynamoDB; some are made side by side
	read, write float64 // capacity units
}

func (c cost) String() string {
	return fmt.Sprintf("%d %s %s", c.trips, units(c.read), units(c.write))
}

func units(u float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", u), ".0") }

// meter counts what passes between a table and DynamoDB Local, as AWS would charge it. DynamoDB Local tells what it
// takes a call to cost, but is wrong twice, and the meter corrects it:
//
// Looking for what is not there is free on DynamoDB Local. On AWS it costs as much as reading a small item: one unit when
// consistent, half a unit when not.
//
// DynamoDB Local rounds a transaction up as a whole and charges it four times. AWS rounds each item up to 1 KB, takes the
// larger of what it was and what it becomes, and charges that twice; besides, once, for each index entry that changes.
// An entry whose key changes is deleted and written: that is charged for both.
type meter struct {
	table.API
	mu    sync.Mutex
	spent cost
}

// during is what f spends.
func (m *meter) during(f func() error) (cost, error) {
	m.mu.Lock()
	m.spent = cost{}
	m.mu.Unlock()
	err := f()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spent, err
}

func (m *meter) add(read, write float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spent.trips++
	m.spent.read += read
	m.spent.write += write
}

func capacity(c *types.ConsumedCapacity) float64 {
	if c == nil || c.CapacityUnits == nil {
		return 0
	}
	return *c.CapacityUnits
}

func (m *meter) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (
	*dynamodb.BatchGetItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.API.BatchGetItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	total := 0.0
	for name, asked := range in.RequestItems {
		total += float64(len(asked.Keys) - len(out.Responses[name]))
	}
	for i := range out.ConsumedCapacity {
		total += capacity(&out.ConsumedCapacity[i])
	}
	m.add(total, 0)
	return out, nil
}

func (m *meter) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.API.Query(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	least := 0.5
	if in.ConsistentRead != nil && *in.ConsistentRead {
		least = 1
	}
	m.add(max(least, capacity(out.ConsumedCapacity)), 0)
	return out, nil
}

func (m *meter) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (
	*dynamodb.TransactWriteItemsOutput, error) {
	before, err := m.stored(ctx, in)
	if err != nil {
		return nil, err
	}
	out, err := m.API.TransactWriteItems(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	after, err := m.stored(ctx, in)
	if err != nil {
		return nil, err
	}
	total := 0
	for i := range in.TransactItems {
		total += 2*kilobytes(max(itemsize.Of(before[i]), itemsize.Of(after[i]))) + indexing(before[i], after[i])
	}
	m.add(0, float64(total))
	return out, nil
}

// indexing is what the subtree index takes when an item changes.
func indexing(before, after map[string]types.AttributeValue) int {
	was, is := indexed(before), indexed(after)
	switch {
	case reflect.DeepEqual(was, is):
		return 0
	case was == nil || is == nil:
		return kilobytes(max(itemsize.Of(was), itemsize.Of(is)))
	default: // an entry carries nothing that changes but its key
		return kilobytes(itemsize.Of(was)) + kilobytes(itemsize.Of(is))
	}
}

// kilobytes is a size in write units; what is written costs at least one.
func kilobytes(size int) int { return max(1, (size+1023)/1024) }

// indexed is an item's entry in the subtree index, nil when it has none.
func indexed(item map[string]types.AttributeValue) map[string]types.AttributeValue {
	if item[schema.IndexPK] == nil || item[schema.IndexSK] == nil {
		return nil
	}
	entry := map[string]types.AttributeValue{}
	for _, name := range []string{schema.PK, schema.SK, schema.IndexPK, schema.IndexSK, schema.IndexCarries} {
		if v, ok := item[name]; ok {
			entry[name] = v
		}
	}
	return entry
}

// stored is what is stored of the items of a transaction, in their order; nil for those that are not there.
func (m *meter) stored(ctx context.Context, in *dynamodb.TransactWriteItemsInput) ([]map[string]types.AttributeValue, error) {
	type pair struct{ pk, sk string }
	of := func(item map[string]types.AttributeValue) pair {
		return pair{item[schema.PK].(*types.AttributeValueMemberS).Value, item[schema.SK].(*types.AttributeValueMemberS).Value}
	}
	var tableName string
	var order []pair
	var keys []map[string]types.AttributeValue
	for _, w := range in.TransactItems {
		var item map[string]types.AttributeValue
		switch {
		case w.Put != nil:
			tableName, item = *w.Put.TableName, w.Put.Item
		case w.Update != nil:
			tableName, item = *w.Update.TableName, w.Update.Key
		case w.Delete != nil:
			tableName, item = *w.Delete.TableName, w.Delete.Key
		case w.ConditionCheck != nil:
			tableName, item = *w.ConditionCheck.TableName, w.ConditionCheck.Key
		}
		order = append(order, of(item))
		keys = append(keys, map[string]types.AttributeValue{schema.PK: item[schema.PK], schema.SK: item[schema.SK]})
	}
	out, err := m.API.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
		RequestItems: map[string]types.KeysAndAttributes{tableName: {Keys: keys, ConsistentRead: aws.Bool(true)}},
	})
	if err != nil {
		return nil, err
	}
	found := map[pair]map[string]types.AttributeValue{}
	for _, item := range out.Responses[tableName] {
		found[of(item)] = item
	}
	items := make([]map[string]types.AttributeValue, len(order))
	for i, k := range order {
		items[i] = found[k]
	}
	return items, nil
}

func (m *meter) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (
	*dynamodb.UpdateItemOutput, error) {
	item := &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Update: &types.Update{TableName: in.TableName, Key: in.Key}}}}
	before, err := m.stored(ctx, item)
	if err != nil {
		return nil, err
	}
	out, err := m.API.UpdateItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	after, err := m.stored(ctx, item)
	if err != nil {
		return nil, err
	}
	m.add(0, float64(kilobytes(max(itemsize.Of(before[0]), itemsize.Of(after[0])))+indexing(before[0], after[0])))
	return out, nil
}

// BatchWriteItem is for deletions alone.
func (m *meter) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, o ...func(*dynamodb.Options)) (
	*dynamodb.BatchWriteItemOutput, error) {
	same := new(dynamodb.TransactWriteItemsInput)
	for name, writes := range in.RequestItems {
		for _, w := range writes {
			deleted := &types.Delete{TableName: &name, Key: w.DeleteRequest.Key}
			same.TransactItems = append(same.TransactItems, types.TransactWriteItem{Delete: deleted})
		}
	}
	before, err := m.stored(ctx, same)
	if err != nil {
		return nil, err
	}
	out, err := m.API.BatchWriteItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	total := 0
	for _, item := range before {
		total += kilobytes(itemsize.Of(item)) + indexing(item, nil)
	}
	m.add(0, float64(total))
	return out, nil
}

// loader writes new items without a transaction, which DynamoDB Local does several times as fast.
type loader struct{ *dynamodb.Client }

func (l loader) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (
	*dynamodb.TransactWriteItemsOutput, error) {
	const most = 25
	for some := range slices.Chunk(in.TransactItems, most) {
		var puts []types.WriteRequest
		for _, w := range some {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: w.Put.Item}})
		}
		out, err := l.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{*some[0].Put.TableName: puts},
		})
		if err != nil {
			return nil, err
		}
		if len(out.UnprocessedItems) > 0 {
			return nil, errors.New("not all items were written")
		}
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}
