package api

import (
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/table"
)

// Start runs a function of the API in Lambda, on the table that TABLE_NAME names. It does not return.
func Start(function string, operations func(*directory.Directory) map[string]Operation) {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	t, err := table.Open(os.Getenv("TABLE_NAME"))
	if err != nil {
		log.Error("start", "cause", err.Error())
		os.Exit(1)
	}
	lambda.Start(New(function, operations(directory.New(t, time.Now)), t, time.Now, log).Handle)
}
