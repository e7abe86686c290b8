// Command authorizer is the Lambda function that tells API Gateway who is calling, and never what they may do: the
// functions decide that with every request, so that taking access away counts at once although this answer is cached.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/shared/table"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	t, err := table.Open(os.Getenv("TABLE_NAME"))
	if err != nil {
		log.Error("start", "cause", err.Error())
		os.Exit(1)
	}
	a := &authorizer{store: t, log: log}
	lambda.Start(a.handle)
}
