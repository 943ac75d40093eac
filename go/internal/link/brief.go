package link

import (
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
	"nanorpc/go/internal/wire"
)

const (
	// briefRounds is somewhat less than a microsecond of PAUSE, after which the clock is read.
	briefRounds = 24
	// briefTries is how many calls in a row must have been waited for in vain for the next ones not to be.
	briefTries = 4
	// A probe waits for as long as it takes to wake the server up, and more: where every reply takes a trip through an event loop, the server is asleep by the next
	// call, and will be for ever. Once a caller has waited for it, both are awake.
	briefProbe = int64(150 * time.Microsecond)
	// maxBriefSkip is how many calls there are between probes, at most.
	maxBriefSkip = 256
)

// brief learns whether replies come at once. It is safe for concurrent use, and loses a count now and then. The zero value is ready to use.
type brief struct {
	misses atomic.Int32 // in a row
	skip   atomic.Int32 // calls until the next probe
	failed atomic.Int32 // probes in a row
}

// wait returns for how many ns to wait for a reply; limit is for how long if there is hope. woke says that the server has had to be woken for the call.
func (b *brief) wait(limit int64, woke bool) int64 {
	switch {
	case !woke && b.misses.Load() < briefTries:
		return limit
	case b.skip.Add(-1) >= 0:
		return 0
	}
	return briefProbe
}

func (b *brief) caught() {
	b.misses.Store(0)
	b.failed.Store(0)
	b.skip.Store(0)
}

// missed notes that the wait, which may have been none, has not caught the reply.
func (b *brief) missed(wait int64) {
	switch {
	case wait == briefProbe:
		b.skip.Store(int32(min(1<<min(b.failed.Add(1), 30), maxBriefSkip)))
	case b.misses.Load() < briefTries:
		b.misses.Add(1)
	}
}

// AwaitBriefly spins for the reply to the slot's call for as long as given, which should be microseconds, and reports whether it is there. It does
// not try where that has been in vain lately, but for a longer try now and then. It is for callers with better things to do than to wait. woke is what Submit has returned.
func (c *Client) AwaitBriefly(slot int, limit time.Duration, woke bool) bool {
	if c.Finished(slot) {
		return true
	}
	wait := c.brief.wait(int64(limit), woke)
	if wait > 0 && c.spinFor(slot, wait) {
		c.brief.caught()
		return true
	}
	c.brief.missed(wait)
	return false
}

// spinFor spins for a reply for some ns, and reports whether it is there.
func (c *Client) spinFor(slot int, wait int64) bool {
	generation := c.calls[slot].generation
	word := &c.segment.Reply(slot).Word
	for end := futex.Now() + wait; ; {
		seen := atomic.LoadUint32(word)
		if !wire.Done(seen, generation) {
			seen = futex.SpinWhile32(word, seen, briefRounds)
		}
		if wire.Done(seen, generation) {
			return true
		}
		if futex.Now() >= end {
			return false
		}
	}
}
