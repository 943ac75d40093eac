package endpoint

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
)

const (
	// maxPolled is how many connections are polled together: looking at them must cost less than a call.
	maxPolled = 32
	// polledFor is how long a connection without calls is polled, in ns. A client that has lost its CPU to others has it back in a few milliseconds.
	polledFor = int64(4 * time.Millisecond)
)

// poller has one spinning leader look at other connections as well: those whose leaders may not spin, as too many do already (futex.Permits). They give their
// threads back, and their clients need not wake anybody. Where more clients call than there are CPUs, this is what keeps the server from switching between
// threads, 200,000 times a second with eight clients.
//
// The leader that polls belongs to the owner, a connection. It goes over to another that has calls by exchanging the two. When it sleeps, the others get leaders
// of their own.
type poller struct {
	count atomic.Int32 // len(others), readable without the lock

	mu     sync.Mutex // guards what follows
	owner  *conn      // nil: nobody polls
	others []polled
}

// polled is a connection without a leader of its own.
type polled struct {
	conn  *conn
	since int64 // ns of futex.Now
}

// claim makes a connection the owner if there is none, and reports whether it is.
func (p *poller) claim(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owner == nil {
		p.owner = c
	}
	return p.owner == c
}

// join adds a connection to those polled, and reports whether it could: then the leader must leave it at once. Its bell says that it is polled.
func (p *poller) join(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The error is looked at under the lock: conn.close sets it, then removes the connection here.
	if p.owner == nil || p.owner == c || len(p.others) >= maxPolled || c.link.Err() != nil {
		return false
	}
	p.add(c)
	return true
}

// add needs the lock.
func (p *poller) add(c *conn) {
	p.others = append(p.others, polled{conn: c, since: futex.Now()})
	p.count.Store(int32(len(p.others)))
}

// take needs the lock. The connection has a leader from then on.
func (p *poller) take(i int) *conn {
	c := p.others[i].conn
	p.others = slices.Delete(p.others, i, i+1)
	p.count.Store(int32(len(p.others)))
	c.workers.Add(1) // it has not been closed, or it would not be here
	return c
}

// remove takes a connection out, and reports whether it was in: then it is to have a leader.
func (p *poller) remove(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.others, func(o polled) bool { return o.conn == c })
	if i < 0 {
		return false
	}
	p.take(i)
	return true
}

// ready reports whether a connection has a call. Those that have had none for long get leaders of their own, which sleep.
func (p *poller) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := futex.Now()
	for i := 0; i < len(p.others); i++ {
		if p.others[i].conn.link.Ready() {
			return true
		}
		if now-p.others[i].since > polledFor {
			c := p.take(i)
			c.tired = true
			go c.lead()
			i--
		}
	}
	return false
}

// exchange returns a connection that has a call, which the owner's leader is to lead, and polls the owner's in its place; or nil.
func (p *poller) exchange(owner *conn) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owner != owner || owner.link.Err() != nil {
		return nil
	}
	i := slices.IndexFunc(p.others, func(o polled) bool { return o.conn.link.Ready() })
	if i < 0 {
		return nil
	}
	c := p.take(i)
	owner.polls, c.polls = false, true
	p.owner = c
	p.add(owner)
	return c
}

// quit gives the others leaders of their own. The owner's leader calls it.
func (p *poller) quit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owner = nil
	for len(p.others) > 0 {
		go p.take(0).lead()
	}
}
