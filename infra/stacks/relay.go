package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/shared/setting"
	"example.com/partnertree/shared/table/schema"
)

// addRelay connects the relay: the table's stream → relay → bus, and events that the bus refuses → queue. It answers the id
// of the mapping from the queue back to the relay, which is off until an operator enables it to redrive.
func (s *Service) addRelay() (redrive *string) {
	relay := s.Functions["relay"]
	relay.AddEnvironment(jsii.String(setting.Bus), s.stateful.Bus.EventBusName(), nil)
	relay.AddEnvironment(jsii.String(setting.Undelivered), s.stateful.Undelivered.QueueUrl(), nil)
	grant(relay, s.stateful.Bus.EventBusArn(), "events:PutEvents")
	grant(relay, s.stateful.Undelivered.QueueArn(), "sqs:SendMessage")

	// No limit to retries or age is set: a record is tried until it is delivered or leaves the stream after 24 hours, so the
	// alarm on the age is the one that must never be ignored.
	relay.AddEventSource(awslambdaeventsources.NewDynamoEventSource(s.stateful.Table, &awslambdaeventsources.DynamoEventSourceProps{
		StartingPosition:        awslambda.StartingPosition_TRIM_HORIZON,
		BatchSize:               jsii.Number(100),
		BisectBatchOnError:      jsii.Bool(true),
		ReportBatchItemFailures: jsii.Bool(true),
		Filters: &[]*map[string]any{awslambda.FilterCriteria_Filter(&map[string]any{
			"eventName": []string{"INSERT"},
			"dynamodb":  map[string]any{"NewImage": map[string]any{schema.TypeAttr: map[string]any{"S": []string{schema.EventType}}}},
		})},
	}))
	accept(relay.Role(), "AwsSolutions-IAM5",
		"Lambda asks for dynamodb:ListStreams to read a stream, and that action knows no resources.", "Resource::*")

	source := awslambdaeventsources.NewSqsEventSource(s.stateful.Undelivered, &awslambdaeventsources.SqsEventSourceProps{
		BatchSize: jsii.Number(10), ReportBatchItemFailures: jsii.Bool(true), Enabled: jsii.Bool(false),
	})
	relay.AddEventSource(source)
	return source.EventSourceMappingId()
}
