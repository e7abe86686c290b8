package graphtest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// refusal is an error of Entra: an OAuth error code, an AADSTS number and what it says. The numbers are from Microsoft's
// list of authentication and authorization error codes.
type refusal struct {
	status int    // of the token endpoint
	code   string // OAuth
	number int    // AADSTS
	text   string
}

func (e *refusal) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.number, e.text) }

func refuse(code string, number int, format string, args ...any) *refusal {
	status := http.StatusBadRequest
	if code == invalidClient {
		status = http.StatusUnauthorized
	}
	return &refusal{status, code, number, fmt.Sprintf(format, args...)}
}

// OAuth's error codes (RFC 6749 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6), and Entra's consent_required.
const (
	invalidRequest     = "invalid_request"
	invalidClient      = "invalid_client"
	invalidGrant       = "invalid_grant"
	invalidScope       = "invalid_scope"
	unauthorizedClient = "unauthorized_client"
	accessDenied       = "access_denied"
	loginRequired      = "login_required"
	consentRequired    = "consent_required"
)

func tenantUnknown(name string) *refusal {
	return refuse(invalidRequest, 90002, "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the "+
		"correct cloud.", name)
}

func appUnknown(app, tenant string) *refusal {
	return refuse(unauthorizedClient, 700016, "Application with identifier '%s' was not found in the directory '%s'.", app, tenant)
}

func parameterMissing(name string) *refusal {
	return refuse(invalidRequest, 900144, "The request body must contain the following parameter: '%s'.", name)
}

// description is the error as Entra words it.
func (d *Double) description(e *refusal) string {
	return fmt.Sprintf("%s Trace ID: %s Correlation ID: %s Timestamp: %s", e, newGUID(), newGUID(), d.timestamp())
}

// timestamp is the time as Entra writes it in errors.
func (d *Double) timestamp() string { return d.now().UTC().Format("2006-01-02 15:04:05Z") }

// tokenError answers as the token endpoint does.
func (d *Double) tokenError(w http.ResponseWriter, e *refusal) {
	writeJSON(w, e.status, map[string]any{
		"error": e.code, "error_description": d.description(e), "error_codes": []int{e.number},
		"timestamp": d.timestamp(), "trace_id": newGUID(), "correlation_id": newGUID(),
		"error_uri": fmt.Sprintf("%s/error?code=%d", d.base, e.number),
	})
}

// graphError is an error of Graph: code and message, inside of "error".
type graphError struct {
	status        int
	code, message string
}

func (e *graphError) Error() string { return e.code + ": " + e.message }

func (d *Double) graphRefuse(w http.ResponseWriter, e *graphError) {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="`+d.base+`/common/oauth2/authorize"`)
	}
	id := newGUID()
	writeJSON(w, e.status, map[string]any{"error": map[string]any{
		"code": e.code, "message": e.message,
		"innerError": map[string]any{"date": d.now().UTC().Format("2006-01-02T15:04:05"), "request-id": id, "client-request-id": id},
	}})
}

// writeJSON answers with JSON that is kept nowhere, unless the caller set another Cache-Control.
func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // fails only when the caller has gone
}
