package e2e

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"example.com/partnertree/shared/contract"
)

// unseen are rights that the cloud on this machine does not ask for, each with the reason. A role stands for all.
var unseen = map[string]string{
	"logs:CreateLogStream": "AWS Lambda writes the logs with the function's role; MiniStack writes them itself",
	"logs:PutLogEvents":    "as logs:CreateLogStream",

	"RelayRole dynamodb:DescribeStream":   "AWS Lambda reads the stream with the function's role; MiniStack reads it itself",
	"RelayRole dynamodb:GetRecords":       "as DescribeStream",
	"RelayRole dynamodb:GetShardIterator": "as DescribeStream",
	"RelayRole dynamodb:ListStreams":      "as DescribeStream",

	"sqs:ReceiveMessage":          "AWS Lambda takes messages from the queue with the function's role; MiniStack takes them itself",
	"sqs:ChangeMessageVisibility": "as sqs:ReceiveMessage",
	"sqs:DeleteMessage":           "as sqs:ReceiveMessage",
	"sqs:GetQueueAttributes":      "as sqs:ReceiveMessage",
	"sqs:GetQueueUrl":             "as sqs:ReceiveMessage",

	"SettlingEventsRole states:StartExecution": "EventBridge starts the state machine with this role; in MiniStack nobody is asked",
	"SettlingRole lambda:InvokeFunction":       "Step Functions invokes the function with this role; in MiniStack nobody is asked",

	"SettlingRole logs:CreateLogDelivery":        "Step Functions writes its logs with this role; MiniStack writes them itself",
	"SettlingRole logs:DeleteLogDelivery":        "as logs:CreateLogDelivery",
	"SettlingRole logs:DescribeLogGroups":        "as logs:CreateLogDelivery",
	"SettlingRole logs:DescribeResourcePolicies": "as logs:CreateLogDelivery",
	"SettlingRole logs:GetLogDelivery":           "as logs:CreateLogDelivery",
	"SettlingRole logs:ListLogDeliveries":        "as logs:CreateLogDelivery",
	"SettlingRole logs:PutResourcePolicy":        "as logs:CreateLogDelivery",
	"SettlingRole logs:UpdateLogDelivery":        "as logs:CreateLogDelivery",
}

// answers are the routes that somebody got what was asked for from.
type answers struct {
	routes *http.ServeMux
	mu     sync.Mutex
	good   map[string]bool
}

var answersOfTheRun = newAnswers()

func newAnswers() *answers {
	a := &answers{routes: http.NewServeMux(), good: map[string]bool{}}
	for _, route := range contract.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if path == "/" {
			path = "/{$}"
		}
		a.routes.Handle(method+" "+path, http.NotFoundHandler())
	}
	return a
}

func (a *answers) note(method, path string, status int) {
	r, err := http.NewRequest(method, path, nil)
	if err != nil || status/100 > 3 {
		return
	}
	_, route := a.routes.Handler(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.good[strings.Replace(route, "/{$}", "/", 1)] = true
}

// everythingWasTried reports routes that nobody got what was asked for from, and rights that nobody used. A function whose route is not
// tried may lack a right on AWS, and a right that is not used here is not needed there.
func everythingWasTried(context.Context) error {
	a := answersOfTheRun
	a.mu.Lock()
	defer a.mu.Unlock()
	var problems []string
	for _, route := range contract.Routes() {
		if !a.good[route] {
			problems = append(problems, "nobody got an answer from "+route)
		}
	}
	unused, err := deployed.UnusedRights()
	if err != nil {
		return err
	}
	left := maps.Clone(unseen)
	for _, right := range unused {
		_, action, _ := strings.Cut(right, " ")
		if unseen[right] == "" && unseen[action] == "" {
			problems = append(problems, "nobody used the right of "+right)
		}
		delete(left, right)
		delete(left, action)
	}
	for right := range left {
		problems = append(problems, "somebody used the right of "+right+", or nobody has it: it is no longer unseen")
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return errors.New(strings.Join(problems, "\n"))
	}
	return nil
}
