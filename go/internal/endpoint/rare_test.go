package endpoint

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/wire"
)

// doze sleeps for the next call and takes it, as take_rare of python/packaging/rare.h does. It reports whether it has.
func (th *thread) doze() bool {
	th.wakeCaller()
	if th.advance.Ended == 0 {
		th.advance.Ended = futex.Now()
	}
	if !th.change(th.turn.next()) {
		return false
	}
	took := th.sleeps()
	generation := th.advance.Generation
	if took {
		generation, took = th.comes()
	}
	if !took {
		generation = th.advance.Generation
	}
	th.change(th.turn.next() | turnAhead | turn(generation))
	if took {
		th.follow(generation)
		th.advance.Slept++
		if !th.ahead.Watched.Load() {
			th.Advance(th.advance)
		}
	}
	return took
}

// sleeps sleeps until something has come, and reports whether that may be a call that can be taken.
func (th *thread) sleeps() bool {
	request, _ := th.slot()
	doorbell := th.call.conn.segment.Doorbell()
	end := futex.Now() + int64(50*time.Millisecond)
	for futex.Now() < end {
		if !atomic.CompareAndSwapUint32(&doorbell.Bell, wire.BellAwake, wire.BellSleeping) {
			return false
		}
		if atomic.LoadUint64(&doorbell.Ready) == 0 && wire.Generation(atomic.LoadUint32(&request.Word)) == th.advance.Generation && !th.ahead.Interrupted.Load() {
			futex.Wait(&doorbell.Bell, wire.BellSleeping, end)
		}
		atomic.CompareAndSwapUint32(&doorbell.Bell, wire.BellSleeping, wire.BellAwake)
		ready, own := atomic.LoadUint64(&doorbell.Ready), wire.Group(th.call.Slot)
		if ready&^own != 0 || th.ahead.Interrupted.Load() || ready != 0 && !atomic.CompareAndSwapUint64(&doorbell.Ready, ready, 0) {
			return false
		}
		if wire.Generation(atomic.LoadUint32(&request.Word)) != th.advance.Generation {
			return true
		}
	}
	return false
}

// wakeCaller wakes the caller of the call that has just been answered.
func (th *thread) wakeCaller() {
	_, reply := th.slot()
	futex.Wake(&reply.Word, 1)
}

// serveRarely goes on with echo as long as calls are slept for, and returns the word that was there before the last reply.
func (th *thread) serveRarely(before uint32, slept *atomic.Int64) uint32 {
	for th.ahead.Interrupted != nil && before&wire.FlagNotify == 0 && th.doze() {
		before = th.publish()
		slept.Add(1)
	}
	return before
}

// dozing returns a thread that has answered a call of a client, and may sleep for those that follow; and the number of calls until then.
func dozing(t *testing.T, s *pulledServer) (*thread, *caller, int) {
	t.Helper()
	c := &caller{Client: s.dialBusily(t)}
	var err error
	if c.slot, err = c.Acquire(link.Wait{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection is there", func() bool { return len(s.live()) == 1 })
	s.live()[0].watched.Store(true) // as far as the monitor knows: it relieves nobody here, however slow the test is
	th := &thread{Worker: s.NewWorker()}
	waits := make(chan error)
	for calls := 1; calls < 1000; calls++ {
		go func() { waits <- th.await() }()
		time.Sleep(time.Duration(calls) * time.Millisecond) // the thread is to sleep by then
		c.submit("first")
		if err := <-waits; err != nil {
			t.Fatal(err)
		}
		before := th.publish()
		c.await(t, "first")
		if th.ahead.Interrupted != nil {
			return th, c, calls
		}
		th.settle(before)
	}
	t.Fatal("no call can be slept for")
	return nil, nil, 0
}

// asleep waits until whoever leads a connection sleeps.
func asleep(t *testing.T, c *conn) {
	t.Helper()
	eventually(t, "the leader sleeps", func() bool { return atomic.LoadUint32(&c.segment.Doorbell().Bell) == wire.BellSleeping })
}

// dozes has the thread sleep until the result of doze is there.
func (th *thread) dozes(t *testing.T) chan bool {
	t.Helper()
	took := make(chan bool, 1)
	c := th.call.conn
	go func() {
		for !th.doze() { // its time is over
			if th.ahead.Interrupted.Load() || th.advance.Turn != uint64(th.turn) {
				took <- false
				return
			}
		}
		took <- true
	}()
	asleep(t, c)
	return took
}

// The same where calls are slept for.
func TestRareCallsTakenAhead(t *testing.T) {
	callOften(t, futex.None, 200)
}

// Who reads statistics has them from threads that sleep, and calls that have been slept for count as such.
func TestStatsOfRareCalls(t *testing.T) {
	s := startPulledWith(t, 0, futex.None)
	th, c, calls := dozing(t, s)
	conn := th.call.conn
	paid, slept := conn.link.Waits()
	for range 3 {
		took := th.dozes(t)
		c.submit("rare")
		if !<-took {
			t.Fatal("the call is not taken")
		}
		th.publish()
		c.await(t, "rare")
	}
	th.settle(0)
	th.finish()
	if p, m := conn.link.Waits(); p != paid || m != slept+3 {
		t.Errorf("%d waits have paid, and %d have not, instead of 0 and 3", p-paid, m-slept)
	}
	s.workers.Go(func() { th.serve(new(atomic.Int64)) })
	for i := range 20 {
		c.submit("served")
		c.await(t, "served")
		asleep(t, conn)
		s.stats(t, calls+3+i+1)
	}
}

// What is queued for a worker wakes one that sleeps for its next call, or is found before it sleeps.
func TestQueueWakesWhoDozes(t *testing.T) {
	s := startPulledWith(t, 0, futex.None)
	th, c, _ := dozing(t, s)
	notified := func(number int64) {
		t.Helper()
		var notice *Notice
		th.settle(0)
		if err := th.await(); !errors.As(err, &notice) || notice.Number != number {
			t.Fatalf("%v instead of notice %d", err, number)
		}
	}
	took := th.dozes(t)
	s.Notify(Notice{Cancelled: true, Number: 7})
	if <-took {
		t.Fatal("there is no call")
	}
	notified(7)
	for calls := 0; th.ahead.Interrupted == nil; calls++ {
		waits := make(chan error)
		go func() { waits <- th.await() }()
		time.Sleep(time.Duration(calls) * time.Millisecond)
		c.submit("again")
		if err := <-waits; err != nil {
			t.Fatal(err)
		}
		th.publish()
		c.await(t, "again")
		if th.ahead.Interrupted == nil {
			th.settle(0)
		}
	}
	s.Notify(Notice{Cancelled: true, Number: 8}) // while it runs the call
	if th.doze() {
		t.Fatal("there is no call")
	}
	notified(8)
	s.workers.Go(func() { th.serve(new(atomic.Int64)) })
}

// Who is relieved after a sleep, with a call or without one, has nothing run twice.
func TestRelievedAfterDoze(t *testing.T) {
	for _, called := range []bool{true, false} {
		t.Run(fmt.Sprintf("called=%v", called), func(t *testing.T) {
			s := startPulledWith(t, 0, futex.None)
			th, c, calls := dozing(t, s)
			took := th.dozes(t)
			c.submit("rare")
			if !<-took {
				t.Fatal("the call is not taken")
			}
			var before uint32
			if !called {
				before = th.publish()
				c.await(t, "rare")
				took := th.dozes(t)
				th.call.conn.link.Interrupt()
				if <-took {
					t.Fatal("there is no call")
				}
			}
			th.call.conn.takeOver(th.turn)
			s.workers.Go(func() { s.work(s.NewWorker()) })
			if _, err := exchange(c.Client, "echo", []byte("other")); err != nil { // in another slot, by another worker
				t.Error(err)
			}
			if called {
				before = th.publish()
				c.await(t, "rare")
			}
			th.settle(before)
			s.workers.Go(func() { th.serve(new(atomic.Int64)) })
			c.submit("last")
			c.await(t, "last")
			if counts := s.stats(t, calls+3); counts.Calls != uint64(calls+3) {
				t.Errorf("%d calls are counted as %d", calls+3, counts.Calls)
			}
		})
	}
}

// The monitor is told of a connection that it has forgotten while a thread slept for its next call.
func TestMonitorIsToldOfRareCalls(t *testing.T) {
	s := startPulledWith(t, 0, futex.None)
	th, c, _ := dozing(t, s)
	watched := &th.call.conn.watched
	took := th.dozes(t)
	watched.Store(false)
	c.submit("rare")
	if !<-took || !watched.Load() {
		t.Error("nobody watches")
	}
	th.settle(th.publish())
	c.await(t, "rare")
	s.workers.Go(func() { th.serve(new(atomic.Int64)) })
}
