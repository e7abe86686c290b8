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
	"example.com/partnertree/shared/setting"
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
	app := guests.App{Client: env(setting.GraphClient), Secret: env(setting.GraphSecret)}
	switch {
	case app.Client == "":
		return nil, errors.New(setting.GraphClient + " is not set: no guests can be made")
	case app.Secret == "" && env(setting.GraphFederated) != "1":
		return nil, errors.New(setting.GraphClient + " needs " + setting.GraphFederated + " or " + setting.GraphSecret)
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
	if s := env(setting.EntraAuthority); s != "" {
		cloud.Authority = s
	}
	if s := env(setting.GraphURL); s != "" {
		cloud.Graph = s
	}
	return guests.New(cloud.Authority, cloud.Graph, app), nil
}
