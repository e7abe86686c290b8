package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// vulncheck looks for known vulnerabilities in what the project calls. Where the database cannot be reached, as on machines without
// the open internet, it says so in one line and succeeds; anything else that goes wrong fails.
func vulncheck(ctx context.Context) error {
	// The scan that counts loads the source of everything, for a quarter of a minute, before it asks for the database.
	if _, problems, err := govulncheck(ctx, "-scan", "package", "./..."); unreachable(problems, err) {
		return notRun()
	}
	found, problems, err := govulncheck(ctx, "./...")
	if unreachable(problems, err) {
		return notRun()
	}
	os.Stdout.Write(found)
	if err != nil {
		return errors.Join(err, errors.New(string(problems)))
	}
	return nil
}

func govulncheck(ctx context.Context, args ...string) (found, problems []byte, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"tool", "govulncheck"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

func unreachable(problems []byte, err error) bool {
	return err != nil && bytes.Contains(problems, []byte("fetching vulnerabilities:"))
}

func notRun() error {
	fmt.Fprintln(os.Stderr, "govulncheck: not run, because its database at vuln.go.dev cannot be reached from here")
	return nil
}
