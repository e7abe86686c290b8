package directory_test

import (
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/ident"
)

// A secret with an end is refused from then on, keeps nobody from having two, and is no reason to keep another one.
func TestSecretsEnd(t *testing.T) {
	s := newShop(t)
	end := s.now.Add(time.Hour).Truncate(time.Second)
	for _, bad := range []time.Time{s.now, s.now.Add(-time.Second), s.now.Add(directory.MaxSecretFor + time.Minute)} {
		_, err := s.d.CreateClient(t.Context(), s.founder, directory.NewClient{Node: s.root, Name: "C", Role: access.Viewer, Expires: bad})
		if !fault.Invalid.Is(err) || len(fault.From(err).Fields) != 1 {
			t.Errorf("%s: %v", bad, err)
		}
	}
	made, err := s.d.CreateClient(t.Context(), s.founder, directory.NewClient{Node: s.root, Name: "C", Role: access.Viewer, Expires: end})
	if err != nil || !made.Secrets[0].Expires.Equal(end) {
		t.Fatalf("%+v, %v", made, err)
	}
	key, _ := credential.ParseAPIKey(made.Key)
	caller := directory.Caller{Principal: made.ID, Key: key.ID}
	if _, err := s.d.Me(t.Context(), caller); err != nil {
		t.Errorf("before its end: %v", err)
	}
	second, err := s.d.AddSecret(t.Context(), s.founder, made.ID, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.d.AddSecret(t.Context(), s.founder, made.ID, time.Time{}); !fault.TwoSecrets.Is(err) {
		t.Errorf("a third: %v", err)
	}
	s.now = s.now.Add(time.Hour)
	if _, err := s.d.Me(t.Context(), caller); !fault.Unauthenticated.Is(err) {
		t.Errorf("after its end: %v", err)
	}
	if err := s.d.RemoveSecret(t.Context(), s.founder, made.ID, second.SecretID); !fault.LastSecret.Is(err) {
		t.Errorf("the only live secret is removed: %v", err)
	}
	third, err := s.d.AddSecret(t.Context(), s.founder, made.ID, time.Time{})
	if err != nil || len(third.Secrets) != 2 || third.Secrets[0].ID != second.SecretID {
		t.Errorf("instead of the one that ended: %+v, %v", third.Secrets, err)
	}
}

// The last use of each secret is told, and changes nothing about the client.
func TestLastUse(t *testing.T) {
	s := newShop(t)
	made, err := s.d.CreateClient(t.Context(), s.founder, directory.NewClient{Node: s.root, Name: "C", Role: access.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	look := func() directory.Client {
		t.Helper()
		got, err := s.d.Client(t.Context(), s.founder, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := look(); len(got.LastUsed) > 0 {
		t.Errorf("used before it was: %v", got.LastUsed)
	}
	for range 2 {
		s.now = s.now.Add(time.Hour)
		if err := s.d.NoteUse(t.Context(), made.SecretID); err != nil {
			t.Fatal(err)
		}
		if got := look(); !got.LastUsed[made.SecretID].Equal(s.now) || got.Version != made.Version || len(got.LastUsed) != 1 {
			t.Errorf("%v at %s, version %d", got.LastUsed, s.now, got.Version)
		}
	}
	if err := s.d.NoteUse(t.Context(), ident.NewKey()); err != nil { // of a key that was removed meanwhile
		t.Error(err)
	}
}
