package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsses"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/table/schema"
)

// Stateful is the stack with what must never be lost: the table, the bus that other systems listen to, the queue of events
// that could not be delivered, that of changes whose settling could not be started, that of mails to be sent with the one for what
// could not be taken from it, and the proof that the domain of mails is ours. Stages that retain keep all of them even when the
// stack is deleted.
type Stateful struct {
	Stack       awscdk.Stack
	Table       awsdynamodb.Table
	Bus         awsevents.EventBus
	Undelivered awssqs.Queue
	Unstarted   awssqs.Queue
	Mails       awssqs.Queue
	Unmailed    awssqs.Queue
	Identity    awsses.EmailIdentity
}

func newStateful(scope constructs.Construct, config stage.Config) *Stateful {
	stack := awscdk.NewStack(scope, jsii.String(config.StatefulStack()), stackProps(config,
		"Partner management ("+config.Name+"): the data. Deleting this stack keeps the table, the bus and the queues.", config.Retain))
	removal := awscdk.RemovalPolicy_DESTROY
	if config.Retain {
		removal = awscdk.RemovalPolicy_RETAIN
	}

	table := awsdynamodb.NewTable(stack, jsii.String("Table"), &awsdynamodb.TableProps{
		PartitionKey:        stringKey(schema.PK),
		SortKey:             stringKey(schema.SK),
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		Stream:              awsdynamodb.StreamViewType(schema.Stream),
		TimeToLiveAttribute: jsii.String(schema.TTLAttr),
		DeletionProtection:  jsii.Bool(config.Has(stage.DeletionProtection)),
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(config.Has(stage.Recovery)),
		},
		RemovalPolicy: removal,
	})
	table.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:        jsii.String(schema.SubtreeIndex),
		PartitionKey:     stringKey(schema.IndexPK),
		SortKey:          stringKey(schema.IndexSK),
		ProjectionType:   awsdynamodb.ProjectionType_INCLUDE,
		NonKeyAttributes: jsii.Strings(schema.IndexCarries),
	})

	bus := awsevents.NewEventBus(stack, jsii.String("Bus"), &awsevents.EventBusProps{
		EventBusName: jsii.String(config.BusName()),
		Description:  jsii.String("Events of the hierarchy: delivered at least once, unordered, each event self-contained."),
	})
	bus.ApplyRemovalPolicy(removal)

	undelivered := awssqs.NewQueue(stack, jsii.String("Undelivered"), &awssqs.QueueProps{
		Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		RetentionPeriod:   awscdk.Duration_Days(jsii.Number(14)),
		VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(6 * relayTimeoutSeconds)), // what AWS asks of a queue with a mapping
		RemovalPolicy:     removal,
	})
	accept(undelivered, "AwsSolutions-SQS3",
		"This is itself where undeliverable events end; what cannot be redriven stays for 14 days, with an alarm.")

	unstarted := awssqs.NewQueue(stack, jsii.String("Unstarted"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
		RemovalPolicy:   removal,
	})
	accept(unstarted, "AwsSolutions-SQS3", "This is a dead-letter queue; what lies here for 14 days has an alarm all the time.")
	letRulesSend(stack, unstarted, config.BusName()+"/*")

	unmailed := awssqs.NewQueue(stack, jsii.String("Unmailed"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
		RemovalPolicy:   removal,
	})
	accept(unmailed, "AwsSolutions-SQS3", "This is a dead-letter queue; what lies here for 14 days has an alarm all the time.")
	mails := awssqs.NewQueue(stack, jsii.String("Mails"), &awssqs.QueueProps{
		Encryption:        awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		RetentionPeriod:   awscdk.Duration_Days(jsii.Number(14)),
		VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(6 * notifyTimeoutSeconds)), // what AWS asks of a queue with a mapping
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: unmailed, MaxReceiveCount: jsii.Number(mailTries)},
		RemovalPolicy:     removal,
	})
	for _, queue := range []awssqs.Queue{mails, unmailed} {
		letRulesSend(stack, queue, config.BusName()+"/*", config.ServiceStack()+"-*")
	}
	// Its DNS records follow from it: made anew it might have others, and no mail would leave until they are changed.
	identity := awsses.NewEmailIdentity(stack, jsii.String("MailDomain"), &awsses.EmailIdentityProps{
		Identity:           awsses.Identity_Domain(jsii.String(config.MailDomain())),
		FeedbackForwarding: jsii.Bool(false), // bounces come back as events
	})
	identity.ApplyRemovalPolicy(removal)

	output(stack, stage.OutTable, table.TableName())
	output(stack, stage.OutBus, bus.EventBusName())
	output(stack, stage.OutUndelivered, undelivered.QueueUrl())
	output(stack, stage.OutUnstarted, unstarted.QueueUrl())
	output(stack, stage.OutMails, mails.QueueArn())
	output(stack, stage.OutUnmailed, unmailed.QueueArn())
	return &Stateful{Stack: stack, Table: table, Bus: bus, Undelivered: undelivered, Unstarted: unstarted, Mails: mails, Unmailed: unmailed,
		Identity: identity}
}

// letRulesSend lets EventBridge send what rules with such names say into a queue. The rules are in the other stack, which depends on
// this one.
func letRulesSend(stack awscdk.Stack, queue awssqs.Queue, rules ...string) {
	var arns []*string
	for _, name := range rules {
		arns = append(arns, stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("events"), Resource: jsii.String("rule"), ResourceName: jsii.String(name),
		}))
	}
	queue.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{queue.QueueArn()},
		Conditions: &map[string]any{"ArnLike": map[string]any{"aws:SourceArn": arns}},
	}))
}

func stringKey(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING}
}
