package guests

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"example.com/partnertree/shared/guest"
)

// Failure is that nobody was made a guest, or that it is not known. It can be tried again, unless there is a Refusal.
type Failure struct {
	Refusal guest.Refusal
	Of      string // whose answer it was: entra or graph
	Status  int    // of the answer; 0 when there was none, or none with sense
	Code    string // Microsoft's; "" when there was none
}

const (
	entra = "entra"
	graph = "graph"
)

func (f *Failure) Error() string {
	if f.Status == 0 {
		return f.Of + " does not answer"
	}
	return strings.TrimRight(fmt.Sprintf("%s answered %d %s", f.Of, f.Status, f.Code), " ")
}

// unanswered is why Graph was not asked, or did not answer. It calls no Error of Microsoft's SDKs: their texts have answers in them.
func unanswered(err error) *Failure {
	if token, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		return noToken(token.RawResponse)
	}
	return &Failure{Of: graph}
}

// notConsented are Entra's codes of an app that nobody has consented to in the tenant. For some minutes after the consent they mean: not
// yet. Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var notConsented = []int{65001, 650056, 700016, 7000112, 7000229} // 7000112: an administrator there has disabled the app

// ofTenant are Entra's codes of a tenant that does not exist, or whose policies keep the app out. To ask again changes nothing.
var ofTenant = []int{90002, 900023, 53003, 530035, 500011}

// noToken is why the app did not get a token.
func noToken(r *http.Response) *Failure {
	if r == nil {
		return &Failure{Of: entra}
	}
	f := &Failure{Of: entra, Status: r.StatusCode}
	var said struct {
		Codes []int `json:"error_codes"`
	}
	body, err := runtime.Payload(r)
	if err != nil || json.Unmarshal(body, &said) != nil || len(said.Codes) == 0 {
		return f
	}
	f.Code = "AADSTS" + strconv.Itoa(said.Codes[0])
	switch code := said.Codes[0]; {
	case slices.Contains(notConsented, code):
		f.Refusal = guest.NoConsent
	case slices.Contains(ofTenant, code):
		f.Refusal = guest.Rejected
	}
	return f
}

// isCode reports whether a text of somebody else looks like a code, and no more.
func isCode(s string) bool {
	const longest = 64
	return len(s) <= longest && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == ""
}
