package table

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table/schema"
)

// Every key of the table is made on this page. testdata/keys.golden lists one of each.
//
//	item           pk                  sk                                read by
//	node           N#<id>              N                                 id
//	child          N#<parent>          C#<ptn or cus>#<folded name>⇥<id> list of children, by name
//	grant          N#<node>            G#<client or person>              list of who has access at the node
//	event          N#<node>            E#<time>#<id>                     log of the node, and the stream
//	log            N#<node>            E#<time>#<id>                     log of another node that witnesses the event
//	open request   N#<node>            O                                 nobody: a node has one open move request
//	asked move     N#<node>            Q#<time>#<id>                     list of move requests, at the node and at its destination
//	client, person U#<id>              U                                 id
//	brand          B#<id>              B                                 id
//	logo           B#<id>              L                                 id of the brand
//	domain         D#<domain>          D                                 domain: whose it is; and it makes the domain unique
//	tree state     T#<0 to 7>          T                                 every request, one copy at random
//	memo           I#<client>#<hash>   I                                 Idempotency-Key
//	rate           R#<secret>#<window> R                                 counter of requests
//	progress       H#<change>          H                                 id of a change
//	move request   Q#<id>              Q                                 id
//	invitation     V#<id>              V                                 id
//	invited        N#<node>            V#<time>#<id>                     list of invitations at the node
//	past           N#<node>            P#<time>#<id>                     who could, on a day: events at the very node
//	invited a day  N#<node>            W#<date>                          nobody: it bounds how many are made
//	links a day    L#<who>#<date>      L                                 nobody: it bounds how many are mailed to an address, or by somebody
//	keyring        K#1                 K                                 sessions and links
//	due            P                   <time>#<node>                     list of what is in the trash, by time
//
// Index subtree, of all nodes but the root:
//
//	node           S#<00 to 15>        <path>                            what lies below a node
//	trashed node   X#<00 to 15>        <path>                            what was put into the trash below a node

// key is the primary key of an item.
type key struct{ pk, sk string }

func nodeKey(id ident.Node) key { return key{schema.NodePrefix + string(id), "N"} }

// childKey ends the name with a tab, which no folded name holds and which sorts before all that one can hold: "Bay" comes
// before "Bay IT", whatever their ids.
func childKey(parent, id ident.Node, name hierarchy.Name) key {
	return key{nodeKey(parent).pk, childPrefix(hierarchy.KindOf(id)) + name.SortKey() + childEnd + string(id)}
}

const childEnd = "\t"

func childPrefix(kind hierarchy.Kind) string {
	if kind == hierarchy.Customer {
		return "C#cus#"
	}
	return "C#ptn#"
}

// childID is the id at the end of a child's sort key.
func childID(sk string) string { return sk[strings.LastIndex(sk, childEnd)+1:] }

const grantPrefix = "G#"

func grantKey(node ident.Node, client ident.Principal) key {
	return key{nodeKey(node).pk, grantPrefix + string(client)}
}

// eventKey sorts the events in the log of a node by time.
func eventKey(node ident.Node, e *event.Event) key {
	return key{nodeKey(node).pk, schema.EventPrefix + moment(e.Time) + "#" + string(e.ID)}
}

const pastPrefix = "P#"

// pastKey sorts the events that changed who has access at a node by time.
func pastKey(e *event.Event) key {
	return key{nodeKey(e.Node).pk, pastPrefix + moment(e.Time) + "#" + string(e.ID)}
}

// last is above all positions that begin with a time.
const last = "~"

// before is the largest bound below a position that ends with an id.
func before(position string) string {
	end := len(position) - 1
	return position[:end] + string(position[end]-1) + last
}

// moment is a time within a key: such keys sort by time.
func moment(t time.Time) string { return t.UTC().Format(timeFormat) }

func requestKey(id ident.MoveRequest) key { return key{"Q#" + string(id), "Q"} }

const askedPrefix = "Q#"

// askedKey sorts the move requests at a node by time.
func askedKey(node ident.Node, r *directory.MoveRequest) key {
	return key{nodeKey(node).pk, askedPrefix + moment(r.Created) + "#" + string(r.ID)}
}

func openKey(node ident.Node) key { return key{nodeKey(node).pk, "O"} }

// kept are the ranges of sort keys, bounds included, of what is kept with a node beside the node itself, its children's
// entries and the grants at it.
var kept = [][2]string{{schema.EventPrefix, schema.EventPrefix + last}, {"O", invitingPrefix + last}}

func invitationKey(id ident.Invitation) key { return key{schema.InvitationPrefix + string(id), "V"} }

const invitedPrefix = "V#"

// invitedKey sorts the invitations at a node by time.
func invitedKey(i *directory.Invitation) key {
	return key{nodeKey(i.Node).pk, invitedPrefix + moment(i.Created) + "#" + string(i.ID)}
}

const invitingPrefix = "W#"

// invitingKey is of the day (UTC) of the time.
func invitingKey(node ident.Node, t time.Time) key {
	return key{nodeKey(node).pk, invitingPrefix + t.UTC().Format(time.DateOnly)}
}

// linksKey is of the day (UTC) of the time; who is the hash of an address, or who has links mailed.
func linksKey(who string, t time.Time) key {
	return key{"L#" + who + "#" + t.UTC().Format(time.DateOnly), "L"}
}

func keyringKey() key { return key{schema.KeyringPrefix + "1", "K"} }

func dueKey(d directory.PurgeEntry) key { return key{duePK, moment(d.Since) + "#" + string(d.Node)} }

const duePK = "P"

func clientKey(id ident.Principal) key { return key{schema.PrincipalPrefix + string(id), "U"} }

func brandKey(id ident.Brand) key { return key{schema.BrandPrefix + string(id), "B"} }

func logoKey(id ident.Brand) key { return key{brandKey(id).pk, "L"} }

func domainKey(domain string) key { return key{schema.DomainPrefix + domain, "D"} }

// treeCopies is how many identical copies of the tree state there are. They are written together; a read takes any. One
// copy serves 3,000 strongly consistent reads a second.
const treeCopies = 8

func treeKey(nth int) key { return key{schema.TreePrefix + strconv.Itoa(nth), "T"} }

func progressKey(id ident.Change) key { return key{"H#" + string(id), "H"} }

func memoKey(k directory.MemoKey) key {
	sum := sha256.Sum256([]byte(k.Key))
	return key{"I#" + string(k.Principal) + "#" + hex.EncodeToString(sum[:]), "I"}
}

func rateKey(who string, window time.Time) key {
	return key{schema.RatePrefix + who + "#" + strconv.FormatInt(window.Unix(), 10), "R"}
}

// shards is how many partitions the subtree index is spread over, and as many again for the trash. It never changes: the shard is
// stored in every node.
const shards = 16

// shard is the partition of the nodes that are not in the trash themselves, or of those that are.
func shard(n int, trash bool) string {
	prefix := "S#"
	if trash {
		prefix = "X#"
	}
	return prefix + strconv.Itoa(n/10) + strconv.Itoa(n%10)
}

// shardOf is the shard of a path: that of the top-level partner on it, so that everything below any node but the root is
// one range of one shard. It reports false for the root and above, which have no shard.
func shardOf(p hierarchy.Path) (int, bool) {
	if p.Depth() < 2 {
		return 0, false
	}
	h := fnv.New32a()
	h.Write([]byte(p.At(1)))
	return int(h.Sum32() % shards), true
}

// below is the range of stored paths that lie below a path and after one of them ("": from the first). Ids and "/" sort
// between the two bytes that end its bounds.
func below(under hierarchy.Path, after string) (low, high string) {
	return string(under) + after + " ", string(under) + "~"
}
