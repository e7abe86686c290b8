package guests

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"example.com/partnertree/shared/guest"
)

// What a tenant does to the app is refused, for those who invite to see; what is wrong with the app itself is tried again, and pages us.
func TestWhatEntrasCodesMean(t *testing.T) {
	for code, want := range map[int]guest.Refusal{
		65001: guest.NoConsent, 650056: guest.NoConsent, 700016: guest.NoConsent, 7000112: guest.NoConsent, 7000229: guest.NoConsent,
		90002: guest.Rejected, 900023: guest.Rejected, 53003: guest.Rejected, 530035: guest.Rejected, 500011: guest.Rejected,
		7000215: "", 700213: "", 70021: "", 90033: "",
	} {
		body := `{"error": "x", "error_codes": [` + strconv.Itoa(code) + `]}`
		f := noToken(&http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))})
		if f.Refusal != want || f.Code != "AADSTS"+strconv.Itoa(code) {
			t.Errorf("%d: %+v", code, f)
		}
	}
}
