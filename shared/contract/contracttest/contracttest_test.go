package contracttest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestOnlyWhatTheContractSaysIsTaken: an answer that differs in one thing is not.
func TestOnlyWhatTheContractSaysIsTaken(t *testing.T) {
	const json, problem = "application/json", "application/problem+json"
	for _, c := range []struct {
		name, method, path string
		status             int
		media, header      string // header is Retry-After
		body               string
		taken              bool
	}{
		{"what it says", "GET", "/v1/me", 200, json, "", `{"principal":{"id":"cli_0123456789abcdef","kind":"api-client"},"grants":[]}`, true},
		{"a parameter of the media type", "GET", "/v1/me", 200, json + "; charset=utf-8", "",
			`{"principal":{"id":"cli_0123456789abcdef","kind":"api-client"},"grants":[]}`, true},
		{"another path", "GET", "/v1/you", 200, json, "", `{}`, false},
		{"another status", "GET", "/v1/me", 202, json, "", `{"principal":{"id":"cli_0123456789abcdef","kind":"api-client"},"grants":[]}`, false},
		{"another media type", "GET", "/v1/me", 200, problem, "", `{"principal":{"id":"cli_0123456789abcdef","kind":"api-client"},"grants":[]}`, false},
		{"a field that is missing", "GET", "/v1/me", 200, json, "", `{"principal":{"id":"cli_0123456789abcdef","kind":"api-client"}}`, false},
		{"a pattern below references", "GET", "/v1/me", 200, json, "", `{"principal":{"id":"cli_0","kind":"api-client"},"grants":[]}`, false},
		{"an enumeration", "GET", "/v1/me", 200, json, "", `{"principal":{"id":"cli_0123456789abcdef","kind":"robot"},"grants":[]}`, false},
		{"a type", "GET", "/v1/me", 200, json, "", `{"principal":{"id":"cli_0123456789abcdef","kind":"api-client"},"grants":{}}`, false},
		{"no JSON", "GET", "/v1/me", 200, json, "", `{`, false},
		{"a problem", "GET", "/v1/me", 429, problem, "7", `{"type":"/problems/x","title":"X","status":429,"detail":"X.","instance":"urn:request:1"}`, true},
		{"a header's type", "GET", "/v1/me", 429, problem, "soon",
			`{"type":"/problems/x","title":"X","status":429,"detail":"X.","instance":"urn:request:1"}`, false},
		{"a format", "GET", "/v1/me", 429, problem, "7", `{"type":"/problems/x","title":"X","status":429,"detail":"X.","instance":"a b"}`, false},
		{"a number's bounds", "GET", "/v1/me", 429, problem, "7",
			`{"type":"/problems/x","title":"X","status":200,"detail":"X.","instance":"urn:request:1"}`, false},
		{"no body", "POST", "/v1/me/sign-out-everywhere", 204, "", "", "", true},
		{"a body where there is none", "POST", "/v1/me/sign-out-everywhere", 204, json, "", "{}", false},
	} {
		header := http.Header{"Content-Type": {c.media}, "Retry-After": {c.header}}
		if err := Check(httptest.NewRequest(c.method, c.path, nil), c.status, header, []byte(c.body)); (err == nil) != c.taken {
			t.Errorf("%s: %v; taken should be %v", c.name, err, c.taken)
		}
	}
}
