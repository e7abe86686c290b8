// Command guests is the Lambda function that makes people guests in partners' Microsoft tenants, one for each invocation. The function
// notify invokes it, before it mails an invitation to a portal that lets in only people of such a tenant. It has no access to the table.
//
// It is a function of its own because Microsoft's SDK is large, and because who may call it holds the key to all those tenants.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/federated"
	"example.com/partnertree/shared/awsenv"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/graph/guests"
)

// Environment variables.
const (
	envClient    = "GRAPH_CLIENT_ID" // of the platform's app that partners' administrators consent to
	envSecret    = "GRAPH_SECRET"    // of the app; for use on a developer's machine
	envFederated = "GRAPH_FEDERATED" // 1: the app trusts the role of this function instead
	envAuthority = "ENTRA_AUTHORITY" // where apps get tokens, scheme and host; Microsoft's when it is not set
	envGraph     = "GRAPH_URL"       // where Microsoft Graph is, scheme and host; Microsoft's when it is not set
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	inviter, err := configured(os.Getenv, time.Now, log)
	if err != nil {
		log.Error("start", "cause", err.Error())
		os.Exit(1)
	}
	lambda.Start((&function{inviter, time.Now, log}).handle)
}

// configured makes the inviter that the environment describes. It makes no call.
func configured(env func(string) string, now func() time.Time, log *slog.Logger) (*guests.Inviter, error) {
	app := guests.App{Client: env(envClient), Secret: env(envSecret)}
	switch {
	case app.Client == "":
		return nil, errors.New(envClient + " is not set: no guests can be made")
	case app.Secret == "" && env(envFederated) != "1":
		return nil, errors.New(envClient + " needs " + envFederated + " or " + envSecret)
	case app.Secret == "":
		token := federated.RoleToken(awsenv.Config(), nil, now)
		app.Assertion = func(ctx context.Context) (string, error) {
			t, err := token(ctx)
			if err != nil { // of which Microsoft's SDK keeps no more than that there is none
				log.ErrorContext(ctx, "assertion", "error", err.Error())
			}
			return t, err
		}
	}
	cloud := entra.Global
	if s := env(envAuthority); s != "" {
		cloud.Authority = s
	}
	if s := env(envGraph); s != "" {
		cloud.Graph = s
	}
	return guests.New(cloud.Authority, cloud.Graph, app), nil
}
