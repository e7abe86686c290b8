package portalhost

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strings"

	"example.com/partnertree/shared/graph/entra"
	"example.com/partnertree/shared/setting"
)

// Config is what the environment says of the platform's own site.
type Config struct {
	Cloud entra.Cloud
	App   entra.App // the platform's; without a Client nobody signs in
	hosts []string
	local *url.URL // the origin on a developer's machine; nil in AWS
}

// Configured reads the environment.
func Configured(env func(string) string) Config {
	c := Config{Cloud: entra.Global, hosts: list(env(setting.PortalHosts))}
	c.Cloud.Authority = strings.TrimSuffix(cmp.Or(env(setting.EntraAuthority), c.Cloud.Authority), "/")
	c.App = entra.App{Client: strings.ToLower(env(setting.EntraClient)), Tenants: entra.OnlyTenants(list(env(setting.EntraTenants))...)}
	if env(setting.EntraTenants) == "any" {
		c.App.Tenants = entra.AnyTenant()
	}
	if origin, err := url.Parse(env(setting.PortalOrigin)); err == nil && origin.Host != "" {
		c.local, c.hosts = origin, []string{origin.Hostname()}
	}
	return c
}

func list(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == ',' || r == ' ' })
}

// Host is the name that a visitor came to, and the origin that their browser shows. In AWS it is the name by which API Gateway chose this
// API: nobody can make it up, and no header counts. On a developer's machine all requests come under one name, and what stands before the
// local API Gateway says which one it was. A final dot is part of neither.
func (c *Config) Host(domainName string, headers map[string]string) (host, origin string) {
	if c.local == nil {
		host = strings.TrimSuffix(strings.ToLower(domainName), ".")
		return host, "https://" + host
	}
	came := url.URL{Host: cmp.Or(strings.ToLower(headers["x-forwarded-host"]), c.local.Host)}
	host = strings.TrimSuffix(came.Hostname(), ".")
	at := url.URL{Scheme: c.local.Scheme, Host: host}
	if port := c.local.Port(); port != "" {
		at.Host = net.JoinHostPort(host, port)
	}
	return host, at.String()
}

// Origin returns where the API and the portal of the platform are, whatever host a visitor came to: the first of the configured names, "" when there
// is none.
func (c *Config) Origin() string {
	switch {
	case c.local != nil:
		return c.local.String()
	case len(c.hosts) > 0:
		return "https://" + c.hosts[0]
	}
	return ""
}

// own reports whether a host name is one of the platform's: a name of its own, or the one that AWS gave to the API.
// Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-publish.html
func (c *Config) own(host string) bool {
	_, regional, _ := strings.Cut(host, ".")
	return slices.Contains(c.hosts, host) || strings.HasPrefix(regional, "execute-api.") && strings.HasSuffix(regional, ".amazonaws.com")
}
