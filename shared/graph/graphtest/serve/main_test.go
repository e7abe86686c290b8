package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/graph/graphtest"
)

const tenant = "aaaaaaaa-0000-4000-8000-000000000001"

// file writes a directory.
func file(t *testing.T, content any) string {
	t.Helper()
	data, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "directory.json")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

var directory = graphtest.Directory{Tenants: []graphtest.Tenant{{ID: tenant, Name: "Contoso", Domains: []string{"contoso.example"}}}}

func TestItServesUntilItIsStopped(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-directory", file(t, directory), "-listen", address, "-base", "http://" + address, "-metadata", t.TempDir()})
	}()
	var resp *http.Response
	for range 100 {
		if resp, err = http.Get("http://" + address + "/" + tenant + "/v2.0/.well-known/openid-configuration"); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	var meta struct{ Issuer string }
	if err := json.NewDecoder(resp.Body).Decode(&meta); err != nil || meta.Issuer != "http://"+address+"/"+tenant+"/v2.0" {
		t.Errorf("the issuer is %q, %v", meta.Issuer, err)
	}
	resp.Body.Close()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestItRefusesToStart(t *testing.T) {
	good := file(t, directory)
	for want, args := range map[string][]string{
		"no such file":  {"-directory", good + "x"},
		"unknown field": {"-directory", file(t, map[string]any{"people": 1})},
		"not a GUID":    {"-directory", file(t, graphtest.Directory{Tenants: []graphtest.Tenant{{ID: "x", Domains: []string{"x.example"}}}})},
		"on loopback":   {"-directory", good, "-listen", "0.0.0.0:0"},
		"scheme":        {"-directory", good, "-base", "localhost"},
	} {
		if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
