package operations

import (
	"context"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// tree is the directory, with methods whose arguments have the form of routes.go: what the path names, then what else was read.
type tree struct{ *directory.Directory }

func (t tree) editPartner(ctx context.Context, c directory.Caller, id ident.Node, in input.PartnerEdit) (directory.Node, error) {
	if in.CanProvision != nil {
		return t.SetCanProvision(ctx, c, id, *in.CanProvision)
	}
	return t.EditPartner(ctx, c, id, in.Patch)
}

func (t tree) partners(ctx context.Context, c directory.Caller, id ident.Node, p directory.Paging) (directory.List[directory.Node], error) {
	return t.Children(ctx, c, id, hierarchy.Partner, p)
}

func (t tree) customers(ctx context.Context, c directory.Caller, id ident.Node, p directory.Paging) (directory.List[directory.Node], error) {
	return t.Children(ctx, c, id, hierarchy.Customer, p)
}

func (t tree) path(ctx context.Context, c directory.Caller, id ident.Node) (directory.List[directory.PathStep], error) {
	steps, err := t.Path(ctx, c, id)
	return directory.List[directory.PathStep]{Items: steps}, err
}

func (t tree) toDepth(ctx context.Context, c directory.Caller, id ident.Node, depth int) (shape.Tree, error) {
	found, err := t.Tree(ctx, c, id, depth)
	if err != nil {
		return shape.Tree{}, err
	}
	return shape.OfTree(found, depth), nil
}

func (t tree) descendants(ctx context.Context, c directory.Caller, id ident.Node, in input.Descent) (
	directory.List[directory.Descendant], error) {
	return t.Descendants(ctx, c, id, in.Kind, in.Paging)
}

func (t tree) trash(ctx context.Context, c directory.Caller, id ident.Node, in input.Descent) (directory.List[directory.TrashItem], error) {
	return t.TrashList(ctx, c, id, in.Kind, in.Paging)
}

func (t tree) askMove(ctx context.Context, c directory.Caller, id ident.Node, in input.AskedMove) (directory.AskedMove, error) {
	return t.AskMove(ctx, c, id, in.To, in.Message)
}

func (t tree) brands(ctx context.Context, c directory.Caller, id ident.Node) (shape.List[shape.ListedBrand], error) {
	brands, err := t.Brands(ctx, c, id)
	return shape.OfBrands(brands, id), err
}

func (t tree) events(ctx context.Context, c directory.Caller, id ident.Node, in input.EventsPage) (directory.List[event.Event], error) {
	return t.Log(ctx, c, id, in.Filter, in.Paging)
}
