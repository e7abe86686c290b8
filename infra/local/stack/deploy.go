package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/partnertree/infra/stage"
)

// deployment brings the stacks of the local stage into MiniStack.
type deployment struct {
	kit
	config   stage.Config
	state    string // folder
	endpoint string
	portal   string // origin under which browsers see the portal
	entra    string // where the double of Entra is
	last     deployed
}

// deployed is what deployed.json says of the deployment that the state holds.
type deployed struct {
	Digest   string            `json:"digest"`   // of everything that went into it
	Endpoint string            `json:"endpoint"` // MiniStack's, which is part of addresses that the functions were given
	Outputs  map[string]string `json:"outputs"`
}

// lastDeployed is what the state folder holds. Its Digest is empty when that is not known for certain, after a run that deployed
// and was then killed. It refuses a deployment that belongs to another port of MiniStack.
func lastDeployed(state string, port int) (was deployed, err error) {
	mark := deployedMark(state)
	content, err := os.ReadFile(mark)
	if errors.Is(err, fs.ErrNotExist) {
		return was, nil
	}
	if err != nil {
		return was, err
	}
	if err := json.Unmarshal(content, &was); err != nil {
		return was, fmt.Errorf("%s is damaged: begin anew with %s (%w)", mark, freshFlag, err)
	}
	if was.Endpoint != "" && was.Endpoint != cloudEndpoint(port) {
		return was, fmt.Errorf("the deployment in %s belongs to MiniStack at %s: give that port with %s, or begin anew with %s",
			state, was.Endpoint, cloudPortFlag, freshFlag)
	}
	return was, nil
}

// bring builds, and deploys unless exactly this is deployed already.
func (d deployment) bring(ctx context.Context) (now deployed, err error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return now, err
	}
	defer unlock()
	fresh := d.last.Digest == "" || !d.has(ctx, d.last.Outputs[stage.OutFunction("bootstrap")])
	bootstrapped := make(chan error, 1)
	go func() {
		if !fresh {
			bootstrapped <- nil
			return
		}
		bootstrapped <- d.cdk(ctx, d.state, "bootstrap", "aws://"+d.config.Account+"/"+d.config.Region)
	}()
	err = d.build(ctx, d.config.Arch)
	if bootErr := <-bootstrapped; bootErr != nil {
		return now, fmt.Errorf("cannot prepare MiniStack for the CDK: %w", bootErr)
	}
	if err != nil {
		return now, err
	}
	files := []string{d.path(".build", "infra"), d.path("cdk.json")}
	for _, function := range stage.Functions {
		files = append(files, filepath.Join(stage.BuildDir(d.root, d.config.Arch, function), "bootstrap"))
	}
	now = deployed{Endpoint: d.endpoint, Outputs: d.last.Outputs}
	if now.Digest, err = digest(d.portal+" "+d.entra, files...); err != nil {
		return now, err
	}
	if !fresh && now.Digest == d.last.Digest {
		return now, nil
	}
	if err := d.keep(deployed{Endpoint: d.endpoint}); err != nil {
		return now, err
	}
	now.Outputs, err = d.deploy(ctx)
	return now, err
}

// keep writes down what is deployed: without a digest before that changes, with it when MiniStack has saved its state.
func (d deployment) keep(now deployed) error {
	content, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(deployedMark(d.state), content, 0o600)
}

func deployedMark(state string) string { return filepath.Join(state, "deployed.json") }

func (d deployment) deploy(ctx context.Context) (outputs map[string]string, err error) {
	done := d.say.step("deploying the stacks")
	defer func() { done(err) }()
	file := filepath.Join(d.state, "outputs.json")
	if err := d.cdk(ctx, d.root, "deploy", "--all", "--require-approval", "never", "--method", "direct", "--concurrency", "2",
		"--outputs-file", file, "--output", filepath.Join(d.state, "cdk.out"),
		"--app", d.path(".build", "infra"), "--context", "stage="+d.config.Name); err != nil {
		return nil, fmt.Errorf("the deployment failed: %w", err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var byStack map[string]map[string]string
	if err := json.Unmarshal(content, &byStack); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	outputs = map[string]string{}
	for _, of := range byStack {
		for name, value := range of {
			outputs[name] = value
		}
	}
	return outputs, nil
}

// cdk runs the CDK command line against MiniStack, out of reach of the user's AWS settings. In a folder without cdk.json it
// runs no app, which preparing the account does not need.
func (d deployment) cdk(ctx context.Context, dir string, args ...string) error {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "CDK_") })
	env = append(env, "AWS_ENDPOINT_URL="+d.endpoint, "AWS_ENDPOINT_URL_S3="+d.endpoint, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION="+d.config.Region, "AWS_DEFAULT_REGION="+d.config.Region,
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, stage.LocalPortal+"="+d.portal, stage.LocalEntra+"="+d.entra)
	return run(ctx, dir, append(env, cdkEnv...), d.cdkCommand(), append(args, "--no-notices", "--ci")...)
}

// cdkEnv keeps the CDK's remarks on versions of Node and on its own insides out of error messages.
var cdkEnv = []string{
	"NO_COLOR=1", "NODE_NO_WARNINGS=1", "JSII_DEPRECATED=quiet", "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20",
	"CDK_DISABLE_CLI_TELEMETRY=true",
}

// has reports whether MiniStack has a function.
func (d deployment) has(ctx context.Context, function string) bool {
	return function != "" && lambda{d.endpoint, d.config.Region}.call(ctx, http.MethodGet, "/2015-03-31/functions/"+function, nil, nil) == nil
}
