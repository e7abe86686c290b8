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
	"example.com/partnertree/shared/table"
)

// Environment variables beside those of package site. Without a table or the platform's app nobody can sign in, and the pages say so; the
// documentation is served all the same.
const (
	envTable     = "TABLE_NAME"
	envSecret    = "ENTRA_SECRET"    // of all apps; for use on a developer's machine
	envFederated = "ENTRA_FEDERATED" // 1: the apps trust the role of this function instead
)

// configured makes the portal that the environment describes. It makes no call.
func configured(env func(string) string, now func() time.Time, log *slog.Logger) *portal {
	p := &portal{now: now, log: log, config: portalhost.Configured(env)}
	var credential entra.Credential
	switch {
	case env(envTable) == "" || p.config.App.Client == "":
		return p
	case env(envSecret) != "":
		credential = entra.Secret(env(envSecret))
	case env(envFederated) == "1":
		token := federated.RoleToken(awsenv.Config(), nil, now)
		credential = entra.Assertion(func(ctx context.Context, _, _ string) (string, error) { return token(ctx) })
	default:
		log.Error("start", "cause", portalhost.EnvClient+" needs "+envFederated+" or "+envSecret)
		return p
	}
	store, err := table.Open(env(envTable))
	if err != nil {
		log.Error("start", "cause", err.Error())
		return p
	}
	p.serve(directory.New(store, now), store, entra.NewSignIn(entra.NewVerifier(p.config.Cloud, nil, now), credential))
	return p
}
