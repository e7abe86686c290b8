// Command portal is the Lambda function that serves what anybody may read: the API reference, the contract, the page of
// each problem type and a home page. All of it is in the binary: nothing is read from anywhere, and nobody is asked who
// they are. It also answers for every address that the API does not have.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(handle) }
