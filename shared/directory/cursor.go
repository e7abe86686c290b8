package directory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/fault"
)

const macLen = 16

// A cursor is a store's position with a keyed hash over it, the list that it belongs to, and the principal (whose own
// key it is). It is checked after the page was read side by side with the principal: a page under a cursor that proves
// wrong is thrown away.
func signCursor(p *access.Principal, list, position string) string {
	if position == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(mac(p, list, position), position...))
}

// splitCursor takes a cursor apart without trusting it.
func splitCursor(cursor string) (sum []byte, position string, err error) {
	if cursor == "" {
		return nil, "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) <= macLen || len(b) > 2048 {
		return nil, "", badCursor()
	}
	return b[:macLen], string(b[macLen:]), nil
}

// checkCursor refuses a position that was not signed for this principal and list.
func checkCursor(p *access.Principal, list string, sum []byte, position string) error {
	if position == "" || hmac.Equal(sum, mac(p, list, position)) {
		return nil
	}
	return badCursor()
}

func badCursor() error {
	return fault.InvalidCursor.New("The cursor was not made for you and this list. Begin again without a cursor, and follow `next` as it is.")
}

func mac(p *access.Principal, list, position string) []byte {
	h := hmac.New(sha256.New, p.CursorKey)
	h.Write([]byte(list + "\x00" + position))
	return h.Sum(nil)[:macLen]
}

// ListName names a list for its cursors: what is listed, of what, and how it is filtered.
func ListName(parts ...string) string { return strings.Join(parts, "\x00") }
