package table

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/clocktest"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/word"
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
		red      ident.Brand     = "brd_3jr6t9y2w5e8a1cd"
	)
	when := time.Date(2026, 11, 22, 22, 40, 5, 67_000, time.FixedZone("", 3600))
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
		{"event", eventKey(partner, &event.Event{ID: "evt_1a2b3c4d5e6f7g8h", Node: customer, Time: when})},
		{"past", pastKey(&event.Event{ID: "evt_1a2b3c4d5e6f7g8h", Node: customer, Time: when})},
		{"entry of a list that stays", entryKey(partner, access.GrantsAt.Listing, string(client))},
		{"entry of a list that goes", entryKey(partner, directory.MoveRequestsAt.Listing, record.Time(when)+"#mrq_6d1f8h3k0n5r9t2w")},
		{"entry of a list that goes with all", entryKey(partner, directory.InvitationsAt.Listing, record.Time(when)+"#inv_4z8s1b6w3m9q7k2d")},
		{"count at a node", countKey(directory.Count{Node: partner, Key: "invitations", At: when})},
		{"count", countKey(directory.Count{Key: "link-" + string(person), At: when})},
		{"term, a word", termKey(string(customer), word.Term{Field: word.Text, Word: word.Fold("Bäckerei")})},
		{"term, an ideograph", termKey(string(partner), word.Term{Field: word.Text, Word: word.Fold("日")})},
		{"term, a value of one character", termKey(string(customer), word.Term{Field: "r", Word: word.Fold("1")})},
		{"principal", recordKey(access.Principals.Ref(person))},
		{"brand", recordKey(brand.Brands.Ref(red))},
		{"logo", recordKey(brand.Logos.Ref(red))},
		{"domain", recordKey(brand.Domains.Ref("vazonbay.example"))},
		{"move request", recordKey(directory.MoveRequests.Ref("mrq_6d1f8h3k0n5r9t2w"))},
		{"open move", recordKey(putIn(t, (&directory.MoveRequest{ID: "mrq_6d1f8h3k0n5r9t2w", Node: customer, Created: when}).Add(nil), "open-move"))},
		{"memo", recordKey(memoOf(t, client, "8e03978e-40d5-43e8-bc93-6894a57f9324"))},
		{"invitation", recordKey(directory.Invitations.Ref("inv_4z8s1b6w3m9q7k2d"))},
		{"walk", recordKey(record.Empty("walk", "job_9m4x7c2v8k1q5r3w").Ref())},
		{"job", recordKey(job.Jobs.Ref("job_9m4x7c2v8k1q5r3w"))},
		{"use of a key", recordKey(record.Empty("use", "key_2p6s0v4y8b3e7h1k").Ref())},
		{"keyring", recordKey(credential.Keyrings.Ref(credential.TheKeyring))},
		{"tree state", treeKey(treeCopies - 1)},
		{"rate", rateKey("key_2p6s0v4y8b3e7h1k", when)},
		{"due", dueKey(directory.PurgeEntry{Node: customer, Since: when})},
		{"index subtree", key{shard(s, false), string(path)}},
		{"index subtree, in the trash", key{shard(s, true), string(path)}},
		{"below a partner, from", key{shard(s, false), low}},
		{"below a partner, to", key{shard(s, false), high}},
		{"below a partner, after a customer", key{shard(s, false), after}},
	} {
		fmt.Fprintf(&b, "%-34s %-25q %q\n", line.what, line.key.pk, line.key.sk)
	}
	for _, kind := range record.Kinds() {
		if kind != "gadget" && kind != "keepsake" && !strings.Contains(b.String(), `"`+kind+"#") { // these two are of tests alone
			t.Errorf("no line has the key of a %s", kind)
		}
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

// putIn is the one record of a kind that steps write: of kinds that nobody else is to know.
func putIn(t *testing.T, steps []directory.Step, kind string) (found record.Ref) {
	t.Helper()
	n := 0
	for _, s := range steps {
		if put, ok := s.(directory.Put); ok && put.Now.Ref().Kind() == kind {
			found, n = put.Now.Ref(), n+1
		}
	}
	if n != 1 {
		t.Fatalf("%d records of the kind %s in %v", n, kind, steps)
	}
	return found
}

// memoOf is what a request of a client is remembered by that had an Idempotency-Key.
func memoOf(t *testing.T, client ident.Principal, key string) record.Ref {
	t.Helper()
	const secret ident.Key = "key_2p6s0v4y8b3e7h1k"
	var store directorytest.Fake
	d := directory.New(&store, clocktest.Now)
	root, _, _, err := d.CreateRoot(t.Context(), "Root", "Founder")
	if err == nil {
		err = store.Commit(t.Context(), directory.Put{Else: directory.ErrExists, Now: &access.Principal{ID: client, Version: 1, CursorKey: []byte{1},
			Home: root.ID, Grants: map[ident.Node]access.Role{root.ID: access.Owner}, Secrets: []access.Secret{{ID: secret}}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	var steps []directory.Step
	store.Before = func(call directorytest.Call) error { steps = append(steps, call.Steps...); return nil }
	c := directory.Caller{Principal: client, Key: secret, Repeat: &directory.Repeat{Key: key}}
	if _, err := d.CreateClient(t.Context(), c, directory.NewClient{Node: root.ID, Name: "C", Role: access.Viewer}); err != nil {
		t.Fatal(err)
	}
	return putIn(t, steps, "memo")
}

// The deployment holds functions to keys that begin so.
func TestKindsBeginTheirKeys(t *testing.T) {
	for prefix, ref := range map[string]record.Ref{
		schema.PrincipalPrefix: access.Principals.Ref("x"), schema.BrandPrefix: brand.Brands.Ref("x"), schema.DomainPrefix: brand.Domains.Ref("x"),
		schema.InvitationPrefix: directory.Invitations.Ref("x"), schema.KeyringPrefix: credential.Keyrings.Ref("x"),
	} {
		if got := recordKey(ref).pk; got != prefix+"x" {
			t.Errorf("%s is under %s, and the schema has %s", ref, got, prefix)
		}
	}
	for _, kind := range record.Kinds() {
		if kind == schema.EventType || kind == schema.LogType {
			t.Errorf("a kind of records is called %s, which the relay takes for events", kind)
		}
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
