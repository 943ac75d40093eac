package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"nanorpc/go/internal/futex"
	"nanorpc/go/nanorpc"
)

const (
	echoService = "bench"
	echoMethod  = "echo"
	clientCalls = 256 // of one client are in flight at most: see nanorpc.Client
)

// nanoRPC is the public API of package nanorpc.
type nanoRPC struct{ policy string } // at both ends; "": the run's

func (t nanoRPC) Name() string {
	if t.policy != "" {
		return "nanorpc-" + t.policy
	}
	return "nanorpc"
}

func (t nanoRPC) polls(spin string) bool { return cmp.Or(t.policy, spin) == futex.Busy.String() }

func (t nanoRPC) Serve(ctx context.Context, p Params, ready func() error) error {
	spin, err := nanorpc.ParseSpinPolicy(cmp.Or(t.policy, p.Spin))
	if err != nil {
		return err
	}
	// Every call in flight has a block of the next power of two.
	block := 1 << bits.Len(uint(max(p.MaxSize, 4096)-1))
	server := nanorpc.NewServer(echoService,
		nanorpc.WithDirectory(p.Directory),
		nanorpc.WithSpin(spin),
		nanorpc.WithMaxPayload(max(p.MaxSize, 1)),
		nanorpc.WithArena(max(block*min(p.Inflight, clientCalls), nanorpc.DefaultArena)))
	if err := errors.Join(server.Handle(echoMethod, echo), server.HandleRaw(stampMethod, stamp)); err != nil {
		return fmt.Errorf("register the methods: %w", err)
	}
	if err := server.Listen(); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := ready(); err != nil {
		return err
	}
	if err := server.Serve(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func echo(_ context.Context, request []byte) ([]byte, error) { return request, nil }

func (t nanoRPC) Connect(ctx context.Context, p Params, _, _ int) (Session, error) {
	spin, err := nanorpc.ParseSpinPolicy(cmp.Or(t.policy, p.Spin))
	if err != nil {
		return nil, err
	}
	dial := func() (*nanorpc.Client, error) {
		client, err := nanorpc.Dial(ctx, echoService, nanorpc.WithDirectory(p.Directory), nanorpc.WithSpin(spin))
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		return client, nil
	}
	var idle []*nanorpc.Client
	closeIdle := func() {
		for _, c := range idle {
			_ = c.Close() // always nil
		}
	}
	for range p.Idle {
		client, err := dial()
		if err == nil {
			idle = append(idle, client)
			_, err = client.Call(ctx, echoMethod, nil)
		}
		if err != nil {
			closeIdle()
			return nil, fmt.Errorf("idle connection %d of %d: %w", len(idle), p.Idle, err)
		}
	}
	client, err := dial()
	if err != nil {
		closeIdle()
		return nil, err
	}
	return &nanoSession{client: client, closeIdle: closeIdle, shut: sync.OnceValue(client.Close)}, nil
}

// nanoSession is its own caller, as the client is safe for concurrent use.
type nanoSession struct {
	client    *nanorpc.Client
	closeIdle func()
	shut      func() error
}

func (s *nanoSession) Caller(int) Caller { return s }
func (s *nanoSession) Interrupt()        { _ = s.shut() } // close reports its error

func (s *nanoSession) Close() error {
	s.closeIdle()
	return s.shut()
}

func (s *nanoSession) Call(buffer, request []byte) ([]byte, error) {
	// The context never ends: closing the client is what interrupts a call.
	return s.client.AppendCall(context.Background(), buffer[:0], echoMethod, request)
}
