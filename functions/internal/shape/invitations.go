package shape

import (
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Invitation is an invitation. It never has the link, nor anything that the link is made from.
type Invitation struct {
	ID      ident.Invitation          `json:"id"`
	Node    ident.Node                `json:"nodeId"`
	Email   string                    `json:"email"`
	Name    hierarchy.Name            `json:"name,omitzero"`
	Role    string                    `json:"role"`
	Message string                    `json:"message,omitzero"`
	State   directory.InvitationState `json:"state"`
	Mail    directory.MailState       `json:"mail"`
	Problem *MailProblem              `json:"mailProblem,omitzero"`
	By      ident.Principal           `json:"invitedBy"`
	Version int64                     `json:"version"`
	Created string                    `json:"createdAt"`
	Expires string                    `json:"expiresAt"`
	Sent    string                    `json:"sentAt"`
	Closed  string                    `json:"closedAt,omitzero"`
	Person  ident.Principal           `json:"principalId,omitzero"`
}

// MailProblem is why an invitation was not mailed, and what to do.
type MailProblem struct {
	Code   directory.MailProblem `json:"code"`
	Detail string                `json:"detail"`
}

// Self implements Thing.
func (i Invitation) Self() (string, int64) { return "invitations/" + string(i.ID), i.Version }

// OfInvitation returns the shape of an invitation.
func OfInvitation(i directory.Invitation) Invitation {
	out := Invitation{ID: i.ID, Node: i.Node, Email: i.Email, Name: i.Name, Role: i.Role.String(), Message: i.Message, State: i.State,
		Mail: i.Mail, By: i.By, Version: i.Version, Created: stamp(i.Created), Expires: stamp(i.Expires), Sent: stamp(i.Sent),
		Closed: stampOrNone(i.Closed), Person: i.Person}
	if i.MailProblem != "" {
		out.Problem = &MailProblem{i.MailProblem, i.MailProblem.Advice()}
	}
	return out
}
