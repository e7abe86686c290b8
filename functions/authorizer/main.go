// Command authorizer is the Lambda function that tells API Gateway who is calling, and never what they may do: the
// functions decide that with every request, so that taking access away counts at once although this answer is cached.
package main

import (
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/wiring"
)

func main() {
	t, log := wiring.Table()
	// Without a monotonic reading, which stands still while Lambda freezes the process: keys and sites would stay young.
	now := func() time.Time { return time.Now().Round(0) }
	lambda.Start(configured(t, os.Getenv, now, log).handle)
}
