package table_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/guest"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/table/tabletest"
)

// uses notes which items are used how: each as an action of DynamoDB with the partition key.
type uses struct {
	table.API
	all map[[2]string]bool
}

func (u *uses) note(action string, key map[string]types.AttributeValue) {
	u.all[[2]string{action, key[schema.PK].(*types.AttributeValueMemberS).Value}] = true
}

func (u *uses) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (
	*dynamodb.BatchGetItemOutput, error) {
	for _, asked := range in.RequestItems {
		for _, key := range asked.Keys {
			u.note("BatchGetItem", key)
		}
	}
	return u.API.BatchGetItem(ctx, in, o...)
}

func (u *uses) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	u.note("UpdateItem", in.Key)
	return u.API.UpdateItem(ctx, in, o...)
}

func (u *uses) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (
	*dynamodb.TransactWriteItemsOutput, error) {
	for _, i := range in.TransactItems {
		switch {
		case i.Put != nil:
			u.note("PutItem", i.Put.Item)
		case i.Update != nil:
			u.note("UpdateItem", i.Update.Key)
		case i.Delete != nil:
			u.note("DeleteItem", i.Delete.Key)
		default:
			u.note("ConditionCheckItem", i.ConditionCheck.Key)
		}
	}
	return u.API.TransactWriteItems(ctx, in, o...)
}

// What functions do stays within the limits that the deployment holds them to, and uses all of it. Nothing on a developer's machine would
// notice a difference: DynamoDB Local asks nobody for rights.
func TestFunctionsStayWithinTheirLimits(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, name := tabletest.New(t)
	noted := &uses{API: tabletest.Client(t)}
	plain, store := table.New(tabletest.Client(t), name), table.New(noted, name)
	now := clocktest.Now()
	made, dir := directory.New(plain, func() time.Time { return now }), directory.New(store, func() time.Time { return now })
	root, founder, _, err := made.CreateRoot(t.Context(), "Vendor", "Founder")
	must(err)
	by := directory.Caller{Principal: founder.ID, Key: founder.Secrets[0].ID}
	b, err := made.CreateBrand(t.Context(), by, directory.NewBrand{Partner: root.ID, Name: "B", Domain: "red.example", Regions: []string{"eu-west-1"}})
	must(err)
	app := &brand.App{Client: "00000000-0000-4000-8000-000000000001", Tenant: "00000000-0000-4000-8000-000000000002", SingleTenant: true}
	_, err = made.EditBrand(t.Context(), by, b.ID, directory.BrandEdit{App: &app})
	must(err)
	partner, err := made.CreatePartner(t.Context(), by, directory.NewPartner{
		Parent: root.ID, Name: "P", Portal: b.ID, Available: []ident.Brand{b.ID}})
	must(err)
	invite := func(to string) directory.Invitation {
		t.Helper()
		i, err := made.Invite(t.Context(), by, directory.NewInvitation{
			Node: partner.ID, Email: to + "@vale.example", Name: "N", Role: access.Admin, Days: directory.InvitationDays})
		must(err)
		return i
	}
	due := func(i directory.Invitation) *directory.Mail {
		t.Helper()
		m, err := dir.DueMail(t.Context(), i.ID, i.Generation)
		must(err)
		if m == nil {
			t.Fatal("nothing is mailed")
		}
		return m
	}

	for function, does := range map[string]func(){
		"authorizer": func() {
			for _, client := range []ident.Principal{founder.ID, ident.NewClient()} {
				_, err := store.Read(t.Context(), directory.Want{Records: access.Principals.Refs(client)})
				must(err)
			}
			for domain, known := range map[string]bool{"red.example": true, "blue.example": false} {
				if got, err := dir.BrandAt(t.Context(), domain); err != nil || (got != nil) != known {
					t.Fatalf("%s: %v, %v", domain, got, err)
				}
			}
		},
		"notify": func() {
			one, other, late := invite("one"), invite("other"), invite("late")
			claimed, err := dir.ClaimMail(t.Context(), due(one), directory.Guest{Tenant: app.Tenant, Object: app.Client})
			must(err)
			if !claimed {
				t.Fatal("not claimed")
			}
			must(dir.NoteMail(t.Context(), one.ID, one.Generation, directory.MailSent))
			_, err = dir.RefuseMail(t.Context(), due(other), directory.MailProblem(guest.NoConsent))
			must(err)
			must(errors.Join(made.RotateKeyring(t.Context()), made.RotateKeyring(t.Context())))
			if m, err := dir.DueMail(t.Context(), late.ID, late.Generation); err != nil || m != nil {
				t.Fatalf("by a key that is gone: %v, %v", m, err)
			}
		},
		"portal": func() {
			_, err := store.Count(t.Context(), string(ident.PersonOf(app.Tenant, app.Client)), now, 1)
			must(err)
		},
	} {
		noted.all = map[[2]string]bool{}
		does()
		used := map[string]map[string]bool{}
		for use := range noted.all {
			action, key := use[0], use[1]
			allowed := schema.ReadableKeys[function][action]
			i := slices.IndexFunc(allowed, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
			if i < 0 {
				t.Errorf("%s does %s of %s, and may not", function, action, key)
				continue
			}
			if used[action] == nil {
				used[action] = map[string]bool{}
			}
			used[action][allowed[i]] = true
		}
		for action, allowed := range schema.ReadableKeys[function] {
			for _, prefix := range allowed {
				if !used[action][prefix] {
					t.Errorf("%s may do %s of %s, and does not", function, action, prefix)
				}
			}
		}
	}
}
