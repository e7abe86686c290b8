package graphtest

import (
	"net/url"
	"slices"
	"strings"
)

// Microsoft Graph as a resource: its identifier, and the application id under which Entra knows it.
const (
	graphResource = "https://graph.microsoft.com"
	graphAppID    = "00000003-0000-0000-c000-000000000000"
)

// defaultScope asks for all that was consented to.
const defaultScope = ".default"

var oidcScopes = []string{"openid", "profile", "email", "offline_access"}

// scopes are what a request asks for: OpenID Connect's own, and those of at most one resource, which is Graph or the app
// that asks.
type scopes struct {
	openID   []string
	resource string // graphResource, the app's id, or empty: then the access token is for Graph
	names    []string
}

// parseScopes reads a scope parameter of an app.
func (d *Double) parseScopes(app *App, text string) (scopes, *refusal) {
	var s scopes
	for _, scope := range strings.Fields(text) {
		if slices.Contains(oidcScopes, scope) {
			s.openID = append(s.openID, scope)
			continue
		}
		resource, name := graphResource, scope
		if i := strings.LastIndexByte(scope, '/'); i >= 0 {
			resource, name = d.resource(app, scope[:i]), scope[i+1:]
		}
		switch {
		case resource == "" || name == "":
			return scopes{}, refuse(invalidScope, 70011, "The provided value for the input parameter 'scope' is not valid. The scope %s is "+
				"not valid: its resource is neither Microsoft Graph nor the application.", scope)
		case s.resource != "" && s.resource != resource:
			return scopes{}, refuse(invalidScope, 28000, "Provided value for the input parameter scope is not valid because it contains more "+
				"than one resource. Scope %s is not valid.", text)
		case resource == app.ID && name != defaultScope && !slices.Contains(app.Scopes, name):
			return scopes{}, refuse(invalidScope, 650053, "The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'.",
				app.Name, name, app.ID)
		}
		s.resource = resource
		s.names = append(s.names, name)
	}
	return s, nil
}

// resource is what a scope's resource stands for. Graph may be named by the double's host, too: that is what Microsoft's
// SDK does with the base address that it was given, with https in front of it in any case.
func (d *Double) resource(app *App, name string) string {
	name = strings.TrimSuffix(name, "/")
	if name == graphResource || name == graphAppID {
		return graphResource
	}
	if strings.TrimPrefix(name, "api://") == app.ID {
		return app.ID
	}
	asked, err := url.Parse(name)
	own, ownErr := url.Parse(d.base)
	if err == nil && ownErr == nil && asked.Host != "" && asked.Host == own.Host {
		return graphResource
	}
	return ""
}

// delegated are the scopes of an access token for a person.
func (s scopes) delegated(app *App) []string {
	switch {
	case s.resource == app.ID && slices.Contains(s.names, defaultScope):
		return app.Scopes
	case s.resource == app.ID:
		return s.names
	case slices.Contains(s.names, defaultScope), len(s.names) == 0:
		return append(slices.Clone(s.openID), "User.Read")
	default:
		return append(slices.Clone(s.openID), s.names...)
	}
}
