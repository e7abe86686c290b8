package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// Repeat makes a request safe to send again: for MemoFor, the same key with the same fingerprint gives the same answer.
type Repeat struct {
	Key         string
	Fingerprint []byte // of the operation and its input
}

// MemoFor is how long an Idempotency-Key is remembered.
const MemoFor = 24 * time.Hour

// memos are kept as records: what was answered to requests that had an Idempotency-Key.
var memos = record.NewKind("memo", func(id memoID) *memo { return &memo{ID: id} })

// memoID says whose request it was, and has a hash of the key: Idempotency-Keys of different principals have nothing to do with each
// other.
type memoID string

// memo is what is remembered of a request that was carried out, for the next time that it comes.
type memo struct {
	ID          memoID
	Fingerprint []byte // of the operation and its input
	Answer      []byte // holds nothing secret
	Expires     time.Time
}

// memo is where the answer to the request is remembered: for each bound apart, since an answer tells what could be seen within it.
func (c Caller) memo() memoID {
	if c.Within == "" {
		return memoOf(c.Principal, c.Repeat.Key)
	}
	return memoOf(c.Principal, string(c.Within)+" "+c.Repeat.Key) // which has no space
}

func memoOf(p ident.Principal, key string) memoID {
	sum := sha256.Sum256([]byte(key))
	return memoID(string(p) + "#" + hex.EncodeToString(sum[:]))
}

// expired reports whether the memo does not count any more, by the whole second in which it expires.
func (m *memo) expired(now time.Time) bool { return now.Unix() >= m.Expires.Unix() }

// Ref implements record.Record.
func (m *memo) Ref() record.Ref { return memos.Ref(m.ID) }

// Lists implements record.Record.
func (m *memo) Lists() []record.Entry { return nil }

// Code implements record.Record.
func (m *memo) Code(c *record.Coder) {
	c.Bytes("fingerprint", &m.Fingerprint)
	c.Bytes("answer", &m.Answer)
	c.Expires(&m.Expires)
}

// errRemembered says that the request was carried out before, or is being carried out elsewhere just now.
var errRemembered = errors.New("remembered already")

func recall[T any](m *memo, r *Repeat) (T, error) {
	var answer T
	if !slices.Equal(m.Fingerprint, r.Fingerprint) {
		return answer, fault.IdempotencyKeyReused.New("You already used this Idempotency-Key for a different request. Use a new key for each new request.")
	}
	return answer, json.Unmarshal(m.Answer, &answer)
}
