package directory

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// newPrincipal is a principal without a name and grants.
func newPrincipal(id ident.Principal, now time.Time) access.Principal {
	p := access.Principal{ID: id, Grants: map[ident.Node]access.Role{}, CursorKey: make([]byte, 32), Version: 1, Created: now}
	rand.Read(p.CursorKey) // never fails
	return p
}

func newClient(name hierarchy.Name, home ident.Node, role access.Role, now time.Time) (access.Principal, string) {
	p := newPrincipal(ident.NewClient(), now)
	p.Name, p.Home, p.Grants[home] = name, home, role
	secret, key := credential.NewSecret(p.ID, now)
	p.Secrets = []access.Secret{secret}
	return p, key
}

// unnamed is the name of a person who has none.
const unnamed hierarchy.Name = "(no name)"

// nameOf is the name that a person has everywhere: Microsoft's, and not what one of those who invite calls them.
func nameOf(who *credential.SignedIn) hierarchy.Name {
	name, err := ParsePersonName(who.Name)
	if err != nil {
		return unnamed
	}
	return name
}

// ParsePersonName reads the name of a person. Names are in events, where addresses must not be, so it has no @, in none of its forms.
func ParsePersonName(s string) (hierarchy.Name, error) {
	if strings.ContainsAny(s, "@\uff20\ufe6b") {
		return "", errors.New("must be a name and not an address")
	}
	return hierarchy.ParseName(s)
}

// named returns a person by the name and the address that Microsoft has for them now, and whether that is another name or address than before.
// The last name stays when Microsoft has none that can be shown, and both stay in a bounded session: what others know somebody by is not for
// those to change who run some app.
func named(was *access.Principal, who *credential.SignedIn) (now access.Principal, other bool) {
	now = *was
	if was.Person != nil && who.Within != "" {
		return now, false
	}
	now.Person = &access.Person{Tenant: who.Tenant, Object: who.Object, Email: who.Email}
	if name := nameOf(who); name != unnamed || now.Name == "" {
		now.Name = name
	}
	return now, was.Person == nil || *now.Person != *was.Person || now.Name != was.Name
}

// Greet takes over what Microsoft calls somebody who has just signed in, when they have roles and it is something new. The event of another name is the
// root's, since a name belongs to no node.
func (d *Directory) Greet(ctx context.Context, who credential.SignedIn, request string) error {
	_, err := Retry(func() (none struct{}, err error) {
		got, err := d.store.Read(ctx, Want{Records: access.Principals.Refs(who.Principal())})
		if err != nil {
			return none, err
		}
		was := access.Principals.In(got.Records, who.Principal())
		if was == nil || !was.Revoked.IsZero() || len(was.Grants) == 0 {
			return none, nil
		}
		now, other := named(was, &who)
		if !other {
			return none, nil
		}
		now.Version++
		steps := []Step{Put{Was: was, Now: &now, Else: ErrChanged}}
		if now.Name != was.Name {
			c := Caller{Principal: who.Principal(), RequestID: request}
			steps = append(steps, d.Event(c, got.Tree.Root, hierarchy.Path("").Child(got.Tree.Root), event.UserRenamedData{PrincipalID: was.ID, From: was.Name, To: now.Name}))
		}
		return none, d.Commit(ctx, &got.Tree, steps...)
	})
	return err
}

// unlessExists takes it for a change that somebody was added meanwhile: people's ids are not random.
func unlessExists(err error) error {
	if errors.Is(err, ErrExists) {
		return ErrChanged
	}
	return err
}

// Me is who the caller is and where they begin.
type Me struct {
	ID     ident.Principal
	Name   hierarchy.Name
	Grants []MyGrant
}

// MyGrant is one of the caller's own grants, or one of somebody else's as the caller sees it.
type MyGrant struct {
	Node PathStep
	Role access.Role
	Path []PathStep // from where the caller's access begins; only Node unless another grant lies above it
}

// Me returns the caller's grants that count, in the order of the names of their nodes. Those above the caller's bound show as one at it.
func (d *Directory) Me(ctx context.Context, c Caller) (Me, error) {
	v, err := d.Read(ctx, c, Want{})
	if err != nil {
		return Me{}, err
	}
	me, within := Me{ID: c.Principal, Grants: []MyGrant{}}, v.Caller.Within
	if within == "" { // otherwise that they are known elsewhere does not show
		me.Name = v.Caller.Name
	}
	known := map[ident.Node]*hierarchy.Node{}
	granted := make([]ident.Node, 0, len(v.Caller.Grants))
	for id := range v.Caller.Grants {
		granted = append(granted, id)
	}
	if len(granted) == 0 {
		return me, nil
	}
	if within != "" {
		granted = append(granted, within)
	}
	if v, err = d.Read(ctx, c, Want{Nodes: granted}); err != nil {
		return Me{}, err
	}
	paths, roles := map[ident.Node][]ident.Node{}, map[ident.Node]access.Role{}
	var all []ident.Node
	for id, n := range v.Nodes {
		dec, role := access.Decide(v.Caller, &v.Tree, n, access.Read), v.Caller.Grants[id]
		switch {
		case id == within:
			role = dec.Role
		case dec.Place.Top(hierarchy.Suspended) != "" || dec.Place.Top(hierarchy.Trashed) != "": // the grant does not count, though another one may
			continue
		}
		if dec.Visible() && role != access.None {
			known[id], roles[id] = n, role
			paths[id] = dec.Place.Path.IDs()[dec.First:]
			all = append(all, paths[id]...)
		}
	}
	if err := d.know(ctx, c, known, all); err != nil {
		return Me{}, err
	}
	for id, path := range paths {
		me.Grants = append(me.Grants, MyGrant{PathStep{id, known[id].Name}, roles[id], pathSteps(path, known)})
	}
	if len(me.Grants) > 0 {
		me.Name = v.Caller.Name
	}
	sortGrants(me.Grants)
	return me, nil
}

func sortGrants(grants []MyGrant) {
	slices.SortFunc(grants, func(a, b MyGrant) int {
		return cmp.Or(cmp.Compare(a.Node.Name.SortKey(), b.Node.Name.SortKey()), cmp.Compare(a.Node.ID, b.Node.ID))
	})
}
