package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readyTimeout = time.Minute     // a process that loads an interpreter on a loaded machine takes seconds
	exitTimeout  = 5 * time.Second // from the end of its stdin until a process is killed
	outputDrain  = time.Second     // for what others hold open of its output
	keptOutput   = 2 << 10         // bytes of its output, for the error message
)

// ErrPeer reports a process of the run that could not be started, ended early or failed.
var ErrPeer = errors.New("benchmark peer process failed")

// child is a process of the run, seen from the one that runs the benchmark. It ends when its stdin does.
type child struct {
	what   string // for messages
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr tail

	done chan struct{} // closed when the process has ended and err is set
	err  error
}

// start starts the command with the argument, as JSON, appended. The caller calls stop.
func (c *child) start(command []string, argument any, stdout io.Writer) error {
	last, err := json.Marshal(argument)
	if err != nil {
		return err
	}
	c.cmd = exec.Command(command[0], append(append([]string(nil), command[1:]...), string(last))...)
	c.cmd.Stdout, c.cmd.Stderr = stdout, &c.stderr
	c.cmd.WaitDelay = outputDrain
	// A Ctrl-C in the terminal is for the process that runs the benchmark, which then stops the others.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.done = make(chan struct{})
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// ended returns how a process that is done has ended, with the last that it wrote on stderr.
func (c *child) ended() error {
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	if said := strings.TrimSpace(c.stderr.String()); said != "" {
		how += "\n" + said
	}
	return fmt.Errorf("%w: %s ended early: %s", ErrPeer, c.what, how)
}

// stop ends the process. It blocks until the process has ended; one that does not end by itself is killed.
func (c *child) stop() {
	c.stdin.Close()
	timeout := time.NewTimer(exitTimeout)
	defer timeout.Stop()
	select {
	case <-c.done:
	case <-timeout.C:
		// An error means that it has just ended.
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if extra := len(t.text) - keptOutput; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
