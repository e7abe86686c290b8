// Command authorizer is the Lambda function that tells API Gateway who is calling, and never what they may do: the
// functions decide that with every request, so that taking access away counts at once although this answer is cached.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/wiring"
)

func main() {
	t, log := wiring.Table()
	a := &authorizer{store: t, log: log}
	lambda.Start(a.handle)
}
