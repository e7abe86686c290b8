package stack

import (
	"fmt"
	"io"
	"time"
)

// progress tells what takes time, a line when it begins and one when it is done.
type progress struct{ to io.Writer }

// waiting tells what has to end first.
func (p progress) waiting(until string) {
	if p.to != nil {
		fmt.Fprintf(p.to, "  … %s: waiting\n", until)
	}
}

// note tells what works, but should be otherwise.
func (p progress) note(text string) {
	if p.to != nil {
		fmt.Fprintf(p.to, "  ! %s\n", text)
	}
}

// step begins one long step. Call what it returns at the end, with its error.
func (p progress) step(format string, args ...any) func(error) {
	if p.to == nil {
		return func(error) {}
	}
	what, begin := fmt.Sprintf(format, args...), time.Now()
	fmt.Fprintf(p.to, "  … %s\n", what)
	return func(err error) {
		mark := "✓"
		if err != nil {
			mark = "✗"
		}
		fmt.Fprintf(p.to, "  %s %s (%.1f s)\n", mark, what, time.Since(begin).Seconds())
	}
}
