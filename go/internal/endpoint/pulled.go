package endpoint

import (
	"slices"
	"sync"
	"time"
)

// queueLength is how many calls may wait for a worker before the connections' leaders wait.
const queueLength = 1024

// pulled is what leaders and workers of a server share. Calls of methods that workers run reach them in two ways: a worker leads a connection, takes its calls, and
// nobody else is between; or a leader hands over what it cannot run.
type pulled struct {
	offers chan *leader // unbuffered: a worker that waits takes the leadership with the call
	prompt chan *leader // the same for a worker that waits for a moment: others would have to wait for what it keeps from them
	queue  chan event   // there is none that waits

	mu     sync.Mutex // guards dozing
	dozing []*Worker  // that sleep on connections they lead, or run calls there between which they sleep
}

// event is a call that has been detached, or a notice.
type event struct {
	call   *Call
	notice *Notice
}

func newPulled() *pulled {
	return &pulled{offers: make(chan *leader), prompt: make(chan *leader), queue: make(chan event, queueLength)}
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

// rouse comes after the event is in the queue; doze notes the worker and then looks at the queue. One that runs a call is not woken, but looks at the queue before it sleeps. Where calls
// are open somebody else may lead the connection, and have been woken.
func (p *pulled) rouse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range slices.Backward(p.dozing) {
		c := w.leader.conn // until the worker has left dozing: so the segment is there
		if c.link.Interrupt() && c.open.Load() == 0 {
			return
		}
	}
}

// settleFor is for how long who reads statistics waits for workers that have been woken: each has the interpreter's lock to get first.
const settleFor = 5 * time.Millisecond

// settle has workers that sleep between calls that they take ahead tell of these, and waits for that for a moment.
func (p *pulled) settle() {
	told := map[*Worker]uint64{}
	p.mu.Lock()
	for _, w := range p.dozing {
		if w.rarely && w.leader.conn.link.Interrupt() {
			told[w] = w.told.Load()
		}
	}
	p.mu.Unlock()
	for w, before := range told {
		for end := time.Now().Add(settleFor); w.told.Load() == before && time.Now().Before(end); {
			time.Sleep(settleFor / 100)
		}
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

// awake is called by a worker that may have dozed.
func (p *pulled) awake(w *Worker) {
	if !w.dozes {
		return
	}
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
	case p.prompt <- l:
		return true
	default:
	}
	select {
	case p.offers <- l:
		return true
	default:
		p.put(l.conn.server, event{call: l.call.Detach()})
		return false
	}
}

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
