package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/internal/deadline"
	"example.com/partnertree/functions/internal/golden"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/graph/graphtest"
	"example.com/partnertree/shared/graph/guests"
	"example.com/partnertree/shared/guest"
	"example.com/partnertree/shared/setting"
)

const (
	partner = "a0000000-0000-4000-8000-000000000002" // as in events/guests
	onboard = "00000000-0000-4000-8000-00000000a992"
)

// microsoft has a partner who has consented, and one who has not.
func microsoft(t *testing.T) *graphtest.Server {
	t.Helper()
	return graphtest.Start(t, graphtest.Directory{
		Tenants: []graphtest.Tenant{
			{ID: "a0000000-0000-4000-8000-000000000001", Name: "Cloudvendor", Domains: []string{"cloudvendor.example"}},
			{ID: partner, Name: "Vazon", Domains: []string{"vazonbay.example"},
				Consents: []graphtest.Consent{{App: onboard, Roles: []string{"User.Invite.All"}}},
				People:   []graphtest.Person{{ID: "b0000000-0000-4000-8000-000000000002", Name: "Alice", Mail: "alice@vazonbay.example"}}},
			{ID: "a0000000-0000-4000-8000-000000000003", Name: "Vale", Domains: []string{"valetelecom.example"}},
		},
		Apps: []graphtest.App{{ID: onboard, Name: "Onboarding", Tenant: "a0000000-0000-4000-8000-000000000001", Audience: graphtest.MultiTenant,
			Secrets: []string{"local"}, Permissions: []string{"User.Invite.All"}}},
	})
}

func newFunction(t *testing.T, s *graphtest.Server) (*function, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	logger := slog.New(slog.NewJSONHandler(log, nil))
	env := map[string]string{setting.GraphClient: onboard, setting.GraphSecret: "local", setting.EntraAuthority: s.URL, setting.GraphURL: s.URL}
	i, err := configured(func(name string) string { return env[name] }, clocktest.Now, logger)
	if err != nil {
		t.Fatal(err)
	}
	return &function{i, clocktest.Now, logger}, log
}

// The orders that notify gives, and what becomes of them. What is made anew each time is replaced.
func TestGolden(t *testing.T) {
	s := microsoft(t)
	golden.Run(t, "guests", func(t *testing.T, payload []byte) any {
		f, log := newFunction(t, s)
		var o guest.Order
		if err := json.Unmarshal(payload, &o); err != nil {
			t.Fatal(err)
		}
		out, err := f.handle(t.Context(), o)
		for _, secret := range []string{out.RedeemURL, out.Object, o.Email, o.Redirect, "@", "redeem"} {
			if secret != "" && strings.Contains(log.String(), secret) {
				t.Errorf("the log has %q: %s", secret, log)
			}
		}
		if strings.Count(log.String(), "\n") != 1 && o.Redirect != "" {
			t.Errorf("the log is %s", log)
		}
		if out.RedeemURL != "" {
			if !strings.HasPrefix(out.RedeemURL, s.URL+"/redeem?") || len(out.Object) != 36 {
				t.Errorf("%+v", out)
			}
			out.RedeemURL, out.Object = "REDEEM", "OBJECT"
		}
		if err != nil {
			return map[string]string{"error": err.Error()}
		}
		return out
	})
}

type slow struct{}

func (slow) Invite(ctx context.Context, _ guest.Order) (guest.Outcome, error) {
	<-ctx.Done()
	return guest.Outcome{}, &guests.Failure{Of: "graph"}
}

// Who invokes the function hears of it before Lambda ends it.
func TestThereIsTimeToSayThatItWasTooShort(t *testing.T) {
	log := new(bytes.Buffer)
	f := &function{slow{}, clocktest.Now, slog.New(slog.NewJSONHandler(log, nil))}
	ctx, cancel := context.WithTimeout(t.Context(), deadline.Reserve+20*time.Millisecond)
	defer cancel()
	_, err := f.handle(ctx, guest.Order{Tenant: partner, Email: "x@y.example", Redirect: "https://z.example"})
	var failure *guests.Failure
	if !errors.As(err, &failure) || ctx.Err() != nil || !strings.Contains(log.String(), `"outcome":"failed"`) {
		t.Errorf("%v, %v: %s", err, ctx.Err(), log)
	}
}

func TestWithoutAnAppThereAreNoGuests(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"nothing": {}, "no proof": {setting.GraphClient: onboard}, "no app": {setting.GraphSecret: "local"}, "not trusted": {setting.GraphClient: onboard, setting.GraphFederated: "0"},
	} {
		if i, err := configured(func(name string) string { return env[name] }, clocktest.Now, nil); err == nil || i != nil {
			t.Errorf("%s: configured", name)
		}
	}
	env := map[string]string{setting.GraphClient: onboard, setting.GraphFederated: "1"}
	if _, err := configured(func(name string) string { return env[name] }, clocktest.Now, nil); err != nil {
		t.Errorf("with a role: %v", err)
	}
}
