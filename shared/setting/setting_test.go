package setting_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The names of variables stand in package setting and nowhere else: what functions read and what infra gives to them cannot differ by a
// letter.
func TestNamesStandOnce(t *testing.T) {
	names := map[string]bool{}
	literals(t, "setting.go", func(text string, _ *ast.CallExpr, _ token.Position) { names[text] = true })
	if len(names) < 15 {
		t.Fatalf("only %d names", len(names))
	}
	read := 0
	for _, root := range []string{"../../functions", "../../infra", "../portalhost"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if e.IsDir() || err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			literals(t, path, func(text string, call *ast.CallExpr, at token.Position) {
				name, _, _ := strings.Cut(text, "=")
				if names[name] {
					t.Errorf("%s: %q: use the constant of package setting", at, text)
				}
				if fun, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Getenv", "LookupEnv"}, fun.Sel.Name) &&
					strings.HasPrefix(path, "../../functions") && !strings.HasSuffix(path, "_test.go") {
					t.Errorf("%s: reads %q: add a constant to package setting", at, text)
				}
			})
			read++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 100 {
		t.Errorf("only %d files were looked at", read)
	}
}

// literals calls each for every string in a file, with the innermost call that it is an argument of.
func literals(t *testing.T, path string, each func(text string, call *ast.CallExpr, at token.Position)) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	call := &ast.CallExpr{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.CallExpr:
			call = n
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				text, _ := strconv.Unquote(n.Value) // it was parsed
				of := call
				if !slices.Contains(of.Args, ast.Expr(n)) {
					of = &ast.CallExpr{}
				}
				each(text, of, files.Position(n.Pos()))
			}
		}
		return true
	})
}
