package tabletest

import (
	"os/exec"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestTheVersionIsThatOfThePOM(t *testing.T) {
	if !strings.Contains(string(pom), "<version>"+version+"</version>") {
		t.Errorf("pom.xml does not ask for version %s", version)
	}
}

func TestWithoutJavaItSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, _, err := start(); err == nil || !strings.Contains(err.Error(), "install Java") {
		t.Errorf("start: %v", err)
	}
}

func TestItEndsWhenItIsStopped(t *testing.T) {
	endpoint, stop, err := start()
	if err != nil {
		t.Fatal(err)
	}
	stop()
	_, port, _ := strings.Cut(strings.TrimPrefix(endpoint, "http://"), ":")
	if out, _ := exec.Command("ps", "-eo", "args").Output(); strings.Contains(string(out), "-port "+port) {
		t.Error("it still runs")
	}
}
