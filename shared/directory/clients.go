package directory

import (
	"context"
	"maps"
	"slices"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Client is an API client as a caller sees it.
type Client struct {
	ID      ident.Principal
	Name    hierarchy.Name
	Home    ident.Node     // the node whose owners manage it
	Grants  []access.Grant // those at nodes that the caller sees, by node id; only Node and Role are set
	Secrets []access.Secret
	Version int64
	Created time.Time
	// LastUsed is when each secret was last used, to about an hour (NoteUse). Only Directory.Client tells it.
	LastUsed map[ident.Key]time.Time `json:",omitempty"`
}

// ClientWithKey is the answer to making a client or a secret. Key is shown once: it is not kept, so a request that is
// repeated is answered without it.
type ClientWithKey struct {
	Client
	SecretID ident.Key
	Key      string `json:"-"`
}

// NewClient is what an API client is made from. All of it is checked for form already.
type NewClient struct {
	Node    ident.Node
	Name    hierarchy.Name
	Role    access.Role
	Expires time.Time // when its first secret ends; zero: never
}

// MaxSecretFor is the longest time that the end of a secret can be away. Whoever wants longer wants none.
const MaxSecretFor = 5 * 366 * 24 * time.Hour

// ending refuses an end of a secret that is over, or too far away.
func (d *Directory) ending(at time.Time) error {
	now := d.now()
	if at.IsZero() || at.After(now) && !at.After(now.Add(MaxSecretFor)) {
		return nil
	}
	e := fault.Invalid.New("The end of the secret must be in the future, and at most five years away. Leave the end out for a secret without one.")
	e.Fields = []fault.Field{{Pointer: "/expiresAt", Detail: "must be in the future, and at most five years away"}}
	return e
}

// CreateClient makes an API client with a role at a node, and its first secret.
func (d *Directory) CreateClient(ctx context.Context, c Caller, in NewClient) (ClientWithKey, error) {
	node, role := in.Node, in.Role
	return Do(ctx, d, c, node, access.ManageClients, Want{}, func(v *View, n *hierarchy.Node, dec access.Decision) (Plan[ClientWithKey], error) {
		if err := Untrashed(dec.Place); err != nil {
			return Plan[ClientWithKey]{}, err
		}
		if err := mayGrant(dec, role); err != nil {
			return Plan[ClientWithKey]{}, err
		}
		if err := d.ending(in.Expires); err != nil {
			return Plan[ClientWithKey]{}, err
		}
		p, key := newClient(in.Name, node, role, d.now())
		p.Secrets[0].Expires = in.Expires
		answer := ClientWithKey{clientSeen(v, &p), p.Secrets[0].ID, key}
		return Plan[ClientWithKey]{answer, []Step{Put{Now: &p, Else: ErrExists}, stillOwner(v, dec),
			d.Event(c, node, dec.Place.Path, event.ClientCreatedData{Client: told(&p), Role: role, Secret: toldSecret(&p.Secrets[0])}),
		}}, nil
	})
}

// clientSeen shows of p's grants those at nodes that were read and that the caller sees, and of its secrets no hash.
func clientSeen(v *View, p *access.Principal) Client {
	client := Client{ID: p.ID, Name: p.Name, Home: p.Home, Version: p.Version, Created: p.Created, Grants: []access.Grant{}}
	for _, s := range p.Secrets {
		client.Secrets = append(client.Secrets, access.Secret{ID: s.ID, Hint: s.Hint, Created: s.Created, Expires: s.Expires})
	}
	for _, id := range slices.Sorted(maps.Keys(p.Grants)) {
		if _, dec, _ := v.Decide(id, access.Read); dec.Visible() {
			client.Grants = append(client.Grants, access.Grant{Node: id, Role: p.Grants[id]})
		}
	}
	return client
}

// Clients lists the API clients that were granted a role at the very node.
func (d *Directory) Clients(ctx context.Context, c Caller, node ident.Node, p Paging) (List[access.Grant], error) {
	_, page, err := PageAt(ctx, d, c, node, access.Read, ListName("clients", string(node)), p,
		func(ctx context.Context, after string) (Page[access.Grant], error) {
			page, err := ListAt(ctx, d.store, access.GrantsAt, node, after, p.Limit)
			if i := slices.IndexFunc(page.Items, func(g access.Grant) bool { return g.Principal.IsPerson() }); i >= 0 { // they come after all clients
				page = Page[access.Grant]{Items: page.Items[:i]}
			}
			return page, err
		})
	return page, err
}

// managed reads an API client, then its home, the nodes of its grants and node, and decides at node ("": at the home). A
// client that does not exist takes as many reads as one whose home is not visible.
func (d *Directory) managed(ctx context.Context, c Caller, id ident.Principal, node ident.Node, a access.Action) (*View, *access.Principal, access.Decision, error) {
	fail := func(err error) (*View, *access.Principal, access.Decision, error) {
		return nil, nil, access.Decision{}, err
	}
	v, err := d.Read(ctx, c, Want{Records: access.Principals.Refs(id)})
	if err != nil {
		return fail(err)
	}
	p := access.Principals.In(v.Records, id)
	home := Nowhere
	var nodes []ident.Node
	if p != nil && p.Revoked.IsZero() && !id.IsPerson() {
		home, nodes = p.Home, slices.Collect(maps.Keys(p.Grants))
	}
	if node == "" {
		node = home
	}
	if v, err = d.Read(ctx, c, Want{Nodes: append(nodes, node, home), Records: access.Principals.Refs(id)}); err != nil {
		return fail(err)
	}
	if p != nil && home != Nowhere && v.Nodes[home] == nil { // its home was purged: it is managed at the root now
		adopted := *p
		adopted.Home = v.Tree.Root
		p = &adopted
		if node == home {
			node = p.Home
		}
		home = p.Home
		if v, err = d.Read(ctx, c, Want{Nodes: append(nodes, node, home), Records: access.Principals.Refs(id)}); err != nil {
			return fail(err)
		}
	}
	_, dec, err := v.Decide(node, a)
	if err != nil {
		return fail(err)
	}
	if home == Nowhere {
		return fail(access.Hidden())
	}
	if now := access.Principals.In(v.Records, id); now == nil || now.Version != p.Version {
		return fail(ErrChanged)
	}
	return v, p, dec, nil
}

// Client returns an API client to those who reach its home.
func (d *Directory) Client(ctx context.Context, c Caller, id ident.Principal) (Client, error) {
	return Retry(func() (Client, error) {
		v, p, _, err := d.managed(ctx, c, id, "", access.Read)
		if err != nil {
			return Client{}, err
		}
		client := clientSeen(v, p)
		client.LastUsed, err = d.lastUsed(ctx, client.Secrets)
		return client, err
	})
}

// editClient commits what change makes of an API client, together with the event that change returns; decided at node
// ("": at the client's home). A change without an event succeeds without writing.
func (d *Directory) editClient(ctx context.Context, c Caller, id ident.Principal, node ident.Node,
	change func(v *View, now *access.Principal, dec access.Decision) (*AddEvent, error)) (Client, error) {
	return Retry(func() (Client, error) {
		v, was, dec, err := d.managed(ctx, c, id, node, access.ManageClients)
		if err != nil {
			return Client{}, err
		}
		now := *was
		now.Grants = maps.Clone(was.Grants)
		happened, err := change(v, &now, dec)
		if err != nil {
			return Client{}, err
		}
		if happened == nil {
			return clientSeen(v, was), nil
		}
		if err := Match(c.IfMatch, was.Version); err != nil {
			return Client{}, err
		}
		now.Version++
		return clientSeen(v, &now), d.Commit(ctx, &v.Tree, changeOf(v, was, &now, dec, *happened)...)
	})
}

// changeOf is the steps that change a client. Who changes themselves is held by the condition on the client.
func changeOf(v *View, was, now *access.Principal, dec access.Decision, happened AddEvent) []Step {
	steps := []Step{Put{Was: was, Now: now, Else: ErrChanged}, happened}
	if was.ID != v.Caller.ID {
		steps = append(steps, stillOwner(v, dec))
	}
	return steps
}

// RemoveSecret ends one of two secrets at once.
func (d *Directory) RemoveSecret(ctx context.Context, c Caller, id ident.Principal, secret ident.Key) error {
	_, err := d.editClient(ctx, c, id, "", func(v *View, now *access.Principal, dec access.Decision) (*AddEvent, error) {
		i := slices.IndexFunc(now.Secrets, func(s access.Secret) bool { return s.ID == secret })
		if i < 0 {
			return nil, access.Hidden()
		}
		if err := coversAll(v, now, access.Owner); err != nil {
			return nil, err
		}
		if live := liveSecrets(now, d.now()); len(live) == 1 && live[0].ID == secret {
			return nil, fault.LastSecret.New("This is the client's only live secret. Add another secret first, or revoke the client: DELETE /v1/api-clients/%s.", id)
		}
		now.Secrets = slices.Delete(slices.Clone(now.Secrets), i, i+1)
		ev := d.Event(c, now.Home, dec.Place.Path, event.ClientSecretRemovedData{Client: told(now), SecretID: secret})
		return &ev, nil
	})
	return err
}

// RenameClient gives an API client another name (nil: it keeps the one that it has). Where the client is an owner the caller has to be one.
func (d *Directory) RenameClient(ctx context.Context, c Caller, id ident.Principal, name *hierarchy.Name) (Client, error) {
	return d.editClient(ctx, c, id, "", func(v *View, now *access.Principal, dec access.Decision) (*AddEvent, error) {
		if err := coversAll(v, now, access.Owner); err != nil {
			return nil, err
		}
		if name == nil || *name == now.Name {
			return nil, nil
		}
		ev := d.Event(c, now.Home, dec.Place.Path, event.ClientRenamedData{ClientID: id, Name: event.Edit[hierarchy.Name]{From: now.Name, To: *name}})
		now.Name = *name
		return &ev, nil
	})
}

// RevokeClient ends all access of an API client. Where it is an owner the caller has to be one. Its secrets end first. Then each role that it
// has elsewhere than at its home is taken away, with an event there, so that those who follow the events there learn of it; and then the
// client is revoked. When that is interrupted, RevokeClient goes on with what is left.
func (d *Directory) RevokeClient(ctx context.Context, c Caller, id ident.Principal) error {
	for {
		revoked := false
		_, err := d.editClient(ctx, c, id, "", func(v *View, now *access.Principal, dec access.Decision) (*AddEvent, error) {
			if err := notSelf(c, id); err != nil {
				return nil, err
			}
			if err := coversAll(v, now, access.Owner); err != nil {
				return nil, err
			}
			now.Secrets = nil
			if node, path, by := elsewhere(v, c, now); node != "" {
				ev := d.Event(by, node, path, event.ClientGrantRemovedData{ClientRole: roleOf(now, now.Grants[node])})
				delete(now.Grants, node)
				return &ev, nil
			}
			ev := d.Event(c, now.Home, dec.Place.Path, event.ClientRevokedData{Client: told(now), Grants: now.Grants})
			now.Grants, now.Revoked, revoked = map[ident.Node]access.Role{}, ev.Event.Time, true
			return &ev, nil
		})
		if err != nil || revoked {
			return err
		}
		c.IfMatch = nil // it was about the client as it was
	}
}

// elsewhere returns a node, other than the client's home, at which the client has a role, with its path, and with who may be told there to have
// taken the role away: the caller, if they see the node. It leaves out nodes that are gone or in the trash, where nothing is told any more.
func elsewhere(v *View, c Caller, client *access.Principal) (ident.Node, hierarchy.Path, Caller) {
	for _, id := range slices.Sorted(maps.Keys(client.Grants)) {
		n := v.Nodes[id]
		if n == nil || id == client.Home {
			continue
		}
		if place := v.Tree.Place(n); Untrashed(place) == nil {
			by := fromOver()
			if _, dec, _ := v.Decide(id, access.Read); dec.Visible() {
				by = c
			}
			return id, place.Path, by
		}
	}
	return "", "", Caller{}
}

// told returns a client as events tell it.
func told(p *access.Principal) event.Client { return event.Client{ClientID: p.ID, Name: p.Name} }

// roleOf returns a client and its role, as the event of an edit tells it that is not committed yet.
func roleOf(now *access.Principal, role access.Role) event.ClientRole {
	return event.ClientRole{Client: told(now), Role: role, Version: event.Version{Version: now.Version + 1}}
}

// GrantRole gives an API client a role at a node, or another role than it has there. The caller has to be an owner at
// the client's home and at the node.
func (d *Directory) GrantRole(ctx context.Context, c Caller, id ident.Principal, node ident.Node, role access.Role) (Client, error) {
	return d.editClient(ctx, c, id, node, func(v *View, now *access.Principal, dec access.Decision) (*AddEvent, error) {
		if _, _, err := v.Decide(now.Home, access.ManageClients); err != nil {
			return nil, err
		}
		was := now.Grants[node]
		if was == role {
			return nil, nil
		}
		if err := notSelf(c, id); err != nil {
			return nil, err
		}
		if err := Untrashed(dec.Place); err != nil {
			return nil, err
		}
		if err := mayGrant(dec, role); err != nil {
			return nil, err
		}
		if was == access.None && len(now.Grants) >= access.MaxGrants {
			return nil, fault.TooManyGrants.New("A client can have at most %d grants. Grant a role further up, or create another client.", access.MaxGrants)
		}
		now.Grants[node] = role
		ev := d.Event(c, node, dec.Place.Path, event.ClientGrantedData{ClientRole: roleOf(now, role)})
		return &ev, nil
	})
}

// RemoveGrant takes an API client's role at a node away. An owner of the node may, wherever the client is managed.
func (d *Directory) RemoveGrant(ctx context.Context, c Caller, id ident.Principal, node ident.Node) error {
	_, err := d.editClient(ctx, c, id, node, func(v *View, now *access.Principal, dec access.Decision) (*AddEvent, error) {
		if err := notSelf(c, id); err != nil {
			return nil, err
		}
		role, ok := now.Grants[node]
		if !ok {
			return nil, access.Hidden()
		}
		delete(now.Grants, node)
		ev := d.Event(c, node, dec.Place.Path, event.ClientGrantRemovedData{ClientRole: roleOf(now, role)})
		return &ev, nil
	})
	return err
}

// liveSecrets are the secrets of a client that count at a time.
func liveSecrets(p *access.Principal, now time.Time) (live []access.Secret) {
	for _, s := range p.Secrets {
		if s.Live(now) {
			live = append(live, s)
		}
	}
	return live
}

// toldSecret returns a secret as events tell it.
func toldSecret(s *access.Secret) event.Secret {
	e := event.Secret{SecretID: s.ID}
	if !s.Expires.IsZero() {
		e.Expires = s.Expires.UTC().Format(time.RFC3339)
	}
	return e
}

// AddSecret makes a second secret, so that the first can be replaced everywhere before it is removed; expires is when it ends, zero for never. It
// takes the place of secrets that have expired. The caller must have every role that the client has: they get its key.
func (d *Directory) AddSecret(ctx context.Context, c Caller, id ident.Principal, expires time.Time) (ClientWithKey, error) {
	return Retry(func() (ClientWithKey, error) {
		_, p, _, err := d.managed(ctx, c, id, "", access.ManageClients)
		if err != nil {
			return ClientWithKey{}, err
		}
		return Round(ctx, d, c, p.Home, access.ManageClients, Want{Records: access.Principals.Refs(id), Nodes: slices.Collect(maps.Keys(p.Grants))},
			func(v *View, _ *hierarchy.Node, dec access.Decision) (Plan[ClientWithKey], error) {
				was := access.Principals.In(v.Records, id)
				if was == nil || !was.Revoked.IsZero() {
					return Plan[ClientWithKey]{}, access.Hidden()
				}
				if err := coversAll(v, was, access.Viewer); err != nil {
					return Plan[ClientWithKey]{}, err
				}
				if err := Match(c.IfMatch, was.Version); err != nil {
					return Plan[ClientWithKey]{}, err
				}
				if err := d.ending(expires); err != nil {
					return Plan[ClientWithKey]{}, err
				}
				live := liveSecrets(was, d.now())
				if len(live) >= 2 {
					return Plan[ClientWithKey]{}, fault.TwoSecrets.New("Two secrets are already valid. Remove the old one first: DELETE /v1/api-clients/%s/secrets/{secretId}.", id)
				}
				now := *was
				secret, key := credential.NewSecret(id, d.now())
				secret.Expires = expires
				now.Secrets = append(live, secret)
				now.Version++
				happened := d.Event(c, now.Home, dec.Place.Path, event.ClientSecretAddedData{Client: told(&now), Secret: toldSecret(&secret)})
				return Plan[ClientWithKey]{ClientWithKey{clientSeen(v, &now), secret.ID, key}, changeOf(v, was, &now, dec, happened)}, nil
			})
	})
}
