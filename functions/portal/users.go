package main

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/mail"
)

// users lists everybody who has access to a place: who was granted a role there or above, and where.
func (v *visit) users(ctx context.Context, at *place) (content, error) {
	list, err := v.dir.Users(ctx, v.caller(), at.id(), directory.Paging{Limit: perPage, Cursor: v.query("cursor")})
	if err != nil {
		return content{}, err
	}
	invite := at.offer(access.Invite, "Invite somebody", "users/invite")
	invite.Main = true
	shown := view.Users{Caption: "Who has access to " + string(at.Node.Name), Rows: v.userRows(at, list.Items, true)}
	if list.Next != "" {
		shown.Next = at.path("users", "cursor", list.Next)
	}
	return content{Title: "Portal users", Wide: true, Body: all(
		view.Paragraphs("Everybody with access to "+string(at.Node.Name)+" is listed here. A role at a partner covers everything below it."),
		view.Buttons(invite, view.Button{Text: "Invitations", To: at.path("invitations")}, view.Button{Text: "Explain access", To: at.path("access")}),
		shown.Show())}, nil
}

// userRows are grants as rows of a table. now says that they are those of the present, which can be changed.
func (v *visit) userRows(at *place, users []directory.User, now bool) (rows []view.User) {
	names := map[ident.Node]string{}
	for _, step := range at.Path {
		names[step.ID] = string(step.Name)
	}
	for i := range users {
		u := &users[i]
		row := view.User{Name: string(u.Name), Kind: "Person", Role: u.Role.String(), Counts: view.State{Text: "Counts", Class: "good"}}
		if !u.Principal.IsPerson() {
			row.Kind = "API client"
		}
		if u.Principal == v.who.Principal() {
			row.Kind += " (you)"
		}
		switch {
		case u.Node == "":
			row.From = view.Text("from above what you see")
		case !u.Inherited:
			row.From = view.Text("here")
		default:
			row.From = all(view.Text("from "), view.Link{Text: names[u.Node], To: nodePath(u.Node, "users")}.Anchor())
		}
		if !u.Counts() {
			row.Counts = view.State{Text: map[hierarchy.MarkKind]string{hierarchy.Suspended: "Does not count: suspended",
				hierarchy.Trashed: "Does not count: in the trash"}[u.By], Class: "wait"}
		}
		if now {
			row.Why = at.path("access", "principal", string(u.Principal))
			if !u.Inherited && u.Principal.IsPerson() && u.Principal != v.who.Principal() && at.May(access.Invite) == nil && u.Role <= at.Role {
				row.Change = at.path("users/" + string(u.Principal))
				row.Remove = at.path("users/" + string(u.Principal) + "/remove")
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// roleOptions are the roles that the visitor may give at a place, each with what it lets somebody do.
func roleOptions(at *place) (options []view.Option) {
	for role := access.Viewer; role <= at.Role; role++ {
		options = append(options, view.Option{Value: role.String(), Text: role.String(), Hint: "May " + mail.Rights(role) + "."})
	}
	return options
}

// inviteForm invites somebody, and shows the mail.
var inviteForm = form{
	operations: []string{"inviteToPartner", "inviteToCustomer"}, section: "users", needs: access.Invite,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		f := view.Form{Submit: "Send the invitation", Preview: "Preview the mail", Cancel: at.path("users"), Fields: []view.Field{
			{Name: "email", Label: "Mail address", Type: view.Email, Hint: "The invitation goes there. Only the Microsoft account with this address can accept it."},
			{Name: "name", Label: "Name", Optional: true, Hint: "Greets the person in the mail.", Most: hierarchy.MaxName},
			{Name: "role", Label: "Role", Type: view.Radios, Options: roleOptions(at), Value: []string{access.Viewer.String()}},
			{Name: "message", Label: "Message", Type: view.Area, Optional: true, Hint: "Stands in the mail as your words.", Most: hierarchy.MaxReason},
			{Name: "expiresInDays", Label: "Days to accept", Value: []string{strconv.Itoa(directory.InvitationDays)}, Hint: "From 1 to " + strconv.Itoa(directory.MaxInvitationDays) + "."},
		}}
		if v.typed.Get(previewField) != "" {
			in, err := read(fields(v.typed), shape.NewInvitation)
			if err != nil {
				f.Outro = view.Remark("The mail can be shown when the address and the role are right: " + err.Error())
			} else {
				in.Node = at.id()
				m, err := v.dir.PreviewMail(ctx, v.caller(), in)
				if err != nil {
					return asked{}, err
				}
				f.Outro = mailPreview(m)
			}
		}
		return asked{title: "Invite somebody to " + string(at.Node.Name), Form: f}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		in, err := read(typed, shape.NewInvitation)
		if err != nil {
			return done{}, err
		}
		in.Node = at
		i, err := v.dir.Invite(ctx, c, in)
		return done{nodePath(at, "invitations/"+string(i.ID)), "The invitation is on its way.", nil}, err
	},
}

// mailPreview shows a mail as text: who sends it, its subject and its words.
func mailPreview(m *directory.Mail) templ.Component {
	said := mail.Invitation(m, mail.Links{Invitation: "(the link)"})
	from := said.Sender
	if from == "" {
		from = mail.Platform
	}
	return view.MailPreview(from, said.To, said.Subject, said.Text)
}

// invitations lists the invitations at a place.
func (v *visit) invitations(ctx context.Context, at *place) (content, error) {
	list, err := v.dir.Invitations(ctx, v.caller(), at.id(), directory.Paging{Limit: perPage, Cursor: v.query("cursor")})
	if err != nil {
		return content{}, err
	}
	invite := at.offer(access.Invite, "Invite somebody", "users/invite")
	if len(list.Items) == 0 && v.query("cursor") == "" {
		return content{Title: "Invitations", Body: view.Empty("Nobody was invited here yet.", invite)}, nil
	}
	shown := view.Invitations{Caption: "Invitations to " + string(at.Node.Name)}
	for i := range list.Items {
		in := &list.Items[i]
		shown.Rows = append(shown.Rows, view.Invited{Link: view.Link{Text: in.Email, To: at.path("invitations/" + string(in.ID))}, Name: string(in.Name),
			Role: in.Role.String(), State: invitationState(in), Mail: mailState(in), Until: v.clock().At(in.Expires)})
	}
	if list.Next != "" {
		shown.Next = at.path("invitations", "cursor", list.Next)
	}
	return content{Title: "Invitations", Wide: true, Body: all(view.Buttons(invite), shown.Show())}, nil
}

func invitationState(i *directory.Invitation) view.State {
	switch {
	case i.State == directory.InvitationPending && i.Problem != "":
		return view.State{Text: "Pending, but cannot be accepted", Class: "bad"}
	case i.State == directory.InvitationPending:
		return view.State{Text: "Pending", Class: "wait"}
	case i.State == directory.InvitationAccepted:
		return view.State{Text: "Accepted", Class: "good"}
	case i.State == directory.InvitationRevoked:
		return view.State{Text: "Withdrawn", Class: "off"}
	}
	return view.State{Text: "Expired", Class: "off"}
}

func mailState(i *directory.Invitation) view.State {
	switch i.Mail {
	case directory.MailSent:
		return view.State{Text: "Mail sent", Class: "good"}
	case directory.MailQueued, directory.MailSending:
		return view.State{Text: "Mail on its way", Class: "wait"}
	case directory.MailBounced:
		return view.State{Text: "Mail came back", Class: "bad"}
	case directory.MailComplained:
		return view.State{Text: "Marked as spam", Class: "bad"}
	}
	return view.State{Text: "Mail not sent", Class: "bad"}
}

// oneInvitation is the page of an invitation, with what can be done about it: to send it again, or to withdraw it.
var oneInvitation = form{
	operations: []string{"resendInvitation", "revokeInvitation"}, section: "users", needs: access.Invite,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		i, err := v.invitationAt(ctx, at.id())
		if err != nil {
			return asked{}, err
		}
		names, err := v.dir.Names(ctx, v.caller(), nil, []ident.Principal{i.By, i.Person})
		if err != nil {
			return asked{}, err
		}
		facts := []view.Fact{{Name: "State", Is: invitationState(&i).Badge()}, {Name: "Mail", Is: mailState(&i).Badge()},
			{Name: "For", Is: view.Text(i.Email)}, {Name: "Role", Is: view.Role(i.Role.String())},
			{Name: "Invited by", Is: view.Text(v.actorName(i.By, &names))}, {Name: "Last sent", Is: v.clock().At(i.Sent)}, {Name: "Can be accepted until", Is: v.clock().At(i.Expires)}}
		if i.Name != "" {
			facts = append(facts, view.Fact{Name: "Name", Is: view.Text(string(i.Name))})
		}
		if i.Person != "" {
			facts = append(facts, view.Fact{Name: "Accepted by", Is: view.Text(v.actorName(i.Person, &names))})
		}
		parts := []templ.Component{view.Facts(facts...)}
		if i.Message != "" {
			parts = append(parts, view.Quote(i.Message))
		}
		for _, advice := range []string{i.Problem.Advice(), i.MailProblem.Advice()} {
			if advice != "" {
				parts = append(parts, view.Remark(advice))
			}
		}
		// Without a version: what becomes of the mail meanwhile is no reason not to withdraw the invitation.
		f := view.Form{Intro: all(parts...), Cancel: at.path("invitations"), Submit: "Do it"}
		if i.State == directory.InvitationPending || i.State == directory.InvitationExpired {
			f.Fields = []view.Field{{Name: "act", Label: "What to do", Type: view.Radios, Value: []string{"resend"}, Options: []view.Option{
				{Value: "resend", Text: "Send it again", Hint: "With a new link. The link in the earlier mail stops working."},
				{Value: "revoke", Text: "Withdraw it", Hint: "Its link stops working. Nobody can accept it any more."}}}}
		} else {
			f.Submit = ""
		}
		return asked{title: "Invitation of " + i.Email, what: "This invitation", Form: f}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		i, err := v.invitationAt(ctx, at)
		if err != nil {
			return done{}, err
		}
		act, err := read(typed, func(o *input.Object) string { return input.Required(o, "act", input.As[string]) })
		if err != nil {
			return done{}, err
		}
		notice := "The invitation is on its way again, with a new link."
		if act == "revoke" {
			notice = "The invitation is withdrawn."
			_, err = v.dir.RevokeInvitation(ctx, c, i.ID)
		} else {
			_, err = v.dir.Resend(ctx, c, i.ID)
		}
		return done{nodePath(at, "invitations"), notice, nil}, err
	},
}

// invitationAt reads the invitation that the address names, which has to be of the node that the address names.
func (v *visit) invitationAt(ctx context.Context, at ident.Node) (directory.Invitation, error) {
	id, err := named(v, "invitation", ident.ParseInvitation)
	if err != nil {
		return directory.Invitation{}, err
	}
	i, err := v.dir.Invitation(ctx, v.caller(), id)
	if err == nil && i.Node != at {
		err = access.Hidden()
	}
	return i, err
}

// userAt reads somebody's direct role at a place, from the address.
func (v *visit) userAt(ctx context.Context, at *place) (directory.Explanation, access.Role, error) {
	who, err := named(v, "principal", ident.ParsePrincipal)
	if err != nil {
		return directory.Explanation{}, access.None, err
	}
	e, err := v.dir.Why(ctx, v.caller(), who, at.id(), access.Read)
	if err != nil {
		return e, access.None, err
	}
	for _, s := range e.Sources {
		if s.Node == at.id() {
			return e, s.Role, nil
		}
	}
	return e, access.None, access.Hidden()
}

// changeRole gives somebody another role at a place.
var changeRole = form{
	operations: []string{"setPartnerUserRole", "setCustomerUserRole"}, section: "users", needs: access.Invite,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		e, role, err := v.userAt(ctx, at)
		if err != nil {
			return asked{}, err
		}
		return asked{title: "Role of " + called(e.Name) + " at " + string(at.Node.Name), Form: view.Form{Submit: "Save", Cancel: at.path("users"), Intro: view.Paragraphs(e.Text),
			Fields: []view.Field{{Name: "role", Label: "Role", Type: view.Radios, Options: roleOptions(at), Value: []string{role.String()}}}}}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		role, err := read(typed, shape.Role)
		if err != nil {
			return done{}, err
		}
		return v.setRole(ctx, c, at, role, "The role was changed.")
	},
}

// removeUser takes somebody's role at a place away.
var removeUser = form{
	operations: []string{"removePartnerUser", "removeCustomerUser"}, section: "users", needs: access.Invite,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		e, role, err := v.userAt(ctx, at)
		if err != nil {
			return asked{}, err
		}
		lost := called(e.Name) + " loses the role " + role.String() + " at " + string(at.Node.Name) + ", and with it all access here that comes from this role."
		kept := "No access is left here."
		for _, s := range e.Sources {
			if s.Node != at.id() && s.Counts() {
				kept = "Access as " + s.Role.String() + " stays: it comes from above."
			}
		}
		return asked{title: "Remove " + called(e.Name), Form: view.Form{Submit: "Remove the role of " + called(e.Name), Danger: true, Cancel: at.path("users"),
			Intro: view.Paragraphs(lost, kept)}}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		if _, err := read(typed, input.Nothing); err != nil {
			return done{}, err
		}
		return v.setRole(ctx, c, at, access.None, "The role was taken away.")
	},
}

func (v *visit) setRole(ctx context.Context, c directory.Caller, at ident.Node, role access.Role, notice string) (done, error) {
	who, err := named(v, "principal", ident.ParsePrincipal)
	if err != nil {
		return done{}, err
	}
	c.IfMatch = nil // what somebody has at a node has no version that a page could have shown
	return done{nodePath(at, "users"), notice, nil}, v.dir.SetRole(ctx, c, at, who, role)
}

// access explains why somebody has access, and tells who had access on a day.
func (v *visit) access(ctx context.Context, at *place) (content, error) {
	list, err := v.dir.Users(ctx, v.caller(), at.id(), directory.Paging{Limit: perPage})
	if err != nil {
		return content{}, err
	}
	shown := view.Access{To: at.path("access"), Principal: v.query("principal"), Action: v.query("action"), Day: v.query("day"), Kind: string(at.Node.Kind())}
	for i := range list.Items {
		u := &list.Items[i]
		o := view.Option{Value: string(u.Principal), Text: string(u.Name)}
		if !slices.Contains(shown.People, o) {
			shown.People = append(shown.People, o)
		}
	}
	for _, a := range access.Actions {
		if a.Fits(at.Node.Kind()) {
			shown.Actions = append(shown.Actions, view.Option{Value: a.String(), Text: directory.Doing(a, at.Node.Kind())})
		}
	}
	var day *directory.Window
	if d, err := time.ParseInLocation(time.DateOnly, shown.Day, v.settings().zone()); err == nil {
		day = &directory.Window{From: d.UTC(), Until: d.AddDate(0, 0, 1).Add(-time.Millisecond).UTC()}
		if now := v.now().UTC(); day.Until.After(now) && day.From.Before(now) {
			day.Until = now
		}
	}
	if who, err := ident.ParsePrincipal(shown.Principal); err == nil {
		a, ok := access.ParseAction(shown.Action)
		if !ok || !a.Fits(at.Node.Kind()) {
			a = access.Read
		}
		var e directory.Explanation
		if day == nil {
			e, err = v.dir.Why(ctx, v.caller(), who, at.id(), a)
		} else {
			e, err = v.dir.WhyAt(ctx, v.caller(), who, at.id(), a, *day)
		}
		if err != nil {
			return content{}, err
		}
		shown.Text = e.Text
		if shown.Answer = (view.State{Text: "No", Class: "bad"}); e.Allowed {
			shown.Answer = view.State{Text: "Yes", Class: "good"}
		}
	} else if day != nil {
		past, err := v.dir.UsersAt(ctx, v.caller(), at.id(), *day, directory.Paging{Limit: perPage, Cursor: v.query("cursor")})
		if err != nil {
			return content{}, err
		}
		shown.Past = &view.Users{Caption: "Who had access on " + v.clock().Day(day.From), Rows: v.userRows(at, past.Items, false)}
		if past.Next != "" {
			shown.Past.Next = at.path("access", "day", shown.Day, "cursor", past.Next)
		}
		if shown.Text = past.Text; past.Incomplete {
			shown.Text += " This list may miss roles that were granted further up: something that was above is erased, or out of your sight now."
		}
	}
	return content{Title: "Explain access to " + string(at.Node.Name), Body: shown.Show()}, nil
}
