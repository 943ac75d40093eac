package endpoint

import (
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/link"
	"nanorpc/go/internal/shm"
)

// leader takes a connection's calls, one after the other. It belongs to one goroutine, or to a Worker.
type leader struct {
	conn  *conn // that it leads, or of the call that it still runs
	call  Call  // one for all calls: a handler's pointer to it moves it to the heap
	turn  turn
	leads bool // while a call is run: it leads the connection; else another leader has been started
	slow  bool // the call is counted among its method's running ones
	start time.Time
	timed bool          // since start,
	took  time.Duration // or for so long, if not 0
	ahead count         // the calls before the one that is run now that have been taken ahead of it
	slept futex.Slept   // for how many of these, and that one, the leader's thread has slept
}

// lead leads the connection, and others after it. See poller.
func (c *conn) lead() {
	shm.PanicOnFault()
	l := &leader{}
	for c != nil {
		c.worker = nil
		l.conn, l.call.conn = c, c
		for ended := false; !ended; {
			c, ended = l.survive()
		}
	}
}

// survive is serve. It reports false when a client has taken memory away, and the connection is led as before: what can fault outside of the handlers, which
// Call.run sees to, is only what looks for calls, and leaves nothing half done. That client need not be the connection's own: leaders look at others as well.
func (l *leader) survive() (other *conn, ended bool) {
	defer repanic()
	return l.serve(), true
}

// repanic is deferred. It recovers from faults in segments, but from nothing else.
func repanic() {
	if p := recover(); p != nil && !shm.Recovered(p) {
		panic(p)
	}
}

// serve takes and runs calls until the connection ends or somebody else leads. It returns another connection that the leader is to lead now, or nil.
func (l *leader) serve() *conn {
	c := l.conn
	for {
		m, other, leads := l.next(link.Moment{})
		if !leads {
			c.workers.Done()
			return other
		}
		if m == nil {
			continue
		}
		if m.pulled {
			if l.handOver() {
				return nil
			}
			continue
		}
		if !l.begin(m) {
			c.workers.Done()
			return nil
		}
		l.call.run(m.handler)
		if !l.end() {
			c.workers.Done()
			return nil
		}
		if other := l.moveOn(); other != nil {
			c.workers.Done()
			return other
		}
	}
}

// next waits for a call, and returns its method; or nil if there is nothing to run: then the leader goes on, or it leads the connection no more, and is to lead
// another one if that is not nil. If the moment is not zero it waits for that only.
func (l *leader) next(moment link.Moment) (m *method, other *conn, leads bool) {
	var err error
	if moment.Within != 0 {
		err = l.conn.link.NextSoon(&l.call.Call, moment)
	} else {
		err = l.conn.link.Next(&l.call.Call)
	}
	if err != nil {
		other, leads = l.conn.interrupted(err)
		return nil, other, leads
	}
	l.call.renew()
	m = l.conn.admit(&l.call)
	l.call.method = m
	return m, nil, true
}

// begin is called before the method is run. It leaves the connection to another leader if that may take long, and calls may come meanwhile. It reports false if there is nothing
// more to do: the call's context has ended while it waited for the server's other calls, and it has been answered.
func (l *leader) begin(m *method) bool {
	c := l.conn
	free, quick := m.reserved || c.tryStart(), m.quick()
	if c.open.Load() != 0 {
		c.overlap()
	}
	l.slow = !quick || !free
	if l.slow {
		m.running.Add(1)
	}
	if !free || !quick && c.overlapping() {
		c.flush()
		c.workers.Add(1)
		c.opened()
		l.leads = false
		go c.lead()
		if !free && !c.start(&l.call) {
			c.refused.Add(1)
			m.running.Add(-1)
			c.callClosed()
			return false
		}
		l.clock(true)
		return true
	}
	l.leads = true
	quickly := m
	if l.slow {
		quickly = nil
	}
	c.runs(quickly)
	timed := l.slow || c.untimed >= sampleEvery-1 || c.slept // before others may lead
	l.takeTurn()
	l.clock(timed)
	return true
}

// takeTurn says that the leader is about to run a call.
func (l *leader) takeTurn() {
	c := l.conn
	l.turn = c.present().next()
	c.turn.Store(uint64(l.turn)) // seen by who relieves the leader; giveTurn takes the leadership back
	l.seeWatched()
}

// seeWatched sees to it that the monitor watches the connection. It comes after the turn's begin: see watched.forgotten.
func (l *leader) seeWatched() {
	if c := l.conn; !c.watched.Load() {
		c.server.monitor.add(c)
	}
}

// giveTurn reports whether the leader still leads.
func (l *leader) giveTurn() bool {
	return l.conn.turn.CompareAndSwap(uint64(l.turn), uint64(l.turn.next()))
}

// clock begins to measure the time that the call takes, or not.
func (l *leader) clock(timed bool) {
	l.timed, l.took = timed, 0
	if timed {
		l.start = time.Now()
	}
}

// end is called when the method has been run, and reports whether the leader still leads.
func (l *leader) end() bool {
	c, m := l.conn, l.call.method
	took := time.Duration(-1)
	if l.timed {
		took = l.took
		if took == 0 {
			took = time.Since(l.start)
		}
		m.took(took)
	}
	c.stopped(m)
	if l.slow {
		m.running.Add(-1)
	}
	if !l.leads {
		c.tell(&l.call, took)
		c.callClosed()
		return false
	}
	if !l.giveTurn() {
		m.took(quickLimit + 1)
		if !l.slow { // counted by who has relieved the leader
			m.running.Add(-1)
		}
		c.tell(&l.call, took)
		if l.ahead.calls != 0 {
			l.tellAhead()
		}
		c.callClosed()
		return false
	}
	if !l.slow {
		if l.ahead.calls != 0 {
			l.noteAhead()
		}
		c.note(&l.call, took)
		return true
	}
	c.tell(&l.call, took)
	c.waited()
	if c.link.Came() { // meanwhile
		c.overlap()
	}
	return true
}

// moveOn returns another connection that the leader is to lead now, or nil: calls that keep coming must not keep those on other connections waiting.
func (l *leader) moveOn() *conn {
	if l.timed && l.conn.elsewhere() {
		return l.conn.leave()
	}
	return nil
}
