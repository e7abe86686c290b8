package main

import (
	"testing"

	"example.com/partnertree/functions/internal/apitest"
	"example.com/partnertree/functions/internal/operations"
)

func TestGoldenEvents(t *testing.T) { apitest.Golden(t, "hierarchy", operations.Hierarchy) }
