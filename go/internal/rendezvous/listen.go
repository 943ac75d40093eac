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
	access Access
	spare  spare
}

// Listen takes the name of a service in a directory, which it creates where missing. A socket left by a server that died is replaced.
// Errors: ErrInUse, ErrDirectory, ErrName.
func Listen(dir, service string, access Access) (*Listener, error) {
	path, err := socketPath(dir, service)
	if err != nil {
		return nil, err
	}
	if err := makeDirectory(dir, access); err != nil {
		return nil, err
	}
	lock, err := lockName(strings.TrimSuffix(path, socketSuffix)+lockSuffix, service)
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.ListenLocked)
	l := &Listener{path: path, lock: lock, access: access}
	if err := l.bind(); err != nil {
		l.release()
		return nil, fmt.Errorf("listen for service %s: %w", service, err)
	}
	return l, nil
}

func (l *Listener) bind() error {
	if err := removeStale(l.path); err != nil {
		return err
	}
	socket, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: l.path, Net: "unixpacket"})
	if err != nil {
		return err
	}
	socket.SetUnlinkOnClose(false) // Close does it, before the lock is released
	l.socket = socket
	failpoint.Hit(failpoint.ListenBound)
	mode := fs.FileMode(0o600)
	if l.access.Others() {
		mode = 0o666 // who may connect is then for their credentials to say
	}
	return os.Chmod(l.path, mode)
}

// Accept waits for the next client. It may be one without access, which Greet turns away. It returns net.ErrClosed after Close; and ErrDescriptors, after which it
// can be called again, when there was no descriptor for a client, which has been told so.
func (l *Listener) Accept() (*Conn, error) {
	l.spare.keep()
	socket, err := l.socket.AcceptUnix()
	if outOfDescriptors(err) && l.spare.refuseOne(l.socket) {
		err = fmt.Errorf("%w: a client was refused", ErrDescriptors)
	}
	if err != nil {
		return nil, err
	}
	peer, err := credentials(socket)
	if err != nil {
		socket.Close()
		return nil, err
	}
	denied := l.access.admit(peer, func() ([]int, error) { return supplementaryGroups(socket) })
	return &Conn{socket: socket, peer: peer, denied: denied}, nil
}

// Close gives the name back: no file of it stays behind. Connections that were accepted live on.
func (l *Listener) Close() error {
	err := l.socket.Close()
	l.spare.close()
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
