package costs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// What invitations cost, and the people who accept them.

// newInvitation is at a node, for somebody who is new.
func (b *bench) newInvitation(node ident.Node) directory.NewInvitation {
	b.made++
	return directory.NewInvitation{
		Node: node, Email: fmt.Sprintf("alice-%06d@vale.example", b.made), Name: b.name(), Role: access.Admin, Message: "Welcome to our portal.",
		Days: directory.InvitationDays,
	}
}

func (b *bench) invited(node ident.Node) ident.Invitation {
	b.t.Helper()
	i, err := b.dir.Invite(b.ctx, b.caller, b.newInvitation(node))
	b.must(err)
	return i.ID
}

// mail is that with an invitation's link, begun.
func (b *bench) mail(id ident.Invitation) *directory.Mail {
	b.t.Helper()
	mail, err := b.begun(id)
	b.must(err)
	return mail
}

func (b *bench) begun(id ident.Invitation) (*directory.Mail, error) {
	mail, err := b.dir.DueMail(b.ctx, id, 1)
	if err != nil {
		return nil, err
	}
	if claimed, err := b.dir.ClaimMail(b.ctx, mail, directory.Guest{}); !claimed {
		return nil, errors.Join(errors.New("the mail is not ours"), err)
	}
	return mail, nil
}

// signedIn is who was invited by a mail.
func (b *bench) signedIn(mail *directory.Mail) credential.SignedIn {
	b.made++
	return credential.SignedIn{
		Tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47", Object: fmt.Sprintf("00000000-0000-4000-8000-%012d", b.made), Name: "Alice Le Page",
		Email: mail.Email, Verified: true, Began: clock(),
	}
}

// acceptedBy is somebody who has accepted an invitation.
func (b *bench) acceptedBy(id ident.Invitation) credential.SignedIn {
	b.t.Helper()
	mail := b.mail(id)
	who := b.signedIn(mail)
	_, err := b.dir.AcceptInvitation(b.ctx, who, mail.Token, "")
	b.must(err)
	return who
}

// person makes somebody who is admin at the node.
func (b *bench) person(node ident.Node) ident.Principal {
	b.t.Helper()
	who := b.acceptedBy(b.invited(node))
	return who.Principal()
}

func invites(b *bench, node ident.Node) func() error {
	c, in := b.repeatable(), b.newInvitation(node)
	return only(func() (directory.Invitation, error) { return b.dir.Invite(b.ctx, c, in) })
}

func listsInvitations(b *bench, node ident.Node) func() error {
	b.invited(node)
	return only(func() (directory.List[directory.Invitation], error) {
		return b.dir.Invitations(b.ctx, b.caller, node, page)
	})
}

func listsUsers(b *bench, node ident.Node) func() error {
	return only(func() (directory.List[directory.User], error) { return b.dir.Users(b.ctx, b.caller, node, page) })
}

func setsRole(b *bench, node ident.Node, role access.Role) func() error {
	who := b.person(node)
	return func() error { return b.dir.SetRole(b.ctx, b.caller, node, who, role) }
}

// people measures what no operation of the API does: it is done for the holders of links, and in the background.
func (b *bench) people(places []place, row func(...string), out *strings.Builder) {
	b.t.Helper()
	out.WriteString("\nAn invitation to a partner, from its mail on\n")
	columns := []string{""}
	for _, p := range places {
		columns = append(columns, p.column)
	}
	row(columns...)
	for _, one := range []struct {
		what string
		at   func(id ident.Invitation) func() error
	}{
		{"beginning its mail", func(id ident.Invitation) func() error {
			return only(func() (*directory.Mail, error) { return b.begun(id) })
		}},
		{"noting what became of it", func(id ident.Invitation) func() error {
			b.mail(id)
			return func() error { return b.dir.NoteMail(b.ctx, id, 1, directory.MailSent) }
		}},
		{"opening its link", func(id ident.Invitation) func() error {
			mail := b.mail(id)
			return only(func() (directory.Offer, error) { return b.dir.Offered(b.ctx, mail.Token, "", "") })
		}},
		{"accepting it", func(id ident.Invitation) func() error {
			mail := b.mail(id)
			return only(func() (directory.Node, error) { return b.dir.AcceptInvitation(b.ctx, b.signedIn(mail), mail.Token, "") })
		}},
		{"signing in afterwards", func(id ident.Invitation) func() error {
			who := b.acceptedBy(id)
			return func() error { return b.dir.Greet(b.ctx, who, "") }
		}},
		{"by another name", func(id ident.Invitation) func() error {
			who := b.acceptedBy(id)
			who.Name = "Alice Martel"
			return func() error { return b.dir.Greet(b.ctx, who, "") }
		}},
	} {
		cells := []string{one.what}
		for _, p := range places {
			spent, err := b.meter.during(one.at(b.invited(p.partner)))
			b.must(err)
			cells = append(cells, spent.String())
		}
		row(cells...)
	}
}

// past measures answers about the past, in a tree of its own, where little else has happened.
func past(t *testing.T, row func(...string), out *strings.Builder) {
	b := newBench(t)
	chain := []*hierarchy.Node{b.node(b.root)}
	for len(chain) < hierarchy.MaxDepth {
		chain = append(chain, b.partner(chain[len(chain)-1].ID))
	}
	moved := b.partner(chain[9].ID)
	made := b.dir // events of the same microsecond come in any order
	b.dir = directory.New(b.store, func() time.Time { return clock().Add(time.Second) })
	b.must(moves(b, moved.ID, b.root)())
	b.dir = made
	b.settle()
	later := directory.New(b.store, func() time.Time { return clock().Add(time.Hour) })
	day := directory.Window{From: clock().Add(-time.Hour), Until: clock().Add(time.Minute)}
	out.WriteString("\nWho could, on that day (`at`): " +
		"so many people had accepted an invitation at each of these partners, and have a say below it\n")
	row("", "depth 1", "depth 10", "depth 30", "then at depth 11")
	nodes := []ident.Node{chain[0].ID, chain[9].ID, chain[29].ID, moved.ID}
	had := 0
	for _, many := range []int{0, 10, 100} {
		why, users := []string{fmt.Sprintf("explaining, %d", many)}, []string{fmt.Sprintf("listing 50 of %d", many)}
		for _, node := range nodes {
			b.accepted(b.node(node), many-had)
			for _, m := range []struct {
				cells *[]string
				do    func() error
			}{
				{&why, only(func() (directory.Explanation, error) {
					return later.WhyAt(b.ctx, b.caller, b.caller.Principal, node, access.Read, day)
				})},
				{&users, only(func() (directory.PastUsers, error) {
					return later.UsersAt(b.ctx, b.caller, node, day, page)
				})},
			} {
				spent, err := b.meter.during(m.do)
				b.must(err)
				*m.cells = append(*m.cells, spent.String())
			}
		}
		row(why...)
		row(users...)
		had = many
	}
}

// accepted tells that so many people have accepted an invitation to a node.
func (b *bench) accepted(node *hierarchy.Node, many int) {
	b.t.Helper()
	for range many {
		b.made++
		data := event.InvitationAcceptedData{
			Invitation:  event.Invitation{InvitationID: ident.NewInvitation(), Generation: 1, Role: access.Viewer, Name: "Alice Le Page"},
			PrincipalID: ident.PersonOf("72f988bf-86f1-41af-91ab-2d7cd011db47", fmt.Sprint(b.made)), Version: event.Version{Version: 1}}
		e := event.Event{ID: ident.NewEvent(), Type: event.InvitationAccepted, Time: clock(), Node: node.ID, Path: node.Place.Path,
			Actor: b.caller.Principal, RequestID: "c817faea-b253-47be-9d98-47d2e427f93f", Data: data}
		b.must(b.fast.Commit(b.ctx, directory.AddEvent{Event: e}))
	}
}
