// Package signed sends single requests to services of AWS whose SDK clients would cost every start of a function more than they do for it.
package signed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Service is one service of AWS in the region of the configuration.
type Service struct {
	Name      string // as in its host names and in signatures
	Config    aws.Config
	Transport http.RoundTripper // http.DefaultTransport when nil
}

// Answer is what a service answered, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

const maxAnswer = 1 << 20

// Post sends a request, once. The error says that there is no answer.
func (s *Service) Post(ctx context.Context, path, media string, body []byte) (Answer, error) {
	endpoint := "https://" + s.Name + "." + s.Config.Region + ".amazonaws.com"
	if s.Config.BaseEndpoint != nil {
		endpoint = *s.Config.BaseEndpoint
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	r.Header.Set("Content-Type", media)
	key, err := s.Config.Credentials.Retrieve(ctx)
	if err != nil {
		return Answer{}, err
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, key, r, hex.EncodeToString(sum[:]), s.Name, s.Config.Region, time.Now()); err != nil {
		return Answer{}, err
	}
	client := http.Client{Transport: s.Transport}
	answer, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return Answer{answer.StatusCode, answer.Header, content}, err
}
