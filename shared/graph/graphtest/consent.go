package graphtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// adminConsent is the page on which an administrator lets an app into a tenant. The answer to an error carries
// admin_consent=True, too, as Entra's does.
func (d *Double) adminConsent(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := r.URL.Query()
	app, tenant, err := d.client(r.PathValue("tenant"), q)
	if err != nil {
		d.errorPage(w, err)
		return
	}
	answer := func(t *Tenant, params url.Values) {
		params.Set("admin_consent", "True")
		if t != nil {
			params.Set("tenant", t.ID)
		}
		respond(w, r, url.Values{"redirect_uri": q["redirect_uri"], "state": q["state"]}, params)
	}
	if q.Get("scope") == "" {
		answer(tenant, d.errorParams(parameterMissing("scope")))
		return
	}
	asked, err := d.parseScopes(app, q.Get("scope"))
	if err != nil {
		answer(tenant, d.errorParams(err))
		return
	}
	// With .default the app gets what its registration asks for; what is named one by one is delegated, and no role.
	var roles []string
	if asked.resource == graphResource && slices.Contains(asked.names, defaultScope) {
		roles = app.Permissions
	}
	if r.Method == http.MethodGet {
		data := map[string]any{"App": app.Name, "Action": r.URL.RequestURI(), "Cancel": cancel, "Permissions": roles, "Tenant": "",
			"Groups": d.groups("", func(t *Tenant, p *Person) bool { return p.Guest == nil && (tenant == nil || t == tenant) })}
		if tenant != nil {
			data["Tenant"] = tenant.Name
		}
		render(w, http.StatusOK, consentPage, data)
		return
	}
	choice := r.PostFormValue("account")
	if choice == cancel {
		answer(tenant, d.errorParams(refuse(consentRequired, 65004, "The resource owner or authorization server denied the request.")))
		return
	}
	home, id, _ := strings.Cut(choice, "/")
	t := d.tenant(home)
	switch {
	case t == nil || t.person(id) == nil || tenant != nil && t != tenant:
		d.errorPage(w, refuse(invalidRequest, 50020, "The user account does not exist in this tenant."))
	case !t.person(id).Admin || t.person(id).Disabled:
		d.errorPage(w, refuse(consentRequired, 90094, "Need admin approval: %s needs permissions that only an administrator "+
			"can grant.", app.Name))
	default:
		t.grant(app.ID, roles)
		answer(t, url.Values{"scope": {q.Get("scope")}})
	}
}
