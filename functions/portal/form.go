package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/partnertree/functions/portal/view"
	"example.com/partnertree/shared/access"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/hierarchy"
	"example.com/partnertree/shared/ident"
)

// form is a page with a form at a node, which carries out operations of the API: with the same inputs, rules and errors.
type form struct {
	// operations are the ids of the operations in the contract. A test holds that the portal has them all.
	operations []string
	section    string // of the place's menu
	kinds      []hierarchy.Kind
	// needs is what the visitor must be allowed to do at the node; ofPartner the same at a partner, when that is another action.
	needs, ofPartner access.Action
	// at returns the node that the address is about; nil: the node of the address.
	at func(*visit, context.Context) (ident.Node, error)
	// ask returns the form with what is there now. A preview in it is of what was typed (visit.typed).
	ask func(*visit, context.Context, *place) (asked, error)
	// do carries the form out.
	do func(*visit, context.Context, directory.Caller, ident.Node, url.Values) (done, error)
}

// asked is a form to be filled in.
type asked struct {
	title string
	what  string // is edited, as a sentence begins with it: "This partner"
	view.Form
}

// done is what was carried out.
type done struct {
	to     string // where the visitor is led
	notice string // what is said there
	show   *content
}

// Names of the fields that every form has.
const (
	formField    = "form"    // the session's form token
	keyField     = "key"     // the idempotency key
	versionField = "version" // If-Match
	markField    = "mark"    // whose form it is, whatever their session
	previewField = "preview" // asks for the form again, with what was typed
)

// get shows the form.
func (f form) get() handler {
	return signedIn(func(v *visit, ctx context.Context) (response, error) {
		at, err := f.place(v, ctx)
		if err != nil {
			return response{}, err
		}
		typed := v.draft()
		v.typed = typed
		a, err := f.ask(v, ctx, at)
		if err != nil {
			return response{}, err
		}
		if err := f.may(at); err != nil {
			return v.refused(at, f.section, a.title, fault.From(err)), nil
		}
		if typed != nil {
			a.fill(typed)
			a.Intro = all(view.Remark("Your session had ended. What you typed is here again; it was not sent yet."), or(a.Intro))
		}
		return f.show(v, http.StatusOK, at, a), nil
	})
}

// post carries the form out, or shows it again with what was typed and what is wrong.
func (f form) post() handler {
	return func(v *visit, ctx context.Context) (response, error) {
		typed := v.form()
		if v.who == nil {
			return v.endedWith(typed), nil
		}
		if !v.ours(typed) {
			return v.strange(), nil
		}
		at, err := f.place(v, ctx)
		if err != nil {
			if fault.From(err).Type == fault.Unauthenticated {
				return v.endedWith(typed), nil
			}
			return response{}, err
		}
		id := at.id()
		if err := f.may(at); err != nil { // before what was typed is looked at: who cannot do this hears that alone
			return v.refused(at, f.section, "Nothing was changed", fault.From(err)), nil
		}
		if v.typed = typed; typed.Get(previewField) != "" {
			a, err := f.ask(v, ctx, at)
			if err != nil {
				return response{}, err
			}
			a.fill(typed)
			v.outcome = "previewed"
			return f.show(v, http.StatusOK, at, a), nil
		}
		d, err := f.do(v, ctx, v.sender(typed), id, fields(typed))
		if err == nil {
			v.outcome = "done"
			if d.show != nil {
				return v.pageAt(http.StatusOK, at, f.section, *d.show), nil
			}
			v.tell(d.notice)
			return v.redirect(d.to), nil
		}
		e := fault.From(err)
		if e.Type == fault.Unauthenticated {
			return v.endedWith(typed), nil
		}
		if e.Type == fault.NotFound || e.Type == fault.Internal {
			return response{}, err
		}
		at, placeErr := v.place(ctx, id) // as it is now
		if placeErr != nil {
			return response{}, err
		}
		a, askErr := f.ask(v, ctx, at)
		if askErr != nil {
			return response{}, err
		}
		v.outcome = e.Type.Slug
		if e.Type == fault.PreconditionFailed {
			return f.conflict(v, ctx, at, a, typed), nil
		}
		a.fill(typed)
		a.Wrong = wrong(&a.Form, e)
		status := formStatus(e)
		if status >= http.StatusInternalServerError { // it may have been carried out: sent again, it is the same request
			a.Key = typed.Get(keyField)
		}
		return f.show(v, status, at, a), nil
	}
}

// may returns nil when the visitor may carry the form out at the place.
func (f form) may(at *place) error {
	if f.ofPartner != access.Read && at.partner() {
		return at.May(f.ofPartner)
	}
	return at.May(f.needs)
}

// formStatus is the status of a form that is shown again: 422 for what can be mended in the form.
func formStatus(e *fault.Error) int {
	if len(e.Fields) > 0 {
		return http.StatusUnprocessableEntity
	}
	return contract.Status(e.Type.Slug)
}

func (f form) node(v *visit, ctx context.Context) (id ident.Node, err error) {
	if f.at != nil {
		return f.at(v, ctx)
	}
	if id, err = named(v, "node", ident.ParseNode); err == nil && len(f.kinds) > 0 && !slices.Contains(f.kinds, hierarchy.KindOf(id)) {
		err = access.Hidden()
	}
	return id, err
}

func (f form) place(v *visit, ctx context.Context) (*place, error) {
	id, err := f.node(v, ctx)
	if err != nil {
		return nil, err
	}
	return v.place(ctx, id)
}

func (f form) show(v *visit, status int, at *place, a asked) response {
	v.sign(&a.Form)
	return v.pageAt(status, at, f.section, content{Title: a.title, Body: a.Form.Show(), Wrong: len(a.Wrong) > 0})
}

// sign gives a form what every form has.
func (v *visit) sign(f *view.Form) {
	if f.To == "" {
		f.To = v.address()
	}
	f.Token, f.Key = v.ring.FormToken(v.who), cmp.Or(f.Key, rand.Text())
	f.Fields = append(slices.Clip(f.Fields), view.Field{Name: markField, Type: view.Hidden, Value: []string{v.ring.MarkOf(v.who.Principal())}})
}

// conflict is the page for an edit of what somebody else has changed meanwhile.
func (f form) conflict(v *visit, ctx context.Context, at *place, now asked, typed url.Values) response {
	c := view.Conflict{What: now.what, Keep: at.path(f.section)}
	c.By, c.When = v.lastChange(ctx, at.id())
	again := view.Form{Submit: "Apply mine to the new version", Version: now.Version, To: v.address()}
	for i := range now.Fields {
		field := &now.Fields[i]
		was := field.Said()
		field.Value = typed[field.Name]
		if field.Type == view.Checks || field.Type == view.Check {
			field.Value = slices.DeleteFunc(slices.Clone(field.Value), func(s string) bool { return s == "" })
		}
		if yours := field.Said(); field.Type != view.Hidden && was != yours {
			c.Rows = append(c.Rows, view.ConflictRow{Label: field.Label, Now: was, Yours: yours})
		}
		for _, value := range typed[field.Name] {
			again.Fields = append(again.Fields, view.Field{Name: field.Name, Type: view.Hidden, Value: []string{value}})
		}
	}
	v.sign(&again)
	c.Form = again
	return v.pageAt(http.StatusPreconditionFailed, at, f.section, content{Title: now.title, Body: c.Show(v.clock())})
}

// fill puts what was typed into the fields. The form stays one for the version that it started from.
func (a *asked) fill(typed url.Values) {
	if version, err := strconv.ParseInt(typed.Get(versionField), 10, 64); err == nil && a.Version > 0 {
		a.Version = version
	}
	for i := range a.Fields {
		if values, sent := typed[a.Fields[i].Name]; sent && a.Fields[i].Type != view.File {
			if a.Fields[i].Type == view.Check {
				values = values[len(values)-1:]
			}
			a.Fields[i].Value = values
		}
	}
}

// fields are those of the form's own.
func fields(typed url.Values) url.Values {
	own := url.Values{}
	for name, values := range typed {
		switch name {
		case formField, keyField, versionField, markField, previewField:
		default:
			own[name] = values
		}
	}
	return own
}

// sender is the caller with what a form carries: the version that an edit started from, and the key by which it is carried out once. The key
// is for what the form says: whoever goes back, changes a field and sends again has another request.
func (v *visit) sender(typed url.Values) directory.Caller {
	c := v.caller()
	if version, err := strconv.ParseInt(typed.Get(versionField), 10, 64); err == nil {
		c.IfMatch = []int64{version}
	}
	if key := typed.Get(keyField); key != "" {
		sum := sha256.Sum256([]byte(v.event.RouteKey + "\n" + v.event.RawPath + "\n" + fields(typed).Encode()))
		c.Repeat = &directory.Repeat{Key: "form " + key + " " + hex.EncodeToString(sum[:]), Fingerprint: sum[:]}
	}
	return c
}

// wrong tells what is wrong with a form, by its fields where the error names them.
func wrong(f *view.Form, e *fault.Error) (all []view.Wrong) {
	for _, field := range e.Fields {
		name, text := "", field.Detail
		pointer := strings.TrimPrefix(field.Pointer, "/")
		for i := range f.Fields {
			if n := f.Fields[i].Name; pointer == n || strings.HasPrefix(pointer, n+"/") {
				name = n
			}
		}
		if name == "" && pointer != "" {
			text = pointer + " " + text
		}
		all = append(all, view.Wrong{Field: name, Text: text})
	}
	if len(all) == 0 {
		text := plain(e.Detail)
		if contract.Status(e.Type.Slug) >= http.StatusInternalServerError {
			text = "Too busy just now. What you typed is still here. Wait a moment, then send it again: it is carried out only once."
		}
		all = append(all, view.Wrong{Text: text})
		for _, by := range e.UsedBy {
			all = append(all, view.Wrong{Text: "Used by the " + by.Kind + " " + by.Name + "."})
		}
	}
	return all
}

// plain leaves out of an error's detail what it says to programs: sentences with a route of the API.
func plain(detail string) string {
	var kept []string
	for _, sentence := range strings.SplitAfter(detail, ". ") {
		if !strings.Contains(sentence, "/v1/") && !strings.Contains(sentence, "`") {
			kept = append(kept, strings.TrimSpace(sentence))
		}
	}
	return strings.Join(kept, " ")
}

// Drafts: what was typed while the session ended.

const (
	draftCookie  = "__Host-draft"
	draftPurpose = "draft"
)

// draft is a form that was sent after its session had ended.
type draft struct {
	To    string
	Mark  string // whose form it was
	Typed url.Values
}

// endedWith says that the session has ended, and keeps what was typed for whoever typed it.
func (v *visit) endedWith(typed url.Values) response {
	r := v.ended()
	if mark := typed.Get(markField); mark != "" {
		kept := fields(typed)
		if typed.Has(versionField) {
			kept.Set(versionField, typed.Get(versionField))
		}
		sealed := credential.SealFlow(v.ring, draftPurpose, draft{v.event.RawPath, mark, kept}, v.now())
		if len(sealed) <= maxCookie {
			v.setCookie(draftCookie, sealed)
		}
	}
	return r
}

// draft returns what the visitor had typed into the form of this address, nil when there is nothing.
func (v *visit) draft() url.Values {
	d, ok := credential.OpenFlow[draft](v.ring, draftPurpose, v.cookies[draftCookie], v.now())
	if !ok || d.To != v.event.RawPath {
		return nil
	}
	v.dropCookie(draftCookie)
	if !v.ring.MarkFits(v.who.Principal(), d.Mark) {
		return nil
	}
	return d.Typed
}

// Notices: what was just done, said on the next page.

const (
	noticeCookie  = "__Host-notice"
	noticePurpose = "notice"
)

func (v *visit) tell(notice string) {
	if notice != "" {
		v.setCookie(noticeCookie, credential.SealFlow(v.ring, noticePurpose, notice, v.now()))
	}
}

// notice returns what is to be said of what was just done, once.
func (v *visit) notice() string {
	text, ok := credential.OpenFlow[string](v.ring, noticePurpose, v.cookies[noticeCookie], v.now())
	v.dropCookie(noticeCookie)
	if !ok {
		return ""
	}
	return text
}

// lastChange tells who made the last change at a node, and when; "" when that is not known.
func (v *visit) lastChange(ctx context.Context, id ident.Node) (by string, at time.Time) {
	list, err := v.dir.Log(ctx, v.caller(), id, directory.LogFilter{}, directory.Paging{Limit: 10})
	if err != nil {
		return "", at
	}
	for i := range list.Items {
		if e := &list.Items[i]; e.Node == id {
			names, err := v.namesIn(ctx, list.Items[i:i+1])
			if err != nil {
				return "", at
			}
			return v.actorName(e.Actor, &names), e.Time
		}
	}
	return "", at
}
