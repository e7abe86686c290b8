package directory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Invitation is that somebody is asked to take a role at a node.
type Invitation struct {
	ID          ident.Invitation
	Node        ident.Node
	Email       string // to whom the mail goes, and whose it must prove to be who accepts; as it was given
	Name        hierarchy.Name
	Role        access.Role
	Message     string
	By          ident.Principal // whose right to invite counts when it is accepted, too
	Within      ident.Node      // what bounded them when they invited (Caller.Within), and bounds that right
	State       InvitationState
	Created     time.Time
	Expires     time.Time // when it cannot be accepted any more
	Sent        time.Time // when its present link was ordered to be mailed
	Closed      time.Time // when it was accepted or revoked; zero while pending
	Generation  int       // counts the links that it had; only the last one counts
	Key         int       // of the keyring, by which the link is made
	Hash        []byte    // of the link's token; nil in answers
	Mail        MailState
	MailProblem MailProblem     // why nothing was mailed; "" otherwise
	Guest       Guest           // that they were made to be able to sign in; only for accepting it
	Person      ident.Principal // who has accepted
	Version     int64
	// Problem is why nobody can accept the invitation just now although it is pending. It is found out when the invitation is read, and not stored.
	Problem InvitationProblem
}

// Invitations are kept as records, which are listed at their node, and erased with that.
var Invitations = record.NewKind("invitation", func(id ident.Invitation) *Invitation { return &Invitation{ID: id} })

// InvitationsAt lists the invitations at a node, the newest first.
var InvitationsAt = record.NewList(record.Listing{Name: "invitation", NewestFirst: true, OnErase: record.Delete},
	func(_ ident.Node, at string) *Invitation { return &Invitation{ID: ident.Invitation(record.IDAt(at))} })

// keepInvitations is how long an invitation is kept after its end.
const keepInvitations = 90 * 24 * time.Hour

// Ref implements record.Record.
func (i *Invitation) Ref() record.Ref { return Invitations.Ref(i.ID) }

// Lists implements record.Record.
func (i *Invitation) Lists() []record.Entry {
	return []record.Entry{{List: InvitationsAt.Listing, Node: i.Node, At: record.Time(i.Created) + "#" + string(i.ID), Show: i}}
}

// Code implements record.Record.
func (i *Invitation) Code(c *record.Coder) {
	record.Text(c, "node", &i.Node)
	record.Text(c, "email", &i.Email)
	record.Text(c, "name", &i.Name)
	record.Named(c, "role", &i.Role, access.ParseRole)
	record.Text(c, "message", &i.Message)
	record.Text(c, "by", &i.By)
	record.Text(c, "within", &i.Within)
	record.Text(c, "state", &i.State)
	c.Time("created", &i.Created)
	c.Time("ends", &i.Expires)
	c.Time("sent", &i.Sent)
	c.Time("closed", &i.Closed)
	record.Number(c, "generation", &i.Generation)
	record.Number(c, "key", &i.Key)
	c.Bytes("hash", &i.Hash)
	record.Text(c, "mail", &i.Mail)
	record.Text(c, "mailProblem", &i.MailProblem)
	record.Text(c, "guestTenant", &i.Guest.Tenant)
	record.Text(c, "guest", &i.Guest.Object)
	record.Text(c, "guestOf", &i.Guest.Of)
	record.Text(c, "person", &i.Person)
	c.Version(&i.Version)
	kept := i.Expires.Add(keepInvitations)
	c.Expires(&kept)
}

// Guest is an account that Microsoft made for an invited address in the tenant of a brand's app; all is empty when there is none. Whoever
// signs in as the guest has proved the address to Microsoft before.
type Guest struct {
	Tenant string     // a GUID in lower case
	Object string     // in the tenant, a GUID in lower case
	Of     ident.Node // the partner whose brand it is, and so whose tenant
}

// Is reports whether somebody who has signed in is the guest. It counts at the portals of that partner alone, which reach nothing but what is
// its own: an administrator of the tenant can make somebody else of the account.
func (g Guest) Is(who *credential.SignedIn) bool {
	return g.Of != "" && g.Of == who.Within && g.Object != "" && g.Object == who.Object && g.Tenant == who.Tenant
}

// InvitationState is what became of an invitation.
type InvitationState string

// The states. One that is pending and past its end is InvitationExpired, which is not stored.
const (
	InvitationPending  InvitationState = "pending"
	InvitationAccepted InvitationState = "accepted"
	InvitationRevoked  InvitationState = "revoked"
	InvitationExpired  InvitationState = "expired"
)

// InvitationProblem is why nobody can accept a pending invitation just now; "" when somebody can.
type InvitationProblem string

// The problems.
const (
	LinkWithdrawn InvitationProblem = "link-withdrawn"
	NodeTrashed   InvitationProblem = "trashed"
	NodeSuspended InvitationProblem = "suspended"
	SenderMayNot  InvitationProblem = "sender-may-not-invite"
)

// InvitationProblems lists them all.
var InvitationProblems = []InvitationProblem{LinkWithdrawn, NodeTrashed, NodeSuspended, SenderMayNot}

// Advice returns what is wrong and what to do, for people who manage users.
func (p InvitationProblem) Advice() string {
	switch p {
	case LinkWithdrawn:
		return "All links of this age were ended. Send the invitation again."
	case NodeTrashed:
		return "The partner or customer is in the trash. The invitation can be accepted again after the node in the trash is restored."
	case NodeSuspended:
		return "The partner or customer is suspended. The invitation can be accepted again after the suspended node is resumed."
	case SenderMayNot:
		return "The sender may not invite to this role there any more. Somebody who may can send the invitation again."
	}
	return ""
}

// Bounds of invitations.
const (
	InvitationDays    = 7   // for which an invitation can be accepted unless something else is asked for
	MaxInvitationDays = 30  // at most
	InvitationsADay   = 50  // at one node
	LinksToADay       = 5   // that are mailed to one mailbox from below one top-level partner
	LinksToAllADay    = 20  // that are mailed to one mailbox at all
	LinksBelowADay    = 200 // that are mailed from below one top-level partner, itself included
	BounceCosts       = 20  // links of the day of its top-level partner, for a mail that bounces or is complained about
	MaxLinks          = 10  // that one invitation can have: nobody is sent mail without end
	ResendAfter       = 5 * time.Minute
)

// NewInvitation is what an invitation is made from. All of it is checked for form already.
type NewInvitation struct {
	Node    ident.Node
	Email   string
	Name    hierarchy.Name
	Role    access.Role
	Message string
	Days    int
}

// at is the state of the invitation at a time.
func (i *Invitation) at(now time.Time) InvitationState {
	if i.State == InvitationPending && !now.Before(i.Expires) {
		return InvitationExpired
	}
	return i.State
}

// seen is the invitation as callers see it.
func (i *Invitation) seen(now time.Time) Invitation {
	s := *i
	s.State, s.Hash = i.at(now), nil
	return s
}

// open refuses an invitation that cannot be accepted any more.
func (i *Invitation) open(now time.Time) error {
	switch i.at(now) {
	case InvitationPending:
		return nil
	case InvitationAccepted:
		return fault.InvitationClosed.New("The invitation was already used. Sign in with the account that used the invitation, or ask the person " +
			"who invited you for a new invitation.")
	case InvitationRevoked:
		return fault.InvitationClosed.New("This invitation was withdrawn. Ask the person who invited you for a new invitation.")
	default:
		return fault.InvitationClosed.New("This invitation has expired. Ask the person who invited you for a new invitation.")
	}
}

// needs is the role that whoever invites has to have.
func (i *Invitation) needs() access.Role { return max(i.Role, access.Invite.Needs()) }

// link gives the invitation its next link, which the newest key makes.
func (i *Invitation) link(ring credential.Keyring, by Caller, now time.Time, lasts time.Duration) error {
	i.Generation++
	i.Key, i.By, i.Within, i.Sent, i.Expires = ring[0].ID, by.Principal, by.Within, now, now.Add(lasts)
	i.Mail, i.MailProblem = MailQueued, ""
	t, ok := ring.InvitationToken(i.Key, i.ID, i.Generation)
	if !ok {
		return errors.New("the newest key of the keyring is not in it")
	}
	i.Hash = t.Hash()
	return nil
}

// about is what the events of the invitation tell: not whom it was sent to.
func (i *Invitation) about() event.Invitation {
	return event.Invitation{InvitationID: i.ID, Generation: i.Generation, Role: i.Role, Name: i.Name}
}

// SameAddress compares addresses without regard to the case of A to Z, and in nothing else: what looks or folds alike in other
// scripts is another address.
func SameAddress(a, b string) bool { return folded(a) == folded(b) }

// folded is an address byte by byte, in lower case where it is ASCII.
func folded(address string) string {
	b := []byte(strings.TrimSpace(address))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// mailbox is an address without the tag after a + in it, folded: what goes to one mailbox for all that mail servers say. It is for counting
// alone, and tells no two people apart.
func mailbox(address string) string {
	local, domain, _ := strings.Cut(folded(address), "@")
	if name, _, _ := strings.Cut(local, "+"); name != "" {
		local = name
	}
	return local + "@" + domain
}

// topLevel is the partner right below the root that a path leads through, or the root itself. Who is admin there can make partners and API
// clients without end, so what is to be bounded is counted for all of them together.
func topLevel(path hierarchy.Path) ident.Node { return path.At(min(1, path.Depth()-1)) }

// countLink counts a link that is mailed from now on, for the top-level partner at a path, for the mailbox that it goes to, and for both
// together, so that nobody uses up what others may send to a mailbox. A hash is kept of the mailbox. The refusals are alike: they do not tell
// what others have sent, and where.
func (i *Invitation) countLink(path hierarchy.Path, now time.Time) []Step {
	sum := sha256.Sum256([]byte(mailbox(i.Email)))
	to, top := hex.EncodeToString(sum[:]), string(topLevel(path))
	tooMany := tomorrow(now, "Too many invitations were sent today, or too many of their mails bounced or were reported as spam. "+
		"Check the invitations whose mail bounced, and send the next invitation tomorrow (UTC).")
	return []Step{Count{Key: "link-" + top + "-" + to, At: now, Most: LinksToADay, Else: tooMany},
		Count{Key: "link-" + to, At: now, Most: LinksToAllADay, Else: tooMany},
		Count{Key: "link-" + top, At: now, Most: LinksBelowADay, Else: tooMany}}
}

// countBounce counts a mail that bounced or was complained about as many links, so that a partner whose mails bounce is slowed before Amazon
// stops the mail of all. It never fails for that.
func countBounce(path hierarchy.Path, now time.Time) Step {
	return Count{Key: "link-" + string(topLevel(path)), At: now, Most: math.MaxInt32, More: BounceCosts - 1, Else: ErrChanged}
}

// tomorrow is the refusal of one more invitation today.
func tomorrow(now time.Time, format string, args ...any) error {
	err := fault.TooManyInvitations.New(format, args...)
	err.RetryAfter = untilTomorrow(now)
	return err
}

// untilTomorrow is how long the day (UTC) lasts, after which counts begin anew.
func untilTomorrow(now time.Time) time.Duration {
	return now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
}

// Invite invites somebody. It needs access.Invite at the node, and the role. The event tells notify to mail the link.
func (d *Directory) Invite(ctx context.Context, c Caller, in NewInvitation) (Invitation, error) {
	return Do(ctx, d, c, in.Node, access.Invite, Want{Records: theKeyring},
		func(v *View, _ *hierarchy.Node, dec access.Decision) (Plan[Invitation], error) {
			if err := Live(dec.Place); err != nil {
				return Plan[Invitation]{}, err
			}
			if err := mayGrant(dec, in.Role); err != nil {
				return Plan[Invitation]{}, err
			}
			ring, err := d.ring(ctx, v)
			if err != nil {
				return Plan[Invitation]{}, err
			}
			now := d.now()
			i := Invitation{ID: ident.NewInvitation(), Node: in.Node, Email: in.Email, Name: in.Name, Role: in.Role, Message: in.Message,
				State: InvitationPending, Created: now, Version: 1}
			if err := i.link(ring, c, now, time.Duration(in.Days)*24*time.Hour); err != nil {
				return Plan[Invitation]{}, err
			}
			tooMany := tomorrow(now, "%d invitations were made here today. Make the next one tomorrow (UTC).", InvitationsADay)
			return Plan[Invitation]{i.seen(now), slices.Concat([]Step{Put{Now: &i, Else: ErrExists},
				Count{Node: in.Node, Key: "invitations", At: now, Most: InvitationsADay, Else: tooMany}}, i.countLink(dec.Place.Path, now),
				[]Step{stillInviter(v, in.Node, dec.Place, i.needs()), d.Event(c, in.Node, dec.Place.Path, event.InvitationMadeData{Invitation: i.about()})})}, nil
		})
}

// Invitations lists the invitations at the very node, the newest first, and says of those that are pending whether anybody can accept them. It
// needs access.Invite.
func (d *Directory) Invitations(ctx context.Context, c Caller, node ident.Node, p Paging) (List[Invitation], error) {
	none, list := List[Invitation]{}, ListName(InvitationsAt.Name, string(node))
	var found Page[Invitation]
	var pageErr error
	sum, after, cursorErr := splitCursor(p.Cursor)
	if cursorErr == nil {
		found, pageErr = ListAt(ctx, d.store, InvitationsAt, node, after, p.Limit)
	}
	now := d.now()
	var senders []ident.Principal
	for i := range found.Items {
		found.Items[i] = found.Items[i].seen(now)
		if one := &found.Items[i]; one.State == InvitationPending && !slices.Contains(senders, one.By) {
			senders = append(senders, one.By)
		}
	}
	// The caller is read with the first senders: nothing that was found is told before.
	for first := true; first || len(senders) > 0; first = false {
		some := senders[:min(len(senders), readAtOnce)]
		senders = senders[len(some):]
		v, err := d.Read(ctx, c, Want{Nodes: []ident.Node{node}, Records: slices.Concat(access.Principals.Refs(some...), theKeyring)})
		if err != nil {
			return none, err
		}
		if _, _, err := v.Decide(node, access.Invite); err != nil {
			return none, err
		}
		if first {
			if err := cmp.Or(cursorErr, checkCursor(v.Caller, list, sum, after), pageErr); err != nil {
				return none, err
			}
			found.Next = signCursor(v.Caller, list, found.Next)
		}
		for i := range found.Items {
			if one := &found.Items[i]; one.State == InvitationPending && slices.Contains(some, one.By) {
				_, _, one.Problem = one.stands(&v.Got)
			}
		}
	}
	return List[Invitation](found), nil
}

// Invitation returns an invitation to those who have access.Invite at its node, and says whether anybody can accept it.
func (d *Directory) Invitation(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	return Retry(func() (none Invitation, err error) {
		v, err := d.Read(ctx, c, Want{Records: Invitations.Refs(id)})
		if err != nil {
			return none, err
		}
		node, by := Nowhere, nobody
		if i := Invitations.In(v.Records, id); i != nil {
			node, by = i.Node, i.By
		}
		w := Want{Nodes: []ident.Node{node}, Records: slices.Concat(Invitations.Refs(id), access.Principals.Refs(by), theKeyring)}
		if v, err = d.Read(ctx, c, w); err != nil {
			return none, err
		}
		if _, _, err := v.Decide(node, access.Invite); err != nil {
			return none, err
		}
		i := Invitations.In(v.Records, id)
		switch {
		case i == nil:
			return none, access.Hidden()
		case i.By != by: // somebody else has sent it again since
			return none, ErrChanged
		}
		seen := i.seen(d.now())
		if seen.State == InvitationPending {
			_, _, seen.Problem = i.stands(&v.Got)
		}
		return seen, nil
	})
}

// invitationData makes the data of an event from what is told of every invitation.
type invitationData func(event.Invitation) event.Payload

func resent(i event.Invitation) event.Payload  { return event.InvitationResentData{Invitation: i} }
func revoked(i event.Invitation) event.Payload { return event.InvitationRevokedData{Invitation: i} }

// editInvitation commits what change makes of an invitation, with the event and the steps that change returns: with no event, nothing is
// written.
func editInvitation(ctx context.Context, d *Directory, c Caller, id ident.Invitation,
	change func(v *View, now *Invitation, dec access.Decision) (invitationData, []Step, error)) (Invitation, error) {
	at := func(i *Invitation) ident.Node { return i.Node }
	return DoOn(ctx, d, c, Invitations, id, at, access.Invite, Want{Records: theKeyring},
		func(v *View, was *Invitation, _ *hierarchy.Node, dec access.Decision) (Plan[Invitation], error) {
			now := *was
			data, more, err := change(v, &now, dec)
			if err != nil {
				return Plan[Invitation]{}, err
			}
			if data == nil {
				return Plan[Invitation]{Answer: was.seen(d.now())}, nil
			}
			if err := Match(c.IfMatch, was.Version); err != nil {
				return Plan[Invitation]{}, err
			}
			now.Version++
			return Plan[Invitation]{now.seen(d.now()), append(more, Put{Was: was, Now: &now, Else: ErrChanged},
				d.Event(c, now.Node, dec.Place.Path, data(now.about())))}, nil
		})
}

// Resend makes a new link, by which the old one ends, and has it mailed; the invitation can be accepted for as long as at first again.
// Not sooner than ResendAfter after the last one. It takes what inviting takes, and from then on the right of whoever resends counts.
func (d *Directory) Resend(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	return editInvitation(ctx, d, c, id, func(v *View, i *Invitation, dec access.Decision) (invitationData, []Step, error) {
		if err := Live(dec.Place); err != nil {
			return nil, nil, err
		}
		now := d.now()
		if i.State != InvitationPending {
			return nil, nil, fault.InvitationClosed.New("The invitation was already %s. Make a new invitation.", i.State)
		}
		if err := mayGrant(dec, i.Role); err != nil {
			return nil, nil, err
		}
		if wait := i.Sent.Add(ResendAfter).Sub(now); wait > 0 {
			err := fault.TooSoon.New("The invitation was sent less than %d minutes ago. Wait for the mail to arrive, or send the invitation again later.",
				ResendAfter/time.Minute)
			err.RetryAfter = wait
			return nil, nil, err
		}
		if i.Generation >= MaxLinks {
			return nil, nil, fault.TooManyInvitations.New("The invitation was sent %d times, which is the maximum. Check the address, then revoke the invitation and make a new one.",
				MaxLinks)
		}
		ring, err := d.ring(ctx, v)
		if err != nil {
			return nil, nil, err
		}
		if err := i.link(ring, c, now, i.Expires.Sub(i.Sent)); err != nil {
			return nil, nil, err
		}
		return resent, append(i.countLink(dec.Place.Path, now), stillInviter(v, i.Node, dec.Place, i.needs())), nil
	})
}

// RevokeInvitation ends a pending invitation. One that is revoked already is answered as it is.
func (d *Directory) RevokeInvitation(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	return editInvitation(ctx, d, c, id, func(_ *View, i *Invitation, _ access.Decision) (invitationData, []Step, error) {
		switch i.State {
		case InvitationRevoked:
			return nil, nil, nil
		case InvitationAccepted:
			return nil, nil, fault.InvitationClosed.New("The invitation was already accepted. Remove the role of %s instead.", i.Person)
		}
		i.State, i.Closed = InvitationRevoked, d.now()
		return revoked, nil, nil
	})
}
