package operations

import (
	"context"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

func (t tree) signOut(ctx context.Context, c directory.Caller) (struct{}, error) {
	return struct{}{}, t.SignOutEverywhere(ctx, c)
}

func (t tree) invite(ctx context.Context, c directory.Caller, id ident.Node, in directory.NewInvitation) (directory.Invitation, error) {
	in.Node = id
	return t.Invite(ctx, c, in)
}

func (t tree) users(ctx context.Context, c directory.Caller, id ident.Node, in input.UsersPage) (any, error) {
	if in.At == nil {
		found, err := t.Users(ctx, c, id, in.Paging)
		return shape.OfList(found, shape.OfUser), err
	}
	found, err := t.UsersAt(ctx, c, id, *in.At, in.Paging)
	return shape.OfPastUsers(found, *in.At), err
}

func (t tree) explain(ctx context.Context, c directory.Caller, in input.Question) (directory.Explanation, error) {
	if in.At == nil {
		return t.Why(ctx, c, in.Principal, in.Node, in.Action)
	}
	return t.WhyAt(ctx, c, in.Principal, in.Node, in.Action, *in.At)
}

// userAtNode is somebody at a node. What they have there has no version that a caller could have read, so If-Match is not for it.
type userAtNode = pair[ident.Node, ident.Principal]

func userAt(node reader[ident.Node]) reader[userAtNode] {
	return both(node, path("principalId", ident.ParsePrincipal))
}

func (t tree) setRole(ctx context.Context, c directory.Caller, at userAtNode, role access.Role) (struct{}, error) {
	c.IfMatch = nil
	return struct{}{}, t.SetRole(ctx, c, at.a, at.b, role)
}

func (t tree) removeUser(ctx context.Context, c directory.Caller, at userAtNode) (struct{}, error) {
	return t.setRole(ctx, c, at, access.None)
}

func (t tree) createClient(ctx context.Context, c directory.Caller, in input.Client) (directory.ClientWithKey, error) {
	return t.CreateClient(ctx, c, in.Node, in.Name, in.Role)
}

func (t tree) clients(ctx context.Context, c directory.Caller, in input.ClientsPage) (directory.List[access.Grant], error) {
	return t.Clients(ctx, c, in.Node, in.Paging)
}

func (t tree) revokeClient(ctx context.Context, c directory.Caller, id ident.Principal) (struct{}, error) {
	return struct{}{}, t.RevokeClient(ctx, c, id)
}

// secretOfClient is a secret of an API client.
type secretOfClient = pair[ident.Principal, ident.Key]

func (t tree) removeSecret(ctx context.Context, c directory.Caller, of secretOfClient) (struct{}, error) {
	return struct{}{}, t.RemoveSecret(ctx, c, of.a, of.b)
}

// clientAtNode is an API client at a node.
type clientAtNode = pair[ident.Principal, ident.Node]

func (t tree) grantRole(ctx context.Context, c directory.Caller, at clientAtNode, role access.Role) (directory.Client, error) {
	return t.GrantRole(ctx, c, at.a, at.b, role)
}

func (t tree) removeGrant(ctx context.Context, c directory.Caller, at clientAtNode) (struct{}, error) {
	return struct{}{}, t.RemoveGrant(ctx, c, at.a, at.b)
}
