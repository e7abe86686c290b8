package graphtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// consumers is the tenant of personal Microsoft accounts. Entra publishes keys of its own for it beside the others, which
// must not count for anybody else's tokens.
const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

// publishedFor is how long Microsoft lets metadata and keys be kept: a day.
const publishedFor = "max-age=86400, private"

// keyring are the signing keys. The last one that was chosen signs.
type keyring struct {
	published []signingKey
	signs     string // kid
	consumer  signingKey
}

type signingKey struct {
	kid string
	key *rsa.PrivateKey
}

// consumerKey is the same for all doubles of a process, whose tests start many.
var consumerKey = sync.OnceValues(newSigningKey)

func newKeyring() (keyring, error) {
	consumer, err := consumerKey()
	if err != nil {
		return keyring{}, err
	}
	first, err := newSigningKey()
	return keyring{published: []signingKey{first}, signs: first.kid, consumer: consumer}, err
}

func newSigningKey() (signingKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return signingKey{}, err
	}
	thumb, err := (&jose.JSONWebKey{Key: &key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return signingKey{}, err
	}
	return signingKey{kid: base64.RawURLEncoding.EncodeToString(thumb), key: key}, nil
}

// find gives a published key.
func (k *keyring) find(kid string) (signingKey, bool) {
	i := slices.IndexFunc(k.published, func(s signingKey) bool { return s.kid == kid })
	if i < 0 {
		return signingKey{}, false
	}
	return k.published[i], true
}

// AddKey publishes a further key and returns its kid. It does not sign yet: Entra, too, shows keys before it uses them.
func (d *Double) AddKey() (kid string, err error) {
	key, err := newSigningKey()
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys.published = append(d.keys.published, key)
	return key.kid, nil
}

// SignWith makes a published key the one that signs.
func (d *Double) SignWith(kid string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.keys.find(kid); !ok {
		return fmt.Errorf("graphtest: no key %q is published", kid)
	}
	d.keys.signs = kid
	return nil
}

// RemoveKey publishes a key no longer. The one that signs cannot be removed.
func (d *Double) RemoveKey(kid string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.keys.find(kid); !ok {
		return fmt.Errorf("graphtest: no key %q is published", kid)
	}
	if d.keys.signs == kid {
		return errors.New("graphtest: that key signs: let another one sign first")
	}
	d.keys.published = slices.DeleteFunc(d.keys.published, func(s signingKey) bool { return s.kid == kid })
	return nil
}

// Keys are the kids that are published, oldest first, and the one that signs.
func (d *Double) Keys() (published []string, signs string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.keys.published {
		published = append(published, k.kid)
	}
	return published, d.keys.signs
}

// Sign makes a token of any claims with the key that signs now: whatever a test wants to see refused.
func (d *Double) Sign(claims map[string]any) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sign(claims)
}

// SignAsConsumers signs with the key for personal Microsoft accounts: it is published beside the others under common, with
// an issuer of its own, and whoever does not compare a key's issuer takes its tokens for everybody's.
func (d *Double) SignAsConsumers(claims map[string]any) (string, error) {
	return serialize(d.keys.consumer, claims) // this key never changes
}

func (d *Double) sign(claims map[string]any) (string, error) {
	key, _ := d.keys.find(d.keys.signs) // never removed
	return serialize(key, claims)
}

func serialize(key signingKey, claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key.key, KeyID: key.kid}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// configuration answers with a tenant's metadata, or with those of common and organizations, which have the literal
// {tenantid} in the issuer.
func (d *Double) configuration(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := r.PathValue("tenant")
	issuerTenant := "{tenantid}"
	if !anyTenant(name) {
		t := d.tenant(name)
		if t == nil {
			d.tokenError(w, tenantUnknown(name))
			return
		}
		name, issuerTenant = t.ID, t.ID
	}
	root := d.base + "/" + name
	w.Header().Set("Cache-Control", publishedFor)
	writeJSON(w, http.StatusOK, map[string]any{
		"token_endpoint":                        root + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"jwks_uri":                              root + "/discovery/v2.0/keys",
		"response_modes_supported":              []string{"query", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported":              []string{"code"},
		"scopes_supported":                      oidcScopes,
		"issuer":                                d.Issuer(issuerTenant),
		"authorization_endpoint":                root + "/oauth2/v2.0/authorize",
		"end_session_endpoint":                  root + "/oauth2/v2.0/logout",
		"claims_supported": []string{"sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "email",
			"oid"},
		"msgraph_host": strings.TrimPrefix(strings.TrimPrefix(d.base, "http://"), "https://"),
	})
}

// publishedKey is a key as Microsoft publishes it: with the issuer whose tokens it signs, which has the literal {tenantid}
// under common and organizations.
type publishedKey struct {
	KeyType string `json:"kty"`
	Use     string `json:"use"`
	ID      string `json:"kid"`
	N       string `json:"n"`
	E       string `json:"e"`
	Issuer  string `json:"issuer"`
}

func (s signingKey) publish(issuer string) publishedKey {
	return publishedKey{
		KeyType: "RSA", Use: "sig", ID: s.kid, Issuer: issuer,
		N: base64.RawURLEncoding.EncodeToString(s.key.N.Bytes()),
		E: "AQAB", // 65537, what crypto/rsa generates
	}
}

func (d *Double) keySet(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := r.PathValue("tenant")
	issuer := d.Issuer("{tenantid}")
	keys := []publishedKey{}
	if anyTenant(name) {
		keys = append(keys, d.keys.consumer.publish(d.Issuer(consumers)))
	} else {
		t := d.tenant(name)
		if t == nil {
			d.tokenError(w, tenantUnknown(name))
			return
		}
		issuer = d.Issuer(t.ID)
	}
	for _, k := range d.keys.published {
		keys = append(keys, k.publish(issuer))
	}
	w.Header().Set("Cache-Control", publishedFor)
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}
