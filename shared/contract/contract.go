// Package contract is the API's contract as Go values: which operations there are, which function serves each, and what
// a caller must be allowed to do. Its one source is openapi.yaml, beside this file; everything named *.gen.go here, and
// everything below docs, is generated from it. Nothing is parsed when a function starts.
//
// The package carries no documents. The rendered reference, the JSON form of the contract and the pages of the problem
// types are in package docs, so that only the function that serves them pays for them.
package contract

//go:generate go run ./generate

// Operation is one operation of the API.
type Operation struct {
	// ID is the operationId: unique, and the name that tests, logs and docs use.
	ID string
	// Method is the HTTP method in upper case.
	Method string
	// Path is the route's path with its parameters in braces, such as /v1/partners/{id}.
	Path string
	// Function is the folder below functions/ that serves the operation.
	Function string
	// Role is the smallest role that may call it: viewer, operator, admin or owner; none when no role is needed.
	Role string
	// Target says where the id of the node stands on which the role is needed: path.id, path.nodeId, body.parentId,
	// body.partnerId, body.nodeId, query.nodeId or query.node; above.path.id (it is needed on a node above that one); client (the home
	// node of the API client in the path), brand (the partner that owns the brand in the path), job (the node that
	// the job in the path belongs to), move-request.from (a node above the one that the move request in the path is about),
	// move-request.to (the partner that it is to move to), move-request (one of these two, or the caller asked for the move;
	// nobody else sees it at all), invitation (the node that the invitation in the path is to), self (the caller) or public (nobody is asked who they are).
	Target string
	// MaxBody is the largest body in bytes; 0: what the API reads of any operation.
	MaxBody int
	// TooLarge is a sentence for whoever sends a larger one, where MaxBody is given: what is bounded in it.
	TooLarge string
	// Public operations are answered without asking who is calling.
	Public bool
}

// RouteKey is the operation's route as API Gateway names it: the method, a space and the path.
func (o Operation) RouteKey() string { return o.Method + " " + o.Path }

// ProblemType is one entry of the contract's registry of problem types (RFC 9457).
type ProblemType struct {
	// Slug is the last part of the type's address, /problems/<slug>.
	Slug string
	// Status is the HTTP status.
	Status int
	// Title is the type in a few words.
	Title string
}

// Status returns the HTTP status that a problem of a type is answered with. A type that the contract has not is answered as a failure on
// our side.
func Status(slug string) int {
	for i := range ProblemTypes {
		if ProblemTypes[i].Slug == slug {
			return ProblemTypes[i].Status
		}
	}
	return 500
}
