// Command generate makes everything that comes from openapi.yaml: the routes and problem types as Go values, the JSON
// form of the contract, and the pages that the portal function serves. The same contract always gives the same bytes.
//
// With -check it writes nothing and fails when a generated file is not what it would write.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail when a generated file is stale")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "contract:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	dir, err := contractDir()
	if err != nil {
		return err
	}
	source, err := os.ReadFile(filepath.Join(dir, "openapi.yaml"))
	if err != nil {
		return err
	}
	files, err := generate(source)
	if err != nil {
		return fmt.Errorf("openapi.yaml: %w", err)
	}
	if check {
		return compare(dir, files)
	}
	return write(dir, files)
}

// contractDir finds the contract from its own folder, where go generate runs, and from the top of the checkout.
func contractDir() (string, error) {
	for _, dir := range []string{".", "shared/contract"} {
		if _, err := os.Stat(filepath.Join(dir, "openapi.yaml")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("openapi.yaml is not here; run this from the top of the checkout or from shared/contract")
}

// generate returns the generated files by their path below the contract's folder.
func generate(source []byte) (map[string][]byte, error) {
	c, err := parse(source)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"docs/openapi.json": c.json}
	if files["docs/openapi-3.0.json"], err = older(c.json); err != nil {
		return nil, err
	}
	if files["routes.gen.go"], err = routes(c); err != nil {
		return nil, err
	}
	if files["problems.gen.go"], err = problems(c); err != nil {
		return nil, err
	}
	if err := pages(c, files); err != nil {
		return nil, err
	}
	for _, name := range []string{"docs/openapi.json", "docs/openapi-3.0.json", "docs/reference.html"} {
		if files[name+compressed], err = compress(files[name]); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// compressed ends the names of files that gzip made, from the file of the same name without it.
const compressed = ".gz"

func compress(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(plain)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// fresh reports whether a file is what it should be. Of what is compressed that is what it becomes: Go does not promise to compress in the same
// way in its next version.
func fresh(name string, have, want []byte) bool {
	if filepath.Ext(name) == compressed {
		have, want = plain(have), plain(want)
	}
	return have != nil && bytes.Equal(have, want)
}

// plain returns what was compressed, nil when it cannot be read.
func plain(file []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil
	}
	return content
}

func compare(dir string, files map[string][]byte) error {
	var stale []string
	for name, want := range files {
		if have, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !fresh(name, have, want) {
			stale = append(stale, name)
		}
	}
	if len(stale) > 0 {
		slices.Sort(stale)
		return fmt.Errorf("not what openapi.yaml says: %q; run go generate ./shared/contract", stale)
	}
	return nil
}

func write(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if have, err := os.ReadFile(path); err == nil && fresh(name, have, content) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
