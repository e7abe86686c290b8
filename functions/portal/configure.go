package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"example.com/partnertree/functions/internal/federated"
	"example.com/partnertree/shared/awsenv"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/table"
)

// Environment variables. Without a table or an app nobody can sign in, and the pages say so; the documentation is served all the same.
const (
	envTable     = "TABLE_NAME"
	envAuthority = "ENTRA_AUTHORITY" // where people sign in, scheme and host; Microsoft's when it is not set
	envClient    = "ENTRA_CLIENT_ID" // of the platform's own app
	envTenants   = "ENTRA_TENANTS"   // that the app lets in: any, or ids with commas between
	envSecret    = "ENTRA_SECRET"    // of the app; for use on a developer's machine
	envFederated = "ENTRA_FEDERATED" // 1: the app trusts the role of this function instead
	envHosts     = "PORTAL_HOSTS"    // the names under which people come here, with commas between, besides the API's own
	envOrigin    = "PORTAL_ORIGIN"   // instead of all of these, on a developer's machine: scheme, host and port
)

// configured makes the portal that the environment describes. It makes no call.
func configured(env func(string) string, now func() time.Time, log *slog.Logger) *portal {
	p := &portal{now: now, log: log, hosts: list(env(envHosts)), origin: env(envOrigin)}
	var credential entra.Credential
	switch {
	case env(envTable) == "" || env(envClient) == "":
		return p
	case env(envSecret) != "":
		credential = entra.Secret(env(envSecret))
	case env(envFederated) == "1":
		token := federated.RoleToken(awsenv.Config(), nil)
		credential = entra.Assertion(func(ctx context.Context, _, _ string) (string, error) { return token(ctx) })
	default:
		log.Error("start", "cause", envClient+" needs "+envFederated+" or "+envSecret)
		return p
	}
	store, err := table.Open(env(envTable))
	if err != nil {
		log.Error("start", "cause", err.Error())
		return p
	}
	cloud := entra.Global
	if authority := env(envAuthority); authority != "" {
		cloud.Authority = authority
	}
	app := entra.App{Client: env(envClient), Tenants: entra.OnlyTenants(list(env(envTenants))...)}
	if env(envTenants) == "any" {
		app.Tenants = entra.AnyTenant()
	}
	p.serve(directory.New(store, now), entra.NewSignIn(entra.NewVerifier(cloud, nil, now), credential), app, cloud)
	return p
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
