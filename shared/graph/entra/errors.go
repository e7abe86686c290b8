package entra

import (
	"errors"
	"strconv"
	"strings"
)

// Refusal is why somebody was not recognized: the check that failed. It is for the log and for tests (errors.Is), and has nothing in it of
// what was checked. It is final, but for UnknownKey and NotYetValid: those two may pass some minutes later.
type Refusal string

// Why a token is refused.
const (
	Malformed    Refusal = "not a token"
	Algorithm    Refusal = "not signed with RS256"
	UnknownKey   Refusal = "signed by an unknown key"
	Signature    Refusal = "wrong signature"
	Version      Refusal = "not a v2.0 token"
	TenantID     Refusal = "no tenant id that is a GUID"
	ObjectID     Refusal = "no object id that is a GUID"
	Issuer       Refusal = "wrong issuer"
	KeyIssuer    Refusal = "signed by a key of another issuer"
	Audience     Refusal = "for another app"
	OtherTenant  Refusal = "from a tenant that the app does not let in"
	NoValidity   Refusal = "without the time from which, or to which, it is valid, or when it was issued"
	Expired      Refusal = "expired"
	NotYetValid  Refusal = "not yet valid"
	Nonce        Refusal = "not from this sign-in"    // an ID token
	NotDelegated Refusal = "not a person's"           // an access token that an app got for itself, or an ID token in place of one
	OtherClient  Refusal = "got by another app"       // an access token
	NoScope      Refusal = "without the API's scope"  // an access token
	State        Refusal = "not begun by this flow"   // a callback whose state is not the one that Begin made
	Callback     Refusal = "not an answer of Entra's" // a callback without a code, or with two values of a parameter
)

func (r Refusal) Error() string { return "entra: refused: " + string(r) }

// Unavailable is an error that says nothing about the person: Entra, or what signs for the app, did not answer, or not with sense. It may
// be tried again, a sign-in from its beginning. Its cause is for the log.
type Unavailable struct{ cause error }

func (u *Unavailable) Error() string { return "entra: unavailable: " + u.cause.Error() }

func (u *Unavailable) Unwrap() error { return u.cause }

// Answered is a sign-in that Entra answered with an error. It has the codes and none of the text, in which names and addresses stand.
type Answered struct {
	Code   string // of OAuth: access_denied when the person, or a policy of their tenant, declined
	AADSTS int    // Entra's own: https://learn.microsoft.com/entra/identity-platform/reference-error-codes; 0 when there is none
}

func (a *Answered) Error() string {
	if a.AADSTS == 0 {
		return "entra: answered " + a.Code
	}
	return "entra: answered " + a.Code + " (AADSTS" + strconv.Itoa(a.AADSTS) + ")"
}

// answered makes an error of an answer's error and error_description. Both are strange input: the one is kept only if it looks like a
// code, the other never.
func answered(code, description string) error {
	const longest = 64
	if code == "" || len(code) > longest || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		code = "an unreadable error"
	}
	a := &Answered{Code: code}
	if _, after, ok := strings.Cut(description, "AADSTS"); ok {
		digits := len(after) - len(strings.TrimLeft(after, "0123456789"))
		a.AADSTS, _ = strconv.Atoi(after[:min(digits, 9)])
	}
	if code == "temporarily_unavailable" || code == "server_error" {
		return &Unavailable{a}
	}
	return a
}

var errUnusable = errors.New("the token endpoint's answer cannot be used")
