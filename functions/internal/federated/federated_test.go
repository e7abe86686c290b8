package federated

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"example.com/partnertree/shared/clocktest"
)

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// askSTS asks an STS that answers so, and keeps the request.
func askSTS(t *testing.T, sent **http.Request, status *int, answer *string) (string, error) {
	t.Helper()
	return roleToken(t, sent, status, answer, clocktest.Now)(t.Context())
}

func roleToken(t *testing.T, sent **http.Request, status *int, answer *string, now func() time.Time) func(context.Context) (string, error) {
	config := aws.Config{Region: "eu-west-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "key", SessionToken: "session"}, nil
	})}
	return RoleToken(config, tripper(func(r *http.Request) (*http.Response, error) {
		*sent = r
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("Action") != "GetWebIdentityToken" || form.Get("Audience.member.1") != "api://AzureADTokenExchange" ||
			form.Get("SigningAlgorithm") != "RS256" || form.Get("DurationSeconds") != "300" {
			t.Errorf("sent %s", body)
		}
		return &http.Response{StatusCode: *status, Body: io.NopCloser(strings.NewReader(*answer)), Header: http.Header{}}, nil
	}), now)
}

func TestTheRolesTokenStandsInForASecret(t *testing.T) {
	var sent *http.Request
	answer := "<GetWebIdentityTokenResponse><GetWebIdentityTokenResult><WebIdentityToken>a.b.c</WebIdentityToken>" +
		"</GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"
	status := 200
	token, err := askSTS(t, &sent, &status, &answer)
	if err != nil || token != "a.b.c" {
		t.Fatalf("%q, %v", token, err)
	}
	if sent.URL.Host != "sts.eu-west-1.amazonaws.com" || sent.URL.Scheme != "https" ||
		!strings.Contains(sent.Header.Get("Authorization"), "/eu-west-1/sts/aws4_request") ||
		sent.Header.Get("X-Amz-Security-Token") != "session" {
		t.Errorf("sent to %s with %v", sent.URL, sent.Header)
	}
	status = 403
	answer = "<ErrorResponse><Error><Code>OutboundWebIdentityFederationDisabled</Code><Message>Role arn:aws:iam::1:role/x</Message>" +
		"</Error></ErrorResponse>"
	if _, err := askSTS(t, &sent, &status, &answer); err == nil || strings.Contains(err.Error(), "arn:") ||
		!strings.Contains(err.Error(), "403 OutboundWebIdentityFederationDisabled") {
		t.Errorf("refused: %v", err)
	}
	for _, bad := range []string{"", "<x/>", "{}"} {
		status, answer = 200, bad
		if token, err := askSTS(t, &sent, &status, &answer); err == nil {
			t.Errorf("%q gives %q", bad, token)
		}
	}
}

// One call of AWS serves all sign-ins of some minutes, and a token is never used in its last one. What failed is asked for again.
func TestATokenIsKeptWhileItIsValid(t *testing.T) {
	var sent *http.Request
	status, answer := 500, ""
	now := clocktest.Start()
	token := roleToken(t, &sent, &status, &answer, func() time.Time { return now })
	ask := func(want string, asked bool) {
		t.Helper()
		sent = nil
		got, err := token(t.Context())
		if got != want || (err == nil) != (want != "") || (sent != nil) != asked {
			t.Errorf("%q, %v, asked: %v; want %q, %v", got, err, sent != nil, want, asked)
		}
	}
	issue := func(token string) {
		status, answer = 200, "<R><GetWebIdentityTokenResult><WebIdentityToken>"+token+"</WebIdentityToken></GetWebIdentityTokenResult></R>"
	}
	ask("", true)
	issue("first")
	ask("first", true)
	issue("second")
	now = now.Add(tokenLife - time.Minute - time.Second)
	ask("first", false)
	now = now.Add(time.Second)
	ask("second", true)
	status = 500
	ask("second", false)
}
