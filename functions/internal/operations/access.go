package operations

import (
	"context"

	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

func (d dir) signOut(ctx context.Context, c directory.Caller) (struct{}, error) {
	return struct{}{}, d.SignOutEverywhere(ctx, c)
}

func (d dir) invite(ctx context.Context, c directory.Caller, id ident.Node, in directory.NewInvitation) (directory.Invitation, error) {
	in.Node = id
	return d.Invite(ctx, c, in)
}

func (d dir) users(ctx context.Context, c directory.Caller, id ident.Node, in shape.UsersPage) (any, error) {
	if in.At == nil {
		found, err := d.Users(ctx, c, id, in.Paging)
		return shape.OfList(found, shape.OfUser), err
	}
	found, err := d.UsersAt(ctx, c, id, *in.At, in.Paging)
	return shape.OfPastUsers(found, *in.At), err
}

func (d dir) explain(ctx context.Context, c directory.Caller, in shape.Question) (directory.Explanation, error) {
	if in.At == nil {
		return d.Why(ctx, c, in.Principal, in.Node, in.Action)
	}
	return d.WhyAt(ctx, c, in.Principal, in.Node, in.Action, *in.At)
}

// userAtNode is somebody at a node. What they have there has no version that a caller could have read, so If-Match is not for it.
type userAtNode = pair[ident.Node, ident.Principal]

func userAt(node reader[ident.Node]) reader[userAtNode] {
	return both(node, path("principalId", ident.ParsePrincipal))
}

func (d dir) setRole(ctx context.Context, c directory.Caller, at userAtNode, role access.Role) (struct{}, error) {
	c.IfMatch = nil
	return struct{}{}, d.SetRole(ctx, c, at.a, at.b, role)
}

func (d dir) removeUser(ctx context.Context, c directory.Caller, at userAtNode) (struct{}, error) {
	return d.setRole(ctx, c, at, access.None)
}

func (d dir) clients(ctx context.Context, c directory.Caller, in shape.ClientsPage) (directory.List[access.Grant], error) {
	return d.Clients(ctx, c, in.Node, in.Paging)
}

func (d dir) revokeClient(ctx context.Context, c directory.Caller, id ident.Principal) (struct{}, error) {
	return struct{}{}, d.RevokeClient(ctx, c, id)
}

// secretOfClient is a secret of an API client.
type secretOfClient = pair[ident.Principal, ident.Key]

func (d dir) removeSecret(ctx context.Context, c directory.Caller, of secretOfClient) (struct{}, error) {
	return struct{}{}, d.RemoveSecret(ctx, c, of.a, of.b)
}

// clientAtNode is an API client at a node.
type clientAtNode = pair[ident.Principal, ident.Node]

func (d dir) grantRole(ctx context.Context, c directory.Caller, at clientAtNode, role access.Role) (directory.Client, error) {
	return d.GrantRole(ctx, c, at.a, at.b, role)
}

func (d dir) removeGrant(ctx context.Context, c directory.Caller, at clientAtNode) (struct{}, error) {
	return struct{}{}, d.RemoveGrant(ctx, c, at.a, at.b)
}
