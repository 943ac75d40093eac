package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// pulledServer is a server with the pulled methods "echo" and "block", numbers 0 and 1.
type pulledServer struct {
	*Server
	dir      string
	release  chan struct{}  // closed: "block" returns
	blocked  chan struct{}  // a value for each "block" that has begun
	detached atomic.Int64   // calls that have come through the queue
	ended    atomic.Int64   // connections
	workers  sync.WaitGroup // those that run
}

func startPulled(t *testing.T, workers int) *pulledServer {
	t.Helper()
	return startPulledWith(t, workers, futex.Adaptive)
}

func startPulledWith(t *testing.T, workers int, spin futex.Policy) *pulledServer {
	t.Helper()
	s := &pulledServer{dir: privateDirectory(t), release: make(chan struct{}), blocked: make(chan struct{}, 100)}
	s.Server = NewServer(service, Options{Directory: s.dir, Layout: layout, Spin: spin, Logger: slog.New(slog.DiscardHandler), TellEnded: true})
	for i, name := range []string{"echo", "block"} {
		if number, err := s.HandlePulled(name); err != nil || number != i {
			t.Fatal(number, err)
		}
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve() }()
	for range workers {
		s.workers.Go(func() { s.work(s.NewWorker()) })
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
		s.workers.Wait() // each has seen the end
	})
	return s
}

// next is Next, after waits for moments: as threads do that keep an interpreter's lock at first.
func next(w *Worker) (*Call, error) {
	for _, m := range []link.Moment{{Within: 5 * time.Microsecond}, {Within: 200 * time.Microsecond, Insist: true}} {
		if call, err := w.NextSoon(m); !errors.Is(err, link.ErrPending) {
			return call, err
		}
	}
	return w.Next()
}

// work runs calls until the server has shut down.
func (s *pulledServer) work(w *Worker) {
	defer w.Close()
	for {
		call, err := next(w)
		var notice *Notice
		switch {
		case errors.As(err, &notice):
			s.ended.Add(1)
			continue
		case err != nil:
			return
		}
		if call.detached {
			s.detached.Add(1)
		}
		if call.Number() == 1 {
			s.blocked <- struct{}{}
			<-s.release
		}
		call.Reply(call.Request())
	}
}

func (s *pulledServer) dial(t *testing.T) *Client {
	t.Helper()
	c, err := Dial(context.Background(), s.dir, service, futex.Adaptive)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// exchange makes a call and returns its reply.
func exchange(c *Client, method string, request []byte) ([]byte, error) {
	slot, err := c.Acquire(link.Wait{})
	if err != nil {
		return nil, err
	}
	defer c.Release(slot)
	offset, err := c.Reserve(slot, len(request), link.Wait{})
	if err != nil {
		return nil, err
	}
	copy(c.Bytes(offset, len(request)), request)
	c.Submit(slot, link.Submission{Method: wire.MethodID(method), Length: len(request)})
	reply, err := c.Await(slot, link.Wait{})
	if err != nil {
		return nil, err
	}
	got := bytes.Clone(c.Bytes(reply.Offset, reply.Length))
	if reply.Status != wire.StatusOK {
		return nil, fmt.Errorf("status %d: %s", reply.Status, got)
	}
	return got, nil
}

// Calls from many connections and goroutines reach the workers, whichever way, and each gets its own reply.
func TestWorkersAnswerEveryCall(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			s := startPulled(t, workers)
			var wg sync.WaitGroup
			for client := range 4 {
				c := s.dial(t)
				for caller := range 3 {
					wg.Go(func() {
						for i := range 300 {
							request := bytes.Repeat([]byte(fmt.Sprint(client, caller, i)), 1+i%100)
							if got, err := exchange(c, "echo", request); err != nil || !bytes.Equal(got, request) {
								t.Errorf("%q became %q, %v", request, got, err)
								return
							}
						}
					})
				}
			}
			wg.Wait()
		})
	}
}

// A worker to which calls keep coming takes them itself: few go through the queue.
func TestWorkerLeads(t *testing.T) {
	s := startPulled(t, 1)
	c := s.dial(t)
	const calls = 5000
	for range calls {
		if _, err := exchange(c, "echo", nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.detached.Load(); n > calls/2 {
		t.Errorf("%d of %d calls came through the queue", n, calls)
	}
}

// A worker that is stuck holds up nobody while there is another; and the server answers its own methods when all are.
func TestStuckWorkers(t *testing.T) {
	s := startPulled(t, 2)
	c := s.dial(t)
	for range 100 { // so that the worker leads, and the method counts as quick
		if _, err := exchange(c, "echo", nil); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(s.release)
	block := func() {
		wg.Go(func() {
			if _, err := exchange(c, "block", nil); err != nil {
				t.Error(err)
			}
		})
		<-s.blocked
	}
	block()
	if _, err := exchange(c, "echo", nil); err != nil {
		t.Error(err)
	}
	if _, err := exchange(s.dial(t), "echo", nil); err != nil {
		t.Error(err)
	}
	block()
	for range 3 {
		if _, err := exchange(c, DescribeMethod, nil); err != nil {
			t.Error(err)
		}
	}
}

// One worker serves a client that calls without a pause, and another one.
func TestOneWorkerForTwo(t *testing.T) {
	for _, policy := range []futex.Policy{futex.Adaptive, futex.Busy, futex.None} {
		t.Run(policy.String(), func(t *testing.T) {
			s := startPulledWith(t, 1, policy)
			greedy, modest := s.dial(t), s.dial(t)
			var stop atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() {
				for !stop.Load() {
					if _, err := exchange(greedy, "echo", nil); err != nil {
						t.Error(err)
						return
					}
				}
			})
			for range 500 {
				if _, err := exchange(modest, "echo", nil); err != nil {
					t.Error(err)
					break
				}
			}
			stop.Store(true)
			wg.Wait()
		})
	}
}

// A worker that ends without an answer fails its call, whether that has come from a leader or through the queue, and others go on with its connection.
func TestWorkerThatEnds(t *testing.T) {
	for _, queued := range []bool{false, true} {
		s := startPulled(t, 0)
		c := s.dial(t)
		failed := make(chan error)
		call := func() {
			_, err := exchange(c, "echo", nil)
			failed <- err
		}
		if queued {
			go call()
			for !s.pulled.queued() {
				time.Sleep(time.Millisecond)
			}
		} else {
			time.AfterFunc(20*time.Millisecond, call) // the worker waits by then, for a leader's offer
		}
		w := s.NewWorker()
		if _, err := w.Next(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if err := <-failed; err == nil {
			t.Error("a call without an answer has one")
		}
		s.workers.Go(func() { s.work(s.NewWorker()) })
		if _, err := exchange(c, "echo", nil); err != nil {
			t.Error(err)
		}
	}
}

// The end of a connection is told, once none of its calls is open.
func TestWorkersLearnOfEnds(t *testing.T) {
	s := startPulled(t, 1)
	for range 3 {
		c := s.dial(t)
		if _, err := exchange(c, "echo", nil); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	for end := time.Now().Add(time.Minute); s.ended.Load() != 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of 3 ends were told", s.ended.Load())
		}
	}
}

// A call that a worker detaches is answered later, by anybody, and its context ends when its caller gives up.
func TestWorkerDetaches(t *testing.T) {
	s := startPulled(t, 0)
	c := s.dial(t)
	slot, err := c.Acquire(link.Wait{})
	if err != nil {
		t.Fatal(err)
	}
	c.Submit(slot, link.Submission{Method: wire.MethodID("echo")})
	w := s.NewWorker()
	call, err := w.Next()
	if err != nil {
		t.Fatal(err)
	}
	later := call.Detach()
	go func() { // the next call, while the first is open
		if _, err := exchange(c, "echo", []byte("second")); err != nil {
			t.Error(err)
		}
	}()
	if call, err = w.Next(); err != nil {
		t.Fatal(err)
	}
	call.Reply(call.Request())
	ended := later.Context().Done()
	c.Abandon(slot)
	go func() { _, _ = w.Next() }() // somebody has to look; it returns when the server ends
	<-ended
	if !later.GivenUp() {
		t.Error("nobody waits for the call, and it does not say so")
	}
	later.Reply(nil)
}

// A call that nobody waits for any more, when a worker has time for it, is not run.
func TestWorkersSkipOverdueCalls(t *testing.T) {
	s := startPulled(t, 1)
	c := s.dial(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := exchange(c, "block", nil); err != nil {
			t.Error(err)
		}
	})
	<-s.blocked
	submit := func(deadline int64) int {
		slot, err := c.Acquire(link.Wait{})
		if err != nil {
			t.Fatal(err)
		}
		c.Submit(slot, link.Submission{Method: wire.MethodID("block"), Deadline: deadline})
		return slot
	}
	late := submit(futex.Now() + int64(time.Millisecond))
	abandoned := submit(0)
	taken := func() bool { // by the leader, which puts it in the queue
		return len(s.pulled.queue) == 2
	}
	for end := time.Now().Add(time.Minute); !taken(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the calls are not queued")
		}
	}
	c.Abandon(abandoned)
	time.Sleep(2 * time.Millisecond) // past the deadline
	close(s.release)
	if reply, err := c.Await(late, link.Wait{}); err != nil || reply.Status != wire.StatusDeadline {
		t.Errorf("status %d, %v", reply.Status, err)
	}
	c.Release(late)
	if _, err := exchange(c, "echo", nil); err != nil { // after the abandoned one in the queue
		t.Error(err)
	}
	wg.Wait()
	if n := len(s.blocked); n != 0 {
		t.Errorf("%d of two overdue calls were run", n)
	}
}
