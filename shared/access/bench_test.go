package access_test

import (
	"fmt"
	"testing"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// BenchmarkDecide is read by functions/internal/bench: a decision takes at most a microsecond and allocates nothing, however
// deep the target is, however many grants the caller has, and with a bound. The allowing grant is the target's own, so that the whole
// path counts; the denied caller has none on the path.
func BenchmarkDecide(b *testing.B) {
	for _, depth := range []int{1, 10, hierarchy.MaxDepth} {
		var path hierarchy.Path
		for range depth {
			path = path.Child(ident.NewPartner())
		}
		target := &hierarchy.Node{ID: path.At(depth - 1), Place: hierarchy.Place{Path: path}}
		for _, grants := range []int{1, 10, access.MaxGrants} {
			for _, allowed := range []bool{true, false} {
				caller := &access.Principal{Grants: map[ident.Node]access.Role{}, Within: path.At(depth / 2)}
				if allowed {
					caller.Grants[target.ID] = access.Viewer
				}
				for len(caller.Grants) < grants {
					caller.Grants[ident.NewPartner()] = access.Viewer
				}
				name := fmt.Sprintf("depth=%d/grants=%d/%s", depth, grants, map[bool]string{true: "allow", false: "deny"}[allowed])
				b.Run(name, func(b *testing.B) {
					tree := &hierarchy.TreeState{Seq: 7}
					b.ReportAllocs()
					for b.Loop() {
						d := access.Decide(caller, tree, target, access.Read)
						if d.Allowed() != allowed {
							b.Fatal("decided otherwise")
						}
					}
				})
			}
		}
	}
}
