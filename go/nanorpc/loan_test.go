package nanorpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nanorpc/go/nanorpc"
)

// invert is a raw method: it replies with each byte of its request inverted.
func invert(_ context.Context, x *nanorpc.Exchange) error {
	request := x.Request()
	reply, err := x.Reply(len(request))
	if err != nil {
		return err
	}
	for i, b := range request {
		reply[i] = ^b
	}
	return nil
}

func TestLoan(t *testing.T) {
	srv, where, _ := startServer(t, nanorpc.WithArena(8<<20), nanorpc.WithMaxPayload(1<<20))
	if err := srv.HandleRaw("invert", invert); err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	ctx := context.Background()
	var callers sync.WaitGroup
	for caller := range 6 {
		callers.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(caller)))
			for range 200 {
				size := rng.IntN(1<<20) >> rng.IntN(20)
				loan, err := client.Loan(ctx, size)
				if err != nil {
					t.Error(err)
					return
				}
				request := loan.Bytes()
				for i := range request {
					request[i] = byte(i * caller)
				}
				if rng.IntN(3) == 0 {
					size /= 1 + rng.IntN(5000)
					if err := loan.Shorten(size); err != nil {
						t.Error(err)
					}
				}
				lease, err := loan.Call(ctx, "invert")
				if err != nil {
					t.Error(err)
					return
				}
				reply := lease.Bytes()
				if len(reply) != size {
					t.Errorf("%d bytes to a request of %d", len(reply), size)
				}
				for i, b := range reply {
					if b != ^byte(i*caller) {
						t.Errorf("byte %d of %d is wrong", i, len(reply))
						break
					}
				}
				lease.Release()
			}
		})
	}
	callers.Wait()
}

func TestLoanIsUsedUp(t *testing.T) {
	_, where, _ := startServer(t)
	client := dial(t, where)
	ctx := context.Background()
	loan, err := client.Loan(ctx, 1000)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := loan.Call(ctx, "echo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loan.Call(ctx, "echo"); !errors.Is(err, nanorpc.ErrReleased) || loan.Bytes() != nil || !errors.Is(loan.Shorten(1), nanorpc.ErrReleased) {
		t.Errorf("a loan that has been sent: %v", err)
	}
	loan.Release() // does nothing: the lease goes on
	if len(lease.Bytes()) != 1000 {
		t.Errorf("a lease of %d bytes", len(lease.Bytes()))
	}
	lease.Release()
	lease.Release()
	if lease.Bytes() != nil {
		t.Error("a released lease has bytes")
	}
	if loan, err = client.Loan(ctx, 10); err != nil || loan.Shorten(11) == nil {
		t.Errorf("a loan became longer, or %v", err)
	}
	loan.Release()
	if _, err := loan.Call(ctx, "echo"); !errors.Is(err, nanorpc.ErrReleased) {
		t.Error(err)
	}
	if _, err := client.Loan(ctx, client.MaxPayload()+1); !errors.Is(err, nanorpc.ErrPayloadTooLarge) {
		t.Error(err)
	}
	failing, err := client.Loan(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	copy(failing.Bytes(), "oh!")
	var remote *nanorpc.RemoteError
	if _, err := failing.Call(ctx, "fail"); !errors.As(err, &remote) || remote.Message != "oh!" || failing.Bytes() != nil {
		t.Error(err)
	}
}

// A lease stays readable when its client is closed, and when the server has gone.
func TestLeaseOutlivesItsClient(t *testing.T) {
	srv, where, _ := startServer(t)
	client := dial(t, where)
	want := bytes.Repeat([]byte("kept"), 10_000)
	lease, err := client.CallLease(context.Background(), "echo", want)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(lease.Bytes(), want) {
		t.Error("the lease has changed")
	}
	lease.Release()
}

func TestForgottenLeasesAreFound(t *testing.T) {
	_, where, _ := startServer(t)
	var log lockedBuffer
	client, err := nanorpc.Dial(context.Background(), service, where, nanorpc.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 256 { // all slots
		if _, err := client.Loan(context.Background(), 777); err != nil {
			t.Fatal(err)
		}
	}
	// The next call has to wait for a slot that the collector finds.
	called := make(chan error, 1)
	go func() {
		_, err := client.Call(context.Background(), "echo", nil)
		called <- err
	}()
	waitUntil(t, "the forgotten loans are found", func() bool {
		runtime.GC()
		return strings.Count(log.String(), "dropped without Release") == 256
	})
	if err := <-called; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "bytes=777") {
		t.Errorf("the warning is %.200s", log.String())
	}
}

// lockedBuffer is a buffer for concurrent use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLoansWaitForRoom(t *testing.T) {
	_, where, _ := startServer(t, nanorpc.WithArena(1<<20), nanorpc.WithMaxPayload(1<<20))
	client := dial(t, where)
	whole, err := client.Loan(context.Background(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30_000_000)
	defer cancel()
	if _, err := client.Loan(ctx, 1<<19); !errors.Is(err, nanorpc.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "arena") {
		t.Errorf("a loan without room: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		loan, err := client.Loan(context.Background(), 1<<20)
		loan.Release()
		got <- err
	}()
	whole.Release()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestHoardedLeases: a client that keeps its replies has no room for more, until its calls' deadlines. Nobody else notices, although the server runs one handler
// at a time.
func TestHoardedLeases(t *testing.T) {
	const arena = 1 << 20
	srv, where, _ := startServer(t, nanorpc.WithArena(arena), nanorpc.WithMaxPayload(arena), nanorpc.WithMaxConcurrency(1))
	waiting := make(chan struct{}, 10)
	err := srv.HandleRaw("large", func(_ context.Context, x *nanorpc.Exchange) error {
		waiting <- struct{}{}
		_, err := x.Reply(arena / 2)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	hoarder, other := dial(t, where), dial(t, where)
	var leases []nanorpc.Lease
	for range 2 {
		lease, err := hoarder.CallLease(context.Background(), "large", nil)
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, lease)
		<-waiting
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := hoarder.CallLease(ctx, "large", nil); !errors.Is(err, nanorpc.ErrExhausted) && !errors.Is(err, nanorpc.ErrDeadlineExceeded) {
		t.Errorf("a reply without room: %v", err)
	}
	<-waiting
	hoarded := hoarder.Go(context.Background(), "large", nil)
	<-waiting // its handler runs, and waits for room
	for range 100 {
		mustEcho(t, other, []byte("beside it"))
	}
	select {
	case <-hoarded.Done():
		t.Error("a reply without room came")
	default:
	}
	leases[0].Release()
	if _, err := hoarded.Result(); err != nil {
		t.Errorf("after a lease was released: %v", err)
	}
	leases[1].Release()
}

func TestRawReplyErrors(t *testing.T) {
	srv, where, _ := startServer(t, nanorpc.WithMaxPayload(10_000))
	long := strings.Repeat("long ", 200)
	for name, h := range map[string]nanorpc.RawHandler{
		"nothing": func(context.Context, *nanorpc.Exchange) error { return nil },
		"too-large": func(_ context.Context, x *nanorpc.Exchange) error {
			_, err := x.Reply(10_001)
			return err
		},
		"twice": func(_ context.Context, x *nanorpc.Exchange) error {
			_, err := x.Reply(300)
			_, again := x.Reply(300)
			if err != nil || !errors.Is(again, nanorpc.ErrReleased) {
				t.Errorf("%v, then %v", err, again)
			}
			return errors.New(long) // more than the reply's block has in its slot
		},
	} {
		if err := srv.HandleRaw(name, h); err != nil {
			t.Fatal(err)
		}
	}
	client := dial(t, where)
	ctx := context.Background()
	for range 5 {
		if reply, err := client.Call(ctx, "nothing", []byte("x")); err != nil || len(reply) != 0 {
			t.Errorf("%q, %v", reply, err)
		}
		if _, err := client.Call(ctx, "too-large", nil); !errors.Is(err, nanorpc.ErrPayloadTooLarge) {
			t.Error(err)
		}
		var remote *nanorpc.RemoteError
		if _, err := client.Call(ctx, "twice", nil); !errors.As(err, &remote) || !strings.HasPrefix(long, remote.Message) || len(remote.Message) < 100 {
			t.Error(err)
		}
	}
}

func TestLoansDoNotAllocate(t *testing.T) {
	dir := t.TempDir()
	startRole(t, "server", dir)
	client := dial(t, nanorpc.WithDirectory(dir))
	ctx := context.Background()
	for _, size := range []int{64, 1 << 20} {
		allocations := testing.AllocsPerRun(200, func() {
			loan, err := client.Loan(ctx, size)
			if err != nil {
				t.Fatal(err)
			}
			lease, err := loan.Call(ctx, "echo")
			if err != nil {
				t.Fatal(err)
			}
			lease.Release()
		})
		if allocations != 0 {
			t.Errorf("a loan of %d bytes makes %v allocations", size, allocations)
		}
	}
}

// TestGigabyte sends a GiB in place, and checks that its memory is given back.
func TestGigabyte(t *testing.T) {
	const size = 1 << 30
	free := func() int64 {
		var stat unix.Statfs_t
		if err := unix.Statfs("/dev/shm", &stat); err != nil {
			t.Fatal(err)
		}
		return int64(stat.Bavail) * stat.Bsize
	}
	if free() < 2*size {
		t.Skip("takes 2 GiB of /dev/shm")
	}
	srv, where, _ := startServer(t, nanorpc.WithMaxPayload(size))
	err := srv.HandleRaw("every-page", func(_ context.Context, x *nanorpc.Exchange) error {
		var sum uint64
		for i := 0; i < len(x.Request()); i += 4096 {
			sum += uint64(x.Request()[i])
		}
		reply, err := x.Reply(8)
		if err == nil {
			binary.LittleEndian.PutUint64(reply, sum)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, where)
	loan, err := client.Loan(context.Background(), size)
	if err != nil {
		t.Fatal(err)
	}
	var want uint64
	for i := 0; i < size; i += 4096 {
		loan.Bytes()[i] = byte(i >> 12)
		want += uint64(byte(i >> 12))
	}
	lease, err := loan.Call(context.Background(), "every-page")
	if err != nil {
		t.Fatal(err)
	}
	if got := binary.LittleEndian.Uint64(lease.Bytes()); got != want {
		t.Errorf("sum %d, want %d", got, want)
	}
	before := free()
	lease.Release()
	waitUntil(t, "the memory is given back", func() bool { return free() > before+size/2 })
}
