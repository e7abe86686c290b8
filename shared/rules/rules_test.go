// Package rules holds which package of this module may import which (design: domain in the middle, adapters around it,
// functions that tie them, infrastructure apart), each rule with its reason. Nothing is compiled for it.
package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "example.com/partnertree/"

// pkg is a package of this module, with its path inside of the module.
type pkg struct {
	ImportPath   string
	Imports      []string // of what is built
	TestImports  []string
	XTestImports []string
}

// The packages that hold the domain, and those that adapt it to something outside.
var (
	domain = []string{
		"shared/access", "shared/brand", "shared/contract", "shared/directory", "shared/event", "shared/fault", "shared/guest", "shared/hierarchy",
		"shared/ident", "shared/job", "shared/mail", "shared/credential", "shared/record", "shared/word",
	}
	adapters = []string{"shared/table", "shared/graph/entra", "shared/graph/guests"}
)

// signIn are the modules that Entra's tokens are verified and got with.
var signIn = []string{"github.com/go-jose/go-jose/v4", "golang.org/x/oauth2"}

// microsoft are the modules that Microsoft Graph is called with.
var microsoft = []string{"github.com/Azure/azure-sdk-for-go", "github.com/microsoft", "github.com/microsoftgraph"}

// rule is broken by an import when broken says so. It sees paths inside of the module without the module's name.
type rule struct {
	name, reason string
	tests        bool // holds for tests, too
	broken       func(from, to string) bool
}

var rules = []rule{
	{
		name:   "the domain imports the standard library, itself, golang.org/x/text and golang.org/x/net/idna",
		reason: "its rules must be readable and testable without AWS, HTTP or a database, and outlive all of them",
		broken: func(from, to string) bool {
			return slices.Contains(domain, from) && !slices.Contains(domain, to) && !standard(to) && !below(to, "golang.org/x/text") &&
				to != "golang.org/x/net/idna"
		},
	},
	{
		name:   "an adapter imports the domain, its own packages, awsenv and its SDK, and no other adapter",
		reason: "what is stored and what is called elsewhere must be exchangeable one at a time",
		broken: func(from, to string) bool {
			return slices.Contains(adapters, from) && !slices.Contains(domain, to) && !standard(to) && !below(to, from) && to != "shared/awsenv" &&
				!below(to, "github.com/aws/aws-sdk-go-v2") && !below(to, "github.com/aws/smithy-go") &&
				!(from == "shared/graph/entra" && belowAny(to, signIn)) && !(from == "shared/graph/guests" && belowAny(to, microsoft))
		},
	},
	{
		name:   "shared/table/schema and shared/setting import the standard library alone",
		reason: "infrastructure reads the names of the table and of variables from them without compiling an SDK",
		broken: func(from, to string) bool {
			return (from == "shared/table/schema" || from == "shared/setting") && !standard(to)
		},
	},
	{
		name:   "nothing imports infra, but infra",
		reason: "the product does not depend on how it is deployed, and nobody else should compile the CDK",
		tests:  true,
		broken: func(from, to string) bool { return below(to, "infra") && !below(from, "infra") },
	},
	{
		name:   "infra imports names and schemas, no adapter and no function",
		reason: "the deployment is described from the same constants as the product, not by running it",
		broken: func(from, to string) bool {
			return below(from, "infra") && (slices.Contains(adapters, to) || to == "shared/awsenv" || below(to, "functions"))
		},
	},
	{
		name:   "only infra, and not infra/local or infra/stage, imports the CDK",
		reason: "it takes a minute to compile, which the local run and everything else must not wait for",
		tests:  true,
		broken: func(from, to string) bool {
			cdk := below(to, "github.com/aws/aws-cdk-go") || below(to, "github.com/aws/jsii-runtime-go") ||
				below(to, "github.com/aws/constructs-go") || to == "infra/stacks"
			return cdk && (!below(from, "infra") || below(from, "infra/local") || below(from, "infra/stage"))
		},
	},
	{
		name:   "a function imports no other function",
		reason: "each is deployed, and given its rights, alone; what they share is below functions/internal",
		tests:  true,
		broken: func(from, to string) bool {
			of := func(name string) []string { return strings.SplitN(name, "/", 3)[:2] } // "functions" and the function
			return below(to, "functions") && !below(to, "functions/internal") && !(below(from, "functions") && slices.Equal(of(from), of(to)))
		},
	},
	{
		name:   "shared imports no function",
		reason: "functions stand on shared packages, not the other way round",
		tests:  true,
		broken: func(from, to string) bool { return below(from, "shared") && below(to, "functions") },
	},
	{
		name:   "only the portal imports the contract's documents",
		reason: "they would be carried in the binary, and the start-up time, of a function that only wants routes",
		broken: func(from, to string) bool {
			return to == "shared/contract/docs" && from != "functions/portal" && from != "shared/contract/generate"
		},
	},
	{
		name:   "only functions/guests imports what calls Microsoft Graph",
		reason: "it is larger than most functions, and whoever has it can hold the key to partners' tenants",
		broken: func(from, to string) bool {
			return to == "shared/graph/guests" && from != "functions/guests" || belowAny(to, microsoft) && from != "shared/graph/guests"
		},
	},
	{
		name:   "no function imports the SDK's package config or an OpenAPI library",
		reason: "both cost every cold start: awsenv reads the environment, and the contract is generated into Go",
		broken: func(from, to string) bool {
			costly := below(to, "github.com/aws/aws-sdk-go-v2/config") || below(to, "github.com/getkin/kin-openapi") || below(to, "go.yaml.in/yaml")
			tool := from == "shared/contract/generate" || below(from, "infra")
			return costly && !tool
		},
	},
}

// below reports whether a path is root or inside of it.
func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// belowAny reports whether a path is one of the roots or inside of it.
func belowAny(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return below(path, root) })
}

// standard reports whether a path is one of the standard library: its first part has no dot. Paths of this module begin
// with one of its top folders.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && !slices.Contains([]string{"functions", "infra", "shared"}, first)
}

// packages lists this module.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		for _, imports := range [][]string{p.Imports, p.TestImports, p.XTestImports} {
			for i := range imports {
				imports[i] = strings.TrimPrefix(imports[i], module)
			}
		}
		all = append(all, p)
	}
	return all
}

// forTests reports whether a package is there for tests: what is built of it imports testing, or it is in a folder whose
// name ends with test.
func forTests(p pkg) bool {
	return slices.Contains(p.Imports, "testing") ||
		slices.ContainsFunc(strings.Split(p.ImportPath, "/"), func(folder string) bool { return strings.HasSuffix(folder, "test") })
}

// broken lists which rules which imports break. Packages that are there for tests are held to what tests are.
func broken(all []pkg) []string {
	var found []string
	helpers := map[string]bool{}
	for _, p := range all {
		helpers[p.ImportPath] = forTests(p)
	}
	for _, p := range all {
		for _, r := range rules {
			imports := p.Imports
			if helpers[p.ImportPath] {
				imports = nil
			}
			if r.tests {
				imports = slices.Concat(p.Imports, p.TestImports, p.XTestImports)
			}
			for _, to := range imports {
				if r.broken(p.ImportPath, to) {
					found = append(found, p.ImportPath+" imports "+to+"\n\trule: "+r.name+"\n\tbecause "+r.reason)
				}
			}
		}
		for _, to := range p.Imports {
			if helpers[to] && !helpers[p.ImportPath] && !below(p.ImportPath, "infra/local") { // which plays Microsoft with one
				found = append(found, p.ImportPath+" imports "+to+
					"\n\trule: what is there for tests is imported by tests\n\tbecause it would end up, flags included, in a binary")
			}
		}
	}
	return found
}

func TestImportsKeepTheRules(t *testing.T) {
	all := packages(t)
	for _, b := range broken(all) {
		t.Error(b)
	}
	// The rules speak of packages that exist: a renamed one would be held to nothing.
	for _, name := range slices.Concat(domain, adapters, []string{"shared/awsenv", "shared/table/schema", "shared/setting", "shared/contract/docs",
		"shared/contract/generate", "functions/portal", "functions/internal/golden", "infra/stacks", "infra/stage", "infra/local"}) {
		if !slices.ContainsFunc(all, func(p pkg) bool { return p.ImportPath == name }) {
			t.Errorf("there is no package %s any more: change the rules", name)
		}
	}
}

// Every rule must be able to fail.
func TestEachRuleSeesWhatBreaksIt(t *testing.T) {
	violations := map[string][2]string{
		"the domain imports the standard library":  {"shared/hierarchy", "shared/table"},
		"an adapter imports the domain":            {"shared/table", "github.com/microsoftgraph/msgraph-sdk-go"},
		"shared/table/schema and shared/setting":   {"shared/setting", "shared/ident"},
		"nothing imports infra":                    {"functions/relay", "infra/stage"},
		"infra imports names and schemas":          {"infra/local/stack", "shared/table"},
		"only infra, and not infra/local":          {"infra/local/stack", "infra/stacks"},
		"a function imports no other":              {"functions/api", "functions/relay"},
		"shared imports no function":               {"shared/credential", "functions/internal/api"},
		"only the portal imports":                  {"functions/api", "shared/contract/docs"},
		"only functions/guests imports":            {"functions/notify", "shared/graph/guests"},
		"no function imports the SDK's package co": {"functions/relay", "github.com/aws/aws-sdk-go-v2/config"},
	}
	for _, r := range rules {
		found := false
		for name, v := range violations {
			if !strings.HasPrefix(r.name, name) {
				continue
			}
			found = true
			for _, b := range [][]pkg{{{ImportPath: v[0], Imports: []string{v[1]}}}, {{ImportPath: v[0], TestImports: []string{v[1]}}}} {
				seen := strings.Contains(strings.Join(broken(b), "\n"), r.name)
				if inTest := b[0].TestImports != nil; seen == (inTest && !r.tests) {
					t.Errorf("%s: %s imports %s (in a test: %v), seen: %v", r.name, v[0], v[1], inTest, seen)
				}
			}
		}
		if !found {
			t.Errorf("nothing here breaks the rule: %s", r.name)
		}
	}
	for _, name := range []string{"shared/table/tabletest", "shared/table/tabletest/install"} {
		if !forTests(pkg{ImportPath: name}) {
			t.Errorf("%s is there for tests", name)
		}
	}
	for from, want := range map[string]int{"shared/graph/entra": 0, "shared/table": 1} {
		if got := broken([]pkg{{ImportPath: from, Imports: []string{"github.com/go-jose/go-jose/v4/jwt"}}}); len(got) != want {
			t.Errorf("%s imports what verifies tokens: %q", from, got)
		}
	}
	helper := []pkg{{ImportPath: "functions/internal/golden", Imports: []string{"testing"}},
		{ImportPath: "functions/relay", Imports: []string{"functions/internal/golden"}}}
	if got := broken(helper); len(got) != 1 || !strings.Contains(got[0], "there for tests") {
		t.Errorf("a function that imports a package for tests: %q", got)
	}
}
