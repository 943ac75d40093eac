package bench

import (
	"sync/atomic"
	"time"

	"nanorpc/go/internal/futex"
)

const (
	// A sleeping thread wakes some microseconds late, more where its CPU has to be woken as well: the rest is waited for awake.
	wakeAhead = int64(50 * time.Microsecond)
	// longestSleep is in how many ns a caller that sleeps notices that its round is over.
	longestSleep = int64(20 * time.Millisecond)
)

// pace says when a caller's calls begin. The zero pace is a closed loop: each begins at once.
type pace struct {
	clock clock
	first float64 // when the first call is due, on clock
	every float64 // from one call to the next, in ns; 0: no pace
	calls int64   // begun
	awake int64   // CPU time of the waiting that was done awake, in ns: the caller's, but no call's
}

// newPace returns the pace of the i-th of several callers, who share calls a second evenly among them and begin one after the other.
func newPace(c clock, rate float64, i, among int) pace {
	if rate == 0 {
		return pace{clock: c}
	}
	apart := 1e9 / rate
	return pace{clock: c, first: float64(c.now()) + float64(i)*apart, every: apart * float64(among)}
}

// wait blocks until the next call is due, and returns when that is or, in a caller that lags behind, was. That a call begins late because those
// before it took long counts as a part of its time: else the times that a user would wait are left out when they are the worst (coordinated
// omission). At the time until, unless it is 0, or when stop is set, there is no next call: it returns false.
func (p *pace) wait(until int64, stop *atomic.Bool) (int64, bool) {
	if p.every == 0 {
		return p.clock.now(), true
	}
	due := int64(p.first + float64(p.calls)*p.every)
	var began threadTime // zero: asleep up to now
	defer func() { p.awake += began.since() }()
	for {
		now := p.clock.now()
		if until != 0 && (due >= until || now >= until) || stop.Load() {
			return 0, false
		}
		left := due - now
		switch {
		case left <= 0:
			p.calls++
			return due, true
		case left > wakeAhead:
			sleep(min(left-wakeAhead, longestSleep))
		default:
			if began == (threadTime{}) {
				began = readThreadTime()
			}
		}
	}
}

// sleep blocks the thread for some ns, or less. While it sleeps the runtime does too: in nanosleep(2) it would look at the thread every 20 µs. The thread's timers are to be
// exact: by default they are up to 50 µs late, so that the kernel can serve them together.
func sleep(ns int64) {
	futex.BeExact()
	var nobodyWakes uint32
	futex.WaitLong(&nobodyWakes, 0, futex.Now()+ns)
}
