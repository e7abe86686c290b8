package shape_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/contract/contracttest"
	"example.com/partnertree/shared/fault"
)

const (
	partner = "ptn_00000000000000v1"
	brand   = "brd_00000000000000b1"
)

// A form is read as the JSON body with the same members is, and what is wrong has the same pointer.
func TestAFormIsReadLikeABody(t *testing.T) {
	for name, c := range map[string]struct {
		read       func(*input.Object) any
		body, form string
	}{
		"a partner": {of(shape.NewPartner),
			`{"parentId":"` + partner + `","name":"P","portalBrandId":"` + brand + `","availableBrandIds":["` + brand + `"],"canProvisionServices":true}`,
			"parentId=" + partner + "&name=P&portalBrandId=" + brand + "&availableBrandIds=&availableBrandIds=" + brand +
				"&canProvisionServices=false&canProvisionServices=true"},
		"a partner without brands": {of(shape.NewPartner),
			`{"parentId":"` + partner + `","name":"P","portalBrandId":"` + brand + `","availableBrandIds":[],"canProvisionServices":false}`,
			"parentId=" + partner + "&name=P&portalBrandId=" + brand + "&availableBrandIds=&canProvisionServices=false"},
		"a customer": {of(shape.NewCustomer),
			`{"partnerId":"` + partner + `","name":"C","brandId":"` + brand + `","domain":null}`,
			"partnerId=" + partner + "&name=C&brandId=" + brand + "&domain="},
		"fields taken away":       {of(shape.EditCustomer), `{"reference":null,"domain":null}`, "reference=&domain="},
		"an app":                  {of(shape.EditBrand), app(`"singleTenant":true`), appForm + "&portalApp%2FsingleTenant=true"},
		"a field of an app":       {of(shape.EditBrand), app(`"singleTenant":true,"x":1`), appForm + "&portalApp%2FsingleTenant=true&portalApp%2Fx=1"},
		"an app without a field":  {of(shape.EditBrand), app(`"singleTenant":null`), appForm + "&portalApp%2FsingleTenant="},
		"no truth value":          {of(shape.EditPartner), `{"canProvisionServices":"perhaps"}`, "canProvisionServices=perhaps"},
		"an invitation":           {of(shape.NewInvitation), `{"email":"a@b.example","role":"viewer","expiresInDays":3}`, "email=a%40b.example&role=viewer&expiresInDays=3&message="},
		"no number":               {of(shape.NewInvitation), `{"email":"a@b.example","role":"viewer","expiresInDays":"x"}`, "email=a%40b.example&role=viewer&expiresInDays=x"},
		"nothing":                 {of(input.Nothing), `{}`, ""},
		"a field too many":        {of(input.Nothing), `{"a~":{"b":1}}`, "a~%2Fb=1"},
		"nothing that is needed":  {of(shape.NewPartner), `{}`, "name="},
		"an element that is none": {of(shape.NewBrand), `{"regions":["x"]}`, "regions=x"},
	} {
		values, err := url.ParseQuery(c.form)
		if err != nil {
			t.Fatal(err)
		}
		body, err := input.FromJSON([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		form := input.FromForm(values)
		want, got := c.read(body), c.read(form)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(form.Err(), body.Err()) {
			t.Errorf("%s: the form gives\n%+v %v\nand the body\n%+v %v", name, got, form.Err(), want, body.Err())
		}
	}
}

func of[T any](read func(*input.Object) T) func(*input.Object) any {
	return func(o *input.Object) any { return read(o) }
}

const id = "72f988bf-86f1-41af-91ab-2d7cd011db47"

func app(rest string) string {
	return `{"portalApp":{"clientId":"` + id + `","tenantId":"` + id + `",` + rest + `}}`
}

const appForm = "portalApp%2FclientId=" + id + "&portalApp%2FtenantId=" + id

// The contract's patterns take the domains that the product takes, but for whether an xn-- form stands for something.
func TestDomainsAreThoseOfTheContract(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 62)+".", 4) // 252 characters
	for _, domain := range []string{
		"example.com", "a.bc", "a.b", "a.b1", "a.1b", "a.b-", "a-.bc", "a.b-c", "com", "a..bc", "EXAMPLE.Com", "a_b.com",
		long[252-(215-3):] + "com", long[252-(216-3):] + "com", long[252-(253-3):] + "com", long[252-(254-3):] + "com",
	} {
		body, err := json.Marshal(domain)
		if err != nil {
			t.Fatal(err)
		}
		for schema, read := range map[string]func(*input.Object) any{"DomainName": of(shape.EditCustomer), "BrandDomain": of(shape.NewBrand)} {
			o, err := input.FromJSON([]byte(`{"domain":` + string(body) + `}`))
			if err != nil {
				t.Fatal(err)
			}
			read(o)
			says := o.Err()
			refused := says != nil && slices.ContainsFunc(fault.From(says).Fields, func(f fault.Field) bool { return f.Pointer == "/domain" })
			if err := contracttest.CheckSchema(schema, body); (err != nil) != refused {
				t.Errorf("%s as %s: the contract says %v, and the product %v", domain, schema, err, says)
			}
		}
	}
}
