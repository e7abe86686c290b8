package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/setting"
	"example.com/partnertree/shared/table/schema"
)

// function is what one folder below functions/ gets.
type function struct {
	does    string   // one line for people who look at it in the console
	table   []string // actions on the table, in DynamoDB's words
	index   bool     // may query the subtree index
	keyless bool     // is denied the keyring, which all of its other rights would include
	metrics bool     // has metrics of its own, which are told apart by the stage
	seconds float64  // time-out
	errors  float64  // how many within 5 minutes raise the alarm; 0: the first
}

const (
	apiTimeoutSeconds   = 10 // far above any answer; the API itself would wait 30
	relayTimeoutSeconds = 30
	// settleTimeoutSeconds is what one step of a walk has, with its end; a step of the state machine waits longer.
	settleTimeoutSeconds = 60
	notifyTimeoutSeconds = 90 // three mails that take as long as one may; usually one takes less than a second
	guestsTimeoutSeconds = 10 // Microsoft takes one or two; notify waits longer than this
	// memoryMB buys CPU: with less, starting takes longer and costs the same.
	memoryMB = 512
)

// operations are the actions of what does the operations of the contract: the API, and the portal in its pages.
var operations = []string{"BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"}

// functions says exactly what each calls: reads are batches, so that what is decided on was read together, and a transaction
// needs the actions of its parts. Nobody scans, and nobody but the deployment changes the table itself. schema.ReadableKeys says who may use only
// some of its items.
var functions = map[string]function{
	"api": {
		does: "API: partners, customers, brands, users, invitations and API clients", seconds: apiTimeoutSeconds, index: true,
		table: operations,
	},
	"portal": {
		does: "Pages: all that the API does, sign-in, the documentation and the contract", seconds: apiTimeoutSeconds, index: true,
		table: operations,
	},
	"authorizer": {
		does: "API Gateway authorizer: says who is calling, never what they may do", seconds: apiTimeoutSeconds,
		table: []string{"BatchGetItem"},
	},
	"relay": {does: "Puts every event of the table on the bus", seconds: relayTimeoutSeconds},
	"bootstrap": {
		does: "Makes the root partner and its first owner, once, recovers a lost key of the root, or rotates the keyring; only IAM can invoke it", seconds: apiTimeoutSeconds,
		table: []string{"BatchGetItem", "Query", "PutItem", "ConditionCheckItem"},
	},
	"settle": {
		does: "Settles changes to whole subtrees, for its state machine, and purges the trash, on a schedule", seconds: settleTimeoutSeconds,
		metrics: true, keyless: true,
		table: []string{"BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem", "BatchWriteItem"},
		// The state machine repeats a task that failed, and has an alarm of its own for when that does not help.
		errors: 20,
	},
	"notify": {
		does: "Mails the links of invitations, and notes what became of the mails", seconds: notifyTimeoutSeconds,
		metrics: true,
		table:   []string{"BatchGetItem", "PutItem", "UpdateItem"},
		// The queue repeats what failed, and has an alarm of its own for when that does not help.
		errors: 20,
	},
	"guests": {
		does: "Makes people guests in partners' Microsoft tenants; only notify invokes it", seconds: guestsTimeoutSeconds,
		// Each shows in notify's queue, too.
		errors: 20,
	},
}

// addFunctions adds every function with its own role and log group.
func (s *Service) addFunctions() {
	for _, name := range stage.Functions {
		f := functions[name]
		logs := s.logGroup(title(name) + "Logs")
		role := awsiam.NewRole(s.Stack, jsii.String(title(name)+"Role"), &awsiam.RoleProps{
			AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
			Description: jsii.String("What the function " + name + " may do"),
		})
		logs.GrantWrite(role)
		env := map[string]*string{}
		if f.metrics {
			env[setting.Stage] = jsii.String(s.config.Name)
		}
		if len(f.table) > 0 {
			s.grantTable(role, name, f.table)
			env[setting.Table] = s.stateful.Table.TableName()
		}
		if f.keyless {
			s.denyKeyring(role)
		}
		if f.index {
			index := awscdk.Fn_Join(jsii.String("/index/"), &[]*string{s.stateful.Table.TableArn(), jsii.String(schema.SubtreeIndex)})
			grant(role, index, "dynamodb:Query")
		}
		s.Functions[name] = awslambda.NewFunction(s.Stack, jsii.String(constructID(name)), &awslambda.FunctionProps{
			Description:   jsii.String(f.does),
			Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
			Architecture:  architecture(s.config.Arch),
			Handler:       jsii.String("bootstrap"),
			Code:          awslambda.Code_FromAsset(jsii.String(s.parts.Code(name)), nil),
			MemorySize:    jsii.Number(memoryMB),
			Timeout:       awscdk.Duration_Seconds(jsii.Number(f.seconds)),
			Environment:   &env,
			Role:          role,
			LogGroup:      logs,
			LoggingFormat: awslambda.LoggingFormat_JSON,
		})
	}
}

// constructID returns the id of a function's construct: its title. The HTTP API has had the id Api for longer; a new id would
// give it another address.
func constructID(name string) string {
	if name == "api" {
		return "ApiLambda"
	}
	return title(name)
}

// grantTable allows a function its actions on the table: within its limits, where it has such.
func (s *Service) grantTable(role awsiam.Role, function string, actions []string) {
	var all []string
	for _, action := range actions {
		prefixes, limited := schema.ReadableKeys[function][action]
		if !limited {
			all = append(all, "dynamodb:"+action)
			continue
		}
		keys := make([]string, len(prefixes))
		for i, prefix := range prefixes {
			keys[i] = prefix + "*"
		}
		// Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html (dynamodb:LeadingKeys)
		role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions: jsii.Strings("dynamodb:" + action), Resources: &[]*string{s.stateful.Table.TableArn()},
			Conditions: &map[string]any{
				"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": keys},
				"Null":                    map[string]any{"dynamodb:LeadingKeys": "false"},
			},
		}))
	}
	if len(all) > 0 {
		grant(role, s.stateful.Table.TableArn(), all...)
	}
}

// denyKeyring denies a role the keyring, by which sessions of anybody can be made.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html (ForAnyValue, Deny)
func (s *Service) denyKeyring(role awsiam.Role) {
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Effect: awsiam.Effect_DENY, Actions: jsii.Strings("dynamodb:*"), Resources: &[]*string{s.stateful.Table.TableArn()},
		Conditions: &map[string]any{
			"ForAnyValue:StringLike": map[string]any{"dynamodb:LeadingKeys": jsii.Strings(schema.KeyringPrefix + "*")},
		},
	}))
}

// grant allows exactly these actions on exactly this resource. The table's own grant methods would add its indexes with a
// wildcard, and Scan.
func grant(to awsiam.IGrantable, resource *string, actions ...string) {
	to.GrantPrincipal().AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings(actions...), Resources: &[]*string{resource},
	}))
}

func architecture(goarch string) awslambda.Architecture {
	if goarch == "arm64" {
		return awslambda.Architecture_ARM_64()
	}
	return awslambda.Architecture_X86_64()
}
