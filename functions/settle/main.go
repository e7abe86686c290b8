// Command settle is the Lambda function with the tasks of the state machine in infra/settle.asl.json, which writes a change to a
// whole subtree into every node below and then takes it out of the tree state. The change has been in effect from its commit
// on: how long this takes shows to nobody but GET /v1/jobs/{id}.
//
// On a schedule it also purges what has been in the trash long enough. What is below is erased by that same state machine.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/wiring"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/setting"
)

func main() {
	t, log := wiring.Table()
	s := &settling{directory: directory.New(t, time.Now), now: time.Now, atMost: walkFor, stage: os.Getenv(setting.Stage), log: log}
	lambda.Start(s.handle)
}
