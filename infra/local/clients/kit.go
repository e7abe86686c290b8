package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// kit is the generators and what their clients import, below .local/clients and as the files in the folders of the clients pin them: by
// hash for Go, Python and npm. Of Maven Central, versions are pinned, and the generator itself by its hash.
type kit struct{ dir, sources string }

func (k kit) path(parts ...string) string { return filepath.Join(append([]string{k.dir}, parts...)...) }

// lock keeps others from making clients in the checkout until the file is closed.
func (k kit) lock() (*os.File, error) {
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(k.path("lock"))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(errors.New("another make clients runs in this checkout"), err, f.Close())
	}
	return f, nil
}

const (
	generatorJar = "openapi-generator-cli-7.14.0.jar"
	generatorSum = "e03186835022ca02da4aa95e3967b6a3b6d44c2e5f7606e6d5c22466f519c757"
)

// install brings the tools to what is pinned. When they are, it costs nothing.
func (k kit) install(ctx context.Context) error {
	at := func(parts ...string) string { return filepath.Join(append([]string{k.sources}, parts...)...) }
	requirements, pom := at("requirements.txt"), at("openapi-generator-java", "pom.xml")
	maven := []string{"mvn", "-q", "-B", "-C", "-f", pom, "dependency:copy-dependencies"}
	for _, tool := range []struct {
		name     string
		pins     []string // files
		commands [][]string
	}{
		{"go", []string{at("oapi-codegen", "go.mod"), at("oapi-codegen", "go.sum")}, [][]string{
			{"go", "build", "-C", at("oapi-codegen"), "-buildvcs=false", "-o", k.path("go") + "/", "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"},
		}},
		{"python", []string{requirements}, [][]string{
			{"python3", "-m", "venv", "."},
			{k.path("python", "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "--no-deps", "-r", requirements},
		}},
		{"node", []string{at("openapi-typescript", "package.json"), at("openapi-typescript", "package-lock.json")}, [][]string{
			{"cp", at("openapi-typescript", "package.json"), at("openapi-typescript", "package-lock.json"), "."},
			{"npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"},
		}},
		{"java", []string{pom}, [][]string{
			append(maven, "-DincludeArtifactIds=openapi-generator-cli", "-DoutputDirectory="+k.path("java")),
			append(maven, "-DexcludeArtifactIds=openapi-generator-cli", "-DoutputDirectory="+k.path("java", "lib")),
			{"sh", "-c", `echo "` + generatorSum + `  ` + generatorJar + `" | shasum -a 256 -c -`},
		}},
	} {
		if err := k.once(ctx, tool.name, tool.pins, tool.commands); err != nil {
			return fmt.Errorf("what the clients need cannot be installed: %s: %w", tool.name, err)
		}
	}
	return nil
}

// once runs commands in a new folder of .local/clients, unless it is there and was made of the same pins.
func (k kit) once(ctx context.Context, name string, pins []string, commands [][]string) error {
	dir, sum := k.path(name), sha256.New()
	fmt.Fprintln(sum, dir, commands) // a Python environment cannot be moved
	for _, pin := range pins {
		content, err := os.ReadFile(pin)
		if err != nil {
			return err
		}
		sum.Write(content)
	}
	mark, want := filepath.Join(dir, "installed"), fmt.Sprintf("%x", sum.Sum(nil))
	if have, err := os.ReadFile(mark); err == nil && string(have) == want {
		return nil
	}
	fmt.Fprintf(os.Stderr, "  … installing into .local/clients/%s (once)\n", name)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, command := range commands {
		if _, err := k.do(ctx, dir, nil, command); err != nil {
			return err
		}
	}
	return os.WriteFile(mark, []byte(want), 0o644)
}
