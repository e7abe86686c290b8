package operations

import (
	"context"
	"fmt"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// people has the operations on users, invitations, API clients and events.
func people(d *directory.Directory) map[string]api.Operation {
	return map[string]api.Operation{
		"createApiClient": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			in, err := api.Body[struct {
				Node api.Opt[string] `json:"nodeId"`
				Name api.Opt[string] `json:"name"`
				Role api.Opt[string] `json:"role"`
			}](r)
			if err != nil {
				return api.Reply{}, err
			}
			var f fault.Fields
			node := api.Required(&f, "/nodeId", in.Node, ident.ParseNode)
			name := api.Required(&f, "/name", in.Name, hierarchy.ParseName)
			role := api.Required(&f, "/role", in.Role, parseRole)
			if err := f.Err(); err != nil {
				return api.Reply{}, err
			}
			return withKey(d.CreateClient(ctx, r.Caller, node, name, role))
		},
		"listApiClients": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			q := api.ReadQuery(r)
			node, paging := api.Needed(q, "nodeId", ident.ParseNode), q.Paging()
			if err := q.Err(); err != nil {
				return api.Reply{}, err
			}
			found, err := d.Clients(ctx, r.Caller, node, paging)
			return list(found, err, clientSummaryShape)
		},
		"getApiClient": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := plainID(r, ident.ParseClient)
			if err != nil {
				return api.Reply{}, err
			}
			return foundClient(d.Client(ctx, r.Caller, id))
		},
		"revokeApiClient": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := plainID(r, ident.ParseClient)
			if err != nil {
				return api.Reply{}, err
			}
			return api.Done(d.RevokeClient(ctx, r.Caller, id))
		},
		"addApiClientSecret": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := plainID(r, ident.ParseClient)
			if err != nil {
				return api.Reply{}, err
			}
			return withKey(d.AddSecret(ctx, r.Caller, id))
		},
		"removeApiClientSecret": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, err := plainID(r, ident.ParseClient)
			if err != nil {
				return api.Reply{}, err
			}
			secret, err := api.Path(r, "secretId", ident.ParseKey)
			if err != nil {
				return api.Reply{}, err
			}
			return api.Done(d.RemoveSecret(ctx, r.Caller, id, secret))
		},
		"grantApiClient": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, node, err := clientAndNode(r)
			if err != nil {
				return api.Reply{}, err
			}
			role, err := readRole(r)
			if err != nil {
				return api.Reply{}, err
			}
			return foundClient(d.GrantRole(ctx, r.Caller, id, node, role))
		},
		"revokeApiClientGrant": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			id, node, err := clientAndNode(r)
			if err != nil {
				return api.Reply{}, err
			}
			return api.Done(d.RemoveGrant(ctx, r.Caller, id, node))
		},
		"listPartnerUsers":   listUsers(d, ident.ParsePartner),
		"listCustomerUsers":  listUsers(d, ident.ParseCustomer),
		"explainAccess":      explainAccess(d),
		"listPartnerEvents":  listEvents(d, ident.ParsePartner),
		"listCustomerEvents": listEvents(d, ident.ParseCustomer),

		"inviteToPartner":         invite(d, ident.ParsePartner),
		"inviteToCustomer":        invite(d, ident.ParseCustomer),
		"listPartnerInvitations":  listAt(ident.ParsePartner, d.Invitations, invitationShape),
		"listCustomerInvitations": listAt(ident.ParseCustomer, d.Invitations, invitationShape),
		"getInvitation":           onInvitation(d.Invitation, noBody),
		"resendInvitation":        onInvitation(d.Resend, readNothing),
		"revokeInvitation":        onInvitation(d.RevokeInvitation, noBody),
		"setPartnerUserRole":      setUserRole(d, ident.ParsePartner),
		"setCustomerUserRole":     setUserRole(d, ident.ParseCustomer),
		"removePartnerUser":       removeUser(d, ident.ParsePartner),
		"removeCustomerUser":      removeUser(d, ident.ParseCustomer),
		"signOutEverywhere": func(ctx context.Context, r *api.Request) (api.Reply, error) {
			if err := api.NoQuery(r); err != nil {
				return api.Reply{}, err
			}
			return api.Done(d.SignOutEverywhere(ctx, r.Caller))
		},
	}
}

func clientAndNode(r *api.Request) (ident.Principal, ident.Node, error) {
	id, err := plainID(r, ident.ParseClient)
	if err != nil {
		return "", "", err
	}
	node, err := api.Path(r, "nodeId", ident.ParseNode)
	return id, node, err
}

func parseRole(s string) (access.Role, error) {
	role, ok := access.ParseRole(s)
	if !ok {
		return role, fmt.Errorf("must be viewer, operator, admin or owner")
	}
	return role, nil
}

type client struct {
	ID      ident.Principal `json:"id"`
	Name    hierarchy.Name  `json:"name"`
	Node    ident.Node      `json:"nodeId"`
	Role    string          `json:"role,omitzero"` // at Node
	Grants  []clientGrant   `json:"grants"`
	Secrets []clientSecret  `json:"secrets"`
	Version int64           `json:"version"`
	Created string          `json:"createdAt"`
}

type clientGrant struct {
	Node ident.Node `json:"nodeId"`
	Role string     `json:"role"`
}

type clientSecret struct {
	ID      ident.Key `json:"id"`
	Hint    string    `json:"hint"`
	Created string    `json:"createdAt"`
}

// clientCreated has the API key in the first answer only.
type clientCreated struct {
	client
	Secret struct {
		ID  ident.Key `json:"id"`
		Key string    `json:"key,omitzero"`
	} `json:"secret"`
}

func clientShape(c directory.Client) client {
	role := ""
	for _, g := range c.Grants {
		if g.Node == c.Home {
			role = g.Role.String()
		}
	}
	return client{c.ID, c.Name, c.Home, role,
		each(c.Grants, func(g directory.Grant) clientGrant { return clientGrant{g.Node, g.Role.String()} }),
		each(c.Secrets, func(s access.Secret) clientSecret { return clientSecret{s.ID, s.Hint, stamp(s.Created)} }),
		c.Version, stamp(c.Created)}
}

func foundClient(c directory.Client, err error) (api.Reply, error) {
	if err != nil {
		return api.Reply{}, err
	}
	return api.OK(clientShape(c), c.Version)
}

func withKey(c directory.ClientWithKey, err error) (api.Reply, error) {
	if err != nil {
		return api.Reply{}, err
	}
	out := clientCreated{client: clientShape(c.Client)}
	out.Secret.ID, out.Secret.Key = c.SecretID, c.Key
	return api.Created("/v1/api-clients/"+string(c.ID), c.Version, out)
}

type clientSummary struct {
	ID      ident.Principal `json:"id"`
	Name    hierarchy.Name  `json:"name"`
	Home    ident.Node      `json:"nodeId,omitzero"`
	Role    string          `json:"role"`
	Created string          `json:"createdAt"`
}

// clientSummaryShape shows the home of a client only where it is the listed node: another may be out of reach.
func clientSummaryShape(g directory.Grant) clientSummary {
	home := g.Home
	if home != g.Node {
		home = ""
	}
	return clientSummary{g.Principal, g.Name, home, g.Role.String(), stamp(g.Created)}
}
