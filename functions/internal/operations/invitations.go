package operations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

func invite(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := api.Path(r, "id", parse)
		if err != nil {
			return api.Reply{}, err
		}
		in, err := api.Body[struct {
			Email   api.Opt[string] `json:"email"`
			Name    api.Opt[string] `json:"name"`
			Role    api.Opt[string] `json:"role"`
			Message api.Opt[string] `json:"message"`
			Days    api.Opt[int]    `json:"expiresInDays"`
		}](r)
		if err != nil {
			return api.Reply{}, err
		}
		var f fault.Fields
		out := directory.NewInvitation{
			Node:    id,
			Email:   api.Required(&f, "/email", in.Email, parseEmail),
			Role:    api.Required(&f, "/role", in.Role, parseRole),
			Message: orEmpty(api.Optional(&f, "/message", in.Message, hierarchy.ParseReason)),
			Days:    directory.InvitationDays,
		}
		if name := api.Optional(&f, "/name", in.Name, directory.ParsePersonName); name != nil {
			out.Name = *name
		}
		if days := api.Optional(&f, "/expiresInDays", in.Days, parseDays); days != nil {
			out.Days = *days
		}
		if err := f.Err(); err != nil {
			return api.Reply{}, err
		}
		made, err := d.Invite(ctx, r.Caller, out)
		if err != nil {
			return api.Reply{}, err
		}
		return api.Created("/v1/invitations/"+string(made.ID), made.Version, invitationShape(made))
	}
}

// onInvitation is an operation on the invitation in the path, which takes nothing else: body reads that.
func onInvitation(do func(context.Context, directory.Caller, ident.Invitation) (directory.Invitation, error),
	body func(*api.Request) (struct{}, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		id, err := plainID(r, ident.ParseInvitation)
		if err != nil {
			return api.Reply{}, err
		}
		if _, err := body(r); err != nil {
			return api.Reply{}, err
		}
		i, err := do(ctx, r.Caller, id)
		if err != nil {
			return api.Reply{}, err
		}
		return api.OK(invitationShape(i), i.Version)
	}
}

// setUserRole and removeUser change what somebody has at a node. A role has no version that a caller could have read, so If-Match is
// not for them.
func setUserRole(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		node, who, err := nodeAndPrincipal(r, parse)
		if err != nil {
			return api.Reply{}, err
		}
		role, err := readRole(r)
		if err != nil {
			return api.Reply{}, err
		}
		return api.Done(d.SetRole(ctx, withoutMatch(r.Caller), node, who, role))
	}
}

func removeUser(d *directory.Directory, parse func(string) (ident.Node, error)) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		node, who, err := nodeAndPrincipal(r, parse)
		if err != nil {
			return api.Reply{}, err
		}
		return api.Done(d.SetRole(ctx, withoutMatch(r.Caller), node, who, access.None))
	}
}

func withoutMatch(c directory.Caller) directory.Caller {
	c.IfMatch = nil
	return c
}

func nodeAndPrincipal(r *api.Request, parse func(string) (ident.Node, error)) (ident.Node, ident.Principal, error) {
	node, err := plainID(r, parse)
	if err != nil {
		return "", "", err
	}
	who, err := api.Path(r, "principalId", ident.ParsePrincipal)
	return node, who, err
}

// readRole reads a body that has a role and nothing else.
func readRole(r *api.Request) (access.Role, error) {
	in, err := api.Body[struct {
		Role api.Opt[string] `json:"role"`
	}](r)
	if err != nil {
		return access.None, err
	}
	var f fault.Fields
	role := api.Required(&f, "/role", in.Role, parseRole)
	return role, f.Err()
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
		return "", errors.New("must be a mail address like alice@vale.example, in ASCII, an international domain in its xn-- form")
	}
	return s, nil
}

// dotAtom reports whether s is one, as RFC 5322 (3.2.3) has it: words with single dots between them.
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

// invitation never has the link, nor anything it is made from.
type invitation struct {
	ID      ident.Invitation          `json:"id"`
	Node    ident.Node                `json:"nodeId"`
	Email   string                    `json:"email"`
	Name    hierarchy.Name            `json:"name,omitzero"`
	Role    string                    `json:"role"`
	Message string                    `json:"message,omitzero"`
	State   directory.InvitationState `json:"state"`
	Mail    directory.MailState       `json:"mail"`
	Problem *mailProblem              `json:"mailProblem,omitzero"`
	By      ident.Principal           `json:"invitedBy"`
	Version int64                     `json:"version"`
	Created string                    `json:"createdAt"`
	Expires string                    `json:"expiresAt"`
	Sent    string                    `json:"sentAt"`
	Closed  string                    `json:"closedAt,omitzero"`
	Person  ident.Principal           `json:"principalId,omitzero"`
}

type mailProblem struct {
	Code   directory.MailProblem `json:"code"`
	Detail string                `json:"detail"`
}

func invitationShape(i directory.Invitation) invitation {
	out := invitation{ID: i.ID, Node: i.Node, Email: i.Email, Name: i.Name, Role: i.Role.String(), Message: i.Message, State: i.State,
		Mail: i.Mail, By: i.By, Version: i.Version, Created: stamp(i.Created), Expires: stamp(i.Expires), Sent: stamp(i.Sent), Person: i.Person}
	if i.MailProblem != "" {
		out.Problem = &mailProblem{i.MailProblem, i.MailProblem.Advice()}
	}
	if !i.Closed.IsZero() {
		out.Closed = stamp(i.Closed)
	}
	return out
}
