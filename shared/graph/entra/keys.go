package entra

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// When keys are fetched. Entra announces keys days before it signs with them, and may withdraw one at any time.
// Source: https://learn.microsoft.com/entra/identity-platform/signing-key-rollover
const (
	keysLast     = 24 * time.Hour  // older keys verify nothing: who cannot be reached for so long may have withdrawn one
	refreshAfter = time.Hour       // older keys still verify, and are fetched again meanwhile
	fetchEvery   = 5 * time.Minute // at most, whatever tokens come, and whether or not it succeeds
	retryEvery   = 5 * time.Second // at most, while there are no keys to verify anything with
	fetchTimeout = 5 * time.Second // for one attempt
	maxKeysBytes = 1 << 20         // of the document; it has some 20 kB
	minKeyBits   = 2048            // RFC 7518, section 3.3
)

// tenantPlaceholder stands in the issuer of those keys that sign for every tenant.
const tenantPlaceholder = "{tenantid}"

// key is a public key that signs for one issuer, or for all.
type key struct {
	public *rsa.PublicKey
	issuer string // may hold tenantPlaceholder
}

// signsFor reports whether tokens of this issuer may be signed with the key.
// Source: https://learn.microsoft.com/entra/identity-platform/access-tokens (Validate the signing key issuer)
func (k key) signsFor(issuer, tenant string) bool {
	return strings.ReplaceAll(k.issuer, tenantPlaceholder, tenant) == issuer
}

// keyring keeps Entra's keys. Any number of callers share one fetch, and only those wait for it who cannot go on without.
type keyring struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu       sync.Mutex
	keys     map[string]key
	fetched  time.Time     // when the fetch that brought the keys began
	tried    time.Time     // when the last fetch began
	failure  error         // of the last fetch
	fetching chan struct{} // closed at the end of the fetch that is under way; nil: none is
}

// find returns the key with this id. It gives UnknownKey, or *Unavailable when whether there is one cannot be found out.
func (r *keyring) find(ctx context.Context, id string) (key, error) {
	r.mu.Lock()
	now := r.now()
	found, known := r.look(id, now)
	if known && now.Sub(r.fetched) < refreshAfter {
		r.mu.Unlock()
		return found, nil
	}
	done := r.fetch(now)
	r.mu.Unlock()
	if known {
		return found, nil
	}
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			return key{}, &Unavailable{ctx.Err()}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if found, known := r.look(id, now); known {
		return found, nil
	}
	if r.failure != nil {
		return key{}, &Unavailable{r.failure}
	}
	return key{}, UnknownKey
}

// look finds a key among those that still count.
func (r *keyring) look(id string, now time.Time) (found key, known bool) {
	if now.Sub(r.fetched) < keysLast {
		found, known = r.keys[id]
	}
	return found, known
}

// fetch begins to fetch the keys, unless that is under way or was tried too recently; then it returns nil. The fetch is its own master: it
// ends when it ends, whichever caller goes away. A frozen Lambda process may interrupt it for hours, which does no harm.
func (r *keyring) fetch(now time.Time) <-chan struct{} {
	pause := fetchEvery
	if now.Sub(r.fetched) >= keysLast {
		pause = retryEvery
	}
	if r.fetching != nil || now.Sub(r.tried) < pause {
		return r.fetching
	}
	r.tried = now
	done := make(chan struct{})
	r.fetching = done
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		keys, err := download(ctx, r.client, r.url)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil {
			r.keys, r.fetched = keys, now
		}
		r.failure, r.fetching = err, nil
		close(done)
	}()
	return done
}

func download(ctx context.Context, client *http.Client, url string) (map[string]key, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d", url, response.StatusCode)
	}
	document, err := io.ReadAll(http.MaxBytesReader(nil, response.Body, maxKeysBytes))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	return parseKeys(document)
}

// parseKeys reads a JSON Web Key Set. It leaves out what is no RSA key for signatures, so that a kind of key that is new to Entra does not
// take the others with it.
func parseKeys(document []byte) (map[string]key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, errors.New("the keys are not JSON")
	}
	keys := map[string]key{}
	for _, raw := range set.Keys {
		var web jose.JSONWebKey
		var own struct {
			Issuer string `json:"issuer"` // Entra's addition to RFC 7517
		}
		if web.UnmarshalJSON(raw) != nil || json.Unmarshal(raw, &own) != nil {
			continue
		}
		public, isRSA := web.Key.(*rsa.PublicKey)
		signs := (web.Use == "" || web.Use == "sig") && (web.Algorithm == "" || web.Algorithm == string(jose.RS256))
		if isRSA && signs && web.KeyID != "" && public.N.BitLen() >= minKeyBits {
			keys[web.KeyID] = key{public, own.Issuer}
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no RSA key for signatures among the keys")
	}
	return keys, nil
}
