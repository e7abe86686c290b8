package directory

import (
	"context"
	"slices"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Names are what a caller may call nodes and principals by.
type Names struct {
	Nodes      map[ident.Node]hierarchy.Name // those that the caller sees
	Principals map[ident.Principal]hierarchy.Name
}

// Names returns the names of those of the nodes that the caller sees, and of the principals. The principals must be those that the caller was
// told of: as actors of events, or as who has a role. What does not exist, or cannot be seen, has no name.
func (d *Directory) Names(ctx context.Context, c Caller, nodes []ident.Node, principals []ident.Principal) (Names, error) {
	names := Names{map[ident.Node]hierarchy.Name{}, map[ident.Principal]hierarchy.Name{}}
	nodes, principals = distinct(nodes), distinct(principals)
	for len(nodes)+len(principals) > 0 {
		n := min(len(nodes), readAtOnce)
		p := min(len(principals), readAtOnce-n)
		v, err := d.Read(ctx, c, Want{Nodes: nodes[:n], Records: access.Principals.Refs(principals[:p]...)})
		if err != nil {
			return Names{}, err
		}
		for _, id := range nodes[:n] {
			if node, dec, _ := v.Decide(id, access.Read); dec.Visible() {
				names.Nodes[id] = node.Name
			}
		}
		for _, id := range principals[:p] {
			if who := access.Principals.In(v.Records, id); who != nil {
				names.Principals[id] = who.Name
			}
		}
		nodes, principals = nodes[n:], principals[p:]
	}
	return names, nil
}

// distinct returns the values without empty ones and repetitions, sorted.
func distinct[T ~string](values []T) []T {
	values = slices.Sorted(slices.Values(values))
	values = slices.Compact(values)
	if len(values) > 0 && values[0] == "" {
		values = values[1:]
	}
	return values
}
