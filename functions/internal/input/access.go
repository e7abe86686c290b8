package input

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Role reads a role to give.
func Role(o *Object) access.Role { return Required(o, "role", parseRole) }

func parseRole(s string) (access.Role, error) {
	role, ok := access.ParseRole(s)
	if !ok {
		return role, fmt.Errorf("must be viewer, operator, admin or owner")
	}
	return role, nil
}

// Client is an API client to make, with its first role.
type Client struct {
	Node ident.Node
	Name hierarchy.Name
	Role access.Role
}

// NewClient reads an API client to make.
func NewClient(o *Object) Client {
	return Client{
		Node: Required(o, "nodeId", ident.ParseNode),
		Name: Required(o, "name", hierarchy.ParseName),
		Role: Role(o),
	}
}

// NewInvitation reads an invitation to make, all but its node.
func NewInvitation(o *Object) directory.NewInvitation {
	return directory.NewInvitation{
		Email:   Required(o, "email", parseEmail),
		Role:    Role(o),
		Message: OptionalOr(o, "message", "", hierarchy.ParseReason),
		Name:    OptionalOr(o, "name", "", directory.ParsePersonName),
		Days:    OptionalOr(o, "expiresInDays", directory.InvitationDays, parseDays),
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
