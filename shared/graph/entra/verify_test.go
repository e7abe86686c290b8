package entra

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func TestAPersonIsRecognized(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	want := Person{Tenant: vazon, Object: alice, Name: "Alice Le Page", Email: aliceAddress, EmailVerified: true}
	apps := map[string]App{
		"one tenant": ours, "several": {portal, OnlyTenants(stranger, strings.ToUpper(vazon))}, "any": {portal, AnyTenant()},
	}
	for name, app := range apps {
		if got, err := v.IDToken(t.Context(), app, sign(entra.idToken()), nonce); got != want || err != nil {
			t.Errorf("%s: ID token: %#v, %v", name, got, err)
		}
		got, err := v.AccessToken(t.Context(), app, sign(entra.accessToken()))
		if got.Person != want || !got.Issued.Equal(began.Add(-5*time.Minute)) || !got.Until.Equal(began.Add(time.Hour+leeway)) || err != nil {
			t.Errorf("%s: access token: %#v, %v", name, got, err)
		}
	}
	upper := strings.ToUpper(vazon)
	shouted := entra.idToken(map[string]any{"tid": upper, "oid": strings.ToUpper(alice), "iss": entra.URL + "/" + upper + "/v2.0"})
	if got, err := v.IDToken(t.Context(), ours, sign(shouted), nonce); got != want || err != nil {
		t.Errorf("in capitals: %#v, %v", got, err)
	}
	if n := entra.fetches.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestWithinTheLeewayATokenCounts(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	now := began.Unix()
	for _, c := range []map[string]any{{"exp": now - 60}, {"nbf": now + 60, "iat": now + 60}} {
		if _, err := v.IDToken(t.Context(), ours, sign(entra.idToken(c)), nonce); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	entra := entra(t)
	now := began.Unix()
	iss := func(tenant string) string { return entra.URL + "/" + tenant + "/v2.0" }
	for _, c := range []struct {
		name   string
		claims map[string]any
		want   Refusal
	}{
		{"another brand's app", map[string]any{"aud": rival}, Audience},
		{"our app among others", map[string]any{"aud": []string{portal, rival}}, Audience},
		{"no audience", map[string]any{"aud": nil}, Audience},
		{"an empty audience", map[string]any{"aud": ""}, Audience},
		{"another tenant", map[string]any{"tid": stranger, "iss": iss(stranger)}, OtherTenant},
		{"a tenant that says it is ours", map[string]any{"iss": iss(stranger)}, Issuer},
		{"an issuer that says it is ours", map[string]any{"tid": stranger}, Issuer},
		{"no issuer", map[string]any{"iss": nil}, Issuer},
		{"an issuer elsewhere", map[string]any{"iss": "https://login.evil.example/" + vazon + "/v2.0"}, Issuer},
		{"an issuer with a closing slash", map[string]any{"iss": iss(vazon) + "/"}, Issuer},
		{"the issuer of v1", map[string]any{"iss": "https://sts.windows.net/" + vazon + "/"}, Issuer},
		{"the literal {tenantid}", map[string]any{"tid": "{tenantid}", "iss": iss("{tenantid}")}, TenantID},
		{"common", map[string]any{"tid": "common", "iss": iss("common")}, TenantID},
		{"a path for a tenant", map[string]any{"tid": "../" + vazon, "iss": iss("../" + vazon)}, TenantID},
		{"almost a GUID", map[string]any{"tid": "g" + vazon[1:], "iss": iss("g" + vazon[1:])}, TenantID},
		{"no dashes", map[string]any{"tid": strings.Repeat("0", 36), "iss": iss(strings.Repeat("0", 36))}, TenantID},
		{"no tenant", map[string]any{"tid": nil}, TenantID},
		{"no object", map[string]any{"oid": nil}, ObjectID},
		{"an object that is an address", map[string]any{"oid": aliceAddress}, ObjectID},
		{"v1", map[string]any{"ver": "1.0"}, Version},
		{"no version", map[string]any{"ver": nil}, Version},
		{"expired", map[string]any{"exp": now - 61}, Expired},
		{"not yet valid", map[string]any{"nbf": now + 61}, NotYetValid},
		{"issued in the future", map[string]any{"iat": now + 61}, NotYetValid},
		{"for ever", map[string]any{"exp": nil}, NoValidity},
		{"from ever", map[string]any{"nbf": nil}, NoValidity},
		{"an expiry that is no number", map[string]any{"exp": "never"}, Malformed},
		{"a tenant that is no text", map[string]any{"tid": 1}, Malformed},
	} {
		v := entra.verifier()
		refused(t, c.name+", ID token", v, ours, sign(entra.idToken(c.claims)), nonce, c.want)
		refused(t, c.name+", access token", v, ours, sign(entra.accessToken(c.claims)), "", c.want)
	}
}

// refused checks a token, as an access token if there is no nonce.
func refused(t *testing.T, name string, v *Verifier, app App, token, nonce string, want Refusal) {
	t.Helper()
	var p Person
	var err error
	if nonce != "" {
		p, err = v.IDToken(t.Context(), app, token, nonce)
	} else {
		var a Access
		a, err = v.AccessToken(t.Context(), app, token)
		if p = a.Person; !a.Issued.IsZero() || !a.Until.IsZero() {
			t.Errorf("%s: %#v", name, a)
		}
	}
	if !errors.Is(err, want) || p != (Person{}) {
		t.Errorf("%s: %#v, %v instead of: %v", name, p, err, want)
	}
	if err != nil {
		saysNothing(t, err, append(strings.Split(token, "."), aliceAddress, "Alice", nonce)...)
	}
}

// saysNothing fails when an error quotes one of the secrets.
func saysNothing(t testing.TB, err error, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if len(s) > 3 && strings.Contains(err.Error(), s) {
			t.Errorf("the error says %s: %v", s, err)
		}
	}
}

func TestATokenOfAnotherUseIsRefused(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	for name, claims := range map[string]map[string]any{
		"of another sign-in": entra.idToken(map[string]any{"nonce": "another"}),
		"without a nonce":    entra.idToken(map[string]any{"nonce": nil}),
		"with an empty one":  entra.idToken(map[string]any{"nonce": ""}),
		"an access token":    entra.accessToken(),
	} {
		refused(t, name, v, ours, sign(claims), nonce, Nonce)
	}
	for name, claims := range map[string]map[string]any{
		"an ID token":             entra.idToken(),
		"an app's own token":      entra.accessToken(map[string]any{"scp": nil, "roles": []string{"Portal.Use"}}),
		"the same that says so":   entra.accessToken(map[string]any{"idtyp": "app"}),
		"without any permissions": entra.accessToken(map[string]any{"scp": ""}),
	} {
		refused(t, name, v, ours, sign(claims), "", NotDelegated)
	}
	for name, azp := range map[string]any{"another app": rival, "no app": nil, "an app without a name": "", "two": []string{portal, rival}} {
		want := OtherClient
		if name == "two" {
			want = Malformed
		}
		refused(t, "got by "+name, v, ours, sign(entra.accessToken(map[string]any{"azp": azp})), "", want)
	}
	for _, scp := range []string{"Mail.Read", "access_as_users", "access_as_user.Read", "Access_As_User", "api://portal/access_as_user", "."} {
		refused(t, "for "+scp, v, ours, sign(entra.accessToken(map[string]any{"scp": scp})), "", NoScope)
	}
	refused(t, "issued nobody knows when", v, ours, sign(entra.accessToken(map[string]any{"iat": nil})), "", NoValidity)
	if _, err := v.IDToken(t.Context(), ours, sign(entra.idToken(map[string]any{"nonce": ""})), ""); !errors.Is(err, Nonce) {
		t.Errorf("a sign-in without a nonce: %v", err)
	}
	for name, app := range map[string]App{"no tenants": {Client: portal}, "an empty list": {portal, OnlyTenants()}} {
		refused(t, name, v, app, sign(entra.idToken()), nonce, OtherTenant)
	}
	refused(t, "no app", v, App{Tenants: AnyTenant()}, sign(entra.idToken(map[string]any{"aud": ""})), nonce, Audience)
}

// part encodes a part of a token.
func part(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestASignatureThatIsNotEntrasIsRefused(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	claims := entra.idToken()
	good := strings.Split(sign(claims), ".")
	payload := string(must(json.Marshal(claims)))
	public := &keyA().PublicKey
	spki := must(x509.MarshalPKIXPublicKey(public))
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	_, rs512, _ := strings.Cut(signed(claims, jose.RS512, "a", keyA()), ".")
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	with := func(header jose.HeaderKey, value any) string {
		options := (&jose.SignerOptions{}).WithHeader("kid", "a").WithHeader(header, value)
		signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: keyB()}, options))
		return must(jwt.Signed(signer).Claims(claims).Serialize())
	}
	evil := part(strings.Replace(payload, alice, "66666666-6666-4666-8666-66666666ffff", 1))
	for _, c := range []struct {
		name, token string
		want        Refusal
	}{
		{"alg none", part(`{"alg":"none","kid":"a"}`) + "." + good[1] + ".", Algorithm},
		{"alg none with a signature", part(`{"alg":"none","kid":"a"}`) + "." + good[1] + "." + good[2], Algorithm},
		{"alg None", part(`{"alg":"None","kid":"a"}`) + "." + good[1] + ".", Algorithm},
		{"no alg", part(`{"kid":"a"}`) + "." + good[1] + "." + good[2], Algorithm},
		{"alg changed to HS256", part(`{"alg":"HS256","kid":"a"}`) + "." + good[1] + "." + good[2], Algorithm},
		{"HS256 with the public key as PEM", signed(claims, jose.HS256, "a", asPEM), Algorithm},
		{"HS256 with the public key as DER", signed(claims, jose.HS256, "a", spki), Algorithm},
		{"HS256 with the modulus", signed(claims, jose.HS256, "a", public.N.Bytes()), Algorithm},
		{"RS512", signed(claims, jose.RS512, "a", keyA()), Algorithm},
		{"PS256", signed(claims, jose.PS256, "a", keyA()), Algorithm},
		{"ES256", signed(claims, jose.ES256, "a", ec), Algorithm},
		{"RS512 that says RS256", part(`{"alg":"RS256","kid":"a"}`) + "." + rs512, Signature},
		{"another key that says it is ours", signed(claims, jose.RS256, "a", keyB()), Signature},
		{"another key that comes along", with("jwk", jose.JSONWebKey{Key: &keyB().PublicKey}), Signature},
		{"another key that is elsewhere", with("jku", "https://evil.example/keys"), Signature},
		{"an extension that must be understood", with("crit", []string{"exp"}), Malformed},
		{"a payload that was changed", good[0] + "." + evil + "." + good[2], Signature},
		{"a header that was changed", part(`{"alg":"RS256","kid":"a","typ":"at+jwt"}`) + "." + good[1] + "." + good[2], Signature},
		{"a signature that was shortened", strings.Join(good, ".")[:len(strings.Join(good, "."))-4], Signature},
		{"no signature", good[0] + "." + good[1] + ".", Signature},
		{"an unknown key", signed(claims, jose.RS256, "b", keyB()), UnknownKey},
		{"no key id", signed(claims, jose.RS256, "", keyA()), UnknownKey},
		{"a payload that is no JSON", signedBytes("nothing"), Malformed},
		{"two values for one claim", signedBytes(payload[:len(payload)-1] + `,"oid":"` + alice + `"}`), Malformed},
		{"nothing", "", Malformed},
		{"an API key", "pmk_0123456789abcdef", Malformed},
		{"two parts", good[0] + "." + good[1], Malformed},
		{"four parts", strings.Join(good, ".") + ".", Malformed},
		{"a line break", strings.Join(good, ".") + "\n.", Malformed},
		{"a signature as JSON", `{"protected":"` + good[0] + `","payload":"` + good[1] + `","signature":"` + good[2] + `"}`, Malformed},
		{"a token that is too long", sign(entra.idToken(map[string]any{"groups": strings.Repeat("A", maxToken)})), Malformed},
	} {
		refused(t, c.name, v, ours, c.token, nonce, c.want)
	}
	if n := entra.fetches.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// signedBytes signs something with keyA.
func signedBytes(payload string) string {
	options := (&jose.SignerOptions{}).WithHeader("kid", "a")
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: keyA()}, options))
	return must(must(signer.Sign([]byte(payload))).CompactSerialize())
}

func TestAKeySignsForItsIssuerOnly(t *testing.T) {
	entra := entra(t)
	for name, c := range map[string]struct {
		issuer string
		want   error
	}{
		"every tenant":    {entra.URL + "/{tenantid}/v2.0", nil},
		"this tenant":     {entra.URL + "/" + vazon + "/v2.0", nil},
		"another tenant":  {entra.URL + "/" + stranger + "/v2.0", KeyIssuer},
		"another cloud":   {"https://login.evil.example/{tenantid}/v2.0", KeyIssuer},
		"nobody it names": {"", KeyIssuer},
	} {
		entra.publishes(webKey("a", &keyA().PublicKey, c.issuer))
		if _, err := entra.verifier().IDToken(t.Context(), ours, sign(entra.idToken()), nonce); !errors.Is(err, c.want) {
			t.Errorf("a key of %s: %v", name, err)
		}
	}
}

func TestAnAddressIsVerifiedOnlyWhenEntraSaysSo(t *testing.T) {
	entra := entra(t)
	v := entra.verifier()
	for _, c := range []struct {
		claims map[string]any
		want   bool
	}{
		{map[string]any{"xms_edov": true}, true},
		{map[string]any{"xms_edov": "1"}, true},
		{map[string]any{"xms_edov": "true"}, true},
		{map[string]any{"xms_edov": 1}, true},
		{map[string]any{"xms_edov": nil}, false},
		{map[string]any{"xms_edov": false}, false},
		{map[string]any{"xms_edov": "0"}, false},
		{map[string]any{"xms_edov": "false"}, false},
		{map[string]any{"xms_edov": 0}, false},
		{map[string]any{"xms_edov": []bool{true}}, false},
		{map[string]any{"xms_edov": map[string]bool{"true": true}}, false},
		{map[string]any{"xms_edov": nil, "email_verified": true}, false},
		{map[string]any{"xms_edov": nil, "preferred_username": aliceAddress, "upn": aliceAddress}, false},
		{map[string]any{"email": nil}, false},
		{map[string]any{"email": ""}, false},
	} {
		p, err := v.IDToken(t.Context(), ours, sign(entra.idToken(c.claims)), nonce)
		address, _ := entra.idToken(c.claims)["email"].(string)
		if err != nil || p.EmailVerified != c.want || p.Email != address {
			t.Errorf("%v: %#v, %v", c.claims, p, err)
		}
	}
}

func TestAPersonIsPrintedWithoutNameAndAddress(t *testing.T) {
	p := Person{Tenant: vazon, Object: alice, Name: "Alice Le Page", Email: aliceAddress}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("hello", "person", p)
	slog.New(slog.NewTextHandler(&b, nil)).Info("hello", "person", p)
	fmt.Fprintf(&b, "%v %+v %s", p, p, p)
	if strings.Contains(b.String(), "lice") || strings.Count(b.String(), vazon+"/"+alice) != 5 {
		t.Error(b.String())
	}
}

// Whatever comes as a token: no panic, nobody but alice, and no part of it in an error.
func FuzzToken(f *testing.F) {
	entra := entra(f)
	v := entra.verifier()
	good := sign(entra.idToken())
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add(part(`{"alg":"none"}`) + "." + parts[1] + ".")
	f.Add(parts[0] + "..")
	f.Add(part(`{"alg":"RS256","kid":"a","jwk":{"kty":"oct","k":"AA"}}`) + "." + parts[1] + "." + parts[2])
	f.Add(part(`{"alg":"RS256","kid":"a","crit":["b64"],"b64":false}`) + "." + parts[1] + "." + parts[2])
	f.Add(signedBytes(`{"ver":"2.0","exp":1e400}`))
	f.Fuzz(func(t *testing.T, token string) {
		p, err := v.IDToken(t.Context(), ours, token, nonce)
		var why Refusal
		switch {
		case err == nil && (token != good || p.Object != alice):
			t.Errorf("%q is %v", token, p)
		case err != nil && (!errors.As(err, &why) || p != (Person{})):
			t.Errorf("%#v, %v", p, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	entra := entra(b)
	v := entra.verifier()
	token := sign(entra.accessToken())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AccessToken(b.Context(), ours, token); err != nil {
			b.Fatal(err)
		}
	}
	if n := entra.fetches.Load(); n != 1 {
		b.Fatalf("the keys were fetched %d times", n)
	}
}

func TestTheMachinesClockIsTheOneOnTheWall(t *testing.T) {
	now := wallClock()
	if since := time.Since(now); since > time.Minute || strings.Contains(now.String(), "m=") {
		t.Errorf("%v, %v ago", now, since)
	}
}
