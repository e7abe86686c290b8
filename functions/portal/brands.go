package main

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"example.com/partnertree/functions/internal/input"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/brand"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
	"example.com/partnertree/shared/mail"
)

// brands lists the brands that a partner may sell under: its own, and those that were given to it.
func (v *visit) brands(ctx context.Context, at *place) (content, error) {
	brands, err := v.dir.Brands(ctx, v.caller(), at.id())
	if err != nil {
		return content{}, err
	}
	add := at.offer(access.ManageBrands, "Add a brand", "brands/new")
	if len(brands) == 0 {
		return content{Title: "Brands", Body: view.Empty(string(at.Node.Name)+" has no brand yet, of its own or from above. Customers need one.", add)}, nil
	}
	shown := view.Brands{Caption: "Brands of " + string(at.Node.Name)}
	for i := range brands {
		b := &brands[i]
		row := view.Brand{Text: string(b.Name), Logo: b.LogoURL(), Domain: b.Domain, State: brandState(b), From: "from above", Uses: uses(at, b.ID)}
		if b.Owner == at.id() {
			row.From = "its own"
		}
		if b.OwnerVisible {
			row.To = "/brands/" + string(b.ID)
		}
		shown.Rows = append(shown.Rows, row)
	}
	return content{Title: "Brands", Wide: true, Body: all(view.Buttons(add), shown.Show())}, nil
}

func brandState(b *directory.Brand) view.State {
	if b.App != nil {
		return view.State{Text: "Has its own app", Class: "good"}
	}
	return view.State{Text: "Draft", Class: "wait"}
}

// uses says how many use a brand right below a partner.
func uses(at *place, id ident.Brand) string {
	switch n := at.Node.Brands.Uses[id]; n {
	case 0:
		return "not used below"
	case 1:
		return "used once below"
	default:
		return "used " + view.Number(int(n)) + " times below"
	}
}

// theBrand reads the brand that the address names.
func (v *visit) theBrand(ctx context.Context) (directory.Brand, error) {
	id, err := named(v, "id", ident.ParseBrand)
	if err != nil {
		return directory.Brand{}, err
	}
	return v.dir.GetBrand(ctx, v.caller(), id)
}

func brandsOwner(v *visit, ctx context.Context) (ident.Node, error) {
	b, err := v.theBrand(ctx)
	return b.Owner, err
}

// brandPage is the page of a brand.
func (v *visit) brandPage(ctx context.Context) (response, error) {
	b, err := v.theBrand(ctx)
	if err != nil {
		return response{}, err
	}
	at, err := v.place(ctx, b.Owner)
	if err != nil {
		return response{}, err
	}
	facts := []view.Fact{{Name: "State", Is: brandState(&b).Badge()}, {Name: "Belongs to", Is: nodeLink(at.Path[len(at.Path)-1]).Anchor()}, {Name: "Domain", Is: view.Text(b.Domain)},
		{Name: "Portal", Is: view.Text(b.Host())}, {Name: "Regions", Is: view.Text(strings.Join(b.Regions, ", "))}, {Name: "Color", Is: view.Text(orNone(b.Color, "the platform’s"))},
		{Name: "Right below its partner", Is: view.Text(uses(at, b.ID))}, {Name: "Created", Is: v.clock().At(b.Created)}, {Name: "Id", Is: view.Code(string(b.ID))}}
	if at.Node.Brands.Portal == b.ID {
		facts = append(facts, view.Fact{Name: "Portal brand of", Is: nodeLink(at.Path[len(at.Path)-1]).Anchor()})
	}
	if b.App != nil {
		facts = append(facts, view.Fact{Name: "App", Is: view.Code(b.App.Client)}, view.Fact{Name: "Microsoft tenant of the app", Is: view.Code(b.App.Tenant)})
	}
	edit := view.Button{Text: "Edit", To: "/brands/" + string(b.ID) + "/edit", Main: true}
	if err := at.May(access.ManageBrands); err != nil {
		edit = at.offer(access.ManageBrands, "Edit", "")
	}
	remove := view.Button{Text: "Delete", To: "/brands/" + string(b.ID) + "/delete", Danger: true}
	if edit.To == "" {
		remove = at.offer(access.ManageBrands, "Delete", "")
	}
	return v.pageAt(200, at, "brands", content{Title: string(b.Name), Body: all(view.Facts(facts...), v.brandPreview(&b.Brand), view.Buttons(edit, remove))}), nil
}

// brandPreview shows how pages and mails look under a brand.
func (v *visit) brandPreview(b *brand.Brand) templ.Component {
	color := cmp.Or(b.Color, mail.Color)
	return view.BrandPreview{Name: string(b.Name), Color: color, On: brand.On(color), Logo: b.LogoURL()}.Show()
}

// regions are those that the form offers; the API takes others, too.
var regions = []view.Option{
	{Value: "eu-west-1", Text: "Ireland", Hint: "eu-west-1"}, {Value: "eu-west-2", Text: "London", Hint: "eu-west-2"}, {Value: "eu-central-1", Text: "Frankfurt", Hint: "eu-central-1"},
	{Value: "eu-north-1", Text: "Stockholm", Hint: "eu-north-1"}, {Value: "us-east-1", Text: "Northern Virginia", Hint: "us-east-1"}, {Value: "us-west-2", Text: "Oregon", Hint: "us-west-2"},
	{Value: "ca-central-1", Text: "Canada", Hint: "ca-central-1"}, {Value: "ap-southeast-1", Text: "Singapore", Hint: "ap-southeast-1"}, {Value: "ap-southeast-2", Text: "Sydney", Hint: "ap-southeast-2"},
	{Value: "ap-northeast-1", Text: "Tokyo", Hint: "ap-northeast-1"},
}

// regionField asks for regions, those that are chosen included.
func regionField(chosen []string) view.Field {
	f := view.Field{Name: "regions", Label: "Regions", Type: view.Checks, Options: slices.Clone(regions), Value: chosen, Hint: "Where services under this brand can run."}
	for _, r := range chosen {
		if !slices.ContainsFunc(regions, func(o view.Option) bool { return o.Value == r }) {
			f.Options = append(f.Options, view.Option{Value: r, Text: r})
		}
	}
	return f
}

const domainHint = "Like example.com. People will sign in at admin. in front of it."

// newBrand makes a brand.
var newBrand = form{
	operations: []string{"createBrand"}, section: "brands", kinds: []hierarchy.Kind{hierarchy.Partner}, needs: access.ManageBrands,
	ask: func(v *visit, _ context.Context, at *place) (asked, error) {
		return asked{title: "Add a brand of " + string(at.Node.Name), Form: view.Form{Submit: "Add the brand", Cancel: at.path("brands"), Fields: []view.Field{
			nameField("", "Under this name people see the portal and the services."), {Name: "domain", Label: "Domain", Hint: domainHint}, regionField(nil)}}}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		typed.Set("partnerId", string(at))
		in, err := read(typed, shape.NewBrand)
		if err != nil {
			return done{}, err
		}
		b, err := v.dir.CreateBrand(ctx, c, in)
		return done{"/brands/" + string(b.ID), "The brand was added. Give it a color and a logo next.", nil}, err
	},
}

// Names of fields of the form of a brand that are no members of the API's.
const removeLogo = "removeLogo"

// editBrand edits a brand, and shows how it looks.
var editBrand = form{
	operations: []string{"editBrand"}, section: "brands", needs: access.ManageBrands, at: brandsOwner,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		b, err := v.theBrand(ctx)
		if err != nil {
			return asked{}, err
		}
		a := asked{title: "Edit the brand " + string(b.Name), what: "This brand", Form: view.Form{Submit: "Save", Preview: "Preview", Cancel: "/brands/" + string(b.ID), Version: b.Version, Files: true,
			Fields: []view.Field{nameField(b.Name, ""),
				{Name: "color", Label: "Color", Optional: true, Value: []string{b.Color}, Hint: "Of the bar and the main buttons: # and six hexadecimal digits, like #1f5fbf. Empty: the platform’s."},
				{Name: "logo", Label: "Logo", Type: view.File, Optional: true, Hint: "A square PNG of at most 100 KB."}}}}
		if b.State == brand.Draft && b.App == nil {
			a.Fields = append(a.Fields, view.Field{Name: "domain", Label: "Domain", Value: []string{b.Domain}, Hint: domainHint + " It can change until the brand has its own app."}, regionField(b.Regions))
		}
		if b.Logo != "" {
			a.Fields = append(a.Fields, view.Field{Name: removeLogo, Label: "Remove the present logo", Type: view.Check})
		}
		if at.Node.Parent == "" || v.ownsRoot(ctx) {
			app := brand.App{}
			if b.App != nil {
				app = *b.App
			}
			a.Fields = append(a.Fields,
				view.Field{Name: "portalApp/clientId", Label: "App: client id", Optional: true, Value: []string{app.Client}, Hint: "Check first that the domain and the tenant belong to this partner. Empty: the brand has no app."},
				view.Field{Name: "portalApp/tenantId", Label: "App: tenant id", Optional: true, Value: []string{app.Tenant}},
				view.Field{Name: "portalApp/singleTenant", Label: "App: only people of that tenant sign in", Type: view.Check, Value: []string{strconv.FormatBool(app.SingleTenant)}})
		}
		shown := b.Brand
		if color := strings.ToLower(v.typed.Get("color")); v.typed != nil && (color == "" || brand.ValidColor(color)) {
			shown.Color = color
		}
		if name := v.typed.Get("name"); name != "" {
			shown.Name = hierarchy.Name(name)
		}
		a.Outro = v.brandPreview(&shown)
		return a, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, _ ident.Node, typed url.Values) (done, error) {
		b, err := v.theBrand(ctx)
		if err != nil {
			return done{}, err
		}
		if typed.Get("logo") == "" { // none was chosen
			typed.Del("logo")
		}
		if values := typed[removeLogo]; len(values) > 0 && values[len(values)-1] == "true" {
			typed.Set("logo", "")
		}
		typed.Del(removeLogo)
		if typed.Has("portalApp/clientId") && typed.Get("portalApp/clientId") == "" && typed.Get("portalApp/tenantId") == "" {
			for _, member := range []string{"clientId", "tenantId", "singleTenant"} {
				typed.Del("portalApp/" + member)
			}
			if b.App != nil {
				typed.Set("portalApp", "")
			}
		}
		edit, err := read(typed, shape.EditBrand)
		if err != nil {
			return done{}, err
		}
		_, err = v.dir.EditBrand(ctx, c, b.ID, edit)
		return done{"/brands/" + string(b.ID), "The changes are saved.", nil}, err
	},
}

// deleteBrand deletes a brand that nothing uses.
var deleteBrand = form{
	operations: []string{"deleteBrand"}, section: "brands", needs: access.ManageBrands, at: brandsOwner,
	ask: func(v *visit, ctx context.Context, at *place) (asked, error) {
		b, err := v.theBrand(ctx)
		if err != nil {
			return asked{}, err
		}
		return asked{title: "Delete the brand " + string(b.Name), what: "This brand", Form: view.Form{Submit: "Delete " + string(b.Name), Danger: true, Version: b.Version,
			Cancel: "/brands/" + string(b.ID), Intro: view.Paragraphs("It is "+uses(at, b.ID)+" "+string(at.Node.Name)+". A brand that is used cannot be deleted.",
				"Its logo is deleted with it, and its domain is free for another brand. This cannot be undone.")}}, nil
	},
	do: func(v *visit, ctx context.Context, c directory.Caller, at ident.Node, typed url.Values) (done, error) {
		b, err := v.theBrand(ctx)
		if err != nil {
			return done{}, err
		}
		if _, err := read(typed, input.Nothing); err != nil {
			return done{}, err
		}
		return done{nodePath(at, "brands"), "The brand was deleted.", nil}, v.dir.DeleteBrand(ctx, c, b.ID)
	},
}

// ownsRoot reports whether the visitor is an owner of the root, who alone gives brands an app.
func (v *visit) ownsRoot(ctx context.Context) bool {
	me, err := v.dir.Me(ctx, v.caller())
	if err != nil {
		return false
	}
	for i := range me.Grants {
		if g := &me.Grants[i]; g.Role == access.Owner {
			if s, err := v.dir.Standing(ctx, v.caller(), g.Node.ID); err == nil && s.Node.Parent == "" {
				return true
			}
		}
	}
	return false
}
