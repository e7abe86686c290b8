package api

import (
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
)

// What the authorizer found is taken over as it is, at whatever host: API Gateway remembers it for the token, not for the host. So the
// bound of a token that was recognized at a brand's host comes along to the platform's own.
func TestWhomTheAuthorizerFoundIsTheCaller(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	person := map[string]any{"principal": "usr_0000000000000001", "session": "1799999000000", "until": "1800000000001"}
	with := func(pairs ...any) map[string]any {
		all := map[string]any{}
		for name, value := range person {
			all[name] = value
		}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i].(string)] = pairs[i+1]
		}
		return all
	}
	began := time.UnixMilli(1_799_999_000_000)
	const within = "ptn_0000000000000001"
	for name, c := range map[string]struct {
		found map[string]any
		want  directory.Caller // none: refused
	}{
		"a person":       {person, directory.Caller{Principal: "usr_0000000000000001", Session: began}},
		"within a bound": {with("within", within), directory.Caller{Principal: "usr_0000000000000001", Session: began, Within: within}},
		"a client": {with("principal", "cli_0000000000000001", "key", "key_0000000000000001"),
			directory.Caller{Principal: "cli_0000000000000001", Key: "key_0000000000000001"}},
		"within nothing":         {with("within", ""), directory.Caller{}},
		"within what is no node": {with("within", "brd_0000000000000001"), directory.Caller{}},
		"within what is no text": {with("within", 1.0), directory.Caller{}},
		"within null":            {with("within", nil), directory.Caller{}},
		"until now":              {with("until", "1800000000000"), directory.Caller{}},
		"without an end":         {with("until", nil), directory.Caller{}},
		"without a beginning":    {with("session", ""), directory.Caller{}},
		"a client as a person":   {with("principal", "cli_0000000000000001"), directory.Caller{}},
		"nobody":                 {map[string]any{"refusal": "No."}, directory.Caller{}},
		"nothing":                {nil, directory.Caller{}},
	} {
		for _, host := range []string{"api.example", "admin.red.example"} {
			r := &Request{event: &events.APIGatewayV2HTTPRequest{}}
			r.event.RequestContext.DomainName = host
			r.event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: c.found}
			err := r.authenticate(now)
			got := r.Caller
			if got.Principal != c.want.Principal || got.Key != c.want.Key || !got.Session.Equal(c.want.Session) || got.Token != (c.want.Principal == "usr_0000000000000001") || got.Within != c.want.Within {
				t.Errorf("%s, at %s: %+v, want %+v", name, host, got, c.want)
			}
			if refused := c.want.Principal == ""; refused != (err != nil) || refused && !fault.Unauthenticated.Is(err) {
				t.Errorf("%s, at %s: %v", name, host, err)
			}
		}
	}
}
