package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readyTimeout = time.Minute     // a peer that loads an interpreter on a loaded machine takes seconds
	exitTimeout  = 5 * time.Second // from the end of its stdin until a peer is killed
	outputDrain  = time.Second     // for what others hold open of its output
	keptOutput   = 2 << 10         // bytes of its output, for the error message
)

// ErrPeer reports a peer process that could not be started or ended early.
var ErrPeer = errors.New("benchmark peer process failed")

// peerProcess is a peer, seen from the process that measures.
type peerProcess struct {
	params peerParams
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout firstLine
	stderr tail

	done chan struct{} // closed when the process has ended and err is set
	err  error
}

// startPeer starts a peer and waits until it is ready. The caller calls stop.
func startPeer(ctx context.Context, command []string, p peerParams) (*peerProcess, error) {
	dir, err := os.MkdirTemp("", "nanorpc-bench-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	p.Directory = dir
	process := &peerProcess{params: p, done: make(chan struct{}), stdout: firstLine{complete: make(chan struct{})}}
	if err := process.start(command); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrPeer, err), os.RemoveAll(dir))
	}
	if err := process.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, process.stop())
	}
	return process, nil
}

func (p *peerProcess) start(command []string) error {
	argument, err := json.Marshal(p.params)
	if err != nil {
		return err
	}
	p.cmd = exec.Command(command[0], append(append([]string(nil), command[1:]...), string(argument))...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = outputDrain
	// A Ctrl-C in the terminal is for the process that measures, which then stops its peers.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}

func (p *peerProcess) awaitReady(ctx context.Context) error {
	timeout := time.NewTimer(readyTimeout)
	defer timeout.Stop()
	select {
	case <-p.stdout.complete:
		return p.report()
	case <-p.done:
		// Wait has collected all output: a process that ended after its report has ended for the reason that it gave.
		select {
		case <-p.stdout.complete:
			return p.report()
		default:
			return p.ended()
		}
	case <-timeout.C:
		return fmt.Errorf("%w: not ready after %v (transport %s)", ErrPeer, readyTimeout, p.params.Transport)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// report returns the error in the process's first line, or nil if that says that the process is ready.
func (p *peerProcess) report() error {
	var report peerReport
	err := json.Unmarshal(p.stdout.line(), &report)
	switch {
	case err == nil && report.Ready:
		return nil
	case err == nil && report.Error != "":
		return fmt.Errorf("%w: transport %s: %s", ErrPeer, p.params.Transport, report.Error)
	}
	return fmt.Errorf("%w: transport %s: it printed %q: does the peer command call RunPeer?", ErrPeer, p.params.Transport, p.stdout.line())
}

// ended returns how a process that is done has ended, with the last that it wrote on stderr.
func (p *peerProcess) ended() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	if said := strings.TrimSpace(p.stderr.String()); said != "" {
		how += "\n" + said
	}
	return fmt.Errorf("%w: the peer of transport %s ended early: %s", ErrPeer, p.params.Transport, how)
}

// stop ends the process and removes its files. It blocks until the process has ended; one that does not end by itself is killed.
func (p *peerProcess) stop() error {
	p.stdin.Close()
	timeout := time.NewTimer(exitTimeout)
	defer timeout.Stop()
	select {
	case <-p.done:
	case <-timeout.C:
		// An error means that it has just ended.
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	return os.RemoveAll(p.params.Directory)
}

// firstLine keeps the first line of what is written to it, or as much as a line should have.
type firstLine struct {
	mu       sync.Mutex
	text     []byte
	complete chan struct{} // closed when the line is complete
}

func (f *firstLine) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if bytes.IndexByte(f.text, '\n') < 0 {
		f.text = append(f.text, b...)
		end := bytes.IndexByte(f.text, '\n')
		if end < 0 && len(f.text) >= keptOutput {
			f.text = append(f.text[:keptOutput], '\n')
			end = keptOutput
		}
		if end >= 0 {
			f.text = f.text[:end+1]
			close(f.complete)
		}
	}
	return len(b), nil
}

func (f *firstLine) line() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.TrimSpace(f.text)
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
