package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"example.com/partnertree/functions/internal/limit"
	"example.com/partnertree/functions/internal/shape"
	"example.com/partnertree/shared/contract"
	"example.com/partnertree/shared/credential"
	"example.com/partnertree/shared/directory"
	"example.com/partnertree/shared/fault"
	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/portalhost"
)

// maxForm is the largest form in bytes, and maxFiles the largest with a file, which may have 100 KB as the API takes it.
const (
	maxForm  = 8 << 10
	maxFiles = 160 << 10
)

// portal serves the pages for people, and the documents for everybody.
type portal struct {
	now    func() time.Time
	log    *slog.Logger
	config portalhost.Config

	// All of these, or none where nobody can sign in.
	dir    *directory.Directory
	logos  logos
	limit  *limit.Limiter
	keys   *keys
	signIn *entra.SignIn
	sites  *portalhost.Sites
}

// serve gives the portal what it needs for signing people in.
func (p *portal) serve(dir *directory.Directory, count limit.Counter, signIn *entra.SignIn) {
	p.dir, p.limit, p.signIn = dir, limit.New(count), signIn
	p.keys = &keys{read: dir.Keyring, now: p.now}
	p.sites = portalhost.New(p.config, dir.BrandAt, p.now)
}

type response = events.APIGatewayV2HTTPResponse

// visit is one request.
type visit struct {
	*portal
	dir     *directory.Directory // the portal's; while a page is made that changes nothing, its OneLook
	event   *events.APIGatewayV2HTTPRequest
	site    portalhost.Site
	origin  string // of the site: scheme and host as the visitor sees them
	cookies map[string]string
	set     []string // cookies of the answer
	ring    credential.Keyring
	who     *credential.SignedIn // nil: not signed in, as far as the cookie says
	stale   bool                 // the cookie is worth making anew
	allow   string               // the methods that the path takes, if it takes this one not
	typed   url.Values           // what was sent with a form
	outcome string               // what became of it, for the log
}

// visit answers a request, and writes the one line that the log has of it. The line has no address, query or cookie.
func (p *portal) visit(ctx context.Context, e *events.APIGatewayV2HTTPRequest) response {
	began := p.now()
	v := &visit{portal: p, dir: p.dir, event: e, cookies: cookies(e)}
	v.route()
	r, err := v.answer(ctx)
	level, line := slog.LevelInfo, []slog.Attr{slog.String("requestId", e.RequestContext.RequestID), slog.String("page", e.RouteKey)}
	if v.who != nil {
		line = append(line, slog.String("principal", string(v.who.Principal())))
	}
	if err != nil {
		f := fault.From(err)
		v.outcome = f.Type.Slug
		if contract.Status(f.Type.Slug) >= http.StatusInternalServerError {
			level = slog.LevelError
			line = append(line, slog.String("cause", err.Error()))
		}
		failed := v.refuse
		if pages()[e.RouteKey] != nil {
			failed = v.failed
		}
		r = failed(f)
		if after := shape.RetryAfter(f); after != "" {
			r.Headers["Retry-After"] = after
		}
		if f.Type == fault.MethodNotAllowed {
			r.Headers["Allow"] = v.allow
		}
	}
	r = v.small(r)
	if e.RequestContext.HTTP.Method == http.MethodHead {
		r.Body, r.IsBase64Encoded = "", false
	}
	r.Cookies = v.set
	line = append(line, slog.String("outcome", v.outcome), slog.Int("status", r.StatusCode),
		slog.Int64("micros", p.now().Sub(began).Microseconds()))
	p.log.LogAttrs(ctx, level, "page", line...)
	return r
}

func (v *visit) answer(ctx context.Context) (r response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	page := pages()[v.event.RouteKey]
	if v.signIn == nil && page == nil {
		return v.unsigned(ctx)
	}
	if v.signIn == nil {
		v.outcome = "not set up"
		return v.show(http.StatusServiceUnavailable, message{Title: "Sign-in is not set up",
			Text:   []string{"Sign-in is not set up here yet. You can use the API and read its reference."},
			Action: &action{"/docs", "API reference"}}), nil
	}
	var host string
	var ours bool
	host, v.origin = v.config.Host(v.event.RequestContext.DomainName, v.event.Headers)
	if v.site, ours, err = v.sites.At(ctx, host); err != nil {
		return response{}, err
	}
	if !ours {
		v.outcome = "unknown host"
		return v.show(http.StatusNotFound, message{Title: "Nothing here",
			Text: []string{"The portal is not at this address. Use the link that you were given."}}), nil
	}
	if page == nil {
		return v.unsigned(ctx)
	}
	if v.ring, err = v.keys.get(ctx, v.cookies[sessionCookie], v.cookies[flowCookie], v.cookies[invitationCookie]); err != nil {
		return response{}, err
	}
	// A session is none at a site with another bound: it neither gets out of its own there, nor into the other. And it ends when people sign
	// in there by another app, or those of its tenant no longer.
	if who, stale, ok := v.ring.Open(v.cookies[sessionCookie], v.now()); ok && who.Within == v.site.Within &&
		who.App == v.site.App.Client && v.site.App.Tenants.Has(who.Tenant) {
		v.who, v.stale = &who, stale
	}
	// Whoever is over their limit can still end their sessions: somebody else may be using them up.
	if v.who != nil && !strings.HasPrefix(v.event.RouteKey, "POST /signout") {
		counted := v.limit.Take(ctx, v.caller(), v.now())
		defer counted.Done()
		if err := counted.Err(); err != nil {
			return response{}, err
		}
	}
	return page(v, ctx)
}

// renew lets the session go on, while it is used. Only pages that are looked at do that, and only after the directory has taken the session.
// An answer that arrives after that of a sign-out brings the session back into the browser. That takes a page that was asked for before the
// sign-out and shown after it, of a session that was last renewed five minutes ago or longer; signing out everywhere ends that one, too.
func (v *visit) renew() {
	if v.stale {
		v.setCookie(sessionCookie, v.ring.Seal(*v.who, v.now()))
	}
}

// caller is who is signed in, for the directory: it refuses a session that does not count any more.
func (v *visit) caller() directory.Caller {
	return directory.Caller{Principal: v.who.Principal(), Session: v.who.Began, Within: v.who.Within, RequestID: v.event.RequestContext.RequestID}
}

// form reads the form of a POST.
func (v *visit) form() url.Values {
	body := v.event.Body
	if v.event.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return nil
		}
		body = string(decoded)
	}
	if media, params, err := mime.ParseMediaType(v.event.Headers["content-type"]); err == nil && media == "multipart/form-data" {
		return withFiles(body, params["boundary"])
	}
	if len(body) > maxForm {
		return nil
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil
	}
	return form
}

// withFiles reads a form that has files. The content of a file becomes the value of its field, in base64, as the API takes it. A file that was not
// chosen is no field.
func withFiles(body, boundary string) url.Values {
	if len(body) > maxFiles {
		return nil
	}
	form, r := url.Values{}, multipart.NewReader(strings.NewReader(body), boundary)
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return form
		}
		if err != nil {
			return nil
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil
		}
		switch {
		case part.FileName() != "":
			form.Add(part.FormName(), base64.StdEncoding.EncodeToString(content))
		case part.Header.Get("Content-Type") == "": // a file that was not chosen has one
			form.Add(part.FormName(), string(content))
		}
	}
}

// ours reports whether the form was made by a page of this session: another site cannot have sent it.
func (v *visit) ours(form url.Values) bool { return v.ring.FormFits(v.who, form.Get(formField)) }

// redirect leads to an address by a GET.
func (v *visit) redirect(to string) response {
	r := answer(*v.event, http.StatusSeeOther, htmlFormat)
	r.Headers["Cache-Control"] = "no-store"
	r.Headers["Location"] = to
	return r
}
