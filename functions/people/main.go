// Command people is the Lambda function that serves the API's operations on its part of the contract.
package main

import (
	"example.com/partnertree/functions/internal/api"
	"example.com/partnertree/functions/internal/operations"
)

func main() { api.Start("people", operations.People) }
