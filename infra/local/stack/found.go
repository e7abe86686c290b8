package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Founder is the first owner of the root partner.
type Founder struct {
	PartnerID string `json:"partnerId"`
	ClientID  string `json:"clientId"`
	Key       string `json:"key"`
}

// found makes the root partner and its first owner. When they exist, it reads who they are from the file. made reports the first.
func (s *Stack) found(ctx context.Context, file string) (f Founder, made bool, err error) {
	err = s.Invoke(ctx, "bootstrap", map[string]string{"partnerName": "Cloudvendor", "clientName": "Founder"}, &f)
	if refused := (*FunctionError)(nil); errors.As(err, &refused) && refused.Type == "already-founded" {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return f, false, fmt.Errorf("the root partner exists but %s with its owner's key is gone: begin anew with %s", file, freshFlag)
		}
		if err != nil {
			return f, false, err
		}
		return f, false, json.Unmarshal(content, &f)
	}
	if err != nil {
		return f, false, fmt.Errorf("cannot make the root partner: %w", err)
	}
	content, err := json.Marshal(f)
	if err != nil {
		return f, false, err
	}
	return f, true, os.WriteFile(file, content, 0o600)
}
