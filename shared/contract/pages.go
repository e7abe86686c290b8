package contract

// Page is a route of the portal's pages: what people see in a browser. It is no operation of the API: it answers with HTML, or a logo, and
// says itself who is signed in, so API Gateway asks nobody who they are.
type Page struct {
	// Method is the HTTP method in upper case.
	Method string
	// Path is the route's path with its parameters in braces.
	Path string
}

// RouteKey is the page's route as API Gateway names it: the method, a space and the path.
func (p Page) RouteKey() string { return p.Method + " " + p.Path }

// Pages are all of them. The function portal serves them.
var Pages = []Page{
	{"GET", "/signin"},
	{"GET", "/signin/callback"},
	{"POST", "/signout"},
	{"GET", "/signout"}, // what a browser shows as the address after the POST; leads to /me, and so does the next
	{"POST", "/signout/everywhere"},
	{"GET", "/signout/everywhere"},
	{"GET", "/me"},
	{"GET", "/invitations/{token}"},
	{"GET", "/invitation"},
	{"POST", "/invitation"},
	{"GET", "/brands/{id}/logo"}, // an image, which pages and mails show
}
