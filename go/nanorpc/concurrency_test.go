package nanorpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

func TestClientsAndGoroutines(t *testing.T) {
	_, _, dir := startServer(t)
	var clients []*child
	for range 8 {
		clients = append(clients, startRole(t, "checksums", dir))
	}
	for _, c := range clients {
		if err := c.Wait(); err != nil {
			t.Errorf("%v: %s", err, c.stderr.String())
		}
	}
}

// TestMoreCallersThanSlots has callers queue for slots, small and large payloads mixed, with an arena that holds few of the large ones.
func TestMoreCallersThanSlots(t *testing.T) {
	_, where, _ := startServer(t, nanorpc.WithArena(1<<20), nanorpc.WithMaxPayload(1<<18))
	client := dial(t, where)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var callers sync.WaitGroup
	for i := range 300 {
		callers.Go(func() {
			payload := bytes.Repeat([]byte{byte(i)}, i*i%200_000)
			for range 20 {
				reply, err := client.Call(ctx, "echo", payload)
				if err != nil || !bytes.Equal(reply, payload) {
					t.Errorf("caller %d: %d bytes of %d, %v", i, len(reply), len(payload), err)
					return
				}
			}
		})
	}
	callers.Wait()
}

func TestSlowHandlerDoesNotHoldUpOthers(t *testing.T) {
	_, where, _ := startServer(t)
	client := dial(t, where)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var sleeping sync.WaitGroup
	defer sleeping.Wait()
	for range 10 {
		sleeping.Go(func() {
			if _, err := client.Call(ctx, "sleep", []byte("2000")); !errors.Is(err, context.Canceled) {
				t.Error("the sleepers ended before the echoes:", err)
			}
		})
	}
	for i := range 1000 {
		mustEcho(t, client, fmt.Appendf(nil, "echo %d beside sleepers", i))
	}
	cancel()
}

// TestQuickMethodThatTurnsSlow: the connection's leader runs a method that has always been quick, and must be relieved of it.
func TestQuickMethodThatTurnsSlow(t *testing.T) {
	srv, where, _ := startServer(t)
	release := make(chan struct{})
	var stuck sync.WaitGroup
	stuck.Add(1)
	err := srv.Handle("moody", func(_ context.Context, request []byte) ([]byte, error) {
		if string(request) == "slow" {
			stuck.Done()
			<-release
		}
		return request, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	for range 1000 {
		if _, err := client.Call(context.Background(), "moody", []byte("quick")); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error)
	go func() {
		_, err := client.Call(context.Background(), "moody", []byte("slow"))
		ended <- err
	}()
	stuck.Wait()
	entered := time.Now()
	mustEcho(t, client, []byte("the first beside it"))
	t.Logf("relieved after %v", time.Since(entered))
	// The echoes are answered although the slow call never ends by itself.
	for range 1000 {
		mustEcho(t, client, []byte("beside the slow call"))
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestDeadlineAndLateReply(t *testing.T) {
	srv, where, _ := startServer(t)
	client := dial(t, where)
	var given [300]chan struct{} // more than there are slots: late replies must free theirs
	for i := range given {
		given[i] = make(chan struct{})
	}
	if err := srv.Handle("late", func(_ context.Context, request []byte) ([]byte, error) {
		<-given[binary.LittleEndian.Uint32(request)]
		return []byte("late"), nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := range given {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
		_, err := client.Call(ctx, "late", binary.LittleEndian.AppendUint32(nil, uint32(i)))
		cancel()
		if !errors.Is(err, nanorpc.ErrDeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("a call with a deadline before the handler's end:", err)
		}
		close(given[i])
		// The late reply must never be taken for this one.
		mustEcho(t, client, []byte("not late"))
	}
}

func TestCancel(t *testing.T) {
	_, where, _ := startServer(t)
	client := dial(t, where)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := client.Call(ctx, "wait", nil)
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond) // so that the caller is likely to sleep in the kernel
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := client.Call(ctx, "echo", nil); !errors.Is(err, context.Canceled) {
		t.Error("a call with a context that has ended:", err)
	}
}

func TestCloseWithCallsInFlight(t *testing.T) {
	_, where, _ := startServer(t)
	before := segments(t)
	client := dial(t, where)
	ended := make(chan error)
	for range 5 {
		go func() {
			_, err := client.Call(context.Background(), "wait", nil)
			ended <- err
		}()
	}
	mustEcho(t, client, nil)
	client.Close()
	for range 5 {
		if err := <-ended; !errors.Is(err, nanorpc.ErrClientClosed) {
			t.Error(err)
		}
	}
	if _, err := client.Call(context.Background(), "echo", nil); !errors.Is(err, nanorpc.ErrClientClosed) {
		t.Error("a call after Close:", err)
	}
	eventually(t, "both ends unmap the segment", func() bool { return segments(t) == before })
}

func TestShutdownServesCallsInFlight(t *testing.T) {
	dir := t.TempDir()
	where := nanorpc.WithDirectory(dir)
	srv, err := newTestServer(where)
	if err != nil {
		t.Fatal(err)
	}
	begun, release := make(chan struct{}), make(chan struct{})
	if err := srv.Handle("held", func(context.Context, []byte) ([]byte, error) {
		begun <- struct{}{}
		<-release
		return []byte("held"), nil
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	client := dial(t, where)
	started := make(chan error)
	for range 3 {
		go func() {
			reply, err := client.Call(context.Background(), "held", nil)
			if err == nil && string(reply) != "held" {
				err = fmt.Errorf("reply %q", reply)
			}
			started <- err
		}()
	}
	for range 3 {
		<-begun
	}
	cancel()
	time.AfterFunc(50*time.Millisecond, func() { close(release) }) // the shutdown has begun, most likely
	for range 3 {
		if err := <-started; err != nil {
			t.Error("a call in flight at the shutdown:", err)
		}
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := client.Call(context.Background(), "echo", nil); !errors.Is(err, nanorpc.ErrServerGone) {
		t.Error("a call after the shutdown:", err)
	}
	if err := srv.Listen(); !errors.Is(err, nanorpc.ErrServerClosed) {
		t.Error("listen after the shutdown:", err)
	}
}
