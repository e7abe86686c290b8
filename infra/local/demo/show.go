package demo

import (
	"context"
	"fmt"
	"io"
	"strings"

	"example.com/partnertree/infra/local/stack"
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

// Show draws what the administrator sees from where it stands, as the API answers it, says where people sign in and as whom, and gives
// lines to paste for every caller.
func Show(ctx context.Context, to io.Writer, on *stack.Stack, s Seeded) error {
	url, admin := on.URL, s.Callers[1]
	var answer struct {
		Root node `json:"root"`
	}
	if err := (api{url, admin.Key}).get(ctx, "/v1/partners/"+admin.Node+"/tree?depth=3", &answer); err != nil {
		return err
	}
	fmt.Fprintf(to, "\nPart of the tree (%d partners and %d customers below %s):\n\n", s.Partners, s.Customers, s.Callers[0].At)
	draw(to, answer.Root, "  ", "  ")
	fmt.Fprintf(to, "\nThe API   %s/v1\nIts docs  %s/docs\nSign in   %s/signin\n          %s/signin, the portal of a brand\nMailbox   %s\n",
		url, url, url, on.Origin(stack.BrandHost()), on.Mailbox())
	fmt.Fprintf(to, "\nPeople; sign in as whom you like, without a password:\n\n")
	for _, p := range s.People {
		what := "is"
		if p.Invited {
			what = "was invited as"
		}
		fmt.Fprintf(to, "  %s %s %s at %s\n", p.Name, what, p.Role, p.At)
	}
	fmt.Fprintf(to, "\nThree callers:\n\n")
	for _, c := range s.Callers {
		fmt.Fprintf(to, "  %-7s %s at %s\n", strings.ToUpper(c.Role), c.Role, c.At)
	}
	fmt.Fprintf(to, "\nFor the walk in infra/local/WALK.md, and for what follows, paste into another terminal:\n\n%s", Exports(url, s))
	fmt.Fprintf(to, "\nWhat each of the three sees:\n\n")
	for i, node := range []string{s.Callers[0].Node, "$VAZON", "$VALE"} {
		fmt.Fprintf(to, "curl -s \"$API/v1/partners/%s/tree\" -H \"Authorization: Bearer $%s\"\n", node, strings.ToUpper(s.Callers[i].Role))
	}
	return nil
}

// Exports are lines for a shell: where the API is, the key of each caller by its role, and the ids of the partners of the
// walk. There is no remark in them: an interactive zsh takes # for a word like any other.
func Exports(url string, s Seeded) string {
	var b strings.Builder
	fmt.Fprintf(&b, "export API=%s\n", url)
	for _, c := range s.Callers {
		fmt.Fprintf(&b, "export %s=%s\n", strings.ToUpper(c.Role), c.Key)
	}
	fmt.Fprintf(&b, "export VAZON=%s VALE=%s\n", s.Callers[1].Node, s.Callers[2].Node)
	return b.String()
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
