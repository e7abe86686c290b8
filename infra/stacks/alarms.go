package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/metric"
	"example.com/partnertree/shared/table/schema"
)

// addAlarms adds the alarms, the topic that the alarms notify, and a dashboard of the same metrics. infra/RUNBOOK.md says of
// each alarm what it means and what to do.
func (s *Service) addAlarms() {
	pages := awssns.NewTopic(s.Stack, jsii.String("Pages"), &awssns.TopicProps{
		DisplayName: jsii.String("Partner management (" + s.config.Name + "): alarms"), EnforceSSL: jsii.Bool(true),
	})
	// EnforceSSL replaces the topic's default policy, which let alarms of the account publish.
	pages.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{pages.TopicArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": s.Stack.Account()}},
	}))
	action := awscloudwatchactions.NewSnsAction(pages)

	alarmAfter := func(periods float64, missing awscloudwatch.TreatMissingData, id string, metric awscloudwatch.IMetric, atLeast float64,
		meaning string) {
		awscloudwatch.NewAlarm(s.Stack, jsii.String(id), &awscloudwatch.AlarmProps{
			Metric: metric, Threshold: jsii.Number(atLeast), EvaluationPeriods: jsii.Number(periods),
			ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
			TreatMissingData:   missing,
			AlarmDescription:   jsii.String(meaning + " See " + id + " in infra/RUNBOOK.md."),
		}).AddAlarmAction(action)
	}
	alarm := func(id string, metric awscloudwatch.IMetric, atLeast float64, meaning string) {
		alarmAfter(1, awscloudwatch.TreatMissingData_NOT_BREACHING, id, metric, atLeast, meaning)
	}

	relay, queue := s.Functions["relay"], s.stateful.Undelivered
	age := relay.Metric(jsii.String("IteratorAge"), over("Maximum"))
	waiting := queue.MetricApproximateNumberOfMessagesVisible(over("Maximum"))
	serverErrors := s.API.MetricServerError(over("Sum"))
	alarm("EventsLate", age, 5*60*1000, "Events reach the bus more than 5 minutes late. Events leave the stream after 24 hours.")
	alarm("EventsUndelivered", waiting, 1, "The bus refused events. The events stay in the undelivered queue for 14 days.")
	alarm("ApiServerErrors", serverErrors, 5, "The API answered 5 or more requests within 5 minutes with a 5xx status.")

	var errors []awscloudwatch.IMetric
	for _, name := range stage.Functions {
		failed := s.Functions[name].MetricErrors(over("Sum"))
		errors = append(errors, failed)
		atLeast := max(1, functions[name].errors)
		alarm(title(name)+"Errors", failed, atLeast, "The function "+name+" crashed, timed out or answered with an error.")
	}
	alarm("BootstrapUsed", s.Functions["bootstrap"].MetricInvocations(over("Sum")), 1,
		"Somebody with AWS rights invoked bootstrap, which founds the platform, gives out a key of its owner or renews the keyring.")
	throttled := awslambda.Function_MetricAllThrottles(over("Sum"))
	alarm("FunctionsThrottled", throttled, 1, "AWS Lambda refused to run functions of this account: too many ran at once.")
	refused := s.refusedByGateway()
	alarm("GatewayRefusals", refused, 100, "API Gateway refused 100 or more requests within 5 minutes, because too many came at once.")
	conflicts := s.tableMetric("TransactionConflict", "")
	alarm("TableConflicts", conflicts, 1000, "1,000 or more transactions within 5 minutes met another transaction on the same item.")

	unstarted := s.stateful.Unstarted.MetricApproximateNumberOfMessagesVisible(over("Maximum"))
	unsettled, timedOut := s.settling.MetricFailed(over("Sum")), s.settling.MetricTimedOut(over("Sum"))
	changeAge, trashBehind := s.ownMetric(metric.ChangeAge, "Maximum", 5), s.ownMetric(metric.TrashBehind, "Maximum", 60)
	alarm("SettlingNotStarted", unstarted, 1, "Changes of whole subtrees are in effect, but their settling could not be started.")
	alarm("SettlingFailed", unsettled, 1, "The settling of a change failed and has stopped. The change stays in effect, and still counts as in flight.")
	alarm("SettlingTimedOut", timedOut, 1, "The settling of a change did not finish within a day and was stopped.")
	alarm("ChangeInFlightTooLong", changeAge, 60*60, "A change has been settling for an hour or more, so its settling may be stuck.")
	alarmAfter(3, awscloudwatch.TreatMissingData_BREACHING, "TrashBehind", trashBehind, 24*60*60,
		"For three hours, no purge succeeded, or nodes in the trash were more than a day overdue for their purge.")

	unmailed := s.stateful.Unmailed.MetricApproximateNumberOfMessagesVisible(over("Maximum"))
	mailsWaiting := s.stateful.Mails.MetricApproximateAgeOfOldestMessage(over("Maximum"))
	mailsLost := s.ownMetric(metric.MailsLost, "Sum", 60)
	uninvited := s.refusedInvitations()
	bounced, complained := sesMetric("Reputation.BounceRate"), sesMetric("Reputation.ComplaintRate")
	alarm("MailsUndelivered", unmailed, 1, "Mail events could not be processed. They stay in the unmailed queue for 14 days.")
	alarm("MailsLate", mailsWaiting, 15*60, "Invitation mails have waited in the queue for 15 minutes or more.")
	alarm("MailsLost", mailsLost, 3, "Within an hour, 3 or more mails were refused, or may not have been sent.")
	// Amazon pauses sending at 10 % and 0.5 %.
	alarm("MailsBounce", bounced, 0.05, "5 % or more of the account's mails bounce. Amazon SES may stop sending.")
	alarm("MailsComplainedAbout", complained, 0.001, "Recipients report 0.1 % or more of the account's mails as spam. Amazon SES may stop sending.")

	var throttles []awscloudwatch.IMetric
	for _, kind := range []string{"Read", "Write"} {
		table, index := s.tableMetric(kind+"ThrottleEvents", ""), s.tableMetric(kind+"ThrottleEvents", schema.SubtreeIndex)
		throttles = append(throttles, table, index)
		alarm("Table"+kind+"Throttled", table, 1, "DynamoDB throttled requests to the table.")
		alarm("Index"+kind+"Throttled", index, 1, "DynamoDB throttled requests to the subtree index.")
	}

	graph := func(heading string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
		return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
			Title: jsii.String(heading), Left: &metrics, Width: jsii.Number(12), Height: jsii.Number(6),
		})
	}
	awscloudwatch.NewDashboard(s.Stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{Widgets: &[]*[]awscloudwatch.IWidget{
		{graph("Requests", s.API.MetricCount(over("Sum")), s.API.MetricClientError(over("Sum")), serverErrors),
			graph("Latency (ms)", s.API.MetricLatency(over("p50")), s.API.MetricLatency(over("p99")), s.API.MetricIntegrationLatency(over("p99")))},
		{graph("Errors of functions", errors...), graph("Refused: by Lambda, by the gateway", throttled, refused)},
		{graph("Table: throttled", throttles...), graph("Table: conflicts of transactions", conflicts)},
		{graph("Events: age (ms)", age), graph("Events: undelivered", waiting)},
		{graph("Settling: age of changes (s)", changeAge), graph("Settling: ended badly", unsettled, timedOut, unstarted)},
		{graph("Mail: lost, put aside, refused before", mailsLost, unmailed, uninvited), graph("Mail: bounce and complaint rates", bounced, complained)},
		{graph("Trash: overdue (s)", trashBehind), graph("Table: consumed units", s.stateful.Table.MetricConsumedReadCapacityUnits(over("Sum")),
			s.stateful.Table.MetricConsumedWriteCapacityUnits(over("Sum")))},
	}})
}

// ownMetric is one that a function measures itself: a statistic over some minutes.
func (s *Service) ownMetric(m metric.Metric, statistic string, minutes float64) awscloudwatch.IMetric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(metric.Namespace), MetricName: jsii.String(m.Name),
		DimensionsMap: &map[string]*string{metric.Stage: jsii.String(s.config.Name)},
		Statistic:     jsii.String(statistic), Period: awscdk.Duration_Minutes(jsii.Number(minutes)),
	})
}

// refusedByGateway counts the requests that API Gateway itself answered with 429. It has no metric for them, and functions answer 429, too:
// the access log tells the two apart, since no function was called.
func (s *Service) refusedByGateway() awscloudwatch.IMetric {
	return s.lines("GatewayRefusals", s.accessLogs, 5,
		awslogs.FilterPattern_StringValue(jsii.String("$.status"), jsii.String("="), jsii.String("429")),
		awslogs.FilterPattern_StringValue(jsii.String("$.functionMs"), jsii.String("="), jsii.String("-")))
}

// refusedInvitations counts the requests that were one invitation too many for a day.
func (s *Service) refusedInvitations() awscloudwatch.IMetric {
	return s.lines("InvitationsRefused", s.Functions["api"].LogGroup(), 60,
		awslogs.FilterPattern_StringValue(jsii.String("$.problem"), jsii.String("="), jsii.String(fault.TooManyInvitations.Slug)))
}

// lines counts the lines of a log, over some minutes, that fit all of the patterns.
func (s *Service) lines(name string, group awslogs.ILogGroup, minutes float64, patterns ...awslogs.JsonPattern) awscloudwatch.IMetric {
	metricName := jsii.String(name + "-" + s.config.Name)
	awslogs.NewMetricFilter(s.Stack, jsii.String(name+"Filter"), &awslogs.MetricFilterProps{
		LogGroup: group, MetricNamespace: jsii.String(metric.Namespace), MetricName: metricName, FilterPattern: awslogs.FilterPattern_All(patterns...),
	})
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(metric.Namespace), MetricName: metricName,
		Statistic: jsii.String("Sum"), Period: awscdk.Duration_Minutes(jsii.Number(minutes)),
	})
}

// sesMetric is a rate of all mails of the account, as a share of 1. Amazon measures it about once an hour.
func sesMetric(name string) awscloudwatch.IMetric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String("AWS/SES"), MetricName: jsii.String(name), Statistic: jsii.String("Maximum"),
		Period: awscdk.Duration_Hours(jsii.Number(1)),
	})
}

// tableMetric is a metric of the table, or of one of its indexes.
func (s *Service) tableMetric(name, index string) awscloudwatch.IMetric {
	dimensions := map[string]*string{"TableName": s.stateful.Table.TableName()}
	if index != "" {
		dimensions["GlobalSecondaryIndexName"] = jsii.String(index)
	}
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String("AWS/DynamoDB"), MetricName: jsii.String(name), DimensionsMap: &dimensions,
		Statistic: jsii.String("Sum"), Period: awscdk.Duration_Minutes(jsii.Number(5)),
	})
}

// over is five minutes of a statistic.
func over(statistic string) *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: jsii.String(statistic), Period: awscdk.Duration_Minutes(jsii.Number(5))}
}
