// Package coldstart measures how long a function takes from the start of its process until it asks Lambda for its first
// event. It plays the Lambda Runtime API for it.
//
// What it measures is the function's own share of a cold start: exec, the Go runtime, package initialization, clients.
// Lambda's share (fetching the binary, starting the sandbox) is the same for every function of the same size.
package coldstart

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"time"

	"example.com/partnertree/shared/setting"
)

// patience is how long a function may take to ask for its first event.
const patience = 10 * time.Second

const nextPath = "/2018-06-01/runtime/invocation/next"

// Runtime plays the Lambda Runtime API. It hands out no events: a function that has asked for one is not needed any more.
type Runtime struct {
	server *http.Server
	addr   string
	asked  chan time.Time
}

// Start opens the API on a free port of this machine.
func Start() (*Runtime, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Runtime{addr: l.Addr().String(), asked: make(chan time.Time, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+nextPath, func(_ http.ResponseWriter, req *http.Request) {
		r.asked <- time.Now()
		<-req.Context().Done()
	})
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go r.server.Serve(l)
	return r, nil
}

// Close ends the API.
func (r *Runtime) Close() error { return r.server.Close() }

// environment is what Lambda gives to a function, and all variables that the functions of this product read.
func (r *Runtime) environment() []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + r.addr, "AWS_LAMBDA_FUNCTION_NAME=measured", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_SESSION_TOKEN=test",
		setting.Stage + "=bench", setting.Table + "=table", setting.Bus + "=bus",
		setting.Undelivered + "=https://sqs.eu-west-1.amazonaws.com/1/queue",
		setting.MailFrom + "=Name <name@mail.example>", setting.MailSet + "=set", setting.Guests + "=guests",
		setting.PortalOrigin + "=https://portal.example", setting.PortalHosts + "=portal.example",
		setting.EntraClient + "=00000000-0000-4000-8000-000000000002", setting.EntraTenants + "=any", setting.EntraFederated + "=1",
		setting.GraphClient + "=00000000-0000-4000-8000-000000000001", setting.GraphFederated + "=1",
	}
}

// Once starts the binary, and returns how long it took until it asked for its first event. It leaves no process behind.
func (r *Runtime) Once(binary string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = r.environment()
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case at := <-r.asked:
		cancel()
		<-ended
		return at.Sub(began), nil
	case err := <-ended:
		return 0, fmt.Errorf("%s ended before it asked for an event: %w", binary, errors.Join(err, ctx.Err()))
	}
}

// Measure starts each binary rounds times, in rounds of a random order, so that whatever else the machine does meets all
// alike, and returns the median of each. Before that each is started once, for its file to be in memory.
func (r *Runtime) Measure(rounds int, binaries ...string) ([]time.Duration, error) {
	all := make([][]time.Duration, len(binaries))
	for round := range rounds + 1 {
		for _, i := range rand.Perm(len(binaries)) {
			d, err := r.Once(binaries[i])
			if err != nil {
				return nil, err
			}
			if round > 0 {
				all[i] = append(all[i], d)
			}
		}
	}
	medians := make([]time.Duration, len(binaries))
	for i := range all {
		slices.Sort(all[i])
		medians[i] = all[i][len(all[i])/2]
	}
	return medians, nil
}
