package directory

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
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

// sealCursor is signCursor for a position that tells of what the caller may not see: it is encrypted as well.
func sealCursor(p *access.Principal, list, position string) string {
	nonce := mac(p, list, position)[:nonceLen] // no other position has it
	return base64.RawURLEncoding.EncodeToString(sealer(p).Seal(nonce, nonce, []byte(position), []byte(list)))
}

// openCursor returns the position in a cursor that sealCursor has made for this principal and list.
func openCursor(p *access.Principal, list, cursor string) (position string, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) <= nonceLen || len(b) > 2048 {
		return "", badCursor()
	}
	opened, err := sealer(p).Open(nil, b[:nonceLen], b[nonceLen:], []byte(list))
	if err != nil {
		return "", badCursor()
	}
	return string(opened), nil
}

const nonceLen = 12

// sealer is by a key of its own, which is made of the principal's.
func sealer(p *access.Principal) cipher.AEAD {
	h := hmac.New(sha256.New, p.CursorKey)
	h.Write([]byte("sealed cursors"))
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		panic(err) // a key of 32 bytes is one
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
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
	return fault.InvalidCursor.New("This cursor belongs to another caller or another list. Start again without a cursor, and use `next` unchanged.")
}

func mac(p *access.Principal, list, position string) []byte {
	h := hmac.New(sha256.New, p.CursorKey)
	h.Write([]byte(list + "\x00" + position))
	return h.Sum(nil)[:macLen]
}

// ListName names a list for its cursors: what is listed, of what, and how it is filtered.
func ListName(parts ...string) string { return strings.Join(parts, "\x00") }

// Paging is which part of a list is wanted.
type Paging struct {
	Cursor string
	Limit  int
}

// List is one page; Next is "" on the last one.
type List[T any] struct {
	Items []T
	Next  string
}

// beginPage reads the decision about a node, and where in a list that belongs to it a page begins.
func (d *Directory) beginPage(ctx context.Context, c Caller, node ident.Node, list, cursor string) (
	v *View, n *hierarchy.Node, dec access.Decision, after string, err error) {
	sum, after, err := splitCursor(cursor)
	if err == nil {
		v, n, dec, err = d.Reach(ctx, c, node, access.Read)
	}
	if err == nil {
		err = checkCursor(v.Caller, list, sum, after)
	}
	return v, n, dec, after, err
}

// PageAt reads the decision about a node and a page of a list that belongs to it at the same time. The page is
// thrown away when the caller may not have it.
func PageAt[T any](ctx context.Context, d *Directory, c Caller, node ident.Node, a access.Action, list string, p Paging,
	page func(ctx context.Context, after string) (Page[T], error)) (access.Decision, List[T], error) {
	fail := func(err error) (access.Decision, List[T], error) { return access.Decision{}, List[T]{}, err }
	sum, after, cursorErr := splitCursor(p.Cursor)
	ctx, cancel := context.WithCancel(ctx)
	var found Page[T]
	var pageErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if cursorErr == nil {
			found, pageErr = page(ctx, after)
		}
	}()
	defer func() { cancel(); <-done }() // nothing goes on after the answer: a Lambda process sleeps then
	v, _, dec, err := d.Reach(ctx, c, node, a)
	if err != nil {
		return fail(err)
	}
	<-done
	if cursorErr != nil {
		return fail(cursorErr)
	}
	if err := checkCursor(v.Caller, list, sum, after); err != nil {
		return fail(err)
	}
	if pageErr != nil {
		return fail(pageErr)
	}
	return dec, List[T]{found.Items, signCursor(v.Caller, list, found.Next)}, nil
}

// RecordsAt lists the records in a list at a node. A caller who may not do a there gets nothing.
func RecordsAt[T any, P interface {
	*T
	Code(c *record.Coder)
}](ctx context.Context, d *Directory, c Caller, node ident.Node, a access.Action, l record.List[T, P], p Paging) (access.Decision, List[T], error) {
	return PageAt(ctx, d, c, node, a, ListName(l.Name, string(node)), p, func(ctx context.Context, after string) (Page[T], error) {
		return ListAt(ctx, d.store, l, node, after, p.Limit)
	})
}
