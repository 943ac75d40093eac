package link

import (
	"sync"
	"sync/atomic"
	"time"

	"nanorpc/go/internal/wire"
)

// reapInterval is how often a client looks for late replies, which ring no bell, while somebody waits for what they would free.
const reapInterval = time.Millisecond

// reaping frees the slots of abandoned calls for those who wait for a slot or a block. One goroutine does it for all of them, and only while there are both: hundreds
// that wait take no time for it. The zero value is ready to use.
type reaping struct {
	mu      sync.Mutex
	waiters int
	runs    bool // the goroutine
}

// want is called by who begins to wait.
func (r *reaping) want(c *Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiters++
	r.start(c)
}

// unwant is called by who has waited.
func (r *reaping) unwant() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiters--
}

// added is called after a slot has been added to the abandoned ones. Who waits is counted before want looks at them: one of us starts the goroutine.
func (r *reaping) added(c *Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start(c)
}

// start needs the lock.
func (r *reaping) start(c *Client) {
	if !r.runs && r.needed(c) {
		r.runs = true
		go r.run(c)
	}
}

// needed needs the lock.
func (r *reaping) needed(c *Client) bool {
	return r.waiters > 0 && !c.abandoned.empty() && c.Err() == nil
}

// run reaps while it is needed.
func (r *reaping) run(c *Client) {
	for {
		c.Reap()
		r.mu.Lock()
		if !r.needed(c) {
			r.runs = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		time.Sleep(reapInterval)
	}
}

// Reap frees the slots of abandoned calls whose late replies have come. It is done also while somebody waits in Acquire or Reserve. Unlike other operations it holds no slot that keeps
// the segment mapped.
func (c *Client) Reap() {
	c.unmapping.Lock()
	defer c.unmapping.Unlock()
	if c.unmapped {
		return
	}
	c.abandoned.each(func(i int) {
		// The generation is the slot's own: nobody else uses the slot while it is in the set.
		if wire.Done(atomic.LoadUint32(&c.segment.Reply(i).Word), c.calls[i].generation) {
			c.abandoned.remove(i)
			c.freeBlock(i)
			c.slots.put(i)
		}
	})
}
