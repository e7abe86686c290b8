package main

import (
	"sync"

	"example.com/partnertree/shared/hierarchy"
)

// pages are the routes of contract.Pages, but for those of logos and assets. All else is as it is for everybody: see unsigned.
var pages = sync.OnceValue(func() map[string]handler {
	all := map[string]handler{
		"GET /signin":              (*visit).begin,
		"GET /signin/callback":     (*visit).callback,
		"POST /signout":            (*visit).signOut,
		"GET /signout":             (*visit).afterSignOut,
		"POST /signout/everywhere": (*visit).signOutEverywhere,
		"GET /signout/everywhere":  (*visit).afterSignOut,
		"GET /invitations/{token}": (*visit).follow,
		"GET /invitation":          (*visit).invitation,
		"POST /invitation":         (*visit).accept,

		"GET /home":   signedIn((*visit).home),
		"GET /me":     (*visit).me,
		"GET /search": signedIn((*visit).search),
		"POST /me":    (*visit).setSettings,

		"GET /nodes/{node}":           section("", (*visit).overview),
		"GET /nodes/{node}/partners":  section("partners", (*visit).partners, hierarchy.Partner),
		"GET /nodes/{node}/customers": section("customers", (*visit).customers, hierarchy.Partner),
		"GET /nodes/{node}/tree":      section("partners", (*visit).tree, hierarchy.Partner),
		"GET /nodes/{node}/settings":  section("settings", (*visit).settingsPage),
		"GET /nodes/{node}/go":        section("", (*visit).pick),
		"POST /nodes/{node}/pin":      (*visit).pin,

		"GET /nodes/{node}/move-requests": section("settings", (*visit).moveRequests),
		"GET /jobs/{job}":                 signedIn((*visit).job),

		"GET /nodes/{node}/users":       section("users", (*visit).users),
		"GET /nodes/{node}/invitations": section("users", (*visit).invitations),
		"GET /nodes/{node}/access":      section("users", (*visit).access),

		"GET /nodes/{node}/brands":  section("brands", (*visit).brands, hierarchy.Partner),
		"GET /brands/{id}":          signedIn((*visit).brandPage),
		"GET /nodes/{node}/clients": section("clients", (*visit).clients),
		"GET /clients/{client}":     signedIn((*visit).clientPage),

		"GET /nodes/{node}/trash":        section("trash", (*visit).trash, hierarchy.Partner),
		"GET /nodes/{node}/activity":     section("activity", (*visit).activity),
		"GET /nodes/{node}/activity.csv": signedIn((*visit).activityCSV),
	}
	for path, f := range forms {
		all["GET "+path], all["POST "+path] = f.get(), f.post()
	}
	return all
})

// forms are the pages with a form at a node.
var forms = map[string]form{
	"/nodes/{node}/partners/new":  newPartner,
	"/nodes/{node}/customers/new": newCustomer,
	"/nodes/{node}/edit":          editNode,
	"/nodes/{node}/provisioning":  provision,
	"/nodes/{node}/suspend":       suspend,
	"/nodes/{node}/resume":        resume,
	"/nodes/{node}/delete":        remove,
	"/nodes/{node}/restore":       restore,

	"/nodes/{node}/move":       move,
	"/nodes/{node}/move/ask":   askMove,
	"/move-requests/{request}": oneRequest,

	"/nodes/{node}/users/invite":             inviteForm,
	"/nodes/{node}/users/{principal}":        changeRole,
	"/nodes/{node}/users/{principal}/remove": removeUser,
	"/nodes/{node}/invitations/{invitation}": oneInvitation,

	"/nodes/{node}/brands/new":           newBrand,
	"/brands/{id}/edit":                  editBrand,
	"/brands/{id}/delete":                deleteBrand,
	"/nodes/{node}/clients/new":          newClient,
	"/clients/{client}/edit":             renameClient,
	"/clients/{client}/secrets/new":      newKey,
	"/clients/{client}/secrets/{secret}": removeKey,
	"/clients/{client}/roles/new":        grantRole,
	"/clients/{client}/roles/{role}":     removeRole,
	"/clients/{client}/revoke":           revokeClient,
}
