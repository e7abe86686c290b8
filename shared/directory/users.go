package directory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// User is one grant by which somebody has access to a node, or would have if it counted. Who was granted several roles on the way to
// the node is listed with each.
type User struct {
	Principal ident.Principal
	Name      hierarchy.Name
	Tenant    string // of a person: whose they are, by which people of one name can be told apart
	Source
}

// Source is a grant at a node or above it as a caller sees it. Node is "" when it was made out of their sight: above where their own
// access begins. What keeps a grant from counting is never out of sight in the present, since it would keep the caller's from counting
// too; of the past, Blocked is "" then, and By still says what it was.
type Source struct {
	access.Source
	Inherited bool // it was made above the node
}

// sourceSeen is what a caller sees of a source who, on the node's path, sees what is at first and after it.
func sourceSeen(s access.Source, path hierarchy.Path, first int) Source {
	at := path.Index(s.Node)
	if at < first {
		s.Node = ""
	}
	return Source{s, at < path.Depth()-1}
}

// levelsOf is a grant at each node of the path, from the node up, and whether it counts.
func levelsOf(tree *hierarchy.TreeState, node *hierarchy.Node, path hierarchy.Path) []access.Source {
	anybody := &access.Principal{Grants: map[ident.Node]access.Role{}}
	for _, id := range path.IDs() {
		anybody.Grants[id] = access.Viewer
	}
	_, levels := access.Why(anybody, tree, node, access.Read)
	slices.Reverse(levels)
	return levels
}

// levelsAtOnce is how many nodes of a path are asked at the same time for who was granted a role there.
const levelsAtOnce = 8

// Users lists everybody who was granted a role at a node or above it, from the node up, then by id: nobody has access there who is
// not listed. It needs viewer. What is granted or moved between two pages may be missing from both, or be in both. A cursor tells how
// many levels up the page ended, and not what is there.
func (d *Directory) Users(ctx context.Context, c Caller, id ident.Node, p Paging) (List[User], error) {
	fail := func(err error) (List[User], error) { return List[User]{}, err }
	list := ListName("users", string(id))
	v, node, dec, position, err := d.beginPage(ctx, c, id, list, p.Cursor)
	if err != nil {
		return fail(err)
	}
	levels := levelsOf(&v.Tree, node, dec.Place.Path)
	begin, after := 0, ""
	if up, client, ok := strings.Cut(position, " "); ok {
		begin, _ = strconv.Atoi(up) // it was signed
		begin, after = min(begin, len(levels)), client
	}
	users := List[User]{Items: []User{}}
	for ; begin < len(levels); begin, after = begin+levelsAtOnce, "" {
		some := levels[begin:min(begin+levelsAtOnce, len(levels))]
		pages, room := make([]Page[access.Grant], len(some)), max(1, p.Limit-len(users.Items))
		if err := concurrently(ctx, len(some), func(ctx context.Context, i int) (err error) {
			from := ""
			if i == 0 {
				from = after
			}
			pages[i], err = ListAt(ctx, d.store, access.GrantsAt, some[i].Node, from, room)
			return err
		}); err != nil {
			return fail(err)
		}
		for i, page := range pages {
			for j, g := range page.Items {
				if len(users.Items) == p.Limit {
					last := "" // nothing of this level yet: it begins the next page
					if j > 0 {
						last = string(page.Items[j-1].Principal)
					}
					users.Next = signCursor(v.Caller, list, strconv.Itoa(begin+i)+" "+last)
					return users, nil
				}
				s := some[i]
				s.Role = g.Role
				users.Items = append(users.Items, User{g.Principal, g.Name, g.Tenant, sourceSeen(s, dec.Place.Path, dec.First)})
			}
			if page.Next != "" {
				users.Next = signCursor(v.Caller, list, strconv.Itoa(begin+i)+" "+page.Next)
				return users, nil
			}
		}
	}
	return users, nil
}

// PastUsers is one page of who had access in the past.
type PastUsers struct {
	List[User]
	Incomplete bool   // something that was above the node is purged or out of the caller's sight now: there may have been more
	Text       string // says that the node was made later, if it was
}

// UsersAt lists everybody who had a role at a node, or at what was above it, at any moment of a window, as Users does: each grant once, as
// it was when it gave the most, ordered by how far up it was at first. It needs viewer at the node now; where grants were made
// shows as far as the caller sees it now, and those at what is neither in their sight nor above the node now are left out.
func (d *Directory) UsersAt(ctx context.Context, c Caller, id ident.Node, w Window, p Paging) (PastUsers, error) {
	fail := func(err error) (PastUsers, error) { return PastUsers{}, err }
	if err := d.certain(w); err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(ctx, pastFor)
	defer cancel()
	list := ListName("users at", string(id), w.From.String(), w.Until.String())
	v, node, dec, position, err := d.beginPage(ctx, c, id, list, p.Cursor)
	if err != nil {
		return fail(err)
	}
	past, err := d.past(ctx, c, node, dec, w)
	if err != nil {
		return fail(err)
	}
	found, incomplete, err := past.users()
	if err != nil {
		return fail(err)
	}
	begin, _ := strconv.Atoi(position) // it was signed
	begin = min(begin, len(found))     // of what was purged since the last page nothing is known any more
	page := PastUsers{List[User]{Items: []User{}}, incomplete, w.before(node)}
	more := func(at int) (PastUsers, error) {
		page.Next = signCursor(v.Caller, list, strconv.Itoa(at))
		return page, nil
	}
	size := min(p.Limit+1, readAtOnce)
	for range pastReads {
		some := found[begin:min(begin+size, len(found))]
		if len(some) == 0 {
			return page, nil
		}
		clients := make([]ident.Principal, len(some))
		for i, h := range some {
			clients[i] = h.principal
		}
		read, err := d.Read(ctx, c, Want{Records: access.Principals.Refs(clients...)})
		if err != nil {
			return fail(err)
		}
		for i, h := range some {
			user := h.user(access.Principals.In(read.Records, h.principal))
			if user != nil && len(page.Items) == p.Limit {
				return more(begin + i)
			}
			if user != nil {
				page.Items = append(page.Items, *user)
			}
		}
		begin, size = begin+len(some), readAtOnce
	}
	if begin < len(found) {
		return more(begin)
	}
	return page, nil
}

// pastReads is how many batches of principals at most are read for a page: those who were revoked before are not in it. So it may have
// fewer users than there is room for, or none.
const pastReads = 10

// had is a grant that was there in the window, unless whose it was had been revoked before.
type had struct {
	up        int // levels above the node, at first
	principal ident.Principal
	node      ident.Node
	better    []better // the oldest first
}

// better is a grant from when it gave more than before.
type better struct {
	since time.Time
	User
}

// user is the grant as it was when it gave the most, with what is kept of whose it was: nil if they had been revoked before.
func (h *had) user(who *access.Principal) *User {
	for _, b := range slices.Backward(h.better) {
		if lived(who, b.since) {
			if who != nil && who.Person != nil {
				b.Tenant = who.Person.Tenant
			}
			return &b.User
		}
	}
	return nil
}

// users are all grants that there were in the window, from the node up, then by id.
func (p *past) users() (all []*had, incomplete bool, err error) {
	type key struct {
		client ident.Principal
		node   ident.Node
	}
	found := map[key]*had{}
	var last hierarchy.Place
	looked := 0
	for i, moment := range p.moments() {
		node, whole := p.at(moment)
		incomplete = incomplete || !whole
		alike := i > 0 && node.Place.Path == last.Path && slices.Equal(node.Place.Marks, last.Marks)
		last = node.Place
		for up, s := range levelsOf(&hierarchy.TreeState{}, node, node.Place.Path) {
			grants := p.stood[s.Node].grants
			if alike { // the others gave the same a moment before
				grants = p.stood[s.Node].newGrants()
			}
			if looked += len(grants); i > 0 && looked > maxLooked {
				return nil, false, tooMuch()
			}
			for client, g := range grants {
				h := found[key{client, s.Node}]
				if h == nil {
					h = &had{up: up, principal: client, node: s.Node}
					found[key{client, s.Node}] = h
				} else if was := &h.better[len(h.better)-1]; was.Counts() && !s.Counts() || was.Counts() == s.Counts() && was.Role >= g.Role {
					continue
				}
				s.Role = g.Role
				h.better = append(h.better, better{moment, User{Principal: client, Name: g.Name, Source: p.seen(s)}})
			}
		}
	}
	all = slices.SortedFunc(maps.Values(found), func(a, b *had) int {
		return cmp.Or(cmp.Compare(a.up, b.up), cmp.Compare(a.principal, b.principal), cmp.Compare(a.node, b.node))
	})
	return all, incomplete, nil
}
