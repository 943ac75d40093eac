package endpoint

import (
	"slices"
	"sync"
)

// queueLength is how many calls may wait for a worker before the connections' leaders wait.
const queueLength = 1024

// pulled is what leaders and workers of a server share. Calls of methods that workers run reach them in two ways: a worker leads a connection, takes its calls, and
// nobody else is between; or a leader hands over what it cannot run.
type pulled struct {
	offers chan *leader // unbuffered: a worker that waits takes the leadership with the call
	queue  chan event   // there is none that waits

	mu     sync.Mutex // guards dozing
	dozing []*Worker  // that sleep on connections they lead
}

// event is a call that has been detached, or a notice.
type event struct {
	call   *Call
	notice *Notice
}

func newPulled() *pulled {
	return &pulled{offers: make(chan *leader), queue: make(chan event, queueLength)}
}

// queued reports whether something waits for a worker.
func (p *pulled) queued() bool { return len(p.queue) != 0 }

// put queues an event and wakes a worker for it that sleeps on a connection, if there is one. It waits while the queue is full and the server runs.
func (p *pulled) put(s *Server, e event) {
	select {
	case p.queue <- e:
		p.rouse()
	case <-s.context.Done():
	}
}

// rouse comes after the event is in the queue; doze notes the worker and then looks at the queue.
func (p *pulled) rouse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.dozing); n > 0 {
		// The worker leads the connection until it has left dozing, so the segment is there.
		p.dozing[n-1].leader.conn.link.Interrupt()
	}
}

// doze notes that a worker is about to sleep on the connection that it leads.
func (p *pulled) doze(w *Worker) {
	if !w.dozes {
		w.dozes = true
		p.mu.Lock()
		p.dozing = append(p.dozing, w)
		p.mu.Unlock()
	}
	if p.queued() {
		w.leader.conn.link.Interrupt()
	}
}

// awake is called by a worker that has dozed.
func (p *pulled) awake(w *Worker) {
	w.dozes = false
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.dozing, w)
	p.dozing = slices.Delete(p.dozing, i, i+1)
}

// handOver leaves a call for a worker, and reports whether it has left the leadership as well.
func (l *leader) handOver() bool {
	p := l.conn.server.pulled
	select {
	case p.offers <- l:
		return true
	default:
		p.put(l.conn.server, event{call: l.call.Detach()})
		return false
	}
}

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
}

// NewWorker returns a worker of the server.
func (s *Server) NewWorker() *Worker { return &Worker{server: s} }

// HandlePulled registers a method whose calls workers run, and returns its number: they count from 0 on.
func (s *Server) HandlePulled(name string) (int, error) {
	return s.register(&method{name: name, pulled: true})
}

// Number returns the number of the call's method, if that is pulled.
func (c *Call) Number() int { return c.method.number }

// Notice is what Worker.Next returns, once, in place of a call.
type Notice struct {
	Cancelled bool  // given to Notify; else a connection has ended and none of its calls is open
	Number    int64 // of the connection, or as given to Notify
}

// Error implements error.
func (n *Notice) Error() string { return "no call, but a notice" }

// Notify has one worker's Next return a notice. It blocks while a thousand calls wait.
func (s *Server) Notify(n Notice) { s.pulled.put(s, event{notice: &n}) }

// Next ends the last call, which has been answered or detached, and blocks until there is another one. Errors: *Notice; ErrNotServing once the server has
// shut down.
func (w *Worker) Next() (*Call, error) {
	w.finish()
	for {
		if w.leader.conn == nil {
			if call, err := w.wait(); call != nil || err != nil {
				return call, err
			}
			continue
		}
		if !w.shared || !w.leader.conn.link.Ready() {
			select {
			case e := <-w.server.pulled.queue:
				return w.take(e)
			default:
			}
		}
		w.shared = false
		if call := w.lead(); call != nil {
			return call, nil
		}
	}
}

// wait waits for what leaders hand over. It returns nothing if there is nothing to run.
func (w *Worker) wait() (*Call, error) {
	select {
	case l := <-w.server.pulled.offers:
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
	w.other, w.busy, w.shared = e.call, true, true
	if c := w.leader.conn; c != nil {
		c.aside.Store(true)
		w.leader.takeTurn()
	}
	return e.call, nil
}

// lead waits for a call on the connection that the worker leads. It returns nil if there is none to run; the worker may lead another connection then, or none.
func (w *Worker) lead() *Call {
	l := &w.leader
	m, other, leads := l.next()
	if w.dozes {
		w.server.pulled.awake(w)
	}
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
	if !w.leader.begin(w.leader.call.method) {
		w.leave(nil)
		return nil
	}
	w.busy = true
	return &w.leader.call
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
	call := w.other
	if call == nil && w.busy {
		call = &w.leader.call
	}
	if call != nil && !call.answered && !call.detached {
		call.Fail("the handler did not answer")
	}
	w.finish()
	if c := w.leader.conn; c != nil {
		c.worker = nil
		w.leader.conn = nil
		c.flush()
		go c.lead()
	}
}
