// Package itemsize knows how large DynamoDB takes an item to be, by the rules of its developer guide, "DynamoDB item sizes
// and formats".
package itemsize

import "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

// Of is the size of an item in bytes.
func Of(item map[string]types.AttributeValue) int {
	size := 0
	for name, v := range item {
		size += len(name) + value(v)
	}
	return size
}

// nested is what a list or a map takes besides what is in it.
const nested = 3

func value(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return (len(v.Value)+1)/2 + 1
	case *types.AttributeValueMemberNS:
		size := 0
		for _, n := range v.Value {
			size += (len(n)+1)/2 + 1
		}
		return size
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberSS:
		size := 0
		for _, s := range v.Value {
			size += len(s)
		}
		return size
	case *types.AttributeValueMemberL:
		size := nested
		for _, v := range v.Value {
			size += 1 + value(v)
		}
		return size
	case *types.AttributeValueMemberM:
		return nested + len(v.Value) + Of(v.Value)
	default:
		return 1 // a boolean or null
	}
}
