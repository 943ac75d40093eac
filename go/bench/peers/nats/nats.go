package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"nanorpc/go/bench"
)

const (
	echoSubject = "echo"
	startTime   = 30 * time.Second // for a server to listen, on a loaded machine
)

// natsTransport is NATS's request and reply over TCP on the loopback interface, with one connection for all callers. The NATS server and the
// responder share a process, in which they are connected without a socket: where the NATS server runs by itself, as it usually does, a call
// takes two more hops.
//
// The callers have the server's package in them as well, and with it the clock by which that reads its CPU time every second: what an idle one takes is that, and a program with the client
// alone would not.
//
// What is left as it is by default: requests of all callers share an inbox, and what they send is flushed as soon as the writer comes to it. Several connections, and several responders in a queue group, raise the throughput of many callers
// where there are many CPUs.
type natsTransport struct{}

func (natsTransport) Name() string { return "nats" }

func (natsTransport) Serve(ctx context.Context, p bench.Params, ready func() error) error {
	payload := max(p.MaxSize, server.MAX_PAYLOAD_SIZE)
	broker, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		MaxPayload: int32(payload),
		// A connection for which more waits is cut off as too slow: all requests to the responder may be waiting.
		MaxPending:    max(server.MAX_PENDING_SIZE, 2*int64(payload)*int64(p.Inflight)*bench.MaxClients),
		WriteDeadline: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("make the NATS server: %w", err)
	}
	broker.Start()
	defer broker.WaitForShutdown()
	defer broker.Shutdown()
	if !broker.ReadyForConnections(startTime) {
		return errors.New("the NATS server does not listen")
	}
	responder, err := nats.Connect("", nats.InProcessServer(broker))
	if err != nil {
		return fmt.Errorf("connect the responder: %w", err)
	}
	defer responder.Close()
	echo, err := responder.Subscribe(echoSubject, func(request *nats.Msg) { _ = request.Respond(request.Data) }) // the caller sees that nothing comes
	if err != nil {
		return err
	}
	unlimited := -1
	if err := errors.Join(echo.SetPendingLimits(unlimited, unlimited), responder.Flush()); err != nil {
		return err
	}
	if err := os.WriteFile(urlPath(p), []byte(broker.ClientURL()), 0o600); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func urlPath(p bench.Params) string { return filepath.Join(p.Directory, "nats.url") }

func (natsTransport) Connect(_ context.Context, p bench.Params, size, callers int) (bench.Session, error) {
	url, err := os.ReadFile(urlPath(p))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	options := []nats.Option{nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { cancel(nats.ErrConnectionClosed) })}
	if size*callers > nats.DefaultSubPendingBytesLimit {
		// The shared inbox would drop replies, and its limit cannot be raised. With one for each request, a subscription more, there is room.
		options = append(options, nats.UseOldRequestStyle())
	}
	conn, err := nats.Connect(string(url), options...)
	if err != nil {
		cancel(err)
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &natsSession{conn: conn, ctx: ctx}, nil
}

// natsSession is its own caller: a connection is safe for concurrent use.
type natsSession struct {
	conn *nats.Conn
	ctx  context.Context // of all requests; done when the connection has ended
}

func (s *natsSession) Caller(int) bench.Caller { return s }
func (s *natsSession) Interrupt()              { s.conn.Close() }

func (s *natsSession) Close() error {
	s.conn.Close()
	return nil
}

// Call returns a reply in memory of its own, as the library makes it.
func (s *natsSession) Call(buffer, request []byte) ([]byte, error) {
	reply, err := s.conn.RequestWithContext(s.ctx, echoSubject, request)
	if s.ctx.Err() != nil {
		return buffer, context.Cause(s.ctx)
	}
	if err != nil {
		return buffer, err
	}
	return reply.Data, nil
}
