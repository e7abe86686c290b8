// Package demo fills a new deployment with a believable tree, through the API and with its first owner's key alone, and makes the
// callers that somebody who tries the API wants: an owner at the top, an administrator in the middle, a viewer further down. Some of
// the tree is in the trash, and the administrator is asked to take over a partner of somebody else's. One person has signed in and has
// a role, two more are invited.
package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sync/errgroup"

	"example.com/partnertree/infra/local/stack"
)

// Caller is an API client to try the API with.
type Caller struct {
	Name string `json:"name"`
	Role string `json:"role"`
	Node string `json:"node"` // id of the partner where its reach begins
	At   string `json:"at"`   // name of that partner
	Key  string `json:"key"`
}

// Person is somebody to sign in as.
type Person struct {
	Name    string `json:"name"`
	Mail    string `json:"mail"`
	Role    string `json:"role"`
	At      string `json:"at"`      // name of the partner
	Invited bool   `json:"invited"` // and has not accepted yet
}

// Seeded is what the demo made.
type Seeded struct {
	Callers   []Caller `json:"callers"` // from the top down
	People    []Person `json:"people"`
	Partners  int      `json:"partners"` // that are not in the trash
	Customers int      `json:"customers"`
}

// Load reads what an earlier Seed wrote. ok is false when there is none.
func Load(file string) (s Seeded, ok bool, err error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	return s, true, json.Unmarshal(content, &s)
}

// Seed makes the tree and the callers, and writes them to the file, which only its owner can read. An interrupted Seed can be
// run again within a day: what it had made is found again by its idempotency keys.
func Seed(ctx context.Context, on *stack.Stack, file string) (Seeded, error) {
	founder := on.Founder
	s := &seeding{stack: on, api: api{on.URL, founder.Key}, brands: map[string]string{}, ids: map[string]string{}}
	s.Partners, s.Customers = count(tree)
	if err := s.all(ctx, founder.PartnerID); err != nil {
		return Seeded{}, fmt.Errorf("seeding the demo tree: %w", err)
	}
	s.Callers = []Caller{{Name: "Founder", Role: "owner", Node: founder.PartnerID, At: cloudvendor, Key: founder.Key}}
	for _, c := range []Caller{
		{Name: "Vazon Bay provisioning", Role: "admin", At: vazon}, {Name: "Vale reporting", Role: "viewer", At: vale},
	} {
		c.Node = s.ids[c.At]
		if err := s.caller(ctx, &c); err != nil {
			return Seeded{}, err
		}
		s.Callers = append(s.Callers, c)
	}
	if err := s.ask(ctx); err != nil {
		return Seeded{}, err
	}
	if err := s.invite(ctx); err != nil {
		return Seeded{}, fmt.Errorf("inviting people to the demo tree: %w", err)
	}
	content, err := json.MarshalIndent(s.Seeded, "", "  ")
	if err != nil {
		return Seeded{}, err
	}
	return s.Seeded, os.WriteFile(file, content, 0o600)
}

type seeding struct {
	Seeded
	stack *stack.Stack
	api   api

	brands map[string]string // ids of brands by name
	ids    map[string]string // ids of partners by name
}

// created is what is needed of any answer to a POST.
type created struct {
	ID     string `json:"id"`
	Secret struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	} `json:"secret"`
}

func (s *seeding) all(ctx context.Context, root string) error {
	if err := s.brand(ctx, root, "root", vendorBrand); err != nil {
		return err
	}
	return s.below(ctx, root, "root", tree)
}

// below makes partners one after the other, each with everything below it: brands of the upper ones are sold by the lower.
func (s *seeding) below(ctx context.Context, parent, place string, partners []partner) error {
	for i, p := range partners {
		if err := s.partner(ctx, parent, fmt.Sprintf("%s/%d", place, i), p); err != nil {
			return err
		}
	}
	return nil
}

func (s *seeding) partner(ctx context.Context, parent, place string, p partner) error {
	var sells []string
	for _, name := range p.sells {
		sells = append(sells, s.brands[name])
	}
	var made created
	if err := s.api.post(ctx, "/v1/partners", key(place), map[string]any{
		"parentId": parent, "name": p.name, "portalBrandId": sells[0], "availableBrandIds": sells, "canProvisionServices": !p.noServices,
	}, &made); err != nil {
		return err
	}
	s.ids[p.name] = made.ID
	use := sells[0]
	if p.owns != nil {
		if err := s.brand(ctx, made.ID, place, *p.owns); err != nil {
			return err
		}
		use = s.brands[p.owns.name]
		if err := s.api.patch(ctx, "/v1/partners/"+made.ID, map[string]any{"portalBrandId": use}, &made); err != nil {
			return err
		}
	}
	if err := s.customers(ctx, made.ID, place, use, p.customers); err != nil {
		return err
	}
	if err := s.below(ctx, made.ID, place, p.partners); err != nil || !p.trashed {
		return err
	}
	return s.api.delete(ctx, "/v1/partners/"+made.ID)
}

// atOnce is how many customers are made side by side.
const atOnce = 8

func (s *seeding) customers(ctx context.Context, partner, place, brand string, customers []customer) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, c := range customers {
		g.Go(func() error {
			in := map[string]any{"partnerId": partner, "name": c.name, "brandId": brand}
			for field, value := range map[string]string{"reference": c.reference, "tenantId": c.tenant, "domain": c.domain} {
				if value != "" {
					in[field] = value
				}
			}
			var made created
			if err := s.api.post(ctx, "/v1/customers", key(fmt.Sprintf("%s customer %d", place, i)), in, &made); err != nil || !c.trashed {
				return err
			}
			return s.api.delete(ctx, "/v1/customers/"+made.ID)
		})
	}
	return g.Wait()
}

func (s *seeding) brand(ctx context.Context, owner, place string, b brand) error {
	var made created
	err := s.api.post(ctx, "/v1/brands", key(place+" brand"), map[string]any{
		"partnerId": owner, "name": b.name, "domain": b.domain, "regions": b.regions,
	}, &made)
	s.brands[b.name] = made.ID
	if b.own == nil || err != nil {
		return err
	}
	edit, err := b.own.edit()
	if err != nil {
		return err
	}
	return s.api.patch(ctx, "/v1/brands/"+made.ID, edit, &made)
}

// caller makes an API client. A key is shown once: when an interrupted seeding took it along, the client gets another.
func (s *seeding) caller(ctx context.Context, c *Caller) error {
	var made created
	if err := s.api.post(ctx, "/v1/api-clients", key("client "+c.Name), map[string]any{
		"nodeId": c.Node, "name": c.Name, "role": c.Role,
	}, &made); err != nil {
		return err
	}
	if made.Secret.Key == "" {
		if err := s.api.do(ctx, "POST", "/v1/api-clients/"+made.ID+"/secrets", nil, nil, &made); err != nil {
			return err
		}
	}
	c.Key = made.Secret.Key
	return nil
}

// ask makes the move request that is open.
func (s *seeding) ask(ctx context.Context) error {
	by := Caller{Name: "Hexagone portal", Role: "admin", Node: s.ids[asked.by]}
	if err := s.caller(ctx, &by); err != nil {
		return err
	}
	return api{s.api.url, by.Key}.post(ctx, "/v1/partners/"+s.ids[asked.node]+"/move-requests", key("move request"), map[string]any{
		"parentId": s.ids[asked.to], "message": asked.message,
	}, &created{})
}

// count is how many of these and what is below them are not in the trash.
func count(partners []partner) (ps, cs int) {
	for _, p := range partners {
		if p.trashed {
			continue
		}
		ps++
		for _, c := range p.customers {
			if !c.trashed {
				cs++
			}
		}
		p, c := count(p.partners)
		ps, cs = ps+p, cs+c
	}
	return ps, cs
}

// key is the idempotency key of what stands at a place of the demo.
func key(place string) string {
	sum := sha256.Sum256([]byte("demo " + place))
	return "demo-" + hex.EncodeToString(sum[:12])
}
