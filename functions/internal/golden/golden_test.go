package golden

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

const recorded = "../../../events"

func TestACaseSaysWhatDiffersFromItsEnvelope(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"envelopes/http.json": `{"a": 1, "list": [1, 2], "in": {"b": 9007199254740993, "c": "x"}}`,
		"relay/case.json": `{"Records": [{"envelope": "http", "a": null, "list": [3], "in": {"c": "y", "d": {"e": null, "f": 2}}},
			{"envelope": "http"}, {"envelope": 5, "a": null}]}`,
		"relay/case.want.json": `{}`,
		"relay/whole.json":     `{"b": 1, "a": null}`,
		"relay/lost.json":      `{"envelope": "none"}`,
		"relay/broken.json":    `{"envelope": "http"`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := read(dir, filepath.Join(dir, "relay", "case.json"))
	want := `{"Records":[{"in":{"b":9007199254740993,"c":"y","d":{"f":2}},"list":[3]},` +
		`{"a":1,"in":{"b":9007199254740993,"c":"x"},"list":[1,2]},{"a":null,"envelope":5}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant\n%s", got, err, want)
	}
	if got, err := read(dir, filepath.Join(dir, "relay", "whole.json")); err != nil || string(got) != `{"b": 1, "a": null}` {
		t.Errorf("without an envelope: %s, %v", got, err)
	}
	for _, name := range []string{"lost", "broken"} {
		if payload, err := read(dir, filepath.Join(dir, "relay", name+".json")); err == nil {
			t.Errorf("%s is read as %s", name, payload)
		}
	}
	for pattern, want := range map[string]int{"relay": 4, "*": 4, "settle": 0} {
		if all, err := cases(dir, pattern); err != nil || len(all) != want {
			t.Errorf("%s has %q, %v", pattern, all, err)
		}
	}
}

// An envelope that nothing names is left over.
func TestEveryEnvelopeIsUsed(t *testing.T) {
	all, err := cases(recorded, "*")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range all {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(content)
	}
	files, err := os.ReadDir(filepath.Join(recorded, envelopes))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if kind := strings.TrimSuffix(f.Name(), ".json"); !strings.Contains(text.String(), `"envelope": "`+kind+`"`) {
			t.Errorf("no case has the envelope %s", kind)
		}
	}
}

// API Gateway says some things more than once. A case that replaces one of them must not forget the others.
func TestRequestsAgreeWithThemselves(t *testing.T) {
	all, err := cases(recorded, "*")
	if err != nil {
		t.Fatal(err)
	}
	requests := 0
	for _, file := range all {
		payload, err := read(recorded, file)
		if err != nil {
			t.Fatal(err)
		}
		var e events.APIGatewayV2HTTPRequest
		if json.Unmarshal(payload, &e) != nil || e.Version != "2.0" {
			continue // of another trigger
		}
		requests++
		body := []byte(e.Body)
		if e.IsBase64Encoded {
			if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		about := e.RequestContext
		method, route, found := strings.Cut(e.RouteKey, " ")
		if !found { // $default
			method, route = about.HTTP.Method, e.RawPath
		}
		for name, value := range e.PathParameters {
			route = strings.Replace(route, "{"+name+"}", value, 1)
		}
		asked, err := url.ParseQuery(e.RawQueryString)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		query := map[string]string{}
		for name := range asked {
			query[name] = strings.Join(asked[name], ",")
		}
		if e.QueryStringParameters == nil {
			e.QueryStringParameters = map[string]string{}
		}
		for what, pair := range map[string][2]any{
			"requestContext.routeKey":       {about.RouteKey, e.RouteKey},
			"requestContext.http.method":    {about.HTTP.Method, method},
			"requestContext.http.path":      {about.HTTP.Path, e.RawPath},
			"rawPath with pathParameters":   {e.RawPath, route},
			"queryStringParameters":         {e.QueryStringParameters, query},
			"requestContext.http.userAgent": {about.HTTP.UserAgent, e.Headers["user-agent"]},
			"requestContext.domainName":     {about.DomainName, e.Headers["host"]},
			"content-length":                {e.Headers["content-length"], strconv.Itoa(len(body))},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s: %s is %q, and elsewhere it is %q", file, what, pair[0], pair[1])
			}
		}
	}
	if requests == 0 {
		t.Error("there are no requests")
	}
}
