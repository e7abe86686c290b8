package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the top of the checkout.
const root = "../.."

// planned are names that documents may use although nothing has them yet.
var planned = []string{}

// frontPage is the most lines that the README may have: a front page is read, and a manual is not.
const frontPage = 150

// documents are those that are held to what is there, as paths from the top of the checkout.
func documents(t *testing.T) []string {
	t.Helper()
	return append(decisions(t), "README.md", "infra/local/WALK.md", "shared/decisions/README.md")
}

// decisions are the pages of decisions.
func decisions(t *testing.T) (pages []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "shared", "decisions", "[0-9][0-9]-*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no decisions: %v", err)
	}
	for _, f := range files {
		pages = append(pages, "shared/decisions/"+filepath.Base(f))
	}
	return pages
}

func text(t *testing.T, document string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestDocumentsNameWhatIsThere(t *testing.T) {
	used := map[string]bool{}
	for _, document := range documents(t) {
		_, missing := named(document, text(t, document))
		for _, name := range missing {
			if used[name] = true; !slices.Contains(planned, name) {
				t.Errorf("%s names %s, which is not there", document, name)
			}
		}
	}
	for _, name := range planned {
		if !used[name] {
			t.Errorf("%s is there by now, or nothing names it: take it off the planned names", name)
		}
	}
}

func TestTheReadmeIsAFrontPage(t *testing.T) {
	if lines := strings.Count(text(t, "README.md"), "\n"); lines > frontPage {
		t.Errorf("the README has %d lines, and %d at most: move what only some readers need", lines, frontPage)
	}
}

func TestEachDecisionHasAPlaceInTheCode(t *testing.T) {
	index := text(t, "shared/decisions/README.md")
	for _, page := range decisions(t) {
		there, _ := named(page, text(t, page))
		if !slices.ContainsFunc(there, func(name string) bool { return !strings.HasSuffix(name, ".md") }) {
			t.Errorf("%s names no file that embodies it", page)
		}
		if !strings.Contains(index, "]("+filepath.Base(page)+")") {
			t.Errorf("the index lacks %s", page)
		}
	}
}

func TestDocumentsThatNameWhatIsNotThereAreSeen(t *testing.T) {
	there, missing := named("shared/decisions/01-tree-state.md", "`go.mod` `go test ./shared/rules -run Decide` `functions/<name>/main.go` `rules.Test` `/v1/me` `ltree`\n"+
		"[a](../rules/rules_test.go#x) [b](https://example.com/none.md) [c](#here) `README.md`, `infra/main.go`,\n"+
		"```sh\n`shared/example`\n```\n"+
		"`keys.go` `shared/nowhere/` `events/<none>/case.json` [d](none.md) `make run infra/none`")
	if want := []string{"go.mod", "shared/rules", "functions/*/main.go", "README.md", "infra/main.go", "shared/rules/rules_test.go"}; !slices.Equal(there, want) {
		t.Errorf("there are %q, want %q", there, want)
	}
	if want := []string{"keys.go", "shared/nowhere", "events/*/case.json", "infra/none", "shared/decisions/none.md"}; !slices.Equal(missing, want) {
		t.Errorf("missing are %q, want %q", missing, want)
	}
}

var (
	fenced   = regexp.MustCompile("(?ms)^```.*?^```")
	code     = regexp.MustCompile("`([^`]+)`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	variable = regexp.MustCompile(`<[^>]*>`)
	// aName is a path in the checkout, or a file's name alone.
	aName = regexp.MustCompile(`^(?:(?:functions|infra|shared|events|\.ci)/\S+|Makefile|\.gitattributes|[\w.-]+\.(?:go|md|mod|sum|json|yaml|py|golden|html))$`)
)

// named are the files and folders that a document names in code or links to, as paths from the top of the checkout: those that are
// there, and those that are not. A name in code is a path from the top, or from the document; what varies in it stands in <…>.
func named(document, text string) (there, missing []string) {
	text = fenced.ReplaceAllString(text, "")
	add := func(names ...string) { // the first that is there counts
		for _, name := range names {
			if found, err := filepath.Glob(filepath.Join(root, name)); err == nil && len(found) > 0 {
				there = append(there, name)
				return
			}
		}
		missing = append(missing, names[0])
	}
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		for word := range strings.FieldsSeq(m[1]) {
			name := variable.ReplaceAllString(strings.TrimSuffix(strings.TrimPrefix(word, "./"), "/"), "*")
			if aName.MatchString(name) {
				add(name, filepath.Join(filepath.Dir(document), name))
			}
		}
	}
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if to, _, _ := strings.Cut(m[1], "#"); to != "" && !strings.Contains(to, "://") {
			add(filepath.Join(filepath.Dir(document), to))
		}
	}
	return there, missing
}
