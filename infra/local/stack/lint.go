package stack

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"example.com/partnertree/infra/stage"
)

// Lint synthesizes every stage and checks the templates: cdk-nag as part of the synthesis, then cfn-lint. It builds what is
// missing and installs cfn-lint on its first run. The root may be empty, as in Options.
func Lint(ctx context.Context, root string, tell io.Writer) (err error) {
	if root == "" {
		if root, err = Checkout(); err != nil {
			return err
		}
	}
	k := kit{root: root, say: progress{tell}}
	if err := k.install(ctx); err != nil {
		return err
	}
	unlock, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := k.environment(ctx, k.python(), "cfn-lint", "lint", k.path("infra", "local", "tools", "lint.txt"),
		"bin/cfn-lint", "lib/python*/site-packages/cfnlint/runner"); err != nil {
		return err
	}
	out, err := os.MkdirTemp("", "partnertree-lint-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(out) }()
	done := k.say.step("synthesizing and checking the stages %v", stage.Names())
	defer func() { done(err) }()
	built := map[string]bool{}
	for _, name := range stage.Names() {
		config, err := stage.Named(name)
		if err != nil {
			return err
		}
		if !built[config.Arch] {
			if err := k.build(ctx, config.Arch); err != nil {
				return err
			}
			built[config.Arch] = true
		}
		dir := filepath.Join(out, name)
		env := append(os.Environ(), cdkEnv...)
		if err := run(ctx, root, env, k.cdkCommand(), "synth", "--quiet", "--no-notices", "--ci", "--strict", "--output", dir,
			"--app", k.path(".build", "infra"), "--context", "stage="+name); err != nil {
			return fmt.Errorf("stage %s: %w", name, err)
		}
		templates, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
		if err != nil || len(templates) == 0 {
			return fmt.Errorf("stage %s has no templates in %s (%v)", name, dir, err)
		}
		// W3005: the CDK states dependencies that follow from references too. It is right, if wordy.
		args := slices.Concat([]string{"--ignore-checks", "W3005", "--"}, templates)
		if err := run(ctx, root, os.Environ(), k.path(".local", "lint", "bin", "cfn-lint"), args...); err != nil {
			return fmt.Errorf("stage %s: %w", name, err)
		}
	}
	return nil
}
