// Five calls with the client that oapi-codegen makes.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"example.com/clients/api"
)

func main() {
	ctx, partner, key := context.Background(), os.Getenv("PARTNER"), strconv.FormatInt(time.Now().UnixNano(), 36)
	client := must(api.NewClientWithResponses(os.Getenv("API"), api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("KEY"))
		return nil
	})))
	create := func(name, key string) *api.Customer {
		return must(client.CreateCustomerWithResponse(ctx, &api.CreateCustomerParams{IdempotencyKey: &key}, api.NewCustomer{
			PartnerId: partner, BrandId: os.Getenv("BRAND"), Name: name, Reference: new("R-1"), Domain: new("first.example")})).JSON201
	}
	first, again, second := create("First", key), create("First", key), create("Second", key+"b")
	step("idempotency-key", first.Id == again.Id)

	found := ""
	for cursor, more := (*string)(nil), true; more; more = cursor != nil {
		page := must(client.ListCustomersWithResponse(ctx, partner, &api.ListCustomersParams{Limit: new(1), Cursor: cursor})).JSON200
		found += page.Items[0].Id + fmt.Sprint(len(page.Items)) + " "
		cursor = page.Next
	}
	step("pages", found == first.Id+"1 "+second.Id+"1 ")

	based := &api.EditCustomerParams{IfMatch: new(strconv.Quote(fmt.Sprint(first.Version)))}
	edited := must(client.EditCustomerWithResponse(ctx, first.Id, based, api.CustomerPatch{Name: new("Renamed")})).JSON200
	stale := must(client.EditCustomerWithResponse(ctx, first.Id, based, api.CustomerPatch{Name: new("Too late")})).ApplicationproblemJSON412
	step("if-match", edited.Reference != nil && edited.Domain != nil && stale.Type == "/problems/precondition-failed")

	absent := must(client.GetCustomerWithResponse(ctx, "cus_0000000000000000", nil)).ApplicationproblemJSON404
	step("problem", absent.Type == "/problems/not-found")

	// With the default settings, a field that is not set is left out, and null is sent as a body that one writes.
	edited = must(client.EditCustomerWithBodyWithResponse(ctx, first.Id, nil, "application/json", strings.NewReader(`{"reference": null}`))).JSON200
	step("null", edited.Reference == nil && edited.Domain != nil)
}

func must[T any](v T, err error) T { step("", err == nil); return v }

func step(name string, ok bool) {
	if !ok {
		panic(name)
	}
	if name != "" {
		fmt.Println(name)
	}
}
