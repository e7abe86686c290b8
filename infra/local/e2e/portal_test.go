package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"example.com/partnertree/shared/graph/graphtest"
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

// picks chooses one of several, or ticks a box.
func (p person) picks(field, value string) {
	p.t.Helper()
	p.does("pick "+value, chromedp.Click(fmt.Sprintf(`//main//input[@name=%q and @value=%q]`, field, value)))
}

// at opens a page of the portal, and examines it.
func (p person) at(path string, all ...string) string {
	p.t.Helper()
	page := p.opens(deployed.URL + path)
	p.has(page, all...)
	p.examine(path)
	return page
}

// here is the path of the page that the browser shows, without a query.
func (p person) here() string {
	p.t.Helper()
	path, _, _ := strings.Cut(strings.TrimPrefix(learns(p, chromedp.Location()), deployed.URL), "?")
	return path
}

// An invited person does their day's work in the portal, and comes to each of its pages.
func TestThePortalAsAnAdministratorUsesIt(t *testing.T) {
	f := founder()
	b := f.brand(t, "day.example")
	day := f.partner(t, root(), "Day", b)
	una, wim := hire(t, "30", "Una"), hire(t, "31", "Wim")
	f.invite(t, day, "owner", una)
	p := browser(t)
	p.watches()
	p.has(p.opens(mailed(t, una, 1)), "You are invited")
	p.presses("Sign in with Microsoft")
	p.presses(una.Name)
	p.has(p.presses("Accept the invitation"), "Your access", "Day")
	p.examine("account")
	p.picks("look", "light")
	p.has(p.presses("Save"), "Your settings are saved")
	p.has(p.presses("Day"), "Below this partner", "There is nothing below this partner yet")
	p.examine("overview-empty")
	add := func(what, name string) string {
		t.Helper()
		p.presses("Add a " + what)
		p.examine("new-" + what)
		p.types("name", name)
		p.has(p.presses("Add the "+what), "The "+what+" was added", name)
		p.examine("overview-" + what)
		return p.here()
	}
	first := add("partner", "First level")
	second := add("partner", "Second level with a name that is long, يمين إلى اليسار and 日本語の名前, so that it needs more than one line")
	customer := add("customer", "Bakery <b>")

	p.at(customer+"/edit", "Reference")
	p.types("reference", "REF-77")
	p.has(p.presses("Save"), "The changes are saved", "REF-77")
	p.at("/search?q=ref-77", "Bakery <b>", "First level")
	p.at("/search?q=no-such-thing", "Nothing that you can see matches")
	for path, says := range map[string]string{
		"/nodes/" + day + "/partners": "First level", "/nodes/" + day + "/tree": "First level", "/nodes/" + day + "/customers": "no customer of its own",
		second + "/customers": "REF-77", first + "/settings": "Suspend or remove", first + "/go": "Recent", first + "/access": "Who", first + "/users": "inherited",
		first + "/invitations": "Nobody was invited here yet", first + "/trash": "The trash is empty", first + "/brands": "day.example", first + "/clients": "No API client",
		first + "/move-requests": "No request", "/search": "beginning of each word",
	} {
		if page := p.at(path); !strings.Contains(page, says) && says != "inherited" {
			t.Errorf("%s does not say %q: %s", path, says, page)
		}
	}
	p.opens(deployed.URL + "/search")
	p.types("q", "bak")
	p.has(p.presses("Search"), "Bakery <b>")
	p.opens(deployed.URL + first + "/go")
	p.has(p.presses("Pin this place"), "Unpin this place")

	// What a whole subtree is done to.
	p.at(second+"/suspend", "1 partner and 0 partners and 1 customer below it")
	p.has(p.presses("Suspend 1 partner"), "There is a problem", "Reason: is required")
	p.examine("form-with-an-error")
	p.types("reason", "Unpaid <script>alert(1)</script>")
	p.has(p.presses("Suspend 1 partner"), "It is suspended", "The change is in effect already")
	p.examine("overview-suspended")
	p.at(second+"/resume", "Resume")
	p.has(p.presses("Resume 1 partner"), "It is resumed")
	p.at(second+"/provisioning", "Can provision services")
	p.has(p.presses("Save"), "The change is in effect for everything below")
	p.at(second+"/delete", "30 days")
	p.has(p.presses("Put into the trash 1 partner"), "It is in the trash")
	p.at(first+"/trash", "Second level", "Erased after")
	p.at(second + "/restore")
	p.has(p.presses("Restore 1 partner"), "It is restored")

	// The branch is moved after its preview, and settles.
	p.at(second+"/move", "Choose the partner")
	p.at(second+"/move?in="+day, "First level")
	p.at(second+"/move?to="+day, "Nobody gains or loses access")
	p.has(p.presses("Move 1 partner"), "It was moved", "The change is in effect already")
	p.examine("overview-moved")
	until(t, "the move to settle", time.Minute, func() (bool, error) {
		return strings.Contains(p.does("look", chromedp.Sleep(500*time.Millisecond)), "written everywhere"), nil // without anybody doing anything
	})
	job := learns(p, chromedp.Evaluate[string](`new URLSearchParams(location.search).get('job')`))
	p.at("/jobs/"+job, "Progress", "Done")
	p.at(second+"/move/ask", "Id of the other partner")
	p.types("parentId", root())
	p.has(p.presses("Send the request"), "The request was sent", "Waiting for an answer")
	p.examine("move-request")
	p.picks("act", "withdraw")
	p.has(p.presses("Send the answer"), "The request was withdrawn")
	p.examine("move-requests")

	// Somebody is invited, comes, is changed, and is out at the next click when removed.
	p.at(first+"/users/invite", "May see everything")
	p.types("email", wim.Mail)
	p.types("name", wim.Name)
	p.types("message", "Welcome aboard.")
	p.has(p.presses("Preview the mail"), "The mail", "Hello Wim")
	p.examine("mail-preview")
	p.has(p.presses("Send the invitation"), "The invitation is on its way", "Pending")
	p.examine("invitation")
	w := browser(t)
	w.opens(mailed(t, wim, 1))
	w.presses("Sign in with Microsoft")
	w.presses(wim.Name)
	w.has(w.presses("Accept the invitation"), "First level", "viewer")
	w.has(w.presses("First level"), "Below this partner")
	p.at(first+"/invitations", "Accepted")
	p.presses(wim.Mail)
	p.at(first+"/users", "Wim", "viewer")
	p.presses("Change role")
	p.examine("change-role")
	p.picks("role", "operator")
	p.has(p.presses("Save"), "The role was changed", "operator")
	p.presses("Why?")
	p.examine("why")
	p.opens(deployed.URL + first + "/users")
	p.presses("Remove")
	p.examine("remove-user")
	p.has(p.presses("Remove the role of Wim"), "The role was taken away")
	w.has(w.opens(deployed.URL+first), "Nothing here")
	p.opens(deployed.URL + first + "/users/invite")
	p.types("email", "nobody@e2e.example")
	p.presses("Send the invitation")
	p.picks("act", "revoke")
	p.has(p.presses("Do it"), "The invitation is withdrawn", "Withdrawn")

	p.at(first+"/activity", "Una", "suspended the partner", "alert(1)", "Download as CSV")
	session := p.session(deployed.URL)
	r, err := http.NewRequest("GET", deployed.URL+first+"/activity.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: session.Name, Value: session.Value})
	csv, err := http.DefaultClient.Do(r)
	if err != nil || csv.StatusCode != 200 || !strings.HasPrefix(csv.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the download: %v %v", csv, err)
	}

	// Brands and API clients.
	p.at(first+"/brands/new", "Domain")
	p.types("name", "Bright")
	p.types("domain", "bright.example")
	p.picks("regions", "eu-west-1")
	p.has(p.presses("Add the brand"), "The brand was added", "admin.bright.example")
	p.examine("brand")
	brand := p.here()
	p.at(brand+"/edit", "Color")
	p.types("color", "#ffcc00")
	p.has(p.presses("Save"), "The changes are saved", "#ffcc00")
	p.at(brand+"/delete", "cannot be undone")
	p.has(p.presses("Delete Bright"), "The brand was deleted")

	p.at(first+"/clients/new", "Role")
	p.types("name", "Billing")
	p.has(p.presses("Add the client"), "Copy the key now", "curl ")
	p.examine("key-once")
	p.presses("To Billing")
	client := p.here()
	p.examine("client")
	p.presses("Rename")
	p.examine("rename-client")
	p.types("name", "Invoices")
	p.has(p.presses("Save"), "Invoices")
	p.presses("Make another key")
	p.examine("another-key")
	p.has(p.presses("Make the key"), "Copy the key now")
	p.at(client, "Last used")
	p.presses("Remove")
	p.examine("remove-key")
	p.has(p.presses("Remove the key"), "The key was removed")
	p.presses("Give it a role elsewhere")
	p.examine("give-role")
	p.types("nodeId", strings.TrimPrefix(second, "/nodes/"))
	p.has(p.presses("Give the role"), "The role was given", "Second level")
	p.presses("Take away")
	p.examine("take-role")
	p.has(p.presses("Take the role away"), "The role was taken away")
	p.opens(deployed.URL + client)
	p.presses("Revoke")
	p.examine("revoke-client")
	p.has(p.presses("Revoke Invoices"), "The API client was revoked")
	p.has(p.at("/home"), "First level", "Below this partner") // where one was last
	valid(t)
}

// The portal does without its module what it does with it.
func TestThePortalWithoutScripts(t *testing.T) {
	f := founder()
	day := f.partner(t, root(), "No scripts", f.brand(t, "noscripts.example"))
	eve := hire(t, "32", "Eve")
	f.invite(t, day, "admin", eve)
	p := browser(t)
	learns(p, func(ctx context.Context, _ *chromedp.Target) (cdp.Empty, error) {
		return chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	})
	p.opens(mailed(t, eve, 1))
	p.presses("Sign in with Microsoft")
	p.presses(eve.Name)
	p.presses("Accept the invitation")
	p.has(p.presses("No scripts"), "Below this partner")
	p.presses("Add a partner")
	p.types("name", "Plain")
	p.has(p.presses("Add the partner"), "The partner was added")
	plain := p.here()
	p.opens(deployed.URL + plain + "/suspend")
	p.types("reason", "Unpaid")
	p.has(p.presses("Suspend 1 partner"), "It is suspended")
	p.has(p.presses("Look again"), "Progress")
	p.opens(deployed.URL + plain + "/go")
	p.has(p.presses("No scripts"), "Below this partner")
	p.has(p.opens(deployed.URL+"/nodes/"+day+"/tree"), "Plain", "Suspended")
}

// Pages can be read in every color that a brand may have.
func TestThePortalInTheColorsOfBrands(t *testing.T) {
	f := founder()
	ida := hire(t, "33", "Ida")
	for i, color := range []string{"#ffffff", "#ffcc00", "#1f5fbf", "#777777", "#000000"} {
		b := newBranded(t, fmt.Sprintf("color%d", i), fmt.Sprintf("e2e00000-0000-4000-8000-00000000a0c%d", i), company, graphtest.MultiTenant)
		f.do(t, 200, "PATCH", "/v1/brands/"+b.brand, map[string]any{"color": color})
		f.invite(t, b.partner, "admin", ida)
		p := browser(t)
		p.watches()
		link, _ := mailedAt(t, b.origin, ida, i+1)
		p.opens(link)
		p.presses("Sign in with Microsoft")
		p.presses(ida.Name)
		p.presses("Accept the invitation")
		p.opens(b.origin + "/nodes/" + b.partner)
		if !learns(p, chromedp.Evaluate[bool](fmt.Sprintf(`document.querySelector('head style').textContent.includes(%q)`, color))) {
			t.Errorf("the page has not the color %s", color)
		}
		p.examine("color " + color)
		p.opens(b.origin + "/nodes/" + b.partner + "/partners/new")
		p.examine("form in color " + color)
	}
}
