package shape

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"example.com/partnertree/functions/internal/input"
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
	Problem *InvitationProblem        `json:"problem,omitzero"`
	Mail    directory.MailState       `json:"mail"`
	Unsent  *MailProblem              `json:"mailProblem,omitzero"`
	By      ident.Principal           `json:"invitedBy"`
	Version int64                     `json:"version"`
	Created string                    `json:"createdAt"`
	Expires string                    `json:"expiresAt"`
	Sent    string                    `json:"sentAt"`
	Closed  string                    `json:"closedAt,omitzero"`
	Person  ident.Principal           `json:"principalId,omitzero"`
}

// InvitationProblem is why nobody can accept a pending invitation just now, and what to do.
type InvitationProblem struct {
	Code   directory.InvitationProblem `json:"code"`
	Detail string                      `json:"detail"`
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
		out.Unsent = &MailProblem{i.MailProblem, i.MailProblem.Advice()}
	}
	if i.Problem != "" {
		out.Problem = &InvitationProblem{i.Problem, i.Problem.Advice()}
	}
	return out
}

// NewInvitation reads an invitation to make, all but its node.
func NewInvitation(o *input.Object) directory.NewInvitation {
	return directory.NewInvitation{
		Email:   input.Required(o, "email", parseEmail),
		Role:    Role(o),
		Message: input.OptionalOr(o, "message", "", hierarchy.ParseReason),
		Name:    input.OptionalOr(o, "name", "", directory.ParsePersonName),
		Days:    input.OptionalOr(o, "expiresInDays", directory.InvitationDays, parseDays),
	}
}

// Bounds of a mail address in bytes (RFC 5321, 4.5.3.1).
const (
	maxEmail     = 254
	maxLocalPart = 64
)

// parseEmail takes the addresses that mail can be sent to everywhere: in ASCII, and the part before the @ without quotes.
func parseEmail(s string) (string, error) {
	s = strings.TrimSpace(s)
	local, domain, ok := strings.Cut(s, "@")
	parsed, err := hierarchy.ParseDomain(domain) // which takes white space off, and nothing for none
	named := err == nil && domain != "" && strings.EqualFold(parsed, domain)
	beyond := strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) // some of which is ASCII in lower case
	if !ok || !named || beyond || len(s) > maxEmail || len(local) > maxLocalPart || !dotAtom(local) {
		return "", errors.New("must be a mail address in ASCII, like alice@vale.example; write international domains in their xn-- form")
	}
	return s, nil
}

// dotAtom reports whether s is a dot-atom (RFC 5322, 3.2.3): words with single dots between them.
func dotAtom(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if word == "" || strings.Trim(word, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-/=?^_`{|}~") != "" {
			return false
		}
	}
	return true
}

func parseDays(n int) (int, error) {
	if n < 1 || n > directory.MaxInvitationDays {
		return 0, fmt.Errorf("must be from 1 to %d", directory.MaxInvitationDays)
	}
	return n, nil
}
