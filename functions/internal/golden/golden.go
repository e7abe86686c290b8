// Package golden runs a function's handler on recorded trigger payloads: events/<function>/<case>.json, and what each must
// give in <case>.want.json beside it. It is for tests only.
package golden

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the handlers give into events/*/*.want.json")

// Run gives every payload of the function to handle and compares what it returns, as JSON, with the wanted file. A case
// without that file fails, and so does a function without cases. With -update the wanted files are written instead.
func Run(t *testing.T, function string, handle func(t *testing.T, payload []byte) any) {
	t.Helper()
	payloads, err := filepath.Glob(filepath.Join("..", "..", "events", function, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, file := range payloads {
		base := strings.TrimSuffix(file, ".json")
		if strings.HasSuffix(base, ".want") {
			continue
		}
		ran++
		t.Run(filepath.Base(base), func(t *testing.T) {
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, base+".want.json", handle(t, payload))
		})
	}
	if ran == 0 {
		t.Fatalf("events/%s has no payloads", function)
	}
}

func compare(t *testing.T, file string, answer any) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(answer); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run this test with -update and read what it writes", err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the handler gives\n%s\nand %s wants\n%s", got.Bytes(), file, want)
	}
}
