package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/directory/directorytest"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

const nasty = `<img src=x onerror=alert(1)>"' يمين 名前`

// Partners and customers are added, found, opened and edited.
func TestPartnersAndCustomers(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Owner)
	_, err := w.dir.CreateBrand(t.Context(), w.owner, directory.NewBrand{Partner: w.root, Name: nasty, Domain: "root.example", Regions: []string{"eu-west-1"}})
	w.must(err)
	b := w.browser()
	b.signIn("Ann <Admin>")
	p := b.has(b.get(home+"/home"), 200, "Cloudvendor", "3 partners and 0 customers", "owner") // of the only role that there is
	p = b.click(p, "Add a partner")
	to, form := b.form(p, "Add the partner")
	b.has(b.post(to, form), 422, "Name: is required")
	form.Set("name", nasty)
	p = b.has(b.post(to, form), 200, "The partner was added", nasty, "Yes", "There is nothing below this partner yet")
	at := p.url.Path
	if again := b.post(to, form); again.url.Path != at {
		t.Errorf("the same form twice makes %s and %s", at, again.url.Path)
	}
	form.Set("name", "Another")
	if other := b.post(to, form); other.url.Path == at { // somebody went back and changed it
		t.Error("a form with something else in it is no new one")
	}
	p = b.click(p, "Add a customer")
	to, form = b.form(p, "Add the customer")
	form.Set("name", "Bakery")
	form.Set("tenantId", "nonsense")
	p = b.has(b.post(to, form), 422, "Microsoft tenant id: must be a GUID", "Bakery")
	to, form = b.form(p, "Add the customer")
	form.Set("tenantId", "8c1f7f4e-0b2d-4b1c-9d53-2f7a4a1c6b10")
	p = b.has(b.post(to, form), 200, "The customer was added", "8c1f7f4e-0b2d-4b1c-9d53-2f7a4a1c6b10", "no service instances yet")
	customer := p.url.Path
	b.has(b.get(home+at+"/customers"), 200, "Bakery", "Active")
	b.has(b.get(home+at), 200, "0 partners and 1 customer.")
	b.has(b.get(home+nodePath(w.root, "partners")), 200, nasty, "Another", "Show as a tree")
	p = b.has(b.get(home+nodePath(w.root, "tree")), 200, nasty, "Partner red", "▸")
	open := nodePath(w.root, "tree", "open", strings.TrimPrefix(at, "/nodes/"))
	b.has(b.get(home+open), 200, "▾", "Bakery")
	b.has(b.get(home+customer+"/partners"), 404)
	b.has(b.get(home+"/nodes/nonsense"), 404, "Nothing here")

	// Two people edit the same: nothing typed is lost.
	p = b.get(home + customer + "/edit")
	to, form = b.form(p, "Save")
	id := ident.Node(strings.TrimPrefix(customer, "/nodes/"))
	_, err = w.dir.EditCustomer(t.Context(), w.owner, id, directory.CustomerPatch{Details: map[string]string{"reference": "THEIRS"}})
	w.must(err)
	form.Set("reference", "MINE")
	p = b.has(b.post(to, form), 412, "This customer was changed after you opened this form", "The API client Founder", "THEIRS", "MINE", "Keep what is there now")
	b.has(b.press(p, "Apply mine to the new version"), 200, "The changes are saved", "MINE")

	// What is shown again, because something is wrong with it, is for the version that it started from still.
	to, form = b.form(b.get(home+customer+"/edit"), "Save")
	_, err = w.dir.EditCustomer(t.Context(), w.owner, id, directory.CustomerPatch{Details: map[string]string{"reference": "THEIRS AGAIN"}})
	w.must(err)
	form.Set("domain", "no domain")
	to, form = b.form(b.has(b.post(to, form), 422, "Domain: must be"), "Save")
	form.Set("domain", "bakery.example")
	b.has(b.post(to, form), 412, "THEIRS AGAIN", "Keep what is there now")

	// A session that ends during work: what was typed comes back, to the same person alone.
	p = b.get(home + customer + "/edit")
	to, form = b.form(p, "Save")
	form.Set("reference", "TYPED")
	w.ahead.Add(int64(credential.Idle + time.Minute))
	ended := b.has(b.post(to, form), 401, "Your session has ended")
	b.click(ended, "Sign in")
	p = b.has(b.press(b.click(ended, "Sign in"), "Ann <Admin>"), 200, "What you typed is here again", "TYPED")
	if p.url.Path != customer+"/edit" || strings.Contains(b.get(home+customer+"/edit").body, "TYPED") {
		t.Errorf("%s: or it comes back twice", p.url)
	}
	to, form = b.form(p, "Save")
	w.ahead.Add(int64(credential.Idle + time.Minute))
	form.Set("reference", "OF ANN")
	ended = b.has(b.post(to, form), 401, "Your session has ended")
	if p := b.press(b.click(ended, "Sign in"), "Bob"); strings.Contains(p.body, "OF ANN") {
		t.Error("somebody else gets what was typed")
	}
}

// What was carried out although nobody heard of it is not carried out twice when the form is sent again.
func TestAFormSentAgainAfterTrouble(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Admin)
	b := w.browser()
	b.signIn("Ann <Admin>")
	_, err := w.dir.CreateBrand(t.Context(), w.owner, directory.NewBrand{Partner: w.root, Name: "B", Domain: "root.example", Regions: []string{"eu-west-1"}})
	w.must(err)
	to, form := b.form(b.get(home+nodePath(w.root, "partners/new")), "Add the partner")
	form.Set("name", "Once")
	w.store.After = func(c directorytest.Call) error {
		if c.Name == "Commit" {
			return directorytest.Busy()
		}
		return nil
	}
	p := b.has(b.post(to, form), 503, "Too busy just now", "Once")
	w.store.After = nil
	b.has(b.press(p, "Add the partner"), 200, "The partner was added", "Once")
	list, err := w.dir.Children(t.Context(), w.owner, w.root, hierarchy.Partner, directory.Paging{Limit: 100})
	w.must(err)
	if len(list.Items) != 4 {
		t.Errorf("there are %d partners, want the 3 of before and one", len(list.Items))
	}
}

// Whatever has another session's token changes nothing, and a viewer is told why they have no button.
func TestFormsAreOfTheirSession(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Viewer)
	b := w.browser()
	b.signIn("Ann <Admin>")
	b.has(b.get(home+"/home"), 200, "Add a partner", "This needs the role admin; your role here is viewer")
	at := home + nodePath(w.root)
	if got := b.post(at+"/partners/new", url.Values{"name": {"X"}}); got.status != 403 {
		t.Errorf("without a token: %d", got.status)
	}
	form := url.Values{formField: {b.formToken()}, "name": {"X"}}
	b.has(b.post(at+"/partners/new", form), 403, "This needs the role admin")
	list, err := w.dir.Children(t.Context(), w.owner, w.root, hierarchy.Partner, directory.Paging{Limit: 100})
	w.must(err)
	if len(list.Items) != 3 {
		t.Errorf("%d partners", len(list.Items))
	}
}

// How pages look is each browser's choice, and the last place is remembered.
func TestSettingsAndHome(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Viewer)
	low := w.brands[redSite].Owner
	b := w.browser()
	b.signIn("Ann <Admin>")
	to, form := b.form(b.get(home+"/me"), "Save")
	form.Set("look", "dark")
	form.Set("zone", "Asia/Tokyo")
	p := b.has(b.post(to, form), 200, "Your settings are saved", "JST")
	if !strings.Contains(p.body, `class="dark"`) {
		t.Error("it is not dark")
	}
	form.Set("look", `"><script>`)
	form.Set("zone", "../etc/passwd")
	if p = b.has(b.post(to, form), 200, "UTC"); strings.Contains(p.body, "<script>") {
		t.Error("what is no choice is written into the page")
	}
	b.get(home + nodePath(low))
	if p := b.get(home + "/home"); p.url.Path != nodePath(low) {
		t.Errorf("home is %s", p.url)
	}
	b.keep(home, settingsCookie, "recent="+string(ident.NewPartner()))
	if p := b.get(home + "/home"); p.url.Path != nodePath(w.root) {
		t.Errorf("home is %s", p.url)
	}
}
