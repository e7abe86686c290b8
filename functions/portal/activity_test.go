package main

import (
	"encoding/csv"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/event"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// Every type of event has words, of both kinds of nodes, and of nodes and people without a name.
func TestEveryEventIsASentence(t *testing.T) {
	w := newWorld(t)
	v := &visit{portal: w.portal, dir: w.dir, who: &credential.SignedIn{Tenant: contoso, Object: ann}}
	for _, kind := range []ident.Node{ident.NewPartner(), ident.NewCustomer()} {
		for _, named := range []bool{true, false} {
			names := &directory.Names{Nodes: map[ident.Node]hierarchy.Name{}, Principals: map[ident.Principal]hierarchy.Name{}}
			if named {
				names.Nodes[kind] = "The <node>"
			}
			for _, typ := range event.Types {
				e := &event.Event{ID: ident.NewEvent(), Type: typ, Node: kind, Actor: ident.NewClient(), Data: typ.Empty()}
				text := words(v.sentence(e, names))
				if strings.Contains(text, "no words") || !strings.HasSuffix(text, ".") && !strings.Contains(text, ":") {
					t.Errorf("%s: %q", typ, text)
				}
			}
		}
	}
	if text := words(v.sentence(&event.Event{Type: "future.thing", Node: ident.NewPartner(), Data: event.Raw("{}")}, &directory.Names{})); !strings.Contains(text, "future.thing") {
		t.Errorf("an event of a newer version: %q", text)
	}
}

// What happened is told in sentences with links, filtered, and downloaded as a table without formulas.
func TestActivity(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Owner)
	low, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: `=HYPERLINK("x") <b>`})
	w.must(err)
	_, err = w.dir.Suspend(t.Context(), w.owner, low.ID, "Unpaid; see <a href=x>")
	w.must(err)
	b := w.browser()
	b.signIn("Ann <Admin>")
	at := home + nodePath(w.root)
	p := b.has(b.get(at+"/activity"), 200, "The API client Founder suspended the partner", `=HYPERLINK("x") <b>`, "Unpaid; see <a href=x>", "added the partner", "Download as CSV")
	if !strings.Contains(p.body, `<a href="`+nodePath(low.ID)+`"`) {
		t.Error("the node is no link")
	}
	p = b.has(b.get(at+"/activity?type=partner.suspended"), 200, "suspended the partner", "Show everything")
	if strings.Contains(p.body, "added the partner") {
		t.Error("the filter lets all through")
	}
	b.has(b.get(at+"/activity?from=2000-01-01&until=2000-01-02"), 200, "Nothing that happened here matches the filter")
	b.has(b.get(at+"/activity?actor="+string(w.owner.Principal)+"&from=nonsense&type=nonsense"), 200, "suspended the partner")
	csvPage := b.get(at + "/activity.csv?type=partner.suspended")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(csvPage.body, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][5] != `'=HYPERLINK("x") <b>` || !strings.HasPrefix(rows[1][1], "The API client Founder suspended") {
		t.Errorf("%v: %q", err, rows)
	}
	if zone, err := time.Parse(time.RFC3339, rows[1][0]); err != nil || zone.Location() != time.UTC {
		t.Errorf("the time is %q", rows[1][0])
	}
	if all := b.get(at + "/activity.csv").body; !strings.HasPrefix(all, "\ufeff") || strings.Count(all, "\n") < 5 {
		t.Errorf("all of it: %s", all)
	}
	// Words of links and filters come from the page alone.
	if o := slices.IndexFunc(typeOptions, func(o view.Option) bool { return o.Value == "api-client.secret-added" }); o < 0 || typeOptions[o].Text != "Api client: secret added" {
		t.Errorf("%v", typeOptions)
	}
	if got := harmless("=1", "+1", "-1", "@a", "\tx", "\rx", "a=1", ""); !slices.Equal(got, []string{"'=1", "'+1", "'-1", "'@a", "'\tx", "'\rx", "a=1", ""}) {
		t.Errorf("%q", got)
	}
}

func TestTheTrashAndThePicker(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Admin)
	low, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Low <b>"})
	w.must(err)
	b := w.browser()
	b.signIn("Ann <Admin>")
	at := home + nodePath(w.root)
	b.has(b.get(at+"/trash"), 200, "The trash is empty")
	p := b.has(b.get(home+nodePath(low.ID, "delete")), 200, "Put into the trash: Low <b>", "1 partner and 0 partners and 0 customers below it", "30 days")
	b.has(b.press(p, "Put into the trash"), 200, "It is in the trash", "In the trash")
	p = b.has(b.get(at+"/trash"), 200, "Low <b>", "Erased after", "Restore")
	b.has(b.press(b.click(p, "Restore Low <b>"), "Restore"), 200, "It is restored", "Active")

	p = b.has(b.get(at+"/go"), 200, "Recent", "Low <b>", "Below", "Partner red", "Pin this place")
	p = b.has(b.press(p, "Pin this place"), 200, "Unpin this place")
	b.has(b.get(home+nodePath(low.ID, "go")), 200, "Pinned", "Cloudvendor")
	b.has(b.press(p, "Unpin this place"), 200, "Pin this place")
	if p := b.get(home + nodePath(low.ID, "go")); strings.Contains(p.body, "Pinned") {
		t.Error("it is pinned still")
	}
	// What others cannot see is not named, whatever a browser remembers.
	other := w.browser()
	other.signIn("Cleo")
	other.keep(home, settingsCookie, url.Values{"recent": {string(low.ID)}, "pinned": {string(w.root)}}.Encode())
	other.has(other.get(home+nodePath(low.ID, "go")), 404, "Nothing here")
	if p := other.get(home + "/home"); strings.Contains(p.body, "Low") {
		t.Errorf("%s", p.body)
	}
}
