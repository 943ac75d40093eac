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
	// briefTries is how many calls in a row are waited for in vain until only one in maxBriefSkip is.
	briefTries = 4
	// maxBriefSkip is how many calls are not waited for, at most, until one is again.
	maxBriefSkip = 64
)

// brief learns whether replies come at once. It is safe for concurrent use, and loses a count now and then. The zero value is ready to use.
type brief struct {
	misses atomic.Int32 // in a row
	skip   atomic.Int32 // calls that are not to be waited for
}

// pays reports whether to wait for the next call.
func (b *brief) pays() bool {
	if b.misses.Load() < briefTries {
		return true
	}
	return b.skip.Add(-1) < 0
}

func (b *brief) learn(caught bool) {
	if caught {
		b.misses.Store(0)
		return
	}
	n := b.misses.Add(1)
	if n >= briefTries {
		b.skip.Store(int32(min(1<<min(n-briefTries, 6), maxBriefSkip)))
	}
}

// AwaitBriefly spins for the reply to the slot's call for as long as given, which should be microseconds, and reports whether it is there. It does
// not try where that has been in vain lately. It is for callers with better things to do than to wait.
func (c *Client) AwaitBriefly(slot int, limit time.Duration) bool {
	if c.Finished(slot) {
		return true
	}
	if !c.brief.pays() {
		return false
	}
	generation := c.calls[slot].generation
	word := &c.segment.Reply(slot).Word
	for end := futex.Now() + int64(limit); ; {
		seen := atomic.LoadUint32(word)
		if !wire.Done(seen, generation) {
			seen = futex.SpinWhile32(word, seen, briefRounds)
		}
		if wire.Done(seen, generation) {
			c.brief.learn(true)
			return true
		}
		if futex.Now() >= end {
			c.brief.learn(false)
			return false
		}
	}
}
