package main

import (
	"context"
	"net/url"
	"slices"

	"github.com/a-h/templ"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// read reads a form as the API reads the body of the operation.
func read[In any](typed url.Values, of func(*input.Object) In) (In, error) {
	o := input.FromForm(typed)
	in := of(o)
	return in, o.Err()
}

func or(c templ.Component) templ.Component {
	if c == nil {
		return templ.NopComponent
	}
	return c
}

func nameField(value hierarchy.Name, hint string) view.Field {
	return view.Field{Name: "name", Label: "Name", Hint: hint, Value: []string{string(value)}, Most: hierarchy.MaxName}
}

// detailWords are the words for the fields of a customer.
var detailWords = map[string]struct{ label, hint string }{
	"reference": {"Reference", "Your own id for the customer. You can search for it."},
	"tenantId":  {"Microsoft tenant id", "The id of the customer’s tenant, like 8c1f7f4e-0b2d-4b1c-9d53-2f7a4a1c6b10."},
	"domain":    {"Domain", "A domain of the customer, like example.com."},
}

// brandOptions are the brands that a partner can give to what is below it.
func (v *visit) brandOptions(ctx context.Context, partner ident.Node) ([]view.Option, error) {
	brands, err := v.dir.Brands(ctx, v.caller(), partner)
	var options []view.Option
	for _, b := range brands {
		options = append(options, view.Option{Value: string(b.ID), Text: string(b.Name), Hint: b.Domain})
	}
	return options, err
}

// newPartner adds a partner below a partner.
var newPartner = form{
	operations: []string{"createPartner"}, section: "partners", kinds: []hierarchy.Kind{hierarchy.Partner}, needs: access.CreatePartner,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		options, err := v.brandOptions(ctx, at.id())
		if err != nil {
			return asked{}, err
		}
		var every []string
		for _, o := range options {
			every = append(every, o.Value)
		}
		return asked{title: "Add a partner below " + string(at.Node.Name), Form: view.Form{Submit: "Add the partner", Cancel: at.path("partners"), Fields: []view.Field{
			nameField("", "How the partner is called here. It can be changed later."),
			{Name: "portalBrandId", Label: "Portal brand", Type: view.Select, Options: options, Hint: "At this brand’s address the partner’s people sign in."},
			{Name: "availableBrandIds", Label: "Available brands", Type: view.Checks, Options: options, Value: every, Hint: "The brands that the partner may sell under. Each of its customers has one of them."},
			{Name: "canProvisionServices", Label: "Can provision services", Type: view.Check, Value: []string{"true"},
				Hint: "Without it, the partner’s people can add customers but no service instances. It counts for all partners below, too."},
		}}}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		typed.Set("parentId", string(at))
		in, err := read(typed, shape.NewPartner)
		if err != nil {
			return done{}, err
		}
		n, err := v.dir.CreatePartner(ctx, c, in)
		return done{nodePath(n.ID), "The partner was added. Invite its people under “Portal users”.", nil}, err
	},
}

// newCustomer adds a customer to a partner.
var newCustomer = form{
	operations: []string{"createCustomer"}, section: "customers", kinds: []hierarchy.Kind{hierarchy.Partner}, needs: access.CreateCustomer,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		options, err := v.brandOptions(ctx, at.id())
		if err != nil {
			return asked{}, err
		}
		f := view.Form{Submit: "Add the customer", Cancel: at.path("customers"), Fields: append([]view.Field{
			nameField("", "How the customer is called here. It can be changed later."),
			{Name: "brandId", Label: "Brand", Type: view.Select, Options: options, Hint: "The customer’s services appear under this brand. It can never be changed."},
		}, detailFields(hierarchy.Details{})...)}
		return asked{title: "Add a customer of " + string(at.Node.Name), Form: f}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		typed.Set("partnerId", string(at))
		in, err := read(typed, shape.NewCustomer)
		if err != nil {
			return done{}, err
		}
		n, err := v.dir.CreateCustomer(ctx, c, in)
		return done{nodePath(n.ID), "The customer was added.", nil}, err
	},
}

// detailFields are the fields of a customer that can be edited.
func detailFields(d hierarchy.Details) (fields []view.Field) {
	for _, f := range hierarchy.DetailFields {
		if !f.Fixed {
			words := detailWords[f.Name]
			fields = append(fields, view.Field{Name: f.Name, Label: words.label, Hint: words.hint, Optional: true, Value: []string{*f.At(&d)}})
		}
	}
	return fields
}

// editNode edits a partner or a customer.
var editNode = form{
	operations: []string{"editPartner", "editCustomer"}, section: "settings", needs: access.EditCustomer, ofPartner: access.EditPartner,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		n := &at.Node
		a := asked{title: "Edit " + string(n.Name), what: "This " + string(n.Kind()), Form: view.Form{Submit: "Save", Cancel: at.path(""), Version: n.Version,
			Fields: []view.Field{nameField(n.Name, "")}}}
		if !at.partner() {
			a.Fields = append(a.Fields, detailFields(n.Details)...)
			return a, nil
		}
		if at.May(access.EditPartner) != nil || at.Above < access.EditPartner.Needs() || !n.ParentVisible {
			a.Outro = view.Soft("Only an admin of a partner above can change which brands this partner has.")
			return a, nil
		}
		options, err := v.brandOptions(ctx, n.Parent)
		if err != nil {
			return asked{}, err
		}
		portal, err := v.brandOptions(ctx, n.ID)
		if err != nil {
			return asked{}, err
		}
		for _, o := range options {
			if !slices.Contains(portal, o) {
				portal = append(portal, o)
			}
		}
		var available []string
		for _, b := range n.Brands.Available {
			available = append(available, string(b))
		}
		a.Fields = append(a.Fields,
			view.Field{Name: "portalBrandId", Label: "Portal brand", Type: view.Select, Options: portal, Value: []string{string(n.Brands.Portal)}},
			view.Field{Name: "availableBrandIds", Label: "Available brands", Type: view.Checks, Options: options, Value: available,
				Hint: "A brand that is used below this partner cannot be taken away."})
		return a, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		said := done{nodePath(at), "The changes are saved.", nil}
		if hierarchy.KindOf(at) == hierarchy.Customer {
			in, err := read(typed, shape.EditCustomer)
			if err == nil {
				_, err = v.dir.EditCustomer(ctx, c, at, in)
			}
			return said, err
		}
		in, err := read(typed, shape.EditPartner)
		if err == nil {
			_, err = v.dir.EditPartner(ctx, c, at, in.Patch)
		}
		return said, err
	},
}

// provision says whether a partner can provision services.
var provision = form{
	operations: []string{"editPartner"}, section: "settings", kinds: []hierarchy.Kind{hierarchy.Partner}, needs: access.ManageSubtree,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		touched, _, err := v.touched(ctx, at, "It counts for", "")
		if err != nil {
			return asked{}, err
		}
		off := slices.Contains(at.Node.OwnMarks(), hierarchy.Mark{Node: at.id(), Kind: hierarchy.NoProvisioning})
		return asked{title: "Provisioning of " + string(at.Node.Name), what: "This partner", Form: view.Form{Submit: "Save", Cancel: at.path("settings"), Intro: touched,
			Version: at.Node.Version, Fields: []view.Field{{Name: "canProvisionServices", Label: "Can provision services", Type: view.Check, Value: []string{trueFalse(!off)},
				Hint: "When a partner above cannot provision services, this partner cannot either."}}}}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		can, err := read(typed, func(o *input.Object) bool { return input.Required(o, "canProvisionServices", input.As[bool]) })
		if err != nil {
			return done{}, err
		}
		_, err = v.dir.SetCanProvision(ctx, c, at, can)
		return done{nodePath(at), "The change is in effect for everything below.", nil}, err
	},
}

func trueFalse(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// touched says in numbers what a change of a whole subtree touches: in a sentence, and in the words of the button that does it.
func (v *visit) touched(ctx context.Context, at *place, lead, verb string) (said templ.Component, submit string, err error) {
	if !at.partner() {
		return view.Paragraphs(lead + " the customer " + string(at.Node.Name) + "."), verb, nil
	}
	e, err := v.dir.Extent(ctx, v.caller(), at.id())
	return view.Paragraphs(lead + " " + string(at.Node.Name) + " and everything below it: " + extentWords(e) + "."),
		verb + " 1 partner and " + lower(extentWords(e)) + " below it", err
}

// suspend, resume, remove and restore change a whole subtree.
var (
	suspend = change("suspend", []string{"suspendPartner", "suspendCustomer"}, subtreeChange{
		title: "Suspend", verb: "Suspend", danger: true, lead: "This suspends",
		says:   []string{"Nobody with access there can work there until it is resumed, and nothing there changes. Admins above still see it. Nothing is lost."},
		fields: []view.Field{{Name: "reason", Label: "Reason", Hint: "For the record. Admins above see it in the activity.", Type: view.Area, Most: hierarchy.MaxReason}},
		notice: "It is suspended, with everything below it.",
		do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (directory.Changed, error) {
			reason, err := read(typed, shape.Suspend)
			if err != nil {
				return directory.Changed{}, err
			}
			return v.dir.Suspend(ctx, c, at, reason)
		}})
	resume = change("resume", []string{"resumePartner", "resumeCustomer"}, subtreeChange{
		title: "Resume", verb: "Resume", lead: "This resumes",
		says:   []string{"What was suspended further down stays suspended."},
		notice: "It is resumed.",
		do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (directory.Changed, error) {
			if _, err := read(typed, input.Nothing); err != nil {
				return directory.Changed{}, err
			}
			return v.dir.Resume(ctx, c, at)
		}})
	remove = change("delete", []string{"trashPartner", "trashCustomer"}, subtreeChange{
		title: "Put into the trash:", verb: "Put into the trash", danger: true, lead: "This puts into the trash",
		says:   []string{"It stays there for 30 days. Until then it can be restored, with everything in it. After that it is erased for good."},
		notice: "It is in the trash, with everything below it. It can be restored for 30 days.",
		do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (directory.Changed, error) {
			if _, err := read(typed, input.Nothing); err != nil {
				return directory.Changed{}, err
			}
			return v.dir.Trash(ctx, c, at)
		}})
	restore = change("restore", []string{"restorePartner", "restoreCustomer"}, subtreeChange{
		title: "Restore", verb: "Restore", lead: "This restores",
		says:   []string{"It comes back where it was, with everything below it."},
		notice: "It is restored, with everything below it.",
		do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (directory.Changed, error) {
			if _, err := read(typed, input.Nothing); err != nil {
				return directory.Changed{}, err
			}
			return v.dir.Restore(ctx, c, at)
		}})
)

// subtreeChange is what the page says that confirms a change of a whole subtree, and what is done.
type subtreeChange struct {
	title, verb, lead, notice string
	danger                    bool
	says                      []string
	fields                    []view.Field
	do                        func(*visit, context.Context, directory.Caller, ident.Node, url.Values) (directory.Changed, error)
}

func change(name string, operations []string, s subtreeChange) form {
	return form{operations: operations, section: "settings", needs: access.ManageSubtree,
		ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
			touched, submit, err := v.touched(ctx, at, s.lead, s.verb)
			if err != nil {
				return asked{}, err
			}
			return asked{title: s.title + " " + string(at.Node.Name), what: "This " + string(at.Node.Kind()), Form: view.Form{Submit: submit, Danger: s.danger,
				Cancel: at.path("settings"), Version: at.Node.Version, Intro: all(touched, view.Paragraphs(s.says...)), Fields: slices.Clone(s.fields)}}, nil
		},
		do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
			changed, err := s.do(v, ctx, c, at, typed)
			if err != nil {
				return done{}, err
			}
			return done{nodePath(at, "", "job", string(changed.JobID())), s.notice, nil}, nil
		},
	}
}

func lower(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}

// settingsPage is what can be changed about a node.
func (v *visit) settingsPage(_ context.Context, at *place) (content, error) {
	n := &at.Node
	edit := access.EditCustomer
	if at.partner() {
		edit = access.EditPartner
	}
	parts := []templ.Component{view.Heading("Name and facts"), view.Buttons(at.offer(edit, "Edit", "edit"))}
	if at.partner() {
		parts = append(parts, view.Heading("Provisioning"), view.Paragraphs("Can provision services: "+v.provisioning(at)+"."),
			view.Buttons(at.offer(access.ManageSubtree, "Change", "provisioning")))
	}
	parts = append(parts, view.Heading("Place in the tree"), view.Buttons(at.offer(access.ManageSubtree, "Move", "move"),
		view.Button{Text: "Move requests", To: at.path("move-requests")}))
	own := func(kind hierarchy.MarkKind) bool {
		return slices.Contains(n.OwnMarks(), hierarchy.Mark{Node: n.ID, Kind: kind})
	}
	pause := at.offer(access.ManageSubtree, "Suspend", "suspend")
	if own(hierarchy.Suspended) {
		pause = at.offer(access.ManageSubtree, "Resume", "resume")
	}
	bin := at.offer(access.ManageSubtree, "Put into the trash", "delete")
	if bin.Danger = true; own(hierarchy.Trashed) {
		bin = at.offer(access.ManageSubtree, "Restore from the trash", "restore")
	}
	parts = append(parts, view.Heading("Suspend or remove"), view.Buttons(pause, bin))
	return content{Title: "Settings of " + string(n.Name), Body: all(parts...)}, nil
}
