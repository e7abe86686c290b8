package operations

import (
	"context"

	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// dir is the directory, with methods whose arguments have the form of routes.go: what the path names, then what else was read.
type dir struct{ *directory.Directory }

func (d dir) editPartner(ctx context.Context, c directory.Caller, id ident.Node, in shape.PartnerEdit) (directory.Node, error) {
	if in.CanProvision != nil {
		return d.SetCanProvision(ctx, c, id, *in.CanProvision)
	}
	return d.EditPartner(ctx, c, id, in.Patch)
}

func (d dir) partners(ctx context.Context, c directory.Caller, id ident.Node, p directory.Paging) (directory.List[directory.Node], error) {
	return d.Children(ctx, c, id, hierarchy.Partner, p)
}

func (d dir) customers(ctx context.Context, c directory.Caller, id ident.Node, in shape.Customers) (directory.List[directory.Node], error) {
	if in.Filter != (hierarchy.Details{}) {
		return d.CustomersWith(ctx, c, id, in.Filter, in.Paging)
	}
	return d.Children(ctx, c, id, hierarchy.Customer, in.Paging)
}

func (d dir) path(ctx context.Context, c directory.Caller, id ident.Node) (directory.List[directory.PathStep], error) {
	steps, err := d.Path(ctx, c, id)
	return directory.List[directory.PathStep]{Items: steps}, err
}

func (d dir) toDepth(ctx context.Context, c directory.Caller, id ident.Node, depth int) (shape.Tree, error) {
	found, err := d.Tree(ctx, c, id, depth)
	if err != nil {
		return shape.Tree{}, err
	}
	return shape.OfTree(found, depth), nil
}

func (d dir) descendants(ctx context.Context, c directory.Caller, id ident.Node, in shape.Descent) (
	directory.List[directory.Descendant], error) {
	if in.Filter != (hierarchy.Details{}) {
		return d.DescendantsWith(ctx, c, id, in.Filter, in.Paging)
	}
	return d.Descendants(ctx, c, id, in.Kind, in.Paging)
}

func (d dir) search(ctx context.Context, c directory.Caller, in shape.SearchRequest) (directory.List[directory.Result], error) {
	return d.Search(ctx, c, in.Search, in.Paging)
}

func (d dir) trash(ctx context.Context, c directory.Caller, id ident.Node, in shape.Descent) (directory.List[directory.TrashItem], error) {
	return d.TrashList(ctx, c, id, in.Kind, in.Paging)
}

func (d dir) askMove(ctx context.Context, c directory.Caller, id ident.Node, in shape.AskedMove) (directory.AskedMove, error) {
	return d.AskMove(ctx, c, id, in.To, in.Message)
}

func (d dir) deleteBrand(ctx context.Context, c directory.Caller, id ident.Brand) (struct{}, error) {
	return struct{}{}, d.DeleteBrand(ctx, c, id)
}

func (d dir) brands(ctx context.Context, c directory.Caller, id ident.Node) (shape.List[shape.ListedBrand], error) {
	brands, err := d.Brands(ctx, c, id)
	return shape.OfBrands(brands, id), err
}

func (d dir) events(ctx context.Context, c directory.Caller, id ident.Node, in shape.EventsPage) (directory.List[event.Event], error) {
	return d.Log(ctx, c, id, in.Filter, in.Paging)
}
