package endpoint

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/wire"
)

// conn is one client's connection. One goroutine, the leader, takes calls and runs quick handlers itself. Before a handler that is not known
// to be quick, it starts another leader and retires; one that takes long after all loses the leadership when the client rings, or to the server's monitor
// (the leader/followers pattern: Schmidt et al., Pattern-Oriented Software Architecture, vol. 2).
type conn struct {
	id      int64
	server  *Server
	link    *link.Server
	peer    *rendezvous.Conn
	segment *wire.Segment
	file    *os.File

	context context.Context // of its handlers
	cancel  context.CancelFunc
	workers sync.WaitGroup // goroutines that use the segment
	running places         // for the connection's handlers
	open    atomic.Int32   // calls taken and not answered, other than the one the leader runs; see opened
	closing sync.Once

	registering sync.Mutex                              // serialises changes of contexts, but for their removal
	contexts    [wire.Slots]atomic.Pointer[callContext] // by slot, of the calls whose handlers have asked for one that can wait

	turn    atomic.Uint64 // a turn
	watched atomic.Bool   // by the monitor
	aside   atomic.Bool   // the leader, a Worker, runs a call of another connection

	// The leader's own, which pass on with the leadership:
	drained  int // calls served while draining
	overlaps int // see overlap
	last     cachedMethod
	pending  count   // calls of the last method that have not been added to its tally yet
	untimed  uint64  // calls since the last one whose time was taken
	polls    bool    // the leader looks at other connections as well: this is the poller's owner
	tired    bool    // nobody else is to wait for calls, the leader is to sleep
	slept    bool    // the leader has slept since the last call: another reading of the clock is nothing beside that
	worker   *Worker // the leader, if it is one
	pinned   bool    // the turn is

	tally   tally                  // of this connection
	refused atomic.Uint64          // calls that came to no handler
	quickly atomic.Pointer[method] // what the leader runs, when turn is odd, unless it is counted among its method's running ones: then nil
	paid    atomic.Uint64          // waits that a spin has ended
	sleeps  atomic.Uint64          // waits that it has not ended
	started time.Time              // immutable

	parking sync.Mutex // guards what follows
	parked  bool       // nobody leads until the client rings
	called  bool       // the client has rung, and nobody was parked yet

	pinner runtime.Pinner

	releasing sync.Mutex // guards released, and the segment against those who are not workers
	released  bool
}

// interrupted deals with what Next returns instead of a call. It reports whether the leader goes on; if not, it is to lead another connection, if that is not nil.
func (c *conn) interrupted(err error) (other *conn, leads bool) {
	switch {
	case errors.Is(err, link.ErrElsewhere):
		other = c.leave()
		return other, other == nil
	case errors.Is(err, link.ErrJoined):
		return nil, false
	case errors.Is(err, link.ErrPending):
		return nil, true
	case errors.Is(err, link.ErrParked):
		return nil, !c.park()
	case errors.Is(err, link.ErrInterrupted):
		if !c.server.draining.Load() || c.open.Load() != 0 {
			return nil, true
		}
		err = link.ErrClosed
	}
	c.flush()
	c.resign()
	c.close(err)
	return nil, false
}

// elsewhere reports whether there are calls on other connections, for which this leader looks as well.
func (c *conn) elsewhere() bool {
	if c.worker != nil && c.server.pulled.queued() {
		return true
	}
	p := &c.server.poller
	if !c.polls {
		c.polls = p.claim(c)
	}
	return c.polls && p.count.Load() != 0 && p.ready()
}

// leave returns the connection that the leader is to lead instead of this one, or nil.
func (c *conn) leave() *conn {
	c.waited()
	return c.server.poller.exchange(c)
}

// join leaves it to another connection's leader to wait for calls, and reports whether there is one that does.
func (c *conn) join() bool {
	if c.tired || c.polls {
		c.tired = false
		return false
	}
	return c.server.poller.join(c)
}

// resign ends the leader's looking at other connections.
func (c *conn) resign() {
	if c.polls {
		c.polls = false
		c.server.poller.quit()
	}
}

// note counts a call that the leader has run. took is negative if it has not been timed.
func (c *conn) note(call *Call, took time.Duration) {
	if call.detached {
		return // it tells when it is answered
	}
	c.pending.note(call)
	c.untimed++
	if took >= 0 {
		c.tally.times.add(took, c.untimed)
		call.method.tally.times.add(took, c.untimed)
		c.untimed, c.slept = 0, false
		c.waited()
	}
}

// flush adds what the leader has counted of the last method to the tallies. Only the leader calls it: when it is about to run another method, or a spin
// has ended in vain, or to hand over, and every sampleEvery calls.
func (c *conn) flush() {
	if c.pending.calls == 0 {
		return
	}
	c.tally.add(c.pending)
	c.last.method.tally.add(c.pending)
	c.pending = count{}
}

// waited is called by the leader when a spin has ended in vain, and now and then when none does. It lets others read what only the leader may.
func (c *conn) waited() {
	c.flush()
	paid, sleeps := c.link.Waits()
	c.paid.Store(paid)
	c.sleeps.Store(sleeps)
}

// sleeping is called by the leader before it sleeps.
func (c *conn) sleeping() {
	c.resign()
	c.slept = true
	if c.worker != nil {
		c.server.pulled.doze(c.worker)
	}
}

// tell counts a call that was not run by the leader, or is not any more. took is negative if it has not been timed.
func (c *conn) tell(call *Call, took time.Duration) {
	if call.detached && !call.answered {
		return
	}
	var n count
	n.note(call)
	for _, t := range []*tally{&c.tally, &call.method.tally} {
		t.add(n)
		if took >= 0 {
			t.times.add(took, 1)
		}
	}
}

// park notes that the leader goes, and reports false if the client has rung since it was told to.
func (c *conn) park() bool {
	c.parking.Lock()
	defer c.parking.Unlock()
	c.parked = !c.called
	c.called = false
	return c.parked
}

// rung is called when the client rings: there are calls that nobody takes. It starts a leader where none leads, and where one leads that is stuck in a
// handler.
func (c *conn) rung() {
	if !c.unpark() {
		c.relieve()
	}
}

// unpark starts a leader where none leads, and reports whether it has.
func (c *conn) unpark() bool {
	c.parking.Lock()
	defer c.parking.Unlock()
	switch {
	case c.parked && c.link.Err() == nil:
		c.parked = false
		c.workers.Add(1)
	case c.server.poller.remove(c):
	default:
		c.called = true
		return false
	}
	go c.lead()
	return true
}

// reliefAfter is how long a handler must be seen running until its leader loses the leadership. The client has waited for longer before it rings.
const reliefAfter = 10 * time.Microsecond

// relieve starts another leader if the present one is stuck. It blocks for reliefAfter at most.
func (c *conn) relieve() {
	seen := c.present()
	for end := time.Now().Add(reliefAfter); seen.runs(); runtime.Gosched() {
		if c.present() != seen {
			return // it is busy, not stuck
		}
		if time.Now().After(end) {
			c.takeOver(seen)
			return
		}
	}
}

// present returns the present turn.
func (c *conn) present() turn { return turn(c.turn.Load()) }

// admit returns the method to run, or answers the call and returns nil.
func (c *conn) admit(call *Call) *method {
	if call.Cancelled {
		c.refused.Add(1)
		call.Publish(wire.StatusCancelled, 0, 0)
		return nil
	}
	if c.server.draining.Load() {
		// What was in flight when the draining began is served: at most one call per slot.
		if c.drained >= wire.Slots {
			c.refused.Add(1)
			call.Publish(wire.StatusShutdown, 0, 0)
			return nil
		}
		c.drained++
	}
	m := c.lookup(call.Method)
	if m == nil {
		c.refused.Add(1)
		call.Publish(wire.StatusUnknownMethod, 0, 0)
	}
	return m
}

// lookup returns the method with a number, or nil. Most calls of a connection are of the method called last.
func (c *conn) lookup(id uint64) *method {
	table := c.server.methods.Load()
	if c.last.id != id || c.last.table != table {
		c.flush()
		c.last = cachedMethod{id: id, table: table, method: (*table)[id]}
	}
	return c.last.method
}

// cachedMethod is what a lookup has found.
type cachedMethod struct {
	id     uint64
	table  *map[uint64]*method // nil: nothing yet
	method *method
}

// takeOver starts another leader if the present one still runs the handler of the given turn. The call of the old one is open then.
func (c *conn) takeOver(old turn) {
	c.workers.Add(1) // before the old leader can end and let the segment go
	if !c.turn.CompareAndSwap(uint64(old), uint64(old.next())) {
		c.workers.Done()
		return
	}
	if generation, ok := old.taken(); ok {
		c.link.Took(generation, 0, futex.Slept{}) // who has taken it counts what he has done
	}
	if m := c.quickly.Load(); m != nil { // until who has been relieved ends it
		m.running.Add(1)
	}
	c.opened() // before the new leader can find that none is open
	go c.lead()
}

// maxOpen is how many calls of a connection may be open. A client has one in each slot, and perhaps some that have been answered and not been counted yet; one that calls in
// slots whose calls have not been answered would have the server start handlers without end.
const maxOpen = 16 * wire.Slots

// overlapMemory is for how many calls that are not quick a connection is taken for one whose calls overlap, since they last have.
const overlapMemory = 32

// overlap notes that a call has come while another one ran. Where calls overlap, one that may take long is not run by the leader. Where they do not, as the client waits for each
// before it makes the next, another leader would have nothing to do but to take the CPU's time from the handler, and each call would go from one thread to the next; if a call
// comes after all, its caller asks for relief.
func (c *conn) overlap() { c.overlaps = overlapMemory }

// overlapping reports whether calls overlap. It is asked once for each call that is not quick.
func (c *conn) overlapping() bool {
	if c.overlaps == 0 {
		return false
	}
	c.overlaps--
	return true
}

// opened counts a call that the leader does not run, or not any more, and ends the connection if there are too many.
func (c *conn) opened() {
	if c.open.Add(1) > maxOpen {
		c.close(link.ErrProtocol)
	}
}

// callClosed is called when one of the open calls has been answered.
func (c *conn) callClosed() {
	if c.open.Add(-1) == 0 && c.server.draining.Load() {
		c.link.Interrupt()
		c.unpark()
	}
}

// close ends the connection: its handlers' context, the client's waits, and Next.
func (c *conn) close(cause error) {
	c.closing.Do(func() {
		// The cause comes before the cancellation: what handlers make of that is no reply any more.
		c.link.Close(cause)
		c.cancel()
		_ = c.peer.Close()
		// Nobody is in rung with the connection still open in his eyes, once the lock is ours: no leader starts any more.
		c.parking.Lock()
		defer c.parking.Unlock()
		c.parked = false
		if c.server.poller.remove(c) {
			c.workers.Done() // no leader is needed any more
		}
	})
}

// lost ends the connection of a client that has taken the segment's memory away. See shm.Mapping.Guard.
func (c *conn) lost() {
	c.server.options.Logger.Warn("client cut off", "connection", c.id, "pid", c.peer.PeerPID(), "reason", "it took its shared memory away")
	c.close(link.ErrProtocol)
}

// interrupt makes the leader look whether it should end.
func (c *conn) interrupt() {
	c.releasing.Lock()
	defer c.releasing.Unlock()
	if !c.released {
		c.link.Interrupt()
		c.unpark()
	}
}

// release unmaps the segment of a closed connection without workers.
func (c *conn) release() {
	c.releasing.Lock()
	defer c.releasing.Unlock()
	c.released = true
	c.cancel()
	c.link.Release()
	_ = c.segment.Close() // fails only for a range that is not mapped
	_ = c.file.Close()
	c.pinner.Unpin()
}
