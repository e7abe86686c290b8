package operations

import (
	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
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

// thing answers with a thing that has a version.
func thing[Out any, Shape shape.Thing](of func(Out) Shape) func(Out) api.Reply {
	return func(out Out) api.Reply {
		body := of(out)
		_, version := body.Self()
		return api.Reply{Status: 200, Version: version, Body: body}
	}
}

// made answers with a thing that was just made.
func made[Out any, Shape shape.Thing](of func(Out) Shape) func(Out) api.Reply {
	return func(out Out) api.Reply {
		body := of(out)
		path, version := body.Self()
		return api.Reply{Status: 201, Location: "/v1/" + path, Version: version, Body: body}
	}
}

// changed answers with a thing whose change a job settles, or that was so already.
func changed[Out interface{ JobID() ident.Job }, Shape shape.Thing](of func(Out) Shape) func(Out) api.Reply {
	return func(out Out) api.Reply {
		reply := thing(of)(out)
		if id := out.JobID(); id != "" {
			reply.Status, reply.Location = 202, "/v1/jobs/"+string(id)
		}
		return reply
	}
}
