package rendezvous

import (
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Peer is a process at the other end of a socket, as the kernel tells it: the credentials are those at the time of connect(2), or of listen(2) for a server.
type Peer struct {
	PID int // 0 if it is in a PID namespace that this process does not see into
	UID int
	GID int
}

// Access says which users may connect to a server besides its own. The zero value: none.
type Access struct {
	UIDs []int
	GIDs []int // also of those who have one as a supplementary group
}

// Others reports whether any other users may connect.
func (a Access) Others() bool { return len(a.UIDs)+len(a.GIDs) > 0 }

// admit returns nil for a client that may connect, or an ErrPeer. groups returns the client's supplementary groups.
func (a Access) admit(client Peer, groups func() ([]int, error)) error {
	if client.UID == os.Geteuid() || slices.Contains(a.UIDs, client.UID) || slices.Contains(a.GIDs, client.GID) {
		return nil
	}
	if len(a.GIDs) > 0 {
		all, err := groups()
		if err != nil {
			return fmt.Errorf("%w: its groups: %w", ErrPeer, err)
		}
		if slices.ContainsFunc(all, func(gid int) bool { return slices.Contains(a.GIDs, gid) }) {
			return nil
		}
	}
	return fmt.Errorf("%w: process %d runs as uid %d, gid %d, this server as uid %d, and it allows neither", ErrPeer, client.PID, client.UID, client.GID, os.Geteuid())
}

// credentials asks the kernel who is at the other end.
func credentials(socket *net.UnixConn) (Peer, error) {
	var peer *unix.Ucred
	err := control(socket, func(fd int) (err error) {
		peer, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		return err
	})
	if err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	return Peer{PID: int(peer.Pid), UID: int(peer.Uid), GID: int(peer.Gid)}, nil
}

// supplementaryGroups asks the kernel for the other end's.
func supplementaryGroups(socket *net.UnixConn) (groups []int, err error) {
	err = control(socket, func(fd int) (err error) {
		groups, err = peerGroups(fd)
		return err
	})
	return groups, err
}

// control calls f with the socket's descriptor, which stays open meanwhile.
func control(socket *net.UnixConn, f func(fd int) error) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}
