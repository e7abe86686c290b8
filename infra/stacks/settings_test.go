package stacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/partnertree/infra/stage"
	"example.com/partnertree/shared/listtest"
)

const (
	module   = "example.com/partnertree/"
	settings = module + "shared/setting"
)

// Each function is given the variables of the environment that it reads, and no others: in a stage that has everything there is.
func TestFunctionsAreGivenWhatTheyRead(t *testing.T) {
	config, err := stage.Named("prod")
	if err != nil {
		t.Fatal(err)
	}
	config.Without = map[stage.Feature]string{stage.Nag: "the test of the stage itself has it"}
	config.Entra = stage.Entra{ClientID: "c", Tenants: "any", Federated: true, Authority: "https://login.example", Secret: "s"}
	config.Graph = stage.Graph{ClientID: "c", Federated: true, URL: "https://graph.example", Secret: "s"}
	config.PortalHosts, config.PortalOrigin = []string{"portal.example"}, "https://portal.example"
	s, err := synthesize(config)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string][]string{}
	for id, r := range s.service.of(t, "AWS::Lambda::Function") {
		variables, _ := at(r.Properties, "Environment", "Variables").(map[string]any)
		given[ours(id)] = slices.Collect(maps.Keys(variables))
	}
	for _, f := range stage.Functions {
		read, err := variables(f)
		if err != nil {
			t.Fatal(err)
		}
		listtest.Same(t, "variables that infra gives to "+f, given[f], read)
	}
}

// variables are those that a function reads: whose names it, or a package of this module that it imports, takes from package setting.
func variables(function string) ([]string, error) {
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles", module+"functions/"+function)
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &stderr)
	}
	values, used := map[string]string{}, map[string]bool{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir string
			GoFiles         []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ValueSpec:
					if p.ImportPath == settings {
						values[n.Names[0].Name], _ = strconv.Unquote(n.Values[0].(*ast.BasicLit).Value) // it was parsed
					}
				case *ast.SelectorExpr:
					if of, ok := n.X.(*ast.Ident); ok && of.Name == "setting" {
						used[n.Sel.Name] = true
					}
				}
				return true
			})
		}
	}
	var names []string
	for name := range used {
		names = append(names, values[name])
	}
	return names, nil
}
