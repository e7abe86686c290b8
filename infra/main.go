// Command infra is the CDK app: it synthesizes the stacks of one stage, chosen with `-c stage=…`. The CDK command line runs
// it as cdk.json says; the functions must be built before (make build), since their binaries are its assets.
package main

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/infra/stacks"
	"example.com/partnertree/infra/stage"
)

//go:embed settle.asl.json
var settling string

func main() {
	defer jsii.Close()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "infra:", err)
		os.Exit(1)
	}
}

func run() error {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	name, ok := app.Node().TryGetContext(jsii.String("stage")).(string)
	if !ok {
		return fmt.Errorf("no stage chosen: add -c stage=… with one of %v", stage.Names())
	}
	config, err := stage.Named(name)
	if err != nil {
		return err
	}
	for _, f := range stage.Functions {
		dir := stage.BuildDir(".", config.Arch, f)
		if _, err := os.Stat(dir + "/bootstrap"); err != nil {
			return fmt.Errorf("function %s is not built for %s: run `make build` first (%w)", f, config.Arch, err)
		}
	}
	stacks.Add(app, config, stacks.Parts{
		Code:     func(function string) string { return stage.BuildDir(".", config.Arch, function) },
		Settling: settling,
	})
	app.Synth(nil)
	return nil
}
