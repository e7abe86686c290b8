// Package tabletest runs Amazon's DynamoDB Local for tests and makes DynamoDB fail on demand.
//
// A package whose tests use it calls Main in its TestMain. DynamoDB Local is installed and started when the first test
// needs it, and ends with the process of the tests, however that ends. The environment variable DYNAMODB_ENDPOINT names
// one that runs already and is used instead. Without Java or Maven tests fail; they are never skipped.
package tabletest

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table"
)

// EndpointEnv names the DynamoDB Local that tests use instead of starting one.
const EndpointEnv = "DYNAMODB_ENDPOINT"

//go:embed pom.xml
var pom []byte

// version is that of DynamoDB Local in pom.xml. A test compares them.
const version = "2.6.1"

// started is the DynamoDB Local of this process.
var started struct {
	once     sync.Once
	endpoint string
	err      error
	stop     func()
	allowed  bool
}

// Main runs the tests of a package and stops DynamoDB Local after them. Call it from TestMain.
func Main(m *testing.M) {
	started.allowed = true
	code := m.Run()
	if started.stop != nil {
		started.stop()
	}
	os.Exit(code)
}

// Endpoint is the URL of a running DynamoDB Local. The test fails when there is none and none can be started.
func Endpoint(t testing.TB) string {
	t.Helper()
	started.once.Do(func() {
		if started.endpoint = os.Getenv(EndpointEnv); started.endpoint != "" {
			return
		}
		if !started.allowed {
			started.err = errors.New("the package has to call tabletest.Main in its TestMain")
			return
		}
		started.endpoint, started.stop, started.err = start()
	})
	if started.err != nil {
		t.Fatalf("DynamoDB Local: %v", started.err)
	}
	return started.endpoint
}

// New makes an empty table and returns its store and its name. The client repeats nothing by itself; options come
// last.
func New(t testing.TB, options ...func(*dynamodb.Options)) (*table.Table, string) {
	t.Helper()
	name := "t-" + ident.Bare(ident.NewKey())
	if _, err := Client(t).CreateTable(context.Background(), table.Schema(name)); err != nil {
		t.Fatalf("making a table: %v", err)
	}
	t.Cleanup(func() {
		if _, err := Client(t).DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Errorf("deleting the table: %v", err)
		}
	})
	return table.New(Client(t, options...), name), name
}

// Client is a client of DynamoDB Local.
func Client(t testing.TB, options ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(Endpoint(t)),
		HTTPClient:   client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	}, append([]func(*dynamodb.Options){table.Once}, options...)...)
}

// client keeps enough connections for tests that make many calls at once.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

// Install puts DynamoDB Local into the ignored folder .local/dynamodb of the module, once, and returns where it is.
// Several processes may do it at the same time.
func Install() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	base := filepath.Join(root, ".local", "dynamodb")
	dir := filepath.Join(base, version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(base, "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := need("mvn", "Maven downloads it: install Maven 3.8 or later (Debian: apt-get install maven)"); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(base, "part-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	project := filepath.Join(part, "pom.xml")
	if err := os.WriteFile(project, pom, 0o644); err != nil {
		return "", err
	}
	jars := filepath.Join(part, "jars")
	mvn := exec.Command("mvn", "-q", "-B", "-f", project, "dependency:copy-dependencies", "-DoutputDirectory="+jars)
	if out, err := mvn.CombinedOutput(); err != nil {
		return "", fmt.Errorf("downloading with Maven failed; is Maven Central within reach? %w\n%s", err, out)
	}
	return dir, os.Rename(jars, dir)
}

func need(program, otherwise string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s is not installed. %s", program, otherwise)
	}
	return nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("this is to be run inside the module")
		}
		dir = up
	}
}

// startTimeout is how long DynamoDB Local may take to answer; it takes three seconds on an idle machine.
const startTimeout = 60 * time.Second

func start() (endpoint string, stop func(), err error) {
	if err := need("java", "It is a Java program: install Java 17 or later (Debian: apt-get install openjdk-17-jre-headless)"); err != nil {
		return "", nil, err
	}
	dir, err := Install()
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	// The shell ends Java as soon as its standard input ends, and that ends with this process, even when it is killed.
	shell := exec.Command("sh", "-c", `"$@" & read -r _; kill $!; wait $!`, "sh",
		"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp", filepath.Join(dir, "*"),
		"com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-disableTelemetry", "-port", strconv.Itoa(port))
	var output bytes.Buffer
	shell.Stdout, shell.Stderr = &output, &output
	stdin, err := shell.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := shell.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() {
		shell.Wait()
		close(ended)
	}()
	stop = func() {
		stdin.Close()
		<-ended
	}
	endpoint = "http://127.0.0.1:" + strconv.Itoa(port)
	for deadline := clocktest.Now().Add(startTimeout); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get(endpoint); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return endpoint, stop, nil
		}
		select {
		case <-ended:
			return "", nil, fmt.Errorf("it ended at once:\n%s", output.Bytes())
		default:
		}
		if clocktest.Now().After(deadline) {
			stop()
			return "", nil, fmt.Errorf("no answer in %s:\n%s", startTimeout, output.Bytes())
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
