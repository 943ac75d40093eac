package endpoint

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/link"
	"nanorpc/go/internal/rendezvous"
	"nanorpc/go/internal/wire"
)

// conn is one client's connection. One goroutine, the leader, takes calls and runs quick handlers itself. Before a handler that is not known
// to be quick, it starts another leader and retires; a quick one that takes long after all loses the leadership to the server's monitor
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
	open    atomic.Int32   // calls taken and not answered, other than the one the leader runs
	closing sync.Once

	// turn is odd while the leader runs a handler. Whoever makes it even leads: the leader, when the handler returns, or the monitor.
	turn atomic.Uint64

	drained int // calls served while draining; the leader's own

	releasing sync.Mutex // guards released, and the segment against those who are not workers
	released  bool
}

// lead takes calls until the connection ends or another leader takes over.
func (c *conn) lead() {
	defer c.workers.Done()
	var call Call // one for all calls of this leader: a handler's pointer to it moves it to the heap
	for served := 0; ; served++ {
		taken, err := c.link.Next()
		if errors.Is(err, link.ErrInterrupted) {
			if c.server.draining.Load() && c.open.Load() == 0 {
				c.close(link.ErrClosed)
				return
			}
			continue
		}
		if err != nil {
			c.close(err)
			return
		}
		call = Call{Call: taken, conn: c}
		m := c.admit(&call)
		if m == nil {
			continue
		}
		if !m.quick() {
			c.workers.Add(1)
			c.open.Add(1)
			go c.lead()
			c.timed(&call, m)
			c.callClosed()
			return
		}
		turn := c.turn.Load() + 1
		c.turn.Store(turn) // seen by the monitor; the exchange below takes the leadership back
		c.server.monitor.wake()
		if served%sampleEvery == 0 {
			c.timed(&call, m)
		} else {
			call.run(m.handler)
		}
		if !c.turn.CompareAndSwap(turn, turn+1) {
			m.took(quickLimit + 1)
			return
		}
	}
}

// timed runs the call and remembers how long the method took.
func (c *conn) timed(call *Call, m *method) {
	start := time.Now()
	call.run(m.handler)
	m.took(time.Since(start))
}

// admit returns the method to run, or answers the call and returns nil.
func (c *conn) admit(call *Call) *method {
	if call.Cancelled {
		call.Publish(wire.StatusCancelled, 0, 0)
		return nil
	}
	if c.server.draining.Load() {
		// What was in flight when the draining began is served: at most one call per slot.
		if c.drained >= wire.Slots {
			call.Publish(wire.StatusShutdown, 0, 0)
			return nil
		}
		c.drained++
	}
	m := c.server.lookup(call.Method)
	if m == nil {
		call.Publish(wire.StatusUnknownMethod, 0, 0)
	}
	return m
}

// takeOver starts another leader if the present one still runs the handler of the given turn.
func (c *conn) takeOver(turn uint64) {
	c.workers.Add(1) // before the old leader can end and let the segment go
	if !c.turn.CompareAndSwap(turn, turn+1) {
		c.workers.Done()
		return
	}
	go c.lead()
}

// callClosed is called when one of the open calls has been answered.
func (c *conn) callClosed() {
	if c.open.Add(-1) == 0 && c.server.draining.Load() {
		c.link.Interrupt()
	}
}

// close ends the connection: its handlers' context, the client's waits, and Next.
func (c *conn) close(cause error) {
	c.closing.Do(func() {
		c.cancel()
		c.link.Close(cause)
		_ = c.peer.Close()
	})
}

// interrupt makes the leader look whether it should end.
func (c *conn) interrupt() {
	c.releasing.Lock()
	defer c.releasing.Unlock()
	if !c.released {
		c.link.Interrupt()
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
}
