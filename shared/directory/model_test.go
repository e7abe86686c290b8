package directory_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// model is the directory as plain maps: parents, names and grants, and the definition of reach as a walk upwards. What is drawn is drawn
// in the order in which it was made: ids are new in each run, and their order with them.
type model struct {
	nodes   []ident.Node
	clients []ident.Principal
	parent  map[ident.Node]ident.Node
	name    map[ident.Node]hierarchy.Name
	grants  map[ident.Principal]map[ident.Node]access.Role
	callers map[ident.Principal]directory.Caller
}

func (m *model) role(c ident.Principal, n ident.Node) (best access.Role) {
	for ; n != ""; n = m.parent[n] {
		best = max(best, m.grants[c][n])
	}
	return best
}

func (m *model) children(n ident.Node, kind hierarchy.Kind) []ident.Node {
	var found []ident.Node
	for id, parent := range m.parent {
		if parent == n && hierarchy.KindOf(id) == kind {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, func(a, b ident.Node) int {
		return cmp.Or(cmp.Compare(m.name[a].SortKey(), m.name[b].SortKey()), cmp.Compare(a, b))
	})
	return found
}

func drawNode(t *rapid.T, m *model, partners bool) ident.Node {
	ids := slices.Clone(m.nodes)
	if partners {
		ids = slices.DeleteFunc(ids, func(id ident.Node) bool { return hierarchy.KindOf(id) != hierarchy.Partner })
	}
	return rapid.SampledFrom(ids).Draw(t, "node")
}

// want fails the test unless an operation went as the caller's role says: done, forbidden, or not found.
func want(t *rapid.T, what string, role, needs access.Role, err error) bool {
	switch {
	case role >= needs && err == nil:
		return true
	case role >= needs:
		t.Fatalf("%s: %v; the caller is %s and %s is enough", what, err, role, needs)
	case role == access.None && !fault.NotFound.Is(err):
		t.Fatalf("%s: %v; the caller cannot see it", what, err)
	case role != access.None && !fault.Forbidden.Is(err):
		t.Fatalf("%s: %v; the caller is only %s", what, err, role)
	}
	return false
}

// TestDirectoryAgreesWithAModel does random operations as random callers, and after each compares what every caller sees of
// every node, and every list, with the model.
func TestDirectoryAgreesWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		store := new(directorytest.Fake)
		d := directory.New(store, clocktest.Now)
		root, founder, _, err := d.CreateRoot(ctx, "Root", "Founder")
		if err != nil {
			t.Fatal(err)
		}
		m := &model{[]ident.Node{root.ID}, []ident.Principal{founder.ID}, map[ident.Node]ident.Node{root.ID: ""}, map[ident.Node]hierarchy.Name{root.ID: "Root"},
			map[ident.Principal]map[ident.Node]access.Role{founder.ID: founder.Grants},
			map[ident.Principal]directory.Caller{founder.ID: {Principal: founder.ID, Key: founder.Secrets[0].ID}}}
		brand, err := d.CreateBrand(ctx, m.callers[founder.ID], directory.NewBrand{Partner: root.ID, Name: "B", Domain: "b.example", Regions: []string{"eu-west-1"}})
		if err != nil {
			t.Fatal(err)
		}
		name := rapid.SampledFrom([]hierarchy.Name{"a", "A", "á", "b", "a b", "a-b", "ab", "Zé"})
		role := rapid.SampledFrom([]access.Role{access.Viewer, access.Operator, access.Admin, access.Owner})
		caller := func(t *rapid.T) directory.Caller {
			return m.callers[rapid.SampledFrom(m.clients).Draw(t, "caller")]
		}
		t.Repeat(map[string]func(*rapid.T){
			"create partner": func(t *rapid.T) {
				c, parent, n := caller(t), drawNode(t, m, true), name.Draw(t, "name")
				got, err := d.CreatePartner(ctx, c, directory.NewPartner{Parent: parent, Name: n, Portal: brand.ID, Available: []ident.Brand{brand.ID}})
				if want(t, "create partner", m.role(c.Principal, parent), access.Admin, err) {
					m.nodes, m.parent[got.ID], m.name[got.ID] = append(m.nodes, got.ID), parent, n
				}
			},
			"create customer": func(t *rapid.T) {
				c, parent, n := caller(t), drawNode(t, m, true), name.Draw(t, "name")
				got, err := d.CreateCustomer(ctx, c, directory.NewCustomer{Partner: parent, Name: n, Details: hierarchy.Details{Brand: brand.ID}})
				if want(t, "create customer", m.role(c.Principal, parent), access.Operator, err) {
					m.nodes, m.parent[got.ID], m.name[got.ID] = append(m.nodes, got.ID), parent, n
				}
			},
			"rename": func(t *rapid.T) {
				c, id, n := caller(t), drawNode(t, m, false), name.Draw(t, "name")
				needs := access.Admin
				var err error
				if hierarchy.KindOf(id) == hierarchy.Customer {
					needs = access.Operator
					_, err = d.EditCustomer(ctx, c, id, directory.CustomerPatch{Name: &n})
				} else {
					_, err = d.EditPartner(ctx, c, id, directory.PartnerPatch{Name: &n})
				}
				if want(t, "rename", m.role(c.Principal, id), needs, err) {
					m.name[id] = n
				}
			},
			"create client": func(t *rapid.T) {
				c, id, r := caller(t), drawNode(t, m, false), role.Draw(t, "role")
				got, err := d.CreateClient(ctx, c, directory.NewClient{Node: id, Name: "C", Role: r})
				if want(t, "create client", m.role(c.Principal, id), access.Owner, err) {
					m.clients, m.grants[got.ID] = append(m.clients, got.ID), map[ident.Node]access.Role{id: r}
					m.callers[got.ID] = directory.Caller{Principal: got.ID, Key: got.SecretID}
				}
			},
			"grant": func(t *rapid.T) {
				id, to, r := drawNode(t, m, false), caller(t), role.Draw(t, "role")
				if to.Principal == founder.ID {
					return
				}
				if _, err := d.GrantRole(ctx, m.callers[founder.ID], to.Principal, id, r); err != nil {
					t.Fatal(err)
				}
				m.grants[to.Principal][id] = r
			},
			"remove grant": func(t *rapid.T) {
				from := caller(t)
				granted := slices.DeleteFunc(slices.Clone(m.nodes), func(id ident.Node) bool { return m.grants[from.Principal][id] == access.None })
				if len(granted) == 0 || from.Principal == founder.ID {
					return
				}
				id := rapid.SampledFrom(granted).Draw(t, "grant")
				if err := d.RemoveGrant(ctx, m.callers[founder.ID], from.Principal, id); err != nil {
					t.Fatal(err)
				}
				delete(m.grants[from.Principal], id)
			},
			"revoke": func(t *rapid.T) {
				c := caller(t)
				if c.Principal == founder.ID {
					return
				}
				if err := d.RevokeClient(ctx, m.callers[founder.ID], c.Principal); err != nil {
					t.Fatal(err)
				}
				m.clients = slices.DeleteFunc(m.clients, func(id ident.Principal) bool { return id == c.Principal })
				delete(m.callers, c.Principal)
				delete(m.grants, c.Principal)
				if _, err := d.Me(ctx, c); !fault.Unauthenticated.Is(err) {
					t.Fatalf("a revoked client gets %v", err)
				}
			},
			"": func(t *rapid.T) {
				for id, c := range m.callers {
					for node := range m.parent {
						got, err := d.Get(ctx, c, node)
						if want(t, fmt.Sprint("get ", node), m.role(id, node), access.Viewer, err) && (got.Name != m.name[node] || got.Parent != m.parent[node] ||
							got.ParentVisible != (m.role(id, m.parent[node]) > access.None)) {
							t.Fatalf("%s is %+v; want %s below %s", node, got, m.name[node], m.parent[node])
						}
					}
				}
				for node := range m.parent {
					for _, kind := range []hierarchy.Kind{hierarchy.Partner, hierarchy.Customer} {
						var got []ident.Node
						for page := (directory.Paging{Limit: 2}); ; {
							list, err := d.Children(ctx, m.callers[founder.ID], node, kind, page)
							if err != nil {
								t.Fatal(err)
							}
							for _, n := range list.Items {
								got = append(got, n.ID)
							}
							if page.Cursor = list.Next; page.Cursor == "" {
								break
							}
						}
						if expect := m.children(node, kind); !slices.Equal(got, expect) {
							t.Fatalf("children of %s: %v; want %v", node, got, expect)
						}
					}
				}
			},
		})
	})
}
