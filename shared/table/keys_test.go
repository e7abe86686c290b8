package table

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

var update = flag.Bool("update", false, "write testdata/keys.golden anew")

// A key that changes loses what is stored under it, so a difference here needs a migration.
func TestKeysAreThoseOfTheListing(t *testing.T) {
	const (
		root     ident.Node      = "ptn_0000000000000000"
		partner  ident.Node      = "ptn_0h3k9m2v7x4q8r1t"
		customer ident.Node      = "cus_5xw2c9d3n8p6a1ze"
		client   ident.Principal = "cli_7bq4m1k8s2v9f3gh"
		person   ident.Principal = "usr_8nd5p2x7r4t1v6wy"
		brand    ident.Brand     = "brd_3jr6t9y2w5e8a1cd"
	)
	when := time.Date(2026, 11, 22, 22, 40, 5, 67_000, time.FixedZone("", 3600))
	invitation := &directory.Invitation{ID: "inv_4z8s1b6w3m9q7k2d", Node: partner, Created: when}
	request := &directory.MoveRequest{ID: "mrq_6d1f8h3k0n5r9t2w", Node: customer, To: partner, Created: when}
	path := hierarchy.Path("").Child(root).Child(partner).Child(customer)
	s, ok := shardOf(path)
	if !ok {
		t.Error("a customer has no shard")
	}
	if own, _ := shardOf(path.To(1)); own != s {
		t.Errorf("a partner is in shard %d and what is below it in %d", own, s)
	}
	if _, ok := shardOf(path.To(0)); ok {
		t.Error("the root has a shard")
	}
	low, high := below(path.To(1), "")
	after, _ := below(path.To(1), string(customer)+"/")
	var b strings.Builder
	for _, line := range []struct {
		what string
		key  key
	}{
		{"node", nodeKey(partner)},
		{"child, a partner", childKey(root, partner, "Vazon Bay IT")},
		{"child, a customer", childKey(partner, customer, "Bäckerei #1 ÅNGSTRÖM")},
		{"grant", grantKey(partner, client)},
		{"grant, of a person", grantKey(partner, person)},
		{"event", eventKey(partner, &event.Event{ID: "evt_1a2b3c4d5e6f7g8h", Node: customer, Time: when})},
		{"past", pastKey(&event.Event{ID: "evt_1a2b3c4d5e6f7g8h", Node: customer, Time: when})},
		{"asked move", askedKey(partner, request)},
		{"open request", openKey(customer)},
		{"invited", invitedKey(invitation)},
		{"invited a day", invitingKey(partner, when)},
		{"links a day, to an address", linksKey(strings.Repeat("0a", 32), when)},
		{"links a day, by somebody", linksKey(string(person), when)},
		{"client", clientKey(client)},
		{"person", clientKey(person)},
		{"brand", brandKey(brand)},
		{"logo", logoKey(brand)},
		{"domain", domainKey("vazonbay.example")},
		{"tree state", treeKey(treeCopies - 1)},
		{"memo", memoKey(directory.MemoKey{Principal: client, Key: "8e03978e-40d5-43e8-bc93-6894a57f9324"})},
		{"rate", rateKey("key_2p6s0v4y8b3e7h1k", when)},
		{"progress", progressKey("chg_9m4x7c2v8k1q5r3w")},
		{"move request", requestKey(request.ID)},
		{"invitation", invitationKey(invitation.ID)},
		{"keyring", keyringKey()},
		{"due", dueKey(directory.PurgeEntry{Node: customer, Since: when})},
		{"index subtree", key{shard(s, false), string(path)}},
		{"index subtree, in the trash", key{shard(s, true), string(path)}},
		{"below a partner, from", key{shard(s, false), low}},
		{"below a partner, to", key{shard(s, false), high}},
		{"below a partner, after a customer", key{shard(s, false), after}},
	} {
		fmt.Fprintf(&b, "%-34s %-25q %q\n", line.what, line.key.pk, line.key.sk)
	}
	const golden = "testdata/keys.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
}

func TestShardsAreOfAboutTheSameSize(t *testing.T) {
	var sizes [shards]int
	const many = 16_000
	root := hierarchy.Path("").Child(ident.NewPartner())
	for range many {
		s, _ := shardOf(root.Child(ident.NewPartner()))
		sizes[s]++
	}
	for s, n := range sizes {
		if n < many/shards*3/4 || n > many/shards*5/4 {
			t.Errorf("shard %d has %d of %d", s, n, many)
		}
	}
}
