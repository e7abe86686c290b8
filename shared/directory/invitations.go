package directory

import (
	"context"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/people"
)

// Invitation is that somebody is asked to take a role at a node.
type Invitation struct {
	ID         ident.Invitation
	Node       ident.Node
	Email      string // to whom the mail goes, and whose it must prove to be who accepts; as it was given
	Name       hierarchy.Name
	Role       access.Role
	Message    string
	By         ident.Principal // whose right to invite counts when it is accepted, too
	State      InvitationState
	Created    time.Time
	Expires    time.Time // when it cannot be accepted any more
	Sent       time.Time // when its present link was ordered to be mailed
	Closed     time.Time // when it was accepted or revoked; zero while pending
	Generation int       // counts the links that it had; only the last one counts
	Key        int       // of the keyring, by which the link is made
	Hash       []byte    // of the link's token
	Mail       MailState
	Person     ident.Principal // who has accepted
	Version    int64
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

// Bounds of invitations.
const (
	InvitationDays    = 7  // for which an invitation can be accepted unless something else is asked for
	MaxInvitationDays = 30 // at most
	InvitationsADay   = 50 // at one node
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

// Invite invites somebody. It needs access.Invite at the node, and the role. The event tells notify to mail the link.
func (d *Directory) Invite(ctx context.Context, c Caller, in NewInvitation) (Invitation, error) {
	panic("soon")
}

// Invitations lists the invitations at the very node, the newest first. It needs access.Invite.
func (d *Directory) Invitations(ctx context.Context, c Caller, node ident.Node, p Paging) (List[Invitation], error) {
	panic("soon")
}

// Invitation returns an invitation to those who have access.Invite at its node.
func (d *Directory) Invitation(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	panic("soon")
}

// Resend makes a new link, by which the old one ends, and has it mailed; the invitation can be accepted for as long as at first again.
// Not sooner than ResendAfter after the last one.
func (d *Directory) Resend(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	panic("soon")
}

// RevokeInvitation ends a pending invitation. One that is revoked already is answered as it is.
func (d *Directory) RevokeInvitation(ctx context.Context, c Caller, id ident.Invitation) (Invitation, error) {
	panic("soon")
}

// Offer is what the holder of a link learns.
type Offer struct {
	Node    ident.Node
	Kind    hierarchy.Kind
	Partner hierarchy.Name // of the node
	Brand   hierarchy.Name // under which its portal appears; of a customer: its own
	Email   string
	Name    hierarchy.Name
	Role    access.Role
	Message string
	Expires time.Time
}

// Offered is what the link with this token offers, or why it cannot be used (fault.InvitationClosed) or is none (fault.NotFound). It takes no
// caller: who has the link has the token.
func (d *Directory) Offered(ctx context.Context, t people.Token) (Offer, error) { panic("soon") }

// AcceptInvitation gives somebody who has signed in what they were invited to. Everything is checked now: the token, that their verified address is
// the invited one (fault.NotInvited), the inviter's right, the node's state. A repetition by the same person succeeds.
func (d *Directory) AcceptInvitation(ctx context.Context, who people.SignedIn, t people.Token, request string) (Node, error) {
	panic("soon")
}

// Mail is what is mailed for an invitation.
type Mail struct {
	Offer
	Token      people.Token
	Generation int
}

// ClaimMail begins the mailing of an invitation's link of a generation: of all who ask, one gets it, once. Others, and whoever comes for a link
// that is not the present one or an invitation that is closed, get nil.
func (d *Directory) ClaimMail(ctx context.Context, id ident.Invitation, generation int) (*Mail, error) {
	panic("soon")
}

// NoteMail writes what became of a mail, unless another link was mailed since. States only go on: from sending to sent to bounced or complained.
func (d *Directory) NoteMail(ctx context.Context, id ident.Invitation, generation int, state MailState) error {
	panic("soon")
}

// Keyring is the platform's keyring, which is made when there is none.
func (d *Directory) Keyring(ctx context.Context) (people.Keyring, error) { panic("soon") }

// RotateKeyring makes a new key, with which everything is sealed from now on.
func (d *Directory) RotateKeyring(ctx context.Context) error { panic("soon") }

// SetRole gives somebody who has a role at the very node another one; access.None takes it away. It needs access.Invite, both roles, and that it
// is somebody else. API clients at their home are managed there (ManageClients), and elsewhere in the same way as people.
func (d *Directory) SetRole(ctx context.Context, c Caller, node ident.Node, who ident.Principal, role access.Role) error {
	panic("soon")
}

// SignOutEverywhere ends all sessions of the caller, who is a person, this one too.
func (d *Directory) SignOutEverywhere(ctx context.Context, c Caller) error { panic("soon") }
