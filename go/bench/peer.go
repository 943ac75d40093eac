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

// peerParams is the argument of a peer process.
type peerParams struct {
	Transport string `json:"transport"`
	Directory string `json:"directory"` // private, empty when the peer starts; either process removes it at the end
	Spin      string `json:"spin"`
	MaxSize   int    `json:"max_size"` // of a payload, in bytes
	Inflight  int    `json:"inflight"` // callers at once
	CPU       *int   `json:"cpu"`      // where the peer runs; nil: anywhere
}

// peerReport is the line that a peer prints.
type peerReport struct {
	Ready bool   `json:"ready"`
	Error string `json:"error,omitempty"`
}

// RunPeer is the server's side of a run, for the process that Config.PeerCommand starts: argument is that process's last argument. It
// prints one line on stdout when it is ready, or when it cannot be, and blocks until stdin ends, which happens at the latest when the
// process that runs the benchmark dies, or until ctx is done. Then it removes its files and returns nil. A read of stdin may outlive it.
//
// The process ignores SIGPIPE from then on: that of a dead benchmark's pipe would end it (see os/signal) before it has removed its files.
func RunPeer(ctx context.Context, argument string, stdin io.Reader, stdout io.Writer) error {
	return runPeer(ctx, argument, stdin, stdout, builtin())
}

func runPeer(ctx context.Context, argument string, stdin io.Reader, stdout io.Writer, transports []transport) error {
	signal.Ignore(unix.SIGPIPE)
	var once sync.Once
	report := func(r peerReport) (err error) {
		once.Do(func() { err = json.NewEncoder(stdout).Encode(r) })
		return err
	}
	err := servePeer(ctx, argument, stdin, func() error { return report(peerReport{Ready: true}) }, transports)
	if err != nil {
		err = fmt.Errorf("benchmark peer: %w", err)
		return errors.Join(err, report(peerReport{Error: err.Error()}))
	}
	return nil
}

func servePeer(ctx context.Context, argument string, stdin io.Reader, ready func() error, transports []transport) error {
	var p peerParams
	if err := json.Unmarshal([]byte(argument), &p); err != nil {
		return fmt.Errorf("the last argument is not of the benchmark's making: %w", err)
	}
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
	return t.serve(ctx, p, ready)
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
