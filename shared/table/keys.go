package table

import (
	"cmp"
	"errors"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/table/schema"
	"example.com/partnertree/shared/word"
)

// Every key of the table is made on this page. testdata/keys.golden lists one of each.
//
//	item           pk                  sk                                read by
//	node           N#<id>              N                                 id
//	child          N#<parent>          C#<ptn or cus>#<folded name>⇥<id> list of children, by name
//	event          N#<node>            E#<time>#<id>                     log of the node, and the stream
//	log            N#<node>            E#<time>#<id>                     log of another node that witnesses the event
//	past           N#<node>            P#<time>#<id>                     who could, on a day: events at the very node
//	record         <kind>#<id>         R                                 reference
//	entry          N#<node>            <G, Q or R>#<list>#<position>     list of records at the node (record.OnErase)
//	count          N#<node>            W#<key>#<date>                    nobody: it bounds how many there are on a day, at the node
//	count          L#<key>#<date>      L                                 nobody: it does so on the whole platform
//	tree state     T#<0 to 7>          T                                 every request, one copy at random
//	rate           R#<secret>#<window> R                                 counter of requests
//	term           W#<kind><head>      W#<rest>.<field>#<id>             word, or how a word begins (package word)
//	purge queue    P                   <time>#<node>                     list of what is in the trash, by time
//
// Index subtree, of all nodes but the root:
//
//	node           S#<00 to 15>        <path>                            what lies below a node
//	trashed node   X#<00 to 15>        <path>                            what was put into the trash below a node

// key is the primary key of an item.
type key struct{ pk, sk string }

func (k key) compare(other key) int {
	return cmp.Or(strings.Compare(k.pk, other.pk), strings.Compare(k.sk, other.sk))
}

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

// recordKey is of a record of any kind.
func recordKey(r record.Ref) key { return key{r.Kind() + "#" + r.ID(), "R"} }

// entryKey sorts the records in a list at a node by position. What becomes of the list when the node is erased begins the key.
func entryKey(node ident.Node, l *record.Listing, at string) key {
	return key{nodeKey(node).pk, listPrefix(l) + at}
}

func listPrefix(l *record.Listing) string { return string(l.OnErase) + "#" + l.Name + "#" }

// recordOf is the key of the record that goes with an entry when its node is erased: false when none does.
func recordOf(sk string) (k key, goes bool) {
	name, at, _ := strings.Cut(strings.TrimPrefix(sk, string(record.Delete)+"#"), "#")
	return key{name + "#" + record.IDAt(at), "R"}, strings.HasPrefix(sk, string(record.Delete)+"#")
}

const countPrefix = "W#"

// countKey is of the day (UTC) of a count.
func countKey(s directory.Count) key {
	day := s.Key + "#" + s.At.UTC().Format(time.DateOnly)
	if s.Node != "" {
		return key{nodeKey(s.Node).pk, countPrefix + day}
	}
	return key{schema.CountPrefix + day, "L"}
}

// kept are the ranges of sort keys, bounds included, of what is kept with a node beside the node itself, its children's entries and the
// lists that stay (record.Keep): the log, and then the past, the lists that go and the counts.
var kept = [][2]string{{schema.EventPrefix, schema.EventPrefix + last}, {pastPrefix, countPrefix + last}}

// termKey divides terms by the kind of what has them, and by how they begin: all that begin with one head are one range.
func termKey(id string, t word.Term) key {
	pk, begin := termRange(id[:min(len(id), kindLen)], t.Word)
	return key{pk, begin + termEnd + string(t.Field) + "#" + id}
}

// termRange is where terms are that begin with a word.
func termRange(kind string, w word.Word) (pk, begin string) {
	head := cmp.Or(w.Head(), w) // a value can be shorter than a head
	return schema.TermPrefix + kind + string(head), "W#" + string(w[len(head):])
}

const (
	termEnd = "." // sorts before what a longer word goes on with
	kindLen = len(ident.Partner)
)

// termOf is what termKey has made a key of.
func termOf(k key) (id string, t word.Term, err error) {
	head, partition := strings.CutPrefix(k.pk, schema.TermPrefix)
	rest, begins := strings.CutPrefix(k.sk, "W#")
	rest, field, ends := strings.Cut(rest, termEnd)
	field, id, names := strings.Cut(field, "#")
	if !partition || !begins || !ends || !names || len(head) < kindLen {
		return "", t, errors.New("no key of a term")
	}
	return id, word.Term{Field: word.Field(field), Word: word.Word(head[kindLen:] + rest)}, nil
}

func dueKey(d directory.PurgeEntry) key { return key{duePK, moment(d.Since) + "#" + string(d.Node)} }

const duePK = "P"

// treeCopies is how many identical copies of the tree state there are. They are written together; a read takes any. One
// copy serves 3,000 strongly consistent reads a second.
const treeCopies = 8

func treeKey(nth int) key { return key{schema.TreePrefix + strconv.Itoa(nth), "T"} }

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
