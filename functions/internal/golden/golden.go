// Package golden runs a function's handler on recorded trigger payloads: events/<function>/<case>.json, and what each must
// give in <case>.want.json beside it. It is for tests only.
//
// What all payloads of one kind of trigger have in common is an envelope, events/envelopes/<kind>.json. An object in a case
// that names one, as "envelope": "<kind>", says only what differs from it, as a JSON merge patch (RFC 7396) does: it adds
// and replaces fields, and null takes one away. Handlers get the whole payload.
package golden

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
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
	events := filepath.Join("..", "..", "events")
	all, err := cases(events, function)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		base := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(base), func(t *testing.T) {
			payload, err := read(events, file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, base+".want.json", handle(t, payload))
		})
	}
	if len(all) == 0 {
		t.Fatalf("events/%s has no payloads", function)
	}
}

// cases are the files with a function's payloads. The function may be a pattern.
func cases(events, function string) (all []string, err error) {
	files, err := filepath.Glob(filepath.Join(events, function, "*.json"))
	for _, file := range files {
		if !strings.HasSuffix(file, ".want.json") && filepath.Dir(file) != filepath.Join(events, envelopes) {
			all = append(all, file)
		}
	}
	return all, err
}

const (
	envelopes = "envelopes" // the folder below events
	envelope  = "envelope"  // the field that names one
)

// read is the whole payload of a case. One without an envelope is as it was recorded, to the byte.
func read(events, file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(content, []byte(`"`+envelope+`"`)) {
		return content, err
	}
	payload, err := load(file)
	if err != nil {
		return nil, err
	}
	if payload, err = fill(events, payload); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return json.Marshal(payload)
}

// fill puts what names an envelope into it, at every level.
func fill(events string, value any) (any, error) {
	var err error
	switch v := value.(type) {
	case []any:
		for i := range v {
			if v[i], err = fill(events, v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = fill(events, v[name]); err != nil {
				return nil, err
			}
		}
		kind, named := v[envelope].(string)
		if !named {
			break
		}
		delete(v, envelope)
		whole, err := load(filepath.Join(events, envelopes, kind+".json"))
		if err != nil {
			return nil, err
		}
		return merge(whole, v), nil
	}
	return value, nil
}

// merge is target with a merge patch applied.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	fields, ok := target.(map[string]any)
	if !ok {
		fields = map[string]any{}
	}
	for name, change := range changes {
		if change == nil {
			delete(fields, name)
		} else {
			fields[name] = merge(fields[name], change)
		}
	}
	return fields
}

// load reads JSON, with its numbers as they are written.
func load(file string) (value any, err error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return value, nil
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
