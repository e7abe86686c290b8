package directory

import (
	"context"
	"errors"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/guest"
	"example.com/partnertree/shared/ident"
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

// MailProblem is the reason why nothing is mailed: a guest.Refusal of the invited person, or InvitationVoid. A new link tries again.
type MailProblem string

// InvitationVoid says that nobody could have accepted the invitation when its mail was due.
const InvitationVoid MailProblem = "invitation-void"

// Advice returns what is wrong and what to do, for people who manage users.
func (p MailProblem) Advice() string {
	if p == InvitationVoid {
		return "When the mail was due, nobody could have accepted the invitation. The partner or customer is suspended or in the trash, or the " +
			"sender may not invite there any more, or all links were ended. Somebody who may invite there can send the invitation again."
	}
	return guest.Refusal(p).Advice()
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

// PreviewMail returns the mail that an invitation would bring, without the link: it is for who is about to invite.
func (d *Directory) PreviewMail(ctx context.Context, c Caller, in NewInvitation) (*Mail, error) {
	v, node, _, err := d.Reach(ctx, c, in.Node, access.Invite)
	if err != nil {
		return nil, err
	}
	i := &Invitation{Node: in.Node, Email: in.Email, Name: in.Name, Role: in.Role, Message: in.Message, By: c.Principal,
		Expires: d.now().Add(time.Duration(in.Days) * 24 * time.Hour)}
	offer, err := d.offer(ctx, i, node, v.Caller)
	return &Mail{Offer: offer}, err
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

// rank orders the states of a mail that was begun.
var rank = map[MailState]int{MailSending: 1, MailSent: 2, MailBounced: 3, MailComplained: 3, MailFailed: 3}

// NoteMail writes what became of a mail, unless another link was mailed since. States only go on: from sending to sent to bounced or
// complained. The last two are counted for the top-level partner (BounceCosts).
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
		now := *i
		now.Mail, now.Version = state, i.Version+1
		steps := []Step{Put{Was: i, Now: &now, Else: ErrChanged}}
		if state == MailBounced || state == MailComplained {
			if got, err = d.store.Read(ctx, Want{Nodes: []ident.Node{i.Node}}); err != nil {
				return none, err
			}
			if node := got.Nodes[i.Node]; node != nil {
				steps = append(steps, countBounce(got.Tree.Place(node).Path, d.now()))
			}
		}
		return none, d.store.Commit(ctx, steps...)
	})
	return err
}
