package stack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"example.com/partnertree/infra/stage"
)

// lambda is the part of AWS Lambda's API that is needed here, spoken to MiniStack.
type lambda struct{ endpoint, region string }

func (l lambda) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, l.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := sign(req, body, "lambda", l.region); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.Header.Get("X-Amz-Function-Error") != "" {
		var failed FunctionError
		if err := json.Unmarshal(content, &failed); err != nil {
			return fmt.Errorf("a function failed with an answer that is no error: %w", err)
		}
		return &failed
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, content)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(content, out)
}

// sign signs a call of a service as somebody with all rights. The time of a signature is the machine's: MiniStack compares the two.
func sign(req *http.Request, body []byte, service, region string) error {
	everything := aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}
	return v4.NewSigner().SignHTTP(req.Context(), everything, req, fmt.Sprintf("%x", sha256.Sum256(body)), service, region, time.Now())
}

// FunctionError is the error that an invoked function answered with.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Invoke calls a function by its folder's name, as somebody with AWS rights would. A function that fails gives *FunctionError.
func (s *Stack) Invoke(ctx context.Context, function string, in, out any) error {
	name, ok := s.Outputs[stage.OutFunction(function)]
	if !ok {
		return fmt.Errorf("no function %q is deployed", function)
	}
	return lambda{s.Cloud, s.Region}.call(ctx, http.MethodPost, "/2015-03-31/functions/"+name+"/invocations", in, out)
}

// SetEnvironment changes one environment variable of a function, as an operator could on AWS, and answers its old value. Tests
// break a function's surroundings with it: a relay whose BUS_NAME names something else gets every event refused.
func (s *Stack) SetEnvironment(ctx context.Context, function, variable, value string) (old string, err error) {
	path := "/2015-03-31/functions/" + s.Outputs[stage.OutFunction(function)] + "/configuration"
	var config struct {
		Environment struct{ Variables map[string]string }
	}
	aws := lambda{s.Cloud, s.Region}
	if err := aws.call(ctx, http.MethodGet, path, nil, &config); err != nil {
		return "", err
	}
	if config.Environment.Variables == nil {
		return "", errors.New("the function has no environment")
	}
	old = config.Environment.Variables[variable]
	config.Environment.Variables[variable] = value
	return old, aws.call(ctx, http.MethodPut, path, map[string]any{"Environment": config.Environment}, nil)
}

// Redrive switches the mapping from the queue of undelivered events back to the relay, which is the runbook's redrive.
func (s *Stack) Redrive(ctx context.Context, on bool) error {
	return lambda{s.Cloud, s.Region}.call(ctx, http.MethodPut,
		"/2015-03-31/event-source-mappings/"+s.Outputs[stage.OutRedriveMapping], map[string]any{"Enabled": on}, nil)
}
