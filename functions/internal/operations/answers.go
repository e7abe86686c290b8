package operations

import (
	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/directory"
)

// ok answers with a shape that has no version.
func ok[Out, Shape any](of func(Out) Shape) func(Out) api.Reply {
	return func(out Out) api.Reply { return api.Reply{Status: 200, Body: of(out)} }
}

// same returns what has its shape already.
func same[Shape any](s Shape) Shape { return s }

// page answers with a page of a list whose items have the shape that of returns.
func page[From, To any](of func(From) To) func(directory.List[From]) api.Reply {
	return ok(func(l directory.List[From]) shape.List[To] { return shape.OfList(l, of) })
}

func done(struct{}) api.Reply { return api.Reply{Status: 204} }

func node(n directory.Node) api.Reply {
	return api.Reply{Status: 200, Version: n.Version, Body: shape.OfNode(n)}
}

func client(c directory.Client) api.Reply {
	return api.Reply{Status: 200, Version: c.Version, Body: shape.OfClient(c)}
}

func brand(b directory.Brand) api.Reply {
	return api.Reply{Status: 200, Version: b.Version, Body: shape.OfBrand(b)}
}

func invitation(i directory.Invitation) api.Reply {
	return api.Reply{Status: 200, Version: i.Version, Body: shape.OfInvitation(i)}
}

func moveRequest(m directory.AskedMove) api.Reply {
	return api.Reply{Status: 200, Version: m.Version, Body: shape.OfRequest(m)}
}

// created turns the answer about a thing into the answer that the thing was made, and is at location.
func created[Out any](location func(Out) string, answer func(Out) api.Reply) func(Out) api.Reply {
	return func(out Out) api.Reply {
		reply := answer(out)
		reply.Status, reply.Location = 201, location(out)
		return reply
	}
}

var (
	newNode        = created(func(n directory.Node) string { return "/v1/" + string(n.Kind()) + "s/" + string(n.ID) }, node)
	newBrand       = created(func(b directory.Brand) string { return "/v1/brands/" + string(b.ID) }, brand)
	newInvitation  = created(func(i directory.Invitation) string { return "/v1/invitations/" + string(i.ID) }, invitation)
	newMoveRequest = created(func(m directory.AskedMove) string { return "/v1/move-requests/" + string(m.ID) }, moveRequest)
)

// withKey answers with an API client and a secret that was just made for it.
func withKey(c directory.ClientWithKey) api.Reply {
	return api.Reply{Status: 201, Location: "/v1/api-clients/" + string(c.ID), Version: c.Version, Body: shape.OfClientWithKey(c)}
}

// changed answers with the job that writes a change into a whole subtree, or with the node when there was nothing to do.
func changed(c directory.Changed) api.Reply {
	if c.Job == nil {
		return node(c.Node)
	}
	return api.Reply{Status: 202, Location: "/v1/jobs/" + string(c.Job.ID), Body: shape.OfJob(*c.Job)}
}
