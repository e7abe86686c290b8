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
	Client ident.Principal
	Name   hierarchy.Name
	Tenant string // of a person: whose they are, by which people of one name can be told apart
	Source
}

// Source is a grant at a node or above it as a caller sees it. Node is "" when it was made out of their sight: above where their own
// access begins, or, of the past, somewhere else where they see nothing now. What keeps a grant from counting is never out of sight in the
// present, since it would keep the caller's from counting too; of the past, Blocked is "" then, and By still says what it was.
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
	list := listName("users", string(id))
	v, node, dec, position, err := d.listed(ctx, c, id, list, p.Cursor)
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
		pages, room := make([]Page[Grant], len(some)), max(1, p.Limit-len(users.Items))
		if err := severally(ctx, len(some), func(ctx context.Context, i int) (err error) {
			from := ""
			if i == 0 {
				from = after
			}
			pages[i], err = d.store.Grants(ctx, some[i].Node, from, room)
			return err
		}); err != nil {
			return fail(err)
		}
		for i, page := range pages {
			for j, g := range page.Items {
				if len(users.Items) == p.Limit {
					last := "" // nothing of this level yet: it begins the next page
					if j > 0 {
						last = string(page.Items[j-1].Client)
					}
					users.Next = signCursor(v.caller, list, strconv.Itoa(begin+i)+" "+last)
					return users, nil
				}
				s := some[i]
				s.Role = g.Role
				users.Items = append(users.Items, User{g.Client, g.Name, g.Tenant, sourceSeen(s, dec.Place.Path, dec.First)})
			}
			if page.Next != "" {
				users.Next = signCursor(v.caller, list, strconv.Itoa(begin+i)+" "+page.Next)
				return users, nil
			}
		}
	}
	return users, nil
}

// PastUsers is one page of who had access in the past.
type PastUsers struct {
	List[User]
	Incomplete bool // the history of something that was above the node is gone: there may have been more
}

// UsersAt lists everybody who had a role at a node, or at what was above it, at any moment of a window, as Users does: each grant once, as
// it was when it gave the most. It needs viewer at the node now; where grants were made shows as far as the caller sees it now.
func (d *Directory) UsersAt(ctx context.Context, c Caller, id ident.Node, w Window, p Paging) (PastUsers, error) {
	fail := func(err error) (PastUsers, error) { return PastUsers{}, err }
	if err := d.certain(w); err != nil {
		return fail(err)
	}
	list := listName("users at", string(id), w.From.String(), w.Until.String())
	v, node, dec, position, err := d.listed(ctx, c, id, list, p.Cursor)
	if err != nil {
		return fail(err)
	}
	past, err := d.past(ctx, c, node, dec, w)
	if err != nil {
		return fail(err)
	}
	moments := past.moments()
	tenants, err := d.revoked(ctx, c, past, moments)
	if err != nil {
		return fail(err)
	}
	users, incomplete := past.users(moments, tenants)
	begin, _ := strconv.Atoi(position) // it was signed
	begin = min(begin, len(users))     // of what was purged since the last page nothing is known any more
	end := min(begin+p.Limit, len(users))
	page := PastUsers{List[User]{Items: users[begin:end]}, incomplete}
	if end < len(users) {
		page.Next = signCursor(v.caller, list, strconv.Itoa(end))
	}
	return page, nil
}

// revoked reads since when those who had a role in the window are revoked, and whose the people among them are.
func (d *Directory) revoked(ctx context.Context, c Caller, p *past, moments []time.Time) (tenants map[ident.Principal]string, err error) {
	if len(moments) == 0 {
		return nil, nil
	}
	found := map[ident.Principal]bool{}
	for _, id := range p.above {
		s := p.stood[id]
		s.until(moments[0])
		for client := range s.grants {
			found[client] = true
		}
		for i := s.next; i < len(s.events); i++ {
			if g, ok := grantIn(&s.events[i]); ok {
				found[g.Client] = true
			}
		}
	}
	some := slices.Collect(slices.Chunk(slices.Sorted(maps.Keys(found)), readAtOnce))
	read := make([]*view, len(some))
	if err := severally(ctx, len(some), func(ctx context.Context, i int) (err error) {
		read[i], err = d.read(ctx, c, Want{Clients: some[i]})
		return err
	}); err != nil {
		return nil, err
	}
	tenants = map[ident.Principal]string{}
	for _, v := range read {
		for id, who := range v.Clients {
			p.revoked[id] = who.Revoked
			if who.Person != nil {
				tenants[id] = who.Person.Tenant
			}
		}
	}
	return tenants, nil
}

// users are all grants that there were in the window, from the node up, then by id.
func (p *past) users(moments []time.Time, tenants map[ident.Principal]string) (all []User, incomplete bool) {
	type grant struct {
		up     int // levels above the node
		client ident.Principal
		node   ident.Node
		User
	}
	type key struct {
		client ident.Principal
		node   ident.Node
	}
	best := map[key]grant{}
	var last hierarchy.Place
	for i, moment := range moments {
		node, whole := p.at(moment)
		incomplete = incomplete || !whole
		alike := i > 0 && node.Place.Path == last.Path && slices.Equal(node.Place.Marks, last.Marks)
		last = node.Place
		for up, s := range levelsOf(&hierarchy.TreeState{}, node, node.Place.Path) {
			grants := p.stood[s.Node].grants
			if alike { // the others gave the same a moment before
				grants = p.stood[s.Node].news()
			}
			for client, g := range grants {
				was, found := best[key{client, s.Node}]
				weaker := found && (was.Counts() && !s.Counts() || was.Counts() == s.Counts() && was.Role >= g.Role)
				if weaker || !p.live(client, moment) {
					continue
				}
				s.Role = g.Role
				best[key{client, s.Node}] = grant{up, client, s.Node, User{client, g.Name, tenants[client], p.seen(s)}}
			}
		}
	}
	sorted := slices.SortedFunc(maps.Values(best), func(a, b grant) int {
		return cmp.Or(cmp.Compare(a.up, b.up), cmp.Compare(a.client, b.client), cmp.Compare(a.node, b.node))
	})
	all = make([]User, len(sorted))
	for i := range sorted {
		all[i] = sorted[i].User
	}
	return all, incomplete
}
