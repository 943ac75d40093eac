package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"

	"nanorpc/go/nanorpc"
)

// manyCaller is a caller that makes several calls at once, and returns when all are answered.
type manyCaller interface {
	Caller
	// callMany calls echo with each request.
	callMany(requests [][]byte) error
	// reply returns the reply to the i-th request of the last callMany, valid until the next.
	reply(i int) []byte
}

// nanoBatch is package nanorpc's batches: one caller, with as many calls in a batch as are to be in flight.
type nanoBatch struct{ nanoRPC }

func (nanoBatch) Name() string { return "nanorpc-batch" }

func (t nanoBatch) Connect(ctx context.Context, p Params, size, callers int) (Session, error) {
	s, err := t.nanoRPC.Connect(ctx, p, size, callers)
	if err != nil {
		return nil, err
	}
	single := s.(*nanoSession)
	return &nanoBatchSession{nanoSession: single, batch: single.client.NewBatch()}, nil
}

type nanoBatchSession struct {
	*nanoSession
	batch *nanorpc.Batch
}

func (s *nanoBatchSession) Caller(int) Caller { return s }

func (s *nanoBatchSession) callMany(requests [][]byte) error {
	s.batch.Reset()
	for _, request := range requests {
		s.batch.Add(echoMethod, request)
	}
	return s.batch.Do(context.Background())
}

func (s *nanoBatchSession) reply(i int) []byte {
	reply, _ := s.batch.Reply(i) // callMany has returned the first error
	return reply
}

// udsBatch is a stream socket on which one caller sends all requests that are to be in flight with one write, and then reads the replies.
type udsBatch struct{ stream }

func (udsBatch) Name() string { return "uds-batch" }

func (t udsBatch) Connect(ctx context.Context, p Params, size, _ int) (Session, error) {
	s, err := t.stream.Connect(ctx, p, size, 1)
	if err != nil {
		return nil, err
	}
	single := s.(streamSession)
	single[0].reader = bufio.NewReaderSize(single[0].conn, batchBuffer)
	return &udsBatchSession{streamSession: single, one: single[0]}, nil
}

// batchBuffer holds a batch of short messages.
const batchBuffer = 64 << 10

type udsBatchSession struct {
	streamSession
	one     *streamCaller
	frames  []byte
	replies [][]byte
}

func (s *udsBatchSession) Caller(int) Caller { return s }

func (s *udsBatchSession) Call(buffer, request []byte) ([]byte, error) {
	return s.one.Call(buffer, request)
}

func (s *udsBatchSession) callMany(requests [][]byte) error {
	s.frames = s.frames[:0]
	for _, request := range requests {
		s.frames = binary.LittleEndian.AppendUint32(s.frames, uint32(len(request)))
		s.frames = append(s.frames, request...)
	}
	// A long batch is more than the socket's buffers hold: the peer's replies must be read while it is being sent.
	sent := make(chan error, 1)
	if len(s.frames) <= batchBuffer {
		_, err := s.one.conn.Write(s.frames)
		sent <- err
	} else {
		go func() {
			_, err := s.one.conn.Write(s.frames)
			sent <- err
		}()
	}
	s.replies = slices.Grow(s.replies[:0], len(requests))[:len(requests)]
	for i := range s.replies {
		reply, err := s.one.receive(s.replies[i])
		if err != nil {
			return err
		}
		s.replies[i] = reply
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

func (s *udsBatchSession) reply(i int) []byte { return s.replies[i] }

// frameWriter collects short replies and sends them when no further request is at hand.
type frameWriter struct {
	reader *bufio.Reader
	writer *bufio.Writer
}

func newFrameWriter(conn net.Conn, reader *bufio.Reader) frameWriter {
	return frameWriter{reader: reader, writer: bufio.NewWriterSize(conn, socketBuffer)}
}

func (w frameWriter) write(frame []byte) error {
	if _, err := w.writer.Write(frame); err != nil {
		return err
	}
	if w.reader.Buffered() >= frameHeader {
		return nil
	}
	return w.writer.Flush()
}
