package stacks

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambdaeventsources"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsses"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/setting"
)

// set gives a function a variable of its environment, unless it is empty.
func set(f awslambda.Function, name, value string) {
	if value != "" {
		f.AddEnvironment(jsii.String(name), jsii.String(value), nil)
	}
}

// addSignIn tells the portal and the authorizer by which app people sign in at the platform's own hosts; a brand says itself by which
// at its host. The app trusts the portal's role: AWS vouches for it with a token, and no secret is kept anywhere.
func (s *Service) addSignIn() {
	portal, entra := s.Functions["portal"], s.config.Entra
	for _, f := range []awslambda.Function{portal, s.Functions["authorizer"]} {
		set(f, setting.EntraAuthority, entra.Authority)
		set(f, setting.EntraClient, entra.ClientID)
		set(f, setting.EntraTenants, entra.Tenants)
		set(f, setting.PortalHosts, strings.Join(s.config.PortalHosts, ","))
		set(f, setting.PortalOrigin, s.config.PortalOrigin)
	}
	set(portal, setting.EntraSecret, entra.Secret)
	if entra.Federated {
		set(portal, setting.EntraFederated, "1")
		vouch(portal)
	}
}

// vouch lets AWS vouch for a function's role to Entra, as package federated asks for it.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html (condition keys)
func vouch(f awslambda.Function) {
	f.AddToRolePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("sts:GetWebIdentityToken"), Resources: jsii.Strings("*"),
		Conditions: &map[string]any{
			"ForAllValues:StringEquals": map[string]any{"sts:IdentityTokenAudience": "api://AzureADTokenExchange"},
			"Null":                      map[string]any{"sts:IdentityTokenAudience": "false"},
			"StringEquals":              map[string]any{"sts:SigningAlgorithm": "RS256"},
			"NumericLessThanEquals":     map[string]any{"sts:DurationSeconds": 300},
		},
	}))
	accept(f.Role(), "AwsSolutions-IAM5",
		"A token about the role itself: the action knows no resources, and the condition allows it for Entra alone.", "Resource::*")
}

// addGuests tells the function guests by which app it makes them, and lets notify, and nobody else, invoke it.
func (s *Service) addGuests() {
	guests, notify, graph := s.Functions["guests"], s.Functions["notify"], s.config.Graph
	set(guests, setting.EntraAuthority, s.config.Entra.Authority)
	set(guests, setting.GraphURL, graph.URL)
	set(guests, setting.GraphClient, graph.ClientID)
	set(guests, setting.GraphSecret, graph.Secret)
	if graph.Federated {
		set(guests, setting.GraphFederated, "1")
		vouch(guests)
	}
	notify.AddEnvironment(jsii.String(setting.Guests), guests.FunctionName(), nil)
	grant(notify, guests.FunctionArn(), "lambda:InvokeFunction")
}

// mailTries is how often a message is given to the function before it is put aside.
const mailTries = 5

// addMail connects the function that mails: events of invitations and what Amazon SES tells of mails → queue → notify → SES.
func (s *Service) addMail() {
	notify, mails := s.Functions["notify"], s.stateful.Mails
	configuration := awsses.NewConfigurationSet(s.Stack, jsii.String("MailSet"), nil)
	configuration.AddEventDestination(jsii.String("Outcomes"), &awsses.ConfigurationSetEventDestinationOptions{
		// It knows no other bus.
		Destination: awsses.EventDestination_EventBus(
			awsevents.EventBus_FromEventBusName(s.Stack, jsii.String("DefaultBus"), jsii.String("default"))),
		Events: &[]awsses.EmailSendingEvent{
			awsses.EmailSendingEvent_BOUNCE, awsses.EmailSendingEvent_COMPLAINT, awsses.EmailSendingEvent_REJECT,
		},
	})
	name := configuration.ConfigurationSetName()
	set(notify, setting.MailFrom, s.config.MailFrom)
	notify.AddEnvironment(jsii.String(setting.MailSet), name, nil)
	notify.AddEnvironment(jsii.String(setting.PortalOrigin), s.portalOrigin(), nil)
	grant(notify, s.stateful.Identity.EmailIdentityArn(), "ses:SendEmail")
	grant(notify, s.Stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ses"), Resource: jsii.String("configuration-set"), ResourceName: name,
	}), "ses:SendEmail")

	// By their addresses, so that their policies stay in their own stack.
	queue := awssqs.Queue_FromQueueArn(s.Stack, jsii.String("Mails"), mails.QueueArn())
	unmailed := awssqs.Queue_FromQueueArn(s.Stack, jsii.String("Unmailed"), s.stateful.Unmailed.QueueArn())
	to := func(what awsevents.RuleTargetInput) *[]awsevents.IRuleTarget {
		return &[]awsevents.IRuleTarget{
			awseventstargets.NewSqsQueue(queue, &awseventstargets.SqsQueueProps{Message: what, DeadLetterQueue: unmailed}),
		}
	}
	links := awsevents.NewRule(s.Stack, jsii.String("MailRule"), &awsevents.RuleProps{
		EventBus:    s.stateful.Bus,
		Description: jsii.String("Queues a mail for every new invitation link"),
		EventPattern: &awsevents.EventPattern{
			Source: jsii.Strings(event.Source), DetailType: jsii.Strings(string(event.InvitationMade), string(event.InvitationResent)),
		},
		Targets: to(nil),
	})
	outcomes := awsevents.NewRule(s.Stack, jsii.String("MailOutcomeRule"), &awsevents.RuleProps{
		Description: jsii.String("Records the outcome of each mail on its invitation"),
		EventPattern: &awsevents.EventPattern{
			Source: jsii.Strings("aws.ses"), DetailType: jsii.Strings("Email Bounced", "Email Complaint Received", "Email Rejected"),
			Detail: &map[string]any{
				"mail": map[string]any{"tags": map[string]any{"ses:configuration-set": []*string{name}}},
				// A bounce that is temporary tells nothing for sure: an out-of-office reply is one, too.
				// Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html (Bounce object)
				"$or": []any{
					map[string]any{"eventType": []string{"Complaint", "Reject"}},
					map[string]any{"bounce": map[string]any{"bounceType": []any{map[string]any{"anything-but": []string{"Transient"}}}}},
				},
			},
		},
		// No more than what is needed: the rest has addresses in it.
		Targets: to(awsevents.RuleTargetInput_FromObject(map[string]any{
			"source": awsevents.EventField_FromPath(jsii.String("$.source")),
			"detail": map[string]any{
				"eventType": awsevents.EventField_FromPath(jsii.String("$.detail.eventType")),
				"mail": map[string]any{
					"messageId": awsevents.EventField_FromPath(jsii.String("$.detail.mail.messageId")),
					"tags": map[string]any{
						"invitation": awsevents.EventField_FromPath(jsii.String("$.detail.mail.tags.invitation")),
						"generation": awsevents.EventField_FromPath(jsii.String("$.detail.mail.tags.generation")),
					},
				},
			},
		})),
	})
	for _, rule := range []awsevents.Rule{links, outcomes} {
		awscdk.Annotations_Of(rule).AcknowledgeWarning(jsii.String("@aws-cdk/aws-events:ruleUnresolvedEnvironment"),
			jsii.String("Both stacks are deployed to the same account and region; the queue is named by its address to keep its policy in its own stack."))
	}
	notify.AddEventSource(awslambdaeventsources.NewSqsEventSource(mails, &awslambdaeventsources.SqsEventSourceProps{
		BatchSize: jsii.Number(5), ReportBatchItemFailures: jsii.Bool(true),
		MaxConcurrency: jsii.Number(2), // Amazon SES has a rate for the whole account, some 14 mails a second at first
	}))
}

// portalOrigin is where links to the portal lead.
func (s *Service) portalOrigin() *string {
	switch {
	case s.config.PortalOrigin != "":
		return jsii.String(s.config.PortalOrigin)
	case len(s.config.PortalHosts) > 0:
		return jsii.String("https://" + s.config.PortalHosts[0])
	default:
		return s.API.ApiEndpoint()
	}
}
