package nanorpc_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// A client that has been closed is collected, also one that has had loans and leases.
func TestClosedClientsAreCollected(t *testing.T) {
	_, where, _ := startServer(t)
	const clients = 10
	var collected atomic.Int32
	for range clients {
		client, err := nanorpc.Dial(t.Context(), service, where)
		if err != nil {
			t.Fatal(err)
		}
		lease, err := client.CallLease(t.Context(), "echo", []byte("a lease"))
		if err != nil {
			t.Fatal(err)
		}
		lease.Release()
		runtime.AddCleanup(client, func(n *atomic.Int32) { n.Add(1) }, &collected)
		client.Close()
	}
	for end := time.Now().Add(10 * time.Second); collected.Load() < clients-1; time.Sleep(time.Millisecond) { // the last may still be in a register
		if runtime.GC(); time.Now().After(end) {
			t.Fatalf("%d of %d clients have been collected", collected.Load(), clients)
		}
	}
}
