package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
	"testing"
)

// The rule: a record is written, or removed, on a condition: that it is what was read, or that there is none. Without one (directory.Put and
// directory.Remove with Any) whatever somebody else has written meanwhile is lost, and no test may happen to do two things at that very time.

// unchecked are the places that write or remove a record whatever there is: a package, the function in it (or the method, as Type.method),
// and what is written; or everything below a folder: "a/...".
var unchecked = []struct{ place, reason string }{
	{"shared/directory writeLogo: Put l", "a logo has no version of its own: the brand, which is written with it on its version, has its hash"},
	{"shared/directory writeLogo: Remove l", "as when it is written; and there may be none"},
	{"shared/directory dropDomain: Remove b.DomainRecord()", "nobody else can have the domain while the brand has it, which is written or removed with it on its version"},
	{"shared/directory Directory.settleAndSave: Put &savedWalk{…}", "whoever writes where a walk goes on has walked everything before it: any of them will do"},
	{"shared/directory Directory.NoteUse: Put &use{…}", "of several notes of a use any may be the last one: to about an hour they say the same"},
	{"shared/directory/directorytest/...", "it asks stores whether they do without a condition what they are to do"},
}

// uncheckedIn finds what a file writes or removes without a condition, or so that it cannot be seen: a literal without the names of its
// fields or of its type, an Any that is set later.
func uncheckedIn(fset *token.FileSet, name string, file *ast.File) (found []unconditional) {
	local := "" // of the package directory in the file
	for _, i := range file.Imports {
		if strings.Trim(i.Path.Value, `"`) == module+"shared/directory" {
			if local = "directory"; i.Name != nil {
				local = i.Name.Name
			}
		}
	}
	if path.Dir(name) == "shared/directory" && file.Name.Name == "directory" {
		local = "."
	}
	if local == "" || strings.HasSuffix(name, "_test.go") {
		return nil
	}
	steps := map[string]string{local + ".Put": "Put", local + ".Remove": "Remove"}
	if local == "." {
		steps = map[string]string{"Put": "Put", "Remove": "Remove"}
	}
	for _, d := range file.Decls {
		add := func(at token.Pos, what string) {
			found = append(found, unconditional{path.Dir(name) + " " + functionOf(d) + ": " + what, fset.Position(at)})
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, to := range n.Lhs {
					if s, ok := to.(*ast.SelectorExpr); ok && s.Sel.Name == "Any" {
						add(n.Pos(), types.ExprString(s))
					}
				}
			case *ast.CompositeLit:
				step, isStep := "a step", n.Type == nil
				if n.Type != nil {
					step, isStep = steps[types.ExprString(n.Type)], steps[types.ExprString(n.Type)] != ""
				}
				fields := map[string]string{}
				for _, e := range n.Elts {
					kv, named := e.(*ast.KeyValueExpr)
					if named {
						fields[types.ExprString(kv.Key)] = types.ExprString(kv.Value)
					} else if isStep && n.Type != nil {
						fields["Any"], fields["Now"] = "true", "without the names of its fields"
					}
				}
				if any, there := fields["Any"]; isStep && there && any != "false" {
					what := fields["Now"]
					if what == "" {
						what = fields["Was"]
					}
					add(n.Pos(), step+" "+what)
				}
			}
			return true
		})
	}
	return found
}

// unconditional is a place that writes or removes a record whatever there is.
type unconditional struct {
	place string
	at    token.Position
}

func TestNoRecordIsWrittenWhateverThereIs(t *testing.T) {
	fset := token.NewFileSet()
	used := map[string]bool{}
	eachFile(t, fset, func(name string, file *ast.File) {
		for _, u := range uncheckedIn(fset, name, file) {
			i := slices.IndexFunc(unchecked, func(e struct{ place, reason string }) bool {
				folder, all := strings.CutSuffix(e.place, "/...")
				return e.place == u.place || all && below(path.Dir(name), folder)
			})
			if i < 0 {
				t.Errorf("%s: %s\n\trule: a record is written on what was read of it, or on that there is none\n\tbecause otherwise what others wrote meanwhile is lost", u.at, u.place)
				continue
			}
			used[unchecked[i].place] = true
		}
	})
	for _, e := range unchecked {
		if !used[e.place] {
			t.Errorf("%s is no place without a condition any more: take it off the list (%s)", e.place, e.reason)
		}
	}
}

// The rule must be able to fail.
func TestTheRuleOfConditionsSeesWhatBreaksIt(t *testing.T) {
	const imports = `import "example.com/partnertree/shared/directory"; `
	for _, c := range []struct{ file, source, want string }{
		{"shared/directory/a.go", `package directory; func f() { g(Put{Was: w, Now: &n, Any: true, Else: e}) }`, "shared/directory f: Put &n"},
		{"shared/directory/a.go", `package directory; func (d *Directory) f() Step { return Remove{Was: w, Any: true} }`, "shared/directory Directory.f: Remove w"},
		{"shared/directory/a.go", `package directory; func f() { g([]Remove{{Was: w, Any: true}}) }`, "shared/directory f: a step w"},
		{"shared/directory/a.go", `package directory; func f() { p.Any = true }`, "shared/directory f: p.Any"},
		{"shared/directory/a.go", `package directory; func f(a bool) { g(&Put{Now: w, Any: a}) }`, "shared/directory f: Put w"},
		{"shared/directory/a.go", `package directory; func f() { g(Remove{w, true, nil}) }`, "shared/directory f: Remove without the names of its fields"},
		{"shared/table/a.go", `package table; ` + imports + `var s = directory.Put{Now: w, Any: true}`, "shared/table : Put w"},
		{"shared/table/a.go", `package table; ` + strings.Replace(imports, "import ", "import d ", 1) + `func f() { g(d.Remove{Was: w, Any: true}) }`,
			"shared/table f: Remove w"},
		{"shared/directory/a.go", `package directory; func f() { g(Put{Was: w, Now: n, Else: e}, Remove{Was: w, Any: false}) }`, ""},
		{"shared/directory/a.go", `package directory; func f() { g(Other{Any: true}) }`, ""},
		{"shared/directory/a_test.go", `package directory; func f() { g(Put{Now: n, Any: true}) }`, ""},
		{"shared/table/a.go", `package table; func f() { g(Put{Now: n, Any: true}) }`, ""},
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, c.file, c.source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, u := range uncheckedIn(fset, c.file, file) {
			got = strings.TrimPrefix(got+", "+u.place, ", ")
		}
		if got != c.want {
			t.Errorf("%s\n\tgives %q; want %q", c.source, got, c.want)
		}
	}
}
