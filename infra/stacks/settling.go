package stacks

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/shared/event"
)

// addSettling adds the state machine that settles changes to whole subtrees, and the rule that starts it for every event that tells
// of one. EventBridge delivers at least once and gives executions names of its own, so one change may be settled twice; the second
// finds nothing to do.
func (s *Service) addSettling() {
	role := awsiam.NewRole(s.Stack, jsii.String("SettlingRole"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("states.amazonaws.com"), nil),
		Description: jsii.String("What the state machine that settles changes may do"),
	})
	settle := s.Functions["settle"]
	grant(role, settle.FunctionArn(), "lambda:InvokeFunction")
	// The file is a state machine as it is, in the partition of most regions.
	definition := strings.ReplaceAll(s.parts.Settling, "arn:aws:", "arn:"+*s.Stack.Partition()+":")
	s.settling = awsstepfunctions.NewStateMachine(s.Stack, jsii.String("Settling"), &awsstepfunctions.StateMachineProps{
		DefinitionBody:          awsstepfunctions.DefinitionBody_FromString(jsii.String(definition)),
		DefinitionSubstitutions: &map[string]*string{"Settle": settle.FunctionArn()},
		StateMachineType:        awsstepfunctions.StateMachineType_STANDARD,
		Role:                    role,
		Logs:                    &awsstepfunctions.LogOptions{Destination: s.logGroup("SettlingLogs"), Level: awsstepfunctions.LogLevel_ALL},
	})
	s.settling.Node().AddDependency(role)
	accept(role, "AwsSolutions-IAM5", "Step Functions asks for the actions of log delivery, which know no resources.", "Resource::*")
	accept(s.settling, "AwsSolutions-SF2", "Nothing here is traced with X-Ray: an execution's history has every step with its times.")

	var types []string
	for _, t := range event.Settled() {
		types = append(types, string(t))
	}
	rule := awsevents.NewRule(s.Stack, jsii.String("SettlingRule"), &awsevents.RuleProps{
		EventBus:    s.stateful.Bus,
		Description: jsii.String("Starts the settling of every change of a whole subtree"),
		EventPattern: &awsevents.EventPattern{
			Source: jsii.Strings(event.Source), DetailType: jsii.Strings(types...),
			Detail: &map[string]any{"data": map[string]any{"jobId": awsevents.Match_Exists()}},
		},
	})
	rule.AddTarget(awseventstargets.NewSfnStateMachine(s.settling, &awseventstargets.SfnStateMachineProps{
		Input: awsevents.RuleTargetInput_FromObject(map[string]any{
			"jobId": awsevents.EventField_FromPath(jsii.String("$.detail.data.jobId")),
			"since": awsevents.EventField_FromPath(jsii.String("$.detail.time")),
		}),
		// By its address, so that its policy stays in its own stack.
		DeadLetterQueue: awssqs.Queue_FromQueueArn(s.Stack, jsii.String("Unstarted"), s.stateful.Unstarted.QueueArn()),
	}))
}

// purgeMinutes is how often the trash is looked through.
const purgeMinutes = 15

// addPurge adds the schedule by which the function looks for what has been in the trash long enough. A purge that fails is not
// repeated and lies in no queue: the next one does the same, and that none succeeds is an alarm.
func (s *Service) addPurge() {
	settle, often := s.Functions["settle"], awscdk.Duration_Minutes(jsii.Number(purgeMinutes))
	settle.ConfigureAsyncInvoke(&awslambda.EventInvokeConfigOptions{RetryAttempts: jsii.Number(0), MaxEventAge: often})
	awsevents.NewRule(s.Stack, jsii.String("PurgeRule"), &awsevents.RuleProps{
		Description: jsii.String("Purges nodes that have been in the trash long enough"),
		Schedule:    awsevents.Schedule_Rate(often),
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewLambdaFunction(settle, &awseventstargets.LambdaFunctionProps{
			Event: awsevents.RuleTargetInput_FromObject(map[string]any{"task": "purge"}),
		})},
	})
}
