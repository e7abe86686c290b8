package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda/messages"

	"example.com/partnertree/functions/internal/golden"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
)

// The secret in the recorded payloads. It opens nothing: it is a sentence, not random.
const recordedSecret = "vazon-bay-it-test-secret-000000000000000000"

// clients is a store that has clients and nothing else; any call but Read panics.
type clients struct {
	directory.Store
	all   map[ident.Principal]*access.Principal
	err   error
	reads []directory.Want
}

func (c *clients) Read(_ context.Context, w directory.Want) (directory.Got, error) {
	c.reads = append(c.reads, w)
	got := directory.Got{Records: record.Set{}}
	for _, ref := range w.Records {
		if p, ok := c.all[ident.Principal(ref.ID())]; ok {
			got.Records[ref] = p
		}
	}
	return got, c.err
}

func recorded() *clients {
	hash := sha256.Sum256([]byte(recordedSecret))
	secrets := []access.Secret{{ID: "key_a1b2c3d4e5f6g7h8", Hash: hash[:]}}
	return &clients{all: map[ident.Principal]*access.Principal{
		"cli_5m8q2w7x9z1c3v4b": {ID: "cli_5m8q2w7x9z1c3v4b", Secrets: secrets},
		"cli_rrrrrrrrrrrrrrrr": {ID: "cli_rrrrrrrrrrrrrrrr", Secrets: secrets, Revoked: time.Unix(1, 0)},
	}}
}

func over(c *clients) (*authorizer, *bytes.Buffer) {
	var lines bytes.Buffer
	return configured(c, func(string) string { return "" }, clocktest.Now, slog.New(slog.NewJSONHandler(&lines, nil))), &lines
}

func TestRecordedPayloads(t *testing.T) {
	golden.Run(t, "authorizer", func(t *testing.T, payload []byte) any {
		var r events.APIGatewayV2CustomAuthorizerV2Request
		if err := json.Unmarshal(payload, &r); err != nil {
			t.Fatal(err)
		}
		a, lines := over(recorded())
		got, err := a.handle(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(lines.String(), "\n"); n != 1 {
			t.Errorf("%d log lines, want 1", n)
		}
		if strings.Contains(lines.String(), "pmk_") || strings.Contains(lines.String(), recordedSecret[:20]) {
			t.Errorf("the log has the key: %s", lines)
		}
		return got
	})
}

func TestAFailingStoreIsAnErrorAndNoRefusal(t *testing.T) {
	c := recorded()
	c.err = errors.New("throttled: table arn:aws:dynamodb:secret-place")
	a, lines := over(c)
	_, key := credential.NewSecret("cli_5m8q2w7x9z1c3v4b", clocktest.Now())
	_, err := a.handle(t.Context(), events.APIGatewayV2CustomAuthorizerV2Request{Headers: map[string]string{"authorization": "Bearer " + key}})
	var typed messages.InvokeResponse_Error
	if !errors.As(err, &typed) || typed.Type != "unavailable" || strings.Contains(typed.Message, "arn:") {
		t.Errorf("got %v; API Gateway keeps answers and forgets errors, so this must be one, without its cause", err)
	}
	if !strings.Contains(lines.String(), "secret-place") {
		t.Errorf("the log lacks the cause: %s", lines)
	}
}

func TestWhatIsNoKeyCostsNoRead(t *testing.T) {
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer pmk_", "pmk_x", "Basic dmF6b246YmF5", "Basic a.b.c", "Bearer a.b", "Bearer pmk_a.b.c",
		"Bearer " + strings.Repeat("pmk_", 5000)} {
		c := recorded()
		a, _ := over(c)
		who, err := a.identify(t.Context(), "api.example", header)
		if err != nil || who.outcome != notAKey || len(c.reads) != 0 {
			t.Errorf("%.20q: %s, %v, %d reads", header, who.outcome, err, len(c.reads))
		}
	}
}

func TestEveryKeyCostsOneReadOfOneClient(t *testing.T) {
	for _, client := range []ident.Principal{"cli_5m8q2w7x9z1c3v4b", ident.NewClient()} {
		c := recorded()
		a, _ := over(c)
		_, key := credential.NewSecret(client, clocktest.Now())
		if _, err := a.identify(t.Context(), "api.example", "Bearer "+key); err != nil {
			t.Fatal(err)
		}
		if len(c.reads) != 1 || len(c.reads[0].Records) != 1 || len(c.reads[0].Nodes) != 0 {
			t.Errorf("%s: reads %+v", client, c.reads)
		}
	}
}

// While a secret is being rotated two are valid.
func TestBothSecretsOfARotationAreRecognized(t *testing.T) {
	p := &access.Principal{ID: ident.NewClient()}
	first, one := credential.NewSecret(p.ID, clocktest.Now())
	second, two := credential.NewSecret(p.ID, clocktest.Now())
	p.Secrets = []access.Secret{first, second}
	a, _ := over(&clients{all: map[ident.Principal]*access.Principal{p.ID: p}})
	for i, key := range []string{one, two} {
		got, err := a.identify(t.Context(), "api.example", "Bearer "+key)
		if err != nil || got.outcome != recognized || got.principal != p.ID || got.key != p.Secrets[i].ID {
			t.Errorf("secret %d: %+v %v", i, got, err)
		}
	}
	p.Secrets = p.Secrets[1:]
	if got, _ := a.identify(t.Context(), "api.example", "Bearer "+one); got.outcome != unknownSecret {
		t.Errorf("a removed secret: %s", got.outcome)
	}
}

// The decoy must hold the key's secret id, or verifying would stop before it hashes, and must never fit.
func TestTheDecoyIsComparedAndNeverFits(t *testing.T) {
	_, s := credential.NewSecret(ident.NewClient(), clocktest.Now())
	k, _ := credential.ParseAPIKey(s)
	d := decoy(k)
	if d.ID != k.Client || !d.Holds(k.ID, clocktest.Now()) {
		t.Errorf("decoy %+v would not be compared", d)
	}
	if k.Verify(d, clocktest.Now()) {
		t.Error("a key fits the decoy")
	}
}
