// Command bootstrap is the Lambda function that makes the root of the tree and its first owner, once, and that gives an
// owner of the root a new key when all are lost. It is behind no
// API: whoever may invoke it has been given that right in AWS. Its answer holds the owner's API key, which is shown
// nowhere else and never again.
package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/table"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	t, err := table.Open(os.Getenv("TABLE_NAME"))
	if err != nil {
		log.Error("start", "cause", err.Error())
		os.Exit(1)
	}
	b := &bootstrap{directory: directory.New(t, time.Now), log: log}
	lambda.Start(b.handle)
}
