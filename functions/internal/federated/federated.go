// Package federated has AWS vouch for a function to Microsoft Entra ID: app registrations that trust the function's role need no secret.
package federated

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"example.com/partnertree/functions/internal/signed"
)

// entraAudience is what Entra wants a foreign token to be for.
// Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust
const entraAudience = "api://AzureADTokenExchange"

// stsTimeout leaves the rest of ten seconds to what the token is for.
const stsTimeout = 3 * time.Second

// RoleToken gets tokens about this function's role from AWS: an app registration trusts them in place of a secret. The account must have
// outbound web identity federation turned on.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
func RoleToken(c aws.Config, transport http.RoundTripper) func(context.Context) (string, error) {
	sts := signed.Service{Name: "sts", Config: c, Transport: transport}
	form := []byte(url.Values{
		"Action": {"GetWebIdentityToken"}, "Version": {"2011-06-15"}, "Audience.member.1": {entraAudience}, "SigningAlgorithm": {"RS256"},
		"DurationSeconds": {"60"}, // the least there is, and ample: it is redeemed at once
	}.Encode())
	return func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, stsTimeout)
		defer cancel()
		answer, err := sts.Post(ctx, "/", "application/x-www-form-urlencoded", form)
		if err != nil {
			return "", err
		}
		var read struct {
			Token string `xml:"GetWebIdentityTokenResult>WebIdentityToken"`
			Code  string `xml:"Error>Code"`
		}
		err = xml.Unmarshal(answer.Body, &read)
		switch {
		case answer.Status != http.StatusOK:
			return "", fmt.Errorf("STS answered %d %s", answer.Status, read.Code)
		case err != nil || read.Token == "":
			return "", errors.New("the answer of STS has no token")
		}
		return read.Token, nil
	}
}
