// Command relay is the Lambda function that puts every event on the event bus: it is called with the new event items of the
// table's stream. What the bus refuses it puts into a queue; from there an operator sends it through this same function
// again, by enabling the queue's trigger (infra/RUNBOOK.md).
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/shared/awsenv"
	"example.com/partnertree/shared/setting"
)

func main() {
	cfg := awsenv.Config()
	r := &relay{
		bus:   newEventBus(cfg, os.Getenv(setting.Bus)),
		queue: newUndelivered(cfg, os.Getenv(setting.Undelivered)),
		log:   slog.New(slog.NewJSONHandler(os.Stdout, nil)),
	}
	lambda.Start(r.handle)
}
