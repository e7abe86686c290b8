// Command api is the Lambda function that serves the API: every operation of the contract that asks who is calling.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/operations"
	"example.com/partnertree/functions/internal/wiring"
	"example.com/partnertree/shared/directory"
)

func main() {
	t, log := wiring.Table()
	dir := directory.New(t, time.Now)
	lambda.Start(api.New(operations.All(dir), t, dir.NoteUse, time.Now, log).Handle)
}
