// Package e2e tests the whole deployment on this machine, over HTTP only: the CDK app deployed into MiniStack, the
// functions as the binaries that they are on AWS. make e2e runs it.
package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"example.com/partnertree/infra/local/stack"
	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/contract/contracttest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/setting"
)

var deployed *stack.Stack

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var err error
	if deployed, err = stack.Start(ctx, stack.Options{Progress: os.Stderr, Answered: answersOfTheRun.note}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	checks := []func(context.Context) error{nothingSecretWasLogged}
	if flag.Lookup("test.run").Value.String() == "" { // all tests were run
		checks = append(checks, everythingWasTried)
	}
	for _, check := range checks {
		if err := check(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			code = 1
		}
	}
	if err := deployed.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// secret is what no log may have: keys, bearer tokens, tokens of Entra, links of invitations and of guests, sealed cookies, addresses.
var secret = regexp.MustCompile(credential.KeyPrefix +
	`|(?i:bearer )|eyJ[\w-]{8,}|/invitations/[\w-]{16,}|redeem\?|__Host-\w+=|[\w.%+-]+@[\w-]+\.example`)

// nothingSecretWasLogged reads everything that the whole run has logged: the functions, API Gateway and the rest of the cloud, MiniStack
// and the double of Entra.
func nothingSecretWasLogged(ctx context.Context) error {
	logs, err := deployed.Logs(ctx)
	if err != nil {
		return err
	}
	if len(logs) <= 2 { // those of MiniStack and the double are always there
		return errors.New("there are no logs at all: that nothing secret is in them shows nothing")
	}
	for group, lines := range logs {
		for _, line := range lines {
			if found := secret.FindString(line); found != "" {
				return fmt.Errorf("%s has %q, which is secret: %s", group, found, line)
			}
			for _, known := range secretsOfTheRun.all() {
				if strings.Contains(line, known) {
					return fmt.Errorf("%s has a token or the address of a person: %s", group, line)
				}
			}
		}
	}
	return nil
}

// actor is somebody with an API key or a token, or without (""), who calls the API under one of its host names.
type actor struct {
	key    string
	origin string // "" for the platform's own
}

// visits is every client of these tests: it finds the hosts of brands on this machine.
var visits = &http.Client{Transport: stack.Transport()}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a actor) send(method, path string, body any, header ...string) (answer, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequest(method, cmp.Or(a.origin, deployed.URL)+path, content)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if a.key != "" {
		r.Header.Set("Authorization", "Bearer "+a.key)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := visits.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got := answer{status: response.StatusCode, header: response.Header}
	if got.body, err = io.ReadAll(response.Body); err != nil {
		return got, err
	}
	return got, contracttest.Check(r, got.status, got.header, got.body)
}

// do sends a request, and fails the test unless it is answered with the status and as the contract says.
func (a actor) do(t *testing.T, status int, method, path string, body any, header ...string) answer {
	t.Helper()
	got, err := a.send(method, path, body, header...)
	if err != nil || got.status != status {
		t.Fatalf("%s %s: %d %s (%v); want %d", method, path, got.status, got.body, err, status)
	}
	return got
}

func (a answer) get(t *testing.T, names ...string) string {
	t.Helper()
	var at any
	if err := json.Unmarshal(a.body, &at); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	return fmt.Sprint(at)
}

func (a answer) items(t *testing.T, name string) []string {
	t.Helper()
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal(a.body, &list); err != nil || list.Items == nil {
		t.Fatalf("no items in %s: %v", a.body, err)
	}
	values := []string{}
	for _, item := range list.Items {
		values = append(values, fmt.Sprint(item[name]))
	}
	return values
}

var (
	founder = sync.OnceValue(func() actor { return actor{key: deployed.Founder.Key} })
	root    = sync.OnceValue(func() string { return deployed.Founder.PartnerID })
)

func (a actor) brand(t *testing.T, domain string) string {
	t.Helper()
	return a.do(t, 201, "POST", "/v1/brands", map[string]any{"partnerId": root(), "name": domain, "domain": domain, "regions": []string{"eu-west-1"}}).get(t, "id")
}

func newPartner(parent, name, brand string) map[string]any {
	return map[string]any{"parentId": parent, "name": name, "portalBrandId": brand, "availableBrandIds": []string{brand}, "canProvisionServices": true}
}

func (a actor) partner(t *testing.T, parent, name, brand string) string {
	t.Helper()
	return a.do(t, 201, "POST", "/v1/partners", newPartner(parent, name, brand)).get(t, "id")
}

func (a actor) client(t *testing.T, node, role string) (actor, string) {
	t.Helper()
	made := a.do(t, 201, "POST", "/v1/api-clients", map[string]any{"nodeId": node, "name": role, "role": role})
	return actor{key: made.get(t, "secret", "key")}, made.get(t, "id")
}

func TestEachReachesTheirOwnAndWhatIsBelow(t *testing.T) {
	f := founder()
	brand := f.brand(t, "reach.example")
	a := f.partner(t, root(), "Vazon Bay IT", brand)
	b := f.partner(t, a, "Vale Telecom Services", brand)
	beside := f.partner(t, root(), "Beside", brand)
	admin, _ := f.client(t, a, "admin")
	viewer, id := f.client(t, b, "viewer")

	admin.do(t, 200, "GET", "/v1/partners/"+b, nil)
	admin.do(t, 404, "GET", "/v1/partners/"+beside, nil)
	admin.do(t, 404, "GET", "/v1/partners/"+root(), nil)
	viewer.do(t, 200, "GET", "/v1/partners/"+b, nil)
	viewer.do(t, 404, "GET", "/v1/partners/"+a, nil)
	viewer.do(t, 403, "POST", "/v1/partners", newPartner(b, "No", brand))
	admin.do(t, 201, "POST", "/v1/customers", map[string]any{"partnerId": b, "name": "Cobo Surf School", "brandId": brand})
	if got := viewer.do(t, 200, "GET", "/v1/partners/"+b+"/customers", nil).items(t, "name"); !slices.Equal(got, []string{"Cobo Surf School"}) {
		t.Errorf("customers: %v", got)
	}
	if got := viewer.do(t, 200, "GET", "/v1/partners/"+b+"/path", nil).items(t, "name"); !slices.Equal(got, []string{"Vale Telecom Services"}) {
		t.Errorf("path: %v", got)
	}
	if got := admin.do(t, 200, "GET", "/v1/partners/"+a+"/descendants", nil).items(t, "name"); len(got) != 2 {
		t.Errorf("descendants: %v", got)
	}

	// Revoked is revoked with the next request, although the authorizer's answer is cached.
	f.do(t, 204, "DELETE", "/v1/api-clients/"+id, nil)
	viewer.do(t, 401, "GET", "/v1/partners/"+b, nil)
}

func TestWhoIsNobodyGetsNothing(t *testing.T) {
	actor{key: "pmk_nonsense"}.do(t, 401, "GET", "/v1/me", nil)
	actor{key: strings.Replace(deployed.Founder.Key, "_", "-", 2)}.do(t, 401, "GET", "/v1/me", nil)
	r, err := http.Get(deployed.URL + "/v1/me") // API Gateway answers this one itself
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != 401 {
		t.Errorf("no credentials at all: %s", r.Status)
	}
}

func TestTheRootIsFoundedOnce(t *testing.T) {
	err := deployed.Invoke(t.Context(), "bootstrap", map[string]string{"partnerName": "Second", "clientName": "Second"}, nil)
	failed, ok := err.(*stack.FunctionError)
	if !ok || failed.Type != "already-founded" {
		t.Errorf("founding again: %v", err)
	}
}

func TestDocsAreServed(t *testing.T) {
	for path, want := range map[string]string{"/": "text/html", "/docs": "text/html", "/openapi.json": "application/json", "/openapi-3.0.json": "application/json", "/problems/depth-limit": "text/html"} {
		r, err := http.Get(deployed.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), want) {
			t.Errorf("%s: %s, %s", path, r.Status, r.Header.Get("Content-Type"))
		}
	}
	r, err := http.Get(deployed.URL + "/v1/nothing-here")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, _ := io.ReadAll(r.Body); r.StatusCode != 404 || !bytes.Contains(body, []byte("/problems/no-such-route")) {
		t.Errorf("an unknown route: %s %s", r.Status, body)
	}
}

// HEAD is answered like GET, by the API and by pages; another method is refused with those that there are.
func TestMethods(t *testing.T) {
	ask := func(method, path string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, deployed.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+deployed.Founder.Key)
		answer, err := visits.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer
	}
	for _, path := range []string{"/v1/me", pathOf(root()), "/docs", "/problems/not-found"} {
		if got := ask("HEAD", path); got.StatusCode != 200 || got.Header.Get("Content-Type") == "" {
			t.Errorf("HEAD %s: %s %v", path, got.Status, got.Header)
		}
		if got := ask("DELETE", path); path != pathOf(root()) && (got.StatusCode != 405 || got.Header.Get("Allow") != "GET, HEAD") {
			t.Errorf("DELETE %s: %s, Allow: %s", path, got.Status, got.Header.Get("Allow"))
		}
	}
}

func TestFiftyAtOnce(t *testing.T) {
	f := founder()
	brand := f.brand(t, "fifty.example")
	p := f.partner(t, root(), "Fifty", brand)
	answers := make([]answer, 100)
	errs := make([]error, 100)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			answers[i], errs[i] = f.send("POST", "/v1/partners", newPartner(p, fmt.Sprint("Each ", i), brand))
		})
		wg.Go(func() {
			answers[50+i], errs[50+i] = f.send("POST", "/v1/partners", newPartner(p, "Once", brand), "Idempotency-Key", "fifty")
		})
	}
	wg.Wait()
	for i, a := range answers {
		if errs[i] != nil || a.status != 201 || i >= 50 && !bytes.Equal(a.body, answers[50].body) {
			t.Errorf("request %d: %d %s (%v)", i, a.status, a.body, errs[i])
		}
	}
	names := f.do(t, 200, "GET", "/v1/partners/"+p+"/partners?limit=200", nil).items(t, "name")
	if len(names) != 51 || len(slices.Compact(names)) != 51 {
		t.Errorf("%d partners: %v", len(names), names)
	}
}

// listener collects what comes over the bus.
type listener struct {
	queue  *sqs.Client
	url    string
	events map[string]int // how often each event id came
}

func listen(t *testing.T, name string) *listener {
	t.Helper()
	config := aws.Config{Region: deployed.Region, BaseEndpoint: &deployed.Cloud, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	l := &listener{queue: sqs.NewFromConfig(config), events: map[string]int{}}
	made, err := l.queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	l.url = *made.QueueUrl
	attributes, err := l.queue.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	bus, arn := deployed.Outputs[stage.OutBus], attributes.Attributes["QueueArn"]
	rules := eventbridge.NewFromConfig(config)
	if _, err := rules.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: &name, EventBusName: &bus, EventPattern: aws.String(`{"source":["partnertree"]}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := rules.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &bus, Targets: []ebtypes.Target{{Id: &name, Arn: &arn}}}); err != nil {
		t.Fatal(err)
	}
	return l
}

// hears waits until each of these nodes' creation was heard at least once.
func (l *listener) hears(t *testing.T, nodes []string, within time.Duration) {
	t.Helper()
	heard := map[string]bool{}
	for end := time.Now().Add(within); ; {
		missing := slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return heard[n] })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d events did not come, such as that of %s", len(missing), len(nodes), missing[0])
		}
		got, err := l.queue.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &l.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got.Messages {
			var e struct {
				DetailType string `json:"detail-type"`
				Detail     struct{ ID, NodeID string }
			}
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(*m.Body, "pmk_") {
				t.Errorf("an event holds a key: %s", *m.Body)
			}
			l.events[e.Detail.ID]++
			if e.DetailType == "partner.created" {
				heard[e.Detail.NodeID] = true
			}
			if _, err := l.queue.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &l.url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Log(err) // it comes again, and is heard again
			}
		}
	}
}

func TestAKilledRelayGetsItsRecordsAgain(t *testing.T) {
	f := founder()
	brand := f.brand(t, "killed.example")
	p := f.partner(t, root(), "Killed", brand)
	l := listen(t, "killed")
	stop := make(chan struct{})
	killed := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				killed <- n
				return
			case <-time.After(20 * time.Millisecond):
				k, err := deployed.Kill(context.Background(), "relay")
				if err != nil {
					t.Error(err)
				}
				n += k
			}
		}
	}()
	var nodes []string
	for i := range 60 {
		nodes = append(nodes, f.partner(t, p, fmt.Sprint("Partner ", i), brand))
	}
	close(stop)
	if n := <-killed; n == 0 {
		t.Fatal("no relay was killed: the test shows nothing")
	} else {
		t.Logf("the relay was killed %d times", n)
	}
	l.hears(t, nodes, time.Minute)
}

func TestWhatTheBusRefusesIsKeptAndRedriven(t *testing.T) {
	f := founder()
	brand := f.brand(t, "refused.example")
	l := listen(t, "refused")
	// MiniStack drops events for a bus that does not exist and refuses those for what is none.
	bus, err := deployed.SetEnvironment(t.Context(), "relay", setting.Bus, "arn:aws:events:us-east-1:000000000000:rule/no-bus")
	if err != nil {
		t.Fatal(err)
	}
	lost := f.partner(t, root(), "While there is no bus", brand)
	undelivered := deployed.Outputs[stage.OutUndelivered]
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		got, err := l.queue.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &undelivered, AttributeNames: []sqstypes.QueueAttributeName{"ApproximateNumberOfMessages"}})
		if err != nil {
			t.Fatal(err)
		}
		if got.Attributes["ApproximateNumberOfMessages"] != "0" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the queue of undelivered events stays empty")
		}
	}
	if _, err := deployed.SetEnvironment(t.Context(), "relay", setting.Bus, bus); err != nil {
		t.Fatal(err)
	}
	if err := deployed.Redrive(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	l.hears(t, []string{lost}, time.Minute)
	if err := deployed.Redrive(t.Context(), false); err != nil {
		t.Fatal(err)
	}
}
