package main

import (
	"bytes"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
)

// upload sends a form with a file, as a browser does.
func (b *browser) upload(address string, form url.Values, field string, file []byte) page {
	b.w.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, values := range form {
		for _, value := range values {
			if name != field {
				b.w.must(w.WriteField(name, value))
			}
		}
	}
	name := "logo.png"
	if file == nil {
		name = "" // none was chosen
	}
	part, err := w.CreateFormFile(field, name)
	b.w.must(err)
	_, err = part.Write(file)
	b.w.must(err)
	b.w.must(w.Close())
	r, err := http.NewRequest(http.MethodPost, address, &body)
	b.w.must(err)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return b.follow(r)
}

// A brand is made, given a look with a logo, previewed, and given an app by an owner of the root.
func TestBrands(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Owner)
	low, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Low"})
	w.must(err)
	b := w.browser()
	b.signIn("Ann <Admin>")
	at := home + nodePath(low.ID)
	p := b.has(b.get(at+"/brands"), 200, "Low has no brand yet", "Add a brand")
	p = b.click(p, "Add a brand")
	to, form := b.form(p, "Add the brand")
	form.Set("name", "Low & <Co>")
	form.Set("domain", "not a domain")
	p = b.has(b.post(to, form), 422, "Domain: must be", "Regions: must have 1 to 20 elements", "Low & <Co>")
	to, form = b.form(p, "Add the brand")
	form.Set("domain", "low.example")
	form["regions"] = []string{"", "eu-west-1", "us-east-1"}
	p = b.has(b.post(to, form), 200, "The brand was added", "low.example", "admin.low.example", "eu-west-1, us-east-1", "Draft")
	brandAt := strings.TrimPrefix(p.url.String(), home)
	b.has(b.get(at+"/brands"), 200, "Low & <Co>", "its own", "not used below")

	p = b.has(b.click(p, "Edit"), 200, "App: client id", "How it looks")
	to, form = b.form(p, "Save")
	form.Set("color", "#FFCC00")
	form.Set("preview", "1")
	p = b.has(b.upload(to, form, "logo", nil), 200, "How it looks", `fill="#ffcc00"`)
	if got, err := w.dir.Brands(t.Context(), w.owner, low.ID); err != nil || got[0].Color != "" {
		t.Fatalf("a preview saves: %+v, %v", got, err)
	}
	to, form = b.form(p, "Save")
	var logo bytes.Buffer
	w.must(png.Encode(&logo, image.NewGray(image.Rect(0, 0, 64, 64))))
	b.has(b.upload(to, form, "logo", []byte("GIF89a")), 422, "Logo: must be a PNG", "this is a GIF")
	p = b.has(b.upload(to, form, "logo", logo.Bytes()), 200, "The changes are saved", "#ffcc00", "/logo?v=")
	to, form = b.form(b.get(home+brandAt+"/edit"), "Save")
	b.has(b.upload(to, form, "logo", nil), 200, "/logo?v=") // what was not chosen stays
	to, form = b.form(b.get(home+brandAt+"/edit"), "Save")
	form.Set("domain", "lower.example")
	b.has(b.upload(to, form, "logo", nil), 200, "admin.lower.example")
	to, form = b.form(b.get(home+brandAt+"/edit"), "Save")
	form["removeLogo"] = []string{"false", "true"}
	form.Set("portalApp/clientId", ours)
	p = b.has(b.upload(to, form, "logo", nil), 422, "App: tenant id: is required")
	to, form = b.form(p, "Save")
	form["removeLogo"] = []string{"false", "true"}
	form.Set("portalApp/tenantId", contoso)
	if p = b.has(b.upload(to, form, "logo", nil), 200, "Has its own app", contoso); strings.Contains(p.body, "/logo?v=") {
		t.Error("the logo is there still")
	}
	b.has(b.upload(to, form, "logo", bytes.Repeat([]byte("x"), maxFiles)), 403) // nothing of it is read

	// An owner of the partner alone gives it no app, and somebody without a role there does not see the brand.
	cleo := w.browser()
	_, link := w.inviteTo(low.ID, "cleo@fabrikam.example", access.Owner)
	cleo.has(cleo.get(home+brandAt), 200) // not signed in: Microsoft's page
	cleo.has(cleo.press(cleo.press(cleo.click(cleo.get(home+link), "Sign in with Microsoft"), "Cleo"), "Accept the invitation"), 200)
	if p := cleo.has(cleo.get(home+brandAt+"/edit"), 200, "Color"); strings.Contains(p.body, "App: client id") {
		t.Error("an owner of the partner is offered to give the app")
	}
	bob := w.browser()
	bob.signIn("Bob")
	bob.has(bob.get(home+brandAt), 404)

	if p := b.has(b.get(home+brandAt+"/edit"), 200); strings.Contains(p.body, "Regions") {
		t.Error("the domain of a brand with an app can change")
	}
	made, err := w.dir.Brands(t.Context(), w.owner, low.ID)
	w.must(err)
	_, err = w.dir.CreateCustomer(t.Context(), w.owner, directory.NewCustomer{Partner: low.ID, Name: "User", Details: hierarchy.Details{Brand: made[0].ID}})
	w.must(err)
	p = b.has(b.get(home+brandAt+"/delete"), 200, "It is used once below Low")
	b.has(b.press(p, "Delete Low"), 409, "is used directly below the partner", "Used by the customer User")
	other, err := w.dir.CreateBrand(t.Context(), w.owner, directory.NewBrand{Partner: low.ID, Name: "Unused", Domain: "unused.example", Regions: []string{"eu-west-1"}})
	w.must(err)
	p = b.has(b.get(home+"/brands/"+string(other.ID)+"/delete"), 200, "It is not used below Low")
	if p = b.has(b.press(p, "Delete Unused"), 200, "The brand was deleted"); strings.Contains(p.body, "unused.example") {
		t.Error("it is listed still")
	}
	b.has(b.get(home+"/brands/"+string(other.ID)), 404)
}

// An API client is made, and its key is shown once and nowhere else.
func TestAPIClients(t *testing.T) {
	w := newWorld(t)
	w.grantAnn(w.root, access.Owner)
	low, err := w.dir.CreatePartner(t.Context(), w.owner, directory.NewPartner{Parent: w.root, Name: "Low"})
	w.must(err)
	b := w.browser()
	b.signIn("Ann <Admin>")
	at := home + nodePath(low.ID)
	p := b.click(b.has(b.get(at+"/clients"), 200, "No API client has a role here yet"), "Add an API client")
	to, form := b.form(p, "Add the client")
	b.has(b.post(to, form), 422, "Name: is required")
	form.Set("name", "Billing <b>")
	p = b.has(b.post(to, form), 200, "Copy the key now", "curl "+home+"/v1/me", "Billing <b>")
	red := w.browser()
	red.signInAt(redSite, "Ann <Admin>")
	to2, form2 := red.form(red.get(redSite+nodePath(w.brands[redSite].Owner, "clients/new")), "Add the client")
	form2.Set("name", "At a brand’s host")
	red.has(red.post(to2, form2), 200, "Copy the key now", "curl https://portal.example/v1/me") // at the brand's own host no key is taken
	key := regexp.MustCompile(`pmk_[\w-]+`).FindString(p.body)
	if key == "" || strings.Contains(w.log.String(), key[4:]) || strings.Contains(p.url.String(), key) {
		t.Fatalf("the key is %q", key)
	}
	if p := b.has(b.post(to, form), 200, "was shown already"); strings.Contains(p.body, key) {
		t.Error("the key is shown twice")
	}
	p = b.has(b.click(b.get(at+"/clients"), "Billing <b>"), 200, "Keys", "Make another key", "Give it a role elsewhere", "Revoke")
	clientAt := strings.TrimPrefix(p.url.String(), home)
	if strings.Contains(p.body, `href="`+clientAt+`/secrets/key_`) {
		t.Error("the only key can be removed")
	}
	p = b.has(b.press(b.click(p, "Rename"), "Save"), 200, "The changes are saved")
	to, form = b.form(b.click(p, "Rename"), "Save")
	form.Set("name", "Invoices")
	p = b.has(b.post(to, form), 200, "Invoices")
	to, form = b.form(b.click(p, "Make another key"), "Make the key")
	form.Set("expiresAt", "2000-01-01")
	b.has(b.post(to, form), 422, "The key ends on: must be in the future")
	form.Set("expiresAt", w.now().AddDate(0, 1, 0).Format("2006-01-02"))
	b.has(b.post(to, form), 200, "Copy the key now")
	p = b.has(b.get(home+clientAt), 200, "Ends", "Last used", "never", "Works", "00:00 UTC")
	b.has(b.press(b.click(p, "Make another key"), "Make the key"), 409, "Two secrets are already valid")
	p = b.has(b.press(b.click(p, "Remove"), "Remove the key"), 200, "The key was removed")

	to, form = b.form(b.click(p, "Give it a role elsewhere"), "Give the role")
	form.Set("nodeId", string(w.root))
	form.Set("role", "admin")
	p = b.has(b.post(to, form), 200, "The role was given", "Cloudvendor", "admin")
	p = b.has(b.press(b.click(p, "Take away"), "Take the role away"), 200, "The role was taken away")
	b.has(b.press(b.click(b.get(home+clientAt), "Revoke"), "Revoke Invoices"), 200, "The API client was revoked", "No API client has a role here yet")
	b.has(b.get(home+clientAt), 404)
}
