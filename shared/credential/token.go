package credential

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"example.com/partnertree/shared/ident"
)

// Token is what the link of an invitation carries. Printing one shows only which invitation it is of.
type Token struct {
	ID     ident.Invitation
	secret [32]byte
}

// String hides the secret.
func (t Token) String() string { return string(t.ID) }

// Text is the token as the link has it: 16 characters, a dot, and 43.
func (t Token) Text() string {
	return ident.Bare(t.ID) + "." + base64.RawURLEncoding.EncodeToString(t.secret[:])
}

// Hash is what is kept of it.
func (t Token) Hash() []byte {
	sum := sha256.Sum256(t.secret[:])
	return sum[:]
}

// Fits reports whether hash is that of this token. It takes the same time for every wrong one.
func (t Token) Fits(hash []byte) bool { return subtle.ConstantTimeCompare(t.Hash(), hash) == 1 }

// ParseToken reads what Text made. It reports false for what cannot be a token.
func ParseToken(s string) (Token, bool) {
	bare, secret, ok := strings.Cut(s, ".")
	if !ok || len(bare) != ident.Len-4 {
		return Token{}, false
	}
	id, err1 := ident.InvitationFrom(bare)
	b, err2 := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err1 != nil || err2 != nil || len(b) != 32 {
		return Token{}, false
	}
	return Token{id, [32]byte(b)}, true
}
