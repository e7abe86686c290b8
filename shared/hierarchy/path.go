package hierarchy

import (
	"fmt"
	"strings"

	"example.com/partnertree/shared/ident"
)

// MaxDepth is the largest number of nodes on a path, including the root. An index key holds 1,024 bytes and a step takes
// 21 bytes. The rest is kept for what will be below customers.
const MaxDepth = 30

const step = ident.Len + 1

// Path is the ids from the root down to a node, each followed by "/". Because of the closing "/" and the fixed length of ids, a
// path is a prefix of another path only if its node is above the other node. The zero Path is the place above the root.
type Path string

// ParsePath reads a stored path.
func ParsePath(s string) (Path, error) {
	if len(s)%step != 0 || len(s)/step > MaxDepth {
		return "", fmt.Errorf("a path of %d bytes", len(s))
	}
	for i := 0; i < len(s); i += step {
		if _, err := ident.ParseNode(s[i : i+ident.Len]); err != nil || s[i+ident.Len] != '/' {
			return "", fmt.Errorf("step %d of the path is no id", i/step)
		}
	}
	return Path(s), nil
}

// Depth returns the number of nodes on the path.
func (p Path) Depth() int { return len(p) / step }

// At returns the i-th id. The root is at 0.
func (p Path) At(i int) ident.Node { return ident.Node(p[i*step : i*step+ident.Len]) }

// Child returns the path of a node directly below.
func (p Path) Child(id ident.Node) Path { return p + Path(id) + "/" }

// To returns the path up to and including the i-th id.
func (p Path) To(i int) Path { return p[:(i+1)*step] }

// From returns what is left of the path when the first i ids are taken off.
func (p Path) From(i int) Path { return p[i*step:] }

// Index returns the position of id, or -1.
func (p Path) Index(id ident.Node) int {
	for i := range p.Depth() {
		if p.At(i) == id {
			return i
		}
	}
	return -1
}

// Has reports whether p is q or lies below it.
func (p Path) Has(q Path) bool { return strings.HasPrefix(string(p), string(q)) }

// IDs returns the ids from the root down.
func (p Path) IDs() []ident.Node {
	ids := make([]ident.Node, p.Depth())
	for i := range ids {
		ids[i] = p.At(i)
	}
	return ids
}
