// Package guests makes people guests in partners' Microsoft tenants, by Microsoft Graph, as an app that the partners' administrators have
// consented to.
//
// What Microsoft answers has addresses and links in it. So no text of an answer leaves this package, and no error of Microsoft's SDKs.
package guests

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"

	kiota "github.com/microsoft/kiota-abstractions-go"
	azureauth "github.com/microsoft/kiota-authentication-azure-go"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	msgraph "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/invitations"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"example.com/partnertree/shared/guest"
)

// App is an app registration with Microsoft Graph's application permission User.Invite.All, and how it proves who it is.
type App struct {
	Client    string                                              // its application (client) id
	Secret    string                                              // on a developer's machine
	Assertion func(ctx context.Context) (token string, err error) // gets a token that the app trusts, instead of a secret
}

// Inviter makes guests. Its methods can be called at the same time.
type Inviter struct {
	authority, graph string
	app              App

	mu      sync.Mutex
	tenants map[string]*invitations.InvitationsRequestBuilder // each with the app's token for its tenant
}

// maxTenants bounds how many tenants' tokens are kept.
const maxTenants = 100

// direct follows nobody who sends an order elsewhere.
var direct = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// New makes guests as the app. Entra is at authority and Microsoft Graph at graph: scheme and host, without a closing slash.
func New(authority, graph string, app App) *Inviter {
	return &Inviter{authority: authority, graph: graph, app: app, tenants: map[string]*invitations.InvitationsRequestBuilder{}}
}

// Invite makes somebody a guest; Microsoft sends them no mail. Who is invited again without having accepted stays the same guest. The error
// is a *Failure. Give it a deadline.
// Source: https://learn.microsoft.com/graph/api/invitation-post
func (i *Inviter) Invite(ctx context.Context, o guest.Order) (guest.Outcome, error) {
	in, err := i.tenant(o.Tenant)
	if err != nil {
		return guest.Outcome{}, &Failure{Of: entra}
	}
	ask := models.NewInvitation()
	ask.SetInvitedUserEmailAddress(&o.Email)
	ask.SetInviteRedirectUrl(&o.Redirect)
	ask.SetSendInvitationMessage(new(false))
	if o.Name != "" {
		ask.SetInvitedUserDisplayName(&o.Name)
	}
	var said answer
	_, err = in.Post(ctx, ask, &invitations.InvitationsRequestBuilderPostRequestConfiguration{Options: []kiota.RequestOption{said.read()}})
	var f *Failure
	switch {
	case err != nil:
		f = unanswered(err)
	case said.status == http.StatusCreated && said.RedeemURL != "" && said.User.ID != "":
		return guest.Outcome{RedeemURL: said.RedeemURL, Object: strings.ToLower(said.User.ID)}, nil
	case said.isMember():
		return guest.Outcome{}, nil
	default:
		f = said.failure(o.Email)
	}
	if f.Refusal == guest.NoConsent || f.Status == http.StatusUnauthorized {
		i.forget(o.Tenant) // a token has the permissions of when it was issued
	}
	return guest.Outcome{}, f
}

// tenant is Microsoft Graph as the app sees it in a tenant.
func (i *Inviter) tenant(id string) (*invitations.InvitationsRequestBuilder, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if known := i.tenants[id]; known != nil {
		return known, nil
	}
	credential, err := i.credential(id)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(i.graph)
	if err != nil {
		return nil, err
	}
	// Without naming the host, none but Microsoft's would be sent a token.
	auth, err := azureauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(credential, nil, []string{at.Hostname()})
	if err != nil {
		return nil, err
	}
	// Nothing parses answers (see answer), and there is none of the SDK's middleware, which repeats requests without their body
	// (kiota-http-go 1.5): who throttles is asked again by whoever ordered the guest.
	adapter, err := msgraph.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(auth,
		msgraph.GraphClientOptions{}, nil, jsonserialization.NewJsonSerializationWriterFactory(), direct)
	if err != nil {
		return nil, err
	}
	adapter.SetBaseUrl(i.graph + "/v1.0")
	if len(i.tenants) >= maxTenants {
		clear(i.tenants)
	}
	in := invitations.NewInvitationsRequestBuilderInternal(map[string]string{"baseurl": adapter.GetBaseUrl()}, adapter)
	i.tenants[id] = in
	return in, nil
}

// forget gets a new token for the tenant the next time.
func (i *Inviter) forget(tenant string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.tenants, tenant)
}
