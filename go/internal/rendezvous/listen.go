package rendezvous

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"nanorpc/go/internal/failpoint"
)

// Listener holds a service's name.
type Listener struct {
	socket *net.UnixListener
	path   string
	lock   *os.File
}

// Listen takes the name of a service in a directory, which it creates where missing. A socket left by a server that died is replaced.
// Errors: ErrInUse, ErrDirectory, ErrName.
func Listen(dir, service string) (*Listener, error) {
	path, err := socketPath(dir, service)
	if err != nil {
		return nil, err
	}
	if err := makeDirectory(dir); err != nil {
		return nil, err
	}
	lock, err := lockName(strings.TrimSuffix(path, socketSuffix)+lockSuffix, service)
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.ListenLocked)
	l := &Listener{path: path, lock: lock}
	if err := l.bind(); err != nil {
		l.release()
		return nil, fmt.Errorf("listen for service %s: %w", service, err)
	}
	return l, nil
}

func (l *Listener) bind() error {
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	socket, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: l.path, Net: "unixpacket"})
	if err != nil {
		return err
	}
	socket.SetUnlinkOnClose(false) // Close does it, before the lock is released
	l.socket = socket
	failpoint.Hit(failpoint.ListenBound)
	return os.Chmod(l.path, 0o600)
}

// Accept waits for the next client of this user. Others are turned away: with an ErrPeer, after which Accept can be called again.
// It returns net.ErrClosed after Close.
func (l *Listener) Accept() (*Conn, error) {
	socket, err := l.socket.AcceptUnix()
	if err != nil {
		return nil, err
	}
	conn, err := newConn(socket)
	if err != nil {
		socket.Close()
		return nil, err
	}
	return conn, nil
}

// Close gives the name back: no file of it stays behind. Connections that were accepted live on.
func (l *Listener) Close() error {
	err := l.socket.Close()
	if removeErr := os.Remove(l.path); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	failpoint.Hit(failpoint.ListenClosed)
	l.release()
	return err
}

// release removes the lock's file while the lock is held, so that no other server's is removed.
func (l *Listener) release() {
	_ = os.Remove(l.lock.Name())
	_ = l.lock.Close()
}
