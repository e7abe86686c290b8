package directorytest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// What the contract says of people, invitations and the keyring.

func (s *story) newPerson(grants map[ident.Node]access.Role) access.Principal {
	id := ident.Principal(s.id("usr_"))
	s.clients = append(s.clients, id)
	return access.Principal{
		ID: id, Name: "Åsa <&> Ödegård", Grants: grants, CursorKey: []byte("thirty-two bytes, more or less.."), Version: 1, Created: then,
		Person: &access.Person{
			Tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47", Object: "0c7d3a52-3a0f-4f0b-9f7e-0a3a8f6a1b2c", Email: "Åsa@Example.com",
		},
	}
}

// newInvitation is for a week.
func (s *story) newInvitation(node ident.Node, created time.Time) directory.Invitation {
	id := ident.Invitation(s.id("inv_"))
	s.invites = append(s.invites, id)
	return directory.Invitation{
		ID: id, Node: node, Email: "Åsa@Example.com", Name: "Åsa", Role: access.Operator, Message: "Welcome\n<&>",
		By: ident.Principal(s.id("cli_")), Within: node, State: directory.InvitationPending,
		Created: created, Expires: created.Add(7 * 24 * time.Hour), Sent: created.Add(time.Second),
		Generation: 1, Key: 2, Hash: []byte{0, 1, 255}, Mail: directory.MailQueued, Version: 1,
	}
}

func inviting(i directory.Invitation, most int) directory.AddInvitation {
	return directory.AddInvitation{Invitation: i, Most: most, TooMany: errAnother}
}

func linked(to string, at time.Time, mostTo, mostBy int) directory.CountLink {
	return directory.CountLink{At: at, To: to, MostTo: mostTo, By: "usr_0000000000000000", MostBy: mostBy, TooMany: errAnother}
}

// used is a copy of i that was accepted an hour after it was made.
func used(i *directory.Invitation, by ident.Principal) *directory.Invitation {
	now := *i
	now.State, now.Closed, now.Person, now.Version = directory.InvitationAccepted, i.Created.Add(time.Hour), by, i.Version+1
	now.Mail, now.MailProblem = directory.MailFailed, "guest-blocked"
	now.Guest = directory.Guest{Tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47", Object: "00000000-0000-4000-8000-000000000001",
		Of: i.Node}
	return &now
}

func (s *story) invitation(id ident.Invitation) *directory.Invitation {
	s.t.Helper()
	return s.read(directory.Want{Invitations: []ident.Invitation{id}}).Invitations[id]
}

func keepsPeople(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	a, b := s.add(s.root, s.partnerBelow(s.root, "A")), s.add(s.root, s.partnerBelow(s.root, "B"))
	p := s.newPerson(map[ident.Node]access.Role{a.ID: access.Admin})
	c := s.newClient(a.ID, map[ident.Node]access.Role{a.ID: access.Viewer})
	bare, unknown := s.newPerson(map[ident.Node]access.Role{}), s.newPerson(map[ident.Node]access.Role{})
	bare.Person.Email, bare.CursorKey = "", nil
	unknown.Person, unknown.Name, unknown.SessionsFrom = nil, "", map[ident.Node]time.Time{"": then} // has only signed out everywhere
	s.commits(directory.AddClient{Client: p}, directory.AddClient{Client: c}, directory.AddClient{Client: bare},
		directory.AddClient{Client: unknown})
	s.refuses(directory.ErrExists, directory.AddClient{Client: p})
	same(t, "a person", s.client(p.ID), &p)
	same(t, "a person of whom little is known", s.client(bare.ID), &bare)
	same(t, "a person of whom nothing is known", s.client(unknown.ID), &unknown)
	same(t, "a client among people", s.client(c.ID), &c)
	grant := func(node ident.Node, p *access.Principal) directory.Grant { return grantOf(p, node) }
	if got := grant(a.ID, &p); got.Tenant != p.Person.Tenant || grant(a.ID, &c).Tenant != "" {
		t.Errorf("a person's grant is %+v", got)
	}
	same(t, "who is at A", s.all().Grants[a.ID], []directory.Grant{grant(a.ID, &c), grant(a.ID, &p)})
	s.commits(directory.CheckGrant{Principal: p.ID, Node: a.ID, Role: access.Admin, Else: errElse})
	s.refuses(errElse, directory.CheckGrant{Principal: p.ID, Node: a.ID, Role: access.Owner, Else: errElse})

	now := copyClient(p)
	now.Name, now.Grants, now.Version = "Åsa", map[ident.Node]access.Role{b.ID: access.Viewer}, 2
	now.Cut = map[ident.Node]time.Time{a.ID: then.Add(time.Nanosecond).In(time.FixedZone("", 3600)), "": then.Add(-time.Microsecond)}
	now.Person.Email = "asa@example.com"
	now.SessionsFrom = map[ident.Node]time.Time{"": then, b.ID: then.Add(time.Hour + time.Nanosecond).In(time.FixedZone("", 3600))}
	s.commits(directory.EditClient{Was: &p, Now: &now, Else: errElse})
	now.SessionsFrom[b.ID], now.Cut[a.ID] = then.Add(time.Hour), then
	same(t, "the person after an edit", s.client(p.ID), &now)
	all := s.all()
	same(t, "who is still at A", all.Grants[a.ID], []directory.Grant{grant(a.ID, &c)})
	same(t, "who is at B", all.Grants[b.ID], []directory.Grant{grant(b.ID, &now)})
	s.refuses(errElse, directory.EditClient{Was: &p, Now: &now, Else: errElse})
	read := s.client(p.ID)
	read.Person.Email = "changed"
	delete(read.Cut, "")
	same(t, "the person after what was read was changed", s.client(p.ID), &now)
}

func addsInvitations(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	n, other := s.add(s.root, s.partnerBelow(s.root, "Node")), s.add(s.root, s.partnerBelow(s.root, "Other"))
	same(t, "invitations when there is none", s.all().Invited[n.ID], []directory.Invitation(nil))
	// Of this instant the day is another one where it was written down than in UTC.
	first := s.newInvitation(n.ID, time.Date(2026, 3, 5, 0, 30, 0, 1001, time.FixedZone("", 3600)))
	s.commits(inviting(first, 3))
	for _, at := range []*time.Time{&first.Created, &first.Expires, &first.Sent} {
		*at = at.UTC().Truncate(time.Microsecond)
	}
	got := s.read(directory.Want{Invitations: []ident.Invitation{first.ID, first.ID, ident.NewInvitation()}}).Invitations
	same(t, "as it is read", got, map[ident.Invitation]*directory.Invitation{first.ID: &first})
	same(t, "as it is listed", s.all().Invited[n.ID], []directory.Invitation{first})
	got[first.ID].Hash[0]++
	same(t, "after what was read was changed", s.invitation(first.ID), &first)
	s.refuses(directory.ErrExists, inviting(first, 3))

	bare := s.newInvitation(n.ID, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC))
	bare.Message, bare.Hash, bare.Sent, bare.Mail, bare.Generation, bare.Key = "", nil, time.Time{}, "", 0, 0
	s.refuses(errAnother, inviting(bare, 1))
	s.commits(inviting(bare, 2))
	third := s.newInvitation(n.ID, time.Date(2026, 3, 4, 23, 59, 59, 999_999_000, time.UTC))
	s.refuses(errAnother, inviting(third, 2))
	s.commits(inviting(third, 3))
	// Another day, and another node, count for themselves.
	next := s.newInvitation(n.ID, time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC))
	elsewhere := s.newInvitation(other.ID, first.Created)
	s.commits(inviting(next, 1), inviting(elsewhere, 1))
	// What has ended counts for its day all the same.
	now := used(&third, "usr_0000000000000000")
	s.commits(directory.EditInvitation{Was: &third, Now: now, Else: errElse})
	s.refuses(errAnother, inviting(s.newInvitation(n.ID, first.Created), 3))

	want := []directory.Invitation{next, *now, first, bare}
	for _, limit := range []int{1, 2, 3, 4, 5} {
		same(t, fmt.Sprint("in pages of ", limit), pages(t, limit, func(after string, limit int) (directory.Page[directory.Invitation], error) {
			return store.Invitations(t.Context(), n.ID, after, limit)
		}), want)
	}
	same(t, "at the other node", s.all().Invited[other.ID], []directory.Invitation{elsewhere})
	if _, err := store.Invitations(t.Context(), n.ID, "", 0); err == nil {
		t.Error("a page of no items is no error")
	}
	if err := store.Commit(t.Context(), inviting(s.newInvitation(n.ID, then), 9), inviting(s.newInvitation(n.ID, then), 9)); err == nil {
		t.Error("two were made at one node in one transaction")
	}
}

// countsLinks takes days as they are in UTC.
func countsLinks(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	late := time.Date(2026, 3, 5, 0, 30, 0, 0, time.FixedZone("", 3600)) // the 4th, in UTC
	early, next := late.Add(-23*time.Hour), late.Add(time.Hour)
	s.commits(linked("aa", late, 2, 9))
	s.commits(linked("aa", early, 2, 9))
	s.refuses(errAnother, linked("aa", late, 2, 9))
	s.commits(linked("aa", next, 2, 9))
	s.commits(linked("bb", late, 1, 3))
	s.refuses(errAnother, linked("cc", late, 9, 3))
	// What was refused was not counted, under neither.
	s.commits(linked("cc", late, 1, 4))
	other := linked("aa", late, 3, 1)
	other.By = "usr_0000000000000001"
	s.commits(other)
	if err := store.Commit(t.Context(), linked("dd", late, 9, 9), linked("ee", late, 9, 9)); err == nil {
		t.Error("two links were counted in one transaction")
	}
}

func editsInvitations(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	n := s.add(s.root, s.partnerBelow(s.root, "Node"))
	i := s.newInvitation(n.ID, then)
	edit := func(was, now *directory.Invitation) directory.EditInvitation {
		return directory.EditInvitation{Was: was, Now: now, Else: errElse}
	}
	s.refuses(errElse, edit(&i, used(&i, "")))
	s.commits(inviting(i, 1))
	older, newer := i, i
	older.Version--
	newer.Version++
	s.refuses(errElse, edit(&older, used(&i, "")))
	s.refuses(errElse, edit(&newer, used(&i, "")))
	// Everything can be edited but what it is and where it is listed.
	now := directory.Invitation{
		ID: i.ID, Node: n.ID, Email: "other@example.com", Name: "Other", Role: access.Owner, By: "cli_0000000000000000",
		State: directory.InvitationRevoked, Created: i.Created, Expires: then.AddDate(0, 0, 30), Sent: then.Add(time.Hour),
		Closed:     then.Add(2 * time.Hour),
		Generation: 2, Key: 3, Hash: []byte{7}, Mail: directory.MailBounced, Person: "usr_0000000000000000", Version: 2,
	}
	written := now
	written.ID, written.Node, written.Created = ident.Invitation(s.id("inv_")), s.root.ID, then.Add(time.Hour)
	s.commits(edit(&i, &written))
	same(t, "as it is read", s.invitation(i.ID), &now)
	same(t, "as it is listed", s.all().Invited[n.ID], []directory.Invitation{now})
	s.refuses(errElse, edit(&i, used(&i, "")))
	pending := now
	pending.State, pending.Closed, pending.Person, pending.Version = directory.InvitationPending, time.Time{}, "", 3
	pending.Hash, pending.Mail = nil, ""
	s.commits(edit(&now, &pending))
	same(t, "what was taken away", s.invitation(i.ID), &pending)
}

func invitationsAtATime(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	n := s.add(s.root, s.partnerBelow(s.root, "Node"))
	const many, most = 8, 3
	var all []directory.Invitation
	for i := range many {
		all = append(all, s.newInvitation(n.ID, then.Add(time.Duration(i)*time.Second)))
	}
	var made []directory.Invitation
	for i, err := range atOnce(many, func(i int) error { return store.Commit(t.Context(), inviting(all[i], most)) }) {
		if err == nil {
			made = append(made, all[i])
		} else if !errors.Is(err, errAnother) {
			t.Error(err)
		}
	}
	if len(made) != most {
		t.Fatalf("%d were made on one day; %d may be", len(made), most)
	}
	one := made[0]
	who := func(i int) ident.Principal { return ident.Principal(fmt.Sprintf("usr_000000000000000%d", i)) }
	errs := atOnce(many, func(i int) error {
		return store.Commit(t.Context(), directory.EditInvitation{Was: &one, Now: used(&one, who(i)), Else: errElse})
	})
	by := s.invitation(one.ID).Person
	for i, err := range errs {
		if (err == nil) != (by == who(i)) || err != nil && !errors.Is(err, errElse) {
			t.Errorf("accepting by %s gave %v; it was accepted by %s", who(i), err, by)
		}
	}
}

func keepsKeyring(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	put := func(r credential.Keyring, was int) directory.PutKeyring {
		return directory.PutKeyring{Keyring: r, Was: was, Else: errElse}
	}
	ring := func() credential.Keyring { return s.read(directory.Want{Keyring: true}).Keyring }
	same(t, "the keyring at first", ring(), credential.Keyring(nil))
	first := credential.Keyring(nil).Rotated(then)
	s.refuses(errElse, put(first, 1))
	first[0].Created = then.Add(time.Nanosecond).In(time.FixedZone("", 3600))
	s.commits(put(first, 0))
	first[0].Created = then
	same(t, "the first keyring", ring(), first)
	s.refuses(errElse, put(credential.Keyring(nil).Rotated(then), 0))
	second := first.Rotated(then.Add(time.Hour))
	s.refuses(errElse, put(second, 2))
	s.commits(put(second, 1))
	same(t, "the second keyring", ring(), second)
	s.refuses(errElse, put(second.Rotated(then), 1)) // 1 is still there, but not the newest
	read := ring()
	read[0].ID = 9
	same(t, "the keyring after what was read was changed", ring(), second)
	if got := s.read(directory.Want{Nodes: []ident.Node{s.root.ID}}).Keyring; got != nil {
		t.Error("a keyring was read that nobody asked for")
	}
}

func keyringAtATime(t testing.TB, store directory.Store) {
	s := begin(t, store, 0)
	var ring credential.Keyring
	for round := range 3 {
		next := make([]credential.Keyring, 4)
		for i := range next {
			next[i] = ring.Rotated(then)
		}
		won := -1
		for i, err := range atOnce(len(next), func(i int) error {
			return store.Commit(t.Context(), directory.PutKeyring{Keyring: next[i], Was: round, Else: errElse})
		}) {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Error("two keyrings were written over the same one")
			case !errors.Is(err, errElse):
				t.Error(err)
			}
		}
		if won < 0 {
			t.Fatal("no keyring was written")
		}
		ring = next[won]
		same(t, "the keyring", s.read(directory.Want{Keyring: true}).Keyring, ring)
	}
}
