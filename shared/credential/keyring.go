package credential

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"example.com/partnertree/shared/ident"
)

// Keyring is the platform's own secrets, the newest first: what they seal, only the platform can have made. It is kept in the table:
// whoever can read it there can make sessions of anybody.
type Keyring []Key

// Key is one of them. Its ID rises with each.
type Key struct {
	ID      int
	Secret  [32]byte
	Created time.Time
}

// String hides the secret.
func (k Key) String() string { return "key " + strconv.Itoa(k.ID) }

// MaxKeys is how many there are at most: a rotation leaves one old key, by which running sessions go on.
const MaxKeys = 2

// Rotated is the keyring with a new key.
func (r Keyring) Rotated(now time.Time) Keyring {
	k := Key{ID: 1, Created: now}
	if len(r) > 0 {
		k.ID = r[0].ID + 1
	}
	rand.Read(k.Secret[:]) // never fails
	next := append(Keyring{k}, r...)
	return next[:min(len(next), MaxKeys)]
}

// Has reports whether a key is in the keyring. What another one sealed does not count any more.
func (r Keyring) Has(id int) bool {
	_, ok := r.key(id)
	return ok
}

// key finds a key by its id.
func (r Keyring) key(id int) (Key, bool) {
	for _, k := range r {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

// mac is the keyed hash of what, for one purpose: nothing that was sealed for another one fits.
func (k *Key) mac(purpose string, what []byte) []byte {
	h := hmac.New(sha256.New, k.Secret[:])
	h.Write(binary.AppendUvarint(nil, uint64(len(purpose))))
	h.Write([]byte(purpose))
	h.Write(what)
	return h.Sum(nil)
}

// InvitationToken is what the link of an invitation carries: its bare id and 256 bits that follow from the key, the id and how often the
// link was made anew. So it need not be kept to be mailed, and only its Hash is. It reports false when the keyring has no such key any
// more.
func (r Keyring) InvitationToken(key int, id ident.Invitation, generation int) (Token, bool) {
	k, ok := r.key(key)
	if !ok {
		return Token{}, false
	}
	return Token{id, [32]byte(k.mac("invitation", binary.AppendUvarint([]byte(id), uint64(generation))))}, true
}
