package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/partnertree/infra/stage"
)

// Build builds every function for an architecture (a value of GOARCH) into .build/<arch>/<function>/bootstrap, and the CDK app
// into .build/infra, and installs the CDK command line: all that a deployment needs. A binary that comes out as it was keeps its
// file, so its asset keeps its name. The root may be empty, as in Options.
func Build(ctx context.Context, root, arch string, tell io.Writer) error {
	if root == "" {
		var err error
		if root, err = Checkout(); err != nil {
			return err
		}
	}
	k := kit{root: root, say: progress{tell}}
	unlock, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := k.node(ctx); err != nil {
		return err
	}
	return k.build(ctx, arch)
}

func (k kit) build(ctx context.Context, arch string) (err error) {
	what := "building the functions and the CDK app"
	if _, err := os.Stat(k.path(".build", "infra")); errors.Is(err, fs.ErrNotExist) {
		what += " (the first time takes a minute or two)"
	}
	done := k.say.step("%s", what)
	defer func() { done(err) }()
	app := make(chan error, 1)
	go func() {
		app <- k.run(ctx, os.Environ(), "go", "build", "-buildvcs=false", "-o", k.path(".build", "infra"), "./infra")
	}()
	return errors.Join(k.buildFunctions(ctx, arch), <-app)
}

func (k kit) buildFunctions(ctx context.Context, arch string) error {
	out := k.path(".build", "go-"+arch)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	args := []string{
		"build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out + string(filepath.Separator),
	}
	for _, function := range stage.Functions {
		args = append(args, "./functions/"+function)
	}
	env := append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if err := k.run(ctx, env, "go", args...); err != nil {
		return err
	}
	for _, function := range stage.Functions {
		if err := place(filepath.Join(out, function), stage.BuildDir(k.root, arch, function)); err != nil {
			return fmt.Errorf("function %s: %w", function, err)
		}
	}
	return nil
}

// place copies a binary to <dir>/bootstrap, unless the same is there.
func place(binary, dir string) error {
	target := filepath.Join(dir, "bootstrap")
	want, err := digest("", binary)
	if err != nil {
		return err
	}
	if have, err := digest("", target); err == nil && have == want {
		return nil
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o755)
}
