package stacks

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/infra/stage"
)

// Service is the stack that can be deleted and deployed again without loss: the API, the functions and what watches them.
type Service struct {
	Stack     awscdk.Stack
	Functions map[string]awslambda.Function
	API       awsapigatewayv2.HttpApi

	config   stage.Config
	stateful *Stateful
	parts    Parts
	settling awsstepfunctions.StateMachine

	accessLogs awslogs.LogGroup
}

func newService(scope constructs.Construct, config stage.Config, stateful *Stateful, parts Parts) *Service {
	s := &Service{
		Stack: awscdk.NewStack(scope, jsii.String(config.ServiceStack()), stackProps(config,
			"Partner management ("+config.Name+"): the API and its functions. Nothing is lost when it is deployed anew.", false)),
		Functions: map[string]awslambda.Function{},
		config:    config, stateful: stateful, parts: parts,
	}
	s.addFunctions()
	s.addAPI()
	redrive := s.addRelay()
	s.addSettling()
	s.addPurge()
	s.addSignIn()
	s.addMail()
	s.addGuests()
	s.addAlarms()

	output(s.Stack, stage.OutApiID, s.API.ApiId())
	output(s.Stack, stage.OutApiURL, s.API.ApiEndpoint())
	output(s.Stack, stage.OutRedriveMapping, redrive)
	output(s.Stack, stage.OutSettling, s.settling.StateMachineArn())
	for _, name := range stage.Functions {
		output(s.Stack, stage.OutFunction(name), s.Functions[name].FunctionName())
	}
	return s
}

func (s *Service) logGroup(id string) awslogs.LogGroup {
	return awslogs.NewLogGroup(s.Stack, jsii.String(id), &awslogs.LogGroupProps{
		Retention:     awslogs.RetentionDays(retention(s.config.LogDays)),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
}

// retention is the CDK's name of a number of days. CloudWatch Logs takes only some.
func retention(days int) string {
	names := map[int]string{1: "ONE_DAY", 14: "TWO_WEEKS", 365: "ONE_YEAR"}
	name, ok := names[days]
	if !ok {
		panic(fmt.Sprintf("infra: no log retention of %d days: use one of CloudWatch's periods and name it here", days))
	}
	return name
}

// title is a function's name as part of a construct id: portal → Portal.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
