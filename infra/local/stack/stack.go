// Package stack runs the whole deployment on this machine: the same CDK app as on AWS, deployed into MiniStack, behind one
// friendly port. Start returns when the API answers and its first owner exists; Stop ends every process it started. Nothing
// leaves the machine, but the tools that are installed on the first start.
//
// It needs a Unix system with Go, Python and Node. Tools go to .local, binaries to .build, both below the checkout.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"example.com/partnertree/infra/stage"
)

// Options say where a deployment runs. The zero value is what a test wants: any free ports, and nothing kept.
type Options struct {
	// Root is the checkout. Empty: what Checkout finds.
	Root string
	// State is the folder that keeps the deployment and its data from one start to the next. Empty: nothing is kept. One
	// stack at a time can have it. MiniStack writes its data there when it ends, which it does in order even when the
	// program around it is killed. Only what MiniStack could not write, because it was killed or the machine went down, is
	// lost: the data is then that of its last orderly end.
	State string
	// Fresh throws away what State holds.
	Fresh bool
	// Port is where the API and the portal are served, CloudPort where MiniStack is, and the one after it where the double of Microsoft
	// Entra ID is. 0: any free port.
	Port, CloudPort int
	// Progress is told what takes time. Nil: nobody.
	Progress io.Writer
	// Answered is told of every answer of the API and the portal, several at the same time. Nil: nobody.
	Answered func(method, path string, status int)
}

// Stack is a running deployment. Its methods can be called at the same time, but for Stop.
type Stack struct {
	URL     string            // where the API and the portal are served, without a closing slash
	Entra   string            // the double of Microsoft Entra ID (package graphtest): the authority
	Cloud   string            // MiniStack: the endpoint for AWS clients, with any credentials
	Region  string            // the region they must name
	Outputs map[string]string // of both stacks, by the names in package stage
	Founder Founder           // the first owner

	// Fresh reports that this deployment was made now, with nothing in it but the root partner and its first owner.
	Fresh bool

	lock  *os.File // on the state folder
	root  string   // of the checkout
	arch  string   // that the functions were built for
	state string   // folder
	cloud *process
	entra *process
	front *front
	temp  string       // removed by Stop
	saved func() error // called when MiniStack has saved its state; nil when it is not kept
}

// Start builds, starts and deploys. It gives up when the context is done, and leaves nothing running when it fails.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	if o.Root == "" {
		if o.Root, err = Checkout(); err != nil {
			return nil, err
		}
	}
	config, err := stage.Named(stage.Local)
	if err != nil {
		return nil, err
	}
	s := &Stack{Region: config.Region, root: o.Root, arch: config.Arch}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	keep := o.State != ""
	if !keep {
		if s.temp, err = os.MkdirTemp("", "partnertree-"); err != nil {
			return nil, err
		}
		o.State = s.temp
	}
	if s.lock, err = claim(o.State); err != nil {
		return nil, err
	}
	if o.Fresh {
		if err := forget(o.State); err != nil {
			return nil, err
		}
	}
	s.state = o.State
	last, err := lastDeployed(o.State, o.CloudPort)
	if err != nil {
		return nil, err
	}
	if _, err := ours(o.State); err != nil {
		return nil, err
	}
	kit := kit{root: o.Root, say: progress{o.Progress}}

	if s.front, err = listen(o.Port); err != nil {
		return nil, err
	}
	s.URL = s.front.url()
	if err := kit.install(ctx); err != nil {
		return nil, err
	}
	if s.cloud, s.Cloud, err = kit.startCloud(ctx, o.State, s.lock, o.CloudPort, keep); err != nil {
		return nil, err
	}
	if s.entra, s.Entra, err = kit.startDouble(ctx, o.State, o.CloudPort, directory(config.Entra, config.Graph, s.URL)); err != nil {
		return nil, err
	}
	d := deployment{kit: kit, config: config, state: o.State, endpoint: s.Cloud, portal: s.URL, entra: s.Entra, last: last}
	now, err := d.bring(ctx)
	if err != nil {
		return nil, s.explain(err)
	}
	s.Outputs = now.Outputs
	if keep {
		s.saved = func() error { return d.keep(now) }
	}
	if s.Founder, s.Fresh, err = s.found(ctx, filepath.Join(o.State, "founder.json")); err != nil {
		return nil, s.explain(err)
	}
	if !s.Fresh {
		if err := s.restartSettling(ctx); err != nil {
			return nil, s.explain(err)
		}
	}
	s.front.serve(s.Cloud, s.Outputs[stage.OutApiID], http.HandlerFunc(s.mailbox), o.Answered)
	return s, nil
}

// Stop ends the API, the double of Entra and MiniStack, which first saves its state if it is kept. It can be called again.
func (s *Stack) Stop() error {
	var problems []error
	if s.front != nil {
		problems = append(problems, s.front.close())
	}
	if s.cloud != nil {
		err := s.cloud.stop(15 * time.Second)
		if err == nil && s.saved != nil && s.cloud.cmd.ProcessState.Success() { // not when it was killed
			err = s.saved()
		}
		problems = append(problems, err)
	}
	if s.entra != nil {
		problems = append(problems, s.entra.stop(10*time.Second))
	}
	if s.temp != "" {
		problems = append(problems, os.RemoveAll(s.temp))
	}
	if s.lock != nil {
		problems = append(problems, s.lock.Close())
	}
	s.front, s.cloud, s.entra, s.temp, s.saved, s.lock = nil, nil, nil, "", nil, nil
	return errors.Join(problems...)
}

// Ended gives one error when a process of the stack ends by itself: it says which, and where its log is.
func (s *Stack) Ended() <-chan error {
	ended := make(chan error, 1)
	cloud, entra := s.cloud, s.entra
	go func() {
		select {
		case <-cloud.ended:
			ended <- cloud.gone()
		case <-entra.ended:
			ended <- entra.gone()
		}
	}()
	return ended
}

func (s *Stack) explain(err error) error {
	words := s.cloud.lastWords()
	if words == "" {
		return err
	}
	return fmt.Errorf("%w\nMiniStack's last words:\n%s", err, words)
}

// Flags of the local run, as messages name them: with the variables that set them through make.
const (
	portFlag      = "-port (make run PORT=…)"
	cloudPortFlag = "-aws-port (make run AWS_PORT=…)"
	stateFlag     = "-state (make run STATE=…)"
	freshFlag     = "-fresh (make run FRESH=1)"
)

// claim makes the state folder, if need be, and keeps others out of it until the returned file is closed, here and in every
// process that has it.
func claim(state string) (*os.File, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(state)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("another local run uses %s: stop it, or choose another folder with %s", state, stateFlag)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ours is what is in a state folder. It refuses a folder with anything else in it: the name comes from a person, and starting
// removes things.
func ours(state string) ([]os.DirEntry, error) {
	entries, err := os.ReadDir(state)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(state, cloudLog)); err != nil {
		return nil, fmt.Errorf("%s is not empty and holds no state of a local run: nothing was touched. Choose another folder with %s", state, stateFlag)
	}
	return entries, nil
}

// forget empties a state folder, which stays, since the lock is on it.
func forget(state string) error {
	entries, err := ours(state)
	if err != nil || len(entries) == 0 {
		return err
	}
	for _, entry := range entries {
		// The log is what tells a state folder: it goes last, so that an interrupted start can be done again.
		if entry.Name() != cloudLog {
			if err := os.RemoveAll(filepath.Join(state, entry.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(filepath.Join(state, cloudLog))
}

// Checkout is the nearest folder from the working directory upwards that has a cdk.json.
func Checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cdk.json")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no cdk.json here or above: start it inside the checkout")
		}
	}
}
