package endpoint

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// thread is a worker's thread that takes calls ahead, as python/packaging/ahead.h does.
type thread struct {
	*Worker
	call    *Call
	ahead   Ahead // zero: it takes none
	turn    turn
	advance Advance
	replied int // bytes of the last reply
}

// await has the thread wait for a call in the core.
func (th *thread) await() error {
	call, err := next(th.Worker)
	if err != nil {
		return err
	}
	th.call, th.advance = call, Advance{Generation: call.Generation(), Length: call.Length}
	th.ahead, _ = th.Ahead()
	th.turn = turn(th.ahead.Begun)
	return nil
}

func (th *thread) slot() (*wire.Request, *wire.Reply) {
	segment := th.call.conn.segment
	return segment.Request(th.call.Slot), segment.Reply(th.call.Slot)
}

// publish answers the call with its request, and returns the word that was there before.
func (th *thread) publish() (before uint32) {
	request, reply := th.slot()
	length := th.advance.Length
	copy(reply.Inline[:], request.Inline[:length])
	reply.Status, reply.Length = uint32(wire.StatusOK), uint32(length)
	th.replied = length
	return atomic.SwapUint32(&reply.Word, wire.Word(th.advance.Generation, wire.FlagDone))
}

// comes reports whether there is a call to take ahead, with its generation.
func (th *thread) comes() (generation uint32, ok bool) {
	request, _ := th.slot()
	word := atomic.LoadUint32(&request.Word)
	generation = wire.Generation(word)
	return generation, generation != th.advance.Generation && wire.State(word) == wire.StateCall &&
		atomic.LoadUint64(&request.Method) == th.call.Call.Method && atomic.LoadUint32(&request.Length) <= wire.InlineCapacity
}

// take takes the call of a generation, and reports whether the thread leads still.
func (th *thread) take(generation uint32) bool {
	next := th.turn.ahead(generation)
	if !th.change(next) {
		return false
	}
	th.follow(generation)
	return true
}

// change changes the turn, and reports whether the thread leads still.
func (th *thread) change(next turn) bool {
	if !th.ahead.Turn.CompareAndSwap(uint64(th.turn), uint64(next)) {
		return false
	}
	th.turn, th.advance.Turn = next, uint64(next)
	return true
}

// follow makes the call of a generation, whose turn has begun, the one that is run.
func (th *thread) follow(generation uint32) {
	request, _ := th.slot()
	a := &th.advance
	a.Calls++
	a.RequestBytes += uint64(a.Length)
	a.ReplyBytes += uint64(th.replied)
	a.Generation, a.Length, a.Deadline = generation, int(atomic.LoadUint32(&request.Length)), atomic.LoadInt64(&request.Deadline)
}

// settle tells of what has been taken ahead, and of the last reply.
func (th *thread) settle(before uint32) {
	if th.advance.Turn != 0 {
		th.Advance(th.advance)
	}
	th.call.Published(before, th.replied)
}

// serve runs echo, ahead where that can be, until the server has shut down. It counts what it has taken ahead.
func (th *thread) serve(ahead *atomic.Int64) {
	defer th.Close()
	for {
		err := th.await()
		var notice *Notice
		if errors.As(err, &notice) {
			continue
		}
		if err != nil {
			return
		}
		if th.call.detached || th.call.Length > wire.InlineCapacity {
			th.call.Reply(th.call.Request())
			continue
		}
		before := th.publish()
		before = th.serveRarely(before, ahead)
		for looks := 0; th.ahead.Turn != nil && th.ahead.Interrupted == nil && before&(wire.FlagWaiting|wire.FlagNotify) == 0 && looks < 100; looks++ {
			generation, ok := th.comes()
			if !ok {
				runtime.Gosched()
				continue
			}
			if !th.take(generation) {
				break
			}
			before, looks = th.publish(), 0
			ahead.Add(1)
		}
		th.settle(before)
	}
}

// stats are what the server has counted of its echo, once it has counted so many calls.
func (s *pulledServer) stats(t *testing.T, calls int) Counts {
	var counts Counts
	eventually(t, fmt.Sprintf("%d calls are counted", calls), func() bool {
		for _, m := range s.Stats().Methods {
			if m.Name == "echo" {
				counts = m.Counts
			}
		}
		return counts.Calls >= uint64(calls)
	})
	return counts
}

// Calls from several threads of several clients are answered and counted once, though their turns end at any time.
func TestCallsTakenAhead(t *testing.T) {
	callOften(t, futex.Busy, 500)
}

// callOften has two threads serve, and so many calls made by each of several callers, until enough have been taken ahead.
func callOften(t *testing.T, spin futex.Policy, calls int) {
	t.Helper()
	s := startPulledWith(t, 0, spin)
	var ahead, total, size atomic.Int64
	for range 2 {
		s.workers.Go(func() { (&thread{Worker: s.NewWorker()}).serve(&ahead) })
	}
	call := func(c *Client, name string) {
		for i := range calls {
			request := bytes.Repeat([]byte(fmt.Sprint(name, i)), 1+i%40)
			got, err := exchange(c, "echo", request)
			if err != nil || !bytes.Equal(got, request) {
				t.Errorf("%q became %q, %v", request, got, err)
				return
			}
			total.Add(1)
			size.Add(int64(len(request)))
			switch i % 100 {
			case 0:
				s.relieveAll()
			case 50:
				s.Stats()
			}
		}
	}
	for end := time.Now().Add(time.Minute); ahead.Load() < 100 && time.Now().Before(end); {
		var wg sync.WaitGroup
		for client := range 2 {
			c := s.dialWith(t, spin)
			for caller := range 1 + client {
				wg.Go(func() { call(c, fmt.Sprint(client, caller)) })
			}
		}
		wg.Wait()
	}
	if ahead.Load() == 0 {
		t.Error("none was taken ahead")
	}
	counts := s.stats(t, int(total.Load()))
	if want := uint64(size.Load()); counts.Calls != uint64(total.Load()) || counts.RequestBytes != want || counts.ReplyBytes != want || counts.Errors != 0 {
		t.Errorf("%d calls of %d bytes are counted as %+v", total.Load(), want, counts)
	}
}

// inFlight returns how many calls of echo are.
func (s *pulledServer) inFlight() int {
	for _, m := range s.Stats().Methods {
		if m.Name == "echo" {
			return m.InFlight
		}
	}
	return 0
}

// relieveAll takes the leadership from whoever runs a call, or looks for one to take ahead.
func (s *pulledServer) relieveAll() {
	for _, c := range s.live() {
		if turn := c.present(); turn.runs() {
			c.takeOver(turn)
		}
	}
}

// dialBusily connects a client that never sleeps: calls are taken ahead of those that need not be woken.
func (s *pulledServer) dialBusily(t *testing.T) *Client {
	t.Helper()
	return s.dialWith(t, futex.Busy)
}

func (s *pulledServer) dialWith(t *testing.T, spin futex.Policy) *Client {
	t.Helper()
	c, err := Dial(t.Context(), s.dir, service, spin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// caller calls in one slot.
type caller struct {
	*Client
	slot int
}

func (c *caller) submit(payload string) {
	copy(c.Bytes(c.Inline(c.slot), len(payload)), payload)
	c.Submit(c.slot, link.Submission{Method: wire.MethodID("echo"), Length: len(payload)})
}

func (c *caller) await(t *testing.T, want string) {
	t.Helper()
	reply, err := c.Await(c.slot, link.Wait{})
	if err != nil || string(c.Bytes(reply.Offset, reply.Length)) != want {
		t.Fatalf("%q, %v; want %q", c.Bytes(reply.Offset, reply.Length), err, want)
	}
}

// leading returns a thread that has answered a call of a client, and may take those ahead that follow; and the number of calls until then.
func leading(t *testing.T, s *pulledServer) (*thread, *caller, int) {
	t.Helper()
	c := &caller{Client: s.dialBusily(t)}
	var err error
	if c.slot, err = c.Acquire(link.Wait{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection is there", func() bool { return len(s.live()) == 1 })
	conn := s.live()[0]
	conn.watched.Store(true) // as far as the monitor knows: it relieves nobody here, however slow the test is
	bell := &conn.segment.Doorbell().Bell
	th := &thread{Worker: s.NewWorker()}
	waits := make(chan error)
	for calls := 1; calls < 1000; calls++ {
		go func() { waits <- th.await() }()
		eventually(t, "the leader watches the slot", func() bool { return atomic.LoadUint32(bell) == wire.BellPolling(c.slot) })
		time.Sleep(time.Duration(calls) * time.Microsecond) // the thread is to wait by then, or the leader leaves the call in the queue
		c.submit("first")
		if err := <-waits; err != nil {
			t.Fatal(err)
		}
		before := th.publish()
		c.await(t, "first")
		if th.ahead.Turn != nil {
			return th, c, calls
		}
		th.settle(before)
	}
	t.Fatal("no call can be taken ahead")
	return nil, nil, 0
}

// Calls taken ahead count as waits that a spin has ended.
func TestCallsTakenAheadHavePaid(t *testing.T) {
	s := startPulledWith(t, 0, futex.Busy)
	th, c, calls := leading(t, s)
	conn := th.call.conn
	before, _ := conn.link.Waits()
	for range 3 {
		c.submit("ahead")
		generation, ok := th.comes()
		if !ok || !th.take(generation) {
			t.Fatal("the call cannot be taken ahead")
		}
		th.publish()
		c.await(t, "ahead")
	}
	th.settle(0)
	th.finish()
	if paid, _ := conn.link.Waits(); paid != before+3 {
		t.Errorf("%d waits have paid, not 3", paid-before)
	}
	conn.flush()
	if counts := s.stats(t, calls+3); counts.Calls != uint64(calls+3) {
		t.Errorf("%d calls are counted as %d", calls+3, counts.Calls)
	}
	s.workers.Go(func() { th.serve(new(atomic.Int64)) })
}

// Who is relieved while it runs a call that it has taken ahead answers it nevertheless, and nobody else runs it.
func TestRelievedWithCallTakenAhead(t *testing.T) {
	s := startPulledWith(t, 0, futex.Busy)
	th, c, calls := leading(t, s)
	c.submit("ahead")
	generation, ok := th.comes()
	if !ok || !th.take(generation) {
		t.Fatal("the call cannot be taken ahead")
	}
	th.call.conn.takeOver(th.turn)
	if n := s.inFlight(); n != 1 {
		t.Errorf("%d calls are in flight, not the one of who has been relieved", n)
	}
	s.workers.Go(func() { s.work(s.NewWorker()) })
	if _, err := exchange(c.Client, "echo", []byte("other")); err != nil { // in another slot, by another worker
		t.Error(err)
	}
	if n := s.detached.Load(); n > 1 {
		t.Errorf("the other worker has run %d calls", n)
	}
	th.settle(th.publish())
	c.await(t, "ahead")
	s.workers.Go(func() { th.serve(new(atomic.Int64)) })
	c.submit("last")
	c.await(t, "last")
	if counts := s.stats(t, calls+3); counts.Calls != uint64(calls+3) {
		t.Errorf("%d calls are counted as %d", calls+3, counts.Calls)
	}
	eventually(t, "none is in flight", func() bool { return s.inFlight() == 0 })
}

// Who is relieved between seeing a call and taking it takes nothing, and the call is not lost: nor when the next leader is relieved in his first turn, which is for another call.
func TestRelievedBeforeCallIsTakenAhead(t *testing.T) {
	s := startPulledWith(t, 0, futex.Busy)
	th, c, calls := leading(t, s)
	second := s.NewWorker()
	type result struct {
		call *Call
		err  error
	}
	taken := make(chan result)
	go func() {
		call, err := second.Next()
		taken <- result{call, err}
	}()
	time.Sleep(time.Millisecond) // it waits by then for a leader's offer, which makes it the leader
	c.submit("late")
	generation, ok := th.comes()
	if !ok {
		t.Fatal("there is no call")
	}
	other := &caller{Client: c.Client}
	var err error
	if other.slot, err = c.Acquire(link.Wait{}); err != nil {
		t.Fatal(err)
	}
	other.submit("other") // found first, as the client rings for it
	conn := th.call.conn
	conn.takeOver(th.turn)
	if th.take(generation) {
		t.Fatal("who has been relieved takes a call")
	}
	r := <-taken
	if r.err != nil {
		t.Fatal(r.err)
	}
	if turn := conn.present(); turn.runs() {
		conn.takeOver(turn)
	}
	r.call.Reply(r.call.Request())
	s.workers.Go(func() { s.work(second) })
	th.settle(0)
	s.workers.Go(func() { th.serve(new(atomic.Int64)) })
	c.await(t, "late")
	other.await(t, "other")
	for i := range 100 {
		c.submit(fmt.Sprint(i))
		c.await(t, fmt.Sprint(i))
	}
	if counts := s.stats(t, calls+102); counts.Calls != uint64(calls+102) {
		t.Errorf("%d calls are counted as %d", calls+102, counts.Calls)
	}
}
