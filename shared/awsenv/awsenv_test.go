package awsenv

import (
	"testing"
)

func TestClientsAreConfiguredFromTheEnvironmentOfAFunction(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
	c := Config()
	got, err := c.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessKeyID != "id" || got.SecretAccessKey != "secret" || got.SessionToken != "token" {
		t.Error("the credentials are not those of the environment")
	}
	if c.Region != "eu-west-1" || c.BaseEndpoint == nil || *c.BaseEndpoint != "http://127.0.0.1:4566" {
		t.Errorf("region %q, endpoint %v", c.Region, c.BaseEndpoint)
	}
	if n := c.Retryer().MaxAttempts(); n != attempts {
		t.Errorf("%d attempts, not %d", n, attempts)
	}
}

func TestMissingCredentialsAreAnErrorAndNoEndpointIsAWS(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_ENDPOINT_URL", "")
	c := Config()
	if _, err := c.Credentials.Retrieve(t.Context()); err == nil {
		t.Error("half a pair of keys was taken for credentials")
	}
	if c.BaseEndpoint != nil {
		t.Errorf("endpoint %s without one being set", *c.BaseEndpoint)
	}
}
