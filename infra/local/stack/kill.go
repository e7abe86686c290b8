package stack

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"example.com/partnertree/infra/stage"
)

// Kill ends every running process of a function at once, whatever it is doing, as a failing machine would, and answers how many
// there were. The next event or request starts a new one.
func (s *Stack) Kill(ctx context.Context, function string) (int, error) {
	want, err := digest("", filepath.Join(stage.BuildDir(s.root, s.arch, function), "bootstrap"))
	if err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(ctx, "ps", "-axo", "pid=,ppid=,command=").Output()
	if err != nil {
		return 0, fmt.Errorf("ps: %w", err)
	}
	killed := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != strconv.Itoa(s.cloud.cmd.Process.Pid) {
			continue
		}
		// MiniStack runs a copy; what it is a copy of tells whose it is.
		if have, err := digest("", strings.Join(f[2:], " ")); err != nil || have != want {
			continue
		}
		pid, err := strconv.Atoi(f[0])
		if err != nil {
			return killed, err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return killed, err
		}
		killed++
	}
	return killed, nil
}
