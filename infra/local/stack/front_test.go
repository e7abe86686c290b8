package stack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A client that offers to change to HTTP/2, as curl --http2 and Java's client do, is answered by HTTP/1.1: what stands behind the front never
// hears of the offer.
func TestNoOfferToChangeTheProtocolIsPassedOn(t *testing.T) {
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
			if got := r.Header.Values(name); len(got) > 0 {
				t.Errorf("%s: %q is passed on", name, got)
			}
		}
		if r.Host != "a1b2c3.execute-api.localhost" || r.Header.Get("Authorization") != "Bearer x" {
			t.Errorf("to %s with %v", r.Host, r.Header)
		}
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	defer cloud.Close()
	f, err := listen(0)
	if err != nil {
		t.Fatal(err)
	}
	f.serve(cloud.URL, "a1b2c3", http.NotFoundHandler(), nil)
	defer f.close()
	for _, path := range []string{"/v1/me", "/docs"} {
		for offer, connection := range map[string]string{"h2c": "Upgrade, HTTP2-Settings", "websocket": "Upgrade"} {
			r, err := http.NewRequest("GET", f.url()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Upgrade": {offer}, "Connection": {connection}, "Http2-Settings": {"AAMAAABkAAQAoAAAAAIAAAAA"},
				"Authorization": {"Bearer x"}}
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(a.Body)
			a.Body.Close()
			if err != nil || a.StatusCode != 200 || string(body) != path {
				t.Errorf("%s with an offer of %s: %d %q, %v", path, offer, a.StatusCode, body, err)
			}
		}
	}
}
