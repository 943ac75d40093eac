package nanorpc_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

func TestServerKilledWithCallsInFlight(t *testing.T) {
	mustLeaveNothing(t)
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	server := startRole(t, "server", dir)
	client := dial(t, where)

	type outcome struct {
		err error
		at  time.Time
	}
	outcomes := make(chan outcome)
	call := func(method string, payload []byte, repeat bool) {
		for {
			_, err := client.Call(context.Background(), method, payload)
			if err != nil || !repeat {
				outcomes <- outcome{err, time.Now()}
				return
			}
		}
	}
	const sleepers, callers = 8, 4
	for range sleepers {
		go call("sleep", []byte("3600000"), false)
	}
	for i := range callers {
		go call("echo", make([]byte, 100*i*i*i), true)
	}
	for range 100 {
		mustEcho(t, client, []byte("all are in flight"))
	}

	killed := time.Now()
	server.kill(t)
	var last time.Duration
	for range sleepers + callers {
		select {
		case o := <-outcomes:
			if !errors.Is(o.err, nanorpc.ErrServerGone) {
				t.Errorf("a call in flight ended with %v", o.err)
			}
			last = max(last, o.at.Sub(killed))
		case <-time.After(patience):
			t.Fatal("calls hang after the server was killed")
		}
	}
	t.Logf("the last caller had its error %v after the kill", last)

	if _, err := client.Call(context.Background(), "echo", nil); !errors.Is(err, nanorpc.ErrServerGone) {
		t.Errorf("a later call: %v", err)
	}
	if _, err := nanorpc.Dial(context.Background(), service, where); !errors.Is(err, nanorpc.ErrServerNotFound) {
		t.Errorf("dial after the kill: %v", err)
	}
	if names, err := nanorpc.Services(where); err != nil || len(names) > 0 {
		t.Errorf("services after the kill: %v, %v", names, err)
	}

	// The dead server's socket does not stop the next one.
	startRole(t, "server", dir)
	mustEcho(t, dial(t, where), []byte("again"))
}

func TestClientKilledWithCallsInFlight(t *testing.T) {
	mustLeaveNothing(t)
	_, where, dir := startServer(t)
	other := dial(t, where)
	mustEcho(t, other, nil)
	before := segments(t)
	for range 3 {
		client := startRole(t, "calls", dir)
		mustEcho(t, other, []byte("before"))
		client.kill(t)
		mustEcho(t, other, make([]byte, 1_000_000))
	}
	// The dead clients' handlers that wait see their contexts end.
	eventually(t, "the dead clients' segments are unmapped", func() bool { return segments(t) == before })
}

// TestKilledAnywhere kills clients that connect, call and close, at moments that differ from run to run.
func TestKilledAnywhere(t *testing.T) {
	mustLeaveNothing(t)
	_, where, dir := startServer(t)
	other := dial(t, where)
	mustEcho(t, other, nil)
	before := segments(t)
	for range 20 {
		client := startRole(t, "connections", dir)
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		client.kill(t)
		mustEcho(t, other, []byte("still there"))
	}
	eventually(t, "the dead clients' segments are unmapped", func() bool { return segments(t) == before })
}

func TestServerKilledAnywhere(t *testing.T) {
	mustLeaveNothing(t)
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	for range 10 {
		server := startRole(t, "server", dir)
		ended := make(chan error)
		go func() {
			for {
				client, err := nanorpc.Dial(context.Background(), service, where)
				if err == nil {
					_, err = client.Call(context.Background(), "echo", make([]byte, 1000))
					client.Close()
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}()
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		server.kill(t)
		select {
		case err := <-ended:
			// A server that dies within the handshake has sent no welcome.
			if !errors.Is(err, nanorpc.ErrServerGone) && !errors.Is(err, nanorpc.ErrServerNotFound) {
				t.Errorf("the server was killed: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("a client hangs after the server was killed")
		}
	}
}
