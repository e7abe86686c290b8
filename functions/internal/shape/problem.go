package shape

import (
	"strconv"
	"time"

	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/fault"
)

// Problem is a problem document (RFC 9457).
type Problem struct {
	Type     string        `json:"type"`
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail"`
	Instance string        `json:"instance"`
	Errors   []fault.Field `json:"errors,omitempty"`
	UsedBy   []fault.Ref   `json:"usedBy,omitempty"`
}

// OfProblem returns the document that a request is answered with which failed; request is its id.
func OfProblem(e *fault.Error, request string) Problem {
	return Problem{e.Type.URI(), e.Type.Title, contract.Status(e.Type.Slug), e.Detail, "urn:request:" + request, e.Fields, e.UsedBy}
}

// RetryAfter returns the answer's Retry-After in whole seconds, or "" when the answer has no Retry-After.
func RetryAfter(e *fault.Error) string {
	if e.RetryAfter <= 0 {
		return ""
	}
	return strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10)
}
