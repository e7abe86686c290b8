package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// absentError is why a peer cannot be had on this machine. The others go on without it.
type absentError struct{ error }

func absent(format string, args ...any) error { return &absentError{fmt.Errorf(format, args...)} }

// machine is where one peer is installed and runs.
type machine struct {
	dir     string // where programs are kept
	temp    string // for what ends with the peer; others than this user may look in
	running []*process
	closers []func()
}

func newMachine(dir string) (*machine, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return nil, err
	}
	return &machine{dir: dir, temp: temp}, os.Chmod(temp, 0o755)
}

// stop ends all that was started, the latest first.
func (m *machine) stop() error {
	for _, c := range slices.Backward(m.closers) {
		c()
	}
	for _, p := range slices.Backward(m.running) {
		p.stop()
	}
	return os.RemoveAll(m.temp)
}

// build installs a program from its Go module, once, and returns where it is. It takes minutes, on one core and behind others.
func (m *machine) build(ctx context.Context, module, version, pkg string) (string, error) {
	binary := filepath.Join(m.dir, version, filepath.Base(pkg))
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	fmt.Fprintf(os.Stderr, "building %s %s, once; it takes some minutes\n", module, version)
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@"+version)
	download.Dir = m.temp
	out, err := download.Output()
	var at struct{ Dir, Error string }
	if err := errors.Join(err, json.Unmarshal(out, &at)); err != nil || at.Error != "" {
		return "", absent("its module cannot be had: %w", errors.Join(err, errors.New(at.Error)))
	}
	// Where the module is, so that what it replaces counts.
	build := exec.CommandContext(ctx, "nice", "-n", "19", "go", "build", "-p", "1", "-buildvcs=false", "-o", binary, pkg)
	build.Dir = at.Dir
	if out, err := build.CombinedOutput(); err != nil {
		return "", absent("it does not build: %w\n%s", err, out)
	}
	return binary, nil
}

// do runs a program to its end.
func (m *machine) do(ctx context.Context, as *user.User, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = m.temp
	if err := become(cmd, as); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), args[0], err, out)
	}
	return nil
}

// process is a program that was started.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	output bytes.Buffer
	ended  chan struct{}
}

// run starts a program and waits until ready has no error. as is whom it runs as, nil: who this is.
func (m *machine) run(ctx context.Context, as *user.User, ready func() error, program string, args ...string) error {
	// The shell ends the program as soon as its standard input ends, and that ends with this process, even when it is killed.
	p := &process{ended: make(chan struct{}),
		cmd: exec.Command("sh", append([]string{"-c", `"$@" & read -r _; kill $!; wait $!`, "sh", program}, args...)...)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = m.temp, &p.output, &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for this process alone
	if err := become(p.cmd, as); err != nil {
		return err
	}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return err
	}
	m.running = append(m.running, p)
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	for deadline := time.Now().Add(time.Minute); ; {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("%s ended at once:\n%s", filepath.Base(program), p.output.Bytes())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.stop()
			return fmt.Errorf("%s is not ready: %w\n%s", filepath.Base(program), err, p.output.Bytes())
		}
	}
}

// stop ends the program, kindly if it can be.
func (p *process) stop() {
	p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
}

// become makes a command run as somebody else.
func become(cmd *exec.Cmd, as *user.User) error {
	if as == nil {
		return nil
	}
	uid, errU := strconv.ParseUint(as.Uid, 10, 32)
	gid, errG := strconv.ParseUint(as.Gid, 10, 32)
	if err := errors.Join(errU, errG); err != nil {
		return err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return nil
}

// address is a free one on this machine.
func address() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
