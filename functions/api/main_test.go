package main

import (
	"testing"

	"example.com/partnertree/functions/internal/apitest"
)

func TestGoldenEvents(t *testing.T) { apitest.Golden(t) }
