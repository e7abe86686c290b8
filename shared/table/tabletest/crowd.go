package tabletest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table"
)

// Grow makes up what lies below top: on each level so many partners, each below a random one of the level above, and so many
// customers, each below a random one of all these partners. Whoever is below another is later in the answer. All of them have
// the one brand, and they, and top, count what they count as if they had been created one after another.
func Grow(random *rand.Rand, top *hierarchy.Node, brand ident.Brand, customers int, levels ...int) []*hierarchy.Node {
	var all []*hierarchy.Node
	above, partners := []*hierarchy.Node{top}, []*hierarchy.Node{}
	add := func(parent *hierarchy.Node, n hierarchy.Node) *hierarchy.Node {
		parent.Brands.Uses[brand]++
		n.Parent, n.AsOf, n.Version = parent.ID, parent.AsOf, 1
		n.Place = hierarchy.Place{Path: parent.Place.Path.Child(n.ID), Marks: parent.Place.Marks}
		n.Created = clocktest.Now().UTC().Truncate(time.Microsecond)
		n.Updated = n.Created
		all = append(all, &n)
		return &n
	}
	for _, count := range levels {
		var level []*hierarchy.Node
		for range count {
			n := hierarchy.Node{ID: ident.NewPartner(), Name: hierarchy.Name(fmt.Sprintf("Partner %05d", len(all)))}
			n.Brands = hierarchy.Brands{Portal: brand, Available: []ident.Brand{brand}, Uses: map[ident.Brand]int64{brand: 0}}
			level = append(level, add(above[random.IntN(len(above))], n))
		}
		above, partners = level, append(partners, level...)
	}
	for range customers {
		n := hierarchy.Node{ID: ident.NewCustomer(), Name: hierarchy.Name(fmt.Sprintf("Customer %05d", len(all)))}
		n.Details.Brand = brand
		add(partners[random.IntN(len(partners))], n)
	}
	known := map[ident.Node]*hierarchy.Node{top.ID: top}
	for _, n := range all {
		known[n.ID] = n
	}
	for _, n := range slices.Backward(all) {
		known[n.Parent].Height = max(known[n.Parent].Height, n.Height+1)
	}
	return all
}

// Fill puts things into a table much faster than commits do: in batches, without the conditions, and over what is there. Steps are
// those that only add something.
func Fill(ctx context.Context, client *dynamodb.Client, name string, steps []directory.Step) error {
	store := table.New(filler{client}, name)
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(8)
	for some := range slices.Chunk(steps, 20) { // each is a few items; a commit has at most 100
		all.Go(func() error { return store.Commit(ctx, some...) })
	}
	return all.Wait()
}

// filler writes the items of a transaction as batches.
type filler struct{ *dynamodb.Client }

func (f filler) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (
	*dynamodb.TransactWriteItemsOutput, error) {
	for some := range slices.Chunk(in.TransactItems, 25) {
		requests := map[string][]types.WriteRequest{}
		for _, w := range some {
			if w.Put == nil {
				return nil, fmt.Errorf("filling a table with something that is not only added")
			}
			requests[*w.Put.TableName] = append(requests[*w.Put.TableName], types.WriteRequest{PutRequest: &types.PutRequest{Item: w.Put.Item}})
		}
		out, err := f.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: requests}, options...)
		if err != nil {
			return nil, err
		}
		if len(out.UnprocessedItems) > 0 {
			return nil, fmt.Errorf("filling a table: %d items were left out", len(out.UnprocessedItems))
		}
	}
	return new(dynamodb.TransactWriteItemsOutput), nil
}
