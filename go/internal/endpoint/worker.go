package endpoint

import (
	"sync/atomic"
	"time"

	"nanorpc/go/internal/link"
	"nanorpc/go/internal/shm"
)

// Worker runs calls of the server's pulled methods in a thread that is not Go's, such as Python's: Next returns one, and the next Next comes after it has been
// answered or detached. A worker that has got a call goes on to lead its connection: it takes the calls itself while they keep coming, without another
// thread between. It belongs to one goroutine.
type Worker struct {
	server *Server
	leader leader // conn is nil while it leads none
	other  *Call  // detached, from the queue: what is being run, if not nil
	busy   bool   // a call has been returned
	shared bool   // the last call was from the queue: the connection's own turn
	dozes  bool   // noted as sleeping on the connection
	// Calls that follow the last one of the connection may be taken ahead, if nobody relieves the worker: at once, or after a sleep.
	follows, rarely bool
	told            atomic.Uint64 // counts the times that what it has done has been counted
}

// NewWorker returns a worker of the server.
func (s *Server) NewWorker() *Worker { return &Worker{server: s} }

// Next ends the last call, which has been answered or detached, and blocks until there is another one. Errors: *Notice; ErrNotServing once the server has
// shut down.
func (w *Worker) Next() (*Call, error) {
	shm.PanicOnFault()
	for {
		if call, err := w.survive(link.Moment{}); call != nil || err != nil {
			return call, err
		}
	}
}

// NextSoon is Next, but waits for a moment only, and returns link.ErrPending if there is no call, or something else is to be done first: Next is to follow. It waits for longer only
// where Options.Concurrency is set and all places are taken.
func (w *Worker) NextSoon(m link.Moment) (*Call, error) {
	shm.PanicOnFault()
	call, err := w.survive(m)
	if call == nil && err == nil {
		err = link.ErrPending
	}
	return call, err
}

// survive is soon if the moment is not zero, else next. It returns nothing when a client has taken memory away: see leader.survive.
func (w *Worker) survive(m link.Moment) (*Call, error) {
	defer repanic()
	w.server.pulled.awake(w)
	w.finish()
	w.rarely = false
	w.told.Add(1)
	if m.Within != 0 {
		return w.soon(m)
	}
	return w.next()
}

// soon returns the next call, or nil if none comes within the moment, or something else is to be done first. A worker that leads no connection, as it has been relieved of it, waits for one
// only if that is insisted on: that takes a timer and a wake-up.
func (w *Worker) soon(m link.Moment) (*Call, error) {
	switch {
	case w.leader.conn != nil && !w.server.pulled.queued():
		w.shared = false
		return w.lead(m), nil
	case w.leader.conn == nil && m.Insist:
		timer := time.NewTimer(m.Within)
		defer timer.Stop()
		return w.wait(w.server.pulled.prompt, timer.C)
	}
	return nil, nil
}

func (w *Worker) next() (*Call, error) {
	for {
		if w.leader.conn == nil {
			if call, err := w.wait(w.server.pulled.offers, nil); call != nil || err != nil {
				return call, err
			}
			continue
		}
		if !w.shared || !w.leader.conn.link.Ready() {
			select {
			case e := <-w.server.pulled.queue:
				if call, err := w.take(e); call != nil || err != nil {
					return call, err
				}
				continue
			default:
			}
		}
		w.shared = false
		if call := w.lead(link.Moment{}); call != nil {
			return call, nil
		}
	}
}

// wait waits for what leaders hand over, until the end, which may be nil. It returns nothing if there is nothing to run.
func (w *Worker) wait(offers <-chan *leader, end <-chan time.Time) (*Call, error) {
	select {
	case <-end:
		return nil, nil
	case l := <-offers:
		w.leader = *l
		w.leader.conn.worker = w
		return w.run(), nil
	case e := <-w.server.pulled.queue:
		return w.take(e)
	case <-w.server.context.Done():
		select {
		case e := <-w.server.pulled.queue:
			return w.take(e)
		default:
			return nil, ErrNotServing
		}
	}
}

// take takes an event from the queue. While its call runs, others may take over the connection that the worker leads.
func (w *Worker) take(e event) (*Call, error) {
	if e.call == nil {
		return nil, e.notice
	}
	if e.call.overdue() {
		return nil, nil // it has been answered
	}
	w.other, w.busy, w.shared = e.call, true, true
	if c := w.leader.conn; c != nil {
		c.aside.Store(true)
		c.runs(nil)
		w.leader.takeTurn()
	}
	return e.call, nil
}

// lead waits for a call on the connection that the worker leads, if the moment is not zero for that only. It returns nil if there is none to run; the worker may lead another
// connection then, or none.
func (w *Worker) lead(moment link.Moment) *Call {
	l := &w.leader
	m, other, leads := l.next(moment)
	w.server.pulled.awake(w)
	switch {
	case !leads:
		w.leave(other)
		return nil
	case m == nil:
		return nil
	case m.pulled:
		return w.run()
	}
	if !l.begin(m) {
		w.leave(nil)
		return nil
	}
	l.call.run(m.handler)
	w.ended()
	return nil
}

// run begins the call that the leader has.
func (w *Worker) run() *Call {
	l := &w.leader
	w.follow()
	if !l.begin(l.call.method) {
		w.leave(nil)
		return nil
	}
	w.busy = true
	return &l.call
}

// finish ends the call that Next has returned.
func (w *Worker) finish() {
	if !w.busy {
		return
	}
	w.busy = false
	if w.other == nil {
		w.ended()
		return
	}
	w.other = nil
	if c := w.leader.conn; c != nil {
		c.aside.Store(false)
		if !w.leader.giveTurn() {
			c.callClosed() // opened by who has taken over
			w.leave(nil)
		}
	}
}

// ended ends a call of the connection that the worker leads, or has led.
func (w *Worker) ended() {
	l := &w.leader
	if !l.end() {
		w.leave(nil)
	} else if other := l.moveOn(); other != nil {
		w.leave(other)
	}
}

// leave leaves the connection. If other is not nil, the worker leads that one now.
func (w *Worker) leave(other *conn) {
	c := w.leader.conn
	w.leader.conn = other
	if other != nil {
		other.worker = w
		w.leader.call.conn = other
	}
	c.workers.Done()
}

// Close leaves to others what the worker leads. A call that it has not answered fails.
func (w *Worker) Close() {
	w.server.pulled.awake(w)
	call, left := w.other, false
	if call != nil {
		left = call.left
	} else if w.busy {
		call = &w.leader.call
		left = call.detached
	}
	if call != nil && !left && !call.answered { // who answers one that was left may do so now
		call.failSafely("the handler did not answer")
	}
	_ = shm.Try(w.finish)
	if c := w.leader.conn; c != nil {
		c.worker = nil
		w.leader.conn = nil
		c.flush()
		go c.lead()
	}
}
