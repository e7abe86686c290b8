package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/a-h/templ"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// place is where in the tree a page is: a node, as the visitor stands to it.
type place struct {
	directory.Standing
}

func (p *place) id() ident.Node { return p.Node.ID }

func (p *place) partner() bool { return p.Node.Kind() == hierarchy.Partner }

// path is the address of the place, or of one of its pages: with the rest of the path, and a query as pairs of names and values.
func (p *place) path(rest string, query ...string) string {
	return nodePath(p.id(), append([]string{rest}, query...)...)
}

// nodePath is the address of a node's page, or of a further page of it, with a query as pairs of names and values.
func nodePath(id ident.Node, rest ...string) string {
	to := "/nodes/" + string(id)
	if len(rest) > 0 && rest[0] != "" {
		to += "/" + rest[0]
	}
	return addressOf(to, rest[min(1, len(rest)):]...)
}

// addressOf is a path with a query as pairs of names and values; those without a value are left out.
func addressOf(path string, query ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		if query[i+1] != "" {
			q.Set(query[i], query[i+1])
		}
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

// place reads the node that the address names.
func (v *visit) place(ctx context.Context, id ident.Node) (*place, error) {
	s, err := v.dir.Standing(ctx, v.caller(), id)
	if err != nil {
		return nil, err
	}
	return &place{s}, nil
}

// named reads an id from the address. What is no id is as hidden as what does not exist.
func named[ID any](v *visit, name string, parse func(string) (ID, error)) (ID, error) {
	id, err := parse(v.event.PathParameters[name])
	if err != nil {
		return id, access.Hidden()
	}
	return id, nil
}

// query returns a parameter of the address.
func (v *visit) query(name string) string { return v.event.QueryStringParameters[name] }

// content is what a page at a place shows.
type content struct {
	Title string
	Body  templ.Component
	Wide  bool
	Wrong bool // a form with something wrong in it
}

// section is a page at a node, in one of the sections of its menu; kinds are the kinds of nodes that have the page, none for all.
func section(name string, show func(*visit, context.Context, *place) (content, error), kinds ...hierarchy.Kind) handler {
	return signedIn(func(v *visit, ctx context.Context) (response, error) {
		id, err := named(v, "node", ident.ParseNode)
		if err != nil {
			return response{}, err
		}
		if len(kinds) > 0 && !slices.Contains(kinds, hierarchy.KindOf(id)) {
			return response{}, access.Hidden()
		}
		at, err := v.place(ctx, id)
		if err != nil {
			return response{}, err
		}
		c, err := show(v, ctx, at)
		if err != nil {
			return response{}, err
		}
		v.remember(id)
		return v.pageAt(http.StatusOK, at, name, c), nil
	})
}

// pageAt makes a page with the frame of a place.
func (v *visit) pageAt(status int, at *place, section string, c content) response {
	return v.page(status, view.Page{Title: c.Title, Content: c.Body, Wide: c.Wide, Failed: c.Wrong, Place: at.frame(section)})
}

// handler answers a page.
type handler = func(*visit, context.Context) (response, error)

// signedIn shows a page to those who are signed in, and lets all others sign in first. What it reads it reads once.
func signedIn(page handler) handler {
	return func(v *visit, ctx context.Context) (response, error) {
		if v.who == nil {
			if v.came(sessionCookie) {
				return v.ended(), nil
			}
			v.outcome = "to sign-in"
			return v.redirect(signInLink(v.address())), nil
		}
		v.dir = v.dir.OneLook()
		r, err := page(v, ctx)
		if err == nil {
			v.renew()
			if v.outcome == "" {
				v.outcome = "shown"
			}
		}
		return r, err
	}
}

// address is that of the request, as a path with a query.
func (v *visit) address() string {
	if v.event.RawQueryString != "" {
		return v.event.RawPath + "?" + v.event.RawQueryString
	}
	return v.event.RawPath
}

// sections are those of a place's menu, in their order.
var sections = []struct {
	name, text string
	partner    bool // only partners have it
	needs      access.Action
}{
	{"", "Overview", false, access.Read},
	{"partners", "Partners", true, access.Read},
	{"customers", "Customers", true, access.Read},
	{"users", "Portal users", false, access.Read},
	{"brands", "Brands", true, access.Read},
	{"activity", "Activity", false, access.Read},
	{"clients", "API clients", false, access.ManageClients},
	{"trash", "Trash", true, access.Read},
	{"settings", "Settings", false, access.Read},
}

// frame is what the frame of a page shows of a place.
func (p *place) frame(current string) *view.Place {
	out := &view.Place{Pick: p.path("go")}
	for _, step := range p.Path {
		out.Path = append(out.Path, nodeLink(step))
	}
	for _, s := range sections {
		if (s.partner && !p.partner()) || p.May(s.needs) != nil {
			continue
		}
		out.Menu = append(out.Menu, view.MenuItem{Link: view.Link{Text: s.text, To: p.path(s.name)}, Current: s.name == current})
	}
	return out
}

// state is the state of a node in words.
func state(n *directory.Node) view.State {
	switch {
	case n.TrashedAt == n.ID:
		return view.State{Text: "In the trash", Class: "bad"}
	case n.TrashedAt != "":
		return view.State{Text: "In the trash with what is above", Class: "bad"}
	case n.SuspendedAt == n.ID:
		return view.State{Text: "Suspended", Class: "wait"}
	case n.SuspendedAt != "":
		return view.State{Text: "Suspended above", Class: "wait"}
	}
	return view.State{Text: "Active", Class: "good"}
}

// offer is a button for an action at a place, or says why the visitor has none.
func (p *place) offer(a access.Action, text, rest string) view.Button {
	if err := p.May(a); err != nil {
		return view.Button{Text: text, Why: plain(fault.From(err).Detail)}
	}
	return view.Button{Text: text, To: p.path(rest)}
}

// refused is the page for what the visitor cannot do.
func (v *visit) refused(at *place, section, title string, f *fault.Error) response {
	v.outcome = f.Type.Slug
	return v.pageAt(contract.Status(f.Type.Slug), at, section, content{Title: title, Body: all(view.Remark(plain(f.Detail)),
		view.Buttons(view.Button{Text: "Back", To: at.path(section)}))})
}
