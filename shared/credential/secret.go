// Package credential holds what identifies principals: the secrets of API clients, the sessions of people, the links of invitations, and
// the keyring by which sessions and links are made.
package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/ident"
)

// KeyPrefix begins every API key, so that secret scanners recognize a leaked one.
const KeyPrefix = "pmk_"

const secretLen = 43 // 32 bytes in base64url without padding

// NewSecret makes a secret of 256 random bits for the client. It returns what is kept, which cannot be turned back, and
// the API key, which is shown once: pmk_<client>_<secret id>_<secret>.
func NewSecret(client ident.Principal, now time.Time) (access.Secret, string) {
	var b [32]byte
	rand.Read(b[:]) // never fails
	secret := base64.RawURLEncoding.EncodeToString(b[:])
	id := ident.NewKey()
	return access.Secret{ID: id, Hash: hash(secret), Hint: secret[secretLen-4:], Created: now},
		KeyPrefix + ident.Bare(client) + "_" + ident.Bare(id) + "_" + secret
}

// APIKey is a presented key, taken apart and not yet verified.
type APIKey struct {
	Client ident.Principal
	ID     ident.Key
	secret string
}

// ParseAPIKey takes a key apart. It reports false for what cannot be one.
func ParseAPIKey(s string) (APIKey, bool) {
	rest, ok := strings.CutPrefix(s, KeyPrefix)
	const bare = ident.Len - 4
	if !ok || len(rest) != 2*bare+2+secretLen || rest[bare] != '_' || rest[2*bare+1] != '_' {
		return APIKey{}, false
	}
	client, err1 := ident.ClientFrom(rest[:bare])
	id, err2 := ident.KeyFrom(rest[bare+1 : 2*bare+1])
	return APIKey{client, id, rest[2*bare+2:]}, err1 == nil && err2 == nil
}

// Verify reports whether the key is one of the principal's secrets that are live at a time. Comparing takes the same time for every wrong
// secret.
func (k APIKey) Verify(p *access.Principal, at time.Time) bool {
	if p.ID != k.Client || !p.Holds(k.ID, at) {
		return false
	}
	for i := range p.Secrets {
		if p.Secrets[i].ID == k.ID {
			return subtle.ConstantTimeCompare(p.Secrets[i].Hash, hash(k.secret)) == 1
		}
	}
	return false
}

func hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}
