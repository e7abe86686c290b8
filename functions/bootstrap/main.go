// Command bootstrap is the Lambda function that makes the root of the tree and its first owner, once, and that gives an
// owner of the root a new key when all are lost. It is behind no API: whoever may invoke it has been given that right in
// AWS. Its answer holds the owner's API key, which is shown nowhere else and never again.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/wiring"
	"example.com/partnertree/shared/directory"
)

func main() {
	t, log := wiring.Table()
	b := &bootstrap{directory: directory.New(t, time.Now), log: log}
	lambda.Start(b.handle)
}
