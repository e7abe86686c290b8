package guests

import (
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// credential gets the app's tokens in a tenant, and keeps them until they end. It repeats nothing: whoever ordered the guest does. That the
// authority is Microsoft's need not be looked up: it is no input.
func (i *Inviter) credential(tenant string) (azcore.TokenCredential, error) {
	o := azcore.ClientOptions{
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: i.authority}, Retry: policy.RetryOptions{MaxRetries: -1},
	}
	if host, ok := strings.CutPrefix(i.authority, "http://"); ok {
		o.Cloud.ActiveDirectoryAuthorityHost, o.Transport = "https://"+belowDouble+host, double{host}
	}
	if i.app.Secret != "" {
		return azidentity.NewClientSecretCredential(tenant, i.app.Client, i.app.Secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: true})
	}
	return azidentity.NewClientAssertionCredential(tenant, i.app.Client, i.app.Assertion,
		&azidentity.ClientAssertionCredentialOptions{ClientOptions: o, DisableInstanceDiscovery: true})
}

// double sends to the double of Entra on a developer's machine, which speaks http, what the SDK sends by https alone. The SDK takes the
// double's issuer, an address with http, only from an authority whose name is below the double's.
type double struct{ host string }

const belowDouble = "entra."

func (d double) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = "http", d.host, d.host
	return http.DefaultClient.Do(r)
}
