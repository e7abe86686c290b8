// Package costs has no code: its test measures what each operation of the API costs in DynamoDB, and compares it with
// costs.golden. `go test ./shared/table/costs -update` writes that file anew.
package costs
