// Package stage says in what the deployments differ: one Config for each stage, and nothing else decides by stage. It does
// not import the CDK, so that the local run can read it without compiling half a cloud.
package stage

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// Config is everything that differs between two deployments of the same stacks.
type Config struct {
	Name   string // part of stack names and of the bus's name; lowercase letters and digits
	Region string // where the stacks live
	// Account is the AWS account the stage belongs to. Empty: the account of the credentials that deploy.
	Account string
	// Arch is what the functions are built for: a value of GOARCH.
	Arch string
	// LogDays is how long logs are kept; one of the periods that CloudWatch offers.
	LogDays int
	// RatePerSecond and Burst bound what the whole API takes before API Gateway answers 429 by itself. Limits of a single
	// caller are the functions' concern.
	RatePerSecond, Burst int
	// Retain keeps the table, the bus and what is in them when their stack is deleted or they are taken out of it.
	Retain bool
	// Without names what this stage leaves out, each with the reason.
	Without map[Feature]string
}

// Feature is a part of the deployment that a stage can be without.
type Feature string

// The parts that the local stage leaves out.
const (
	DeletionProtection Feature = "deletion protection of the table"
	Recovery           Feature = "point-in-time recovery of the table"
	Nag                Feature = "cdk-nag at synthesis"
)

// Has reports whether the stage has the feature.
func (c Config) Has(f Feature) bool { _, without := c.Without[f]; return !without }

// StatefulStack is the name of the stack with what must never be lost.
func (c Config) StatefulStack() string { return "partnertree-" + c.Name + "-stateful" }

// ServiceStack is the name of the stack that can be deleted and deployed again without loss.
func (c Config) ServiceStack() string { return "partnertree-" + c.Name + "-service" }

// BusName is fixed, not generated: regions and other systems will name it.
func (c Config) BusName() string { return "partnertree-" + c.Name }

// Local is the stage that infra/local deploys into MiniStack.
const Local = "local"

var stages = []Config{
	{
		Name: Local, Region: "us-east-1", Account: "000000000000", Arch: runtime.GOARCH, LogDays: 1, RatePerSecond: 1000, Burst: 1000,
		Without: map[Feature]string{
			DeletionProtection: "a local stack is thrown away and made again",
			Recovery:           "MiniStack does not keep it",
			Nag:                "the same stacks are checked by their test and for every other stage; here it only costs start-up time",
		},
	},
	{Name: "dev", Region: "eu-west-1", Arch: "arm64", LogDays: 14, RatePerSecond: 200, Burst: 400, Retain: true},
	{Name: "prod", Region: "eu-west-1", Arch: "arm64", LogDays: 365, RatePerSecond: 2000, Burst: 4000, Retain: true},
}

// Named is the configuration of the stage with that name. The error lists the names there are.
func Named(name string) (Config, error) {
	for _, c := range stages {
		if c.Name == name {
			return c, nil
		}
	}
	return Config{}, fmt.Errorf("there is no stage %q: use one of %s", name, strings.Join(Names(), ", "))
}

// Names lists the stages.
func Names() []string {
	var names []string
	for _, c := range stages {
		names = append(names, c.Name)
	}
	return slices.Clip(names)
}
