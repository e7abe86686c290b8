package access

import (
	"strings"
	"time"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/word"
)

// Principals is the kind of the records of principals. A principal is listed at each node where it has a grant.
var Principals = record.NewKind("principal", func(id ident.Principal) *Principal { return &Principal{ID: id} })

// GrantsAt lists the principals who were granted a role at a node, by id, so API clients come before people. When a node is erased, the
// grants at it are taken from their principals one by one.
var GrantsAt = record.NewList(record.Listing{Name: "grant", OnErase: record.Keep}, func(node ident.Node, at string) *Grant {
	return &Grant{Node: node, Principal: ident.Principal(at)}
})

// Grant is one principal's role at one node, as GrantsAt lists it.
type Grant struct {
	Node      ident.Node
	Principal ident.Principal
	Role      Role
	Name      hierarchy.Name // of the principal
	Home      ident.Node     // of the principal
	Created   time.Time      // of the principal
	Tenant    string         // of a person: the Microsoft tenant
}

// GrantOf returns the grant that the principal has at a node, as GrantsAt lists it.
func (p *Principal) GrantOf(node ident.Node) Grant {
	g := Grant{Node: node, Principal: p.ID, Role: p.Grants[node], Name: p.Name, Home: p.Home, Created: p.Created}
	if p.Person != nil {
		g.Tenant = p.Person.Tenant
	}
	return g
}

// Code implements record.Record.
func (g *Grant) Code(c *record.Coder) {
	record.Named(c, "role", &g.Role, ParseRole)
	record.Text(c, "name", &g.Name)
	record.Text(c, "home", &g.Home)
	c.Time("created", &g.Created)
	record.Text(c, "tenant", &g.Tenant)
}

// Fields of principals that stores read when they check a grant: the roles by node, and the time when the principal was revoked. The time
// is missing while the principal is not revoked.
const (
	GrantsField  = "grants"
	RevokedField = "revoked"
)

// MaxSession is the longest time that a session of a person lasts.
const MaxSession = 12 * time.Hour

// Ref implements record.Record.
func (p *Principal) Ref() record.Ref { return Principals.Ref(p.ID) }

// Lists implements record.Record.
func (p *Principal) Lists() []record.Entry {
	entries := make([]record.Entry, 0, len(p.Grants))
	for node := range p.Grants {
		g := p.GrantOf(node)
		entries = append(entries, record.Entry{List: GrantsAt.Listing, Node: node, At: string(p.ID), Show: &g})
	}
	return entries
}

// Address is the field of the term by which a person is found whose whole address is given.
const Address word.Field = "a"

// Terms implements record.Termed: people who have a role are found by the words of their names and by their whole address. Nobody finds an
// address by its beginning.
func (p *Principal) Terms() []word.Term {
	if p.Person == nil || len(p.Grants) == 0 || !p.Revoked.IsZero() {
		return nil
	}
	terms := word.Terms(nil, p.Words())
	if p.Person.Email != "" {
		terms = append(terms, AddressTerm(p.Person.Email))
	}
	return terms
}

// AddressTerm returns the term by which whoever has the address is found.
func AddressTerm(email string) word.Term {
	return word.Term{Field: Address, Word: word.Digest(strings.ToLower(strings.TrimSpace(email)))}
}

// Words returns the words of the principal's name.
func (p *Principal) Words() []word.Word { return word.In(string(p.Name)) }

// Code implements record.Record. The times of cuts are kept as numbers, so that there is room for one cut beside each grant within one
// read unit.
func (p *Principal) Code(c *record.Coder) {
	record.Optional(c, "person", &p.Person, func(c *record.Coder, who *Person) {
		record.Needed(c, "tenant", &who.Tenant)
		record.Needed(c, "object", &who.Object)
		record.Text(c, "email", &who.Email)
	})
	micros := func(c *record.Coder, node string, at *time.Time) { c.Micros(node, at) }
	record.Few(c, "sessionsFrom", &p.SessionsFrom, micros)
	record.Few(c, "cut", &p.Cut, micros)
	record.Text(c, "name", &p.Name)
	record.Text(c, "home", &p.Home)
	c.Version(&p.Version)
	c.Time("created", &p.Created)
	c.Time(RevokedField, &p.Revoked)
	c.Bytes("cursorKey", &p.CursorKey)
	record.Map(c, GrantsField, &p.Grants, func(c *record.Coder, node string, role *Role) { record.Named(c, node, role, ParseRole) })
	record.Each(c, "secrets", &p.Secrets, func(c *record.Coder, s *Secret) {
		record.Text(c, "id", &s.ID)
		c.Bytes("hash", &s.Hash)
		record.Text(c, "hint", &s.Hint)
		c.Time("created", &s.Created)
		c.Time("ends", &s.Expires)
	})
	if !c.Reading() && p.ID.IsPerson() && p.Person == nil { // the person has only signed out: after their last session there is nothing to keep
		last := p.Created
		for _, at := range p.SessionsFrom {
			if at.After(last) {
				last = at
			}
		}
		last = last.Add(MaxSession + 24*time.Hour)
		c.Expires(&last)
	}
}
