package entra

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"example.com/partnertree/shared/clocktest"
)

// check verifies an ID token that is valid now, signed with this key.
func (i *issuer) check(t *testing.T, v *Verifier, id string) error {
	t.Helper()
	key := keyA()
	if id != "a" {
		key = keyB()
	}
	_, err := v.IDToken(t.Context(), ours, signed(i.idToken(), jose.RS256, id, key), nonce)
	return err
}

// down is what a service that has a bad day answers.
func down(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

func unavailable(err error) bool {
	var u *Unavailable
	return errors.As(err, &u)
}

// settled waits until no fetch is under way.
func (v *Verifier) settled() {
	v.keys.mu.Lock()
	done := v.keys.fetching
	v.keys.mu.Unlock()
	if done != nil {
		<-done
	}
}

func TestAStormOfUnknownKeysFetchesOnceInFiveMinutes(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	if err := entra.check(t, v, "a"); err != nil {
		t.Fatal(err)
	}
	entra.later(fetchEvery)
	storm := func() {
		var wg sync.WaitGroup
		for n := range 200 {
			wg.Go(func() {
				if err := entra.check(t, v, fmt.Sprint("unknown-", n)); !errors.Is(err, UnknownKey) {
					t.Error(err)
				}
				if err := entra.check(t, v, "a"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	storm()
	entra.later(fetchEvery - time.Second)
	storm()
	if n := entra.fetches.Load(); n != 2 {
		t.Errorf("fetched %d times instead of at the beginning and once", n)
	}
	entra.later(time.Second)
	storm()
	if n := entra.fetches.Load(); n != 3 {
		t.Errorf("fetched %d times instead of once more", n)
	}
}

func TestAStormWhileEntraIsDownFetchesOnceInFiveMinutes(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	if err := entra.check(t, v, "a"); err != nil {
		t.Fatal(err)
	}
	entra.answersKeys(down)
	for range 10 {
		entra.later(time.Minute)
		for range 20 {
			if err := entra.check(t, v, "unknown"); errors.Is(err, nil) {
				t.Fatal("taken")
			}
			if err := entra.check(t, v, "a"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := entra.fetches.Load(); n != 3 {
		t.Errorf("fetched %d times in 10 minutes, and once at the beginning", n)
	}
	if err := entra.check(t, v, "unknown"); !unavailable(err) || errors.Is(err, UnknownKey) {
		t.Errorf("that the key is unknown cannot be known: %v", err)
	}
}

func TestManyFirstCallersShareAFetch(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if err := entra.check(t, v, "a"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := entra.fetches.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestANewKeyIsFoundAndAnOldOneForgotten(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	if err := entra.check(t, v, "a"); err != nil {
		t.Fatal(err)
	}
	entra.publishes(entra.webKey("b", keyB()))
	entra.later(fetchEvery - time.Second)
	if err := entra.check(t, v, "b"); !errors.Is(err, UnknownKey) {
		t.Errorf("before the five minutes are over: %v", err)
	}
	entra.later(time.Second)
	if err := entra.check(t, v, "b"); err != nil {
		t.Errorf("after it: %v", err)
	}
	if err := entra.check(t, v, "a"); !errors.Is(err, UnknownKey) {
		t.Errorf("the one that was withdrawn: %v", err)
	}
}

func TestKeysAreRefreshedInTheBackgroundOfUse(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	if err := entra.check(t, v, "a"); err != nil {
		t.Fatal(err)
	}
	entra.later(refreshAfter - time.Second)
	if err := entra.check(t, v, "a"); err != nil || entra.fetches.Load() != 1 {
		t.Fatalf("within the hour: %v, %d fetches", err, entra.fetches.Load())
	}
	answer := make(chan struct{})
	both := func(w http.ResponseWriter, r *http.Request) {
		<-answer
		entra.publishes(entra.webKey("b", keyB()))
		entra.keys(w, r)
	}
	entra.answersKeys(both)
	entra.later(time.Second)
	for range 10 { // nobody waits
		if err := entra.check(t, v, "a"); err != nil {
			t.Fatal(err)
		}
	}
	close(answer)
	v.settled()
	if err := entra.check(t, v, "b"); err != nil || entra.fetches.Load() != 2 {
		t.Errorf("after the refresh: %v, %d fetches", err, entra.fetches.Load())
	}
}

func TestKeysLastADayWithoutEntra(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	if err := entra.check(t, v, "a"); err != nil {
		t.Fatal(err)
	}
	entra.answersKeys(down)
	for range 23 {
		entra.later(time.Hour)
		if err := entra.check(t, v, "a"); err != nil {
			t.Fatal(err)
		}
		v.settled()
	}
	entra.later(time.Hour - time.Second)
	if err := entra.check(t, v, "a"); err != nil {
		t.Errorf("in the 24th hour: %v", err)
	}
	v.settled()
	entra.later(fetchEvery)
	if err := entra.check(t, v, "a"); !unavailable(err) {
		t.Errorf("after it: %v", err)
	}
	entra.publishes(entra.webKey("a", keyA()))
	entra.later(retryEvery)
	if err := entra.check(t, v, "a"); err != nil {
		t.Errorf("when Entra is back: %v", err)
	}
}

func TestWithoutKeysFetchingIsRepeatedSoonButNotAtOnce(t *testing.T) {
	entra := entra(t)
	entra.answersKeys(down)
	v := entra.verifier()
	for range 20 {
		if err := entra.check(t, v, "a"); !unavailable(err) || !strings.Contains(err.Error(), "503") {
			t.Fatal(err)
		}
	}
	if n := entra.fetches.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	entra.publishes(entra.webKey("a", keyA()))
	entra.later(retryEvery - time.Millisecond)
	if err := entra.check(t, v, "a"); !unavailable(err) {
		t.Errorf("too soon: %v", err)
	}
	entra.later(time.Millisecond)
	if err := entra.check(t, v, "a"); err != nil {
		t.Error(err)
	}
}

func TestWhoGoesAwayDoesNotEndTheFetch(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	answer := make(chan struct{})
	entra.answersKeys(func(w http.ResponseWriter, r *http.Request) {
		<-answer
		entra.publishes(entra.webKey("a", keyA()))
		entra.keys(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.IDToken(ctx, ours, sign(entra.idToken()), nonce); !unavailable(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("who goes away: %v", err)
	}
	close(answer)
	if err := entra.check(t, v, "a"); err != nil || entra.fetches.Load() != 1 {
		t.Errorf("who stays: %v, %d fetches", err, entra.fetches.Load())
	}
}

// transport answers requests without network.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestAFetchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		v := NewVerifier(Global, silent, nil)
		began := clocktest.Now()
		_, err := v.IDToken(context.Background(), ours, signed(map[string]any{}, jose.RS256, "a", keyA()), nonce)
		if took := clocktest.Now().Sub(began); !unavailable(err) || took != fetchTimeout {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestOnlyRSAKeysForSignaturesCount(t *testing.T) {
	entra := entra(t)
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	all := entra.URL + "/{tenantid}/v2.0"
	good := entra.webKey("a", keyA())
	with := func(change map[string]any) map[string]any {
		return edit(entra.webKey("b", keyB()), change)
	}
	for name, odd := range map[string]map[string]any{
		"for encryption":     with(map[string]any{"use": "enc"}),
		"for another use":    with(map[string]any{"alg": "RS512"}),
		"of an unknown kind": {"kty": "PQ", "kid": "b", "issuer": all},
		"an elliptic curve":  webKey("b", &ec.PublicKey, all),
		"a private key":      webKey("b", keyB(), all),
		"a secret":           webKey("b", []byte("secret secret secret secret secret"), all),
		"too short":          webKey("b", &weakKey().PublicKey, all),
		"without an id":      with(map[string]any{"kid": nil}),
		"a broken modulus":   with(map[string]any{"n": "!"}),
		"a broken issuer":    with(map[string]any{"issuer": 1}),
		"nothing":            {},
	} {
		entra.publishes(odd, good)
		v := entra.verifier()
		if err := entra.check(t, v, "a"); err != nil {
			t.Errorf("%s beside a good key: %v", name, err)
		}
		for _, id := range []string{"b", ""} {
			if err := entra.check(t, v, id); !errors.Is(err, UnknownKey) {
				t.Errorf("%s is taken: %v", name, err)
			}
		}
		entra.publishes(odd)
		if err := entra.check(t, entra.verifier(), "b"); !unavailable(err) {
			t.Errorf("%s alone: %v", name, err)
		}
	}
	unused := with(map[string]any{"use": nil, "alg": "RS256"})
	entra.publishes(unused)
	if err := entra.check(t, entra.verifier(), "b"); err != nil {
		t.Errorf("a key for any use: %v", err)
	}
}

func TestAnAnswerThatIsNotTheKeysKeepsTheOldOnes(t *testing.T) {
	entra := entra(t)
	document := must(json.Marshal(map[string]any{"keys": []any{entra.webKey("unknown", keyB())}, "more": strings.Repeat(" ", maxKeysBytes)}))
	for name, h := range map[string]http.HandlerFunc{
		"down":        down,
		"elsewhere":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"HTML":        func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"no keys":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) },
		"null":        func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `null`) },
		"too long":    func(w http.ResponseWriter, _ *http.Request) { w.Write(document) },
		"interrupted": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		entra.publishes(entra.webKey("a", keyA()))
		v := entra.verifier()
		if err := entra.check(t, v, "a"); err != nil {
			t.Fatal(err)
		}
		entra.answersKeys(h)
		entra.later(2 * time.Hour)
		if err := entra.check(t, v, "unknown"); !unavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
		if err := entra.check(t, v, "a"); err != nil {
			t.Errorf("%s: the old key: %v", name, err)
		}
	}
}

// Whatever comes as keys: no panic, and what is taken is an RSA key of a fair length.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","use":"sig","kid":"a","n":"AQAB","e":"AQAB","issuer":"x"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"` + strings.Repeat("_", 342) + `","e":"AQAB","x5c":["MIIB"]}]}`))
	f.Add([]byte(`{"keys":[null,1,{"kty":"EC"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, err := parseKeys(document)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for id, k := range keys {
			if id == "" || k.public.N.BitLen() < 2048 {
				t.Errorf("took %q of %d bits", id, k.public.N.BitLen())
			}
		}
	})
}
