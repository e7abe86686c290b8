package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// process is a running program of ours.
type process struct {
	name  string // for messages
	cmd   *exec.Cmd
	log   string
	leash *os.File      // the program stops when this closes, however that comes
	ended chan struct{} // closed when it has ended
}

// cloudLog is MiniStack's log in the state folder.
const cloudLog = "ministack.log"

// startCloud starts MiniStack with its state in a folder and waits until it answers. MiniStack has the lock on the folder too:
// when this program is killed, the next one must not begin before MiniStack has written its state.
func (k kit) startCloud(ctx context.Context, state string, lock *os.File, port int, keep bool) (p *process, endpoint string, err error) {
	if port, err = freePort(port, cloudPortFlag); err != nil {
		return nil, "", err
	}
	endpoint = cloudEndpoint(port)
	done := k.say.step("starting MiniStack on port %d", port)
	defer func() { done(err) }()

	scratch := filepath.Join(state, "tmp") // where MiniStack unpacks functions; it leaves them there
	if err := errors.Join(os.RemoveAll(scratch), os.MkdirAll(scratch, 0o700)); err != nil {
		return nil, "", err
	}
	// Objects are written at once, all else when MiniStack ends. When it was killed the first time, they are all that there is,
	// and the bucket could not be made again.
	if _, err := os.Stat(filepath.Join(state, "cloud", "cloudformation.json")); errors.Is(err, fs.ErrNotExist) {
		if err := os.RemoveAll(filepath.Join(state, "s3")); err != nil {
			return nil, "", err
		}
	}
	cmd := exec.Command(k.python(), k.path("infra", "local", "launch_ministack.py"))
	cmd.Dir, cmd.ExtraFiles, cmd.Env = state, []*os.File{lock}, cloudEnv(endpoint, port, state, scratch, keep)
	if p, err = launch("MiniStack", cmd, filepath.Join(state, cloudLog)); err != nil {
		return nil, "", err
	}
	return p, endpoint, p.ready(ctx, endpoint+"/_ministack/ready")
}

// launch starts a program that writes to a log, and ends when its standard input does.
func launch(name string, cmd *exec.Cmd, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	hold, leash, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer hold.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = hold, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // else Ctrl-C reaches it before it is our turn
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, leash.Close())
	}
	p := &process{name: name, cmd: cmd, log: log, leash: leash, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	return p, nil
}

// ready waits until the program answers at the URL, and stops it when it does not.
func (p *process) ready(ctx context.Context, url string) error {
	for deadline := time.Now().Add(60 * time.Second); ; {
		if resp, err := http.Get(url); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended at once; its last words:\n%s", p.name, p.lastWords())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.stop(5*time.Second))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			silent := fmt.Errorf("%s does not answer on %s; its last words:\n%s", p.name, url, p.lastWords())
			return errors.Join(silent, p.stop(5*time.Second))
		}
	}
}

func cloudEndpoint(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

// waitScale is how much shorter state machines wait here: the grace of settling, a minute on AWS, takes three seconds. A read
// takes milliseconds, so that is grace enough.
const waitScale = "0.05"

// cloudEnv is all of MiniStack's environment. The functions inherit it, so nothing of the user's gets in.
func cloudEnv(endpoint string, port int, state, scratch string, keep bool) []string {
	persist := "0"
	if keep {
		persist = "1"
	}
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + state, "TMPDIR=" + scratch, "LANG=C.UTF-8",
		"AWS_ENDPOINT_URL=" + endpoint, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"GATEWAY_PORT=" + strconv.Itoa(port), "BIND_HOST=127.0.0.1", "MINISTACK_REGION=us-east-1", "LAMBDA_EXECUTOR=local",
		"STATE_DIR=" + filepath.Join(state, "cloud"), "S3_DATA_DIR=" + filepath.Join(state, "s3"),
		"PERSIST_STATE=" + persist, "S3_PERSIST=" + persist, "IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", "LOG_LEVEL=WARNING",
		"SFN_WAIT_SCALE=" + waitScale,
	}
}

// stop asks the program to end, and ends it when it does not within the time.
func (p *process) stop(within time.Duration) error {
	_ = p.leash.Close()
	select {
	case <-p.ended:
		return nil
	case <-time.After(within):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // and what it has started
		<-p.ended
		return fmt.Errorf("%s did not stop within %s and was killed: what it held was not saved", p.name, within)
	}
}

// gone says that the program ended by itself.
func (p *process) gone() error { return fmt.Errorf("%s ended by itself: see %s", p.name, p.log) }

// lastWords is the end of the program's log.
func (p *process) lastWords() string {
	const enough = 2000
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-enough):])
}

// freePort is the port if nobody has it, or any free one for 0.
func freePort(port int, flag string) (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return 0, portTaken(port, flag, err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func portTaken(port int, flag string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is taken: stop what uses it (`lsof -i :%d` tells), or choose another with %s", port, port, flag)
	}
	return fmt.Errorf("cannot listen on port %d: choose another with %s (%w)", port, flag, err)
}
