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

// User is one grant by which somebody has access to a node. Who has several on the node's path is listed with each.
type User struct {
	Client ident.Client
	Name   hierarchy.Name
	Source // from where
}

// Source is a grant on the path of a node. Its node and what blocks it are "" when they lie out of the caller's sight.
type Source struct {
	access.Source
	Above   bool // it was granted above the node: it is inherited
	Hidden  bool // it was granted out of the caller's sight
	Without bool // it does not count, because of something that is suspended or in the trash
}

// sourceSeen hides what lies above the part of the node's path that the caller sees.
func sourceSeen(s access.Source, place hierarchy.Place, first int) Source {
	seen := Source{Source: s, Above: place.Path.Index(s.Node) < place.Path.Depth()-1, Without: s.Blocked != ""}
	if place.Path.Index(s.Node) < first {
		seen.Node, seen.Hidden = "", true
	}
	if place.Path.Index(s.Blocked) < first {
		seen.Blocked = ""
	}
	return seen
}

// Users lists everybody who was granted a role at a node or above it, from the node up and by principal id: nobody has access
// there who is not listed. It needs viewer. A move of the node between two pages can make it miss some or show some again.
func (d *Directory) Users(ctx context.Context, c Caller, id ident.Node, p Paging) (List[User], error) {
	sum, position, err := splitCursor(p.Cursor)
	if err != nil {
		return List[User]{}, err
	}
	list := listName("users", string(id))
	v, node, dec, err := d.reach(ctx, c, id, access.Read)
	if err != nil {
		return List[User]{}, err
	}
	if err := checkCursor(v.caller, list, sum, position); err != nil {
		return List[User]{}, err
	}
	levels := dec.Place.Path.IDs()
	slices.Reverse(levels)
	begin, after := 0, ""
	if up, client, ok := strings.Cut(position, " "); ok {
		begin, _ = strconv.Atoi(up) // it was signed
		begin, after = min(begin, len(levels)), client
	}
	pages := make([]Page[Grant], len(levels))
	err = severally(ctx, len(levels)-begin, func(ctx context.Context, i int) (err error) {
		from := ""
		if i == 0 {
			from = after
		}
		pages[begin+i], err = d.store.Grants(ctx, levels[begin+i], from, p.Limit)
		return err
	})
	if err != nil {
		return List[User]{}, err
	}
	users := List[User]{Items: []User{}}
	for up := begin; up < len(levels); up++ {
		for i, g := range pages[up].Items {
			_, sources := access.Why(&access.Principal{Grants: map[ident.Node]access.Role{g.Node: g.Role}}, &v.Tree, node, access.Read)
			users.Items = append(users.Items, User{g.Client, g.Name, sourceSeen(sources[0], dec.Place, dec.First)})
			if len(users.Items) < p.Limit {
				continue
			}
			switch {
			case i+1 < len(pages[up].Items) || pages[up].Next != "":
				users.Next = signCursor(v.caller, list, strconv.Itoa(up)+" "+string(g.Client))
			case up+1 < len(levels):
				users.Next = signCursor(v.caller, list, strconv.Itoa(up+1)+" ")
			}
			return users, nil
		}
	}
	return users, nil
}

// Explanation is why somebody may do something at a node, or why not.
type Explanation struct {
	Client  ident.Client
	Name    hierarchy.Name // "" when they have no grant there that would be listed
	Node    ident.Node
	Action  access.Action
	Allowed bool
	Role    access.Role // at the node; None: they cannot even see it
	Sources []Source    // their grants on the node's path, from the root down, whether they count or not
	// Known are the names of the nodes in Sources that the caller sees.
	Known map[ident.Node]hierarchy.Name
}

// Why explains what somebody may do at a node, by the decision itself and from the same read. It needs viewer at the node. Of
// somebody who was granted nothing there or above, it does not tell whether they exist.
func (d *Directory) Why(ctx context.Context, c Caller, client ident.Client, id ident.Node, a access.Action) (Explanation, error) {
	v, err := d.read(ctx, c, Want{Nodes: []ident.Node{id}, Clients: []ident.Client{client}})
	if err != nil {
		return Explanation{}, err
	}
	node, dec, err := v.decide(id, access.Read)
	if err != nil {
		return Explanation{}, err
	}
	why := Explanation{Client: client, Node: id, Action: a, Sources: []Source{}, Known: map[ident.Node]hierarchy.Name{}}
	who := v.Clients[client]
	if who == nil || !who.Revoked.IsZero() {
		who = &access.Principal{}
	}
	theirs, sources := access.Why(who, &v.Tree, node, a)
	why.Role, why.Allowed = theirs.Role, theirs.Allowed()
	known := map[ident.Node]*hierarchy.Node{id: node}
	var named []ident.Node
	for _, s := range sources {
		why.Name = who.Name
		seen := sourceSeen(s, dec.Place, dec.First)
		why.Sources = append(why.Sources, seen)
		for _, id := range []ident.Node{seen.Node, seen.Blocked} {
			if id != "" {
				named = append(named, id)
			}
		}
	}
	if err := d.know(ctx, c, known, named); err != nil {
		return Explanation{}, err
	}
	for _, id := range append(named, id) {
		if n := known[id]; n != nil {
			why.Known[id] = n.Name
		}
	}
	return why, nil
}
