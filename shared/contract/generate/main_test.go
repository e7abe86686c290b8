package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func source(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func generated(t *testing.T, source []byte) map[string][]byte {
	t.Helper()
	files, err := generate(source)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestGeneratedFilesAreCurrent(t *testing.T) {
	if err := compare("..", generated(t, source(t))); err != nil {
		t.Error(err)
	}
}

func TestSameContractGivesSameBytes(t *testing.T) {
	again := generated(t, source(t))
	for name, content := range generated(t, source(t)) {
		if !bytes.Equal(content, again[name]) {
			t.Errorf("%s differs from one run to the next", name)
		}
	}
}

func TestStaleFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	files := generated(t, source(t))
	if err := write(dir, files); err != nil {
		t.Fatal(err)
	}
	if err := compare(dir, files); err != nil {
		t.Fatalf("just written, and already stale: %v", err)
	}
	for name, change := range map[string]func(path string) error{
		"routes.gen.go":             os.Remove,
		"docs/openapi.json":         func(path string) error { return os.WriteFile(path, []byte("{}"), 0o644) },
		"docs/problems/absent.html": func(path string) error { return os.WriteFile(path, nil, 0o644) },
	} {
		if err := change(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := compare(dir, files); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is stale, and that is not said: %v", name, err)
		}
		if err := write(dir, files); err != nil {
			t.Fatal(err)
		}
		if err := compare(dir, files); err != nil {
			t.Errorf("written again, and still stale: %v", err)
		}
	}
}

func TestBrokenReferencesAreNamed(t *testing.T) {
	for _, c := range []struct{ old, new, message string }{
		{"#/components/parameters/Limit'", "#/components/parameters/Lmit'", "listPartners: there is no #/components/parameters/Lmit"},
		{"{$ref: '#/components/schemas/Me'}", "{$ref: '#/components/schemas/Mee'}", "getMe: there is no #/components/schemas/Mee"},
		{"ETag: {$ref: '#/components/headers/ETag'}", "ETag: {$ref: '#/components/headers/Etag'}", "there is no #/components/headers/Etag"},
		{"conflict, depth-limit", "conflict, height-limit", "createPartner: x-problem-types has no height-limit"},
		{"version: 1.0.0\n", "version: 2026-01-01\n", "put it in quotes"},
	} {
		bad := strings.Replace(string(source(t)), c.old, c.new, 1)
		if _, err := generate([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: got %v", c.message, err)
		}
	}
}
