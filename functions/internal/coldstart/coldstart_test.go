package coldstart

import (
	"net/http"
	"os"
	"testing"
	"time"

	"example.com/partnertree/shared/setting"
)

// The test binary plays the functions that are measured, when it is started by the runtime.
func TestMain(m *testing.M) {
	api := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	switch {
	case api == "":
		os.Exit(m.Run())
	case os.Getenv(setting.Stage) != "bench" || os.Getenv("HOME") != "":
		os.Exit(3) // not the environment that was promised
	}
	time.Sleep(sleeps)
	http.Get("http://" + api + nextPath)
	os.Exit(0)
}

const sleeps = 50 * time.Millisecond

func started(t *testing.T) *Runtime {
	r, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestTheTimeIsThatUntilTheFirstEventIsAskedFor(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	medians, err := started(t).Measure(3, self, self)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range medians {
		if m < sleeps || m > sleeps+patience/2 {
			t.Errorf("%v for a process that sleeps %v", m, sleeps)
		}
	}
}

func TestAFunctionThatDiesIsAnError(t *testing.T) {
	if _, err := started(t).Once("/bin/false"); err == nil {
		t.Error("no error")
	}
}
