package directory

import (
	"context"

	"example.com/partnertree/shared/ident"
)

// Measure measures nodes, each after those below it, however high they are.
func (d *Directory) Measure(ctx context.Context, ids ...ident.Node) error {
	c := &climb{Nodes: ids}
	var err error
	if c.AsOf, err = d.beginMeasuring(ctx, ids); err != nil || c.AsOf == 0 {
		return err
	}
	for done := false; !done; {
		if done, err = d.climb(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// BeginMeasuring begins to measure a node, and ends there.
func (d *Directory) BeginMeasuring(ctx context.Context, id ident.Node) error {
	_, err := d.beginMeasuring(ctx, []ident.Node{id})
	return err
}
