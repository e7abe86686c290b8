package stack

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// commands makes a PATH with nothing but programs that print their version.
func commands(t *testing.T, versions map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, version := range versions {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho '"+version+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestWhatIsMissingIsSaidInOneSentence(t *testing.T) {
	checkout := func(t *testing.T) kit {
		dir := t.TempDir()
		tools := filepath.Join(dir, "infra", "local", "tools")
		if err := os.MkdirAll(tools, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"package.json", "package-lock.json", "requirements.txt"} {
			if err := os.WriteFile(filepath.Join(tools, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return kit{root: dir}
	}
	for name, c := range map[string]struct {
		have map[string]string
		want string
	}{
		"no Python":  {nil, "Python 3.10 or newer is needed, but it is not installed"},
		"old Python": {map[string]string{"python3": "Python 3.9.2"}, "Python 3.10 or newer is needed, but here is 3.9"},
		"no Node":    {map[string]string{"python3": "Python 3.10.0"}, "Node 20 or newer is needed, but it is not installed"},
		"old Node":   {map[string]string{"python3": "Python 3.14.1", "node": "v18.20.1"}, "Node 20 or newer is needed, but here is 18.20"},
		"no npm":     {map[string]string{"python3.12": "Python 3.12.1", "node": "v22.1.0"}, "npm is not installed"},
		"no pip":     {map[string]string{"python3": "Python 3.12.1", "node": "v22.1.0", "npm": "11"}, "cannot install MiniStack"},
	} {
		t.Run(name, func(t *testing.T) {
			k := checkout(t)
			commands(t, c.have)
			err := k.install(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestATakenPortIsNamedWithTheFlagThatChangesIt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if _, err := listen(port); err == nil || !strings.Contains(err.Error(), "is taken") || !strings.Contains(err.Error(), "-port") {
		t.Errorf("the API's port: %v", err)
	}
	if _, err := freePort(port, "-aws-port"); err == nil || !strings.Contains(err.Error(), "-aws-port") {
		t.Errorf("MiniStack's port: %v", err)
	}
}

func TestOnlyAStateFolderIsForgotten(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(precious, []byte("…"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := forget(dir); err == nil {
		t.Error("a folder that is no state was removed")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, cloudLog), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := forget(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the state is still there")
	}
	if err := forget(dir); err != nil {
		t.Errorf("forgetting what is not there: %v", err)
	}
}

// MiniStack's functions inherit its environment, so what the user has set must not be in it.
func TestNothingOfTheUsersGetsIntoTheCloud(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "real")
	t.Setenv("SOME_TOKEN", "real")
	for _, v := range cloudEnv("http://127.0.0.1:1", 1, "/state", "/scratch", true) {
		if strings.Contains(v, "real") || strings.Contains(v, "production") {
			t.Error(v)
		}
	}
}

func TestABinaryThatIsTheSameKeepsItsFile(t *testing.T) {
	dir := t.TempDir()
	binary, target := filepath.Join(dir, "go"), filepath.Join(dir, "relay")
	write := func(content string) {
		if err := os.WriteFile(binary, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := place(binary, target); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	before, err := os.Stat(filepath.Join(target, "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	write("one")
	after, err := os.Stat(filepath.Join(target, "bootstrap"))
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the same binary was written again (%v)", err)
	}
	write("two")
	if content, err := os.ReadFile(filepath.Join(target, "bootstrap")); err != nil || string(content) != "two" {
		t.Errorf("another binary did not arrive: %q, %v", content, err)
	}
}
