package table

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/record"
	"example.com/partnertree/shared/table/schema"
)

// What is stored is written and read here, attribute by attribute, apart from the domain's types: they can change
// without the table. An empty value is an absent attribute. Times have a fixed width, so that they sort.

const timeFormat = record.TimeFormat

type item map[string]types.AttributeValue

// newItem begins an item. Its type is for people who look into the table, and for the stream.
func newItem(k key, kind string) item {
	return item{schema.PK: text(k.pk), schema.SK: text(k.sk), schema.TypeAttr: text(kind)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func (k key) attributes() map[string]types.AttributeValue {
	return item{schema.PK: text(k.pk), schema.SK: text(k.sk)}
}

func (it item) text(name, s string) {
	if s != "" {
		it[name] = text(s)
	}
}

func (it item) number(name string, n int64) { it[name] = number(n) }

func (it item) time(name string, t time.Time) {
	if !t.IsZero() {
		it[name] = text(moment(t))
	}
}

func (it item) bytes(name string, b []byte) {
	if len(b) > 0 {
		it[name] = &types.AttributeValueMemberB{Value: b}
	}
}

func (it item) texts(name string, all []string) {
	if len(all) > 0 {
		list := make([]types.AttributeValue, len(all))
		for i, s := range all {
			list[i] = text(s)
		}
		it[name] = &types.AttributeValueMemberL{Value: list}
	}
}

// reader takes an item apart. The first thing that is wrong is kept in err, which names the item and the attribute and
// nothing that is stored there.
type reader struct {
	item
	what string
	err  error
}

func (r *reader) fail(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: attribute %s is missing or malformed", r.what, name)
	}
}

// value is the attribute, or nil when it is absent.
func value[T types.AttributeValue](r *reader, name string) (v T, present bool) {
	a, present := r.item[name]
	if !present {
		return v, false
	}
	v, ok := a.(T)
	if !ok {
		r.fail(name)
	}
	return v, ok
}

func (r *reader) text(name string) string {
	if v, ok := value[*types.AttributeValueMemberS](r, name); ok {
		return v.Value
	}
	return ""
}

func (r *reader) number(name string) int64 {
	if v, ok := value[*types.AttributeValueMemberN](r, name); ok {
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
	}
	r.fail(name)
	return 0
}

func (r *reader) time(name string) time.Time {
	s := r.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(timeFormat, s)
	if err != nil {
		r.fail(name)
	}
	return t
}

func (r *reader) bytes(name string) []byte {
	if v, ok := value[*types.AttributeValueMemberB](r, name); ok {
		return v.Value
	}
	return nil
}

func (r *reader) texts(name string) []string {
	list, _ := value[*types.AttributeValueMemberL](r, name)
	if list == nil {
		return nil
	}
	all := make([]string, len(list.Value))
	for i, v := range list.Value {
		s, ok := v.(*types.AttributeValueMemberS)
		if !ok {
			r.fail(name)
			return nil
		}
		all[i] = s.Value
	}
	return all
}

func (r *reader) set(name string) []string {
	if v, ok := value[*types.AttributeValueMemberSS](r, name); ok {
		return v.Value
	}
	return nil
}

// fields are the entries of a map.
func (r *reader) fields(name string) map[string]types.AttributeValue {
	if v, ok := value[*types.AttributeValueMemberM](r, name); ok {
		return v.Value
	}
	return nil
}

func (it item) list(name string, all []item) {
	if len(all) > 0 {
		list := make([]types.AttributeValue, len(all))
		for i, sub := range all {
			list[i] = &types.AttributeValueMemberM{Value: sub}
		}
		it[name] = &types.AttributeValueMemberL{Value: list}
	}
}

// Nodes.

// visible are the attributes that a node has in common with its entry among its parent's children.
func (it item) visible(n *hierarchy.Node) {
	it.text("name", string(n.Name))
	it.number("version", n.Version)
	it.time("created", n.Created)
	it.time("updated", n.Updated)
	it.text("portal", string(n.Brands.Portal))
	for _, f := range hierarchy.DetailFields {
		it.text(detailName(&f), *f.At(&n.Details))
	}
}

func (r *reader) visible(n *hierarchy.Node) {
	n.Name = hierarchy.Name(r.text("name"))
	if n.Name == "" {
		r.fail("name")
	}
	n.Version = r.number("version")
	n.Created, n.Updated = r.time("created"), r.time("updated")
	n.Brands.Portal = ident.Brand(r.text("portal"))
	for _, f := range hierarchy.DetailFields {
		*f.At(&n.Details) = r.text(detailName(&f))
	}
}

// detailName returns the attribute of a field of a customer: its name in the API, but for those that have been stored by another name
// from the beginning.
func detailName(f *hierarchy.DetailField) string {
	switch f.Name {
	case "brandId":
		return "brand"
	case "tenantId":
		return "tenant"
	}
	return f.Name
}

// trashed is the attribute of a node, and of its entry among its parent's children, that tells when it was put into the trash.
const trashed = "trashed"

// placeNames are the attributes of a node that tell its place.
var placeNames = []string{schema.IndexPK, schema.IndexSK, "marks", "asOf"}

func (it item) place(p hierarchy.Place, asOf int64) {
	it.text(schema.IndexSK, string(p.Path))
	if s, ok := shardOf(p.Path); ok {
		itself := hierarchy.Mark{Node: p.Path.At(p.Path.Depth() - 1), Kind: hierarchy.Trashed}
		it.text(schema.IndexPK, shard(s, slices.Contains(p.Marks, itself)))
	}
	it.texts("marks", encodeMarks(p.Marks))
	it.number("asOf", asOf)
}

// ceiling is the attribute of a node that is being measured.
const ceiling = "ceiling"

// heights is what a node's height is raised by: the largest number of a set counts, and adding to a set can neither lower
// it nor fail.
func heights(n int) types.AttributeValue {
	return &types.AttributeValueMemberNS{Value: []string{strconv.Itoa(n)}}
}

func (r *reader) height() int {
	highest := 0
	if v, ok := value[*types.AttributeValueMemberNS](r, "heights"); ok {
		for _, s := range v.Value {
			n, err := strconv.Atoi(s)
			if err != nil {
				r.fail("heights")
			}
			highest = max(highest, n)
		}
	}
	return highest
}

// encodeNode leaves out which brands are available: they are those of uses that are not owned. It keeps a node with the
// most brands there can be, at the greatest depth, within one read unit. Ids of brands are without their prefix for the
// same reason.
func encodeNode(n *hierarchy.Node) item {
	it := newItem(nodeKey(n.ID), "node")
	it.visible(n)
	it.text(schema.IndexCarries, string(n.Kind()))
	it.text("parent", string(n.Parent))
	it.time(trashed, n.Trashed)
	it.place(n.Place, n.AsOf)
	if n.Height > 0 {
		it["heights"] = heights(n.Height)
	}
	if n.Ceiling > 0 {
		it.number(ceiling, int64(n.Ceiling))
	}
	if n.Kind() == hierarchy.Partner {
		uses := item{}
		for b, count := range n.Brands.Uses {
			uses.number(ident.Bare(b), count)
		}
		it["uses"] = &types.AttributeValueMemberM{Value: uses}
		if len(n.Brands.Owned) > 0 {
			it["owned"] = bareSet(n.Brands.Owned)
		}
	}
	return it
}

func decodeNode(id ident.Node, it item) (*hierarchy.Node, error) {
	r := &reader{item: it, what: "node " + string(id)}
	n := &hierarchy.Node{
		ID: id, Parent: ident.Node(r.text("parent")), AsOf: r.number("asOf"), Height: r.height(), Trashed: r.time(trashed),
	}
	if _, measured := it[ceiling]; measured {
		n.Ceiling = int(r.number(ceiling))
	}
	r.visible(n)
	path, err := hierarchy.ParsePath(r.text(schema.IndexSK))
	if err != nil || path == "" {
		r.fail(schema.IndexSK)
	}
	n.Place = hierarchy.Place{Path: path, Marks: r.marks("marks")}
	if n.Kind() == hierarchy.Partner {
		if _, ok := r.item["uses"]; !ok {
			r.fail("uses")
		}
		owned := map[ident.Brand]bool{}
		for _, bare := range r.set("owned") {
			b := r.brand("owned", bare)
			owned[b] = true
			n.Brands.Owned = append(n.Brands.Owned, b)
		}
		uses := &reader{item: r.fields("uses"), what: r.what + ", uses", err: r.err}
		n.Brands.Uses = map[ident.Brand]int64{}
		for bare := range uses.item {
			b := uses.brand(bare, bare)
			n.Brands.Uses[b] = uses.number(bare)
			if !owned[b] {
				n.Brands.Available = append(n.Brands.Available, b)
			}
		}
		r.err = uses.err
		slices.Sort(n.Brands.Owned)
		slices.Sort(n.Brands.Available)
	}
	return n, r.err
}

func bareSet(brands []ident.Brand) types.AttributeValue {
	set := make([]string, len(brands))
	for i, b := range brands {
		set[i] = ident.Bare(b)
	}
	return &types.AttributeValueMemberSS{Value: set}
}

func (r *reader) brand(name, bare string) ident.Brand {
	b, err := ident.ParseBrand("brd_" + bare)
	if err != nil {
		r.fail(name)
	}
	return b
}

func encodeMarks(marks []hierarchy.Mark) []string {
	all := make([]string, len(marks))
	for i, m := range marks {
		all[i] = string(m.Node) + " " + string(m.Kind)
	}
	return all
}

func (r *reader) marks(name string) []hierarchy.Mark {
	var marks []hierarchy.Mark
	for _, s := range r.texts(name) {
		marks = append(marks, r.mark(name, s))
	}
	return marks
}

func (r *reader) mark(name, s string) hierarchy.Mark {
	node, kind, ok := strings.Cut(s, " ")
	if _, err := ident.ParseNode(node); err != nil || !ok {
		r.fail(name)
	}
	return hierarchy.Mark{Node: ident.Node(node), Kind: hierarchy.MarkKind(kind)}
}

// encodeChild is a node as its parent lists it.
func encodeChild(n *hierarchy.Node) item {
	it := newItem(childKey(n.Parent, n.ID, n.Name), "child")
	it.visible(n)
	it.time(trashed, n.Trashed)
	it.texts("marks", encodeMarks(n.OwnMarks()))
	available := make([]string, len(n.Brands.Available))
	for i, b := range n.Brands.Available {
		available[i] = string(b)
	}
	it.texts("available", available)
	return it
}

func decodeChild(parent ident.Node, it item) (hierarchy.Node, error) {
	r := &reader{item: it, what: "child of node " + string(parent)}
	id, err := ident.ParseNode(childID(r.text(schema.SK)))
	if err != nil {
		r.fail(schema.SK)
	}
	r.what = "child " + string(id) + " of node " + string(parent)
	n := hierarchy.Node{ID: id, Parent: parent, Trashed: r.time(trashed)}
	r.visible(&n)
	n.Place.Marks = r.marks("marks")
	for _, b := range r.texts("available") {
		n.Brands.Available = append(n.Brands.Available, ident.Brand(b))
	}
	return n, r.err
}

// decodeIndexed reads an entry of the subtree index.
func decodeIndexed(it item) (ident.Node, hierarchy.Path, error) {
	r := &reader{item: it, what: "entry of index " + schema.SubtreeIndex}
	id, err := ident.ParseNode(strings.TrimPrefix(r.text(schema.PK), nodeKey("").pk))
	if err != nil {
		r.fail(schema.PK)
	}
	path, err := hierarchy.ParsePath(r.text(schema.IndexSK))
	if err != nil {
		r.fail(schema.IndexSK)
	}
	return id, path, r.err
}

// Events.

// encodeEvent is the event as the log of each of its witnesses has it, the node where it happened first, and as its past has it.
func encodeEvent(e event.Event) ([]item, error) {
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	body, err := e.Stored()
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.ID, err)
	}
	items := []item{newItem(eventKey(e.Node, &e), schema.EventType)}
	for _, id := range e.Witnesses() {
		if id != e.Node {
			items = append(items, newItem(eventKey(id, &e), schema.LogType))
		}
	}
	if e.Past() {
		items = append(items, newItem(pastKey(&e), "past"))
	}
	for _, it := range items {
		it.text(schema.EventAttr, string(body))
	}
	return items, nil
}

func decodeEvent(node ident.Node, it item) (event.Event, error) {
	r := &reader{item: it, what: "event in the log of node " + string(node)}
	e, err := event.FromStored([]byte(r.text(schema.EventAttr)))
	if err != nil {
		r.fail(schema.EventAttr)
	}
	return e, r.err
}

// encodeDue says that a node is in the trash, or not all erased.
func encodeDue(n *hierarchy.Node) item {
	return newItem(dueKey(directory.PurgeEntry{Node: n.ID, Since: n.Trashed}), "due")
}

func decodeDue(it item) (directory.PurgeEntry, error) {
	r := &reader{item: it, what: "list of what is due"}
	since, id, _ := strings.Cut(r.text(schema.SK), "#")
	node, err := ident.ParseNode(id)
	if err != nil {
		r.fail(schema.SK)
	}
	t, err := time.Parse(timeFormat, since)
	if err != nil {
		r.fail(schema.SK)
	}
	return directory.PurgeEntry{Node: node, Since: t}, r.err
}

// brandsAdded and brandsRemoved are the brands that became, and stopped being, usable at a partner by an edit, sorted.
func brandsAdded(was, now *hierarchy.Node) []ident.Brand {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(now.Brands.Uses)), was.Brands.Usable)
}

func brandsRemoved(was, now *hierarchy.Node) []ident.Brand { return brandsAdded(now, was) }
