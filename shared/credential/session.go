package credential

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/ident"
)

// SignedIn is somebody who has proved to be a person of Microsoft Entra ID.
type SignedIn struct {
	Tenant   string    `json:"t"`
	Object   string    `json:"o"`
	Name     string    `json:"n,omitempty"`
	Email    string    `json:"e,omitempty"`
	Verified bool      `json:"v,omitempty"` // whether Entra vouches for Email
	Began    time.Time `json:"b"`           // when they proved it
	App      string    `json:"a,omitempty"` // the client id of the app by which they did

	// Within is the partner that runs the app by which they did, and bounds what the session reaches; "" when the app is the platform's.
	Within ident.Node `json:"w,omitempty"`
}

// Principal is who they are.
func (s SignedIn) Principal() ident.Principal { return ident.PersonOf(s.Tenant, s.Object) }

// Limits of a session: it ends when it was not used for Idle, and Absolute after it began.
const (
	Idle     = time.Hour
	Absolute = access.MaxSession
)

// session is what a cookie holds.
type session struct {
	SignedIn
	Seen time.Time `json:"s"` // when the cookie was made
}

// Seal makes the value of a session's cookie at a time: what it says, readable, and a keyed hash over that.
func (r Keyring) Seal(s SignedIn, now time.Time) string {
	return r.seal("session", session{s, now.UTC()})
}

// Open reads the cookie of a session. It reports false for one that is not ours, or has ended. stale says that it is worth sealing
// anew, so that the session does not end while it is used.
func (r Keyring) Open(cookie string, now time.Time) (s SignedIn, stale, ok bool) {
	var in session
	if !r.open("session", cookie, &in) {
		return SignedIn{}, false, false
	}
	if in.Seen.After(now.Add(time.Minute)) || now.Sub(in.Seen) >= Idle || now.Sub(in.Began) >= Absolute {
		return SignedIn{}, false, false
	}
	return in.SignedIn, now.Sub(in.Seen) >= Idle/12, true
}

// SealFlow and OpenFlow do the same for what has to be remembered while somebody signs in or answers an invitation; at most for FlowFor.
const FlowFor = 15 * time.Minute

type flow[T any] struct {
	What T         `json:"w"`
	Made time.Time `json:"m"`
}

// SealFlow seals what for one purpose.
func SealFlow[T any](r Keyring, purpose string, what T, now time.Time) string {
	return r.seal("flow "+purpose, flow[T]{what, now.UTC()})
}

// OpenFlow reads what SealFlow made for the same purpose, not longer than FlowFor ago.
func OpenFlow[T any](r Keyring, purpose, sealed string, now time.Time) (T, bool) {
	var in flow[T]
	ok := r.open("flow "+purpose, sealed, &in) && !in.Made.After(now.Add(time.Minute)) && now.Sub(in.Made) < FlowFor
	if !ok {
		var none T
		return none, false
	}
	return in.What, true
}

// FormToken goes into the forms of a session's pages, so that no other site can send them.
func (r Keyring) FormToken(s *SignedIn) string { return r.token("form", formOf(s)) }

// token is the keyed hash of what for a purpose, by the newest key.
func (r Keyring) token(purpose string, what []byte) string {
	if len(r) == 0 {
		return ""
	}
	return strconv.Itoa(r[0].ID) + "." + base64.RawURLEncoding.EncodeToString(r[0].mac(purpose, what))
}

// FormFits reports whether the token is one of the session's forms.
func (r Keyring) FormFits(s *SignedIn, token string) bool { return r.fits("form", formOf(s), token) }

// fits reports whether a token has the keyed hash of what for a purpose.
func (r Keyring) fits(purpose string, what []byte, token string) bool {
	id, mac, _ := strings.Cut(token, ".")
	n, err1 := strconv.Atoi(id)
	sum, err2 := base64.RawURLEncoding.Strict().DecodeString(mac)
	k, known := r.key(n)
	return err1 == nil && err2 == nil && known && hmac.Equal(sum, k.mac(purpose, what))
}

// MarkOf goes into what somebody has typed, so that it comes back to them alone, whatever their session.
func (r Keyring) MarkOf(p ident.Principal) string { return r.token("mark", []byte(p)) }

// MarkFits reports whether the mark is the person's.
func (r Keyring) MarkFits(p ident.Principal, mark string) bool {
	return r.fits("mark", []byte(p), mark)
}

func formOf(s *SignedIn) []byte {
	return []byte(string(s.Principal()) + " " + s.Began.UTC().Format(time.RFC3339Nano) + " " + string(s.Within))
}

func (r Keyring) seal(purpose string, what any) string {
	if len(r) == 0 {
		return ""
	}
	body, err := json.Marshal(what)
	if err != nil {
		panic("people: what is sealed is always JSON: " + err.Error())
	}
	return strconv.Itoa(r[0].ID) + "." + base64.RawURLEncoding.EncodeToString(append(r[0].mac(purpose, body), body...))
}

const macLen = 32

func (r Keyring) open(purpose, sealed string, what any) bool {
	id, rest, _ := strings.Cut(sealed, ".")
	n, err1 := strconv.Atoi(id)
	b, err2 := base64.RawURLEncoding.Strict().DecodeString(rest)
	k, known := r.key(n)
	if err1 != nil || err2 != nil || !known || len(b) <= macLen || !hmac.Equal(b[:macLen], k.mac(purpose, b[macLen:])) {
		return false
	}
	return json.Unmarshal(b[macLen:], what) == nil
}
