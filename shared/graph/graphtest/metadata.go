package graphtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// metadata is what Microsoft published: who may call what, and what things have. A part that was not found is nil, and
// everything passes.
type metadata struct {
	// permissions are those that allow a call: path -> method -> scheme -> permissions, of which an asterisk at the end marks
	// the least privileged.
	permissions map[string]map[string]map[string][]string
	types       map[string]entityType
	enums       map[string][]string
}

type entityType struct {
	Base       string `json:"base"`
	Properties map[string]struct {
		Type     string `json:"type"`
		Nullable bool   `json:"nullable"`
	} `json:"properties"`
	Navigation map[string]string `json:"navigation"`
}

// usersPermissions are those of /users, which the published excerpt leaves out (Microsoft: "Get user", "List users", "Update
// user", "Delete user", as of 2026). User.Invite.All is not among them.
var usersPermissions = map[string]map[string]map[string][]string{
	"/users":      {"GET": readUsers},
	"/users/{id}": {"GET": readUsers, "PATCH": writeUsers, "DELETE": writeUsers},
}

var (
	readUsers = map[string][]string{
		application: {"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		delegated:   {"User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
	}
	writeUsers = map[string][]string{
		application: {"User.ReadWrite.All", "Directory.ReadWrite.All"},
		delegated:   {"User.ReadWrite.All", "Directory.ReadWrite.All"},
	}
)

// The schemes under which permissions are given.
const (
	application = "Application"
	delegated   = "DelegatedWork"
)

// loadMetadata reads the published files, and logs which are not there.
func loadMetadata(dir string, log *slog.Logger) (metadata, error) {
	if dir == "" {
		dir = besideModule()
	}
	var permissions struct {
		Paths map[string]map[string]map[string][]string `json:"paths"`
	}
	var types struct {
		Types map[string]entityType `json:"types"`
		Enums map[string][]string   `json:"enums"`
	}
	for name, into := range map[string]any{"permissions.json": &permissions, "types.json": &types} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if dir == "" || errors.Is(err, fs.ErrNotExist) {
			log.Warn("graphtest: Microsoft's published metadata is not there, and what it says is not checked", "file", name)
			continue
		}
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			return metadata{}, fmt.Errorf("graphtest: %s: %w", name, err)
		}
	}
	m := metadata{permissions: permissions.Paths, types: types.Types, enums: types.Enums}
	if m.permissions != nil {
		for path, methods := range usersPermissions {
			if m.permissions[path] == nil {
				m.permissions[path] = methods
			}
		}
	}
	return m, nil
}

// besideModule is ../shared/microsoft-graph, seen from the root of the module that the working directory is in.
func besideModule() string {
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return filepath.Join(filepath.Dir(dir), "shared", "microsoft-graph")
		}
	}
	return ""
}

// allows reports whether the token has one of the permissions that the call needs.
func (m metadata) allows(path, method string, token graphToken) bool {
	if m.permissions == nil {
		return true
	}
	scheme, has := application, token.Roles
	if token.Type != "app" {
		scheme, has = delegated, strings.Fields(token.Scopes)
	}
	return slices.ContainsFunc(m.permissions[path][method][scheme], func(p string) bool {
		return slices.Contains(has, strings.TrimSuffix(p, "*"))
	})
}

// has reports whether the type has a property of that name.
func (m metadata) has(entity, property string) bool {
	if m.types == nil {
		return true
	}
	for name := entity; name != ""; name = m.types[name].Base {
		if _, ok := m.types[name].Properties[property]; ok {
			return true
		}
	}
	return false
}

// check says what is wrong with an object of the type, in Graph's words, or nothing.
func (m metadata) check(entity string, object map[string]any) string {
	if m.types == nil {
		return ""
	}
	for name, value := range object {
		if problem := m.checkProperty(entity, name, value); problem != "" {
			return problem
		}
	}
	return ""
}

func (m metadata) checkProperty(entity, name string, value any) string {
	if strings.Contains(name, "@odata.") {
		return ""
	}
	for at := entity; at != ""; at = m.types[at].Base {
		if p, ok := m.types[at].Properties[name]; ok {
			if value == nil && p.Nullable {
				return ""
			}
			if problem := m.checkValue(p.Type, value); problem != "" {
				return fmt.Sprintf("The property '%s' of type 'microsoft.graph.%s' %s.", name, entity, problem)
			}
			return ""
		}
		if _, ok := m.types[at].Navigation[name]; ok {
			return ""
		}
	}
	return fmt.Sprintf("The property '%s' does not exist on type 'microsoft.graph.%s'. Make sure to only use property names that are "+
		"defined by the type.", name, entity)
}

func (m metadata) checkValue(kind string, value any) string {
	if element, ok := strings.CutPrefix(kind, "Collection("); ok {
		list, ok := value.([]any)
		if !ok {
			return "must be a collection"
		}
		for _, v := range list {
			if problem := m.checkValue(strings.TrimSuffix(element, ")"), v); problem != "" {
				return problem
			}
		}
		return ""
	}
	text, isText := value.(string)
	switch kind {
	case "Edm.String", "Edm.Binary":
		return unless(isText, "must be a string")
	case "Edm.Boolean":
		_, ok := value.(bool)
		return unless(ok, "must be a Boolean")
	case "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Double":
		_, ok := value.(float64)
		return unless(ok, "must be a number")
	case "Edm.Guid":
		return unless(isText && guidPattern.MatchString(strings.ToLower(text)), "must be a GUID")
	case "Edm.DateTimeOffset":
		_, err := time.Parse(time.RFC3339, text)
		return unless(isText && err == nil, "must be a date and time with an offset")
	case "Edm.Stream":
		return "cannot be set"
	}
	name := strings.TrimPrefix(kind, "microsoft.graph.")
	if values, ok := m.enums[name]; ok {
		return unless(slices.Contains(values, text), "must be one of "+strings.Join(values, ", "))
	}
	object, ok := value.(map[string]any)
	if !ok {
		return "must be an object"
	}
	if _, known := m.types[name]; !known {
		return "" // the published excerpt leaves this type out
	}
	return m.check(name, object)
}

func unless(holds bool, problem string) string {
	if holds {
		return ""
	}
	return problem
}
