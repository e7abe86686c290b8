package main

import (
	"context"
	"net/url"

	"github.com/a-h/templ"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/job"
)

// move gives a node another parent: first the visitor picks a partner, then sees what the move would do, then moves.
var move = form{
	operations: []string{"previewPartnerMove", "previewCustomerMove", "movePartner", "moveCustomer"}, section: "settings", needs: access.ManageSubtree,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		a := asked{title: "Move " + string(at.Node.Name), what: "This " + string(at.Node.Kind())}
		if at.May(access.ManageSubtree) != nil {
			return a, nil
		}
		to, err := ident.ParsePartner(v.query("to"))
		if err != nil {
			a.Intro, err = v.pickParent(ctx, at)
			return a, err
		}
		p, err := v.dir.PreviewMove(ctx, v.caller(), at.id(), to)
		if err != nil {
			return a, err
		}
		there, err := v.place(ctx, to)
		if err != nil {
			return a, err
		}
		a.title = "Move " + string(at.Node.Name) + " to " + string(there.Node.Name)
		if a.Intro, err = v.preview(ctx, at, there, &p); err != nil || len(p.Blocks) > 0 || at.Node.Parent == to {
			return a, err
		}
		a.Cancel, a.Version = at.path("move"), at.Node.Version
		a.Fields = []view.Field{{Name: "parentId", Type: view.Hidden, Value: []string{string(to)}}}
		_, a.Submit, err = v.touched(ctx, at, "", "Move")
		return a, err
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		to, err := read(typed, shape.Move)
		if err != nil {
			return done{}, err
		}
		changed, err := v.dir.Move(ctx, c, at, to)
		return done{nodePath(at, "", "job", string(changed.JobID())), "It was moved. The move is in effect for everybody from now on.", nil}, err
	},
}

// pickParent offers the partners that a node can be moved to: it begins where the visitor is an admin, and goes down.
func (v *visit) pickParent(ctx context.Context, at *place) (templ.Component, error) {
	shown := view.PickParent{Ask: at.path("move/ask")}
	in, err := ident.ParsePartner(v.query("in"))
	if err != nil {
		me, err := v.dir.Me(ctx, v.caller())
		if err != nil {
			return nil, err
		}
		for i := range me.Grants {
			if g := &me.Grants[i]; g.Role >= access.CreatePartner.Needs() && hierarchy.KindOf(g.Node.ID) == hierarchy.Partner && g.Node.ID != at.id() {
				shown.Rows = append(shown.Rows, v.parentRow(at, g.Node))
			}
		}
		return shown.Show(), nil
	}
	there, err := v.place(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, step := range there.Path {
		shown.Path = append(shown.Path, view.Link{Text: string(step.Name), To: at.path("move", "in", string(step.ID))})
	}
	if in != at.Node.Parent && there.May(access.CreatePartner) == nil {
		shown.Here = at.path("move", "to", string(in))
	}
	shown.Name = string(there.Node.Name)
	list, err := v.dir.Children(ctx, v.caller(), in, hierarchy.Partner, directory.Paging{Limit: perPage, Cursor: v.query("cursor")})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		if n := &list.Items[i]; n.ID != at.id() { // nothing below itself either: nobody gets there
			shown.Rows = append(shown.Rows, v.parentRow(at, directory.PathStep{ID: n.ID, Name: n.Name}))
		}
	}
	if list.Next != "" {
		shown.Next = at.path("move", "in", string(in), "cursor", list.Next)
	}
	return shown.Show(), nil
}

func (v *visit) parentRow(at *place, step directory.PathStep) view.ParentRow {
	row := view.ParentRow{Name: string(step.Name), Open: at.path("move", "in", string(step.ID))}
	if step.ID != at.Node.Parent {
		row.Choose = at.path("move", "to", string(step.ID))
	}
	return row
}

// preview says what a move would do.
func (v *visit) preview(ctx context.Context, at, there *place, p *directory.MovePreview) (templ.Component, error) {
	shown := view.MovePreview{Same: at.Node.Parent == there.id(), More: p.More}
	for _, step := range at.Path[:len(at.Path)-1] {
		shown.From = append(shown.From, nodeLink(step))
	}
	for _, step := range there.Path {
		shown.To = append(shown.To, nodeLink(step))
	}
	for _, b := range p.Blocks {
		shown.Blocks = append(shown.Blocks, plain(b.Detail))
	}
	if p.CanProvision[0] != p.CanProvision[1] {
		shown.Provisioning = "Services can be provisioned below " + string(at.Node.Name) + " after the move."
		if p.CanProvision[0] {
			shown.Provisioning = "Services can no longer be provisioned below " + string(at.Node.Name) + " after the move."
		}
	}
	var through []ident.Node
	for _, a := range p.Access {
		through = append(through, a.Through)
	}
	names, err := v.dir.Names(ctx, v.caller(), through, nil)
	if err != nil {
		return nil, err
	}
	for _, a := range p.Access {
		row := view.AccessRow{Name: called(a.Name), Before: roleWords(a.Role[0]), After: roleWords(a.Role[1]), Through: string(names.Nodes[a.Through])}
		if row.Change = (view.State{Text: "Gains", Class: "good"}); a.Role[1] < a.Role[0] {
			row.Change = view.State{Text: "Loses", Class: "bad"}
		}
		shown.Access = append(shown.Access, row)
	}
	for i := range p.Invitations {
		shown.Invitations = append(shown.Invitations, called(p.Invitations[i].Name)+", as "+p.Invitations[i].Role.String())
	}
	return shown.Show(), nil
}

func roleWords(r access.Role) string {
	if r == access.None {
		return "no access"
	}
	return r.String()
}

// askMove asks those who manage another partner to take a node.
var askMove = form{
	operations: []string{"requestPartnerMove", "requestCustomerMove"}, section: "settings", needs: access.ManageSubtree,
	ask: func(_ *visit, _ context.Context, at *place) (asked, error) {
		return asked{title: "Ask another partner to take " + string(at.Node.Name), Form: view.Form{Submit: "Send the request", Cancel: at.path("move"),
			Intro: view.Paragraphs("Those who manage the other partner see your request, with the name of what is to move, and accept or decline it."),
			Fields: []view.Field{
				{Name: "parentId", Label: "Id of the other partner", Hint: "It begins with ptn_. The other partner finds it on the page of the partner."},
				{Name: "message", Label: "Message", Type: view.Area, Optional: true, Most: hierarchy.MaxMoveMessage}}}}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		in, err := read(typed, shape.AskMove)
		if err != nil {
			return done{}, err
		}
		r, err := v.dir.AskMove(ctx, c, at, in.To, in.Message)
		return done{"/move-requests/" + string(r.ID), "The request was sent.", nil}, err
	},
}

// moveRequests lists the move requests of a node: those that it is to be moved by, and those that were sent to it.
func (v *visit) moveRequests(ctx context.Context, at *place) (content, error) {
	list, err := v.dir.MoveRequests(ctx, v.caller(), at.id(), directory.Paging{Limit: perPage, Cursor: v.query("cursor")})
	if err != nil {
		return content{}, err
	}
	if len(list.Items) == 0 && v.query("cursor") == "" {
		return content{Title: "Move requests", Body: view.Empty("No request was sent or received here.", at.offer(access.ManageSubtree, "Ask another partner", "move/ask"))}, nil
	}
	shown := view.MoveRequests{}
	for i := range list.Items {
		r := &list.Items[i]
		row := view.MoveRequest{Link: view.Link{Text: string(r.Name), To: "/move-requests/" + string(r.ID)}, Way: "Received", State: requestState(r.State), Made: v.clock().At(r.Created)}
		if r.Node == at.id() {
			row.Way = "Sent"
		}
		shown.Rows = append(shown.Rows, row)
	}
	if list.Next != "" {
		shown.Next = at.path("move-requests", "cursor", list.Next)
	}
	return content{Title: "Move requests", Body: shown.Show()}, nil
}

func requestState(s directory.RequestState) view.State {
	return map[directory.RequestState]view.State{
		directory.RequestOpen: {Text: "Waiting for an answer", Class: "wait"}, directory.RequestAccepted: {Text: "Accepted", Class: "good"},
		directory.RequestDeclined: {Text: "Declined", Class: "bad"}, directory.RequestWithdrawn: {Text: "Withdrawn", Class: "off"},
		directory.RequestEnded: {Text: "Ended without an answer", Class: "off"}}[s]
}

// moveRequest reads the request that the address names.
func (v *visit) moveRequest(ctx context.Context) (directory.AskedMove, error) {
	id, err := named(v, "request", ident.ParseMoveRequest)
	if err != nil {
		return directory.AskedMove{}, err
	}
	return v.dir.MoveRequest(ctx, v.caller(), id)
}

// oneRequest is the page of a move request, with the answers that the visitor can give.
var oneRequest = form{
	operations: []string{"acceptMoveRequest", "declineMoveRequest", "withdrawMoveRequest"}, section: "settings", needs: access.Read,
	at: func(v *visit, ctx context.Context) (ident.Node, error) {
		r, err := v.moveRequest(ctx)
		if err == nil && !r.NodeVisible {
			return r.To, nil
		}
		return r.Node, err
	},
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		r, err := v.moveRequest(ctx)
		if err != nil {
			return asked{}, err
		}
		facts := []view.Fact{{Name: "State", Is: requestState(r.State).Badge()}, {Name: "To move", Is: view.Text(string(r.Name))}, {Name: "Sent", Is: v.clock().At(r.Created)},
			{Name: "Can be accepted until", Is: v.clock().At(r.Ends)}}
		a := asked{title: "Request to move " + string(r.Name), what: "This request", Form: view.Form{Version: r.Version, Cancel: at.path("move-requests"), Intro: view.Facts(facts...)}}
		if r.Message != "" {
			a.Intro = all(a.Intro, view.Quote(r.Message))
		}
		if r.State != directory.RequestOpen {
			return a, nil
		}
		var options []view.Option
		there, err := v.place(ctx, r.To)
		if err == nil && there.May(access.CreatePartner) == nil {
			options = append(options, view.Option{Value: "accept", Text: "Accept", Hint: "It is moved below " + string(there.Node.Name) + " at once, with everything below it."},
				view.Option{Value: "decline", Text: "Decline", Hint: "Nothing is moved."})
		} else if err != nil && fault.From(err).Type != fault.NotFound {
			return a, err
		}
		if r.NodeVisible {
			node, err := v.place(ctx, r.Node)
			if err != nil {
				return a, err
			}
			if node.May(access.ManageSubtree) == nil {
				options = append(options, view.Option{Value: "withdraw", Text: "Withdraw", Hint: "The request ends."})
			}
		}
		if len(options) > 0 {
			a.Submit = "Send the answer"
			a.Fields = []view.Field{{Name: "act", Label: "Answer", Type: view.Radios, Options: options}}
		}
		return a, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		r, err := v.moveRequest(ctx)
		if err != nil {
			return done{}, err
		}
		act, err := read(typed, func(o *input.Object) string { return input.Required(o, "act", input.As[string]) })
		if err != nil {
			return done{}, err
		}
		switch act {
		case "accept":
			accepted, err := v.dir.AcceptMove(ctx, c, r.ID)
			return done{nodePath(r.Node, "", "job", string(accepted.Job)), "The request was accepted, and the move is in effect.", nil}, err
		case "withdraw":
			_, err = v.dir.WithdrawMove(ctx, c, r.ID)
			return done{nodePath(at, "move-requests"), "The request was withdrawn.", nil}, err
		}
		_, err = v.dir.DeclineMove(ctx, c, r.ID)
		return done{nodePath(at, "move-requests"), "The request was declined.", nil}, err
	},
}

// job shows how far long work is.
func (v *visit) job(ctx context.Context) (response, error) {
	id, err := named(v, "job", ident.ParseJob)
	if err != nil {
		return response{}, err
	}
	j, err := v.dir.Job(ctx, v.caller(), id)
	if err != nil {
		return response{}, err
	}
	at, err := v.place(ctx, j.Node)
	if err != nil {
		return response{}, err
	}
	return v.pageAt(200, at, "", content{Title: "Progress", Body: all(v.progress(&j), view.Buttons(view.Button{Text: "To " + string(at.Node.Name), To: at.path("")}))}), nil
}

// settling shows how far the change is that the address names, if the visitor was led here by it.
func (v *visit) settling(ctx context.Context) (templ.Component, error) {
	id, err := ident.ParseJob(v.query("job"))
	if err != nil {
		return templ.NopComponent, nil
	}
	j, err := v.dir.Job(ctx, v.caller(), id)
	if f := fault.From(err); err != nil && f.Type == fault.NotFound {
		return templ.NopComponent, nil
	}
	return v.progress(&j), err
}

// stepWords are the steps of jobs in words.
var stepWords = map[string]string{directory.RewriteStep: "Writing it into everything below", directory.GraceStep: "Waiting for requests that began before"}

func (v *visit) progress(j *job.Job) templ.Component {
	shown := view.Progress{Lead: "The change is in effect already. It is being written into everything below.", Polls: j.State == job.Running, Link: "/jobs/" + string(j.ID)}
	switch j.State {
	case job.Succeeded:
		shown.State, shown.Lead = view.State{Text: "Done", Class: "good"}, "The change is in effect and written everywhere."
	case job.Failed:
		shown.State, shown.Lead = view.State{Text: "Failed", Class: "bad"}, j.Problem.Detail
	default:
		shown.State = view.State{Text: "In progress", Class: "wait"}
	}
	if j.Progress.Done > 0 {
		shown.Count = view.Number(int(j.Progress.Done)) + " written so far"
		if j.Progress.Total > 0 {
			shown.Count = view.Number(int(j.Progress.Done)) + " of " + view.Number(int(j.Progress.Total)) + " written"
		}
	}
	for _, s := range j.Steps {
		step := view.Stage{Name: orNone(stepWords[s.Name], s.Name), State: map[job.State]view.State{job.Pending: {Text: "Waiting", Class: "off"}, job.Running: {Text: "Running", Class: "wait"},
			job.Succeeded: {Text: "Done", Class: "good"}, job.Failed: {Text: "Failed", Class: "bad"}}[s.State], At: templ.NopComponent}
		if !s.Ended.IsZero() {
			step.At = v.clock().At(s.Ended)
		} else if !s.Started.IsZero() {
			step.At = v.clock().At(s.Started)
		}
		shown.Stages = append(shown.Stages, step)
	}
	return shown.Show()
}
