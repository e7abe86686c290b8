// Package stacks is the whole deployment of one stage as two CDK stacks. Stateful holds what must never be lost; Service
// everything that can be deleted and deployed again. Both are the same for every stage, but for what stage.Config says.
package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"example.com/partnertree/infra/stage"
)

// Parts are what the stacks are made of besides themselves.
type Parts struct {
	Code     func(function string) string // the folder with the function's built binary
	Settling string                       // the state machine in infra/settle.asl.json
}

// Add adds both stacks of a stage to an app.
func Add(app constructs.Construct, config stage.Config, parts Parts) (*Stateful, *Service) {
	stateful := newStateful(app, config)
	service := newService(app, config, stateful, parts)
	awscdk.Tags_Of(app).Add(jsii.String("project"), jsii.String("partnertree"), nil)
	awscdk.Tags_Of(app).Add(jsii.String("stage"), jsii.String(config.Name), nil)
	if config.Has(stage.Nag) {
		awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
	}
	return stateful, service
}

func stackProps(config stage.Config, description string, protect bool) *awscdk.StackProps {
	env := &awscdk.Environment{Region: jsii.String(config.Region)}
	if config.Account != "" {
		env.Account = jsii.String(config.Account)
	}
	return &awscdk.StackProps{Env: env, Description: jsii.String(description), TerminationProtection: jsii.Bool(protect)}
}

func output(stack awscdk.Stack, name string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(name), &awscdk.CfnOutputProps{Value: value})
}
