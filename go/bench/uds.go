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

// uds is the Unix stream socket, used as well as Go's net package allows.
type uds struct{}

func (uds) name() string         { return "uds" }
func (uds) payload(size int) int { return size }

func (uds) serve(ctx context.Context, p peerParams, ready func() error) error {
	return serveSocket(ctx, p, ready, func(conn *net.UnixConn) { echoFrames(conn, p.MaxSize) })
}

// makeRoom asks for a send buffer that takes a whole message, as the writer otherwise waits for the reader several times in each. The
// kernel gives what net.core.wmem_max allows; an error leaves the default, which is right for short messages.
func makeRoom(conn *net.UnixConn, maxSize int) {
	if maxSize > roomyFrom {
		_ = conn.SetWriteBuffer(2 * maxSize)
	}
}

// echoFrames sends back what it receives until the connection ends or breaks the framing. The client sees either as a closed connection.
func echoFrames(conn *net.UnixConn, maxSize int) {
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

func (uds) connect(ctx context.Context, p peerParams, size, callers int) (session, error) {
	s := make(udsSession, 0, callers)
	for range callers {
		conn, err := dialSocket(ctx, p)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		makeRoom(conn, p.MaxSize)
		s = append(s, &udsCaller{conn: conn, reader: bufio.NewReaderSize(conn, socketBuffer), maxSize: p.MaxSize})
	}
	return s, nil
}

type udsSession []*udsCaller

func (s udsSession) caller(i int) caller { return s[i] }

func (s udsSession) interrupt() {
	for _, c := range s {
		// An error means that the connection is closed: calls fail as they should.
		_ = c.conn.SetDeadline(time.Unix(1, 0))
	}
}

func (s udsSession) close() error {
	var failed error
	for _, c := range s {
		failed = errors.Join(failed, c.conn.Close())
	}
	return failed
}

// udsCaller is one connection. Its buffers are reused from call to call.
type udsCaller struct {
	conn    *net.UnixConn
	reader  *bufio.Reader
	maxSize int
	frame   []byte            // header, and payload if short
	header  [frameHeader]byte // of the reply
	parts   [2][]byte
	gather  net.Buffers // parts[:]; WriteTo consumes it
}

func (c *udsCaller) call(buffer, request []byte) ([]byte, error) {
	if err := c.send(request); err != nil {
		return buffer, fmt.Errorf("send: %w", err)
	}
	return c.receive(buffer)
}

// receive returns the next reply, in the memory of buffer if it has room.
func (c *udsCaller) receive(buffer []byte) ([]byte, error) {
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

func (c *udsCaller) send(request []byte) error {
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
