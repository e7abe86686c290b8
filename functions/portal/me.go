package main

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

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
		return v.redirect(signInLink(start)), nil
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
	content := fill("<p>You are signed in as <strong>%s</strong>%s, since %s.</p>\n", cmp.Or(string(me.Name), v.who.Name, string(me.ID)),
		when(v.who.Email != "", fill(" (%s)", v.who.Email)), utc(v.who.Began))
	if len(me.Grants) == 0 {
		content += fill(`<p>You have no access to anything at the moment.</p>
<p>If you were invited, open the link in the invitation’s mail and accept it with this account. If you had access
before, your access was removed or is suspended: ask the person who invited you. If you have access in the portal of a
brand, use the address of that portal. If you are asked for your id, give this id: <code>%s</code>.</p>
`, me.ID)
	} else {
		list := markup("<ul class=\"grants\">\n")
		for i := range me.Grants {
			g := &me.Grants[i]
			content += when(query.Get("accepted") == string(g.Node.ID),
				fill("<p><strong>You have accepted the invitation to %s.</strong></p>\n", g.Node.Name))
			list += granted(g)
		}
		content += list
		content += `</ul>
<p class="soft">Partners and customers that are suspended or in the trash are not listed. They appear here again after they are resumed or restored.</p>
`
	}
	content += when(v.site.Brand != nil,
		fill("<p class=\"soft\">This is the portal of %s. Your access elsewhere is not shown here.</p>\n", v.look().name))
	content += fill(`<div class="actions">
<form method="post" action="/signout">%s<button>Sign out</button></form>
<form method="post" action="/signout/everywhere">%s<button>Sign out everywhere</button></form>
</div>
`, v.formToken(), v.formToken())
	return v.page(http.StatusOK, "Your access", v.look(), content), nil
}

// granted is one place where the person has a role, below the path on which their access begins.
func granted(g *directory.MyGrant) markup {
	var above markup
	for _, step := range g.Path {
		above += when(step.ID != g.Node.ID, fill("%s › ", step.Name))
	}
	kind := hierarchy.KindOf(g.Node.ID)
	return fill(`<li>
%s<div class="line"><h2>%s</h2><span class="soft">%s</span><span class="role %s">%s</span></div>
<p>At this %s%s you may %s.</p>
</li>
`, when(above != "", fill("<p class=\"soft\">%s</p>\n", above)), g.Node.Name, kind, g.Role, g.Role,
		kind, when(kind == hierarchy.Partner, " and below it"), mail.Rights(g.Role))
}
