package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// peerProcess is the server's side of a transport, seen from the process that runs the benchmark.
type peerProcess struct {
	child
	params processParams
	stdout firstLine
}

// startPeer starts a peer and waits until it is ready. The caller calls stop.
func startPeer(ctx context.Context, command []string, p processParams) (*peerProcess, error) {
	dir, err := os.MkdirTemp("", "nanorpc-bench-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	p.Directory = dir
	process := &peerProcess{
		child:  child{what: "the peer of transport " + p.Transport},
		params: p,
		stdout: firstLine{complete: make(chan struct{})},
	}
	if err := process.start(command, p, &process.stdout); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrPeer, err), os.RemoveAll(dir))
	}
	if err := process.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, process.stop())
	}
	return process, nil
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

// stop ends the process and removes its files. It blocks until the process has ended.
func (p *peerProcess) stop() error {
	p.child.stop()
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
