package stack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// kit is the tools of a checkout: MiniStack in a Python environment and the CDK command line, both in .local and exactly as
// the files in infra/local/tools pin them.
type kit struct {
	root string
	say  progress
}

func (k kit) path(parts ...string) string {
	return filepath.Join(append([]string{k.root}, parts...)...)
}

func (k kit) python() string     { return k.path(".local", "venv", "bin", "python") }
func (k kit) cdkCommand() string { return k.path(".local", "node", "node_modules", ".bin", "cdk") }

// install brings the tools to what is pinned. When they are, it costs nothing. Two at the same time wait for each other.
func (k kit) install(ctx context.Context) error {
	python, err := find(ctx, "Python", 3, 10, "python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10")
	if err != nil {
		return err
	}
	unlock, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := k.node(ctx); err != nil {
		return err
	}
	return k.environment(ctx, python, "MiniStack", "venv", k.path("infra", "local", "tools", "requirements.txt"),
		"lib/python*/site-packages/ministack/app.py")
}

// environment makes .local/<name> a Python environment with what the requirements pin. It is made anew when what it needs, as
// patterns of names below it, is not there.
func (k kit) environment(ctx context.Context, python, what, name, requirements string, needs ...string) (err error) {
	dir := k.path(".local", name)
	want, err := digest(dir, requirements) // a Python environment cannot be moved, so where it is belongs to it
	if err != nil || installed(dir, want, append(needs, "bin/python")...) {
		return err
	}
	done := k.say.step("installing %s into %s (once)", what, filepath.Join(".local", name))
	defer func() { done(err) }()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := k.run(ctx, os.Environ(), python, "-m", "venv", dir); err != nil {
		return fmt.Errorf("cannot make a Python environment: on Debian and Ubuntu run `apt install python3-venv` and start again\n%w", err)
	}
	if err := k.run(ctx, os.Environ(), filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet",
		"--disable-pip-version-check", "--require-hashes", "--no-deps", "-r", requirements); err != nil {
		return fmt.Errorf("cannot install %s from PyPI: check the connection and start again\n%w", what, err)
	}
	return os.WriteFile(filepath.Join(dir, installedMark), []byte(want), 0o644)
}

// node makes .local/node what the lock file pins.
func (k kit) node(ctx context.Context) (err error) {
	if _, err := find(ctx, "Node", 20, 0, "node"); err != nil { // aws-cdk-lib works with no older one
		return err
	}
	if _, err := find(ctx, "Node", 22, 0, "node"); err != nil {
		k.say.note("Node is older than 22: it works still, but the CDK's runtime does not support it any more, and says so; install Node 22 or newer")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return errors.New("npm is not installed: install it beside Node (on Debian and Ubuntu: apt install npm) and start again")
	}
	tools, dir := k.path("infra", "local", "tools"), k.path(".local", "node")
	names := []string{"package.json", "package-lock.json"}
	want, err := digest("", filepath.Join(tools, names[0]), filepath.Join(tools, names[1]))
	if err != nil || installed(dir, want, "node_modules/.bin/cdk") {
		return err
	}
	done := k.say.step("installing the CDK command line into %s (once)", filepath.Join(".local", "node"))
	defer func() { done(err) }()
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(tools, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	if err := k.run(ctx, os.Environ(), "npm", "ci", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts"); err != nil {
		return fmt.Errorf("cannot install the CDK command line from npm: check the connection and start again\n%w", err)
	}
	return os.WriteFile(filepath.Join(dir, installedMark), []byte(want), 0o644)
}

// run runs a command in the checkout. What it wrote is part of the error when it fails.
func (k kit) run(ctx context.Context, env []string, name string, args ...string) error {
	return run(ctx, k.root, env, name, args...)
}

func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, strings.TrimSpace(out.String()))
	}
	return nil
}

// lock keeps others on this machine from installing or building in the checkout until the returned function is called. It waits
// for one who is at it, until the context is done.
func (k kit) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(k.path(".local"), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(k.path(".local", "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		if !told {
			k.say.waiting("another run is installing or building")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var version = regexp.MustCompile(`(\d+)\.(\d+)`)

// find is the first of the commands that is at least the version.
func find(ctx context.Context, what string, major, minor int, commands ...string) (string, error) {
	found := "it is not installed"
	for _, command := range commands {
		out, err := exec.CommandContext(ctx, command, "--version").Output()
		if err != nil {
			continue
		}
		m := version.FindStringSubmatch(string(out))
		if m == nil {
			continue
		}
		a, _ := strconv.Atoi(m[1])
		b, _ := strconv.Atoi(m[2])
		if a > major || a == major && b >= minor {
			return command, nil
		}
		found = "here is " + m[0]
	}
	need := fmt.Sprintf("%s %d", what, major)
	if minor > 0 {
		need += fmt.Sprintf(".%d", minor)
	}
	return "", fmt.Errorf("%s or newer is needed, but %s: install it (as %s on the PATH) and start again", need, found, commands[0])
}

// digest is a fingerprint of a text and of files, their names left aside.
func digest(text string, files ...string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%d %s", len(text), text)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		n, err := io.Copy(sum, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
		fmt.Fprintf(sum, " %d", n)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// installedMark is a file that says of what the tools beside it are the installation.
const installedMark = "installed"

// installed reports whether the folder is marked with what is wanted, and something is there for each pattern of what is needed.
func installed(dir, want string, needs ...string) bool {
	files := os.DirFS(dir)
	have, err := fs.ReadFile(files, installedMark)
	if err != nil || string(have) != want {
		return false
	}
	for _, pattern := range needs {
		if found, err := fs.Glob(files, pattern); err != nil || len(found) == 0 {
			return false
		}
	}
	return true
}
