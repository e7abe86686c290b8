// Package ident makes and reads ids. An id is a prefix that tells the kind, and 80 random bits.
// All ids are exactly Len bytes long, so an id can never be the beginning of another.
package ident

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
)

// Len is the length of every id in bytes: 4 of prefix, 16 of base32.
const Len = 20

// alphabet is Crockford's base32 in lower case: no i, l, o, u, so that ids survive being read aloud.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

var encoding = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// Each kind of id is a type of its own, so that two of them cannot be swapped.
type (
	Node        string // ptn_… or cus_…: a node of the tree
	Brand       string // brd_…
	Principal   string // cli_…: an API client; usr_…: a person. Who can be granted roles
	Key         string // key_…: one secret of an API client
	Event       string // evt_…
	Job         string // job_…: long work
	Invitation  string // inv_…: somebody is invited at a node
	MoveRequest string // mrq_…: somebody asks for a move to where they are no admin
)

// Prefixes.
const (
	Partner    = "ptn_"
	Customer   = "cus_"
	brand      = "brd_"
	client     = "cli_"
	key        = "key_"
	event      = "evt_"
	job        = "job_"
	Person     = "usr_"
	invitation = "inv_"
	request    = "mrq_"
)

// New makes an id with a prefix of four characters. A feature beside this package has a prefix, and a type of ids, of its own.
func New[T ~string](prefix string) T {
	var b [BitsLen]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return T(prefix + encoding.EncodeToString(b[:]))
}

// NewPartner and the functions below make a new id.
func NewPartner() Node            { return New[Node](Partner) }
func NewCustomer() Node           { return New[Node](Customer) }
func NewBrand() Brand             { return New[Brand](brand) }
func NewClient() Principal        { return New[Principal](client) }
func NewKey() Key                 { return New[Key](key) }
func NewEvent() Event             { return New[Event](event) }
func NewJob() Job                 { return New[Job](job) }
func NewInvitation() Invitation   { return New[Invitation](invitation) }
func NewMoveRequest() MoveRequest { return New[MoveRequest](request) }

// ParseNode and the functions below read an id. Their error says what an id looks like and never repeats the input.
func ParseNode(s string) (Node, error) {
	if wellFormed(s, Partner) || wellFormed(s, Customer) {
		return Node(s), nil
	}
	return "", fmt.Errorf("must be the id of a partner (ptn_ and 16 characters) or of a customer (cus_ and 16 characters)")
}

// ParsePartner reads the id of a partner.
func ParsePartner(s string) (Node, error) { return Parse[Node](s, Partner, "a partner") }

// ParseCustomer reads the id of a customer.
func ParseCustomer(s string) (Node, error) { return Parse[Node](s, Customer, "a customer") }

// ParseBrand reads the id of a brand.
func ParseBrand(s string) (Brand, error) { return Parse[Brand](s, brand, "a brand") }

// ParseJob reads the id of a job.
func ParseJob(s string) (Job, error) { return Parse[Job](s, job, "a job") }

// ParseMoveRequest reads the id of a move request.
func ParseMoveRequest(s string) (MoveRequest, error) {
	return Parse[MoveRequest](s, request, "a move request")
}

// PersonOf returns the principal id of a person: an object of a Microsoft Entra tenant, both given as GUIDs in lower case. The id is
// the first 80 bits of their SHA-256, so nobody has to look the id up; to be taken for somebody else takes as many tries as to guess an id.
func PersonOf(tenant, object string) Principal {
	sum := sha256.Sum256([]byte(tenant + "/" + object))
	return Principal(Person + encoding.EncodeToString(sum[:BitsLen]))
}

// IsPerson reports whether the principal is a person, not an API client.
func (p Principal) IsPerson() bool { return len(p) == Len && p[:4] == Person }

// ParsePrincipal reads the id of an API client or of a person.
func ParsePrincipal(s string) (Principal, error) {
	if wellFormed(s, client) || wellFormed(s, Person) {
		return Principal(s), nil
	}
	return "", fmt.Errorf("must be the id of an API client (cli_ and 16 characters) or of a person (usr_ and 16 characters)")
}

// ParsePerson reads the id of a person.
func ParsePerson(s string) (Principal, error) { return Parse[Principal](s, Person, "a person") }

// ParseInvitation reads the id of an invitation.
func ParseInvitation(s string) (Invitation, error) {
	return Parse[Invitation](s, invitation, "an invitation")
}

// InvitationFrom reads the bare id of an invitation.
func InvitationFrom(bare string) (Invitation, error) { return ParseInvitation(invitation + bare) }

// ParseClient reads the id of an API client.
func ParseClient(s string) (Principal, error) { return Parse[Principal](s, client, "an API client") }

// ParseKey reads the id of a secret.
func ParseKey(s string) (Key, error) { return Parse[Key](s, key, "a secret") }

// Parse reads an id with a prefix. The error says what an id of what looks like, and never repeats the input.
func Parse[T ~string](s, prefix, what string) (T, error) {
	if !wellFormed(s, prefix) {
		return "", fmt.Errorf("must be the id of %s: %s and 16 characters of 0-9, a-z without i, l, o, u", what, prefix)
	}
	return T(s), nil
}

func wellFormed(s, prefix string) bool {
	if len(s) != Len || s[:4] != prefix {
		return false
	}
	for i := 4; i < Len; i++ {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' && c != 'i' && c != 'l' && c != 'o' && c != 'u') {
			return false
		}
	}
	return true
}

// BitsLen is how many bytes the random bits of an id are.
const BitsLen = 10

// AppendBits appends the random bits that the 16 characters after the prefix stand for. They and the prefix make the id
// again, in half the space.
func AppendBits[T ~string](to []byte, id T) ([]byte, error) {
	if len(id) != Len {
		return nil, fmt.Errorf("an id of %d bytes", len(id))
	}
	return encoding.AppendDecode(to, []byte(id[4:]))
}

// NodeOf returns the id of the kind that begins with prefix and has these bits.
func NodeOf(prefix string, bits [BitsLen]byte) Node {
	return Node(prefix + encoding.EncodeToString(bits[:]))
}

// Bare returns an id without its prefix, as it stands inside an API key.
func Bare[T ~string](id T) string { return string(id[4:]) }

// ClientFrom reads the bare id of an API client.
func ClientFrom(bare string) (Principal, error) { return ParseClient(client + bare) }

// KeyFrom reads the bare id of a secret.
func KeyFrom(bare string) (Key, error) { return ParseKey(key + bare) }
