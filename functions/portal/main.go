// Command portal is the Lambda function that people meet in a browser: it signs them in with Microsoft, shows them what they are invited to
// and what they have access to, and signs them out. It also serves what anybody may read (the API reference, the contract, the page of each
// problem type, a home page), and answers for every address that the API does not have.
//
// Its pages are made here and need no script. Who reads them is found from a cookie that only the platform can have made, and is looked up
// again for each page. What is secret (cookies, tokens, codes) and what is personal (addresses) is in no log and in no address of ours.
package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	// Without a monotonic reading, which stands still while Lambda freezes the process.
	now := func() time.Time { return time.Now().Round(0) }
	lambda.Start(configured(os.Getenv, now, log).handle)
}
