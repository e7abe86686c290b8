package api

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"example.com/partnertree/functions/internal/wiring"
	"example.com/partnertree/shared/directory"
)

// Start runs a function of the API in Lambda, on the table that TABLE_NAME names. It does not return.
func Start(function string, operations func(*directory.Directory) map[string]Operation) {
	t, log := wiring.Table()
	lambda.Start(New(function, operations(directory.New(t, time.Now)), t, time.Now, log).Handle)
}
