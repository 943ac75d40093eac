package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

const (
	frameHeader = 4 // a little-endian uint32: the payload's length
	// socketBuffer is what a read takes with the header. The rest of a longer payload is read to its place: with a larger buffer copying it
	// from there costs more than the second read.
	socketBuffer = 16 << 10
	// roomyFrom is the payload from which the default send buffer (net.core.wmem_default, usually 208 KiB with overhead) is short.
	roomyFrom = 64 << 10
	// gatherFrom is the payload from which a second buffer in writev(2) costs less than copying it behind the header.
	gatherFrom = 16 << 10
)

// stream is a stream socket of a network, used as well as Go's net package allows.
type stream string

// The networks, as package net names them. Over TCP a message is sent at once: the package sets TCP_NODELAY.
const (
	uds stream = "unix"
	tcp stream = "tcp"
)

func (t stream) Name() string {
	if t == uds {
		return "uds"
	}
	return string(t)
}

func (t stream) Serve(ctx context.Context, p Params, ready func() error) error {
	return serveSocket(ctx, string(t), p, ready, func(conn net.Conn) { echoFrames(conn, p.MaxSize) })
}

// makeRoom asks for a send buffer that takes a whole message, as the writer otherwise waits for the reader several times in each. The
// kernel gives what net.core.wmem_max allows; an error leaves the default, which is right for short messages. A TCP socket's buffers grow
// by themselves, and further, as long as nobody sets their size.
func makeRoom(conn net.Conn, maxSize int) {
	if unix, ok := conn.(*net.UnixConn); ok && maxSize > roomyFrom {
		_ = unix.SetWriteBuffer(2 * maxSize)
	}
}

// echoFrames sends back what it receives until the connection ends or breaks the framing. The client sees either as a closed connection.
func echoFrames(conn net.Conn, maxSize int) {
	makeRoom(conn, maxSize)
	reader := bufio.NewReaderSize(conn, socketBuffer)
	writer := newFrameWriter(conn, reader)
	frame := make([]byte, frameHeader, frameHeader+socketBuffer)
	for {
		if _, err := io.ReadFull(reader, frame[:frameHeader]); err != nil {
			return
		}
		length := binary.LittleEndian.Uint32(frame)
		if uint64(length) > uint64(maxSize) {
			return
		}
		size := frameHeader + int(length)
		frame = slices.Grow(frame[:frameHeader], size-frameHeader)[:size]
		if _, err := io.ReadFull(reader, frame[frameHeader:]); err != nil {
			return
		}
		if err := writer.write(frame); err != nil {
			return
		}
	}
}

func (t stream) Connect(ctx context.Context, p Params, size, callers int) (Session, error) {
	s := make(streamSession, 0, callers)
	for range callers {
		conn, err := dialSocket(ctx, string(t), p)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		makeRoom(conn, p.MaxSize)
		s = append(s, &streamCaller{conn: conn, reader: bufio.NewReaderSize(conn, socketBuffer), maxSize: p.MaxSize})
	}
	return s, nil
}

type streamSession []*streamCaller

func (s streamSession) Caller(i int) Caller { return s[i] }

func (s streamSession) Interrupt() {
	for _, c := range s {
		// An error means that the connection is closed: calls fail as they should.
		_ = c.conn.SetDeadline(time.Unix(1, 0))
	}
}

func (s streamSession) Close() error {
	var failed error
	for _, c := range s {
		failed = errors.Join(failed, c.conn.Close())
	}
	return failed
}

// streamCaller is one connection. Its buffers are reused from call to call.
type streamCaller struct {
	conn    net.Conn
	reader  *bufio.Reader
	maxSize int
	frame   []byte            // header, and payload if short
	header  [frameHeader]byte // of the reply
	parts   [2][]byte
	gather  net.Buffers // parts[:]; WriteTo consumes it
}

func (c *streamCaller) Call(buffer, request []byte) ([]byte, error) {
	if err := c.send(request); err != nil {
		return buffer, fmt.Errorf("send: %w", err)
	}
	return c.receive(buffer)
}

// receive returns the next reply, in the memory of buffer if it has room.
func (c *streamCaller) receive(buffer []byte) ([]byte, error) {
	if _, err := io.ReadFull(c.reader, c.header[:]); err != nil {
		return buffer, fmt.Errorf("receive: %w", err)
	}
	length := binary.LittleEndian.Uint32(c.header[:])
	if uint64(length) > uint64(c.maxSize) {
		return buffer, fmt.Errorf("receive: a frame of %d bytes, longer than any sent", length)
	}
	buffer = slices.Grow(buffer[:0], int(length))[:length]
	if _, err := io.ReadFull(c.reader, buffer); err != nil {
		return buffer, fmt.Errorf("receive: %w", err)
	}
	return buffer, nil
}

func (c *streamCaller) send(request []byte) error {
	c.frame = binary.LittleEndian.AppendUint32(c.frame[:0], uint32(len(request)))
	if len(request) < gatherFrom {
		c.frame = append(c.frame, request...)
		_, err := c.conn.Write(c.frame)
		return err
	}
	c.parts = [2][]byte{c.frame, request}
	c.gather = c.parts[:]
	_, err := c.gather.WriteTo(c.conn)
	return err
}
