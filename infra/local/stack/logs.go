package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Logs are the lines in all log groups of the deployment, by group, and of what runs beside it, by the names of their files.
func (s *Stack) Logs(ctx context.Context) (map[string][]string, error) {
	var groups struct {
		LogGroups []struct{ LogGroupName string }
	}
	if err := s.logs(ctx, "DescribeLogGroups", map[string]any{}, &groups); err != nil {
		return nil, err
	}
	lines := map[string][]string{}
	for _, file := range []string{cloudLog, doubleLog} {
		content, err := os.ReadFile(filepath.Join(s.state, file))
		if err != nil {
			return nil, err
		}
		lines[file] = strings.Split(string(content), "\n")
	}
	for _, g := range groups.LogGroups {
		for token := ""; ; {
			in := map[string]any{"logGroupName": g.LogGroupName}
			if token != "" {
				in["nextToken"] = token
			}
			var page struct {
				Events    []struct{ Message string }
				NextToken string
			}
			if err := s.logs(ctx, "FilterLogEvents", in, &page); err != nil {
				return nil, err
			}
			for _, e := range page.Events {
				lines[g.LogGroupName] = append(lines[g.LogGroupName], e.Message)
			}
			if token = page.NextToken; token == "" {
				break
			}
		}
	}
	return lines, nil
}

// logs makes one call of CloudWatch Logs.
func (s *Stack) logs(ctx context.Context, action string, in, out any) error {
	return s.call(ctx, "logs", "Logs_20140328."+action, in, out)
}

// call makes one call of a service that is addressed by a target, as lambda does of Lambda.
func (s *Stack) call(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Cloud, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", target)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	if err := sign(req, body, service, s.Region); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s: %s", target, resp.Status, why)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
