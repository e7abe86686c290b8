// Command install downloads DynamoDB Local into the module's ignored folder .local/dynamodb, so that tests find it there.
package main

import (
	"fmt"
	"os"

	"example.com/partnertree/shared/table/tabletest"
)

func main() {
	dir, err := tabletest.Install()
	if err != nil {
		fmt.Fprintln(os.Stderr, "DynamoDB Local:", err)
		os.Exit(1)
	}
	fmt.Println("DynamoDB Local is in", dir)
}
