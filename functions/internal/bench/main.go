// Command bench measures what must not creep up, and prints one line per measure: name, value, unit, goal, ok or MISS.
//
//	decide   one decision of package access: time and allocations
//	start    from the start of a function's process to its first request for an event, and how often hello world's time that
//	         is; the goal in ms is hello world's time here and now, times the ratio allowed
//	size     of the functions' binaries, as they are deployed
//
// Functions that are named are measured, and without names all of them.
//
// It ends with status 1 when a count, a size or a ratio misses its goal. A time alone only says MISS: it depends on the
// machine.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"

	"example.com/partnertree/functions/internal/coldstart"
)

// The goals.
const (
	maxDecideNS     = 1000
	maxDecideAllocs = 0
	maxStartRatio   = 1.5
	maxMB           = 12
)

// deployedArch is what the functions are built for in AWS.
const deployedArch = "arm64"

// report is what was measured so far.
type report struct{ failed bool }

// line prints a measure that should be at most goal. binding: missing it fails the run.
func (r *report) line(name string, value float64, unit string, goal float64, binding bool) {
	verdict := "ok"
	if value > goal {
		verdict = "MISS"
		r.failed = r.failed || binding
	}
	fmt.Printf("%-40s %8s %-6s <=%-5s %s\n", name, short(value), unit, short(goal), verdict)
}

// short has two decimals, and none for whole numbers.
func short(v float64) string {
	if v == float64(int64(v)) {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 100, "how often each function is started")
	flag.Parse()
	var r report
	if err := r.measure(*rounds, flag.Args()); err != nil {
		log.Fatal("bench: ", err)
	}
	if r.failed {
		os.Exit(1)
	}
}

func (r *report) measure(rounds int, only []string) error {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("go list: %w; run it from inside the checkout", err)
	}
	if err := os.Chdir(string(bytes.TrimSpace(out))); err != nil {
		return err
	}
	if err := r.decide(); err != nil {
		return err
	}
	mains, err := filepath.Glob("functions/*/main.go")
	if len(only) > 0 {
		mains = slices.DeleteFunc(mains, func(main string) bool { return !slices.Contains(only, filepath.Base(filepath.Dir(main))) })
	}
	if err != nil || len(mains) < max(1, len(only)) {
		return fmt.Errorf("no functions found, or not all that were named: %q, %v", mains, err)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return r.functions(mains, dir, rounds)
}

// decide runs the benchmark of the decision.
func (r *report) decide() error {
	const minutes = 2
	out, err := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkDecide$", "-benchmem", "-timeout",
		strconv.Itoa(minutes)+"m", "./shared/access").CombinedOutput()
	if err != nil {
		return fmt.Errorf("benchmark: %w\n%s", err, out)
	}
	found := benchmarkLine.FindAllSubmatch(out, -1)
	if len(found) == 0 {
		return fmt.Errorf("no result of the benchmark in\n%s", out)
	}
	for _, m := range found {
		ns, err1 := strconv.ParseFloat(string(m[2]), 64)
		allocs, err2 := strconv.ParseFloat(string(m[3]), 64)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("unreadable result %s", m[0])
		}
		r.line("decide/"+string(m[1]), ns, "ns", maxDecideNS, false)
		r.line("decide/"+string(m[1])+"/allocs", allocs, "count", maxDecideAllocs, true)
	}
	return nil
}

var benchmarkLine = regexp.MustCompile(`(?m)^BenchmarkDecide/(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op\s+\d+ B/op\s+(\d+) allocs/op`)

// functions builds the functions below dir and measures their start on this machine, and their size as deployed.
func (r *report) functions(mains []string, dir string, rounds int) error {
	hello := filepath.Join(dir, "hello")
	if err := build(runtime.GOARCH, hello, "./functions/internal/coldstart/hello"); err != nil {
		return err
	}
	binaries := []string{hello}
	for _, main := range mains {
		folder := filepath.Dir(main)
		binary := filepath.Join(dir, filepath.Base(folder))
		if err := build(runtime.GOARCH, binary, "./"+folder); err != nil {
			return err
		}
		binaries = append(binaries, binary)
	}
	lambda, err := coldstart.Start()
	if err != nil {
		return err
	}
	defer lambda.Close()
	medians, err := lambda.Measure(rounds, binaries...)
	if err != nil {
		return err
	}
	for i, binary := range binaries[1:] {
		name, median := "start/"+filepath.Base(binary), medians[i+1]
		r.line(name, milliseconds(median), "ms", milliseconds(medians[0])*maxStartRatio, false)
		r.line(name+"/ratio", float64(median)/float64(medians[0]), "hello", maxStartRatio, true)
	}
	for _, main := range mains {
		folder := filepath.Dir(main)
		binary := filepath.Join(dir, filepath.Base(folder)+"."+deployedArch)
		if err := build(deployedArch, binary, "./"+folder); err != nil {
			return err
		}
		info, err := os.Stat(binary)
		if err != nil {
			return err
		}
		r.line("size/"+filepath.Base(folder), float64(info.Size())/1e6, "MB", maxMB, true)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// build makes a binary as it is deployed.
func build(arch, output, pkg string) error {
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", output, pkg)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s for %s: %w\n%s", pkg, arch, err, out)
	}
	return nil
}
