package credential

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

func ring(keys int) Keyring {
	var r Keyring
	for range keys {
		r = r.Rotated(now)
	}
	return r
}

func ann() SignedIn {
	return SignedIn{Tenant: "11111111-2222-3333-4444-555555555555", Object: "66666666-7777-8888-9999-aaaaaaaaaaaa", Name: "Ann",
		Email: "ann@example.com", Verified: true, Began: now}
}

func TestAKeyringTurns(t *testing.T) {
	var r Keyring
	seen := map[[32]byte]bool{}
	for i := 1; i <= 5; i++ {
		was := r
		r = r.Rotated(now.Add(time.Duration(i)))
		if len(r) != min(i, MaxKeys) || r[0].ID != i || !r[0].Created.Equal(now.Add(time.Duration(i))) || seen[r[0].Secret] ||
			r[0].Secret == ([32]byte{}) {
			t.Errorf("turn %d: %d keys, the newest is %d", i, len(r), r[0].ID)
		}
		if i > 1 && r[1] != was[0] {
			t.Errorf("turn %d: the last key is not kept", i)
		}
		seen[r[0].Secret] = true
	}
}

// A secret that was cut short, or that something was added to, is none: it would be easier to guess, or another one.
func TestASecretOfAnotherLengthIsNotRead(t *testing.T) {
	r := ring(MaxKeys)
	f, err := record.Encode("the keyring", r.Code)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Ref().Decode(f); err != nil || !slices.Equal(*got.(*Keyring), r) {
		t.Errorf("as it is: %v, %v", got, err)
	}
	for i, k := range f["keys"].([]record.Fields) {
		whole := k["secret"].([]byte)
		for what, secret := range map[string][]byte{"nothing": nil, "one byte": whole[:1], "one byte less": whole[:31], "one byte more": append(slices.Clone(whole), 0),
			"twice as much": slices.Concat(whole, whole)} {
			k["secret"] = secret
			if _, err := r.Ref().Decode(f); err == nil || strings.Contains(err.Error(), string(whole[:31])) {
				t.Errorf("the secret of key %d is %s: %v", r[i].ID, what, err)
			}
		}
		k["secret"] = whole
	}
}

func TestAKeyringPrintsNoSecret(t *testing.T) {
	if got := fmt.Sprintf("%v %+v %s", ring(2), ring(1), ring(1)[0]); got != "[key 2 key 1] [key 1] key 1" {
		t.Error("a secret was printed")
	}
}

func TestASessionIsReadBack(t *testing.T) {
	r, who := ring(1), ann()
	cookie := r.Seal(who, now)
	got, stale, ok := r.Open(cookie, now)
	if got != who || stale || !ok {
		t.Errorf("%+v, %v, %v", got, stale, ok)
	}
	if strings.Trim(cookie, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") != "" || len(cookie) > 3000 {
		t.Errorf("%s is no value for a cookie", cookie)
	}
	for _, c := range []struct {
		seen, at  time.Duration // since it began
		ok, stale bool
	}{
		{0, Idle/12 - 1, true, false}, {0, Idle / 12, true, true}, {0, Idle - 1, true, true}, {0, Idle, false, false},
		{Absolute - time.Minute, Absolute - 1, true, false}, {Absolute - time.Minute, Absolute, false, false},
		{time.Minute, 0, true, false}, {time.Minute + 1, 0, false, false}, // clocks differ by so much and no more
	} {
		_, stale, ok := r.Open(r.Seal(who, now.Add(c.seen)), now.Add(c.at))
		if ok != c.ok || stale != c.stale {
			t.Errorf("made after %s, read after %s: %v, stale %v", c.seen, c.at, ok, stale)
		}
	}
}

func TestASessionOutlivesOneRotation(t *testing.T) {
	r := ring(1)
	cookie, form := r.Seal(ann(), now), r.FormToken(new(ann()))
	who := ann()
	for i, want := range []bool{true, true, false} {
		if _, _, ok := r.Open(cookie, now); ok != want {
			t.Errorf("after %d rotations: %v", i, ok)
		}
		if ok := r.FormFits(&who, form); ok != want {
			t.Errorf("after %d rotations its form: %v", i, ok)
		}
		r = r.Rotated(now)
	}
}

// Whatever is not exactly what was sealed, for that purpose and by one of the keys, is refused.
func TestNothingElseIsASession(t *testing.T) {
	r, who := ring(2), ann()
	cookie := r.Seal(who, now)
	id, body, _ := strings.Cut(cookie, ".")
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"nothing": "", "a dot": ".", "no body": id + ".", "no key": body, "another key": "1." + body, "a key that is none": "9." + body,
		"padded": cookie + "=", "longer": cookie + "AAAA", "another keyring's": ring(2).Seal(who, now), "a flow": SealFlow(r, "x", who, now),
		"a flow by that name": SealFlow(r, "session", session{who, now}, now), "a form": r.FormToken(&who),
		"only a hash": id + "." + base64.RawURLEncoding.EncodeToString(raw[:macLen]),
		"no hash":     id + "." + base64.RawURLEncoding.EncodeToString(raw[macLen:]),
		"none":        Keyring(nil).Seal(who, now),
	}
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		bad[fmt.Sprint("byte ", i)] = id + "." + base64.RawURLEncoding.EncodeToString(changed)
	}
	for what, cookie := range bad {
		if got, _, ok := r.Open(cookie, now); ok || got != (SignedIn{}) {
			t.Errorf("%s was taken: %+v", what, got)
		}
		if _, _, ok := (Keyring{}).Open(cookie, now); ok {
			t.Errorf("%s was taken without a key", what)
		}
	}
}

func TestAFlowIsForOnePurposeAndAShortTime(t *testing.T) {
	type what struct{ State, To string }
	r, in := ring(1), what{"s", "/me"}
	sealed := SealFlow(r, "sign-in", in, now)
	for _, c := range []struct {
		purpose, sealed string
		at              time.Duration
		ok              bool
	}{
		{"sign-in", sealed, 0, true}, {"sign-in", sealed, FlowFor - 1, true}, {"sign-in", sealed, FlowFor, false},
		{"sign-in", sealed, -time.Minute, true}, {"sign-in", sealed, -time.Minute - 1, false},
		{"invitation", sealed, 0, false}, {"sign-in", r.Seal(ann(), now), 0, false}, {"sign-in", "", 0, false},
		{"sign-in", SealFlow(nil, "sign-in", in, now), 0, false},
	} {
		got, ok := OpenFlow[what](r, c.purpose, c.sealed, now.Add(c.at))
		if ok != c.ok || ok && got != in || !ok && got != (what{}) {
			t.Errorf("%s after %s: %+v, %v", c.purpose, c.at, got, ok)
		}
	}
}

func TestAFormIsOfOneSession(t *testing.T) {
	r, who := ring(1), ann()
	form := r.FormToken(&who)
	if !r.FormFits(&who, form) {
		t.Error("it does not fit its own session")
	}
	later, other := who, who
	later.Began = now.Add(time.Nanosecond)
	other.Object = who.Tenant
	for what, s := range map[string]*SignedIn{"a later session": &later, "somebody else's": &other} {
		if r.FormFits(s, form) {
			t.Errorf("it fits %s", what)
		}
	}
	for _, bad := range []string{"", ".", "1.", form[1:], form + "A", form[:len(form)-1], "2" + form[1:], Keyring(nil).FormToken(&who)} {
		if r.FormFits(&who, bad) {
			t.Errorf("%q fits", bad)
		}
	}
	if cookie := r.Seal(who, now); strings.Contains(cookie, form[2:]) {
		t.Error("a cookie has its form's token")
	}
}

func TestTheTokenOfAnInvitation(t *testing.T) {
	r, id := ring(2), ident.NewInvitation()
	token, ok := r.InvitationToken(2, id, 1)
	if again, _ := r.InvitationToken(2, id, 1); !ok || again != token || token.ID != id {
		t.Errorf("%v, %v", token, ok)
	}
	seen := map[string]bool{token.Text(): true}
	for _, c := range []struct {
		key        int
		id         ident.Invitation
		generation int
	}{{1, id, 1}, {2, id, 2}, {2, id, 256}, {2, ident.NewInvitation(), 1}} {
		other, ok := r.InvitationToken(c.key, c.id, c.generation)
		if !ok || seen[other.Text()] || other.Fits(token.Hash()) || token.Fits(other.Hash()) {
			t.Errorf("%+v has the same token", c)
		}
		seen[other.Text()] = true
	}
	if _, ok := r.InvitationToken(3, id, 1); ok {
		t.Error("a key that there is not made a token")
	}
	if !token.Fits(token.Hash()) || token.Fits(nil) || token.Fits(token.Hash()[:31]) || (Token{}).Fits(nil) {
		t.Error("what fits is wrong")
	}

	text := token.Text()
	if back, ok := ParseToken(text); !ok || back != token || len(text) != 16+1+43 {
		t.Errorf("%v, %v, %d characters", back, ok, len(text))
	}
	_, secret, _ := strings.Cut(text, ".")
	for _, verb := range []string{"%v", "%+v", "%s", "%q"} {
		if printed := fmt.Sprintf(verb, token); strings.Contains(printed, secret) || !strings.Contains(printed, string(id)) {
			t.Errorf("%s prints the secret, or nothing", verb)
		}
	}
	for _, bad := range []string{"", ".", text[1:], text + "A", text + "=", text[:len(text)-1], strings.Replace(text, ".", "", 1),
		string(id) + "." + secret, strings.ToUpper(text[:16]) + "I." + secret, text[:17] + strings.Repeat("!", 43), text + "." + secret,
		text[:len(text)-1] + "_"} { // the last character has two bits that must be 0
		if _, ok := ParseToken(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

// What bounds a session is in its cookie, and its forms are no other's.
func TestASessionKeepsItsBound(t *testing.T) {
	r, free := ring(1), ann()
	within, elsewhere := free, free
	within.Within, elsewhere.Within = "ptn_0000000000000001", "ptn_0000000000000002"
	all := []SignedIn{free, within, elsewhere}
	for _, one := range all {
		if got, _, ok := r.Open(r.Seal(one, now), now); !ok || got != one {
			t.Errorf("%+v, %v; want %+v", got, ok, one)
		}
		for _, other := range all {
			if fits := r.FormFits(&other, r.FormToken(&one)); fits != (one == other) {
				t.Errorf("a form of the session within %q fits the one within %q: %v", one.Within, other.Within, fits)
			}
		}
	}
}
