package main

import (
	"context"
	"log/slog"
	"time"

	"example.com/partnertree/functions/internal/federated"
	"example.com/partnertree/shared/awsenv"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/portalhost"
	"example.com/partnertree/shared/setting"
	"example.com/partnertree/shared/table"
)

// configured makes the portal that the environment describes. It makes no call. Without a table or the platform's app nobody can sign in,
// and the pages say so; the documentation is served all the same.
func configured(env func(string) string, now func() time.Time, log *slog.Logger) *portal {
	p := &portal{now: now, log: log, config: portalhost.Configured(env)}
	var credential entra.Credential
	switch {
	case env(setting.Table) == "" || p.config.App.Client == "":
		return p
	case env(setting.EntraSecret) != "":
		credential = entra.Secret(env(setting.EntraSecret))
	case env(setting.EntraFederated) == "1":
		token := federated.RoleToken(awsenv.Config(), nil, now)
		credential = entra.Assertion(func(ctx context.Context, _, _ string) (string, error) { return token(ctx) })
	default:
		log.Error("start", "cause", setting.EntraClient+" needs "+setting.EntraFederated+" or "+setting.EntraSecret)
		return p
	}
	store, err := table.Open(env(setting.Table))
	if err != nil {
		log.Error("start", "cause", err.Error())
		return p
	}
	p.serve(directory.New(store, now), store, entra.NewSignIn(entra.NewVerifier(p.config.Cloud, nil, now), credential))
	return p
}
