package table

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/table/schema"
)

// What is stored is written and read here, attribute by attribute, apart from the domain's types: they can change
// without the table. An empty value is an absent attribute. Times have a fixed width, so that they sort.

const timeFormat = "2006-01-02T15:04:05.000000Z"

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

// needed is a text that must be there.
func (r *reader) needed(name string) string {
	s := r.text(name)
	if s == "" {
		r.fail(name)
	}
	return s
}

// yes is whether something is so. What is not so is not kept.
func (r *reader) yes(name string) bool {
	v, ok := value[*types.AttributeValueMemberBOOL](r, name)
	return ok && v.Value
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

// each reads the maps in a list.
func (r *reader) each(name string, read func(*reader)) {
	list, _ := value[*types.AttributeValueMemberL](r, name)
	if list == nil {
		return
	}
	for _, v := range list.Value {
		m, ok := v.(*types.AttributeValueMemberM)
		if !ok {
			r.fail(name)
			return
		}
		sub := reader{m.Value, r.what + ", " + name, r.err}
		read(&sub)
		r.err = sub.err
	}
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

// moments keeps a time for each of some nodes, and perhaps for all of them.
func (it item) moments(name string, all map[ident.Node]time.Time) {
	if len(all) == 0 {
		return
	}
	times := item{}
	for node, at := range all {
		times.number(cmp.Or(string(node), everywhere), at.UnixMicro())
	}
	it[name] = &types.AttributeValueMemberM{Value: times}
}

// moments is nil when there are none.
func (r *reader) moments(name string) map[ident.Node]time.Time {
	times := &reader{item: r.fields(name), what: r.what + ", " + name, err: r.err}
	var all map[ident.Node]time.Time
	for node := range times.item {
		if all == nil {
			all = map[ident.Node]time.Time{}
		}
		all[ident.Node(strings.TrimPrefix(node, everywhere))] = time.UnixMicro(times.number(node)).UTC()
	}
	r.err = times.err
	return all
}

// API clients, people, and their grants.

// everywhere stands for "" among the nodes of a person's cuts, which are microseconds since 1970: so they fit into a read unit beside as
// many grants.
const everywhere = "*"

func encodeClient(p *access.Principal) item {
	kind := "client"
	if p.ID.IsPerson() {
		kind = "person"
	}
	it := newItem(clientKey(p.ID), kind)
	if p.Person != nil {
		person := item{}
		person.text("tenant", p.Person.Tenant)
		person.text("object", p.Person.Object)
		person.text("email", p.Person.Email)
		it["person"] = &types.AttributeValueMemberM{Value: person}
	}
	it.moments("sessionsFrom", p.SessionsFrom)
	it.moments("cut", p.Cut)
	if p.ID.IsPerson() && p.Person == nil { // has only signed out: afterwards there is nothing to keep
		last := p.Created
		for _, at := range p.SessionsFrom {
			if at.After(last) {
				last = at
			}
		}
		it.number(schema.TTLAttr, last.Add(credential.Absolute+24*time.Hour).Unix())
	}
	it.text("name", string(p.Name))
	it.text("home", string(p.Home))
	it.number("version", p.Version)
	it.time("created", p.Created)
	it.time("revoked", p.Revoked)
	it.bytes("cursorKey", p.CursorKey)
	grants := item{}
	for node, role := range p.Grants {
		grants.text(string(node), role.String())
	}
	it["grants"] = &types.AttributeValueMemberM{Value: grants}
	secrets := make([]item, len(p.Secrets))
	for i, s := range p.Secrets {
		secrets[i] = item{}
		secrets[i].text("id", string(s.ID))
		secrets[i].bytes("hash", s.Hash)
		secrets[i].text("hint", s.Hint)
		secrets[i].time("created", s.Created)
	}
	it.list("secrets", secrets)
	return it
}

func decodeClient(id ident.Principal, it item) (*access.Principal, error) {
	r := &reader{item: it, what: "principal " + string(id)}
	p := &access.Principal{
		ID:        id,
		Name:      hierarchy.Name(r.text("name")),
		Home:      ident.Node(r.text("home")),
		Grants:    map[ident.Node]access.Role{},
		CursorKey: r.bytes("cursorKey"),
		Version:   r.number("version"),
		Created:   r.time("created"),
		Revoked:   r.time("revoked"),

		SessionsFrom: r.moments("sessionsFrom"),
		Cut:          r.moments("cut"),
	}
	if _, known := r.item["person"]; known { // not of somebody who has only signed out everywhere
		person := &reader{item: r.fields("person"), what: r.what + ", person", err: r.err}
		p.Person = &access.Person{Tenant: person.needed("tenant"), Object: person.needed("object"), Email: person.text("email")}
		r.err = person.err
	}
	grants := &reader{item: r.fields("grants"), what: r.what + ", grants", err: r.err}
	for node := range grants.item {
		p.Grants[ident.Node(node)] = grants.role(node)
	}
	r.err = grants.err
	r.each("secrets", func(r *reader) {
		p.Secrets = append(p.Secrets, access.Secret{
			ID: ident.Key(r.text("id")), Hash: r.bytes("hash"), Hint: r.text("hint"), Created: r.time("created"),
		})
	})
	return p, r.err
}

func (r *reader) role(name string) access.Role {
	role, ok := access.ParseRole(r.text(name))
	if !ok {
		r.fail(name)
	}
	return role
}

// encodeGrant is a principal's grant as the node lists it.
func encodeGrant(p *access.Principal, node ident.Node) item {
	it := newItem(grantKey(node, p.ID), "grant")
	it.text("role", p.Grants[node].String())
	it.text("name", string(p.Name))
	it.text("home", string(p.Home))
	it.time("created", p.Created)
	if p.Person != nil {
		it.text("tenant", p.Person.Tenant)
	}
	return it
}

func decodeGrant(node ident.Node, it item) (directory.Grant, error) {
	r := &reader{item: it, what: "grant at node " + string(node)}
	client, err := ident.ParsePrincipal(strings.TrimPrefix(r.text(schema.SK), grantPrefix))
	if err != nil {
		r.fail(schema.SK)
	}
	g := directory.Grant{
		Node: node, Principal: client, Role: r.role("role"), Name: hierarchy.Name(r.text("name")),
		Home: ident.Node(r.text("home")), Created: r.time("created"), Tenant: r.text("tenant"),
	}
	return g, r.err
}

// Brands.

func encodeBrand(b *brand.Brand) item {
	it := newItem(brandKey(b.ID), "brand")
	it.text("owner", string(b.Owner))
	it.text("name", string(b.Name))
	it.text("domain", b.Domain)
	it.texts("regions", b.Regions)
	it.text("state", string(b.State))
	it.text("color", b.Color)
	it.text("logo", b.Logo)
	if b.App != nil {
		app := item{}
		app.text("client", b.App.Client)
		app.text("tenant", b.App.Tenant)
		if b.App.SingleTenant {
			app["single"] = &types.AttributeValueMemberBOOL{Value: true}
		}
		it["app"] = &types.AttributeValueMemberM{Value: app}
	}
	it.number("version", b.Version)
	it.time("created", b.Created)
	return it
}

func decodeBrand(id ident.Brand, it item) (*brand.Brand, error) {
	r := &reader{item: it, what: "brand " + string(id)}
	b := &brand.Brand{
		ID: id, Owner: ident.Node(r.text("owner")), Name: hierarchy.Name(r.text("name")), Domain: r.text("domain"),
		Regions: r.texts("regions"), State: brand.State(r.text("state")), Version: r.number("version"), Created: r.time("created"),
		Color: r.text("color"), Logo: r.text("logo"),
	}
	if _, has := r.item["app"]; has {
		app := &reader{item: r.fields("app"), what: r.what + ", app", err: r.err}
		b.App = &brand.App{Client: app.needed("client"), Tenant: app.needed("tenant"), SingleTenant: app.yes("single")}
		r.err = app.err
	}
	return b, r.err
}

func encodeLogo(id ident.Brand, png []byte) item {
	it := newItem(logoKey(id), "logo")
	it.bytes("png", png)
	return it
}

func decodeLogo(id ident.Brand, it item) ([]byte, error) {
	r := &reader{item: it, what: "logo of brand " + string(id)}
	png := r.bytes("png")
	if png == nil {
		r.fail("png")
	}
	return png, r.err
}

func encodeDomain(b *brand.Brand) item {
	it := newItem(domainKey(b.Domain), "domain")
	it.text("brand", string(b.ID))
	it.text("owner", string(b.Owner))
	return it
}

func decodeDomain(it item) (directory.Domain, error) {
	r := &reader{item: it, what: "domain"}
	return directory.Domain{Brand: ident.Brand(r.needed("brand")), Owner: ident.Node(r.needed("owner"))}, r.err
}

// Memos and events.

func encodeMemo(m *directory.Memo) item {
	it := newItem(memoKey(m.MemoKey), "memo")
	it.bytes("fingerprint", m.Fingerprint)
	it.bytes("answer", m.Answer)
	it.number(schema.TTLAttr, m.Expires.Unix())
	return it
}

// decodeMemo returns nil for a memo that has expired.
func decodeMemo(k directory.MemoKey, it item, now time.Time) (*directory.Memo, error) {
	r := &reader{item: it, what: "memo of client " + string(k.Principal)}
	m := &directory.Memo{
		MemoKey: k, Fingerprint: r.bytes("fingerprint"), Answer: r.bytes("answer"),
		Expires: time.Unix(r.number(schema.TTLAttr), 0).UTC(),
	}
	if r.err == nil && now.Unix() >= m.Expires.Unix() {
		return nil, nil
	}
	return m, r.err
}

// encodeEvent is the event as the log of each of its witnesses has it, the node where it happened first, and as its past has it.
func encodeEvent(e event.Event) ([]item, error) {
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	body, err := json.Marshal(e)
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
	var e event.Event
	if err := json.Unmarshal([]byte(r.text(schema.EventAttr)), &e); err != nil {
		r.fail(schema.EventAttr)
	}
	return e, r.err
}

// Move requests.

// keepRequests is how long a move request is kept after its end.
const keepRequests = 90 * 24 * time.Hour

// encodeRequest is a move request as it is kept under one of its keys.
func encodeRequest(k key, kind string, m *directory.MoveRequest) item {
	it := newItem(k, kind)
	it.text("id", string(m.ID))
	it.text("node", string(m.Node))
	it.text("name", string(m.Name))
	it.text("to", string(m.To))
	it.text("message", m.Message)
	it.text("by", string(m.By))
	it.text("within", string(m.Within))
	it.text("state", string(m.State))
	it.time("created", m.Created)
	it.time("ends", m.Ends)
	it.time("closed", m.Closed)
	it.number("version", m.Version)
	it.number(schema.TTLAttr, m.Ends.Add(keepRequests).Unix())
	return it
}

func decodeRequest(it item) (directory.MoveRequest, error) {
	r := &reader{item: it, what: "move request"}
	id, err := ident.ParseMoveRequest(r.text("id"))
	if err != nil {
		r.fail("id")
	}
	r.what = "move request " + string(id)
	m := directory.MoveRequest{
		ID: id, Node: ident.Node(r.text("node")), Name: hierarchy.Name(r.text("name")), To: ident.Node(r.text("to")),
		Message: r.text("message"), By: ident.Principal(r.text("by")), Within: ident.Node(r.text("within")),
		State:   directory.RequestState(r.text("state")),
		Created: r.time("created"), Ends: r.time("ends"), Closed: r.time("closed"), Version: r.number("version"),
	}
	return m, r.err
}

// encodeOpen says which move request of a node is open, and until when.
func encodeOpen(m *directory.MoveRequest) item {
	it := newItem(openKey(m.Node), "open request")
	it.text("id", string(m.ID))
	it.time("ends", m.Ends)
	it.number(schema.TTLAttr, m.Ends.Add(keepRequests).Unix())
	return it
}

// Invitations.

// keepInvitations is how long an invitation is kept after its end.
const keepInvitations = 90 * 24 * time.Hour

// encodeInvitation is an invitation as it is kept under one of its keys.
func encodeInvitation(k key, kind string, i *directory.Invitation) item {
	it := newItem(k, kind)
	it.text("id", string(i.ID))
	it.text("node", string(i.Node))
	it.text("email", i.Email)
	it.text("name", string(i.Name))
	it.text("role", i.Role.String())
	it.text("message", i.Message)
	it.text("by", string(i.By))
	it.text("within", string(i.Within))
	it.text("state", string(i.State))
	it.time("created", i.Created)
	it.time("ends", i.Expires)
	it.time("sent", i.Sent)
	it.time("closed", i.Closed)
	it.number("generation", int64(i.Generation))
	it.number("key", int64(i.Key))
	it.bytes("hash", i.Hash)
	it.text("mail", string(i.Mail))
	it.text("mailProblem", string(i.MailProblem))
	it.text("guestTenant", i.Guest.Tenant)
	it.text("guest", i.Guest.Object)
	it.text("guestOf", string(i.Guest.Of))
	it.text("person", string(i.Person))
	it.number("version", i.Version)
	it.number(schema.TTLAttr, i.Expires.Add(keepInvitations).Unix())
	return it
}

func decodeInvitation(it item) (directory.Invitation, error) {
	r := &reader{item: it, what: "invitation"}
	id, err := ident.ParseInvitation(r.text("id"))
	if err != nil {
		r.fail("id")
	}
	r.what = "invitation " + string(id)
	i := directory.Invitation{
		ID: id, Node: ident.Node(r.text("node")), Email: r.text("email"), Name: hierarchy.Name(r.text("name")), Role: r.role("role"),
		Message: r.text("message"), By: ident.Principal(r.text("by")), Within: ident.Node(r.text("within")),
		State:   directory.InvitationState(r.text("state")),
		Created: r.time("created"), Expires: r.time("ends"), Sent: r.time("sent"), Closed: r.time("closed"),
		Generation: int(r.number("generation")), Key: int(r.number("key")), Hash: r.bytes("hash"),
		Mail: directory.MailState(r.text("mail")), MailProblem: directory.MailProblem(r.text("mailProblem")),
		Guest:  directory.Guest{Tenant: r.text("guestTenant"), Object: r.text("guest"), Of: ident.Node(r.text("guestOf"))},
		Person: ident.Principal(r.text("person")), Version: r.number("version"),
	}
	return i, r.err
}

// The keyring.

func encodeKeyring(ring credential.Keyring) item {
	it := newItem(keyringKey(), "keyring")
	keys := make([]item, len(ring))
	for i, k := range ring {
		keys[i] = item{}
		keys[i].number("id", int64(k.ID))
		keys[i].bytes("secret", k.Secret[:])
		keys[i].time("created", k.Created)
	}
	it.list("keys", keys)
	return it
}

func decodeKeyring(it item) (credential.Keyring, error) {
	r := &reader{item: it, what: "keyring"}
	var ring credential.Keyring
	r.each("keys", func(r *reader) {
		k := credential.Key{ID: int(r.number("id")), Created: r.time("created")}
		if secret := r.bytes("secret"); copy(k.Secret[:], secret) < len(k.Secret) || len(secret) > len(k.Secret) {
			r.fail("secret")
		}
		ring = append(ring, k)
	})
	if ring == nil {
		r.fail("keys")
	}
	return ring, r.err
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

// How far changes are.

func encodeProgress(p *directory.Progress) item {
	it := newItem(progressKey(p.ID), "progress")
	it.number("seq", p.Seq)
	it.text("node", string(p.Node))
	it.text("kind", string(p.Kind))
	it.text("state", string(p.State))
	it.number("nodes", p.Nodes)
	it.time("started", p.Started)
	it.time("updated", p.Updated)
	it.number("version", p.Version)
	return it
}

func decodeProgress(id ident.Change, it item) (*directory.Progress, error) {
	r := &reader{item: it, what: "progress of change " + string(id)}
	p := &directory.Progress{
		ID: id, Seq: r.number("seq"), Node: ident.Node(r.text("node")), Kind: hierarchy.ChangeKind(r.text("kind")),
		State: directory.ProgressState(r.text("state")), Nodes: r.number("nodes"),
		Started: r.time("started"), Updated: r.time("updated"), Version: r.number("version"),
	}
	return p, r.err
}
