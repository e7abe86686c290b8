// Package operations connects the contract with the directory: routes.go lists, for each operation of the API, what is read from the
// request, what the directory does, and how that is answered. Package input has the form of what comes in, package shape of what goes out.
package operations

import (
	"context"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/shared/directory"
)

// reader reads a part of a request.
type reader[In any] func(*api.Request) (In, error)

// path reads an id from the path.
func path[ID any](name string, parse func(string) (ID, error)) reader[ID] {
	return func(r *api.Request) (ID, error) { return api.Path(r, name, parse) }
}

// body reads the body, and refuses a query.
func body[In any](read func(*input.Object) In) reader[In] {
	return func(r *api.Request) (In, error) { return api.Body(r, read) }
}

// bodyOrNone reads the body as body does. A missing body counts as an empty object.
func bodyOrNone[In any](read func(*input.Object) In) reader[In] {
	return func(r *api.Request) (In, error) { return api.BodyOrNone(r, read) }
}

// query reads the query, and not the body.
func query[In any](read func(*input.Query) In) reader[In] {
	return func(r *api.Request) (In, error) { return api.Query(r, read) }
}

// nothing refuses a query, and does not read the body.
var nothing = query(input.NoQuery)

// pair is two parts of a request.
type pair[A, B any] struct {
	a A
	b B
}

func both[A, B any](first reader[A], second reader[B]) reader[pair[A, B]] {
	return func(r *api.Request) (in pair[A, B], err error) {
		if in.a, err = first(r); err != nil {
			return in, err
		}
		in.b, err = second(r)
		return in, err
	}
}

// with returns an operation that reads a part of the request, has something done with that part, and answers with the result.
func with[In, Out any](read reader[In], do func(context.Context, directory.Caller, In) (Out, error), answer func(Out) api.Reply) api.Operation {
	return func(ctx context.Context, r *api.Request) (api.Reply, error) {
		in, err := read(r)
		if err != nil {
			return api.Reply{}, err
		}
		out, err := do(ctx, r.Caller, in)
		if err != nil {
			return api.Reply{}, err
		}
		return answer(out), nil
	}
}

// onWith returns an operation on what the path names, with a body or a query.
func onWith[ID, In, Out any](id reader[ID], read reader[In], do func(context.Context, directory.Caller, ID, In) (Out, error),
	answer func(Out) api.Reply) api.Operation {
	return with(both(id, read), func(ctx context.Context, c directory.Caller, in pair[ID, In]) (Out, error) {
		return do(ctx, c, in.a, in.b)
	}, answer)
}

// on returns an operation on what the path names, without a body or a query.
func on[ID, Out any](id reader[ID], do func(context.Context, directory.Caller, ID) (Out, error), answer func(Out) api.Reply) api.Operation {
	return onWith(id, nothing, bare(do), answer)
}

// onEmpty returns an operation on what the path names, with an empty object as its body.
func onEmpty[ID, Out any](id reader[ID], do func(context.Context, directory.Caller, ID) (Out, error), answer func(Out) api.Reply) api.Operation {
	return onWith(id, body(input.Nothing), bare(do), answer)
}

func bare[ID, Out any](do func(context.Context, directory.Caller, ID) (Out, error)) func(context.Context, directory.Caller, ID, struct{}) (Out, error) {
	return func(ctx context.Context, c directory.Caller, id ID, _ struct{}) (Out, error) { return do(ctx, c, id) }
}

// self returns an operation on the caller.
func self[Out any](do func(context.Context, directory.Caller) (Out, error), answer func(Out) api.Reply) api.Operation {
	return with(nothing, func(ctx context.Context, c directory.Caller, _ struct{}) (Out, error) { return do(ctx, c) }, answer)
}
