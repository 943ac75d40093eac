package nanorpc_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// each makes a call in each of the ways that a client has, and returns what came of them.
func eachWay(ctx context.Context, client *nanorpc.Client) []error {
	request := []byte("hello")
	_, call := client.Call(ctx, "echo", request)
	_, async := client.Go(ctx, "echo", request).Result()
	batch := client.NewBatch()
	for range 3 {
		batch.Add("echo", request)
	}
	together := batch.Do(ctx)
	lease, leased := client.CallLease(ctx, "echo", make([]byte, 100_000))
	lease.Release()
	loan, lent := client.Loan(ctx, 100_000)
	if lent == nil {
		var reply nanorpc.Lease
		reply, lent = loan.Call(ctx, "echo")
		reply.Release()
	}
	return []error{call, async, together, leased, lent}
}

// A client that was asked to goes on with the next server, in each of its ways to call; what was in flight fails. One that was not has lost its server for good.
func TestReconnect(t *testing.T) {
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	server := startRole(t, "server", dir)
	client, other := dial(t, where, nanorpc.WithReconnect(patience)), dial(t, where)
	kept, err := client.Loan(context.Background(), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for way := range eachWay(context.Background(), client) {
		inFlight := client.Go(context.Background(), "wait", nil)
		eventually(t, "the call is in flight", func() bool {
			s, err := other.Stats(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range s.Methods {
				if m.Name == "wait" {
					return m.InFlight == 1
				}
			}
			return false
		})
		server.kill(t)
		if _, err := inFlight.Result(); !errors.Is(err, nanorpc.ErrServerGone) {
			t.Errorf("a call in flight: %v", err)
		}
		for _, err := range eachWay(context.Background(), other) {
			if !errors.Is(err, nanorpc.ErrServerGone) {
				t.Errorf("without reconnection: %v", err)
			}
		}
		other.Close()
		came := make(chan error)
		go func() { came <- eachWay(context.Background(), client)[way] }() // it waits
		server = startRole(t, "server", dir)
		if err := <-came; err != nil {
			t.Errorf("way %d: %v", way, err)
		}
		other = dial(t, where)
	}
	for way, err := range eachWay(context.Background(), client) {
		if err != nil {
			t.Errorf("way %d: %v", way, err)
		}
	}
	// What belongs to the first connection ends with it.
	if len(kept.Bytes()) != 100_000 {
		t.Errorf("a loan has %d bytes", len(kept.Bytes()))
	}
	if _, err := kept.Call(context.Background(), "echo"); !errors.Is(err, nanorpc.ErrServerGone) {
		t.Errorf("a loan of another connection: %v", err)
	}
}

// Who waits for a server waits until the deadline, or as long as the client's patience says, or until the client is closed.
func TestReconnectGivesUp(t *testing.T) {
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	server := startRole(t, "server", dir)
	hasty, patient := dial(t, where, nanorpc.WithReconnect(time.Millisecond)), dial(t, where, nanorpc.WithReconnect(time.Hour))
	server.kill(t)
	for _, client := range []*nanorpc.Client{hasty, patient} { // a call that is made before the news has come is lost
		soon, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, _ = client.Call(soon, "echo", nil)
		cancel()
	}
	for way, err := range eachWay(context.Background(), hasty) {
		if !errors.Is(err, nanorpc.ErrServerGone) || !strings.Contains(err.Error(), "no other for 1ms") {
			t.Errorf("way %d, out of patience: %v", way, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	for way, err := range eachWay(ctx, patient) {
		if !errors.Is(err, nanorpc.ErrDeadlineExceeded) {
			t.Errorf("way %d, after its deadline: %v", way, err)
		}
	}
	stopped, stop := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, stop)
	if _, err := patient.Call(stopped, "echo", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	var waiting sync.WaitGroup
	for range 20 {
		waiting.Go(func() {
			for way, err := range eachWay(context.Background(), patient) {
				if !errors.Is(err, nanorpc.ErrClientClosed) {
					t.Errorf("way %d, closed: %v", way, err)
				}
			}
		})
	}
	time.Sleep(10 * time.Millisecond)
	patient.Close()
	waiting.Wait()
	if _, err := nanorpc.Dial(context.Background(), service, where, nanorpc.WithReconnect(time.Hour)); !errors.Is(err, nanorpc.ErrServerNotFound) {
		t.Errorf("dialling waits for no server: %v", err)
	}
	if _, err := nanorpc.Dial(context.Background(), service, where, nanorpc.WithReconnect(-1)); !errors.Is(err, nanorpc.ErrInvalidOption) {
		t.Error(err)
	}
}

// Many callers of one client go on together, on one new connection.
func TestCallersReconnectTogether(t *testing.T) {
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	server := startRole(t, "server", dir)
	client := dial(t, where, nanorpc.WithReconnect(patience))
	server.kill(t)
	var waiting sync.WaitGroup
	for range 50 {
		waiting.Go(func() {
			if _, err := client.Call(context.Background(), "echo", []byte("hello")); err != nil {
				t.Error(err)
			}
		})
	}
	startRole(t, "server", dir)
	waiting.Wait()
	s, err := client.Stats(context.Background())
	if err != nil || s.Connected != 1 {
		t.Errorf("%d connections, %v", s.Connected, err)
	}
}
