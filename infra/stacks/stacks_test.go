package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/listtest"
	"example.com/partnertree/shared/metric"
	"example.com/partnertree/shared/setting"
	"example.com/partnertree/shared/table/schema"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// synthesized is a stage's stacks and what they came to. One synthesis serves all tests: starting the CDK takes seconds.
type synthesized struct {
	stateful, service template
	findings          []string // of cdk-nag
}

type template struct {
	Resources map[string]resource
	Outputs   map[string]any
}

type resource struct {
	Type                string
	Properties          map[string]any
	DependsOn           []string
	DeletionPolicy      string
	UpdateReplacePolicy string
}

var prod = sync.OnceValues(func() (synthesized, error) {
	config, err := stage.Named("prod")
	if err != nil {
		return synthesized{}, err
	}
	return synthesize(config)
})

func synthesize(config stage.Config) (synthesized, error) {
	dir, err := os.MkdirTemp("", "stacks-")
	if err != nil {
		return synthesized{}, err
	}
	defer os.RemoveAll(dir)
	for _, f := range stage.Functions {
		code := stage.BuildDir(dir, config.Arch, f)
		if err := os.MkdirAll(code, 0o755); err != nil {
			return synthesized{}, err
		}
		if err := os.WriteFile(filepath.Join(code, "bootstrap"), []byte(f), 0o755); err != nil {
			return synthesized{}, err
		}
	}
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(filepath.Join(dir, "out"))})
	settling, err := os.ReadFile("../settle.asl.json")
	if err != nil {
		return synthesized{}, err
	}
	stateful, service := Add(app, config, Parts{
		Code: func(f string) string { return stage.BuildDir(dir, config.Arch, f) }, Settling: string(settling),
	})
	var s synthesized
	for _, one := range []struct {
		stack awscdk.Stack
		to    *template
	}{{stateful.Stack, &s.stateful}, {service.Stack, &s.service}} {
		for _, e := range *assertions.Annotations_FromStack(one.stack).FindError(jsii.String("*"), assertions.Match_AnyValue()) {
			content, err := json.Marshal(e)
			if err != nil {
				return s, err
			}
			s.findings = append(s.findings, string(content))
		}
		content, err := json.Marshal(assertions.Template_FromStack(one.stack, nil).ToJSON())
		if err != nil {
			return s, err
		}
		if err := json.Unmarshal(content, one.to); err != nil {
			return s, err
		}
	}
	return s, nil
}

func synth(t *testing.T) synthesized {
	t.Helper()
	s, err := prod()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// of are the resources of a type, by logical id. A type that a template has none of is a mistake in the test.
func (p template) of(t *testing.T, kind string) map[string]resource {
	t.Helper()
	found := map[string]resource{}
	for id, r := range p.Resources {
		if r.Type == kind {
			found[id] = r
		}
	}
	if len(found) == 0 {
		t.Fatalf("no %s in the template", kind)
	}
	return found
}

// at walks into nested maps and lists of a template; nil when the way ends early.
func at(v any, way ...any) any {
	for _, step := range way {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func text(v any) string { s, _ := v.(string); return s }

// list is a value that CloudFormation writes alone when it is the only one.
func list(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var all []string
	l, _ := v.([]any)
	for _, e := range l {
		all = append(all, text(e))
	}
	return all
}

func equalJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// written is a value as text, to look for parts of it.
func written(v any) string { content, _ := json.Marshal(v); return string(content) }

// ours is the name of the function, role or log group whose construct id begins like that.
func ours(id string) string {
	for _, f := range stage.Functions {
		if strings.HasPrefix(id, title(f)) {
			return f
		}
	}
	return ""
}

func TestEveryOperationIsRoutedToItsFunction(t *testing.T) {
	s := synth(t)
	type route struct{ function, authorization string }
	got := map[string]route{}
	for _, r := range s.service.of(t, "AWS::ApiGatewayV2::Route") {
		integration := s.service.Resources[text(at(r.Properties, "Target", "Fn::Join", 1, 1, "Ref"))]
		function := ours(text(at(integration.Properties, "IntegrationUri", "Fn::GetAtt", 0)))
		got[text(r.Properties["RouteKey"])] = route{function, text(r.Properties["AuthorizationType"])}
	}
	want := map[string]route{"$default": {"portal", "NONE"}}
	for _, op := range contract.Operations {
		authorization := "CUSTOM"
		if op.Public {
			authorization = "NONE"
		}
		want[op.RouteKey()] = route{op.Function, authorization}
		if op.Method == "GET" && !op.Public {
			want["HEAD "+op.Path] = want[op.RouteKey()]
		}
	}
	for _, page := range contract.Pages {
		want[page.RouteKey()] = route{"portal", "NONE"}
	}
	listtest.Same(t, "routes, with their functions and authorization", listtest.Lines(got), listtest.Lines(want))
}

func TestApiGatewayMayInvokeWhatItIsRoutedTo(t *testing.T) {
	s := synth(t)
	got := map[string][]string{}
	for _, r := range s.service.of(t, "AWS::Lambda::Permission") {
		switch p := r.Properties["Principal"]; p {
		case "apigateway.amazonaws.com":
		case "events.amazonaws.com":
			continue // TestTheTrashIsPurgedOnASchedule
		default:
			t.Errorf("%v may invoke a function", p)
		}
		source, _ := at(r.Properties, "SourceArn", "Fn::Join", 1).([]any)
		end := text(source[len(source)-1])
		if end == "" {
			end = text(source[len(source)-2]) // an authorizer's address ends with its id
		}
		function := ours(text(at(r.Properties, "FunctionName", "Fn::GetAtt", 0)))
		got[function] = append(got[function], end)
	}
	want := map[string][]string{
		"api": {"/*/*/*"}, "portal": {"/*/$default", "/*/*/*"},
		"authorizer": {"/authorizers/"},
	}
	for _, f := range stage.Functions {
		listtest.Same(t, "where API Gateway may invoke "+f, got[f], want[f])
	}
}

// What a function may do, it may do with named resources. Whether it may do all that it must, and nothing that nobody uses, is tried where
// the functions run: infra/local/e2e.
func TestFunctionsMayDoNothingToEverything(t *testing.T) {
	s := synth(t)
	for id, r := range s.service.of(t, "AWS::IAM::Policy") {
		if ours(id) == "" {
			continue // TestSettlingIsStartedByChangesAlone
		}
		statements, _ := at(r.Properties, "PolicyDocument", "Statement").([]any)
		for _, st := range statements {
			actions, resource := list(at(st, "Action")), at(st, "Resource")
			known := slices.Equal(actions, []string{"dynamodb:ListStreams"}) || // these know no resources
				slices.Equal(actions, []string{"sts:GetWebIdentityToken"}) &&
					equalJSON(t, written(at(st, "Condition")), `{"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": "api://AzureADTokenExchange"},
						"Null": {"sts:IdentityTokenAudience": "false"}, "StringEquals": {"sts:SigningAlgorithm": "RS256"},
						"NumericLessThanEquals": {"sts:DurationSeconds": 300}}`)
			if slices.Equal(actions, []string{"lambda:InvokeFunction"}) && ours(text(at(resource, "Fn::GetAtt", 0))) != "guests" {
				t.Errorf("%s may invoke %s", id, written(resource))
			}
			if strings.Contains(written(resource), "*") && !known {
				t.Errorf("%s: %v on %s", id, actions, written(resource))
			}
			if strings.Contains(strings.Join(actions, " "), "*") && at(st, "Effect") == "Allow" {
				t.Errorf("%s: %v", id, actions)
			}
		}
	}
	for id, r := range s.service.of(t, "AWS::IAM::Role") {
		if r.Properties["ManagedPolicyArns"] != nil || r.Properties["Policies"] != nil {
			t.Errorf("%s has policies besides its grants", id)
		}
	}
}

// A function that has no business with all items may not use the others. To most, that is the keyring.
func TestFunctionsMayUseTheirItemsAlone(t *testing.T) {
	got, want, denied := []string{}, []string{}, []string{}
	for id, r := range synth(t).service.of(t, "AWS::IAM::Policy") {
		statements, _ := at(r.Properties, "PolicyDocument", "Statement").([]any)
		for _, st := range statements {
			if at(st, "Effect") == "Deny" {
				if !equalJSON(t, written(at(st, "Condition")), `{"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["keyring#*"]}}`) ||
					at(st, "Action") != "dynamodb:*" {
					t.Errorf("%s: %s", id, written(st))
				}
				denied = append(denied, ours(id))
				continue
			}
			keys := at(st, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")
			if keys == nil {
				continue
			}
			// Without a key in the request the first condition alone would hold.
			if at(st, "Condition", "Null", "dynamodb:LeadingKeys") != "false" || len(at(st, "Condition").(map[string]any)) != 2 {
				t.Errorf("%s: %s", id, written(st))
			}
			for _, action := range list(at(st, "Action")) {
				for _, key := range list(keys) {
					got = append(got, ours(id)+" "+action+" "+key)
				}
			}
		}
	}
	for function, actions := range schema.ReadableKeys {
		for action, keys := range actions {
			for _, key := range keys {
				want = append(want, function+" dynamodb:"+action+" "+key+"*")
			}
		}
	}
	listtest.Same(t, "items that functions with bounds may use", got, want)
	listtest.Same(t, "functions that are denied the keyring", denied, []string{"settle"})
}

// API Gateway remembers what the authorizer says of a token for each host name apart, as the authorizer says it.
func TestAnswersOfTheAuthorizerAreRememberedByTokenAndHost(t *testing.T) {
	for id, r := range synth(t).service.of(t, "AWS::ApiGatewayV2::Authorizer") {
		p := r.Properties
		if got := list(p["IdentitySource"]); !slices.Equal(got, []string{"$request.header.Authorization", "$context.domainName"}) ||
			p["AuthorizerResultTtlInSeconds"] != 300.0 || p["EnableSimpleResponses"] != true {
			t.Errorf("%s: %v", id, p)
		}
	}
}

// Whatever comes to routes that ask nobody who they are, half of what API Gateway lets through is for those that do. Pages of people who are
// signed in are theirs: who is not is sent away there, as the authorizer refuses who has no token, and what stands in front of all of them bounds
// strangers.
func TestThePublicCannotUseUpTheAPI(t *testing.T) {
	s := synth(t)
	public := map[string]bool{}
	routes := s.service.of(t, "AWS::ApiGatewayV2::Route")
	for _, r := range routes {
		if r.Properties["AuthorizationType"] == "NONE" {
			public[text(r.Properties["RouteKey"])] = true
		}
	}
	for _, page := range contract.Pages {
		if page.Session {
			delete(public, page.RouteKey())
		}
	}
	for id, r := range s.service.of(t, "AWS::ApiGatewayV2::Stage") {
		if settings, _ := r.Properties["RouteSettings"].(map[string]any); len(settings) != len(public) || len(public) < 10 {
			t.Errorf("%d routes are public, and %d have bounds", len(public), len(settings))
		}
		for route := range public {
			rate, _ := at(r.Properties, "RouteSettings", route, "ThrottlingRateLimit").(float64)
			burst, _ := at(r.Properties, "RouteSettings", route, "ThrottlingBurstLimit").(float64)
			if rate < 1 || burst < rate {
				t.Errorf("%s: %s takes %v a second, %v at once", id, route, rate, burst)
			}
		}
		for route, want := range map[string]float64{"GET /signin/callback": 20, "GET /brands/{id}/logo": 200, "POST /invitation": 48, "$default": 48} {
			if got := at(r.Properties, "RouteSettings", route, "ThrottlingRateLimit"); got != want {
				t.Errorf("%s: %s takes %v a second, want %v", id, route, got, want)
			}
		}
		for route := range routes {
			if !slices.Contains(r.DependsOn, route) {
				t.Errorf("%s does not wait for %s: it cannot be made before the routes that it names", id, route)
			}
		}
	}
	for _, name := range stage.Names() {
		c, err := stage.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		per, burst := c.SignIn.PerSecond+c.Logos.PerSecond, c.SignIn.Burst+c.Logos.Burst
		for range len(public) - 2 {
			per, burst = per+c.Pages.PerSecond, burst+c.Pages.Burst
		}
		if 2*per > c.Whole.PerSecond || burst > c.Whole.Burst {
			t.Errorf("stage %s: the public may take %d a second of %d, %d at once of %d", name, per, c.Whole.PerSecond, burst, c.Whole.Burst)
		}
	}
}

func TestWhatMustNotBeLostIsKept(t *testing.T) {
	s := synth(t)
	for id, r := range s.stateful.Resources {
		switch r.Type {
		case "AWS::DynamoDB::Table", "AWS::Events::EventBus", "AWS::SQS::Queue", "AWS::SES::EmailIdentity":
			if r.DeletionPolicy != "Retain" || r.UpdateReplacePolicy != "Retain" {
				t.Errorf("%s is deleted with its stack", id)
			}
		case "AWS::SQS::QueuePolicy":
		default:
			t.Errorf("%s (%s) is in the stateful stack: nothing but data belongs there", id, r.Type)
		}
	}
	for _, kind := range []string{"AWS::DynamoDB::Table", "AWS::Events::EventBus", "AWS::SQS::Queue", "AWS::SES::EmailIdentity"} {
		for id, r := range s.service.Resources {
			if r.Type == kind {
				t.Errorf("%s is in the service stack, which can be deleted", id)
			}
		}
	}
	for _, r := range s.stateful.of(t, "AWS::DynamoDB::Table") {
		p := r.Properties
		index, _ := p["GlobalSecondaryIndexes"].([]any)
		for what, ok := range map[string]bool{
			"deletion protection":    p["DeletionProtectionEnabled"] == true,
			"point-in-time recovery": at(p, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") == true,
			"on-demand capacity":     p["BillingMode"] == "PAY_PER_REQUEST",
			"stream of new images":   at(p, "StreamSpecification", "StreamViewType") == schema.Stream,
			"time to live":           at(p, "TimeToLiveSpecification", "AttributeName") == schema.TTLAttr,
			"key":                    at(p, "KeySchema", 0, "AttributeName") == schema.PK && at(p, "KeySchema", 1, "AttributeName") == schema.SK,
			"generated name":         p["TableName"] == nil,
			"subtree index": len(index) == 1 && at(index, 0, "IndexName") == schema.SubtreeIndex &&
				at(index, 0, "KeySchema", 0, "AttributeName") == schema.IndexPK &&
				at(index, 0, "KeySchema", 1, "AttributeName") == schema.IndexSK &&
				slices.Equal(list(at(index, 0, "Projection", "NonKeyAttributes")), []string{schema.IndexCarries}),
			"no local index": p["LocalSecondaryIndexes"] == nil,
		} {
			if !ok {
				t.Errorf("the table has not the right %s", what)
			}
		}
	}
	for _, r := range s.stateful.of(t, "AWS::SQS::Queue") {
		if r.Properties["SqsManagedSseEnabled"] != true || r.Properties["MessageRetentionPeriod"] != float64(14*24*3600) {
			t.Errorf("a queue is %v", r.Properties)
		}
	}
}

func TestRelayGetsEveryEventAndNothingElse(t *testing.T) {
	s := synth(t)
	mappings := s.service.of(t, "AWS::Lambda::EventSourceMapping")
	maps.DeleteFunc(mappings, func(_ string, r resource) bool {
		return ours(text(at(r.Properties, "FunctionName", "Ref"))) == "notify"
	})
	if len(mappings) != 2 {
		t.Fatalf("%d mappings, want the stream and the redrive", len(mappings))
	}
	for id, r := range mappings {
		p := r.Properties
		if ours(text(at(p, "FunctionName", "Ref"))) != "relay" || !slices.Equal(list(p["FunctionResponseTypes"]), []string{"ReportBatchItemFailures"}) {
			t.Errorf("%s: %v", id, p)
		}
		if p["StartingPosition"] == nil {
			if p["Enabled"] != false {
				t.Errorf("%s redrives without being asked", id)
			}
			continue
		}
		const want = `{"eventName":["INSERT"],"dynamodb":{"NewImage":{"` + schema.TypeAttr + `":{"S":["` + schema.EventType + `"]}}}}`
		if filters, _ := at(p, "FilterCriteria", "Filters").([]any); len(filters) != 1 || !equalJSON(t, text(at(filters, 0, "Pattern")), want) {
			t.Errorf("%s filters by %v, want %s", id, filters, want)
		}
		if p["StartingPosition"] != "TRIM_HORIZON" || p["BisectBatchOnFunctionError"] != true ||
			p["MaximumRetryAttempts"] != nil || p["MaximumRecordAgeInSeconds"] != nil {
			t.Errorf("%s gives up on records: %v", id, p)
		}
	}
}

func TestSettlingIsStartedByChangesAlone(t *testing.T) {
	s := synth(t)
	started := 0
	for id, r := range s.service.of(t, "AWS::Events::Rule") {
		p := r.Properties
		if p["ScheduleExpression"] != nil || strings.HasPrefix(id, "Mail") {
			continue // TestTheTrashIsPurgedOnASchedule, TestMailsComeFromInvitationsAndGoBackToThem
		}
		started++
		if got, want := written(p["EventPattern"]), `{"detail":{"data":{"jobId":[{"exists":true}]}},"detail-type":`+written(event.Settled())+
			`,"source":["`+event.Source+`"]}`; got != want {
			t.Errorf("%s listens to %s, want %s", id, got, want)
		}
		if !strings.Contains(written(p["EventBusName"]), "Bus") {
			t.Errorf("%s is on %s", id, written(p["EventBusName"]))
		}
		input := at(p, "Targets", 0, "InputTransformer")
		var asked map[string]string
		if err := json.Unmarshal([]byte(strings.NewReplacer("<", `"<`, ">", `>"`).Replace(text(at(input, "InputTemplate")))), &asked); err != nil {
			t.Fatal(err)
		}
		for name, path := range map[string]string{"jobId": "$.detail.data.jobId", "since": "$.detail.time"} {
			if got := at(input, "InputPathsMap", strings.Trim(asked[name], "<>")); got != path {
				t.Errorf("%s of the input is %v, want %s", name, got, path)
			}
		}
		if !strings.Contains(written(at(p, "Targets", 0, "Arn")), "Settling") || at(p, "Targets", 0, "DeadLetterConfig", "Arn") == nil {
			t.Errorf("%s goes to %s", id, written(p["Targets"]))
		}
	}
	if started != 1 {
		t.Errorf("%d rules start it", started)
	}

	// Who may do what on the way: the rule starts this state machine, it invokes this one function and writes its log.
	var may []string
	for id, r := range s.service.of(t, "AWS::IAM::Policy") {
		if ours(id) != "" {
			continue
		}
		statements, _ := at(r.Properties, "PolicyDocument", "Statement").([]any)
		for _, st := range statements {
			for _, action := range list(at(st, "Action")) {
				if !strings.HasPrefix(action, "logs:") {
					may = append(may, action+" "+text(at(st, "Resource", "Ref"))+text(at(st, "Resource", "Fn::GetAtt", 0)))
				}
			}
		}
	}
	logicalID := func(kind, prefix string) string {
		for id := range s.service.of(t, kind) {
			if strings.HasPrefix(id, prefix) {
				return id
			}
		}
		return ""
	}
	listtest.Same(t, "what roles that are no function's may do", may, []string{
		"lambda:InvokeFunction " + logicalID("AWS::Lambda::Function", "Settle"),
		"states:StartExecution " + logicalID("AWS::StepFunctions::StateMachine", "Settling"),
	})
	var mayQueue bool
	for _, r := range s.stateful.of(t, "AWS::SQS::QueuePolicy") {
		policy := written(r.Properties)
		mayQueue = mayQueue || strings.Contains(policy, `"events.amazonaws.com"`) && strings.Contains(policy, ":rule/partnertree-prod/*")
	}
	if !mayQueue {
		t.Error("what cannot be started is lost: EventBridge may not put it into the queue")
	}
}

func TestMailsComeFromInvitationsAndGoBackToThem(t *testing.T) {
	s := synth(t)
	rules := map[string]map[string]any{}
	for id, r := range s.service.of(t, "AWS::Events::Rule") {
		if strings.HasPrefix(id, "Mail") {
			rules[strings.TrimRight(id, "0123456789ABCDEF")] = r.Properties
			if target := at(r.Properties, "Targets", 0); !strings.Contains(written(at(target, "Arn")), "ExportsOutputFnGetAttMails") ||
				!strings.Contains(written(at(target, "DeadLetterConfig")), "ExportsOutputFnGetAttUnmailed") {
				t.Errorf("%s goes to %s", id, written(target))
			}
		}
	}
	made, told := rules["MailRule"], rules["MailOutcomeRule"]
	if len(rules) != 2 || made == nil || told == nil {
		t.Fatalf("rules: %v", rules)
	}
	if got, want := written(made["EventPattern"]),
		`{"detail-type":["`+string(event.InvitationMade)+`","`+string(event.InvitationResent)+`"],"source":["`+event.Source+`"]}`; got != want {
		t.Errorf("mails are made of %s, want %s", got, want)
	}
	if !strings.Contains(written(made["EventBusName"]), "Bus") || told["EventBusName"] != nil {
		t.Errorf("the rules are on %s and %s", written(made["EventBusName"]), written(told["EventBusName"]))
	}

	// Mails carry the configuration set by which SES tells of them, and of what it tells no address gets into the queue.
	var set string
	for id := range s.service.of(t, "AWS::SES::ConfigurationSet") {
		set = id
	}
	if at(told["EventPattern"], "detail", "mail", "tags", "ses:configuration-set", 0, "Ref") != set {
		t.Errorf("outcomes of %s", written(told["EventPattern"]))
	}
	if got, want := written(at(told["EventPattern"], "detail", "$or")),
		`[{"eventType":["Complaint","Reject"]},{"bounce":{"bounceType":[{"anything-but":["Transient"]}]}}]`; got != want {
		t.Errorf("outcomes are %s, want %s", got, want)
	}
	paths, _ := at(told, "Targets", 0, "InputTransformer", "InputPathsMap").(map[string]any)
	got := []string{}
	for _, path := range paths {
		got = append(got, text(path))
	}
	listtest.Same(t, "what the queue gets", got, []string{"$.detail.eventType", "$.detail.mail.messageId", "$.detail.mail.tags.generation",
		"$.detail.mail.tags.invitation", "$.source"})
	for _, r := range s.service.of(t, "AWS::SES::ConfigurationSetEventDestination") {
		d := r.Properties["EventDestination"]
		if types := list(at(d, "MatchingEventTypes")); at(r.Properties, "ConfigurationSetName", "Ref") != set || at(d, "Enabled") != true ||
			!slices.Equal(types, []string{"BOUNCE", "COMPLAINT", "REJECT"}) && !slices.Equal(types, []string{"bounce", "complaint", "reject"}) ||
			!strings.Contains(written(at(d, "EventBridgeDestination")), "event-bus/default") {
			t.Errorf("SES tells %s", written(r.Properties))
		}
	}
	for id, r := range s.service.of(t, "AWS::Lambda::Function") {
		env := at(r.Properties, "Environment", "Variables")
		if ours(id) == "notify" && (at(env, setting.MailSet, "Ref") != set || at(env, setting.PortalOrigin) == nil ||
			ours(text(at(env, setting.Guests, "Ref"))) != "guests" ||
			!strings.Contains(text(at(env, setting.MailFrom)), "@")) {
			t.Errorf("%s has %s", id, written(env))
		}
	}

	// What cannot be worked off is put aside, and a message is not given to two while one works on it.
	aside := 0
	for id, r := range s.stateful.of(t, "AWS::SQS::Queue") {
		if redrive := r.Properties["RedrivePolicy"]; redrive != nil {
			aside++
			if !strings.HasPrefix(id, "Mails") || !strings.HasPrefix(text(at(redrive, "deadLetterTargetArn", "Fn::GetAtt", 0)), "Unmailed") ||
				at(redrive, "maxReceiveCount") != 5.0 || r.Properties["VisibilityTimeout"].(float64) < 6*notifyTimeoutSeconds {
				t.Errorf("%s: %s", id, written(r.Properties))
			}
		}
	}
	if aside != 1 {
		t.Errorf("%d queues put messages aside", aside)
	}
	maySend := 0
	for _, r := range s.stateful.of(t, "AWS::SQS::QueuePolicy") {
		if strings.Contains(written(r.Properties), ":rule/partnertree-prod-service-*") {
			maySend++
		}
	}
	if maySend != 2 {
		t.Errorf("rules of the default bus may send into %d queues, want the one of mails and the one beside it", maySend)
	}
	mapped := 0
	for id, r := range s.service.of(t, "AWS::Lambda::EventSourceMapping") {
		if p := r.Properties; ours(text(at(p, "FunctionName", "Ref"))) == "notify" {
			mapped++
			if !slices.Equal(list(p["FunctionResponseTypes"]), []string{"ReportBatchItemFailures"}) || p["Enabled"] == false {
				t.Errorf("%s: %v", id, p)
			}
		}
	}
	if mapped != 1 {
		t.Errorf("%d queues feed notify", mapped)
	}
}

// Deployed stages keep no secret of the app.
func TestSignInNeedsNoSecret(t *testing.T) {
	s := synth(t)
	for id, r := range s.service.of(t, "AWS::Lambda::Function") {
		env, _ := at(r.Properties, "Environment", "Variables").(map[string]any)
		_, secret := env[setting.EntraSecret]
		_, graph := env[setting.GraphSecret]
		_, origin := env[setting.PortalOrigin]
		if secret || graph || origin && ours(id) != "notify" || (env[setting.EntraFederated] == "1") != (ours(id) == "portal") ||
			(env[setting.GraphFederated] == "1") != (ours(id) == "guests") {
			t.Errorf("%s has %v", id, env)
		}
	}
	for _, name := range stage.Names() {
		c, err := stage.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if domain := c.MailDomain(); domain == "" || !strings.HasSuffix(c.MailAddress(), "@"+domain) {
			t.Errorf("stage %s mails from %q at %q", name, c.MailAddress(), domain)
		}
		if name != stage.Local && (c.Entra.Secret != "" || c.Entra.Authority != "" || c.PortalOrigin != "" || !c.Entra.Federated ||
			c.Graph.Secret != "" || c.Graph.URL != "" || !c.Graph.Federated) {
			t.Errorf("stage %s has what is for the local one: %+v", name, c)
		}
	}
}

func TestTheTrashIsPurgedOnASchedule(t *testing.T) {
	s := synth(t)
	input, err := os.ReadFile("../../events/settle/purges-a-leaf.json") // what the function is tested with
	if err != nil {
		t.Fatal(err)
	}
	var scheduled []string
	for id, r := range s.service.of(t, "AWS::Events::Rule") {
		p := r.Properties
		if p["ScheduleExpression"] == nil {
			continue
		}
		scheduled = append(scheduled, id)
		if p["ScheduleExpression"] != "rate(15 minutes)" || p["State"] != "ENABLED" {
			t.Errorf("%s comes at %v and is %v", id, p["ScheduleExpression"], p["State"])
		}
		if targets, _ := p["Targets"].([]any); len(targets) != 1 || ours(text(at(targets, 0, "Arn", "Fn::GetAtt", 0))) != "settle" ||
			!equalJSON(t, text(at(targets, 0, "Input")), string(input)) {
			t.Errorf("%s does %s", id, written(targets))
		}
	}
	if len(scheduled) != 1 {
		t.Fatalf("scheduled rules: %v", scheduled)
	}
	var may []string
	for _, r := range s.service.of(t, "AWS::Lambda::Permission") {
		if p := r.Properties; p["Principal"] == "events.amazonaws.com" {
			may = append(may, ours(text(at(p, "FunctionName", "Fn::GetAtt", 0))), text(at(p, "SourceArn", "Fn::GetAtt", 0)))
		}
	}
	if !slices.Equal(may, []string{"settle", scheduled[0]}) {
		t.Errorf("EventBridge may invoke %q", may)
	}
	for id, r := range s.service.of(t, "AWS::Lambda::EventInvokeConfig") {
		if r.Properties["MaximumRetryAttempts"] != 0.0 || r.Properties["MaximumEventAgeInSeconds"] != 15*60.0 {
			t.Errorf("%s: %v: what is done again after the next one is of no use", id, r.Properties)
		}
	}
}

// A purge that fails, or does not even begin, tells no metric: the alarm must not take that for good news.
func TestAPurgeThatIsMissingIsAnAlarm(t *testing.T) {
	for id, r := range synth(t).service.of(t, "AWS::CloudWatch::Alarm") {
		want := "notBreaching"
		if strings.HasPrefix(id, "TrashBehind") {
			want = "breaching"
			if p := r.Properties; p["MetricName"] != metric.TrashBehind.Name || p["Period"] != 3600.0 || p["EvaluationPeriods"] != 3.0 ||
				p["Threshold"] != 86400.0 {
				t.Errorf("%s: %v", id, p)
			}
		}
		if got := r.Properties["TreatMissingData"]; got != want {
			t.Errorf("%s takes missing data for %v, want %s", id, got, want)
		}
	}
}

// A task of the state machine waits until the function's own time-out is over, and the walk's reserve is within that.
func TestTheStateMachineWaitsForItsFunction(t *testing.T) {
	for _, r := range synth(t).service.of(t, "AWS::StepFunctions::StateMachine") {
		var machine struct {
			States map[string]struct {
				Type           string
				TimeoutSeconds float64
			}
		}
		parts, _ := at(r.Properties, "DefinitionString", "Fn::Join", 1).([]any) // around the partition
		var whole strings.Builder
		for _, part := range parts {
			if at(part, "Ref") == "AWS::Partition" {
				part = "aws-cn"
			}
			whole.WriteString(text(part))
		}
		if err := json.Unmarshal([]byte(whole.String()), &machine); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(whole.String(), "arn:aws:") || !strings.Contains(whole.String(), "arn:aws-cn:states:::lambda:invoke") {
			t.Errorf("it works in one partition only: %s", whole.String())
		}
		tasks := 0
		for name, state := range machine.States {
			if state.Type == "Task" {
				tasks++
				if state.TimeoutSeconds <= settleTimeoutSeconds {
					t.Errorf("%s waits %v s for a function that has %v s", name, state.TimeoutSeconds, settleTimeoutSeconds)
				}
			}
		}
		if tasks == 0 {
			t.Error("the state machine has no tasks")
		}
		if substitutions, _ := r.Properties["DefinitionSubstitutions"].(map[string]any); len(substitutions) != 1 {
			t.Errorf("substitutions: %v", substitutions)
		}
	}
}

func TestFunctionsAreThoseOfTheFolders(t *testing.T) {
	entries, err := os.ReadDir("../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "internal" {
			folders = append(folders, e.Name())
		}
	}
	listtest.Same(t, "deployed functions, of the folders", stage.Functions, folders)
	for id, r := range synth(t).service.of(t, "AWS::Lambda::Function") {
		p := r.Properties
		if p["Runtime"] != "provided.al2023" || !slices.Equal(list(p["Architectures"]), []string{"arm64"}) {
			t.Errorf("%s runs on %v %v", id, p["Runtime"], p["Architectures"])
		}
		if ours(text(at(p, "LoggingConfig", "LogGroup", "Ref"))) != ours(id) {
			t.Errorf("%s does not log to its own group", id)
		}
	}
}

func TestLogsEnd(t *testing.T) {
	groups := synth(t).service.of(t, "AWS::Logs::LogGroup")
	if want := len(stage.Functions) + 2; len(groups) != want { // the API's and the state machine's
		t.Errorf("%d log groups, want %d", len(groups), want)
	}
	for id, r := range groups {
		if r.Properties["RetentionInDays"] != float64(365) {
			t.Errorf("%s keeps logs for %v days", id, r.Properties["RetentionInDays"])
		}
	}
}

func TestAccessLogHasNoAddresses(t *testing.T) {
	for _, r := range synth(t).service.of(t, "AWS::ApiGatewayV2::Stage") {
		format := text(at(r.Properties, "AccessLogSettings", "Format"))
		if !strings.Contains(format, "$context.routeKey") {
			t.Fatalf("no access log: %q", format)
		}
		for _, never := range []string{"$context.path", "querystring", "$context.authorizer.claims", "rawQuery", "userAgent"} {
			if strings.Contains(format, never) {
				t.Errorf("the access log has %s", never)
			}
		}
		if at(r.Properties, "DefaultRouteSettings", "ThrottlingRateLimit") == nil {
			t.Error("the API takes any number of requests")
		}
	}
}

// Every alarm pages somebody, and whoever is paged finds its name in the runbook.
func TestEveryAlarmPagesAndIsInTheRunbook(t *testing.T) {
	s := synth(t)
	var topic string
	for id := range s.service.of(t, "AWS::SNS::Topic") {
		topic = id
	}
	content, err := os.ReadFile("../RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^### `(\\w+)`").FindAllStringSubmatch(string(content), -1) {
		explained[m[1]] = true
	}
	for id, r := range s.service.of(t, "AWS::CloudWatch::Alarm") {
		if at(r.Properties, "AlarmActions", 0, "Ref") != topic {
			t.Errorf("%s pages nobody", id)
		}
		name := regexp.MustCompile(`See (\w+) in infra/RUNBOOK.md`).FindStringSubmatch(text(r.Properties["AlarmDescription"]))
		if name == nil || !strings.HasPrefix(id, name[1]) {
			t.Errorf("%s does not say where it is explained", id)
			continue
		}
		if !explained[name[1]] {
			t.Errorf("the runbook has no section `%s`", name[1])
		}
		delete(explained, name[1])
	}
	for name := range explained {
		t.Errorf("the runbook explains `%s`, which is no alarm", name)
	}
	var mayPublish bool
	for _, r := range s.service.of(t, "AWS::SNS::TopicPolicy") {
		mayPublish = mayPublish || strings.Contains(written(r.Properties), `"cloudwatch.amazonaws.com"`)
	}
	if !mayPublish {
		t.Error("CloudWatch may not publish to the topic")
	}
}

func TestNagFindsNothing(t *testing.T) {
	for _, f := range synth(t).findings {
		t.Error(f)
	}
}

// CloudFormation cuts the name of a rule after 64 characters, and queues know rules by the stack's name at the beginning.
func TestNamesOfRulesAreNotCut(t *testing.T) {
	const mostOfARule, byChance = 64, len("-ABCDEFGHIJKL")
	config, err := stage.Named("prod")
	if err != nil {
		t.Fatal(err)
	}
	config.Name = strings.Repeat("x", stage.MaxName)
	for id := range synth(t).service.of(t, "AWS::Events::Rule") {
		if n := len(config.ServiceStack()) + len("-") + len(id) + byChance; n > mostOfARule {
			t.Errorf("the name of %s can have %d characters: shorten its id, or stage.MaxName", id, n)
		}
	}
	for _, name := range stage.Names() {
		if !regexp.MustCompile(fmt.Sprintf("^[a-z][a-z0-9]{0,%d}$", stage.MaxName-1)).MatchString(name) {
			t.Errorf("the stage %q has a name that CloudFormation could cut", name)
		}
	}
}

func TestStagesSayWhyTheyLeaveSomethingOut(t *testing.T) {
	for _, name := range stage.Names() {
		config, err := stage.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if name != stage.Local && len(config.Without) > 0 {
			t.Errorf("stage %s is without %v", name, config.Without)
		}
		for feature, reason := range config.Without {
			if reason == "" {
				t.Errorf("stage %s gives no reason for being without %s", name, feature)
			}
		}
		if !config.Has("anything else") {
			t.Errorf("stage %s is without a feature it does not name", name)
		}
	}
	if _, err := stage.Named("nowhere"); err == nil || !strings.Contains(err.Error(), "prod") {
		t.Errorf("an unknown stage gives %v, want the names of those there are", err)
	}
}
