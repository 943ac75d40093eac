package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// processParams is the argument of a process of the run: of a transport's server, which is the peer, or of a client.
type processParams struct {
	Transport string `json:"transport"` // the server's; a client is told later
	Params
	CPU *int `json:"cpu,omitempty"` // where the process runs; nil: anywhere

	Client *clientParams `json:"client,omitempty"` // nil: the process is a server
}

// peerReport is a line that a peer prints.
type peerReport struct {
	Ready bool   `json:"ready"`
	Error string `json:"error,omitempty"`
}

// RunPeer is a server or a client of a run, for the processes that Config.PeerCommand starts: argument is that process's last argument. It
// prints a line on stdout when it is ready, or when it cannot be; a client also takes commands on stdin, and prints a line for each. It
// blocks until stdin ends, which happens at the latest when the process that runs the benchmark dies, or until ctx is done. Then it
// removes its files and returns nil. A read of stdin may outlive it.
//
// The process ignores SIGPIPE from then on: that of a dead benchmark's pipe would end it (see os/signal) before it has removed its files.
func RunPeer(ctx context.Context, argument string, stdin io.Reader, stdout io.Writer, extra ...Transport) error {
	transports := append(builtin(), extra...)
	signal.Ignore(unix.SIGPIPE)
	var once sync.Once
	report := func(r peerReport) (err error) {
		once.Do(func() { err = json.NewEncoder(stdout).Encode(r) })
		return err
	}
	ready := func() error { return report(peerReport{Ready: true}) }
	var p processParams
	err := json.Unmarshal([]byte(argument), &p)
	switch {
	case err != nil:
		err = fmt.Errorf("the last argument is not of the benchmark's making: %w", err)
	case p.Client != nil:
		err = serveClient(ctx, p, stdin, stdout, ready, transports)
	default:
		err = servePeer(ctx, p, stdin, ready, transports)
	}
	if err != nil {
		err = fmt.Errorf("benchmark peer: %w", err)
		return errors.Join(err, report(peerReport{Error: err.Error()}))
	}
	return nil
}

func servePeer(ctx context.Context, p processParams, stdin io.Reader, ready func() error, transports []Transport) error {
	t, err := find(transports, p.Transport)
	if err != nil {
		return err
	}
	if err := checkPrivate(p.Directory); err != nil {
		return err
	}
	defer os.RemoveAll(p.Directory)
	if p.CPU != nil {
		if err := pinProcess(*p.CPU); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	return t.Serve(ctx, p.Params, ready)
}

// checkPrivate makes sure that removing dir later removes nothing but what the peer has made.
func checkPrivate(dir string) error {
	var stat unix.Stat_t
	if err := unix.Lstat(dir, &stat); err != nil {
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	if stat.Mode&(unix.S_IFMT|0o7777) != unix.S_IFDIR|0o700 || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a private directory", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	return nil
}
