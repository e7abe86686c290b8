// Command authorizer is the Lambda function that tells API Gateway who is calling, and never what they may do: the
// functions decide that with every request, so that taking access away counts at once although this answer is cached.
package main

import (
	"cmp"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/wiring"
	"example.com/partnertree/shared/graph/entra"
)

func main() {
	t, log := wiring.Table()
	a := &authorizer{store: t, log: log}
	a.tokens, a.app = tokensOf(os.Getenv)
	lambda.Start(a.handle)
}

// tokensOf reads from the environment whose access tokens are taken: ENTRA_CLIENT_ID is the platform's app, ENTRA_TENANTS the tenants that
// it lets in ("any", or their ids with commas between them; empty: none), ENTRA_AUTHORITY where they sign in, Microsoft's unless it says
// something else. Without an app no tokens are taken. Nothing is fetched before the first token comes.
func tokensOf(env func(string) string) (*entra.Verifier, entra.App) {
	app := entra.App{Client: strings.ToLower(env("ENTRA_CLIENT_ID"))}
	if app.Client == "" {
		return nil, app
	}
	switch tenants := env("ENTRA_TENANTS"); tenants {
	case "any":
		app.Tenants = entra.AnyTenant()
	case "":
	default:
		ids := strings.Split(tenants, ",")
		for i := range ids {
			ids[i] = strings.TrimSpace(ids[i])
		}
		app.Tenants = entra.OnlyTenants(ids...)
	}
	cloud := entra.Global
	cloud.Authority = strings.TrimSuffix(cmp.Or(env("ENTRA_AUTHORITY"), cloud.Authority), "/")
	return entra.NewVerifier(cloud, nil, nil), app
}
