// Package metric names the metrics that functions measure themselves, for those who measure and for the alarms that watch.
// A value is written as part of a log line in CloudWatch's embedded metric format: no call, no rights, no waiting.
package metric

import "time"

// Namespace is where CloudWatch keeps the metrics; Stage is their one dimension.
const (
	Namespace = "Partnertree"
	Stage     = "Stage"
)

// Metric is one of them.
type Metric struct {
	Name string
	Unit string // one of CloudWatch's
}

// ChangeAge is for how long a change to a whole subtree has been in effect without being settled, told by each step of its
// settling.
var ChangeAge = Metric{"ChangeAge", "Seconds"}

// TrashBehind is how much longer than it is kept the oldest node in the trash has been there, told by each purge that ended well: 0 when
// nothing is overdue.
var TrashBehind = Metric{"TrashBehind", "Seconds"}

// MailsLost counts mails that were refused for good, or of which nobody knows whether they left.
var MailsLost = Metric{"MailsLost", "Count"}

// Attrs are the attributes, in the form of log/slog, that make a line of a JSON log a value of the metric.
func (m Metric) Attrs(at time.Time, stage string, value float64) []any {
	return []any{
		Stage, stage, m.Name, value,
		"_aws", map[string]any{
			"Timestamp": at.UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": Namespace, "Dimensions": [][]string{{Stage}}, "Metrics": []map[string]string{{"Name": m.Name, "Unit": m.Unit}},
			}},
		},
	}
}
