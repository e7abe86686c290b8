package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The rule: nobody asks the machine for the time, or for something random that cannot be had again, but the places below. Everybody else is
// handed a clock (tests: shared/clocktest), or a source with a seed. Otherwise what a test finds depends on the day, or comes once.
//
// Waiting (sleep, timers, deadlines of contexts) is no reading of a clock, and what crypto/rand makes is for nobody to have again.

// exception is a place that may call what nobody else may.
type exception struct {
	place  string // a file, a package and the function in it (or the method, as Type.method), or everything below a folder: "a/..."
	from   string // the package that it may call: time, or math/rand/v2
	reason string
}

const (
	starts    = "a process begins here: it hands the machine's clock to everything in it"
	deadlines = "the deadlines of contexts are by the machine's clock"
	spreads   = "which one it is makes no difference but to who else is at it"
	elsewhere = "what it talks to goes by the machine's clock"
)

var exceptions = []exception{
	{"shared/clocktest/clocktest.go", "time", "the clock of tests runs as the machine's does"},

	{"functions/authorizer main", "time", starts},
	{"functions/bootstrap main", "time", starts},
	{"functions/guests main", "time", starts},
	{"functions/api main", "time", starts},
	{"functions/notify main", "time", starts},
	{"functions/portal main", "time", starts},
	{"functions/settle main", "time", starts},
	{"shared/graph/entra wallClock", "time", "the clock of who is handed none"},
	{"shared/graph/entra TestTheMachinesClockIsTheOneOnTheWall", "time", "it says what that clock is"},

	{"functions/notify notify.handle", "time", deadlines},
	{"functions/settle settling.budget", "time", deadlines},
	{"shared/table stuck.BatchGetItem", "time", deadlines},

	{"functions/internal/signed Service.Post", "time", "AWS takes a request that was signed minutes ago, or will be, for another one's"},
	{"shared/graph/graphtest/...", "time", "Microsoft's libraries, which it answers, go by the machine's clock"},
	{"shared/graph/guests TestAnAssertionStandsInForTheSecret", "time", elsewhere},
	{"functions/internal/coldstart/...", "time", "measures processes"},
	{"infra/local/...", "time", "runs, and measures, processes of this machine, whose clock they have"},

	{"functions/internal/coldstart Runtime.Measure", "math/rand/v2", "no order of the measurements is to be found in their results"},
	{"shared/table Table.Commit", "math/rand/v2", spreads},
	{"shared/table Table.Read", "math/rand/v2", spreads},
	{"shared/table persist", "math/rand/v2", "those who met are not to meet again"},
}

// calls are what nobody may call, or pass on, but the exceptions; for math/rand all but what is listed.
var (
	readings = []string{"Now", "Since", "Until"}
	seeded   = []string{"New", "NewPCG", "NewChaCha8", "NewSource", "NewZipf", "Rand", "PCG", "ChaCha8", "Zipf", "Source", "Source64"}
)

// reading is one place that asks the machine.
type reading struct {
	file, function string // the file by its path in the module; "" for what is in no function
	from, name     string
	at             token.Position
}

func (r reading) String() string {
	return fmt.Sprintf("%s: %s.%s in %s", r.at, path.Base(strings.TrimSuffix(r.from, "/v2")), r.name, strings.TrimSpace(path.Dir(r.file)+" "+r.function))
}

// covers reports whether an exception is about the place of a reading.
func (e exception) covers(r reading) bool {
	if e.from != r.from {
		return false
	}
	if folder, ok := strings.CutSuffix(e.place, "/..."); ok {
		return below(path.Dir(r.file), folder)
	}
	return e.place == r.file || e.place == path.Dir(r.file)+" "+r.function
}

// readings finds what a file asks the machine. A name stands for the package wherever the file imports it: who calls something else
// "time" calls it otherwise.
func readingsOf(fset *token.FileSet, name string, file *ast.File) []reading {
	packages := map[string]string{} // by their names in the file
	var found []reading
	for _, i := range file.Imports {
		from := strings.Trim(i.Path.Value, `"`)
		if from != "time" && from != "math/rand" && from != "math/rand/v2" {
			continue
		}
		local := path.Base(strings.TrimSuffix(from, "/v2"))
		if i.Name != nil {
			local = i.Name.Name
		}
		if local == "." {
			found = append(found, reading{name, "", from, "(all of it, without its name)", fset.Position(i.Pos())})
		}
		packages[local] = from
	}
	for _, d := range file.Decls {
		function := functionOf(d)
		ast.Inspect(d, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			if !ok {
				return true
			}
			switch from := packages[x.Name]; {
			case from == "time" && slices.Contains(readings, s.Sel.Name), from != "" && from != "time" && !slices.Contains(seeded, s.Sel.Name):
				found = append(found, reading{name, function, from, s.Sel.Name, fset.Position(s.Pos())})
			}
			return true
		})
	}
	return found
}

// functionOf names a function, or a method as Type.method; "" is what is neither.
func functionOf(d ast.Decl) string {
	f, ok := d.(*ast.FuncDecl)
	if !ok {
		return ""
	}
	if f.Recv != nil && len(f.Recv.List) > 0 {
		return receiver(f.Recv.List[0].Type) + "." + f.Name.Name
	}
	return f.Name.Name
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// unlisted are the readings that no exception covers, and unused the exceptions that cover none.
func unlisted(all []reading, exceptions []exception) (unlisted []reading, unused []exception) {
	used := make([]bool, len(exceptions))
	for _, r := range all {
		listed := false
		for i, e := range exceptions {
			if e.covers(r) {
				listed, used[i] = true, true
			}
		}
		if !listed {
			unlisted = append(unlisted, r)
		}
	}
	for i, e := range exceptions {
		if !used[i] {
			unused = append(unused, e)
		}
	}
	return unlisted, unused
}

// eachFile hands out every file of Go in this module, by its path in it.
func eachFile(t *testing.T, fset *token.FileSet, see func(name string, file *ast.File)) {
	t.Helper()
	const root = "../.."
	files := 0
	for _, tree := range []string{"functions", "infra", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, tree), func(at string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(at) != ".go" {
				return err
			}
			file, err := parser.ParseFile(fset, at, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, at)
			files++
			see(filepath.ToSlash(name), file)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 300 {
		t.Errorf("only %d files were looked at", files)
	}
}

func TestNobodyAsksTheMachineForTheTimeOrForLuck(t *testing.T) {
	fset := token.NewFileSet()
	var all []reading
	eachFile(t, fset, func(name string, file *ast.File) { all = append(all, readingsOf(fset, name, file)...) })
	wrong, unused := unlisted(all, exceptions)
	for _, r := range wrong {
		t.Errorf("%s\n\trule: who needs the time is handed a clock, and who needs luck a source with a seed\n\tbecause otherwise the day, or the run, decides what a test finds", r)
	}
	for _, e := range unused {
		t.Errorf("%s calls nothing of %s any more: take it off the list (%s)", e.place, e.from, e.reason)
	}
}

// The rule must be able to fail.
func TestTheRuleOfClocksSeesWhatBreaksIt(t *testing.T) {
	for source, want := range map[string]string{
		`import "time"; func f() { time.Now() }`:                                                       "a/b f",
		`import "time"; func f() { g(time.Now) }`:                                                      "a/b f",
		`import "time"; func (w *world) f() { defer func() { _ = time.Since(w.t) }() }`:                "a/b world.f",
		`import "time"; func (w box[T]) f() { _ = time.Until(w.t) }`:                                   "a/b box.f",
		`import "time"; var began = time.Now()`:                                                        "a/b",
		`import clock "time"; func f() { clock.Now() }`:                                                "a/b f",
		`import . "time"; func f() { Now() }`:                                                          "a/b",
		`import "math/rand/v2"; func f() { rand.IntN(3) }`:                                             "a/b f",
		`import "math/rand/v2"; func f() { rand.N(3) }`:                                                "a/b f",
		`import "math/rand"; func f() { rand.Shuffle(3, nil) }`:                                        "a/b f",
		`import luck "math/rand/v2"; func f(g func() int) { g = luck.Int }`:                            "a/b f",
		`import "time"; func f() { time.Sleep(1); <-time.After(2); time.NewTicker(3) }`:                "",
		`import "time"; func f(now func() time.Time) { now().Add(time.Hour) }`:                         "",
		`import "math/rand/v2"; func f(r *rand.Rand) { r = rand.New(rand.NewPCG(1, 2)); r.IntN(3) }`:   "",
		`import "crypto/rand"; func f() { rand.Text() }`:                                               "",
		`import "example.com/time"; func f() { time.Now() }`:                                           "",
		`import ("time"; "crypto/rand"); func f(c clock) { c.Now(); rand.Read(nil); _ = time.Second }`: "",
	} {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "c.go", "package b; "+source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all := readingsOf(fset, "a/b/c.go", file)
		got, _ := unlisted(all, nil)
		if (len(got) > 0) != (want != "") || len(got) > 0 && !strings.HasSuffix(got[0].String(), " in "+want) {
			t.Errorf("%s\n\tgives %v; want it in %q", source, got, want)
		}
		if want == "" {
			continue
		}
		from := all[0].from
		for place, covers := range map[string]bool{
			want: strings.Contains(want, " "), "a/b/c.go": true, "a/b/...": true, "a/...": true, "a": false, "a/b": false, "a/b/d.go": false,
			"a/b other": false, "a/c/...": false, "b/...": false,
		} {
			wrong, unused := unlisted(all, []exception{{place, from, ""}})
			if (len(wrong) == 0) != covers || (len(unused) == 0) != covers {
				t.Errorf("%s\n\twith the exception %s: %v, unused %v", source, place, wrong, unused)
			}
		}
		if wrong, unused := unlisted(all, []exception{{"a/b/c.go", "another", ""}}); len(wrong) == 0 || len(unused) == 0 {
			t.Errorf("%s\n\tis covered by an exception for another package", source)
		}
	}
}
