package nanorpc_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

func method(s nanorpc.Stats, name string) nanorpc.MethodStats {
	i := slices.IndexFunc(s.Methods, func(m nanorpc.MethodStats) bool { return m.Name == name })
	if i < 0 {
		return nanorpc.MethodStats{}
	}
	return s.Methods[i]
}

func sum(t nanorpc.Times) uint64 {
	n := uint64(0)
	for _, b := range t {
		n += b.Calls
	}
	return n
}

func TestStats(t *testing.T) {
	srv, where, _ := startServer(t)
	block, entered := make(chan struct{}), make(chan struct{}, 10)
	if err := srv.Handle("block", func(context.Context, []byte) ([]byte, error) {
		entered <- struct{}{}
		<-block
		return nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	client, other := dial(t, where), dial(t, where)
	const echoes, fails = 1000, 7
	for range echoes {
		mustEcho(t, client, make([]byte, 100))
	}
	for range fails {
		if _, err := client.Call(ctx, "fail", []byte("no")); err == nil {
			t.Fatal("fail does not fail")
		}
	}
	if _, err := client.Call(ctx, "no-such", nil); !errors.Is(err, nanorpc.ErrUnknownMethod) {
		t.Fatal(err)
	}
	for range 3 {
		mustEcho(t, other, nil)
	}
	if _, err := client.Call(ctx, "sleep", []byte("20")); err != nil {
		t.Fatal(err)
	}
	blocked := []*nanorpc.Call{client.Go(ctx, "block", nil), client.Go(ctx, "block", nil)}
	<-entered
	<-entered

	var s nanorpc.Stats
	eventually(t, "all calls are counted", func() bool {
		var err error
		if s, err = other.Stats(ctx); err != nil {
			t.Fatal(err)
		}
		return method(s, "echo").Calls == echoes+3
	})
	if echo := method(s, "echo"); echo.RequestBytes != 100*echoes || echo.ReplyBytes != 100*echoes || echo.Errors != 0 || echo.InFlight != 0 {
		t.Errorf("echo: %+v", echo)
	} else if timed := sum(echo.Times); timed == 0 || timed > echoes+3 {
		t.Errorf("of echo %d calls are timed", timed)
	}
	if fail := method(s, "fail"); fail.Calls != fails || fail.Errors != fails || fail.ReplyBytes != 2*fails {
		t.Errorf("fail: %+v", fail)
	}
	if sleep := method(s, "sleep"); sleep.Times.Percentile(50) < 20*time.Millisecond || sleep.Times.Percentile(100) > time.Minute {
		t.Errorf("sleep: %+v", sleep)
	}
	if block := method(s, "block"); block.InFlight != 2 || block.Calls != 0 {
		t.Errorf("block: %+v", block)
	}
	if s.Connected != 2 || len(s.Connections) != 2 {
		t.Fatalf("%d connections, %d listed", s.Connected, len(s.Connections))
	}
	busiest := s.Connections[0]
	if busiest.Calls != echoes+fails+1 || busiest.Errors != fails || busiest.InFlight != 2 || busiest.Refused != 1 || busiest.Memory < 8192 {
		t.Errorf("the busiest connection: %+v", busiest)
	}
	if busiest.SpinsPaid+busiest.Sleeps == 0 {
		t.Error("the server has waited for no call")
	}
	if s.Connections[1].InFlight < 1 { // the call of nanorpc.stats itself
		t.Errorf("the other connection: %+v", s.Connections[1])
	}
	close(block)
	for _, c := range blocked {
		if _, err := c.Result(); err != nil {
			t.Error(err)
		}
	}
	// What a connection has counted outlives it in its methods' counts.
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the closed connection goes", func() bool { return srv.Stats().Connected == 1 })
	if left := srv.Stats(); method(left, "echo").Calls != echoes+3 || method(left, "block").Calls != 2 {
		t.Errorf("after a connection has gone: %+v", left)
	}
}

func TestPercentile(t *testing.T) {
	times := nanorpc.Times{{Below: 10, Calls: 90}, {Below: 20, Calls: 9}, {Below: 1000, Calls: 1}}
	for p, want := range map[float64]time.Duration{0: 10, 50: 10, 90: 10, 91: 20, 99: 20, 99.5: 1000, 100: 1000} {
		if got := times.Percentile(p); got != want {
			t.Errorf("p%v is %v, want %v", p, got, want)
		}
	}
	if got := (nanorpc.Times)(nil).Percentile(50); got != 0 {
		t.Errorf("of no times it is %v", got)
	}
}
