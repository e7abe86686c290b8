package e2e

import (
	"strings"
	"testing"
	"time"
)

// A partner that does not reach the other asks, and the other decides.
func TestAMoveIsAskedForAndAccepted(t *testing.T) {
	b := branches(t, "asked", 2)
	asks, _ := founder().client(t, b.left, "admin")
	decides, _ := founder().client(t, b.right, "admin")

	asks.do(t, 404, "POST", pathOf(b.moved)+"/move", map[string]any{"parentId": b.right})
	ask := func(to string) string {
		t.Helper()
		return asks.do(t, 201, "POST", pathOf(b.moved)+"/move-requests", map[string]any{"parentId": to, "message": "As agreed."}).get(t, "id")
	}
	first := ask(b.right)
	asks.do(t, 409, "POST", pathOf(b.moved)+"/move-requests", map[string]any{"parentId": b.right}) // there is one
	request := "/v1/move-requests/" + first

	// Each side sees its own, and nothing that it does not reach.
	for _, got := range []answer{
		decides.do(t, 200, "GET", request, nil), decides.do(t, 200, "GET", "/v1/partners/"+b.right+"/move-requests", nil),
		decides.do(t, 200, "GET", "/v1/partners/"+b.right+"/events", nil),
	} {
		body := string(got.body)
		if !strings.Contains(body, "asked branch") || strings.Contains(body, b.moved) || strings.Contains(body, b.left) {
			t.Errorf("the other side learns %s", body)
		}
	}
	if got := asks.do(t, 200, "GET", request, nil); got.get(t, "nodeId") != b.moved || got.get(t, "state") != "open" {
		t.Errorf("for who asked it is %s", got.body)
	}
	b.here.do(t, 404, "GET", request, nil)
	b.inside.do(t, 404, "GET", request, nil)
	asks.do(t, 403, "POST", request+"/accept", map[string]any{}) // nobody accepts for the other side
	decides.do(t, 404, "GET", pathOf(b.moved), nil)

	decides.do(t, 200, "POST", request+"/decline", map[string]any{})
	decides.do(t, 409, "POST", request+"/accept", map[string]any{})
	asks.do(t, 200, "GET", pathOf(b.moved), nil)

	nowhere := "ptn_" + strings.Repeat("0", 16)
	asks.do(t, 200, "POST", "/v1/move-requests/"+ask(nowhere)+"/withdraw", map[string]any{})

	request = "/v1/move-requests/" + ask(b.right)
	change := decides.do(t, 202, "POST", request+"/accept", map[string]any{}).get(t, "jobId")
	for range 2 {
		asks.do(t, 404, "GET", pathOf(b.moved), nil)
		decides.do(t, 200, "GET", pathOf(b.customers[0]), nil)
		b.inside.do(t, 200, "GET", pathOf(b.customers[0]), nil)
		if got := decides.do(t, 200, "GET", request, nil); got.get(t, "state") != "accepted" || got.get(t, "nodeId") != b.moved {
			t.Errorf("it is %s", got.body)
		}
		decides.waits(t, change, time.Minute)
	}
}
