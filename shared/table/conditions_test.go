package table_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/table/tabletest"
)

// The table keeps the contract, and would not without any one of its conditions: each is taken out of all that goes over the wire, and
// then a promise has to be broken in the keeping of which it has failed before. Conditions are the parts of a ConditionExpression that
// AND joins.
func TestTableKeepsTheContract(t *testing.T) {
	type keeper struct {
		promise directorytest.Promise
		took    time.Duration
	}
	keepers := map[string][]keeper{}
	for _, p := range directorytest.Promises() {
		t.Run(p.Name, func(t *testing.T) {
			w := &conditions{failed: map[string]bool{}}
			store, _ := tabletest.New(t, w.on)
			began := clocktest.Now()
			p.Test(t, store)
			for condition, failed := range w.failed {
				all := keepers[condition]
				if failed {
					all = append(all, keeper{p, clocktest.Now().Sub(began)})
				}
				keepers[condition] = all
			}
		})
	}
	if t.Failed() {
		return
	}
	if len(keepers) < len(directorytest.Conditions()) {
		t.Errorf("%d conditions were seen; a Fake alone has %d", len(keepers), len(directorytest.Conditions()))
	}
	for _, condition := range slices.Sorted(maps.Keys(keepers)) {
		t.Run("without "+condition, func(t *testing.T) {
			t.Parallel()
			by := keepers[condition]
			slices.SortFunc(by, func(a, b keeper) int { return int(a.took - b.took) })
			for _, k := range by {
				store, _ := tabletest.New(t, (&conditions{failed: map[string]bool{}, without: condition}).on)
				if k.promise.Broken(t, store) {
					return
				}
			}
			t.Errorf("every promise is kept, also the %d in which it has failed", len(by))
		})
	}
}

// conditions stands between a client and DynamoDB, notes every condition of a write and whether one ever failed, and takes one out.
type conditions struct {
	without string

	mu     sync.Mutex
	failed map[string]bool // by condition; of several of one item it is not known which
}

func (c *conditions) on(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: c} }

var wire = &http.Transport{MaxIdleConnsPerHost: 100}

// RoundTrip implements http.RoundTripper.
func (c *conditions) RoundTrip(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation != "TransactWriteItems" && operation != "UpdateItem" {
		return wire.RoundTrip(r)
	}
	var in map[string]any
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	var found [][]string // of each item
	if operation == "UpdateItem" {
		found = append(found, c.look("Alone", in))
	} else {
		for _, one := range in["TransactItems"].([]any) {
			for kind, w := range one.(map[string]any) {
				found = append(found, c.look(kind, w.(map[string]any)))
			}
		}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := wire.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	var out struct {
		Type                string `json:"__type"`
		CancellationReasons []struct{ Code string }
	}
	if err == nil && resp.StatusCode == http.StatusBadRequest {
		err = json.Unmarshal(answer, &out)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, all := range found {
		failed := strings.HasSuffix(out.Type, "ConditionalCheckFailedException") ||
			i < len(out.CancellationReasons) && out.CancellationReasons[i].Code == "ConditionalCheckFailed"
		for _, condition := range all {
			c.failed[condition] = c.failed[condition] || failed
		}
	}
	return resp, err
}

// always is a condition that holds.
const always = "(attribute_exists(nothing) OR attribute_not_exists(nothing))"

// look names the conditions of a write, and takes out the one that is not wanted.
func (c *conditions) look(kind string, w map[string]any) (found []string) {
	expression, ok := w["ConditionExpression"].(string)
	if !ok {
		return nil
	}
	names, _ := w["ExpressionAttributeNames"].(map[string]any)
	update, _ := w["UpdateExpression"].(string)
	what := kind + " " + itemOf(w) + aim(readable(update, names)) + ": "
	parts := conjuncts(expression)
	for i, part := range parts {
		condition := what + readable(part, names)
		found = append(found, condition)
		if condition == c.without {
			parts[i] = always
		}
	}
	expression = strings.Join(parts, " AND ")
	w["ConditionExpression"] = expression
	// DynamoDB takes no names and values that are not used.
	for _, attribute := range []string{"ExpressionAttributeNames", "ExpressionAttributeValues"} {
		all, _ := w[attribute].(map[string]any)
		used := map[string]any{}
		for _, ref := range references.FindAllString(update+" "+expression, -1) {
			if v, ok := all[ref]; ok {
				used[ref] = v
			}
		}
		delete(w, attribute)
		if len(used) > 0 {
			w[attribute] = used
		}
	}
	return found
}

// itemOf is what kind of item is written, by its key: all records are of one, since the table does not know them.
func itemOf(w map[string]any) string {
	k, ok := w["Key"].(map[string]any)
	if !ok {
		k = w["Item"].(map[string]any)
	}
	kind := func(name string) string {
		s := k[name].(map[string]any)["S"].(string)
		before, _, _ := strings.Cut(s, "#")
		return before
	}
	if kind(schema.SK) == "R" {
		return "record"
	}
	return kind(schema.PK) + "/" + kind(schema.SK)
}

// aim tells updates of a node apart by the first attributes that only one of the steps writes.
func aim(update string) string {
	written := words.FindAllString(update, -1)
	for _, names := range []string{"parent", "name", "owned", "ceiling path", "ceiling", "path", "uses", "heights"} {
		if !slices.ContainsFunc(strings.Fields(names), func(name string) bool { return !slices.Contains(written, name) }) {
			return " " + names
		}
	}
	return ""
}

var (
	words      = regexp.MustCompile(`\w+`)
	references = regexp.MustCompile(`[#:]\d+`)
	values     = regexp.MustCompile(`:\d+(, :\d+)*`)
	ids        = regexp.MustCompile(`\.(\w{3}_)?[0-9a-hjkmnp-tv-z]{16}\b`)
)

// readable is an expression with the names of attributes, and the same whatever the values are.
func readable(expression string, names map[string]any) string {
	s := references.ReplaceAllStringFunc(values.ReplaceAllString(expression, "?"), func(ref string) string { return fmt.Sprint(names[ref]) })
	return ids.ReplaceAllString(s, ".*")
}

// conjuncts are the parts of an expression that AND joins.
func conjuncts(expression string) (parts []string) {
	if !strings.Contains(expression, " AND ") {
		return []string{expression}
	}
	depth, from := 0, 0
	for i := range expression {
		switch expression[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ' ':
			if depth == 0 && strings.HasPrefix(expression[i:], " AND ") {
				parts, from = append(parts, expression[from:i]), i+len(" AND ")
			}
		}
	}
	return append(parts, expression[from:])
}
