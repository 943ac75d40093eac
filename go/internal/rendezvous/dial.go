package rendezvous

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/internal/failpoint"
	"nanorpc/go/internal/wire"
)

// Segment is what a client receives in the handshake. The caller owns the file.
type Segment struct {
	File *os.File
	Size int64
}

// Trust is what a client asks of a server. The zero value accepts those of this user, and segments that the server could make shorter.
type Trust struct {
	Other bool // the server runs as the user UID, else as this one
	UID   int
	Seals bool // ask for a segment that nobody can make shorter
}

// server returns the uid that the server must have.
func (t Trust) server() int {
	if t.Other {
		return t.UID
	}
	return os.Geteuid()
}

// Sealed reports whether the segment must be sealed: a user's crash is never another's to decide.
func (t Trust) Sealed() bool { return t.Seals || t.server() != os.Geteuid() }

// Dial connects to the server of a service. It blocks until the handshake is done, the context ends, or 5 seconds have passed.
// Errors: ErrNotFound, ErrVersion, ErrRefused, ErrPeer, ErrDirectory, ErrName, ErrHandshake, ErrDescriptors, the context's.
func Dial(ctx context.Context, dir, service string, trust Trust) (*Conn, Segment, error) {
	path, err := socketPath(dir, service)
	if err != nil {
		return nil, Segment{}, err
	}
	owners := []int{trust.server()}
	if trust.Other {
		owners = append(owners, os.Geteuid(), 0)
	}
	if err := checkDirectory(dir, owners...); errors.Is(err, fs.ErrNotExist) {
		return nil, Segment{}, fmt.Errorf("%w: %s (looked in %s)", ErrNotFound, service, dir)
	} else if err != nil {
		var stat unix.Stat_t
		if !trust.Other && unix.Lstat(dir, &stat) == nil && int(stat.Uid) != os.Geteuid() {
			err = fmt.Errorf("%w; or, if you want a server of uid %d, say so", err, stat.Uid)
		}
		return nil, Segment{}, err
	}
	// connect(2) follows links. The directory is its owner's alone, so what is checked here stays as it is.
	if err := checkFile(path, unix.S_IFSOCK, trust.server()); errors.Is(err, fs.ErrNotExist) {
		return nil, Segment{}, fmt.Errorf("%w: %s (looked in %s)", ErrNotFound, service, dir)
	} else if err != nil {
		return nil, Segment{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	socket, err := connect(ctx, path)
	if outOfDescriptors(err) {
		err = fmt.Errorf("%w: %w", ErrDescriptors, err)
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, Segment{}, fmt.Errorf("%w: %s (looked in %s)", ErrNotFound, service, dir)
	}
	if err != nil {
		return nil, Segment{}, fmt.Errorf("connect to service %s: %w", service, err)
	}
	peer, err := credentials(socket)
	if err == nil && peer.UID != trust.server() {
		err = fmt.Errorf("%w: the server of %s runs as uid %d, not as uid %d", ErrPeer, service, peer.UID, trust.server())
	}
	if err != nil {
		socket.Close()
		return nil, Segment{}, err
	}
	conn := &Conn{socket: socket, peer: peer}
	// A context that ends during the handshake ends the reads and writes.
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	segment, err := conn.receiveSegment(trust.Sealed())
	if !stop() && err == nil {
		segment.File.Close()
		err = ctx.Err()
	}
	if err != nil {
		socket.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, Segment{}, fmt.Errorf("connect to service %s: %w", service, err)
	}
	return conn, segment, nil
}

// connect dials the socket. A server whose backlog is full is tried again: a socket that does not block gets EAGAIN then (connect(2)).
func connect(ctx context.Context, path string) (*net.UnixConn, error) {
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "unixpacket", path)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		if !errors.Is(err, unix.EAGAIN) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// receiveSegment sends the hello and receives the welcome.
func (c *Conn) receiveSegment(sealed bool) (Segment, error) {
	failpoint.Hit(failpoint.DialConnected)
	var flags uint32
	if sealed {
		flags |= helloSeals
	}
	if _, err := c.socket.Write(hello(flags)); err != nil {
		return Segment{}, dialError(err)
	}
	failpoint.Hit(failpoint.DialHelloSent)
	message := make([]byte, welcomeSize+maxText)
	control := make([]byte, unix.CmsgSpace(4))
	n, controlLength, received, _, err := c.socket.ReadMsgUnix(message, control) // Go asks for MSG_CMSG_CLOEXEC
	failpoint.Hit(failpoint.DialWelcomeReceived)
	if err != nil {
		return Segment{}, dialError(err)
	}
	file, err := descriptor(control[:controlLength])
	if err != nil {
		return Segment{}, err
	}
	size, err := readWelcome(message[:n])
	if err == nil && file == nil && received&unix.MSG_CTRUNC != 0 {
		err = fmt.Errorf("%w: no descriptor is free for the segment", ErrDescriptors)
	} else if err == nil && file == nil {
		err = fmt.Errorf("%w: no descriptor came with the welcome", ErrHandshake)
	}
	if err != nil {
		if file != nil {
			file.Close()
		}
		return Segment{}, err
	}
	return Segment{File: file, Size: size}, nil
}

// dialError tells a server that has died from one that misbehaves.
func dialError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return fmt.Errorf("%w: %w", ErrHandshake, err)
}

// readWelcome returns the segment's size, or the error that the server reports.
func readWelcome(b []byte) (int64, error) {
	if len(b) < 16 || binary.LittleEndian.Uint64(b) != wire.Magic {
		return 0, fmt.Errorf("%w: %w", ErrHandshake, errNotNanoRPC)
	}
	version, status := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if status == welcomeVersion || version != wire.Version {
		return 0, fmt.Errorf("%w: the server speaks %d, this client %d", ErrVersion, version, wire.Version)
	}
	if len(b) < welcomeSize {
		return 0, fmt.Errorf("%w: %w", ErrHandshake, errNotNanoRPC)
	}
	if status == welcomeDenied {
		return 0, fmt.Errorf("%w: the server says: %s", ErrPeer, b[welcomeSize:])
	}
	if status != welcomeOK {
		return 0, fmt.Errorf("%w: %s", ErrRefused, b[welcomeSize:])
	}
	return int64(binary.LittleEndian.Uint64(b[16:])), nil
}

// descriptor returns the one descriptor in a control message, or nil. Any others are closed.
func descriptor(control []byte) (*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	var file *os.File
	for _, m := range messages {
		descriptors, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // another kind of message
		}
		for _, fd := range descriptors {
			if file == nil {
				file = os.NewFile(uintptr(fd), "nanorpc segment")
			} else {
				unix.Close(fd)
			}
		}
	}
	return file, nil
}
