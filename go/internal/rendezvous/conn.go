package rendezvous

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/wire"
)

// handshakeTimeout bounds how long a peer may take over the handshake.
const handshakeTimeout = 5 * time.Second

// Conn is a connection's socket, and what the kernel says of the peer.
type Conn struct {
	socket *net.UnixConn
	peer   Peer  // immutable
	denied error // why the client may not connect, or nil; immutable
	seals  bool  // the client has asked for seals; set by Greet
}

// Denied reports whether the client has no access, so that Greet will turn it away.
func (c *Conn) Denied() bool { return c.denied != nil }

// Peer returns who is at the other end.
func (c *Conn) Peer() Peer { return c.peer }

// PeerPID returns the peer's process id at the time of the connection.
func (c *Conn) PeerPID() int { return c.peer.PID }

// WantsSeals reports whether the client has asked for a segment that nobody can make shorter. See Greet.
func (c *Conn) WantsSeals() bool { return c.seals }

// ringPacket is what a client sends to a parked server.
const ringPacket = 1

// WaitEnd blocks until the peer closes its end or dies, or Close. It calls rung for each ring of the peer; if that is nil, or a peer sends
// anything else, it returns.
func (c *Conn) WaitEnd(rung func()) {
	var b [2]byte
	for {
		n, err := c.socket.Read(b[:])
		if err != nil || n != 1 || b[0] != ringPacket || rung == nil {
			return
		}
		rung()
	}
}

// Ring sends a ring to the peer, without blocking: to one who has not read the rings before it needs no more.
func (c *Conn) Ring() {
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return // closed
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.Send(int(fd), []byte{ringPacket}, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
}

// Close closes the socket, which is how the peer learns that the connection has ended.
func (c *Conn) Close() error { return c.socket.Close() }

// The messages of the handshake, each one packet: the client's hello is magic and version; the server's welcome is magic, version,
// status and size, with the segment's descriptor (SCM_RIGHTS), or, when it refuses, with a text. Integers are little-endian.
//
// The hello's last word has flags, and is 0 otherwise. A server that does not know them passes them over.
const (
	helloSize   = 16
	welcomeSize = 24
	maxText     = 512
)

const (
	welcomeOK      = 0
	welcomeVersion = 1
	welcomeRefused = 2
	welcomeDenied  = 3
)

// helloSeals asks for a sealed segment.
const helloSeals = 1

func hello(flags uint32) []byte {
	b := make([]byte, helloSize)
	binary.LittleEndian.PutUint64(b, wire.Magic)
	binary.LittleEndian.PutUint32(b[8:], wire.Version)
	binary.LittleEndian.PutUint32(b[12:], flags)
	return b
}

func welcome(status uint32, size int64, text string) []byte {
	b := make([]byte, welcomeSize, welcomeSize+maxText)
	binary.LittleEndian.PutUint64(b, wire.Magic)
	binary.LittleEndian.PutUint32(b[8:], wire.Version)
	binary.LittleEndian.PutUint32(b[12:], status)
	binary.LittleEndian.PutUint64(b[16:], uint64(size))
	return append(b, text[:min(len(text), maxText)]...)
}

// errNotNanoRPC is a peer that speaks something else.
var errNotNanoRPC = errors.New("the peer does not speak NanoRPC")

// Greet receives the client's hello on a fresh connection, and refuses a client of another version or without access. It blocks for 5 seconds at most.
// Errors: ErrHandshake, ErrVersion, ErrPeer.
func (c *Conn) Greet() error {
	if err := c.socket.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	var b [helloSize]byte // what is sent with it, such as descriptors, the kernel drops
	n, err := c.socket.Read(b[:])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if n < helloSize || binary.LittleEndian.Uint64(b[:]) != wire.Magic {
		return fmt.Errorf("%w: %w", ErrHandshake, errNotNanoRPC)
	}
	if version := binary.LittleEndian.Uint32(b[8:]); version != wire.Version {
		_, _ = c.socket.Write(welcome(welcomeVersion, 0, ""))
		return fmt.Errorf("%w: the client speaks %d, this server %d", ErrVersion, version, wire.Version)
	}
	if c.denied != nil {
		_, _ = c.socket.Write(welcome(welcomeDenied, 0, c.denied.Error()))
		return c.denied
	}
	c.seals = binary.LittleEndian.Uint32(b[12:])&helloSeals != 0
	return nil
}

// Welcome sends the segment to the client. The file stays the caller's.
func (c *Conn) Welcome(segment *os.File, size int64) error {
	rights := unix.UnixRights(int(segment.Fd()))
	if _, _, err := c.socket.WriteMsgUnix(welcome(welcomeOK, size, ""), rights, nil); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	return c.clearDeadline()
}

// Refuse tells the client why it gets no connection.
func (c *Conn) Refuse(reason string) {
	_, _ = c.socket.Write(welcome(welcomeRefused, 0, reason))
}

func (c *Conn) clearDeadline() error {
	if err := c.socket.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	return nil
}
