package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/guest"
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

// MailState is what became of the mail with the present link.
type MailState string

// The states.
const (
	MailQueued     MailState = "queued"
	MailSending    MailState = "sending" // it was begun; if that is long ago, nobody knows whether it was sent, and it is not tried again
	MailSent       MailState = "sent"
	MailBounced    MailState = "bounced"
	MailComplained MailState = "complained"
	MailFailed     MailState = "failed" // it was refused for good
)

// MailProblem is why nothing is mailed: a guest.Refusal of whoever is invited, or InvitationVoid. A new link tries again.
type MailProblem string

// InvitationVoid says that nobody could have accepted the invitation when its mail was due.
const InvitationVoid MailProblem = "invitation-void"

// Advice says in a sentence what is wrong and what to do about it, to those who manage users.
func (p MailProblem) Advice() string {
	if p == InvitationVoid {
		return "When the mail was due nobody could have accepted the invitation: it is to something that is suspended or in the trash, " +
			"whoever sent it may not invite there any more, or all links were ended. Somebody who may invite there can send it again."
	}
	return guest.Refusal(p).Advice()
}

// Bounds of invitations.
const (
	InvitationDays    = 7   // for which an invitation can be accepted unless something else is asked for
	MaxInvitationDays = 30  // at most
	InvitationsADay   = 50  // at one node
	LinksToADay       = 5   // that are mailed to one address
	LinksByADay       = 200 // that one principal has mailed
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
		return fault.InvitationClosed.New("The invitation was used already. Sign in with the account that used it, or ask those who " +
			"invited you for a new one.")
	case InvitationRevoked:
		return fault.InvitationClosed.New("The invitation was withdrawn. Ask those who invited you for a new one.")
	default:
		return fault.InvitationClosed.New("The invitation has expired. Ask those who invited you for a new one.")
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
func (i *Invitation) about() map[string]any {
	return map[string]any{"invitationId": i.ID, "generation": i.Generation, "role": i.Role, "name": i.Name}
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

// countLink counts a link that is mailed from now on: for the address that it goes to, on the whole platform, of which a hash is kept, and
// for whoever has it mailed. The refusal does not tell what others have sent to the address.
func (i *Invitation) countLink(now time.Time) []Step {
	to := sha256.Sum256([]byte(folded(i.Email)))
	tooMany := tomorrow(now, "Too many invitations were sent today. Send the next one tomorrow (UTC).")
	return []Step{Count{Key: "link-" + hex.EncodeToString(to[:]), At: now, Most: LinksToADay, Else: tooMany},
		Count{Key: "link-" + string(i.By), At: now, Most: LinksByADay, Else: tooMany}}
}

// tomorrow is the refusal of one more invitation today.
func tomorrow(now time.Time, format string, args ...any) error {
	err := fault.TooManyInvitations.New(format, args...)
	err.RetryAfter = now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
	return err
}

// stillInviter holds the right to invite to a role until the commit.
func stillInviter(v *View, node ident.Node, place hierarchy.Place, needs access.Role) CheckGrant {
	right := nearest(v.Caller, node, place, access.Invite, func(dec *access.Decision) bool { return dec.Role >= needs })
	return CheckGrant{Principal: v.Caller.ID, Node: right, Role: needs, Else: ErrChanged}
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
				Count{Node: in.Node, Key: "invitations", At: now, Most: InvitationsADay, Else: tooMany}}, i.countLink(now),
				[]Step{stillInviter(v, in.Node, dec.Place, i.needs()), d.Event(c, event.InvitationMade, in.Node, dec.Place.Path, i.about())})}, nil
		})
}

// Invitations lists the invitations at the very node, the newest first. It needs access.Invite.
func (d *Directory) Invitations(ctx context.Context, c Caller, node ident.Node, p Paging) (List[Invitation], error) {
	_, page, err := PageAt(ctx, d, c, node, access.Invite, ListName("invitations", string(node)), p,
		func(ctx context.Context, after string) (Page[Invitation], error) {
			return ListAt(ctx, d.store, InvitationsAt, node, after, p.Limit)
		})
	now := d.now()
	for i := range page.Items {
		page.Items[i] = page.Items[i].seen(now)
	}
	return page, err
}

// invitedAt is the node of an invitation; one that there is not takes as many reads as one out of sight.
func (d *Directory) invitedAt(ctx context.Context, c Caller, id ident.Invitation) (ident.Node, error) {
	v, err := d.Read(ctx, c, Want{Records: Invitations.Refs(id)})
	if err != nil {
		return "", err
	}
	if i := Invitations.In(v.Records, id); i != nil {
		return i.Node, nil
	}
	return Nowhere, nil
}

// Invitation returns an invitation to those who have access.Invite at its node.
func (d *Directory) Invitation(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	return editInvitation(ctx, d, c, id, func(*View, *Invitation, access.Decision) (event.Type, []Step, error) { return "", nil, nil })
}

// editInvitation commits what change makes of an invitation, with the event of the type and the steps that change returns: with no
// event, nothing is written.
func editInvitation(ctx context.Context, d *Directory, c Caller, id ident.Invitation,
	change func(v *View, now *Invitation, dec access.Decision) (event.Type, []Step, error)) (Invitation, error) {
	return Retry(func() (none Invitation, err error) {
		node, err := d.invitedAt(ctx, c, id)
		if err != nil {
			return none, err
		}
		return Round(ctx, d, c, node, access.Invite, Want{Records: append(Invitations.Refs(id), theKeyring...)},
			func(v *View, _ *hierarchy.Node, dec access.Decision) (Plan[Invitation], error) {
				was := Invitations.In(v.Records, id)
				if was == nil {
					return Plan[Invitation]{}, access.Hidden()
				}
				now := *was
				t, more, err := change(v, &now, dec)
				if err != nil {
					return Plan[Invitation]{}, err
				}
				if t == "" {
					return Plan[Invitation]{Answer: was.seen(d.now())}, nil
				}
				if err := Match(c.IfMatch, was.Version); err != nil {
					return Plan[Invitation]{}, err
				}
				now.Version++
				return Plan[Invitation]{now.seen(d.now()), append(more, Put{Was: was, Now: &now, Else: ErrChanged},
					d.Event(c, t, now.Node, dec.Place.Path, now.about()))}, nil
			})
	})
}

// Resend makes a new link, by which the old one ends, and has it mailed; the invitation can be accepted for as long as at first again.
// Not sooner than ResendAfter after the last one. It takes what inviting takes, and from then on the right of whoever resends counts.
func (d *Directory) Resend(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	return editInvitation(ctx, d, c, id, func(v *View, i *Invitation, dec access.Decision) (event.Type, []Step, error) {
		if err := Live(dec.Place); err != nil {
			return "", nil, err
		}
		now := d.now()
		if i.State != InvitationPending {
			return "", nil, fault.InvitationClosed.New("The invitation was %s already. Make a new one.", i.State)
		}
		if err := mayGrant(dec, i.Role); err != nil {
			return "", nil, err
		}
		if wait := i.Sent.Add(ResendAfter).Sub(now); wait > 0 {
			err := fault.TooSoon.New("It was sent less than %d minutes ago. Wait for it to arrive, or send it again later.",
				ResendAfter/time.Minute)
			err.RetryAfter = wait
			return "", nil, err
		}
		if i.Generation >= MaxLinks {
			return "", nil, fault.TooManyInvitations.New("It was sent %d times. Ask whether the address is right; then revoke it and make a new one.",
				MaxLinks)
		}
		ring, err := d.ring(ctx, v)
		if err != nil {
			return "", nil, err
		}
		if err := i.link(ring, c, now, i.Expires.Sub(i.Sent)); err != nil {
			return "", nil, err
		}
		return event.InvitationResent, append(i.countLink(now), stillInviter(v, i.Node, dec.Place, i.needs())), nil
	})
}

// RevokeInvitation ends a pending invitation. One that is revoked already is answered as it is.
func (d *Directory) RevokeInvitation(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	return editInvitation(ctx, d, c, id, func(_ *View, i *Invitation, _ access.Decision) (event.Type, []Step, error) {
		switch i.State {
		case InvitationRevoked:
			return "", nil, nil
		case InvitationAccepted:
			return "", nil, fault.InvitationClosed.New("The invitation was accepted already. Take the role of %s away instead.", i.Person)
		}
		i.State, i.Closed = InvitationRevoked, d.now()
		return event.InvitationRevoked, nil, nil
	})
}

// Offer is what the holder of a link learns.
type Offer struct {
	Node    ident.Node
	Kind    hierarchy.Kind
	Partner hierarchy.Name // of the node
	Brand   *brand.Brand   // under which its portal appears; of a customer: its own; nil when there is none
	Email   string
	Name    hierarchy.Name
	Role    access.Role
	Message string
	Expires time.Time
	Guest   Guest          // who can accept whatever Microsoft says of their address
	By      hierarchy.Name // who invites; "" when they have no name
	// Accepted says that who asks has accepted the invitation before. Nothing else is told then.
	Accepted bool
}

// offer is what an invitation to a node offers; by is who invites.
func (d *Directory) offer(ctx context.Context, i *Invitation, node *hierarchy.Node, by *access.Principal) (Offer, error) {
	o := Offer{Node: i.Node, Kind: node.Kind(), Partner: node.Name, Email: i.Email, Name: i.Name, Role: i.Role, Message: i.Message,
		Expires: i.Expires, Guest: i.Guest}
	if by.Name != unnamed {
		o.By = by.Name
	}
	id := node.Brands.Portal
	if o.Kind == hierarchy.Customer {
		id = node.Details.Brand
	}
	if id == "" { // the root may have no portal of its own
		return o, nil
	}
	got, err := d.store.Read(ctx, Want{Records: brand.Brands.Refs(id)})
	o.Brand = brand.Brands.In(got.Records, id)
	return o, err
}

// linked reads what the link with a token is about: the invitation first, and then, in one batch, all that is decided on. What is no
// link, what is not the present one, and one to what does not lie within a bound are not told apart.
func linked(t credential.Token, within ident.Node, read func(w Want) (Got, error)) (Got, *Invitation, error) {
	w := Want{Records: Invitations.Refs(t.ID)}
	for {
		got, err := read(w)
		if err != nil {
			return Got{}, nil, err
		}
		i := Invitations.In(got.Records, t.ID)
		if i == nil || !t.Fits(i.Hash) || len(w.Nodes) > 0 && !i.inScope(&got, within) {
			return Got{}, nil, fault.NotFound.New("There is no such invitation. Open the link from the newest mail, all of it; " +
				"if that does not help, ask those who invited you for a new one.")
		}
		if len(w.Nodes) > 0 {
			return got, i, nil
		}
		w.Nodes, w.Records = []ident.Node{i.Node}, append(append(w.Records, access.Principals.Ref(i.By)), theKeyring...)
	}
}

// inScope reports whether the invitation's node, which was read, inScope within a bound.
func (i *Invitation) inScope(got *Got, within ident.Node) bool {
	node := got.Nodes[i.Node]
	return within == "" || node != nil && got.Tree.Place(node).Path.Index(within) >= 0
}

// validate finds what a pending invitation lives on: the key of its link, its node, which has to be live, and where whoever invited has the
// right to. Its errors are for somebody who has no access yet: what is suspended (fault.Suspended) can be accepted later, all else cannot.
func (i *Invitation) validate(got *Got) (node *hierarchy.Node, right ident.Node, err error) {
	closed := func(why string) (*hierarchy.Node, ident.Node, error) {
		return nil, "", fault.InvitationClosed.New("%s Ask those who invited you for a new invitation.", why)
	}
	if !keyringIn(got).Has(i.Key) { // whoever had that key could make the link
		return closed("The link was withdrawn.")
	}
	if node = got.Nodes[i.Node]; node == nil {
		return closed("What you were invited to does not exist any more.")
	}
	place := got.Tree.Place(node)
	switch {
	case place.Marked(hierarchy.Purged) || place.Marked(hierarchy.Trashed):
		return closed("What you were invited to does not exist any more.")
	case place.Marked(hierarchy.Suspended):
		return nil, "", fault.Suspended.New("%s is suspended; open the link again when it is resumed.", node.Name)
	}
	if by := access.Principals.In(got.Records, i.By); by != nil && by.Revoked.IsZero() {
		right = nearest(bound(by, i.Within), i.Node, place, access.Invite, func(dec *access.Decision) bool { return dec.Role >= i.needs() })
	}
	if right == "" {
		return closed("Whoever invited you may not do so any more.")
	}
	return node, right, nil
}

// Offered is what the link with this token offers, or why it cannot be used (fault.InvitationClosed, or fault.Suspended for now) or is none
// (fault.NotFound). It checks no caller: who has the link has the token. Only what lies within a bound is offered ("": anything). who is
// the person who asks, "" for nobody who has signed in: what they have accepted themselves is not closed to them.
func (d *Directory) Offered(ctx context.Context, t credential.Token, within ident.Node, who ident.Principal) (Offer, error) {
	got, i, err := linked(t, within, func(w Want) (Got, error) { return d.store.Read(ctx, w) })
	if err != nil {
		return Offer{}, err
	}
	if i.State == InvitationAccepted && i.Person == who {
		return Offer{Accepted: true}, nil
	}
	if err := i.open(d.now()); err != nil {
		return Offer{}, err
	}
	node, _, err := i.validate(&got)
	if err != nil {
		return Offer{}, err
	}
	return d.offer(ctx, i, node, access.Principals.In(got.Records, i.By))
}

// AcceptInvitation gives somebody who has signed in what they were invited to. Everything is checked now: the token, that their verified
// address is the invited one, or that they are the guest that was made for it (fault.NotInvited), that somebody else has sent it
// (fault.OwnAccess), the inviter's right, the node's state, and that nothing was taken from them there since it was sent. Outside of
// their bound there is no invitation: whoever runs the app that signed them in could have made up the address. Who has that role or a
// higher one keeps it. A repetition by the same person succeeds for as long as they have access.
func (d *Directory) AcceptInvitation(ctx context.Context, who credential.SignedIn, t credential.Token, request string) (Node, error) {
	c := Caller{Principal: who.Principal(), Session: who.Began, Within: who.Within, RequestID: request}
	return Retry(func() (Node, error) {
		var v *View
		_, i, err := linked(t, who.Within, func(w Want) (got Got, err error) {
			if v, err = d.Read(ctx, c, w); err != nil {
				return Got{}, err
			}
			return v.Got, nil
		})
		if err != nil {
			return Node{}, err
		}
		if i.State == InvitationAccepted && i.Person == c.Principal { // what was read beside it may be from before
			_, node, dec, err := d.Reach(ctx, c, i.Node, access.Read)
			if err == nil {
				return seenBy(node, dec), nil
			}
			if !fault.NotFound.Is(err) {
				return Node{}, err
			}
		}
		now := d.now()
		if err := i.open(now); err != nil {
			return Node{}, err
		}
		if err := invited(&who, i); err != nil {
			return Node{}, err
		}
		if i.By == c.Principal {
			return Node{}, fault.OwnAccess.New("Nobody changes their own access. Have somebody else who manages users there send you the invitation.")
		}
		node, right, err := i.validate(&v.Got)
		if err != nil {
			return Node{}, err
		}
		person, granting, err := v.grant(&who, i, now)
		if err != nil {
			return Node{}, err
		}
		accepted := *i
		accepted.State, accepted.Closed, accepted.Person, accepted.Version = InvitationAccepted, now, c.Principal, i.Version+1
		dec := access.Decide(bound(person, c.Within), &v.Tree, node, access.Read)
		data := accepted.about()
		data["principalId"], data["role"], data["name"] = c.Principal, person.Grants[i.Node], person.Name
		data["version"] = person.Version
		steps := append(granting, Put{Was: i, Now: &accepted, Else: ErrChanged},
			d.Event(c, event.InvitationAccepted, i.Node, dec.Place.Path, data),
			CheckGrant{Principal: i.By, Node: right, Role: i.needs(), Else: ErrChanged})
		return seenBy(node, dec), unlessExists(d.Commit(ctx, &v.Tree, steps...))
	})
}

// invited refuses everybody but the person that the invitation was sent to. Its texts tell no address.
func invited(who *credential.SignedIn, i *Invitation) error {
	switch {
	case i.Guest.Is(who): // whether Microsoft vouches for a guest's address in its token, too, it does not promise
		return nil
	case !who.Verified:
		return fault.NotInvited.New("Microsoft does not vouch for the address of this account, so nobody can tell whether the invitation " +
			"is yours. Sign in with the account of your organization, or ask to be invited at an address of it.")
	case !SameAddress(who.Email, i.Email):
		return fault.NotInvited.New("The invitation was sent to another address than that of this account. " +
			"Sign in with the account that has the address, or ask to be invited at the address of this one.")
	}
	return nil
}

// grant is the person as they are with the role that they were invited to, and the step that makes them so: none when they have that
// role or a higher one.
func (v *View) grant(who *credential.SignedIn, i *Invitation, now time.Time) (*access.Principal, []Step, error) {
	was := access.Principals.In(v.Records, who.Principal())
	if was != nil && !i.Sent.After(lastCut(was, i.Node)) {
		return nil, nil, fault.InvitationClosed.New("The invitation was sent before your role there was changed. " +
			"Ask those who invited you for a new one.")
	}
	if was != nil && was.Grants[i.Node] >= i.Role {
		return was, nil, nil
	}
	p := newPrincipal(who.Principal(), now)
	if was != nil {
		if was.Grants[i.Node] == access.None && len(was.Grants) >= access.MaxGrants {
			return nil, nil, fault.TooManyGrants.New("You have %d roles, which is the most. Ask to be invited further up instead.", access.MaxGrants)
		}
		p = *was
		p.Grants = maps.Clone(was.Grants)
		p.Cut = recentCuts(was, now)
		p.Version++
	}
	if p.Grants == nil {
		p.Grants = map[ident.Node]access.Role{}
	}
	if p.Person == nil || who.Within == "" { // what others know somebody by is not for those to change who run some app
		p.Person = &access.Person{Tenant: who.Tenant, Object: who.Object, Email: who.Email}
		p.Name = nameOf(who)
	}
	p.Grants[i.Node] = i.Role
	if was == nil {
		return &p, []Step{Put{Now: &p, Else: ErrExists}}, nil
	}
	return &p, []Step{Put{Was: was, Now: &p, Else: ErrChanged}}, nil
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

// Bounds of access.Principal.Cut.
const (
	keepCuts = (MaxInvitationDays + 1) * 24 * time.Hour // what was sent before has expired then, by any clock
	maxCuts  = access.MaxGrants
)

// lastCut is when a role at a node was last taken away from a person or lowered, as far as that is known for the node alone.
func lastCut(p *access.Principal, node ident.Node) time.Time {
	if at := p.Cut[node]; at.After(p.Cut[""]) {
		return at
	}
	return p.Cut[""]
}

// recentCuts are a person's cuts that something may still depend on.
func recentCuts(p *access.Principal, now time.Time) map[ident.Node]time.Time {
	cuts := maps.Clone(p.Cut)
	maps.DeleteFunc(cuts, func(_ ident.Node, at time.Time) bool { return now.Sub(at) > keepCuts })
	return cuts
}

// cut notes on a person that a role at a node is taken away from them or lowered now. When there are too many notes, the oldest become one
// that counts for all nodes.
func cut(p *access.Principal, node ident.Node, now time.Time) {
	cuts := recentCuts(p, now)
	if cuts == nil {
		cuts = map[ident.Node]time.Time{}
	}
	cuts[node] = now
	for len(cuts) > maxCuts {
		oldest := oldestOf(cuts, node)
		if at := cuts[oldest]; at.After(cuts[""]) {
			cuts[""] = at
		}
		delete(cuts, oldest)
	}
	p.Cut = cuts
}

// oldestOf is the node with the earliest time, newest when there is none before that. What stands under "" for all nodes is none.
func oldestOf(times map[ident.Node]time.Time, newest ident.Node) ident.Node {
	oldest := newest
	for node, at := range times {
		if node != "" && at.Before(times[oldest]) {
			oldest = node
		}
	}
	return oldest
}

// unlessExists takes it for a change that somebody was added meanwhile: people's ids are not random.
func unlessExists(err error) error {
	if errors.Is(err, ErrExists) {
		return ErrChanged
	}
	return err
}

// Mail is what is mailed for an invitation.
type Mail struct {
	Offer
	Token      credential.Token
	Generation int
	of         *Invitation
}

// DueMail is what is to be mailed for an invitation's link of a generation. It is nil when the link is not the present one, the invitation
// is closed, or what became of its mail is known; when only that it was begun is, it gives ErrMailBegun. What nobody could accept just now
// is not mailed: its mail has failed, with InvitationVoid.
func (d *Directory) DueMail(ctx context.Context, id ident.Invitation, generation int) (*Mail, error) {
	return Retry(func() (*Mail, error) {
		got, err := d.store.Read(ctx, Want{Records: Invitations.Refs(id)})
		if err != nil {
			return nil, err
		}
		i := Invitations.In(got.Records, id)
		if i == nil || i.open(d.now()) != nil || i.Generation != generation {
			return nil, nil
		}
		switch i.Mail {
		case MailQueued:
		case MailSending:
			return nil, ErrMailBegun
		default:
			return nil, nil
		}
		if got, err = d.store.Read(ctx, Want{Nodes: []ident.Node{i.Node}, Records: append(theKeyring, access.Principals.Ref(i.By))}); err != nil {
			return nil, err
		}
		m := &Mail{Generation: generation, of: i}
		node, _, err := i.validate(&got)
		if err != nil {
			_, err := d.RefuseMail(ctx, m, InvitationVoid)
			return nil, err
		}
		m.Token, _ = keyringIn(&got).InvitationToken(i.Key, id, generation)
		m.Offer, err = d.offer(ctx, i, node, access.Principals.In(got.Records, i.By))
		if err != nil {
			return nil, err
		}
		return m, nil
	})
}

// ClaimMail begins the mailing of what DueMail gave: of all who ask, one is told that it is theirs, once. The guest is who was made one for
// it; without one, a guest of an earlier link still is.
func (d *Directory) ClaimMail(ctx context.Context, m *Mail, made Guest) (claimed bool, err error) {
	return d.noteMail(ctx, m, func(now *Invitation) {
		now.Mail = MailSending
		if made != (Guest{}) {
			now.Guest = made
		}
	})
}

// RefuseMail ends what DueMail gave without a mail. It says whether that was still to be said.
func (d *Directory) RefuseMail(ctx context.Context, m *Mail, why MailProblem) (refused bool, err error) {
	return d.noteMail(ctx, m, func(now *Invitation) { now.Mail, now.MailProblem = MailFailed, why })
}

// noteMail decides about a mail that is due, unless that was done meanwhile: nothing else changes an invitation whose mail still is.
func (d *Directory) noteMail(ctx context.Context, m *Mail, change func(now *Invitation)) (bool, error) {
	now := *m.of
	now.Version++
	change(&now)
	err := d.store.Commit(ctx, Put{Was: m.of, Now: &now, Else: ErrChanged})
	if errors.Is(err, ErrChanged) {
		return false, nil
	}
	return err == nil, err
}

func (d *Directory) mailIs(ctx context.Context, was *Invitation, state MailState) error {
	now := *was
	now.Mail, now.Version = state, was.Version+1
	return d.store.Commit(ctx, Put{Was: was, Now: &now, Else: ErrChanged})
}

// rank orders the states of a mail that was begun.
var rank = map[MailState]int{MailSending: 1, MailSent: 2, MailBounced: 3, MailComplained: 3, MailFailed: 3}

// NoteMail writes what became of a mail, unless another link was mailed since. States only go on: from sending to sent to bounced or
// complained.
func (d *Directory) NoteMail(ctx context.Context, id ident.Invitation, generation int, state MailState) error {
	_, err := Retry(func() (none struct{}, err error) {
		got, err := d.store.Read(ctx, Want{Records: Invitations.Refs(id)})
		if err != nil {
			return none, err
		}
		i := Invitations.In(got.Records, id)
		if i == nil || i.Generation != generation || i.Mail == MailQueued || rank[state] <= rank[i.Mail] {
			return none, nil
		}
		return none, d.mailIs(ctx, i, state)
	})
	return err
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

// SetRole gives somebody who has a role at the very node another one; access.None takes it away. It needs access.Invite, both roles, and
// that it is somebody else. Of an API client it takes or lowers a role that was granted beside its home, and needs access.ManageClients,
// like RemoveGrant; a higher one needs what GrantRole needs, and is given by that.
func (d *Directory) SetRole(ctx context.Context, c Caller, node ident.Node, who ident.Principal, role access.Role) error {
	needed := access.Invite
	if !who.IsPerson() {
		needed = access.ManageClients
	}
	_, err := Do(ctx, d, c, node, needed, Want{Records: access.Principals.Refs(who)},
		func(v *View, _ *hierarchy.Node, dec access.Decision) (none Plan[struct{}], err error) {
			p := access.Principals.In(v.Records, who)
			if p == nil || !p.Revoked.IsZero() || p.Grants[node] == access.None {
				return none, fault.NotFound.New("There is nobody with this id who has a role here. Who has one further up is changed there.")
			}
			was := p.Grants[node]
			switch {
			case p.Home == node:
				return none, fault.Immutable.New("It is an API client of this partner. Manage it as an API client: /v1/api-clients/%s.", who)
			case was == role:
				return none, nil
			case role > was && !who.IsPerson():
				return none, fault.Immutable.New("It is an API client. Give it a higher role where it is managed: "+
					"PUT /v1/api-clients/%s/grants/%s.", who, node)
			case c.Principal == who:
				return none, fault.OwnAccess.New("Nobody changes their own access. Ask somebody else who manages users here.")
			case was > dec.Role:
				return none, fault.RoleTooHigh.New("Your role there is %s and theirs is %s. Ask somebody who has that role too.", dec.Role, was)
			}
			if err := mayGrant(dec, role); err != nil {
				return none, err
			}
			t, told := event.UserRemoved, was
			if role != access.None {
				t, told = event.UserChanged, role
			}
			if role > was {
				if err := Untrashed(dec.Place); err != nil {
					return none, err
				}
			}
			if err := Match(c.IfMatch, p.Version); err != nil {
				return none, err
			}
			now := *p
			now.Grants = maps.Clone(p.Grants)
			now.Version++
			if now.Grants[node] = role; role == access.None {
				delete(now.Grants, node)
			}
			if role < was && who.IsPerson() {
				cut(&now, node, d.now())
			}
			// The caller's right is held: an owner who removes another one stays, as in stillOwner.
			return Plan[struct{}]{Steps: []Step{Put{Was: p, Now: &now, Else: ErrChanged},
				stillInviter(v, node, dec.Place, max(was, role, needed.Needs())),
				d.Event(c, t, node, dec.Place.Path,
					map[string]any{"principalId": who, "name": p.Name, "role": told, "version": now.Version})}}, nil
		})
	return err
}

// SignOutEverywhere ends all sessions of the caller, who is a person, this one too; but in a bounded session only those with that bound:
// whoever runs the app that it is of has no say in others. The event is the bound's, or the root's, since sessions belong to no node; for
// somebody without a role there is none: anybody can sign in.
func (d *Directory) SignOutEverywhere(ctx context.Context, c Caller) error {
	if !c.Principal.IsPerson() {
		return fault.Forbidden.New("An API client has no sessions. Remove the secret that must not be used any more.")
	}
	_, err := Retry(func() (none struct{}, err error) {
		w := Want{}
		if c.Within != "" {
			w.Nodes = []ident.Node{c.Within}
		}
		v, err := d.Read(ctx, c, w)
		if err != nil {
			return none, err
		}
		was := access.Principals.In(v.Records, c.Principal)
		if was == nil {
			now := newPrincipal(c.Principal, d.now())
			endSessions(&now, c, d.now())
			return none, unlessExists(d.store.Commit(ctx, Put{Now: &now, Else: ErrExists}))
		}
		now := *was
		endSessions(&now, c, d.now())
		now.Version++
		steps := []Step{Put{Was: was, Now: &now, Else: ErrChanged}}
		at, path := v.Tree.Root, hierarchy.Path("").Child(v.Tree.Root)
		if node := v.Nodes[c.Within]; node != nil {
			at, path = node.ID, v.Tree.Place(node).Path
		}
		if len(was.Grants) > 0 {
			steps = append(steps, d.Event(c, event.SignedOutEverywhere, at, path, map[string]any{"principalId": c.Principal}))
		}
		return none, d.Commit(ctx, &v.Tree, steps...)
	})
	return err
}

// maxBounds is of how many bounds it is known since when sessions count. For one more, the oldest is forgotten.
const maxBounds = 8

// endSessions notes on a person that sessions with the caller's bound count from now on. What is noted of others goes when no session can
// have begun before it.
func endSessions(p *access.Principal, c Caller, now time.Time) {
	if !now.After(c.Session) {
		now = c.Session.Add(time.Microsecond)
	}
	from := maps.Clone(p.SessionsFrom)
	maps.DeleteFunc(from, func(_ ident.Node, at time.Time) bool { return now.Sub(at) > credential.Absolute+time.Hour })
	if from == nil {
		from = map[ident.Node]time.Time{}
	}
	from[c.Within] = now
	for len(from) > maxBounds {
		delete(from, oldestOf(from, c.Within))
	}
	p.SessionsFrom = from
}
