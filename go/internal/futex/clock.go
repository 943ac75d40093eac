package futex

import (
	"sync"
	"time"
)

// processClock is computed once and never changes.
var processClock = sync.OnceValue(readClock)

// Now returns CLOCK_MONOTONIC in nanoseconds, the clock in which deadlines cross between processes. It makes no system call.
func Now() int64 {
	c := processClock()
	return c.base + int64(time.Since(c.start))
}

// Time converts t, which should carry a monotonic reading, to nanoseconds of Now. The zero time gives 0: no deadline.
func Time(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	c := processClock()
	return max(c.base+int64(t.Sub(c.start)), 1)
}

// ToTime is the inverse of Time, for times other than 0.
func ToTime(ns int64) time.Time {
	c := processClock()
	return c.start.Add(time.Duration(ns - c.base))
}
