package guests

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	kiota "github.com/microsoft/kiota-abstractions-go"

	"example.com/partnertree/shared/guest"
)

// answer is what Graph says to an invitation, as far as it counts here. It is not read by the SDK: that would link the shapes of all of
// Graph into the function, 20 MB, and its errors panic for some answers (msgraph-sdk-go 1.89).
// Source: https://learn.microsoft.com/graph/api/resources/invitation, https://learn.microsoft.com/graph/errors
type answer struct {
	status int // 0 when there was none

	RedeemURL string `json:"inviteRedeemUrl"`
	User      struct {
		ID string `json:"id"`
	} `json:"invitedUser"`
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

const maxAnswer = 64 << 10

// read is the option of a request by which its answer comes here.
func (a *answer) read() kiota.RequestOption {
	o := kiota.NewRequestHandlerOption()
	o.SetResponseHandler(func(response any, _ kiota.ErrorMappings) (any, error) {
		r, ok := response.(*http.Response)
		if !ok || r == nil {
			return nil, nil
		}
		defer r.Body.Close()
		body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
		if err != nil {
			return nil, err
		}
		a.status = r.StatusCode
		_ = json.Unmarshal(body, a) // what is not there is missed by whoever needs it
		return nil, nil
	})
	return o.(kiota.RequestOption)
}

// says looks for words in the message. Graph has hardly any codes for what it has against an invitation, and promises no words either:
// what is not known of them is guest.Rejected.
func (a *answer) says(words string) bool {
	return strings.Contains(strings.ToLower(a.Error.Message), words)
}

// isMember reports whether whoever was to be a guest is of the tenant already.
func (a *answer) isMember() bool { return a.blames() && a.says("already exists in the directory") }

// blames reports whether the answer has something against the request, which does not pass by itself.
func (a *answer) blames() bool { return a.status/100 == 4 && !slices.Contains(passing, a.status) }

var passing = []int{http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooManyRequests}

// failure is what it means for whoever has this address that they were not made a guest.
func (a *answer) failure(email string) *Failure {
	f := &Failure{Of: graph, Status: a.status}
	if isCode(a.Error.Code) {
		f.Code = a.Error.Code
	}
	switch {
	case !a.blames():
	case a.says("guest invitations not allowed"):
		f.Refusal = guest.AdminsOnly
	case a.says("cross-tenant access"):
		f.Refusal = guest.Blocked
	case strings.HasPrefix(f.Code, "Authorization_"), a.says("insufficient privileges"):
		f.Refusal = guest.NoConsent
	case a.status == http.StatusUnauthorized: // of the token, which is got anew
	case !takes(email):
		f.Refusal = guest.AddressRefused
	default:
		f.Refusal = guest.Rejected
	}
	return f
}

// takes reports whether Graph takes such an address for a guest.
// Source: https://learn.microsoft.com/graph/api/resources/invitation (invitedUserEmailAddress)
func takes(email string) bool {
	user, _, _ := strings.Cut(email, "@")
	return !strings.ContainsAny(email, "~!#$%^&*()+=[]{}\\/|;:\"<>?,") && strings.Trim(user, ".-") == user
}
