package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// api is the product's API as one caller uses it.
type api struct{ url, key string }

// attempts is how often a request that the API asks to repeat is made.
const attempts = 6

// post creates something. The idempotency key makes a repeated seeding find what an interrupted one made.
func (a api) post(ctx context.Context, path, idempotencyKey string, in, out any) error {
	return a.do(ctx, http.MethodPost, path, map[string]string{"Idempotency-Key": idempotencyKey}, in, out)
}

func (a api) patch(ctx context.Context, path string, in, out any) error {
	return a.do(ctx, http.MethodPatch, path, nil, in, out)
}

func (a api) delete(ctx context.Context, path string) error {
	return a.do(ctx, http.MethodDelete, path, nil, nil, &struct{}{})
}

func (a api) get(ctx context.Context, path string, out any) error {
	return a.do(ctx, http.MethodGet, path, nil, nil, out)
}

func (a api) do(ctx context.Context, method, path string, headers map[string]string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	for attempt := 1; ; attempt++ {
		wait, err := a.try(ctx, method, path, headers, body, out)
		if wait == 0 || attempt == attempts {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try makes one request. When it may succeed later, it answers how long to wait.
func (a api) try(ctx context.Context, method, path string, headers map[string]string, body []byte, out any) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode < 300 {
		return 0, json.Unmarshal(content, out)
	}
	err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, content)
	switch resp.StatusCode {
	case http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if seconds, e := strconv.Atoi(resp.Header.Get("Retry-After")); e == nil {
			return time.Duration(seconds) * time.Second, err
		}
		return 200 * time.Millisecond, err
	}
	return 0, err
}
