package table

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// The tree state: every request reads it, and a move can have many long paths. So its changes are a map, from which any
// one is taken without a look at the others, and all paths of a change are packed into one binary attribute: each id that
// they have is there once, in ten bytes.

func encodeTree(nth int, t hierarchy.TreeState) (item, error) {
	it := newItem(treeKey(nth), "tree state")
	it.text("root", string(t.Root))
	it.number("seq", t.Seq)
	changes := item{}
	for i := range t.Changes {
		c, err := encodeChange(&t.Changes[i])
		if err != nil {
			return nil, err
		}
		changes[changeName(t.Changes[i].Seq)] = c
	}
	it["changes"] = &types.AttributeValueMemberM{Value: changes}
	return it, nil
}

func changeName(seq int64) string { return strconv.FormatInt(seq, 10) }

func decodeTree(it item) (hierarchy.TreeState, error) {
	r := &reader{item: it, what: "tree state"}
	t := hierarchy.TreeState{Root: ident.Node(r.text("root")), Seq: r.number("seq")}
	if _, ok := r.item["changes"]; !ok {
		r.fail("changes")
	}
	for name, v := range r.fields("changes") {
		seq, err := strconv.ParseInt(name, 10, 64)
		m, ok := v.(*types.AttributeValueMemberM)
		if err != nil || !ok {
			r.fail("changes")
			break
		}
		sub := &reader{m.Value, r.what + ", changes", r.err}
		t.Changes = append(t.Changes, sub.change(seq))
		r.err = sub.err
	}
	slices.SortFunc(t.Changes, func(a, b hierarchy.Change) int { return cmp.Compare(a.Seq, b.Seq) })
	return t, r.err
}

// encodeChange leaves out the node of a move: its path ends with it.
func encodeChange(c *hierarchy.Change) (types.AttributeValue, error) {
	it := item{}
	it.text("kind", string(c.Kind))
	if c.Kind == hierarchy.Moved {
		if d := c.Path.Depth(); d == 0 || c.Path.At(d-1) != c.Node {
			return nil, fmt.Errorf("change %d: the path of the moved node does not end with it", c.Seq)
		}
		packed, err := packMove(c)
		if err != nil {
			return nil, fmt.Errorf("change %d: %w", c.Seq, err)
		}
		it.bytes("move", packed)
	} else {
		it.text("node", string(c.Node))
		it.text("mark", encodeMarks([]hierarchy.Mark{c.Mark})[0])
	}
	return &types.AttributeValueMemberM{Value: it}, nil
}

func (r *reader) change(seq int64) hierarchy.Change {
	c := hierarchy.Change{Seq: seq, Kind: hierarchy.ChangeKind(r.text("kind"))}
	switch c.Kind {
	case hierarchy.Moved:
		if !unpackMove(r.bytes("move"), &c) {
			r.fail("move")
		}
	case hierarchy.Marked, hierarchy.Unmarked:
		c.Node = ident.Node(r.text("node"))
		c.Mark = r.mark("mark", r.text("mark"))
	default:
		r.fail("kind")
	}
	return c
}

// The attribute move holds, all numbers being uvarints:
//
//	the number of ids of partners, that of ids of customers, the bits of all these ids
//	the number of paths; of each: how many ids it begins with that the one before begins with, how many follow, these
//	the number of marks; of each: the id, the kind
//
// The first path is that of the node, the others are from where it came. An id is its position among the ids above.

// markKinds are the kinds of marks by their numbers.
var markKinds = []hierarchy.MarkKind{hierarchy.NoProvisioning, hierarchy.Suspended, hierarchy.Trashed, hierarchy.Purged}

func packMove(c *hierarchy.Change) ([]byte, error) {
	paths := append([]hierarchy.Path{c.Path}, c.From...)
	var ids [2][]ident.Node // partners, customers
	position := map[ident.Node]int{}
	note := func(id ident.Node) {
		if _, known := position[id]; !known {
			kind := 0
			if hierarchy.KindOf(id) == hierarchy.Customer {
				kind = 1
			}
			position[id] = len(ids[kind])
			ids[kind] = append(ids[kind], id)
		}
	}
	for _, p := range paths {
		for i := range p.Depth() {
			note(p.At(i))
		}
	}
	for _, m := range c.Marks {
		note(m.Node)
	}
	b := binary.AppendUvarint(nil, uint64(len(ids[0])))
	b = binary.AppendUvarint(b, uint64(len(ids[1])))
	var err error
	for i, id := range slices.Concat(ids[0], ids[1]) {
		position[id] = i
		if b, err = ident.AppendBits(b, id); err != nil {
			return nil, err
		}
	}
	b = binary.AppendUvarint(b, uint64(len(paths)))
	before := hierarchy.Path("")
	for _, p := range paths {
		shared := 0
		for shared < min(p.Depth(), before.Depth()) && p.At(shared) == before.At(shared) {
			shared++
		}
		b = binary.AppendUvarint(b, uint64(shared))
		b = binary.AppendUvarint(b, uint64(p.Depth()-shared))
		for i := shared; i < p.Depth(); i++ {
			b = binary.AppendUvarint(b, uint64(position[p.At(i)]))
		}
		before = p
	}
	b = binary.AppendUvarint(b, uint64(len(c.Marks)))
	for _, m := range c.Marks {
		kind := slices.Index(markKinds, m.Kind)
		if kind < 0 {
			return nil, fmt.Errorf("a mark of the unknown kind %q", m.Kind)
		}
		b = binary.AppendUvarint(b, uint64(position[m.Node]))
		b = binary.AppendUvarint(b, uint64(kind))
	}
	return b, nil
}

// unpackMove reports whether b is something that packMove has made.
func unpackMove(b []byte, c *hierarchy.Change) bool {
	u := unpacker{b, true}
	partners := u.number(len(b) / ident.BitsLen)
	all := partners + u.number(len(b)/ident.BitsLen-partners)
	ids := make([]string, all) // with the "/" that follows each on a path
	for i := range ids {
		prefix := ident.Partner
		if i >= partners {
			prefix = ident.Customer
		}
		ids[i] = string(ident.NodeOf(prefix, u.bits())) + "/"
	}
	var before string
	for i, many := 0, u.number(len(u.rest)); i < many && u.ok; i++ {
		shared := u.number(len(before) / (ident.Len + 1))
		var path strings.Builder
		path.WriteString(before[:shared*(ident.Len+1)])
		for range u.number(len(u.rest)) {
			path.WriteString(u.id(ids))
		}
		before = path.String()
		if i == 0 {
			c.Path = hierarchy.Path(before)
		} else {
			c.From = append(c.From, hierarchy.Path(before))
		}
	}
	for range u.number(len(u.rest)) {
		m := hierarchy.Mark{Node: ident.Node(strings.TrimSuffix(u.id(ids), "/"))}
		m.Kind = markKinds[u.number(len(markKinds)-1)]
		c.Marks = append(c.Marks, m)
	}
	if !u.ok || c.Path == "" || len(u.rest) > 0 {
		return false
	}
	c.Node = c.Path.At(c.Path.Depth() - 1)
	return true
}

// unpacker takes bytes apart. When ok is false, they are not what was expected and all that it gives is zero.
type unpacker struct {
	rest []byte
	ok   bool
}

func (u *unpacker) fail() { u.rest, u.ok = nil, false }

// number is the next number, which is at most most.
func (u *unpacker) number(most int) int {
	n, size := binary.Uvarint(u.rest)
	if size <= 0 || most < 0 || n > uint64(most) {
		u.fail()
		return 0
	}
	u.rest = u.rest[size:]
	return int(n)
}

func (u *unpacker) bits() (bits [ident.BitsLen]byte) {
	if len(u.rest) < len(bits) {
		u.fail()
		return bits
	}
	u.rest = u.rest[copy(bits[:], u.rest):]
	return bits
}

func (u *unpacker) id(ids []string) string {
	i := u.number(len(ids) - 1)
	if !u.ok {
		return ""
	}
	return ids[i]
}
