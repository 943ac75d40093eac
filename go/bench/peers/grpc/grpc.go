package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"

	"nanorpc/go/bench"
)

const echoMethod = "/bench.Echo/Echo"

// grpcTransport is gRPC's unary call over a Unix socket, with one connection for all callers. The payload is the message: rawCodec takes the
// place of protobuf, which would copy it once more at both ends.
//
// What is left as it is by default, as with one call at a time the other way made no difference that could be told from noise, from 64 B to 16 MiB:
// the windows of flow control, which grow with what a connection carries (InitialWindowSize of 64 MiB), the socket's buffers of 32 KiB
// (WriteBufferSize and ReadBufferSize of 1 MiB), and a goroutine for each call of a server (NumStreamWorkers of 2). A stream that stays open would
// spare a call its headers, but then it is no call: deadlines, errors and the pairing of replies would be the program's own. Several connections
// raise the throughput of many callers where there are many CPUs.
type grpcTransport struct{}

func (grpcTransport) Name() string { return "grpc" }

func (grpcTransport) Serve(ctx context.Context, p bench.Params, ready func() error) error {
	listener, err := net.Listen("unix", socketPath(p))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.MaxRecvMsgSize(p.MaxSize))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: echo}},
	}, nil)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	if err := ready(); err != nil {
		return err
	}
	return server.Serve(listener) // nil after Stop
}

// echo is what protoc generates for a method, with the method in its place.
func echo(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var payload []byte
	if err := decode(&payload); err != nil {
		return nil, err
	}
	return &payload, nil
}

func (grpcTransport) Connect(ctx context.Context, p bench.Params, _, _ int) (bench.Session, error) {
	conn, err := grpc.NewClient("unix:"+socketPath(p),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(p.MaxSize)))
	if err != nil {
		return nil, err
	}
	s := &grpcSession{conn: conn, shut: sync.OnceValue(conn.Close)}
	var nothing []byte
	if err := conn.Invoke(ctx, echoMethod, &nothing, &nothing, grpc.WaitForReady(true)); err != nil {
		s.Interrupt()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return s, nil
}

func socketPath(p bench.Params) string { return filepath.Join(p.Directory, "grpc.sock") }

// grpcSession is its own caller: a connection is safe for concurrent use.
type grpcSession struct {
	conn *grpc.ClientConn
	shut func() error
}

func (s *grpcSession) Caller(int) bench.Caller { return s }
func (s *grpcSession) Interrupt()              { _ = s.shut() } // Close reports its error
func (s *grpcSession) Close() error            { return s.shut() }

func (s *grpcSession) Call(buffer, request []byte) ([]byte, error) {
	reply := buffer
	err := s.conn.Invoke(context.Background(), echoMethod, &request, &reply)
	return reply, err
}

// rawCodec sends a *[]byte as it is, and receives into its memory if that has room.
type rawCodec struct{}

func (rawCodec) Name() string { return "raw" }

func (rawCodec) Marshal(message any) (mem.BufferSlice, error) {
	payload, ok := message.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("a message of type %T", message)
	}
	return mem.BufferSlice{mem.SliceBuffer(*payload)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, message any) error {
	payload, ok := message.(*[]byte)
	if !ok {
		return fmt.Errorf("a message of type %T", message)
	}
	if cap(*payload) < data.Len() {
		*payload = make([]byte, data.Len())
	}
	*payload = (*payload)[:data.Len()]
	data.CopyTo(*payload)
	return nil
}
