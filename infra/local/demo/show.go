package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
)

type node struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Children []node `json:"children"`
	Cut      *struct {
		Reason string `json:"reason"`
	} `json:"cut"`
}

// Show draws what the administrator sees from where it stands, as the API answers it, and gives lines to paste for every caller.
func Show(ctx context.Context, to io.Writer, url string, s Seeded) error {
	admin := s.Callers[1]
	var answer struct {
		Root node `json:"root"`
	}
	if err := (api{url, admin.Key}).get(ctx, "/v1/partners/"+admin.Node+"/tree?depth=3", &answer); err != nil {
		return err
	}
	fmt.Fprintf(to, "\nPart of the tree (%d partners and %d customers below %s):\n\n", s.Partners, s.Customers, s.Callers[0].At)
	draw(to, answer.Root, "  ", "  ")
	fmt.Fprintf(to, "\nThe API   %s/v1\nIts docs  %s/docs\n", url, url)
	for _, c := range s.Callers {
		fmt.Fprintf(to, "\n# %s at %s\nKEY=%s\n", c.Role, c.At, c.Key)
		fmt.Fprintf(to, "curl -s -H \"Authorization: Bearer $KEY\" %s/v1/me\n", url)
		fmt.Fprintf(to, "curl -s -H \"Authorization: Bearer $KEY\" %s/v1/partners/%s/tree\n", url, c.Node)
	}
	return nil
}

func draw(to io.Writer, n node, first, rest string) {
	name := n.Name
	if n.Kind == "customer" {
		name = "· " + name
	}
	if n.Cut != nil {
		name += " …"
	}
	fmt.Fprintf(to, "%s%s\n", first, strings.TrimRight(name, " "))
	for i, c := range n.Children {
		if i == len(n.Children)-1 {
			draw(to, c, rest+"└─ ", rest+"   ")
		} else {
			draw(to, c, rest+"├─ ", rest+"│  ")
		}
	}
}
