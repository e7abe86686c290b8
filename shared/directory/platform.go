package directory

import (
	"context"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// recoveredName is the name of the API client that Recover makes.
const recoveredName hierarchy.Name = "Recovered owner"

// Recover gives the oldest API client that is owner of the root a new secret in the place of its oldest, for when all keys of all owners of
// the root are lost: the answer to CreateRoot may be. When no API client is one any more, it makes one. It takes no caller, like CreateRoot. It
// returns the new API key.
func (d *Directory) Recover(ctx context.Context) (access.Principal, string, error) {
	var key string
	owner, err := Retry(func() (none access.Principal, err error) {
		got, err := d.store.Read(ctx, Want{})
		if err != nil {
			return none, err
		}
		if got.Tree.Root == "" {
			return none, fault.NotFound.New("The platform has no root yet. Create the root first.")
		}
		oldest, err := d.oldestOwner(ctx, got.Tree.Root)
		if err != nil {
			return none, err
		}
		if got, err = d.store.Read(ctx, Want{Records: access.Principals.Refs(oldest), Nodes: []ident.Node{got.Tree.Root}}); err != nil {
			return none, err
		}
		root := got.Nodes[got.Tree.Root]
		if root == nil {
			return none, ErrChanged
		}
		happened := func(data event.Payload) AddEvent { return d.Event(Caller{}, root.ID, got.Tree.Place(root).Path, data) }
		if oldest == nobody {
			p, made := newClient(recoveredName, root.ID, access.Owner, d.now())
			key = made
			return p, d.Commit(ctx, &got.Tree, Put{Now: &p, Else: ErrExists}, happened(event.ClientCreatedData{Client: told(&p), Role: access.Owner, Secret: toldSecret(&p.Secrets[0]), Recovered: true}))
		}
		was := access.Principals.In(got.Records, oldest)
		if was == nil || was.Grants[root.ID] != access.Owner {
			return none, ErrChanged
		}
		now := *was
		secret, made := credential.NewSecret(was.ID, d.now())
		live := liveSecrets(was, d.now())
		now.Secrets = append(live[max(0, len(live)-1):], secret)
		now.Version++
		key = made
		return now, d.Commit(ctx, &got.Tree, Put{Was: was, Now: &now, Else: ErrChanged}, happened(event.ClientSecretAddedData{Client: told(&now), Secret: toldSecret(&secret), Recovered: true}))
	})
	return owner, key, err
}

// nobody is the id of no API client.
const nobody ident.Principal = "cli_0000000000000000"

// oldestOwner is the API client that has been there for longest among the owners of a node, or nobody.
func (d *Directory) oldestOwner(ctx context.Context, node ident.Node) (ident.Principal, error) {
	oldest := access.Grant{Principal: nobody}
	for after := ""; ; {
		page, err := ListAt(ctx, d.store, access.GrantsAt, node, after, MaxLimit)
		if err != nil {
			return "", err
		}
		for _, g := range page.Items {
			if g.Role == access.Owner && !g.Principal.IsPerson() && (oldest.Principal == nobody || g.Created.Before(oldest.Created)) {
				oldest = g
			}
		}
		if after = page.Next; after == "" {
			return oldest.Principal, nil
		}
	}
}

// theKeyring is what is read to have the keyring.
var theKeyring = credential.Keyrings.Refs(credential.TheKeyring)

// keyringIn returns the keyring that was read, empty when there is none yet.
func keyringIn(got *Got) credential.Keyring {
	if ring := credential.Keyrings.In(got.Records, credential.TheKeyring); ring != nil {
		return *ring
	}
	return nil
}

// ring is the keyring that was read, or one that is made when there is none.
func (d *Directory) ring(ctx context.Context, v *View) (credential.Keyring, error) {
	if ring := keyringIn(&v.Got); len(ring) > 0 {
		return ring, nil
	}
	return d.Keyring(ctx)
}

// Keyring is the platform's keyring, which is made when there is none.
func (d *Directory) Keyring(ctx context.Context) (credential.Keyring, error) {
	return d.keyring(ctx, func(r credential.Keyring) bool { return len(r) == 0 })
}

// RotateKeyring makes a new key, with which everything is sealed from now on. What was sealed with the last one is good still, and
// with those before it no longer.
func (d *Directory) RotateKeyring(ctx context.Context) error {
	_, err := d.keyring(ctx, func(credential.Keyring) bool { return true })
	return err
}

// keyring reads the keyring, and turns it when it is due.
func (d *Directory) keyring(ctx context.Context, due func(credential.Keyring) bool) (credential.Keyring, error) {
	return Retry(func() (credential.Keyring, error) {
		got, err := d.store.Read(ctx, Want{Records: theKeyring})
		was := keyringIn(&got)
		if err != nil || !due(was) {
			return was, err
		}
		next := was.Rotated(d.now())
		put := Put{Now: &next, Else: ErrChanged}
		if len(was) > 0 {
			put.Was = &was
		}
		return next, d.store.Commit(ctx, put)
	})
}

// CreateRoot makes the root of the tree and its first owner, once. It takes no caller: whoever may call it has been let
// in by AWS. It returns the API key of that owner, which is not kept.
func (d *Directory) CreateRoot(ctx context.Context, partner, client hierarchy.Name) (hierarchy.Node, access.Principal, string, error) {
	root := hierarchy.Node{ID: ident.NewPartner(), Name: partner, Version: 1}
	root.Place.Path = hierarchy.Path("").Child(root.ID)
	root.Brands.Uses = map[ident.Brand]int64{}
	root.Created = d.now()
	root.Updated = root.Created
	owner, key := newClient(client, root.ID, access.Owner, root.Created)
	happened := d.Event(Caller{}, root.ID, root.Place.Path,
		event.PlatformFoundedData{Name: root.Name, ClientID: owner.ID, ClientName: owner.Name, Role: access.Owner})
	happened.Event.Time = root.Created
	err := d.store.Commit(ctx,
		AddTree{Root: root.ID, Else: fault.AlreadyFounded.New("The platform already has its root and its first owner. That owner can create other owners.")},
		AddNode{root}, Put{Now: &owner, Else: ErrExists}, happened)
	return root, owner, key, err
}
