package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/partnertree/infra/local/demo"
)

var update = flag.Bool("update", false, "write the answers of the walk into WALK.md")

const walkFile = "../WALK.md"

// TestTheWalk runs the commands of the walk in a shell on the demo tree, as somebody who pastes them would, and compares
// what they print with what WALK.md shows. Ids, keys, times and cursors may differ.
func TestTheWalk(t *testing.T) {
	t.Parallel() // it waits for the feed to come
	seeded, err := demo.Seed(t.Context(), deployed, filepath.Join(t.TempDir(), "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(walkFile)
	if err != nil {
		t.Fatal(err)
	}
	walk := string(text)

	// Every line of a console block is a command, after "$ ", or what one prints.
	var script strings.Builder
	script.WriteString("exec 2>&1\n" + demo.Exports(deployed.URL, seeded))
	commands, inside := 0, false
	for line := range strings.Lines(walk) {
		switch {
		case line == "```console\n":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside && strings.HasPrefix(line, "$ "):
			fmt.Fprintf(&script, "printf '\\n@@@ %%s\\n' %d\n%s", commands, line[2:])
			commands++
		}
	}
	script.WriteString("printf '\\n@@@\\n'\n")
	if commands == 0 {
		t.Fatal("WALK.md has no commands")
	}
	shell := exec.CommandContext(t.Context(), "bash")
	shell.Dir = t.TempDir()
	shell.Stdin = strings.NewReader(script.String())
	printed, err := shell.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	outputs := make([]string, commands)
	for i, part := range bytes.Split(printed, []byte("\n@@@"))[1:] {
		if _, output, _ := strings.Cut(string(part), "\n"); i < commands {
			outputs[i] = strings.TrimRight(output, "\n")
		}
	}

	var shown strings.Builder
	commands, inside = 0, false
	for line := range strings.Lines(walk) {
		switch {
		case line == "```console\n":
			inside = true
			shown.WriteString(line)
		case strings.HasPrefix(line, "```"):
			inside = false
			shown.WriteString(line)
		case inside && strings.HasPrefix(line, "$ "):
			shown.WriteString(line)
			if outputs[commands] != "" {
				shown.WriteString(outputs[commands] + "\n")
			}
			commands++
		case !inside:
			shown.WriteString(line)
		}
	}
	if *update {
		if err := os.WriteFile(walkFile, []byte(shown.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, got := strings.Split(alike(walk), "\n"), strings.Split(alike(shown.String()), "\n")
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			t.Fatalf("WALK.md says\n%s\nand it is\n%s\nIf that is right: make walk", strings.Join(want[min(i, len(want)):min(i+2, len(want))], "\n"),
				strings.Join(got[min(i, len(got)):min(i+2, len(got))], "\n"))
		}
	}
}

var differs = regexp.MustCompile(`(ptn|cus|brd|cli|usr|inv|key|job|mrq|evt)_[0-9a-z]{16}|pmk_[0-9A-Za-z_-]{77}|[0-9-]{10}(T[0-9:.]{12}Z| [0-9:.]{12} UTC)|urn:request:[^"]*|"(hint|next|requestId)":"[^"]*"`)

func alike(s string) string { return differs.ReplaceAllString(s, "…") }
