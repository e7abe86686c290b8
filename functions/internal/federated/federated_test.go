package federated

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// askSTS asks an STS that answers so, and keeps the request.
func askSTS(t *testing.T, sent **http.Request, status *int, answer *string) (string, error) {
	t.Helper()
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
			form.Get("SigningAlgorithm") != "RS256" {
			t.Errorf("sent %s", body)
		}
		return &http.Response{StatusCode: *status, Body: io.NopCloser(strings.NewReader(*answer)), Header: http.Header{}}, nil
	}))(t.Context())
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
