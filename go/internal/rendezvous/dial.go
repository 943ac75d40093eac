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

// Dial connects to the server of a service. It blocks until the handshake is done, the context ends, or 5 seconds have passed.
// Errors: ErrNotFound, ErrVersion, ErrRefused, ErrPeer, ErrDirectory, ErrName, ErrHandshake, the context's.
func Dial(ctx context.Context, dir, service string) (*Conn, Segment, error) {
	path, err := socketPath(dir, service)
	if err != nil {
		return nil, Segment{}, err
	}
	if err := checkDirectory(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, Segment{}, fmt.Errorf("%w: %s (looked in %s)", ErrNotFound, service, dir)
	} else if err != nil {
		return nil, Segment{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	socket, err := connect(ctx, path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, Segment{}, fmt.Errorf("%w: %s (looked in %s)", ErrNotFound, service, dir)
	}
	if err != nil {
		return nil, Segment{}, fmt.Errorf("connect to service %s: %w", service, err)
	}
	conn, err := newConn(socket)
	if err != nil {
		socket.Close()
		return nil, Segment{}, err
	}
	// A context that ends during the handshake ends the reads and writes.
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	segment, err := conn.receiveSegment()
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
func (c *Conn) receiveSegment() (Segment, error) {
	failpoint.Hit(failpoint.DialConnected)
	if _, err := c.socket.Write(hello()); err != nil {
		return Segment{}, dialError(err)
	}
	failpoint.Hit(failpoint.DialHelloSent)
	message := make([]byte, welcomeSize+maxText)
	control := make([]byte, unix.CmsgSpace(4))
	n, controlLength, _, _, err := c.socket.ReadMsgUnix(message, control) // Go asks for MSG_CMSG_CLOEXEC
	failpoint.Hit(failpoint.DialWelcomeReceived)
	if err != nil {
		return Segment{}, dialError(err)
	}
	file, err := descriptor(control[:controlLength])
	if err != nil {
		return Segment{}, err
	}
	size, err := readWelcome(message[:n])
	if err == nil && file == nil {
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
