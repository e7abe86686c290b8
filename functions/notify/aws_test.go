package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"example.com/partnertree/shared/mail"
)

var message = mail.Message{Sender: "Cobo Größe", To: address, Subject: "Größe: you are invited", Text: "text", HTML: "<p>html</p>"}

// sendTo sends the message to a service that answers with what answer writes for each try.
func sendTo(t *testing.T, answer func(try int, w http.ResponseWriter, body map[string]any)) (id string, tries int, err error) {
	t.Helper()
	var n atomic.Int32
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != "POST" || r.URL.Path != "/v2/email/outbound-emails" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		answer(int(n.Add(1)), w, body)
	}))
	defer service.Close()
	id, err = sendBy(t.Context(), service.URL, message)
	return id, int(n.Load()), err
}

func sendBy(ctx context.Context, endpoint string, m mail.Message) (string, error) {
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
	from := netmail.Address{Name: "Partner management", Address: "no-reply@mail.example"}
	s := newSES(cfg, from, "set")
	s.client = sesv2.New(s.client.Options(), func(o *sesv2.Options) { o.Retryer = impatient{o.Retryer.(aws.RetryerV2)} })
	return s.send(ctx, m, link{invitation, 3})
}

// impatient repeats what its retryer repeats, without the pauses, which are no longer than there is time for.
type impatient struct{ aws.RetryerV2 }

func (i impatient) RetryDelay(attempt int, failed error) (time.Duration, error) {
	pause, err := i.RetryerV2.RetryDelay(attempt, failed)
	if most := sendFor / time.Duration(i.MaxAttempts()); err == nil && pause > most {
		err = fmt.Errorf("a pause of %s, and there is time for %s", pause, most)
	}
	return 0, err
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Amzn-ErrorType", code)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"message":"Email address is not verified: ` + address + `"}`))
}

func TestAMailIsWhatSESIsAskedToSend(t *testing.T) {
	id, tries, err := sendTo(t, func(_ int, w http.ResponseWriter, body map[string]any) {
		got, _ := json.Marshal(body)
		const want = `{"ConfigurationSetName":"set","Content":{"Simple":{"Body":{"Html":{"Charset":"UTF-8","Data":"\u003cp\u003ehtml\u003c/p\u003e"},` +
			`"Text":{"Charset":"UTF-8","Data":"text"}},"Subject":{"Charset":"UTF-8","Data":"Größe: you are invited"}}},` +
			`"Destination":{"ToAddresses":["` + address + `"]},` +
			`"EmailTags":[{"Name":"invitation","Value":"inv_0000000000000011"},{"Name":"generation","Value":"3"}],` +
			`"FromEmailAddress":"=?utf-8?q?Cobo_Gr=C3=B6=C3=9Fe_via_Partner_management?= \u003cno-reply@mail.example\u003e"}`
		if string(got) != want {
			t.Errorf("asked for\n%s\nwant\n%s", got, want)
		}
		_, _ = w.Write([]byte(`{"MessageId":"ses-1"}`))
	})
	if id != "ses-1" || tries != 1 || err != nil {
		t.Errorf("%q after %d tries: %v", id, tries, err)
	}
}

// Mail programs decode encoded words. One that somebody has typed is shown as it was typed, in the subject and in the name of the sender.
func TestWhatLooksEncodedIsShownAsItWasTyped(t *testing.T) {
	const trap = "=?utf-8?q?=0D=0ABcc:_x=40evil.example?="
	typed := message
	typed.Sender, typed.Subject = "Größe "+trap, `Partner management: you are invited to "`+strings.Repeat("ö", 40)+trap+`"`
	var from, subject string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			FromEmailAddress string
			Content          struct {
				Simple struct{ Subject struct{ Data string } }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		from, subject = body.FromEmailAddress, body.Content.Simple.Subject.Data
		_, _ = w.Write([]byte(`{"MessageId":"ses-1"}`))
	}))
	defer service.Close()
	if _, err := sendBy(t.Context(), service.URL, typed); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(from+subject, trap) {
		t.Errorf("raw: %s, %s", from, subject)
	}
	parsed, err := netmail.ParseAddress(from)
	if err != nil || parsed.Name != typed.Sender+" via Partner management" || parsed.Address != "no-reply@mail.example" {
		t.Errorf("from %+v, %v", parsed, err)
	}
	if got, err := new(mime.WordDecoder).DecodeHeader(subject); err != nil || got != typed.Subject {
		t.Errorf("subject %q, %v", got, err)
	}
	for _, word := range strings.Fields(subject) {
		if len(word) > 75 {
			t.Errorf("an encoded word of %d characters", len(word))
		}
	}
}

func TestOnlyWhatWasNotSentIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func(try int, w http.ResponseWriter, _ map[string]any)
		tries   int
		refused bool
		want    string
	}{
		"too fast at first": {func(try int, w http.ResponseWriter, _ map[string]any) {
			if try < 3 {
				refuse(w, 429, "TooManyRequestsException")
				return
			}
			_, _ = w.Write([]byte(`{"MessageId":"ses-1"}`))
		}, 3, false, ""},
		"too fast for long": {func(_ int, w http.ResponseWriter, _ map[string]any) { refuse(w, 429, "TooManyRequestsException") }, 4, true,
			"TooManyRequestsException"},
		"refused": {func(_ int, w http.ResponseWriter, _ map[string]any) { refuse(w, 400, "MessageRejected") }, 1, true, "MessageRejected"},
		"a fault": {func(_ int, w http.ResponseWriter, _ map[string]any) { refuse(w, 500, "InternalServiceErrorException") }, 1, false,
			"SES answered 500"},
		"cut off": {func(_ int, w http.ResponseWriter, _ map[string]any) { panic(http.ErrAbortHandler) }, 1, false, "SES does not answer"},
	} {
		_, tries, err := sendTo(t, c.answer)
		var r refusal
		if tries != c.tries || errors.As(err, &r) != c.refused || (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s: %d tries, %v; want %d, %q (refused: %v)", name, tries, err, c.tries, c.want, c.refused)
		}
		if err != nil && strings.Contains(err.Error(), "@") {
			t.Errorf("%s: the error has an address: %v", name, err)
		}
	}
}

func TestAServiceThatIsNotThereHasSentNothing(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	var r refusal
	if _, err := sendBy(t.Context(), gone.URL, message); !errors.As(err, &r) {
		t.Errorf("%v", err)
	}
}

func TestAServiceThatIsSilentMayHaveSentIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	end := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer silent.Close()
	defer close(end)
	var r refusal
	if _, err := sendBy(ctx, silent.URL, message); err == nil || errors.As(err, &r) {
		t.Errorf("%v", err)
	}
}
