package contract

import (
	"slices"
	"strings"
)

// Page is a route of the portal's pages: what people see in a browser. It is no operation of the API: it answers with HTML, or a logo, and
// says itself who is signed in, so API Gateway asks nobody who they are.
type Page struct {
	// Method is the HTTP method in upper case.
	Method string
	// Path is the route's path with its parameters in braces.
	Path string
	// Session says that the page is for people who are signed in alone: all others are sent to sign in, without a look at the table.
	Session bool
}

// RouteKey is the page's route as API Gateway names it: the method, a space and the path.
func (p Page) RouteKey() string { return p.Method + " " + p.Path }

// Pages are all of them. The function portal serves them.
var Pages = slices.Concat(pages(false,
	"GET /signin",
	"GET /signin/callback",
	"POST /signout",
	"GET /signout", // what a browser shows as the address after the POST; leads to /me, and so does the next
	"POST /signout/everywhere",
	"GET /signout/everywhere",
	"GET /me",
	"GET /invitations/{token}",
	"GET /invitation",
	"POST /invitation",
	"GET /brands/{id}/logo", // an image, which pages and mails show
	"GET /assets/{name}",
), pages(true,
	"GET /home", // leads to where one was last, or begins
	"POST /me",
	"GET /search",
	"GET /nodes/{node}",
	"GET /nodes/{node}/partners",
	"GET /nodes/{node}/partners/new",
	"POST /nodes/{node}/partners/new",
	"GET /nodes/{node}/customers",
	"GET /nodes/{node}/customers/new",
	"POST /nodes/{node}/customers/new",
	"GET /nodes/{node}/tree",
	"GET /nodes/{node}/settings",
	"GET /nodes/{node}/go", // to another place
	"POST /nodes/{node}/pin",
	"GET /nodes/{node}/move",
	"POST /nodes/{node}/move",
	"GET /nodes/{node}/move/ask",
	"POST /nodes/{node}/move/ask",
	"GET /nodes/{node}/move-requests",
	"GET /move-requests/{request}",
	"POST /move-requests/{request}",
	"GET /jobs/{job}",
	"GET /nodes/{node}/users",
	"GET /nodes/{node}/users/invite",
	"POST /nodes/{node}/users/invite",
	"GET /nodes/{node}/users/{principal}",
	"POST /nodes/{node}/users/{principal}",
	"GET /nodes/{node}/users/{principal}/remove",
	"POST /nodes/{node}/users/{principal}/remove",
	"GET /nodes/{node}/invitations",
	"GET /nodes/{node}/invitations/{invitation}",
	"POST /nodes/{node}/invitations/{invitation}",
	"GET /nodes/{node}/access",
	"GET /nodes/{node}/brands",
	"GET /nodes/{node}/brands/new",
	"POST /nodes/{node}/brands/new",
	"GET /brands/{id}",
	"GET /brands/{id}/edit",
	"POST /brands/{id}/edit",
	"GET /brands/{id}/delete",
	"POST /brands/{id}/delete",
	"GET /nodes/{node}/clients",
	"GET /nodes/{node}/clients/new",
	"POST /nodes/{node}/clients/new",
	"GET /clients/{client}",
	"GET /clients/{client}/edit",
	"POST /clients/{client}/edit",
	"GET /clients/{client}/secrets/new",
	"POST /clients/{client}/secrets/new",
	"GET /clients/{client}/secrets/{secret}",
	"POST /clients/{client}/secrets/{secret}",
	"GET /clients/{client}/roles/new",
	"POST /clients/{client}/roles/new",
	"GET /clients/{client}/roles/{role}",
	"POST /clients/{client}/roles/{role}",
	"GET /clients/{client}/revoke",
	"POST /clients/{client}/revoke",
	"GET /nodes/{node}/trash",
	"GET /nodes/{node}/activity",
	"GET /nodes/{node}/activity.csv",
	"GET /nodes/{node}/edit",
	"POST /nodes/{node}/edit",
	"GET /nodes/{node}/provisioning",
	"POST /nodes/{node}/provisioning",
	"GET /nodes/{node}/suspend",
	"POST /nodes/{node}/suspend",
	"GET /nodes/{node}/resume",
	"POST /nodes/{node}/resume",
	"GET /nodes/{node}/delete",
	"POST /nodes/{node}/delete",
	"GET /nodes/{node}/restore",
	"POST /nodes/{node}/restore",
))

// pages are routes, given as API Gateway names them.
func pages(session bool, routes ...string) (all []Page) {
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		all = append(all, Page{method, path, session})
	}
	return all
}
