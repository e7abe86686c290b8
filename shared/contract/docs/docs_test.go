package docs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/contract/docs"
)

func pages(t *testing.T) map[string][]byte {
	all := map[string][]byte{"/docs": docs.Reference.Plain(), "/": docs.Home}
	for _, p := range contract.ProblemTypes {
		page, ok := docs.Problem(p.Slug)
		if !ok {
			t.Errorf("%s has no page", p.Slug)
		}
		all["/problems/"+p.Slug] = page
	}
	return all
}

func TestPagesNeedNothingButThemselves(t *testing.T) {
	foreign := regexp.MustCompile(`<script|<iframe|<object|@import|url\(|\sstyle=|\son[a-z]+=|(?:src|href)="(?:https?:)?//`)
	for path, page := range pages(t) {
		if found := foreign.Find(page); found != nil {
			t.Errorf("%s has %q, which its content security policy does not allow", path, found)
		}
	}
}

func TestStyleHashIsThatOfEveryPage(t *testing.T) {
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	for path, page := range pages(t) {
		found := style.FindAllSubmatch(page, -1)
		if len(found) != 1 {
			t.Errorf("%s has %d styles", path, len(found))
			continue
		}
		sum := sha256.Sum256(found[0][1])
		if hash := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); hash != docs.StyleHash {
			t.Errorf("%s has the style %s, not %s", path, hash, docs.StyleHash)
		}
	}
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllSubmatch(docs.Reference.Plain(), -1) {
		if ids[string(m[1])] {
			t.Errorf("the reference has the id %s twice", m[1])
		}
		ids[string(m[1])] = true
	}
	for path, page := range pages(t) {
		for _, m := range regexp.MustCompile(`href="([^"#]*)(?:#([^"]*))?"`).FindAllSubmatch(page, -1) {
			to, at := string(m[1]), string(m[2])
			slug, problem := bytes.CutPrefix(m[1], []byte("/problems/"))
			_, known := docs.Problem(string(slug))
			switch {
			case to == "" || to == "/docs":
				if at != "" && !ids[at] {
					t.Errorf("%s leads to #%s, which the reference has not", path, at)
				}
			case to == "/" || to == "/openapi.json" || to == "data:,":
			case problem && known:
			case slices.Contains(contract.Pages, contract.Page{Method: "GET", Path: to}):
			default:
				t.Errorf("%s leads to %s, which is not served", path, to)
			}
		}
	}
	for _, op := range contract.Operations {
		if !ids[op.ID] {
			t.Errorf("the reference lacks %s", op.ID)
		}
	}
}

// What differs between problem types is in the place of its mark, and text is text.
func TestProblemPagesTellTheirType(t *testing.T) {
	for _, p := range contract.ProblemTypes {
		page, _ := docs.Problem(p.Slug)
		text := html.UnescapeString(string(page))
		for _, want := range []string{"<title>" + p.Title + " (" + p.Slug + ")</title>", "<h1>" + p.Title + "</h1>", "<code>/problems/" + p.Slug + "</code>",
			`<span class="status">` + strconv.Itoa(p.Status) + "</span>", "<h2>What it means</h2>\n<p>", "<h2>What to do</h2>\n<p>"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", p.Slug, want)
			}
		}
		if strings.Contains(text, "[[") {
			t.Errorf("%s has a mark that nothing was put in the place of", p.Slug)
		}
		for _, op := range contract.Operations {
			link := `<a href="/docs#` + op.ID + `">`
			if answers := slices.Contains(contract.Problems[op.ID], p.Slug); strings.Contains(text, link) != answers ||
				answers && !strings.Contains(text, "<code>"+op.RouteKey()+"</code>") {
				t.Errorf("%s: that %s answers with it is %v", p.Slug, op.ID, answers)
			}
		}
	}
}

func TestUnknownProblemHasNoPage(t *testing.T) {
	for _, slug := range []string{"", "nothing", "../openapi", "invalid.html"} {
		if _, ok := docs.Problem(slug); ok {
			t.Errorf("%q has a page", slug)
		}
	}
}
