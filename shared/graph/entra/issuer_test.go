package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// The people, tenants and apps of the tests.
const (
	vazon    = "11111111-1111-4111-8111-11111111aaaa" // a tenant
	stranger = "22222222-2222-4222-8222-22222222bbbb" // another
	portal   = "33333333-3333-4333-8333-33333333cccc" // our app
	rival    = "44444444-4444-4444-8444-44444444dddd" // another brand's
	alice    = "55555555-5555-4555-8555-55555555eeee" // an object id

	aliceAddress = "alice@vazon.example"
	nonce        = "the-nonce-of-this-sign-in"
)

// began is the time at which every test starts, whenever it runs: all that tells the time here is told it.
var began = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// Making an RSA key takes a while, so that tests share a few.
var (
	keyA, keyB = sync.OnceValue(newKey), sync.OnceValue(newKey)
	weakKey    = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 1024)) })
)

func newKey() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// issuer plays Entra: its keys, its token endpoint, and the time.
type issuer struct {
	*httptest.Server
	clock   atomic.Int64 // ns since began
	fetches atomic.Int64 // of keys
	mu      sync.Mutex
	keys    http.HandlerFunc // what the keys' address answers
	token   http.HandlerFunc // what the token endpoint answers
}

// entra starts an issuer that signs with keyA, which has the id "a".
func entra(t testing.TB) *issuer {
	i := &issuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		keys, token := i.keys, i.token
		i.mu.Unlock()
		switch {
		case r.Method == http.MethodGet && r.URL.Path == "/common/discovery/v2.0/keys":
			i.fetches.Add(1)
			keys(w, r)
		case token != nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
			token(w, r)
		default:
			t.Errorf("nobody should ask for %s %s", r.Method, r.URL)
		}
	}))
	t.Cleanup(i.Close)
	i.publishes(i.webKey("a", keyA()))
	return i
}

func (i *issuer) answersKeys(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = h
}

func (i *issuer) answersToken(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.token = h
}

// publishes makes these the keys, from the next fetch on.
func (i *issuer) publishes(keys ...map[string]any) {
	document := must(json.Marshal(map[string]any{"keys": keys}))
	i.answersKeys(func(w http.ResponseWriter, _ *http.Request) { w.Write(document) })
}

// webKey is a key as Entra publishes it: with a certificate that nobody needs.
func (i *issuer) webKey(id string, key *rsa.PrivateKey) map[string]any {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: began, NotAfter: began.AddDate(5, 0, 0)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	m := webKey(id, &key.PublicKey, i.URL+"/{tenantid}/v2.0")
	thumbprint := sha1.Sum(der)
	m["x5c"], m["x5t"] = []string{base64.StdEncoding.EncodeToString(der)}, base64.RawURLEncoding.EncodeToString(thumbprint[:])
	return m
}

func webKey(id string, public any, issuer string) map[string]any {
	var m map[string]any
	must(0, json.Unmarshal(must(jose.JSONWebKey{Key: public, KeyID: id, Use: "sig"}.MarshalJSON()), &m))
	m["issuer"], m["cloud_instance_name"] = issuer, "microsoftonline.com"
	return m
}

func (i *issuer) now() time.Time { return began.Add(time.Duration(i.clock.Load())) }

// later lets time pass.
func (i *issuer) later(d time.Duration) { i.clock.Add(int64(d)) }

// verifier has fetched nothing yet.
func (i *issuer) verifier() *Verifier { return NewVerifier(Cloud{Authority: i.URL}, nil, i.now) }

// idToken has the claims of an ID token for alice; change edits them.
func (i *issuer) idToken(change ...map[string]any) map[string]any {
	now := i.now().Unix()
	c := map[string]any{
		"iss": i.URL + "/" + vazon + "/v2.0", "aud": portal, "tid": vazon, "oid": alice, "sub": "pairwise", "ver": "2.0",
		"iat": now - 300, "nbf": now - 300, "exp": now + 3600, "nonce": nonce,
		"name": "Alice Le Page", "preferred_username": aliceAddress, "email": aliceAddress, "xms_edov": true,
	}
	return edit(c, change...)
}

// accessToken has the claims of an access token for alice.
func (i *issuer) accessToken(change ...map[string]any) map[string]any {
	c := i.idToken(map[string]any{"nonce": nil, "scp": "Mail.Read access_as_user", "azp": portal})
	return edit(c, change...)
}

// edit sets claims; nil takes one away.
func edit(c map[string]any, changes ...map[string]any) map[string]any {
	for _, change := range changes {
		for name, value := range change {
			c[name] = value
			if value == nil {
				delete(c, name)
			}
		}
	}
	return c
}

// sign makes a token with keyA.
func sign(claims map[string]any) string { return signed(claims, jose.RS256, "a", keyA()) }

func signed(claims map[string]any, alg jose.SignatureAlgorithm, id string, key any) string {
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader(jose.HeaderKey("kid"), id)
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options))
	return must(jwt.Signed(signer).Claims(claims).Serialize())
}

var ours = App{Client: portal, Tenants: OnlyTenants(vazon)}
