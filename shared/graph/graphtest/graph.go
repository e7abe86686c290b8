package graphtest

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// call is a request to Graph by somebody who may make it.
type call struct {
	r      *http.Request
	tenant *Tenant        // of the token
	body   map[string]any // of POST and PATCH
}

// operation carries a call out. It answers with a status and a body, or with none.
type operation func(call) (int, any, *graphError)

// entity is what a request's body or a selection is about, in the words of Microsoft's metadata.
const (
	invitationType   = "invitation"
	userType         = "user"
	organizationType = "organization"
)

func (d *Double) graphRoutes() *http.ServeMux {
	m := http.NewServeMux()
	route := func(pattern, entity string, do operation) {
		_, path, _ := strings.Cut(pattern, " ")
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			d.mu.Lock()
			defer d.mu.Unlock()
			status, answer, err := d.call(r, strings.TrimPrefix(path, "/v1.0"), entity, do)
			switch {
			case err != nil:
				d.graphRefuse(w, err)
			case answer == nil:
				w.WriteHeader(status)
			default:
				writeJSON(w, status, answer)
			}
		})
	}
	route("POST /v1.0/invitations", invitationType, d.invite)
	route("GET /v1.0/users", userType, d.listUsers)
	route("GET /v1.0/users/{id}", userType, d.getUser)
	route("PATCH /v1.0/users/{id}", userType, d.patchUser)
	route("DELETE /v1.0/users/{id}", userType, d.deleteUser)
	route("GET /v1.0/organization", organizationType, d.listOrganization)
	m.HandleFunc(graphPrefix, func(w http.ResponseWriter, r *http.Request) {
		segment, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, graphPrefix), "/")
		d.graphRefuse(w, &graphError{http.StatusBadRequest, "BadRequest", "Resource not found for the segment '" + segment + "', or not for " +
			r.Method + "."})
	})
	return m
}

// call checks who calls, whether they may, and what they sent, and then carries it out.
func (d *Double) call(r *http.Request, path, entity string, do operation) (int, any, *graphError) {
	token, tenant, err := d.caller(r)
	if err != nil {
		return 0, nil, err
	}
	if !d.meta.allows(path, r.Method, token) {
		return 0, nil, &graphError{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	}
	c := call{r: r, tenant: tenant}
	if r.Method == http.MethodPost || r.Method == http.MethodPatch {
		if c.body, err = readBody(r); err != nil {
			return 0, nil, err
		}
		if problem := d.meta.check(entity, c.body); problem != "" {
			return 0, nil, &graphError{http.StatusBadRequest, "BadRequest", problem}
		}
	}
	for name := range strings.SplitSeq(r.URL.Query().Get("$select"), ",") {
		if name != "" && !d.meta.has(entity, name) {
			return 0, nil, &graphError{http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property " +
				"named '" + name + "' on type 'microsoft.graph." + entity + "'."}
		}
	}
	return do(c)
}

// graphToken is what counts in a token for Graph.
type graphToken struct {
	Tenant string   `json:"tid"`
	App    string   `json:"appid"`
	Type   string   `json:"idtyp"`
	Roles  []string `json:"roles"`
	Scopes string   `json:"scp"`
}

// caller reads the bearer token. It must be one of the double's, for Graph.
func (d *Double) caller(r *http.Request) (graphToken, *Tenant, *graphError) {
	invalid := func(why string) (graphToken, *Tenant, *graphError) {
		return graphToken{}, nil, &graphError{http.StatusUnauthorized, "InvalidAuthenticationToken", why}
	}
	raw, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || raw == "" {
		return invalid("Access token is empty.")
	}
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return invalid("CompactToken parsing failed.")
	}
	key, ok := d.keys.find(token.Headers[0].KeyID)
	var dates jwt.Claims
	var own graphToken
	if !ok || token.Claims(&key.key.PublicKey, &dates, &own) != nil {
		return invalid("Access token validation failure. Invalid signature.")
	}
	if err := dates.ValidateWithLeeway(jwt.Expected{Time: d.now()}, 0); err != nil || dates.Expiry == nil {
		return invalid("Lifetime validation failed, the token is expired.")
	}
	if !dates.Audience.Contains(graphResource) {
		return invalid("Access token validation failure. Invalid audience.")
	}
	tenant := d.tenant(own.Tenant)
	app := d.app(own.App)
	if tenant == nil || app == nil || app.Tenant != tenant.ID && tenant.consent(app.ID) == nil {
		return graphToken{}, nil, &graphError{http.StatusUnauthorized, "Authorization_IdentityNotFound",
			"The identity of the calling application could not be established."}
	}
	return own, tenant, nil
}

// readBody reads a JSON object, which Microsoft's SDK sends zipped.
func readBody(r *http.Request) (map[string]any, *graphError) {
	bad := &graphError{http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set " +
		"and payload is of valid JSON format."}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(media) != "application/json" {
		return nil, bad
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		zipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, bad
		}
		body = zipped
	}
	dec := json.NewDecoder(io.LimitReader(body, maxBody))
	var object map[string]any
	if dec.Decode(&object) != nil || object == nil {
		return nil, bad
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bad
	}
	return object, nil
}

// Properties of a user that Graph gives without being asked for them, as far as there are such here. The state of a guest is
// not among them.
var defaultUserProperties = []string{"id", "displayName", "givenName", "mail", "surname", "userPrincipalName"}

// properties are all that the double knows of a person.
func (p *Person) properties() map[string]any {
	all := map[string]any{
		"id": p.ID, "displayName": p.Name, "givenName": nil, "surname": nil, "mail": p.Mail, "userPrincipalName": p.upn(),
		"accountEnabled": !p.Disabled, "userType": "Member", "otherMails": []string{},
		"externalUserState": nil, "externalUserStateChangeDateTime": nil, "deletedDateTime": nil,
	}
	if p.Guest != nil {
		maps.Copy(all, map[string]any{"userType": "Guest", "externalUserState": p.Guest.State,
			"externalUserStateChangeDateTime": p.Guest.Since.UTC().Format(time.RFC3339)})
	}
	return all
}

// selected are the properties that $select names, or the given ones.
func selected(all map[string]any, query url.Values, otherwise []string) map[string]any {
	names := otherwise
	if s := query.Get("$select"); s != "" {
		names = strings.Split(s, ",")
	}
	out := map[string]any{}
	for _, name := range names {
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	return out
}

// find is the user of a path, by object id or user principal name.
func (c call) find() (*Person, *graphError) {
	id := c.r.PathValue("id")
	for i := range c.tenant.People {
		if p := &c.tenant.People[i]; strings.EqualFold(p.ID, id) || strings.EqualFold(p.upn(), id) {
			return p, nil
		}
	}
	return nil, &graphError{http.StatusNotFound, "Request_ResourceNotFound", "Resource '" + id + "' does not exist or one of its queried " +
		"reference-property objects are not present."}
}

func (d *Double) getUser(c call) (int, any, *graphError) {
	p, err := c.find()
	if err != nil {
		return 0, nil, err
	}
	answer := selected(p.properties(), c.r.URL.Query(), defaultUserProperties)
	answer["@odata.context"] = d.base + "/v1.0/$metadata#users/$entity"
	return http.StatusOK, answer, nil
}

// patchUser changes what a person is called and whether they can sign in, and nothing else of what Graph can change.
func (d *Double) patchUser(c call) (int, any, *graphError) {
	p, err := c.find()
	if err != nil {
		return 0, nil, err
	}
	changed := *p
	for name, value := range c.body {
		text, isText := value.(string)
		enabled, isBool := value.(bool)
		switch {
		case strings.Contains(name, "@odata."):
		case name == "displayName" && isText && text != "":
			changed.Name = text
		case name == "accountEnabled" && isBool:
			changed.Disabled = !enabled
		case name == "mail" && isText && strings.Contains(text, "@"):
			changed.Mail, changed.MailVerified = text, slices.Contains(c.tenant.Domains, domain(text))
			changed.UPN = p.upn() // which follows the address only while it has never been another
		default:
			return 0, nil, &graphError{http.StatusBadRequest, "Request_BadRequest", "Property '" + name + "' cannot be set to this value."}
		}
	}
	*p = changed
	return http.StatusNoContent, nil, nil
}

func (d *Double) deleteUser(c call) (int, any, *graphError) {
	p, err := c.find()
	if err != nil {
		return 0, nil, err
	}
	id := p.ID
	c.tenant.People = slices.DeleteFunc(c.tenant.People, func(p Person) bool { return p.ID == id })
	return http.StatusNoContent, nil, nil
}

// condition is the part of $filter that the double understands: properties that equal texts, joined by and.
var condition = regexp.MustCompile(`^(\w+) eq '((?:[^']|'')*)'$`)

func (d *Double) listUsers(c call) (int, any, *graphError) {
	q := c.r.URL.Query()
	wanted := map[string]string{}
	if filter := q.Get("$filter"); filter != "" {
		for part := range strings.SplitSeq(filter, " and ") {
			m := condition.FindStringSubmatch(strings.TrimSpace(part))
			if m == nil || !d.meta.has(userType, m[1]) {
				return 0, nil, &graphError{http.StatusBadRequest, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause '" +
					part + "'."}
			}
			wanted[m[1]] = strings.ReplaceAll(m[2], "''", "'")
		}
	}
	top, first, err := 100, 0, error(nil)
	if s := q.Get("$top"); s != "" {
		top, err = strconv.Atoi(s)
	}
	if s := q.Get("$skiptoken"); s != "" && err == nil {
		first, err = strconv.Atoi(s)
	}
	if err != nil || top < 1 || top > 999 || first < 0 {
		return 0, nil, &graphError{http.StatusBadRequest, "Request_BadRequest", "Invalid page size or skip token."}
	}
	found := []map[string]any{}
	for i := range c.tenant.People {
		all := c.tenant.People[i].properties()
		matches := true
		for name, value := range wanted {
			text, _ := all[name].(string)
			matches = matches && strings.EqualFold(text, value)
		}
		if matches {
			found = append(found, selected(all, q, defaultUserProperties))
		}
	}
	answer := map[string]any{"@odata.context": d.base + "/v1.0/$metadata#users"}
	first = min(first, len(found))
	last := min(first+top, len(found))
	if last < len(found) {
		q.Set("$skiptoken", strconv.Itoa(last))
		answer["@odata.nextLink"] = d.base + "/v1.0/users?" + q.Encode()
	}
	answer["value"] = found[first:last]
	return http.StatusOK, answer, nil
}

func (d *Double) listOrganization(c call) (int, any, *graphError) {
	domains := []map[string]any{}
	for i, name := range c.tenant.Domains {
		domains = append(domains, map[string]any{"name": name, "type": "Managed", "isDefault": i == 0,
			"isInitial": strings.HasSuffix(name, ".onmicrosoft.com"), "capabilities": "Email, OfficeCommunicationsOnline"})
	}
	all := map[string]any{"id": c.tenant.ID, "displayName": c.tenant.Name, "tenantType": "AAD", "verifiedDomains": domains}
	return http.StatusOK, map[string]any{
		"@odata.context": d.base + "/v1.0/$metadata#organization",
		"value":          []map[string]any{selected(all, c.r.URL.Query(), slices.Collect(maps.Keys(all)))},
	}, nil
}
