package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// granting is the part of a stack's template that tells what its roles may do.
type granting struct {
	Resources map[string]struct {
		Type       string
		Properties json.RawMessage
	}
}

// policy is what an AWS::IAM::Policy gives to roles.
type policy struct {
	Roles          []struct{ Ref string }
	PolicyDocument struct{ Statement []statement }
}

type statement struct {
	Effect    string
	Action    texts
	Resource  json.RawMessage
	Condition map[string]map[string]json.RawMessage
}

// texts is a list that is written without brackets when it has one element.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(t))
	}
	*t = make(texts, 1)
	return json.Unmarshal(b, &(*t)[0])
}

// UnusedRights returns the rights that the deployment gives to roles and that nobody has used since it was started, in words: role, action,
// and of rights to some items of the table the beginning of their keys. It fails when no right was used at all.
func (s *Stack) UnusedRights() ([]string, error) {
	granted, err := s.granted()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(s.state, "rights.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("no right was used at all, so nothing is enforced: %w", err)
	}
	for line := range bytes.Lines(content) {
		var used struct{ Role, Action, Resource, Keys string }
		if err := json.Unmarshal(line, &used); err != nil {
			return nil, err
		}
		for _, right := range rights(used.Action, strings.Contains(used.Resource, "/index/"), []string{used.Keys, ""}) {
			for role := range granted {
				if strings.Contains(used.Role, role) { // its name begins with the stack's, and ends by chance
					delete(granted[role], right)
				}
			}
		}
	}
	var unused []string
	for role, rights := range granted {
		for right := range rights {
			unused = append(unused, role[:len(role)-8]+" "+right) // without the digits that the CDK adds
		}
	}
	slices.Sort(unused)
	return unused, nil
}

// granted returns the rights of each role, by the role's id in its template.
func (s *Stack) granted() (map[string]map[string]bool, error) {
	files, err := filepath.Glob(filepath.Join(s.state, "cdk.out", "*.template.json"))
	if err != nil {
		return nil, err
	}
	granted := map[string]map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var t granting
		if err := json.Unmarshal(content, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, r := range t.Resources {
			if r.Type != "AWS::IAM::Policy" {
				continue
			}
			var p policy
			if err := json.Unmarshal(r.Properties, &p); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			for _, st := range p.PolicyDocument.Statement {
				if st.Effect != "Allow" {
					continue
				}
				keys := []string{""}
				for operator, of := range st.Condition {
					if list, bound := of["dynamodb:LeadingKeys"]; bound && strings.HasSuffix(operator, ":StringLike") {
						var these texts
						if err := json.Unmarshal(list, &these); err != nil {
							return nil, fmt.Errorf("%s: %w", file, err)
						}
						keys = these
					}
				}
				for _, action := range st.Action {
					for _, role := range p.Roles {
						if granted[role.Ref] == nil {
							granted[role.Ref] = map[string]bool{}
						}
						for _, right := range rights(action, bytes.Contains(st.Resource, []byte("/index/")), keys) {
							granted[role.Ref][right] = true
						}
					}
				}
			}
		}
	}
	if len(granted) == 0 {
		return nil, errors.New("no role may do anything: the templates were not found")
	}
	return granted, nil
}

// rights returns what one action may be done with, as UnusedRights tells it.
func rights(action string, index bool, keys []string) []string {
	all := map[string]bool{}
	for _, key := range keys {
		right := action
		if index {
			right += " of the index"
		}
		if key = strings.TrimSuffix(key, "*"); key != "" {
			right += " " + key
		}
		all[right] = true
	}
	return slices.Sorted(maps.Keys(all))
}
