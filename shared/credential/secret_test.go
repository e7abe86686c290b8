package credential

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/ident"
)

var now = time.Date(2026, 9, 10, 8, 14, 25, 0, time.UTC)

func client(t *testing.T) (*access.Principal, string) {
	t.Helper()
	p := &access.Principal{ID: ident.NewClient()}
	secret, key := NewSecret(p.ID, now)
	p.Secrets = []access.Secret{secret}
	return p, key
}

func parsed(t *testing.T, key string) APIKey {
	t.Helper()
	k, ok := ParseAPIKey(key)
	if !ok {
		t.Fatalf("a key of %d bytes is none", len(key))
	}
	return k
}

func TestAKeyTellsWhoseItIs(t *testing.T) {
	p, key := client(t)
	k := parsed(t, key)
	if k.Client != p.ID || k.ID != p.Secrets[0].ID {
		t.Errorf("the key is %s of %s, want %s of %s", k.ID, k.Client, p.Secrets[0].ID, p.ID)
	}
	// What secret scanners are told to look for.
	if !regexp.MustCompile(`^pmk_[0-9a-z]{16}_[0-9a-z]{16}_[0-9A-Za-z_-]{43}$`).MatchString(key) {
		t.Errorf("the form of the key has changed")
	}
}

func TestOnlyAHashIsKept(t *testing.T) {
	p, key := client(t)
	s, secret := p.Secrets[0], key[len(key)-43:]
	want := sha256.Sum256([]byte(secret))
	if string(s.Hash) != string(want[:]) || s.Hint != secret[39:] || !s.Created.Equal(now) {
		t.Errorf("kept %+v", s)
	}
}

func TestTheRightKeyAndNoOtherIsVerified(t *testing.T) {
	p, key := client(t)
	if !parsed(t, key).Verify(p, clocktest.Now()) {
		t.Error("the right key is refused")
	}
	head, secret := key[:len(key)-43], key[len(key)-43:]
	first := "A"
	if secret[0] == 'A' {
		first = "B"
	}
	for name, wrong := range map[string]string{
		"another secret":              head + strings.Repeat("A", 43),
		"one character off":           head + first + secret[1:],
		"another secret id":           KeyPrefix + ident.Bare(p.ID) + "_" + ident.Bare(ident.NewKey()) + key[len(KeyPrefix)+33:],
		"another client's secret":     func() string { _, k := NewSecret(ident.NewClient(), now); return k }(),
		"this client, newly invented": func() string { _, k := NewSecret(p.ID, now); return k }(),
	} {
		if parsed(t, wrong).Verify(p, clocktest.Now()) {
			t.Errorf("%s is taken", name)
		}
	}
}

// A secret counts for its client alone, even where another has one with the same id and hash.
func TestASecretDoesNotFitAnotherClient(t *testing.T) {
	p, key := client(t)
	other := &access.Principal{ID: ident.NewClient(), Secrets: p.Secrets}
	if parsed(t, key).Verify(other, clocktest.Now()) {
		t.Error("the key of one client opens another")
	}
}

func TestRotation(t *testing.T) {
	p, old := client(t)
	secret, fresh := NewSecret(p.ID, now)
	p.Secrets = append(p.Secrets, secret)
	if !parsed(t, old).Verify(p, clocktest.Now()) || !parsed(t, fresh).Verify(p, clocktest.Now()) {
		t.Error("while rotating, both secrets are valid")
	}
	p.Secrets = p.Secrets[1:]
	if parsed(t, old).Verify(p, clocktest.Now()) || !parsed(t, fresh).Verify(p, clocktest.Now()) {
		t.Error("after rotating, the new one alone is valid")
	}
}

func TestNothingOfARevokedClientIsValid(t *testing.T) {
	p, key := client(t)
	p.Revoked = now
	if parsed(t, key).Verify(p, clocktest.Now()) {
		t.Error("a revoked client's key is taken")
	}
}

func TestWhatIsNoKey(t *testing.T) {
	_, key := client(t)
	for name, s := range map[string]string{
		"nothing":                  "",
		"the prefix":               KeyPrefix,
		"no prefix":                key[len(KeyPrefix):],
		"another prefix":           "pmx_" + key[len(KeyPrefix):],
		"upper case prefix":        "PMK_" + key[len(KeyPrefix):],
		"one short":                key[:len(key)-1],
		"one more":                 key + "A",
		"a space in front":         " " + key[:len(key)-1],
		"no first separator":       key[:20] + "-" + key[21:],
		"no other separator":       key[:37] + "-" + key[38:],
		"a client id that is none": KeyPrefix + "UPPERCASEUPPERCA" + key[20:],
		"a secret id that is none": key[:21] + "iiiiiiiiiiiiiiii" + key[37:],
	} {
		if k, ok := ParseAPIKey(s); ok {
			t.Errorf("%s was taken: %s of %s", name, k.ID, k.Client)
		}
	}
}
