package directory_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/word"
)

const (
	oneTenant     = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	anotherTenant = "82f988bf-86f1-41af-91ab-2d7cd011db47"
)

// customer makes a customer with a tenant, a reference and a domain, of which each can be "".
func (s *shop) customer(parent ident.Node, name hierarchy.Name, tenant, reference, domain string) directory.Node {
	s.t.Helper()
	n, err := s.d.CreateCustomer(s.t.Context(), s.founder, s.newCustomer(parent, name, tenant, reference, domain))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *shop) newCustomer(parent ident.Node, name hierarchy.Name, tenant, reference, domain string) directory.NewCustomer {
	return directory.NewCustomer{Partner: parent, Name: name, Details: hierarchy.Details{Brand: s.brand, Editable: having(tenant, reference, domain).Editable}}
}

func having(tenant, reference, domain string) hierarchy.Details {
	return hierarchy.Details{Editable: hierarchy.Editable[string]{Tenant: tenant, Reference: reference, Domain: domain}}
}

// with lists customers by their values, right below a partner and then at any depth, as "names; names".
func (s *shop) with(as directory.Caller, partner ident.Node, asked hierarchy.Details, limit int) string {
	s.t.Helper()
	var direct, all []string
	for p := (directory.Paging{Limit: limit}); ; {
		list, err := s.d.CustomersWith(s.t.Context(), as, partner, asked, p)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, n := range list.Items {
			direct = append(direct, string(n.Name))
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			break
		}
	}
	for p := (directory.Paging{Limit: limit}); ; {
		list, err := s.d.DescendantsWith(s.t.Context(), as, partner, asked, p)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, n := range list.Items {
			if n.Path[0] != partner || n.Path[len(n.Path)-1] != n.ID {
				s.t.Errorf("below %s the path of %s is %v", partner, n.Name, n.Path)
			}
			all = append(all, string(n.Name))
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			break
		}
	}
	slices.Sort(direct)
	slices.Sort(all)
	return strings.Join(direct, " ") + "; " + strings.Join(all, " ")
}

func TestCustomersAreListedByTheirValues(t *testing.T) {
	s := newShop(t)
	s.customer(s.a, "one", oneTenant, "C-1", "one.example")
	two := s.customer(s.b, "two", oneTenant, "C-1", "")
	s.customer(s.b, "three", oneTenant, "c-1", "one.example")
	s.customer(s.e, "out", oneTenant, "C-1", "one.example")
	s.customer(s.b, "C-1", anotherTenant, "C-10", "c-1.example")
	viewer := s.client(s.a, access.Viewer)
	expect := func(what string, partner ident.Node, asked hierarchy.Details, want string) {
		t.Helper()
		for _, limit := range []int{1, 2, 50} {
			if got := s.with(viewer, partner, asked, limit); got != want {
				t.Errorf("%s, %d a page: %q; want %q", what, limit, got, want)
			}
		}
	}
	expect("a tenant", s.a, having(oneTenant, "", ""), "one; one three two")
	expect("a reference, in the same letters", s.a, having("", "C-1", ""), "one; one two")
	expect("a domain", s.a, having("", "", "one.example"), "one; one three")
	expect("two values", s.b, having(oneTenant, "C-1", ""), "two; two")
	expect("three values", s.b, having(oneTenant, "c-1", "one.example"), "three; three")
	expect("values of two customers", s.b, having(anotherTenant, "C-1", ""), "; ")
	expect("nothing has it", s.a, having("", "C", ""), "; ")
	s.done(s.d.Move(t.Context(), s.founder, two.ID, s.a))
	expect("moved", s.a, having(oneTenant, "", ""), "one two; one three two")
	s.trash(two.ID)
	expect("in the trash", s.a, having(oneTenant, "", ""), "one; one three")
	s.done(s.d.Restore(t.Context(), s.founder, two.ID))
	s.trash(s.b)
	expect("below something in the trash", s.a, having(oneTenant, "", ""), "one two; one two")
	if got, want := s.with(s.founder, s.b, having(oneTenant, "", ""), 5), "three; three"; got != want {
		t.Errorf("in the trash with what was asked about: %q; want %q", got, want)
	}
	for _, other := range []ident.Node{s.root, s.e, directory.Nowhere} {
		if _, err := s.d.CustomersWith(t.Context(), viewer, other, having(oneTenant, "", ""), directory.Paging{Limit: 5}); !fault.NotFound.Is(err) {
			t.Errorf("below %s: %v", other, err)
		}
		if _, err := s.d.DescendantsWith(t.Context(), viewer, other, having(oneTenant, "", ""), directory.Paging{Limit: 5}); !fault.NotFound.Is(err) {
			t.Errorf("below %s: %v", other, err)
		}
	}
}

// What lies between two pages may be out of the caller's sight, so nobody can read a cursor, and none works for anything else.
func TestACursorTellsNothingOfWhatIsFound(t *testing.T) {
	s := newShop(t)
	for i := range 40 {
		s.customer([]ident.Node{s.a, s.e}[i%2], hierarchy.Name(fmt.Sprint("Customer ", i)), oneTenant, "", "")
	}
	viewer, other := s.client(s.a, access.Viewer), s.client(s.a, access.Viewer)
	page := func(as directory.Caller, partner ident.Node, asked hierarchy.Details, cursor string) (directory.List[directory.Node], error) {
		return s.d.CustomersWith(t.Context(), as, partner, asked, directory.Paging{Limit: 3, Cursor: cursor})
	}
	first, err := page(viewer, s.a, having(oneTenant, "", ""), "")
	if err != nil || first.Next == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	decoded := decode(t, first.Next)
	for _, secret := range []string{"cus_", ".t#", string(first.Items[0].ID)[4:]} {
		if strings.Contains(decoded, secret) {
			t.Errorf("the cursor tells %s: %q", secret, decoded)
		}
	}
	if again, err := page(viewer, s.a, having(oneTenant, "", ""), ""); err != nil || again.Next != first.Next {
		t.Errorf("the same page has another cursor: %v", err)
	}
	for what, try := range map[string]func() (directory.List[directory.Node], error){
		"another caller": func() (directory.List[directory.Node], error) {
			return page(other, s.a, having(oneTenant, "", ""), first.Next)
		},
		"another value": func() (directory.List[directory.Node], error) {
			return page(viewer, s.a, having(anotherTenant, "", ""), first.Next)
		},
		"one value more": func() (directory.List[directory.Node], error) {
			return page(viewer, s.a, having(oneTenant, "1", ""), first.Next)
		},
		"another partner": func() (directory.List[directory.Node], error) {
			return page(viewer, s.b, having(oneTenant, "", ""), first.Next)
		},
		"what was bent": func() (directory.List[directory.Node], error) {
			return page(viewer, s.a, having(oneTenant, "", ""), "A"+first.Next)
		},
		"what was cut": func() (directory.List[directory.Node], error) {
			return page(viewer, s.a, having(oneTenant, "", ""), first.Next[:12])
		},
		"the plain list's": func() (directory.List[directory.Node], error) {
			return page(viewer, s.a, having(oneTenant, "", ""), plainCursor(t, s, viewer))
		},
		"of the other list": func() (list directory.List[directory.Node], err error) {
			_, err = s.d.DescendantsWith(t.Context(), viewer, s.a, having(oneTenant, "", ""), directory.Paging{Limit: 3, Cursor: first.Next})
			return list, err
		},
	} {
		if _, err := try(); !fault.InvalidCursor.Is(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func decode(t *testing.T, cursor string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func termsOf(nodes ...*hierarchy.Node) map[ident.Node][]word.Term {
	terms := map[ident.Node][]word.Term{}
	for _, n := range nodes {
		terms[n.ID] = n.Terms()
	}
	return terms
}

func plainCursor(t *testing.T, s *shop, as directory.Caller) string {
	t.Helper()
	list, err := s.d.Children(t.Context(), as, s.a, hierarchy.Customer, directory.Paging{Limit: 3})
	if err != nil || list.Next == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	return list.Next
}

// A page costs what may be out of sight, but no more than a bound.
func TestAPageOfWhatIsOutOfSightIsBounded(t *testing.T) {
	s := newShop(t)
	const many = 1000
	for i := range many {
		s.customer(s.e, hierarchy.Name(fmt.Sprint("Customer ", i)), oneTenant, "", "")
	}
	s.customer(s.a, "mine", oneTenant, "", "")
	viewer := s.client(s.a, access.Viewer)
	var names []string
	pages := 0
	for p := (directory.Paging{Limit: 50}); ; pages++ {
		before := len(s.Calls())
		list, err := s.d.CustomersWith(t.Context(), viewer, s.a, having(oneTenant, "", ""), p)
		if err != nil {
			t.Fatal(err)
		}
		if calls := len(s.Calls()) - before; calls > 11 {
			t.Fatalf("a page takes %d calls", calls)
		}
		for _, n := range list.Items {
			names = append(names, string(n.Name))
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			break
		}
	}
	if !slices.Equal(names, []string{"mine"}) || pages < 2 || pages > 3 {
		t.Errorf("%v in %d pages", names, pages+1)
	}
}

func TestWhoeverGivesACustomerItsTenantLearnsOfOthersWithIt(t *testing.T) {
	s := newShop(t)
	one, out := s.customer(s.a, "one", oneTenant, "", ""), s.customer(s.e, "out", oneTenant, "", "")
	gone := s.customer(s.a, "gone", oneTenant, "", "")
	s.customer(s.a, "other", anotherTenant, "", "")
	s.trash(gone.ID)
	operator := s.client(s.a, access.Operator)
	same := func(n directory.Node) (ids []ident.Node) {
		for _, step := range n.SameTenant {
			ids = append(ids, step.ID)
		}
		slices.Sort(ids)
		return ids
	}
	expect := func(what string, n directory.Node, err error, want ...ident.Node) {
		t.Helper()
		slices.Sort(want)
		if err != nil || !slices.Equal(same(n), want) {
			t.Errorf("%s: %v, %v; want %v", what, n.SameTenant, err, want)
		}
	}
	in := s.newCustomer(s.b, "two", oneTenant, "", "")
	once := operator
	once.Repeat = &directory.Repeat{Key: "k", Fingerprint: []byte{1}}
	two, err := s.d.CreateCustomer(t.Context(), once, in)
	expect("making one", two, err, one.ID)
	if len(two.SameTenant) == 1 && two.SameTenant[0].Name != "one" {
		t.Errorf("by the name of %s", two.SameTenant[0].Name)
	}
	three, err := s.d.CreateCustomer(t.Context(), s.founder, s.newCustomer(s.a, "three", oneTenant, "", ""))
	expect("making one as somebody who sees everything", three, err, one.ID, two.ID, out.ID)
	again, err := s.d.CreateCustomer(t.Context(), once, in)
	expect("the same request again", again, err, one.ID)
	without, err := s.d.CreateCustomer(t.Context(), operator, s.newCustomer(s.a, "without", "", "", ""))
	expect("without a tenant", without, err)

	edit := func(as directory.Caller, id ident.Node, details map[string]string) (directory.Node, error) {
		return s.d.EditCustomer(t.Context(), as, id, directory.CustomerPatch{Details: details})
	}
	n, err := edit(operator, without.ID, map[string]string{"tenantId": oneTenant})
	expect("giving it", n, err, one.ID, two.ID, three.ID)
	n, err = edit(operator, without.ID, map[string]string{"tenantId": oneTenant})
	expect("giving it again", n, err, one.ID, two.ID, three.ID)
	n, err = edit(operator, without.ID, map[string]string{"reference": "1"})
	expect("giving something else", n, err)
	n, err = edit(operator, without.ID, map[string]string{"tenantId": ""})
	expect("taking it away", n, err)
	n, err = s.d.Get(t.Context(), operator, two.ID)
	expect("reading", n, err)

	for i := range 30 {
		s.customer(s.a, hierarchy.Name(fmt.Sprint("more ", i)), oneTenant, "", "")
	}
	n, err = edit(operator, without.ID, map[string]string{"tenantId": oneTenant})
	if err != nil || len(n.SameTenant) != 5 {
		t.Errorf("of many: %v, %v", n.SameTenant, err)
	}
}

// What a request takes does not tell whether there is a customer out of sight with the tenant.
func TestCustomersOutOfSightWithTheTenantTakeNoFurtherCalls(t *testing.T) {
	s := newShop(t)
	operator := s.client(s.a, access.Operator)
	calls := func(do func() error) string {
		t.Helper()
		before := len(s.Calls())
		if err := do(); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(s.Calls()[before:])
	}
	requests := map[string]func() error{
		"making one": func() error {
			n, err := s.d.CreateCustomer(t.Context(), operator, s.newCustomer(s.b, "two", oneTenant, "", ""))
			if len(n.SameTenant) > 0 {
				t.Errorf("it tells of %v", n.SameTenant)
			}
			if err == nil { // there is none in sight any more
				_, err = s.d.EditCustomer(t.Context(), s.founder, n.ID, directory.CustomerPatch{Details: map[string]string{"tenantId": ""}})
			}
			return err
		},
		"giving it": func() error {
			_, err := s.d.EditCustomer(t.Context(), operator, s.x, directory.CustomerPatch{Details: map[string]string{"tenantId": oneTenant}})
			if err == nil {
				_, err = s.d.EditCustomer(t.Context(), s.founder, s.x, directory.CustomerPatch{Details: map[string]string{"tenantId": ""}})
			}
			return err
		},
		"listing": func() error {
			_, err := s.d.CustomersWith(t.Context(), operator, s.a, having(oneTenant, "", ""), directory.Paging{Limit: 50})
			return err
		},
	}
	without := map[string]string{}
	for what, do := range requests {
		without[what] = calls(do)
	}
	s.now = s.now.Add(time.Minute)
	for range 3 {
		s.customer(s.e, "out", oneTenant, "", "")
	}
	for what, do := range requests {
		if with := calls(do); with != without[what] {
			t.Errorf("%s takes %s with customers out of sight, and %s without", what, with, without[what])
		}
	}
}

// A purged customer leaves nothing by which it is found, and neither does a branch.
func TestWhatIsPurgedIsNotFound(t *testing.T) {
	s := newShop(t)
	leaf := s.customer(s.a, "Łódź leaf", oneTenant, "R-1", "leaf.example")
	below := s.customer(s.c, "Łódź below", oneTenant, "R-1", "below.example")
	s.trash(leaf.ID)
	s.trash(s.b)
	s.now = s.now.Add(hierarchy.KeepTrash + time.Minute)
	s.purge()
	for _, e := range s.Events() {
		if j := e.Job(); j != "" {
			if err := settled(t.Context(), s.d, j); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := directorytest.Found(t.Context(), s.Fake, termsOf(&leaf.Node, &below.Node)); err != nil {
		t.Error(err)
	}
}
