// Package fault has all errors that callers can get. An Error has a Type from the registry below, and a Detail that says
// what to do and is safe to show to the caller. It can have a cause, which is only for the log. An error that is no Error
// becomes Internal before it is answered, and its text is not shown.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Type is a kind of problem (RFC 9457). Its Slug is the last part of the problem's type URI, /problems/<slug>. A published
// Slug never changes.
type Type struct {
	Slug  string
	Title string
}

// The registry of types. The contract documents each type and has its HTTP status. A test compares the registry with the contract.
var (
	MalformedJSON        = define("malformed-json", "The body is not JSON")
	Invalid              = define("invalid", "The request is not valid")
	UnknownField         = define("unknown-field", "The body has an unknown field")
	InvalidCursor        = define("invalid-cursor", "The cursor cannot be used here")
	IdempotencyKeyFormat = define("idempotency-key-invalid", "The Idempotency-Key is not valid")
	Unauthenticated      = define("unauthenticated", "No valid credentials")
	Forbidden            = define("forbidden", "Your role does not allow this")
	NeedsGrantAbove      = define("needs-grant-above", "This needs a role further up")
	RoleTooHigh          = define("role-too-high", "You cannot grant a higher role than your own")
	NotFound             = define("not-found", "Not found")
	NoSuchRoute          = define("no-such-route", "No such route")
	MethodNotAllowed     = define("method-not-allowed", "The path does not take this method")
	Conflict             = define("conflict", "Someone else changed this at the same time")
	BrandInUse           = define("brand-in-use", "The brand is in use")
	DomainTaken          = define("domain-taken", "The domain belongs to another brand")
	TwoSecrets           = define("two-secrets", "Two secrets are already valid")
	LastSecret           = define("last-secret", "The last secret cannot be removed")
	OwnAccess            = define("own-access", "You cannot change your own access")
	Suspended            = define("suspended", "Suspended")
	Trashed              = define("trashed", "In the trash")
	InvitationClosed     = define("invitation-closed", "The invitation can no longer be used")
	NotInvited           = define("not-invited", "The invitation is for someone else")
	TooManyInvitations   = define("too-many-invitations", "Too many invitations")
	TooSoon              = define("too-soon", "The invitation was just sent")
	RequestOpen          = define("request-open", "A move request is already open")
	TooManyMoveRequests  = define("too-many-move-requests", "Too many move requests")
	RequestClosed        = define("request-closed", "The move request is closed")
	RequestVoid          = define("request-void", "The requested move is not possible")
	AlreadyFounded       = define("already-founded", "The platform already has its root")
	PreconditionFailed   = define("precondition-failed", "Changed since you read it")
	TooLarge             = define("too-large", "The body is too large")
	UnsupportedMediaType = define("unsupported-media-type", "The body must be JSON")
	DepthLimit           = define("depth-limit", "The tree would become too deep")
	MoveIntoItself       = define("move-into-itself", "A node cannot move into itself")
	Root                 = define("root", "The root cannot be changed this way")
	BrandNotAvailable    = define("brand-not-available", "The brand is not available there")
	Immutable            = define("immutable", "This cannot change")
	TooManyGrants        = define("too-many-grants", "Too many grants")
	TooManyBrands        = define("too-many-brands", "Too many brands")
	IdempotencyKeyReused = define("idempotency-key-reused", "The Idempotency-Key was used for another request")
	TooManyRequests      = define("too-many-requests", "Too many requests")
	Internal             = define("internal", "Something went wrong on our side")
	Busy                 = define("busy", "Too busy just now")
	TooManyChanges       = define("too-many-changes", "Too many changes are being settled")
)

// Types lists all types, in the order of the registry.
var Types []*Type

func define(slug, title string) *Type {
	t := &Type{slug, title}
	Types = append(Types, t)
	return t
}

// New returns an Error of this type. The detail is shown to the caller, and says what is wrong and what to do.
func (t *Type) New(format string, args ...any) *Error {
	return &Error{Type: t, Detail: fmt.Sprintf(format, args...)}
}

// Because returns an Error of this type with a cause that goes to the log and never to the caller.
func (t *Type) Because(cause error, format string, args ...any) *Error {
	e := t.New(format, args...)
	e.cause = cause
	return e
}

// Field is a part of a request that is wrong. Pointer says where: an RFC 6901 pointer into the body, or the name of a
// parameter or header. Detail says what is wrong and what to do.
type Field struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Ref names a node that prevents the change, for a caller who may see that node.
type Ref struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Error is a failure whose Type, Detail, Fields and UsedBy are safe to show.
type Error struct {
	Type       *Type
	Detail     string
	Fields     []Field
	UsedBy     []Ref         // with BrandInUse: some of the nodes that use the brand
	RetryAfter time.Duration // when to repeat the request; 0: the answer does not say
	cause      error
}

// Error returns the text for logs, which includes the cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Type.Slug + ": " + e.Detail + ": " + e.cause.Error()
	}
	return e.Type.Slug + ": " + e.Detail
}

func (e *Error) Unwrap() error { return e.cause }

// URI returns the `type` of problem documents of this type: the address of the page that explains it.
func (t *Type) URI() string { return "/problems/" + t.Slug }

// Is reports whether err is, or wraps, an Error of this type.
func (t *Type) Is(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Type == t
}

// From returns err as an Error. An err that is no Error becomes Internal with err as its cause.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Internal.Because(err, "The request was not carried out. Repeat the request. If the request fails again, tell us the request id.")
}

// Fields collects everything that is wrong in a request, so that the caller gets it in one answer.
type Fields []Field

// Add notes that the part of the request at pointer is wrong.
func (f *Fields) Add(pointer, format string, args ...any) {
	*f = append(*f, Field{pointer, fmt.Sprintf(format, args...)})
}

// Err returns nil when nothing was noted, and otherwise Invalid with every noted field.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	e := Invalid.New("%s: %s", f[0].Pointer, f[0].Detail)
	e.Fields = f
	return e
}
