package bench

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// clock counts nanoseconds from its start. time.Since reads the monotonic clock only, which takes half as long as time.Now.
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() int64 { return int64(time.Since(c.start)) }

// at returns what the clock shows at a time of monotonic.
func (c clock) at(ns int64) int64 { return c.now() + ns - monotonic() }

// monotonic returns the time of CLOCK_MONOTONIC, in ns. All processes of the machine share it.
func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // always succeeds
	return now.Nano()
}

// ClockCost measures what one reading of the clock costs on this machine: about 20 ns, ten times that where the kernel has to be
// asked. It takes a few milliseconds.
func ClockCost() time.Duration {
	const batches, readings = 51, 1000
	c := newClock()
	costs := make([]int64, batches)
	for i := range costs {
		before := c.now()
		for range readings - 1 {
			c.now()
		}
		costs[i] = (c.now() - before) / readings
	}
	slices.Sort(costs)
	return time.Duration(costs[batches/2])
}
