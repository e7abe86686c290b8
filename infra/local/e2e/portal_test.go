package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tool is a file that npm has installed for these tests.
func tool(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join("..", "..", "..", ".local", "node", "node_modules", filepath.FromSlash(name))
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// watched notes what a page breaks of its policy, from before it loads.
const watched = `addEventListener('securitypolicyviolation', e => (window.broken ??= []).push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
addEventListener('error', e => (window.broken ??= []).push(String(e.message)));
addEventListener('unhandledrejection', e => (window.broken ??= []).push(String(e.reason)));`

// examined are the pages that were examined, as they came, by name.
type examined struct {
	mu    sync.Mutex
	pages map[string]string
}

var examinedInTheRun = examined{pages: map[string]string{}}

// watches makes the browser note what pages break.
func (p person) watches() {
	p.t.Helper()
	learns(p, func(ctx context.Context, _ *chromedp.Target) (page.AddScriptToEvaluateOnNewDocumentResult, error) {
		return chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watched})
	})
}

// appearances are ways in which people see pages.
var appearances = map[string][]*emulation.MediaFeature{
	"light":         {{Name: "prefers-color-scheme", Value: "light"}},
	"dark":          {{Name: "prefers-color-scheme", Value: "dark"}},
	"forced colors": {{Name: "forced-colors", Value: "active"}},
}

// examine checks what holds for every page, on the one that the browser shows: nothing that axe finds (WCAG 2.2 AA), in light, dark and forced
// colors; nothing that breaks the policy; nothing wider than 320 pixels; one request's page of at most 30 KB.
func (p person) examine(name string) {
	p.t.Helper()
	axe, err := os.ReadFile(tool(p.t, "axe-core/axe.min.js"))
	if err != nil {
		p.t.Fatal(err)
	}
	for appearance, features := range appearances {
		p.appears(features)
		learns(p, chromedp.Evaluate[bool](string(axe)+"; true"))
		found := learns(p, chromedp.Evaluate[string](`axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
			.then(r => r.violations.map(v => v.id + ' at ' + v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join(', ')).join('\n'))`, chromedp.EvalAwaitPromise))
		if found != "" {
			p.t.Errorf("%s, %s: axe finds %s", name, appearance, found)
		}
	}
	p.appears(nil)
	if broken := learns(p, chromedp.Evaluate[string](`(window.broken ?? []).join('\n')`)); broken != "" {
		p.t.Errorf("%s: %s", name, broken)
	}
	p.does("look at it on a small screen", chromedp.EmulateViewport(320, 640))
	if over := learns(p, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); over > 320 {
		p.t.Errorf("%s: takes %d pixels on a screen of 320", name, over)
	}
	p.does("look at it on a large screen", chromedp.EmulateViewport(1280, 900))
	html := learns(p, chromedp.Evaluate[string](`document.documentElement.outerHTML`))
	examinedInTheRun.mu.Lock()
	defer examinedInTheRun.mu.Unlock()
	examinedInTheRun.pages[name] = "<!DOCTYPE html>" + html
}

func (p person) appears(features []*emulation.MediaFeature) {
	p.t.Helper()
	learns(p, func(ctx context.Context, _ *chromedp.Target) (cdp.Empty, error) {
		return chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
	})
}

// valid checks all pages that were examined with the HTML checker of the W3C's validator.
func valid(t *testing.T) {
	t.Helper()
	examinedInTheRun.mu.Lock()
	defer examinedInTheRun.mu.Unlock()
	args := []string{"-jar", tool(t, "vnu-jar/build/dist/vnu.jar"), "--errors-only", "--exit-zero-always"}
	dir := t.TempDir()
	for name, html := range examinedInTheRun.pages {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_")+".html")
		if err := os.WriteFile(file, []byte(html), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	out, err := exec.Command("java", args...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("the HTML checker says: %s (%v)", out, err)
	}
}

// types puts a text into a field of a form.
func (p person) types(field, text string) {
	p.t.Helper()
	p.does("type into "+field, chromedp.SetValue(chromedp.CSS(fmt.Sprintf("main [name=%q]", field)), text))
}

// here is where the browser is.
func (p person) here() string {
	return strings.TrimPrefix(learns(p, chromedp.Location()), deployed.URL)
}

// An invited person does their day's work in the portal.
func TestThePortalAsAnAdministratorUsesIt(t *testing.T) {
	f := founder()
	b := f.brand(t, "day.example")
	top := f.partner(t, root(), "Day", b)
	una := hire(t, "30", "Una")
	f.invite(t, top, "admin", una)
	p := browser(t)
	p.watches()
	p.has(p.opens(mailed(t, una, 1)), "You are invited")
	p.presses("Sign in with Microsoft")
	p.presses(una.Name)
	p.has(p.presses("Accept the invitation"), "Your access", "Day")
	p.examine("account")
	p.has(p.presses("Day"), "Below this partner", "There is nothing below this partner yet")
	p.examine("overview-empty")
	add := func(what, name string) {
		t.Helper()
		p.presses("Add a " + what)
		p.examine("new-" + what)
		p.types("name", name)
		p.has(p.presses("Add the "+what), "The "+what+" was added", name)
		p.examine("overview-" + what)
	}
	add("partner", "First level")
	add("partner", "Second level")
	add("customer", "Bakery <b>")
	valid(t)
}
