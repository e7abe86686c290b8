package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// User is one grant by which somebody has access to a node, or would have if it counted. Who was granted several roles on the way to
// the node is listed with each.
type User struct {
	Client ident.Principal
	Name   hierarchy.Name
	Source
}

// Source is a grant at a node or above it as a caller sees it. Node is "" when it was made out of their sight: above where their own
// access begins. What keeps a grant from counting is never out of sight, since it would keep the caller's from counting too.
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
	anybody := &access.Principal{Grants: map[ident.Node]access.Role{}}
	for _, id := range dec.Place.Path.IDs() {
		anybody.Grants[id] = access.Viewer
	}
	_, levels := access.Why(anybody, &v.Tree, node, access.Read) // a grant at each level, and whether it counts
	slices.Reverse(levels)

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
				users.Items = append(users.Items, User{g.Client, g.Name, sourceSeen(s, dec.Place.Path, dec.First)})
			}
			if page.Next != "" {
				users.Next = signCursor(v.caller, list, strconv.Itoa(begin+i)+" "+page.Next)
				return users, nil
			}
		}
	}
	return users, nil
}
