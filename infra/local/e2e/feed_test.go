package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/partnertree/shared/directory"
)

// follower reads the feed of a partner, a few events at a time.
type follower struct {
	who    actor
	node   string
	cursor string

	got     []string // ids of events, as they came
	created []string // ids of customers whose creation it has to hear of
}

func (f *follower) poll() error {
	for {
		path := "/v1/partners/" + f.node + "/events?order=oldest&limit=3"
		if f.cursor != "" {
			path += "&cursor=" + f.cursor
		}
		got, err := f.who.send("GET", path, nil)
		var list struct {
			Items []struct{ ID string }
			Next  string
		}
		if err == nil {
			err = json.Unmarshal(got.body, &list)
		}
		if err != nil || got.status != 200 || list.Next == "" {
			return fmt.Errorf("%s: %d %s (%w)", path, got.status, got.body, err)
		}
		f.cursor = list.Next
		for _, e := range list.Items {
			f.got = append(f.got, e.ID)
		}
		if len(list.Items) == 0 {
			return nil
		}
	}
}

// happened is an event as a log lists it.
type happened struct{ ID, Type, NodeID string }

// log is the whole log of a partner, the newest first.
func (a actor) log(t *testing.T, node string) (all []happened) {
	t.Helper()
	for cursor := ""; ; {
		got := a.do(t, 200, "GET", "/v1/partners/"+node+"/events?limit=20"+cursor, nil)
		var list struct {
			Items []happened
			Next  string
		}
		if err := json.Unmarshal(got.body, &list); err != nil {
			t.Fatal(err)
		}
		if all = append(all, list.Items...); list.Next == "" {
			return all
		}
		cursor = "&cursor=" + list.Next
	}
}

func TestAFeedMissesNothingAndRepeatsNothingWhileABranchMoves(t *testing.T) {
	t.Parallel() // it waits for the feed to come
	f, b := founder(), branches(t, "followed", 5)
	left, right := &follower{who: b.here, node: b.left}, &follower{who: b.there, node: b.right}
	inside := &follower{who: b.inside, node: b.moved}
	all := []*follower{left, right, inside}
	stop, stopped := make(chan struct{}), make(chan error, len(all))
	for _, one := range all {
		go func() {
			for {
				if err := one.poll(); err != nil {
					stopped <- err
					return
				}
				select {
				case <-stop:
					stopped <- one.poll()
					return
				case <-time.After(300 * time.Millisecond):
				}
			}
		}()
	}
	creates := func(partner, name string, seenBy ...*follower) {
		t.Helper()
		id := f.do(t, 201, "POST", "/v1/customers", map[string]any{"partnerId": partner, "name": name, "brandId": b.brand}).get(t, "id")
		for _, one := range seenBy {
			one.created = append(one.created, id)
		}
	}
	const moves = 10
	from, to := left, right
	for range moves {
		for range 3 {
			creates(b.moved, "Within", from, inside)
			creates(to.node, "Beside", to)
		}
		f.moves(t, b.moved, to.node)
		from, to = to, from
	}
	time.Sleep(directory.FeedDelay + time.Second)
	close(stop)
	for range all {
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
	}
	for i, one := range all {
		var log, created []string
		moved := 0
		for _, e := range one.who.log(t, one.node) {
			log = append(log, e.ID)
			switch {
			case e.Type == "partner.moved" && e.NodeID == b.moved:
				moved++
			case e.Type == "customer.created" && !slices.Contains(b.customers, e.NodeID):
				created = append(created, e.NodeID)
			}
		}
		slices.Reverse(log)
		slices.Reverse(created)
		if moved != moves || !slices.Equal(created, one.created) {
			t.Errorf("the log of follower %d has %d moves and %d creations, want %d and %d", i, moved, len(created), moves, len(one.created))
		}
		if !slices.Equal(one.got, log) {
			t.Errorf("follower %d has read %d events, the log has %d, or they are in another order", i, len(one.got), len(log))
		}
		t.Logf("follower %d: %d events", i, len(one.got))
	}
}
