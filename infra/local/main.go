// Command local runs the whole deployment on this machine and is the tool around it.
//
//	go run ./infra/local            build, deploy into MiniStack, fill with a demo tree and serve API and portal until Ctrl-C
//	go run ./infra/local build      build the functions and the CDK app, by default for AWS, and install the CDK command line
//	go run ./infra/local lint       synthesize every stage and check the templates with cdk-nag and cfn-lint
//	go run ./infra/local vulncheck  look for known vulnerabilities, where their database can be reached
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"example.com/partnertree/infra/local/demo"
	"example.com/partnertree/infra/local/stack"
)

func main() {
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup, which wants it to go on when the terminal closes
		stops = append(stops, syscall.SIGHUP)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), stops...)
	defer cancel()
	if err := command(ctx, os.Args[1:]); err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "\nStopped.")
		} else {
			fmt.Fprintln(os.Stderr, "local:", err)
		}
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	name := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	var do func(context.Context) error
	switch name {
	case "run":
		var r runner
		flags.IntVar(&r.port, "port", 8080, "port of the API and the portal")
		flags.IntVar(&r.awsPort, "aws-port", 4566, "port of MiniStack, which plays AWS; the double of Microsoft Entra ID is at the one after it")
		flags.StringVar(&r.state, "state", "", "`folder` that keeps the deployment between starts (default .local/state of the checkout)")
		flags.BoolVar(&r.fresh, "fresh", false, "throw away what is kept and begin anew")
		flags.BoolVar(&r.quiet, "quiet", false, "say nothing but the URL")
		do = r.run
	case "build":
		arch := flags.String("arch", "arm64", "architecture of the functions: arm64 or amd64")
		do = func(ctx context.Context) error { return stack.Build(ctx, "", *arch, os.Stderr) }
	case "vulncheck":
		do = vulncheck
	case "lint":
		do = func(ctx context.Context) error { return stack.Lint(ctx, "", os.Stderr) }
	default:
		return fmt.Errorf("no command %q: use run, build, lint or vulncheck", name)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q: -h lists its flags", name, flags.Arg(0))
	}
	return do(ctx)
}

type runner struct {
	port, awsPort int
	state         string
	fresh, quiet  bool
}

func (r *runner) run(ctx context.Context) (err error) {
	var tell io.Writer = os.Stderr
	if r.quiet {
		tell = io.Discard
	}
	root, err := stack.Checkout()
	if err != nil {
		return err
	}
	state := filepath.Join(root, ".local", "state")
	if r.state != "" {
		if state, err = filepath.Abs(r.state); err != nil {
			return err
		}
	}
	s, err := stack.Start(ctx, stack.Options{Root: root, State: state, Fresh: r.fresh, Port: r.port, CloudPort: r.awsPort, Progress: tell})
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(tell, "\nStopping …")
		err = errors.Join(err, s.Stop())
	}()
	seeded, err := r.demo(ctx, s, filepath.Join(state, "demo.json"), tell)
	if err != nil {
		return err
	}
	if r.quiet {
		fmt.Println(s.URL)
	} else if err := demo.Show(ctx, os.Stdout, s, seeded); err != nil {
		return err
	}
	fmt.Fprintln(tell, "\nRunning. Ctrl-C stops it; what you make is kept for the next start (-fresh or make run FRESH=1 begins anew).")
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.Ended():
		return err
	}
}

// demo is the demo tree: made now, or kept from an earlier start.
func (r *runner) demo(ctx context.Context, s *stack.Stack, file string, tell io.Writer) (demo.Seeded, error) {
	if !s.Fresh {
		if seeded, ok, err := demo.Load(file); ok || err != nil {
			return seeded, err
		}
	}
	fmt.Fprintln(tell, "  … making the demo tree through the API")
	return demo.Seed(ctx, s, file)
}
