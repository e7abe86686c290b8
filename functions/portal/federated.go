package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// entraAudience is what Entra wants a foreign token to be for.
// Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust
const entraAudience = "api://AzureADTokenExchange"

const (
	stsTimeout   = 3 * time.Second // of a sign-in's ten
	maxSTSAnswer = 64 << 10
)

// roleToken gets a token about this function's role from AWS: the app registration trusts it in place of a secret. The account must have
// outbound web identity federation turned on. It is one signed request; the SDK's client for STS would cost every start of the function.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
func roleToken(c aws.Config, transport http.RoundTripper) func(ctx context.Context, client, endpoint string) (string, error) {
	endpoint := "https://sts." + c.Region + ".amazonaws.com/" // it is offered in regions only
	if c.BaseEndpoint != nil {
		endpoint = *c.BaseEndpoint
	}
	client := &http.Client{Transport: transport, Timeout: stsTimeout}
	form := url.Values{
		"Action": {"GetWebIdentityToken"}, "Version": {"2011-06-15"}, "Audience.member.1": {entraAudience}, "SigningAlgorithm": {"RS256"},
		"DurationSeconds": {"60"}, // the least there is, and ample: it is redeemed at once
	}.Encode()
	sum := sha256.Sum256([]byte(form))
	return func(ctx context.Context, _, _ string) (string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form))
		if err != nil {
			return "", err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		key, err := c.Credentials.Retrieve(ctx)
		if err != nil {
			return "", err
		}
		if err := v4.NewSigner().SignHTTP(ctx, key, r, hex.EncodeToString(sum[:]), "sts", c.Region, time.Now()); err != nil {
			return "", err
		}
		answer, err := client.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxSTSAnswer))
		if err != nil {
			return "", err
		}
		var read struct {
			Token string `xml:"GetWebIdentityTokenResult>WebIdentityToken"`
			Code  string `xml:"Error>Code"`
		}
		err = xml.Unmarshal(body, &read)
		switch {
		case answer.StatusCode != http.StatusOK:
			return "", fmt.Errorf("STS answered %d %s", answer.StatusCode, read.Code)
		case err != nil || read.Token == "":
			return "", errors.New("the answer of STS has no token")
		}
		return read.Token, nil
	}
}
