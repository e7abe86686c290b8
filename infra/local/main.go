// Command local runs the whole deployment on this machine and is the tool around it.
//
//	go run ./infra/local            build, deploy into MiniStack, fill with a demo tree and serve the API until Ctrl-C
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
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	switch name {
	case "run":
		var r runner
		flags.IntVar(&r.port, "port", 8080, "port of the API")
		flags.IntVar(&r.awsPort, "aws-port", 4566, "port of MiniStack, which plays AWS")
		flags.StringVar(&r.state, "state", filepath.Join(".local", "state"), "folder that keeps the deployment from one start to the next")
		flags.BoolVar(&r.fresh, "fresh", false, "throw away what is kept and begin anew")
		flags.BoolVar(&r.quiet, "quiet", false, "say nothing but the URL")
		if err := flags.Parse(args); err != nil {
			return err
		}
		return r.run(ctx)
	case "build":
		arch := flags.String("arch", "arm64", "architecture of the functions: arm64 or amd64")
		if err := flags.Parse(args); err != nil {
			return err
		}
		return stack.Build(ctx, "", *arch, os.Stderr)
	case "vulncheck":
		if err := flags.Parse(args); err != nil {
			return err
		}
		return vulncheck(ctx)
	case "lint":
		if err := flags.Parse(args); err != nil {
			return err
		}
		return stack.Lint(ctx, "", os.Stderr)
	default:
		return fmt.Errorf("no command %q: use run, build, lint or vulncheck", name)
	}
}

type runner struct {
	port, awsPort int
	state         string
	fresh, quiet  bool
}

func (r runner) run(ctx context.Context) (err error) {
	var tell io.Writer = os.Stderr
	if r.quiet {
		tell = io.Discard
	}
	state, err := filepath.Abs(r.state)
	if err != nil {
		return err
	}
	s, err := stack.Start(ctx, stack.Options{State: state, Fresh: r.fresh, Port: r.port, CloudPort: r.awsPort, Progress: tell})
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
	} else if err := demo.Show(ctx, os.Stdout, s.URL, seeded); err != nil {
		return err
	}
	fmt.Fprintln(tell, "\nRunning. Ctrl-C stops it; what you make is kept for the next start (-fresh begins anew).")
	select {
	case <-ctx.Done():
		return nil
	case <-s.Ended():
		return errors.New("MiniStack ended by itself: see ministack.log in the state folder")
	}
}

// demo is the demo tree: made now, or kept from an earlier start.
func (r runner) demo(ctx context.Context, s *stack.Stack, file string, tell io.Writer) (demo.Seeded, error) {
	if !s.Fresh {
		if seeded, ok, err := demo.Load(file); ok || err != nil {
			return seeded, err
		}
	}
	fmt.Fprintln(tell, "  … making the demo tree through the API")
	return demo.Seed(ctx, s.URL, s.Founder, file)
}
