package main

import (
	"context"
	"net/url"
	"time"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/ident"
)

// clients lists the API clients with a role at a place.
func (v *visit) clients(ctx context.Context, at *place) (content, error) {
	list, err := v.dir.Clients(ctx, v.caller(), at.id(), directory.Paging{Limit: perPage, Cursor: v.query("cursor")})
	if err != nil {
		return content{}, err
	}
	add := at.offer(access.ManageClients, "Add an API client", "clients/new")
	if len(list.Items) == 0 && v.query("cursor") == "" {
		return content{Title: "API clients", Body: view.Empty("No API client has a role here yet. An API client is a system of yours that calls the API.", add)}, nil
	}
	shown := view.Clients{Caption: "API clients at " + string(at.Node.Name)}
	for i := range list.Items {
		g := &list.Items[i]
		row := view.Client{Text: string(g.Name), Role: g.Role.String(), Created: v.clock().At(g.Created), From: "managed elsewhere"}
		if g.Home == at.id() {
			row.From, row.To = "managed here", "/clients/"+string(g.Principal)
		}
		shown.Rows = append(shown.Rows, row)
	}
	if list.Next != "" {
		shown.Next = at.path("clients", "cursor", list.Next)
	}
	return content{Title: "API clients", Wide: true, Body: all(view.Buttons(add), shown.Show())}, nil
}

// newClient makes an API client. Its key is shown once, in the answer.
var newClient = form{
	operations: []string{"createApiClient"}, section: "clients", needs: access.ManageClients,
	ask: func(_ *visit, _ context.Context, at *place) (asked, error) {
		return asked{title: "Add an API client at " + string(at.Node.Name), Form: view.Form{Submit: "Add the client", Cancel: at.path("clients"), Fields: []view.Field{
			nameField("", "Of the system that calls the API."),
			{Name: "role", Label: "Role", Type: view.Radios, Options: roleOptions(at), Value: []string{access.Viewer.String()}, Hint: "At " + string(at.Node.Name) + " and below it."},
			keyEnd}}}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		typed.Set("nodeId", string(at))
		v.untilDay(typed)
		in, err := read(typed, shape.NewClient)
		if err != nil {
			return done{}, err
		}
		made, err := v.dir.CreateClient(ctx, c, in)
		return done{show: v.keyOnce(&made)}, err
	},
}

// keyEnd asks for the day on which a key ends.
var keyEnd = view.Field{Name: "expiresAt", Label: "The key ends on", Type: view.Time, Optional: true, Hint: "From the beginning of that day it is refused. Empty: it does not end."}

// untilDay makes the day on which a key ends a time, as the API takes it: the beginning of the day where the visitor is.
func (v *visit) untilDay(typed url.Values) {
	if day, err := time.ParseInLocation(time.DateOnly, typed.Get(keyEnd.Name), v.settings().zone()); err == nil {
		typed.Set(keyEnd.Name, day.UTC().Format(time.RFC3339))
	}
}

// keyOnce is the page that shows the key of a client, which nobody can read again.
func (v *visit) keyOnce(made *directory.ClientWithKey) *content {
	shown := view.KeyOnce{Name: string(made.Name), Key: made.Key, To: "/clients/" + string(made.ID)}
	at := v.origin
	if v.site.Brand != nil { // where API keys are refused
		at = v.config.Origin()
	}
	if made.Key != "" && at != "" {
		shown.Curl = "curl " + at + "/v1/me -H 'Authorization: Bearer " + made.Key + "'"
	}
	return &content{Title: "The key of " + string(made.Name), Body: shown.Show()}
}

// theClient reads the API client that the address names.
func (v *visit) theClient(ctx context.Context) (directory.Client, error) {
	id, err := named(v, "client", ident.ParseClient)
	if err != nil {
		return directory.Client{}, err
	}
	return v.dir.Client(ctx, v.caller(), id)
}

func clientsHome(v *visit, ctx context.Context) (ident.Node, error) {
	c, err := v.theClient(ctx)
	return c.Home, err
}

// clientPage is the page of an API client.
func (v *visit) clientPage(ctx context.Context) (response, error) {
	c, err := v.theClient(ctx)
	if err != nil {
		return response{}, err
	}
	at, err := v.place(ctx, c.Home)
	if err != nil {
		return response{}, err
	}
	var nodes []ident.Node
	for _, g := range c.Grants {
		nodes = append(nodes, g.Node)
	}
	names, err := v.dir.Names(ctx, v.caller(), nodes, nil)
	if err != nil {
		return response{}, err
	}
	to := "/clients/" + string(c.ID)
	shown := view.OneClient{Edit: to + "/edit", NewKey: to + "/secrets/new", NewRole: to + "/roles/new", Revoke: to + "/revoke"}
	for _, s := range c.Secrets {
		shown.Keys = append(shown.Keys, v.key(to, &s, len(c.Secrets) > 1, c.LastUsed[s.ID]))
	}
	for _, g := range c.Grants {
		shown.Roles = append(shown.Roles, view.ClientRole{Link: nodeLink(directory.PathStep{ID: g.Node, Name: names.Nodes[g.Node]}), Role: g.Role.String(),
			Remove: to + "/roles/" + string(g.Node)})
	}
	facts := view.Facts(view.Fact{Name: "Managed at", Is: nodeLink(at.Path[len(at.Path)-1]).Anchor()}, view.Fact{Name: "Created", Is: v.clock().At(c.Created)},
		view.Fact{Name: "Id", Is: view.Code(string(c.ID))})
	return v.pageAt(200, at, "clients", content{Title: string(c.Name), Body: all(facts, shown.Show())}), nil
}

// key is a key of a client as its page shows it; removable when another one is left.
func (v *visit) key(to string, s *access.Secret, removable bool, used time.Time) view.Key {
	k := view.Key{Hint: s.Hint, Created: v.clock().At(s.Created), Used: view.Text("never"), Ends: view.Text("never"), State: view.State{Text: "Works", Class: "good"}}
	if !used.IsZero() {
		k.Used = v.clock().At(used)
	}
	if !s.Expires.IsZero() {
		k.Ends = v.clock().At(s.Expires)
	}
	if !s.Live(v.now()) {
		k.State = view.State{Text: "Ended", Class: "off"}
	}
	if removable {
		k.Remove = to + "/secrets/" + string(s.ID)
	}
	return k
}

// Forms of an API client. Each is at its home.
var (
	renameClient = clientForm([]string{"renameApiClient"}, func(_ *visit, c *directory.Client) asked {
		return asked{title: "Edit " + string(c.Name), Form: view.Form{Submit: "Save", Fields: []view.Field{nameField(c.Name, "")}}}
	}, func(v *visit, ctx context.Context, c directory.Caller, of *directory.Client, typed url.Values) (done, error) {
		name, err := read(typed, shape.EditClient)
		if err == nil {
			_, err = v.dir.RenameClient(ctx, c, of.ID, name)
		}
		return done{"/clients/" + string(of.ID), "The changes are saved.", nil}, err
	})

	newKey = clientForm([]string{"addApiClientSecret"}, func(_ *visit, c *directory.Client) asked {
		return asked{title: "Another key for " + string(c.Name), Form: view.Form{Submit: "Make the key", Fields: []view.Field{keyEnd},
			Intro: view.Paragraphs("Both keys work until you remove one of them. Put the new key everywhere first, and then remove the old one.")}}
	}, func(v *visit, ctx context.Context, c directory.Caller, of *directory.Client, typed url.Values) (done, error) {
		v.untilDay(typed)
		end, err := read(typed, shape.SecretEnd)
		if err != nil {
			return done{}, err
		}
		made, err := v.dir.AddSecret(ctx, c, of.ID, end)
		return done{show: v.keyOnce(&made)}, err
	})

	removeKey = clientForm([]string{"removeApiClientSecret"}, func(v *visit, c *directory.Client) asked {
		hint := ""
		for _, s := range c.Secrets {
			if string(s.ID) == v.event.PathParameters["secret"] {
				hint = s.Hint
			}
		}
		return asked{title: "Remove a key of " + string(c.Name), Form: view.Form{Submit: "Remove the key …" + hint, Danger: true,
			Intro: view.Paragraphs("What still uses the key …" + hint + " is refused from then on.")}}
	}, func(v *visit, ctx context.Context, c directory.Caller, of *directory.Client, typed url.Values) (done, error) {
		if _, err := read(typed, input.Nothing); err != nil {
			return done{}, err
		}
		id, err := named(v, "secret", ident.ParseKey)
		if err == nil {
			err = v.dir.RemoveSecret(ctx, c, of.ID, id)
		}
		return done{"/clients/" + string(of.ID), "The key was removed.", nil}, err
	})

	grantRole = clientForm([]string{"grantApiClient"}, func(_ *visit, c *directory.Client) asked {
		var options []view.Option
		for role := access.Viewer; role <= access.Owner; role++ {
			options = append(options, view.Option{Value: role.String(), Text: role.String()})
		}
		return asked{title: "A role for " + string(c.Name), Form: view.Form{Submit: "Give the role", Fields: []view.Field{
			{Name: "nodeId", Label: "Id of the partner or customer", Hint: "It stands on the page of the partner or customer. You must be an owner there."},
			{Name: "role", Label: "Role", Type: view.Radios, Options: options, Value: []string{access.Viewer.String()}}}}}
	}, func(v *visit, ctx context.Context, c directory.Caller, of *directory.Client, typed url.Values) (done, error) {
		type grant struct {
			node ident.Node
			role access.Role
		}
		in, err := read(typed, func(o *input.Object) grant { return grant{input.Required(o, "nodeId", ident.ParseNode), shape.Role(o)} })
		if err == nil {
			_, err = v.dir.GrantRole(ctx, c, of.ID, in.node, in.role)
		}
		return done{"/clients/" + string(of.ID), "The role was given.", nil}, err
	})

	removeRole = clientForm([]string{"revokeApiClientGrant"}, func(_ *visit, c *directory.Client) asked {
		return asked{title: "Take a role from " + string(c.Name), Form: view.Form{Submit: "Take the role away", Danger: true,
			Intro: view.Paragraphs("What the client does by this role is refused from then on.")}}
	}, func(v *visit, ctx context.Context, c directory.Caller, of *directory.Client, typed url.Values) (done, error) {
		if _, err := read(typed, input.Nothing); err != nil {
			return done{}, err
		}
		id, err := named(v, "role", ident.ParseNode)
		if err == nil {
			err = v.dir.RemoveGrant(ctx, c, of.ID, id)
		}
		return done{"/clients/" + string(of.ID), "The role was taken away.", nil}, err
	})

	revokeClient = clientForm([]string{"revokeApiClient"}, func(_ *visit, c *directory.Client) asked {
		return asked{title: "Revoke " + string(c.Name), Form: view.Form{Submit: "Revoke " + string(c.Name), Danger: true,
			Intro: view.Paragraphs("All of its keys stop working at once, and it loses all of its roles. This cannot be undone.")}}
	}, func(v *visit, ctx context.Context, c directory.Caller, of *directory.Client, typed url.Values) (done, error) {
		if _, err := read(typed, input.Nothing); err != nil {
			return done{}, err
		}
		return done{nodePath(of.Home, "clients"), "The API client was revoked.", nil}, v.dir.RevokeClient(ctx, c, of.ID)
	})
)

// clientForm is a form about an API client.
func clientForm(operations []string, ask func(*visit, *directory.Client) asked,
	do func(*visit, context.Context, directory.Caller, *directory.Client, url.Values) (done, error)) form {
	return form{operations: operations, section: "clients", needs: access.ManageClients, at: clientsHome,
		ask: func(v *visit, ctx context.Context, _ *place) (asked, error) {
			c, err := v.theClient(ctx)
			if err != nil {
				return asked{}, err
			}
			a := ask(v, &c)
			a.what, a.Version, a.Cancel = "This API client", c.Version, "/clients/"+string(c.ID)
			return a, nil
		},
		do: func(v *visit, ctx context.Context, c directory.Caller, _ ident.Node, typed url.Values) (done, error) {
			of, err := v.theClient(ctx)
			if err != nil {
				return done{}, err
			}
			return do(v, ctx, c, &of, typed)
		}}
}
