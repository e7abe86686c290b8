package main

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"example.com/partnertree/shared/mail"
)

// Tags of a mail, by which what becomes of it finds back to its invitation.
const (
	tagInvitation = "invitation"
	tagGeneration = "generation"
)

// sendFor bounds one mail with its repetitions.
const sendFor = 10 * time.Second

// ses sends by Amazon SES.
type ses struct {
	client *sesv2.Client
	from   netmail.Address
	set    string // configuration set
}

// newSES sends from an address whose name is the platform's. A call is repeated only after an error that says that nothing was sent.
func newSES(cfg aws.Config, from netmail.Address, set string) *ses {
	return &ses{sesv2.NewFromConfig(cfg, func(o *sesv2.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 4, time.Second, ratelimit.None
			o.Retryables = []retry.IsErrorRetryable{
				retry.RetryableErrorCode{Codes: retry.DefaultThrottleErrorCodes}, retry.IsErrorRetryableFunc(neverConnected),
			}
		})
	}), from, set}
}

func (s *ses) send(ctx context.Context, m mail.Message, about link) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	from := s.from
	if m.Sender != "" {
		from.Name = m.Sender + " via " + from.Name
	}
	sender, subject := from.String(), m.Subject
	if encoded, needed := asTyped(from.Name); needed {
		from.Name = ""
		sender = encoded + " " + from.String()
	}
	if encoded, needed := asTyped(subject); needed {
		subject = encoded
	}
	out, err := s.client.SendEmail(ctx, &sesv2.SendEmailInput{
		FromEmailAddress: &sender, Destination: &types.Destination{ToAddresses: []string{m.To}},
		ConfigurationSetName: &s.set,
		EmailTags: []types.MessageTag{
			tag(tagInvitation, string(about.invitation)), tag(tagGeneration, strconv.Itoa(about.generation)),
		},
		Content: &types.EmailContent{Simple: &types.Message{
			Subject: content(subject), Body: &types.Body{Text: content(m.Text), Html: content(m.HTML)},
		}},
	})
	if err != nil {
		return "", classify(err)
	}
	return aws.ToString(out.MessageId), nil
}

// asTyped encodes a text that has the beginning of an encoded word (RFC 2047) in it, so that mail programs show it as it is: they would
// decode what somebody has typed, into whatever they wanted. All else does not need it: SES and net/mail encode what is not ASCII.
func asTyped(s string) (encoded string, needed bool) {
	if !strings.Contains(s, "=?") {
		return s, false
	}
	const most = 42 // bytes in one encoded word, which has at most 75 characters
	var words []string
	for len(s) > 0 {
		n := min(len(s), most)
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " "), true
}

func tag(name, value string) types.MessageTag { return types.MessageTag{Name: &name, Value: &value} }

func content(s string) *types.Content { return &types.Content{Data: &s, Charset: aws.String("UTF-8")} }

// classify keeps of an error what is no secret: texts of Amazon SES have addresses in them. It is a refusal when nothing was sent: when
// SES blames the request, its rate included, or was never reached.
func classify(err error) error {
	var answered *awshttp.ResponseError
	var api smithy.APIError
	status := 0
	if errors.As(err, &answered) {
		status = answered.HTTPStatusCode() // 0 when there was no answer
	}
	switch {
	case neverConnected(err) == aws.TrueTernary:
		return refusal("SES cannot be reached")
	case status/100 == 4 && errors.As(err, &api):
		return refusal(api.ErrorCode())
	case status == 0:
		return errors.New("SES does not answer")
	default:
		return errors.New("SES answered " + strconv.Itoa(status))
	}
}

// neverConnected is true of an error from before anything was sent.
func neverConnected(err error) aws.Ternary {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}
