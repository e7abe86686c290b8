package contract

import "strings"

// Routes returns the keys of all routes that API Gateway has: those of the operations, then those of the pages.
func Routes() (all []string) {
	for _, op := range Operations {
		all = append(all, op.RouteKey())
	}
	for _, page := range Pages {
		all = append(all, page.RouteKey())
	}
	return all
}

// Match reports whether a request's path fits a route's path, and returns the values of its parameters. An empty value fits no parameter.
func Match(pattern, path string) (map[string]string, bool) {
	parts, given := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(parts) != len(given) {
		return nil, false
	}
	params := map[string]string{}
	for i, part := range parts {
		name, ok := strings.CutPrefix(part, "{")
		if !ok && part != given[i] || given[i] == "" && part != "" {
			return nil, false
		}
		if ok {
			params[strings.TrimSuffix(name, "}")] = given[i]
		}
	}
	return params, true
}
