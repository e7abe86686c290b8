package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"example.com/partnertree/functions/internal/signed"
	"example.com/partnertree/shared/guest"
)

// guestFor bounds the making of a guest: the time of the function guests, and a start.
const guestFor = 12 * time.Second

// invoked has the function guests make them.
type invoked struct {
	lambda signed.Service
	path   string
}

// newGuests invokes the function by its name.
// Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func newGuests(cfg aws.Config, function string) *invoked {
	return &invoked{signed.Service{Name: "lambda", Config: cfg}, "/2015-03-31/functions/" + function + "/invocations"}
}

func (g *invoked) make(ctx context.Context, o guest.Order) (guest.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, guestFor)
	defer cancel()
	order, err := json.Marshal(o)
	if err != nil {
		return guest.Outcome{}, err
	}
	answer, err := g.lambda.Post(ctx, g.path, "application/json", order)
	var out guest.Outcome
	switch {
	case err != nil:
		return guest.Outcome{}, errors.New("lambda does not answer")
	case answer.Status != http.StatusOK:
		return guest.Outcome{}, errors.New("lambda answered " + strconv.Itoa(answer.Status))
	case answer.Header.Get("X-Amz-Function-Error") != "": // which its own log explains
		return guest.Outcome{}, errors.New("the function guests failed")
	case json.Unmarshal(answer.Body, &out) != nil:
		return guest.Outcome{}, errors.New("the function guests gave no outcome")
	case out.Refused == "" && (out.Object == "") != (out.RedeemURL == ""):
		return guest.Outcome{}, errors.New("the function guests gave half an outcome")
	}
	return out, nil
}
