package directory_test

import (
	"testing"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// A brand is deleted when nothing uses it, whatever used it before, and its domain is free then.
func TestABrandIsDeleted(t *testing.T) {
	s := newShop(t)
	create := func(domain string) (directory.Brand, error) {
		return s.d.CreateBrand(t.Context(), s.founder, directory.NewBrand{Partner: s.a, Name: "B", Domain: domain, Regions: []string{"eu-west-1"}})
	}
	b, err := create("delete.example")
	if err != nil {
		t.Fatal(err)
	}
	remove := func() error { return s.d.DeleteBrand(t.Context(), s.founder, b.ID) }
	portal := func(id ident.Brand) {
		t.Helper()
		if _, err := s.d.EditPartner(t.Context(), s.founder, s.a, directory.PartnerPatch{Portal: &id}); err != nil {
			t.Fatal(err)
		}
	}
	customer, err := s.d.CreateCustomer(t.Context(), s.founder, directory.NewCustomer{Partner: s.a, Name: "C", Details: hierarchy.Details{Brand: b.ID}})
	if err != nil {
		t.Fatal(err)
	}
	if err := remove(); !fault.BrandInUse.Is(err) || len(fault.From(err).UsedBy) != 1 || fault.From(err).UsedBy[0].ID != string(customer.ID) {
		t.Errorf("used by a customer: %v", err)
	}
	other, err := create("another.example")
	if err != nil {
		t.Fatal(err)
	}
	b = other
	portal(b.ID)
	if err := remove(); !fault.BrandInUse.Is(err) {
		t.Errorf("the portal brand: %v", err)
	}
	portal(s.brand)
	stale := s.founder
	stale.IfMatch = []int64{b.Version + 1}
	if err := s.d.DeleteBrand(t.Context(), stale, b.ID); !fault.PreconditionFailed.Is(err) {
		t.Errorf("another version: %v", err)
	}
	logo := noise(t)
	if _, err := s.d.EditBrand(t.Context(), s.founder, b.ID, directory.BrandEdit{Logo: &logo}); err != nil {
		t.Fatal(err)
	}
	before := len(s.Events())
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if last := s.Events()[before:]; len(last) != 1 || last[0].Data != event.Payload(event.BrandDeletedData{BrandID: b.ID, Name: b.Name, Domain: b.Domain}) {
		t.Errorf("told: %+v", last)
	}
	if err := remove(); !fault.NotFound.Is(err) {
		t.Errorf("again: %v", err)
	}
	if _, err := s.d.Logo(t.Context(), b.ID); !fault.NotFound.Is(err) {
		t.Errorf("its logo: %v", err)
	}
	if at, err := s.d.BrandAt(t.Context(), b.Domain); err != nil || at != nil {
		t.Errorf("its domain: %v, %v", at, err)
	}
	if _, err := create(b.Domain); err != nil {
		t.Errorf("the domain is not free: %v", err)
	}
}

// Domain and regions of a draft can be corrected; of a brand with an app they stay, and the vendor vouches for its name.
func TestADraftIsCorrected(t *testing.T) {
	s := newShop(t)
	create := func(domain string) directory.Brand {
		t.Helper()
		b, err := s.d.CreateBrand(t.Context(), s.founder, directory.NewBrand{Partner: s.a, Name: "B", Domain: domain, Regions: []string{"eu-west-1"}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b, other := create("one.example"), create("two.example")
	edit := func(c directory.Caller, e directory.BrandEdit) (directory.Brand, error) {
		return s.d.EditBrand(t.Context(), c, b.ID, e)
	}
	to, regions := "three.example", []string{"us-east-1", "eu-west-1"}
	now, err := edit(s.founder, directory.BrandEdit{Domain: &to, Regions: &regions})
	if err != nil || now.Domain != to || len(now.Regions) != 2 || now.Regions[0] != "eu-west-1" {
		t.Fatalf("%+v, %v", now, err)
	}
	if at, err := s.d.BrandAt(t.Context(), to); err != nil || at == nil || at.ID != b.ID {
		t.Errorf("the new domain: %v, %v", at, err)
	}
	if _, err := edit(s.founder, directory.BrandEdit{Domain: &other.Domain}); !fault.DomainTaken.Is(err) {
		t.Errorf("a domain of another brand: %v", err)
	}
	if at, err := s.d.BrandAt(t.Context(), "one.example"); err != nil || at != nil {
		t.Errorf("the old domain: %v, %v", at, err)
	}
	create("one.example")
	app := &brand.App{Client: "5d3f0a52-8c1e-4b7d-9a64-2e1f7c8b9d10", Tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47"}
	if _, err := edit(s.founder, directory.BrandEdit{App: &app}); err != nil {
		t.Fatal(err)
	}
	if _, err := edit(s.founder, directory.BrandEdit{Regions: &[]string{"eu-west-1"}}); !fault.Immutable.Is(err) {
		t.Errorf("regions of a brand with an app: %v", err)
	}
	owner := s.owner(s.a)
	name := hierarchy.Name("Microsoft")
	if _, err := edit(owner, directory.BrandEdit{Name: &name}); !fault.Forbidden.Is(err) {
		t.Errorf("an owner of the partner renames a brand that is vouched for: %v", err)
	}
	if _, err := edit(s.founder, directory.BrandEdit{Name: &name}); err != nil {
		t.Errorf("an owner of the root: %v", err)
	}
	var none *brand.App
	again := hierarchy.Name("B again")
	if _, err := edit(owner, directory.BrandEdit{Name: &again, App: &none}); err != nil {
		t.Errorf("with the app taken away: %v", err)
	}
}

// noise is something that stands for a logo: the directory does not look at it.
func noise(t *testing.T) []byte {
	t.Helper()
	return []byte("a PNG")
}

// owner is an API client that is an owner of a node.
func (s *shop) owner(at ident.Node) directory.Caller {
	s.t.Helper()
	made, err := s.d.CreateClient(s.t.Context(), s.founder, directory.NewClient{Node: at, Name: "Owner", Role: access.Owner})
	if err != nil {
		s.t.Fatal(err)
	}
	return directory.Caller{Principal: made.ID, Key: made.SecretID}
}
