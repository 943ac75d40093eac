package nanorpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"nanorpc/go/nanorpc"
)

func TestGo(t *testing.T) {
	_, where, _ := startServer(t)
	client := dial(t, where)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const calls = 2000 // more than there are slots
	payloads := make([][]byte, calls)
	started := make([]*nanorpc.Call, calls)
	for i := range started {
		payload := bytes.Repeat(binary.LittleEndian.AppendUint32(nil, uint32(i)), rand.IntN(200))
		payloads[i] = bytes.Clone(payload)
		started[i] = client.Go(ctx, "echo", payload)
		clear(payload) // it has been copied
	}
	for i, call := range started {
		<-call.Done()
		if reply, err := call.Result(); err != nil || !bytes.Equal(reply, payloads[i]) {
			t.Fatalf("call %d: %d bytes of %d, %v", i, len(reply), len(payloads[i]), err)
		}
	}
}

func TestGoErrors(t *testing.T) {
	_, where, _ := startServer(t, nanorpc.WithMaxPayload(1000))
	client := dial(t, where)
	ctx := context.Background()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, test := range []struct {
		ctx     context.Context
		method  string
		request []byte
		want    error
	}{
		{ctx, "no-such", nil, nanorpc.ErrUnknownMethod},
		{ctx, "echo", make([]byte, 1001), nanorpc.ErrPayloadTooLarge},
		{ended, "echo", nil, context.Canceled},
	} {
		if _, err := client.Go(test.ctx, test.method, test.request).Result(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.method, err, test.want)
		}
	}
	var remote *nanorpc.RemoteError
	if _, err := client.Go(ctx, "fail", []byte("sour milk")).Result(); !errors.As(err, &remote) || remote.Message != "sour milk" {
		t.Error(err)
	}
	client.Close()
	if _, err := client.Go(ctx, "echo", nil).Result(); !errors.Is(err, nanorpc.ErrClientClosed) {
		t.Error(err)
	}
}

// Calls that are over because of their contexts leave slots that work again once their late replies have come.
func TestGoDeadlinesAndLateReplies(t *testing.T) {
	srv, where, _ := startServer(t)
	client := dial(t, where)
	var given [4]chan struct{}
	for i := range given {
		given[i] = make(chan struct{})
	}
	if err := srv.Handle("late", func(_ context.Context, round []byte) ([]byte, error) {
		<-given[round[0]]
		return []byte("late"), nil
	}); err != nil {
		t.Fatal(err)
	}
	for round := range given {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		var late []*nanorpc.Call
		for range 200 {
			late = append(late, client.Go(ctx, "late", []byte{byte(round)}))
		}
		for _, call := range late {
			if _, err := call.Result(); !errors.Is(err, nanorpc.ErrDeadlineExceeded) {
				t.Errorf("a call that came too late: %v", err)
			}
		}
		cancel()
		close(given[round])
		var more []*nanorpc.Call
		for i := range 300 {
			more = append(more, client.Go(context.Background(), "echo", []byte{byte(i)}))
		}
		for i, call := range more {
			if reply, err := call.Result(); err != nil || !bytes.Equal(reply, []byte{byte(i)}) {
				t.Fatalf("call %d after late ones: %v, %v", i, reply, err)
			}
		}
	}
}

func TestGoWhenTheConnectionEnds(t *testing.T) {
	_, where, _ := startServer(t)
	for range 20 {
		client, err := nanorpc.Dial(context.Background(), service, where)
		if err != nil {
			t.Fatal(err)
		}
		var waiting []*nanorpc.Call
		for range 400 { // some of them wait for slots
			waiting = append(waiting, client.Go(context.Background(), "wait", nil))
		}
		var closing sync.WaitGroup
		closing.Go(func() { client.Close() })
		for range 50 {
			waiting = append(waiting, client.Go(context.Background(), "wait", nil))
		}
		for _, call := range waiting {
			if _, err := call.Result(); !errors.Is(err, nanorpc.ErrClientClosed) {
				t.Errorf("%v", err)
			}
		}
		closing.Wait()
	}
}

// A caller's cancellation ends the handler's context.
func TestCancelReachesHandler(t *testing.T) {
	entered, left := make(chan struct{}), make(chan error, 1)
	srv, where, _ := startServer(t)
	err := srv.Handle("hold", func(ctx context.Context, _ []byte) ([]byte, error) {
		close(entered)
		<-ctx.Done()
		left <- ctx.Err()
		return nil, ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	ctx, cancel := context.WithCancel(context.Background())
	call := client.Go(ctx, "hold", nil)
	<-entered
	cancel()
	if _, err := call.Result(); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller: %v", err)
	}
	select {
	case err := <-left:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the handler: %v", err)
		}
	case <-time.After(patience):
		t.Error("the handler's context does not end")
	}
	mustEcho(t, client, []byte("go on"))
}

// A handler's context is done when it has returned, also for a goroutine that it leaves behind.
func TestContextEndsWithTheCall(t *testing.T) {
	srv, where, _ := startServer(t)
	kept := make(chan context.Context, 1)
	err := srv.Handle("keep", func(ctx context.Context, _ []byte) ([]byte, error) {
		derived, cancel := context.WithCancel(ctx)
		_ = cancel
		kept <- derived
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	for range 10 {
		if _, err := client.Call(context.Background(), "keep", nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-(<-kept).Done():
		case <-time.After(patience):
			t.Fatal("the context outlives its call")
		}
	}
}

func TestBatch(t *testing.T) {
	_, where, _ := startServer(t, nanorpc.WithArena(1<<20), nanorpc.WithMaxPayload(1<<18))
	client := dial(t, where)
	batch := client.NewBatch()
	for range 20 {
		batch.Reset()
		n := rand.IntN(700) // more than there are slots, more than the arena holds
		payloads := make([][]byte, n)
		for i := range n {
			payloads[i] = bytes.Repeat([]byte{byte(i)}, rand.IntN(20_000)>>rand.IntN(12))
			if got := batch.Add("echo", payloads[i]); got != i {
				t.Fatalf("index %d of call %d", got, i)
			}
		}
		if err := batch.Do(context.Background()); err != nil || batch.Len() != n {
			t.Fatalf("%d calls: %v", batch.Len(), err)
		}
		for i := range n {
			if reply, err := batch.Reply(i); err != nil || !bytes.Equal(reply, payloads[i]) {
				t.Fatalf("call %d of %d: %d bytes of %d, %v", i, n, len(reply), len(payloads[i]), err)
			}
		}
	}
}

func TestBatchErrors(t *testing.T) {
	_, where, _ := startServer(t, nanorpc.WithMaxPayload(1000))
	client := dial(t, where)
	batch := client.NewBatch()
	batch.Add("echo", []byte("fine"))
	batch.Add("no-such", nil)
	batch.Add("echo", make([]byte, 1001))
	batch.Add("fail", []byte("oh"))
	batch.Add("echo", []byte("fine too"))
	if err := batch.Do(context.Background()); !errors.Is(err, nanorpc.ErrUnknownMethod) {
		t.Errorf("the first error is %v", err)
	}
	var remote *nanorpc.RemoteError
	for i, want := range []func(error) bool{
		func(err error) bool { return err == nil },
		func(err error) bool { return errors.Is(err, nanorpc.ErrUnknownMethod) },
		func(err error) bool { return errors.Is(err, nanorpc.ErrPayloadTooLarge) },
		func(err error) bool { return errors.As(err, &remote) && remote.Message == "oh" },
		func(err error) bool { return err == nil },
	} {
		if _, err := batch.Reply(i); !want(err) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	batch.Reset()
	batch.Add("echo", []byte("in time"))
	batch.Add("wait", nil)
	if err := batch.Do(ctx); !errors.Is(err, nanorpc.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if reply, err := batch.Reply(0); err != nil || string(reply) != "in time" {
		t.Errorf("%q, %v", reply, err)
	}
	mustEcho(t, client, []byte("go on"))
}

// TestBatchWithLittleRoomForReplies: of a batch's replies few fit in the arena at a time, and they come in any order. Those that have come must be given back while
// others wait for room.
func TestBatchWithLittleRoomForReplies(t *testing.T) {
	const arena, size, calls = 1 << 20, 1 << 18, 48
	srv, where, _ := startServer(t, nanorpc.WithArena(arena), nanorpc.WithMaxPayload(arena))
	err := srv.Handle("out-of-order", func(_ context.Context, request []byte) ([]byte, error) {
		time.Sleep(time.Duration(request[0]*7%16) * time.Millisecond)
		return bytes.Repeat(request, size), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	batch := dial(t, where).NewBatch()
	for i := range byte(calls) {
		batch.Add("out-of-order", []byte{i})
	}
	start := time.Now()
	if err := batch.Do(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d replies of %d bytes through an arena of %d in %v", calls, size, arena, time.Since(start))
	for i := range calls {
		if reply, err := batch.Reply(i); err != nil || len(reply) != size || reply[0] != byte(i) || reply[size-1] != byte(i) {
			t.Errorf("reply %d: %d bytes, %v", i, len(reply), err)
		}
	}
}

func TestBatchDoesNotAllocate(t *testing.T) {
	dir := t.TempDir()
	startRole(t, "server", dir)
	client := dial(t, nanorpc.WithDirectory(dir))
	batch := client.NewBatch()
	request := make([]byte, 64)
	for range 64 {
		batch.Add("echo", request)
	}
	ctx := context.Background()
	allocations := testing.AllocsPerRun(100, func() {
		if err := batch.Do(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("a batch makes %v allocations", allocations)
	}
}
