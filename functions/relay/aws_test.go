package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// service plays an AWS service over HTTP, for the real clients: it answers every call with do, and keeps what came.
type service struct {
	url    string
	bodies []string
}

func serve(t *testing.T, do func(call int, body string) (status int, answer string)) *service {
	s := &service{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.bodies = append(s.bodies, string(body))
		status, answer := do(len(s.bodies), string(body))
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *service) config() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &s.url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
}

// impatientBus is a bus whose calls are repeated as always, without the pauses, which are no longer than there is time for.
func impatientBus(s *service) *eventBus {
	b := newEventBus(s.config(), "b")
	b.client = eventbridge.New(b.client.Options(), func(o *eventbridge.Options) { o.Retryer = impatient{o.Retryer.(aws.RetryerV2)} })
	return b
}

type impatient struct{ aws.RetryerV2 }

func (i impatient) RetryDelay(attempt int, failed error) (time.Duration, error) {
	pause, err := i.RetryerV2.RetryDelay(attempt, failed)
	if most := callDeadline / time.Duration(i.MaxAttempts()); err == nil && pause > most {
		err = fmt.Errorf("a pause of %s, and there is time for %s", pause, most)
	}
	return 0, err
}

func fixed(status int, answer string) func(int, string) (int, string) {
	return func(int, string) (int, string) { return status, answer }
}

var two = []message{
	{id: "evt_1", source: "partnertree", kind: "partner.created", time: time.Unix(1789028065, 0).UTC(), detail: `{"id":"evt_1"}`},
	{id: "evt_2", source: "partnertree", kind: "partner.edited", time: time.Unix(1789028066, 0).UTC(), detail: `{"id":"evt_2"}`},
}

func TestEventsReachTheBusAsTheyAre(t *testing.T) {
	s := serve(t, fixed(200, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"},{"EventId":"2"}]}`))
	outcomes, err := newEventBus(s.config(), "partnertree-prod").put(t.Context(), two)
	if err != nil || len(outcomes) != 2 || outcomes[0] != nil || outcomes[1] != nil {
		t.Fatalf("%v, %v", outcomes, err)
	}
	var in struct{ Entries []map[string]any }
	if err := json.Unmarshal([]byte(s.bodies[0]), &in); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(in.Entries)
	want := "[map[Detail:{\"id\":\"evt_1\"}" +
		" DetailType:partner.created EventBusName:partnertree-prod Source:partnertree Time:1.789028065e+09]" +
		" map[Detail:{\"id\":\"evt_2\"} DetailType:partner.edited EventBusName:partnertree-prod Source:partnertree Time:1.789028066e+09]]"
	if got != want {
		t.Errorf("sent\n%s, want\n%s", got, want)
	}
}

func TestWhatTheBusSaysOfOneEvent(t *testing.T) {
	tests := []struct {
		answer string
		want   string // refused, failed or taken
	}{
		{`{"EventId":"1"}`, "taken"},
		{`{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}`, "failed"},
		{`{"ErrorCode":"InternalFailure"}`, "failed"},
		{`{}`, "failed"},
		{`{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}`, "refused"},
		{`{"ErrorCode":"NotAuthorizedForSourceException"}`, "refused"},
	}
	for _, tt := range tests {
		s := serve(t, fixed(200, `{"FailedEntryCount":1,"Entries":[{"EventId":"0"},`+tt.answer+`]}`))
		outcomes, err := newEventBus(s.config(), "b").put(t.Context(), two)
		if err != nil || len(outcomes) != 2 || outcomes[0] != nil {
			t.Fatalf("%s: %v, %v", tt.answer, outcomes, err)
		}
		if got := verdict(outcomes[1]); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.answer, got, tt.want)
		}
	}
}

func verdict(err error) string {
	switch {
	case err == nil:
		return "taken"
	case isRefusal(err):
		return "refused"
	default:
		return "failed"
	}
}

func TestWhatTheBusSaysOfAWholeCall(t *testing.T) {
	tests := []struct {
		status int
		answer string
		calls  int
		want   string
	}{
		{400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, 3, "failed"},
		{500, `{"__type":"InternalException"}`, 3, "failed"},
		{503, `busy`, 3, "failed"},
		{400, `{"__type":"ValidationException","message":"Total size of the entries in the request is over the limit."}`, 1, "refused"},
		{400, `{"__type":"AccessDeniedException","message":"no"}`, 1, "refused"},
		{400, `{"__type":"ResourceNotFoundException","message":"no bus"}`, 1, "refused"},
		{200, `not json`, 1, "failed"},
	}
	for _, tt := range tests {
		t.Run(tt.answer, func(t *testing.T) {
			t.Parallel()
			s := serve(t, fixed(tt.status, tt.answer))
			_, err := impatientBus(s).put(t.Context(), two)
			if got := verdict(err); got != tt.want || len(s.bodies) != tt.calls {
				t.Errorf("%s after %d calls (%v), want %s after %d", got, len(s.bodies), err, tt.want, tt.calls)
			}
		})
	}
}

func TestABusThatDoesNotAnswerHasFailedAndRefusedNothing(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := &service{url: gone.URL}
	if _, err := impatientBus(s).put(t.Context(), two); verdict(err) != "failed" {
		t.Errorf("connection refused: %s (%v)", verdict(err), err)
	}
	slow := serve(t, func(int, string) (int, string) { time.Sleep(200 * time.Millisecond); return 200, `{}` })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := newEventBus(slow.config(), "b").put(ctx, two); verdict(err) != "failed" {
		t.Errorf("out of time: %s (%v)", verdict(err), err)
	}
}

func TestAThrottledCallIsRepeatedAndSucceeds(t *testing.T) {
	s := serve(t, func(call int, _ string) (int, string) {
		if call < 3 {
			return 400, `{"__type":"ThrottlingException"}`
		}
		return 200, `{"Entries":[{"EventId":"1"},{"EventId":"2"}]}`
	})
	if outcomes, err := impatientBus(s).put(t.Context(), two); err != nil || len(outcomes) != 2 {
		t.Errorf("%v, %v", outcomes, err)
	}
}

// SQS answers with the MD5 of what it got, which the client compares with what it has sent.
func TestWhatGoesIntoTheQueue(t *testing.T) {
	type sent struct {
		QueueUrl, MessageBody string
		MessageAttributes     map[string]struct{ DataType, StringValue string }
	}
	var in sent
	s := serve(t, func(_ int, body string) (int, string) {
		in = sent{}
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			t.Error(err)
		}
		sum := md5.Sum([]byte(in.MessageBody))
		return 200, `{"MessageId":"1","MD5OfMessageBody":"` + hex.EncodeToString(sum[:]) + `"}`
	})
	q := newUndelivered(s.config(), "https://sqs.eu-west-1.amazonaws.com/1/undelivered")
	if err := q.send(t.Context(), "{\"name\":\"odd \uffff\ufffe name\"}", "MalformedDetail"); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(in.MessageBody, "\uffff\ufffe") {
		t.Error("the body has characters that SQS refuses")
	}
	var back struct{ Name string }
	if err := json.Unmarshal([]byte(in.MessageBody), &back); err != nil || back.Name != "odd \uffff\ufffe name" {
		t.Errorf("the body says %q, %v", back.Name, err)
	}
	if a := in.MessageAttributes["reason"]; a.DataType != "String" || a.StringValue != "MalformedDetail" ||
		in.QueueUrl != "https://sqs.eu-west-1.amazonaws.com/1/undelivered" {
		t.Errorf("sent %+v", in)
	}

	s = serve(t, fixed(400, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}`))
	if err := newUndelivered(s.config(), "https://x/1/q").send(t.Context(), "{}", "x"); err == nil {
		t.Error("a queue that does not exist took a message")
	}
}
