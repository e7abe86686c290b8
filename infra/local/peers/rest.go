package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// rest is a JSON API.
type rest struct {
	base, token string
	client      *http.Client
}

func newREST(address, token string) *rest {
	return &rest{"http://" + address, token, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
}

// healthy asks for a path that answers when the server is ready.
func (r *rest) healthy(path string) func() error {
	return func() error {
		resp, err := r.client.Get(r.base + path)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, resp.Status)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
}

// post sends a request and decodes the answer.
func (r *rest) post(ctx context.Context, path string, in, answer any) error {
	body, err := r.send(ctx, path, in)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(answer)
}

// send sends a request and returns what is answered when that is no error.
func (r *rest) send(ctx context.Context, path string, in any) (io.ReadCloser, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, errors.Join(fmt.Errorf("%s: %s: %s", path, resp.Status, text), resp.Body.Close())
	}
	return resp.Body, nil
}

// object is JSON that is sent.
type object = map[string]any
