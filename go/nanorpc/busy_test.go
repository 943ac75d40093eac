package nanorpc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

// TestBusyClients has more clients call at once than may be waited for by spinning, so that one leader serves several connections. Some call all the time, some with
// pauses longer than a connection is polled for; connections come and go; a handler is slow now and then; and at the end the server shuts down while all call.
func TestBusyClients(t *testing.T) {
	srv, where, _ := startServer(t)
	const clients = 16
	ctx := context.Background()
	var running, ending sync.WaitGroup
	for i := range clients {
		running.Add(1)
		ending.Go(func() {
			client := dial(t, where)
			request := make([]byte, 8)
			call := func(n uint64) error {
				binary.LittleEndian.PutUint64(request, n)
				reply, err := client.Call(ctx, "echo", request)
				if err == nil && binary.LittleEndian.Uint64(reply) != n {
					t.Errorf("client %d: reply %x to request %d", i, reply, n)
				}
				return err
			}
			for n := range uint64(4000) {
				if err := call(uint64(i)<<32 | n); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
				switch {
				case n%1000 == 999 && i%4 == 0:
					_ = client.Close()
					client = dial(t, where)
				case n%400 == 0 && i%4 == 1:
					time.Sleep(6 * time.Millisecond)
				case n%500 == 0 && i%4 == 2:
					if _, err := client.Call(ctx, "sleep", []byte("2")); err != nil {
						t.Errorf("client %d: %v", i, err)
					}
				}
			}
			running.Done()
			for {
				if err := call(1); err != nil {
					if !errors.Is(err, nanorpc.ErrServerGone) {
						t.Errorf("client %d at the server's end: %v", i, err)
					}
					return
				}
			}
		})
	}
	running.Wait()
	if echo := method(srv.Stats(), "echo"); echo.Calls < clients*(4000-64) { // each connection may keep 63 to itself
		t.Errorf("%d calls are counted", echo.Calls)
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := srv.Shutdown(bounded); err != nil {
		t.Error(err)
	}
	ending.Wait()
}
