package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
)

// socketPath returns where the transports that have a socket of their own listen.
func socketPath(p peerParams) string { return filepath.Join(p.Directory, "echo.sock") }

// serveSocket accepts connections and runs handle for each, in its own goroutine, until ctx is done. Then it closes the
// connections and returns when all handlers have returned.
func serveSocket(ctx context.Context, p peerParams, ready func() error, handle func(*net.UnixConn)) error {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketPath(p), Net: "unix"})
	if err != nil {
		return fmt.Errorf("listen (a socket's path has at most 107 bytes: set TMPDIR to a short one): %w", err)
	}
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	defer listener.Close()
	if err := ready(); err != nil {
		return err
	}
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for {
		conn, err := listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		handlers.Go(func() {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			defer conn.Close()
			handle(conn)
		})
	}
}

func dialSocket(ctx context.Context, p peerParams) (*net.UnixConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socketPath(p))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn.(*net.UnixConn), nil
}
