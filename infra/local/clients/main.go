// Command clients makes five clients from the contract, with the generators' default settings, compiles each, and has each make the
// same five calls to a new deployment on this machine: send a request again, read a list page by page, change a version, read a
// problem, and take a field away. The client for Java alone has a setting, its library.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/partnertree/infra/local/stack"
)

// steps are what each client prints, one a line, as soon as it succeeded.
var steps = []string{"idempotency-key", "pages", "if-match", "problem", "null"}

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("clients: ", err)
	}
}

func run(ctx context.Context) (err error) {
	root, err := stack.Checkout()
	if err != nil {
		return err
	}
	k := kit{dir: filepath.Join(root, ".local", "clients"), sources: filepath.Join(root, "infra", "local", "clients")}
	lock, err := k.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := k.install(ctx); err != nil {
		return err
	}
	all, work := k.clients(filepath.Join(root, "shared", "contract", "docs")), filepath.Join(root, ".build", "clients")
	failed := map[string]error{}
	for _, c := range all {
		begin := time.Now()
		if err := c.make(ctx, k, filepath.Join(work, c.name)); err != nil {
			failed[c.name] = err
			say(c.name, "is not generated or does not compile: %v", err)
			continue
		}
		say(c.name, "generated and compiled in %.0f s", time.Since(begin).Seconds())
	}
	s, err := stack.Start(ctx, stack.Options{Root: root, Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	brand, err := create(ctx, s, "brands", map[string]any{"partnerId": s.Founder.PartnerID, "name": "Clients", "domain": "clients.example",
		"regions": []string{"eu-west-1"}})
	if err != nil {
		return err
	}
	for _, c := range all {
		if failed[c.name] != nil {
			continue
		}
		partner, err := create(ctx, s, "partners", map[string]any{"parentId": s.Founder.PartnerID, "name": c.name,
			"portalBrandId": brand, "availableBrandIds": []string{brand}, "canProvisionServices": true}) // of its own: its list is known
		if err != nil {
			return err
		}
		env := []string{"API=" + s.URL, "KEY=" + s.Founder.Key, "PARTNER=" + partner, "BRAND=" + brand}
		out, err := k.do(ctx, filepath.Join(work, c.name), env, c.run)
		done := strings.Fields(out)
		if err == nil && !slices.Equal(done, steps) {
			err = fmt.Errorf("it says %q, want %q", done, steps)
		}
		for _, step := range done {
			say(c.name, "✓ %s", step)
		}
		if err != nil {
			failed[c.name] = err
			say(c.name, "✗ %s: %v", steps[min(len(done), len(steps)-1)], err)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d clients do not work", len(failed), len(all))
	}
	return nil
}

func say(name, format string, args ...any) {
	fmt.Printf("%-24s %s\n", name, fmt.Sprintf(format, args...))
}

// create makes something as the founder, and returns its id.
func create(ctx context.Context, s *stack.Stack, what string, in any) (string, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/"+what, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+s.Founder.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var made struct{ ID, Detail string }
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || resp.StatusCode != http.StatusCreated {
		return "", errors.Join(fmt.Errorf("%s: %s: %s", what, resp.Status, made.Detail), err)
	}
	return made.ID, nil
}

// client is one way to call the API. Its program is in the folder of its name.
type client struct {
	name  string
	build [][]string // generate and compile, in a copy of the folder
	run   []string
}

// clients are all of them. The contract is in the folder docs.
func (k kit) clients(docs string) []client {
	contract, older := filepath.Join(docs, "openapi.json"), filepath.Join(docs, "openapi-3.0.json")
	openapi := []string{"java", "-jar", k.path("java", generatorJar), "generate", "-i", contract, "-o", "client", "-g"}
	jars := k.path("java", "lib", "*")
	python := []string{k.path("python", "bin", "python"), "main.py"}
	compile := []string{python[0], "-m", "compileall", "-q", "client", "main.py"}
	node := k.path("node", "node_modules")
	return []client{
		{"oapi-codegen", [][]string{
			{"mkdir", "api"},
			{k.path("go", "oapi-codegen"), "-generate", "types,client", "-package", "api", "-o", "api/api.go", older},
			{"go", "build", "-buildvcs=false", "-o", "client", "."},
		}, []string{"./client"}},
		{"openapi-python-client", [][]string{
			{k.path("python", "bin", "openapi-python-client"), "generate", "--path", contract, "--output-path", "client"},
			compile,
		}, python},
		{"openapi-typescript", [][]string{
			{"ln", "-s", node, "node_modules"},
			{filepath.Join(node, ".bin", "openapi-typescript"), contract, "-o", "schema.d.ts"},
			{filepath.Join(node, ".bin", "tsc")},
		}, []string{"node", "main.js"}},
		// The library that is the default, okhttp-gson, leaves out what is null: it cannot take a field away.
		{"openapi-generator-java", [][]string{
			append(slices.Clone(openapi), "java", "--library", "native"),
			{"sh", "-c", `find client/src/main/java -name '*.java' > sources`},
			{"javac", "-nowarn", "-proc:none", "-cp", jars, "-d", "classes", "@sources", "Main.java"},
		}, []string{"java", "-cp", "classes:" + jars, "Main"}},
		{"openapi-generator-python", [][]string{append(slices.Clone(openapi), "python"), compile}, python},
	}
}

// make generates and compiles the client in a folder, which is made anew.
func (c client) make(ctx context.Context, k kit, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(k.sources, c.name))); err != nil {
		return err
	}
	for _, command := range c.build {
		if _, err := k.do(ctx, dir, nil, command); err != nil {
			return err
		}
	}
	return nil
}

// do runs a command to its end, and returns what it printed. What it said of errors is part of its error.
func (k kit) do(ctx context.Context, dir string, env, command []string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	cmd.Env = append(os.Environ(), "PYTHONPATH=client", "PATH="+k.path("python", "bin")+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s", filepath.Base(command[0]), err, &errs, tail(out.String()))
	}
	return out.String(), nil
}

// tail is the end of what a command printed: compilers can say a lot.
func tail(s string) string { return s[max(0, len(s)-4000):] }
