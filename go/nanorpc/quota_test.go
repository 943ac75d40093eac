package nanorpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"nanorpc/go/nanorpc"
)

// A user has so many connections, and another one for each that ends; the ones that it has are served on.
func TestMaxConnectionsPerUser(t *testing.T) {
	const most = 5
	_, where, _ := startServer(t, nanorpc.WithMaxConnectionsPerUser(most))
	var clients []*nanorpc.Client
	for range most {
		clients = append(clients, dial(t, where))
	}
	for range 20 {
		_, err := nanorpc.Dial(context.Background(), service, where)
		if !errors.Is(err, nanorpc.ErrExhausted) || !strings.Contains(err.Error(), "has 5 connections") {
			t.Fatalf("a sixth connection: %v", err)
		}
	}
	for _, client := range clients {
		mustEcho(t, client, make([]byte, 100_000))
	}
	clients[2].Close()
	eventually(t, "another one can connect", func() bool {
		client, err := nanorpc.Dial(context.Background(), service, where)
		if err == nil {
			mustEcho(t, client, []byte("in its place"))
			client.Close()
		}
		return err == nil
	})
}

// What other users have by default, this one has not.
func TestOwnUserHasNoQuota(t *testing.T) {
	_, where, _ := startServer(t)
	for range nanorpc.DefaultMaxConnectionsPerUser + 10 {
		dial(t, where)
	}
}

// Another user has its own quota: it has no more, and takes nothing from this one.
func TestQuotaOfOthers(t *testing.T) {
	binary, dir := needRoot(t)
	where := nanorpc.WithDirectory(dir)
	srv, err := newTestServer(where, nanorpc.AllowUID(foreignUID))
	if err != nil {
		t.Fatal(err)
	}
	serveUntilEnd(t, srv)
	hoarder := startRole(t, "hoarder", dir, as(binary, foreignUID))
	if line, err := hoarder.stdout.ReadString('\n'); err != nil || line != "256 connections\n" {
		t.Fatalf("%q, %v", line, err)
	}
	for range 20 {
		mustEcho(t, dial(t, where), []byte("hello"))
	}
	hoarder.kill(t)
	again := startRole(t, "hoarder", dir, as(binary, foreignUID))
	if line, err := again.stdout.ReadString('\n'); err != nil || line != "256 connections\n" {
		t.Fatalf("after the first was killed: %q, %v", line, err)
	}
}

// hoardConnections connects until it is refused, and keeps what it has.
func hoardConnections(where nanorpc.Option) error {
	ready()
	var clients []*nanorpc.Client
	for {
		client, err := nanorpc.Dial(context.Background(), service, where, nanorpc.WithServerUID(0))
		if errors.Is(err, nanorpc.ErrExhausted) && strings.Contains(err.Error(), "user 54321") {
			break
		}
		if err != nil {
			return err
		}
		clients = append(clients, client)
	}
	fmt.Printf("%d connections\n", len(clients))
	<-make(chan struct{})
	return nil
}

// A connection has so many of the server's places for handlers. Its further calls wait, and keep those on other connections from nothing; deadlines and cancellation hold.
func TestMaxConcurrencyPerConnection(t *testing.T) {
	const total, each, calls = 4, 2, 60
	srv, where, _ := startServer(t, nanorpc.WithMaxConcurrency(total), nanorpc.WithMaxConcurrencyPerConnection(each))
	var running, most, served atomic.Int32
	end := make(chan struct{})
	if err := srv.Handle("busy", func(context.Context, []byte) ([]byte, error) {
		now := running.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		<-end
		running.Add(-1)
		served.Add(1)
		return nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	greedy, other := dial(t, where), dial(t, where)
	var waiting []*nanorpc.Call
	for range calls {
		waiting = append(waiting, greedy.Go(context.Background(), "busy", nil))
	}
	eventually(t, "both places are taken", func() bool { return running.Load() == each })
	for range 100 {
		mustEcho(t, other, []byte("beside it"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	given := greedy.Go(ctx, "busy", nil)
	cancel()
	if _, err := given.Result(); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that waited for a place: %v", err)
	}
	if n := most.Load(); n != each {
		t.Errorf("%d handlers ran at once", n)
	}
	close(end)
	for _, call := range waiting {
		if _, err := call.Result(); err != nil {
			t.Error(err)
		}
	}
	if n := served.Load(); n != calls {
		t.Errorf("%d calls of %d were run", n, calls)
	}
}
