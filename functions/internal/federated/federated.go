// Package federated has AWS vouch for a function to Microsoft Entra ID: app registrations that trust the function's role need no secret.
package federated

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"example.com/partnertree/functions/internal/signed"
)

// entraAudience is what Entra wants a foreign token to be for.
// Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust
const entraAudience = "api://AzureADTokenExchange"

// stsTimeout leaves the rest of ten seconds to what the token is for.
const stsTimeout = 3 * time.Second

// A token counts for tokenLife and is used for useFor: what is left is for the way to Entra, and for clocks that differ.
const (
	tokenLife = 5 * time.Minute
	useFor    = 4 * time.Minute
)

// RoleToken gets tokens about this function's role from AWS: an app registration trusts them in place of a secret. A token is kept and used
// again, so that whoever has many sign-ins finished makes one call of AWS in some minutes, and not one for each. The account must have
// outbound web identity federation turned on. The function that it returns is safe for concurrent use; now is the clock.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
func RoleToken(c aws.Config, transport http.RoundTripper, now func() time.Time) func(context.Context) (string, error) {
	sts := signed.Service{Name: "sts", Config: c, Transport: transport}
	form := []byte(url.Values{
		"Action": {"GetWebIdentityToken"}, "Version": {"2011-06-15"}, "Audience.member.1": {entraAudience}, "SigningAlgorithm": {"RS256"},
		"DurationSeconds": {strconv.Itoa(int(tokenLife / time.Second))},
	}.Encode())
	get := func(ctx context.Context) (string, error) {
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
	var mu sync.Mutex
	var kept string
	var since time.Time
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		at := now().Round(0) // without a monotonic reading, which stands still while Lambda freezes the process
		if age := at.Sub(since); kept != "" && age >= 0 && age < useFor {
			return kept, nil
		}
		token, err := get(ctx)
		if err != nil {
			return "", err
		}
		kept, since = token, at
		return kept, nil
	}
}
