package main

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/mail"
)

// me is the start page of who is signed in.
func (v *visit) me(ctx context.Context) (response, error) {
	if v.who == nil {
		if v.came(sessionCookie) {
			return v.ended(), nil
		}
		v.outcome = "to sign-in"
		return v.redirect(signInLink(account)), nil
	}
	me, err := v.dir.Me(ctx, v.caller())
	if err != nil {
		return response{}, err
	}
	v.renew()
	query, err := url.ParseQuery(v.event.RawQueryString)
	if err != nil {
		query = nil
	}
	v.outcome = "shown"
	shown := view.Account{Name: cmp.Or(string(me.Name), v.who.Name, string(me.ID)), Email: v.who.Email, ID: string(me.ID), Since: v.clock().Words(v.who.Began),
		Token: v.ring.FormToken(v.who), Settings: v.settingsForm()}
	for i := range me.Grants {
		g := &me.Grants[i]
		kind := hierarchy.KindOf(g.Node.ID)
		granted := view.Granted{Link: nodeLink(g.Node), Kind: string(kind), Role: g.Role.String(), Rights: mail.Rights(g.Role),
			Below: kind == hierarchy.Partner, Accepted: query.Get("accepted") == string(g.Node.ID)}
		for _, step := range g.Path[:max(0, len(g.Path)-1)] {
			granted.Path = append(granted.Path, nodeLink(step))
		}
		shown.Grants = append(shown.Grants, granted)
	}
	if v.site.Brand != nil {
		shown.Portal = v.look().Name
	}
	return v.page(http.StatusOK, view.Page{Title: "Your access", Content: shown.Show()}), nil
}

// nodeLink leads to the page of a node.
func nodeLink(step directory.PathStep) view.Link {
	return view.Link{Text: string(step.Name), To: nodePath(step.ID)}
}
