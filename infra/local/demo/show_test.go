package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/partnertree/infra/local/stack"
)

func TestWhatIsShownCanBePastedIntoAnyShell(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"root": {"id": "ptn_b", "kind": "partner", "name": "Vazon Bay IT"}}`)
	}))
	defer server.Close()
	var shown strings.Builder
	if err := Show(t.Context(), &shown, &stack.Stack{URL: server.URL}, Seeded{Callers: []Caller{
		{Role: "owner", Node: "ptn_a", At: cloudvendor, Key: "pmk_a"},
		{Role: "admin", Node: "ptn_b", At: vazon, Key: "pmk_b"},
		{Role: "viewer", Node: "ptn_c", At: vale, Key: "pmk_c"},
	}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(shown.String()) {
		if strings.HasPrefix(line, "export ") || strings.HasPrefix(line, "curl ") {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	want := []string{
		"export API=" + server.URL,
		"export OWNER=pmk_a",
		"export ADMIN=pmk_b",
		"export VIEWER=pmk_c",
		"export VAZON=ptn_b VALE=ptn_c",
		`curl -s "$API/v1/partners/ptn_a/tree" -H "Authorization: Bearer $OWNER"`,
		`curl -s "$API/v1/partners/$VAZON/tree" -H "Authorization: Bearer $ADMIN"`,
		`curl -s "$API/v1/partners/$VALE/tree" -H "Authorization: Bearer $VIEWER"`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
