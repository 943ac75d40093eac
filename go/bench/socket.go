package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// socketPath returns where the transports that have a Unix socket of their own listen.
func socketPath(p Params) string { return filepath.Join(p.Directory, "echo.sock") }

// addressPath returns the file with the address of those that have a TCP socket.
func addressPath(p Params) string { return filepath.Join(p.Directory, "echo.address") }

func listen(network string, p Params) (net.Listener, error) {
	if network == string(uds) {
		listener, err := net.Listen(network, socketPath(p))
		if err != nil {
			return nil, fmt.Errorf("listen (a socket's path has at most 107 bytes: set TMPDIR to a short one): %w", err)
		}
		return listener, nil
	}
	listener, err := net.Listen(network, "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.WriteFile(addressPath(p), []byte(listener.Addr().String()), 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// serveSocket accepts connections and runs handle for each, in its own goroutine, until ctx is done. Then it closes the
// connections and returns when all handlers have returned.
func serveSocket(ctx context.Context, network string, p Params, ready func() error, handle func(net.Conn)) error {
	listener, err := listen(network, p)
	if err != nil {
		return err
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
		conn, err := listener.Accept()
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

// dialSocket connects to what serveSocket serves.
func dialSocket(ctx context.Context, network string, p Params) (net.Conn, error) {
	address := socketPath(p)
	if network != string(uds) {
		told, err := os.ReadFile(addressPath(p))
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		address = string(told)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}
