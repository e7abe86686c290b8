package stack

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/graph/graphtest"
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

// Node 20 still does, and whoever has it is told.
func TestANodeThatIsNotSupportedAnyMoreIsSaid(t *testing.T) {
	for version, want := range map[string]string{"v20.20.2": "  ! Node is older than 22: it works still, ", "v22.0.0": "", "v24.3.0": ""} {
		commands(t, map[string]string{"node": version})
		var said strings.Builder
		err := kit{root: t.TempDir(), say: progress{&said}}.node(t.Context())
		if err == nil || !strings.Contains(err.Error(), "npm is not installed") {
			t.Errorf("%s: %v", version, err)
		}
		if got := said.String(); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: said %q, want %q", version, got, want)
		}
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
	if _, err := freePort(port, cloudPortFlag); err == nil || !strings.Contains(err.Error(), "-aws-port (make run AWS_PORT=…)") {
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
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the state is still there: %v, %v", left, err)
	}
	if err := forget(dir); err != nil {
		t.Errorf("forgetting what is not there: %v", err)
	}
}

func TestASecondRunLeavesTheStateOfTheFirstAlone(t *testing.T) {
	state := t.TempDir()
	log := filepath.Join(state, cloudLog)
	if err := os.WriteFile(log, []byte("of the first"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := claim(state)
	if err != nil {
		t.Fatal(err)
	}
	start := func() error {
		// No tools are in this checkout: a start that gets past the lock fails there, before it starts anything.
		_, err := Start(t.Context(), Options{Root: t.TempDir(), State: state, Fresh: true})
		return err
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "another local run uses "+state) || !strings.Contains(err.Error(), "-state") {
		t.Errorf("a second run: %v", err)
	}
	if content, err := os.ReadFile(log); err != nil || string(content) != "of the first" {
		t.Errorf("the first run's log: %q, %v", content, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a start that failed must let go as well
		if err := start(); err == nil || strings.Contains(err.Error(), "another local run") {
			t.Errorf("when the first is gone: %v", err)
		}
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("a fresh start did not empty the folder")
	}
}

func TestAStateOfAnotherPortIsRefusedBeforeAnythingStarts(t *testing.T) {
	state := t.TempDir()
	d := deployment{state: state}
	if err := d.keep(deployed{Digest: "abc", Endpoint: cloudEndpoint(4566)}); err != nil {
		t.Fatal(err)
	}
	if was, err := lastDeployed(state, 4566); err != nil || was.Digest != "abc" {
		t.Errorf("the same port: %+v, %v", was, err)
	}
	_, err := Start(t.Context(), Options{Root: t.TempDir(), State: state, CloudPort: 4567})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:4566") || !strings.Contains(err.Error(), "AWS_PORT=") {
		t.Errorf("another port: %v", err)
	}
	if _, err := os.Stat(filepath.Join(state, cloudLog)); err == nil {
		t.Error("MiniStack was started")
	}
}

func TestWaitingForAnotherRunIsSaidOnceAndEndsWithTheContext(t *testing.T) {
	var said strings.Builder
	k := kit{root: t.TempDir(), say: progress{&said}}
	unlock, err := k.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 350*time.Millisecond)
	defer cancel()
	if _, err := k.lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's end", err)
	}
	if got := strings.Count(said.String(), "another run is installing or building: waiting"); got != 1 {
		t.Errorf("said %d times: %q", got, said.String())
	}
	time.AfterFunc(150*time.Millisecond, unlock)
	again, err := k.lock(t.Context())
	if err != nil {
		t.Fatalf("when the other is done: %v", err)
	}
	again()
}

func TestToolsAreInstalledOnlyWhenTheyAreThere(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) string {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("v1"), 0o644)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write(installedMark)
	program, module := write("bin/program"), write("lib/python3.12/site-packages/module/app.py")
	if err := os.Symlink("program", filepath.Join(dir, "bin", "python")); err != nil {
		t.Fatal(err)
	}
	whole := func(want string) bool {
		return installed(dir, want, "bin/python", "lib/python*/site-packages/module/app.py")
	}
	if !whole("v1") {
		t.Fatal("what is there does not count")
	}
	if whole("v2") {
		t.Error("another version counts")
	}
	for _, gone := range []string{program, module} { // without the program, bin/python leads nowhere
		if err := os.Rename(gone, gone+".gone"); err != nil {
			t.Fatal(err)
		}
		if whole("v1") {
			t.Errorf("it counts without %s", gone)
		}
		if err := os.Rename(gone+".gone", gone); err != nil {
			t.Fatal(err)
		}
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

// A program with a warden ends when whoever started it ends, and that it ended by itself is noticed.
func TestTheWarden(t *testing.T) {
	started := func(program ...string) *process {
		p, err := launch("It", exec.Command("sh", append([]string{"-c", warden, "sh"}, program...)...), filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if err := started("sleep", "600").stop(10 * time.Second); err != nil {
		t.Error(err)
	}
	p := started("true")
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		t.Error("it has ended, and nobody noticed")
	}
	if err := p.stop(time.Second); err != nil {
		t.Error(err)
	}
}

// The people that the last double knew, guests among them, are there again; the apps are those of this start.
func TestGuestsAreRemembered(t *testing.T) {
	file := filepath.Join(t.TempDir(), "entra.json")
	knows := graphtest.Directory{Tenants: []graphtest.Tenant{{ID: "a", People: []graphtest.Person{{ID: "1"}}}, {ID: "b"}}, Apps: []graphtest.App{{ID: "now"}}}
	got, err := remembered(file, knows)
	if err != nil || len(got.Tenants[0].People) != 1 {
		t.Fatalf("at first: %+v, %v", got, err)
	}
	left := `{"tenants": [{"id": "a", "people": [{"id": "1"}, {"id": "2", "guest": {"state": "Accepted"}}]}, {"id": "gone"}], "apps": [{"id": "old"}]}`
	if err := os.WriteFile(file, []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err = remembered(file, knows)
	if err != nil || len(got.Tenants) != 2 || len(got.Tenants[0].People) != 2 || got.Tenants[0].People[1].Guest == nil || got.Apps[0].ID != "now" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := remembered(file, knows); err == nil {
		t.Error("a broken file is taken for one without people")
	}
}
