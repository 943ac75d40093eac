package nanorpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

func TestMaxConcurrency(t *testing.T) {
	const limit = 3
	srv, where, _ := startServer(t, nanorpc.WithMaxConcurrency(limit))
	var running, most atomic.Int32
	entered, release := make(chan struct{}, 1000), make(chan struct{})
	err := srv.Handle("count", func(context.Context, []byte) ([]byte, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		entered <- struct{}{}
		<-release
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var calls []*nanorpc.Call
	for range 4 {
		client := dial(t, where)
		for range 20 {
			calls = append(calls, client.Go(context.Background(), "count", nil))
		}
	}
	for range limit {
		<-entered
	}
	// All places are taken: a deadline holds for a call that waits for one. What every server has answers all the same, and says how busy it is. Calls that gave up are counted,
	// when the server has noticed; but one whose deadline has passed before it is published never comes to the server.
	late, asking := dial(t, where), dial(t, where)
	eventually(t, "a call that gave up while it waited is counted as refused", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if _, err := late.Call(ctx, "echo", nil); !errors.Is(err, nanorpc.ErrDeadlineExceeded) {
			t.Errorf("a call beyond the limit: %v", err)
		}
		s, err := asking.Stats(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		refused := uint64(0)
		for _, c := range s.Connections {
			refused += c.Refused
		}
		return refused > 0
	})
	close(release)
	for _, call := range calls {
		if _, err := call.Result(); err != nil {
			t.Error(err)
		}
	}
	if most.Load() != limit {
		t.Errorf("%d handlers ran at once", most.Load())
	}
	mustEcho(t, dial(t, where), []byte("go on"))
	if err := nanorpc.NewServer("x", where, nanorpc.WithMaxConcurrency(-1)).Listen(); !errors.Is(err, nanorpc.ErrInvalidOption) {
		t.Error(err)
	}
}

func TestInterceptors(t *testing.T) {
	var mu sync.Mutex
	var log []string
	note := func(format string, a ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, a...))
	}
	type key struct{}
	outer := func(ctx context.Context, call nanorpc.CallInfo, next func(context.Context) error) error {
		err := next(context.WithValue(ctx, key{}, "from outside"))
		note("%s of %d bytes from a process: %v, %v", call.Method, call.RequestBytes, call.PeerPID > 0, err)
		return err
	}
	refused := errors.New("not on Sundays")
	inner := func(ctx context.Context, call nanorpc.CallInfo, next func(context.Context) error) error {
		if call.Method == "forbidden" {
			return refused
		}
		if err := next(ctx); err != nil {
			return fmt.Errorf("inside: %w", err)
		}
		if call.Method == "raw-veto" {
			return refused
		}
		return nil
	}
	srv, where, _ := startServer(t, nanorpc.WithInterceptors(outer, inner))
	err := errors.Join(
		srv.Handle("value", func(ctx context.Context, _ []byte) ([]byte, error) { return []byte(ctx.Value(key{}).(string)), nil }),
		srv.Handle("forbidden", func(context.Context, []byte) ([]byte, error) {
			t.Error("a forbidden handler ran")
			return nil, nil
		}),
		srv.HandleRaw("raw-veto", func(_ context.Context, x *nanorpc.Exchange) error {
			_, err := x.Reply(5000)
			return err
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	for _, test := range []struct{ method, reply, failure string }{
		{"value", "from outside", ""},
		{"forbidden", "", "not on Sundays"},
		{"raw-veto", "", "not on Sundays"},
		{"fail", "", "inside: xyz"},
	} {
		reply, err := client.Call(context.Background(), test.method, []byte("xyz"))
		var remote *nanorpc.RemoteError
		switch {
		case test.failure == "" && (err != nil || string(reply) != test.reply):
			t.Errorf("%s: %q, %v", test.method, reply, err)
		case test.failure != "" && (!errors.As(err, &remote) || remote.Message != test.failure):
			t.Errorf("%s: %v", test.method, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(log) != 4 || log[0] != "value of 3 bytes from a process: true, <nil>" || !strings.HasSuffix(log[1], "not on Sundays") {
		t.Errorf("%q", log)
	}
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	var log lockedBuffer
	_, where, _ := startServer(t, nanorpc.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	client := dial(t, where)
	var remote *nanorpc.RemoteError
	if _, err := client.Call(context.Background(), "panic", []byte("at the disco")); !errors.As(err, &remote) || !strings.Contains(remote.Message, "at the disco") {
		t.Error(err)
	}
	mustEcho(t, client, []byte("go on"))
	for _, want := range []string{"handler panicked", "at the disco", "newTestServer", "pid="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, log.String())
		}
	}
}
